-- Version 4, made from version 3: noted ids of messages. No expiry while a message with the id is queued, delayed or
-- running; after that, the time until which it is remembered, in microseconds since 1970.
CREATE TABLE ids (
    queue   TEXT NOT NULL,
    id      TEXT NOT NULL,
    expires INTEGER,
    PRIMARY KEY (queue, id)
) WITHOUT ROWID;
CREATE INDEX ids_expires ON ids (expires) WHERE expires IS NOT NULL;

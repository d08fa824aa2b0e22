-- Version 4, made from version 3: noted ids of messages. Without an expiry while a message of the id is queued, delayed or
-- runs; then until when it is remembered, in microseconds since 1970.
CREATE TABLE ids (
    queue   TEXT NOT NULL,
    id      TEXT NOT NULL,
    expires INTEGER,
    PRIMARY KEY (queue, id)
) WITHOUT ROWID;
CREATE INDEX ids_expires ON ids (expires) WHERE expires IS NOT NULL;

-- Version 3, made from version 2: since when a message has been ready, in microseconds since 1970. Unknown for older
-- messages.
ALTER TABLE messages ADD COLUMN ready_at INTEGER;

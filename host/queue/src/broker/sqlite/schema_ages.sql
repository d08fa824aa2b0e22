-- Version 3, made from version 2: since when a message is ready, in microseconds since 1970. Not known of older messages.
ALTER TABLE messages ADD COLUMN ready_at INTEGER;

-- Version 1. `user_version` holds the version, `application_id` says whose file this is.
-- Times are microseconds since 1970. (From version 5 on, lease_until has a clock of its own.)

-- Ready (no consumer) and leased messages, in the order of their ids. AUTOINCREMENT: an id that was
-- settled must never name another message, or a late settlement would hit it.
CREATE TABLE messages (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    queue       TEXT NOT NULL,
    data        BLOB NOT NULL,
    task_id     TEXT NOT NULL,
    consumer    TEXT,
    lease_until INTEGER,
    deliveries  INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX messages_ready ON messages (queue, id) WHERE consumer IS NULL;
CREATE INDEX messages_leased ON messages (queue, lease_until) WHERE consumer IS NOT NULL;

CREATE TABLE delayed (
    id      INTEGER PRIMARY KEY,
    queue   TEXT NOT NULL,
    due     INTEGER NOT NULL,
    data    BLOB NOT NULL,
    task_id TEXT NOT NULL
);
CREATE INDEX delayed_due ON delayed (queue, due, id);

CREATE TABLE dead (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    queue       TEXT NOT NULL,
    data        BLOB NOT NULL,
    failed_at   TEXT NOT NULL,
    error       TEXT NOT NULL,
    retry_count INTEGER NOT NULL,
    entry       TEXT NOT NULL,
    task_id     TEXT NOT NULL,
    task_name   TEXT NOT NULL
);
CREATE INDEX dead_queue ON dead (queue, id);
CREATE INDEX dead_task ON dead (queue, task_id);

CREATE TABLE consumers (
    queue   TEXT NOT NULL,
    name    TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (queue, name)
) WITHOUT ROWID;

-- A state and a result expire separately, like two keys. Every result is written together with a
-- state, so the row is over when the state is. No expiry: kept forever.
CREATE TABLE results (
    task_id      TEXT PRIMARY KEY,
    state        TEXT NOT NULL,
    expires      INTEGER,
    body         TEXT,
    body_expires INTEGER
) WITHOUT ROWID;
CREATE INDEX results_expires ON results (expires) WHERE expires IS NOT NULL;

CREATE TABLE workers (
    id      TEXT PRIMARY KEY,
    info    TEXT NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;

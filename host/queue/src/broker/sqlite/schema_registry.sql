-- Version 2, made from version 1: the registry.

-- A record is a JSON document; its revision counts the changes of all records.
CREATE TABLE modules (
    name     TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    record   TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX modules_revision ON modules (revision);

CREATE TABLE blobs (
    digest TEXT PRIMARY KEY,
    bytes  BLOB NOT NULL
);

CREATE TABLE audit (
    id    INTEGER PRIMARY KEY,
    entry TEXT NOT NULL
);

-- The trust policy that was noted last: one row.
CREATE TABLE trust_policy (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    policy TEXT NOT NULL
);

CREATE TABLE reports (
    rollout TEXT NOT NULL,
    worker  TEXT NOT NULL,
    report  TEXT NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (rollout, worker)
) WITHOUT ROWID;

CREATE TABLE canary_counts (
    canary        TEXT PRIMARY KEY,
    canary_ok     INTEGER NOT NULL,
    canary_failed INTEGER NOT NULL,
    active_ok     INTEGER NOT NULL,
    active_failed INTEGER NOT NULL,
    expires       INTEGER NOT NULL
) WITHOUT ROWID;

-- Version 6, made from version 5: tenants. The queues of other tables are parts of queues, see place.rs.
CREATE TABLE tenants (
    name       TEXT PRIMARY KEY,
    revision   INTEGER NOT NULL,
    record     TEXT NOT NULL,
    weight     INTEGER NOT NULL,
    max_queued INTEGER,
    held       INTEGER NOT NULL
) WITHOUT ROWID;

-- How much each tenant has had of a queue, see fairness/shares.rs; active where it has messages that are ready.
CREATE TABLE turns (
    queue  TEXT NOT NULL,
    tenant TEXT NOT NULL,
    tag    REAL NOT NULL,
    active INTEGER NOT NULL,
    PRIMARY KEY (queue, tenant)
) WITHOUT ROWID;
CREATE INDEX turns_active ON turns (queue, tag) WHERE active;

CREATE TABLE clocks (
    queue TEXT PRIMARY KEY,
    tag   REAL NOT NULL
) WITHOUT ROWID;

-- A promoter looks for what is due of all tenants.
CREATE INDEX delayed_of_tenants ON delayed (due) WHERE instr(queue, char(1)) > 0;

-- Version 5, made from version 4: which start of the machine `lease_until` counts from, in microseconds. One row.
CREATE TABLE lease_clock (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    start TEXT NOT NULL
);

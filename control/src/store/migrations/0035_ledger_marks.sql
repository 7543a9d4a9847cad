-- Where the clock had been far ahead and was put right: what was posted up to a transfer was posted before `resumed_at`, whatever
-- its own time says, and what comes after it may be older.
CREATE TABLE ledger_marks (
    transfer_id INTEGER PRIMARY KEY REFERENCES transfers (id),
    resumed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX ledger_marks_time ON ledger_marks (resumed_at, transfer_id);
INSERT INTO ledger_marks SELECT unbelieved_transfer_id, coalesce(seen_at, 0) FROM scheduler WHERE unbelieved_transfer_id IS NOT NULL;
ALTER TABLE scheduler DROP COLUMN unbelieved_transfer_id;

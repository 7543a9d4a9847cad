-- A clock that is put right in two steps dates the same transfer twice: the earlier one counts, whichever was said last.
CREATE TABLE ledger_marks_next (
    id INTEGER PRIMARY KEY,
    transfer_id INTEGER NOT NULL REFERENCES transfers (id),
    resumed_at INTEGER NOT NULL
) STRICT;
INSERT INTO ledger_marks_next (transfer_id, resumed_at) SELECT transfer_id, resumed_at FROM ledger_marks ORDER BY transfer_id;
DROP TABLE ledger_marks;
ALTER TABLE ledger_marks_next RENAME TO ledger_marks;
CREATE INDEX ledger_marks_transfer ON ledger_marks (transfer_id, resumed_at);
CREATE INDEX ledger_marks_time ON ledger_marks (resumed_at, transfer_id);
CREATE TRIGGER ledger_marks_are_final BEFORE UPDATE ON ledger_marks
BEGIN SELECT RAISE(ABORT, 'a mark of the ledger is never changed'); END;
CREATE TRIGGER ledger_marks_stay BEFORE DELETE ON ledger_marks
BEGIN SELECT RAISE(ABORT, 'a mark of the ledger is never deleted'); END;

-- Whether the scheduler stopped over a time that nobody counted: what is priced by the second waits then, also after a restart.
ALTER TABLE scheduler ADD COLUMN unmeasured INTEGER NOT NULL DEFAULT 0 CHECK (unmeasured IN (0, 1));
UPDATE scheduler SET unmeasured = 1 WHERE stopped_at IS NOT NULL;

-- Marks decide in which month a transfer counts, and what the ledger began with decides what the check excuses.
CREATE TRIGGER ledger_marks_are_final BEFORE UPDATE ON ledger_marks
BEGIN SELECT RAISE(ABORT, 'a mark of the ledger is never changed'); END;
CREATE TRIGGER ledger_marks_stay BEFORE DELETE ON ledger_marks
BEGIN SELECT RAISE(ABORT, 'a mark of the ledger is never deleted'); END;
CREATE TRIGGER ledger_carried_is_whole BEFORE INSERT ON ledger_carried
BEGIN SELECT RAISE(ABORT, 'what the ledger began with is never changed'); END;

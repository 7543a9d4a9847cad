-- Until when credits may be unexplained: a ledger that began with its check knows none, and a later one is a difference.
CREATE TABLE ledger_carried (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    until INTEGER NOT NULL
) STRICT;
INSERT INTO ledger_carried
    SELECT 1, max(at) FROM (
        SELECT fixed_at AS at FROM line_credits WHERE basis = 'carried'
        UNION ALL
        SELECT max(a.created_at, coalesce(a.finished_at, a.created_at)) FROM actions a
            JOIN servers s ON s.id = a.server_id WHERE s.end_credit = 'carried'
    ) HAVING max(at) IS NOT NULL;
CREATE TRIGGER ledger_carried_is_final BEFORE UPDATE ON ledger_carried
BEGIN SELECT RAISE(ABORT, 'what the ledger began with is never changed'); END;
CREATE TRIGGER ledger_carried_stays BEFORE DELETE ON ledger_carried
BEGIN SELECT RAISE(ABORT, 'what the ledger began with is never changed'); END;

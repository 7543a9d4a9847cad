-- What the ledger's check needs to work every credit out again: all of them, kept for ever, and a second place for what was
-- told from outside.

-- Each credit of a paid line, from when it was fixed on. Rows that were paid stay; a promise that was not kept goes.
CREATE TABLE line_credits (
    id INTEGER PRIMARY KEY,
    line_id INTEGER NOT NULL REFERENCES paid_lines (id),
    -- Which request it belongs to; none for what was so before there were these rows.
    action_id INTEGER REFERENCES actions (id),
    -- How its amount comes about: unused time, with the least that an address costs or without; nothing while locked; all
    -- that was paid.
    basis TEXT NOT NULL CHECK (basis IN ('time', 'relief', 'locked', 'whole', 'carried')),
    -- What comes with the action's end.
    amount_cents INTEGER NOT NULL CHECK (amount_cents >= 0),
    -- What came at once, taken up by another line's price.
    set_off_cents INTEGER NOT NULL DEFAULT 0 CHECK (set_off_cents >= 0),
    -- What is kept of the line's price afterwards.
    kept_cents INTEGER NOT NULL CHECK (kept_cents >= 0),
    -- When it was fixed, and since when that part is not in use.
    fixed_at INTEGER NOT NULL,
    paid_at INTEGER,
    UNIQUE (action_id, line_id),
    CHECK ((action_id IS NULL) = (basis = 'carried'))
) STRICT;
CREATE INDEX line_credits_line ON line_credits (line_id);
INSERT INTO line_credits (line_id, basis, amount_cents, kept_cents, fixed_at, paid_at)
    SELECT l.id, 'carried', l.credited_cents
        - coalesce((SELECT sum(c.set_off_cents) FROM action_credits c WHERE c.line_id = l.id), 0), l.kept_cents, a.at, a.at
    FROM paid_lines l JOIN periods p ON p.id = l.period_id
    JOIN (SELECT server_id, max(max(created_at, coalesce(finished_at, created_at))) AS at FROM actions GROUP BY server_id) a
        ON a.server_id = p.server_id
    WHERE l.credited_cents > 0 OR l.kept_cents <> l.price_cents OR l.ended_at IS NOT NULL
        OR l.id IN (SELECT line_id FROM action_credits);
INSERT INTO line_credits (line_id, action_id, basis, amount_cents, set_off_cents, kept_cents, fixed_at)
    SELECT line_id, action_id, 'time', amount_cents, set_off_cents, kept_cents, ends_at FROM action_credits;
DROP TABLE action_credits;
CREATE TRIGGER line_credits_are_final BEFORE UPDATE ON line_credits WHEN OLD.paid_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a credit that was paid is never changed'); END;
CREATE TRIGGER line_credits_stay BEFORE DELETE ON line_credits WHEN OLD.paid_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a credit that was paid is never deleted'); END;
CREATE TRIGGER line_credits_are_fixed
BEFORE UPDATE OF line_id, action_id, basis, kept_cents, fixed_at ON line_credits
BEGIN SELECT RAISE(ABORT, 'a credit stays as it was fixed'); END;

-- A paid line says what was bought, by what and when; only what of it was given up changes.
CREATE TRIGGER paid_lines_are_final
BEFORE UPDATE OF period_id, thing, lease_id, action_id, price_cents, net_price_cents, from_at, list_cents, net_cents,
    transfer_id, created_at ON paid_lines
BEGIN SELECT RAISE(ABORT, 'what was paid is never changed'); END;
CREATE TRIGGER paid_lines_stay BEFORE DELETE ON paid_lines
BEGIN SELECT RAISE(ABORT, 'what was paid is never deleted'); END;

-- What a destroyed server's time was given back by; `lost` is all of it, since its host was given up, `carried` is not known.
ALTER TABLE servers ADD COLUMN end_credit TEXT CHECK (end_credit IN ('none', 'unstarted', 'prorata', 'lost', 'carried'));
UPDATE servers SET end_credit = 'carried' WHERE service_status = 'destroyed';

-- Keys of causes that were told from outside, once more: whoever tells of a payment again is known by either place.
CREATE TABLE told_causes (
    transfer_id INTEGER PRIMARY KEY REFERENCES transfers (id),
    cause_key TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO told_causes SELECT id, cause_key FROM transfers
    WHERE cause IN ('topup', 'refund', 'correction') OR cause_key LIKE 'goodwill/%';
CREATE TRIGGER told_causes_are_final BEFORE UPDATE ON told_causes
BEGIN SELECT RAISE(ABORT, 'what was told is never changed'); END;
CREATE TRIGGER told_causes_stay BEFORE DELETE ON told_causes
BEGIN SELECT RAISE(ABORT, 'what was told is never deleted'); END;

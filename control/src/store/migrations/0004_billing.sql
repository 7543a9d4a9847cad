-- Billing: what a period costs and why, promo codes, prices that change with notice, reminders, the clock of the
-- scheduler. Times are seconds of UTC, money is cents.

-- The ledger again, with room for what moves between the provider's own books: a discount is a posting of its own, from
-- promotions to revenue, and touches no wallet (BILLING 12). At most one side of a transfer is a wallet.
CREATE TABLE transfers_next (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    from_account_id INTEGER REFERENCES accounts (id),
    from_book TEXT CHECK (from_book IN ('revenue', 'topups', 'promotions', 'receivables')),
    to_account_id INTEGER REFERENCES accounts (id),
    to_book TEXT CHECK (to_book IN ('revenue', 'topups', 'promotions', 'receivables')),
    amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
    cause TEXT NOT NULL CHECK (cause IN ('order', 'renewal', 'change', 'extra_ip', 'reversal', 'credit', 'topup',
                                         'promotion', 'correction', 'dispute', 'settlement', 'refund')),
    cause_key TEXT NOT NULL UNIQUE,
    server_id INTEGER REFERENCES servers (id),
    description TEXT NOT NULL,
    -- The wallet's balance after this transfer; nothing when it touches no wallet.
    balance_after_cents INTEGER CHECK (balance_after_cents >= 0),
    created_at INTEGER NOT NULL,
    CHECK ((from_account_id IS NULL) <> (from_book IS NULL)),
    CHECK ((to_account_id IS NULL) <> (to_book IS NULL)),
    CHECK (from_account_id IS NULL OR to_account_id IS NULL),
    CHECK (from_book IS NULL OR to_book IS NULL OR from_book <> to_book),
    CHECK ((balance_after_cents IS NULL) = (from_account_id IS NULL AND to_account_id IS NULL))
) STRICT;
INSERT INTO transfers_next SELECT id, uuid, from_account_id, from_book, to_account_id, to_book, amount_cents, cause,
    cause_key, server_id, description, balance_after_cents, created_at FROM transfers;
DROP TABLE transfers;
ALTER TABLE transfers_next RENAME TO transfers;
CREATE INDEX transfers_from ON transfers (from_account_id, id);
CREATE INDEX transfers_to ON transfers (to_account_id, id);
CREATE INDEX transfers_server ON transfers (server_id);
CREATE TRIGGER transfers_are_final BEFORE UPDATE ON transfers
BEGIN SELECT RAISE(ABORT, 'a transfer is never changed: post a correction'); END;
CREATE TRIGGER transfers_stay BEFORE DELETE ON transfers
BEGIN SELECT RAISE(ABORT, 'a transfer is never deleted: post a correction'); END;

-- A paid line stands for a price of a whole period, of which `list_cents` and `net_cents` were the part from `from_at`
-- on (null: all of it). `kept_cents` is what of that price is still in use: a downgrade gives up a part of it, a removal
-- the rest, and what is given up later is worked out from the price, so that no rounding is ever rounded again.
ALTER TABLE paid_lines ADD COLUMN price_cents INTEGER NOT NULL DEFAULT 0 CHECK (price_cents >= 0);
ALTER TABLE paid_lines ADD COLUMN net_price_cents INTEGER NOT NULL DEFAULT 0
    CHECK (net_price_cents BETWEEN 0 AND price_cents);
ALTER TABLE paid_lines ADD COLUMN kept_cents INTEGER NOT NULL DEFAULT 0 CHECK (kept_cents BETWEEN 0 AND price_cents);
ALTER TABLE paid_lines ADD COLUMN from_at INTEGER;
-- Since when nothing of it is in use.
ALTER TABLE paid_lines ADD COLUMN ended_at INTEGER;
-- Which change or addition was paid by it; a change that fails takes its own lines back, and no others.
ALTER TABLE paid_lines ADD COLUMN action_id INTEGER REFERENCES actions (id);
UPDATE paid_lines SET price_cents = list_cents, net_price_cents = net_cents,
    kept_cents = CASE WHEN credited_cents = net_cents AND net_cents > 0 THEN 0 ELSE list_cents END;
CREATE INDEX paid_lines_lease ON paid_lines (lease_id) WHERE lease_id IS NOT NULL;
CREATE INDEX paid_lines_action ON paid_lines (action_id) WHERE action_id IS NOT NULL;

-- What an action gives back when it is done: fixed when it was accepted (BILLING 4), line by line.
CREATE TABLE action_credits (
    action_id INTEGER NOT NULL REFERENCES actions (id),
    line_id INTEGER NOT NULL REFERENCES paid_lines (id),
    amount_cents INTEGER NOT NULL CHECK (amount_cents >= 0),
    -- What is kept of the line's price afterwards.
    kept_cents INTEGER NOT NULL CHECK (kept_cents >= 0),
    ends_at INTEGER NOT NULL,
    PRIMARY KEY (action_id, line_id)
) STRICT;

-- A price that the operator promised to keep: notices pass it by.
ALTER TABLE servers ADD COLUMN price_fixed INTEGER NOT NULL DEFAULT 0 CHECK (price_fixed IN (0, 1));
-- When the scheduler looks at this service again; 0 is at once. Looking too often costs time, never money.
ALTER TABLE servers ADD COLUMN billing_look_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX servers_billing ON servers (billing_look_at) WHERE service_status IN ('active', 'suspended');
ALTER TABLE server_locks ADD COLUMN note TEXT;

-- A price that a server will have, for its package or one of its addresses. The database itself holds a rise back for
-- thirty days (BILLING 11).
CREATE TABLE price_changes (
    id INTEGER PRIMARY KEY,
    server_id INTEGER NOT NULL REFERENCES servers (id),
    lease_id INTEGER REFERENCES leases (id),
    old_cents INTEGER NOT NULL CHECK (old_cents >= 0),
    new_cents INTEGER NOT NULL CHECK (new_cents >= 0),
    notified_at INTEGER NOT NULL,
    effective_at INTEGER NOT NULL CHECK (effective_at >= notified_at),
    -- Used by a renewal, or void because the server has another package or a fixed price now.
    ended TEXT CHECK (ended IN ('applied', 'void')),
    ended_at INTEGER,
    CHECK (new_cents <= old_cents OR effective_at >= notified_at + 2592000),
    CHECK ((ended IS NULL) = (ended_at IS NULL))
) STRICT;
CREATE INDEX price_changes_open ON price_changes (server_id) WHERE ended IS NULL;

-- Promo codes are catalog: retired, never deleted.
CREATE TABLE promo_codes (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    percent INTEGER CHECK (percent BETWEEN 1 AND 100),
    amount_cents INTEGER CHECK (amount_cents > 0),
    duration TEXT NOT NULL CHECK (duration IN ('first', 'recurring')),
    type TEXT CHECK (type IN ('vps', 'dedicated')),
    -- Slugs with a space between; empty is every package.
    packages TEXT NOT NULL,
    valid_from INTEGER,
    valid_until INTEGER,
    uses_max INTEGER CHECK (uses_max > 0),
    uses_per_account_max INTEGER CHECK (uses_per_account_max > 0),
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    CHECK ((percent IS NULL) <> (amount_cents IS NULL))
) STRICT;

-- A code that an order used, with its terms as they were then: the catalog never alters what was sold.
CREATE TABLE promo_uses (
    id INTEGER PRIMARY KEY,
    promo_id INTEGER NOT NULL REFERENCES promo_codes (id),
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    server_id INTEGER NOT NULL UNIQUE REFERENCES servers (id),
    percent INTEGER,
    amount_cents INTEGER,
    duration TEXT NOT NULL,
    used_at INTEGER NOT NULL,
    -- An order that did not run gives its code back.
    released_at INTEGER
) STRICT;
CREATE INDEX promo_uses_code ON promo_uses (promo_id, account_id) WHERE released_at IS NULL;

-- Letters on their way, written in the transaction of what they tell and sent afterwards, until a server accepts them.
CREATE TABLE mails (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    -- What it tells; the same thing is never told twice.
    cause_key TEXT NOT NULL UNIQUE,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL,
    last_error TEXT,
    accepted_at INTEGER,
    -- Given up; an operator has to look.
    refused_at INTEGER,
    CHECK (accepted_at IS NULL OR refused_at IS NULL)
) STRICT;
CREATE INDEX mails_waiting ON mails (next_at) WHERE accepted_at IS NULL AND refused_at IS NULL;

-- What a service's owner was told about the end of its paid time. Nothing is deleted of which this does not speak.
CREATE TABLE reminders (
    id INTEGER PRIMARY KEY,
    server_id INTEGER NOT NULL REFERENCES servers (id),
    -- The end of paid time that it is about.
    paid_until INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('before_7', 'before_3', 'before_1', 'suspended', 'grace_3', 'grace_1')),
    mail_id INTEGER REFERENCES mails (id),
    created_at INTEGER NOT NULL,
    -- When it counts as told: at once without mail, else when a mail server took it.
    told_at INTEGER,
    UNIQUE (server_id, paid_until, kind)
) STRICT;
CREATE INDEX reminders_mail ON reminders (mail_id) WHERE mail_id IS NOT NULL;

-- One row: the clock as the scheduler saw it last, and whether it stopped because the clock had jumped.
CREATE TABLE scheduler (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seen_at INTEGER,
    stopped_at INTEGER
) STRICT;
INSERT INTO scheduler (one) VALUES (1);

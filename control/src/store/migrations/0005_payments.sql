-- Payments after they came in: what is disputed, what went back, what is owed; and who may tell of them from afar.

-- What the account owes after disputes: the sum of its transfers with the book of receivables, kept beside the balance so
-- that an order needs to look at one row.
ALTER TABLE accounts ADD COLUMN owed_cents INTEGER NOT NULL DEFAULT 0 CHECK (owed_cents >= 0);

-- A payment that whoever paid wants back from their bank. While one is open its account orders nothing.
CREATE TABLE disputes (
    id INTEGER PRIMARY KEY,
    -- The dispute's id at whoever took the payment.
    reference TEXT NOT NULL UNIQUE,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    payment_id INTEGER NOT NULL REFERENCES transfers (id),
    amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
    outcome TEXT CHECK (outcome IN ('won', 'lost')),
    opened_at INTEGER NOT NULL,
    closed_at INTEGER,
    CHECK ((outcome IS NULL) = (closed_at IS NULL))
) STRICT;
CREATE INDEX disputes_payment ON disputes (payment_id);
CREATE INDEX disputes_open ON disputes (account_id) WHERE closed_at IS NULL;

-- Which payment a refund belongs to. The money itself is in the ledger.
CREATE TABLE refunds (
    transfer_id INTEGER PRIMARY KEY REFERENCES transfers (id),
    payment_id INTEGER NOT NULL REFERENCES transfers (id),
    amount_cents INTEGER NOT NULL CHECK (amount_cents > 0)
) STRICT;
CREATE INDEX refunds_payment ON refunds (payment_id);

-- Sums and lists of a wallet by time: its statements.
CREATE INDEX transfers_from_time ON transfers (from_account_id, created_at, amount_cents) WHERE from_account_id IS NOT NULL;
CREATE INDEX transfers_to_time ON transfers (to_account_id, created_at, amount_cents) WHERE to_account_id IS NOT NULL;

-- Tokens of other machines for the operator API.
CREATE TABLE operator_tokens (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    preview TEXT NOT NULL,
    label TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;

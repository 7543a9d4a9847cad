-- What somebody wants to pay in by card: how much, as we asked for it. The money itself is in the ledger.
CREATE TABLE top_ups (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
    state TEXT NOT NULL CHECK (state IN ('open', 'pending', 'paid', 'failed', 'expired')),
    created_at INTEGER NOT NULL,
    -- The page where it is paid, as Stripe names it; nothing where Stripe never answered.
    session TEXT UNIQUE,
    -- The payment, as it was credited.
    payment TEXT UNIQUE,
    -- What of it went back, as Stripe counts it.
    refunded_cents INTEGER NOT NULL DEFAULT 0 CHECK (refunded_cents >= 0),
    CHECK ((state = 'paid') = (payment IS NOT NULL))
) STRICT;
CREATE INDEX top_ups_account ON top_ups (account_id, created_at);

-- Tickets that open a console once. A used one is deleted, so used, old and invented ones cannot be told apart.
CREATE TABLE console_tickets (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    server_id INTEGER NOT NULL REFERENCES servers (id),
    -- Whose right it carries: a console ends when its key is revoked.
    api_key_id INTEGER NOT NULL REFERENCES api_keys (id),
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX console_tickets_age ON console_tickets (expires_at);

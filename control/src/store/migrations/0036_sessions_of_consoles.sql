-- A console that was opened through a management link ends with the session of the browser, not only with the link. Tickets live
-- for a minute, so none is kept.
DROP TABLE console_tickets;
CREATE TABLE console_tickets (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    server_id INTEGER NOT NULL REFERENCES servers (id),
    api_key_id INTEGER REFERENCES api_keys (id),
    link_session_id INTEGER REFERENCES link_sessions (id) ON DELETE CASCADE,
    sign_in_id INTEGER REFERENCES sign_ins (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL,
    CHECK ((api_key_id IS NOT NULL) + (link_session_id IS NOT NULL) + (sign_in_id IS NOT NULL) = 1)
) STRICT;
CREATE INDEX console_tickets_age ON console_tickets (expires_at);
CREATE INDEX console_tickets_link_session ON console_tickets (link_session_id);
CREATE INDEX console_tickets_sign_in ON console_tickets (sign_in_id);

-- Before the ledger's time stood still for a clock that was set back, a transfer could be older than the one before it.
INSERT INTO ledger_marks (transfer_id, resumed_at)
SELECT id, next_at FROM (SELECT id, created_at, lead(created_at) OVER (ORDER BY id) AS next_at FROM transfers)
WHERE next_at < created_at
ON CONFLICT (transfer_id) DO NOTHING;

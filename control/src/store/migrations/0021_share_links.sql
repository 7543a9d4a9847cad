-- Management links: what opens one server's page without an account. Of link and session the hash alone.
CREATE TABLE share_links (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    server_id INTEGER NOT NULL REFERENCES servers (id),
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    preview TEXT NOT NULL,
    label TEXT NOT NULL,
    -- Words with a space between; never changed, so whoever holds a link keeps what was shown to its maker.
    permissions TEXT NOT NULL CHECK (permissions <> ''),
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    uses INTEGER NOT NULL DEFAULT 0 CHECK (uses >= 0),
    last_used_at INTEGER,
    last_used_from TEXT
) STRICT;
CREATE INDEX share_links_server ON share_links (server_id) WHERE revoked_at IS NULL;

-- Browsers that brought a link.
CREATE TABLE link_sessions (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    link_id INTEGER NOT NULL REFERENCES share_links (id),
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX link_sessions_age ON link_sessions (expires_at);
CREATE INDEX link_sessions_link ON link_sessions (link_id, id);

-- Actions that were asked for through a link.
CREATE TABLE action_links (
    action_id INTEGER PRIMARY KEY REFERENCES actions (id),
    link_id INTEGER NOT NULL REFERENCES share_links (id)
) STRICT;

-- A console's ticket carries the right of a key or of a link. Those that wait live for a minute, so none is kept.
DROP TABLE console_tickets;
CREATE TABLE console_tickets (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    server_id INTEGER NOT NULL REFERENCES servers (id),
    api_key_id INTEGER REFERENCES api_keys (id),
    link_id INTEGER REFERENCES share_links (id),
    expires_at INTEGER NOT NULL,
    CHECK ((api_key_id IS NULL) <> (link_id IS NULL))
) STRICT;
CREATE INDEX console_tickets_age ON console_tickets (expires_at);

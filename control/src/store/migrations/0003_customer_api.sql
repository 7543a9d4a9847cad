-- The customer API as others automate against it: keys with less than every right, servers with labels and protection,
-- what happened as a list that can be followed, and what the provider has to say.

-- Which rights a key has, as words with a space between; keys from before had all of them.
ALTER TABLE api_keys ADD COLUMN scopes TEXT NOT NULL DEFAULT 'read write console billing';
-- From where it may be used, CIDRs with a space between; null is everywhere.
ALTER TABLE api_keys ADD COLUMN networks TEXT;
-- Written at most once a minute, so that reading costs no commit.
ALTER TABLE api_keys ADD COLUMN last_used_at INTEGER;
ALTER TABLE api_keys ADD COLUMN last_used_from TEXT;

-- Where an account's bound differs from the configured one.
CREATE TABLE account_limits (
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    value INTEGER NOT NULL CHECK (value >= 0),
    PRIMARY KEY (account_id, name)
) STRICT;

-- As ordered, and used again at a reinstall: the public keys that open it, a JSON list, and the customer's cloud-init.
ALTER TABLE servers ADD COLUMN authorized_keys TEXT NOT NULL DEFAULT '[]';
ALTER TABLE servers ADD COLUMN user_data TEXT;
ALTER TABLE servers ADD COLUMN protect_destroy INTEGER NOT NULL DEFAULT 0 CHECK (protect_destroy IN (0, 1));
ALTER TABLE servers ADD COLUMN protect_reinstall INTEGER NOT NULL DEFAULT 0 CHECK (protect_reinstall IN (0, 1));
CREATE INDEX servers_hostname ON servers (account_id, hostname);
-- Deleting a key must find who was ordered with it.
CREATE INDEX servers_ssh_key ON servers (ssh_key_id) WHERE ssh_key_id IS NOT NULL;

-- The customer's own words about a server.
CREATE TABLE server_labels (
    server_id INTEGER NOT NULL REFERENCES servers (id),
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (server_id, name)
) STRICT;

-- Which addresses of a pool are taken, and what is promised on a host, are asked by every order.
CREATE INDEX leases_pool ON leases (pool_id, address) WHERE state <> 'free';
DROP INDEX placements_host;
CREATE INDEX placements_host ON placements (host_id, cpus, ram_mib, disk_gib) WHERE state <> 'released';
CREATE INDEX hosts_location ON hosts (location_id);

CREATE INDEX actions_account ON actions (account_id, id);

-- What happened, in order, written in the transaction in which it happened. The position is what a follower resumes from.
-- It counts up by one in each account, so it tells nothing of the others, and is never given twice, not even after old
-- events are gone.
ALTER TABLE accounts ADD COLUMN events_written INTEGER NOT NULL DEFAULT 0;
CREATE TABLE events (
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    server_id INTEGER REFERENCES servers (id),
    action_id INTEGER REFERENCES actions (id),
    data TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX events_age ON events (created_at);

-- What the provider has to say: to everybody, to those with servers in a location, or to one account.
CREATE TABLE notices (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    account_id INTEGER REFERENCES accounts (id),
    location_id INTEGER REFERENCES locations (id),
    kind TEXT NOT NULL CHECK (kind IN ('info', 'maintenance', 'incident')),
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    starts_at INTEGER NOT NULL,
    ends_at INTEGER,
    created_at INTEGER NOT NULL,
    CHECK (account_id IS NULL OR location_id IS NULL)
) STRICT;
CREATE INDEX notices_account ON notices (account_id, id);
CREATE INDEX notices_location ON notices (location_id, id);

-- Extra addresses: added, removed and moved while their servers run.

-- The actions again, with commands for adapters that come and go.
CREATE TABLE actions_next (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    server_id INTEGER NOT NULL REFERENCES servers (id),
    command TEXT NOT NULL CHECK (command IN ('create', 'start', 'stop', 'restart', 'reinstall', 'change_package',
                                             'add_extra_ip', 'remove_extra_ip', 'move_extra_ip', 'attach_network',
                                             'detach_network', 'destroy')),
    status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed', 'superseded')),
    incarnation INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    deadline_at INTEGER,
    error_code TEXT,
    error_message TEXT,
    host_says TEXT,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER
) STRICT;
INSERT INTO actions_next SELECT id, uuid, account_id, server_id, command, status, incarnation, generation, deadline_at,
    error_code, error_message, host_says, created_at, started_at, finished_at FROM actions;
DROP TABLE actions;
ALTER TABLE actions_next RENAME TO actions;
CREATE INDEX actions_server ON actions (server_id);
CREATE INDEX actions_open ON actions (deadline_at) WHERE status IN ('queued', 'running');
CREATE INDEX actions_account ON actions (account_id, id);

-- Of an address that its server gave up while it goes on: the version of that server's spec from which on it lacks it. A
-- host that reached it has let go, and that is the proof; null when the whole server is to be gone.
ALTER TABLE leases ADD COLUMN gone_incarnation INTEGER;
ALTER TABLE leases ADD COLUMN gone_generation INTEGER CHECK ((gone_generation IS NULL) = (gone_incarnation IS NULL));
CREATE INDEX leases_gone ON leases (nic_id) WHERE gone_generation IS NOT NULL AND state = 'held';

-- What an action does with an extra address.
CREATE TABLE ip_changes (
    action_id INTEGER PRIMARY KEY REFERENCES actions (id),
    lease_id INTEGER NOT NULL REFERENCES leases (id),
    -- Where a move leads.
    target_id INTEGER REFERENCES servers (id),
    -- Of a move: when the first host had proved that it let go, and the address became the target's.
    let_go_at INTEGER,
    CHECK (let_go_at IS NULL OR target_id IS NOT NULL)
) STRICT;
CREATE INDEX ip_changes_lease ON ip_changes (lease_id);
CREATE INDEX ip_changes_target ON ip_changes (target_id) WHERE target_id IS NOT NULL;

-- What of a promised credit was given at once: of an address that moves, what the other server's price takes up.
ALTER TABLE action_credits ADD COLUMN set_off_cents INTEGER NOT NULL DEFAULT 0 CHECK (set_off_cents >= 0);

-- How many extra addresses a server may have, where the operator decided otherwise than its package.
ALTER TABLE servers ADD COLUMN extra_ips_max INTEGER CHECK (extra_ips_max BETWEEN 0 AND 64);

-- Addresses that somebody answered for before a server used them: leased to nobody until an operator has looked.
CREATE TABLE addresses_aside (
    address TEXT PRIMARY KEY,
    -- Whose host asked, and what it says.
    server_id INTEGER NOT NULL REFERENCES servers (id),
    detail TEXT NOT NULL,
    found_at INTEGER NOT NULL
) STRICT;

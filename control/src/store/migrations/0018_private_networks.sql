-- Private networks: how a location carries them, their subnets and members, and what each host should know of them.

-- The actions again, with two more commands.
CREATE TABLE actions_next (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    server_id INTEGER NOT NULL REFERENCES servers (id),
    command TEXT NOT NULL CHECK (command IN ('create', 'start', 'stop', 'restart', 'reinstall', 'change_package',
                                             'attach_network', 'detach_network', 'destroy')),
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

-- Nothing where a location has none. Reserved numbers with a space between.
ALTER TABLE locations ADD COLUMN segments TEXT CHECK (segments IN ('vlan', 'vxlan'));
ALTER TABLE locations ADD COLUMN segment_first INTEGER;
ALTER TABLE locations ADD COLUMN segment_last INTEGER;
ALTER TABLE locations ADD COLUMN segment_reserved TEXT;
ALTER TABLE locations ADD COLUMN segment_mtu INTEGER;

-- Ranges that subnets are taken from, whatever the location.
CREATE TABLE private_ranges (
    id INTEGER PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    family INTEGER NOT NULL CHECK (family IN (4, 6)),
    network TEXT NOT NULL,
    prefix_len INTEGER NOT NULL CHECK (prefix_len BETWEEN 0 AND 128),
    subnet_len INTEGER NOT NULL CHECK (subnet_len BETWEEN prefix_len AND 128),
    active INTEGER NOT NULL CHECK (active IN (0, 1))
) STRICT;

-- What a host said that it can do for private networks, as JSON; empty while its agent understands none of it.
ALTER TABLE hosts ADD COLUMN networks TEXT;

-- Its subnet is a network's from the beginning, its segment from when its location is known. Both are held after its end
-- until every host has proved that nothing of it is left, then they rest.
CREATE TABLE networks (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    range_id INTEGER NOT NULL REFERENCES private_ranges (id),
    family INTEGER NOT NULL CHECK (family IN (4, 6)),
    subnet TEXT NOT NULL,
    subnet_len INTEGER NOT NULL,
    location_id INTEGER REFERENCES locations (id),
    segments TEXT CHECK (segments IN ('vlan', 'vxlan')),
    segment INTEGER,
    mtu INTEGER,
    state TEXT NOT NULL CHECK (state IN ('active', 'held', 'resting', 'free')),
    rests_until INTEGER,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    CHECK ((location_id IS NULL) = (segments IS NULL)),
    CHECK ((location_id IS NULL) = (segment IS NULL)),
    CHECK ((location_id IS NULL) = (mtu IS NULL)),
    CHECK ((state = 'resting') = (rests_until IS NOT NULL)),
    CHECK ((state = 'active') = (ended_at IS NULL))
) STRICT;
-- One holder for each subnet and for each number of a location: these lines, not the allocators, are what makes it so.
CREATE UNIQUE INDEX networks_one_subnet ON networks (subnet) WHERE state <> 'free';
CREATE UNIQUE INDEX networks_one_segment ON networks (location_id, segment) WHERE state <> 'free';
CREATE INDEX networks_account ON networks (account_id);
CREATE INDEX networks_range ON networks (range_id) WHERE state <> 'free';
CREATE INDEX networks_resting ON networks (rests_until) WHERE state = 'resting';

-- An adapter in a network. Its address is held, after it was detached, until its host has reached a version of its server's
-- spec without it, or has proved that nothing of the server is left; then it rests.
CREATE TABLE network_members (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    network_id INTEGER NOT NULL REFERENCES networks (id),
    server_id INTEGER NOT NULL REFERENCES servers (id),
    nic_id INTEGER NOT NULL REFERENCES nics (id),
    address TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('leased', 'held', 'resting', 'free')),
    -- The versions of its server's spec from which on it is there, and gone again.
    made_incarnation INTEGER NOT NULL,
    made_generation INTEGER NOT NULL,
    gone_incarnation INTEGER,
    gone_generation INTEGER CHECK ((gone_generation IS NULL) = (gone_incarnation IS NULL)),
    rests_until INTEGER,
    created_at INTEGER NOT NULL,
    freed_at INTEGER,
    CHECK ((state = 'resting') = (rests_until IS NOT NULL)),
    CHECK ((state = 'free') = (freed_at IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX network_members_one_holder ON network_members (network_id, address) WHERE state <> 'free';
CREATE UNIQUE INDEX network_members_once ON network_members (network_id, server_id) WHERE state = 'leased';
CREATE INDEX network_members_server ON network_members (server_id);
CREATE INDEX network_members_resting ON network_members (rests_until) WHERE state = 'resting';

-- What a network should be on a host, and what the host said of it last. Kept when the network left the host: its versions
-- there only grow.
CREATE TABLE network_objects (
    id INTEGER PRIMARY KEY,
    network_id INTEGER NOT NULL REFERENCES networks (id),
    host_id INTEGER NOT NULL REFERENCES hosts (id),
    incarnation INTEGER NOT NULL,
    generation INTEGER NOT NULL CHECK (generation >= 1),
    absent INTEGER NOT NULL CHECK (absent IN (0, 1)),
    body TEXT NOT NULL,
    accepted_incarnation INTEGER,
    accepted_generation INTEGER,
    observed TEXT,
    -- It is to be gone, and the host has proved it, or can never speak again.
    gone INTEGER NOT NULL DEFAULT 0 CHECK (gone = 0 OR absent = 1),
    UNIQUE (network_id, host_id)
) STRICT;
CREATE INDEX network_objects_host ON network_objects (host_id);

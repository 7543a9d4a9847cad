-- The first schema. Times are seconds of UTC, money is cents, ids shown to the outside are UUIDs as text.
-- Kept to the SQL that SQLite and PostgreSQL share, but for STRICT and the triggers' spelling.

-- One row: which life of the store this is. A restore from a backup adds one.
CREATE TABLE store_state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    incarnation INTEGER NOT NULL CHECK (incarnation >= 1)
) STRICT;
INSERT INTO store_state (one, incarnation) VALUES (1, 1);

CREATE TABLE accounts (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    email TEXT,
    balance_cents INTEGER NOT NULL DEFAULT 0 CHECK (balance_cents >= 0),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE api_keys (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    preview TEXT NOT NULL,
    label TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;
CREATE INDEX api_keys_account ON api_keys (account_id);

CREATE TABLE ssh_keys (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    label TEXT NOT NULL,
    public_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (account_id, fingerprint)
) STRICT;

-- Catalog. Rows are retired, never deleted: what was sold refers to them.
CREATE TABLE locations (
    id INTEGER PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    active INTEGER NOT NULL CHECK (active IN (0, 1))
) STRICT;

CREATE TABLE packages (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    slug TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL CHECK (type IN ('vps', 'dedicated')),
    name TEXT NOT NULL,
    monthly_cents INTEGER NOT NULL CHECK (monthly_cents >= 0),
    cpu INTEGER NOT NULL CHECK (cpu > 0),
    ram_mb INTEGER NOT NULL CHECK (ram_mb > 0),
    disk_gb INTEGER NOT NULL CHECK (disk_gb > 0),
    extra_ips_max INTEGER NOT NULL CHECK (extra_ips_max >= 0),
    position INTEGER NOT NULL,
    active INTEGER NOT NULL CHECK (active IN (0, 1))
) STRICT;

CREATE TABLE images (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL CHECK (type IN ('vps', 'dedicated', 'any')),
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    url TEXT NOT NULL,
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    format TEXT NOT NULL CHECK (format IN ('qcow2', 'raw')),
    size_bytes INTEGER NOT NULL CHECK (size_bytes > 0),
    position INTEGER NOT NULL,
    active INTEGER NOT NULL CHECK (active IN (0, 1))
) STRICT;

-- Family and prefix are data: IPv6 needs other rows, not other columns.
CREATE TABLE address_pools (
    id INTEGER PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    location_id INTEGER NOT NULL REFERENCES locations (id),
    family INTEGER NOT NULL CHECK (family IN (4, 6)),
    network TEXT NOT NULL,
    prefix_len INTEGER NOT NULL CHECK (prefix_len BETWEEN 0 AND 128),
    gateway TEXT NOT NULL,
    first TEXT NOT NULL,
    last TEXT NOT NULL,
    dns TEXT NOT NULL,
    extra_monthly_cents INTEGER NOT NULL CHECK (extra_monthly_cents >= 0),
    active INTEGER NOT NULL CHECK (active IN (0, 1))
) STRICT;

CREATE TABLE hosts (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    location_id INTEGER NOT NULL REFERENCES locations (id),
    class TEXT NOT NULL CHECK (class IN ('shared', 'dedicated')),
    state TEXT NOT NULL CHECK (state IN ('new', 'active', 'draining', 'lost', 'fenced', 'removed')),
    cpu_overcommit INTEGER NOT NULL CHECK (cpu_overcommit >= 1),
    -- From here on what the host said of itself; empty until it enrolled and connected.
    key_pin TEXT UNIQUE,
    machine_id TEXT,
    boot_id TEXT,
    agent_version TEXT,
    virt TEXT CHECK (virt IN ('kvm', 'qemu')),
    cpus INTEGER,
    ram_mib INTEGER,
    disk_gib INTEGER,
    session INTEGER NOT NULL DEFAULT 0,
    inventory_session INTEGER NOT NULL DEFAULT 0,
    seen_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE join_tokens (
    id INTEGER PRIMARY KEY,
    host_id INTEGER NOT NULL REFERENCES hosts (id),
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    expires_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT;

-- Domains that no spec explains, as their host last listed them.
CREATE TABLE orphans (
    id INTEGER PRIMARY KEY,
    host_id INTEGER NOT NULL REFERENCES hosts (id),
    name TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    UNIQUE (host_id, name)
) STRICT;
CREATE TABLE orphan_macs (
    orphan_id INTEGER NOT NULL REFERENCES orphans (id) ON DELETE CASCADE,
    mac TEXT NOT NULL,
    PRIMARY KEY (orphan_id, mac)
) STRICT;

-- A rented server. Package columns are as sold: the catalog never alters them.
CREATE TABLE servers (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    type TEXT NOT NULL CHECK (type IN ('vps', 'dedicated')),
    hostname TEXT NOT NULL,
    service_status TEXT NOT NULL CHECK (service_status IN ('provisioning', 'active', 'suspended', 'failed', 'destroyed')),
    package_id INTEGER NOT NULL REFERENCES packages (id),
    package_monthly_cents INTEGER NOT NULL CHECK (package_monthly_cents >= 0),
    cpu INTEGER NOT NULL,
    ram_mb INTEGER NOT NULL,
    disk_gb INTEGER NOT NULL,
    image_id INTEGER NOT NULL REFERENCES images (id),
    ssh_key_id INTEGER REFERENCES ssh_keys (id),
    auto_renew INTEGER NOT NULL DEFAULT 1 CHECK (auto_renew IN (0, 1)),
    -- First Online: the day and time of day from which periods count (BILLING 1).
    anchor_at INTEGER,
    paid_until INTEGER,
    failure_code TEXT,
    created_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;
CREATE INDEX servers_account ON servers (account_id);

-- Why a server is locked; empty means it is not. Each reason is lifted by its own cause alone (BILLING 13).
CREATE TABLE server_locks (
    server_id INTEGER NOT NULL REFERENCES servers (id),
    reason TEXT NOT NULL CHECK (reason IN ('unpaid', 'abuse', 'operator')),
    since INTEGER NOT NULL,
    PRIMARY KEY (server_id, reason)
) STRICT;

-- Where a server is. A share of the host is promised while active or held; released with its disk kept after a move.
CREATE TABLE placements (
    id INTEGER PRIMARY KEY,
    server_id INTEGER NOT NULL REFERENCES servers (id),
    host_id INTEGER NOT NULL REFERENCES hosts (id),
    state TEXT NOT NULL CHECK (state IN ('active', 'held', 'released')),
    cpus INTEGER NOT NULL,
    ram_mib INTEGER NOT NULL,
    disk_gib INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    released_at INTEGER,
    UNIQUE (server_id, host_id)
) STRICT;
-- A server is on one host at a time.
CREATE UNIQUE INDEX placements_one_host ON placements (server_id) WHERE state <> 'released';
CREATE INDEX placements_host ON placements (host_id) WHERE state <> 'released';

-- What should be: one spec or tombstone for each server on each host.
CREATE TABLE specs (
    placement_id INTEGER PRIMARY KEY REFERENCES placements (id),
    incarnation INTEGER NOT NULL,
    generation INTEGER NOT NULL CHECK (generation >= 1),
    absent INTEGER NOT NULL CHECK (absent IN (0, 1)),
    body TEXT NOT NULL
) STRICT;

-- What is: the host's last report about it.
CREATE TABLE observations (
    placement_id INTEGER PRIMARY KEY REFERENCES placements (id),
    accepted_incarnation INTEGER NOT NULL,
    accepted_generation INTEGER NOT NULL,
    body TEXT NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT;

CREATE TABLE nics (
    id INTEGER PRIMARY KEY,
    server_id INTEGER NOT NULL REFERENCES servers (id),
    name TEXT NOT NULL,
    -- Never given twice, not even after its server is gone.
    mac TEXT NOT NULL UNIQUE,
    removed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX nics_name ON nics (server_id, name) WHERE removed_at IS NULL;

-- Addresses in use: leased, then held until the host proved that nothing of the server is left, then resting.
-- A free address has no open row; closed rows tell who had it when.
CREATE TABLE leases (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    pool_id INTEGER NOT NULL REFERENCES address_pools (id),
    family INTEGER NOT NULL CHECK (family IN (4, 6)),
    address TEXT NOT NULL,
    prefix_len INTEGER NOT NULL,
    gateway TEXT,
    nic_id INTEGER NOT NULL REFERENCES nics (id),
    role TEXT NOT NULL CHECK (role IN ('primary', 'extra')),
    monthly_cents INTEGER NOT NULL CHECK (monthly_cents >= 0),
    state TEXT NOT NULL CHECK (state IN ('leased', 'held', 'resting', 'free')),
    rests_until INTEGER,
    created_at INTEGER NOT NULL,
    freed_at INTEGER,
    CHECK ((state = 'resting') = (rests_until IS NOT NULL)),
    CHECK ((state = 'free') = (freed_at IS NOT NULL))
) STRICT;
-- One open lease for each address: this line, not the allocator, is what makes it so.
CREATE UNIQUE INDEX leases_one_holder ON leases (address) WHERE state <> 'free';
CREATE INDEX leases_nic ON leases (nic_id);

-- What customers asked for. Every change of a spec has one.
CREATE TABLE actions (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    server_id INTEGER NOT NULL REFERENCES servers (id),
    command TEXT NOT NULL CHECK (command IN ('create', 'start', 'stop', 'restart', 'destroy')),
    status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed', 'superseded')),
    incarnation INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    -- Paid back when the action is done, an amount fixed at acceptance (BILLING 4).
    credit_cents INTEGER NOT NULL DEFAULT 0 CHECK (credit_cents >= 0),
    deadline_at INTEGER,
    error_code TEXT,
    error_message TEXT,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER
) STRICT;
CREATE INDEX actions_server ON actions (server_id);
CREATE INDEX actions_open ON actions (deadline_at) WHERE status IN ('queued', 'running');

-- The ledger. The provider's own books have no running balance: one hot row would make every order wait for the others.
CREATE TABLE transfers (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    from_account_id INTEGER REFERENCES accounts (id),
    from_book TEXT CHECK (from_book IN ('revenue', 'topups', 'promotions', 'receivables')),
    to_account_id INTEGER REFERENCES accounts (id),
    to_book TEXT CHECK (to_book IN ('revenue', 'topups', 'promotions', 'receivables')),
    amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
    cause TEXT NOT NULL CHECK (cause IN ('order', 'renewal', 'change', 'extra_ip', 'reversal', 'credit', 'topup',
                                         'promotion', 'correction', 'dispute')),
    cause_key TEXT NOT NULL UNIQUE,
    server_id INTEGER REFERENCES servers (id),
    description TEXT NOT NULL,
    -- The wallet's balance after this transfer; every transfer so far touches exactly one wallet.
    balance_after_cents INTEGER NOT NULL CHECK (balance_after_cents >= 0),
    created_at INTEGER NOT NULL,
    CHECK ((from_account_id IS NULL) <> (from_book IS NULL)),
    CHECK ((to_account_id IS NULL) <> (to_book IS NULL)),
    CHECK ((from_account_id IS NULL) <> (to_account_id IS NULL))
) STRICT;
CREATE INDEX transfers_from ON transfers (from_account_id, id);
CREATE INDEX transfers_to ON transfers (to_account_id, id);
CREATE INDEX transfers_server ON transfers (server_id);
CREATE TRIGGER transfers_are_final BEFORE UPDATE ON transfers
BEGIN SELECT RAISE(ABORT, 'a transfer is never changed: post a correction'); END;
CREATE TRIGGER transfers_stay BEFORE DELETE ON transfers
BEGIN SELECT RAISE(ABORT, 'a transfer is never deleted: post a correction'); END;

-- Periods of a service and the stack of paid lines in each (BILLING 2). A period begins when the one before ends, the
-- first at first Online; until then both ends are unknown.
CREATE TABLE periods (
    id INTEGER PRIMARY KEY,
    server_id INTEGER NOT NULL REFERENCES servers (id),
    ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
    starts_at INTEGER,
    ends_at INTEGER,
    UNIQUE (server_id, ordinal),
    CHECK ((starts_at IS NULL) = (ends_at IS NULL)),
    CHECK (starts_at IS NULL OR starts_at < ends_at)
) STRICT;
CREATE TABLE paid_lines (
    id INTEGER PRIMARY KEY,
    period_id INTEGER NOT NULL REFERENCES periods (id),
    thing TEXT NOT NULL CHECK (thing IN ('package', 'extra_ip')),
    lease_id INTEGER REFERENCES leases (id),
    list_cents INTEGER NOT NULL CHECK (list_cents >= 0),
    net_cents INTEGER NOT NULL CHECK (net_cents >= 0 AND net_cents <= list_cents),
    credited_cents INTEGER NOT NULL DEFAULT 0 CHECK (credited_cents >= 0 AND credited_cents <= net_cents),
    transfer_id INTEGER REFERENCES transfers (id),
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX paid_lines_period ON paid_lines (period_id);

-- Answers that may have to be given again. Sealed: they can hold a root password (CONTRACT, idempotency).
CREATE TABLE idempotency_keys (
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    key_hash BLOB NOT NULL CHECK (length(key_hash) = 32),
    request_hash BLOB NOT NULL CHECK (length(request_hash) = 32),
    status INTEGER NOT NULL,
    sealed_body BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, key_hash)
) STRICT;
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

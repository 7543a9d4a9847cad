-- Orphans of every kind, not domains alone, and the addresses that they may use: those are leased to nobody. What hosts told
-- before is told again by the session that each opens after this program's start.
DROP TABLE orphan_macs;
DROP TABLE orphans;
CREATE TABLE orphans (
    id INTEGER PRIMARY KEY,
    host_id INTEGER NOT NULL REFERENCES hosts (id),
    kind TEXT NOT NULL CHECK (kind IN ('domain', 'process', 'tap', 'filters', 'disk', 'other')),
    name TEXT NOT NULL,
    first_seen_at INTEGER NOT NULL,
    UNIQUE (host_id, kind, name)
) STRICT;
CREATE TABLE orphan_macs (
    orphan_id INTEGER NOT NULL REFERENCES orphans (id) ON DELETE CASCADE,
    mac TEXT NOT NULL,
    PRIMARY KEY (orphan_id, mac)
) STRICT;
CREATE TABLE orphan_addresses (
    orphan_id INTEGER NOT NULL REFERENCES orphans (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    PRIMARY KEY (orphan_id, address)
) STRICT;

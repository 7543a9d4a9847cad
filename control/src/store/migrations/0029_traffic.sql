-- What hosts counted of their servers' traffic on public adapters, and what it came to in each month of UTC.

-- What a host told last of a server. Totals of another counting are not compared with these.
CREATE TABLE traffic_counts (
    placement_id INTEGER PRIMARY KEY REFERENCES placements (id),
    count TEXT NOT NULL,
    received_bytes INTEGER NOT NULL CHECK (received_bytes >= 0),
    received_packets INTEGER NOT NULL CHECK (received_packets >= 0),
    sent_bytes INTEGER NOT NULL CHECK (sent_bytes >= 0),
    sent_packets INTEGER NOT NULL CHECK (sent_packets >= 0),
    told_at INTEGER NOT NULL
) STRICT;
CREATE INDEX traffic_counts_told ON traffic_counts (told_at);

CREATE TABLE traffic_months (
    server_id INTEGER NOT NULL REFERENCES servers (id),
    -- 2026-06
    month TEXT NOT NULL,
    received_bytes INTEGER NOT NULL CHECK (received_bytes >= 0),
    received_packets INTEGER NOT NULL CHECK (received_packets >= 0),
    sent_bytes INTEGER NOT NULL CHECK (sent_bytes >= 0),
    sent_packets INTEGER NOT NULL CHECK (sent_packets >= 0),
    -- What of the quota its owner was told to have used, in percent.
    told_percent INTEGER NOT NULL DEFAULT 0 CHECK (told_percent IN (0, 80, 100)),
    PRIMARY KEY (server_id, month)
) STRICT;
CREATE INDEX traffic_months_month ON traffic_months (month);

-- What a package allows a month, and the rate past it; of a server: as sold.
ALTER TABLE packages ADD COLUMN traffic_bytes INTEGER CHECK (traffic_bytes > 0);
ALTER TABLE packages ADD COLUMN traffic_shape_mbit INTEGER CHECK (traffic_shape_mbit > 0);
ALTER TABLE servers ADD COLUMN traffic_bytes INTEGER CHECK (traffic_bytes > 0);
ALTER TABLE servers ADD COLUMN traffic_shape_mbit INTEGER CHECK (traffic_shape_mbit > 0);
-- The rate that it is held to now, since its traffic is used up.
ALTER TABLE servers ADD COLUMN traffic_held_mbit INTEGER CHECK (traffic_held_mbit > 0);
CREATE INDEX servers_traffic_held ON servers (id) WHERE traffic_held_mbit IS NOT NULL;

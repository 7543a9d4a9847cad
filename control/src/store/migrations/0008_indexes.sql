-- Found by reading the plan of every statement: what was read from end to end though it grows with customers.

-- A server's adapters, whatever became of them; and through them its addresses.
CREATE INDEX nics_server ON nics (server_id);
-- What has rested long enough is asked for by every order.
CREATE INDEX leases_resting ON leases (rests_until) WHERE state = 'resting';
-- What is on a host, also after it was released: its tombstone may still have to be sent there.
CREATE INDEX placements_on_host ON placements (host_id);
-- Failed orders are cleared away after a week.
CREATE INDEX servers_failed ON servers (ended_at) WHERE service_status = 'failed';

-- For the ledger's check: what was ever announced about a server's prices, and what is promised of a paid line.
CREATE INDEX price_changes_server ON price_changes (server_id);
CREATE INDEX action_credits_line ON action_credits (line_id);

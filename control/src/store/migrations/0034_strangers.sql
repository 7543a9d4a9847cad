-- When another machine than the one that joined came with a host's key last, and was refused.
ALTER TABLE hosts ADD COLUMN stranger_at INTEGER;

-- How a host was when it told last, as it told it; for operators alone.
ALTER TABLE hosts ADD COLUMN status TEXT;
ALTER TABLE hosts ADD COLUMN status_at INTEGER;

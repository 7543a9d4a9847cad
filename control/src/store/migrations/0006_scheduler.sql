-- The life of services: why the scheduler stopped, and which services a wallet's movement concerns.

-- By how many seconds the clock had jumped when the scheduler stopped over it.
ALTER TABLE scheduler ADD COLUMN jumped_seconds INTEGER;

-- A wallet's movement concerns those services of its account that end soon or have ended.
CREATE INDEX servers_expiry ON servers (account_id, paid_until) WHERE service_status IN ('active', 'suspended');
-- Letters that no mail server took.
CREATE INDEX mails_untaken ON mails (id) WHERE accepted_at IS NULL;

-- Accounts that their owners closed: what is not bookkeeping is deleted at once, whose they were when the books need it no more.
ALTER TABLE accounts ADD COLUMN closed_at INTEGER;
ALTER TABLE accounts ADD COLUMN forget_at INTEGER;
CREATE INDEX accounts_forget ON accounts (forget_at) WHERE forget_at IS NOT NULL;

-- For an account's own copy of all that is kept of it, and its deletion.
CREATE INDEX mails_account ON mails (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX mails_recipient ON mails (recipient);
CREATE INDEX share_links_all ON share_links (server_id);
CREATE INDEX promo_uses_account ON promo_uses (account_id);

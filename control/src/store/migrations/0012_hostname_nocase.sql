-- Host names are looked for in any case.
DROP INDEX servers_hostname;
CREATE INDEX servers_hostname ON servers (account_id, hostname COLLATE NOCASE);

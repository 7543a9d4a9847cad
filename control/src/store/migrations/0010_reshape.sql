-- Reinstalls and other packages: what they change of a server, and what is put back when they are given up.

-- The actions again, with two more commands. What an action gives back stands line by line in action_credits.
CREATE TABLE actions_next (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    server_id INTEGER NOT NULL REFERENCES servers (id),
    command TEXT NOT NULL CHECK (command IN ('create', 'start', 'stop', 'restart', 'reinstall', 'change_package',
                                             'destroy')),
    status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed', 'superseded')),
    incarnation INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    deadline_at INTEGER,
    error_code TEXT,
    error_message TEXT,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER
) STRICT;
INSERT INTO actions_next SELECT id, uuid, account_id, server_id, command, status, incarnation, generation, deadline_at,
    error_code, error_message, created_at, started_at, finished_at FROM actions;
DROP TABLE actions;
ALTER TABLE actions_next RENAME TO actions;
CREATE INDEX actions_server ON actions (server_id);
CREATE INDEX actions_open ON actions (deadline_at) WHERE status IN ('queued', 'running');
CREATE INDEX actions_account ON actions (account_id, id);

-- The public key that was chosen among a server's keys: another choice takes its place, and no other key's.
ALTER TABLE servers ADD COLUMN chosen_key TEXT;
UPDATE servers SET chosen_key = (SELECT public_key FROM ssh_keys WHERE id = ssh_key_id);

-- What such an action changes, kept for ever: no later reinstall asks for a disk epoch that was asked for before.
CREATE TABLE reshapes (
    action_id INTEGER PRIMARY KEY REFERENCES actions (id),
    server_id INTEGER NOT NULL REFERENCES servers (id),
    disk_epoch INTEGER NOT NULL,
    -- JSON, of domain::reshape::Shape.
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    -- Ordinal of the last period that was paid at acceptance: what is renewed meanwhile is paid at the new price.
    period INTEGER NOT NULL,
    -- Why it is being given up, until the host said which disk the server has.
    given_up_code TEXT,
    given_up_message TEXT,
    CHECK ((given_up_code IS NULL) = (given_up_message IS NULL))
) STRICT;
CREATE INDEX reshapes_server ON reshapes (server_id, disk_epoch);
-- A package that comes back has its announced prices back.
CREATE INDEX price_changes_void ON price_changes (server_id) WHERE ended = 'void';

-- People who sign in for an account: one each for now, and nothing here forbids more.
CREATE TABLE people (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    -- Nothing while the operator has not approved it.
    account_id INTEGER REFERENCES accounts (id),
    name TEXT NOT NULL,
    -- In small letters.
    email TEXT NOT NULL UNIQUE CHECK (email = lower(email)),
    -- The PHC text of argon2id.
    password_hash TEXT NOT NULL,
    terms_version TEXT NOT NULL,
    terms_accepted_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX people_account ON people (account_id);

-- Browsers in which somebody has signed in. What they bring is kept as its hash; a row that is gone is signed out.
CREATE TABLE sign_ins (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    person_id INTEGER NOT NULL REFERENCES people (id),
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    from_address TEXT NOT NULL,
    user_agent TEXT NOT NULL
) STRICT;
CREATE INDEX sign_ins_person ON sign_ins (person_id, id);
CREATE INDEX sign_ins_age ON sign_ins (ends_at);

-- Whence somebody signed in before: guesses from elsewhere do not lock those out.
CREATE TABLE person_addresses (
    id INTEGER PRIMARY KEY,
    person_id INTEGER NOT NULL REFERENCES people (id),
    address TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    UNIQUE (person_id, address)
) STRICT;

-- What a link in a letter is for. Deleted with its first use.
CREATE TABLE mail_links (
    id INTEGER PRIMARY KEY,
    purpose TEXT NOT NULL CHECK (purpose IN ('sign_up', 'invitation', 'reset', 'new_email')),
    email TEXT NOT NULL,
    person_id INTEGER REFERENCES people (id),
    -- An account that was there before whoever is invited to it.
    account_id INTEGER REFERENCES accounts (id),
    expires_at INTEGER NOT NULL,
    CHECK ((person_id IS NOT NULL) = (purpose IN ('reset', 'new_email'))),
    CHECK (account_id IS NULL OR purpose = 'invitation')
) STRICT;
CREATE INDEX mail_links_email ON mail_links (email);
CREATE INDEX mail_links_person ON mail_links (person_id);
CREATE INDEX mail_links_age ON mail_links (expires_at);

-- Each sending of a letter has a token of its own, made when it is sent.
CREATE TABLE mail_link_tokens (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    link_id INTEGER NOT NULL REFERENCES mail_links (id) ON DELETE CASCADE
) STRICT;
CREATE INDEX mail_link_tokens_link ON mail_link_tokens (link_id);

-- Letters that somebody asked for, to addresses that are known or not: both leave the same behind.
CREATE TABLE letter_requests (
    id INTEGER PRIMARY KEY,
    address_hash BLOB NOT NULL CHECK (length(address_hash) = 32),
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX letter_requests_address ON letter_requests (address_hash, at);
CREATE INDEX letter_requests_age ON letter_requests (at);

-- Letters again: some are to people who have no account yet, and some lead to a link.
CREATE TABLE mails_next (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    account_id INTEGER REFERENCES accounts (id),
    -- What it tells; the same thing is never told twice.
    cause_key TEXT NOT NULL UNIQUE,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL,
    last_error TEXT,
    accepted_at INTEGER,
    -- Given up; an operator has to look.
    refused_at INTEGER,
    link_id INTEGER REFERENCES mail_links (id) ON DELETE SET NULL,
    CHECK (accepted_at IS NULL OR refused_at IS NULL)
) STRICT;
INSERT INTO mails_next SELECT id, uuid, account_id, cause_key, recipient, subject, body, created_at, tries, next_at,
    last_error, accepted_at, refused_at, NULL FROM mails;
DROP TABLE mails;
ALTER TABLE mails_next RENAME TO mails;
CREATE INDEX mails_waiting ON mails (next_at) WHERE accepted_at IS NULL AND refused_at IS NULL;
CREATE INDEX mails_untaken ON mails (id) WHERE accepted_at IS NULL;
CREATE INDEX mails_link ON mails (link_id);

-- A console's ticket carries the right of a key, of a link, or of whoever has signed in. Those that wait live for a minute,
-- so none is kept.
DROP TABLE console_tickets;
CREATE TABLE console_tickets (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    server_id INTEGER NOT NULL REFERENCES servers (id),
    api_key_id INTEGER REFERENCES api_keys (id),
    link_id INTEGER REFERENCES share_links (id),
    sign_in_id INTEGER REFERENCES sign_ins (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL,
    CHECK ((api_key_id IS NOT NULL) + (link_id IS NOT NULL) + (sign_in_id IS NOT NULL) = 1)
) STRICT;
CREATE INDEX console_tickets_age ON console_tickets (expires_at);
CREATE INDEX console_tickets_sign_in ON console_tickets (sign_in_id);

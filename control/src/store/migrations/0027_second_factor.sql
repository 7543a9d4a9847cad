-- The second thing that somebody signs in with.
CREATE TABLE second_factors (
    person_id INTEGER PRIMARY KEY REFERENCES people (id),
    -- What the authenticator knows, sealed under a key that is not in the database.
    secret BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    -- Nothing until a code was typed: until then it is asked for nowhere.
    confirmed_at INTEGER,
    -- The newest step of which a code was used; no code counts twice.
    last_step INTEGER NOT NULL DEFAULT 0,
    wrong INTEGER NOT NULL DEFAULT 0 CHECK (wrong >= 0),
    wrong_since INTEGER NOT NULL DEFAULT 0
) STRICT;

-- For who lost the authenticator: each works once. Deleted with its use.
CREATE TABLE recovery_codes (
    id INTEGER PRIMARY KEY,
    person_id INTEGER NOT NULL REFERENCES people (id),
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX recovery_codes_person ON recovery_codes (person_id);

-- Who gave the password, and no code yet. Opens nothing but the second step.
CREATE TABLE half_sign_ins (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    person_id INTEGER NOT NULL REFERENCES people (id),
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX half_sign_ins_person ON half_sign_ins (person_id, id);
CREATE INDEX half_sign_ins_age ON half_sign_ins (expires_at);

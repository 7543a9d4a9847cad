//! PostgreSQL with its defaults, on a socket of its own: the same rows, a transaction a posting, driven by pgbench.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::WALLETS;

/// Its default allows a hundred connections, three of them kept back: more clients have to share these.
const CONNECTIONS_MAX: usize = 90;

const TABLES: &str = "
CREATE TABLE accounts (
    id bigint PRIMARY KEY, balance_cents bigint NOT NULL CHECK (balance_cents >= 0), events_written bigint NOT NULL);
CREATE TABLE transfers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uuid text NOT NULL UNIQUE,
    from_account_id bigint REFERENCES accounts (id), from_book text,
    to_account_id bigint REFERENCES accounts (id), to_book text,
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    cause text NOT NULL, cause_key text NOT NULL UNIQUE,
    server_id bigint, description text NOT NULL, balance_after_cents bigint, created_at bigint NOT NULL);
CREATE INDEX ON transfers (from_account_id, id);
CREATE INDEX ON transfers (to_account_id, id);
CREATE INDEX ON transfers (server_id);
CREATE INDEX ON transfers (from_account_id, created_at, amount_cents) WHERE from_account_id IS NOT NULL;
CREATE INDEX ON transfers (to_account_id, created_at, amount_cents) WHERE to_account_id IS NOT NULL;
CREATE TABLE told_causes (transfer_id bigint PRIMARY KEY REFERENCES transfers (id), cause_key text NOT NULL UNIQUE);
CREATE TABLE events (
    account_id bigint NOT NULL REFERENCES accounts (id), position bigint NOT NULL, kind text NOT NULL,
    data text NOT NULL, created_at bigint NOT NULL, PRIMARY KEY (account_id, position));
CREATE INDEX ON events (created_at);
";

const POSTING: &str = r#"\set wallet random(1, :wallets)
BEGIN;
UPDATE accounts SET balance_cents = balance_cents + 100, events_written = events_written + 1 WHERE id = :wallet RETURNING balance_cents AS balance, events_written AS position \gset
INSERT INTO transfers (uuid, from_book, to_account_id, amount_cents, cause, cause_key, description, balance_after_cents, created_at) VALUES (gen_random_uuid()::text, 'topups', :wallet, 100, 'topup', 'topup/' || gen_random_uuid()::text, 'Wallet top-up', :balance, 1781092800) RETURNING id AS transfer, cause_key AS key \gset
INSERT INTO told_causes (transfer_id, cause_key) VALUES (:transfer, :key);
INSERT INTO events (account_id, position, kind, data, created_at) VALUES (:wallet, :position, 'balance.credited', '{"amount":1.00,"balance":50.00,"description":"Wallet top-up"}', 1781092800);
COMMIT;
"#;

pub struct Postgres {
    server: Child,
    programs: PathBuf,
    folder: PathBuf,
}

impl Postgres {
    /// Starts one in a folder below `folder`. Nothing where it is not installed: the comparison is left out then, aloud.
    pub fn start(folder: &Path) -> Option<Self> {
        let Some(programs) = programs() else {
            println!("PostgreSQL is not installed: the comparison with it is left out");
            return None;
        };
        let place = folder.join("postgres");
        fs::create_dir(&place).unwrap();
        // It refuses to run as root, so a user of its own must reach its folder.
        fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        run(Command::new("chown").args(["postgres:", place.to_str().unwrap()]));
        let data = place.join("data");
        run(as_postgres(&programs.join("initdb")).args(["-D", data.to_str().unwrap(), "-A", "trust", "-E", "UTF8"]));
        let mut server = as_postgres(&programs.join("postgres"));
        server.args(["-D", data.to_str().unwrap(), "-k", place.to_str().unwrap(), "-c", "listen_addresses="]);
        let server = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let postgres = Self { server, programs, folder: place };
        postgres.wait();
        postgres.sql(&format!("{TABLES} INSERT INTO accounts SELECT n, 0, 0 FROM generate_series(1, {WALLETS}) n;"));
        fs::write(postgres.folder.join("posting.sql"), POSTING).unwrap();
        Some(postgres)
    }

    fn wait(&self) {
        for _ in 0..200 {
            let mut ready = as_postgres(&self.programs.join("pg_isready"));
            ready.args(["-q", "-h"]).arg(&self.folder);
            if ready.status().is_ok_and(|status| status.success()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("PostgreSQL does not start");
    }

    fn sql(&self, text: &str) {
        let mut psql = as_postgres(&self.programs.join("psql"));
        run(psql.args(["-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-h"]).arg(&self.folder).args(["-c", text]));
    }

    /// Postings a second.
    pub fn postings(&self, clients: usize, length: Duration) -> f64 {
        let clients = clients.min(CONNECTIONS_MAX).to_string();
        let mut bench = as_postgres(&self.programs.join("pgbench"));
        bench.args(["-n", "-M", "prepared", "-j", "2", "-c", &clients, "-T", &length.as_secs().to_string()]);
        bench.args(["-D", &format!("wallets={WALLETS}"), "-h"]).arg(&self.folder);
        let told = run(bench.arg("-f").arg(self.folder.join("posting.sql")).arg("postgres"));
        let tps = told.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        tps.unwrap_or_else(|| panic!("pgbench said: {told}"))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut stop = as_postgres(&self.programs.join("pg_ctl"));
        let _ = stop.args(["stop", "-s", "-m", "immediate", "-D"]).arg(self.folder.join("data")).status();
        let _ = self.server.wait();
    }
}

/// Where Debian puts the programs of the newest version.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|version| version.path().join("bin"));
    versions.filter(|programs| programs.join("initdb").exists()).max()
}

fn as_postgres(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program).current_dir("/");
    command
}

/// Runs to the end; answers what it printed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

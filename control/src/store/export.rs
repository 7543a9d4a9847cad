//! All that is kept of an account, for its owner: every table that has something of theirs, or the reason why it is left out.

use csp_shared::id::AccountId;
use rusqlite::{Row, types::ValueRef};
use serde_json::{Map, Value, json};

use super::{Read, StoreError};
use crate::domain::time::Time;

/// What a part is called, and how it is read; ?1 is the account. No column holds a secret, nor the hash of one.
pub const EXPORTED: &[(&str, &str)] = &[
    (
        "accounts",
        "SELECT uuid, name, email, balance_cents, owed_cents, created_at, closed_at FROM accounts WHERE uuid = ?1",
    ),
    (
        "account_limits",
        "SELECT l.name, l.value FROM accounts a JOIN account_limits l ON l.account_id = a.id WHERE a.uuid = ?1",
    ),
    (
        "people",
        "SELECT p.uuid, p.name, p.email, p.terms_version, p.terms_accepted_at, p.created_at FROM accounts a \
         JOIN people p ON p.account_id = a.id WHERE a.uuid = ?1",
    ),
    (
        "sign_ins",
        "SELECT b.uuid, b.created_at, b.seen_at, b.ends_at, b.from_address, b.user_agent FROM accounts a \
         JOIN people p ON p.account_id = a.id JOIN sign_ins b ON b.person_id = p.id WHERE a.uuid = ?1",
    ),
    (
        "person_addresses",
        "SELECT d.address, d.seen_at FROM accounts a JOIN people p ON p.account_id = a.id \
         JOIN person_addresses d ON d.person_id = p.id WHERE a.uuid = ?1",
    ),
    (
        "second_factors",
        "SELECT f.created_at, f.confirmed_at FROM accounts a JOIN people p ON p.account_id = a.id \
         JOIN second_factors f ON f.person_id = p.id WHERE a.uuid = ?1",
    ),
    (
        "api_keys",
        "SELECT k.uuid, k.preview, k.label, k.scopes, k.networks, k.created_at, k.expires_at, k.revoked_at, k.last_used_at, \
         k.last_used_from FROM accounts a JOIN api_keys k ON k.account_id = a.id WHERE a.uuid = ?1 ORDER BY k.id",
    ),
    (
        "ssh_keys",
        "SELECT k.uuid, k.label, k.public_key, k.fingerprint, k.created_at FROM accounts a \
         JOIN ssh_keys k ON k.account_id = a.id WHERE a.uuid = ?1 ORDER BY k.id",
    ),
    (
        "servers",
        "SELECT s.uuid, s.type, s.hostname, s.service_status, p.slug AS package, s.package_monthly_cents, s.cpu, s.ram_mb, \
         s.disk_gb, i.key AS image, s.auto_renew, s.anchor_at, s.paid_until, s.failure_code, s.authorized_keys, s.user_data, \
         s.protect_destroy, s.protect_reinstall, s.price_fixed, s.created_at, s.ended_at FROM accounts a \
         JOIN servers s ON s.account_id = a.id JOIN packages p ON p.id = s.package_id JOIN images i ON i.id = s.image_id \
         WHERE a.uuid = ?1 ORDER BY s.id",
    ),
    (
        "server_labels",
        "SELECT s.uuid AS server, l.name, l.value FROM accounts a JOIN servers s ON s.account_id = a.id \
         JOIN server_labels l ON l.server_id = s.id WHERE a.uuid = ?1",
    ),
    (
        "server_locks",
        "SELECT s.uuid AS server, l.reason, l.since FROM accounts a JOIN servers s ON s.account_id = a.id \
         JOIN server_locks l ON l.server_id = s.id WHERE a.uuid = ?1",
    ),
    (
        "share_links",
        "SELECT l.uuid, s.uuid AS server, l.preview, l.label, l.permissions, l.created_at, l.expires_at, l.revoked_at, l.uses, \
         l.last_used_at, l.last_used_from FROM accounts a JOIN servers s ON s.account_id = a.id \
         JOIN share_links l ON l.server_id = s.id WHERE a.uuid = ?1",
    ),
    (
        "nics",
        "SELECT s.uuid AS server, n.name, n.mac, n.removed_at FROM accounts a JOIN servers s ON s.account_id = a.id \
         JOIN nics n ON n.server_id = s.id WHERE a.uuid = ?1",
    ),
    (
        "leases",
        "SELECT l.uuid, s.uuid AS server, n.name AS adapter, l.address, l.role, l.monthly_cents, l.state, l.created_at, \
         l.freed_at FROM accounts a JOIN servers s ON s.account_id = a.id JOIN nics n ON n.server_id = s.id \
         JOIN leases l ON l.nic_id = n.id WHERE a.uuid = ?1",
    ),
    (
        "networks",
        "SELECT n.uuid, n.name, n.subnet, n.subnet_len, n.state, n.created_at, n.ended_at FROM accounts a \
         JOIN networks n ON n.account_id = a.id WHERE a.uuid = ?1 ORDER BY n.id",
    ),
    (
        "network_members",
        "SELECT m.uuid, n.uuid AS network, s.uuid AS server, m.address, m.state, m.created_at, m.freed_at FROM accounts a \
         JOIN servers s ON s.account_id = a.id JOIN network_members m ON m.server_id = s.id \
         JOIN networks n ON n.id = m.network_id WHERE a.uuid = ?1",
    ),
    (
        "traffic_months",
        "SELECT s.uuid AS server, t.month, t.received_bytes, t.received_packets, t.sent_bytes, t.sent_packets FROM accounts a \
         JOIN servers s ON s.account_id = a.id JOIN traffic_months t ON t.server_id = s.id WHERE a.uuid = ?1",
    ),
    (
        "actions",
        "SELECT x.uuid, s.uuid AS server, x.command, x.status, x.error_code, x.error_message, x.created_at, x.started_at, \
         x.finished_at FROM accounts a JOIN actions x ON x.account_id = a.id JOIN servers s ON s.id = x.server_id \
         WHERE a.uuid = ?1 ORDER BY x.id",
    ),
    (
        "transfers",
        "SELECT t.uuid, t.from_book, t.to_book, t.amount_cents, t.cause, t.description, t.balance_after_cents, t.created_at \
         FROM accounts a JOIN transfers t ON t.from_account_id = a.id WHERE a.uuid = ?1 UNION ALL \
         SELECT t.uuid, t.from_book, t.to_book, t.amount_cents, t.cause, t.description, t.balance_after_cents, t.created_at \
         FROM accounts a JOIN transfers t ON t.to_account_id = a.id WHERE a.uuid = ?1 ORDER BY 8, 1",
    ),
    (
        "top_ups",
        "SELECT t.uuid, t.amount_cents, t.state, t.payment, t.refunded_cents, t.created_at FROM accounts a \
         JOIN top_ups t ON t.account_id = a.id WHERE a.uuid = ?1",
    ),
    (
        "disputes",
        "SELECT d.reference, t.uuid AS payment, d.amount_cents, d.outcome, d.opened_at, d.closed_at FROM accounts a \
         JOIN transfers t ON t.to_account_id = a.id JOIN disputes d ON d.payment_id = t.id WHERE a.uuid = ?1",
    ),
    (
        "refunds",
        "SELECT t.uuid AS payment, r.amount_cents FROM accounts a JOIN transfers t ON t.to_account_id = a.id \
         JOIN refunds r ON r.payment_id = t.id WHERE a.uuid = ?1",
    ),
    (
        "periods",
        "SELECT s.uuid AS server, p.ordinal, p.starts_at, p.ends_at FROM accounts a JOIN servers s ON s.account_id = a.id \
         JOIN periods p ON p.server_id = s.id WHERE a.uuid = ?1",
    ),
    (
        "paid_lines",
        "SELECT s.uuid AS server, p.ordinal, l.thing, l.list_cents, l.net_cents, l.credited_cents, l.created_at, l.ended_at \
         FROM accounts a JOIN servers s ON s.account_id = a.id JOIN periods p ON p.server_id = s.id \
         JOIN paid_lines l ON l.period_id = p.id WHERE a.uuid = ?1",
    ),
    (
        "promo_uses",
        "SELECT c.code, s.uuid AS server, u.percent, u.amount_cents, u.duration, u.used_at, u.released_at FROM accounts a \
         JOIN promo_uses u ON u.account_id = a.id JOIN promo_codes c ON c.id = u.promo_id \
         JOIN servers s ON s.id = u.server_id WHERE a.uuid = ?1",
    ),
    (
        "reminders",
        "SELECT s.uuid AS server, r.kind, r.paid_until, r.created_at, r.told_at FROM accounts a \
         JOIN servers s ON s.account_id = a.id JOIN reminders r ON r.server_id = s.id WHERE a.uuid = ?1",
    ),
    (
        "events",
        "SELECT e.position, e.kind, e.data, e.created_at FROM accounts a JOIN events e ON e.account_id = a.id \
         WHERE a.uuid = ?1 ORDER BY e.position",
    ),
    // An address may have been somebody else's before: letters of an account are that account's, wherever they went.
    (
        "mails",
        "SELECT m.uuid, m.recipient, m.subject, m.body, m.created_at, m.accepted_at FROM accounts a \
         JOIN mails m ON m.account_id = a.id \
         OR (m.account_id IS NULL AND m.recipient IN (SELECT p.email FROM people p WHERE p.account_id = a.id)) \
         WHERE a.uuid = ?1 ORDER BY m.id",
    ),
    (
        "notices",
        "SELECT n.uuid, n.kind, n.title, n.body, n.starts_at, n.ends_at, n.created_at FROM accounts a \
         JOIN notices n ON n.account_id = a.id WHERE a.uuid = ?1",
    ),
];

/// Tables that are left out, and why.
pub const NOT_EXPORTED: &[(&str, &str)] = &[
    ("action_links", "which link asked is told with each action"),
    ("address_pools", "the provider's"),
    ("addresses_aside", "the provider's"),
    ("console_tickets", "hashes of secrets, for a minute"),
    ("half_sign_ins", "hashes of secrets, for five minutes"),
    ("hosts", "the provider's"),
    ("idempotency_keys", "sealed under what the customer alone has"),
    ("images", "the provider's"),
    ("ip_changes", "what an action is about; told with it"),
    ("join_tokens", "the provider's"),
    ("ledger_carried", "of the whole ledger, and nobody's"),
    ("ledger_marks", "of the whole ledger, and nobody's"),
    ("letter_requests", "hashes, for an hour"),
    ("line_credits", "how a credit comes about; what came of it is in transfers"),
    ("link_sessions", "hashes of secrets"),
    ("locations", "the provider's"),
    ("mail_link_tokens", "hashes of secrets"),
    ("mail_links", "letters that are on their way"),
    ("network_objects", "how networks are made on hosts; the provider's"),
    ("observations", "what hosts say; the provider's"),
    ("operator_tokens", "the provider's"),
    ("orphan_addresses", "the provider's"),
    ("orphan_macs", "the provider's"),
    ("orphans", "the provider's"),
    ("packages", "the provider's"),
    ("placements", "where servers are; the provider's"),
    ("price_changes", "announced in a letter and an event"),
    ("private_ranges", "the provider's"),
    ("promo_codes", "the provider's"),
    ("recovery_codes", "hashes of secrets; how many are left is shown"),
    ("reshapes", "what an action changes; told with it"),
    ("scheduler", "the provider's"),
    ("specs", "what hosts are told, with a password's hash"),
    ("store_state", "the provider's"),
    ("told_causes", "a second copy of what is in transfers"),
    ("traffic_counts", "what hosts count; what came of it is in traffic_months"),
];

/// A row, by the names of its columns. Times are told as everywhere else, money in cents as its name says.
fn object(r: &Row<'_>) -> Result<Value, StoreError> {
    let names = r.as_ref().column_names();
    let mut fields = Map::new();
    for (at, name) in names.into_iter().enumerate() {
        let is_time = name.ends_with("_at") || ["paid_until", "since"].contains(&name);
        let value = match r.get_ref(at)? {
            ValueRef::Integer(seconds) if is_time => json!(Time(seconds).to_string()),
            ValueRef::Integer(number) => json!(number),
            ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
            ValueRef::Null => Value::Null,
            ValueRef::Real(_) | ValueRef::Blob(_) => return Err(StoreError::Damaged(name.to_owned())),
        };
        fields.insert(name.to_owned(), value);
    }
    Ok(Value::Object(fields))
}

impl Read<'_> {
    /// All that is kept of an account, by the names of its parts.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn account_export(&self, account: AccountId) -> Result<Map<String, Value>, StoreError> {
        let part = |(name, sql): &(&str, &str)| {
            let rows = self.many(sql, [account.to_string()], object)?;
            Ok(((*name).to_owned(), Value::Array(rows)))
        };
        EXPORTED.iter().map(part).collect()
    }
}

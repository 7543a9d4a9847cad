//! What happened, as a customer can follow it. Every kind stands in one list, with what it means.
//!
//! An event is written in the transaction in which it happened, by the store's own methods where they change what it is
//! about, so nothing can change without a word. It holds what any key that may read can see anyway: no secret, nothing of
//! another account, nothing of the provider's hosts. A kind, once published, keeps its name and its meaning.

use std::net::Ipv4Addr;

use csp_shared::id::{ActionId, NetworkId, NoticeId, ServerId, ShareLinkId};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::{
    action::{self, Command},
    billing::{life::Reminding, price::Announced},
    money::Cents,
    notice,
    server::{ServiceStatus, Status},
    time::Time,
    traffic::Reached,
};

macro_rules! kinds {
    ($($kind:ident = $name:literal, $meaning:literal;)*) => {
        /// What can happen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $(#[doc = $meaning] $kind,)*
        }

        impl Kind {
            /// Every kind, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// As stored and shown.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// What it means, for the documentation.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$kind => $meaning,)* }
            }
        }
    };
}

kinds! {
    ServerCreated = "server.created", "A server was ordered and paid. `data`: hostname, service_status.";
    ServerServiceChanged = "server.service_changed",
        "The service moved on: active at first Online, suspended, failed. `data`: service_status, previous_service_status.";
    ServerStatusChanged = "server.status_changed",
        "The server's host saw it go Online or Offline. `data`: status, previous_status.";
    ServerUpdated = "server.updated", "The owner changed the server's own data. `data`: fields, the names of what changed.";
    ServerReminder = "server.reminder",
        "The paid time of a server ends or has ended, and it does not renew by itself as things stand. `data`: reminder (before_7, before_3, before_1, suspended, grace_3, grace_1), paid_until, amount (of its next period), and in the grace time delete_at.";
    ServerRenewed = "server.renewed", "A server's paid time became longer, by itself or by request. `data`: paid_until.";
    ServerPriceAnnounced = "server.price_announced",
        "The price of a server, or of one of its extra addresses, changes for what is paid from effective_at on. `data`: amount, previous_amount, effective_at, and of an address: address.";
    ServerAddressReplaced = "server.address_replaced",
        "An address that was on its way to a server is in use by another machine, so the server gets this one instead. `data`: address.";
    ServerTraffic = "server.traffic",
        "A server has used 80 or 100 percent of what its package allows it a month; received and sent count together. `data`: month, percent, used_bytes, quota_bytes, and where it is held to a rate until the month ends: held_mbit_per_second.";
    ServerPasswordReset = "server.password_reset", "The guest took a new root password that the owner asked for.";
    ServerLinkCreated = "server.link_created",
        "A management link to the server was made. `data`: link_uuid, label.";
    ServerLinkRevoked = "server.link_revoked", "A management link was revoked and opens nothing more. `data`: link_uuid, label.";
    ServerLost = "server.lost",
        "The provider lost the server's host and gave the server up, with its data. It is destroyed. `data`: amount, what was credited for unused time.";
    ServerDestroyed = "server.destroyed",
        "The server is gone from the account; the action of `destroy` ends when its host has proved it.";
    AccountUpdated = "account.updated", "The account's own data changed. `data`: fields, the names of what changed.";
    NetworkCreated = "network.created", "A private network was made. `data`: network_uuid, name.";
    NetworkUpdated = "network.updated", "A private network was renamed. `data`: network_uuid, name.";
    NetworkDeleted = "network.deleted", "A private network was deleted. `data`: network_uuid, name.";
    ActionQueued = "action.queued", "Something was asked of a server. `data`: command.";
    ActionStarted = "action.started", "The server's host took the action up. `data`: command.";
    ActionDone = "action.done", "The action was brought about. `data`: command.";
    ActionFailed = "action.failed", "The action will not come about. `data`: command, error.";
    ActionSuperseded = "action.superseded", "A later request took the action's place. `data`: command.";
    BalanceCredited = "balance.credited", "Money came into the wallet. `data`: amount, balance, description.";
    BalanceDebited = "balance.debited", "Money left the wallet. `data`: amount, balance, description.";
    NoticePublished = "notice.published",
        "The provider has something to say; `GET /notices` has it in full. `data`: notice_uuid, kind, title.";
}

/// What a follower is told in place of events that are not kept any more. No kind: it is written nowhere.
pub const GAP: &str = "gap";

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an event that is not stored is told to nobody"]
pub struct Event {
    /// What.
    pub kind: Kind,
    /// To which server.
    pub server: Option<ServerId>,
    /// By which action.
    pub action: Option<ActionId>,
    /// The rest: a JSON object.
    pub data: String,
}

/// All that `data` can hold; a kind's meaning says which parts are there.
#[derive(Default, Serialize)]
struct Data<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_service_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<&'a [&'a str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exact")]
    amount: Option<Cents>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exact")]
    balance: Option<Cents>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Ipv4Addr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_uuid: Option<NetworkId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice_uuid: Option<NoticeId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_uuid: Option<ShareLinkId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reminder: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exact")]
    previous_amount: Option<Cents>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    month: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quota_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held_mbit_per_second: Option<u32>,
}

#[derive(Serialize)]
struct Failure<'a> {
    code: &'a str,
    message: &'a str,
}

/// An amount as the API writes it: an exact number.
fn exact<S: Serializer>(amount: &Option<Cents>, serializer: S) -> Result<S::Ok, S::Error> {
    let text = amount.map_or_else(|| "null".to_owned(), |amount| amount.to_string());
    RawValue::from_string(text).map_err(serde::ser::Error::custom)?.serialize(serializer)
}

impl Event {
    /// An event about the account itself.
    fn account(kind: Kind, data: &Data<'_>) -> Self {
        // Texts and numbers under text keys: this cannot fail.
        let data = serde_json::to_string(data).unwrap_or_else(|_| "{}".to_owned());
        Self { kind, server: None, action: None, data }
    }

    fn server(kind: Kind, server: ServerId, data: &Data<'_>) -> Self {
        Self { server: Some(server), ..Self::account(kind, data) }
    }

    /// A server was ordered.
    pub fn server_created(server: ServerId, hostname: &str) -> Self {
        let service_status = Some(ServiceStatus::Provisioning.as_str());
        let data = Data { hostname: Some(hostname), service_status, ..Data::default() };
        Self::server(Kind::ServerCreated, server, &data)
    }

    /// A service moved on. A removal is an event of its own.
    pub fn service_changed(server: ServerId, previous: ServiceStatus, service: ServiceStatus) -> Self {
        if service == ServiceStatus::Destroyed {
            return Self::server(Kind::ServerDestroyed, server, &Data::default());
        }
        let (service_status, previous) = (Some(service.as_str()), Some(previous.as_str()));
        let data = Data { service_status, previous_service_status: previous, ..Data::default() };
        Self::server(Kind::ServerServiceChanged, server, &data)
    }

    /// What a report changed of a server's status, if it is worth telling: that it was seen running, or seen off. What lies
    /// between is a wish, and an action tells of it.
    #[must_use]
    pub fn status_seen(server: ServerId, previous: Status, status: Status) -> Option<Self> {
        let is_seen = matches!(status, Status::Online | Status::Offline);
        let data = Data { status: Some(status.as_str()), previous_status: Some(previous.as_str()), ..Data::default() };
        (is_seen && status != previous).then(|| Self::server(Kind::ServerStatusChanged, server, &data))
    }

    /// A server's owner changed the named fields.
    pub fn server_updated(server: ServerId, fields: &[&str]) -> Self {
        Self::server(Kind::ServerUpdated, server, &Data { fields: Some(fields), ..Data::default() })
    }

    /// A server's owner is told about the end of its paid time.
    pub fn reminder(server: ServerId, reminder: &Reminding) -> Self {
        let Reminding { kind, paid_until, delete_at, amount } = *reminder;
        let (paid_until, delete_at) = (Some(paid_until.to_string()), delete_at.map(|at| at.to_string()));
        let data =
            Data { reminder: Some(kind.as_str()), paid_until, delete_at, amount: Some(amount), ..Data::default() };
        Self::server(Kind::ServerReminder, server, &data)
    }

    /// A link opens a server's page now.
    pub fn link_created(server: ServerId, link: ShareLinkId, label: &str) -> Self {
        Self::link(Kind::ServerLinkCreated, server, link, label)
    }

    /// A link opens nothing any more, since its owner said so.
    pub fn link_revoked(server: ServerId, link: ShareLinkId, label: &str) -> Self {
        Self::link(Kind::ServerLinkRevoked, server, link, label)
    }

    fn link(kind: Kind, server: ServerId, link: ShareLinkId, label: &str) -> Self {
        Self::server(kind, server, &Data { link_uuid: Some(link), label: Some(label), ..Data::default() })
    }

    /// A server was given up with its host.
    pub fn server_lost(server: ServerId, credited: Cents) -> Self {
        Self::server(Kind::ServerLost, server, &Data { amount: Some(credited), ..Data::default() })
    }

    /// A server is paid for longer.
    pub fn server_renewed(server: ServerId, paid_until: Time) -> Self {
        Self::server(Kind::ServerRenewed, server, &Data { paid_until: Some(paid_until.to_string()), ..Data::default() })
    }

    /// A server will have another price, or one of its extra addresses.
    pub fn price_announced(server: ServerId, address: Option<Ipv4Addr>, before: Cents, announced: &Announced) -> Self {
        let (amount, previous_amount) = (Some(announced.price), Some(before));
        let effective_at = Some(announced.effective_at.to_string());
        let data = Data { amount, previous_amount, effective_at, address, ..Data::default() };
        Self::server(Kind::ServerPriceAnnounced, server, &data)
    }

    /// A server gets another address than it was told.
    pub fn address_replaced(server: ServerId, address: Ipv4Addr) -> Self {
        Self::server(Kind::ServerAddressReplaced, server, &Data { address: Some(address), ..Data::default() })
    }

    /// A server reached a mark of what it may carry a month, and is held to a rate from now on, if there is one.
    pub fn traffic(server: ServerId, reached: &Reached, held: Option<u32>) -> Self {
        let Reached { month, mark, used_bytes, quota } = reached;
        let data = Data {
            month: Some(month.to_string()),
            percent: Some(mark.percent()),
            used_bytes: Some(*used_bytes),
            quota_bytes: Some(quota.bytes),
            held_mbit_per_second: held,
            ..Data::default()
        };
        Self::server(Kind::ServerTraffic, server, &data)
    }

    /// A guest has a new root password.
    pub fn password_reset(server: ServerId) -> Self {
        Self::server(Kind::ServerPasswordReset, server, &Data::default())
    }

    /// An action is at this status now.
    pub fn action(
        server: ServerId,
        action: ActionId,
        command: Command,
        status: action::Status,
        error: Option<(&str, &str)>,
    ) -> Self {
        let kind = match status {
            action::Status::Queued => Kind::ActionQueued,
            action::Status::Running => Kind::ActionStarted,
            action::Status::Done => Kind::ActionDone,
            action::Status::Failed => Kind::ActionFailed,
            action::Status::Superseded => Kind::ActionSuperseded,
        };
        let error = error.map(|(code, message)| Failure { code, message });
        let data = Data { command: Some(command.as_str()), error, ..Data::default() };
        Self { action: Some(action), ..Self::server(kind, server, &data) }
    }

    /// The provider changed the account's own data.
    pub fn account_updated(fields: &[&str]) -> Self {
        Self::account(Kind::AccountUpdated, &Data { fields: Some(fields), ..Data::default() })
    }

    /// A private network was made.
    pub fn network_created(network: NetworkId, name: &str) -> Self {
        Self::network(Kind::NetworkCreated, network, name)
    }

    /// A private network has another name.
    pub fn network_updated(network: NetworkId, name: &str) -> Self {
        Self::network(Kind::NetworkUpdated, network, name)
    }

    /// A private network is gone.
    pub fn network_deleted(network: NetworkId, name: &str) -> Self {
        Self::network(Kind::NetworkDeleted, network, name)
    }

    fn network(kind: Kind, network: NetworkId, name: &str) -> Self {
        Self::account(kind, &Data { network_uuid: Some(network), name: Some(name), ..Data::default() })
    }

    /// The provider has something to say.
    pub fn notice_published(notice: NoticeId, kind: notice::Kind, title: &str) -> Self {
        let (notice_uuid, kind, title) = (Some(notice), Some(kind.as_str()), Some(title));
        Self::account(Kind::NoticePublished, &Data { notice_uuid, kind, title, ..Data::default() })
    }

    /// Money moved.
    pub fn balance(
        is_credit: bool,
        amount: Cents,
        balance: Cents,
        description: &str,
        server: Option<ServerId>,
    ) -> Self {
        let kind = if is_credit { Kind::BalanceCredited } else { Kind::BalanceDebited };
        let (amount, balance) = (Some(amount), Some(balance));
        let data = Data { amount, balance, description: Some(description), ..Data::default() };
        Self { server, ..Self::account(kind, &data) }
    }
}

/// The events of an account that are kept: from the oldest to the newest. Positions count up by one in each account and
/// are never given twice, so they tell nothing of how much happens elsewhere, and what is missing can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The oldest that is kept; one beyond the newest when none is.
    pub oldest: u64,
    /// The newest that was written; 0 before the first.
    pub newest: u64,
}

/// Where a follower goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The position after which it reads.
    pub after: u64,
    /// Something between is not to be had any more: what the follower knows may be out of date.
    pub gap: bool,
}

impl Kept {
    /// Where a follower goes on that has seen everything up to `after`.
    ///
    /// A position beyond the newest was given out by another life of the store: it says nothing about this one, so the
    /// follower is told of the gap and goes on from now.
    #[must_use]
    pub fn resume(self, after: u64) -> Resume {
        if after > self.newest {
            return Resume { after: self.newest, gap: true };
        }
        let first = self.oldest.saturating_sub(1);
        Resume { after: after.max(first), gap: after < first }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn server() -> ServerId {
        "0192f0c1-0000-7000-8000-000000000001".parse().unwrap()
    }

    #[test]
    fn every_kind_has_a_name_of_its_own_and_says_what_it_means() {
        for (at, kind) in Kind::ALL.iter().enumerate() {
            let (subject, what) = kind.as_str().split_once('.').unwrap();
            assert!(
                ["server", "account", "network", "action", "balance", "notice"].contains(&subject) && !what.is_empty(),
                "{kind:?}"
            );
            assert!(kind.meaning().ends_with('.'), "{kind:?}");
            assert!(Kind::ALL.iter().skip(at + 1).all(|other| other.as_str() != kind.as_str()), "{kind:?}");
        }
    }

    #[test]
    fn an_event_says_what_its_kind_promises_and_amounts_are_exact() {
        let amount = |text: &str| text.parse().unwrap();
        let debit = Event::balance(false, amount("6.95"), amount("35.55"), "Starter for web1", Some(server()));
        assert_eq!(debit.data, r#"{"amount":6.95,"balance":35.55,"description":"Starter for web1"}"#);
        assert_eq!((debit.kind, debit.server), (Kind::BalanceDebited, Some(server())));
        let action = ActionId("0192f0c1-0000-7000-8000-000000000002".parse().unwrap());
        let why = Some(("image_checksum", "The image is damaged."));
        let failed = Event::action(server(), action, Command::Create, action::Status::Failed, why);
        assert_eq!(
            failed.data,
            r#"{"command":"create","error":{"code":"image_checksum","message":"The image is damaged."}}"#
        );
        assert_eq!(Event::service_changed(server(), ServiceStatus::Active, ServiceStatus::Destroyed).data, "{}");
        assert_eq!(Event::server_updated(server(), &["labels"]).data, r#"{"fields":["labels"]}"#);
    }

    #[test]
    fn only_what_was_seen_is_told() {
        let told = |previous, status| Event::status_seen(server(), previous, status).is_some();
        assert!(told(Status::Provisioning, Status::Online) && told(Status::Stopping, Status::Offline));
        assert!(!told(Status::Online, Status::Online), "nothing changed");
        assert!(!told(Status::Online, Status::Stopping), "that is a wish");
        assert!(!told(Status::Online, Status::Unknown), "that nothing was seen is nothing seen");
    }

    #[test]
    fn who_missed_something_is_told_and_nobody_else() {
        let kept = Kept { oldest: 11, newest: 20 };
        let table = [
            ("from the start", 0, 10, true),
            ("one is missing", 9, 10, true),
            ("just in time", 10, 10, false),
            ("in the middle", 15, 15, false),
            ("up to date", 20, 20, false),
            ("of another life", 21, 20, true),
        ];
        for (name, position, after, gap) in table {
            assert_eq!(kept.resume(position), Resume { after, gap }, "{name}");
        }
        assert_eq!(Kept { oldest: 1, newest: 0 }.resume(0), Resume { after: 0, gap: false }, "nothing happened yet");
        assert_eq!(Kept { oldest: 21, newest: 20 }.resume(20), Resume { after: 20, gap: false }, "all was forgotten");
    }

    proptest! {
        /// Following from wherever one is told to never skips an event that is kept, unless a gap was told.
        #[test]
        fn nothing_that_is_kept_is_skipped(oldest in 1u64..50, more in 0u64..50, position in 0u64..120) {
            let kept = Kept { oldest, newest: oldest - 1 + more };
            let resume = kept.resume(position);
            prop_assert!(resume.after <= kept.newest);
            if !resume.gap {
                prop_assert_eq!(resume.after, position);
            }
        }
    }
}

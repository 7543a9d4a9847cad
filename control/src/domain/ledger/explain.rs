//! Transfers in words, for whoever asks why a cent moved: the cause, and what stands around it.

use csp_shared::id::ActionId;

use super::{
    Cause,
    verify::{Entry, Side, cents},
};
use crate::domain::time::Time;

/// A line that a transfer paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidLine {
    /// `package` or `extra_ip`.
    pub thing: String,
    /// Of an additional address.
    pub address: Option<String>,
    /// Which period, from 0.
    pub ordinal: i64,
    /// From when to when the period goes; none before the first one began.
    pub span: Option<(Time, Time)>,
    /// Cents.
    pub list: i64,
    /// What it cost in the end.
    pub net: i64,
    /// How much of that was given back since.
    pub credited: i64,
    /// Since when in the period; none for all of it.
    pub from: Option<Time>,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What recorded it.
    pub action: ActionId,
    /// `destroy`, for example.
    pub command: String,
    /// How it ended, or how far it is.
    pub status: String,
    /// When it was accepted.
    pub at: Time,
}

/// What stands around a transfer about a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// What it paid.
    pub lines: Vec<PaidLine>,
    /// The code that the server was ordered with.
    pub promo: Option<String>,
    /// What asked for it.
    pub asked: Option<Asked>,
}

/// Everything that is known of a transfer beyond its cause, a sentence each.
#[must_use]
pub fn details(entry: &Entry, hostname: Option<&str>, around: &Around) -> Vec<String> {
    let mut told = Vec::new();
    if let Some((server, _)) = entry.server {
        told.push(format!("server {} ({server})", hostname.unwrap_or_default()));
    }
    told.extend(around.lines.iter().map(line));
    let cause = entry.key.parse::<Cause>();
    let by_promo = match &cause {
        Ok(Cause::Discount(..) | Cause::DiscountReversal(_)) => true,
        _ => around.lines.iter().any(|line| line.net < line.list),
    };
    if let Some(code) = around.promo.as_ref().filter(|_| by_promo) {
        told.push(format!("promo code {code}"));
    }
    if let Some(asked) = &around.asked {
        told.push(format!("asked for at {}: {} ({}), action {}", asked.at, asked.command, asked.status, asked.action));
    }
    if entry.movement().is_none() {
        told.push(format!("from {} to {}, past every wallet", side(&entry.from), side(&entry.to)));
    }
    if !entry.description.is_empty() {
        told.push(format!("the customer reads \u{201c}{}\u{201d}", entry.description));
    }
    told
}

fn line(line: &PaidLine) -> String {
    let thing = match (line.thing.as_str(), &line.address) {
        ("extra_ip", Some(address)) => format!("additional address {address}"),
        (thing, _) => thing.to_owned(),
    };
    let span = match line.span {
        Some((from, to)) => format!("{from} to {to}"),
        None => "it has not begun".to_owned(),
    };
    let part = line.from.map_or_else(String::new, |from| format!(", from {from} on"));
    let price = match (line.net, line.list) {
        (net, list) if net == list => format!("{} paid", cents(net.into())),
        (net, list) => format!("{} paid of {} list price", cents(net.into()), cents(list.into())),
    };
    let back = match line.credited {
        0 => String::new(),
        back => format!(", of which {} were given back since", cents(back.into())),
    };
    format!("{thing}, period {} ({span}){part}: {price}{back}", line.ordinal)
}

/// Who holds money, in words.
#[must_use]
pub fn side(side: &Side) -> String {
    match side {
        Side::Wallet(account) => format!("the wallet of {account}"),
        Side::Book(name) => name.clone(),
        Side::None => "nobody".to_owned(),
        Side::Both => "a wallet and a book at once".to_owned(),
    }
}

/// Why money moved, in a sentence without its amount.
#[must_use]
pub fn why(cause: &Cause) -> String {
    match cause {
        Cause::Order(_) => "the server was ordered: its first period".to_owned(),
        Cause::Renewal(_, period) => format!("the server is paid for its period {period}, counted from 0"),
        Cause::Discount(_, period) => format!("a promotion pays a part of period {period}, counted from 0"),
        Cause::DiscountReversal(_) => "the order did not run: what a promotion paid goes back".to_owned(),
        Cause::OrderReversal(_) => "the order did not run: exactly what it took goes back".to_owned(),
        Cause::Change(action) => format!("another package costs more for the paid time that is left (action {action})"),
        Cause::ChangeReversal(action) => {
            format!("the package was not changed (action {action}): exactly what that took goes back")
        }
        Cause::ChangeCredit(action) => {
            format!("the package costs less for the paid time that is left (action {action}): the difference goes back")
        }
        Cause::ExtraIp(action) => {
            format!("an extra address costs for the paid time that is left (action {action})")
        }
        Cause::ExtraIpReversal(action) => {
            format!("the extra address did not come (action {action}): what it took goes back")
        }
        Cause::ExtraIpCredit(action) => {
            format!("the server gave an extra address up (action {action}): its unused time goes back")
        }
        Cause::ExtraIpSetOff(action) => {
            format!(
                "an extra address moves (action {action}): unused time of its server, set off against the other one's price"
            )
        }
        Cause::ExtraIpSetOffReversal(action) => {
            format!("the extra address did not move (action {action}): what was set off is taken back")
        }
        Cause::DestroyCredit(action) => {
            format!("the server ended, by request or with its host (action {action}): unused time goes back")
        }
        Cause::TopUp { reference } => format!("payment {reference} came in"),
        Cause::Refund { reference } => format!("a payment went back to whoever paid, as refund {reference}"),
        Cause::Dispute { reference } => format!("a payment is disputed and taken back, as dispute {reference}"),
        Cause::Claim { reference } => {
            format!("of what dispute {reference} takes, this is not in the wallet: it is owed from now on")
        }
        Cause::DisputeWon { reference } => format!("dispute {reference} was won: what it took comes back"),
        Cause::Settlement(came_in) => format!("of what came in as transfer {came_in}, this pays what is owed"),
        Cause::Goodwill { reference } => format!("a gift of the provider, {reference}"),
        Cause::Correction { reference } => format!("put right by the provider, {reference}"),
    }
}

/// The same for a key as it is stored; a key that no cause has is told as it stands.
#[must_use]
pub fn why_key(key: &str) -> String {
    key.parse().map_or_else(|_| format!("no cause is known for {key}"), |cause| why(&cause))
}

#[cfg(test)]
mod tests {
    use csp_shared::id::{AccountId, ServerId, TransferId};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_a_transfer_paid_is_told_line_by_line() {
        let (server, account) = (ServerId(Uuid::from_u128(1)), AccountId(Uuid::from_u128(2)));
        let cause = Cause::Renewal(server, 1);
        let entry = Entry {
            transfer: TransferId(Uuid::from_u128(3)),
            from: Side::Wallet(account),
            to: Side::Book("revenue".to_owned()),
            amount: 850,
            kind: cause.kind().as_str().to_owned(),
            key: cause.to_string(),
            server: Some((server, account)),
            balance_after: Some(100),
            description: "VPS Starter for web".to_owned(),
            told: None,
            at: Time(1_781_092_800),
            dated: Time(1_781_092_800),
            is_marked: false,
        };
        let month = Some((Time(1_781_092_800), Time(1_783_684_800)));
        let package = PaidLine {
            thing: "package".to_owned(),
            address: None,
            ordinal: 1,
            span: month,
            list: 700,
            net: 560,
            credited: 0,
            from: None,
        };
        let ip = PaidLine {
            thing: "extra_ip".to_owned(),
            address: Some("203.0.113.9".to_owned()),
            list: 290,
            net: 290,
            credited: 100,
            from: Some(Time(1_781_100_000)),
            ..package.clone()
        };
        let around = Around { lines: vec![package, ip], promo: Some("SPRING".to_owned()), asked: None };
        let told = details(&entry, Some("web"), &around).join("\n");
        insta::assert_snapshot!(told, @r"
        server web (00000000-0000-0000-0000-000000000001)
        package, period 1 (2026-06-10 12:00:00 to 2026-07-10 12:00:00): 5.60 paid of 7.00 list price
        additional address 203.0.113.9, period 1 (2026-06-10 12:00:00 to 2026-07-10 12:00:00), from 2026-06-10 14:00:00 on: 2.90 paid, of which 1.00 were given back since
        promo code SPRING
        the customer reads “VPS Starter for web”
        ");
        assert_eq!(why_key(&entry.key), "the server is paid for its period 1, counted from 0");
        assert_eq!(why_key("gift/1"), "no cause is known for gift/1");
    }
}

//! What customers are written. Plain text; whatever stands in it was parsed before, and the mail's builder encodes the rest.

use std::net::Ipv4Addr;

use super::{
    billing::{
        life::{Reminder, Reminding},
        price::Announced,
    },
    email::Email,
    gigabytes::Gigabytes,
    money::Cents,
    time::{DAY, MINUTE, Time},
    traffic::{Mark, Reached},
};

/// A letter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// Lines.
    pub body: String,
}

/// About the end of a server's paid time.
#[must_use]
pub fn reminder(hostname: &str, package: &str, said: &Reminding) -> Letter {
    let Reminding { kind, paid_until, delete_at, amount } = said;
    let subject = match kind {
        Reminder::Before7 | Reminder::Before3 | Reminder::Before1 => {
            format!("{hostname} is paid until {paid_until} UTC")
        }
        Reminder::Suspended => format!("{hostname} is suspended"),
        Reminder::Grace3 | Reminder::Grace1 => format!("{hostname} will be deleted"),
    };
    let what = match (kind, delete_at) {
        (Reminder::Before7 | Reminder::Before3 | Reminder::Before1, _) | (_, None) => format!(
            "Your server {hostname} ({package}) is paid until {paid_until} UTC. As things stand it will not be renewed: \
             it will be suspended then, and deleted some days later."
        ),
        (Reminder::Suspended, Some(at)) => format!(
            "The paid time of your server {hostname} ({package}) ended on {paid_until} UTC. It is powered off, and its \
             data is kept. Unless it is paid for, it will be deleted with all its data on {at} UTC."
        ),
        (Reminder::Grace3 | Reminder::Grace1, Some(at)) => format!(
            "Your server {hostname} ({package}) was suspended because its paid time ended on {paid_until} UTC. It will \
             be deleted with all its data on {at} UTC, or a little later."
        ),
    };
    let cure = format!(
        "The next month costs {amount} USD. Top up your balance and leave automatic renewal on, or extend the server \
         yourself. If you no longer need it, you can destroy it now."
    );
    Letter { subject, body: format!("{what}\n\n{cure}\n") }
}

/// About a price that will be another: of a server, or of one of its extra addresses. `paid` is what it costs now.
#[must_use]
pub fn price(hostname: &str, package: &str, address: Option<Ipv4Addr>, paid: Cents, announced: &Announced) -> Letter {
    let Announced { price, effective_at } = announced;
    let (subject, what) = match address {
        None => (format!("The price of {hostname} changes"), format!("Your server {hostname} ({package})")),
        Some(address) => (
            format!("The price of {address} changes"),
            format!("The extra address {address} of your server {hostname}"),
        ),
    };
    let then = match *price == paid {
        true => format!("It costs the same for what is paid from {effective_at} UTC on, whatever we wrote you before."),
        false => format!("What is paid for it from {effective_at} UTC on costs {price} USD a month."),
    };
    Letter {
        subject,
        body: format!("{what} costs {paid} USD a month now. {then} What is paid already stays as it is.\n"),
    }
}

/// About a mark that a server reached of what it may carry a month.
#[must_use]
pub fn traffic(hostname: &str, package: &str, reached: &Reached) -> Letter {
    let Reached { month, mark, used_bytes, quota } = reached;
    let (used, allowed, percent) = (Gigabytes(*used_bytes), Gigabytes(quota.bytes), mark.percent());
    let (_, end) = month.span();
    let (subject, then) = match (mark, quota.shape_mbit_per_second) {
        (Mark::Full, Some(rate)) => (
            format!("{hostname} has used up its traffic"),
            format!("Until {end} UTC its public adapters together carry {rate} Mbit/s at most, in each direction."),
        ),
        (Mark::Full, None) => (
            format!("{hostname} has used up its traffic"),
            "It goes on as before; please look at what it carries.".to_owned(),
        ),
        (_, Some(rate)) => (
            format!("{hostname} has used {percent} % of its traffic"),
            format!(
                "When all of it is used, its public adapters together carry {rate} Mbit/s at most until {end} UTC."
            ),
        ),
        (_, None) => {
            (format!("{hostname} has used {percent} % of its traffic"), format!("A new month begins on {end} UTC."))
        }
    };
    Letter {
        subject,
        body: format!(
            "Your server {hostname} ({package}) has carried {used} GB in {month}, received and sent together, of {allowed} GB \
             that its package allows a month. {then}\n\nA larger package allows more at once.\n"
        ),
    }
}

/// About letters that go elsewhere from now on; to the address before.
#[must_use]
pub fn moved(name: &str, email: &Email) -> Letter {
    let email = email.as_str();
    Letter {
        subject: "Your mail address was changed".to_owned(),
        body: format!(
            "Letters about your account {name} go to {email} from now on, and no longer to this address. If you did not ask \
             for this, tell us at once.\n"
        ),
    }
}

/// About a server that was lost with its host.
#[must_use]
pub fn lost(hostname: &str, package: &str, credited: Cents) -> Letter {
    Letter {
        subject: format!("{hostname} was lost"),
        body: format!(
            "The machine that ran your server {hostname} ({package}) has failed, and could not be brought back. The server \
             and the data on it are lost. We are sorry.\n\n\
             The unused part of what you had paid for it, {credited} USD, is in your balance again. You can order another \
             server at once; it will have another address.\n"
        ),
    }
}

/// What a mail server said to a letter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// It took it.
    Taken,
    /// Not now: no answer, a line that was cut, a server that is busy.
    Later(String),
    /// Not ever: there is nobody of that address, for example.
    Refused(String),
}

/// What becomes of a letter after a try.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// What it says counts as told.
    Told,
    /// It is tried again then.
    Again(Time),
    /// It is given up, and an operator has to look.
    GivenUp,
}

/// Decides what becomes of a letter after one more try, the one numbered `tries`.
#[must_use]
pub fn fate(delivery: &Delivery, tries: u32, written_at: Time, now: Time) -> Fate {
    match delivery {
        Delivery::Taken => Fate::Told,
        Delivery::Refused(_) => Fate::GivenUp,
        Delivery::Later(_) if now >= written_at.plus(TRIED_SECONDS) => Fate::GivenUp,
        Delivery::Later(_) => Fate::Again(now.plus(pause(tries))),
    }
}

/// How long after `tries` vain tries, in seconds, a letter is tried again.
fn pause(tries: u32) -> i64 {
    const MINUTES: [i64; 6] = [1, 5, 15, 30, 60, 120];
    let at = usize::try_from(tries.saturating_sub(1)).unwrap_or(usize::MAX);
    MINUTES.get(at).copied().unwrap_or(240) * MINUTE
}

/// How long, in seconds, a letter is tried before it is given up (RFC 5321, 4.5.4.1, asks for four to five days).
const TRIED_SECONDS: i64 = 5 * DAY;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{month::Month, traffic::Quota};

    #[test]
    fn each_reminder_says_what_will_happen_when_and_what_to_do() {
        let (paid_until, amount) = (Time(1_781_092_800), "6.95".parse().unwrap());
        for kind in Reminder::ALL {
            let delete_at = (kind >= Reminder::Suspended).then(|| paid_until.plus(7 * DAY));
            let letter = reminder("web1", "Starter", &Reminding { kind, paid_until, delete_at, amount });
            assert!(letter.subject.contains("web1") && !letter.subject.contains('\n'), "{letter:?}");
            assert!(letter.body.contains("2026-06-10 12:00:00 UTC") && letter.body.contains("6.95 USD"), "{letter:?}");
            assert_eq!(letter.body.contains("2026-06-17 12:00:00 UTC"), delete_at.is_some(), "{letter:?}");
        }
    }

    #[test]
    fn a_letter_about_a_price_names_what_is_paid_now_and_what_will_be() {
        let (paid, effective_at) = ("6.95".parse().unwrap(), Time(1_781_092_800));
        let body = |price: &str| price_of_web1(paid, &Announced { price: price.parse().unwrap(), effective_at }).body;
        let rise = body("8.00");
        assert!(
            rise.contains("costs 6.95 USD a month now") && rise.contains("2026-06-10 12:00:00 UTC on costs 8.00"),
            "{rise}"
        );
        let back = body("6.95");
        assert!(back.contains("costs 6.95 USD a month now") && back.contains("costs the same"), "{back}");
    }

    fn price_of_web1(paid: Cents, announced: &Announced) -> Letter {
        price("web1", "Starter", None, paid, announced)
    }

    #[test]
    fn a_letter_about_traffic_says_what_is_used_and_what_comes_then() {
        let quota = Quota { bytes: 2_000_000_000_000, shape_mbit_per_second: Some(10) };
        let month = Month::of(Time(1_781_092_800));
        let near = Reached { month, mark: Mark::Near, used_bytes: 1_600_000_500_000, quota };
        let letter = traffic("web1", "Starter", &near);
        assert_eq!(letter.subject, "web1 has used 80 % of its traffic");
        for part in ["1600.0005 GB in 2026-06", "of 2000 GB", "10 Mbit/s at most until 2026-07-01 00:00:00 UTC"] {
            assert!(letter.body.contains(part), "{part}: {}", letter.body);
        }
        let notify = Quota { shape_mbit_per_second: None, ..quota };
        let letter = traffic("web1", "Starter", &Reached { mark: Mark::Full, quota: notify, ..near });
        assert!(letter.subject.contains("used up") && !letter.body.contains("Mbit"), "{letter:?}");
    }

    #[test]
    fn a_letter_is_tried_often_at_first_and_for_days() {
        let tried: Vec<i64> = (1..=8).map(|tries| pause(tries) / 60).collect();
        assert_eq!(tried, [1, 5, 15, 30, 60, 120, 240, 240]);
        assert_eq!(pause(u32::MAX), 240 * 60);
        let (later, written) = (Delivery::Later("busy".to_owned()), Time(0));
        assert_eq!(fate(&later, 1, written, Time(0)), Fate::Again(Time(60)));
        assert_eq!(fate(&later, 40, written, Time(5 * DAY - 1)), Fate::Again(Time(5 * DAY - 1 + 240 * 60)));
        assert_eq!(fate(&later, 41, written, Time(5 * DAY)), Fate::GivenUp);
        assert_eq!(fate(&Delivery::Refused(String::new()), 1, written, Time(0)), Fate::GivenUp);
        assert_eq!(fate(&Delivery::Taken, 1, written, Time(9 * DAY)), Fate::Told);
    }
}

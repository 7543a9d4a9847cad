//! The table, cell by cell, written out a second time as a customer would ask about it.

use csp_shared::{
    generation::*,
    id::ActionId,
    spec::{Power, ServerSpec},
};
use proptest::prelude::*;

use super::*;
use crate::domain::{
    billing::lock::LockSet,
    server::{Change, Request, Running, Status, changed, decide},
};

fn running(command: Command) -> Option<Running> {
    Some(Running { action: ActionId("0192f0c1-0000-7000-8000-000000000001".parse().unwrap()), command })
}

const ONLINE: Standing = Standing::ONLINE;

/// `+` is allowed; a letter says why not: busy, suspended, abuse, failed, off, not online, unseen, protected, gone.
fn cells(standing: &Standing) -> String {
    let cell = |ask| match allow(ask, standing).map_err(|denied| denied.why) {
        Ok(()) => '+',
        Err(Why::Busy) => 'b',
        Err(Why::Suspended) => 's',
        Err(Why::Abuse) => 'a',
        Err(Why::Failed) => 'f',
        Err(Why::Off) => 'o',
        Err(Why::NotOnline) => 'n',
        Err(Why::Unseen) => 'u',
        Err(Why::Protected(_)) => 'p',
        Err(Why::Gone) => 'g',
    };
    Ask::ALL.into_iter().map(cell).collect()
}

#[test]
fn each_request_in_each_state_has_its_answer() {
    let on = ONLINE;
    let off = Standing { power: Power::Off, domain: DomainState::Off, ..on };
    let forced = Standing { power: Power::ForcedOff, ..off };
    let ordered = Standing {
        service: ServiceStatus::Provisioning,
        domain: DomainState::Unknown,
        settled: false,
        running: running(Command::Create),
        ..on
    };
    let failed = Standing { service: ServiceStatus::Failed, ..forced };
    let starting = Standing { domain: DomainState::Off, settled: false, running: running(Command::Start), ..on };
    let restarting = Standing { settled: false, running: running(Command::Restart), ..on };
    let stopping = Standing { power: Power::Off, settled: false, running: running(Command::Stop), ..on };
    let locked = |locks: &[Lock], standing| Standing {
        service: ServiceStatus::Suspended,
        locks: LockSet::of(locks),
        ..standing
    };
    let dying = Standing { running: running(Command::Destroy), ..forced };
    let reinstalling =
        Standing { domain: DomainState::Off, settled: false, running: running(Command::Reinstall), ..on };
    let changing = Standing { running: running(Command::ChangePackage), ..on };
    let table = [
        // s start, t stop, r restart, c console, e extend, i reinstall, p package, a attach, d detach, +ip, -ip, >ip, u update, d destroy
        //                                                                        strceipad+->ud
        ("ordered", ordered, Status::Provisioning, "bbbbbbbbbbbb++"),
        (
            "ordered, and its host silent",
            Standing { host_heard: false, ..ordered },
            Status::Provisioning,
            "bbbbbbbbbbbb++",
        ),
        ("online", on, Status::Online, "++++++++++++++"),
        ("restarting, still seen running", restarting, Status::Online, "++++++++++++++"),
        (
            "restarting, seen off",
            Standing { domain: DomainState::Off, ..restarting },
            Status::Starting,
            "+++n++++++++++",
        ),
        ("starting", starting, Status::Starting, "+++n++++++++++"),
        (
            "wanted on, paused",
            Standing { domain: DomainState::Paused, settled: false, ..on },
            Status::Starting,
            "+++n++++++++++",
        ),
        ("powered itself off", Standing { domain: DomainState::Off, ..on }, Status::Offline, "++on++++++++++"),
        (
            "its start was given up",
            Standing { domain: DomainState::Off, settled: false, stuck: true, ..on },
            Status::Offline,
            "++on++++++++++",
        ),
        ("its stop was given up", Standing { stuck: true, ..stopping }, Status::Online, "++on++++++++++"),
        ("stopping", stopping, Status::Stopping, "++on++++++++++"),
        ("stopping, paused", Standing { domain: DomainState::Paused, ..stopping }, Status::Stopping, "++on++++++++++"),
        ("offline", off, Status::Offline, "++on++++++++++"),
        ("offline by force", forced, Status::Offline, "++on++++++++++"),
        ("online, its host silent", Standing { host_heard: false, ..on }, Status::Unknown, "+++n++u+++++++"),
        ("offline, its host silent", Standing { host_heard: false, ..off }, Status::Unknown, "++on++u+++++++"),
        (
            "powered itself off, its host silent",
            Standing { host_heard: false, domain: DomainState::Off, ..on },
            Status::Unknown,
            "++on++u+++++++",
        ),
        ("its host cannot tell", Standing { domain: DomainState::Unknown, ..on }, Status::Unknown, "+++n++u+++++++"),
        ("suspended", Standing { service: ServiceStatus::Suspended, ..on }, Status::Suspended, "ssss+sssss+s++"),
        ("unpaid, online", locked(&[Lock::Unpaid], on), Status::Suspended, "ssss+sssss+s++"),
        ("unpaid, offline", locked(&[Lock::Unpaid], off), Status::Suspended, "ssss+sssss+s++"),
        ("unpaid, starting", locked(&[Lock::Unpaid], starting), Status::Suspended, "ssss+sssss+s++"),
        ("by the operator", locked(&[Lock::Operator], on), Status::Suspended, "ssss+sssss+s++"),
        (
            "by the operator, and unpaid",
            locked(&[Lock::Operator, Lock::Unpaid], off),
            Status::Suspended,
            "ssss+sssss+s++",
        ),
        ("abuse", locked(&[Lock::Abuse], on), Status::Suspended, "ssss+sssssas+a"),
        ("abuse, and unpaid", locked(&[Lock::Abuse, Lock::Unpaid], off), Status::Suspended, "ssss+sssssas+a"),
        ("abuse, and the operator", locked(&[Lock::Abuse, Lock::Operator], off), Status::Suspended, "ssss+sssssas+a"),
        ("all three", locked(&Lock::ALL, starting), Status::Suspended, "ssss+sssssas+a"),
        ("reinstalling", reinstalling, Status::Reinstalling, "bbbbbbbbbbbb++"),
        ("changing its package", changing, Status::Changing, "bbbbbbbbbbbb++"),
        ("changing, its host silent", Standing { host_heard: false, ..changing }, Status::Unknown, "bbbbbbbbbbbb++"),
        ("reinstalling, unpaid", locked(&[Lock::Unpaid], reinstalling), Status::Suspended, "ssss+sssss+s++"),
        ("failed", failed, Status::Failed, "ffffffffffff++"),
        ("being destroyed", dying, Status::Offline, "gggggggggggggg"),
        ("destroyed", Standing { service: ServiceStatus::Destroyed, ..forced }, Status::Failed, "gggggggggggggg"),
    ];
    for (name, standing, status, cells_wanted) in table {
        assert_eq!(cells(&standing), cells_wanted, "{name}");
        assert_eq!(standing.status(), status, "{name}");
        // Protection turns one cell and no other, in every row where there is something to protect.
        let kept = Standing { protect_reinstall: true, ..standing };
        let mut cells_kept: Vec<char> = cells_wanted.chars().collect();
        if cells_kept[5] == '+' {
            cells_kept[5] = 'p';
        }
        assert_eq!(cells(&kept), cells_kept.into_iter().collect::<String>(), "{name}, its disk protected");
        let guarded = Standing { protect_destroy: true, ..standing };
        let cells_guarded = match cells_wanted.strip_suffix('+') {
            Some(others) => format!("{others}p"),
            None => cells_wanted.to_owned(),
        };
        assert_eq!(cells(&guarded), cells_guarded, "{name}, protected");
    }
}

fn any_standing() -> impl Strategy<Value = Standing> {
    let power = prop_oneof![Just(Power::On), Just(Power::Off), Just(Power::ForcedOff)];
    let domain = prop_oneof![
        Just(DomainState::Off),
        Just(DomainState::Running),
        Just(DomainState::Paused),
        Just(DomainState::Unknown)
    ];
    let command = prop::option::of(prop::sample::select(&Command::ALL[..]));
    let flags = any::<[bool; 5]>();
    let locks = prop::sample::subsequence(&Lock::ALL[..], 0..=Lock::ALL.len());
    (prop::sample::select(&ServiceStatus::ALL[..]), power, domain, command, locks, flags).prop_map(
        |(service, power, domain, command, locks, [protect_destroy, protect_reinstall, settled, stuck, host_heard])| {
            Standing {
                service,
                locks: LockSet::of(&locks),
                protect_destroy,
                protect_reinstall,
                power,
                domain,
                settled,
                stuck: stuck && !settled,
                faulty: stuck,
                host_heard,
                running: command.and_then(running),
            }
        },
    )
}

fn any_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        Just(Request::Start),
        Just(Request::Stop { force: false }),
        Just(Request::Stop { force: true }),
        Just(Request::Restart),
        Just(Request::Destroy)
    ]
}

fn spec(power: Power) -> ServerSpec {
    use csp_shared::{sha256::Sha256, spec::*};
    let image = Image { sha256: Sha256([0; 32]), url: String::new(), format: ImageFormat::Raw, size_bytes: 1 };
    ServerSpec {
        server: "0192f0c1-0000-7000-8000-000000000002".parse().unwrap(),
        version: Version { incarnation: Incarnation(1), generation: Generation::FIRST },
        hostname: "a".to_owned(),
        cpus: 1,
        ram_mib: 1024,
        disk_gib: 10,
        cpu_use: CpuUse::Shared,
        power,
        locked: false,
        start_epoch: StartEpoch::FIRST,
        boot_epoch: BootEpoch::FIRST,
        disk_epoch: DiskEpoch::FIRST,
        image,
        login: Login { ssh_keys: vec![], password_hash: None },
        nics: vec![],
        user_data: None,
        limits: csp_shared::spec::GuestLimits::NONE,
        smtp_open: false,
        net_held_mbit_per_second: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever is asked of a locked server, its spec stays as it was: nothing powers it on, or off and on.
    #[test]
    fn no_request_starts_what_is_locked(standing in any_standing(), request in any_request(), suspended in any::<bool>(), lock in prop::sample::select(&Lock::ALL[..])) {
        let standing = match suspended {
            true => Standing { service: ServiceStatus::Suspended, ..standing },
            false => Standing { locks: LockSet::of(&[lock]), service: ServiceStatus::Active, ..standing },
        };
        if let Ok(change) = decide(request, &standing) {
            prop_assert_eq!(change, Change::Remove);
            let before = spec(standing.power);
            prop_assert_eq!(changed(before.clone(), change), before);
        }
        prop_assert!(allow(Ask::Console, &standing).is_err());
    }

    /// What is told of power was seen: nothing is Online, Offline or on its way because somebody wished it.
    #[test]
    fn a_status_is_what_was_seen(standing in any_standing()) {
        let is_told = standing.service == ServiceStatus::Active && standing.locks.is_empty();
        let is_seen = is_told && standing.host_heard && standing.domain != DomainState::Unknown;
        let down = [DomainState::Off, DomainState::Paused];
        match standing.status() {
            Status::Online => prop_assert!(is_seen && standing.domain == DomainState::Running),
            Status::Offline => prop_assert!(is_seen && down.contains(&standing.domain)),
            // On its way: seen otherwise than wanted, and its host has not given it up.
            Status::Starting => prop_assert!(is_seen && down.contains(&standing.domain) && !standing.stuck),
            Status::Stopping => prop_assert!(is_seen && standing.domain != DomainState::Off),
            Status::Reinstalling | Status::Changing => prop_assert!(is_seen && standing.running.is_some()),
            Status::Unknown => prop_assert!(is_told && !is_seen),
            Status::Provisioning | Status::Suspended | Status::Failed => prop_assert!(!is_told),
        }
    }

    /// Whoever sees Offline can start it, whatever was asked before: a start that its host gave up is no dead end.
    #[test]
    fn what_is_offline_can_be_started(standing in any_standing()) {
        let free = !matches!(standing.running.map(|r| r.command), Some(Command::Create | Command::Destroy));
        if standing.status() == Status::Offline && standing.domain == DomainState::Off && free {
            prop_assert_eq!(decide(Request::Start, &standing), Ok(Change::PowerOn));
        }
    }

    /// A screen is shown of what is seen running, and of nothing else.
    #[test]
    fn a_console_is_for_what_is_online(standing in any_standing()) {
        if allow(Ask::Console, &standing).is_ok() {
            prop_assert_eq!(standing.status(), Status::Online);
        }
    }

    /// A link with restart alone cannot power on: a restart changes only what is wanted on and not known to be off.
    #[test]
    fn a_restart_never_powers_on(standing in any_standing()) {
        if let Ok(change) = decide(Request::Restart, &standing) {
            prop_assert_eq!(change, Change::Reboot);
            prop_assert!(standing.power == Power::On && !standing.stays_down());
        }
    }

    /// What a refusal lists as allowed is allowed, and a refused request is never in its own list.
    #[test]
    fn a_refusal_tells_the_truth(standing in any_standing(), ask in prop::sample::select(&Ask::ALL[..])) {
        let listed = allowed(&standing);
        prop_assert_eq!(listed.contains(&ask), allow(ask, &standing).is_ok());
        if let Err(denied) = allow(ask, &standing) {
            prop_assert!(!denied.to_string().is_empty());
            prop_assert_eq!(denied.allowed(), listed.clone());
        }
        if let Err(denied) = allow_erasing_change(&standing) {
            prop_assert_eq!(denied.asked, Ask::ChangePackage);
            prop_assert!(!denied.allowed().contains(&Ask::ChangePackage));
        }
    }

    /// Only protection, and an abuse that is looked into, keep a server that is there from being destroyed.
    #[test]
    fn destroy_is_accepted_in_every_unprotected_state(standing in any_standing()) {
        let gone = Situation::of(&standing) == Situation::Gone;
        let is_kept = standing.protect_destroy || Situation::of(&standing) == Situation::Abuse;
        prop_assert_eq!(decide(Request::Destroy, &standing).is_ok(), !gone && !is_kept);
    }
}

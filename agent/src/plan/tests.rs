//! Each change of a spec, and each thing that befalls a guest, with the steps that follow.

use std::{collections::BTreeSet, net::Ipv4Addr};

use csp_shared::{
    generation::{BootEpoch, DiskEpoch, StartEpoch},
    id::NetworkId,
    observed::FaultCode,
    sha256::Sha256,
    spec::{Nic, NicAddress, NicNetwork, Power, ServerSpec},
};
use uuid::Uuid;

use super::{
    Wait, disk,
    fixture::{World, bare, disk_of, epochs, gib, mac, ran, spec},
    mark,
    memory::PowerNote,
    nic,
    step::Step,
};
use crate::machine::{Epochs, Mark, OffCause, Seen, SeenBase, SeenDisk, SeenState, SeenTap, Stamp};

fn running() -> World {
    World::running(&spec())
}

fn start_steps(world: &World) -> Vec<Step> {
    let csp_shared::spec::Desired::Present(spec) = &world.desired else { panic!("no spec") };
    let setup = world.seen.setup;
    let stamp = Stamp {
        epochs: Epochs::of(spec),
        definition: mark::definition(spec, setup, false),
        seed: mark::seed(spec, setup),
    };
    vec![
        Step::WriteSeed(stamp.seed),
        Step::MakeTaps,
        Step::ProbeAddresses { fresh: mark::public_addresses(spec), own: mark::public_addresses(spec) },
        Step::Connect(mark::filters(spec, &mark::macs(spec), setup)),
        Step::ServeDhcp(mark::dhcp(spec, &mark::macs(spec), setup)),
        Step::Define(stamp),
        Step::Start,
    ]
}

#[test]
fn a_new_server_is_built_from_image_to_start() {
    let world = World::new(&spec());
    let mut wanted = vec![Step::FetchImage, Step::CreateDisk, Step::NoteDiskStarted(DiskEpoch::FIRST)];
    wanted.extend(start_steps(&world));
    assert_eq!(world.plan().steps, wanted);
}

#[test]
fn an_address_is_asked_for_before_its_first_use_and_again_when_it_comes_back() {
    let addresses = |last: &[u8]| last.iter().map(|last| Ipv4Addr::new(203, 0, 113, *last)).collect::<BTreeSet<_>>();
    let with = |last: &'static [u8]| {
        move |spec: &mut ServerSpec| {
            let first = spec.nics[0].addresses[0].clone();
            let of = |last: &u8| NicAddress { address: [203, 0, 113, *last].into(), ..first.clone() };
            spec.nics[0].addresses = last.iter().map(of).collect();
        }
    };
    let mut world = running().wants(with(&[10, 11]));
    let [probe, Step::SetFilters(_), Step::ServeDhcp(_)] = &world.plan().steps[..] else {
        panic!("{:?}", world.plan())
    };
    let asks = |fresh: &[u8], own: &[u8]| Step::ProbeAddresses { fresh: addresses(fresh), own: addresses(own) };
    assert_eq!(*probe, asks(&[11], &[10, 11]), "the other one is in use, by this very guest");
    assert!(world.settle().is_settled());
    world.crash_host();
    assert!(
        !world.steps_to_settle().iter().any(|step| matches!(step, Step::ProbeAddresses { .. })),
        "it was asked for"
    );

    let mut world = world.wants(with(&[10]));
    assert_eq!(world.plan().steps[0], asks(&[], &[10]), "nothing to ask, and one to forget");
    assert!(world.settle().is_settled());
    let world = world.wants(with(&[10, 11]));
    assert_eq!(world.plan().steps[0], asks(&[11], &[10, 11]));
}

#[test]
fn a_guest_without_filters_has_those_of_its_old_addresses_while_new_ones_are_asked_for() {
    let more = |spec: &mut ServerSpec| {
        let first = spec.nics[0].addresses[0].clone();
        spec.nics[0].addresses.push(NicAddress { address: [203, 0, 113, 11].into(), ..first });
    };
    let old = mark::public_addresses(&spec());
    for filters in [None, Some(Mark::BROKEN)] {
        let bare = || running().sees(|seen| seen.filters = filters).wants(more);
        let is_hold = |step: Option<&Step>| matches!(step, Some(Step::HoldFilters { own, .. }) if *own == old);
        let mut world = bare();
        assert!(is_hold(world.plan().steps.first()), "{:?}", world.plan());
        let reinstalled = bare().wants(|spec| spec.disk_epoch = DiskEpoch(2)).sees(|seen| seen.image = false);
        let steps = reinstalled.plan().steps;
        assert!(is_hold(steps.first()) && !steps.iter().any(nic::asks), "{steps:?}");
        assert!(world.turn());
        assert!(nic::asks(&world.plan().steps[0]), "once they are there, the new one is asked for");
        assert!(world.settle().is_settled());
    }
    assert!(!running().wants(more).plan().steps.iter().any(|step| matches!(step, Step::HoldFilters { .. })));
}

#[test]
fn mail_that_is_opened_changes_the_filters_alone() {
    let world = running().wants(|spec| spec.smtp_open = true);
    assert!(matches!(world.plan().steps[..], [Step::SetFilters(_)]), "{:?}", world.plan());
}

#[test]
fn an_agent_that_comes_back_answers_dhcp_again_and_touches_nothing_else() {
    let mut world = running();
    world.crash_agent();
    assert!(matches!(world.plan().steps[..], [Step::ServeDhcp(_)]), "{:?}", world.plan());
    assert!(world.settle().is_settled());
}

#[test]
fn a_running_server_has_nothing_to_do() {
    assert!(running().plan().is_settled());
}

#[test]
fn stop_asks_the_guest_and_pulls_the_plug_after_a_time() {
    let mut world = running().wants(|spec| spec.power = Power::Off);
    world.obeys = false;
    assert_eq!(world.plan().steps, [Step::NotePower(PowerNote::StopAsked), Step::AskStop]);
    let steps = world.steps_to_settle();
    assert!(steps.iter().filter(|step| **step == Step::AskStop).count() > 2, "{steps:?}");
    assert_eq!(steps[steps.len() - 2..], [Step::ForceStop, Step::NotePower(PowerNote::Unknown)]);
    assert!(world.now_ms >= 1_090_000, "the guest had its time");
    assert!(!world.seen.is_up());
}

#[test]
fn a_forced_stop_waits_for_nothing() {
    assert_eq!(running().wants(|spec| spec.power = Power::ForcedOff).plan().steps, [Step::ForceStop]);
}

#[test]
fn a_locked_server_is_stopped_and_comes_back_when_unlocked() {
    let mut world = running().wants(|spec| spec.locked = true);
    assert!(world.settle().is_settled());
    assert!(!world.seen.is_up());
    world = world.wants(|spec| spec.locked = false);
    assert!(world.settle().is_settled());
    assert!(world.seen.is_up());
}

#[test]
fn a_restart_stops_and_starts_once() {
    let mut world = running().wants(|spec| spec.boot_epoch = BootEpoch(2));
    let steps = world.steps_to_settle();
    assert_eq!(steps.iter().filter(|step| **step == Step::Start).count(), 1, "{steps:?}");
    assert_eq!(world.seen.domain.unwrap().epochs, epochs(1, 2, 1));
    assert!(world.seen.is_up());
}

#[test]
fn a_start_of_a_running_guest_is_adopted_without_a_reboot() {
    let world = running().wants(|spec| spec.start_epoch = StartEpoch(2));
    assert_eq!(world.plan().steps, [Step::AdoptStart(StartEpoch(2))]);
}

#[test]
fn a_guest_that_powered_itself_off_stays_off_until_it_is_started() {
    let mut world = running().falls(OffCause::Shutdown);
    assert!(world.settle().is_settled());
    world.crash_host();
    assert!(world.settle().is_settled());
    assert!(!world.seen.is_up());
    world = world.wants(|spec| spec.hostname = "other".to_owned());
    assert!(world.plan().is_settled());
    world = world.wants(|spec| spec.start_epoch = StartEpoch(2));
    assert!(world.settle().is_settled());
    assert!(world.seen.is_up());
}

#[test]
fn a_guest_that_powered_itself_off_unseen_before_it_was_asked_for_again_is_started() {
    for change in [
        |spec: &mut ServerSpec| spec.start_epoch = StartEpoch(2),
        |spec: &mut ServerSpec| spec.boot_epoch = BootEpoch(2),
        |spec: &mut ServerSpec| spec.disk_epoch = DiskEpoch(2),
    ] {
        for before in [PowerNote::Unknown, ran(&running().seen)] {
            let mut world = running().falls(OffCause::Shutdown).wants(change);
            world.notes.power = before;
            assert!(world.settle().is_settled());
            assert!(world.seen.is_up(), "{:?}", world.notes.power);
        }
    }
}

#[test]
fn a_guest_that_falls_before_it_was_seen_running_has_fallen() {
    let mut world = running().wants(|spec| spec.boot_epoch = BootEpoch(2));
    while world.plan().steps.first() != Some(&Step::Start) {
        assert!(world.turn());
    }
    assert!(world.turn());
    world = world.falls(OffCause::Crashed);
    assert_eq!(world.plan().steps, [Step::RecordCrash]);
}

#[test]
fn a_guest_that_fell_with_its_host_is_started() {
    let mut world = running();
    world.crash_host();
    assert!(world.settle().is_settled());
    assert!(world.seen.is_up());
    assert_eq!(world.notes.power, ran(&world.seen));
}

#[test]
fn a_guest_that_shuts_down_with_its_host_has_no_wish_of_its_own() {
    let mut world = running().falls(OffCause::Shutdown).sees(|seen| seen.host_stopping = true);
    assert_eq!(world.settle().wait, Some(Wait::Hold));
    assert!(!matches!(world.notes.power, PowerNote::SelfOff { .. }));
    world.crash_host();
    world.seen.host_stopping = false;
    assert!(world.settle().is_settled());
    assert!(world.seen.is_up());
}

#[test]
fn stop_and_start_in_a_row_end_running_even_if_the_guest_goes_down_late() {
    let mut world = running().wants(|spec| spec.power = Power::Off);
    world.obeys = false;
    world.turn();
    world.turn();
    world = world.wants(|spec| (spec.power, spec.start_epoch) = (Power::On, StartEpoch(2)));
    assert!(matches!(world.plan().wait, Some(Wait::Until { .. })), "{:?}", world.plan());
    world.crash_agent();
    world = world.falls(OffCause::Shutdown);
    assert!(world.settle().is_settled());
    assert!(world.seen.is_up());
}

#[test]
fn a_guest_that_ignores_the_withdrawn_stop_is_taken_for_running_in_the_end() {
    let mut world = running().wants(|spec| spec.power = Power::Off);
    world.obeys = false;
    world.turn();
    world.turn();
    world = world.wants(|spec| (spec.power, spec.start_epoch) = (Power::On, StartEpoch(2)));
    assert!(world.settle().is_settled());
    assert_eq!(world.notes.power, ran(&world.seen));
    assert!(world.now_ms >= 1_090_000);
}

#[test]
fn five_crashes_within_ten_minutes_are_the_last() {
    let mut world = running();
    for crash in 1..5 {
        world = world.falls(OffCause::Crashed);
        assert!(world.settle().is_settled(), "crash {crash}");
    }
    world = world.falls(OffCause::Crashed);
    assert_eq!(world.settle().fault.unwrap().code, FaultCode::CrashLoop);
    world.crash_agent();
    assert_eq!(world.settle().fault.unwrap().code, FaultCode::CrashLoop);
    world = world.wants(|spec| spec.start_epoch = StartEpoch(2));
    assert!(world.settle().is_settled());
}

#[test]
fn crashes_far_apart_never_end_in_a_crash_loop() {
    let mut world = running();
    for _ in 0..20 {
        world = world.falls(OffCause::Crashed);
        assert!(world.settle().is_settled());
        world.now_ms += 4 * 60 * 1000;
    }
    assert!(world.seen.is_up());
}

#[test]
fn a_reinstall_fetches_first_then_swaps_the_disks() {
    let mut world = running().wants(|spec| spec.disk_epoch = DiskEpoch(2)).sees(|seen| seen.image = false);
    let two = DiskEpoch(2);
    assert_eq!(
        world.plan().steps,
        [Step::FetchImage, Step::CreateDisk, Step::ForceStop],
        "the old guest runs till then"
    );
    let steps = world.steps_to_settle();
    let swap = [Step::ForceStop, Step::NoteDiskStarted(two), Step::RetireDisk(DiskEpoch(1))];
    assert_eq!(steps[2..5], swap, "{steps:?}");
    assert_eq!(world.seen.disks, [(two, disk_of(4))].into());
    assert!(world.seen.is_up());
}

#[test]
fn a_reinstall_that_is_given_up_leaves_the_old_disk_wherever_it_was_cut_off() {
    for steps in 0..4 {
        let mut world = running().wants(|spec| spec.disk_epoch = DiskEpoch(2)).sees(|seen| seen.image = false);
        (0..steps).for_each(|_| assert!(world.turn()));
        world = world.wants(|spec| spec.disk_epoch = DiskEpoch(1));
        if world.notes.disk_started == Some(DiskEpoch(2)) {
            assert_eq!(steps, 4, "the old disk is kept until the new one is noted");
        }
        assert!(world.settle().is_settled(), "{steps}");
        assert!(world.seen.is_up() && world.seen.disks.contains_key(&DiskEpoch(1)), "{steps}");
        assert_eq!(present(&world), Some(DiskEpoch(1)), "{steps}");
        // The next one has a newer epoch, and takes along what the first left behind.
        world = world.wants(|spec| spec.disk_epoch = DiskEpoch(3));
        assert!(world.settle().is_settled(), "{steps}");
        assert_eq!(world.seen.disks.keys().copied().collect::<Vec<_>>(), [DiskEpoch(3)], "{steps}");
    }
}

#[test]
fn a_reinstall_given_up_too_late_is_told_and_nothing_is_touched() {
    let mut world = running().wants(|spec| spec.disk_epoch = DiskEpoch(2));
    while world.notes.disk_started < Some(DiskEpoch(2)) {
        assert!(world.turn());
    }
    // The old disk is there still; the new one may have booted, as far as anybody knows.
    assert_eq!(world.seen.disks.len(), 2);
    world = world.wants(|spec| spec.disk_epoch = DiskEpoch(1));
    assert_eq!((world.plan().steps, world.plan().fault.unwrap().code), (vec![], FaultCode::DiskMissing));
    assert_eq!(present(&world), Some(DiskEpoch(2)), "so the control plane learns which one to ask for");
    world = world.wants(|spec| spec.disk_epoch = DiskEpoch(2));
    assert!(world.settle().is_settled());
    assert!(world.seen.is_up());
}

fn present(world: &World) -> Option<DiskEpoch> {
    disk::present(&world.desired, &world.seen, &world.notes)
}

#[test]
fn a_disk_grows_under_its_guest_or_while_it_is_off_and_never_shrinks() {
    let larger = running().wants(|spec| spec.disk_gib = 8);
    assert_eq!(larger.plan().steps, [Step::GrowDisk]);
    let off = larger.clone().wants(|spec| spec.power = Power::ForcedOff);
    for mut world in [larger, off] {
        assert!(world.settle().is_settled());
        assert_eq!(world.seen.disks[&DiskEpoch(1)], disk_of(8));
    }
    assert!(running().wants(|spec| spec.disk_gib = 2).plan().is_settled());
}

#[test]
fn another_package_grows_the_disk_first_and_then_restarts_into_the_new_size() {
    let mut world = running().wants(|spec| {
        (spec.ram_mib, spec.disk_gib, spec.boot_epoch) = (1024, 8, BootEpoch(2));
    });
    let steps = world.steps_to_settle();
    let at = |wanted: fn(&Step) -> bool| steps.iter().position(wanted).unwrap();
    assert!(at(|step| *step == Step::GrowDisk) < at(|step| *step == Step::AskStop), "{steps:?}");
    assert!(at(|step| *step == Step::AskStop) < at(|step| matches!(step, Step::Define(_))), "{steps:?}");
    assert!(world.seen.is_up());
}

#[test]
fn a_guest_that_runs_on_nobody_knows_which_disk_is_shut_down_in_order() {
    let world = running().sees(|seen| {
        seen.domain.as_mut().unwrap().epochs = Epochs::default();
        seen.domain.as_mut().unwrap().definition = None;
    });
    assert_eq!(world.plan().steps, [Step::NotePower(PowerNote::StopAsked), Step::AskStop]);
}

#[test]
fn a_stale_disk_epoch_costs_nobody_the_newer_disk() {
    let mut spec = spec();
    spec.disk_epoch = DiskEpoch(2);
    let world = World::running(&spec).wants(|spec| spec.disk_epoch = DiskEpoch(1));
    assert_eq!(world.plan().steps, []);
    assert_eq!(world.plan().fault.unwrap().code, FaultCode::DiskMissing);
}

#[test]
fn a_lost_disk_is_reported_and_neither_replaced_nor_taken_from_a_running_guest() {
    let lost = running().sees(|seen| seen.disks.clear());
    assert_eq!(lost.plan().fault.unwrap().code, FaultCode::DiskMissing);
    assert_eq!(lost.plan().steps, []);
    let restart = lost.clone().wants(|spec| spec.boot_epoch = BootEpoch(2));
    assert_eq!(restart.plan().steps, [], "a guest that could not be started again is not stopped");
    let off = lost.falls(OffCause::Unknown);
    assert_eq!((off.plan().steps, off.plan().fault.unwrap().code), (vec![], FaultCode::DiskMissing));
}

#[test]
fn a_disk_that_is_damaged_or_of_another_image_is_told_and_never_touched() {
    let other = SeenDisk::Sound { bytes: gib(4), base: SeenBase::Image(Sha256::of(b"another")) };
    let strange = SeenDisk::Sound { bytes: gib(4), base: SeenBase::Other };
    for bad in [SeenDisk::Damaged, other, strange] {
        let harmed = running().sees(|seen| seen.disks.insert(DiskEpoch(1), bad));
        let told = |world: &World| {
            let plan = world.plan();
            assert_eq!(
                (plan.steps, plan.fault.map(|fault| fault.code)),
                (vec![], Some(FaultCode::DiskDamaged)),
                "{bad:?}"
            );
        };
        told(&harmed);
        told(&harmed.clone().wants(|spec| (spec.boot_epoch, spec.disk_gib) = (BootEpoch(2), 8)));
        told(&harmed.clone().falls(OffCause::Unknown));
        assert_eq!(present(&harmed), Some(DiskEpoch(1)));
        let mut reinstalled = harmed.clone().wants(|spec| spec.disk_epoch = DiskEpoch(2));
        assert!(reinstalled.settle().is_settled() && reinstalled.seen.is_up(), "a new one may be asked for");
        let mut gone = harmed.wants_gone();
        assert!(
            gone.settle().is_settled() && gone.seen.remains().is_nothing(),
            "and it ends in the trash as any other"
        );
    }
    let own = SeenDisk::Sound { bytes: gib(4), base: SeenBase::Image(spec().image.sha256) };
    assert!(running().sees(|seen| seen.disks.insert(DiskEpoch(1), own)).plan().is_settled());
}

#[test]
fn a_disk_that_was_made_flat_is_started_on_nothing_and_needs_no_image() {
    let flat = SeenDisk::Sound { bytes: gib(4), base: SeenBase::Nothing };
    let flatten = |seen: &mut Seen| (seen.image, seen.disks) = (false, [(DiskEpoch(1), flat)].into());
    let mut fell = running().sees(flatten).falls(OffCause::Unknown).wants(|spec| spec.disk_gib = 8);
    let steps = fell.steps_to_settle();
    let definition = mark::definition(fell.desired_spec(), fell.seen.setup, true);
    assert!(
        steps.iter().any(|step| matches!(step, Step::Define(stamp) if stamp.definition == definition)),
        "{steps:?}"
    );
    assert!(fell.seen.is_up() && !steps.contains(&Step::FetchBase), "{steps:?}");

    // Put in place between a definition and its start: that definition names the image.
    let off = || running().falls(OffCause::Unknown).wants(|spec| spec.boot_epoch = BootEpoch(2));
    let mut held = off();
    while let Some(step) = held.plan_with(true).steps.first().cloned() {
        held.run(&step);
    }
    assert_eq!(held.plan().steps, [Step::Start]);
    let swapped = held.sees(flatten);
    assert!(matches!(swapped.plan().steps[..], [Step::Define(_), Step::Start]), "{:?}", swapped.plan());
}

#[test]
fn a_guest_whose_disk_somebody_moved_by_hand_is_neither_restarted_nor_started_on_the_older_one() {
    let snapshot = "/pool/disks/s.1.snap1";
    let moved = || running().sees(|seen| seen.disk_elsewhere = Some(snapshot.to_owned()));
    let told = |world: &World, steps: &[Step]| {
        let plan = world.plan();
        let fault = plan.fault.unwrap();
        assert_eq!((plan.steps.as_slice(), fault.code), (steps, FaultCode::DiskElsewhere));
        assert!(fault.detail.contains(snapshot), "{}", fault.detail);
    };
    told(&moved(), &[]);
    told(&moved().wants(|spec| (spec.boot_epoch, spec.disk_gib) = (BootEpoch(2), 8)), &[]);
    told(&moved().sees(|seen| seen.domain.as_mut().unwrap().kept = false), &[]);
    told(&moved().falls(OffCause::Unknown), &[]);
    told(&moved().falls(OffCause::Crashed).wants(|spec| spec.start_epoch = StartEpoch(2)), &[]);
    let nobody_knows_which = moved().sees(|seen| seen.domain.as_mut().unwrap().epochs = Epochs::default());
    told(&nobody_knows_which.wants(|spec| spec.disk_epoch = DiskEpoch(2)), &[Step::AdoptStart(StartEpoch(1))]);
    // What its owner gives up is no loss, and what is brought back goes on.
    let mut reinstalled = moved().wants(|spec| spec.disk_epoch = DiskEpoch(2));
    assert!(reinstalled.settle().is_settled() && reinstalled.seen.is_up());
    assert!(moved().wants(|spec| spec.power = Power::Off).plan().steps.contains(&Step::AskStop));
    assert!(moved().sees(|seen| seen.disk_elsewhere = None).plan().is_settled());
    let mut gone = moved().wants_gone();
    assert!(gone.settle().is_settled());
}

#[test]
fn a_guest_whose_disks_file_was_replaced_under_it_is_not_restarted_and_nothing_is_noted_of_a_file_that_goes_with_it() {
    let mut replaced = running().sees(|seen| seen.disk_elsewhere = Some("/proc/2979/fd/13".to_owned()));
    replaced = replaced.wants(|spec| (spec.boot_epoch, spec.disk_gib) = (BootEpoch(2), 8));
    replaced.look();
    let plan = replaced.plan();
    let fault = plan.fault.unwrap();
    assert_eq!((plan.steps.as_slice(), fault.code), (&[][..], FaultCode::DiskElsewhere));
    assert!(fault.detail.contains("/proc/2979/fd/13") && fault.detail.contains("virsh destroy"), "{}", fault.detail);
    assert_eq!(replaced.notes.elsewhere, None);
    let mut ended = replaced.falls(OffCause::Unknown);
    ended.look();
    assert!(ended.settle().is_settled() && ended.seen.is_up(), "on what its place holds by then");
}

#[test]
fn what_only_its_guest_holds_is_ended_by_no_wish_for_power_and_by_no_lock() {
    let replaced = || running().sees(|seen| seen.disk_elsewhere = Some("/proc/2979/fd/13".to_owned()));
    let deleted = || running().sees(|seen| seen.disks.clear());
    for (held, code) in
        [(&replaced as &dyn Fn() -> World, FaultCode::DiskElsewhere), (&deleted, FaultCode::DiskMissing)]
    {
        for power in [Power::Off, Power::ForcedOff] {
            let plan = held().wants(|spec| spec.power = power).plan();
            assert_eq!((plan.steps.as_slice(), plan.fault.unwrap().code), (&[][..], code), "{power:?}");
        }
        let mut locked = held().wants(|spec| spec.locked = true);
        assert_eq!(locked.plan().steps, [Step::Pause], "it does nothing any more");
        let end = locked.settle();
        assert_eq!((end.steps.as_slice(), end.fault.unwrap().code), (&[][..], code));
        assert_eq!(locked.seen.domain.unwrap().state, SeenState::Paused);
        let lifted = locked.wants(|spec| spec.locked = false);
        assert_eq!(lifted.plan().steps, [Step::Resume]);
        // What its owner gives up is no loss.
        let mut reinstalled = replaced().wants(|spec| spec.disk_epoch = DiskEpoch(2));
        assert!(reinstalled.settle().is_settled() && reinstalled.seen.is_up());
    }
}

#[test]
fn a_guest_that_is_to_be_off_does_not_run_on_while_its_next_disk_waits_for_an_image() {
    let waits = || running().wants(|spec| spec.disk_epoch = DiskEpoch(2)).sees(|seen| seen.image = false);
    assert_eq!(waits().plan().steps, [Step::FetchImage, Step::CreateDisk, Step::ForceStop]);
    let locked = waits().wants(|spec| spec.locked = true);
    assert!(locked.plan().steps.contains(&Step::AskStop), "{:?}", locked.plan());
    assert_eq!(waits().wants(|spec| spec.power = Power::ForcedOff).plan().steps, [Step::ForceStop]);
    let made = running().wants(|spec| (spec.disk_epoch, spec.locked) = (DiskEpoch(2), true));
    let made = made.sees(|seen| seen.disks.insert(DiskEpoch(2), disk_of(4)));
    assert_eq!(made.plan().steps, [Step::ForceStop], "what it still writes was given up");
}

#[test]
fn a_guest_that_vanishes_while_its_data_lies_in_another_file_is_not_started_on_the_older_one() {
    let snapshot = "/var/lib/csp-agent/pool/disks/0198c0de-0000-7000-8000-00000000000a.1.by-hand";
    let undefine = |seen: &mut Seen| {
        (seen.domain, seen.disk_elsewhere, seen.process) = (None, None, false);
        seen.adapters.clear();
    };
    let moved = || {
        let mut world = running().sees(|seen| seen.disk_elsewhere = Some(snapshot.to_owned()));
        world.look();
        world
    };
    let mut gone = moved().sees(undefine);
    gone.crash_agent();
    for _ in 0..3 {
        gone.look();
        let plan = gone.plan();
        assert_eq!(
            (plan.steps.as_slice(), plan.fault.as_ref().map(|f| f.code)),
            (&[][..], Some(FaultCode::DiskElsewhere))
        );
        assert!(plan.fault.unwrap().detail.ends_with(&format!("{snapshot}.brought-back")), "the whole cure");
    }
    // Its pool is away for a while, and says nothing of where it is.
    let mut away = moved().sees(|seen| (seen.pool, seen.disk_elsewhere) = (false, None));
    away.look();
    assert!(away.notes.elsewhere.is_some());

    let starts = |mut world: World, why: &str| {
        assert!(world.settle().is_settled() && world.seen.is_up(), "{why}: {:?}", world.plan());
        assert_eq!(world.notes.elsewhere, None, "{why}");
    };
    starts(gone.wants(|spec| spec.disk_epoch = DiskEpoch(2)), "it was given up for a new one");
    let mut off = moved().falls(OffCause::Unknown);
    off.look();
    let detail = off.plan().fault.unwrap().detail;
    assert!(detail.ends_with("--managed-save`"), "the whole cure: {detail}");
    starts(off.sees(undefine), "as that cure says");
    let mut back = moved().sees(|seen| seen.disk_elsewhere = None);
    back.look();
    starts(back.sees(undefine), "it was on its own disk again");
}

#[test]
fn a_base_that_is_gone_is_fetched_before_a_start_and_before_a_stop_for_one() {
    let without = || running().sees(|seen| seen.image = false);
    assert!(without().plan().is_settled(), "who runs holds what it was started with");
    let mut restart = without().wants(|spec| spec.boot_epoch = BootEpoch(2));
    assert_eq!(restart.plan().steps, [Step::FetchBase], "it runs until it could be started again");
    let steps = restart.steps_to_settle();
    assert!(restart.seen.is_up() && steps.contains(&Step::AskStop), "{steps:?}");

    let mut fell = without().falls(OffCause::Unknown);
    assert!(fell.turn(), "that it ran is past");
    assert_eq!(fell.plan().steps.first(), Some(&Step::FetchBase));
    assert_eq!(fell.plan_with(true).steps.first(), Some(&Step::FetchBase), "while starts are held, too");
    assert!(fell.settle().is_settled() && fell.seen.is_up());

    let off = without().falls(OffCause::Shutdown).wants(|spec| spec.power = Power::ForcedOff);
    assert!(!off.plan().steps.contains(&Step::FetchBase), "nobody needs it for a guest that stays off");
    let larger = off.wants(|spec| spec.disk_gib = 8);
    assert_eq!(larger.plan().steps[..2], [Step::FetchBase, Step::GrowDisk]);
}

#[test]
fn without_its_pool_nothing_of_a_disk_is_planned() {
    let gone = running().sees(|seen| {
        seen.pool = false;
        seen.disks.clear();
        seen.image = false;
    });
    let reinstall = gone.clone().wants(|spec| spec.disk_epoch = DiskEpoch(2));
    let off = gone.clone().falls(OffCause::Unknown);
    let new = World::new(&spec()).sees(|seen| seen.pool = false);
    for world in [&gone, &reinstall, &off, &new] {
        assert_eq!((world.plan().steps, world.plan().fault.unwrap().code), (vec![], FaultCode::PoolMissing));
    }
    let mut stop = gone.wants(|spec| spec.power = Power::ForcedOff);
    assert!(stop.settle().steps.is_empty());
    assert!(!stop.seen.is_up());
}

#[test]
fn a_tombstone_removes_everything_in_an_order_that_leaks_nothing() {
    let mut world = running().wants_gone();
    assert_eq!(
        world.plan().steps,
        [
            Step::ForceStop,
            Step::Undefine,
            Step::RemoveTaps,
            Step::RemoveFilters,
            Step::RetireDisk(DiskEpoch(1)),
            Step::RemoveSeed,
        ]
    );
    assert!(world.settle().is_settled());
    assert!(world.seen.remains().is_nothing());
}

#[test]
fn a_tombstone_without_the_pool_proves_all_but_the_disk() {
    let mut world = running().wants_gone().sees(|seen| seen.pool = false);
    assert_eq!(world.settle().fault.unwrap().code, FaultCode::PoolMissing);
    let remains = world.seen.remains();
    assert!(remains.disk && !remains.domain && !remains.taps && !remains.filters);
}

#[test]
fn a_process_that_libvirt_forgot_is_killed_for_a_tombstone_and_never_doubled() {
    let forgotten = running().sees(|seen| seen.domain = None);
    assert_eq!(forgotten.clone().wants_gone().plan().steps[0], Step::KillProcess);
    assert_eq!(forgotten.plan().steps, []);
    assert!(forgotten.plan().fault.is_some());
}

#[test]
fn drift_under_a_running_guest_is_mended() {
    let macs = [mac(1)];
    let filters = mark::filters(&spec(), &macs, bare().setup);
    let flushed = running().sees(|seen| seen.filters = None);
    assert_eq!(flushed.plan().steps, [Step::SetFilters(filters)]);
    let down = running().sees(|seen| seen.taps.insert(mac(1), SeenTap { plugged: false, up: false }));
    assert_eq!(down.plan().steps, [Step::MakeTaps, Step::Connect(filters)]);
    let gone = running().sees(|seen| seen.taps.clear());
    assert_eq!(gone.plan().fault.unwrap().code, FaultCode::NetworkRefused);
}

#[test]
fn a_domain_that_somebody_undefined_under_its_guest_is_defined_again_and_the_guest_does_not_notice() {
    let mut world = running().sees(|seen| seen.domain.as_mut().unwrap().kept = false);
    let before = world.seen.clone();
    let stamp = Stamp {
        epochs: before.domain.unwrap().epochs,
        definition: mark::definition(&spec(), before.setup, false),
        seed: mark::seed(&spec(), before.setup),
    };
    assert_eq!(world.steps_to_settle(), [Step::Define(stamp)]);
    assert!(world.seen.is_up() && world.seen.domain.unwrap().kept);
    assert_eq!(world.seen.domain.unwrap().epochs, before.domain.unwrap().epochs, "it is the same boot");

    let without_base = running().sees(|seen| {
        seen.image = false;
        seen.domain.as_mut().unwrap().kept = false;
    });
    assert!(without_base.plan().is_settled(), "its next start fetches the base, and defines it");
}

#[test]
fn a_domain_that_libvirt_would_start_by_itself_is_defined_again_and_stays_off() {
    let mut off = running().wants(|spec| spec.power = Power::Off);
    assert!(off.settle().is_settled());
    let mut off = off.sees(|seen| seen.domain.as_mut().unwrap().kept = false);
    assert!(matches!(off.steps_to_settle()[..], [Step::Define(_)]));
    assert!(!off.seen.is_up() && off.seen.domain.unwrap().kept);

    let mut self_off = running().falls(OffCause::Shutdown);
    assert!(self_off.settle().is_settled());
    let mut self_off = self_off.sees(|seen| seen.domain.as_mut().unwrap().kept = false);
    assert!(matches!(self_off.steps_to_settle()[..], [Step::Define(_)]));
    assert!(!self_off.seen.is_up(), "it had powered itself off");
}

#[test]
fn a_stopped_domain_that_somebody_undefined_is_defined_at_its_next_start_on_the_disk_that_it_had() {
    let mut off = running().wants(|spec| spec.power = Power::Off);
    assert!(off.settle().is_settled());
    let off = off.sees(|seen| seen.domain = None);
    assert!(off.plan().is_settled(), "nobody needs it now");
    let mut started = off.wants(|spec| (spec.power, spec.start_epoch) = (Power::On, StartEpoch(2)));
    let steps = started.steps_to_settle();
    assert!(
        steps.iter().any(|step| matches!(step, Step::Define(_))) && !steps.contains(&Step::CreateDisk),
        "{steps:?}"
    );
    assert!(started.seen.is_up());
}

#[test]
fn what_is_started_is_what_the_agent_defined_whatever_somebody_made_of_it_meanwhile() {
    // It was changed while it ran or lay there: its metadata say nothing of that.
    for cause in [OffCause::Unknown, OffCause::Crashed] {
        let mut fell = running().falls(cause);
        let steps = fell.steps_to_settle();
        let at = |wanted: fn(&Step) -> bool| steps.iter().position(wanted);
        let defined = at(|step| matches!(step, Step::Define(_)));
        assert!(defined.is_some() && defined < at(|step| *step == Step::Start), "{cause:?}: {steps:?}");
    }
}

/// Every step until nothing is left to do, but for the answers to DHCP.
fn wiring(world: &mut World) -> Vec<Step> {
    world.steps_to_settle().into_iter().filter(|step| !matches!(step, Step::ServeDhcp(_))).collect()
}

/// The running server, and one that is to have a second adapter.
fn with_second_nic() -> (World, World) {
    let second = |spec: &mut ServerSpec| {
        let nic = Nic { name: "net1".to_owned(), mac: mac(2), ..spec.nics[0].clone() };
        spec.nics.push(nic);
    };
    (running(), running().wants(second))
}

#[test]
fn an_adapter_is_plugged_into_a_running_guest_behind_its_filters_and_taken_from_it_after_it_was_cut_off() {
    let (one, mut two) = with_second_nic();
    let filters = |world: &World, macs: &[_]| mark::filters(world.desired_spec(), macs, bare().setup);
    let with_both = filters(&two, &[mac(1), mac(2)]);
    assert_eq!(wiring(&mut two), [Step::MakeTaps, Step::Connect(with_both), Step::AttachNic(mac(2))]);
    assert_eq!(two.seen.adapters, [mac(1), mac(2)].into());

    let mut less = two.clone().wants(|spec| drop(spec.nics.pop()));
    let with_one = filters(&less, &[mac(1)]);
    assert_eq!(wiring(&mut less), [Step::CutOff, Step::SetFilters(with_one), Step::DetachNic(mac(2))]);
    assert_eq!(less.seen, one.seen, "as if it had never been there");

    // Cold, it is defined with what the spec says.
    let mut cold = two.wants(|spec| spec.boot_epoch = BootEpoch(2));
    assert!(cold.steps_to_settle().iter().any(|step| matches!(step, Step::Define(_))));
    assert_eq!(cold.seen.adapters, [mac(1), mac(2)].into());
}

#[test]
fn a_guest_that_keeps_an_adapter_is_asked_once_and_loses_it_at_its_next_boot() {
    let (_, mut two) = with_second_nic();
    assert!(two.settle().is_settled());
    two.obeys = false;
    let mut kept = two.wants(|spec| drop(spec.nics.pop()));
    assert!(kept.steps_to_settle().contains(&Step::DetachNic(mac(2))));
    assert!(kept.plan().is_settled() && kept.seen.adapters.contains(&mac(2)), "it waits for nobody");
    let tap = kept.seen.taps[&mac(2)];
    assert!(!tap.plugged && !tap.up, "nothing passes, and that is what counts");

    // It lets go after all, later: its QEMU does not hold the tap any longer.
    let mut late = kept.clone().sees(|seen| {
        seen.adapters.remove(&mac(2));
        seen.idle_taps.insert(mac(2))
    });
    assert_eq!(late.steps_to_settle(), [Step::CutOff]);
    assert!(!late.seen.taps.contains_key(&mac(2)));

    let nic = Nic { mac: mac(2), ..kept.desired_spec().nics[0].clone() };
    let mut again = kept.clone().wants(|spec| spec.nics.push(nic));
    let filters = mark::filters(again.desired_spec(), &[mac(1), mac(2)], bare().setup);
    assert_eq!(wiring(&mut again), [Step::MakeTaps, Step::Connect(filters)], "it has it still");

    kept.obeys = true;
    let mut booted = kept.wants(|spec| spec.boot_epoch = BootEpoch(2));
    assert!(booted.settle().is_settled());
    assert_eq!((booted.seen.adapters.len(), booted.seen.taps.len()), (1, 1));
}

#[test]
fn what_a_guest_gave_up_while_it_is_off_is_let_go_at_once() {
    let (_, mut two) = with_second_nic();
    assert!(two.settle().is_settled());
    let mut off = two.wants(|spec| spec.power = Power::ForcedOff);
    assert!(off.settle().is_settled());
    assert!(nic::has_let_go(off.desired_spec(), &off.seen));
    let mut less = off.wants(|spec| drop(spec.nics.pop()));
    assert!(!nic::has_let_go(less.desired_spec(), &less.seen), "its filters let the address through still");
    let with_one = mark::filters(less.desired_spec(), &[mac(1)], bare().setup);
    assert!(less.steps_to_settle().contains(&Step::SetFilters(with_one)));
    assert!(nic::has_let_go(less.desired_spec(), &less.seen) && less.plan().is_settled());
}

#[test]
fn an_adapter_that_somebody_else_took_or_gave_is_given_back_or_taken() {
    let mut world = running().sees(|seen| seen.adapters = [mac(9)].into());
    assert_eq!(wiring(&mut world), [Step::AttachNic(mac(1)), Step::DetachNic(mac(9))]);
    assert_eq!(world.seen.adapters, [mac(1)].into());
}

#[test]
fn a_paused_guest_is_told_to_go_on_but_not_over_and_over() {
    let mut world = running().sees(|seen| seen.domain.as_mut().unwrap().state = SeenState::Paused);
    assert_eq!(world.plan().steps, [Step::Resume]);
    world.turn();
    world = world.sees(|seen| seen.domain.as_mut().unwrap().state = SeenState::Paused);
    assert!(matches!(world.plan().wait, Some(Wait::Until { .. })));
    assert_eq!(world.plan().fault.unwrap().code, FaultCode::PoolFull, "and that it does not is told by name");
    world.now_ms += 30_000;
    assert_eq!(world.plan().steps, [Step::Resume], "it is tried again");
    world.turn();
    assert!(world.settle().is_settled(), "there was room");
}

#[test]
fn a_pool_that_takes_no_writes_is_told_by_name_and_no_guest_is_touched_for_it() {
    let read_only = |seen: &mut crate::machine::Seen| {
        (seen.pool, seen.pool_read_only) = (false, true);
        seen.disks.clear();
    };
    let runs = running().sees(read_only);
    let reinstall = runs.clone().wants(|spec| spec.disk_epoch = DiskEpoch(2));
    let new = World::new(&spec()).sees(read_only);
    for world in [&runs, &reinstall, &new] {
        assert_eq!((world.plan().steps, world.plan().fault.unwrap().code), (vec![], FaultCode::PoolReadOnly));
    }
    let mut gone = runs.wants_gone();
    assert_eq!(gone.settle().fault.unwrap().code, FaultCode::PoolReadOnly);
    assert!(gone.seen.remains().disk && !gone.seen.remains().domain);
}

#[test]
fn held_starts_prepare_everything_else() {
    let plan = World::new(&spec()).plan_with(true);
    assert_eq!(plan.wait, Some(Wait::Hold));
    assert!(plan.steps.contains(&Step::CreateDisk) && !plan.steps.contains(&Step::Start));
}

#[test]
fn while_starts_are_held_no_guest_is_stopped_that_is_to_run_again() {
    let restart = running().wants(|spec| spec.boot_epoch = BootEpoch(2));
    let reinstall = running().wants(|spec| spec.disk_epoch = DiskEpoch(2));
    for (world, steps) in [(restart, vec![]), (reinstall, vec![Step::CreateDisk])] {
        assert_eq!((world.plan_with(true).steps, world.plan_with(true).wait), (steps, Some(Wait::Hold)));
    }
    let stop = running().wants(|spec| spec.power = Power::ForcedOff);
    assert_eq!(stop.plan_with(true).steps, [Step::ForceStop]);
}

fn with_private_adapter(spec: &mut ServerSpec) -> NetworkId {
    let network = NetworkId(Uuid::from_u128(7));
    let (name, addresses) = ("net1".to_owned(), Vec::new());
    let network_of = NicNetwork::Private { network };
    spec.nics.push(Nic { name, mac: mac(2), network: network_of, addresses, ..spec.nics[0].clone() });
    network
}

#[test]
fn a_server_is_started_once_its_private_network_is_there() {
    let mut spec = spec();
    let network = with_private_adapter(&mut spec);
    let mut world = World::new(&spec);
    let fault = world.settle().fault.unwrap();
    assert!(fault.code == FaultCode::PrivateNetworkMissing && fault.detail.contains("net1") && !fault.lasting);
    assert!(!world.seen.is_up() && world.seen.taps.is_empty(), "neither its seed nor its taps can be made");
    let mut world = world.sees(|seen| seen.networks.insert(network, 1450));
    assert!(world.settle().is_settled() && world.seen.is_up());
    assert_eq!(world.seen.adapters, [mac(1), mac(2)].into());
    let larger = world.clone().sees(|seen| seen.networks.insert(network, 1500));
    assert!(larger.plan().is_settled(), "a running guest is not told of another size before its next start");
}

#[test]
fn a_running_guest_gets_an_adapter_when_its_network_comes_and_keeps_it_when_it_goes() {
    let mut network = None;
    let mut world = World::running(&spec()).wants(|spec| network = Some(with_private_adapter(spec)));
    let waiting = world.settle();
    assert_eq!(waiting.fault.unwrap().code, FaultCode::PrivateNetworkMissing);
    assert_eq!((world.seen.is_up(), world.seen.adapters.clone()), (true, [mac(1)].into()));
    let mut world = world.sees(|seen| seen.networks.insert(network.unwrap(), 1450));
    let names: Vec<_> = world.steps_to_settle().iter().map(Step::name).collect();
    assert_eq!(names, ["make_taps", "connect", "attach_nic", "serve_dhcp"]);
    let mut gone = world.sees(|seen| {
        seen.networks.clear();
        seen.taps.get_mut(&mac(2)).unwrap().plugged = false;
    });
    assert_eq!(gone.settle().fault.unwrap().code, FaultCode::PrivateNetworkMissing);
    assert_eq!(gone.seen.adapters, [mac(1), mac(2)].into(), "it may come back");
}

//! What must hold from every state of a host, not only from those that someone thought of.

use csp_shared::{
    generation::{BootEpoch, DiskEpoch, StartEpoch},
    observed::FaultCode,
    spec::{Desired, Power, ServerSpec},
};
use proptest::{collection, prelude::*};

use super::{
    disk,
    fixture::{World, disk_of, epochs, gib, mac, spec},
    mark,
    memory::PowerNote,
    step::Step,
};
use crate::machine::{BootId, Mark, OffCause, SeenBase, SeenDisk, SeenDomain, SeenState, SeenStray, SeenTap};

fn any_power() -> impl Strategy<Value = Power> {
    prop_oneof![3 => Just(Power::On), 1 => Just(Power::Off), 1 => Just(Power::ForcedOff)]
}

fn any_spec() -> impl Strategy<Value = ServerSpec> {
    (any_power(), any::<bool>(), 1u32..4, 1u32..4, 1u32..4, 1u8..4, 1u32..4).prop_map(
        |(power, locked, start, boot, disk, nics, disk_gib)| {
            let mut spec = spec();
            let nic = spec.nics[0].clone();
            (spec.power, spec.locked, spec.disk_gib) = (power, locked, disk_gib);
            (spec.start_epoch, spec.boot_epoch, spec.disk_epoch) =
                (StartEpoch(start), BootEpoch(boot), DiskEpoch(disk));
            spec.nics = (1..=nics).map(|n| csp_shared::spec::Nic { mac: mac(n), ..nic.clone() }).collect();
            spec
        },
    )
}

fn any_domain(definition: Mark) -> impl Strategy<Value = Option<SeenDomain>> {
    let state = prop_oneof![
        Just(SeenState::Running),
        Just(SeenState::Paused),
        Just(SeenState::Off(OffCause::Shutdown)),
        Just(SeenState::Off(OffCause::Crashed)),
        Just(SeenState::Off(OffCause::Unknown)),
    ];
    let definition = prop_oneof![Just(Some(definition)), Just(Some(Mark(1))), Just(None)];
    let epochs = (0u32..4, 0u32..4, 0u32..4).prop_map(|(start, boot, disk)| epochs(start, boot, disk));
    let domain = (state, epochs, definition, proptest::bool::weighted(0.8));
    proptest::option::of(domain.prop_map(|(state, epochs, definition, kept)| SeenDomain {
        state,
        epochs,
        definition,
        kept,
    }))
}

fn any_note() -> impl Strategy<Value = PowerNote> {
    let boot = || BootId("boot-1".to_owned());
    let at = || (0u32..4, 0u32..4, 0u32..4).prop_map(|(start, boot, disk)| epochs(start, boot, disk));
    prop_oneof![
        Just(PowerNote::Unknown),
        Just(PowerNote::StopAsked),
        Just(PowerNote::Ran { host_boot: boot() }),
        Just(PowerNote::Ran { host_boot: BootId("boot-0".to_owned()) }),
        at().prop_map(move |epochs| PowerNote::SelfOff { epochs, host_boot: boot() }),
        at().prop_map(|epochs| PowerNote::CrashLoop { epochs }),
    ]
}

fn any_disk() -> impl Strategy<Value = SeenDisk> {
    let on = |base| (1u32..4).prop_map(move |size_gib| SeenDisk::Sound { bytes: gib(size_gib), base });
    prop_oneof![
        14 => (1u32..4).prop_map(disk_of),
        4 => on(SeenBase::Nothing),
        1 => on(SeenBase::Other),
        1 => Just(SeenDisk::Damaged),
    ]
}

prop_compose! {
    /// Any state of a host whose links are up only behind filters, and whose running guest has its process.
    fn any_world()(spec in any_spec())(
        domain in any_domain(mark::definition(&spec, Mark(7), false)),
        taps in collection::btree_map((1u8..5).prop_map(mac), (any::<bool>(), any::<bool>()), 0..4),
        disks in collection::btree_map((1u32..5).prop_map(DiskEpoch), any_disk(), 0..3),
        started in proptest::option::of((1u32..5).prop_map(DiskEpoch)),
        power in any_note(),
        flags in any::<[bool; 8]>(),
        gone in proptest::bool::weighted(0.2),
        pool in proptest::bool::weighted(0.9),
        idle in collection::btree_set((1u8..5).prop_map(mac), 0..3),
        strays in collection::btree_map("cspt[a-c]", (any::<bool>(), any::<bool>()), 0..2),
        adapters in collection::btree_set((1u8..5).prop_map(mac), 0..5),
        elsewhere in proptest::option::weighted(0.1, prop_oneof![Just("/srv/copy"), Just("/proc/1/fd/3")]),
        spec in Just(spec),
    ) -> World {
        let mut world = World::new(&spec);
        let [image, seed, filters, filters_are_old, obeys, stray, read_only, _] = flags;
        world.obeys = obeys;
        world.notes.disk_started = started;
        world.notes.power = power;
        world.seen.pool = pool;
        world.seen.pool_read_only = !pool && read_only;
        world.seen.disks = if pool { disks } else { Default::default() };
        world.seen.image = pool && image;
        world.seen.seed = seed.then(|| mark::seed(&spec, Mark(7)));
        world.seen.domain = domain;
        // What has no name of its own is there as long as its guest runs.
        let elsewhere = elsewhere.filter(|file| world.seen.is_up() || !disk::is_held_open(file));
        world.seen.disk_elsewhere = domain.and(elsewhere).map(str::to_owned);
        // What was started as the spec says has its adapters, unless somebody else plugged and unplugged.
        world.defined = mark::macs(&spec).into_iter().collect();
        world.seen.adapters = if world.seen.is_up() { adapters } else { Default::default() };
        world.seen.process = world.seen.is_up() || stray;
        world.seen.taps =
            taps.into_iter().map(|(mac, (plugged, up))| (mac, SeenTap { plugged, up })).collect();
        world.seen.idle_taps = idle.into_iter().filter(|mac| world.seen.taps.contains_key(mac)).collect();
        let stray = |(name, (connected, removable))| (name, SeenStray { connected, removable });
        world.seen.strays = strays.into_iter().map(stray).collect();
        let current = mark::filters(&spec, &mark::macs_with_tap(&spec, &world.seen), Mark(7));
        world.seen.filters = filters.then_some(if filters_are_old { Mark(2) } else { current });
        if filters {
            world.guarded.extend(world.seen.taps.keys());
        }
        world.crash_agent();
        if gone { world.wants_gone() } else { world }
    }
}

/// Where a world may come to rest with a fault: what no agent can mend by itself.
fn is_excused(world: &World) -> bool {
    use FaultCode::{CrashLoop, DiskDamaged, DiskElsewhere, DiskMissing, NetworkRefused, PoolMissing, PoolReadOnly};
    let codes = [PoolMissing, PoolReadOnly, DiskMissing, DiskDamaged, DiskElsewhere, CrashLoop, NetworkRefused];
    world.plan().fault.is_some_and(|fault| codes.contains(&fault.code) || world.has_stray())
}

/// What befalls a turn of the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mishap {
    /// Nothing.
    None,
    /// The step fails before it has done anything.
    Fails,
    /// The step is done, and the agent dies before it took note of it.
    Forgotten,
    /// The agent dies after it took note.
    Dies,
    /// The host loses its power.
    PowerCut,
}

fn any_mishaps() -> impl Strategy<Value = Vec<Mishap>> {
    let mishap = prop_oneof![
        4 => Just(Mishap::None),
        2 => Just(Mishap::Fails),
        2 => Just(Mishap::Forgotten),
        2 => Just(Mishap::Dies),
        1 => Just(Mishap::PowerCut),
    ];
    collection::vec(mishap, 0..24)
}

/// One turn, whatever befalls it.
fn suffer(world: &mut World, mishap: Mishap) {
    let notes = world.notes.clone();
    match mishap {
        Mishap::Fails if !world.plan().steps.is_empty() => {}
        Mishap::None | Mishap::Fails => drop(world.turn()),
        Mishap::Forgotten => {
            // A note is its own effect: it is written or not.
            let is_note = matches!(world.plan().steps.first(), Some(Step::NoteDiskStarted(_) | Step::NotePower(_)));
            world.turn();
            if !is_note {
                world.notes = notes;
            }
            world.crash_agent();
        }
        Mishap::Dies => {
            world.turn();
            world.crash_agent();
        }
        Mishap::PowerCut => {
            world.turn();
            world.crash_host();
        }
    }
}

/// What a step about to be run may not do, wherever it is planned. That no two guests run on one disk, that none is made
/// or started that lacks something, and that no disk goes from under its guest, stands in the fixture itself.
fn is_harmless(world: &World) -> Result<(), TestCaseError> {
    let (Some(step), Desired::Present(spec)) = (world.plan().steps.first().cloned(), &world.desired) else {
        return Ok(());
    };
    let epoch = spec.disk_epoch;
    match step {
        // Without a tombstone, nothing but a newer epoch that is there and noted takes a disk away.
        Step::RetireDisk(retired) => {
            let replaced = world.seen.disks.contains_key(&epoch) && world.notes.disk_started >= Some(epoch);
            prop_assert!(retired < epoch && replaced, "{retired} for {epoch}: {:?}", world.seen);
        }
        Step::CreateDisk => {
            let started = world.notes.disk_started.max(world.seen.domain.map(|domain| domain.epochs.disk));
            prop_assert!(started < Some(epoch), "{epoch} is made again: {:?}", world.notes);
        }
        Step::Undefine | Step::RemoveSeed | Step::RemoveTaps | Step::RemoveFilters => {
            prop_assert!(false, "{step:?} without a tombstone");
        }
        Step::Start | Step::Resume => prop_assert!(spec.should_run()),
        // What only its guest has is never ended, unless its owner gave it up.
        Step::AskStop | Step::ForceStop => {
            let state = disk::state(spec, &world.seen, &world.notes);
            let only = |domain| disk::only_its_guest_has(&world.seen, domain, state);
            prop_assert!(!world.seen.domain.is_some_and(only), "its data goes with it: {:?}", world.seen);
        }
        _ => {}
    }
    Ok(())
}

/// So many turns bring any state about once nothing more befalls it. A guest that does not obey takes most of them.
const TURNS_MAX: usize = 60;

fn comes_about(mut world: World, mishaps: &[Mishap]) -> Result<(), TestCaseError> {
    let kept = world.seen.disks.clone();
    for mishap in mishaps {
        is_harmless(&world)?;
        suffer(&mut world, *mishap);
    }
    let mut turns = 0;
    loop {
        is_harmless(&world)?;
        if !world.turn() {
            break;
        }
        turns += 1;
        prop_assert!(turns < TURNS_MAX, "no end: {:?}", world.plan());
    }
    let end = world.plan();
    prop_assert!(end.steps.is_empty() && (end.is_settled() || is_excused(&world)), "{end:?}");
    if let Desired::Present(spec) = &world.desired {
        let there = |epoch: &DiskEpoch| world.seen.disks.contains_key(epoch) || !world.seen.pool;
        let newest = kept.keys().next_back();
        prop_assert!(newest.is_none_or(|newest| *newest < spec.disk_epoch || there(newest)), "the newest disk is gone");
        prop_assert!(end.fault.is_some() || there(&spec.disk_epoch));
        let bytes = world.seen.disks.get(&spec.disk_epoch).and_then(|disk| disk.bytes());
        prop_assert!(end.fault.is_some() || bytes.is_none_or(|bytes| bytes >= gib(spec.disk_gib)), "it did not grow");
        let (wanted, has) = (mark::macs(spec), &world.seen.adapters);
        let all = wanted.iter().all(|mac| has.contains(mac));
        prop_assert!(end.fault.is_some() || !world.seen.is_up() || all, "an adapter is missing: {:?}", world.seen);
        let foreign: Vec<_> = has.iter().filter(|mac| !wanted.contains(mac)).collect();
        prop_assert!(foreign.is_empty() || !world.obeys || end.fault.is_some(), "kept {foreign:?}");
        let is_connected =
            |mac: &&csp_shared::mac::Mac| world.seen.taps.get(mac).is_some_and(|tap| tap.plugged || tap.up);
        prop_assert!(!foreign.iter().any(is_connected), "connected: {foreign:?}");
        let is_kept = world.seen.domain.is_none_or(|domain| domain.kept);
        prop_assert!(
            is_kept || end.fault.is_some() || !(world.seen.image || disk::is_flat(spec, &world.seen)),
            "libvirt would forget it: {:?}",
            world.seen
        );
        let stays_off = matches!(world.notes.power, PowerNote::SelfOff { .. });
        prop_assert!(
            end.fault.is_some() || world.seen.is_up() == (spec.should_run() && !stays_off),
            "{:?}",
            world.seen
        );
    } else if end.is_settled() {
        prop_assert!(world.seen.remains().is_nothing());
    }
    Ok(())
}

/// 100,000 pairs of a spec and a host, whatever befalls the worker on the way; in four parts, for as many processors.
mod any_pair_comes_about {
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(25_000) })]

        #[test]
        fn undisturbed(world in any_world()) {
            comes_about(world, &[])?;
        }

        #[test]
        fn when_steps_fail_and_agents_die(world in any_world(), mishaps in any_mishaps()) {
            comes_about(world, &mishaps)?;
        }

        /// The same thing befalls every step, as a pool that is full or a program that dies at the same place each time.
        #[test]
        fn when_the_agent_dies_after_every_step(world in any_world(), turns in 0usize..24, forgotten in any::<bool>()) {
            let mishap = if forgotten { Mishap::Forgotten } else { Mishap::Dies };
            comes_about(world, &vec![mishap; turns])?;
        }

        /// A newer spec arrives in the middle: another size, another disk, or the older one again.
        #[test]
        fn when_the_spec_changes_on_the_way(mut world in any_world(), next in any_spec(), mishaps in any_mishaps()) {
            for mishap in &mishaps {
                is_harmless(&world)?;
                suffer(&mut world, *mishap);
            }
            let is_present = matches!(world.desired, Desired::Present(_));
            if is_present {
                world = world.wants(|spec| *spec = ServerSpec { version: spec.version, ..next });
            }
            comes_about(world, &mishaps)?;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_crash_after_any_step_still_converges(mut world in any_world(), steps in 0usize..12, host in any::<bool>()) {
        let mut undisturbed = world.clone();
        let wanted = undisturbed.settle();
        for _ in 0..steps {
            world.turn();
        }
        if host { world.crash_host() } else { world.crash_agent() }
        let end = world.settle();
        prop_assert!(end.is_settled() || is_excused(&world), "{end:?}");
        if !host && wanted.is_settled() && end.is_settled() {
            prop_assert_eq!(&world.seen.disks, &undisturbed.seen.disks);
        }
    }

    #[test]
    fn no_link_is_up_before_its_filters(mut world in any_world(), crash_at in 0usize..12) {
        // Of what somebody set up by hand none of our steps is to blame.
        let guarded = world.guarded.clone();
        world.seen.taps.iter_mut().for_each(|(mac, tap)| tap.up &= guarded.contains(mac));
        for turn in 0..24 {
            let up = world.seen.taps.iter().filter(|(_, tap)| tap.up).map(|(mac, _)| *mac);
            let bare: Vec<_> = up.filter(|mac| !world.guarded.contains(mac)).collect();
            prop_assert!(bare.is_empty(), "{bare:?}");
            world.turn();
            if turn == crash_at {
                world.crash_host();
            }
        }
    }

    /// It was marked by hand, or its adapter is gone from the spec: nothing filters it.
    #[test]
    fn what_carries_the_mark_and_is_no_adapter_is_disconnected_before_all_else(mut world in any_world()) {
        let was_up = world.seen.is_up();
        world.turn();
        world.turn();
        if was_up && !world.seen.is_up() {
            world.turn(); // it has only just let go of what it held
        }
        let macs = match &world.desired {
            Desired::Present(spec) => mark::macs(spec),
            Desired::Absent(_) => return Ok(()),
        };
        prop_assert!(world.seen.strays.values().all(|stray| !stray.connected && !stray.removable));
        let others = world.seen.taps.iter().filter(|(mac, _)| !macs.contains(mac));
        for (mac, tap) in others {
            prop_assert!(!tap.plugged && !tap.up);
            prop_assert!(!world.seen.idle_taps.contains(mac) || world.seen.adapters.contains(mac), "nobody holds it");
        }
    }

}

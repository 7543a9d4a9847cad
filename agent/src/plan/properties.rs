//! What must hold from every state of a host, not only from those that someone thought of.

use csp_shared::{
    generation::{BootEpoch, DiskEpoch, StartEpoch},
    observed::FaultCode,
    spec::{Power, ServerSpec},
};
use proptest::{collection, prelude::*};

use super::{
    fixture::{World, epochs, mac, spec},
    mark,
    memory::PowerNote,
    step::Step,
};
use crate::machine::{BootId, Mark, OffCause, SeenDomain, SeenState, SeenStray, SeenTap};

fn any_power() -> impl Strategy<Value = Power> {
    prop_oneof![3 => Just(Power::On), 1 => Just(Power::Off), 1 => Just(Power::ForcedOff)]
}

fn any_spec() -> impl Strategy<Value = ServerSpec> {
    (any_power(), any::<bool>(), 1u32..4, 1u32..4, 1u32..4, 1u8..4).prop_map(
        |(power, locked, start, boot, disk, nics)| {
            let mut spec = spec();
            let nic = spec.nics[0].clone();
            (spec.power, spec.locked) = (power, locked);
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
    proptest::option::of((state, epochs, definition).prop_map(|(state, epochs, definition)| SeenDomain {
        state,
        epochs,
        definition,
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

prop_compose! {
    /// Any state of a host whose links are up only behind filters, and whose running guest has its process.
    fn any_world()(spec in any_spec())(
        domain in any_domain(mark::definition(&spec, Mark(7))),
        taps in collection::btree_map((1u8..5).prop_map(mac), (any::<bool>(), any::<bool>()), 0..4),
        disks in collection::btree_set((1u32..5).prop_map(DiskEpoch), 0..3),
        started in proptest::option::of((1u32..5).prop_map(DiskEpoch)),
        power in any_note(),
        flags in any::<[bool; 8]>(),
        gone in proptest::bool::weighted(0.2),
        pool in proptest::bool::weighted(0.9),
        strays in collection::btree_map("cspt[a-c]", (any::<bool>(), any::<bool>()), 0..2),
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
        world.seen.process = world.seen.is_up() || stray;
        world.seen.taps =
            taps.into_iter().map(|(mac, (plugged, up))| (mac, SeenTap { plugged, up: up && filters })).collect();
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
    use FaultCode::{CrashLoop, DiskMissing, NetworkRefused, PoolMissing, PoolReadOnly};
    let codes = [PoolMissing, PoolReadOnly, DiskMissing, CrashLoop, NetworkRefused];
    world.plan().fault.is_some_and(|fault| codes.contains(&fault.code) || world.has_stray())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The fixture's assertions hold on the way: nothing is started beside a process, or without disk, note or link.
    #[test]
    fn every_state_comes_to_rest_as_it_should_be(mut world in any_world()) {
        let end = world.settle();
        prop_assert!(end.is_settled() || is_excused(&world), "{end:?}");
        prop_assert!(end.steps.is_empty());
    }

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
    fn only_a_tombstone_or_a_newer_epoch_that_is_there_retires_a_disk(world in any_world()) {
        for step in world.plan().steps {
            if let (Step::RetireDisk(epoch), csp_shared::spec::Desired::Present(spec)) = (&step, &world.desired) {
                prop_assert!(*epoch < spec.disk_epoch);
                prop_assert!(world.seen.disks.contains(&spec.disk_epoch) || world.plan().steps.contains(&Step::CreateDisk));
            }
        }
    }

    #[test]
    fn a_started_epoch_is_never_made_again(mut world in any_world(), steps in 0usize..20) {
        for _ in 0..steps {
            let noted = world.notes.disk_started;
            let makes = world.plan().steps.first() == Some(&Step::CreateDisk);
            let epoch = if let csp_shared::spec::Desired::Present(spec) = &world.desired { Some(spec.disk_epoch) } else { None };
            prop_assert!(!makes || noted < epoch);
            world.turn();
            prop_assert!(world.notes.disk_started >= noted);
        }
    }

    #[test]
    fn no_link_is_up_before_its_filters(mut world in any_world(), crash_at in 0usize..12) {
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
        world.turn();
        world.turn();
        let macs = match &world.desired {
            csp_shared::spec::Desired::Present(spec) => mark::macs(spec),
            csp_shared::spec::Desired::Absent(_) => return Ok(()),
        };
        prop_assert!(world.seen.strays.values().all(|stray| !stray.connected && !stray.removable));
        let others = world.seen.taps.iter().filter(|(mac, _)| !macs.contains(mac));
        prop_assert!(others.map(|(_, tap)| tap).all(|tap| !tap.plugged && !tap.up));
    }

    #[test]
    fn a_server_that_should_be_off_is_never_started(world in any_world()) {
        let runs = if let csp_shared::spec::Desired::Present(spec) = &world.desired { spec.should_run() } else { false };
        prop_assert!(runs || !world.plan().steps.iter().any(|step| matches!(step, Step::Start | Step::Resume)));
    }
}

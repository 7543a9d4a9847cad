//! Adapters of a guest that runs, on the real libvirt and QEMU.

use csp_agent::{
    host_machine::HostMachine,
    machine::{Machine, Mark, SeenTap},
};
use csp_shared::{
    mac::Mac,
    spec::{Nic, ServerSpec},
};

const SECOND: Mac = Mac([0x0a, 0xc5, 0, 0, 0, 2]);

/// One is plugged in behind its filters. A guest without a driver for it keeps it when it is to go, cut off.
pub async fn come_and_go_while_it_runs(machine: &HostMachine, spec: &ServerSpec) {
    let first = spec.nics[0].clone();
    let second = Nic { name: "net1".to_owned(), mac: SECOND, addresses: Vec::new(), ..first.clone() };
    let both = ServerSpec { nics: vec![first.clone(), second], ..spec.clone() };
    assert_eq!(machine.see(spec.server, None).await.unwrap().adapters, [first.mac].into());
    for round in 0..2 {
        machine.make_taps(&both).await.unwrap();
        assert_eq!(
            machine.see(spec.server, None).await.unwrap().taps[&SECOND].up,
            round == 1,
            "not before its filters"
        );
        machine.set_filters(&both, Mark(22)).await.unwrap();
        machine.link_up(&both).await.unwrap();
        machine.attach_nic(&both, SECOND).await.unwrap();
        let seen = machine.see(spec.server, None).await.unwrap();
        assert_eq!(seen.adapters, [first.mac, SECOND].into());
        assert_eq!(seen.taps, [(first.mac, SeenTap::CONNECTED), (SECOND, SeenTap::CONNECTED)].into());
    }
    for _ in 0..2 {
        machine.cut_off(spec).await.unwrap();
        machine.detach_nic(spec.server, SECOND).await.unwrap();
        let seen = machine.see(spec.server, None).await.unwrap();
        assert!(seen.adapters.contains(&SECOND), "a boot sector lets go of nothing");
        let cut_off = SeenTap { plugged: false, up: false };
        assert_eq!(seen.taps, [(first.mac, SeenTap::CONNECTED), (SECOND, cut_off)].into());
    }
    let strange = Mac([0x0a, 0xc5, 0, 0, 0, 3]);
    machine.detach_nic(spec.server, strange).await.unwrap();
    machine.set_filters(spec, Mark(2)).await.unwrap();
}

//! Builders of what a control plane would send, for tests that have none.

use csp_shared::{
    generation::{BootEpoch, DiskEpoch, Generation, Incarnation, StartEpoch, Version},
    id::ServerId,
    mac::Mac,
    sha256::Sha256,
    spec::{
        CpuUse, Desired, GuestLimits, Image, ImageFormat, Login, Nic, NicAddress, NicNetwork, Power, ServerSpec,
        Tombstone,
    },
};
use uuid::Uuid;

/// The version of this generation in the first incarnation.
#[must_use]
pub fn version(generation: u64) -> Version {
    Version { incarnation: Incarnation::FIRST, generation: Generation(generation) }
}

/// A small server, wanted running for the first time; `number` makes its id, MAC and address.
#[must_use]
pub fn server_spec(number: u8) -> ServerSpec {
    let address =
        NicAddress { address: [203, 0, 113, number].into(), prefix_len: 24, gateway: Some([203, 0, 113, 1].into()) };
    ServerSpec {
        server: ServerId(Uuid::from_u128(0x0198_c0de_0000_7000_8000_0000_0000_0000 + u128::from(number))),
        version: version(1),
        hostname: format!("web-{number}"),
        cpus: 1,
        ram_mib: 512,
        disk_gib: 4,
        cpu_use: CpuUse::Shared,
        power: Power::On,
        locked: false,
        start_epoch: StartEpoch::FIRST,
        boot_epoch: BootEpoch::FIRST,
        disk_epoch: DiskEpoch::FIRST,
        image: Image {
            sha256: Sha256::of(b"image"),
            url: "https://images.example/a.qcow2".to_owned(),
            format: ImageFormat::Qcow2,
            size_bytes: 1 << 20,
        },
        login: Login::default(),
        nics: vec![Nic {
            name: "net0".to_owned(),
            mac: Mac::for_guest([0, 0, 0, number]),
            network: NicNetwork::Public,
            addresses: vec![address],
            dns: Vec::new(),
        }],
        user_data: None,
        limits: GuestLimits::NONE,
        smtp_open: false,
        net_held_mbit_per_second: None,
    }
}

/// What a control plane would send of it.
#[must_use]
pub fn present(spec: &ServerSpec) -> Desired {
    Desired::Present(Box::new(spec.clone()))
}

/// The next state of a spec.
#[must_use]
pub fn next(spec: &ServerSpec, change: impl FnOnce(&mut ServerSpec)) -> ServerSpec {
    let mut next = spec.clone();
    next.version.generation = next.version.generation.next();
    change(&mut next);
    next
}

/// The end of a server.
#[must_use]
pub fn tombstone(spec: &ServerSpec) -> Desired {
    let generation = spec.version.generation.next();
    Desired::Absent(Tombstone { server: spec.server, version: Version { generation, ..spec.version } })
}

//! A server's spec for the tests of the host side.

use csp_shared::{
    generation::{BootEpoch, DiskEpoch, Generation, Incarnation, StartEpoch, Version},
    id::ServerId,
    mac::Mac,
    sha256::Sha256,
    spec::{CpuUse, GuestLimits, Image, ImageFormat, Login, Nic, NicAddress, NicNetwork, Power, ServerSpec},
};
use uuid::Uuid;

/// A small server with one public address of the documentation range.
pub(crate) fn spec() -> ServerSpec {
    ServerSpec {
        server: ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_00bb)),
        version: Version { incarnation: Incarnation::FIRST, generation: Generation::FIRST },
        hostname: "web-1.example.com".to_owned(),
        cpus: 2,
        ram_mib: 2048,
        disk_gib: 20,
        cpu_use: CpuUse::Shared,
        power: Power::On,
        locked: false,
        start_epoch: StartEpoch::FIRST,
        boot_epoch: BootEpoch::FIRST,
        disk_epoch: DiskEpoch::FIRST,
        image: Image {
            sha256: Sha256::of(b"image"),
            url: "http://images.example.com/debian-12.qcow2".to_owned(),
            format: ImageFormat::Qcow2,
            size_bytes: 5,
        },
        login: Login {
            ssh_keys: vec!["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample user@example.com".to_owned()],
            password_hash: None,
        },
        nics: vec![Nic {
            name: "net0".to_owned(),
            mac: Mac::for_guest([1, 2, 3, 4]),
            network: NicNetwork::Public,
            addresses: vec![NicAddress {
                address: [203, 0, 113, 10].into(),
                prefix_len: 24,
                gateway: Some([203, 0, 113, 1].into()),
            }],
            dns: vec![[203, 0, 113, 1].into()],
        }],
        user_data: None,
        limits: GuestLimits::NONE,
        smtp_open: false,
        net_held_mbit_per_second: None,
    }
}

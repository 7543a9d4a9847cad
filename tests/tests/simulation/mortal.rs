//! A machine and a folder below an agent that can die before and after each thing that it does to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    io,
    net::Ipv4Addr,
};

use csp_agent::{
    machine::{HostEvent, HostFacts, Machine, Mark, Seen, SeenTap, Stamp},
    spec_file::{Backing, MemoryBacking, backing::NamedContent},
};
use csp_shared::{
    generation::{DiskEpoch, StartEpoch},
    id::{NetworkId, ServerId},
    mac::Mac,
    message::Orphan,
    observed::Fault,
    spec::{Image, ServerSpec},
};
use csp_tests::FakeMachine;

use super::fuse::Fuse;

#[derive(Clone)]
pub struct Mortal<T> {
    below: T,
    fuse: Fuse,
}

impl<T> Mortal<T> {
    pub fn new(below: T, fuse: Fuse) -> Self {
        Self { below, fuse }
    }

    /// The effect begins when the closure is called.
    async fn does<R, F: Future<Output = R>>(&self, name: &str, effect: impl FnOnce() -> F) -> R {
        self.fuse.cross(name, "before").await;
        let done = effect().await;
        self.fuse.cross(name, "after").await;
        done
    }
}

impl Mortal<FakeMachine> {
    /// The taps of a server.
    pub fn taps(&self, server: ServerId) -> BTreeMap<Mac, SeenTap> {
        self.below.server(server).taps
    }

    /// Makes private networks ready for taps, and no others, each with its largest packet, in bytes.
    pub fn offer(&self, networks: BTreeMap<NetworkId, u32>) {
        self.below.with(|host| host.networks = networks);
    }
}

impl Backing for Mortal<MemoryBacking> {
    async fn read_all(&self) -> io::Result<Vec<NamedContent>> {
        self.below.read_all().await
    }

    async fn write(&self, name: &str, content: Vec<u8>) -> io::Result<()> {
        self.does("record", || self.below.write(name, content)).await
    }
}

impl Machine for Mortal<FakeMachine> {
    async fn facts(&self) -> Result<HostFacts, Fault> {
        self.below.facts().await
    }
    async fn see(&self, server: ServerId, image: Option<&Image>) -> Result<Seen, Fault> {
        self.below.see(server, image).await
    }
    async fn orphans(&self, known: &BTreeSet<ServerId>) -> Result<Vec<Orphan>, Fault> {
        self.below.orphans(known).await
    }
    async fn event(&self) -> HostEvent {
        self.below.event().await
    }
    async fn fetch_image(&self, image: &Image) -> Result<(), Fault> {
        self.does("fetch_image", || self.below.fetch_image(image)).await
    }
    async fn create_disk(&self, spec: &ServerSpec) -> Result<(), Fault> {
        self.does("create_disk", || self.below.create_disk(spec)).await
    }
    async fn grow_disk(&self, spec: &ServerSpec) -> Result<(), Fault> {
        self.does("grow_disk", || self.below.grow_disk(spec)).await
    }
    async fn retire_disk(&self, server: ServerId, epoch: DiskEpoch) -> Result<(), Fault> {
        self.does("retire_disk", || self.below.retire_disk(server, epoch)).await
    }
    async fn write_seed(&self, spec: &ServerSpec, mark: Mark) -> Result<(), Fault> {
        self.does("write_seed", || self.below.write_seed(spec, mark)).await
    }
    async fn remove_seed(&self, server: ServerId) -> Result<(), Fault> {
        self.does("remove_seed", || self.below.remove_seed(server)).await
    }
    async fn make_taps(&self, spec: &ServerSpec) -> Result<(), Fault> {
        self.does("make_taps", || self.below.make_taps(spec)).await
    }
    async fn cut_off(&self, spec: &ServerSpec) -> Result<(), Fault> {
        self.does("cut_off", || self.below.cut_off(spec)).await
    }
    async fn probe_addresses(&self, spec: &ServerSpec, addresses: &BTreeSet<Ipv4Addr>) -> Result<(), Fault> {
        self.does("probe_addresses", || self.below.probe_addresses(spec, addresses)).await
    }
    async fn set_filters(&self, spec: &ServerSpec, mark: Mark) -> Result<(), Fault> {
        self.does("set_filters", || self.below.set_filters(spec, mark)).await
    }
    async fn link_up(&self, spec: &ServerSpec) -> Result<(), Fault> {
        self.does("link_up", || self.below.link_up(spec)).await
    }
    async fn serve_dhcp(&self, spec: &ServerSpec, mark: Mark) -> Result<(), Fault> {
        self.does("serve_dhcp", || self.below.serve_dhcp(spec, mark)).await
    }
    async fn attach_nic(&self, spec: &ServerSpec, mac: Mac) -> Result<(), Fault> {
        self.does("attach_nic", || self.below.attach_nic(spec, mac)).await
    }
    async fn detach_nic(&self, server: ServerId, mac: Mac) -> Result<(), Fault> {
        self.does("detach_nic", || self.below.detach_nic(server, mac)).await
    }
    async fn remove_taps(&self, server: ServerId) -> Result<(), Fault> {
        self.does("remove_taps", || self.below.remove_taps(server)).await
    }
    async fn remove_filters(&self, server: ServerId) -> Result<(), Fault> {
        self.does("remove_filters", || self.below.remove_filters(server)).await
    }
    async fn define(&self, spec: &ServerSpec, stamp: Stamp) -> Result<(), Fault> {
        self.does("define", || self.below.define(spec, stamp)).await
    }
    async fn start(&self, server: ServerId) -> Result<(), Fault> {
        self.does("start", || self.below.start(server)).await
    }
    async fn adopt_start(&self, server: ServerId, epoch: StartEpoch) -> Result<(), Fault> {
        self.does("adopt_start", || self.below.adopt_start(server, epoch)).await
    }
    async fn ask_stop(&self, server: ServerId) -> Result<(), Fault> {
        self.does("ask_stop", || self.below.ask_stop(server)).await
    }
    async fn force_stop(&self, server: ServerId) -> Result<(), Fault> {
        self.does("force_stop", || self.below.force_stop(server)).await
    }
    async fn pause(&self, server: ServerId) -> Result<(), Fault> {
        self.does("pause", || self.below.pause(server)).await
    }
    async fn resume(&self, server: ServerId) -> Result<(), Fault> {
        self.does("resume", || self.below.resume(server)).await
    }
    async fn kill_process(&self, server: ServerId) -> Result<(), Fault> {
        self.does("kill_process", || self.below.kill_process(server)).await
    }
    async fn undefine(&self, server: ServerId) -> Result<(), Fault> {
        self.does("undefine", || self.below.undefine(server)).await
    }
}

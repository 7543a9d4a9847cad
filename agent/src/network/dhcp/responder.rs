//! The tasks that answer, one a tap. They live as long as the agent, and are started again by the next look after it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use csp_shared::{id::ServerId, spec::Nic};
use nix::errno::Errno;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{MARK, SERVER_PORT, answer::answer, lease::Lease, pace::Pace, packet::Request};
use crate::{
    machine::Mark,
    network::{
        NetworkError,
        links::Link,
        packet_socket::{Instruction, Opening, PacketSocket, bpf},
        tap_name::TapName,
    },
};

/// All taps of the host that are answered on.
#[derive(Debug, Default)]
pub struct Responders(Mutex<BTreeMap<ServerId, Serving>>);

/// One server's taps.
#[derive(Debug)]
struct Serving {
    mark: Mark,
    /// By name and number: a tap that was made anew has another number.
    taps: Vec<(String, u32)>,
    /// End with this value.
    tasks: JoinSet<()>,
}

impl Responders {
    /// What the server's answers are made from; none unless all of its taps are answered on now.
    #[must_use]
    pub fn seen(&self, server: ServerId, links: &[Link]) -> Option<Mark> {
        let mut all = self.lock();
        let serving = all.get_mut(&server)?;
        let is_there = |(name, index): &(String, u32)| links.iter().any(|l| l.index == *index && l.name == *name);
        let is_whole = serving.taps.iter().all(is_there) && serving.tasks.try_join_next().is_none();
        is_whole.then_some(serving.mark)
    }

    /// Answers on those of the adapters' taps that are there, in place of what was answered for the server before.
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When a tap takes no frames; then the server is not answered at all.
    pub fn serve(&self, server: ServerId, nics: &[Nic], mark: Mark, links: &[Link]) -> Result<(), NetworkError> {
        self.lock().remove(&server);
        let (mut taps, mut tasks) = (Vec::new(), JoinSet::new());
        for nic in nics {
            let name = TapName::of(server, nic.mac).to_string();
            let Some(link) = links.iter().find(|link| link.name == name) else { continue };
            let Some(lease) = Lease::of(nic, link.mtu) else { continue };
            let opening = Opening { name: &name, index: link.index, filter: &to_a_server(), mark: MARK };
            tasks.spawn(respond(PacketSocket::open(&opening)?, lease));
            taps.push((name, link.index));
        }
        self.lock().insert(server, Serving { mark, taps, tasks });
        Ok(())
    }

    /// Answers the server no longer.
    pub fn end(&self, server: ServerId) {
        self.lock().remove(&server);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ServerId, Serving>> {
        // Whole after a panic: each change is one insert or remove.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers on one tap until it is gone. A guest that asks faster than it may waits, and what it asks meanwhile is lost
/// in its own queue.
async fn respond(socket: PacketSocket, lease: Lease) {
    let begun = Instant::now();
    let mut pace = Pace::full(begun.elapsed());
    loop {
        let reply = |frame: &[u8]| Some(answer(&lease, &Request::parse(frame)?)?.frame());
        match socket.receive(reply).await {
            Ok(Some(reply)) => {
                // Down, or on its way there: the client asks again.
                let _ = socket.send(&reply);
            }
            Ok(None) => {}
            // Told once; the same socket goes on when the link is up again.
            Err(error) if error.raw_os_error() == Some(Errno::ENETDOWN as i32) => {}
            Err(error) => {
                tracing::debug!(mac = %lease.mac, %error, "a tap is answered on no longer");
                return;
            }
        }
        while let Err(wait) = pace.take(begun.elapsed()) {
            sleep(wait).await;
        }
    }
}

/// Frames to a DHCP server: IPv4, UDP, whole, and without a tag, which the kernel takes off before a socket sees it.
fn to_a_server() -> [Instruction; 13] {
    [
        bpf::load_is_tagged(),
        bpf::expect(0, 10),
        bpf::load_u16(12),
        bpf::expect(0x0800, 8),
        bpf::load_u8(23),
        bpf::expect(17, 6),
        bpf::load_u16(20),
        bpf::expect_no_bit(0x3fff, 4),
        bpf::index_by_ipv4_header(14),
        bpf::load_u16_indexed(16),
        bpf::expect(u32::from(SERVER_PORT), 1),
        bpf::take(),
        bpf::leave(),
    ]
}

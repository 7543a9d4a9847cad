//! Tells the segment where an address is now (RFC 5227, an announcement).
//!
//! Whoever spoke with the address knows the MAC of the cable that carried it before: after a move that is another server's,
//! on another host, and until they ask anew nobody answers. So the host says it when a cable comes up, and again when the
//! guest has its adapter: what was learned a moment ago is not learned anew. The frame leaves by the bridge, as if the guest
//! had sent it, so that it reaches the uplink and the other guests alike.

use std::net::Ipv4Addr;

use csp_shared::mac::Mac;

use super::{
    NetworkError,
    arp_probe::request,
    links::Link,
    packet_socket::{Opening, PacketSocket, bpf},
};

/// Announces each address at its MAC, once.
///
/// # Errors
/// When the bridge takes no frames.
pub fn announce(bridge: &Link, addresses: &[(Mac, Ipv4Addr)]) -> Result<(), NetworkError> {
    let filter = [bpf::leave()];
    let opening = Opening { name: &bridge.name, index: bridge.index, filter: &filter, mark: 0 };
    let socket = PacketSocket::open(&opening)?;
    for (mac, address) in addresses {
        let failed = |source| NetworkError::Packets { name: bridge.name.clone(), source };
        socket.send(&request(*mac, *address, *address)).map_err(failed)?;
    }
    Ok(())
}

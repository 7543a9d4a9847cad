//! What a client is answered. Pure.

use std::net::Ipv4Addr;

use super::{
    lease::{self, Lease},
    packet::{Reply, Request, Told, Wish, Word},
};

/// The answer to a request that came in on the tap of `lease`; none where there is nothing to say. Who sent the frame and
/// whom it is about are compared here: the agent sees it before any filter does.
#[must_use]
pub fn answer(lease: &Lease, request: &Request) -> Option<Reply> {
    if request.source != lease.mac || request.chaddr != lease.mac {
        return None;
    }
    match request.wish {
        Wish::Discover => Some(reply(lease, request, Word::Offer)),
        Wish::Inform => (request.uses == lease.address()).then(|| reply(lease, request, Word::Ack)),
        // It chose another server; there is none on this cable.
        Wish::Request if request.server.is_some_and(|server| server != lease.server()) => None,
        Wish::Request => {
            let uses = Some(request.uses).filter(|address| !address.is_unspecified());
            let word = if request.requested.or(uses)? == lease.address() { Word::Ack } else { Word::Nak };
            Some(reply(lease, request, word))
        }
    }
}

fn reply(lease: &Lease, request: &Request, word: Word) -> Reply {
    let is_known = word != Word::Nak && request.uses == lease.address();
    // Without an address of its own, a client that cannot hear another one yet says so; one that is refused cannot.
    let broadcast = word == Word::Nak || (request.broadcast && !is_known);
    let gives = word != Word::Nak && request.wish != Wish::Inform;
    let (uses, yours) = (if is_known { request.uses } else { Ipv4Addr::UNSPECIFIED }, lease.address());
    let times = gives.then_some(Told::Times([lease::SECONDS, lease::RENEW_SECONDS, lease::REBIND_SECONDS]));
    let more = if word == Word::Nak { Vec::new() } else { settings(lease) };
    Reply {
        word,
        source: lease.mac.of_tap(),
        chaddr: lease.mac,
        broadcast,
        to: if broadcast { Ipv4Addr::BROADCAST } else { lease.address() },
        transaction: request.transaction,
        client: request.client.clone(),
        uses,
        yours: if gives { yours } else { Ipv4Addr::UNSPECIFIED },
        server: lease.server(),
        told: times.into_iter().chain(more).collect(),
    }
}

fn settings(lease: &Lease) -> Vec<Told> {
    let routes = lease.routes();
    let mask = Told::Mask(lease.network.netmask());
    let router = lease.gateway.map(Told::Router);
    let dns = (!lease.dns.is_empty()).then(|| Told::Dns(lease.dns.clone()));
    let routes = (!routes.is_empty()).then_some(Told::Routes(routes));
    [Some(mask), router, dns, Some(Told::Mtu(lease.mtu)), routes].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use csp_shared::mac::Mac;
    use proptest::prelude::*;

    use super::*;
    use crate::network::dhcp::lease::tests::lease;

    const OTHER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 99);

    fn request(wish: Wish) -> Request {
        Request {
            source: lease().mac,
            chaddr: lease().mac,
            wish,
            transaction: [1, 2, 3, 4],
            broadcast: false,
            uses: Ipv4Addr::UNSPECIFIED,
            requested: None,
            server: None,
            client: vec![1],
        }
    }

    #[test]
    fn each_wish_has_its_answer() {
        let own = lease().address();
        let asks = |change: fn(&mut Request)| {
            let mut request = request(Wish::Request);
            change(&mut request);
            request
        };
        let table = [
            ("who is there", request(Wish::Discover), Some(Word::Offer)),
            ("takes the offer", asks(|r| r.requested = Some(Ipv4Addr::new(203, 0, 113, 10))), Some(Word::Ack)),
            ("after a reboot, elsewhere", asks(|r| r.requested = Some(OTHER)), Some(Word::Nak)),
            ("renews", asks(|r| r.uses = Ipv4Addr::new(203, 0, 113, 10)), Some(Word::Ack)),
            ("renews another's", asks(|r| r.uses = OTHER), Some(Word::Nak)),
            ("takes another server's", asks(|r| (r.server, r.requested) = (Some(OTHER), Some(OTHER))), None),
            ("asks for nothing", asks(|_| ()), None),
            ("informs itself", Request { uses: own, ..request(Wish::Inform) }, Some(Word::Ack)),
            ("informs itself as another", Request { uses: OTHER, ..request(Wish::Inform) }, None),
            ("with another's frame", Request { source: Mac([2; 6]), ..request(Wish::Discover) }, None),
            ("for another's adapter", Request { chaddr: Mac([2; 6]), ..request(Wish::Discover) }, None),
        ];
        for (name, request, word) in table {
            assert_eq!(answer(&lease(), &request).map(|reply| reply.word), word, "{name}");
        }
    }

    #[test]
    fn an_answer_goes_where_its_client_hears_it() {
        let to = |request: &Request| answer(&lease(), request).map(|reply| (reply.broadcast, reply.to)).unwrap();
        let own = lease().address();
        assert_eq!(to(&request(Wish::Discover)), (false, own));
        assert_eq!(to(&Request { broadcast: true, ..request(Wish::Discover) }), (true, Ipv4Addr::BROADCAST));
        assert_eq!(to(&Request { broadcast: true, uses: own, ..request(Wish::Request) }), (false, own), "it has it");
        assert_eq!(to(&Request { uses: OTHER, ..request(Wish::Request) }), (true, Ipv4Addr::BROADCAST));
    }

    #[test]
    fn who_only_informs_itself_is_given_no_address_and_no_time() {
        let own = lease().address();
        let told = answer(&lease(), &Request { uses: own, ..request(Wish::Inform) }).unwrap();
        assert!(told.yours.is_unspecified() && !told.told.iter().any(|told| matches!(told, Told::Times(_))));
        assert!(told.told.contains(&Told::Router(Ipv4Addr::new(203, 0, 113, 1))));
    }

    proptest! {
        /// By tap and MAC: whatever else a client says, it gets this adapter's address or none.
        #[test]
        fn no_client_is_ever_given_another_address(
            client in prop::collection::vec(any::<u8>(), 0..20),
            wish in prop::sample::select(vec![Wish::Discover, Wish::Request, Wish::Inform]),
            (uses, requested, server) in (any::<u32>(), any::<Option<u32>>(), any::<Option<u32>>()),
            broadcast: bool,
        ) {
            let asked = Request {
                client, broadcast, uses: uses.into(),
                requested: requested.map(Ipv4Addr::from), server: server.map(Ipv4Addr::from),
                ..request(wish)
            };
            if let Some(reply) = answer(&lease(), &asked) {
                prop_assert!(reply.yours == lease().address() || reply.yours.is_unspecified());
                prop_assert_eq!(reply.chaddr, lease().mac);
                prop_assert_eq!(reply.client, asked.client);
            }
        }
    }
}

//! Private networks under running guests: two guests on two hosts and one beside them, over VXLAN.

use serde_json::{Value, json};

use crate::rig::{Lab, Server, text};

/// What the adapter is called in a guest that had only its public one.
const ADAPTER: &str = "eth1";
/// The interface of a host that its private networks travel on.
const UNDERLAY: &str = "mgmt";
/// Of the lab's location.
const MTU: usize = 1450;
/// What IPv4 and ICMP take of a packet.
const HEADERS: usize = 28;
/// Four a second.
const PINGS: usize = 80;

struct Network {
    uuid: String,
    subnet: String,
}

struct Member {
    path: String,
    address: String,
}

fn make(lab: &Lab, name: &str) -> Network {
    let made = lab.must("POST", "/private-networks", &json!({"name": name}));
    Network { uuid: text(&made["data"]["uuid"]), subnet: text(&made["data"]["subnet"]) }
}

impl Network {
    fn path(&self) -> String {
        format!("/private-networks/{}", self.uuid)
    }

    /// Plugs a guest in, and waits until it has its address, told by DHCP.
    fn attach(&self, lab: &Lab, server: &Server) -> Member {
        let member = self.ask_in(lab, server);
        self.await_address(lab, server, &member);
        member
    }

    fn ask_in(&self, lab: &Lab, server: &Server) -> Member {
        let attached = lab.must("POST", &format!("{}/attach", self.path()), &json!({"server_uuid": server.uuid}));
        let id = text(&attached["data"]["membership_id"]);
        Member { path: format!("{}/members/{id}", self.path()), address: text(&attached["data"]["address"]) }
    }

    fn await_address(&self, lab: &Lab, server: &Server, member: &Member) {
        let prefix = self.subnet.split_once('/').unwrap().1;
        let told = format!("inet {}/{prefix}", member.address);
        lab.await_true("the guest to have its private address", || {
            lab.ssh(server, &format!("ip -4 -o addr show dev {ADAPTER} 2>/dev/null; true")).contains(&told)
        });
    }

    /// Takes a guest out again, and waits until its adapter went.
    fn detach(&self, lab: &Lab, server: &Server, member: &Member) {
        let gone = lab.must("DELETE", &member.path, &json!({}));
        assert_eq!(lab.ended(&gone), "done");
        lab.await_true("the adapter to be gone", || !has_adapter(lab, server));
    }

    fn delete(&self, lab: &Lab) {
        lab.must("DELETE", &self.path(), &json!({}));
        lab.await_true("every host to have proved it gone", || {
            let (_, shown) = lab.operate(&["network", "show", &self.uuid]);
            text(&shown["state"]) == "resting"
        });
    }
}

fn has_adapter(lab: &Lab, server: &Server) -> bool {
    lab.ssh(server, &format!("[ -e /sys/class/net/{ADAPTER} ] && echo there; true")).contains("there")
}

/// Two guests on two hosts and no more, since they may be slow: over the trunk, in the largest packets.
#[cfg(feature = "vlan-lab")]
#[test]
fn guests_on_two_hosts_are_one_network_by_its_tag() {
    let lab = Lab::of_environment();
    let [near, far] = ["tag-a.example.com", "tag-b.example.com"].map(|name| lab.order(name));
    lab.await_status(&near, "Online");
    lab.await_status(&far, "Online");
    assert_ne!(lab.host_of(&near), lab.host_of(&far), "a customer's servers stand apart");
    let inside = make(&lab, "tagged");
    let (at_near, at_far) = (inside.ask_in(&lab, &near), inside.ask_in(&lab, &far));
    inside.await_address(&lab, &near, &at_near);
    inside.await_address(&lab, &far, &at_far);
    assert!(text(&lab.operate(&["network", "show", &inside.uuid]).1["segment"]).starts_with("vlan "));
    lab.await_true("the largest packets to pass", || reaches(&lab, &near, &at_far.address, 1500));
    lab.await_true("and back", || reaches(&lab, &far, &at_near.address, 1500));
    inside.detach(&lab, &far, &at_far);
    assert!(!is_answered(&lab, &near, &at_far.address), "it left");
    inside.detach(&lab, &near, &at_near);
    inside.delete(&lab);
    assert_eq!(made_on_hosts(&lab), Vec::<String>::new(), "nothing of private networks is left");
    lab.destroy(&near);
    lab.destroy(&far);
}

/// Three guests: two on one host, and one on the other, in this order.
fn guests(lab: &Lab) -> [Server; 3] {
    let mut guests = ["net-a.example.com", "net-b.example.com", "net-c.example.com"].map(|name| lab.order(name));
    for guest in &guests {
        lab.await_status(guest, "Online");
    }
    let hosts = guests.each_ref().map(|guest| lab.host_of(guest));
    let alone = (0..3).find(|&one| (0..3).filter(|&other| hosts[one] == hosts[other]).count() == 1);
    guests.swap(alone.expect("orders spread over both hosts"), 2);
    guests
}

/// Whether three packets of a size come back, each.
fn reaches(lab: &Lab, from: &Server, address: &str, packet: usize) -> bool {
    let ping = format!("ping -I {ADAPTER} -c 3 -W 3 -s {} {address} || true", packet - HEADERS);
    lab.ssh(from, &ping).contains("3 packets received")
}

/// Whether anybody on the guest's private segment answers for the address.
fn is_answered(lab: &Lab, from: &Server, address: &str) -> bool {
    let ask = format!("arping -f -c 3 -w 3 -I {ADAPTER} {address} >/dev/null && echo answered; true");
    lab.ssh(from, &ask).contains("answered")
}

/// The addresses of the host itself that its guest could know.
fn addresses_of_host(lab: &Lab, host: &str) -> Vec<String> {
    let (_, said) = lab.exec(host, &["ip", "-4", "-j", "addr", "show", "dev", UNDERLAY]);
    let interfaces: Value = serde_json::from_str(&said).unwrap();
    let addresses = interfaces[0]["addr_info"].as_array().unwrap();
    addresses.iter().map(|address| text(&address["local"])).collect()
}

/// Interfaces of private networks on both hosts.
fn made_on_hosts(lab: &Lab) -> Vec<String> {
    let links = ["h1", "h2"].map(|host| lab.exec(host, &["ls", "/sys/class/net"]).1);
    let names = links.iter().flat_map(|links| links.split_whitespace());
    names
        .filter(|name| ["cspb", "cspx", "cspvlan"].iter().any(|ours| name.starts_with(ours)))
        .map(str::to_owned)
        .collect()
}

#[test]
fn guests_on_two_hosts_are_one_network_and_another_one_beside_them_is_not() {
    let lab = Lab::of_environment();
    let [near, beside, far] = guests(&lab);
    let (inside, other) = (make(&lab, "inside"), make(&lab, "other"));
    let (at_near, at_far, at_beside) =
        (inside.ask_in(&lab, &near), inside.ask_in(&lab, &far), other.ask_in(&lab, &beside));
    inside.await_address(&lab, &near, &at_near);
    inside.await_address(&lab, &far, &at_far);
    other.await_address(&lab, &beside, &at_beside);

    let told = lab.ssh(&near, &format!("cat /sys/class/net/{ADAPTER}/mtu"));
    assert_eq!(told.trim(), MTU.to_string(), "DHCP tells how large packets are");
    assert!(reaches(&lab, &near, &at_far.address, MTU), "between hosts, in the largest packets");
    assert!(reaches(&lab, &far, &at_near.address, MTU), "and back");

    nobody_but_members_is_reached(&lab, [&near, &beside], &inside, &at_near);
    agents_come_again_and_no_packet_is_lost(&lab, [&near, &far], &at_far);

    other.detach(&lab, &beside, &at_beside);
    let at_beside = inside.attach(&lab, &beside);
    assert!(is_answered(&lab, &beside, &at_near.address), "now that it is of the same network");
    assert!(reaches(&lab, &beside, &at_near.address, MTU), "on one host");
    assert!(reaches(&lab, &far, &at_beside.address, MTU), "from the other host");

    inside.detach(&lab, &near, &at_near);
    assert!(!is_answered(&lab, &far, &at_near.address), "it left");
    assert!(reaches(&lab, &far, &at_beside.address, MTU), "the others stay");
    other.delete(&lab);
    lab.destroy(&beside);
    inside.detach(&lab, &far, &at_far);
    inside.delete(&lab);
    assert_eq!(made_on_hosts(&lab), Vec::<String>::new(), "nothing of private networks is left");
    lab.destroy(&near);
    lab.destroy(&far);
}

/// The guest beside is of another network and sends where members would be found.
fn nobody_but_members_is_reached(lab: &Lab, [near, beside]: [&Server; 2], inside: &Network, at_near: &Member) {
    lab.ssh(beside, &format!("ip route replace {} dev {ADAPTER}", inside.subnet));
    assert!(!is_answered(lab, beside, &at_near.address), "another network's member has no neighbour there");
    assert!(!reaches(lab, beside, &at_near.address, 100));
    let own = addresses_of_host(lab, &lab.host_of(near));
    assert!(!own.is_empty());
    for address in own {
        lab.ssh(near, &format!("ip route replace {address}/32 dev {ADAPTER}"));
        assert!(!is_answered(lab, near, &address), "the host has no address in the network");
        assert!(!reaches(lab, near, &address, 100));
        lab.ssh(near, &format!("ip route del {address}/32 dev {ADAPTER}"));
    }
}

fn agents_come_again_and_no_packet_is_lost(lab: &Lab, [near, far]: [&Server; 2], at_far: &Member) {
    let ping = format!("ping -I {ADAPTER} -c {PINGS} -i 0.25 -W 3 {} >/run/pings 2>&1", at_far.address);
    lab.ssh(near, &format!("({ping}; echo ended >>/run/pings) >/dev/null 2>&1 </dev/null &"));
    for host in [lab.host_of(near), lab.host_of(far)] {
        lab.run(&["kill-agent", &host]);
        lab.run(&["start-agent", &host]);
    }
    let mut said = String::new();
    lab.await_true("the pings to end", || {
        said = lab.ssh(near, "tail -n 5 /run/pings");
        said.contains("ended")
    });
    assert!(said.contains(&format!("{PINGS} packets received")), "{said}");
}

//! `/private-networks`: networks of an account's own, who is in them, what hosts are told, and when what they had can be
//! another's.

use csp_shared::{
    id::ServerId,
    network::{DesiredNetwork, HostNetworks, MemberPlace, NetworkRemains, NetworkSpec, ObservedNetwork, Segment},
    spec::{Desired, NicNetwork},
};
use csp_tests::test_control::{EXAMPLE_CATALOG, Reply, TestControl, TestCustomer, TestHost};
use serde_json::{Value, json};

const HOUR: i64 = 3600;

struct World {
    control: TestControl,
    hosts: Vec<TestHost>,
    ada: TestCustomer,
}

impl World {
    async fn with(catalog: &str, hosts: usize) -> Self {
        let control = TestControl::with_catalog(catalog).await;
        let mut joined = Vec::new();
        for number in 1..=hosts {
            joined.push(control.host(&format!("host-{number}")).await);
        }
        // Of equal hosts the newest gets the first server.
        joined.reverse();
        let ada = control.customer("ada", "500").await;
        Self { control, hosts: joined, ada }
    }

    async fn new() -> Self {
        Self::with(EXAMPLE_CATALOG, 2).await
    }

    async fn ask(&self, method: &str, path: &str, body: &Value) -> Reply {
        let send = self.control.api(method, path).by(&self.ada);
        if body.is_null() { send.send().await } else { send.json(body).send().await }
    }

    async fn obey(&self) {
        for host in &self.hosts {
            host.obey().await;
        }
    }

    /// A server that runs; each stands on the next host.
    async fn server(&self, hostname: &str) -> ServerId {
        let order =
            json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": hostname});
        let reply = self.ask("POST", "/servers", &order).await;
        self.obey().await;
        reply.data()["uuid"].as_str().unwrap().parse().unwrap()
    }

    async fn network(&self, name: &str) -> String {
        let reply = self.ask("POST", "/private-networks", &json!({"name": name})).await;
        assert_eq!(reply.status.as_u16(), 200, "{}", reply.text);
        reply.data()["uuid"].as_str().unwrap().to_owned()
    }

    async fn attach(&self, network: &str, server: ServerId) -> Reply {
        self.ask("POST", &format!("/private-networks/{network}/attach"), &json!({"server_uuid": server})).await
    }

    async fn attached(&self, network: &str, server: ServerId) -> String {
        let reply = self.attach(network, server).await;
        assert_eq!(reply.status.as_u16(), 200, "{}", reply.text);
        reply.data()["membership_id"].as_str().unwrap().to_owned()
    }

    async fn detach(&self, network: &str, member: &str) -> Reply {
        self.ask("DELETE", &format!("/private-networks/{network}/members/{member}"), &Value::Null).await
    }

    async fn shown(&self, network: &str) -> Value {
        self.ask("GET", &format!("/private-networks/{network}"), &Value::Null).await.data().clone()
    }

    /// How a network's subnet and segment are in use, as an operator is shown it.
    async fn state(&self, network: &str) -> Value {
        self.control.operator("GET", &format!("/networks/{network}")).send().await.data()["state"].clone()
    }

    async fn spec(&self, server: ServerId) -> Desired {
        self.control.app.store.read(move |read| read.spec_get(server)).await.unwrap().unwrap()
    }

    /// What a host should know of the one network that there is.
    async fn wanted(&self, host: usize) -> Option<NetworkSpec> {
        let host = self.hosts[host].host;
        let objects = self.control.app.store.read(|read| read.network_audit()).await.unwrap();
        objects.into_iter().filter(|object| object.host == host).find_map(|object| match object.desired {
            DesiredNetwork::Present(spec) => Some(*spec),
            DesiredNetwork::Absent(_) => None,
        })
    }
}

#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status.as_u16(), reply.code()), (status, code), "{}", reply.text);
}

#[tokio::test]
async fn a_network_is_made_shown_renamed_and_deleted() {
    let world = World::new().await;
    let made = world.ask("POST", "/private-networks", &json!({"name": " Back end ", "location": null})).await;
    let network = made.data().clone();
    assert_eq!((&network["name"], &network["subnet"]), (&json!("Back end"), &json!("10.64.0.0/24")));
    assert_eq!((&network["location"], &network["members"]), (&Value::Null, &json!([])));
    assert_eq!(network["created_at"], "2026-06-10 12:00:00");
    let id = network["uuid"].as_str().unwrap();
    let list = world.ask("GET", "/private-networks", &Value::Null).await;
    assert_eq!((list.data(), &list.json["total"]), (&json!([network]), &json!(1)));

    let path = format!("/private-networks/{id}");
    let renamed = world.ask("PATCH", &path, &json!({"name": "Storage"})).await;
    assert_eq!((&renamed.data()["name"], &renamed.data()["subnet"]), (&json!("Storage"), &network["subnet"]));
    assert_eq!(world.ask("PATCH", &path, &json!({})).await.data()["name"], "Storage", "what is left out stays");
    let there = world.ask("POST", "/private-networks", &json!({"name": "There", "location": "first"})).await;
    assert_eq!((&there.data()["location"], &there.data()["subnet"]), (&json!("first"), &json!("10.64.1.0/24")));

    let deleted = world.ask("DELETE", &path, &Value::Null).await;
    assert_eq!(deleted.json["message"], "Private network deleted.");
    refused(&world.ask("GET", &path, &Value::Null).await, 404, "not_found");
    let told =
        world.control.events(world.ada.account).await.into_iter().filter(|(kind, _)| kind.starts_with("network."));
    let told: Vec<(String, Value)> = told.map(|(kind, data)| (kind, data["name"].clone())).collect();
    let wanted = [("created", "Back end"), ("updated", "Storage"), ("created", "There"), ("deleted", "Storage")];
    assert_eq!(told, wanted.map(|(kind, name)| (format!("network.{kind}"), json!(name))));
}

#[tokio::test]
async fn bad_fields_are_named() {
    let world = World::new().await;
    for (body, code, field) in [
        (json!({}), "validation_failed", "name"),
        (json!({"name": "a\u{202e}"}), "validation_failed", "name"),
        (json!({"name": 7}), "validation_failed", "name"),
        (json!({"name": "a", "subnet": "10.0.0.0/8"}), "validation_failed", "subnet"),
        (json!({"name": "a", "location": "mars"}), "location_not_found", "location"),
    ] {
        let reply = world.ask("POST", "/private-networks", &body).await;
        refused(&reply, 422, code);
        assert_eq!(reply.fields(), [field], "{body}");
    }
    let network = world.network("a").await;
    for body in [json!({}), json!({"server_uuid": "web1"}), json!({"server_uuid": 7})] {
        let reply = world.ask("POST", &format!("/private-networks/{network}/attach"), &body).await;
        refused(&reply, 422, "validation_failed");
        assert_eq!(reply.fields(), ["server_uuid"], "{body}");
    }
}

#[tokio::test]
async fn servers_on_two_hosts_are_attached_and_each_host_is_told_of_both() {
    let world = World::new().await;
    let (one, two) = (world.server("one").await, world.server("two").await);
    let network = world.network("Internal network").await;
    let reply = world.attach(&network, one).await;
    assert_eq!(reply.json["message"], "Private network attachment queued.");
    assert_eq!((&reply.data()["address"], &reply.data()["adapter"]), (&json!("10.64.0.1"), &json!("net1")));
    assert_eq!(
        (&reply.json["action"]["command"], &reply.json["action"]["status"]),
        (&json!("attach_network"), &json!("queued"))
    );
    world.attached(&network, two).await;
    let shown = world.shown(&network).await;
    let statuses: Vec<_> = shown["members"].as_array().unwrap().iter().map(|member| member["status"].clone()).collect();
    assert_eq!((statuses, &shown["location"]), (vec![json!("queued"), json!("queued")], &json!("first")));
    let Desired::Present(spec) = world.spec(one).await else { panic!("it is there") };
    assert!(matches!(spec.nics[1].network, NicNetwork::Private { .. }) && spec.nics[1].addresses[0].gateway.is_none());

    world.obey().await;
    let shown = world.shown(&network).await;
    let member = |at: usize| shown["members"][at].clone();
    assert_eq!((&member(0)["status"], &member(0)["hostname"]), (&json!("active"), &json!("one")));
    assert_eq!((&member(1)["status"], &member(1)["address"]), (&json!("active"), &json!("10.64.0.2")));
    let adapters = world.ask("GET", &format!("/servers/{one}"), &Value::Null).await.data()["adapters"].clone();
    assert_eq!((&adapters[1]["name"], &adapters[1]["addresses"]), (&json!("net1"), &json!(["10.64.0.1"])));
    assert_eq!(adapters[1]["private_network_uuid"], json!(network));

    let (first, second) = (world.wanted(0).await.unwrap(), world.wanted(1).await.unwrap());
    assert_eq!((first.mtu, first.members.len(), second.members.len()), (1450, 2, 2));
    let here = |spec: &NetworkSpec| spec.members.iter().filter(|member| member.at == MemberPlace::Here).count();
    assert_eq!((here(&first), here(&second)), (1, 1));
    let vni = |spec: &NetworkSpec| match &spec.segment {
        Segment::Vxlan { vni, peers } => (vni.get(), peers.len()),
        Segment::Vlan { .. } => panic!("the location carries them by VXLAN"),
    };
    assert_eq!((vni(&first), vni(&second)), ((4096, 1), (4096, 1)));
}

#[tokio::test]
async fn a_host_hears_of_a_network_no_later_than_of_the_adapter() {
    let world = World::new().await;
    let server = world.server("one").await;
    let network = world.network("a").await;
    world.attached(&network, server).await;
    let told = world.hosts[0].networks_to_hear().await;
    assert_eq!(told.len(), 1, "it is in the store as soon as the spec is: {told:?}");
    world.obey().await;
    assert_eq!(world.hosts[0].networks_to_hear().await, [], "what it accepted is not told again");
}

#[tokio::test]
async fn what_cannot_be_attached_is_refused_and_changes_nothing() {
    let elsewhere = "\n[[locations]]\nslug = \"second\"\nname = \"Second\"\n\n[[locations]]\nslug = \"third\"\nname = \"Third\"\n\
                     [locations.private_networks]\nsegments = \"vlan\"\nfirst = 100\nlast = 100\n";
    let world = World::with(&format!("{EXAMPLE_CATALOG}{elsewhere}"), 2).await;
    let server = world.server("one").await;
    let network = world.network("a").await;
    world.attached(&network, server).await;
    let before = world.spec(server).await;
    refused(&world.attach(&network, server).await, 409, "already_exists");
    let third = world.ask("POST", "/private-networks", &json!({"name": "c", "location": "third"})).await;
    let id = third.data()["uuid"].as_str().unwrap().to_owned();
    refused(&world.attach(&id, server).await, 422, "validation_failed");
    let full = world.ask("POST", "/private-networks", &json!({"name": "d", "location": "third"})).await;
    refused(&full, 409, "no_network_available");
    let none = world.ask("POST", "/private-networks", &json!({"name": "d", "location": "second"})).await;
    refused(&none, 409, "no_network_available");
    assert!(none.text.contains("location `second` has no private networks"), "{}", none.text);

    let eve = world.control.customer("eve", "100").await;
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "eves"});
    let hers = world.control.api("POST", "/servers").by(&eve).json(&order).send().await.data()["uuid"].clone();
    world.obey().await;
    let absent = "0192f0c1-0000-7000-8000-000000000001";
    let other = world.network("b").await;
    let mut answers = Vec::new();
    for server in [hers.as_str().unwrap(), absent] {
        let send = world.control.api("POST", &format!("/private-networks/{other}/attach")).by(&world.ada);
        let reply = send.header("x-request-id", "same").json(&json!({"server_uuid": server})).send().await;
        refused(&reply, 404, "not_found");
        answers.push(reply.text);
    }
    assert_eq!(answers[0], answers[1], "another's server is one that is not there");
    assert_eq!(world.spec(server).await, before);

    // A host that says it takes part in none.
    world.hosts[0].carries(HostNetworks::default()).await;
    refused(&world.attach(&other, server).await, 409, "no_network_available");
}

#[tokio::test]
async fn a_subnet_is_full_when_every_address_is_somebodys() {
    let catalog = EXAMPLE_CATALOG.replacen(
        "cidr = \"10.64.0.0/12\"\nsubnet_prefix = 24",
        "cidr = \"10.64.0.0/28\"\nsubnet_prefix = 29",
        1,
    );
    let world = World::with(&catalog, 1).await;
    let ranges = world.ask("GET", "/private-networks/subnets", &Value::Null).await;
    assert_eq!(ranges.data(), &json!([{"range": "10.64.0.0/28", "prefix": 29, "total": 2, "used": 0, "free": 2}]));
    let network = world.network("a").await;
    world.network("b").await;
    refused(&world.ask("POST", "/private-networks", &json!({"name": "c"})).await, 409, "no_network_available");
    let ranges = world.ask("GET", "/private-networks/subnets", &Value::Null).await;
    assert_eq!((&ranges.data()[0]["used"], &ranges.data()[0]["free"]), (&json!(2), &json!(0)));
    for number in 0..6 {
        let server = world.server(&format!("s{number}")).await;
        world.attached(&network, server).await;
    }
    let server = world.server("s6").await;
    refused(&world.attach(&network, server).await, 409, "no_network_available");
}

#[tokio::test]
async fn an_address_is_held_until_its_host_let_go_and_then_it_rests() {
    let world = World::new().await;
    let (one, two) = (world.server("one").await, world.server("two").await);
    let network = world.network("a").await;
    let member = world.attached(&network, one).await;
    world.attached(&network, two).await;
    world.obey().await;
    refused(&world.ask("DELETE", &format!("/private-networks/{network}"), &Value::Null).await, 409, "network_in_use");

    let detached = world.detach(&network, &member).await;
    assert_eq!(detached.json["message"], "Private network detachment queued.");
    assert_eq!(world.shown(&network).await["members"][0]["status"], "removing");
    refused(&world.detach(&network, &member).await, 404, "not_found");
    // The other host's list is without it at once; this host's own is to be gone.
    assert_eq!(world.wanted(1).await.unwrap().members.len(), 1);
    assert_eq!(world.wanted(0).await, None);
    let again = world.attach(&network, one).await;
    let told = (&again.data()["address"], &again.data()["adapter"]);
    assert_eq!(told, (&json!("10.64.0.3"), &json!("net2")), "the old one may still be in use");

    world.obey().await;
    let members = world.shown(&network).await["members"].clone();
    assert_eq!(members.as_array().unwrap().len(), 2, "it is gone: {members}");
    let third = world.server("three").await;
    assert_eq!(world.attach(&network, third).await.data()["address"], "10.64.0.4", "it rests");
    world.control.clock.advance(2 * HOUR);
    world.hosts[0].alive().await;
    world.hosts[1].alive().await;
    let fourth = world.server("four").await;
    assert_eq!(world.attach(&network, fourth).await.data()["address"], "10.64.0.1");
}

#[tokio::test]
async fn a_deleted_networks_subnet_and_segment_are_held_until_every_host_proved_it_gone() {
    let world = World::new().await;
    let (one, two) = (world.server("one").await, world.server("two").await);
    let network = world.network("a").await;
    let members = [world.attached(&network, one).await, world.attached(&network, two).await];
    world.obey().await;
    for member in &members {
        assert_eq!(world.detach(&network, member).await.status.as_u16(), 200);
    }
    let deleted = world.ask("DELETE", &format!("/private-networks/{network}"), &Value::Null).await;
    assert_eq!(deleted.status.as_u16(), 200, "nobody is in it any more: {}", deleted.text);
    world.hosts[0].obey().await;
    // The other host holds the newest word and cannot prove that it did it.
    let unproved = |seen: ObservedNetwork| ObservedNetwork { remains: NetworkRemains::UNPROVED, ..seen };
    world.hosts[1].says_of_networks(unproved).await;
    world.control.clock.advance(3 * HOUR);
    assert_eq!(world.state(&network).await, "held");
    let other = world.ask("POST", "/private-networks", &json!({"name": "b", "location": "first"})).await;
    assert_eq!(other.data()["subnet"], "10.64.1.0/24");

    // It looks again.
    let again = world.hosts[1].connected_again().await;
    again.tells_nothing().await;
    again.says_of_networks(|seen| seen).await;
    assert_eq!(world.state(&network).await, "resting");
    let third = world.network("c").await;
    assert_eq!(world.shown(&third).await["subnet"], "10.64.2.0/24", "it rests first");
    world.control.clock.advance(2 * HOUR);
    let fourth = world.ask("POST", "/private-networks", &json!({"name": "d", "location": "first"})).await;
    assert_eq!(fourth.data()["subnet"], "10.64.0.0/24");
    assert_eq!(world.state(&network).await, "free");
    let listed = world.control.operator("GET", "/networks").send().await;
    let segments: Vec<_> = listed.data().as_array().unwrap().iter().map(|network| network["segment"].clone()).collect();
    assert_eq!(segments, [json!("vxlan 4097"), Value::Null, json!("vxlan 4096")]);
}

#[tokio::test]
async fn tags_that_a_host_uses_itself_are_given_to_no_network() {
    let catalog = EXAMPLE_CATALOG.replacen(
        "segments = \"vxlan\"\nfirst = 4096\nlast = 8191\nreserved = []",
        "segments = \"vlan\"\nfirst = 100\nlast = 110\nreserved = [101]",
        1,
    );
    let world = World::with(&catalog, 2).await;
    let own_tags = vec![100.try_into().unwrap(), 102.try_into().unwrap()];
    world.hosts[1].carries(HostNetworks { vlan: true, underlay: None, own_tags }).await;
    let server = world.server("one").await;
    let network = world.network("a").await;
    world.attached(&network, server).await;
    let host = if world.wanted(0).await.is_some() { 0 } else { 1 };
    assert_eq!(world.wanted(host).await.unwrap().segment, Segment::Vlan { tag: 103.try_into().unwrap() });
    assert_eq!(world.wanted(host).await.unwrap().mtu, 1500);
}

#[tokio::test]
async fn a_destroyed_server_leaves_its_networks_and_a_host_that_moves_is_told_to_the_others() {
    let world = World::new().await;
    let (one, two) = (world.server("one").await, world.server("two").await);
    let network = world.network("a").await;
    world.attached(&network, one).await;
    world.attached(&network, two).await;
    world.obey().await;
    let moved = HostNetworks { underlay: Some("192.0.2.99".parse().unwrap()), ..HostNetworks::default() };
    world.hosts[0].carries(moved).await;
    let Segment::Vxlan { peers, .. } = world.wanted(1).await.unwrap().segment else { panic!("by VXLAN") };
    assert_eq!(peers, ["192.0.2.99".parse::<std::net::IpAddr>().unwrap()]);

    assert_eq!(world.ask("POST", &format!("/servers/{one}/destroy"), &Value::Null).await.status.as_u16(), 200);
    assert_eq!(world.wanted(0).await, None);
    let Segment::Vxlan { peers, .. } = world.wanted(1).await.unwrap().segment else { panic!("by VXLAN") };
    assert!(peers.is_empty(), "nobody is sent frames that nobody takes");
    assert_eq!(world.shown(&network).await["members"][0]["status"], "removing");
    world.obey().await;
    assert_eq!(world.shown(&network).await["members"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_host_that_lost_its_disk_is_told_all_again_and_one_that_is_ahead_changes_nothing() {
    let world = World::new().await;
    let one = world.server("one").await;
    let network = world.network("a").await;
    world.attached(&network, one).await;
    world.obey().await;
    let again = world.hosts[0].connected_again().await;
    again.tells_nothing().await;
    assert_eq!(again.networks_to_hear().await.len(), 1, "its inventory named none");
    again
        .says_of_networks(|mut seen| {
            seen.accepted.0.generation = seen.accepted.0.generation.next();
            seen
        })
        .await;
    assert_eq!(again.networks_to_hear().await.len(), 1, "what it says of a version that never was is not believed");
}

#[tokio::test]
async fn an_account_has_as_many_networks_as_it_may_have() {
    let world = World::new().await;
    let path = format!("/accounts/{}/limits", world.ada.account);
    world.control.operator("POST", &path).json(&json!({"limits": {"private_networks": 1}})).send().await;
    let network = world.network("a").await;
    refused(&world.ask("POST", "/private-networks", &json!({"name": "b"})).await, 409, "limit_reached");
    world.ask("DELETE", &format!("/private-networks/{network}"), &Value::Null).await;
    world.network("b").await;
}

#[tokio::test]
async fn a_lost_hosts_servers_leave_and_a_fenced_hosts_word_is_not_waited_for() {
    let world = World::new().await;
    let (one, two) = (world.server("one").await, world.server("two").await);
    let network = world.network("a").await;
    world.attached(&network, one).await;
    world.attached(&network, two).await;
    world.obey().await;
    world.control.pass(120, 60).await;
    world.hosts[1].alive().await;
    let lost = world.control.operator("POST", "/hosts/host-2/lost").json(&json!({})).send().await;
    assert_eq!(lost.status.as_u16(), 200, "{}", lost.text);
    let members = world.shown(&network).await["members"].clone();
    assert_eq!(members[0]["status"], "removing", "{members}");
    assert_eq!(world.wanted(1).await.unwrap().members.len(), 1);
    let fenced = world.control.operator("POST", "/hosts/host-2/fenced").json(&json!({})).send().await;
    assert_eq!(fenced.status.as_u16(), 200, "{}", fenced.text);
    assert_eq!(world.shown(&network).await["members"].as_array().unwrap().len(), 1);
    let shown = world.control.operator("GET", &format!("/networks/{network}")).send().await;
    let gone: Vec<_> = shown.data()["hosts"].as_array().unwrap().iter().map(|host| host["gone"].clone()).collect();
    assert_eq!(gone, [json!(true), json!(false)]);
}

#[tokio::test]
async fn a_dedicated_server_is_attached_as_any_other_and_a_server_is_in_several_networks() {
    let mut world = World::with(EXAMPLE_CATALOG, 1).await;
    world.hosts.push(world.control.dedicated_host("big-1").await);
    let order =
        json!({"type": "dedicated", "package_slug": "dedicated-16", "os_image_key": "debian-12", "hostname": "big"});
    let reply = world.ask("POST", "/servers", &order).await;
    assert_eq!(reply.status.as_u16(), 200, "{}", reply.text);
    world.obey().await;
    let big: ServerId = reply.data()["uuid"].as_str().unwrap().parse().unwrap();
    let small = world.server("small").await;
    let (one, other) = (world.network("one").await, world.network("other").await);
    world.attached(&one, big).await;
    world.attached(&one, small).await;
    assert_eq!(world.attach(&other, big).await.data()["adapter"], "net2");
    world.obey().await;
    let statuses: Vec<_> =
        world.shown(&one).await["members"].as_array().unwrap().iter().map(|member| member["status"].clone()).collect();
    assert_eq!(statuses, ["active", "active"]);
    assert_eq!(world.shown(&other).await["members"][0]["address"], "10.64.1.1");
}

/// What comes and goes adds up: a newer wish about power leaves an attachment as it is.
#[tokio::test]
async fn a_restart_on_the_way_does_not_overtake_an_attachment() {
    let world = World::new().await;
    let one = world.server("one").await;
    let network = world.network("a").await;
    let attached = world.attach(&network, one).await;
    let action = format!("/actions/{}", attached.json["action"]["uuid"].as_str().unwrap());
    assert_eq!(world.ask("POST", &format!("/servers/{one}/restart"), &Value::Null).await.status.as_u16(), 200);
    assert_eq!(world.ask("GET", &action, &Value::Null).await.data()["status"], "queued");
    world.obey().await;
    assert_eq!(world.ask("GET", &action, &Value::Null).await.data()["status"], "done");
    let Desired::Present(spec) = world.spec(one).await else { panic!("it is there") };
    assert_eq!(spec.nics.len(), 2);
}

#[tokio::test]
async fn a_removed_hosts_word_is_not_waited_for_either() {
    let world = World::with(EXAMPLE_CATALOG, 1).await;
    let one = world.server("one").await;
    let network = world.network("a").await;
    world.attached(&network, one).await;
    world.obey().await;
    world.ask("POST", &format!("/servers/{one}/destroy"), &Value::Null).await;
    // The server is gone from there, and of the network it has said nothing.
    world.hosts[0].says(|seen| seen).await;
    world.ask("DELETE", &format!("/private-networks/{network}"), &Value::Null).await;
    assert_eq!(world.state(&network).await, "held");
    let removed = world.control.operator("POST", "/hosts/host-1/remove").json(&json!({})).send().await;
    assert_eq!(removed.status.as_u16(), 200, "{}", removed.text);
    assert_eq!(world.state(&network).await, "resting");
}

//! Faults of a host that `csp-agent check` must find, provoked for real where that breaks nothing else: in network and
//! mount namespaces of the test's own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod host_support;

use csp_agent::{
    check::{self, Verdict, bridge, filters, shaping},
    config::{Config, Network},
    network::links::Links,
};
use host_support::{hide_behind, in_private_network};
use rtnetlink::{LinkBridge, LinkUnspec, LinkVeth};

#[test]
fn taps_and_filters_of_this_kernel_will_do() {
    in_private_network(|runtime| {
        let finding = filters::judge(&runtime.block_on(filters::probe()));
        assert_eq!(finding.verdict, Verdict::Ok, "{finding}");
    });
}

#[test]
fn a_missing_tun_device_is_a_fault() {
    in_private_network(|runtime| {
        hide_behind("/dev/null", "/dev/net/tun");
        let finding = filters::judge(&runtime.block_on(filters::probe()));
        assert_eq!(finding.verdict, Verdict::Fault);
        assert!(finding.cure.contains("modprobe tun"), "{finding}");
    });
}

#[test]
fn an_nft_that_does_not_work_is_a_fault() {
    in_private_network(|runtime| {
        hide_behind("/bin/false", "/usr/sbin/nft");
        let finding = filters::judge(&runtime.block_on(filters::probe()));
        assert_eq!(finding.verdict, Verdict::Fault);
        assert!(finding.cure.contains("install nftables"), "{finding}");
    });
}

#[test]
fn servers_of_this_kernel_can_be_held_to_a_rate_and_a_trial_leaves_nothing() {
    in_private_network(|runtime| {
        let finding = shaping::judge(&runtime.block_on(shaping::probe()));
        assert_eq!(finding.verdict, Verdict::Ok, "{finding}");
        let links = runtime.block_on(async { Links::connect().unwrap().list().await.unwrap() });
        assert!(!links.iter().any(|link| link.is_ifb || link.is_tun), "{links:?}");
    });
}

#[test]
fn the_bridge_is_judged_as_it_really_is() {
    in_private_network(|runtime| {
        runtime.block_on(async {
            let (connection, handle, _) = rtnetlink::new_connection().unwrap();
            tokio::spawn(connection);
            let verdict = async || bridge::judge("br-test", &bridge::probe().await).verdict;
            assert_eq!(verdict().await, Verdict::Fault, "not there");
            handle.link().add(LinkBridge::new("br-test").down().build()).execute().await.unwrap();
            assert_eq!(verdict().await, Verdict::Fault, "down");
            handle.link().change(LinkUnspec::new_with_name("br-test").up().build()).execute().await.unwrap();
            assert_eq!(verdict().await, Verdict::Warning, "leads nowhere");
            handle.link().add(LinkVeth::new("uplink", "segment").build()).execute().await.unwrap();
            let index = nix::net::if_::if_nametoindex("br-test").unwrap();
            let plugged = LinkUnspec::new_with_name("uplink").controller(index).build();
            handle.link().change(plugged).execute().await.unwrap();
            assert_ne!(verdict().await, Verdict::Fault, "as it should be");
            let finding = bridge::judge("uplink", &bridge::probe().await);
            assert_eq!(finding.verdict, Verdict::Fault, "an interface that is no bridge");
        });
    });
}

#[test]
fn a_host_that_has_nothing_gets_a_whole_report() {
    in_private_network(|runtime| {
        let home = tempfile::tempdir().unwrap();
        let config = Config {
            libvirt_uri: "qemu+unix:///system?socket=/nonexistent/libvirt-sock".to_owned(),
            pool_dir: home.path().join("pool"),
            state_dir: home.path().join("state"),
            network: Network { public_bridge: "br-none".to_owned(), ..Network::default() },
            ..Config::default()
        };
        let mut told = Vec::new();
        let report = runtime.block_on(check::run(&config, |finding| told.push(finding.clone())));
        assert_eq!(told, report.findings, "each is told as it is found");
        assert!(!report.is_ok());
        let faults: Vec<&str> =
            report.findings.iter().filter(|f| f.verdict == Verdict::Fault).map(|f| f.name).collect();
        assert_eq!(&faults[..2], ["libvirt", "guests"]);
        assert!(faults.contains(&"bridge"), "{report}");
        assert!(report.findings.iter().all(|f| f.verdict == Verdict::Ok || !f.cure.is_empty()), "{report}");
        assert!(!home.path().join("pool").exists(), "a check makes nothing");
    });
}

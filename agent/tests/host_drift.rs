//! Somebody takes csp's rules away: it is heard at once, and whose they were; and the agent's own changes are not taken for
//! that. On the kernel's real nftables, in a network of the test's own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::print_stdout, reason = "what was measured is worth a look")]

mod host_support;

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use csp_agent::{
    machine::Mark,
    network::{
        bare_taps::BareTapKeeper,
        filter::{self, AllFilters},
        filter_drift::{self, Drift, Standing},
        filter_rules::{self, ServerFilters},
        gate::Gates,
        links::{Link, Links},
        tap::Taps,
        tap_name::TapName,
    },
};
use csp_shared::{id::ServerId, mac::Mac};
use host_support::{in_private_network, run};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use uuid::Uuid;

const SERVERS: u8 = 20;
/// Far below the time after which everything is looked at anyway.
const AT_ONCE: Duration = Duration::from_secs(1);
/// What is to be told is by then.
const QUIET: Duration = Duration::from_millis(700);

fn filters(number: u8) -> ServerFilters {
    ServerFilters {
        server: ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_0000 + u128::from(number))),
        own: vec![[203, 0, 113, number].into()],
        macs: vec![Mac([0x0a, 0xc5, 0, 0, 0, number])],
        private: Vec::new(),
        smtp_open: false,
        gates: Gates::default(),
        mark: Mark(7),
    }
}

struct Host {
    all: Vec<ServerFilters>,
    standing: Arc<Standing>,
    told: mpsc::UnboundedReceiver<Drift>,
    _watch: JoinHandle<()>,
}

impl Host {
    async fn new() -> Self {
        run("ip", &["link", "add", "br-test", "type", "bridge"]);
        let taps = Taps::new(Links::connect().unwrap(), "br-test".to_owned());
        let all: Vec<_> = (1..=SERVERS).map(filters).collect();
        for filters in &all {
            taps.make(filters.server, &filters.macs).await.unwrap();
        }
        let standing = Arc::new(Standing::default());
        let (tell, told) = mpsc::unbounded_channel();
        let watched = Arc::clone(&standing);
        let watch =
            tokio::spawn(
                async move { match filter_drift::watch(watched, move |drift| drop(tell.send(drift))).await {} },
            );
        tokio::task::yield_now().await;
        let host = Self { all, standing, told, _watch: watch };
        host.load(|_| true);
        host
    }

    /// As workers do it.
    fn load(&self, which: impl Fn(ServerId) -> bool) {
        let wanted: Vec<_> = self.all.iter().filter(|filters| which(filters.server)).cloned().collect();
        std::thread::scope(|threads| {
            for filters in wanted {
                threads.spawn(|| self.standing.load(filters).unwrap());
            }
        });
    }

    fn are_whole(&self) -> bool {
        let listed = AllFilters::list().unwrap();
        self.all.iter().all(|filters| listed.see(filters.server).unwrap().is_some_and(|seen| seen.mark == filters.mark))
    }

    async fn is_quiet(&mut self) {
        let told = timeout(QUIET, self.told.recv()).await;
        assert!(told.is_err(), "{told:?}");
    }

    /// Does harm, which is mended before it is told; gives whose filters that were. No worker does anything.
    async fn harmed(&mut self, harm: &str) -> BTreeSet<ServerId> {
        let begun = SystemTime::UNIX_EPOCH.elapsed().unwrap();
        run("nft", &harm.split(' ').collect::<Vec<_>>());
        let drift = timeout(AT_ONCE, self.told.recv()).await.expect(harm).unwrap();
        let took = SystemTime::UNIX_EPOCH.elapsed().unwrap() - begun;
        println!("{harm}: {} servers, mended after {took:?}", drift.servers.len());
        assert!(took < AT_ONCE && self.are_whole(), "{harm}");
        drift.servers
    }
}

#[test]
fn what_is_taken_away_is_heard_at_once() {
    in_private_network(|runtime| {
        runtime.block_on(async {
            let mut host = Host::new().await;
            let every: BTreeSet<ServerId> = host.all.iter().map(|filters| filters.server).collect();
            assert_eq!(host.harmed("flush ruleset").await, every);
            host.is_quiet().await;
            assert_eq!(host.harmed("delete table bridge csp_guard").await, every);
            let one = host.all[4].server;
            let table = filter_rules::table_of(one);
            assert_eq!(host.harmed(&format!("delete table netdev {table}")).await, [one].into());
            assert_eq!(host.harmed(&format!("flush table netdev {table}")).await, [one].into());
            host.is_quiet().await;
        });
    });
}

/// Whoever was to load them again: a tap without filters does not stay up.
#[test]
fn a_tap_that_is_up_without_filters_is_taken_down_and_no_other_one() {
    in_private_network(|runtime| {
        runtime.block_on(async {
            run("ip", &["link", "add", "br-test", "type", "bridge"]);
            let links = Links::connect().unwrap();
            let taps = Taps::new(links.clone(), "br-test".to_owned());
            let all: Vec<_> = (1..=4).map(filters).collect();
            for filters in &all {
                taps.make(filters.server, &filters.macs).await.unwrap();
                filter::load(filters).unwrap();
            }
            let keeper = BareTapKeeper::new(links.clone());
            assert_eq!(keeper.settle().await.unwrap(), Vec::<String>::new());
            for filters in &all {
                // What was read before it was up says nothing of it.
                taps.set_up(filters.server, &filters.macs).await.unwrap();
                assert_eq!(keeper.settle().await.unwrap(), Vec::<String>::new());
            }
            let [gone, asleep, unhooked, whole] = [0, 1, 2, 3].map(|at| filter_rules::table_of(all[at].server));
            let tap = |at: usize| TapName::of(all[at].server, all[at].macs[0]).to_string();
            run("nft", &["delete", "table", "netdev", &gone]);
            run("nft", &["add", "table", "netdev", &asleep, "{ flags dormant; }"]);
            let chain = format!("to_{}", tap(2));
            run("nft", &["flush", "chain", "netdev", &unhooked, &chain]);
            run("nft", &["delete", "chain", "netdev", &unhooked, &chain]);
            let taken = BTreeSet::from_iter(keeper.settle().await.unwrap());
            assert_eq!(taken, BTreeSet::from([tap(0), tap(1), tap(2)]), "{whole} is as it was");
            let is_up = |name: &str, links: &[Link]| links.iter().any(|link| link.name == name && link.up);
            let listed = links.list().await.unwrap();
            assert_eq!([0, 1, 2, 3].map(|at| is_up(&tap(at), &listed)), [false, false, false, true]);
            assert_eq!(keeper.settle().await.unwrap(), Vec::<String>::new(), "once");
        });
    });
}

#[test]
fn what_the_agent_changes_itself_is_not_told() {
    in_private_network(|runtime| {
        runtime.block_on(async {
            let mut host = Host::new().await;
            for _ in 0..3 {
                host.load(|_| true);
            }
            let gone = host.all.remove(0).server;
            host.standing.remove(gone).unwrap();
            run("nft", &["add", "table", "ip", "others"]);
            run("nft", &["delete", "table", "ip", "others"]);
            host.is_quiet().await;
            assert!(host.are_whole());
        });
    });
}

#[test]
fn more_than_can_be_listened_to_is_no_reason_to_miss_anything() {
    in_private_network(|runtime| {
        runtime.block_on(async {
            let mut host = Host::new().await;
            host.is_quiet().await;
            // Nobody listens while this goes on: one thread does it all.
            let rules: String =
                (0..2000).map(|n| format!("add rule ip noise c{} ip saddr 192.0.2.1 counter drop\n", n % 10)).collect();
            let chains: String = (0..10).map(|n| format!("add chain ip noise c{n}\n")).collect();
            let path = std::env::temp_dir().join(format!("csp-drift-{}", std::process::id()));
            std::fs::write(&path, format!("add table ip noise\n{chains}{rules}")).unwrap();
            for _ in 0..10 {
                run("nft", &["-f", path.to_str().unwrap()]);
                run("nft", &["delete", "table", "ip", "noise"]);
            }
            std::fs::remove_file(&path).unwrap();
            assert_eq!(host.harmed("flush ruleset").await.len(), usize::from(SERVERS));
            host.is_quiet().await;
        });
    });
}

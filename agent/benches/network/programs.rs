//! The same by programs: in as few batches as can be, and one program a step.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use csp_agent::network::{
    filter_rules,
    gate::{Gate, GateMark, Rate, far_end, name},
    tap_name::{TapMark, TapName},
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{Adapter, BRIDGE, MBIT};

/// Runs a program to its end.
pub fn run(program: &str, words: &[&str]) {
    assert!(Command::new(program).args(words).status().unwrap().success(), "{program} {words:?}");
}

/// Runs a program that reads what it is to do.
fn feed(program: &str, words: &[&str], input: &str) {
    let mut child = Command::new(program).args(words).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{program} {words:?}");
}

/// What is to be done for one adapter, word by word.
struct Words {
    links: Vec<Vec<String>>,
    rates: Vec<Vec<String>>,
    up: Vec<String>,
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

impl Words {
    fn of(adapter: &Adapter) -> Self {
        let tap = TapName::of(adapter.server, adapter.mac).to_string();
        let mark = TapMark { server: adapter.server, mac: adapter.mac, network: None }.to_string();
        let with_alias = |text: String, alias: String| [words(&text), vec!["alias".to_owned(), alias]].concat();
        let mut links = vec![
            words(&format!("tuntap add dev {tap} mode tap vnet_hdr")),
            with_alias(format!("link set dev {tap} address {} master {BRIDGE}", adapter.mac.of_tap()), mark),
        ];
        let (rate, mut rates) = (Rate::of_mbit(MBIT), Vec::new());
        for gate in Gate::QUEUES {
            let queue = name(adapter.server, gate);
            let mark = GateMark { server: adapter.server, gate, mbit: Some(MBIT) }.to_string();
            match gate.is_cable() {
                true => {
                    let far_end = far_end(adapter.server, gate);
                    let cable = format!("link add {queue} mtu 65535 type veth peer name {far_end} mtu 65535");
                    links.push(words(&cable));
                    links.push(words(&format!("link set dev {queue} addrgenmode none")));
                    links.push(words(&format!("link set dev {far_end} addrgenmode none")));
                    links.push(with_alias(format!("link set dev {far_end} up"), mark.clone()));
                    rates.push(words(&format!("qdisc add dev {far_end} ingress")));
                    rates.push(words(&way_back(adapter, &far_end)));
                }
                false => links.push(words(&format!("link add {queue} type ifb"))),
            }
            links.push(with_alias(format!("link set dev {queue} up"), mark));
            let (bits, burst, limit) = (rate.bytes_per_second * 8, rate.burst_bytes, rate.waiting_bytes);
            let tbf =
                format!("qdisc replace dev {queue} root handle 1: tbf rate {bits}bit burst {burst} limit {limit}");
            rates.push(words(&tbf));
        }
        Self { links, rates, up: words(&format!("link set dev {tap} up")) }
    }
}

/// The filter that leads the guest's frames back to its tap.
fn way_back(adapter: &Adapter, far_end: &str) -> String {
    let [a, b, c, d, e, f] = adapter.mac.0;
    let first = u32::from_be_bytes([a, b, c, d]);
    let last = u32::from_be_bytes([e, f, 0, 0]);
    let frames = format!("match u32 {first:#x} 0xffffffff at -8 match u32 {last:#x} 0xffff0000 at -4");
    format!(
        "filter add dev {far_end} ingress protocol all u32 {frames} action mirred ingress redirect dev {}",
        adapter.tap()
    )
}

/// A line of `ip -batch`: an alias has spaces.
fn line(words: &[String]) -> String {
    words
        .iter()
        .map(|word| if word.contains(' ') { format!("\"{word}\"") } else { word.clone() })
        .collect::<Vec<_>>()
        .join(" ")
}

fn text(lines: Vec<String>) -> String {
    lines.join("\n") + "\n"
}

fn ruleset(commands: Vec<Value>) -> String {
    json!({ "nftables": commands }).to_string()
}

/// One `ip`, one `tc`, one `nft`, one `ip`.
pub fn batch(_: &Runtime, adapters: &[Adapter]) -> Duration {
    let all: Vec<Words> = adapters.iter().map(Words::of).collect();
    let links = text(all.iter().flat_map(|words| words.links.iter().map(|words| line(words))).collect());
    let rates = text(all.iter().flat_map(|words| words.rates.iter().map(|words| line(words))).collect());
    let up = text(all.iter().map(|words| line(&words.up)).collect());
    let filters = ruleset(adapters.iter().flat_map(|adapter| filter_rules::load(&adapter.filters(), &[])).collect());
    let begun = Instant::now();
    feed("ip", &["-batch", "-"], &links);
    feed("tc", &["-batch", "-"], &rates);
    feed("nft", &["-j", "-f", "-"], &filters);
    feed("ip", &["-batch", "-"], &up);
    begun.elapsed()
}

/// A program for each step of each adapter.
pub fn steps(_: &Runtime, adapters: &[Adapter]) -> Duration {
    let all: Vec<(Words, String)> = adapters
        .iter()
        .map(|adapter| (Words::of(adapter), ruleset(filter_rules::load(&adapter.filters(), &[]))))
        .collect();
    let one = |program: &str, words: &[String]| run(program, &words.iter().map(String::as_str).collect::<Vec<_>>());
    let begun = Instant::now();
    for (words, filters) in &all {
        words.links.iter().for_each(|words| one("ip", words));
        words.rates.iter().for_each(|words| one("tc", words));
        feed("nft", &["-j", "-f", "-"], filters);
        one("ip", &words.up);
    }
    begun.elapsed()
}

/// That all of it is there: nobody is fast by leaving something out.
pub fn see(adapters: &[Adapter]) {
    let said = |program: &str, words: &[&str]| {
        String::from_utf8(Command::new(program).args(words).output().unwrap().stdout).unwrap()
    };
    let (links, queues) = (said("ip", &["link"]), said("tc", &["qdisc"]));
    let chains = said("nft", &["-j", "list", "chains"]);
    for adapter in adapters {
        let tap = TapName::of(adapter.server, adapter.mac).to_string();
        let is_up = |line: &&str| line.contains(&tap) && line.contains("UP") && line.contains(BRIDGE);
        assert!(links.lines().any(|line| is_up(&line)), "{tap}: {links}");
        assert!(chains.contains(&format!("from_{tap}")) && chains.contains(&format!("to_{tap}")), "{tap}");
        for gate in Gate::QUEUES {
            let queue = name(adapter.server, gate);
            assert!(queues.lines().any(|line| line.contains(&queue) && line.contains("tbf")), "{queue}");
        }
    }
}

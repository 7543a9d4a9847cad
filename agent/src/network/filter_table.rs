//! One server's table as the kernel has it: read from nft's listing into plain data, and judged. Pure.
//!
//! nft writes a rule its own way, and another release another way, so what it lists is never compared with what was
//! sent. It is compared with what it listed right after the rules were loaded: that is kept in the table's seal.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use serde_json::Value;

use super::{
    filter_rules::{self, Seal},
    tap_name::TapName,
};
use crate::machine::Mark;

/// Where the kernel keeps an object; another one after each load.
const HANDLE: &str = "handle";
/// What nft tells of itself.
const META: &str = "metainfo";

/// All that is in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterTable {
    /// Chains that say something about frames, each with how many rules it has.
    pub chains: BTreeMap<String, usize>,
    /// Addresses that its guest may use.
    pub addresses: BTreeSet<Ipv4Addr>,
    /// Queues that frames are handed to.
    pub gates: BTreeSet<String>,
    /// A mark of everything but the seals, as nft lists it.
    pub content: Mark,
    seals: Vec<Seal>,
}

impl FilterTable {
    /// Reads nft's listing of one table.
    #[must_use]
    pub fn read(listed: &[Value]) -> Self {
        let (chains, addresses, gates) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let mut table = Self { chains, addresses, gates, content: Mark(0), seals: Vec::new() };
        // Rules mean something by their order, all else does not.
        let (mut things, mut rules) = (BTreeSet::new(), Vec::new());
        for object in listed.iter().filter_map(Value::as_object) {
            for (kind, thing) in object.iter().filter(|(kind, _)| *kind != META) {
                let name = text(thing, "name").unwrap_or_default();
                match kind.as_str() {
                    "chain" if filter_rules::is_label(name) => {
                        table.seals.extend(Seal::parse(name));
                        continue;
                    }
                    "chain" => drop(table.chains.entry(name.to_owned()).or_default()),
                    "rule" => {
                        let chain = text(thing, "chain").unwrap_or_default();
                        *table.chains.entry(chain.to_owned()).or_default() += 1;
                        table.gates.extend(gate(thing));
                        rules.push(normal(kind, thing));
                        continue;
                    }
                    "set" if name == filter_rules::OWN => table.addresses.extend(addresses_in(thing)),
                    _ => {}
                }
                things.insert(normal(kind, thing));
            }
        }
        table.content = Mark::of(&(things, rules));
        table
    }

    /// What it was made from, if it still is as it was loaded.
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        match self.seals.as_slice() {
            [seal] if seal.content == self.content => Some(seal.mark),
            _ => None,
        }
    }

    /// Whether it was whole once and somebody changed it since. One whose loading was broken off was never whole.
    #[must_use]
    pub fn is_altered(&self) -> bool {
        !self.seals.is_empty() && self.mark().is_none()
    }

    /// Taps with a chain for each direction, with or without rules in it: its policy drops.
    #[must_use]
    pub fn taps(&self) -> Vec<String> {
        let names = self.chains.keys().filter_map(|chain| chain.strip_prefix("from_"));
        names.filter(|tap| self.chains.contains_key(&format!("to_{tap}"))).map(str::to_owned).collect()
    }

    /// Whether it is what `commands` make: the same chains, as many rules in each, the same addresses. Asked right after
    /// they were carried out, so that nothing else is sealed.
    #[must_use]
    pub fn is_made_by(&self, commands: &[Value], addresses: &[Ipv4Addr]) -> bool {
        let mut wanted: BTreeMap<String, usize> = BTreeMap::new();
        for added in commands.iter().filter_map(|command| command.get("add")) {
            let is_ours = |thing: &&Value| text(thing, "family") == Some(filter_rules::FAMILY);
            if let Some(chain) = added.get("chain").filter(is_ours) {
                wanted.entry(text(chain, "name").unwrap_or_default().to_owned()).or_default();
            }
            if let Some(rule) = added.get("rule").filter(is_ours) {
                *wanted.entry(text(rule, "chain").unwrap_or_default().to_owned()).or_default() += 1;
            }
        }
        self.chains == wanted && self.addresses == addresses.iter().copied().collect() && self.seals.is_empty()
    }
}

/// The two chains of a tap.
#[must_use]
pub fn chains_of(tap: &TapName) -> [String; 2] {
    [filter_rules::from_guest(tap), filter_rules::to_guest(tap)]
}

/// An object without what the kernel chose, and with its elements in order.
fn normal(kind: &str, thing: &Value) -> String {
    let mut thing = thing.clone();
    if let Some(fields) = thing.as_object_mut() {
        fields.remove(HANDLE);
        if let Some(elements) = fields.get_mut("elem").and_then(Value::as_array_mut) {
            elements.sort_by_key(Value::to_string);
        }
    }
    format!("{kind} {thing}")
}

/// The queue that a rule hands frames to.
fn gate(rule: &Value) -> Option<String> {
    let queue = rule.get("expr")?.as_array()?.iter().find_map(|statement| statement.get("fwd")?.get("dev"))?;
    // One that is gone has a number in place of a name.
    Some(queue.as_str().map_or_else(|| queue.to_string(), str::to_owned))
}

/// Ranges and prefixes are not ours, and no address.
pub(super) fn addresses_in(set: &Value) -> impl Iterator<Item = Ipv4Addr> {
    let elements = set.get("elem").and_then(Value::as_array).into_iter().flatten();
    elements.filter_map(|element| element.as_str()?.parse().ok())
}

fn text<'a>(thing: &'a Value, field: &str) -> Option<&'a str> {
    thing.get(field).and_then(Value::as_str)
}

#[cfg(test)]
pub(crate) mod tests {
    use csp_shared::mac::Mac;
    use serde_json::json;

    use super::*;
    use crate::{
        network::{filter_rules::ServerFilters, queue::Gates},
        plan::fixture::server,
    };

    pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);

    pub(crate) fn tap() -> TapName {
        TapName::of(server(), mac())
    }

    fn mac() -> Mac {
        Mac::for_guest([1, 2, 3, 4])
    }

    fn gates() -> Gates {
        Gates { from_guest: "cspqfrom".to_owned(), to_guest: "cspqto".to_owned() }
    }

    fn commands() -> Vec<Value> {
        let filters = ServerFilters {
            server: server(),
            own: vec![ADDRESS],
            macs: vec![mac()],
            smtp_open: false,
            private: Vec::new(),
            gates: Some(gates()),
            mark: Mark(7),
        };
        filter_rules::load(&filters, &[])
    }

    /// What the kernel lists after it was given our own transactions: `add` is taken off each command, handles are put
    /// on, and the seal is there.
    pub(crate) fn loaded() -> Vec<Value> {
        let mut listed: Vec<Value> = commands().iter().filter_map(|command| command.get("add").cloned()).collect();
        listed.retain(|object| !object.to_string().contains("csp_guard"));
        let elements = listed.iter().find_map(|object| object.get("element").cloned()).unwrap();
        listed.retain(|object| object.get("element").is_none());
        for (handle, object) in listed.iter_mut().enumerate() {
            let thing = object.as_object_mut().unwrap().values_mut().next().unwrap();
            thing[HANDLE] = json!(handle);
        }
        for set in listed.iter_mut().filter_map(|object| object.get_mut("set")) {
            set["elem"] = elements["elem"].clone();
        }
        listed.push(json!({"metainfo": {"version": "1.0.6"}}));
        let seal = Seal { mark: Mark(7), content: FilterTable::read(&listed).content };
        listed.extend(filter_rules::seal(server(), seal).iter().filter_map(|command| command.get("add").cloned()));
        listed
    }

    fn rules(listed: &mut [Value]) -> Vec<&mut Value> {
        listed.iter_mut().filter_map(|object| object.get_mut("rule")).collect()
    }

    #[test]
    fn a_table_is_known_by_its_seal_whatever_the_kernels_numbers_and_order_are() {
        let mut listed = loaded();
        let table = FilterTable::read(&listed);
        assert_eq!((table.mark(), table.is_altered(), table.taps()), (Some(Mark(7)), false, vec![tap().to_string()]));
        assert_eq!(table.addresses, BTreeSet::from([ADDRESS]));
        assert_eq!(table.gates, BTreeSet::from(["cspqfrom".to_owned(), "cspqto".to_owned()]));
        rules(&mut listed).into_iter().for_each(|rule| rule[HANDLE] = json!(1000));
        let (mut last, rest): (Vec<Value>, Vec<Value>) =
            listed.into_iter().partition(|object| object.get("rule").is_none());
        last.reverse();
        last.extend(rest);
        assert_eq!(FilterTable::read(&last).mark(), Some(Mark(7)));
    }

    #[test]
    fn whatever_is_changed_by_hand_breaks_the_seal() {
        type Harm = fn(&mut Vec<Value>);
        let harms: [(&str, Harm); 8] = [
            ("a rule that lets all through", |listed| {
                let rule = json!({"rule": {"chain": filter_rules::from_guest(&tap()), "expr": [{"accept": null}]}});
                let first = listed.iter().position(|object| object.get("rule").is_some()).unwrap();
                listed.insert(first, rule);
            }),
            ("another order of rules", |listed| {
                let mut rules = rules(listed);
                let (first, rest) = rules.split_at_mut(1);
                std::mem::swap(first[0], rest[0]);
            }),
            ("a chain without rules", |listed| {
                listed.retain(|object| object["rule"]["chain"] != filter_rules::to_guest(&tap()).as_str())
            }),
            ("another policy", |listed| {
                listed
                    .iter_mut()
                    .filter_map(|o| o.get_mut("chain"))
                    .for_each(|chain| chain["policy"] = json!("accept"));
            }),
            ("one more address", |listed| {
                for set in listed.iter_mut().filter_map(|object| object.get_mut("set")) {
                    set["elem"] = json!(["203.0.113.10", "203.0.113.11"]);
                }
            }),
            ("one more chain", |listed| listed.push(json!({"chain": {"name": "from_other"}}))),
            ("two seals", |listed| {
                listed.push(json!({"chain": {"name": Seal { mark: Mark(8), content: Mark(8) }.chain()}}))
            }),
            ("a thing that csp does not know", |listed| listed.push(json!({"flowtable": {"name": "f"}}))),
        ];
        for (name, harm) in harms {
            let mut listed = loaded();
            harm(&mut listed);
            let table = FilterTable::read(&listed);
            assert!(table.mark().is_none() && table.is_altered(), "{name}");
        }
    }

    #[test]
    fn a_table_that_was_never_sealed_is_not_whole_and_not_called_altered() {
        let mut listed = loaded();
        listed.retain(|object| Seal::parse(object["chain"]["name"].as_str().unwrap_or_default()).is_none());
        listed.push(json!({"chain": {"name": "mark_0000000000000007"}})); // as an older agent wrote it
        let table = FilterTable::read(&listed);
        assert_eq!((table.mark(), table.is_altered()), (None, false));
        assert!(table.is_made_by(&commands(), &[ADDRESS]), "and this is when it may be sealed");
        assert!(!table.is_made_by(&commands(), &[]), "an address more");
        rules(&mut listed)[0]["chain"] = json!("from_other");
        assert!(!FilterTable::read(&listed).is_made_by(&commands(), &[ADDRESS]));
    }
}

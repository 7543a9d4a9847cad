//! One server's table as the kernel has it, judged. Pure.
//!
//! What the kernel made of a rule is for nft to say, so it is never compared with what was sent. It is compared with what
//! was there right after the rules were loaded: that is kept in the table's seal.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use serde_json::Value;

use super::{
    filter_rules::{self, Seal},
    nft_netlink::thing::{Kind, Thing},
    tap_name::TapName,
};
use crate::machine::Mark;

/// All that is in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterTable {
    /// Chains that say something about frames, each with how many rules it has.
    pub chains: BTreeMap<String, usize>,
    /// Addresses that its guest may use.
    pub addresses: BTreeSet<Ipv4Addr>,
    /// The numbers of the queues that frames are handed to.
    pub gates: BTreeSet<u32>,
    /// A mark of everything but the seals.
    pub content: Mark,
    /// Chains that say something about the table.
    pub labels: Vec<String>,
}

impl FilterTable {
    /// Reads all that is in one table.
    #[must_use]
    pub fn read(things: &[Thing]) -> Self {
        let (mut chains, mut addresses, mut gates) =
            (BTreeMap::<String, usize>::new(), BTreeSet::new(), BTreeSet::new());
        // Rules of one chain mean something by their order, all else does not.
        let (mut rules, mut others, mut labels) = (BTreeMap::<&str, Vec<&[u8]>>::new(), BTreeSet::new(), Vec::new());
        for thing in things {
            match thing.kind {
                Kind::Chain if filter_rules::is_label(&thing.name) => {
                    labels.push(thing.name.clone());
                    continue;
                }
                Kind::Chain => drop(chains.entry(thing.name.clone()).or_default()),
                Kind::Rule => {
                    *chains.entry(thing.name.clone()).or_default() += 1;
                    gates.extend(thing.gate());
                    rules.entry(thing.name.as_str()).or_default().push(&thing.content);
                    continue;
                }
                Kind::Element if thing.name == filter_rules::OWN => addresses.extend(address_of(thing)),
                Kind::Element | Kind::Table | Kind::Set | Kind::Other(_) => {}
            }
            others.insert((thing.kind, thing.name.as_str(), thing.content.as_slice()));
        }
        let mut content = Words::default();
        for (kind, name, told) in others {
            [format!("{kind:?}").as_bytes(), name.as_bytes(), told].into_iter().for_each(|word| content.add(word));
        }
        for (chain, rules) in rules {
            content.add(chain.as_bytes());
            rules.into_iter().for_each(|rule| content.add(rule));
        }
        Self { chains, addresses, gates, content: content.mark(), labels }
    }

    /// What it was made from, if it still is as it was loaded.
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        match self.seals().as_slice() {
            [seal] if seal.content == self.content => Some(seal.mark),
            _ => None,
        }
    }

    /// Whether it was whole once and somebody changed it since. One whose loading was broken off was never whole.
    #[must_use]
    pub fn is_altered(&self) -> bool {
        !self.seals().is_empty() && self.mark().is_none()
    }

    fn seals(&self) -> Vec<Seal> {
        self.labels.iter().filter_map(|label| Seal::parse(label)).collect()
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
            if let Some(chain) = added.get("chain") {
                wanted.entry(text(chain, "name")).or_default();
            }
            if let Some(rule) = added.get("rule") {
                *wanted.entry(text(rule, "chain")).or_default() += 1;
            }
        }
        self.chains == wanted && self.addresses == addresses.iter().copied().collect() && self.labels.is_empty()
    }
}

/// Words one after the other, each with its length, so that none can be taken for two.
#[derive(Default)]
struct Words(Vec<u8>);

impl Words {
    fn add(&mut self, word: &[u8]) {
        self.0.extend(word.len().to_le_bytes());
        self.0.extend(word);
    }

    fn mark(&self) -> Mark {
        Mark::of_bytes(&self.0)
    }
}

/// The two chains of a tap.
#[must_use]
pub fn chains_of(tap: &TapName) -> [String; 2] {
    [filter_rules::from_guest(tap), filter_rules::to_guest(tap)]
}

/// The address that an element of a set stands for.
pub(super) fn address_of(element: &Thing) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = element.key()?.try_into().ok()?;
    Some(octets.into())
}

fn text(thing: &Value, field: &str) -> String {
    thing.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use csp_shared::mac::Mac;

    use super::*;
    use crate::{
        network::{
            filter_rules::ServerFilters,
            gate::{Gates, Queues},
            nft_netlink::thing::tests::{forward, key},
        },
        plan::fixture::server,
    };

    pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
    /// Numbers of the queues.
    const QUEUES: [u32; 2] = [17, 18];

    pub(crate) fn tap() -> TapName {
        TapName::of(server(), mac())
    }

    fn mac() -> Mac {
        Mac::for_guest([1, 2, 3, 4])
    }

    fn commands() -> Vec<Value> {
        let filters = ServerFilters {
            server: server(),
            own: vec![ADDRESS],
            macs: vec![mac()],
            smtp_open: false,
            private: Vec::new(),
            gates: Gates { public: Some(Queues::of(server())), private: None },
            mark: Mark(7),
        };
        filter_rules::table(&filters, &[])
    }

    fn thing(kind: Kind, name: &str, content: Vec<u8>) -> Thing {
        Thing { table: filter_rules::table_of(server()), kind, name: name.to_owned(), content }
    }

    fn chain(name: &str) -> Thing {
        thing(Kind::Chain, name, vec![0])
    }

    /// What the kernel tells after it was given our own transaction: things of the same kinds and number, in the kernel's
    /// words, and the seal.
    pub(crate) fn loaded() -> Vec<Thing> {
        let mut things = vec![thing(Kind::Table, &filter_rules::table_of(server()), Vec::new())];
        for (number, added) in commands().iter().filter_map(|command| command.get("add")).enumerate() {
            if let Some(added) = added.get("chain") {
                things.push(chain(&text(added, "name")));
            } else if let Some(rule) = added.get("rule") {
                let queue = QUEUES[usize::from(text(rule, "chain").starts_with("to_"))];
                let is_gate = rule["expr"].to_string().contains("fwd");
                let content = if is_gate { forward(queue) } else { vec![u8::try_from(number).unwrap()] };
                things.push(thing(Kind::Rule, &text(rule, "chain"), content));
            } else if added.get("set").is_some() {
                things.push(thing(Kind::Set, filter_rules::OWN, Vec::new()));
            } else if added.get("element").is_some() {
                things.push(thing(Kind::Element, filter_rules::OWN, key(&ADDRESS.octets())));
            }
        }
        let seal = Seal { mark: Mark(7), content: FilterTable::read(&things).content };
        things.push(thing(Kind::Chain, &seal.chain(), Vec::new()));
        things
    }

    #[test]
    fn a_table_is_known_by_its_seal_whatever_the_kernels_order_of_unordered_things_is() {
        let things = loaded();
        let table = FilterTable::read(&things);
        assert_eq!((table.mark(), table.is_altered(), table.taps()), (Some(Mark(7)), false, vec![tap().to_string()]));
        assert_eq!(table.addresses, BTreeSet::from([ADDRESS]));
        assert_eq!(table.gates, BTreeSet::from(QUEUES));
        let (mut last, rules): (Vec<Thing>, Vec<Thing>) =
            things.into_iter().partition(|thing| thing.kind != Kind::Rule);
        last.reverse();
        last.extend(rules);
        assert_eq!(FilterTable::read(&last).mark(), Some(Mark(7)));
    }

    #[test]
    fn whatever_is_changed_by_hand_breaks_the_seal() {
        type Harm = fn(&mut Vec<Thing>);
        let harms: [(&str, Harm); 9] = [
            ("a rule that lets all through", |things| {
                let first = things.iter().position(|thing| thing.kind == Kind::Rule).unwrap();
                things.insert(first, thing(Kind::Rule, &filter_rules::from_guest(&tap()), Vec::new()));
            }),
            ("another order of rules", |things| {
                let first = things.iter().position(|thing| thing.kind == Kind::Rule).unwrap();
                things.swap(first, first + 1);
            }),
            ("a chain without rules", |things| {
                things.retain(|thing| thing.kind != Kind::Rule || thing.name != filter_rules::to_guest(&tap()));
            }),
            ("another policy", |things| {
                let chains = things.iter_mut().filter(|thing| thing.kind == Kind::Chain);
                chains.for_each(|chain| chain.content = vec![1]);
            }),
            ("a table whose chains are not asked", |things| things[0].content = vec![1]),
            ("one more address", |things| {
                things.push(thing(Kind::Element, filter_rules::OWN, key(&[203, 0, 113, 11])));
            }),
            ("one more chain", |things| things.push(chain("from_other"))),
            ("two seals", |things| things.push(chain(&Seal { mark: Mark(8), content: Mark(8) }.chain()))),
            ("a thing that csp does not know", |things| things.push(thing(Kind::Other(22), "f", Vec::new()))),
        ];
        for (name, harm) in harms {
            let mut things = loaded();
            harm(&mut things);
            let table = FilterTable::read(&things);
            assert!(table.mark().is_none() && table.is_altered(), "{name}");
        }
    }

    #[test]
    fn a_table_that_was_never_sealed_is_not_whole_and_not_called_altered() {
        let mut things = loaded();
        things.retain(|thing| Seal::parse(&thing.name).is_none());
        let table = FilterTable::read(&things);
        assert_eq!((table.mark(), table.is_altered()), (None, false));
        assert!(table.is_made_by(&commands(), &[ADDRESS]), "and this is when it may be sealed");
        assert!(!table.is_made_by(&commands(), &[]), "an address more");
        let mut elsewhere = things.clone();
        elsewhere.iter_mut().find(|thing| thing.kind == Kind::Rule).unwrap().name = "from_other".to_owned();
        assert!(!FilterTable::read(&elsewhere).is_made_by(&commands(), &[ADDRESS]));
        things.push(chain("mark_0000000000000007_0000000000000008")); // as an older agent sealed it, in other words
        let older = FilterTable::read(&things);
        assert_eq!((older.mark(), older.is_altered()), (None, false));
        assert!(!older.is_made_by(&commands(), &[ADDRESS]));
    }
}

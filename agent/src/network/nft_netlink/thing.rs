//! One thing of a table, from the attributes that the kernel tells of it (linux/netfilter/nf_tables.h). Pure.

use rtnetlink::packet_core::NlaBuffer;

use super::socket::{Told, push_attribute};

/// Kinds of things, by the messages that tell of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A table itself.
    Table,
    /// A chain; its table asks it where it is hooked in.
    Chain,
    /// A rule of a chain.
    Rule,
    /// A set, without its elements.
    Set,
    /// An element of a set.
    Element,
    /// Something else, by the number of its message.
    Other(u16),
}

/// What a thing is known by, and all that is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    /// The table that it is in.
    pub table: String,
    /// What it is.
    pub kind: Kind,
    /// Its name; of a rule that of its chain, of an element that of its set.
    pub name: String,
    /// Its attributes in their order, without those that the kernel chose or counts.
    pub content: Vec<u8>,
}

const NEW_TABLE: u16 = 0;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const NEW_SET: u16 = 9;
const NEW_FLOWTABLE: u16 = 22;
/// Length and kind stand before each value.
const NLA_HEADER: usize = 4;
/// Of most things the first attribute is the table, and the second the name.
const TABLE: u16 = 1;
const SECOND: u16 = 2;
const CHAIN_NAME: u16 = 3;
const TABLE_FLAGS: u16 = 2;
/// A table whose chains are not asked.
const DORMANT: u32 = 1;
const CHAIN_HOOK: u16 = 4;
const HOOK_NUMBER: u16 = 1;
const RULE_EXPRESSIONS: u16 = 4;
const ELEMENTS: u16 = 3;
const ELEMENT_KEY: u16 = 1;
const VALUE: u16 = 1;
/// Of an expression.
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
/// Of a `fwd`: the register in which the interface's number is.
const FORWARD_DEVICE: u16 = 1;
/// Of an `immediate`: where to, and what.
const IMMEDIATE_REGISTER: u16 = 1;
const IMMEDIATE_DATA: u16 = 2;

impl Kind {
    fn of(message: u16) -> Self {
        match message {
            NEW_TABLE => Self::Table,
            NEW_CHAIN => Self::Chain,
            NEW_RULE => Self::Rule,
            NEW_SET => Self::Set,
            other => Self::Other(other),
        }
    }

    /// Attributes that the kernel chose: handles, the rule before, padding. And what it counts: users, packets, elements.
    fn is_kernels_own(self, attribute: u16) -> bool {
        let own: &[u16] = match self {
            Self::Table => &[3, 4, 5],
            Self::Chain => &[2, 6, 8, 9],
            Self::Rule => &[3, 6, 8],
            Self::Set => &[14, 16, 20],
            Self::Element => &[8],
            Self::Other(NEW_FLOWTABLE) => &[4, 5, 6],
            Self::Other(_) => &[5, 6, 7],
        };
        own.contains(&attribute)
    }

    /// What is told of a thing, without the kernel's own.
    fn content(self, all: &[u8]) -> Vec<u8> {
        let mut content = Vec::with_capacity(all.len());
        attributes(all)
            .filter(|(kind, _)| !self.is_kernels_own(*kind))
            .for_each(|(kind, value)| push_attribute(&mut content, kind, value));
        content
    }
}

impl Thing {
    /// Reads what the kernel tells of a thing other than elements; nothing when it has no table.
    pub(super) fn read(told: Told<'_>) -> Option<Self> {
        Self::of_table(told, |_| true)
    }

    /// The same of a thing whose table is wanted. Of others nothing is read.
    pub(super) fn of_table(told: Told<'_>, is_wanted: impl Fn(&str) -> bool) -> Option<Self> {
        let kind = Kind::of(told.message);
        let name = match kind {
            Kind::Table => TABLE,
            Kind::Chain => CHAIN_NAME,
            _ => SECOND,
        };
        let all = told.attributes;
        let table = text(find(all, TABLE)?);
        is_wanted(&table).then(|| Self {
            table,
            kind,
            name: find(all, name).map(text).unwrap_or_default(),
            content: kind.content(all),
        })
    }

    /// Reads a part of a set's elements.
    pub(super) fn elements(set: &Self, told: Told<'_>) -> Vec<Self> {
        let of = |content| Self { table: set.table.clone(), kind: Kind::Element, name: set.name.clone(), content };
        let list = find(told.attributes, ELEMENTS).unwrap_or_default();
        attributes(list).map(|(_, element)| of(Kind::Element.content(element))).collect()
    }

    /// Of an element: what it is found by.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        find(find(&self.content, ELEMENT_KEY)?, VALUE)
    }

    /// Of a table: none of its chains is asked.
    #[must_use]
    pub fn is_dormant(&self) -> bool {
        big_endian(&self.content, TABLE_FLAGS).is_some_and(|flags| flags & DORMANT != 0)
    }

    /// Of a chain: where the kernel asks it, by its number.
    #[must_use]
    pub fn hook(&self) -> Option<u32> {
        big_endian(find(&self.content, CHAIN_HOOK)?, HOOK_NUMBER)
    }

    /// Of a rule: the number of the interface that it hands frames to.
    #[must_use]
    pub fn gate(&self) -> Option<u32> {
        let mut registers: Vec<(&[u8], u32)> = Vec::new();
        for (_, expression) in attributes(find(&self.content, RULE_EXPRESSIONS)?) {
            let data = find(expression, EXPRESSION_DATA).unwrap_or_default();
            match find(expression, EXPRESSION_NAME) {
                Some(b"immediate\0") => {
                    let loaded = find(data, IMMEDIATE_DATA).and_then(|data| number(find(data, VALUE)?));
                    registers.extend(find(data, IMMEDIATE_REGISTER).zip(loaded));
                }
                Some(b"fwd\0") => {
                    let device = find(data, FORWARD_DEVICE)?;
                    // One that is handed over by something else is no gate of ours: no interface has this number.
                    let loaded = registers.iter().rev().find(|(register, _)| *register == device);
                    return Some(loaded.map_or(0, |(_, index)| *index));
                }
                _ => {}
            }
        }
        None
    }
}

/// Takes a list of attributes apart, up to one that cannot be read.
fn attributes(mut list: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let nla = NlaBuffer::new_checked(list).ok()?;
        let (kind, length) = (nla.kind(), usize::from(nla.length()));
        let value = list.get(NLA_HEADER..length)?;
        list = list.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn find(list: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(list).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

/// A name among attributes.
pub(super) fn name_in(list: &[u8], wanted: u16) -> Option<String> {
    find(list, wanted).map(text)
}

/// A number as the network writes it.
pub(super) fn big_endian(list: &[u8], wanted: u16) -> Option<u32> {
    number(find(list, wanted)?).map(u32::from_be)
}

/// Four bytes, as they lie in memory.
fn number(value: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(value.try_into().ok()?))
}

/// A name, which ends with a zero.
fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{
        super::socket::{attribute, text as name},
        *,
    };

    /// A rule that hands frames to an interface, as nft has the kernel load it: the number into a register, then `fwd`.
    pub(crate) fn forward(to: u32) -> Vec<u8> {
        let loaded = attribute(IMMEDIATE_DATA, &attribute(VALUE, &to.to_ne_bytes()));
        let register = attribute(IMMEDIATE_REGISTER, &1u32.to_be_bytes());
        let immediate = expression("immediate", &[register, loaded].concat());
        let fwd = expression("fwd", &attribute(FORWARD_DEVICE, &1u32.to_be_bytes()));
        attribute(RULE_EXPRESSIONS, &[immediate, fwd].concat())
    }

    fn expression(kind: &str, data: &[u8]) -> Vec<u8> {
        attribute(1, &[name(EXPRESSION_NAME, kind), attribute(EXPRESSION_DATA, data)].concat())
    }

    fn of(message: u16, attributes: &[u8]) -> Told<'_> {
        Told { message, family: 5, attributes }
    }

    /// What an element is known by.
    pub(crate) fn key(bytes: &[u8]) -> Vec<u8> {
        attribute(ELEMENT_KEY, &attribute(VALUE, bytes))
    }

    #[test]
    fn a_chain_is_read_without_what_the_kernel_counts() {
        let hook = attribute(CHAIN_HOOK, &attribute(HOOK_NUMBER, &1u32.to_be_bytes()));
        let told = |handle: u64| {
            let handle = attribute(2, &handle.to_be_bytes());
            [name(TABLE, "csp_guard"), handle, name(CHAIN_NAME, "to_host"), hook.clone()].concat()
        };
        let read = |handle| Thing::read(of(NEW_CHAIN, &told(handle))).unwrap();
        assert_eq!(read(7), read(8));
        let chain = read(7);
        assert_eq!((chain.table.as_str(), chain.name.as_str(), chain.kind), ("csp_guard", "to_host", Kind::Chain));
        assert_eq!(chain.hook(), Some(1));
        assert_eq!(Thing::read(of(NEW_CHAIN, &[])), None);
    }

    #[test]
    fn a_rules_gate_is_the_interface_whose_number_it_loads() {
        let rule = |content| Thing { table: String::new(), kind: Kind::Rule, name: String::new(), content };
        assert_eq!(rule(forward(4711)).gate(), Some(4711));
        let accept = expression("immediate", &attribute(IMMEDIATE_REGISTER, &0u32.to_be_bytes()));
        assert_eq!(rule(attribute(RULE_EXPRESSIONS, &accept)).gate(), None);
        let unknown = expression("fwd", &attribute(FORWARD_DEVICE, &2u32.to_be_bytes()));
        assert_eq!(rule(attribute(RULE_EXPRESSIONS, &unknown)).gate(), Some(0), "not to any of ours");
    }

    #[test]
    fn elements_are_read_with_their_keys() {
        let element = |last: u8| attribute(1, &attribute(ELEMENT_KEY, &attribute(VALUE, &[203, 0, 113, last])));
        let list = attribute(ELEMENTS, &[element(10), element(11)].concat());
        let set = Thing { table: "t".to_owned(), kind: Kind::Set, name: "own4".to_owned(), content: Vec::new() };
        let read = Thing::elements(&set, of(12, &list));
        let keys: Vec<_> = read.iter().filter_map(Thing::key).collect();
        assert_eq!(keys, [[203, 0, 113, 10], [203, 0, 113, 11]]);
        assert!(read.iter().all(|element| element.name == "own4" && element.content == key(element.key().unwrap())));
    }

    #[test]
    fn a_dormant_table_is_known_as_such() {
        let flags = |flags: u32| [name(TABLE, "t"), attribute(TABLE_FLAGS, &flags.to_be_bytes())].concat();
        let table = |flags_set| Thing::read(of(NEW_TABLE, &flags(flags_set))).unwrap();
        assert!(table(1).is_dormant() && !table(0).is_dormant());
        assert_eq!(table(0).name, "t");
    }
}

//! What nftables holds in the kernel, read over netlink: tables as they are, without a program that would have to put them in
//! its own words, which takes it longer for each than loading it took the kernel.
//!
//! Every reading is of one generation: the kernel's number for the state of all its filters, which grows with each change,
//! whoever made it. What changed in between is read again.

pub mod news;
mod socket;
pub mod thing;

use std::collections::{BTreeMap, BTreeSet};

use nix::errno::Errno;

use self::{
    socket::{Socket, Told, text},
    thing::{Kind, Thing},
};
use super::NetworkError;

/// The kernel's number of the family of both versions of IP (NFPROTO_INET).
pub const INET: u8 = 1;
/// And of the IPv4 family.
pub const IPV4: u8 = 2;
/// And of the ARP family.
pub const ARP: u8 = 3;
/// And of the netdev family.
pub const NETDEV: u8 = 5;
/// And of the bridge family.
pub const BRIDGE: u8 = 7;

/// Messages.
const GET_TABLE: u16 = 1;
const NEW_CHAIN: u16 = 3;
const GET_CHAIN: u16 = 4;
const GET_RULE: u16 = 7;
const GET_SET: u16 = 10;
const GET_ELEMENT: u16 = 13;
const GET_GENERATION: u16 = 16;
const GET_OBJECT: u16 = 19;
const GET_FLOWTABLE: u16 = 23;
/// Attributes.
const TABLE: u16 = 1;
const SET: u16 = 2;
const CHAIN_NAME: u16 = 3;
const GENERATION: u16 = 1;
/// Changes that may come in between before a reading is given up. Each of ours takes longer than one reading of it.
const TRIES: u32 = 50;

/// Tables of one generation.
#[derive(Debug)]
pub struct Tables {
    /// Which.
    pub generation: u32,
    /// All that is in each, by its name. One that is not here is not there.
    pub tables: BTreeMap<String, Vec<Thing>>,
}

/// The present generation in this network; `None` when the kernel does not tell.
#[must_use]
pub fn generation() -> Option<u32> {
    current(&mut Socket::open().ok()?).ok()
}

/// The names of a family's tables. Blocks.
///
/// # Errors
/// When the kernel does not answer: then nobody knows.
pub fn names(doing: &str, family: u8) -> Result<BTreeSet<String>, NetworkError> {
    let name = |told: Told<'_>| Thing::read(told).map(|table| table.name);
    Ok(of_one_generation(doing, |socket| socket.list(GET_TABLE, family, &[], name))?.1.into_iter().collect())
}

/// All that is in those of the `wanted` tables that are there. Blocks.
///
/// # Errors
/// When the kernel does not answer: then nobody knows.
pub fn read(doing: &str, family: u8, wanted: &BTreeSet<String>) -> Result<Tables, NetworkError> {
    let (generation, tables) = of_one_generation(doing, |socket| read_once(socket, family, wanted))?;
    Ok(Tables { generation, tables })
}

/// Every element of the sets of that name, with its table. Blocks.
///
/// # Errors
/// When the kernel does not answer: then nobody knows.
pub fn elements(doing: &str, family: u8, set: &str) -> Result<Vec<Thing>, NetworkError> {
    let read = |socket: &mut Socket| {
        let sets = socket.list(GET_SET, family, &[], |told| Thing::read(told).filter(|listed| listed.name == set))?;
        let mut all = Vec::new();
        sets.into_iter()
            .map(|set| elements_of(socket, family, &set))
            .try_for_each(|part| part.map(|part| all.extend(part)))?;
        Ok(all)
    };
    Ok(of_one_generation(doing, read)?.1)
}

/// Makes empty chains, by their tables, in one transaction and only as long as nothing has changed since `generation`. Whether
/// that was so is the answer. Blocks.
///
/// # Errors
/// When the kernel refuses them.
pub fn add_chains(doing: &str, family: u8, chains: &[(String, String)], generation: u32) -> Result<bool, NetworkError> {
    if chains.is_empty() {
        return Ok(true);
    }
    let chains: Vec<_> =
        chains.iter().map(|(table, chain)| [text(TABLE, table), text(CHAIN_NAME, chain)].concat()).collect();
    match Socket::open().and_then(|mut socket| socket.make(NEW_CHAIN, family, &chains, generation)) {
        Ok(()) => Ok(true),
        Err(Errno::ERESTART) => Ok(false),
        Err(errno) => Err(failed(doing, errno)),
    }
}

/// Reads until nothing changed meanwhile.
fn of_one_generation<T>(
    doing: &str,
    mut read: impl FnMut(&mut Socket) -> Result<T, Errno>,
) -> Result<(u32, T), NetworkError> {
    let mut tried = || {
        // A connection of its own for each try: nothing that is left of an earlier one can be taken for an answer.
        let mut socket = Socket::open()?;
        let before = current(&mut socket)?;
        let read = read(&mut socket);
        // What failed while something changed failed because of that.
        if current(&mut socket)? == before { read.map(|read| Some((before, read))) } else { Ok(None) }
    };
    for _ in 0..TRIES {
        if let Some(read) = tried().map_err(|errno| failed(doing, errno))? {
            return Ok(read);
        }
    }
    let reason = "filters change faster than they can be read".to_owned();
    Err(NetworkError::Netlink { doing: doing.to_owned(), errno: None, reason })
}

fn current(socket: &mut Socket) -> Result<u32, Errno> {
    let told = socket.get(GET_GENERATION, 0, &[], |told| Some(thing::big_endian(told.attributes, GENERATION)))?;
    told.ok_or(Errno::ENODATA)?.ok_or(Errno::EBADMSG)
}

fn read_once(
    socket: &mut Socket,
    family: u8,
    wanted: &BTreeSet<String>,
) -> Result<BTreeMap<String, Vec<Thing>>, Errno> {
    let mut tables: BTreeMap<String, Vec<Thing>> = BTreeMap::new();
    let read = |told: Told<'_>| Thing::of_table(told, |table| wanted.contains(table));
    for table in socket.list(GET_TABLE, family, &[], read)? {
        tables.insert(table.table.clone(), vec![table]);
    }
    if tables.is_empty() {
        return Ok(tables);
    }
    // One table is asked for alone. Chains cannot be: the kernel lists those of all.
    let alone = wanted.first().filter(|_| wanted.len() == 1).map(|table| text(TABLE, table)).unwrap_or_default();
    for (message, which) in
        [(GET_CHAIN, &[][..]), (GET_RULE, &alone), (GET_SET, &alone), (GET_OBJECT, &alone), (GET_FLOWTABLE, &alone)]
    {
        for thing in socket.list(message, family, which, read)? {
            let elements = if thing.kind == Kind::Set { elements_of(socket, family, &thing)? } else { Vec::new() };
            let table = tables.entry(thing.table.clone()).or_default();
            table.extend(elements);
            table.push(thing);
        }
    }
    Ok(tables)
}

fn elements_of(socket: &mut Socket, family: u8, set: &Thing) -> Result<Vec<Thing>, Errno> {
    let which = [text(TABLE, &set.table), text(SET, &set.name)].concat();
    let listed = socket.list(GET_ELEMENT, family, &which, |told| Some(Thing::elements(set, told)))?;
    Ok(listed.into_iter().flatten().collect())
}

fn failed(doing: &str, errno: Errno) -> NetworkError {
    let reason = format!("nftables in the kernel answered: {}", errno.desc());
    NetworkError::Netlink { doing: doing.to_owned(), errno: Some(errno as i32), reason }
}

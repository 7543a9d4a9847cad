//! Hands a ruleset to nftables, and reads one back. Both as JSON (libnftables-json(5)): no text is ever put together.
//!
//! One call is one transaction: all of it holds, or nothing changed.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::NetworkError;
use crate::storage::tool::Tool;

/// A transaction takes milliseconds; one that waits for a busy kernel is worth a little patience.
const LIMIT: Duration = Duration::from_secs(20);

/// Carries out `commands` in one transaction. Blocks.
///
/// # Errors
/// When nft refuses them; then nothing changed.
pub fn apply(doing: &'static str, commands: Vec<Value>) -> Result<(), NetworkError> {
    run(doing, &["-j", "-f", "-"], commands).map(drop)
}

/// Checks `commands` against the kernel without carrying them out. Blocks.
///
/// # Errors
/// When nft would refuse them.
pub fn try_out(doing: &'static str, commands: Vec<Value>) -> Result<(), NetworkError> {
    run(doing, &["-c", "-j", "-f", "-"], commands).map(drop)
}

/// The chains of the netdev and the bridge family. Tables are not asked for: to list their names, nft (1.0.6) reads all
/// of their rules, which takes seconds where there are a hundred, and its chains in milliseconds. Blocks.
///
/// # Errors
/// When nft does not answer or its answer cannot be read.
pub fn list_chains(doing: &'static str) -> Result<Vec<Chain>, NetworkError> {
    let of = |family: &str| json!({"list": {"chains": {"family": family}}});
    let printed = run(doing, &["-j", "-f", "-"], vec![of("netdev"), of("bridge")])?;
    let mut all = Vec::new();
    // One document for each question.
    for listing in serde_json::Deserializer::from_slice(&printed).into_iter::<Listing>() {
        let listing = listing.map_err(NetworkError::FilterListing)?;
        all.extend(listing.nftables.into_iter().filter_map(|listed| listed.chain));
    }
    Ok(all)
}

/// Everything in one table of the netdev family. Blocks.
///
/// # Errors
/// When there is no such table, nft does not answer or its answer cannot be read.
pub fn list_table(doing: &'static str, table: &str) -> Result<Vec<Value>, NetworkError> {
    #[derive(Deserialize)]
    struct Everything {
        nftables: Vec<Value>,
    }
    let question = vec![json!({"list": {"table": {"family": "netdev", "name": table}}})];
    let printed = run(doing, &["-j", "-f", "-"], question)?;
    let listing: Everything = serde_json::from_slice(&printed).map_err(NetworkError::FilterListing)?;
    Ok(listing.nftables)
}

/// What the rules of a chain say, in their order. Blocks.
///
/// # Errors
/// When there is no such chain, nft does not answer or its answer cannot be read.
pub fn list_rules(doing: &'static str, chain: &Value) -> Result<Vec<Value>, NetworkError> {
    let printed = run(doing, &["-j", "-f", "-"], vec![json!({"list": {"chain": chain}})])?;
    let listing: Listing = serde_json::from_slice(&printed).map_err(NetworkError::FilterListing)?;
    Ok(listing.nftables.into_iter().filter_map(|listed| Some(listed.rule?.expr)).collect())
}

/// Every named set of a family, with its table and its elements. One question: nft 1.0.6 does not find the sets of two tables
/// that are asked for one by one at once. Blocks.
///
/// # Errors
/// When nft does not answer or its answer cannot be read.
pub fn list_sets(doing: &'static str, family: &str) -> Result<Vec<Value>, NetworkError> {
    let printed = run(doing, &["-j", "-f", "-"], vec![json!({"list": {"sets": {"family": family}}})])?;
    let listing: Listing = serde_json::from_slice(&printed).map_err(NetworkError::FilterListing)?;
    Ok(listing.nftables.into_iter().filter_map(|listed| listed.set).collect())
}

/// Names of the chains in a listing.
#[must_use]
pub fn chains_in(listed: &[Value]) -> Vec<String> {
    listed.iter().filter_map(|object| object.get("chain")?.get("name")?.as_str()).map(str::to_owned).collect()
}

fn run(doing: &'static str, args: &[&str], commands: Vec<Value>) -> Result<Vec<u8>, NetworkError> {
    let input = json!({ "nftables": commands }).to_string().into_bytes();
    Tool::new("nft", LIMIT).args(args).input(input).run().map_err(|source| NetworkError::Filter { doing, source })
}

#[derive(Deserialize)]
struct Listing {
    nftables: Vec<Listed>,
}

/// One object of a listing, as far as csp reads it; all else leaves every field empty.
#[derive(Deserialize)]
struct Listed {
    chain: Option<Chain>,
    rule: Option<Rule>,
    set: Option<Value>,
}

/// A chain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Chain {
    /// `netdev` or `bridge`.
    pub family: String,
    /// Name of its table.
    pub table: String,
    /// Its own name.
    pub name: String,
    /// Where the kernel asks it; `None` for one that only other chains ask.
    pub hook: Option<String>,
}

/// A rule.
#[derive(Deserialize)]
struct Rule {
    expr: Value,
}

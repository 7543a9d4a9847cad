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

/// The tables of the netdev family, and the chains of that and the bridge family. Blocks.
///
/// # Errors
/// When nft does not answer or its answer cannot be read.
pub fn list_chains(doing: &'static str) -> Result<Vec<Listed>, NetworkError> {
    let (netdev, bridge) = (json!({"family": "netdev"}), json!({"family": "bridge"}));
    let questions = vec![
        json!({"list": {"tables": netdev}}),
        json!({"list": {"chains": netdev}}),
        json!({"list": {"chains": bridge}}),
    ];
    let printed = run(doing, &["-j", "-f", "-"], questions)?;
    let mut all = Vec::new();
    // One document for each question.
    for listing in serde_json::Deserializer::from_slice(&printed).into_iter::<Listing>() {
        all.extend(listing.map_err(NetworkError::FilterListing)?.nftables);
    }
    Ok(all)
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

/// Everything of the netdev family, sets and rules too. Slow where there are thousands. Blocks.
///
/// # Errors
/// When nft does not answer or its answer cannot be read.
pub fn ruleset_netdev(doing: &'static str) -> Result<Vec<Value>, NetworkError> {
    #[derive(Deserialize)]
    struct Ruleset {
        nftables: Vec<Value>,
    }
    let question = vec![json!({"list": {"ruleset": {"family": "netdev"}}})];
    let printed = run(doing, &["-j", "-f", "-"], question)?;
    let ruleset: Ruleset = serde_json::from_slice(&printed).map_err(NetworkError::FilterListing)?;
    Ok(ruleset.nftables)
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Listed {
    /// A table.
    pub table: Option<Table>,
    /// A chain.
    pub chain: Option<Chain>,
    /// A rule.
    pub rule: Option<Rule>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: String,
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
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Rule {
    /// What it says.
    pub expr: Value,
}

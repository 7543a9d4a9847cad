//! Hands a ruleset to nftables, and reads one back. Both as JSON (libnftables-json(5)): no text is ever put together.
//!
//! One call is one transaction: all of it holds, or nothing changed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::NetworkError;
use crate::storage::tool::Tool;

/// A transaction takes milliseconds; one that waits for a busy kernel is worth a little patience.
const LIMIT: Duration = Duration::from_secs(20);

/// Carries out `commands` in one transaction. Blocks.
///
/// # Errors
/// When nft refuses them; then nothing changed.
pub fn apply<'a>(doing: &'static str, commands: impl IntoIterator<Item = &'a Value>) -> Result<(), NetworkError> {
    run(doing, &["-j", "-f", "-"], commands).map(drop)
}

/// Checks `commands` against the kernel without carrying them out. Blocks.
///
/// # Errors
/// When nft would refuse them.
pub fn try_out(doing: &'static str, commands: &[Value]) -> Result<(), NetworkError> {
    run(doing, &["-c", "-j", "-f", "-"], commands).map(drop)
}

/// What the rules of a chain say, in their order. Blocks.
///
/// # Errors
/// When there is no such chain, nft does not answer or its answer cannot be read.
pub fn list_rules(doing: &'static str, chain: &Value) -> Result<Vec<Value>, NetworkError> {
    let printed = run(doing, &["-j", "-f", "-"], &[json!({"list": {"chain": chain}})])?;
    let listing: Listing = serde_json::from_slice(&printed).map_err(NetworkError::FilterListing)?;
    Ok(listing.nftables.into_iter().filter_map(|listed| Some(listed.rule?.expr)).collect())
}

fn run<'a>(
    doing: &'static str,
    args: &[&str],
    commands: impl IntoIterator<Item = &'a Value>,
) -> Result<Vec<u8>, NetworkError> {
    // Plain data always becomes text.
    let ruleset = Ruleset { nftables: commands.into_iter().collect() };
    let input = serde_json::to_vec(&ruleset).unwrap_or_default();
    Tool::new("nft", LIMIT).args(args).input(input).run().map_err(|source| NetworkError::Filter { doing, source })
}

#[derive(Serialize)]
struct Ruleset<'a> {
    nftables: Vec<&'a Value>,
}

#[derive(Deserialize)]
struct Listing {
    nftables: Vec<Listed>,
}

/// One object of a listing, as far as csp reads it; all else leaves it empty.
#[derive(Deserialize)]
struct Listed {
    rule: Option<Rule>,
}

/// A rule.
#[derive(Deserialize)]
struct Rule {
    expr: Value,
}

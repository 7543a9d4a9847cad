//! `csp-control audit`: prints every difference with its cure; exit code 0 when there is none.

use super::{
    CommandError,
    client::Client,
    text::{or_dash, say, say_json},
};
use crate::operator::wire::{Audit, AuditFinding};

/// Runs the audit. Differences that work under way will end are printed and do not count.
pub(super) fn run(client: &Client<'_>, json: bool) -> Result<(), CommandError> {
    let audit: Audit = client.get("/audit")?;
    if json {
        say_json(&audit)?;
    } else {
        say(&text(&audit))?;
    }
    match audit.findings.iter().filter(|finding| !finding.in_motion).count() {
        0 => Ok(()),
        count => Err(CommandError::Differences(count)),
    }
}

fn text(audit: &Audit) -> String {
    let (wrong, moving): (Vec<_>, Vec<_>) = audit.findings.iter().partition(|finding| !finding.in_motion);
    let mut text: String = wrong.iter().map(|finding| one(finding, &finding.severity)).collect();
    text.extend(moving.iter().map(|finding| one(finding, "in motion")));
    let Audit { hosts, servers, addresses, things, .. } = audit;
    let sum =
        format!("Compared {hosts} hosts with {things} things on them, {servers} servers and {addresses} addresses");
    match (wrong.len(), moving.len()) {
        (0, 0) => text + &format!("{sum}: no difference.\n"),
        (0, moving) => text + &format!("{sum}: no difference but {moving} in motion; look again.\n"),
        (wrong, _) => text + &format!("{sum}: {wrong} to be put right.\n"),
    }
}

fn one(finding: &AuditFinding, label: &str) -> String {
    let server = finding.server.map(|server| format!("  server {server}")).unwrap_or_default();
    let host = or_dash(finding.host.as_deref());
    format!("{label}  {}  host {host}{server}\n  {}\n  cure: {}\n", finding.kind, finding.what, finding.cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(in_motion: bool) -> AuditFinding {
        AuditFinding {
            severity: "danger".to_owned(),
            kind: "tap_unfiltered".to_owned(),
            host: Some("h1".to_owned()),
            server: "0192f0c1-2345-7abc-8def-0123456789ab".parse().ok(),
            object: "cspta".to_owned(),
            what: "tap cspta is up and nothing filters it".to_owned(),
            cure: "set it down".to_owned(),
            in_motion,
        }
    }

    #[test]
    fn what_is_wrong_is_told_from_what_is_in_motion() {
        let audit = |findings| Audit { hosts: 2, servers: 1, addresses: 1, things: 9, findings };
        insta::assert_snapshot!(text(&audit(vec![finding(true), finding(false)])), @r"
        danger  tap_unfiltered  host h1  server 0192f0c1-2345-7abc-8def-0123456789ab
          tap cspta is up and nothing filters it
          cure: set it down
        in motion  tap_unfiltered  host h1  server 0192f0c1-2345-7abc-8def-0123456789ab
          tap cspta is up and nothing filters it
          cure: set it down
        Compared 2 hosts with 9 things on them, 1 servers and 1 addresses: 1 to be put right.
        ");
        assert!(text(&audit(vec![finding(true)])).ends_with("no difference but 1 in motion; look again.\n"));
        assert!(text(&audit(vec![])).ends_with("1 addresses: no difference.\n"));
    }
}

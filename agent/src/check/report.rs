//! What `csp-agent check` tells: one finding a part, for people and for programs.

use std::fmt;

use serde::Serialize;

/// All findings, in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// One for each part that was looked at.
    pub findings: Vec<Finding>,
}

/// How one part is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which part.
    pub name: &'static str,
    /// Whether it will do.
    pub verdict: Verdict,
    /// What was seen.
    pub detail: String,
    /// What to do about it; empty when nothing is to be done.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cure: String,
}

/// Whether a part will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It will.
    Ok,
    /// It will, but not well.
    Warning,
    /// It will not: servers cannot run here.
    Fault,
}

impl Finding {
    /// Nothing to be done.
    #[must_use]
    pub fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, detail: detail.into(), cure: String::new() }
    }

    /// It works, but not well.
    #[must_use]
    pub fn warning(name: &'static str, detail: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warning, detail: detail.into(), cure: cure.into() }
    }

    /// Servers cannot run here.
    #[must_use]
    pub fn fault(name: &'static str, detail: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Fault, detail: detail.into(), cure: cure.into() }
    }
}

impl Report {
    /// Whether servers can run here.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.findings.iter().all(|finding| finding.verdict != Verdict::Fault)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        f.write_str(&self.summary())
    }
}

impl Report {
    /// The last line: whether servers can run here.
    #[must_use]
    pub fn summary(&self) -> String {
        let faults = self.findings.iter().filter(|finding| finding.verdict == Verdict::Fault).count();
        match faults {
            0 => "this host can run servers".to_owned(),
            1 => "1 fault: this host cannot run servers".to_owned(),
            many => format!("{many} faults: this host cannot run servers"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Fault => "FAULT",
        };
        write!(f, "{:<14} {word:<8} {}", self.name, self.detail)?;
        if self.cure.is_empty() { Ok(()) } else { write!(f, "\n{:<14} {:<8} cure: {}", "", "", self.cure) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_told_to_people_and_to_programs() {
        let findings = vec![
            Finding::ok("libvirt", "answers at qemu:///system"),
            Finding::warning("clock", "is not synchronised", "install chrony"),
            Finding::fault("bridge", "there is no br-public", "make it"),
        ];
        let report = Report { findings };
        assert!(!report.is_ok());
        insta::assert_snapshot!(format!("{report}\n---\n{}", serde_json::to_string_pretty(&report).unwrap()));
    }
}

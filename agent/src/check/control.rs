//! Whether the control plane can be dialled.

use std::{path::Path, time::Duration};

use tokio::{net::TcpStream, time::timeout};

use super::Finding;
use crate::link::enrolment;

const CONTROL: &str = "control plane";
const LIMIT: Duration = Duration::from_secs(5);

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// This host belongs to no control plane, as its files say.
    NotEnrolled(String),
    /// It answers there.
    Reached(String),
    /// It does not, and why.
    Unreached {
        /// Where.
        address: String,
        /// Why.
        reason: String,
    },
}

/// Dials the control plane that this host was enrolled at.
pub async fn probe(state_dir: &Path) -> Reach {
    match enrolment::load(state_dir) {
        Ok((enrolment, _)) => dial(enrolment.control).await,
        Err(error) => Reach::NotEnrolled(error.to_string()),
    }
}

/// Opens a connection and closes it again.
pub async fn dial(address: String) -> Reach {
    match timeout(LIMIT, TcpStream::connect(&address)).await {
        Ok(Ok(_)) => Reach::Reached(address),
        Ok(Err(error)) => Reach::Unreached { address, reason: error.to_string() },
        Err(_) => Reach::Unreached { address, reason: format!("no answer within {} s", LIMIT.as_secs()) },
    }
}

/// Judges the way to the control plane. Before the enrolment nothing is wrong yet.
#[must_use]
pub fn judge(reach: &Reach) -> Finding {
    match reach {
        Reach::Reached(address) => Finding::ok(CONTROL, format!("answers at {address}")),
        Reach::NotEnrolled(reason) => Finding::warning(
            CONTROL,
            reason,
            "run `csp-control host add` at the control plane and paste the line that it prints",
        ),
        Reach::Unreached { address, reason } => Finding::fault(
            CONTROL,
            format!("does not answer at {address}: {reason}"),
            "open the way out to that port; see that csp-control runs there",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[tokio::test]
    async fn a_port_that_answers_is_told_from_one_that_does_not() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        assert_eq!(judge(&dial(address.clone()).await).verdict, Verdict::Ok);
        drop(listener);
        let finding = judge(&dial(address).await);
        assert_eq!(finding.verdict, Verdict::Fault);
        assert!(finding.detail.contains("refused"), "{finding}");
        let finding = judge(&dial("no-such-host.invalid:1".to_owned()).await);
        assert_eq!(finding.verdict, Verdict::Fault, "{finding}");
    }

    #[tokio::test]
    async fn a_host_that_was_not_enrolled_is_told_how() {
        let state = tempfile::tempdir().unwrap();
        let finding = judge(&probe(state.path()).await);
        assert_eq!(finding.verdict, Verdict::Warning);
        assert!(finding.cure.contains("host add"), "{finding}");
    }
}

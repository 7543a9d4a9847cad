//! The newest report of each server, and which of them nobody took yet.

use csp_shared::{
    generation::Version,
    id::ServerId,
    observed::{Observed, Remains},
    sha256::Sha256,
};

use crate::newest::Newest;

/// Shared by the workers, which write, and the link, which reads.
#[derive(Default)]
pub struct Reports(Newest<ServerId, Observed>);

impl Reports {
    /// Keeps `report` if it tells something new. A look that began before a newer spec was accepted tells nothing.
    pub fn publish(&self, report: Observed) {
        self.0
            .put_unless(report.server, report, |latest, report| latest == report || latest.accepted > report.accepted);
    }

    /// A newer spec was accepted: the last report is told again under it, without what was only true of the older one.
    /// What stood in that one's way says nothing about the newer. And that nothing was left says nothing either: it was
    /// seen before, and a step may be under way since. A proof under a version comes from a look that began after the
    /// version was accepted, and from nowhere else.
    pub fn accepted(&self, server: ServerId, version: Version, hash: Sha256) {
        self.0.change(server, |report| {
            // A look may have been faster: what it found is the proof, and stays.
            if report.accepted >= version {
                return false;
            }
            (report.accepted, report.accepted_hash) = (version, hash);
            (report.fault, report.activity, report.arrived_percent) = (None, None, None);
            report.remains = Remains::UNPROVED;
            true
        });
    }

    /// The newest report of a server.
    #[must_use]
    pub fn latest(&self, server: ServerId) -> Option<Observed> {
        self.0.latest(server)
    }

    /// Waits for news and takes at most `limit` of them (at least one). Cancel safe; for one reader.
    pub async fn take(&self, limit: usize) -> Vec<Observed> {
        self.0.take(limit).await
    }
}

#[cfg(test)]
mod tests {
    use csp_shared::{
        generation::{Generation, Incarnation},
        observed::DomainState,
    };

    use super::*;
    use crate::plan::fixture::{server, spec};

    fn report(generation: u64, domain: DomainState) -> Observed {
        let version = Version { incarnation: Incarnation::FIRST, generation: Generation(generation) };
        Observed {
            server: server(),
            accepted: version,
            accepted_hash: Sha256::of(&[]),
            reached: None,
            let_go: None,
            domain,
            disk_epoch: Some(spec().disk_epoch),
            activity: None,
            arrived_percent: None,
            fault: None,
            remains: Remains::UNPROVED,
        }
    }

    #[tokio::test]
    async fn only_the_newest_report_of_a_server_is_taken_and_only_once() {
        let reports = Reports::default();
        reports.publish(report(1, DomainState::Off));
        reports.publish(report(1, DomainState::Running));
        assert_eq!(reports.take(9).await, [report(1, DomainState::Running)]);
        reports.publish(report(1, DomainState::Running));
        assert!(reports.0.take_now(9).is_empty(), "nothing new was told");
    }

    #[test]
    fn what_was_seen_before_a_spec_was_accepted_proves_nothing_about_it() {
        let reports = Reports::default();
        let empty = |generation| Observed { remains: Remains::NOTHING, ..report(generation, DomainState::Off) };
        reports.publish(empty(1));
        reports.accepted(server(), empty(2).accepted, Sha256::of(&[]));
        assert_eq!(reports.latest(server()), Some(report(2, DomainState::Off)), "unproved");
        reports.publish(empty(1));
        assert_eq!(reports.latest(server()), Some(report(2, DomainState::Off)), "a look from before is late");
        reports.publish(empty(2));
        assert_eq!(reports.latest(server()), Some(empty(2)));
    }

    #[test]
    fn a_look_that_was_faster_than_its_acceptance_keeps_its_proof() {
        let reports = Reports::default();
        let proved = Observed { remains: Remains::NOTHING, ..report(2, DomainState::Off) };
        reports.publish(report(1, DomainState::Running));
        reports.publish(proved.clone());
        reports.accepted(server(), proved.accepted, Sha256::of(&[]));
        assert_eq!(reports.latest(server()), Some(proved));
    }

    #[test]
    fn a_look_at_an_older_spec_does_not_undo_what_was_accepted_since() {
        let reports = Reports::default();
        reports.publish(report(1, DomainState::Running));
        reports.accepted(server(), report(2, DomainState::Off).accepted, Sha256::of(&[]));
        reports.publish(report(1, DomainState::Off));
        assert_eq!(reports.latest(server()), Some(report(2, DomainState::Running)));
    }
}

//! Hosts that hear nothing for a week, and hosts whose clock is a year off: they come back by themselves.
//!
//! No clock of a host is in any message, and no decision of the agent reads the time of day (`clippy.toml` bans the calls):
//! what an agent counts begins with its process. So a wrong clock is played as one that counts from elsewhere.

use csp_control::domain::{server::ServiceStatus, time::DAY};

use super::{crash::stage::Stage, fuse::Fuse};

const YEAR_MS: u64 = 365 * 24 * 3600 * 1000;

fn play(test: impl AsyncFnOnce(&mut Stage)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut stage = Stage::empty(Fuse::default());
        stage.furnished().await;
        test(&mut stage).await;
        stage.history.settle_soon().await;
        stage.history.check_settled().await;
    });
}

#[test]
fn a_host_that_hears_nothing_for_a_week_goes_on_and_then_does_what_it_missed() {
    play(async |stage| {
        let (stopped, doomed, kept) = (stage.running().await, stage.running().await, stage.running().await);
        for host in 0..2 {
            stage.away(host, true).await;
        }
        stage.ask(stopped, "stop").await;
        stage.ask(doomed, "destroy").await;
        for day in 0..7 {
            stage.history.wait(DAY).await;
            if day == 3 {
                // One loses its power on the way, the other's agent dies.
                stage.history.hosts[0].kill();
                stage.history.hosts[0].machine.reboot();
                stage.history.replace_agent(1).await;
                stage.history.revive().await;
                stage.history.wait(61).await;
            }
        }
        for server in [stopped, doomed, kept] {
            let host = stage.host_of(server);
            assert!(stage.history.hosts[host].machine.runs(server), "it runs what it was told last");
        }
        assert_eq!(stage.show(kept).await["data"]["status"], "Unknown");
        for host in 0..2 {
            stage.away(host, false).await;
        }
        stage.until(stopped, "Offline").await;
        stage.until(kept, "Online").await;
        stage.until_released(doomed, ServiceStatus::Destroyed).await;
    });
}

#[test]
fn a_host_whose_clock_is_a_year_off_does_all_that_others_do() {
    play(async |stage| {
        stage.history.hosts[0].skew_ms = YEAR_MS;
        stage.history.replace_agent(0).await;
        stage.history.revive().await;
        let server = stage.running().await;
        assert_eq!(stage.host_of(server), 0);
        stage.ask(server, "stop").await;
        stage.until(server, "Offline").await;
        // It is set right while its machine is off: the agent that comes up counts from elsewhere again.
        stage.history.hosts[0].skew_ms = 0;
        stage.history.hosts[0].kill();
        stage.history.hosts[0].machine.reboot();
        stage.history.revive().await;
        stage.ask(server, "start").await;
        stage.until(server, "Online").await;
        stage.ask(server, "restart").await;
        stage.until(server, "Online").await;
        stage.ask(server, "destroy").await;
        stage.until_released(server, ServiceStatus::Destroyed).await;
    });
}

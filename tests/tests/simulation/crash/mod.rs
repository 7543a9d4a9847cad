//! Crash anywhere. Each scenario is run once to count every point at which a process could die: before and after each
//! commit of the control plane, and before and after each thing that an agent does to its host or its own disk. Then it
//! is run again for each of those points, with a death exactly there and another process in its place. Whatever the
//! point, every order ends running or refunded, the sums are right, and nothing is left over.
//!
//! [`complete`] proves from the sources that no commit and no kind of step is missing.

mod complete;
mod scenarios;
pub mod stage;

use std::{panic::AssertUnwindSafe, pin::Pin};

use super::fuse::Fuse;
use stage::Stage;

/// What is played, from an empty control plane on.
pub type Scenario = for<'a> fn(&'a mut Stage) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Plays a scenario, dying at the point numbered `at`; gives what was crossed.
fn play(scenario: Scenario, at: Option<usize>) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let fuse = Fuse::default();
        let mut stage = Stage::empty(fuse.clone());
        fuse.arm(at);
        scenario(&mut stage).await;
        let crossed = fuse.disarm();
        stage.history.settle_soon().await;
        stage.history.check_settled().await;
        crossed
    })
}

/// Dies at every point of a scenario, one after the other.
fn die_everywhere(name: &str, scenario: Scenario) {
    let points = play(scenario, None);
    let mut fallen = Vec::new();
    for (at, point) in points.iter().enumerate() {
        let played = std::panic::catch_unwind(AssertUnwindSafe(|| play(scenario, Some(at))));
        match played {
            Ok(crossed) => assert_eq!(crossed.get(at), Some(point), "the same scenario crosses the same points"),
            Err(_) => fallen.push(format!("{at}: {point}")),
        }
    }
    println!("{name}: died at each of {} points", points.len());
    assert!(fallen.is_empty(), "{name}: {} of {} points:\n{}", fallen.len(), points.len(), fallen.join("\n"));
}

#[test]
fn an_operator_sets_up_shop_whatever_dies() {
    die_everywhere("set up", scenarios::set_up);
}

#[test]
fn rent_is_paid_once_whatever_dies() {
    die_everywhere("renting", scenarios::renting);
}

#[test]
fn a_server_expires_step_by_step_whatever_dies() {
    die_everywhere("expiring", scenarios::expiring);
}

#[test]
fn what_a_customer_keeps_is_changed_once_whatever_dies() {
    die_everywhere("belongings", scenarios::belongings);
}

#[test]
fn a_payment_moves_once_whatever_becomes_of_it_and_whatever_dies() {
    die_everywhere("payments", scenarios::payments);
}

#[test]
fn a_server_lives_from_order_to_destruction_whatever_dies() {
    die_everywhere("life", scenarios::life);
}

#[test]
fn servers_share_private_networks_whatever_dies() {
    die_everywhere("networking", scenarios::networking);
}

#[test]
fn a_server_gets_other_packages_whatever_dies() {
    die_everywhere("reshaping", scenarios::reshaping);
}

#[test]
fn a_server_uses_up_its_traffic_and_is_held_once_whatever_dies() {
    die_everywhere("traffic", scenarios::traffic);
}

#[test]
fn what_a_host_cannot_do_is_taken_back_once_whatever_dies() {
    die_everywhere("spoilt", scenarios::spoilt);
}

#[test]
fn an_order_that_fails_for_good_is_refunded_whatever_dies() {
    die_everywhere("failing", scenarios::failing);
}

#[test]
fn an_order_that_is_late_is_refunded_whatever_dies() {
    die_everywhere("late", scenarios::late);
}

#[test]
fn guests_come_back_after_a_power_cut_whatever_dies() {
    die_everywhere("power cut", scenarios::power_cut);
}

#[test]
fn guests_that_fall_pause_or_disobey_end_well_whatever_dies() {
    die_everywhere("unruly", scenarios::unruly);
}

#[test]
fn hosts_are_given_up_and_their_customers_paid_back_once_whatever_dies() {
    die_everywhere("losing", scenarios::losing);
}

#[test]
fn addresses_come_go_and_move_whatever_dies() {
    die_everywhere("addresses", scenarios::addresses);
}

#[test]
fn people_come_and_go_whatever_dies() {
    die_everywhere("people", scenarios::people);
}

#[test]
fn codes_are_asked_for_and_not_any_more_whatever_dies() {
    die_everywhere("codes", scenarios::codes);
}

#[test]
fn money_comes_in_by_card_once_whatever_dies() {
    die_everywhere("card", scenarios::card);
}

#[test]
fn who_holds_a_link_changes_a_server_once_whatever_dies() {
    die_everywhere("visitor", scenarios::visitor);
}

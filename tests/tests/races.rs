//! Many clients, one balance, one promo code: whoever comes first gets it, and not a cent more than is there is spent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::sync::Arc;

use csp_control::{
    domain::{
        billing::promo::{Code, PromoRefusal},
        catalog::ServiceType,
        hostname::Hostname,
        money::Cents,
    },
    service::{
        afford::Unaffordable,
        known_names::UnknownName,
        order_server::{OrderError, OrderServer, Ordered, order_server},
        verify_ledger::verify_ledger,
    },
};
use csp_tests::test_control::{EXAMPLE_CATALOG, TestControl, TestCustomer};

/// Feature `long`: ten thousand. Each is sixty-four orders at once, half a millisecond each without optimization.
const ROUNDS: u32 = if cfg!(feature = "long") { 10_000 } else { 1_000 };
/// Rounds on one control plane: as many servers as its host has room for.
const ROUNDS_EACH: u32 = 20;
const CLIENTS: usize = 64;
const USES: i64 = 3;
/// Of the package, with the code: half of 6.95, rounded half up for the customer's discount.
const PRICE: i64 = 695;

fn catalog(rounds: u32) -> String {
    let code = |round| {
        format!(
            "\n[[promo_codes]]\ncode = \"RACE{round}\"\noff = \"50%\"\nduration = \"first\"\nmax_uses = {USES}\n\
             max_uses_per_account = 64\n"
        )
    };
    EXAMPLE_CATALOG.to_owned() + &(0..rounds).map(code).collect::<String>()
}

async fn order(control: Arc<TestControl>, customer: TestCustomer, code: Option<Code>) -> Result<Ordered, OrderError> {
    let order = OrderServer {
        account: customer.account,
        kind: ServiceType::Vps,
        package: "starter".to_owned(),
        image: "debian-12".to_owned(),
        hostname: Hostname::parse("race").unwrap(),
        ssh_key: None,
        inline_keys: vec![],
        user_data: None,
        location: None,
        promo: code,
        password_hash: None,
        provision_timeout: 600,
        limits: control.app.settings.limits,
    };
    let (draw, now) = (control.app.draw(), control.app.now());
    control.app.store.write(move |tx| order_server(tx, &order, draw.clone(), now)).await
}

/// What so many clients at once got of a wallet: accepted orders, and the refusals for want of money and of the code.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    accepted: i64,
    short: usize,
    used_up: usize,
    charged: i64,
    discount: i64,
}

async fn race(control: &Arc<TestControl>, customer: &TestCustomer, code: &Code) -> Told {
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| tokio::spawn(order(control.clone(), customer.clone(), Some(code.clone())))).collect();
    let mut told = Told::default();
    for client in clients {
        match client.await.unwrap() {
            Ok(ordered) => {
                told.accepted += 1;
                told.charged += ordered.bill.quote.charged().get();
                told.discount += ordered.bill.quote.discount().get();
            }
            Err(OrderError::Unaffordable(Unaffordable::Short { .. })) => told.short += 1,
            Err(OrderError::Unknown(names)) if names == [UnknownName::Promo(PromoRefusal::UsedUp)] => told.used_up += 1,
            Err(other) => panic!("{other}"),
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_clients_spend_one_balance_and_one_promo_code() {
    let mut spent = Told::default();
    for plane in 0..ROUNDS / ROUNDS_EACH {
        let control = Arc::new(TestControl::with_catalog(&catalog(ROUNDS_EACH)).await);
        for name in ["host-1", "host-2", "host-3"] {
            control.host(name).await;
        }
        for round in 0..ROUNDS_EACH {
            // From nothing up to more than the code is good for.
            let has = i64::from((plane * ROUNDS_EACH + round) * 37 % 1_400);
            let customer = control.customer(&format!("c{round}"), &Cents::new(has).unwrap().to_string()).await;
            let told = race(&control, &customer, &Code::parse(&format!("RACE{round}")).unwrap()).await;
            let net = PRICE - (PRICE + 1) / 2;
            let accepted = (has / net).min(USES);
            assert_eq!((told.accepted, told.charged), (accepted, accepted * net), "with {has}: {told:?}");
            assert_eq!(told.charged + told.discount, accepted * PRICE);
            assert_eq!(told.used_up > 0, accepted == USES, "{told:?}");
            let account = customer.account;
            let left = control.app.store.read(move |read| read.account_get(account)).await.unwrap().unwrap();
            assert_eq!(left.balance.get(), has - told.charged);
            spent.accepted += told.accepted;
            spent.short += told.short;
            spent.used_up += told.used_up;
        }
        assert_eq!(verify_ledger(&control.app.store).await.unwrap().differences, []);
    }
    let Told { accepted, short, used_up, .. } = spent;
    println!(
        "{ROUNDS} rounds: {accepted} orders, {short} refused for want of money, {used_up} as the code was used up"
    );
}

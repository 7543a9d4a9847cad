//! Lists: whole unless a limit is given, in a stable order, with their size beside them.

use csp_tests::test_control::TestControl;
use serde_json::json;

#[tokio::test]
async fn packages_and_images_are_filtered_by_type() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "0").await;
    let slugs = |reply: &csp_tests::test_control::Reply| -> Vec<String> {
        let list = reply.data().as_array().unwrap().clone();
        list.iter().map(|entry| entry["slug"].as_str().or(entry["key"].as_str()).unwrap().to_owned()).collect()
    };
    let get = |path: &'static str| control.api("GET", path).by(&customer).send();
    assert_eq!(slugs(&get("/packages").await), ["starter", "performance", "edge", "dedicated-16"]);
    assert_eq!(slugs(&get("/packages?type=vps").await), ["starter", "performance", "edge"]);
    assert_eq!(slugs(&get("/packages?type=dedicated").await), ["dedicated-16"]);
    assert_eq!(slugs(&get("/packages?type=vps&limit=1&offset=1").await), ["performance"]);
    assert_eq!(slugs(&get("/os-images?type=vps").await), ["ubuntu-24-04", "debian-12"], "images for both");
    let wrong = get("/packages?type=cloud").await;
    assert_eq!((wrong.status.as_u16(), wrong.fields()), (422, vec!["type"]));
}

#[tokio::test]
async fn a_package_is_found_by_uuid_and_by_slug() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "0").await;
    let by_slug = control.api("GET", "/packages/starter").by(&customer).send().await;
    let uuid = by_slug.data()["uuid"].as_str().unwrap();
    let by_uuid = control.api("GET", &format!("/packages/{uuid}")).by(&customer).send().await;
    assert_eq!(by_uuid.data(), by_slug.data());
}

#[tokio::test]
async fn transactions_come_in_pages_newest_first() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "0").await;
    for number in 0..30 {
        control.top_up(customer.account, "1.00", &format!("payment-{number}")).await;
    }
    let get = |path: &'static str| control.api("GET", path).by(&customer).send();
    let first = get("/transactions").await;
    assert_eq!(first.data().as_array().map(Vec::len), Some(25));
    assert_eq!((&first.json["total"], &first.json["limit"]), (&json!(30), &json!(25)));
    assert_eq!(first.data()[0]["balance_after"], json!(30.0));
    let rest = get("/transactions?limit=25&offset=25").await;
    assert_eq!(rest.data().as_array().map(Vec::len), Some(5));
    assert_eq!(rest.data()[4]["balance_after"], json!(1.0));
    let beyond = get("/transactions?offset=1000").await;
    assert_eq!(beyond.data(), &json!([]));
    let clamped = get("/transactions?limit=5000").await;
    assert_eq!(clamped.json["limit"], json!(100));
    assert!(clamped.json["message"].as_str().unwrap().contains("100"));
}

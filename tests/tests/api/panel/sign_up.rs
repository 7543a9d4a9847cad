//! Who may sign up, and what that takes.

use csp_control::domain::sign_in::SignUp;
use serde_json::{Value, json};

use super::{ADA, PASSWORD, TERMS, World, token_in, told};

#[tokio::test]
async fn whoever_was_invited_signs_up_in_and_out_and_has_the_public_api_meanwhile() {
    let world = World::with(SignUp::Invitation).await;
    let invited =
        world.control.operator("POST", "/people/invite").json(&json!({"email": "Ada@Example.com"})).send().await;
    assert_eq!(invited.data()["email"], ADA);
    assert_eq!(world.ask("stranger@example.com").await.code(), "not_found", "nobody else");
    let letters = world.letters().await;
    assert_eq!((letters.len(), letters[0].0.as_str()), (1, ADA));
    let token = token_in(&letters[0].1).unwrap();
    assert!(letters[0].1.contains(&format!("https://cybaaspace.com/panel/sign-up#{token}")), "{letters:?}");
    assert_eq!(world.finish(&token).await.data()["state"], "open");

    let cookie = world.sign_in("ADA@example.com", PASSWORD).await;
    let account = world.account(&cookie).await;
    assert_eq!((&account.data()["name"], &account.data()["email"]), (&json!("Ada"), &json!(ADA)));
    assert_eq!(account.data()["key"], Value::Null);
    let person = world.by(&cookie, "GET", "/person", &json!({})).await;
    assert_eq!((&person.data()["email"], &person.data()["terms_version"]), (&json!(ADA), &json!(TERMS)));
    let out = world.by(&cookie, "POST", "/sign-out", &json!({})).await;
    assert!(
        out.header("set-cookie").starts_with("__Host-csp_panel=; ") && out.header("set-cookie").contains("Max-Age=0")
    );
    assert_eq!(world.account(&cookie).await.status.as_u16(), 401);
}

#[tokio::test]
async fn an_invitation_can_be_to_an_account_that_is_there_and_has_nobody() {
    let world = World::with(SignUp::Invitation).await;
    let account = world.control.customer("Old customer", "10.00").await.account;
    let invite = async |email: &str| {
        let body = json!({"email": email, "account": account});
        world.control.operator("POST", "/people/invite").json(&body).send().await
    };
    invite(ADA).await.done();
    invite("bob@example.com").await.done();
    let letters = world.letters().await;
    let tokens: Vec<_> = letters.iter().filter_map(|(_, text)| token_in(text)).collect();
    world.finish(&tokens[0]).await.done();
    let cookie = world.sign_in(ADA, PASSWORD).await;
    assert_eq!(world.account(&cookie).await.data()["uuid"], json!(account));
    assert_eq!(world.finish(&tokens[1]).await.fields(), ["token"], "one sign-in an account");
    assert_eq!(invite("eve@example.com").await.code(), "already_exists");
}

#[tokio::test]
async fn where_it_is_closed_nobody_signs_up_and_nobody_can_be_invited() {
    let world = World::with(SignUp::Closed).await;
    assert_eq!(world.page("GET", "/sign-up", &json!({})).send().await.data()["mode"], "closed");
    assert_eq!(world.ask(ADA).await.code(), "not_found");
    let invited = world.control.operator("POST", "/people/invite").json(&json!({"email": ADA})).send().await;
    assert_eq!(invited.code(), "conflict");
    assert!(world.letters().await.is_empty());
}

#[tokio::test]
async fn with_approval_the_operator_decides_and_both_ways_are_told_by_a_letter() {
    let world = World::with(SignUp::Approval).await;
    for email in [ADA, "bob@example.com"] {
        world.ask(email).await.done();
        let token = world.token().await;
        assert_eq!(world.finish(&token).await.data()["state"], "waiting");
    }
    assert_eq!(world.try_sign_in(ADA, PASSWORD).await.code(), "account_locked");
    assert_eq!(world.try_sign_in(ADA, "something else").await.code(), "unauthorized", "only who knows the password");
    assert_eq!(world.control.operator("GET", "/accounts").send().await.data(), &json!([]));
    let waiting = world.control.operator("GET", "/people").send().await.data().clone();
    let person = |at: usize| waiting[at]["uuid"].as_str().unwrap().to_owned();
    let judge = async |who: &str, what: &str| {
        world.control.operator("POST", &format!("/people/{who}/{what}")).json(&json!({})).send().await
    };
    judge(&person(0), "approve").await;
    judge(&person(1), "refuse").await;
    assert_eq!(judge(&person(0), "approve").await.code(), "not_found", "it is decided");
    assert_eq!(judge(&person(1), "approve").await.code(), "not_found", "it is forgotten");
    let letters = world.letters().await;
    assert_eq!(letters.iter().map(|(to, _)| to.as_str()).collect::<Vec<_>>(), [ADA, "bob@example.com"]);
    world.sign_in(ADA, PASSWORD).await;
    assert_eq!(
        told(&world.try_sign_in("bob@example.com", PASSWORD).await),
        told(&world.try_sign_in("x@example.com", PASSWORD).await)
    );
}

#[tokio::test]
async fn terms_name_and_password_are_asked_for_and_a_link_opens_once_and_for_a_day() {
    let world = World::with(SignUp::Open).await;
    world.ask(ADA).await.done();
    let token = world.token().await;
    let refused =
        world.post("/sign-up/finish", &json!({"token": token, "name": " ", "password": "short", "x": 1})).await;
    let mut fields = refused.fields();
    fields.sort_unstable();
    assert_eq!(fields, ["name", "password", "terms_version", "x"]);
    world.control.clock.advance(86_399);
    world.finish(&token).await.done();
    assert_eq!(world.finish(&token).await.fields(), ["token"], "once");
    world.ask("bob@example.com").await.done();
    let late = world.token().await;
    world.control.clock.advance(86_400);
    assert_eq!(told(&world.finish(&late).await), told(&world.finish("csp_ml_nothing").await), "too late, or never");
}

#[tokio::test]
async fn whoever_has_paid_nothing_in_has_one_server_and_the_operator_may_say_otherwise() {
    let world = World::with_ada().await;
    let cookie = world.sign_in(ADA, PASSWORD).await;
    let servers = async || world.account(&cookie).await.data()["limits"]["servers"]["max"].clone();
    assert_eq!(servers().await, 1);
    let account = world.account(&cookie).await.data()["uuid"].as_str().unwrap().to_owned();
    let own = json!({"limits": {"servers": 3}});
    world.control.operator("POST", &format!("/accounts/{account}/limits")).json(&own).send().await.done();
    assert_eq!(servers().await, 3);
    let usual = json!({"limits": {"servers": "usual"}});
    world.control.operator("POST", &format!("/accounts/{account}/limits")).json(&usual).send().await.done();
    let gift = json!({"amount": "20.00", "reference": "gift/1", "note": null});
    world.control.operator("POST", &format!("/accounts/{account}/goodwill")).json(&gift).send().await.done();
    assert_eq!(servers().await, 1, "a gift is no top-up");
    world.control.top_up(account.parse().unwrap(), "10.00", "bank/1").await;
    assert_eq!(servers().await, 25);
}

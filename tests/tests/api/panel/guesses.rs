//! Guessing passwords: slow, and no way to lock anybody out.

use std::num::NonZeroU32;

use csp_control::{
    config::{RateLimits, SignUpRules},
    domain::sign_in::SignUp,
};
use csp_tests::test_control::{Reply, TestControl};
use serde_json::json;

use super::{ADA, Letterbox, NEW_PASSWORD, PASSWORD, TERMS, World, told};

async fn strict() -> World {
    let control = TestControl::with_settings(|settings| {
        settings.billing.has_mail = true;
        settings.sign_up = SignUpRules { mode: SignUp::Open, terms_version: Some(TERMS.to_owned()) };
        let passwords_per_person_per_minute = NonZeroU32::new(5).unwrap();
        let failed_sign_ins_per_minute = NonZeroU32::new(20).unwrap();
        settings.rate_limits =
            RateLimits { passwords_per_person_per_minute, failed_sign_ins_per_minute, ..RateLimits::generous() };
    });
    let world = World { control: control.await, post: Letterbox::default() };
    world.signed_up(ADA).await;
    world
}

impl World {
    async fn guess(&self, email: &str, password: &str, from: &str) -> Reply {
        let body = json!({"email": email, "password": password});
        self.page("POST", "/sign-in", &body).from(from).send().await
    }
}

#[tokio::test]
async fn an_address_unknown_or_wrong_is_told_the_same_also_when_there_were_too_many() {
    let world = strict().await;
    for round in 0..7 {
        let known = world.guess(ADA, "not the password", &format!("198.51.100.{round}")).await;
        let unknown = world.guess("nobody@example.com", "not the password", &format!("198.51.100.{round}")).await;
        assert_eq!(told(&known), told(&unknown), "{round}");
        assert_eq!(known.status.as_u16(), if round < 5 { 401 } else { 429 });
    }
    assert_eq!(
        world.guess(ADA, PASSWORD, "198.51.100.9").await.status.as_u16(),
        429,
        "the right one is not found either"
    );
}

#[tokio::test]
async fn guesses_from_elsewhere_do_not_keep_the_owner_out_of_where_they_were_or_who_has_the_letter() {
    let world = strict().await;
    assert_eq!(world.guess(ADA, PASSWORD, "203.0.113.7").await.status.as_u16(), 200);
    for round in 0..20 {
        world.guess(ADA, "not the password", &format!("198.51.100.{round}")).await;
    }
    assert_eq!(world.guess(ADA, PASSWORD, "203.0.113.7").await.status.as_u16(), 200);
    assert_eq!(world.guess(ADA, PASSWORD, "203.0.113.8").await.status.as_u16(), 429, "a place that is not known");
    world.letters().await;
    world.post("/password/forgotten", &json!({"email": ADA})).await.done();
    let body = json!({"token": world.token().await, "password": NEW_PASSWORD});
    world.page("POST", "/password/reset", &body).from("203.0.113.8").send().await.done();
    assert_eq!(world.guess(ADA, NEW_PASSWORD, "203.0.113.8").await.status.as_u16(), 200);
}

#[tokio::test]
async fn one_place_tries_twenty_times_a_minute_whoever_it_guesses_at() {
    let world = strict().await;
    let mut told = Vec::new();
    for round in 0..21 {
        told.push(
            world.guess(&format!("a{round}@example.com"), "not the password", "198.51.100.1").await.status.as_u16(),
        );
    }
    assert_eq!((told[19], told[20]), (401, 429));
}

#[tokio::test]
async fn guesses_at_the_old_password_by_an_open_browser_are_counted_as_well() {
    let world = strict().await;
    let cookie = world.sign_in(ADA, PASSWORD).await;
    let body = json!({"current_password": "not the password", "password": NEW_PASSWORD});
    let mut told = Vec::new();
    for _ in 0..7 {
        told.push(world.by(&cookie, "POST", "/password", &body).await.status.as_u16());
    }
    assert_eq!((told[0], told[6]), (422, 429));
}

/// They share an allowance; but whoever asks for a letter did not try to sign in, and is not told so.
#[tokio::test]
async fn who_tried_too_often_is_told_so_by_the_name_of_what_was_tried() {
    let world = strict().await;
    let ask = async |path: &str, body| world.page("POST", path, &body).from("198.51.100.77").send().await;
    for _ in 0..20 {
        assert_ne!(ask("/email/confirm", json!({"token": "csp_ml_0"})).await.code(), "rate_limited");
    }
    let password = json!({"email": ADA, "password": "not the password"});
    for (path, body, words) in [
        ("/sign-up", json!({}), "Too many requests for letters and other tries from your address: 20 a minute."),
        ("/password/forgotten", json!({}), "Too many requests for letters and other tries from your address: "),
        ("/sign-up/finish", json!({}), "Too many uses of letters' links and other tries from your address: "),
        ("/password/reset", json!({}), "Too many uses of letters' links and other tries from your address: "),
        ("/email/confirm", json!({}), "Too many uses of letters' links and other tries from your address: "),
        ("/sign-in/code", json!({}), "Too many codes and other tries from your address: "),
        ("/sign-in", password, "Too many tries of a password: "),
    ] {
        let refused = ask(path, body).await;
        let said = refused.json["message"].as_str().unwrap();
        assert_eq!((refused.status.as_u16(), said.starts_with(words)), (429, true), "{path}: {said}");
    }
}

//! Passwords and mail addresses are changed by letters, and each change is told.

use serde_json::json;

use super::{ADA, NEW_PASSWORD, PASSWORD, World, told};

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_a_letter_once_and_within_an_hour_and_every_browser_is_signed_out() {
    let world = World::with_ada().await;
    let cookie = world.sign_in(ADA, PASSWORD).await;
    let forgotten = json!({"email": ADA});
    world.post("/password/forgotten", &forgotten).await.done();
    world.post("/password/forgotten", &forgotten).await.done();
    let letters = world.letters().await;
    let tokens: Vec<_> = letters.iter().filter_map(|(_, text)| super::token_in(text)).collect();
    assert_eq!(tokens.len(), 2);
    let reset =
        async |token: &str| world.post("/password/reset", &json!({"token": token, "password": NEW_PASSWORD})).await;
    reset(&tokens[0]).await.done();
    let ended = told(&reset(&tokens[0]).await);
    assert_eq!((ended.0, &ended), (422, &told(&reset(&tokens[1]).await)), "used, and so is the other one");
    assert_eq!(world.account(&cookie).await.status.as_u16(), 401);
    assert_eq!(world.try_sign_in(ADA, PASSWORD).await.code(), "unauthorized");
    world.sign_in(ADA, NEW_PASSWORD).await;
    assert!(world.letters().await[0].1.starts_with("Your password was changed"));

    world.post("/password/forgotten", &forgotten).await.done();
    let late = world.token().await;
    world.control.clock.advance(3600);
    assert_eq!(told(&reset(&late).await), ended);
}

#[tokio::test]
async fn the_link_of_one_letter_does_not_do_what_another_is_for() {
    let world = World::with_ada().await;
    world.ask("bob@example.com").await.done();
    let sign_up = world.token().await;
    world.post("/password/forgotten", &json!({"email": ADA})).await.done();
    let reset = world.token().await;
    for (path, token) in [("/password/reset", &sign_up), ("/email/confirm", &sign_up), ("/email/confirm", &reset)] {
        let body = match path {
            "/password/reset" => json!({"token": token, "password": NEW_PASSWORD}),
            _ => json!({"token": token}),
        };
        assert_eq!(world.post(path, &body).await.fields(), ["token"], "{path}");
    }
    assert_eq!(world.finish(&reset).await.fields(), ["token"]);
    world.finish(&sign_up).await.done();
}

#[tokio::test]
async fn with_the_old_password_another_is_chosen_and_other_browsers_are_signed_out() {
    let world = World::with_ada().await;
    let (here, elsewhere) = (world.sign_in(ADA, PASSWORD).await, world.sign_in(ADA, PASSWORD).await);
    let change = |current: &str| json!({"current_password": current, "password": NEW_PASSWORD});
    let wrong = world.by(&here, "POST", "/password", &change("not the password")).await;
    assert_eq!(wrong.fields(), ["current_password"]);
    world.by(&here, "POST", "/password", &change(PASSWORD)).await.done();
    assert_eq!(world.account(&here).await.status.as_u16(), 200);
    assert_eq!(world.account(&elsewhere).await.status.as_u16(), 401);
    world.sign_in(ADA, NEW_PASSWORD).await;
}

#[tokio::test]
async fn a_new_address_counts_once_its_letter_was_followed_and_the_old_one_is_told() {
    let world = World::with_ada().await;
    let cookie = world.sign_in(ADA, PASSWORD).await;
    let change = |email: &str, password: &str| json!({"current_password": password, "email": email});
    let wrong = world.by(&cookie, "POST", "/email", &change("new@example.com", "not the password")).await;
    assert_eq!(wrong.fields(), ["current_password"]);
    world.by(&cookie, "POST", "/email", &change("new@example.com", PASSWORD)).await.done();
    let token = world.token().await;
    world.sign_in(ADA, PASSWORD).await;
    world.post("/email/confirm", &json!({"token": token})).await.done();
    assert_eq!(world.post("/email/confirm", &json!({"token": token})).await.fields(), ["token"]);
    assert_eq!(world.try_sign_in(ADA, PASSWORD).await.code(), "unauthorized");
    world.sign_in("new@example.com", PASSWORD).await;
    assert_eq!(world.account(&cookie).await.data()["email"], "new@example.com");
    let letters = world.letters().await;
    assert_eq!((letters.len(), letters[0].0.as_str()), (1, ADA));
    assert!(letters[0].1.contains("new@example.com"));
}

#[tokio::test]
async fn known_and_unknown_addresses_are_told_the_same_and_written_to_five_times_an_hour_at_most() {
    let world = World::with_ada().await;
    let both = async |path: &str| {
        let known = world.post(path, &json!({"email": ADA})).await;
        let unknown = world.post(path, &json!({"email": "nobody@example.com"})).await;
        assert_eq!(told(&known), told(&unknown), "{path}");
        assert_eq!(known.status.as_u16(), 200);
    };
    both("/sign-up").await;
    both("/password/forgotten").await;
    let letters = world.letters().await;
    let to: Vec<_> = letters.iter().map(|(to, text)| (to.as_str(), text.lines().next().unwrap())).collect();
    assert_eq!(
        to,
        [
            (ADA, "You have an account"),
            ("nobody@example.com", "Confirm your mail address"),
            (ADA, "Choose a new password"),
        ]
    );
    for _ in 0..9 {
        both("/password/forgotten").await;
    }
    // Her sign-up and three more; the one who is not known got one.
    assert_eq!(world.letters().await.len(), 2);
    world.control.clock.advance(3600);
    both("/password/forgotten").await;
    assert_eq!(world.letters().await.len(), 1);
}

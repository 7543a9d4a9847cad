//! Codes of an authenticator beside the password.

use csp_control::domain::time::DAY;
use csp_tests::{authenticator::code, test_control::Reply};
use serde_json::{Value, json};

use super::{ADA, NEW_PASSWORD, PASSWORD, World, cookie, told};

/// Ada's authenticator.
struct Authenticator {
    secret: String,
    recovery_codes: Vec<String>,
}

impl World {
    /// What an authenticator shows now.
    fn shows(&self, secret: &str) -> String {
        code(secret, self.control.app.now())
    }

    /// The next code: the one of before may be used.
    fn next(&self, secret: &str) -> String {
        self.control.clock.advance(30);
        self.shows(secret)
    }

    async fn set_up(&self, cookie: &str) -> String {
        let reply = self.by(cookie, "POST", "/second-factor/set-up", &json!({"current_password": PASSWORD})).await;
        reply.data()["secret"].as_str().unwrap_or_else(|| panic!("{}", reply.text)).to_owned()
    }

    async fn turned_on(&self, cookie: &str) -> Authenticator {
        let secret = self.set_up(cookie).await;
        let typed = json!({"code": self.shows(&secret)});
        let confirmed = self.by(cookie, "POST", "/second-factor/confirm", &typed).await;
        let codes = confirmed.data()["recovery_codes"].as_array().unwrap().clone();
        let recovery_codes = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
        Authenticator { secret, recovery_codes }
    }

    /// The first step; answers what it gave for the second one.
    async fn half_way(&self, password: &str) -> String {
        let reply = self.try_sign_in(ADA, password).await;
        assert_eq!((&reply.data()["signed_in"], reply.header("set-cookie")), (&json!(false), ""), "{}", reply.text);
        reply.data()["token"].as_str().unwrap().to_owned()
    }

    async fn second(&self, token: &str, code: &str) -> Reply {
        self.post("/sign-in/code", &json!({"token": token, "code": code})).await
    }

    async fn subjects(&self) -> Vec<String> {
        self.letters().await.iter().map(|(_, text)| text.lines().next().unwrap().to_owned()).collect()
    }
}

/// As after a long downtime, before an operator has looked at the clock.
#[tokio::test]
async fn codes_go_by_the_clock_that_the_machine_shows_also_where_csp_does_not() {
    let world = World::with_ada().await;
    let cookie = world.sign_in(ADA, PASSWORD).await;
    let made = world.turned_on(&cookie).await;
    world.control.clock.jump(40 * DAY);
    let (counted, shown) = (world.control.app.now(), world.control.app.clock.shown());
    assert_eq!(shown, counted.plus(40 * DAY));
    let token = world.half_way(PASSWORD).await;
    assert_eq!(world.second(&token, &code(&made.secret, counted)).await.fields(), ["code"]);
    assert_eq!(world.second(&token, &code(&made.secret, shown)).await.data()["signed_in"], true);
}

#[tokio::test]
async fn a_code_is_asked_for_once_it_was_confirmed_and_signs_in_in_a_second_step() {
    let world = World::with_ada().await;
    let (here, there) = (world.sign_in(ADA, PASSWORD).await, world.sign_in(ADA, PASSWORD).await);
    let secret = world.set_up(&here).await;
    world.sign_in(ADA, PASSWORD).await;
    let wrong = world.by(&here, "POST", "/second-factor/confirm", &json!({"code": "000000"})).await;
    assert_eq!(wrong.fields(), ["code"]);
    assert_eq!(world.by(&here, "GET", "/second-factor", &Value::Null).await.data()["on"], false);
    let typed = json!({"code": world.shows(&secret)});
    let confirmed = world.by(&here, "POST", "/second-factor/confirm", &typed).await;
    assert_eq!(confirmed.data()["recovery_codes"].as_array().unwrap().len(), 10);
    assert_eq!(world.account(&here).await.status.as_u16(), 200);
    assert_eq!(world.account(&there).await.status.as_u16(), 401, "it never gave a code");
    assert_eq!(world.subjects().await, ["A code is asked for when you sign in"]);
    let shown = world.by(&here, "GET", "/second-factor", &Value::Null).await;
    assert_eq!((&shown.data()["on"], &shown.data()["recovery_codes_left"]), (&json!(true), &json!(10)));

    let token = world.half_way(PASSWORD).await;
    let used = world.second(&token, typed["code"].as_str().unwrap()).await;
    assert_eq!(used.fields(), ["code"], "a code counts once");
    let entered = world.second(&token, &world.next(&secret)).await;
    assert_eq!((entered.status.as_u16(), &entered.data()["signed_in"]), (200, &json!(true)));
    assert_eq!(world.account(&cookie(&entered)).await.status.as_u16(), 200);
    let again = world.second(&token, &world.next(&secret)).await;
    assert_eq!(again.status.as_u16(), 401, "and so does the first step");
}

#[tokio::test]
async fn who_gave_the_password_alone_can_do_nothing_and_not_for_long() {
    let world = World::with_ada().await;
    let here = world.sign_in(ADA, PASSWORD).await;
    let ada = world.turned_on(&here).await;
    let token = world.half_way(PASSWORD).await;
    for name in ["__Host-csp_panel", "__Host-csp_manage"] {
        assert_eq!(world.account(&format!("{name}={token}")).await.status.as_u16(), 401);
    }
    assert_eq!(world.control.api("GET", "/account").with_key(&token).send().await.status.as_u16(), 401);
    let planted = world.second("csp_hw_0000000000000000000000000000000000000000000", &world.next(&ada.secret)).await;
    world.control.clock.advance(300);
    let late = world.second(&token, &world.next(&ada.secret)).await;
    assert_eq!(told(&late), told(&planted));
    assert_eq!(late.status.as_u16(), 401);

    let token = world.half_way(PASSWORD).await;
    let change = json!({"current_password": PASSWORD, "password": NEW_PASSWORD});
    world.by(&here, "POST", "/password", &change).await.done();
    assert_eq!(
        world.second(&token, &world.next(&ada.secret)).await.status.as_u16(),
        401,
        "the password is another one"
    );
}

#[tokio::test]
async fn a_recovery_code_works_once_however_it_is_typed_and_is_told() {
    let world = World::with_ada().await;
    let ada = world.turned_on(&world.sign_in(ADA, PASSWORD).await).await;
    world.subjects().await;
    let typed = ada.recovery_codes[3].to_uppercase().replace('-', " ");
    let entered = world.second(&world.half_way(PASSWORD).await, &typed).await;
    assert_eq!(world.account(&cookie(&entered)).await.status.as_u16(), 200);
    let letters = world.letters().await;
    assert!(letters[0].1.starts_with("A recovery code was used") && letters[0].1.contains("9 are left"), "{letters:?}");
    let token = world.half_way(PASSWORD).await;
    assert_eq!(world.second(&token, &typed).await.fields(), ["code"]);
    assert_eq!(world.second(&token, &ada.recovery_codes[4]).await.status.as_u16(), 200);

    let both = json!({"current_password": PASSWORD, "code": world.next(&ada.secret)});
    let renewed = world.by(&cookie(&entered), "POST", "/second-factor/recovery-codes", &both).await;
    assert_eq!(renewed.data()["recovery_codes"].as_array().unwrap().len(), 10);
    let token = world.half_way(PASSWORD).await;
    assert_eq!(world.second(&token, &ada.recovery_codes[5]).await.fields(), ["code"], "the old ones are gone");
}

#[tokio::test]
async fn ten_wrong_codes_close_an_hour_for_codes_and_not_for_recovery_codes_and_the_owner_is_told_once() {
    let world = World::with_ada().await;
    let ada = world.turned_on(&world.sign_in(ADA, PASSWORD).await).await;
    world.subjects().await;
    world.control.clock.advance(30);
    let right = world.shows(&ada.secret);
    let wrong = if right == "123456" { "123457" } else { "123456" };
    for _ in 0..10 {
        assert_eq!(world.second(&world.half_way(PASSWORD).await, wrong).await.fields(), ["code"]);
    }
    for typed in [wrong, &right] {
        let refused = world.second(&world.half_way(PASSWORD).await, typed).await;
        assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "3600"));
    }
    assert_eq!(world.subjects().await, ["Somebody guesses your codes"]);
    let by_recovery = world.second(&world.half_way(PASSWORD).await, &ada.recovery_codes[0]).await;
    assert_eq!(by_recovery.status.as_u16(), 200);
    world.control.clock.advance(3600);
    let token = world.half_way(PASSWORD).await;
    assert_eq!(world.second(&token, &world.shows(&ada.secret)).await.status.as_u16(), 200);
}

#[tokio::test]
async fn it_is_turned_off_by_password_and_code_or_by_the_operator_and_not_by_a_new_password() {
    let world = World::with_ada().await;
    let here = world.sign_in(ADA, PASSWORD).await;
    let ada = world.turned_on(&here).await;
    world.subjects().await;
    let off = async |password: &str, code: &str| {
        world.by(&here, "POST", "/second-factor/turn-off", &json!({"current_password": password, "code": code})).await
    };
    assert_eq!(off("not the password", &world.next(&ada.secret)).await.fields(), ["current_password"]);
    assert_eq!(off(PASSWORD, "000000").await.fields(), ["code"]);
    let again = world.by(&here, "POST", "/second-factor/set-up", &json!({"current_password": PASSWORD})).await;
    assert_eq!(again.code(), "already_exists");
    off(PASSWORD, &world.next(&ada.secret)).await.done();
    assert_eq!(world.subjects().await, ["No code is asked for when you sign in"]);
    assert_eq!(off(PASSWORD, "000000").await.code(), "conflict");
    world.sign_in(ADA, PASSWORD).await;

    world.control.clock.advance(30);
    world.turned_on(&here).await;
    world.subjects().await;
    world.post("/password/forgotten", &json!({"email": ADA})).await.done();
    let token = world.token().await;
    world.post("/password/reset", &json!({"token": token, "password": NEW_PASSWORD})).await.done();
    world.half_way(NEW_PASSWORD).await;
    world.subjects().await;
    let operator = async |email: &str| {
        world.control.operator("POST", "/people/code-off").json(&json!({"email": email})).send().await
    };
    assert_eq!(operator("nobody@example.com").await.fields(), ["email"]);
    operator("Ada@Example.com").await.done();
    assert_eq!(operator(ADA).await.code(), "conflict");
    let letters = world.letters().await;
    assert!(letters[0].1.contains("We turned off"), "{letters:?}");
    world.sign_in(ADA, NEW_PASSWORD).await;
}

#[tokio::test]
async fn a_code_of_one_person_does_not_open_anothers_door() {
    let world = World::with_ada().await;
    world.signed_up("bob@example.com").await;
    let bob = world.turned_on(&world.sign_in("bob@example.com", PASSWORD).await).await;
    world.turned_on(&world.sign_in(ADA, PASSWORD).await).await;
    let token = world.half_way(PASSWORD).await;
    assert_eq!(world.second(&token, &world.next(&bob.secret)).await.fields(), ["code"]);
    assert_eq!(world.second(&token, &bob.recovery_codes[0]).await.fields(), ["code"]);
}

#[tokio::test]
async fn an_authenticator_reads_the_secret_from_a_picture_and_a_restored_database_without_its_key_lets_nobody_in() {
    let world = World::with_ada().await;
    let here = world.sign_in(ADA, PASSWORD).await;
    let made = world.by(&here, "POST", "/second-factor/set-up", &json!({"current_password": PASSWORD})).await;
    let secret = made.data()["secret"].as_str().unwrap();
    assert_eq!(secret.len(), 32, "160 bits");
    let uri = format!(
        "otpauth://totp/cybaaspace.com:ada%40example.com?secret={secret}&issuer=cybaaspace.com&algorithm=SHA1&digits=6&period=30"
    );
    assert_eq!(made.data()["uri"], uri);
    assert!(made.data()["qr_svg"].as_str().unwrap().starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
    assert_eq!(made.header("cache-control"), "no-store");
    let typed = json!({"code": world.shows(secret)});
    world.by(&here, "POST", "/second-factor/confirm", &typed).await;
    let secret = secret.to_owned();

    let World { control, post } = world;
    let control = control.restarted_with(|settings| settings.vault = csp_control::domain::vault::Vault::new([8; 32]));
    let world = World { control, post };
    let token = world.half_way(PASSWORD).await;
    assert_eq!(world.second(&token, &world.next(&secret)).await.fields(), ["code"]);
}

#[tokio::test]
async fn signing_out_everywhere_ends_who_is_half_way_in() {
    let world = World::with_ada().await;
    let here = world.sign_in(ADA, PASSWORD).await;
    let ada = world.turned_on(&here).await;
    let token = world.half_way(PASSWORD).await;
    world.by(&here, "DELETE", "/sign-ins", &json!({})).await.done();
    let late = world.second(&token, &world.next(&ada.secret)).await;
    assert_eq!((late.status.as_u16(), late.header("set-cookie")), (401, ""), "{}", late.text);
    let token = world.half_way(PASSWORD).await;
    assert_eq!(world.second(&token, &world.next(&ada.secret)).await.status.as_u16(), 200, "and the next one gets in");
}

//! Terms, a copy of all that is kept, and the end of an account.

use std::sync::Mutex;

use csp_control::{
    api::panel::listed,
    domain::{
        letter::Delivery,
        time::{DAY, Time, YEAR},
    },
    mail::{Courier, outbox::send_due},
    schedule,
    store::{MailRow, StoreError},
};
use csp_tests::{authenticator::code, test_control::Reply};
use serde_json::{Value, json};

use super::{ADA, HERE, NEW_PASSWORD, PASSWORD, TERMS, World, cookie, token_in};

impl World {
    async fn public(&self, cookie: &str, method: &str, path: &str, body: &Value) -> Reply {
        self.control.api(method, path).header("cookie", cookie).header("origin", HERE).json(body).send().await
    }

    async fn account_of(&self, cookie: &str) -> String {
        self.account(cookie).await.data()["uuid"].as_str().unwrap().to_owned()
    }

    async fn tick(&self) {
        let app = &self.control.app;
        schedule::tick(&app.store, &*app.entropy, &app.key_uses, app.now()).await.unwrap();
    }

    /// Reminders that still name their letter.
    fn reminders_with_letter(&self) -> i64 {
        let database = rusqlite::Connection::open(self.control.folder().join("control.db")).unwrap();
        database.query_row("SELECT count(mail_id) FROM reminders", [], |r| r.get(0)).unwrap()
    }

    async fn close(&self, cookie: &str, body: Value) -> Reply {
        self.by(cookie, "POST", "/account/close", &body).await
    }

    /// Recipient and id of each letter in somebody's copy.
    async fn mails(&self, cookie: &str) -> Vec<(String, String)> {
        let copy = self.by(cookie, "GET", "/export", &Value::Null).await.json;
        let text = |mail: &Value, name: &str| mail[name].as_str().unwrap().to_owned();
        copy["mails"].as_array().unwrap().iter().map(|mail| (text(mail, "recipient"), text(mail, "uuid"))).collect()
    }

    /// A server of somebody who signed up: used, and gone again with what is left of their money.
    async fn had_a_server(&self, cookie: &str) -> String {
        let account = self.account_of(cookie).await;
        self.control.top_up(account.parse().unwrap(), "20.00", "bank/1").await;
        let host = self.control.host("host-1").await;
        let order =
            json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "ada-web1"});
        let server = self.public(cookie, "POST", "/servers", &order).await.data()["uuid"].as_str().unwrap().to_owned();
        host.obey().await;
        let link = json!({"label": "Night shift", "permissions": {"stats": true}});
        self.public(cookie, "POST", &format!("/servers/{server}/share-links"), &link).await;
        let key = json!({"label": "Adas laptop", "public_key": csp_tests::test_control::PUBLIC_KEY});
        self.public(cookie, "POST", "/ssh-keys", &key).await;
        server
    }
}

#[tokio::test]
async fn newer_terms_are_accepted_before_anything_is_changed_and_looking_and_leaving_go_on() {
    let world = World::with_ada().await;
    let ada = world.sign_in(ADA, PASSWORD).await;
    assert_eq!(world.by(&ada, "GET", "/person", &Value::Null).await.data()["terms_to_accept"], Value::Null);
    let World { control, post } = world;
    let control = control.restarted_with(|settings| settings.sign_up.terms_version = Some("2027-01".to_owned()));
    let world = World { control, post };
    let person = world.by(&ada, "GET", "/person", &Value::Null).await;
    assert_eq!(
        (&person.data()["terms_version"], &person.data()["terms_to_accept"]),
        (&json!(TERMS), &json!("2027-01"))
    );
    assert_eq!(world.public(&ada, "GET", "/servers", &Value::Null).await.status.as_u16(), 200);
    let key = json!({"scopes": ["read"]});
    for refused in [
        world.by(&ada, "POST", "/keys", &key).await,
        world.by(&ada, "POST", "/email", &json!({})).await,
        world.public(&ada, "POST", "/private-networks", &json!({"name": "a"})).await,
        world.public(&ada, "DELETE", "/ssh-keys/01975a3e-7c00-7a51-8f3e-5b1d2c9e4f07", &json!({})).await,
    ] {
        assert_eq!((refused.status.as_u16(), refused.code()), (403, "terms_not_accepted"), "{}", refused.text);
    }
    for version in [TERMS, "2028", ""] {
        assert_eq!(
            world.by(&ada, "POST", "/terms", &json!({"terms_version": version})).await.fields(),
            ["terms_version"]
        );
    }
    let other = world.sign_in(ADA, PASSWORD).await;
    world.by(&other, "POST", "/sign-out", &json!({})).await.done();
    world.by(&ada, "POST", "/terms", &json!({"terms_version": "2027-01"})).await.done();
    assert_eq!(world.make_key(&ada, key).await.status.as_u16(), 200);
    assert_eq!(world.by(&ada, "GET", "/person", &Value::Null).await.data()["terms_to_accept"], Value::Null);
}

#[tokio::test]
async fn a_copy_has_all_that_an_account_holds_nothing_of_others_and_no_secret() {
    let world = World::with_ada().await;
    let ada = world.sign_in(ADA, PASSWORD).await;
    let server = world.had_a_server(&ada).await;
    let made = world.make_key(&ada, json!({"label": "Terraform", "scopes": ["read"]})).await;
    let bob = world.control.customer("bob", "33.00").await;
    let copy = world.by(&ada, "GET", "/export", &Value::Null).await;
    assert_eq!(copy.header("content-disposition"), "attachment; filename=\"account-2026-06-10.json\"");
    assert_eq!(copy.header("cache-control"), "no-store");
    let copy = copy.json;
    assert_eq!((&copy["accounts"][0]["email"], &copy["people"][0]["name"]), (&json!(ADA), &json!("Ada")));
    assert_eq!((&copy["servers"][0]["uuid"], &copy["servers"][0]["hostname"]), (&json!(server), &json!("ada-web1")));
    assert_eq!(copy["servers"][0]["created_at"], "2026-06-10 12:00:00");
    for (part, count) in
        [("share_links", 1), ("ssh_keys", 1), ("api_keys", 1), ("transfers", 2), ("sign_ins", 1), ("leases", 1)]
    {
        assert_eq!(copy[part].as_array().unwrap().len(), count, "{part}: {}", copy[part]);
    }
    let text = copy.to_string();
    let session = ada.split_once('=').unwrap().1;
    for secret in
        [&session[8..30], &made.data()["key"].as_str().unwrap()[14..40], "argon2id", "hash", &bob.account.to_string()]
    {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[tokio::test]
async fn an_account_with_something_left_is_not_closed_and_what_is_left_is_named() {
    let world = World::with_ada().await;
    let ada = world.sign_in(ADA, PASSWORD).await;
    world.had_a_server(&ada).await;
    world.public(&ada, "POST", "/private-networks", &json!({"name": "Backend"})).await;
    let proof = json!({"current_password": PASSWORD});
    let refused = world.close(&ada, proof.clone()).await;
    assert_eq!(refused.code(), "conflict");
    for named in ["the server ada-web1", "the private network Backend", "13.05 USD in its wallet"] {
        assert!(refused.text.contains(named), "{}", refused.text);
    }
    assert_eq!(world.close(&ada, json!({"current_password": "not the password"})).await.fields(), ["current_password"]);
    assert_eq!(world.account(&ada).await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_closed_account_opens_to_nobody_and_only_its_books_are_left() {
    let world = World::with_ada().await;
    let ada = world.sign_in(ADA, PASSWORD).await;
    let other = world.sign_in(ADA, PASSWORD).await;
    let account = world.account_of(&ada).await;
    let server = world.had_a_server(&ada).await;
    let made = world.make_key(&ada, json!({"label": "Adas key", "scopes": ["read"]})).await;
    let key = made.data()["key"].as_str().unwrap().to_owned();
    let set_up = world.by(&ada, "POST", "/second-factor/set-up", &json!({"current_password": PASSWORD})).await;
    let secret = set_up.data()["secret"].as_str().unwrap().to_owned();
    let typed = json!({"code": code(&secret, world.control.app.now())});
    world.by(&ada, "POST", "/second-factor/confirm", &typed).await;
    world.public(&ada, "POST", &format!("/servers/{server}/destroy"), &json!({})).await;
    let rest = json!({"direction": "debit", "amount": "13.05", "reference": "t/1", "note": "Paid out"});
    let corrected =
        world.control.operator("POST", &format!("/accounts/{account}/corrections")).json(&rest).send().await;
    assert_eq!(corrected.status.as_u16(), 200, "{}", corrected.text);
    world.letters().await;

    let proof = json!({"current_password": PASSWORD});
    assert_eq!(world.close(&ada, proof.clone()).await.fields(), ["code"]);
    assert_eq!(world.close(&ada, json!({"current_password": PASSWORD, "code": "000000"})).await.fields(), ["code"]);
    world.control.clock.advance(30);
    let both = json!({"current_password": PASSWORD, "code": code(&secret, world.control.app.now())});
    let closed = world.close(&ada, both).await;
    assert_eq!(closed.status.as_u16(), 200, "{}", closed.text);
    assert!(closed.header("set-cookie").contains("Max-Age=0"));

    for cookie in [&ada, &other] {
        assert_eq!(world.account(cookie).await.status.as_u16(), 401);
    }
    assert_eq!(world.control.api("GET", "/account").with_key(&key).send().await.status.as_u16(), 401);
    assert_eq!(world.try_sign_in(ADA, PASSWORD).await.code(), "unauthorized");
    let letters = world.letters().await;
    assert_eq!((letters.len(), letters[0].0.as_str()), (1, ADA), "{letters:?}");
    assert!(letters[0].1.starts_with("Your account is closed"));

    let id = account.parse().unwrap();
    let mut copy = world.control.app.store.read(move |read| read.account_export(id)).await.unwrap();
    let count = |part: &str| copy[part].as_array().unwrap().len();
    for gone in
        ["people", "sign_ins", "ssh_keys", "events", "mails", "person_addresses", "second_factors", "server_labels"]
    {
        assert_eq!(count(gone), 0, "{gone}: {}", copy[gone]);
    }
    for kept in ["transfers", "periods", "servers", "actions", "leases"] {
        assert!(count(kept) > 0, "{kept}");
    }
    // The lines of the books say what was paid for, and cannot be changed.
    copy.remove("transfers");
    let text = Value::Object(copy).to_string();
    for word in ["ada-web1", "Night shift", "Adas"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    let verified = world.control.operator("GET", "/ledger/verify").send().await;
    assert_eq!(verified.data()["differences"], json!([]), "{}", verified.text);

    let accounts = world.control.operator("GET", "/accounts").send().await;
    assert_eq!(accounts.data()[0]["locks"], json!(["closed"]));
    let key = world.control.operator("POST", &format!("/accounts/{account}/keys")).json(&json!({})).send().await;
    assert_eq!(key.code(), "conflict");
    let invited = json!({"email": "eve@example.com", "account": account});
    let invited = world.control.operator("POST", "/people/invite").json(&invited).send().await;
    assert_eq!((invited.code(), invited.fields()), ("conflict", vec!["account"]));

    // Whose it was is known while the books need it, and not after.
    let shown = async || world.control.operator("GET", "/accounts").send().await.data()[0].clone();
    world.control.clock.advance(10 * YEAR - 1);
    world.tick().await;
    assert_eq!((&shown().await["name"], &shown().await["email"]), (&json!("Ada"), &json!(ADA)));
    world.control.clock.advance(1);
    world.tick().await;
    assert_eq!((&shown().await["name"], &shown().await["email"]), (&json!("Closed account"), &Value::Null));
    assert!(!world.control.operator("GET", "/mails").send().await.text.contains(ADA));
}

/// Takes letters to one address; the mail server of all others is away.
struct Only {
    to: &'static str,
    taken: Mutex<Vec<MailRow>>,
}

impl Courier for Only {
    async fn carry(&self, letter: &MailRow) -> Delivery {
        if letter.recipient != self.to {
            return Delivery::Later("away".to_owned());
        }
        self.taken.lock().unwrap().push(letter.clone());
        Delivery::Taken
    }
}

/// A mail server that is away keeps them waiting: what is written to an address that is no longer theirs is told to nobody.
#[tokio::test]
async fn letters_to_a_former_address_go_with_the_account_too() {
    let world = World::with_ada().await;
    let ada = world.sign_in(ADA, PASSWORD).await;
    // By her password, while the address is hers; and by the change, when it is no more.
    let new = json!({"current_password": PASSWORD, "password": NEW_PASSWORD});
    world.by(&ada, "POST", "/password", &new).await.done();
    let wanted = json!({"current_password": NEW_PASSWORD, "email": "ada@example.org"});
    world.by(&ada, "POST", "/email", &wanted).await.done();
    let post = Only { to: "ada@example.org", taken: Mutex::default() };
    let app = &world.control.app;
    send_due(&app.store, &post, &*world.control.clock, &*app.entropy).await.unwrap();
    let token = token_in(&post.taken.lock().unwrap()[0].letter.body).unwrap();
    world.post("/email/confirm", &json!({"token": token})).await.done();
    let waiting = async || world.control.operator("GET", "/mails").send().await.text.matches(ADA).count();
    assert!(waiting().await >= 2, "both wait");
    let copy = world.by(&ada, "GET", "/export", &Value::Null).await.json;
    assert!(copy["mails"].as_array().unwrap().iter().filter(|mail| mail["recipient"] == ADA).count() >= 2);
    world.close(&ada, json!({"current_password": NEW_PASSWORD})).await.done();
    assert_eq!(waiting().await, 0);
    let letters = world.letters().await;
    assert_eq!((letters.len(), letters[0].0.as_str()), (1, "ada@example.org"), "{letters:?}");
}

/// Whose an address was before is nobody's business who has it now: neither copy nor end of an account touches letters of another.
#[tokio::test]
async fn letters_stay_with_whose_they_are_when_an_address_goes_to_somebody_else() {
    let world = World::with_ada().await;
    let ada = world.sign_in(ADA, PASSWORD).await;
    let server = world.had_a_server(&ada).await;
    let spent = json!({"direction": "debit", "amount": "13.05", "reference": "t/1", "note": "Paid out"});
    let account = world.account_of(&ada).await;
    world.control.operator("POST", &format!("/accounts/{account}/corrections")).json(&spent).send().await.done();
    // One letter for the account, about the end of paid time; the others to the person.
    world.control.pass(29 * DAY, DAY / 4).await;
    let written = world.letters().await;
    assert!(written.iter().any(|(to, text)| to == ADA && text.contains("ada-web1")), "{written:?}");
    let ada = world.sign_in(ADA, PASSWORD).await;
    let wanted = json!({"current_password": PASSWORD, "email": "ada@example.org"});
    world.by(&ada, "POST", "/email", &wanted).await.done();
    let token = world.token().await;
    world.post("/email/confirm", &json!({"token": token})).await.done();
    world.letters().await;
    let hers = world.mails(&ada).await;
    assert!(hers.iter().filter(|(to, _)| to == ADA).count() >= 2, "{hers:?}");
    let told = world.reminders_with_letter();
    assert!(told >= 1);

    // Somebody else begins with the address that is free now.
    world.signed_up(ADA).await;
    let bob = world.sign_in(ADA, PASSWORD).await;
    assert_ne!(world.account_of(&bob).await, account);
    let his = world.mails(&bob).await;
    assert!(!his.is_empty() && his.iter().all(|one| !hers.contains(one)), "{his:?}");
    assert_eq!(world.mails(&ada).await, hers);

    // He leaves: hers stay, and what they say they told.
    world.close(&bob, json!({"current_password": PASSWORD})).await.done();
    world.letters().await;
    assert_eq!((world.mails(&ada).await, world.reminders_with_letter()), (hers.clone(), told));

    // A third one comes, and she leaves: hers are gone, whatever address they went to, and the third one's stay.
    world.signed_up(ADA).await;
    let eve = world.sign_in(ADA, PASSWORD).await;
    let third = world.mails(&eve).await;
    assert!(!third.is_empty());
    world.public(&ada, "POST", &format!("/servers/{server}/destroy"), &json!({})).await.done();
    world.close(&ada, json!({"current_password": PASSWORD})).await.done();
    assert_eq!((world.mails(&eve).await, world.reminders_with_letter()), (third, 0));
    let listed = world.control.operator("GET", "/mails").send().await.text;
    assert!(!listed.contains("ada-web1"), "{listed}");

    // Nor does what is forgotten at last take the letters of who has the address by then.
    let third = world.mails(&eve).await;
    let app = &world.control.app;
    app.store.write::<_, StoreError>(|tx| tx.account_forget_due(Time(i64::MAX))).await.unwrap();
    assert_eq!(world.mails(&eve).await, third);
}

#[tokio::test]
async fn somebody_whose_account_was_closed_may_begin_anew() {
    let world = World::with_ada().await;
    let ada = world.sign_in(ADA, PASSWORD).await;
    let before = world.account_of(&ada).await;
    world.close(&ada, json!({"current_password": PASSWORD})).await;
    world.signed_up(ADA).await;
    let again = world.sign_in(ADA, PASSWORD).await;
    assert_ne!(world.account_of(&again).await, before);
}

/// Every route of the panel that answers with a cookie, or with something of a person, is kept by no cache; and no answer tells
/// a browser to keep a session that was not made by signing in.
#[tokio::test]
async fn no_answer_of_the_panel_is_kept_by_a_cache_or_sets_a_cookie_unasked() {
    let world = World::with_ada().await;
    let ada = world.sign_in(ADA, PASSWORD).await;
    for route in listed() {
        for method in route.methods {
            let path = route.path.replace("{uuid}", "01975a3e-7c00-7a51-8f3e-5b1d2c9e4f07");
            if [("POST", "/sign-out"), ("DELETE", "/sign-ins")].contains(&(*method, path.as_str())) {
                continue;
            }
            let reply = world.by(&ada, method, &path, &json!({})).await;
            assert_eq!(reply.header("cache-control"), "no-store", "{method} {path}");
            assert_eq!(reply.header("set-cookie"), "", "{method} {path}");
        }
    }
    let out = world.by(&ada, "POST", "/sign-out", &json!({})).await;
    assert!(
        cookie(&out).ends_with("csp_panel=")
            && out.header("set-cookie").contains("; HttpOnly; SameSite=Lax; Max-Age=0; Secure")
    );
}

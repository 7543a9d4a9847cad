//! Where a password, a letter's token, a session, a key, a code, what an authenticator knows and the keys of who takes cards must
//! never be found: in no log, no answer but the one that shows it, and no file beside the configuration.

use std::fs;

use csp_control::stripe::signature::sign;
use csp_shared::secret::Secret;
use csp_tests::{
    authenticator::code,
    fake_stripe::{FakeStripe, KEY, SIGNING},
    test_control::Reply,
};
use serde_json::{Value, json};

use super::{ADA, NEW_PASSWORD, PASSWORD, World};
use crate::manage::canary::Log;

/// All answers, as whoever sits in between sees them: heads and bodies.
#[derive(Default)]
struct Answers(Vec<String>);

impl Answers {
    fn keep(&mut self, reply: &Reply) {
        let heads = reply.headers.iter().filter(|(name, _)| *name != "set-cookie");
        let heads: Vec<String> = heads.map(|(name, value)| format!("{name}: {value:?}")).collect();
        self.0.push(format!("{}\n{}", heads.join("\n"), reply.text));
    }
}

#[tokio::test]
async fn no_secret_of_a_person_is_in_the_log_an_answer_or_a_file() {
    let log = Log::default();
    let _guard = log.hear();
    let stripe = FakeStripe::start();
    let world = World::paying(&stripe).await;
    world.letters().await;
    let (mut answers, mut secrets) = (Answers::default(), vec![PASSWORD.to_owned(), NEW_PASSWORD.to_owned()]);
    secrets.extend(["wrong horse", "argon2id", KEY, SIGNING].map(str::to_owned));
    // Parts of a secret are looked for, so that one that is cut or spelled differently is found as well.
    let part = |text: &str| text[8..text.len().min(30)].to_owned();

    answers.keep(&world.ask("bob@example.com").await);
    let sign_up = world.token().await;
    secrets.push(part(&sign_up));
    answers.keep(&world.finish(&sign_up).await);
    answers.keep(&world.try_sign_in(ADA, "a wrong horse battery").await);
    let cookie = world.sign_in(ADA, PASSWORD).await;
    secrets.push(part(cookie.split_once('=').unwrap().1));
    answers.keep(&world.by(&cookie, "POST", "/password/forgotten", &json!({"email": ADA})).await);
    let reset = world.token().await;
    secrets.push(part(&reset));
    let made = world.make_key(&cookie, json!({"scopes": ["read"]})).await;
    secrets.push(made.data()["key"].as_str().unwrap()[14..40].to_owned());

    // A code beside the password: what the authenticator is told is shown once, and the codes of before are over.
    let set_up = world.by(&cookie, "POST", "/second-factor/set-up", &json!({"current_password": PASSWORD})).await;
    let secret = set_up.data()["secret"].as_str().unwrap().to_owned();
    secrets.push(secret.clone());
    let now = || world.control.app.now();
    let first = code(&secret, now());
    let confirmed = world.by(&cookie, "POST", "/second-factor/confirm", &json!({"code": first})).await;
    let codes: Vec<String> = confirmed.data()["recovery_codes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|code| code.as_str().unwrap().to_owned())
        .collect();
    secrets.extend(codes.iter().cloned());
    secrets.extend(codes.iter().map(|code| code.replace('-', "")));
    let half_way = world.try_sign_in(ADA, PASSWORD).await;
    let token = half_way.data()["token"].as_str().unwrap().to_owned();
    secrets.push(part(&token));
    for typed in [first.as_str(), "999999", codes[1].as_str()] {
        answers.keep(&world.post("/sign-in/code", &json!({"token": token, "code": typed})).await);
    }
    let wrong = json!({"current_password": "a wrong horse battery", "code": codes[2]});
    answers.keep(&world.by(&cookie, "POST", "/second-factor/turn-off", &wrong).await);
    answers.keep(&world.by(&cookie, "POST", "/account/close", &wrong).await);

    // Cards.
    answers.keep(&world.by(&cookie, "POST", "/top-ups", &json!({"amount": "25.00"})).await);
    let body = json!({"type": "charge.refunded", "data": {"object": {}}}).to_string();
    for secret in [SIGNING, "whsec_other"] {
        let signature = sign(body.as_bytes(), &Secret::new(secret.to_owned()), now());
        let sent = world.control.raw("POST", "/webhooks/stripe").header("stripe-signature", &signature);
        answers.keep(&sent.body(body.clone()).send().await);
    }

    for path in ["/keys", "/sign-ins", "/person", "/second-factor", "/export", "/top-ups"] {
        answers.keep(&world.by(&cookie, "GET", path, &Value::Null).await);
    }
    for strange in [format!("/panel/v1/sign-up/{reset}"), format!("/panel/v1/{token}"), format!("/x/{token}?{reset}")] {
        answers.keep(&world.control.raw("GET", &strange).send().await);
    }
    let change = json!({"current_password": PASSWORD, "password": NEW_PASSWORD});
    answers.keep(&world.by(&cookie, "POST", "/password", &change).await);
    for path in ["/mails", "/people", "/accounts"] {
        answers.keep(&world.control.operator("GET", path).send().await);
    }
    answers.keep(&world.control.operator("POST", "/people/code-off").json(&json!({"email": ADA})).send().await);
    let account = world.account(&cookie).await.data()["uuid"].as_str().unwrap().to_owned();
    answers.keep(&world.control.operator("GET", &format!("/accounts/{account}/keys")).send().await);

    let log = log.text();
    assert!(log.contains("path=\"/panel/v1/sign-in/code\""), "the log is heard: {log}");
    // The database, what it has not written back yet, and what was measured: all that a copy of the folder holds.
    let files: Vec<_> = fs::read_dir(world.control.folder()).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.iter().any(|file| file.ends_with("control.db-wal")), "{files:?}");
    let backups = world.control.back_up();
    for secret in &secrets {
        assert!(!log.contains(secret), "the log has {secret}: {log}");
        for answer in &answers.0 {
            assert!(!answer.contains(secret), "{secret}: {answer}");
        }
        // The hash of a password is kept, and says what it is.
        let read = files.iter().map(|file| (file.display().to_string(), fs::read(file).unwrap()));
        let copied = backups.iter().map(|bytes| ("a backup".to_owned(), bytes.clone()));
        for (name, bytes) in read.chain(copied).filter(|_| secret != "argon2id") {
            let is_there = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!is_there, "{name} has {secret}");
        }
    }
}

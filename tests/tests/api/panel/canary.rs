//! Where a password, a letter's token, a session and a key must never be found.

use csp_control::domain::sign_in::SignUp;
use serde_json::json;

use super::{ADA, NEW_PASSWORD, PASSWORD, World};
use crate::manage::canary::Log;

#[tokio::test]
async fn no_secret_of_a_person_is_in_the_log_an_answer_or_the_database() {
    let log = Log::default();
    let _guard = log.hear();
    let world = World::with(SignUp::Open).await;
    let mut answers = vec![world.ask(ADA).await.text];
    let sign_up = world.token().await;
    answers.push(world.finish(&sign_up).await.text);
    answers.push(world.try_sign_in(ADA, "a wrong horse battery").await.text);
    let cookie = world.sign_in(ADA, PASSWORD).await;
    answers.push(world.by(&cookie, "POST", "/password/forgotten", &json!({"email": ADA})).await.text);
    let reset = world.token().await;
    let made = world.by(&cookie, "POST", "/keys", &json!({"scopes": ["read"]})).await;
    let key = made.data()["key"].as_str().unwrap().to_owned();
    for path in ["/keys", "/sign-ins", "/person"] {
        answers.push(world.by(&cookie, "GET", path, &json!({})).await.text);
    }
    answers.push(world.control.raw("GET", &format!("/panel/v1/sign-up/{reset}")).send().await.text);
    let change = json!({"current_password": PASSWORD, "password": NEW_PASSWORD});
    answers.push(world.by(&cookie, "POST", "/password", &change).await.text);
    answers.push(world.control.operator("GET", "/mails").send().await.text);

    let (log, database) = (log.text(), world.control.database_bytes());
    assert!(log.contains("path=\"/panel/v1/sign-in\""), "the log is heard: {log}");
    let session = cookie.split_once('=').unwrap().1;
    // Parts of a secret are looked for, so that one that is cut or spelled differently is found as well.
    for secret in [&sign_up[8..30], &reset[8..30], &session[8..30], &key[14..40], PASSWORD, NEW_PASSWORD, "wrong horse"]
    {
        assert!(!log.contains(secret), "the log has {secret}: {log}");
        assert!(!database.windows(secret.len()).any(|part| part == secret.as_bytes()), "the database has {secret}");
        for answer in &answers {
            assert!(!answer.contains(secret), "{answer}");
        }
    }
    assert!(!log.contains("argon2id") && !answers.iter().any(|answer| answer.contains("argon2id")));
}

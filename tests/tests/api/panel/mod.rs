//! People sign up, in and out, as the pages of the panel will have them do it.

mod account;
mod canary;
mod guesses;
mod letters;
mod second_factor;
mod sessions;
mod sign_up;
mod site;
mod top_ups;

use std::sync::Mutex;

use csp_control::{
    api::panel::PREFIX,
    config::SignUpRules,
    domain::{letter::Delivery, sign_in::SignUp},
    mail::{Courier, outbox::send_due},
    store::MailRow,
};
use csp_tests::{
    fake_stripe::FakeStripe,
    test_control::{Reply, Send, TestControl},
};
use serde_json::{Value, json};

const HERE: &str = "https://cybaaspace.com";
const TERMS: &str = "2026-06";
const PASSWORD: &str = "correct horse battery";
const NEW_PASSWORD: &str = "another horse battery";
const ADA: &str = "ada@example.com";

/// Takes every letter and keeps it.
#[derive(Default)]
struct Letterbox(Mutex<Vec<MailRow>>);

impl Courier for Letterbox {
    async fn carry(&self, letter: &MailRow) -> Delivery {
        self.0.lock().unwrap().push(letter.clone());
        Delivery::Taken
    }
}

struct World {
    control: TestControl,
    post: Letterbox,
}

impl World {
    async fn with(mode: SignUp) -> Self {
        let control = TestControl::with_settings(|settings| {
            settings.billing.has_mail = true;
            settings.sign_up = SignUpRules { mode, terms_version: Some(TERMS.to_owned()) };
        });
        Self { control: control.await, post: Letterbox::default() }
    }

    /// Ada has an account, and money is taken by card.
    async fn paying(stripe: &FakeStripe) -> Self {
        let control = TestControl::with_settings(|settings| {
            settings.billing.has_mail = true;
            settings.sign_up = SignUpRules { mode: SignUp::Open, terms_version: Some(TERMS.to_owned()) };
            settings.stripe = Some(stripe.account());
        });
        let world = Self { control: control.await, post: Letterbox::default() };
        world.signed_up(ADA).await;
        world
    }

    /// Ada has an account and no browser yet.
    async fn with_ada() -> Self {
        let world = Self::with(SignUp::Open).await;
        world.signed_up(ADA).await;
        world
    }

    /// A request of a page of ours.
    fn page(&self, method: &str, path: &str, body: &Value) -> Send {
        self.control.raw(method, &format!("{PREFIX}{path}")).header("origin", HERE).json(body)
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        self.page("POST", path, body).send().await
    }

    /// A request of a page of ours in a browser with this cookie.
    /// Makes an API key, for the password.
    async fn make_key(&self, cookie: &str, mut terms: Value) -> Reply {
        terms["current_password"] = json!(PASSWORD);
        self.by(cookie, "POST", "/keys", &terms).await
    }

    async fn by(&self, cookie: &str, method: &str, path: &str, body: &Value) -> Reply {
        self.page(method, path, body).header("cookie", cookie).send().await
    }

    /// The letters since the last look, sent now: to whom, and their text.
    async fn letters(&self) -> Vec<(String, String)> {
        let app = &self.control.app;
        send_due(&app.store, &self.post, &*self.control.clock, &*app.entropy).await.unwrap();
        let letters = std::mem::take(&mut *self.post.0.lock().unwrap());
        letters
            .into_iter()
            .map(|mail| (mail.recipient, format!("{}\n{}", mail.letter.subject, mail.letter.body)))
            .collect()
    }

    /// The token of the one letter with a link that is due.
    async fn token(&self) -> String {
        let letters = self.letters().await;
        let found: Vec<_> = letters.iter().filter_map(|(_, text)| token_in(text)).collect();
        assert_eq!(found.len(), 1, "{letters:?}");
        found[0].clone()
    }

    async fn ask(&self, email: &str) -> Reply {
        self.post("/sign-up", &json!({"email": email})).await
    }

    async fn finish(&self, token: &str) -> Reply {
        let body = json!({"token": token, "name": "Ada", "password": PASSWORD, "terms_version": TERMS});
        self.post("/sign-up/finish", &body).await
    }

    async fn signed_up(&self, email: &str) {
        self.ask(email).await.done();
        let token = self.token().await;
        self.finish(&token).await.done();
    }

    async fn try_sign_in(&self, email: &str, password: &str) -> Reply {
        self.post("/sign-in", &json!({"email": email, "password": password})).await
    }

    /// Signs in; answers the cookie.
    async fn sign_in(&self, email: &str, password: &str) -> String {
        let reply = self.try_sign_in(email, password).await;
        assert_eq!(reply.status.as_u16(), 200, "{}", reply.text);
        cookie(&reply)
    }

    /// What the public API says to a browser.
    async fn account(&self, cookie: &str) -> Reply {
        self.control.api("GET", "/account").header("cookie", cookie).send().await
    }
}

fn token_in(text: &str) -> Option<String> {
    let at = text.find("csp_ml_")?;
    Some(text[at..].split_whitespace().next().unwrap().to_owned())
}

fn cookie(reply: &Reply) -> String {
    reply.header("set-cookie").split(';').next().unwrap().to_owned()
}

/// An answer without what differs between any two.
fn told(reply: &Reply) -> (u16, String) {
    let mut json = reply.json.clone();
    if let Some(error) = json.get_mut("error").and_then(Value::as_object_mut) {
        error.remove("request_id");
    }
    (reply.status.as_u16(), json.to_string())
}

//! Letters, over a real connection to a mail server: taken, refused, cut off, and a server that is away. What is not told
//! is not deleted.

mod server;

use std::net::SocketAddr;

use csp_control::{
    config::{Brand, mail::Mail},
    domain::time::{DAY, Time},
    mail::{outbox::send_due, smtp::Smtp},
};
use csp_tests::test_control::{TestControl, TestHost};
use serde_json::{Value, json};
use server::{MailServer, Manner};

struct Post {
    control: TestControl,
    host: TestHost,
    account: String,
    key: String,
    smtp: Smtp,
}

fn smtp(at: SocketAddr, tls: &str) -> Smtp {
    let section = json!({"server": at.to_string(), "tls": tls, "from": "Example Hosting <billing@example.com>"});
    let brand =
        Brand { name: "Example Hosting".to_owned(), support: Some("help@example.com".to_owned()), ..Brand::default() };
    Smtp::new(&serde_json::from_value::<Mail>(section).unwrap(), &brand, None).unwrap()
}

impl Post {
    /// A customer who is written to, with money for one month.
    async fn to(email: Option<&str>, at: SocketAddr) -> Self {
        let control = TestControl::with_settings(|settings| settings.billing.has_mail = true).await;
        let host = control.host("host-1").await;
        let account = control.operator("POST", "/accounts").json(&json!({"name": "Ada", "email": email})).send().await;
        let account = account.data()["uuid"].as_str().unwrap().to_owned();
        control.top_up(account.parse().unwrap(), "6.95", "bank/1").await;
        let (_, key) = control.key(account.parse().unwrap(), &json!({"label": null})).await;
        Self { control, host, account, key, smtp: smtp(at, "none") }
    }

    async fn order(&self) -> String {
        let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web1"});
        let reply = self.control.api("POST", "/servers").with_key(&self.key).json(&order).send().await;
        self.host.obey().await;
        reply.data()["uuid"].as_str().unwrap().to_owned()
    }

    async fn send(&self) {
        send_due(&self.control.app.store, &self.smtp, &*self.control.app.clock, &*self.control.app.entropy)
            .await
            .unwrap();
    }

    /// The clock jumps, and an operator says that it is right.
    async fn leap(&self, seconds: i64) {
        self.control.clock.jump(seconds);
        self.control.bill().await;
        let it_is = json!({"it_is": self.control.app.clock.shown().to_string()});
        let resumed = self.control.operator("POST", "/scheduler/resume").json(&it_is).send().await;
        assert_eq!(resumed.data()["state"], "running");
    }

    /// Lets time pass; the scheduler and the outbox look every six hours.
    async fn days(&self, days: i64) {
        for _ in 0..days * 4 {
            self.control.pass(DAY / 4, DAY / 4).await;
            self.send().await;
        }
    }

    async fn mails(&self) -> Vec<Value> {
        self.control.operator("GET", "/mails").send().await.data().as_array().unwrap().clone()
    }

    async fn service(&self, server: &str) -> Value {
        let shown = self.control.api("GET", &format!("/servers/{server}")).with_key(&self.key).send().await;
        shown.json["data"]["service_status"].clone()
    }
}

fn header<'l>(letter: &'l str, name: &str) -> Vec<&'l str> {
    let head = letter.split("\n\n").next().unwrap();
    head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
}

#[tokio::test]
async fn reminders_are_letters_and_count_once_they_are_taken() {
    let (server, at) = MailServer::start().await;
    let post = Post::to(Some("ada@example.com"), at).await;
    let web = post.order().await;
    post.days(31).await;
    let subjects: Vec<String> =
        server.taken().iter().map(|letter| header(letter, "Subject").first().unwrap().to_string()).collect();
    let before = "web1 is paid until 2026-07-10 12:00:00 UTC";
    assert_eq!(subjects, [before, before, before, "web1 is suspended"]);
    let letter = &server.taken()[0];
    assert_eq!(header(letter, "To"), ["ada@example.com"]);
    assert_eq!(header(letter, "From"), ["\"Example Hosting\" <billing@example.com>"]);
    assert_eq!(header(letter, "Date"), ["Fri, 03 Jul 2026 12:00:00 +0000"]);
    assert_eq!(header(letter, "Message-ID").len(), 1);
    assert!(letter.contains("6.95 USD"), "{letter}");
    assert!(
        letter.trim_end().ends_with("\nExample Hosting\nhelp@example.com"),
        "who writes, and where to ask: {letter}"
    );
    post.days(7).await;
    assert_eq!(post.service(&web).await, Value::Null, "told, and deleted after the grace time");
    assert_eq!(server.taken().len(), 6);
    assert_eq!(post.mails().await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_letter_that_is_refused_for_good_is_given_up_and_nothing_is_deleted_until_the_operator_spoke() {
    let (server, at) = MailServer::start().await;
    let post = Post::to(Some("gone@example.com"), at).await;
    let web = post.order().await;
    post.days(30).await;
    let taken = server.taken().len();
    server.behave(&[Manner::Answer("550 nobody of that name"); 20]);
    post.days(60).await;
    assert_eq!(post.service(&web).await, "suspended", "not told, not deleted");
    assert_eq!(server.taken().len(), taken);
    let mails = post.mails().await;
    let given_up: Vec<&Value> = mails.iter().filter(|mail| mail["state"] == "given_up").collect();
    assert_eq!(given_up.len(), mails.len());
    assert!(given_up[0]["last_error"].as_str().unwrap().contains("550"), "{mails:?}");
    assert_eq!(given_up[0]["tries"], 1);
    let status = post.control.operator("GET", "/scheduler").send().await;
    assert_eq!(status.data()["letters_given_up"], mails.len());
    for mail in &mails {
        let path = format!("/mails/{}/told", mail["uuid"].as_str().unwrap());
        let told = post.control.operator("POST", &path).send().await;
        assert_eq!(told.data()["state"], "told");
    }
    post.days(1).await;
    assert_eq!(post.service(&web).await, Value::Null, "a day after the operator's word");
    let unknown = format!("/mails/{}/retry", post.account);
    assert_eq!(post.control.operator("POST", &unknown).send().await.status.as_u16(), 404);
}

#[tokio::test]
async fn a_letter_that_cannot_be_taken_now_is_tried_again_and_an_operator_can_hurry_it() {
    let (server, at) = MailServer::start().await;
    let post = Post::to(Some("ada@example.com"), at).await;
    post.order().await;
    post.control.pass(23 * DAY, DAY).await;
    server.behave(&[Manner::Answer("451 busy"), Manner::Answer("451 busy"), Manner::Answer("535 who are you")]);
    let mut tries = Vec::new();
    for wait in [0, 59, 1, 5 * 60, 15 * 60] {
        post.control.clock.advance(wait);
        post.send().await;
        tries.push(post.mails().await.first().map_or(0, |mail| mail["tries"].as_u64().unwrap()));
    }
    assert_eq!(tries, [1, 1, 2, 3, 0], "a minute, then five, then fifteen; and then it was taken");
    assert_eq!(server.taken().len(), 1);
}

#[tokio::test]
async fn a_letter_whose_line_is_cut_after_it_was_sent_goes_out_again_as_the_same_letter() {
    let (server, at) = MailServer::start().await;
    let post = Post::to(Some("ada@example.com"), at).await;
    post.order().await;
    post.control.pass(23 * DAY, DAY).await;
    server.behave(&[Manner::Cut]);
    post.send().await;
    assert_eq!(post.mails().await[0]["tries"], 1);
    post.control.clock.advance(60);
    post.send().await;
    assert_eq!(post.mails().await, [Value::Null; 0]);
    let taken = server.taken();
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[0], taken[1], "the same to the last byte, Message-ID and Date too");
}

#[tokio::test]
async fn a_server_that_is_away_for_a_day_delays_letters_and_loses_none() {
    let nobody = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let (server, at) = MailServer::start().await;
    let mut post = Post::to(Some("ada@example.com"), nobody).await;
    let web = post.order().await;
    post.days(24).await;
    assert_eq!(server.taken().len(), 0);
    assert!(post.mails().await[0]["tries"].as_u64().unwrap() > 3);
    post.smtp = smtp(at, "none");
    post.days(1).await;
    assert_eq!(server.taken().len(), 1);
    // Away from the suspension until a week after the end of the grace time: the deletion waits for the last word.
    post.smtp = smtp(nobody, "none");
    post.days(7).await;
    let waiting = post.mails().await.len();
    assert!(waiting > 0);
    post.days(4).await;
    assert_eq!(post.service(&web).await, "suspended");
    post.smtp = smtp(at, "none");
    post.days(2).await;
    assert_eq!(post.service(&web).await, "suspended", "the whole grace time since");
}

#[tokio::test]
async fn a_letter_that_is_no_longer_true_is_taken_back() {
    let (server, at) = MailServer::start().await;
    let post = Post::to(Some("ada@example.com"), at).await;
    post.order().await;
    post.control.pass(23 * DAY, DAY).await;
    assert_eq!(post.mails().await.len(), 1);
    post.control.top_up(post.account.parse().unwrap(), "20.00", "bank/2").await;
    post.control.pass(8 * DAY, DAY).await;
    post.send().await;
    assert_eq!((server.taken().len(), post.mails().await.len()), (0, 0), "it was renewed meanwhile");
}

#[tokio::test]
async fn who_has_no_address_is_told_by_the_event() {
    let (server, at) = MailServer::start().await;
    let post = Post::to(None, at).await;
    let web = post.order().await;
    post.days(39).await;
    assert_eq!(post.service(&web).await, Value::Null);
    assert_eq!(server.taken().len(), 0);
}

#[tokio::test]
async fn a_server_without_tls_gets_no_letter_where_tls_was_asked_for() {
    let (server, at) = MailServer::start().await;
    let mut post = Post::to(Some("ada@example.com"), at).await;
    post.order().await;
    post.control.pass(23 * DAY, DAY).await;
    for tls in ["starttls", "tls"] {
        post.smtp = smtp(at, tls);
        post.control.clock.set(Time(post.control.app.now().0 + DAY));
        post.send().await;
    }
    assert_eq!(server.taken().len(), 0);
    assert_eq!((&post.mails().await[0]["tries"], &post.mails().await[0]["state"]), (&json!(2), &json!("waiting")));
}

#[tokio::test]
async fn a_new_price_is_a_letter_and_nothing_in_it_becomes_a_header() {
    let catalog = csp_tests::test_control::EXAMPLE_CATALOG.replace("name = \"Starter\"", "name = \"Stärter & Söhne\"");
    let (server, at) = MailServer::start().await;
    let post = Post::to(Some("ada@example.com"), at).await;
    post.control.apply(&catalog).await;
    let web = post.order().await;
    let rise = json!({"server_uuid": web, "price": "8.00"});
    let _ = post.control.operator("POST", "/prices").json(&rise).send().await.data();
    post.send().await;
    let letter = &server.taken()[0];
    assert_eq!(header(letter, "Subject"), ["The price of web1 changes"]);
    assert_eq!(header(letter, "Bcc"), [""; 0]);
    assert!(letter.contains("Content-Type: text/plain; charset=utf-8") && letter.contains("8.00 USD"), "{letter}");
    for address in ["a@b\r\nBcc: x@example.com", "a@b, c@d", "@", "a b@c.d", "a@b@c.example", "a@[192.0.2.1]", "a@b"] {
        let new = json!({"name": "Eve", "email": address});
        let made = post.control.operator("POST", "/accounts").json(&new).send().await;
        assert_eq!((made.status.as_u16(), made.fields()), (422, vec!["email"]), "{address}");
    }
}

#[tokio::test]
async fn only_what_is_said_to_the_recipient_or_the_letter_gives_it_up() {
    use Manner::{Answer, Greet, Letter, Sender};
    let table = [
        (Greet("521 we take no mail"), "waiting"),
        (Greet("554 go away"), "waiting"),
        (Sender("550 who are you"), "waiting"),
        (Sender("553 not from there"), "waiting"),
        (Answer("450 not now"), "waiting"),
        (Answer("550 nobody of that name"), "given_up"),
        (Letter("452 full"), "waiting"),
        (Letter("554 we do not like it"), "given_up"),
    ];
    let (server, at) = MailServer::start().await;
    let post = Post::to(Some("ada@example.com"), at).await;
    post.order().await;
    post.control.pass(23 * DAY, DAY).await;
    for (manner, state) in table {
        server.behave(&[manner]);
        post.send().await;
        let mail = post.mails().await[0].clone();
        let why = mail["last_error"].as_str().unwrap();
        assert_eq!((&mail["state"], &mail["tries"]), (&json!(state), &json!(1)), "{manner:?}: {why}");
        let retried = post.control.operator("POST", &format!("/mails/{}/retry", mail["uuid"].as_str().unwrap()));
        assert_eq!(retried.send().await.data()["state"], "waiting");
    }
    post.send().await;
    assert_eq!((server.taken().len(), post.mails().await.len()), (1, 0));
}

#[tokio::test]
async fn all_that_was_given_up_is_tried_again_at_once_and_what_was_told_is_not() {
    let (server, at) = MailServer::start().await;
    let post = Post::to(Some("ada@example.com"), at).await;
    let web = post.order().await;
    server.behave(&[Manner::Answer("550 nobody of that name"); 2]);
    for price in ["8.00", "9.00"] {
        let rise = json!({"server_uuid": web, "price": price});
        let _ = post.control.operator("POST", "/prices").json(&rise).send().await.data();
        post.send().await;
    }
    let given_up = post.mails().await;
    assert_eq!((given_up.len(), &given_up[1]["state"]), (2, &json!("given_up")));
    let told = given_up[0]["uuid"].as_str().unwrap();
    let _ = post.control.operator("POST", &format!("/mails/{told}/told")).send().await.data();
    let again = post.control.operator("POST", &format!("/mails/{told}/retry")).send().await;
    assert_eq!((again.status.as_u16(), again.code()), (409, "conflict"), "{}", again.text);
    assert!(again.text.contains(told) && again.text.contains("was told at"), "{}", again.text);
    let all = post.control.operator("POST", "/mails/retry").send().await;
    assert_eq!((all.data().as_array().map(Vec::len), &all.data()[0]["state"]), (Some(1), &json!("waiting")));
    post.send().await;
    assert_eq!((server.taken().len(), post.mails().await.len()), (1, 0));
    assert_eq!(post.control.operator("POST", "/mails/retry").send().await.data(), &json!([]));
}

#[tokio::test]
async fn another_address_gets_what_waits_and_the_one_before_is_told() {
    let (server, at) = MailServer::start().await;
    let post = Post::to(Some("old@example.com"), at).await;
    post.order().await;
    post.control.pass(23 * DAY, DAY).await;
    server.behave(&[Manner::Answer("451 busy")]);
    post.send().await;
    let path = format!("/accounts/{}/set", post.account);
    let set = |email: &'static str| {
        let control = &post.control;
        let path = &path;
        async move { control.operator("POST", path).json(&json!({"email": email})).send().await }
    };
    let wrong = set("a@b@c").await;
    assert_eq!((wrong.status.as_u16(), wrong.fields()), (422, vec!["email"]), "{}", wrong.text);
    let moved = set("new@example.com").await;
    assert_eq!((&moved.data()["email"], &moved.data()["changed"]), (&json!("new@example.com"), &json!(true)));
    assert_eq!(moved.data()["letters"], 1);
    post.send().await;
    let mut taken: Vec<(String, String)> = server
        .taken()
        .iter()
        .map(|letter| (header(letter, "To")[0].to_owned(), header(letter, "Subject")[0].to_owned()))
        .collect();
    taken.sort();
    let reminder = "web1 is paid until 2026-07-10 12:00:00 UTC";
    let pairs: Vec<(&str, &str)> = taken.iter().map(|(to, about)| (to.as_str(), about.as_str())).collect();
    assert_eq!(pairs, [("new@example.com", reminder), ("old@example.com", "Your mail address was changed")]);
    let again = set("new@example.com").await;
    assert_eq!((&again.data()["changed"], &again.data()["letters"]), (&json!(false), &json!(0)));
    let events = post.control.events(post.account.parse().unwrap()).await;
    let told: Vec<&Value> = events.iter().filter(|(kind, _)| kind == "account.updated").map(|(_, data)| data).collect();
    assert_eq!(told, [&json!({"fields": ["email"]})]);
    let nobody = post.control.operator("POST", "/accounts/ada/set").json(&json!({"email": "a@b.cd"})).send().await;
    assert_eq!(nobody.status.as_u16(), 404);
}

/// By a clock that is put right, and by one that goes on after a long time off.
#[tokio::test]
async fn letters_on_their_way_are_tried_as_often_over_a_leap_of_time() {
    for leap in [10 * DAY, -365 * DAY] {
        let (server, at) = MailServer::start().await;
        let post = Post::to(Some("ada@example.com"), at).await;
        post.control.bill().await;
        if leap < 0 {
            post.leap(-leap).await;
        }
        post.host.alive().await;
        post.order().await;
        server.behave(&[Manner::Answer("450 later")]);
        post.control.pass(23 * DAY, DAY).await;
        post.send().await;
        assert_eq!(post.mails().await[0]["tries"], 1);
        post.leap(leap).await;
        post.days(1).await;
        // Ten days on its paid time is over, and that is told as well.
        let letters = if leap > 0 { 2 } else { 1 };
        assert_eq!((server.taken().len(), post.mails().await), (letters, vec![]), "{leap}");
    }
}

//! How a machine becomes a host.

use csp_agent::link::{
    Dial as _, Join,
    dial::DialError,
    enrolment::{self, EnrolError, Outcome},
};
use csp_link::key_file::Identity;
use csp_shared::{key_pin::KeyPin, message::Refusal, secret::Secret};

use crate::{
    book::host,
    rig::{Agent, Control, MACHINE, closed_port, until},
};

fn join(control: &Control, token: &str) -> Join {
    Join { control: control.address.to_string(), pins: control.pins(), token: Secret::new(token.to_owned()) }
}

async fn control_with_token(token: &str) -> Control {
    let control = Control::start().await;
    control.book.lock().tokens.insert(token.to_owned(), host(1));
    control
}

#[tokio::test]
async fn a_join_line_makes_a_machine_a_host_that_can_connect() {
    let control = control_with_token("first").await;
    let folder = tempfile::tempdir().unwrap();
    let join = join(&control, "first");
    let outcome = enrolment::enrol(folder.path(), &join, MACHINE.to_owned(), &control.dial()).await.unwrap();
    let Outcome::Enrolled(enrolled) = outcome else { panic!("{outcome:?}") };
    assert_eq!((enrolled.host, &enrolled.pins), (host(1), &control.pins()));

    let (read, own) = enrolment::load(folder.path()).unwrap();
    assert_eq!(read, enrolled);
    let agent = Agent::start(&own, read.host, read.pins, MACHINE, control.dial());
    until("the session's first words are said", || agent.hands.heard() == 1).await;
    assert_eq!(control.wake.connected(), [host(1)]);
}

#[tokio::test]
async fn the_same_line_twice_is_safe_also_when_the_answer_was_lost() {
    let control = control_with_token("first").await;
    let folder = tempfile::tempdir().unwrap();
    let join = join(&control, "first");
    let dial = control.dial();
    let enrol = || enrolment::enrol(folder.path(), &join, MACHINE.to_owned(), &dial);
    let Outcome::Enrolled(first) = enrol().await.unwrap() else { panic!("not enrolled") };
    assert_eq!(enrol().await.unwrap(), Outcome::Already(first.clone()));
    assert_eq!(control.book.lock().enrolments, 1, "nothing is asked twice");

    std::fs::remove_file(folder.path().join("enrolment.json")).unwrap();
    assert_eq!(enrol().await.unwrap(), Outcome::Enrolled(first), "as if the answer had never come");
}

#[tokio::test]
async fn a_used_token_is_refused_and_leaves_no_enrolment() {
    let control = control_with_token("first").await;
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let join = join(&control, "first");
    enrolment::enrol(one.path(), &join, MACHINE.to_owned(), &control.dial()).await.unwrap();
    let refused = enrolment::enrol(two.path(), &join, MACHINE.to_owned(), &control.dial()).await.unwrap_err();
    assert!(matches!(&refused, EnrolError::Refused { reason: Refusal::BadToken, .. }), "{refused}");
    assert_eq!(refused.to_string(), "the control plane refused: this join token was used already: make a new line");
    assert!(matches!(enrolment::load(two.path()), Err(EnrolError::NotEnrolled)));
}

#[tokio::test]
async fn a_control_plane_with_another_key_never_sees_the_token() {
    let control = control_with_token("first").await;
    let folder = tempfile::tempdir().unwrap();
    let expected = KeyPin::of(b"the real one");
    let join = Join { pins: vec![expected], ..join(&control, "first") };
    let refused = enrolment::enrol(folder.path(), &join, MACHINE.to_owned(), &control.dial()).await.unwrap_err();
    assert!(matches!(&refused, EnrolError::Dial(DialError::WrongKey { .. })), "{refused}");
    let line = refused.to_string();
    assert!(line.contains(&expected.to_string()) && line.contains(&control.identity.pin().to_string()), "{line}");
    assert!(!line.contains('\n'));
    assert_eq!(control.book.lock().enrolments, 0);
}

#[tokio::test]
async fn the_control_planes_next_key_is_as_good_as_its_current_one() {
    let control = control_with_token("first").await;
    let folder = tempfile::tempdir().unwrap();
    let pins = vec![KeyPin::of(b"the current one"), control.identity.pin()];
    let join = Join { pins, ..join(&control, "first") };
    enrolment::enrol(folder.path(), &join, MACHINE.to_owned(), &control.dial()).await.unwrap();
}

#[tokio::test]
async fn a_control_plane_that_is_away_is_named_in_one_line() {
    let control = control_with_token("first").await;
    let folder = tempfile::tempdir().unwrap();
    let nobody = closed_port().await.unwrap();
    let join = join(&control, "first");
    let refused = enrolment::enrol(folder.path(), &join, MACHINE.to_owned(), &nobody).await.unwrap_err();
    let line = refused.to_string();
    assert!(line.contains(nobody.address()) && line.contains("refused") && !line.contains('\n'), "{line}");
    assert!(matches!(refused, EnrolError::Dial(DialError::Unreachable { .. })));
}

#[tokio::test]
async fn a_key_that_others_could_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let control = control_with_token("first").await;
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("agent.key");
    Identity::load_or_create(&key).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let join = join(&control, "first");
    let refused = enrolment::enrol(folder.path(), &join, MACHINE.to_owned(), &control.dial()).await.unwrap_err();
    assert!(refused.to_string().contains("chmod 600"), "{refused}");
    assert_eq!(control.book.lock().enrolments, 0);
}

#[tokio::test]
async fn an_enrolment_that_cannot_be_read_is_named_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("enrolment.json");
    std::fs::write(&file, "{}").unwrap();
    let refused = enrolment::load(folder.path()).unwrap_err();
    assert!(refused.to_string().contains(&file.display().to_string()), "{refused}");
    assert!(file.exists());
}

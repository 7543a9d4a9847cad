//! Whatever closures share a batch: each is answered as if it were alone, and what is kept is what was not refused.

use proptest::prelude::*;
use tokio::sync::oneshot;

use super::*;
use crate::store::{connection, engine::Write};

/// What a closure does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Writes,
    IsRefused,
    WritesAndIsRefused,
    WritesAndPanics,
    IsTried,
}

use Deed::{IsRefused, IsTried, Writes, WritesAndIsRefused, WritesAndPanics};

type Answer = oneshot::Receiver<Result<u64, StoreError>>;

/// A closure that adds an account, answers how many there are then, and does its deed.
fn job(number: usize, deed: Deed) -> (Box<dyn Job>, Answer) {
    let (reply, answer) = oneshot::channel();
    let f = move |tx: &mut Tx<'_>| {
        if deed != IsRefused {
            let sql = "INSERT INTO accounts (uuid, name, created_at) VALUES (?1, 'someone', 0)";
            tx.run(sql, [number.to_string()])?;
        }
        assert!(deed != WritesAndPanics, "a bug");
        let there = tx.count("SELECT count(*) FROM store_state, accounts", [])?;
        let is_refused = matches!(deed, IsRefused | WritesAndIsRefused);
        if is_refused { Err(StoreError::Damaged("refused".to_owned())) } else { Ok(there) }
    };
    let lasting = if deed == IsTried { Lasting::TakenBack } else { Lasting::Kept };
    (Box::new(Write { f, lasting, outcome: None, reply }), answer)
}

fn any_deed() -> impl Strategy<Value = Deed> {
    prop::sample::select(vec![Writes, Writes, IsRefused, WritesAndIsRefused, WritesAndPanics, IsTried])
}

fn desk(folder: &std::path::Path) -> Desk {
    Desk::new(connection::open(&folder.join("csp.sqlite")).unwrap(), None, Signals::default())
}

fn kept(desk: &Desk) -> Vec<usize> {
    let mut statement = desk.connection.prepare("SELECT uuid FROM accounts ORDER BY id").unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|uuid| uuid.unwrap().parse().unwrap()).collect()
}

/// Runs the batches, whose closures are numbered after `number`; answers what each closure was told.
fn run_all(desk: &mut Desk, mut number: usize, batches: &[Vec<Deed>]) -> Vec<Option<u64>> {
    let mut told = Vec::new();
    for batch in batches {
        let jobs = batch.iter().map(|deed| {
            number += 1;
            job(number, *deed)
        });
        let (jobs, answers): (Vec<_>, Vec<_>) = jobs.unzip();
        assert_eq!(run_batch(desk, jobs), Life::GoesOn);
        told.extend(answers.into_iter().map(|mut answer| answer.try_recv().unwrap().ok()));
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_batch_is_its_closures_one_after_the_other(
        batches in prop::collection::vec(prop::collection::vec(any_deed(), 1..12), 1..4),
    ) {
        let (folder, alone) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut together, mut one_by_one) = (desk(folder.path()), desk(alone.path()));
        let singles: Vec<Vec<Deed>> = batches.iter().flatten().map(|deed| vec![*deed]).collect();
        prop_assert_eq!(run_all(&mut together, 0, &batches), run_all(&mut one_by_one, 0, &singles));
        prop_assert_eq!(kept(&together), kept(&one_by_one));
        let wrote = |(at, deed): (usize, &Deed)| (*deed == Writes).then_some(at + 1);
        let expected: Vec<usize> = batches.iter().flatten().enumerate().filter_map(wrote).collect();
        prop_assert_eq!(kept(&together), expected);
    }
}

#[test]
fn savepoints_are_taken_once_a_refusal_needed_them_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = desk(folder.path());
    let _ = run_all(
        &mut desk,
        0,
        &[vec![Writes, IsRefused, Writes], vec![WritesAndIsRefused, Writes], vec![IsTried, Writes]],
    );
    assert_eq!(desk.batches_apart, 0, "nobody's rows were mixed with a refused one's");
    let _ = run_all(&mut desk, 10, &[vec![Writes, WritesAndIsRefused]]);
    assert_eq!(desk.batches_apart, BATCHES_APART);
    let _ = run_all(&mut desk, 20, &[vec![IsTried]]);
    assert_eq!(desk.batches_apart, BATCHES_APART - 1);
}

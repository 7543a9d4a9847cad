//! Asks for the counters by the clock, on threads that do nothing else.
//!
//! A look can hang for as long as one guest's monitor does, or libvirt itself. Then the next look is made on another
//! thread: it passes the hanging guest over (`hypervisor::stats` says why) and tells of all others. So a stuck guest
//! costs one look and a thread until it moves on. Their number is bounded: when all of them hang, it is libvirt that does.

use std::{convert::Infallible, sync::mpsc as blocking, thread, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};
use tracing::{info, warn};

use super::{
    mailbox::Mailbox,
    rates::{Look, Rates},
};
use crate::hypervisor::{HypervisorError, counters::Counters, stats::Stats};

/// Threads that may hang at a time.
const LANES_MAX: usize = 3;

/// Reads all counters at once. Blocks.
pub trait Meter: Send + 'static {
    /// The counters of all running servers' domains.
    ///
    /// # Errors
    /// When libvirt does not answer.
    fn read(&mut self) -> Result<Vec<Counters>, HypervisorError>;
}

impl Meter for Stats {
    fn read(&mut self) -> Result<Vec<Counters>, HypervisorError> {
        Self::read(self)
    }
}

/// Fills the mailbox for ever. Dropping the future ends the threads that do not hang, and the others when they go on.
pub async fn run<M: Meter>(every: Duration, make: impl Fn() -> M, mailbox: &Mailbox) -> Infallible {
    let (answer, mut answers) = mpsc::channel(LANES_MAX);
    let mut lanes = Lanes { lanes: Vec::new(), opened: 0, begun: Instant::now(), answer };
    let mut rates = Rates::default();
    let mut ticker = interval(every);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = String::new();
    loop {
        let trouble = tokio::select! {
            _ = ticker.tick() => match lanes.ask(&make) {
                Ok(()) => continue,
                Err(why) => why,
            },
            Some((lane, looked)) = answers.recv() => {
                lanes.answered(lane);
                match looked {
                    Ok(look) => {
                        mailbox.put(rates.samples(look));
                        String::new()
                    }
                    Err(error) => error.to_string(),
                }
            }
        };
        if trouble != told {
            if trouble.is_empty() {
                info!("metrics come again");
            } else {
                warn!(why = %trouble, "no metrics; trying again");
            }
            told = trouble;
        }
    }
}

type Looked = Result<Look, HypervisorError>;

/// A thread that looks when it is asked, and ends when nobody can ask it any more.
struct Lane {
    number: u64,
    ask: blocking::Sender<()>,
    is_busy: bool,
}

struct Lanes {
    lanes: Vec<Lane>,
    opened: u64,
    begun: Instant,
    answer: mpsc::Sender<(u64, Looked)>,
}

impl Lanes {
    /// Has a look begun, on another thread if those that are there still hang. Answers why none could begin.
    fn ask<M: Meter>(&mut self, make: &impl Fn() -> M) -> Result<(), String> {
        if self.lanes.iter().all(|lane| lane.is_busy) {
            if self.lanes.len() == LANES_MAX {
                return Err(format!("{LANES_MAX} looks at the domains hang; is libvirtd well?"));
            }
            self.open(make()).map_err(|error| format!("cannot start a thread: {error}"))?;
        }
        if let Some(lane) = self.lanes.iter_mut().find(|lane| !lane.is_busy) {
            lane.is_busy = true;
            let number = lane.number;
            if lane.ask.send(()).is_err() {
                self.lanes.retain(|lane| lane.number != number); // its thread fell; the next look opens another
            }
        }
        Ok(())
    }

    /// Keeps one thread waiting; what more there is was opened beside one that hung.
    fn answered(&mut self, number: u64) {
        let has_idle = self.lanes.iter().any(|lane| !lane.is_busy);
        self.lanes.retain_mut(|lane| {
            lane.is_busy &= lane.number != number;
            lane.number != number || !has_idle
        });
    }

    fn open(&mut self, meter: impl Meter) -> std::io::Result<()> {
        let (ask, asked) = blocking::channel();
        let (number, begun, answer) = (self.opened, self.begun, self.answer.clone());
        let answer = move |looked| answer.blocking_send((number, looked)).is_ok();
        thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(move || look_when_asked(meter, begun, &asked, answer))?;
        self.opened += 1;
        self.lanes.push(Lane { number, ask, is_busy: false });
        Ok(())
    }
}

fn look_when_asked(
    mut meter: impl Meter,
    begun: Instant,
    asked: &blocking::Receiver<()>,
    answer: impl Fn(Looked) -> bool,
) {
    let now_ms = || u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    while asked.recv().is_ok() {
        let began_ms = now_ms();
        let looked = meter.read().map(|domains| Look { began_ms, ended_ms: now_ms(), domains });
        if !answer(looked) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        sync::{
            Arc,
            atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use csp_shared::id::ServerId;
    use tokio::time::timeout;
    use uuid::Uuid;

    use super::*;

    const EVERY: Duration = Duration::from_millis(40);
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A libvirt with one server that uses 1 ms of processor time between two looks. Looks hang while it is held.
    #[derive(Clone, Default)]
    struct Fake {
        looks: Arc<AtomicU64>,
        meters: Arc<AtomicUsize>,
        held: Arc<AtomicBool>,
        /// How many of the next looks hang.
        hang: Arc<AtomicUsize>,
    }

    struct FakeMeter(Fake);

    impl Fake {
        fn meter(&self) -> FakeMeter {
            self.meters.fetch_add(1, Ordering::SeqCst);
            FakeMeter(self.clone())
        }
    }

    impl Drop for FakeMeter {
        fn drop(&mut self) {
            self.0.meters.fetch_sub(1, Ordering::SeqCst);
        }
    }

    impl Meter for FakeMeter {
        fn read(&mut self) -> Result<Vec<Counters>, HypervisorError> {
            let one_less = |left: usize| left.checked_sub(1);
            if self.0.hang.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
                while self.0.held.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(5));
                }
            }
            let look = self.0.looks.fetch_add(1, Ordering::SeqCst);
            let (server, taps) = (ServerId(Uuid::from_u128(1)), BTreeMap::new());
            let cpu_ns = Some(look * 1_000_000);
            Ok(vec![Counters { server, run: 1, cpu_ns, balloon: None, disk: None, taps }])
        }
    }

    async fn some(mailbox: &Mailbox) {
        let samples = timeout(PATIENCE, mailbox.take(9)).await.expect("samples come");
        assert_eq!(samples.len(), 1);
    }

    #[tokio::test]
    async fn samples_go_on_while_a_look_hangs_and_threads_are_few() {
        let (fake, mailbox) = (Fake::default(), Arc::new(Mailbox::default()));
        let (meters, filled) = (fake.clone(), mailbox.clone());
        let sampler = tokio::spawn(async move { run(EVERY, move || meters.meter(), &filled).await });
        some(&mailbox).await;
        fake.held.store(true, Ordering::SeqCst);
        fake.hang.store(1, Ordering::SeqCst);
        for _ in 0..5 {
            some(&mailbox).await;
        }
        assert_eq!(fake.meters.load(Ordering::SeqCst), 2, "one hangs, one works");
        fake.hang.store(1000, Ordering::SeqCst);
        tokio::time::sleep(EVERY * 20).await;
        assert_eq!(fake.meters.load(Ordering::SeqCst), LANES_MAX, "however long all of them hang");
        fake.hang.store(0, Ordering::SeqCst);
        fake.held.store(false, Ordering::SeqCst);
        some(&mailbox).await;
        some(&mailbox).await;
        let settled = async {
            while fake.meters.load(Ordering::SeqCst) > 1 {
                tokio::time::sleep(EVERY).await;
            }
        };
        timeout(PATIENCE, settled).await.expect("one thread is enough again");
        sampler.abort();
        let ended = async {
            while fake.meters.load(Ordering::SeqCst) > 0 {
                tokio::time::sleep(EVERY).await;
            }
        };
        timeout(PATIENCE, ended).await.expect("the last thread ends with the sampler");
    }

    #[tokio::test]
    async fn a_libvirt_that_is_away_is_asked_again() {
        struct Away(Arc<AtomicU64>);
        impl Meter for Away {
            fn read(&mut self) -> Result<Vec<Counters>, HypervisorError> {
                match self.0.fetch_add(1, Ordering::SeqCst) {
                    0..3 => Err(HypervisorError::TooSlow("a test")),
                    look => Ok(vec![Counters {
                        server: ServerId(Uuid::from_u128(1)),
                        run: 1,
                        cpu_ns: Some(look),
                        balloon: None,
                        disk: None,
                        taps: BTreeMap::new(),
                    }]),
                }
            }
        }
        let (asked, mailbox) = (Arc::new(AtomicU64::new(0)), Arc::new(Mailbox::default()));
        let filled = mailbox.clone();
        let sampler = tokio::spawn(async move { run(EVERY, move || Away(asked.clone()), &filled).await });
        some(&mailbox).await;
        sampler.abort();
    }
}

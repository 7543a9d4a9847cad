//! `csp-agent freeze`: a guest's file systems stand still while a program runs, so that a snapshot of the pool's volume
//! has them as they are after a clean sync.
//!
//! Works beside a running agent and asks it nothing. The guest is thawed when the program ends, fails or runs too long,
//! and when this process itself is ended or killed (see [`guard`]).

pub mod guard;
mod program;

use std::{ffi::OsString, future::Future, path::Path, process::ExitStatus, sync::Arc, time::Duration};

use csp_shared::id::ServerId;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};

use self::{
    guard::{Guard, Thawed},
    program::Program,
};
use crate::hypervisor::{guest_agent::FreezeError, libvirt::Libvirt};

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whose guest.
    pub server: ServerId,
    /// How long it may stand still, from the moment that it is asked to.
    pub seconds: u32,
    /// What is to run meanwhile.
    pub program: Vec<OsString>,
}

/// How the program ended.
enum Ended {
    ByItself(ExitStatus),
    /// Its time was over.
    TooSlow(Program),
    /// Somebody ended this process.
    Stopped(Program),
}

/// Freezes, runs the program, thaws. `config_file` is for the guard; what happens is told by `tell`.
///
/// # Errors
/// When the guest was not frozen from the program's begin to its end, or the program failed: what it made is not to be
/// relied on.
pub async fn run(uri: &str, config_file: &Path, wanted: Wanted, tell: impl Fn(&str)) -> Result<(), String> {
    let Wanted { server, seconds, program } = wanted;
    let libvirt = Arc::new(Libvirt::new(uri.to_owned()).0);
    let stopped = stop_signal()?;
    let asked = Arc::clone(&libvirt);
    blocking(move || asked.can_freeze(server)).await.map_err(|why| why.to_string())?;
    let config_file = config_file.to_owned();
    let guard = blocking(move || Guard::start(&config_file, server, seconds)).await?;
    let began = Instant::now();
    let asked = Arc::clone(&libvirt);
    let frozen = blocking(move || asked.freeze(server, seconds)).await;
    // A guest that would not has thawed what it froze of it.
    if let Err(refused @ FreezeError::Refused { .. }) = &frozen {
        guard.dismiss();
        return Err(refused.to_string());
    }
    let ended = match frozen {
        Ok(0) => Err(format!("the guest agent of server {server} froze no file system")),
        Ok(count) => {
            tell(&format!("the file systems of server {server} are frozen ({count})"));
            run_until(&program, began + Duration::from_secs(seconds.into()), stopped).await
        }
        Err(why) => Err(why.to_string()),
    };
    let thawed = match blocking(move || guard.thaw()).await {
        Ok(thawed) => Ok(thawed),
        // Somebody killed it.
        Err(_) => blocking(move || libvirt.thaw(server)).await.map(Thawed::FileSystems),
    };
    let frozen_for = format!("{:.1} s", began.elapsed().as_secs_f64());
    let told = match &thawed {
        Ok(Thawed::FileSystems(count)) => {
            format!("the file systems of server {server} thawed ({count}) after {frozen_for}")
        }
        Ok(Thawed::Off) => format!("server {server} went off meanwhile; nothing is frozen any more"),
        Err(why) => format!("{why}; {}", by_hand(server)),
    };
    tell(&told);
    let name = program.first().map(|first| first.display().to_string()).unwrap_or_default();
    match (ended, thawed) {
        (Err(why), _) => Err(why),
        (Ok(Ended::TooSlow(program)), _) => {
            program.end().await;
            Err(format!("{name} did not end within {seconds} s of the freeze and was ended"))
        }
        (Ok(Ended::Stopped(program)), _) => {
            program.end().await;
            Err(format!("{name} was ended, as this program was told to end"))
        }
        (Ok(Ended::ByItself(status)), _) if !status.success() => Err(format!("{name} ended with {status}")),
        (Ok(Ended::ByItself(_)), Err(_)) => Err(format!("server {server} was not thawed")),
        // A guest may thaw by itself, or boot anew.
        (Ok(Ended::ByItself(_)), Ok(Thawed::Off | Thawed::FileSystems(0))) => {
            Err(format!("server {server} did not stay frozen while {name} ran: what it made may be torn"))
        }
        (Ok(Ended::ByItself(_)), Ok(Thawed::FileSystems(_))) => Ok(()),
    }
}

async fn run_until(words: &[OsString], until: Instant, stopped: impl Future<Output = ()>) -> Result<Ended, String> {
    let mut program = Program::start(words)?;
    let waited = tokio::select! {
        ended = program.wait_until(until) => Some(ended?),
        () = stopped => None,
    };
    Ok(match waited {
        Some(Some(status)) => Ended::ByItself(status),
        Some(None) => Ended::TooSlow(program),
        None => Ended::Stopped(program),
    })
}

/// What is left to a person.
fn by_hand(server: ServerId) -> String {
    format!("server {server} may still be frozen: try `virsh domfsthaw {server}`; restarting it ends it too")
}

/// Resolves when this process is told to end. Listens from now on.
fn stop_signal() -> Result<impl Future<Output = ()>, String> {
    let listen = |kind| signal(kind).map_err(|why| format!("cannot listen for signals: {why}"));
    let (mut terminate, mut interrupt, mut hangup) =
        (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?, listen(SignalKind::hangup())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

/// Runs blocking work off the async threads; one that fell, which is a defect of this program, falls here.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|fell| std::panic::resume_unwind(fell.into_panic()))
}

//! How a machine becomes a host: the pasted join line is traded for a place in the control plane's list.
//!
//! The host's private key is made here and never leaves. Nothing is sent before the other side has proved one of the
//! pinned keys: the join token would be worth something to whoever answers instead. The file is written last and whole,
//! so a run that was cut off in the middle is made good by running the same line again.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use csp_link::{
    frames::LinkError,
    key_file::{Identity, KeyFileError},
};
use csp_shared::{
    compat::PROTOCOL,
    id::HostId,
    key_pin::KeyPin,
    message::{Enrol, Refusal, ToAgent, ToControl},
    secret::Secret,
    sha256::Sha256,
};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::dial::{self, Dial, DialError};
use crate::storage::durable;

const KEY_FILE: &str = "agent.key";
const ENROLMENT_FILE: &str = "enrolment.json";
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What the line that `csp-control host add` prints says.
#[derive(Debug, Clone)]
pub struct Join {
    /// `host:port` of the control plane.
    pub control: String,
    /// Fingerprints of its current and its next key.
    pub pins: Vec<KeyPin>,
    /// Single use, ten minutes.
    pub token: Secret,
}

/// What a host remembers of its enrolment, beside its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// `host:port` of the control plane.
    pub control: String,
    /// Keys that count as the control plane's.
    pub pins: Vec<KeyPin>,
    /// Who this host is.
    pub host: HostId,
    /// Hash of the token that it joined with, which is worth nothing any more: tells the same line from a new one.
    pub joined_by: Sha256,
}

/// What came of an enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The machine is a host now.
    Enrolled(Enrolment),
    /// It was enrolled with this very line before; nothing was done.
    Already(Enrolment),
}

/// Why a machine is no host. One line each.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Our own key.
    #[error("{}", in_one_line(.0))]
    Key(KeyFileError),
    /// Nobody, or somebody else, answers.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The control plane does not want it.
    #[error("the control plane refused: {message}")]
    Refused {
        /// For programs.
        reason: Refusal,
        /// What happened and what to do.
        message: String,
    },
    /// No proper answer came.
    #[error("the control plane did not answer the enrolment: {0}; run the same line again")]
    Answer(LinkError),
    /// The control plane answered something else.
    #[error("the control plane answered something else than an enrolment; are both of the same version?")]
    OutOfOrder,
    /// The file.
    #[error("could not {what} {}: {cause}", file.display())]
    File {
        /// Read or write.
        what: &'static str,
        /// Which file.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The file holds something else.
    #[error("the file {} is no enrolment ({cause}): move it away and enroll this host again", file.display())]
    NotEnrolment {
        /// Which file.
        file: PathBuf,
        /// Where in it.
        cause: serde_json::Error,
    },
    /// The machine is no host yet.
    #[error("this machine is not enrolled: run the line that `csp-control host add` prints")]
    NotEnrolled,
}

fn in_one_line(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// Reads who this host is, and its key.
///
/// # Errors
/// When it is not enrolled, or a file cannot be read.
pub fn load(state_dir: &Path) -> Result<(Enrolment, Identity), EnrolError> {
    let enrolment = read(state_dir)?.ok_or(EnrolError::NotEnrolled)?;
    Ok((enrolment, Identity::load(&state_dir.join(KEY_FILE)).map_err(EnrolError::Key)?))
}

/// Makes this machine a host. Safe to run twice, also after a run that was cut off. `state_dir` must exist.
///
/// # Errors
/// When the control plane cannot be reached, is another one, or refuses; then nothing is written but the key.
pub async fn enrol(state_dir: &Path, join: &Join, machine_id: String, dial: &impl Dial) -> Result<Outcome, EnrolError> {
    let joined_by = Sha256::of(join.token.reveal().as_bytes());
    if let Some(enrolment) = read(state_dir)?.filter(|enrolment| enrolment.joined_by == joined_by) {
        return Ok(Outcome::Already(enrolment));
    }
    let own = Identity::load_or_create(&state_dir.join(KEY_FILE)).map_err(EnrolError::Key)?;
    let host = ask(join, machine_id, &own, dial).await?;
    let enrolment = Enrolment { control: join.control.clone(), pins: join.pins.clone(), host, joined_by };
    write(state_dir, &enrolment)?;
    Ok(Outcome::Enrolled(enrolment))
}

async fn ask(join: &Join, machine_id: String, own: &Identity, dial: &impl Dial) -> Result<HostId, EnrolError> {
    let (mut sender, mut receiver) = dial::open(dial, own, &join.pins).await?;
    let enrol = Enrol { protocol: PROTOCOL, token: join.token.clone(), machine_id };
    sender.send(&ToControl::Enrol(enrol)).await.map_err(EnrolError::Answer)?;
    let answer = timeout(ANSWER_WITHIN, receiver.receive()).await;
    let answer = answer.map_err(|_| EnrolError::Answer(LinkError::Silent(ANSWER_WITHIN)))?;
    match answer.map_err(EnrolError::Answer)? {
        ToAgent::Enrolled { host } => Ok(host),
        ToAgent::Refused { reason, message } => Err(EnrolError::Refused { reason, message }),
        ToAgent::Welcome { .. }
        | ToAgent::Desired { .. }
        | ToAgent::DesiredNetworks { .. }
        | ToAgent::Audit { .. }
        | ToAgent::OpenConsole { .. }
        | ToAgent::SetPassword { .. } => Err(EnrolError::OutOfOrder),
    }
}

fn read(state_dir: &Path) -> Result<Option<Enrolment>, EnrolError> {
    let file = state_dir.join(ENROLMENT_FILE);
    match fs::read(&file) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|cause| EnrolError::NotEnrolment { file, cause }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(EnrolError::File { what: "read", file, cause }),
    }
}

fn write(state_dir: &Path, enrolment: &Enrolment) -> Result<(), EnrolError> {
    let file = state_dir.join(ENROLMENT_FILE);
    // Serializing these types cannot fail.
    let text = serde_json::to_vec_pretty(enrolment).unwrap_or_default();
    durable::write(&file, &text).map_err(|cause| EnrolError::File { what: "write", file, cause })
}

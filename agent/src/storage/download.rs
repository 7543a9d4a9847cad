//! Fetches a file of known length by HTTP, going on where an earlier try stopped.
//!
//! The file is not trusted here and nothing but this module and the digest's reader opens it. Each read has a time, and
//! each chunk asks whether somebody still wants the file, since a newer spec must not wait for an older image.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::time::Instant;
use ureq::http::{HeaderMap, HeaderValue, StatusCode, header};

/// One that sends less than [`SLOW_BYTES`] within this time is given up likewise: others wait for the place.
const SLOW_TIME: Duration = Duration::from_secs(60);
const SLOW_BYTES: u64 = 600_000;
const CHUNK_BYTES: usize = 256 * 1024;
const CONNECT_LIMIT: Duration = Duration::from_secs(15);
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// A server that sends nothing for this long is given up; the next try goes on from there.
const READ_LIMIT: Duration = Duration::from_secs(30);
/// Redirects are followed: mirrors work so, and it is the digest that is trusted.
const REDIRECTS_MAX: u32 = 5;

/// Why a file did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// No answer, or the connection broke.
    #[error("cannot fetch {url}: {reason}")]
    Unreachable {
        /// From where.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// It is another file than the catalog's: its length says so already.
    #[error("the file at {url} has {found} bytes, the catalog's size_bytes is {wanted}; one of the two is wrong")]
    OtherLength {
        /// From where.
        url: String,
        /// What the server says of its length.
        found: Length,
        /// Length that was promised, in bytes.
        wanted: u64,
    },
    /// The disk refused it.
    #[error("cannot write the image")]
    Write(#[source] std::io::Error),
    /// Nobody wants it any more.
    #[error("the fetch was given up for a newer wish")]
    Cancelled,
}

/// How long a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Its server names it, in bytes.
    Of(u64),
    /// More than was asked for came, and it was not waited for the end.
    More,
}

impl std::fmt::Display for Length {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Of(bytes) => bytes.fmt(f),
            Self::More => f.write_str("more"),
        }
    }
}

/// Which state of a file its server gave: a text that is another one once the file was changed (RFC 9110, 8.8). Kept from
/// one try to the next, so that two halves of different files are not put together.
#[derive(Debug, Default)]
pub struct Validator(Option<HeaderValue>);

impl Validator {
    /// Of an answer. A weak tag does not promise the same bytes, and a date is as good as the seconds in it.
    fn of(headers: &HeaderMap) -> Self {
        let strong = |tag: &&HeaderValue| !tag.as_bytes().starts_with(b"W/");
        Self(headers.get(header::ETAG).filter(strong).or_else(|| headers.get(header::LAST_MODIFIED)).cloned())
    }
}

/// Brings the file at `url` into `part` until it has `wanted` bytes. What `part` already holds is kept, unless the server
/// says that its file is not the one of `validator` any more. Blocks.
///
/// # Errors
/// When it does not arrive whole; what arrived stays for the next try, unless there is too much of it.
pub fn download(
    url: &str,
    part: &Path,
    wanted: u64,
    validator: &mut Validator,
    cancelled: &AtomicBool,
) -> Result<(), DownloadError> {
    let mut options = OpenOptions::new();
    let mut file = options.create(true).truncate(false).write(true).open(part).map_err(DownloadError::Write)?;
    let mut have = file.metadata().map_err(DownloadError::Write)?.len();
    if have > wanted {
        have = 0;
        file.set_len(0).map_err(DownloadError::Write)?;
    }
    if have < wanted {
        file.seek(SeekFrom::Start(have)).map_err(DownloadError::Write)?;
        receive(url, &mut file, have, wanted, validator, cancelled)?;
    }
    file.sync_all().map_err(DownloadError::Write)
}

fn receive(
    url: &str,
    file: &mut File,
    have: u64,
    wanted: u64,
    validator: &mut Validator,
    cancelled: &AtomicBool,
) -> Result<(), DownloadError> {
    let unreachable = |reason: String| DownloadError::Unreachable { url: url.to_owned(), reason };
    let other = |found| DownloadError::OtherLength { url: url.to_owned(), found, wanted };

    let mut request = agent().get(url);
    if have > 0 {
        request = request.header(header::RANGE, format!("bytes={have}-"));
        if let Some(validator) = &validator.0 {
            request = request.header(header::IF_RANGE, validator);
        }
    }
    let mut answer = request.call().map_err(|error| unreachable(error.to_string()))?;
    let before = std::mem::replace(validator, Validator::of(answer.headers()));
    let is_another = before.0.is_some() && validator.0.is_some() && before.0 != validator.0;
    let mut have = match answer.status() {
        StatusCode::PARTIAL_CONTENT if !is_another && resumes_at(answer.headers().get(header::CONTENT_RANGE), have) => {
            have
        }
        StatusCode::OK => {
            file.set_len(0).and_then(|()| file.rewind()).map_err(DownloadError::Write)?;
            0
        }
        // The rest cannot be had on its own, or is that of another file: begin anew at the next try.
        StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT => {
            file.set_len(0).map_err(DownloadError::Write)?;
            return Err(unreachable("the server does not resume the file; beginning anew".to_owned()));
        }
        other => return Err(unreachable(format!("HTTP status {other}"))),
    };

    if let Some(length) = whole_length(answer.status(), answer.headers()).filter(|length| *length != wanted) {
        file.set_len(0).map_err(DownloadError::Write)?;
        return Err(other(Length::Of(length)));
    }
    let mut body = answer.body_mut().with_config().limit(u64::MAX).reader();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut pace = Pace { since: Instant::now(), bytes: 0 };
    loop {
        if cancelled.load(Ordering::Relaxed) {
            return Err(DownloadError::Cancelled);
        }
        let count = body.read(&mut chunk).map_err(|error| unreachable(error.to_string()))?;
        have += count as u64;
        if have < wanted && pace.is_slow(Instant::now(), count as u64) {
            return Err(unreachable(format!("it sends less than {SLOW_BYTES} bytes in {} s", SLOW_TIME.as_secs())));
        }
        if have > wanted {
            file.set_len(0).map_err(DownloadError::Write)?;
            return Err(other(Length::More));
        }
        match chunk.get(..count) {
            Some([]) | None if have < wanted => {
                return Err(unreachable(format!("the connection ended after {have} of {wanted} bytes")));
            }
            Some([]) | None => return Ok(()),
            Some(bytes) => file.write_all(bytes).map_err(DownloadError::Write)?,
        }
    }
}

/// What came since when.
struct Pace {
    since: Instant,
    bytes: u64,
}

impl Pace {
    /// Takes note of what came, and tells whether a whole time brought too little.
    fn is_slow(&mut self, now: Instant, bytes: u64) -> bool {
        self.bytes += bytes;
        if now.saturating_duration_since(self.since) < SLOW_TIME {
            return false;
        }
        let came = std::mem::replace(self, Self { since: now, bytes: 0 });
        came.bytes < SLOW_BYTES
    }
}

/// Whether `Content-Range: bytes FIRST-LAST/LENGTH` begins where we stopped.
fn resumes_at(range: Option<&HeaderValue>, have: u64) -> bool {
    let first = range.and_then(|range| range.to_str().ok()?.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
    first == Some(have)
}

/// How long the whole file is, if its server says so: `Content-Length`, or what stands behind the slash of a range.
fn whole_length(status: StatusCode, headers: &HeaderMap) -> Option<u64> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match status {
        StatusCode::PARTIAL_CONTENT => text(header::CONTENT_RANGE)?.rsplit('/').next()?.parse().ok(),
        _ => text(header::CONTENT_LENGTH)?.parse().ok(),
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_connect(Some(CONNECT_LIMIT))
        .timeout_recv_response(Some(ANSWER_LIMIT))
        .timeout_per_read(Some(READ_LIMIT))
        .max_redirects(REDIRECTS_MAX)
        .http_status_as_error(false)
        // The bytes of the file itself, whatever the server would like to do with them.
        .accept_encoding("identity")
        .user_agent("csp-agent")
        // Settings come from the configuration file, not from the environment.
        .proxy(None)
        .build();
    config.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_slow_when_a_whole_minute_brings_too_little() {
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        let mut pace = Pace { since: begin, bytes: 0 };
        assert!(!pace.is_slow(after(59), 1), "it may begin slowly");
        assert!(!pace.is_slow(after(60), SLOW_BYTES - 1));
        assert!(!pace.is_slow(after(90), SLOW_BYTES), "what came in one minute is not counted in the next");
        assert!(!pace.is_slow(after(121), 0));
        assert!(pace.is_slow(after(181), SLOW_BYTES - 1));
    }
}

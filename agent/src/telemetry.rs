//! What the program says while it runs: lines on standard error, as text for people or JSON for machines.
//!
//! One line an event, the same field name for the same thing everywhere (`server`, `step`, `elapsed_ms`), a failure
//! logged once, where it is handled. Secrets cannot appear: their type prints none.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::{Log, LogFormat, LogLevel};

/// Starts the log of this process. A second call in one process changes nothing.
pub fn start(log: &Log) {
    // Libraries speak from warnings on; their chatter hides ours.
    let level = LevelFilter::from(log.level);
    let filter =
        Targets::new().with_default(LevelFilter::WARN).with_targets([("csp_agent", level), ("csp_link", level)]);
    let registry = tracing_subscriber::registry().with(filter);
    let started = match log.format {
        LogFormat::Text => {
            // Colours are for eyes; a journal or a file shows them as rubbish.
            let is_seen = std::io::stderr().is_terminal();
            registry.with(fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(is_seen)).try_init()
        }
        LogFormat::Json => {
            registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init()
        }
    };
    if started.is_ok() {
        // A panic is a line like any other, so that it is found where the rest is.
        std::panic::set_hook(Box::new(|panic| tracing::error!("a task panicked: {panic}")));
    }
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

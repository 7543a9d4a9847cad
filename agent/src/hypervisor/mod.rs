//! Guests: their definitions, their power, and what is seen of them. libvirt stays in here.

pub mod adapters;
pub mod connection;
pub mod counters;
pub mod defined;
pub mod domain_facts;
pub mod domain_xml;
pub mod events;
pub mod guest_agent;
pub mod libvirt;
pub mod listing;
pub mod metadata;
pub mod power_state;
pub mod probe;
pub mod process;
pub mod stats;
pub mod tuning;
pub mod xml;

use std::{io, path::PathBuf};

use virt::error::{Error, ErrorDomain, ErrorNumber};

/// Why libvirt or a guest's process did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum HypervisorError {
    /// libvirtd is not there, or went away in the middle.
    #[error("cannot reach libvirt at {uri}: {}; is libvirtd running?", source.message())]
    Away {
        /// Where it was looked for.
        uri: String,
        /// What the library said.
        source: Error,
    },
    /// libvirt will not take such a domain, however often it is asked.
    #[error("libvirt refused to {doing}: {}", source.message())]
    Refused {
        /// What was attempted.
        doing: String,
        /// What libvirt said.
        source: Error,
    },
    /// It failed this time.
    #[error("libvirt failed to {doing}: {}", source.message())]
    Failed {
        /// What was attempted.
        doing: String,
        /// What libvirt said.
        source: Error,
    },
    /// The domain runs, and what was asked is for one that is off.
    #[error("the domain {0} is running")]
    Running(String),
    /// A dedicated server asks for more processors than there are.
    #[error("the server wants {wanted} processors of its own, the host has {there}")]
    TooManyCpus {
        /// Asked for.
        wanted: u16,
        /// There.
        there: usize,
    },
    /// The system refused.
    #[error("cannot look at {}", path.display())]
    Io {
        /// At what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// An answer that took too long.
    #[error("{0} took too long")]
    TooSlow(&'static str),
}

impl HypervisorError {
    /// Sorts a failure of libvirt by who must act: nobody (it went away, or is busy), or the author of the domain.
    pub(crate) fn sort(uri: &str, doing: &str, source: Error) -> Self {
        match source.code() {
            _ if matches!(source.domain(), ErrorDomain::Rpc | ErrorDomain::Remote) => {
                Self::Away { uri: uri.to_owned(), source }
            }
            ErrorNumber::NoConnect
            | ErrorNumber::InvalidConn
            | ErrorNumber::AuthFailed
            | ErrorNumber::AuthUnavailable
            | ErrorNumber::Rpc
            | ErrorNumber::OperationTimeout => Self::Away { uri: uri.to_owned(), source },
            ErrorNumber::XmlError
            | ErrorNumber::XmlDetail
            | ErrorNumber::XmlInvalidSchema
            | ErrorNumber::ConfigUnsupported
            | ErrorNumber::InvalidArg
            | ErrorNumber::CpuIncompatible => Self::Refused { doing: doing.to_owned(), source },
            _ => Self::Failed { doing: doing.to_owned(), source },
        }
    }
}

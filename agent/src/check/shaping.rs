//! Whether this host can hold a server to its rate: tried in a network of the trial's own, which vanishes with it.

use csp_shared::{id::ServerId, mac::Mac};
use uuid::Uuid;

use super::Finding;
use crate::{
    machine::Mark,
    network::{
        NetworkError,
        filter_rules::{self, ServerFilters},
        links::Links,
        nft,
        shaping::{MODULES, Shaping},
        tap_device::NewTap,
        tap_name::TapName,
        trial,
    },
};

const SHAPING: &str = "shaping";
const MBIT: u32 = 10;

/// Tries it on a tap. The error says what stands in the way.
pub async fn probe() -> Result<(), String> {
    trial::in_own_network(try_it).await
}

async fn try_it() -> Result<(), NetworkError> {
    let (server, mac) = (ServerId(Uuid::nil()), Mac::for_guest([0; 4]));
    let device = NewTap::create(&TapName::of(server, mac))?;
    let gates = Some(Shaping::new(Links::connect()?).hold(server, MBIT).await?);
    let filters = ServerFilters {
        server,
        own: vec![[192, 0, 2, 1].into()],
        macs: vec![mac],
        private: Vec::new(),
        smtp_open: false,
        gates,
        mark: Mark(0),
    };
    // Done by this thread, so that the program looks at this network.
    let tried = nft::try_out("try the filters of a server with a rate", &filter_rules::load(&filters, &[]));
    drop(device);
    tried
}

/// Judges whether packages with a rate can be had here.
#[must_use]
pub fn judge(tried: &Result<(), String>) -> Finding {
    match tried {
        Ok(()) => Finding::ok(SHAPING, "the kernel holds servers to their rate"),
        Err(reason) => Finding::warning(
            SHAPING,
            format!("servers of packages with max_net_mbit_per_second cannot start here: {reason}"),
            format!("load the modules {MODULES} (`modprobe ifb numifbs=0`, and so on), or boot a kernel that has them"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn a_host_without_shaping_still_runs_servers_that_have_no_rate() {
        let judged = judge(&Err("Operation not supported".to_owned()));
        assert_eq!(judged.verdict, Verdict::Warning);
        assert!(judged.detail.contains("max_net_mbit_per_second") && judged.cure.contains("sch_tbf"), "{judged:?}");
        assert_eq!(judge(&Ok(())).verdict, Verdict::Ok);
    }
}

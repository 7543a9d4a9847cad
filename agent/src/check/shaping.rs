//! Whether this host can hold a server to its rate: tried in a network of the trial's own, which vanishes with it.

use super::Finding;
use crate::network::{
    adapter_trial::{self, Lack},
    links::Links,
    shaping::MODULES,
    trial,
};

const SHAPING: &str = "shaping";

/// Tries it. The error says what stands in the way.
pub async fn probe() -> Result<(), String> {
    let tried = async || match adapter_trial::try_it(&Links::connect()?).await {
        Ok(()) => Ok(()),
        Err(Lack::Filters(error) | Lack::Shaping(error)) => Err(error),
    };
    trial::in_own_network(tried).await
}

/// Judges whether packages with a rate can be had here.
#[must_use]
pub fn judge(tried: &Result<(), String>) -> Finding {
    match tried {
        Ok(()) => Finding::ok(SHAPING, "the kernel holds servers to their rate"),
        Err(reason) => Finding::warning(
            SHAPING,
            format!(
                "servers of packages with max_net_mbit_per_second cannot start here, and what guests of others leave to this host \
                 to write into frames, as checksums are, is not filtered: {reason}"
            ),
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

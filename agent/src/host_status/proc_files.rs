//! What the kernel's files say (proc(5)). Pure: texts in, numbers out; what is not understood is none.

/// Processor time since the boot, in ticks, all processors together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CpuTimes {
    all: u64,
    idle: u64,
    steal: u64,
}

/// Shares of the time between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CpuShares {
    pub busy_percent: u8,
    pub steal_percent: u8,
}

impl CpuTimes {
    /// What became of the time since `before`; none when there was none.
    pub fn since(self, before: Self) -> Option<CpuShares> {
        let all = self.all.checked_sub(before.all).filter(|all| *all > 0)?;
        let percent = |part: u64| u8::try_from((part.min(all) * 100) / all).unwrap_or(100);
        let idle = self.idle.saturating_sub(before.idle);
        let steal = self.steal.saturating_sub(before.steal);
        Some(CpuShares { busy_percent: percent(all.saturating_sub(idle)), steal_percent: percent(steal) })
    }
}

/// The first line of `/proc/stat`: `cpu user nice system idle iowait irq softirq steal guest guest_nice`. Guests' time is
/// in user's and nice's already.
pub(super) fn cpu_times(stat: &str) -> Option<CpuTimes> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|tick| tick.parse().ok()).take(8).collect();
    let [_, _, _, idle, waiting, _, _, steal] = ticks.as_slice() else { return None };
    Some(CpuTimes { all: ticks.iter().sum(), idle: idle + waiting, steal: *steal })
}

/// `model name` of the first processor.
pub(super) fn cpu_model(info: &str) -> String {
    let line = info.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned())).unwrap_or_else(|| "unknown".to_owned())
}

/// A line of `/proc/meminfo`, `MemAvailable:` for example, in MiB.
pub(super) fn memory_mib(info: &str, name: &str) -> Option<u64> {
    let line = info.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib / 1024)
}

/// `some … avg60=12.34 …` of a file below `/proc/pressure`, rounded down.
pub(super) fn pressure_percent(pressure: &str) -> Option<u8> {
    let line = pressure.lines().find(|line| line.starts_with("some "))?;
    let average = line.split_whitespace().find_map(|word| word.strip_prefix("avg60="))?;
    average.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_kernels_files_are_read() {
        let first = cpu_times("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3\n").unwrap();
        let second = cpu_times("cpu  160 0 70 900 60 0 0 10 0 0\n").unwrap();
        let shares = second.since(first).unwrap();
        assert_eq!((shares.busy_percent, shares.steal_percent), (45, 5), "90 of 200 ticks, 10 of them stolen");
        assert_eq!(first.since(second), None, "a clock that went back");
        assert_eq!(cpu_model("processor\t: 0\nmodel name\t: AMD EPYC 7763\n"), "AMD EPYC 7763");
        assert_eq!(memory_mib("MemTotal: 9 kB\nMemAvailable:   2048 kB\n", "MemAvailable:"), Some(2));
        assert_eq!(pressure_percent("some avg10=0.00 avg60=12.99 avg300=1.00 total=9\nfull avg10=1\n"), Some(12));
        for nothing in ["", "cpu", "cpu  1 2 3", "some", "MemAvailable:"] {
            assert_eq!(
                (cpu_times(nothing), memory_mib(nothing, "MemAvailable:"), pressure_percent(nothing)),
                (None, None, None)
            );
        }
    }

    proptest! {
        #[test]
        fn shares_are_percent_whatever_the_counters_do(before in any::<[u32; 8]>(), after in any::<[u32; 8]>()) {
            let times = |ticks: [u32; 8]| cpu_times(&format!("cpu  {}", ticks.map(|tick| tick.to_string()).join(" "))).unwrap();
            if let Some(shares) = times(after).since(times(before)) {
                prop_assert!(shares.busy_percent <= 100 && shares.steal_percent <= 100);
            }
        }
    }
}

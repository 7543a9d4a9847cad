//! What a host is made of, as it told, and what of that a package asks for.

use csp_shared::{
    host_status::{AdapterState, HostStatus, NumaCell},
    spec::CpuUse,
};

use super::placement::Need;

/// Words that a package may list.
pub const CPU_WORDS_MAX: usize = 16;
/// Longest of them, in bytes.
const CPU_WORD_BYTES_MAX: usize = 40;

/// A word that a processor's name has in it: `EPYC`, `7763`. Capital letters do not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuWord(String);

/// A text that is in no processor's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a word of a processor's name has 1 to {CPU_WORD_BYTES_MAX} printable ASCII characters and no spaces")]
pub struct BadCpuWord;

impl CpuWord {
    /// Reads one.
    ///
    /// # Errors
    /// Says what is expected.
    pub fn parse(text: &str) -> Result<Self, BadCpuWord> {
        let is_word =
            (1..=CPU_WORD_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_word { Ok(Self(text.to_owned())) } else { Err(BadCpuWord) }
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_in(&self, model: &str) -> bool {
        model.to_ascii_lowercase().contains(&self.0.to_ascii_lowercase())
    }
}

/// What a host told of what it is made of; a host that told nothing lately suits whoever asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Makeup {
    /// As its processor calls itself.
    pub cpu_model: Option<String>,
    /// Its NUMA cells, without what it keeps for itself; empty when it has one, or does not tell.
    pub cells: Vec<NumaCell>,
    /// It told that it can hold no server to a rate.
    pub lacks_shaping: bool,
}

impl Makeup {
    /// Reads what a host told.
    #[must_use]
    pub fn of(status: HostStatus) -> Self {
        let HostStatus { cpu_model, ram_reserve_mib, mut numa_cells, adapters, .. } = status;
        if numa_cells.len() < 2 {
            numa_cells.clear();
        }
        // Nobody knows in which of them the host takes it.
        numa_cells.iter_mut().for_each(|cell| cell.ram_mib = cell.ram_mib.saturating_sub(ram_reserve_mib));
        let lacks_shaping = adapters == Some(AdapterState::NoShaping);
        Self { cpu_model: Some(cpu_model), cells: numa_cells, lacks_shaping }
    }

    /// Whether the host is one that the server may stand on, whatever room it has: its processor is among those asked for, it
    /// can hold it to its rate, and a guest with processors of its own has all of them and its memory in one cell.
    #[must_use]
    pub fn suits(&self, need: &Need<'_>) -> bool {
        let is_asked_for = |model: &String| need.cpu_models.iter().any(|word| word.is_in(model));
        let is_right = need.cpu_models.is_empty() || self.cpu_model.as_ref().is_some_and(is_asked_for);
        is_right && self.can_hold(need) && (need.cpu_use == CpuUse::Shared || self.has_a_cell_for(need))
    }

    /// Whether the server can be held to its rate, if it has one.
    #[must_use]
    pub fn can_hold(&self, need: &Need<'_>) -> bool {
        !(need.has_rate && self.lacks_shaping)
    }

    /// Whether the guest's memory and processors fit into one cell, as far as the host tells.
    #[must_use]
    pub fn has_a_cell_for(&self, need: &Need<'_>) -> bool {
        let fits = |cell: &NumaCell| need.ram_mib <= cell.ram_mib && need.cpus <= cell.cpus;
        self.cells.is_empty() || self.cells.iter().any(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEED: Need<'_> =
        Need { cpus: 8, ram_mib: 4096, disk_gib: 20, cpu_use: CpuUse::Shared, cpu_models: &[], has_rate: false };

    fn told(cpu_model: &str, cells: &[(u32, u64)]) -> Makeup {
        let numa_cells = cells.iter().map(|(cpus, ram_mib)| NumaCell { cpus: *cpus, ram_mib: *ram_mib }).collect();
        Makeup::of(HostStatus {
            cpu_model: cpu_model.to_owned(),
            ram_reserve_mib: 1024,
            numa_cells,
            ..HostStatus::default()
        })
    }

    #[test]
    fn a_host_suits_when_its_processor_has_one_of_the_words_in_its_name() {
        let words = ["epyc", "9"].map(|word| CpuWord::parse(word).unwrap());
        let need = Need { cpu_models: &words, ..NEED };
        assert!(told("AMD EPYC 7763 64-Core Processor", &[]).suits(&need));
        assert!(told("Xeon E5-2690", &[]).suits(&need), "a part of a name is a word, too");
        assert!(!told("Intel Xeon 8380", &[]).suits(&need));
        assert!(!Makeup::default().suits(&need), "nobody knows what it is");
        assert!(Makeup::default().suits(&NEED) && told("Intel Xeon 8380", &[]).suits(&NEED));
    }

    #[test]
    fn a_host_that_can_hold_nobody_to_a_rate_suits_whoever_has_none() {
        let told = |adapters| Makeup::of(HostStatus { adapters, ..HostStatus::default() });
        let rated = Need { has_rate: true, ..NEED };
        let lacking = told(Some(AdapterState::NoShaping));
        assert!(lacking.suits(&NEED) && !lacking.suits(&rated));
        for state in [None, Some(AdapterState::Ready), Some(AdapterState::Unknown)] {
            assert!(told(state).suits(&rated), "{state:?}");
        }
    }

    #[test]
    fn a_word_is_what_could_stand_in_a_name() {
        for wrong in ["", "two words", "new\nline", "proc\u{e9}sseur", &"x".repeat(41)] {
            assert_eq!(CpuWord::parse(wrong), Err(BadCpuWord), "{wrong:?}");
        }
        assert_eq!(CpuWord::parse("E5-2690").unwrap().as_str(), "E5-2690");
    }

    #[test]
    fn a_guest_with_processors_of_its_own_needs_a_cell_that_holds_all_of_it() {
        let pinned = Need { cpu_use: CpuUse::Pinned, ..NEED };
        let two = [(8, 5120), (8, 5120)];
        assert!(told("x", &two).suits(&pinned), "beside what the host keeps");
        assert!(!told("x", &[(8, 5119), (8, 5119)]).suits(&pinned));
        assert!(!told("x", &[(7, 9000), (7, 9000)]).suits(&pinned));
        assert!(!told("x", &[(7, 9000), (9, 4096)]).suits(&pinned), "in one of them, not in parts");
        assert!(told("x", &[(2, 2048)]).suits(&pinned), "one cell is the whole host, whose room is counted anyway");
        assert!(told("x", &[]).suits(&pinned), "it does not tell");
        assert!(told("x", &[(1, 2048), (1, 2048)]).suits(&NEED), "a guest that shares is only better off in one");
        assert!(!told("x", &[(1, 2048), (1, 2048)]).has_a_cell_for(&NEED));
    }
}

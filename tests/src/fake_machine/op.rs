//! The methods of a machine, by name: what a test makes fail, and what a log tells of.

/// A method of [`csp_agent::machine::Machine`] that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "named after the methods")]
pub enum Op {
    See,
    Orphans,
    FetchImage,
    CreateDisk,
    GrowDisk,
    RetireDisk,
    WriteSeed,
    RemoveSeed,
    MakeTaps,
    CutOff,
    ProbeAddresses,
    ServeDhcp,
    SetFilters,
    LinkUp,
    AttachNic,
    DetachNic,
    RemoveTaps,
    RemoveFilters,
    Define,
    Start,
    AdoptStart,
    AskStop,
    ForceStop,
    Pause,
    Resume,
    KillProcess,
    Undefine,
}

impl Op {
    pub(super) fn needs_pool(self) -> bool {
        matches!(
            self,
            Self::FetchImage
                | Self::CreateDisk
                | Self::GrowDisk
                | Self::RetireDisk
                | Self::WriteSeed
                | Self::RemoveSeed
                | Self::Start
        )
    }
}

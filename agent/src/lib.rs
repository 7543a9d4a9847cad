//! csp-agent: brings one KVM host to what the control plane's specs say, and goes on alone when it is away.
//!
//! Where things are: `plan` decides (pure), `worker` runs plans, `machine` is the one trait below it; `storage`,
//! `network` and `hypervisor` are the real host; `spec_file` is its memory; `link` is the one connection, dialled
//! outwards; `metrics` tells what guests use, `traffic` counts what a quota rests on; `check` tells an operator what a host lacks, `trash` what can be brought
//! back, `freeze` holds a guest still for a snapshot; `daemon` puts them together.

pub mod audit;
pub mod check;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod failpoint;
pub mod freeze;
pub mod host_machine;
pub mod host_status;
pub mod hypervisor;
pub mod link;
pub mod machine;
pub mod memory;
pub mod metrics;
pub mod network;
pub mod networks;
pub mod newest;
pub mod plan;
pub mod shared_look;
pub mod spec_file;
pub mod storage;
pub mod telemetry;
pub mod traffic;
pub mod trash;
pub mod version;
pub mod worker;

//! From a step to the one thing that does it. Nothing is decided here.

use csp_shared::{
    id::ServerId,
    observed::{Fault, FaultCode},
    spec::{Desired, Image, ServerSpec},
};

use crate::{
    failpoint,
    machine::Machine,
    plan::{nic, step::Step},
    spec_file::{Backing, SpecFile, SpecFileError},
};

/// Runs one step of a plan that was made for `desired`.
pub(super) async fn run<M: Machine, B: Backing>(
    machine: &M,
    specs: &SpecFile<B>,
    desired: &Desired,
    step: &Step,
) -> Result<(), Fault> {
    let server = desired.server();
    match step {
        Step::FetchImage => machine.fetch_image(&spec(desired)?.image).await,
        Step::FetchBase => {
            let image = &spec(desired)?.image;
            machine.fetch_image(image).await.map_err(|fault| without_base(image, fault))
        }
        Step::CreateDisk => machine.create_disk(spec(desired)?).await,
        Step::GrowDisk => machine.grow_disk(spec(desired)?).await,
        Step::RetireDisk(epoch) => machine.retire_disk(server, *epoch).await,
        Step::WriteSeed(mark) => machine.write_seed(spec(desired)?, *mark).await,
        Step::RemoveSeed => machine.remove_seed(server).await,
        Step::MakeTaps => machine.make_taps(spec(desired)?).await,
        Step::CutOff => machine.cut_off(spec(desired)?).await,
        Step::ProbeAddresses { fresh, .. } => {
            if !fresh.is_empty() {
                machine.probe_addresses(spec(desired)?, fresh).await?;
            }
            note(specs, server, step).await
        }
        Step::SetFilters(mark) => machine.set_filters(spec(desired)?, *mark).await,
        Step::HoldFilters { mark, own } => machine.set_filters(&nic::with_addresses(spec(desired)?, own), *mark).await,
        Step::Connect(mark) => {
            machine.set_filters(spec(desired)?, *mark).await?;
            failpoint::cross(failpoint::of_step(step), failpoint::BETWEEN);
            machine.link_up(spec(desired)?).await
        }
        Step::ServeDhcp(mark) => machine.serve_dhcp(spec(desired)?, *mark).await,
        Step::AttachNic(mac) => machine.attach_nic(spec(desired)?, *mac).await,
        Step::DetachNic(mac) => machine.detach_nic(server, *mac).await,
        Step::RemoveTaps => machine.remove_taps(server).await,
        Step::RemoveFilters => machine.remove_filters(server).await,
        Step::Define(stamp) => machine.define(spec(desired)?, *stamp).await,
        Step::Start => machine.start(server).await,
        Step::AdoptStart(epoch) => machine.adopt_start(server, *epoch).await,
        Step::AskStop => machine.ask_stop(server).await,
        Step::ForceStop => machine.force_stop(server).await,
        Step::Pause => machine.pause(server).await,
        Step::Resume => machine.resume(server).await,
        Step::KillProcess => machine.kill_process(server).await,
        Step::Undefine => machine.undefine(server).await,
        Step::NoteDiskStarted(_) | Step::NotePower(_) | Step::RecordCrash => note(specs, server, step).await,
    }
}

/// A disk that was made stays, and waits for its image: what would end an order passes here, as soon as somebody puts the
/// file where it was.
fn without_base(image: &Image, fault: Fault) -> Fault {
    let Fault { code, detail, .. } = fault;
    match code {
        FaultCode::PoolFull | FaultCode::PoolMissing | FaultCode::PoolReadOnly => Fault::new(code, &detail),
        _ => {
            let (sha256, code) = (image.sha256, code.as_str());
            let told = format!(
                "the image {sha256}, on which the server's disk stands, is not in the pool and cannot be fetched again \
                 ({code}): {detail}"
            );
            Fault::new(FaultCode::BaseMissing, &told)
        }
    }
}

async fn note<B: Backing>(specs: &SpecFile<B>, server: ServerId, step: &Step) -> Result<(), Fault> {
    specs.note(server, |notes| notes.done(step)).await.map_err(|error| not_noted(&error))
}

/// The state folder refuses: its disk is full or broken.
pub(super) fn not_noted(error: &SpecFileError) -> Fault {
    let cause = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    Fault::new(FaultCode::Internal, &format!("{error}{cause}"))
}

fn spec(desired: &Desired) -> Result<&ServerSpec, Fault> {
    match desired {
        Desired::Present(spec) => Ok(spec),
        // The planner has no such step; if it ever had, the server stands still and says so.
        Desired::Absent(_) => {
            Err(Fault::new(FaultCode::Internal, "a step that needs a spec was planned for a tombstone"))
        }
    }
}

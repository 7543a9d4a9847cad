//! The first message of a connection, and its answer. After it the peer is a host with an open session, or gone.

use csp_link::frames::{Receiver, Sender};
use csp_shared::{
    key_pin::KeyPin,
    message::{ToAgent, ToControl},
};

use super::{
    ended::Ended,
    hosts::{Hosts, Opened},
    intake,
    wake::{Leave, Offers, Registration, Wake},
};

/// Reads the first message and answers it. The peer proved the key `pin`, no more; the caller bounds the time.
///
/// An enrolment ends its connection too: the new host then comes back like any other, so there is one way in.
pub(super) async fn greet<H: Hosts>(
    hosts: &H,
    wake: &Wake,
    pin: KeyPin,
    sender: &mut Sender,
    receiver: &mut Receiver,
) -> Result<(Opened, Registration), Ended> {
    match receiver.receive().await? {
        ToControl::Enrol(enrol) => {
            intake::protocol(enrol.protocol)?;
            intake::machine_id(&enrol.machine_id)?;
            let host = hosts.enrol(enrol, pin).await?;
            sender.send(&ToAgent::Enrolled { host }).await?;
            Err(Ended::Enrolled(host))
        }
        ToControl::Hello(hello) => {
            intake::hello(&hello)?;
            let offers = Offers { passwords: hello.passwords, networks: hello.networks };
            let opened = hosts.open_session(hello, pin).await?;
            let Opened { host, session } = opened;
            // The older session goes before the newer one speaks.
            let registration = wake.register(host, session, offers).ok_or(Ended::Left(Leave::Superseded))?;
            sender.send(&ToAgent::Welcome { session, host, samples: true, networks: true, traffic: true }).await?;
            Ok((opened, registration))
        }
        // Only a key that we asked is listened to, so whose it is need not be looked up.
        ToControl::Console { stream } => Err(Ended::Console(stream)),
        ToControl::InventoryPart(_)
        | ToControl::Inventory(_)
        | ToControl::Reports { .. }
        | ToControl::NetworkReports { .. }
        | ToControl::Alive { .. }
        | ToControl::Samples { .. }
        | ToControl::Traffic { .. }
        | ToControl::PasswordSet { .. }
        | ToControl::AuditAnswer { .. } => Err(Ended::out_of_order("a connection begins with Hello or Enrol")),
    }
}

//! Sentences for somebody who has no account and may not know what a hypervisor is.

use csp_shared::observed::FaultCode;

use super::super::refused::Refused;
use crate::{
    domain::{
        action::{Command, Status as ActionStatus},
        allowed::{Denied, Why},
        failure::{UNCONFIRMED, explain},
        server::Status,
        share_link::Permission,
    },
    store::Action,
};

/// Why a change was not made.
pub fn why(refused: &Refused) -> String {
    match refused {
        Refused::Ended => "This link opens nothing.".to_owned(),
        Refused::NotGranted(permission) => format!("This link does not allow it: {}.", name(*permission)),
        Refused::Denied(denied) => format!("{} Nothing was changed.", denial(denied)),
        Refused::NotConfirmed => {
            "The host's name was not typed as it stands on this page. Nothing was changed.".to_owned()
        }
        Refused::NoImage => "This system cannot be installed here. Choose another one. Nothing was changed.".to_owned(),
        Refused::NoRoom => {
            "There is no room for a new disk beside the old one at the moment. Try again later. Nothing was changed."
                .to_owned()
        }
        Refused::Unpaid => "Its owner has to extend the server first. Nothing was changed.".to_owned(),
        Refused::OldForm => {
            "The server was reinstalled after this page was shown, so nothing was erased once more. To reinstall it again, \
             fill in the form below."
                .to_owned()
        }
        Refused::NotFromHere => {
            "This was not sent from the page that is open now, or another link was opened in this browser since. To come \
             back to this server, open its link again. Nothing was changed."
                .to_owned()
        }
        Refused::Failed => "It cannot be done at the moment. Try again in a minute.".to_owned(),
    }
}

/// Why a server's state does not allow something.
pub fn denial(denied: &Denied) -> &'static str {
    match denied.why {
        Why::Busy => "The server is busy; wait until that is done.",
        Why::Suspended | Why::Abuse => "The server is suspended.",
        Why::Failed | Why::Gone => "The server is not there any more.",
        Why::Off => "The server is off: a restart switches nothing on.",
        Why::NotOnline if denied.standing.status() == Status::Unknown => "The server is not heard of at the moment.",
        Why::NotOnline => "There is no screen while the server is not running.",
        Why::Unseen => "The server is not heard of at the moment.",
        Why::Protected(_) => "Its owner protected the server from this.",
    }
}

/// What can be done, as a button says it.
pub fn name(permission: Permission) -> &'static str {
    match permission {
        Permission::Start => "Start",
        Permission::Stop => "Shut down",
        Permission::Restart => "Restart",
        Permission::Reinstall => "Reinstall",
        Permission::Console => "Console",
        Permission::Stats => "See usage",
    }
}

/// That something was not done, and why. The sentence that its owner reads tells of money too.
pub fn failure(failed: &Action) -> String {
    let code = failed.error.as_ref().map(|(code, _)| code.as_str()).unwrap_or_default();
    let reason = match serde_json::from_value::<FaultCode>(code.into()) {
        Ok(code) => explain(code),
        Err(_) if code == UNCONFIRMED => "It was not confirmed in time.",
        Err(_) => "It could not be done.",
    };
    let password = match failed.command {
        Command::Reinstall => {
            " A password that was shown for it may not open the server: the one from before does then."
        }
        _ => "",
    };
    format!("{} failed. {reason}{password}", doing(failed.command))
}

/// What is under way; nothing when nothing is.
pub fn action(action: Option<&Action>) -> String {
    let Some(action) = action else { return String::new() };
    let what = doing(action.command);
    match action.status {
        ActionStatus::Running => format!("{what}: {} %", action.percent),
        _ => format!("{what}: queued"),
    }
}

fn doing(command: Command) -> &'static str {
    match command {
        Command::Create => "Setting up",
        Command::Start => "Starting",
        Command::Stop => "Shutting down",
        Command::Restart => "Restarting",
        Command::Reinstall => "Reinstalling",
        Command::ChangePackage
        | Command::AttachNetwork
        | Command::DetachNetwork
        | Command::AddExtraIp
        | Command::RemoveExtraIp
        | Command::MoveExtraIp => "Changing",
        Command::Destroy => "Removing",
    }
}

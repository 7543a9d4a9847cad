//! A refusal of each code, as a request would meet it: with the field, the state or the limit that it tells.

use csp_shared::{id::ActionId, observed::DomainState, spec::Power};

use crate::{
    api::{
        error::{ApiError, Code},
        field::Faults,
    },
    domain::{
        action::Command,
        allowed::{Ask, allow},
        limits::{Limit, LimitReached},
        server::{Running, Standing},
    },
};

/// One of this code.
pub fn of(code: Code) -> ApiError {
    match code {
        Code::ValidationFailed => {
            let mut faults = Faults::default();
            faults.add(code, "colour", "is unknown");
            faults.add(code, "os_image_key", "is required");
            faults.refusal()
        }
        Code::ServerBusy => denied(Ask::Stop, Standing { running: running(Command::Reinstall), ..Standing::ONLINE }),
        Code::Conflict => {
            denied(Ask::Restart, Standing { power: Power::Off, domain: DomainState::Off, ..Standing::ONLINE })
        }
        Code::Protected => denied(Ask::Destroy, Standing { protect_destroy: true, ..Standing::ONLINE }),
        Code::LimitReached => LimitReached { limit: Limit::Servers, max: 25 }.into(),
        Code::RateLimited => ApiError::plain(code).retry_after(7),
        _ => match field(code) {
            Some((name, reason)) => ApiError::plain(code).naming(name, reason),
            None => ApiError::plain(code),
        },
    }
}

/// The field that this code is usually about, and what is said of it.
fn field(code: Code) -> Option<(&'static str, &'static str)> {
    Some(match code {
        Code::BadRequest => ("Idempotency-Key", "must be one header of 1 to 255 printable ASCII characters"),
        Code::UnsupportedMediaType => ("Content-Type", "must be application/json"),
        Code::InsufficientBalance => ("package_slug", "the balance is 2.95 short of 6.95"),
        Code::NoCapacity => ("package_slug", "no host has room for `starter` at the moment"),
        Code::NoAddressAvailable => ("location", "no address is free at the moment"),
        Code::AlreadyExists => ("public_key", "the account has this key already, as `Laptop`"),
        Code::PaidTooFarAhead => ("months", "is at most 1: a service is paid for 13 months ahead and no more"),
        Code::InvalidHostname => ("hostname", "each part between dots has 1 to 63 characters"),
        Code::PackageNotFound => ("package_slug", "no vps package `huge` is on sale"),
        Code::ImageNotFound => ("os_image_key", "no image `beos` is on offer for vps"),
        Code::SshKeyNotFound => ("ssh_key_uuid", "is no UUID; GET /ssh-keys lists your keys"),
        Code::InvalidSshKey => ("public_key", "is a private key: send the public half, the file that ends in .pub"),
        Code::LocationNotFound => ("location", "there is no location `mars`"),
        Code::PromoCodeRefused => ("promo_code", "there is no such code"),
        _ => return None,
    })
}

fn denied(ask: Ask, standing: Standing) -> ApiError {
    allow(ask, &standing).err().map_or_else(|| ApiError::plain(Code::Conflict), ApiError::from)
}

fn running(command: Command) -> Option<Running> {
    let action = ActionId(uuid::Uuid::from_u128(0x0197_5a3e_7c00_7a51_8f3e_5b1d_2c9e_4f11));
    Some(Running { action, command })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_of_its_code_and_names_a_field_wherever_its_status_is_422() {
        for code in Code::ALL {
            let sample = of(*code);
            assert_eq!(sample.code, *code);
            let names_fields = code.entry().status == 422 && *code != Code::IdempotencyKeyReused;
            assert!(!names_fields || !sample.fields.is_empty(), "{}", code.entry().name);
            let is_state = matches!(code, Code::ServerBusy | Code::Conflict | Code::Protected);
            assert_eq!(sample.state.is_some(), is_state, "{}", code.entry().name);
        }
    }
}

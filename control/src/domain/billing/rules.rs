//! What the provider decided about the life of a service, from the configuration.

use super::{destroy::DestroyCredit, extra_ip::ADDITIONS_A_DAY};
use crate::domain::time::{DAY, YEAR};

/// What the provider decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// How long, in seconds, a suspended service is kept; less than 28 days.
    pub grace: i64,
    /// What a destroyed server gives back.
    pub destroy_credit: DestroyCredit,
    /// How far, in seconds, the clock may move while nobody looks at it.
    pub clock_jump_max: i64,
    /// How many extra addresses an account adds in 24 hours.
    pub extra_ips_a_day: usize,
    /// How long, in seconds, the books need to know whose a closed account was.
    pub books_kept: i64,
    /// Letters are sent: a reminder counts once a mail server took it. Without, its event counts at once.
    pub has_mail: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            grace: 7 * DAY,
            destroy_credit: DestroyCredit::default(),
            clock_jump_max: 3 * DAY,
            extra_ips_a_day: ADDITIONS_A_DAY,
            books_kept: 10 * YEAR,
            has_mail: false,
        }
    }
}

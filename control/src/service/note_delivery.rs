//! Writes down what a mail server said to a letter. Taken, it counts as told, and the scheduler looks again at the service
//! that it is about; in vain, it waits for its next try or is given up.

use csp_shared::id::MailId;

use crate::{
    domain::{
        letter::{Delivery, Fate, fate},
        time::Time,
    },
    store::{StoreError, Tx},
};

/// Notes a try; answers what becomes of the letter, nothing when it was taken back or told meanwhile.
///
/// # Errors
/// When the store cannot keep it.
pub fn note_delivery(tx: &mut Tx<'_>, id: MailId, delivery: &Delivery, now: Time) -> Result<Option<Fate>, StoreError> {
    let Some(letter) = tx.mail_get(id)?.filter(|letter| letter.accepted_at.is_none()) else { return Ok(None) };
    let fate = fate(delivery, letter.tries.saturating_add(1), letter.created_at, now);
    match (delivery, &fate) {
        (Delivery::Taken, _) => tx.mail_accept(id, now)?,
        (Delivery::Later(why) | Delivery::Refused(why), Fate::Again(at)) => tx.mail_fail(id, why, Some(*at), now)?,
        (Delivery::Later(why) | Delivery::Refused(why), _) => tx.mail_fail(id, why, None, now)?,
    }
    Ok(Some(fate))
}

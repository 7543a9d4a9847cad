//! Takes letters that are due out of the store, hands them over, and writes down what came of it.

use std::{sync::Arc, time::Duration};

use super::Courier;
use crate::{
    clock::Clock,
    domain::{
        letter::{Delivery, Fate},
        time::Time,
    },
    service::note_delivery::note_delivery,
    store::{MailRow, Store, StoreError},
};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(5);
/// Letters in one look.
const LETTERS_MAX: u32 = 50;

/// Sends what is due, one after the other.
///
/// # Errors
/// When the store cannot be read or written; whatever was sent unnoted is sent again.
pub async fn send_due(store: &Store, courier: &impl Courier, clock: &dyn Clock) -> Result<(), StoreError> {
    let now = clock.now();
    for letter in store.read(move |read| read.mail_due(now, LETTERS_MAX)).await? {
        let delivery = courier.carry(&letter).await;
        let fate = note(store, &letter, delivery.clone(), clock.now()).await?;
        tell(&letter, &delivery, fate.as_ref());
    }
    Ok(())
}

async fn note(store: &Store, letter: &MailRow, delivery: Delivery, now: Time) -> Result<Option<Fate>, StoreError> {
    let id = letter.id;
    store.write(move |tx| note_delivery(tx, id, &delivery, now)).await
}

fn tell(letter: &MailRow, delivery: &Delivery, fate: Option<&Fate>) {
    let (letter, account) = (letter.id, letter.account);
    match (delivery, fate) {
        (Delivery::Later(why), Some(Fate::Again(at))) => {
            tracing::warn!(%letter, %account, why, next = %at, "a letter was not taken; trying again");
        }
        (Delivery::Later(why) | Delivery::Refused(why), Some(_)) => {
            tracing::error!(
                %letter, %account, why,
                "a letter is given up; tell its recipient in another way, then `csp-control mail told`, or `mail retry`"
            );
        }
        _ => tracing::debug!(%letter, %account, "a letter was taken"),
    }
}

/// Sends for ever.
pub async fn run(store: Store, clock: Arc<dyn Clock>, courier: impl Courier) {
    loop {
        if let Err(why) = send_due(&store, &courier, &*clock).await {
            tracing::warn!(%why, "letters could not be looked for; trying again in a moment");
        }
        tokio::time::sleep(EVERY).await;
    }
}

//! Takes letters that are due out of the store, hands them over, and writes down what came of it.

use std::{sync::Arc, time::Duration};

use super::Courier;
use crate::{
    clock::Clock,
    domain::{
        draw::Draw,
        letter::{Delivery, Fate},
        person_letter::TOKEN,
        time::Time,
        token::{self, TokenKind},
    },
    entropy::Entropy,
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
pub async fn send_due(
    store: &Store,
    courier: &impl Courier,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<(), StoreError> {
    let now = clock.now();
    for letter in store.read(move |read| read.mail_due(now, LETTERS_MAX)).await? {
        let Some(letter) = complete(store, letter, entropy.draw()).await? else { continue };
        let delivery = courier.carry(&letter).await;
        let fate = note(store, &letter, delivery.clone(), clock.now()).await?;
        tell(&letter, &delivery, fate.as_ref());
    }
    Ok(())
}

/// Puts a token where a letter has the place for one. Made now and for this sending, so that the store holds its hash alone;
/// a letter that is sent again has another one, and each opens until one was used. None when the link was used meanwhile.
async fn complete(store: &Store, letter: MailRow, draw: Draw) -> Result<Option<MailRow>, StoreError> {
    if !letter.has_link {
        return Ok(Some(letter));
    }
    let (mut draw, mut letter) = (draw, letter);
    let made = token::make(TokenKind::Mail, &mut draw);
    let (id, hash) = (letter.id, token::hash(&made));
    let is_open = store.write::<_, StoreError>(move |tx| tx.mail_link_token_insert(id, hash)).await?;
    letter.letter.body = letter.letter.body.replace(TOKEN, made.reveal());
    Ok(is_open.then_some(letter))
}

async fn note(store: &Store, letter: &MailRow, delivery: Delivery, now: Time) -> Result<Option<Fate>, StoreError> {
    let id = letter.id;
    store.write(move |tx| note_delivery(tx, id, &delivery, now)).await
}

fn tell(letter: &MailRow, delivery: &Delivery, fate: Option<&Fate>) {
    let (letter, account) = (letter.id, letter.account.map_or("nobody's".to_owned(), |account| account.to_string()));
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
pub async fn run(store: Store, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>, courier: impl Courier) {
    loop {
        if let Err(why) = send_due(&store, &courier, &*clock, &*entropy).await {
            tracing::warn!(%why, "letters could not be looked for; trying again in a moment");
        }
        tokio::time::sleep(EVERY).await;
    }
}

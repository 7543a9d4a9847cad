//! What people who sign in are written. Where a link stands, the letter is stored with [`TOKEN`] in its place: the token is
//! made when the letter is sent, so that the store never holds one.

use super::{email::Email, letter::Letter, sign_in::Purpose};

/// Stands for the token in a stored letter. No address and no name holds such a character.
pub const TOKEN: char = '\u{fffc}';

/// The letter with a link, to pages below `public_url`.
#[must_use]
pub fn with_link(purpose: Purpose, public_url: &str) -> Letter {
    // Behind `#`, what no browser sends to a server: in no log, and no `Referer`.
    let link = |page: &str| format!("{public_url}/panel/{page}#{TOKEN}");
    let (subject, before, link, after) = match purpose {
        Purpose::SignUp => (
            "Confirm your mail address",
            "Somebody, most likely you, wants to open an account with this mail address. Go on here within 24 hours:",
            link("sign-up"),
            "If it was not you, do nothing: no account is opened.",
        ),
        Purpose::Invitation => (
            "You are invited",
            "You are invited to open an account. Go on here within 7 days:",
            link("sign-up"),
            "If you do not want one, do nothing.",
        ),
        Purpose::Reset => (
            "Choose a new password",
            "Somebody, most likely you, asked for a new password for your account. Choose it here within one hour:",
            link("reset"),
            "If it was not you, do nothing: your password stays as it is.",
        ),
        Purpose::NewEmail => (
            "Confirm your new mail address",
            "Your account is to have this mail address. Confirm it here within 24 hours:",
            link("confirm-email"),
            "If it was not you, do nothing: nothing is changed.",
        ),
    };
    Letter { subject: subject.to_owned(), body: format!("{before}\n\n{link}\n\n{after}\n") }
}

/// To somebody who signs up and has an account. What the browser is told is the same as for a new address.
#[must_use]
pub fn known_already(public_url: &str) -> Letter {
    Letter {
        subject: "You have an account".to_owned(),
        body: format!(
            "Somebody, most likely you, wanted to open an account with this mail address. There is one already: sign in, or \
             choose a new password, at {public_url}/panel\n\nIf it was not you, do nothing.\n"
        ),
    }
}

/// To somebody whom the operator approved.
#[must_use]
pub fn approved(public_url: &str) -> Letter {
    Letter {
        subject: "Your account is open".to_owned(),
        body: format!("Your account was approved. Sign in at {public_url}/panel\n"),
    }
}

/// To somebody whom the operator refused.
#[must_use]
pub fn refused() -> Letter {
    Letter {
        subject: "Your account was not opened".to_owned(),
        body: "We cannot open an account for you. What you told us was deleted.\n".to_owned(),
    }
}

/// After another password was chosen.
#[must_use]
pub fn password_changed() -> Letter {
    Letter {
        subject: "Your password was changed".to_owned(),
        body: "The password of your account was changed, and all other browsers were signed out. If it was not you, ask for \
               a new password at once, and tell us.\n"
            .to_owned(),
    }
}

/// To the old address, after another took its place.
#[must_use]
pub fn email_changed(new: &Email) -> Letter {
    Letter {
        subject: "Your mail address was changed".to_owned(),
        body: format!("Your account has the mail address {new} from now on. If it was not you, tell us at once.\n"),
    }
}

/// After a code was turned on.
#[must_use]
pub fn second_factor_on() -> Letter {
    Letter {
        subject: "A code is asked for when you sign in".to_owned(),
        body: "From now on your account asks for a code of your authenticator when you sign in, and your other browsers were \
               signed out. If it was not you, tell us at once.\n"
            .to_owned(),
    }
}

/// After it was turned off, by the person or by the operator.
#[must_use]
pub fn second_factor_off(by_operator: bool) -> Letter {
    let who = if by_operator { "We turned off" } else { "You turned off" };
    Letter {
        subject: "No code is asked for when you sign in".to_owned(),
        body: format!(
            "{who} the code that your account asked for when you sign in: the password alone opens it. If you did not want \
             that, change your password, turn the code on again, and tell us.\n"
        ),
    }
}

/// After a recovery code was used.
#[must_use]
pub fn recovery_code_used(left: u64) -> Letter {
    Letter {
        subject: "A recovery code was used".to_owned(),
        body: format!(
            "A recovery code of your account was used in place of a code of your authenticator; {left} are left. If it was \
             not you, change your password and make new recovery codes at once, and tell us.\n"
        ),
    }
}

/// After too many wrong codes, by somebody who has the password.
#[must_use]
pub fn codes_guessed() -> Letter {
    Letter {
        subject: "Somebody guesses your codes".to_owned(),
        body: "Somebody gave the right password of your account and then ten wrong codes. Codes of your authenticator are not \
               looked at for an hour; your recovery codes still work. If it was not you, choose another password at once.\n"
            .to_owned(),
    }
}

/// After somebody closed their account: the last letter.
#[must_use]
pub fn account_closed() -> Letter {
    Letter {
        subject: "Your account is closed".to_owned(),
        body: "Your account was closed, as you asked for in the panel. What the law does not have us keep is deleted. If it was \
               not you, tell us at once.\n"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_letter_with_a_link_has_one_place_for_its_token_behind_a_hash() {
        for purpose in Purpose::ALL {
            let letter = with_link(purpose, "https://vps.example.com");
            assert_eq!(letter.body.matches(TOKEN).count(), 1, "{letter:?}");
            assert!(letter.body.contains(&format!("#{TOKEN}\n")), "{letter:?}");
            assert!(letter.body.contains("do nothing"), "{letter:?}");
        }
    }
}

//! `/panel/v1/second-factor`: codes of an authenticator, asked for beside the password, and recovery codes.

use axum::extract::State;
use csp_shared::secret::Secret;
use serde::{Deserialize, Serialize};

use super::{person::check, qr, session::SignedIn};
use crate::{
    api::{
        body::JsonBody,
        envelope::{Answer, When},
        error::{ApiError, Code},
        field::{Faults, Field, Unknown},
        state::App,
    },
    domain::totp::{SecondFactor, WRONG_SECONDS},
    service::{
        check_factor::CodeEnd,
        second_factor::{SecondFactorError, confirm_factor, renew_recovery_codes, set_up_factor, turn_off_factor},
    },
    store::StoreError,
};

/// Whether a code is asked for.
#[derive(Debug, Serialize)]
pub struct Shown {
    on: bool,
    since: Option<When>,
    recovery_codes_left: u64,
}

/// `GET /second-factor`
pub async fn show(State(app): State<App>, SignedIn { person, .. }: SignedIn) -> Result<Answer<Shown>, ApiError> {
    let found = app.store.read::<_, StoreError>(move |read| {
        Ok((read.second_factor_get(person.id)?, read.recovery_code_count(person.id)?))
    });
    let (factor, recovery_codes_left) = found.await?;
    let since = factor.and_then(|factor| factor.confirmed_at);
    Ok(Answer::data(Shown { on: since.is_some(), since: since.map(When), recovery_codes_left }))
}

/// The body of what a password alone opens.
#[derive(Deserialize)]
pub struct PasswordBody {
    #[serde(default)]
    current_password: Field<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// What an authenticator is told. Shown this once.
#[derive(Debug, Serialize)]
pub struct SetUp {
    secret: Secret,
    uri: Secret,
    qr_svg: Option<Secret>,
}

/// `POST /second-factor/set-up`: nothing is asked for until a first code was typed.
pub async fn set_up(
    State(app): State<App>,
    signed_in: SignedIn,
    body: JsonBody<PasswordBody>,
) -> Result<Answer<SetUp>, ApiError> {
    let mut faults = Faults::beginning_with(&body.value.unknown);
    let current = faults.required("current_password", body.value.current_password);
    let Some(current) = current else { return Err(faults.refusal()) };
    faults.into_result()?;
    check(&app, &signed_in, &current).await?;
    let (vault, draw, now) = (app.settings.vault.clone(), app.draw(), app.now());
    let (id, password, email) = (signed_in.person.id, signed_in.person.password, signed_in.person.email);
    let secret = app.store.write(move |tx| set_up_factor(tx, &vault, (id, &password), draw.clone(), now)).await?;
    let uri = secret.uri(app.settings.public_url.host(), &email);
    Ok(Answer::data(SetUp { secret: secret.text(), qr_svg: qr::svg(&uri), uri }))
}

/// The body of a first code.
#[derive(Deserialize)]
pub struct CodeBody {
    #[serde(default)]
    code: Field<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// Codes for who loses the authenticator. Shown this once.
#[derive(Debug, Serialize)]
pub struct RecoveryCodes {
    recovery_codes: Vec<Secret>,
}

/// `POST /second-factor/confirm`
pub async fn confirm(
    State(app): State<App>,
    SignedIn { person, browser, .. }: SignedIn,
    body: JsonBody<CodeBody>,
) -> Result<Answer<RecoveryCodes>, ApiError> {
    let mut faults = Faults::beginning_with(&body.value.unknown);
    let Some(code) = faults.required("code", body.value.code) else { return Err(faults.refusal()) };
    faults.into_result()?;
    let (checker, code, draw, now) = (app.checker(), SecondFactor::parse(&code), app.draw(), app.now());
    let who = (person.id, browser.id);
    let end = app.store.write(move |tx| confirm_factor(tx, &checker, who, &code, draw.clone(), now)).await?;
    let recovery_codes = done(end)?;
    let words = "From now on a code is asked for when you sign in. Your other browsers are signed out.";
    Ok(Answer::data(RecoveryCodes { recovery_codes }).with_message(words))
}

/// The body of what password and code open.
#[derive(Deserialize)]
pub struct BothBody {
    #[serde(default)]
    current_password: Field<String>,
    #[serde(default)]
    code: Field<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl BothBody {
    /// The code, once the password was right.
    async fn read(self, app: &App, signed_in: &SignedIn) -> Result<SecondFactor, ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let current = faults.required("current_password", self.current_password);
        let code = faults.required("code", self.code);
        let (Some(current), Some(code)) = (current, code) else { return Err(faults.refusal()) };
        faults.into_result()?;
        check(app, signed_in, &current).await?;
        Ok(SecondFactor::parse(&code))
    }
}

/// `POST /second-factor/recovery-codes`: new ones in place of those that are left.
pub async fn recovery_codes(
    State(app): State<App>,
    signed_in: SignedIn,
    body: JsonBody<BothBody>,
) -> Result<Answer<RecoveryCodes>, ApiError> {
    let code = body.value.read(&app, &signed_in).await?;
    let (checker, draw, now) = (app.checker(), app.draw(), app.now());
    let (id, password) = (signed_in.person.id, signed_in.person.password);
    let renewed =
        app.store.write(move |tx| renew_recovery_codes(tx, &checker, (id, &password), &code, draw.clone(), now));
    let recovery_codes = done(renewed.await?)?;
    Ok(Answer::data(RecoveryCodes { recovery_codes }))
}

/// `POST /second-factor/turn-off`
pub async fn turn_off(
    State(app): State<App>,
    signed_in: SignedIn,
    body: JsonBody<BothBody>,
) -> Result<Answer<()>, ApiError> {
    let code = body.value.read(&app, &signed_in).await?;
    let (checker, draw, now) = (app.checker(), app.draw(), app.now());
    let (id, password) = (signed_in.person.id, signed_in.person.password);
    let ended = app.store.write(move |tx| turn_off_factor(tx, &checker, (id, &password), &code, draw.clone(), now));
    done(ended.await?)?;
    Ok(Answer::message("No code is asked for any more when you sign in."))
}

/// What came of a code, as an answer.
pub(super) fn done<T>(end: CodeEnd<T>) -> Result<T, ApiError> {
    match end {
        CodeEnd::Done(done) => Ok(done),
        CodeEnd::Wrong => Err(wrong_code()),
        CodeEnd::TooMany => Err(too_many_codes()),
    }
}

/// The refusal of a code: wrong, used before, or too old.
pub(super) fn wrong_code() -> ApiError {
    ApiError::field(Code::ValidationFailed, "code", "is wrong, used or too old; wait for the next one")
}

/// The refusal after too many wrong codes.
pub(super) fn too_many_codes() -> ApiError {
    let words = "Too many wrong codes. Use a recovery code, or wait for an hour.";
    ApiError::new(Code::RateLimited, words).retry_after(WRONG_SECONDS.unsigned_abs())
}

impl From<SecondFactorError> for ApiError {
    fn from(error: SecondFactorError) -> Self {
        let reason = error.to_string();
        match error {
            SecondFactorError::Changed => Self::field(Code::ValidationFailed, "current_password", reason),
            SecondFactorError::On => {
                Self::new(Code::AlreadyExists, "A code is asked for already; turn that off first.")
            }
            SecondFactorError::Off => Self::new(Code::Conflict, "No code is asked for."),
            SecondFactorError::NotSetUp => Self::new(Code::Conflict, "Nothing is set up; begin there."),
            SecondFactorError::Nobody(_) => Self::field(Code::NotFound, "email", reason),
            SecondFactorError::NotSealed => Self::internal(SecondFactorError::NotSealed),
            SecondFactorError::Store(error) => error.into(),
        }
    }
}

//! `[sign_up]`: who may open an account without the operator's command.

use serde::Deserialize;

use crate::domain::sign_in::SignUp;

/// The section.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignUpRules {
    /// Who may.
    pub mode: SignUp,
    /// The version of the terms that are to be accepted; none where it is left out.
    pub terms_version: Option<String>,
}

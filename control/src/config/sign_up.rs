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

impl SignUpRules {
    /// The terms that somebody has to accept who accepted those.
    #[must_use]
    pub fn newer_than(&self, accepted: &str) -> Option<&str> {
        self.terms_version.as_deref().filter(|version| *version != accepted)
    }
}

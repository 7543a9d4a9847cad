//! What an API key may do. Four words, few enough to be chosen with thought when a key is made.

/// One right of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// See everything that the account may see.
    Read,
    /// Change what is there.
    Write,
    /// Open screens.
    Console,
    /// See the wallet, and spend from it.
    Billing,
}

impl Scope {
    /// Every scope, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Console, Self::Billing];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Console => "console",
            Self::Billing => "billing",
        }
    }

    /// Reads what [`Scope::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }

    fn bit(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::Write => 2,
            Self::Console => 4,
            Self::Billing => 8,
        }
    }
}

/// The rights of one key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Every right.
    #[must_use]
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Whether all of these rights are among them.
    #[must_use]
    pub fn hold(self, all: &[Scope]) -> bool {
        all.iter().all(|scope| self.0 & scope.bit() != 0)
    }

    /// The rights, in the order in which they are shown.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.hold(&[*scope]))
    }

    /// As stored: words with a space between.
    #[must_use]
    pub fn to_words(self) -> String {
        self.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Reads what [`Scopes::to_words`] wrote.
    #[must_use]
    pub fn parse_words(text: &str) -> Option<Self> {
        text.split_whitespace().map(Scope::parse).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

/// What a request needs: one of the alternatives, whole.
pub type Alternatives = &'static [&'static [Scope]];

/// Whether a key with these rights may send a request that needs this.
#[must_use]
pub fn suffice(scopes: Scopes, needed: Alternatives) -> bool {
    needed.iter().any(|all| scopes.hold(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alternative_must_be_held_whole() {
        let spends: Alternatives = &[&[Scope::Write, Scope::Billing]];
        let looks: Alternatives = &[&[Scope::Read], &[Scope::Billing]];
        let one = |scope| Scopes::from_iter([scope]);
        assert!(!suffice(one(Scope::Write), spends) && !suffice(one(Scope::Billing), spends));
        assert!(suffice([Scope::Billing, Scope::Write].into_iter().collect(), spends));
        assert!(suffice(one(Scope::Read), looks) && suffice(one(Scope::Billing), looks));
        assert!(!suffice(one(Scope::Console), looks));
    }

    #[test]
    fn scopes_survive_the_way_through_the_store() {
        for bits in 0..16 {
            assert_eq!(Scopes::parse_words(&Scopes(bits).to_words()), Some(Scopes(bits)));
        }
        assert_eq!(Scopes::parse_words("read admin"), None);
    }
}

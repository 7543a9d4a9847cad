//! What another machine may do on the operator's side: a few words, each a part of the operator API. What no word names
//! (hosts, keys, corrections, the catalog) is done by people on the machine itself.

/// One right of an operator token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum OperatorScope {
    /// Tell of payments that came in.
    Credits,
    /// Tell of payments that went back.
    Refunds,
    /// Tell of disputes and how they ended.
    Disputes,
    /// See accounts and their balances.
    Accounts,
    /// Verify, explain and export the ledger.
    Ledger,
}

impl OperatorScope {
    /// Every scope, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Credits, Self::Refunds, Self::Disputes, Self::Accounts, Self::Ledger];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Credits => "credits",
            Self::Refunds => "refunds",
            Self::Disputes => "disputes",
            Self::Accounts => "accounts",
            Self::Ledger => "ledger",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// The rights of one token; each once, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OperatorScopes(Vec<OperatorScope>);

impl OperatorScopes {
    /// Whether it is among them.
    #[must_use]
    pub fn hold(&self, scope: OperatorScope) -> bool {
        self.0.contains(&scope)
    }

    /// Whether there is none: such a token opens nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their words.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|scope| scope.as_str())
    }

    /// As stored: words with a space between.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.words().collect::<Vec<_>>().join(" ")
    }

    /// Reads what [`Self::to_text`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.split_whitespace().map(OperatorScope::parse).collect()
    }
}

impl FromIterator<OperatorScope> for OperatorScopes {
    fn from_iter<I: IntoIterator<Item = OperatorScope>>(scopes: I) -> Self {
        let mut scopes: Vec<_> = scopes.into_iter().collect();
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_survive_the_way_through_the_store() {
        let all: OperatorScopes = OperatorScope::ALL.into_iter().rev().chain(OperatorScope::ALL).collect();
        assert_eq!(all.to_text(), "credits refunds disputes accounts ledger");
        assert_eq!(OperatorScopes::parse(&all.to_text()), Some(all));
        assert_eq!(OperatorScopes::parse("credits hosts"), None);
        assert!(OperatorScopes::parse("").is_some_and(|none| none.is_empty() && !none.hold(OperatorScope::Credits)));
    }
}

//! What stands in single fields of the catalog: texts with a form of their own, and amounts of money.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::domain::{
    billing::promo::Code,
    gigabytes::{Gigabytes, NotGigabytes},
    label::Label,
    makeup::CpuWord,
    money::{Cents, NotMoney},
    slug::Slug,
};

/// A text that was parsed where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed<T>(pub T);

/// A text form that can be refused.
pub trait Text: Sized {
    /// Reads the text.
    ///
    /// # Errors
    /// Says what is expected.
    fn from_text(text: &str) -> Result<Self, String>;
    /// The text that is read back as this.
    fn text(&self) -> &str;
}

impl Text for Slug {
    fn from_text(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|why| why.to_string())
    }
    fn text(&self) -> &str {
        self.as_str()
    }
}

impl Text for Code {
    fn from_text(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|why| why.to_string())
    }
    fn text(&self) -> &str {
        self.as_str()
    }
}

impl Text for CpuWord {
    fn from_text(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|why| why.to_string())
    }
    fn text(&self) -> &str {
        self.as_str()
    }
}

impl Text for Label {
    fn from_text(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|why| why.to_string())
    }
    fn text(&self) -> &str {
        self.as_str()
    }
}

impl<T: Text> Serialize for Parsed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.text())
    }
}

impl<'de, T: Text> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::from_text(&String::deserialize(deserializer)?).map(Self).map_err(de::Error::custom)
    }
}

/// An amount in USD: `6.95`, exact to the cent. It is read from its text alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Price(pub Cents);

impl TryFrom<String> for Price {
    type Error = NotMoney;
    fn try_from(text: String) -> Result<Self, NotMoney> {
        text.parse().map(Self)
    }
}

impl From<Price> for String {
    fn from(price: Price) -> Self {
        price.0.to_string()
    }
}

/// An amount of data in gigabytes: `1000`, `0.25`. Read from its text alone, as money is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Amount(pub Gigabytes);

impl TryFrom<String> for Amount {
    type Error = NotGigabytes;
    fn try_from(text: String) -> Result<Self, NotGigabytes> {
        text.parse().map(Self)
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.0.to_string()
    }
}

//! A MAC address of a guest's adapter.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Six bytes, written `52:54:00:12:34:56`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

/// A text that is no unicast MAC address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a MAC address is six hex bytes with colons, and not a group address")]
pub struct NotMac;

impl Mac {
    /// A guest's address from four random bytes: locally administered unicast (`0a:…`), so that no vendor owns it.
    #[must_use]
    pub fn for_guest(random: [u8; 4]) -> Self {
        let [a, b, c, d] = random;
        Self([0x0a, 0xc5, a, b, c, d])
    }

    /// The address of the host's end of the guest's cable. It begins `fe:` so that the bridge never takes it as its
    /// own (a bridge adopts its lowest member's address).
    #[must_use]
    pub fn of_tap(self) -> Self {
        let [_, rest @ ..] = self.0;
        let [a, b, c, d, e] = rest;
        Self([0xfe, a, b, c, d, e])
    }

    /// The guest's address, from the address of the host's end of its cable; nothing when it is none of a guest's.
    #[must_use]
    pub fn of_guest(self) -> Option<Self> {
        let Self([_, _, random @ ..]) = self;
        Some(Self::for_guest(random)).filter(|guest| guest.of_tap() == self)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Mac {
    type Err = NotMac;
    fn from_str(text: &str) -> Result<Self, NotMac> {
        let bytes: Vec<u8> = text
            .split(':')
            .map(|byte| if byte.len() == 2 { u8::from_str_radix(byte, 16).map_err(|_| NotMac) } else { Err(NotMac) })
            .collect::<Result<_, _>>()?;
        let bytes: [u8; 6] = bytes.try_into().map_err(|_| NotMac)?;
        match bytes {
            [first, ..] if first & 1 == 1 => Err(NotMac),
            [0, 0, 0, 0, 0, 0] => Err(NotMac),
            unicast => Ok(Self(unicast)),
        }
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_is_read_as_it_is_written() {
        let mac = Mac::for_guest([1, 2, 3, 0xff]);
        assert_eq!(mac.to_string(), "0a:c5:01:02:03:ff");
        assert_eq!(mac.to_string().parse(), Ok(mac));
        assert_eq!(mac.of_tap().to_string(), "fe:c5:01:02:03:ff");
        assert_eq!((mac.of_tap().of_guest(), mac.of_guest()), (Some(mac), None));
        assert_eq!(Mac([0xfe, 0x54, 0, 1, 2, 3]).of_guest(), None, "another program's tap");
    }

    #[test]
    fn group_addresses_and_other_texts_are_refused() {
        for text in
            ["", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "0a:c5:1:2:3:4", "+a:c5:01:02:03:04:05"]
        {
            assert_eq!(text.parse::<Mac>(), Err(NotMac), "{text}");
        }
    }
}

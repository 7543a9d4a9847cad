//! The provider's bridge: looked for and plugged into, never changed.

use super::{NetworkError, links::Link};

/// Finds the bridge by its name.
///
/// # Errors
/// When there is no such interface, or it is no bridge.
pub fn find<'a>(links: &'a [Link], name: &str) -> Result<&'a Link, NetworkError> {
    match links.iter().find(|link| link.name == name) {
        Some(link) if link.is_bridge => Ok(link),
        Some(_) => Err(NetworkError::NotBridge(name.to_owned())),
        None => Err(NetworkError::NoBridge(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_bridge_is_told_from_what_is_not_there() {
        let bridge = Link { name: "br-public".to_owned(), is_bridge: true, ..Link::default() };
        let cable = Link { name: "eth0".to_owned(), ..Link::default() };
        let links = [bridge.clone(), cable];
        assert_eq!(find(&links, "br-public").unwrap(), &bridge);
        assert!(matches!(find(&links, "eth0"), Err(NetworkError::NotBridge(_))));
        assert!(matches!(find(&links, "br-other"), Err(NetworkError::NoBridge(_))));
    }
}

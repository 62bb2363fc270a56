//! A client's address, as far as it can be believed.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Of a proxy's `X-Forwarded-For`, believes the last `proxies` entries: each proxy adds the address that it was asked from to
/// the end, and what stands before those is whatever the client has sent. None: there are fewer than there should be, or one
/// is no address.
pub fn forwarded<'a>(values: impl DoubleEndedIterator<Item = &'a str>, proxies: usize) -> Option<IpAddr> {
    let mut entries = values.rev().flat_map(|value| value.rsplit(','));
    parse(entries.nth(proxies.checked_sub(1)?)?.trim())
}

/// Some proxies add a port.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = entry.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// The address as one subscriber has it.
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(values: &[&str], proxies: usize) -> Option<String> {
        forwarded(values.iter().copied(), proxies).map(|address| address.to_string())
    }

    #[test]
    fn only_what_proxies_of_ours_have_added_is_believed() {
        let forged = ["10.0.0.1, 192.0.2.7"];
        assert_eq!(seen(&forged, 0), None);
        assert_eq!(seen(&forged, 1).as_deref(), Some("192.0.2.7"));
        assert_eq!(seen(&forged, 2).as_deref(), Some("10.0.0.1"));
        assert_eq!(seen(&forged, 3), None);
        assert_eq!(seen(&["10.0.0.1", "192.0.2.7,198.51.100.2"], 2).as_deref(), Some("192.0.2.7"));
        assert_eq!(seen(&["nobody"], 1), None);
        assert_eq!(seen(&["192.0.2.7:4711"], 1).as_deref(), Some("192.0.2.7"));
        assert_eq!(seen(&["[2001:db8::1]:4711"], 1).as_deref(), Some("2001:db8::1"));
        assert_eq!(seen(&["2001:db8::1"], 1).as_deref(), Some("2001:db8::1"));
    }

    #[test]
    fn a_subscriber_has_many_addresses() {
        let of = |text: &str| subscriber(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
    }
}

//! What kind of network an address is in: a realm must not lead a credential inside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Serialize;

/// Where an address is, by the special-purpose registries of IANA
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry>, `…ipv6-special-registry`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressKind {
    /// Anybody may reach it.
    Public,
    /// Of a network behind some door: RFC 1918, carrier-grade NAT, unique local.
    Private,
    /// This machine.
    Loopback,
    /// The link alone, and with it every cloud's metadata service (169.254.169.254, 169.254.170.2, `fd00:ec2::254`).
    LinkLocal,
    /// No single machine: unspecified, broadcast, multicast, reserved.
    NoHost,
}

impl AddressKind {
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        match address.octets() {
            [127, ..] => Self::Loopback,
            [169, 254, ..] => Self::LinkLocal,
            // Oracle's and Alibaba's metadata services are in 192.0.0.0/24 and 100.64.0.0/10.
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] | [192, 0, 0, _] => {
                Self::Private
            }
            // Benchmarks within one network (RFC 2544).
            [198, 18..=19, ..] => Self::Private,
            [0 | 224..=255, ..] => Self::NoHost,
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        // An IPv4 address in the clothes of an IPv6 one is judged as what it leads to.
        let embedded = |high: u16, low: u16| {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Self::of_v4(Ipv4Addr::new(a, b, c, d))
        };
        match address.segments() {
            [0, 0, 0, 0, 0, 0, 0, 0] => Self::NoHost,
            [0, 0, 0, 0, 0, 0, 0, 1] => Self::Loopback,
            // NAT64 (RFC 6052), the deprecated IPv4-compatible form, and 6to4 (RFC 3056).
            [0x64, 0xff9b, 0, 0, 0, 0, high, low]
            | [0, 0, 0, 0, 0, 0, high, low]
            | [0x2002, high, low, ..] => embedded(high, low),
            [0x64, 0xff9b, 1, ..] => Self::Private,
            [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254] => Self::LinkLocal,
            [first, ..] if first & 0xfe00 == 0xfc00 => Self::Private,
            [first, ..] if first & 0xffc0 == 0xfe80 => Self::LinkLocal,
            // Site-local, deprecated and still routed by some.
            [first, ..] if first & 0xffc0 == 0xfec0 => Self::Private,
            [first, ..] if first & 0xff00 == 0xff00 => Self::NoHost,
            _ => Self::Public,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_inside_from_the_outside() {
        let table = [
            (
                AddressKind::Public,
                "8.8.8.8 1.1.1.1 172.15.0.1 172.32.0.1 100.63.0.1 100.128.0.1 2606:4700::1111",
            ),
            (
                AddressKind::Private,
                "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 100.100.100.200",
            ),
            (AddressKind::Private, "192.0.0.192 198.18.0.1 fc00::1 fd12:3456::1 fec0::1 64:ff9b:1::1"),
            (AddressKind::Loopback, "127.0.0.1 127.255.0.3 ::1 ::ffff:127.0.0.1 64:ff9b::127.0.0.1"),
            (AddressKind::LinkLocal, "169.254.169.254 169.254.170.2 fe80::1 febf::1 fd00:ec2::254"),
            (
                AddressKind::LinkLocal,
                "::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::1 ::169.254.169.254",
            ),
            (AddressKind::NoHost, "0.0.0.0 0.1.2.3 255.255.255.255 224.0.0.1 240.0.0.1 :: ff02::1"),
        ];
        for (kind, addresses) in table {
            for address in addresses.split(' ') {
                assert_eq!(AddressKind::of(address.parse().unwrap()), kind, "{address}");
            }
        }
    }
}

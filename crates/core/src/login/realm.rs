//! Where a credential may be sent: a registry names its token server itself, in the `realm` of its challenge, so whoever
//! answers for a registry could have the password sent anywhere.
//!
//! The rules are those of go-containerregistry (`pkg/v1/remote/transport`), made stricter: a name is judged by the
//! addresses that it resolves to as well, and a list of the operator's own can be given.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Serialize;
use thiserror::Error;
use url::{Host, Url};

use super::address::AddressKind;

/// A host and port, as a URL without a default names them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Authority {
    /// As the URL standard writes it: lower case, an IPv6 address in brackets.
    host: String,
    port: u16,
}

impl Authority {
    /// Of a URL that has a host.
    pub fn of(url: &Url) -> Option<Self> {
        Some(Self { host: url.host_str()?.to_owned(), port: url.port_or_known_default()? })
    }

    /// As a person writes it: `auth.example.com`, `auth.example.com:8443`. Without a port, that of https.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text.contains(['/', '?', '#', '@', '\\']) || text.contains(char::is_whitespace)
        {
            return None;
        }
        Self::of(&Url::parse(&format!("https://{text}/")).ok()?)
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.port == 443 { f.write_str(&self.host) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}

/// What a realm is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealmRules {
    /// Where the registry is reached, and what images call it.
    pub own: Vec<Authority>,
    /// Token servers that the operator names. With one, no other is taken but the registry's own host.
    pub listed: Vec<Authority>,
    /// How the registry itself is reached.
    pub transport: Transport,
}

/// How a registry is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tls,
    /// Plain http, which is for loopback addresses alone.
    Loopback,
}

/// Why no credential is sent to a realm.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, JsonSchema)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum RealmRefusal {
    #[error("it is no URL of a server")]
    NoUrl,
    #[error("`{host}` would be asked over plain http, where anybody on the way reads the password")]
    Plaintext { host: String },
    #[error("it carries a user name or password of its own")]
    UserInfo,
    #[error("`{host}` is not among verify.realm_hosts")]
    NotListed { host: String },
    #[error("`{host}` is inside ({address}), and it is not the registry's own host")]
    Inside { host: String, address: IpAddr },
    /// Whatever is listed.
    #[error("`{host}` is at {address}: metadata services are at such addresses, and no password goes there")]
    Never { host: String, address: IpAddr },
}

impl RealmRefusal {
    /// Of a server whose standing does not admit its address.
    fn of_address(host: String, address: IpAddr) -> Self {
        match AddressKind::of(address) {
            AddressKind::LinkLocal | AddressKind::NoHost => Self::Never { host, address },
            AddressKind::Public | AddressKind::Private | AddressKind::Loopback => {
                Self::Inside { host, address }
            }
        }
    }
}

/// On what ground a server may be sent a credential, which decides at which addresses it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is the registry itself: wherever the operator put it.
    Own,
    /// The operator named it: anywhere but where metadata services are.
    Listed,
    /// The registry named it: at public addresses alone.
    Named,
}

impl Standing {
    /// Whether a server of this standing may be at this address.
    pub fn admits(self, address: IpAddr) -> bool {
        match self {
            Self::Own => true,
            Self::Listed => match AddressKind::of(address) {
                AddressKind::Public | AddressKind::Private | AddressKind::Loopback => true,
                AddressKind::LinkLocal | AddressKind::NoHost => false,
            },
            Self::Named => match AddressKind::of(address) {
                AddressKind::Public => true,
                AddressKind::Private
                | AddressKind::Loopback
                | AddressKind::LinkLocal
                | AddressKind::NoHost => false,
            },
        }
    }
}

impl RealmRules {
    /// Whether the operator named this server: as the registry's own, or in the list. Such a name may be shown whoever
    /// says it; another one, said by a server that has seen the password, may be the password.
    pub fn names(&self, authority: &Authority) -> bool {
        self.own.contains(authority) || self.listed.contains(authority)
    }

    /// Judges a realm, or where a token server redirects to. What a name resolves to is judged by the answer's
    /// [`Standing::admits`], when it is known.
    pub fn judge(&self, url: &Url) -> Result<Standing, RealmRefusal> {
        let authority = Authority::of(url).ok_or(RealmRefusal::NoUrl)?;
        let host = authority.to_string();
        if !url.username().is_empty() || url.password().is_some() {
            return Err(RealmRefusal::UserInfo);
        }
        let standing = match () {
            () if self.own.contains(&authority) => Standing::Own,
            () if self.listed.contains(&authority) => Standing::Listed,
            () if self.listed.is_empty() => Standing::Named,
            () => return Err(RealmRefusal::NotListed { host }),
        };
        match (url.scheme(), self.transport) {
            ("https", Transport::Tls | Transport::Loopback) => {}
            // The client sends plain http to loopback addresses alone, whatever a name resolves to.
            ("http", Transport::Loopback) if standing != Standing::Named => {}
            // Nobody on the way reads what stays on this machine; but it is for the operator to say who is meant here.
            ("http", Transport::Loopback) if is_loopback(url) => {
                return Err(RealmRefusal::NotListed { host });
            }
            ("http", Transport::Loopback | Transport::Tls) => return Err(RealmRefusal::Plaintext { host }),
            (_, Transport::Tls | Transport::Loopback) => return Err(RealmRefusal::NoUrl),
        }
        match literal(url) {
            Some(address) if !standing.admits(address) => Err(RealmRefusal::of_address(host, address)),
            Some(_) | None => Ok(standing),
        }
    }
}

/// The address of a host that is written as one.
fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

fn is_loopback(url: &Url) -> bool {
    match literal(url) {
        Some(address) => AddressKind::of(address) == AddressKind::Loopback,
        None => url.host_str() == Some("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authorities(texts: &[&str]) -> Vec<Authority> {
        texts.iter().map(|text| Authority::parse(text).unwrap()).collect()
    }

    fn judge(
        own: &str,
        listed: &[&str],
        transport: Transport,
        realm: &str,
    ) -> Result<Standing, RealmRefusal> {
        let rules = RealmRules { own: authorities(&[own]), listed: authorities(listed), transport };
        rules.judge(&Url::parse(realm).unwrap())
    }

    fn refused(own: &str, listed: &[&str], transport: Transport, realm: &str) -> String {
        judge(own, listed, transport, realm)
            .map_or_else(|why| why.to_string(), |standing| panic!("{standing:?}"))
    }

    #[test]
    fn a_realm_outside_is_taken_over_tls() {
        use Transport::Tls;
        for (realm, standing) in [
            ("https://auth.example.com/token", Standing::Named),
            ("https://8.8.8.8/token", Standing::Named),
            ("https://r.example.com/service/token", Standing::Own),
            ("https://R.EXAMPLE.com:443/service/token", Standing::Own),
            ("https://r.example.com:8443/service/token", Standing::Named),
        ] {
            assert_eq!(judge("r.example.com", &[], Tls, realm), Ok(standing), "{realm}");
        }
    }

    #[test]
    fn a_realm_inside_or_in_the_clear_is_refused() {
        use Transport::Tls;
        for realm in [
            "https://10.0.0.1/token",
            "https://127.0.0.1/token",
            "https://[::1]/token",
            "https://[::ffff:10.0.0.1]/token",
            "https://0x7f.1/token",
            "https://2130706433/token",
        ] {
            assert!(refused("r.example.com", &[], Tls, realm).contains("inside"), "{realm}");
        }
        // Where no list would let it go either.
        for realm in [
            "https://169.254.169.254/latest/meta-data/",
            "https://[fe80::1]/token",
            "https://[::ffff:169.254.170.2]/token",
            "https://0.0.0.0/token",
        ] {
            assert!(refused("r.example.com", &[], Tls, realm).contains("metadata services"), "{realm}");
        }
        for realm in
            ["http://auth.example.com/token", "http://r.example.com/token", "http://169.254.169.254/"]
        {
            assert!(refused("r.example.com", &[], Tls, realm).contains("plain http"), "{realm}");
        }
        assert!(refused("r.example.com", &[], Tls, "https://u:p@auth.example.com/").contains("of its own"));
        assert!(refused("r.example.com", &[], Tls, "ftp://auth.example.com/").contains("no URL"));
    }

    #[test]
    fn the_registrys_own_host_may_be_anywhere() {
        use Transport::{Loopback, Tls};
        assert_eq!(judge("10.0.0.1", &[], Tls, "https://10.0.0.1/token"), Ok(Standing::Own));
        assert_eq!(judge("127.0.0.1:5000", &[], Loopback, "http://127.0.0.1:5000/t"), Ok(Standing::Own));
        // Another port is another server.
        assert!(refused("10.0.0.1", &[], Tls, "https://10.0.0.1:8443/token").contains("inside"));
        for realm in ["http://127.0.0.1:5001/t", "http://localhost:5000/t", "http://[::1]:5000/t"] {
            assert!(refused("127.0.0.1:5000", &[], Loopback, realm).contains("realm_hosts"), "{realm}");
        }
        let outside = "http://auth.example.com/t";
        assert!(refused("127.0.0.1:5000", &[], Loopback, outside).contains("plain http"));
        assert!(refused("127.0.0.1:5000", &[], Loopback, "https://127.0.0.1:5001/t").contains("inside"));
    }

    #[test]
    fn with_a_list_no_other_host_is_taken_and_those_on_it_may_be_private() {
        use Transport::{Loopback, Tls};
        let listed = ["auth.example.com", "10.0.0.2:8443", "169.254.169.254"];
        assert_eq!(judge("r.example.com", &listed, Tls, "https://auth.example.com/t"), Ok(Standing::Listed));
        assert_eq!(judge("r.example.com", &listed, Tls, "https://10.0.0.2:8443/t"), Ok(Standing::Listed));
        assert_eq!(judge("r.example.com", &listed, Tls, "https://r.example.com/t"), Ok(Standing::Own));
        assert!(refused("r.example.com", &listed, Tls, "https://evil.example.com/t").contains("realm_hosts"));
        assert!(
            refused("r.example.com", &listed, Tls, "https://auth.example.com:444/t").contains("realm_hosts")
        );
        let metadata = refused("r.example.com", &listed, Tls, "https://169.254.169.254/t");
        assert!(metadata.contains("metadata services"), "{metadata}");
        let local = ["127.0.0.1:5001"];
        assert_eq!(
            judge("localhost:5000", &local, Loopback, "http://127.0.0.1:5001/t"),
            Ok(Standing::Listed)
        );
        assert!(refused("r.example.com", &local, Tls, "http://127.0.0.1:5001/t").contains("plain http"));
    }

    #[test]
    fn an_authority_is_a_host_with_or_without_a_port_and_nothing_else() {
        assert_eq!(Authority::parse("Auth.Example.com").unwrap().to_string(), "auth.example.com");
        assert_eq!(Authority::parse("auth.example.com:444").unwrap().to_string(), "auth.example.com:444");
        assert_eq!(Authority::parse("[::1]:5000").unwrap().to_string(), "[::1]:5000");
        for text in ["", "https://a.example.com", "a.example.com/x", "u@a.example.com", "a b", "a:b", "a?b"] {
            assert_eq!(Authority::parse(text), None, "{text}");
        }
    }
}

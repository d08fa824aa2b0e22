//! The address of a module in a registry: `oci://HOST[:PORT]/REPOSITORY[:TAG|@sha256:…]`.
//!
//! Must not connect to any registry.

use std::fmt;
use std::net::IpAddr;

use oci_client::Reference;

use crate::exit::CommandError;

const SCHEME: &str = "oci://";

/// A module's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    reference: Reference,
}

impl Address {
    /// Parses an address; none if the text is a path.
    pub(crate) fn parse(text: &str) -> Option<Result<Self, CommandError>> {
        let text = text.strip_prefix(SCHEME)?;
        // Other tools take a name without a host as one of Docker Hub.
        let has_host = text
            .split_once('/')
            .is_some_and(|(host, rest)| is_host(host) && !rest.is_empty());
        let parsed = has_host.then(|| text.parse::<Reference>());
        Some(match parsed {
            Some(Ok(reference)) => Ok(Self { reference }),
            _ => Err(CommandError::Usage(format!(
                "{SCHEME}{text} is not the address of a module: give {SCHEME}HOST[:PORT]/REPOSITORY[:TAG|@sha256:…], with a full host name and the repository in lower case"
            ))),
        })
    }

    pub(super) fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The registry's host, with its port.
    pub(super) fn registry(&self) -> &str {
        self.reference.registry()
    }

    /// The last part of the repository, which is the default name of the module.
    pub(super) fn name(&self) -> &str {
        let repository = self.reference.repository();
        repository.rsplit('/').next().unwrap_or(repository)
    }

    /// The same address with the digest that its tag now refers to.
    pub(super) fn pinned(&self, digest: &str) -> String {
        match self.reference.digest() {
            Some(_) => self.to_string(),
            None => format!("{self}@{digest}"),
        }
    }

    /// The registry's name in Docker's list of credentials.
    pub(super) fn credentials_key(&self) -> &str {
        match self.registry() {
            "docker.io" => "https://index.docker.io/v1/",
            other => other,
        }
    }

    /// Whether the registry is on this machine, so that nobody can listen in between.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.registry();
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

fn is_host(text: &str) -> bool {
    text == "localhost" || text.contains(['.', ':'])
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Address {
        Address::parse(text).unwrap().unwrap()
    }

    #[test]
    fn an_address_has_its_parts() {
        let address = parsed("oci://registry.example:5000/team/resize:1.2");
        assert_eq!(address.registry(), "registry.example:5000");
        assert_eq!(address.name(), "resize");
        assert_eq!(
            address.to_string(),
            "oci://registry.example:5000/team/resize:1.2"
        );
        assert_eq!(
            parsed("oci://ghcr.io/a/b").reference().tag(),
            Some("latest")
        );
    }

    #[test]
    fn a_digest_pins() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let pinned = format!("oci://ghcr.io/a/b@{digest}");
        assert_eq!(parsed(&pinned).pinned(&digest), pinned);
        assert_eq!(
            parsed("oci://ghcr.io/a/b:1").pinned(&digest),
            format!("oci://ghcr.io/a/b:1@{digest}")
        );
    }

    #[test]
    fn what_is_no_address_is_said() {
        assert!(Address::parse("resize.wasm").is_none());
        for text in [
            "oci://",
            "oci://resize",
            "oci://team/resize",
            "oci://ghcr.io/",
            "oci://ghcr.io/A B",
        ] {
            let error = Address::parse(text).unwrap().unwrap_err().to_string();
            assert!(
                error.contains(text) && error.contains("oci://HOST"),
                "{error}"
            );
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        let loopback = |host: &str| parsed(&format!("oci://{host}/a")).is_loopback();
        assert!(loopback("localhost") && loopback("localhost:5000") && loopback("127.0.0.1:5000"));
        assert!(!loopback("localhost.example") && !loopback("10.0.0.1:5000"));
    }
}

//! Digest of what a provider's failures could stem from.

use router_wire::Dialect;
use secrecy::zeroize::Zeroizing;
use sha2::{Digest, Sha256};

use crate::config::{AuthHeader, Upstream};

/// Digests addresses, credentials, auth and headers. The same in every run and on every machine.
///
/// Secrets go in as part of one SHA-256 of which 64 bits are kept, so the result tells nothing
/// about them.
pub(crate) fn of(upstream: &Upstream) -> u64 {
    let mut hash = Sha256::new();
    let mut part = |tag: &str, bytes: &[u8]| {
        hash.update(tag.as_bytes());
        hash.update(bytes.len().to_le_bytes());
        hash.update(bytes);
    };
    for (dialect, base) in &upstream.bases {
        part(dialect.name(), base.identity().as_bytes());
    }
    for credential in &upstream.credentials {
        part("label", credential.label.as_bytes());
        let secret = credential.secret.as_ref().map_or("", |secret| secret.expose());
        part("secret", Zeroizing::new(secret.to_owned()).as_bytes());
    }
    for (dialect, auth) in &upstream.auth {
        let auth = match auth {
            AuthHeader::None => String::new(),
            AuthHeader::Header { name, prefix } => format!("{name}\n{prefix}"),
        };
        part(Dialect::name(*dialect), auth.as_bytes());
    }
    let mut headers: Vec<(&str, &[u8])> =
        upstream.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    headers.sort_unstable();
    for (name, value) in headers {
        part(name, value);
    }
    let version = upstream.anthropic_version.as_ref().map_or(&b""[..], |value| value.as_bytes());
    part("anthropic-version", version);
    part("anthropic-beta", upstream.anthropic_beta.join(",").as_bytes());
    first_bits(&hash.finalize())
}

/// 64 bits of the SHA-256 of `bytes`.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    first_bits(&Sha256::digest(bytes))
}

fn first_bits(digest: &[u8]) -> u64 {
    digest.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

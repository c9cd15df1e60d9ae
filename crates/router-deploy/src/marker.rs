//! What a deploy leaves on the Worker to recognise it by: a plain variable without secrets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Name of the variable.
pub(crate) const NAME: &str = "LLM_ROUTER_DEPLOYMENT";
/// Bytes of it at most, safely below what a variable holds.
const BYTES_MAX: usize = 4_800;

/// What was deployed. Fingerprints are the first bytes of a SHA-256 and name parts of the config.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Marker {
    /// The program that deployed, with its version.
    #[serde(default)]
    pub by: String,
    /// Fingerprint of the module.
    #[serde(default)]
    pub module: String,
    /// Fingerprint of the config, secrets included and the master key left out.
    #[serde(default)]
    pub config: String,
    /// Fingerprints of its parts, such as `providers.openai`; empty if they take too much room.
    #[serde(default)]
    pub parts: BTreeMap<String, String>,
    /// Secrets and variables the deploy made; empty if they take too much room.
    #[serde(default)]
    pub names: Vec<String>,
    /// Zones and patterns of its routes.
    #[serde(default)]
    pub routes: Vec<(String, String)>,
    /// Its hosts of its own.
    #[serde(default)]
    pub domains: Vec<String>,
}

impl Marker {
    /// The text of the variable. Parts go first when it becomes too long.
    pub(crate) fn text(&self) -> String {
        let full = serde_json::to_string(self).unwrap_or_default();
        if full.len() <= BYTES_MAX {
            return full;
        }
        let mut short = Self { parts: BTreeMap::new(), ..self.clone() };
        let text = serde_json::to_string(&short).unwrap_or_default();
        if text.len() <= BYTES_MAX {
            return text;
        }
        short.names = Vec::new();
        serde_json::to_string(&short).unwrap_or_default()
    }

    /// Reads the variable; what another program wrote there is nobody's marker.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// The first `bytes` of the SHA-256 of `parts`, each with its length, in hexadecimal.
pub(crate) fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a [u8]>, bytes: usize) -> String {
    use std::fmt::Write as _;
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_string());
        hash.update(b":");
        hash.update(part);
    }
    let mut text = String::with_capacity(bytes * 2);
    for byte in hash.finalize().iter().take(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_always_fits_a_variable() {
        let parts = (0..400).map(|n| (format!("providers.provider-{n}"), "12345678".to_owned()));
        let names = (0..100).map(|n| format!("LLM_ROUTER_SECRET_PROVIDER_{n}_API_KEY"));
        let marker = Marker {
            config: "c".to_owned(),
            parts: parts.collect(),
            names: names.collect(),
            ..Marker::default()
        };
        assert!(marker.text().len() <= BYTES_MAX);
        let read = Marker::parse(&marker.text()).unwrap();
        assert_eq!((read.config.as_str(), read.parts.len()), ("c", 0));
        assert_eq!(read.names.len(), 100);
        assert_ne!(
            fingerprint([b"ab".as_slice(), b"c"], 4),
            fingerprint([b"a".as_slice(), b"bc"], 4)
        );
    }
}

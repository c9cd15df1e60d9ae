//! Seals on thoughts: proof that what comes back is what was sent.

use sha2::{Digest, Sha256};

use crate::base64;

/// The seal of `text` for one `purpose`, in base64.
pub(crate) fn sign(purpose: &str, text: &str) -> String {
    let mut hash = Sha256::new_with_prefix("router-demo seal 1\n");
    hash.update(purpose);
    hash.update("\n");
    hash.update(text);
    base64::encode(&hash.finalize())
}

/// Whether `seal` is the seal of `text`.
pub(crate) fn holds(purpose: &str, text: &str, seal: &str) -> bool {
    sign(purpose, text) == seal
}

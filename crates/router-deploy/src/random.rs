//! Text that nobody can guess.

use router_operator::Failure;

/// So many characters of URL-safe base64, each worth six random bits of the system.
pub(crate) fn text(length: usize) -> Result<String, Failure> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::failed(format!("the system has no random numbers: {error}")))?;
    let letters = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 63)));
    Ok(letters.map(|letter| char::from(*letter)).collect())
}

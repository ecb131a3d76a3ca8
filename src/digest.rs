//! SHA-256 in the form that bundles write it: lower-case hex.

use sha2::{Digest, Sha256};

/// The SHA-256 of some bytes, 64 hex digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    to_hex(&Sha256::digest(bytes))
}

/// Bytes as lower-case hex.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The first 12 digits of a hash, which are enough for a reader to tell two apart.
pub fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

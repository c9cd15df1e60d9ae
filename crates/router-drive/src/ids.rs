//! Names for requests.

use std::fmt;

use http::HeaderValue;

/// The id of one exchange: `req_` and 24 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestId {
    high: u64,
    low: u64,
}

impl RequestId {
    /// An id of two random words.
    pub const fn new(high: u64, low: u64) -> Self {
        Self { high, low }
    }

    /// A number to draw this exchange's jitter and choices from.
    pub fn seed(self) -> u64 {
        self.high ^ self.low.rotate_left(32)
    }

    /// The id as the `x-request-id` header.
    pub fn header(self) -> HeaderValue {
        HeaderValue::from_str(&self.to_string())
            .unwrap_or_else(|_| HeaderValue::from_static("req_unknown"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "req_{:016x}{:08x}", self.high, self.low >> 32)
    }
}

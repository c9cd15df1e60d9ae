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
        HeaderValue::from_bytes(&self.text())
            .unwrap_or_else(|_| HeaderValue::from_static("req_unknown"))
    }

    /// The id as ASCII.
    fn text(self) -> [u8; 28] {
        let mut text = *b"req_000000000000000000000000";
        let words = (u128::from(self.high) << 64) | u128::from(self.low);
        for (place, digit) in text.iter_mut().skip(4).enumerate() {
            let value = words >> (124 - 4 * place) & 0xF;
            let value = u8::try_from(value).unwrap_or(0);
            *digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
        }
        text
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_24_digits_of_its_words() {
        let id = RequestId::new(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
        assert_eq!(id.to_string(), "req_0123456789abcdeffedcba98");
        assert_eq!(id.header(), "req_0123456789abcdeffedcba98");
        assert_eq!(RequestId::new(0, 0).to_string(), format!("req_{:024}", 0));
    }
}

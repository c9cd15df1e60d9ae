//! `multipart/form-data` (RFC 7578), as script uploads need it.

use bytes::Bytes;
use router_operator::Failure;

use crate::random;

/// A form being put together.
#[derive(Debug)]
pub(crate) struct Form {
    boundary: String,
    body: Vec<u8>,
}

impl Form {
    /// An empty form with a boundary that nothing in it contains: 144 random bits.
    pub(crate) fn new() -> Result<Self, Failure> {
        let boundary = format!("llm-router-{}", random::text(24)?);
        Ok(Self { boundary, body: Vec::new() })
    }

    /// Adds a part with a file name.
    pub(crate) fn file(&mut self, name: &str, content_type: &str, content: &[u8]) {
        let name = quoted(name);
        let head = format!(
            "--{}\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\
             content-type: {content_type}\r\n\r\n",
            self.boundary
        );
        self.body.extend_from_slice(head.as_bytes());
        self.body.extend_from_slice(content);
        self.body.extend_from_slice(b"\r\n");
    }

    /// The content type and the body.
    pub(crate) fn finish(mut self) -> (String, Bytes) {
        self.body.extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        (format!("multipart/form-data; boundary={}", self.boundary), self.body.into())
    }
}

/// What may stand between the quotes: RFC 7578 section 4.2, as browsers do it.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

//! Media types and base64, as far as translations look inside.

/// Whether files of this type are text a model can read as such.
pub fn is_textual(media_type: &str) -> bool {
    let kind = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/")
        || matches!(
            kind.as_str(),
            "application/json"
                | "application/xml"
                | "application/yaml"
                | "application/x-yaml"
                | "application/toml"
                | "application/javascript"
                | "application/x-ndjson"
                | "application/x-sh"
                | "application/sql"
        )
}

/// The text a base64 string holds; nothing if it is malformed or not UTF-8.
pub fn base64_text(base64: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(base64.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0_u8);
    for byte in base64.bytes().filter(|b| !b.is_ascii_whitespace()) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => break,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_text_is_read_and_anything_else_refused() {
        for (base64, text) in [
            ("", Some("")),
            ("aGk=", Some("hi")),
            ("aGk", Some("hi")),
            ("w6kK", Some("é\n")),
            ("a GkK\n", Some("hi\n")),
            ("/w==", None),
            ("a*", None),
        ] {
            assert_eq!(base64_text(base64).as_deref(), text, "{base64}");
        }
    }

    #[test]
    fn source_files_count_as_text() {
        assert!(is_textual("text/markdown; charset=utf-8") && is_textual("application/json"));
        assert!(!is_textual("application/pdf") && !is_textual("image/png"));
    }
}

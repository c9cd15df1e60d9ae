//! What a server tool did, in words, for upstreams that do not have it.

use crate::json::{Cursor, JsonError, Kind, Raw};

/// Longest summary of one block, in bytes.
const SUMMARY_MAX: usize = 8 << 10;

/// Members worth telling, and how they are introduced.
const TOLD: [(&str, &str); 11] = [
    ("name", "tool: "),
    ("query", "query: "),
    ("code", "code: "),
    ("command", "command: "),
    ("title", "title: "),
    ("url", "url: "),
    ("tool_name", "tool: "),
    ("stdout", "stdout: "),
    ("stderr", "stderr: "),
    ("error_code", "error: "),
    ("text", ""),
];

/// A few lines about a server tool's block: what was asked, what was found. Encrypted members have
/// nothing to tell.
pub(crate) fn of(raw: Raw<'_>) -> String {
    let mut lines = String::from("[server tool]");
    // The block was checked when it was read.
    let _ = walk(&mut raw.cursor(), &mut lines);
    if lines.len() > SUMMARY_MAX {
        let mut end = SUMMARY_MAX;
        while !lines.is_char_boundary(end) {
            end -= 1;
        }
        lines.truncate(end);
        lines.push_str(" [cut]");
    }
    // Other dialects join the texts of a turn without a separator.
    lines.push_str("\n\n");
    lines
}

fn walk(c: &mut Cursor<'_>, lines: &mut String) -> Result<(), JsonError> {
    match c.kind()? {
        Kind::Object => {
            let mut members = c.object()?;
            while let Some(key) = members.next(c)? {
                let told = TOLD.iter().find(|(name, _)| *name == key);
                match (told, c.kind()?) {
                    (Some((_, label)), Kind::String) => {
                        let text = c.str()?;
                        if !text.is_blank() {
                            lines.push('\n');
                            lines.push_str(label);
                            text.decode_into(lines);
                        }
                    }
                    (_, Kind::Number) if key == "return_code" => {
                        lines.push_str("\nreturn code: ");
                        lines.push_str(c.raw()?.text());
                    }
                    _ => walk(c, lines)?,
                }
            }
            Ok(())
        }
        Kind::Array => {
            let mut items = c.array()?;
            while items.next(c)?.is_some() {
                walk(c, lines)?;
            }
            Ok(())
        }
        _ => c.skip(),
    }
}

//! From a position in a document to the path of the value that stands there.

use super::scan;

/// Levels of a path that are told; a person needs no more to find the place.
const LEVELS_MAX: usize = 24;

enum Level {
    Object(String),
    Array(usize),
}

/// The path of the innermost value that holds byte `at`, such as `messages[2].content`. Works on
/// broken documents too, as far as they go. The document itself is the empty path.
pub fn path_at(document: &str, at: usize) -> String {
    let bytes = document.as_bytes();
    let mut levels: Vec<Level> = Vec::new();
    let mut key_next = false;
    let mut here = 0;
    while here < at {
        let Some(&byte) = bytes.get(here) else { break };
        here += 1;
        match byte {
            b'{' => {
                levels.push(Level::Object(String::new()));
                key_next = true;
            }
            b'[' => levels.push(Level::Array(0)),
            b'}' | b']' => {
                levels.pop();
                key_next = false;
            }
            b',' => match levels.last_mut() {
                Some(Level::Array(index)) => *index += 1,
                Some(Level::Object(key)) => {
                    key.clear();
                    key_next = true;
                }
                None => {}
            },
            b'"' => {
                let rest = bytes.get(here..).unwrap_or_default();
                let len = scan::string_content(rest).map_or(rest.len(), |(len, _)| len);
                if let (true, Some(Level::Object(key))) = (key_next, levels.last_mut()) {
                    key.push_str(document.get(here..here + len).unwrap_or_default());
                    key_next = false;
                }
                here += len + 1;
            }
            _ => {}
        }
    }
    render(&levels)
}

fn render(levels: &[Level]) -> String {
    let mut path = String::new();
    for level in levels.iter().take(LEVELS_MAX) {
        match level {
            Level::Object(key) if key.is_empty() => {}
            Level::Object(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            Level::Array(index) => {
                path.push('[');
                path.push_str(&index.to_string());
                path.push(']');
            }
        }
    }
    if LEVELS_MAX < levels.len() {
        path.push('…');
    }
    path
}

//! Which files state and records are kept in.

use std::path::{Path, PathBuf};

/// The state file in the home folder.
const STATE_FILE: &str = ".llm-router.state.sqlite";
/// The file of records, beside it.
const RECORDS_FILE: &str = ".llm-router.records.sqlite";
/// The older program's state file, beside it.
const OLDER_STATE_FILE: &str = ".llm-router.state.json";

/// The state file that config names, or the one in the home folder.
pub fn state_path(named: Option<&str>, home: Option<&Path>) -> Option<PathBuf> {
    path(named, STATE_FILE, home)
}

/// The file of records that config names, or the one in the home folder.
pub fn records_path(named: Option<&str>, home: Option<&Path>) -> Option<PathBuf> {
    path(named, RECORDS_FILE, home)
}

/// The older program's state file.
pub fn older_state_path(home: &Path) -> PathBuf {
    home.join(OLDER_STATE_FILE)
}

/// The file config names, or `name` in the home folder. `~/` stands for the home folder.
fn path(named: Option<&str>, name: &str, home: Option<&Path>) -> Option<PathBuf> {
    let Some(named) = named else { return home.map(|home| home.join(name)) };
    match named.strip_prefix("~/") {
        Some(rest) => home.map(|home| home.join(rest)),
        None => Some(PathBuf::from(named)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_config_outweighs_the_home_folder() {
        let home = Some(Path::new("/home/x"));
        for (named, home, expect) in [
            (None, home, Some("/home/x/state")),
            (None, None, None),
            (Some("/a/b"), None, Some("/a/b")),
            (Some("~/b"), home, Some("/home/x/b")),
            (Some("~/b"), None, None),
        ] {
            assert_eq!(path(named, "state", home), expect.map(PathBuf::from), "{named:?}");
        }
    }
}

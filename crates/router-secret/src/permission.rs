//! Who else can read a file that holds secrets.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A file that others on this machine can read or write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Exposed {
    /// The file.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
}

impl Exposed {
    /// The command that closes it.
    pub fn fix(&self) -> String {
        format!("chmod 600 {}", self.path.display())
    }
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let can = match (self.mode & 0o044, self.mode & 0o022) {
            (0, _) => "write",
            (_, 0) => "read",
            _ => "read and write",
        };
        write!(
            f,
            "others on this machine can {can} {} (mode {:04o})",
            self.path.display(),
            self.mode
        )
    }
}

/// Tells whether anybody but the owner can read or write `path`. A symbolic link counts as what it
/// points to. Systems without such bits are not judged.
pub fn exposed(path: &Path) -> io::Result<Option<Exposed>> {
    let mode = mode(path)? & 0o7777;
    let is_exposed = mode & 0o066 != 0;
    Ok(is_exposed.then(|| Exposed { path: path.to_owned(), mode }))
}

#[cfg(unix)]
fn mode(path: &Path) -> io::Result<u32> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::metadata(path)?.permissions().mode())
}

#[cfg(not(unix))]
fn mode(path: &Path) -> io::Result<u32> {
    std::fs::metadata(path).map(|_| 0)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_exposed_if_anybody_else_can_read_or_write_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, expect) in [
            (0o600, None),
            (0o400, None),
            (0o700, None),
            (0o644, Some("read")),
            (0o660, Some("read and write")),
            (0o602, Some("write")),
        ] {
            set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
            let found = exposed(file.path()).unwrap();
            let said = found.map(|found| found.to_string());
            match (expect, said) {
                (None, None) => {}
                (Some(can), Some(said)) => {
                    assert!(said.contains(&format!("can {can} /")), "{mode:o}: {said}");
                    assert!(said.contains(&format!("(mode {mode:04o})")), "{said}");
                }
                (expect, said) => panic!("{mode:o}: {expect:?}, {said:?}"),
            }
        }
    }
}

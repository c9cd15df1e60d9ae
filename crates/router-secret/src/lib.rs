//! Where this machine keeps secrets: environment, files, the system's keychain.
//!
//! A config names them (`env:NAME`, `file:PATH`, `keychain:NAME`); everything that runs on this
//! machine finds them here and nowhere else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use router_config::Lookup;

pub mod keychain;
mod permission;

pub use permission::{Exposed, exposed};

/// Bytes of a config file or secret file at most.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// This machine's environment, files and keychain, as config may refer to them.
#[derive(Clone, Copy, Debug)]
pub struct Host;

impl Lookup for Host {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> Result<String, String> {
        read_text(&expand(path)).map_err(|error| error.to_string())
    }

    fn keychain(&self, name: &str) -> Result<String, String> {
        match keychain::get(name) {
            Ok(Some(secret)) => Ok(secret.expose().to_owned()),
            Ok(None) => Err(format!("there is none; store it with `llm-router secret set {name}`")),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// A path as people write it: `~/` is the home directory.
pub fn expand(path: &str) -> PathBuf {
    match path.strip_prefix("~/") {
        Some(rest) => std::env::home_dir().unwrap_or_default().join(rest),
        None => PathBuf::from(path),
    }
}

/// The text of a config file or secret file, which has at most 16 MiB.
pub fn read_text(path: &Path) -> io::Result<String> {
    if FILE_BYTES_MAX < fs::metadata(path)?.len() {
        let message = format!("the file is larger than {FILE_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_file_is_read_and_a_missing_one_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "k-1\n").unwrap();
        assert_eq!(Host.file(path.to_str().unwrap()).unwrap(), "k-1\n");
        let missing = Host.file(folder.path().join("none").to_str().unwrap()).unwrap_err();
        assert!(missing.contains("No such file"), "{missing}");
    }

    #[test]
    fn a_file_larger_than_the_limit_is_not_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(FILE_BYTES_MAX + 1).unwrap();
        assert_eq!(read_text(file.path()).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}

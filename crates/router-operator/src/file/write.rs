//! Replacing a file at once or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Symbolic links followed at most.
const LINKS_MAX: usize = 32;

/// The file behind every symbolic link, even if it does not exist yet.
pub(super) fn behind_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(to) = fs::read_link(&path) else { break };
        path = match path.parent() {
            Some(folder) => folder.join(to),
            None => to,
        };
    }
    path
}

/// Leaves a file to its owner alone.
pub(super) fn tighten(target: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(target, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let _ = target;
    Ok(())
}

/// Files made with these options are for their owner alone.
pub(super) fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    let _ = options;
}

/// Writes a new file beside the target and puts it in its place. It belongs to whom the old one
/// belonged to, and is for its owner alone.
pub(super) fn replace(target: &Path, text: &str) -> io::Result<()> {
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    // Removed when dropped; its mode is 0600 from the start.
    let mut file =
        tempfile::Builder::new().prefix(".llm-router-").suffix(".tmp").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    #[cfg(unix)]
    keep_owner(target, file.as_file())?;
    file.as_file().sync_all()?;
    file.persist(target)?;
    #[cfg(unix)]
    fs::File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(unix)]
fn keep_owner(target: &Path, file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let Ok(old) = fs::metadata(target) else { return Ok(()) };
    let new = file.metadata()?;
    if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
        std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    Ok(())
}

//! Earlier versions of the config file, in a folder beside it.
//!
//! ```text
//! .llm-router.json
//! .llm-router.json.history/   mode 0700
//!     0007.json               before the last edit, 0006.json before the one before it
//!     undone-0001.json        what the last undo took away
//!     lock
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Versions kept in each direction; the oldest ones go.
pub const BACKUPS_MAX: usize = 20;

/// Which way to go through the versions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// To what was there before the last edit.
    Back,
    /// To what the last undo took away.
    Forth,
}

impl Direction {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Back => "",
            Self::Forth => "undone-",
        }
    }

    /// The other way.
    pub(super) const fn back(self) -> Self {
        match self {
            Self::Back => Self::Forth,
            Self::Forth => Self::Back,
        }
    }
}

fn folder_path(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".history");
    target.with_file_name(name)
}

/// The folder, made if need be.
pub(super) fn folder(target: &Path) -> io::Result<PathBuf> {
    let folder = folder_path(target);
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder)?;
    Ok(folder)
}

/// Versions of a direction with their numbers, oldest first.
fn versions(target: &Path, direction: Direction) -> io::Result<Vec<(u64, PathBuf)>> {
    let entries = match fs::read_dir(folder_path(target)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut out = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix(direction.prefix()).and_then(|n| n.strip_suffix(".json"));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            out.push((number, path));
        }
    }
    out.sort();
    Ok(out)
}

/// The newest version of a direction, and its text.
pub(super) fn newest(target: &Path, direction: Direction) -> io::Result<Option<(PathBuf, String)>> {
    let Some((_, path)) = versions(target, direction)?.pop() else { return Ok(None) };
    let text = fs::read_to_string(&path)?;
    Ok(Some((path, text)))
}

/// Keeps a text that an edit replaces. What was undone before can no longer be brought back.
pub(super) fn keep(target: &Path, text: &str) -> io::Result<PathBuf> {
    for (_, undone) in versions(target, Direction::Forth)? {
        fs::remove_file(undone)?;
    }
    keep_for(target, text, Direction::Back)
}

/// Keeps a text in one direction.
pub(super) fn keep_for(target: &Path, text: &str, direction: Direction) -> io::Result<PathBuf> {
    let folder = folder(target)?;
    let mut kept = versions(target, direction)?;
    let number = kept.last().map_or(1, |(number, _)| number.saturating_add(1));
    let path = folder.join(format!("{}{number:04}.json", direction.prefix()));
    super::write::replace(&path, text)?;
    let surplus = kept.len().saturating_add(1).saturating_sub(BACKUPS_MAX);
    for (_, oldest) in kept.drain(..surplus.min(kept.len())) {
        fs::remove_file(oldest)?;
    }
    Ok(path)
}

//! The files of a module's folder, for the build script and for its test.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Folders below a module's at most.
const DEPTH_MAX: usize = 8;

/// Every file below `folder`, by the name its manifest calls it: with `/` between folders.
pub(crate) fn files(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    collect(folder, "", DEPTH_MAX, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(
    folder: &Path,
    prefix: &str,
    depth: usize,
    found: &mut Vec<(String, PathBuf)>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type()?;
        if kind.is_dir() && 0 < depth {
            collect(&entry.path(), &format!("{name}/"), depth - 1, found)?;
        } else if kind.is_file() {
            found.push((name, entry.path()));
        }
    }
    Ok(())
}

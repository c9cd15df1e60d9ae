//! Replacing the program, and going back.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::UpdateError;

/// How long a program may take to say its version.
const VERSION_MAX: Duration = Duration::from_secs(10);
/// Time between two looks at a process.
const POLL: Duration = Duration::from_millis(10);

/// What stands where now.
#[derive(Clone, Debug)]
pub struct Swapped {
    /// The program.
    pub program: PathBuf,
    /// The one before.
    pub previous: PathBuf,
    /// What the program says it is.
    pub version: String,
}

/// Where the earlier program is kept.
pub fn previous(program: &Path) -> PathBuf {
    let mut name = program.as_os_str().to_owned();
    name.push(".previous");
    name.into()
}

/// Puts `new` in the place of `program`, at once, and keeps the old one beside it. The new one is
/// run first: it must say that it is `version`.
pub fn swap(program: &Path, new: &[u8], version: &str) -> Result<Swapped, UpdateError> {
    // The file itself, behind every link.
    let program = fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
    let folder = program.parent().unwrap_or_else(|| Path::new("."));
    // Named, closed and then run: a file that is open for writing cannot be.
    let trial = folder.join(format!(".llm-router-{}", std::process::id()));
    let placed = try_swap(&program, &trial, new, version);
    if placed.is_err() {
        let _ = fs::remove_file(&trial);
    }
    let previous = placed?;
    Ok(Swapped { program, previous, version: version.to_owned() })
}

/// Writes `new` to `trial`, tries it, and renames it. Returns where the old program is kept.
fn try_swap(
    program: &Path,
    trial: &Path,
    new: &[u8],
    version: &str,
) -> Result<PathBuf, UpdateError> {
    let cannot = |error| UpdateError::File { path: program.to_owned(), error };
    write(trial, new, program).map_err(cannot)?;
    match said_version(trial) {
        Ok(said) if said == version => {}
        Ok(said) => {
            return Err(UpdateError::Broken(format!("it says it is `{said}`, not {version}")));
        }
        Err(error) => return Err(UpdateError::Broken(error.to_string())),
    }
    let previous = previous(program);
    keep(program, &previous).and_then(|()| fs::rename(trial, program)).map_err(cannot)?;
    Ok(previous)
}

/// Brings the earlier program back; the present one becomes the earlier one.
pub fn rollback(program: &Path) -> Result<Swapped, UpdateError> {
    let program = fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
    let previous = previous(&program);
    if !previous.exists() {
        return Err(UpdateError::NoPrevious(previous));
    }
    let version =
        said_version(&previous).map_err(|error| UpdateError::Broken(error.to_string()))?;
    let cannot = |error| UpdateError::File { path: program.clone(), error };
    let aside = program.with_file_name(format!(".llm-router-{}", std::process::id()));
    fs::hard_link(&program, &aside).map_err(cannot)?;
    fs::rename(&previous, &program).map_err(cannot)?;
    fs::rename(&aside, &previous).map_err(cannot)?;
    Ok(Swapped { program, previous, version })
}

fn write(path: &Path, new: &[u8], like: &Path) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(new)?;
    file.set_permissions(fs::metadata(like)?.permissions())?;
    file.sync_all()
}

/// Makes `previous` the program that is there now, without a moment at which there is none.
fn keep(program: &Path, previous: &Path) -> io::Result<()> {
    match fs::remove_file(previous) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::hard_link(program, previous)
}

/// What `program --version` says behind the name.
fn said_version(program: &Path) -> io::Result<String> {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let deadline = Instant::now() + VERSION_MAX;
    while child.try_wait()?.is_none() {
        if deadline < Instant::now() {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not say its version"));
        }
        thread::sleep(POLL);
    }
    let said = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    Ok(said.trim().trim_start_matches("llm-router").trim().to_owned())
}

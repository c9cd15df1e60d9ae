//! Running routers: which there are, and what can be said to them.
//!
//! Every running router has a file in `~/.llm-router/instances`, readable by its owner only. It
//! names the process, where it serves, and where it listens for commands on this machine, with the
//! token that they must present. So a command never has to trust a process id: whoever answers
//! with the token is the router, and a signal is sent only to a process that also started at the
//! recorded time.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use router_config::Secret;
use serde::{Deserialize, Serialize};

pub mod ask;
pub mod holder;
pub mod launch;
pub mod log;
mod older;
pub mod process;
pub mod stop;
pub mod succession;

/// The name of an instance that was given none.
pub const DEFAULT_NAME: &str = "default";
/// Characters of a name at most.
const NAME_CHARS_MAX: usize = 64;
/// Bytes of an instance file at most.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A router that runs, or ran until its machine or itself was killed.
#[derive(Clone, Debug)]
pub struct Instance {
    /// What the operator calls it.
    pub name: String,
    /// Everything else.
    pub facts: Facts,
}

/// What an instance file holds.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// The process.
    pub pid: u32,
    /// When that process started, in the words of the system; see [`process::started`].
    pub process_start: Option<String>,
    /// Where clients are served.
    pub address: SocketAddr,
    /// Where operators are served, if they are.
    pub admin_address: Option<SocketAddr>,
    /// Where commands on this machine are heard; the older program has no such place.
    pub control: Option<Control>,
    /// The config file; absent for the built-in demo.
    pub config_path: Option<PathBuf>,
    /// The router's version.
    pub version: String,
    /// The program that runs.
    pub program: Option<PathBuf>,
    /// Who starts it again: `systemd`, `launchd` and the like.
    pub managed_by: Option<String>,
    /// Whether clients must present a key.
    #[serde(default)]
    pub requires_auth: bool,
    /// The file it logs to, if it logs to one of its own.
    pub log: Option<PathBuf>,
    /// When it began to serve, as RFC 3339.
    pub started_at: String,
}

/// Where commands on this machine are heard, and what they present.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Control {
    /// A loopback address.
    pub address: SocketAddr,
    /// The token.
    #[serde(serialize_with = "expose", deserialize_with = "secret")]
    pub token: Secret,
}

/// The file is as private as the token.
fn expose<S: serde::Serializer>(token: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(token.expose())
}

fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

impl Control {
    /// A new token: 256 bits from the system.
    pub fn token() -> io::Result<Secret> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Secret::new(digits.concat()))
    }
}

impl Instance {
    /// Whether the recorded process still runs; another one with its number does not count.
    pub fn is_alive(&self) -> bool {
        match &self.facts.process_start {
            Some(start) => process::started(self.facts.pid).as_ref() == Some(start),
            // A system that does not tell when processes started: ask the router itself.
            None => self.facts.control.as_ref().is_some_and(ask::accepts),
        }
    }

    /// Base URL for clients on this machine.
    pub fn url(&self) -> String {
        format!("http://{}", reachable(self.facts.address))
    }
}

/// The address as a client on this machine can use it.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let loopback =
            if address.is_ipv4() { [127, 0, 0, 1].into() } else { [0, 0, 0, 0, 0, 0, 0, 1].into() };
        return SocketAddr::new(loopback, address.port());
    }
    address
}

/// The instance files of a home directory.
#[derive(Clone, Debug)]
pub struct Instances {
    folder: PathBuf,
    older: PathBuf,
}

impl Instances {
    /// Those of `home`.
    pub fn new(home: &Path) -> Self {
        Self {
            folder: home.join(".llm-router").join("instances"),
            older: home.join(".llm-router.runtime.json"),
        }
    }

    /// Every instance that runs, by name. Files of those that do not are removed; a file that
    /// cannot be read is passed over.
    pub fn live(&self) -> Vec<Instance> {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut found: Vec<_> = files
            .filter_map(|file| {
                let name = file.file_name().into_string().ok()?;
                self.get(name.strip_suffix(".json")?)
            })
            .collect();
        found.retain(|instance| {
            let alive = instance.is_alive();
            if !alive {
                self.remove(&instance.name, instance.facts.pid);
            }
            alive
        });
        found.extend(older::read(&self.older));
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// What the file of `name` says, whether or not it runs.
    pub fn get(&self, name: &str) -> Option<Instance> {
        let path = self.path(name);
        let small = fs::metadata(&path).is_ok_and(|meta| meta.len() <= FILE_BYTES_MAX);
        let text = if small { fs::read(&path).ok()? } else { return None };
        Some(Instance { name: name.to_owned(), facts: serde_json::from_slice(&text).ok()? })
    }

    /// The instance that process `pid` has written a file for.
    pub fn of_process(&self, pid: u32) -> Option<Instance> {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut names = files.filter_map(|file| file.file_name().into_string().ok());
        names.find_map(|name| {
            self.get(name.strip_suffix(".json")?).filter(|instance| instance.facts.pid == pid)
        })
    }

    /// Writes the file of an instance, so that it is there whole or not at all.
    pub fn write(&self, instance: &Instance) -> io::Result<()> {
        create_private_folder(&self.folder)?;
        let path = self.path(&instance.name);
        let fresh = self.folder.join(format!(".{}.{}", instance.name, instance.facts.pid));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&fresh)?;
        file.write_all(&serde_json::to_vec_pretty(&instance.facts)?)?;
        drop(file);
        fs::rename(fresh, path)
    }

    /// Removes the file of `name` if it is still that of process `pid`, and the folder when it was
    /// the last one.
    pub fn remove(&self, name: &str, pid: u32) {
        if self.get(name).is_some_and(|instance| instance.facts.pid == pid) {
            let _ = fs::remove_file(self.path(name));
        }
        let _ = fs::remove_dir(&self.folder);
    }

    /// Where the log of `name` is when it runs in the background.
    pub fn log_path(&self, name: &str) -> PathBuf {
        self.folder.with_file_name("logs").join(format!("{name}.log"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }
}

/// Makes a folder that only its owner can look into.
pub(crate) fn create_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Checks what an operator wants to call an instance: it becomes a file name.
pub fn check_name(name: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || NAME_CHARS_MAX < name.len() || name.starts_with('.') {
        return Err(format!("expected 1 to {NAME_CHARS_MAX} characters, the first not a dot"));
    }
    match name.chars().find(|c| !allowed(*c)) {
        Some(c) => Err(format!("`{c}` cannot be in a name; use letters, digits, `-`, `_` and `.`")),
        None => Ok(name.to_owned()),
    }
}

/// Why no single instance is meant.
#[derive(Debug, thiserror::Error)]
pub enum ChooseError {
    /// Nothing runs.
    #[error("no router is running")]
    None,
    /// Nothing runs under the name.
    #[error("no router called `{name}` is running")]
    Unknown {
        /// The name asked for.
        name: String,
        /// Those that run.
        running: Vec<String>,
    },
    /// Several run, and none is called `default`.
    #[error("several routers are running: {}", .running.join(", "))]
    Several {
        /// Their names.
        running: Vec<String>,
    },
}

/// The instance called `name`; without a name the only one.
pub fn choose(mut live: Vec<Instance>, name: Option<&str>) -> Result<Instance, ChooseError> {
    let running: Vec<_> = live.iter().map(|each| each.name.clone()).collect();
    if let Some(name) = name {
        let found = live.into_iter().find(|each| each.name == name);
        return found.ok_or_else(|| ChooseError::Unknown { name: name.to_owned(), running });
    }
    match (live.pop(), live.is_empty()) {
        (None, _) => Err(ChooseError::None),
        (Some(only), true) => Ok(only),
        (Some(_), false) => Err(ChooseError::Several { running }),
    }
}

#[cfg(test)]
mod tests;

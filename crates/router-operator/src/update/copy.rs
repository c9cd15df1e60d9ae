//! How a copy of the program was installed, and what upgrades it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A copy of the program.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Copy {
    /// The file itself, behind every link.
    pub program: PathBuf,
    /// Who put it there.
    pub origin: Origin,
    /// The command that upgrades it; `None` if it can only be swapped.
    pub upgrade: Option<String>,
}

/// Who put a copy where it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// Cargo, from a registry, a repository or a folder.
    Cargo,
    /// A package of the system or of a package manager, by its name.
    Package(&'static str),
    /// A build in its own source tree.
    Build,
    /// Nobody who would upgrade it: a downloaded program.
    Release,
}

impl Origin {
    /// One word for programs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Cargo => "cargo",
            Self::Package(manager) => manager,
            Self::Build => "build",
            Self::Release => "release",
        }
    }
}

/// Package managers that are asked whose file the program is: a question that prints the package's
/// name, and what upgrades it.
const MANAGERS: &[(&str, &[&str], &str)] = &[
    ("dpkg", &["dpkg-query", "-S"], "sudo apt-get install --only-upgrade"),
    ("rpm", &["rpm", "-qf", "--queryformat", "%{NAME}"], "sudo dnf upgrade"),
    ("pacman", &["pacman", "-Qqo"], "sudo pacman -Syu"),
    ("apk", &["apk", "info", "--who-owns", "-q"], "sudo apk upgrade"),
];

/// Finds out about `program`; `cargo` is Cargo's home directory.
pub fn copy(program: &Path, cargo: Option<&Path>) -> Copy {
    let program = fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
    let (origin, upgrade) = by_cargo(&program, cargo)
        .map(|command| (Origin::Cargo, Some(command)))
        .or_else(|| by_folder(&program))
        .or_else(|| by_manager(&program))
        .unwrap_or((Origin::Release, None));
    Copy { program, origin, upgrade }
}

/// Cargo lists what it has installed in `.crates.toml`.
fn by_cargo(program: &Path, cargo: Option<&Path>) -> Option<String> {
    let cargo = fs::canonicalize(cargo?).ok()?;
    if program.parent()? != cargo.join("bin") {
        return None;
    }
    let list = fs::read_to_string(cargo.join(".crates.toml")).unwrap_or_default();
    let binary = format!("\"{}\"", program.file_name()?.to_string_lossy());
    let line = list.lines().find(|line| line.contains(&binary)).unwrap_or_default();
    // "NAME VERSION (SOURCE)" = ["BINARY"]
    let mut words = line.trim_start_matches('"').split(' ');
    let name = words.next().filter(|name| !name.is_empty()).unwrap_or("llm-router");
    let source = line.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|it| it.0);
    Some(match source.unwrap_or_default() {
        source if source.starts_with("git+") => {
            let url = source.trim_start_matches("git+");
            let url = url.split(['#', '?']).next().unwrap_or(url);
            format!("cargo install --locked --git {url} {name}")
        }
        source if source.starts_with("path+file://") => {
            let path = source.trim_start_matches("path+file://");
            format!("cargo install --locked --path {path}")
        }
        _ => format!("cargo install --locked {name}"),
    })
}

fn by_folder(program: &Path) -> Option<(Origin, Option<String>)> {
    let text = program.to_string_lossy();
    let build = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    if let Some(tree) = build.and_then(Path::parent).filter(|tree| tree.join("Cargo.toml").exists())
    {
        let command = format!("cd {} && git pull && cargo build --release", tree.display());
        return Some((Origin::Build, Some(command)));
    }
    for (part, manager, command) in [
        ("/Cellar/", "brew", "brew upgrade llm-router"),
        ("/nix/store/", "nix", "nix profile upgrade llm-router"),
        ("/snap/", "snap", "sudo snap refresh llm-router"),
        ("/node_modules/", "npm", "npm install --global llm-router@latest"),
    ] {
        if text.contains(part) {
            return Some((Origin::Package(manager), Some(command.to_owned())));
        }
    }
    None
}

fn by_manager(program: &Path) -> Option<(Origin, Option<String>)> {
    MANAGERS.iter().find_map(|(manager, question, upgrade)| {
        let (tool, arguments) = question.split_first()?;
        let mut command = Command::new(tool);
        command.args(arguments).arg(program).stdin(Stdio::null()).stderr(Stdio::null());
        let output = command.output().ok().filter(|output| output.status.success())?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        // `dpkg-query` prints `PACKAGE: FILE`.
        let package = said.split([':', '\n', ' ']).next().unwrap_or_default().trim();
        let upgrade = (!package.is_empty()).then(|| format!("{upgrade} {package}"))?;
        Some((Origin::Package(manager), Some(upgrade)))
    })
}

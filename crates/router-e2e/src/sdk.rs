//! The official SDKs as clients: scripts in `sdk/`, run by their own interpreters.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs `sdk/NAME` against `base`, the router's address without a path. The script exits with 0
/// if everything it claims holds, and prints what does not.
pub fn run(name: &str, base: &str) -> Result<()> {
    output(name, base, &[]).map(drop)
}

/// Runs a script with further arguments and returns what it prints.
pub fn output(name: &str, base: &str, arguments: &[&str]) -> Result<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk");
    let script = folder.join(name);
    let is_python = script.extension().is_some_and(|ending| ending == "py");
    let interpreter =
        if is_python { folder.join(".venv/bin/python") } else { PathBuf::from("node") };
    if is_python && !interpreter.exists() {
        bail!("the Python SDKs are not installed; `cargo x test` installs them");
    }
    let output = Command::new(&interpreter)
        .arg(&script)
        .arg(base)
        .args(arguments)
        .current_dir(&folder)
        .stdin(Stdio::null())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .with_context(|| format!("cannot run {}", interpreter.display()))?;
    if !output.status.success() {
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{name} failed ({}):\n{out}\n{err}", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

//! With the feature `embed-worker`, puts the module that `cargo x worker` built into the program.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

#[path = "build/files.rs"]
mod files;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-env-changed=LLM_ROUTER_WORKER_DIR");
    if env::var_os("CARGO_FEATURE_EMBED_WORKER").is_none() {
        return Ok(());
    }
    let here = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let folder = env::var_os("LLM_ROUTER_WORKER_DIR").map(PathBuf::from);
    let folder = here.join(folder.unwrap_or_else(|| Path::new("../../target/worker").to_owned()));
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut list = "&[\n".to_owned();
    for (name, path) in files::files(&folder).map_err(|error| missing(&folder, &error))? {
        let path = path.canonicalize()?;
        let path = path.display().to_string();
        let _ = writeln!(list, "({name:?}, include_bytes!({path:?}).as_slice()),");
    }
    list.push(']');
    let out = env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    fs::write(out.join("embedded.rs"), list)
}

fn missing(folder: &Path, error: &io::Error) -> io::Error {
    let folder = folder.display();
    io::Error::other(format!("no module in {folder} ({error}); run `cargo x worker` first"))
}

//! The Worker's module: built, bound to JavaScript, and described for who uploads it.
//!
//! ```text
//!   cargo build --profile edge --target wasm32  ->  wasm-bindgen (as a library)
//!   target/worker/{index.mjs, glue.mjs, index_bg.js, index_bg.wasm, manifest.json}
//! ```

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use wasm_bindgen_cli_support::Bindgen;

use crate::shell::{self, root, say};
use crate::{tools, wasm};

/// The day whose behaviour of the platform the Worker is built for.
const COMPATIBILITY_DATE: &str = "2026-01-01";
/// The Durable Object's class, and the binding it is reached by.
const OBJECT: (&str, &str) = ("PROVIDERS", "ProviderState");
/// The type of parts in JavaScript.
const JS: &str = "application/javascript+module";
/// Compressed bytes of all parts at most: the free plan takes 3 MB, and less starts faster.
const COMPRESSED_BYTES_MAX: usize = 1_000_000;

/// Builds the module into `target/worker`.
pub(crate) fn run() -> Result<()> {
    tools::wasm_target()?;
    shell::run(
        "cargo",
        &[
            "build",
            "-p",
            "router-worker",
            "--lib",
            "--locked",
            "--profile",
            "edge",
            "--target",
            wasm::TARGET,
        ],
    )?;
    let built = root().join("target").join(wasm::TARGET).join("edge/router_worker.wasm");
    let folder = folder();
    fs::create_dir_all(&folder)?;
    let parts = bind(&built, &folder)?;
    for name in ["index.mjs", "glue.mjs"] {
        let glue = root().join("crates/router-worker/src").join(name);
        fs::copy(&glue, folder.join(name)).context("cannot copy the glue")?;
    }
    let size = compressed(&folder, &parts)?;
    describe(&folder, &parts, size)?;
    say(&format!("target/worker: {size} bytes compressed"));
    if size > COMPRESSED_BYTES_MAX {
        bail!("the Worker is larger than {COMPRESSED_BYTES_MAX} bytes compressed");
    }
    Ok(())
}

/// Where the module is put.
pub(crate) fn folder() -> PathBuf {
    root().join("target/worker")
}

/// A part's name and type.
type Part = (String, &'static str);

/// Writes `index_bg.js`, `index_bg.wasm` and the pieces of JavaScript that crates bring; returns
/// all parts, the main one first.
fn bind(built: &Path, folder: &Path) -> Result<Vec<Part>> {
    let mut output = Bindgen::new()
        .input_path(built)
        .out_name("index")
        .web(true)?
        .omit_default_module_path(true)
        .reset_state_function(true)
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate_output()
        .context("cannot bind the module")?;
    fs::write(folder.join("index_bg.js"), output.js())?;
    let mut parts =
        ["index.mjs", "glue.mjs", "index_bg.js"].map(|name| (name.to_owned(), JS)).to_vec();
    for (of, pieces) in output.snippets() {
        for (index, piece) in pieces.iter().enumerate() {
            let name = format!("snippets/{of}/inline{index}.js");
            let path = folder.join(&name);
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            fs::write(path, piece)?;
            parts.push((name, JS));
        }
    }
    fs::write(folder.join("index_bg.wasm"), output.wasm_mut().emit_wasm())?;
    parts.push(("index_bg.wasm".to_owned(), "application/wasm"));
    Ok(parts)
}

/// Bytes of all parts together, compressed as an upload is.
fn compressed(folder: &Path, parts: &[Part]) -> Result<usize> {
    let mut size = 0;
    for (name, _) in parts {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&fs::read(folder.join(name))?)?;
        size += encoder.finish()?.len();
    }
    Ok(size)
}

/// Writes what an upload has to say about the parts.
fn describe(folder: &Path, parts: &[Part], size: usize) -> Result<()> {
    let (binding, class) = OBJECT;
    let modules = parts.iter();
    let modules =
        modules.map(|(name, content_type)| json!({ "name": name, "contentType": content_type }));
    let modules: Vec<_> = modules.collect();
    let manifest = json!({
        "mainModule": "index.mjs",
        "modules": modules,
        "compatibilityDate": COMPATIBILITY_DATE,
        "compatibilityFlags": ["enable_request_signal"],
        "durableObjects": [{ "binding": binding, "className": class }],
        "migrations": [{ "tag": "v1", "newSqliteClasses": [class] }],
        "compressedBytes": size,
    });
    fs::write(folder.join("manifest.json"), format!("{manifest:#}\n"))?;
    Ok(())
}

//! The Worker's code: ES modules and a manifest, as `cargo x worker` writes them.

use std::fs;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use router_operator::Failure;
use serde::Deserialize;

use crate::marker;

/// Name of the manifest in a module's folder.
const MANIFEST: &str = "manifest.json";
/// Bytes of one file at most: ten times what a Worker may have.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Files of a module at most.
const PARTS_MAX: usize = 64;

/// A module ready to be uploaded.
#[derive(Clone, Debug)]
pub struct Module {
    /// Where it comes from, for people.
    pub source: String,
    /// Its files.
    pub parts: Vec<Part>,
    pub(crate) manifest: Manifest,
}

/// One file of a module.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Part {
    /// Its name, as other parts import it.
    pub name: String,
    /// Such as `application/wasm`.
    pub content_type: String,
    /// Its content.
    pub content: Bytes,
}

/// What `manifest.json` says.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    /// Name of the part that exports the handlers.
    pub(crate) main_module: String,
    /// The parts.
    pub(crate) modules: Vec<Entry>,
    /// Day whose behaviour of the platform the module is built for.
    pub(crate) compatibility_date: String,
    #[serde(default)]
    pub(crate) compatibility_flags: Vec<String>,
    /// Durable Object classes and the bindings they are reached by.
    #[serde(default)]
    pub(crate) durable_objects: Vec<Object>,
    /// Migrations in order, the newest last.
    #[serde(default)]
    pub(crate) migrations: Vec<Migration>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) content_type: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Object {
    /// Name of the binding.
    #[serde(alias = "name")]
    pub(crate) binding: String,
    pub(crate) class_name: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Migration {
    pub(crate) tag: String,
    #[serde(default)]
    pub(crate) new_sqlite_classes: Vec<String>,
}

impl Module {
    /// The module inside this program, if it was built with one.
    pub fn embedded() -> Option<Result<Self, Failure>> {
        let files = embedded::files()?;
        let read = |name: &str| {
            let file = files.iter().find(|(file, _)| *file == name);
            file.map(|(_, content)| Bytes::from_static(content))
                .ok_or_else(|| "it is missing".to_owned())
        };
        Some(Self::assemble("built in", read))
    }

    /// Reads the folder that `cargo x worker` wrote.
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        Self::assemble(&folder.display().to_string(), |name| read_file(folder, name))
    }

    fn assemble(
        source: &str,
        read: impl Fn(&str) -> Result<Bytes, String>,
    ) -> Result<Self, Failure> {
        let bad = |what: String| {
            Failure::input(format!("the module ({source}) cannot be used: {what}"))
                .hint("`cargo x worker` writes one to target/worker")
        };
        let text = read(MANIFEST).map_err(|error| bad(format!("{MANIFEST}: {error}")))?;
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|error| bad(format!("{MANIFEST}: {error}")))?;
        if manifest.modules.len() > PARTS_MAX {
            return Err(bad(format!("it has more than {PARTS_MAX} files")));
        }
        let mut parts = Vec::new();
        for Entry { name, content_type } in &manifest.modules {
            let content = read(name).map_err(|error| bad(format!("{name}: {error}")))?;
            let (name, content_type) = (name.clone(), content_type.clone());
            parts.push(Part { name, content_type, content });
        }
        if parts.iter().all(|part| part.name != manifest.main_module) {
            return Err(bad(format!("{MANIFEST} does not list {}", manifest.main_module)));
        }
        Ok(Self { source: source.to_owned(), parts, manifest })
    }

    /// Bytes of all parts.
    pub fn size(&self) -> usize {
        self.parts.iter().map(|part| part.content.len()).sum()
    }

    /// Bytes of all parts compressed, which is what plans limit.
    pub fn compressed_size(&self) -> Result<usize, Failure> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let written = self.parts.iter().try_for_each(|part| encoder.write_all(&part.content));
        let compressed = written.and_then(|()| encoder.finish());
        let fault =
            |error: io::Error| Failure::failed(format!("cannot compress the module: {error}"));
        compressed.map(|bytes| bytes.len()).map_err(fault)
    }

    /// What the module is recognised by.
    pub fn fingerprint(&self) -> String {
        let parts = self.parts.iter().flat_map(|part| [part.name.as_bytes(), &*part.content]);
        marker::fingerprint(parts, 8)
    }
}

fn read_file(folder: &Path, name: &str) -> Result<Bytes, String> {
    let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if !inside || name.is_empty() {
        return Err("it is not a file of the folder".to_owned());
    }
    let path: PathBuf = folder.join(name);
    let read = || -> io::Result<Bytes> {
        if fs::metadata(&path)?.len() > FILE_BYTES_MAX {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        fs::read(&path).map(Bytes::from)
    };
    read().map_err(|error| error.to_string())
}

mod embedded {
    //! The files that `build.rs` found.

    #[cfg(feature = "embed-worker")]
    pub(super) const fn files() -> Option<&'static [(&'static str, &'static [u8])]> {
        const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
        Some(FILES)
    }

    #[cfg(not(feature = "embed-worker"))]
    pub(super) const fn files() -> Option<&'static [(&'static str, &'static [u8])]> {
        None
    }
}

#[cfg(test)]
#[path = "../build/files.rs"]
mod files;

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{
      "mainModule": "index.js",
      "modules": [{ "name": "index.js", "contentType": "application/javascript+module" }],
      "compatibilityDate": "2026-01-01",
      "durableObjects": [{ "binding": "STATE", "className": "State" }],
      "migrations": [{ "tag": "v1", "newSqliteClasses": ["State"] }]
    }"#;

    fn read(manifest: &str, files: &[(&str, &str)]) -> Result<Module, Failure> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(MANIFEST), manifest).unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        Module::read(folder.path())
    }

    #[test]
    fn a_folder_becomes_a_module_that_its_content_identifies() {
        let one = read(JSON, &[("index.js", "export default {}")]).unwrap();
        let other = read(JSON, &[("index.js", "export default { }")]).unwrap();
        assert_eq!((one.size(), one.parts.len()), (17, 1));
        assert_ne!(one.fingerprint(), other.fingerprint());
        assert!(one.compressed_size().unwrap() > 17);
    }

    #[test]
    fn what_a_module_lacks_is_named_and_nothing_outside_its_folder_is_read() {
        let missing = read(JSON, &[]).unwrap_err();
        assert!(missing.message.contains("index.js"), "{missing}");
        assert!(read("{", &[]).unwrap_err().message.contains("manifest.json"));
        let outside = JSON.replace("\"index.js\"", "\"../secret\"");
        assert!(read(&outside, &[]).unwrap_err().message.contains("not a file of the folder"));
    }

    #[test]
    fn what_is_built_in_has_the_names_of_the_manifest_in_subfolders_too() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("snippets/a-1")).unwrap();
        for name in ["manifest.json", "index.mjs", "snippets/a-1/inline0.js"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let found = files::files(folder.path()).unwrap();
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["index.mjs", "manifest.json", "snippets/a-1/inline0.js"]);
        for (name, path) in found {
            assert_eq!(fs::read_to_string(path).unwrap(), name);
        }
    }

    /// With the feature alone: the program carries what the folder holds.
    #[cfg(feature = "embed-worker")]
    #[test]
    fn what_is_built_in_is_the_worker_that_was_built() {
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/worker");
        let (read, carried) = (Module::read(&built).unwrap(), Module::embedded().unwrap().unwrap());
        assert_eq!(carried.parts, read.parts);
        assert_eq!(carried.fingerprint(), read.fingerprint());
    }
}

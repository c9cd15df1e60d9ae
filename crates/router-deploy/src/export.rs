//! Writing down what a deploy would upload, for those who use Wrangler.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use router_operator::Failure;
use serde_json::{Map, Value};

use crate::Target;
use crate::payload::{self, Rendered, Store};
use crate::plan::{KeySource, Request};

/// Files that were written.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Exported {
    /// Each file, in the order they were written.
    pub files: Vec<PathBuf>,
    /// Bytes of the file with the secrets.
    pub secret_bytes: usize,
}

/// Writes the Worker's secrets as one JSON object of names and values, readable by its owner
/// alone: what `wrangler secret bulk` and `wrangler deploy --secrets-file` take.
pub fn export_payload(request: &Request, file: &Path) -> Result<Exported, Failure> {
    if request.payload.store == Store::Kv {
        return Err(Failure::input("Wrangler's files have the config in secrets, not in KV")
            .hint("leave --config-store out"));
    }
    let text = secrets_text(request)?;
    write_private(file, text.as_bytes())?;
    Ok(Exported { files: vec![file.to_owned()], secret_bytes: text.len() })
}

/// Writes a Wrangler project into `folder`: `wrangler.toml`, the module, `secrets.json` (mode
/// 0600) and a `.gitignore` that names it. Files that are there are only replaced if `replace`.
pub fn export_project(
    request: &Request,
    folder: &Path,
    replace: bool,
) -> Result<Exported, Failure> {
    let module = &request.module;
    let toml = folder.join("wrangler.toml");
    if toml.exists() && !replace {
        return Err(Failure::input(format!("{} exists", toml.display()))
            .hint("name another folder with --out, or add --yes to replace it"));
    }
    let code = folder.join("worker");
    make_folder(&code)?;
    let mut exported = Exported::default();
    for part in &module.parts {
        let file = code.join(&part.name);
        if let Some(parent) = file.parent() {
            make_folder(parent)?;
        }
        fs::write(&file, &part.content).map_err(|error| unwritable(&file, &error))?;
        exported.files.push(file);
    }
    let ignore = folder.join(".gitignore");
    for (file, text) in
        [(toml, wrangler_toml(request)), (ignore, "secrets.json\n.wrangler/\n".to_owned())]
    {
        fs::write(&file, text).map_err(|error| unwritable(&file, &error))?;
        exported.files.push(file);
    }
    let secrets = export_payload(request, &folder.join("secrets.json"))?;
    exported.secret_bytes = secrets.secret_bytes;
    exported.files.extend(secrets.files);
    Ok(exported)
}

fn secrets_text(request: &Request) -> Result<String, Failure> {
    let with_key = matches!(request.key, KeySource::Config);
    let Rendered { secrets, .. } = request.payload.render(with_key)?;
    let mut out = Map::new();
    if let KeySource::Set(key) = &request.key {
        out.insert(payload::MASTER_KEY.to_owned(), key.expose().into());
    }
    out.extend(secrets.iter().map(|(name, secret)| (name.clone(), secret.expose().into())));
    let text = serde_json::to_string_pretty(&Value::Object(out));
    text.map(|text| text + "\n").map_err(|error| Failure::failed(error.to_string()))
}

/// A project that `wrangler deploy --secrets-file secrets.json` deploys as this program would.
fn wrangler_toml(request: &Request) -> String {
    let manifest = &request.module.manifest;
    let quoted = |text: &str| Value::from(text).to_string();
    let mut out = format!(
        "# Deploy with: wrangler deploy --secrets-file secrets.json\n\
         name = {}\n\
         main = {}\n\
         compatibility_date = {}\n\
         no_bundle = true\n\
         find_additional_modules = true\n\
         base_dir = \"worker\"\n\
         workers_dev = {}\n\
         preview_urls = false\n",
        quoted(&request.name),
        quoted(&format!("worker/{}", manifest.main_module)),
        quoted(&manifest.compatibility_date),
        request.target.workers_dev,
    );
    if !manifest.compatibility_flags.is_empty() {
        let flags: Vec<String> = manifest.compatibility_flags.iter().map(|f| quoted(f)).collect();
        let _ = writeln!(out, "compatibility_flags = [{}]", flags.join(", "));
    }
    routes(&request.target, &mut out);
    out.push_str("\n[[rules]]\ntype = \"ESModule\"\nglobs = [\"**/*.js\", \"**/*.mjs\"]\nfallthrough = false\n");
    if !request.vars.is_empty() {
        out.push_str("\n[vars]\n");
        for (name, text) in &request.vars {
            let _ = writeln!(out, "{} = {}", quoted(name), quoted(text));
        }
    }
    for object in &manifest.durable_objects {
        let (name, class) = (quoted(&object.binding), quoted(&object.class_name));
        let _ =
            write!(out, "\n[[durable_objects.bindings]]\nname = {name}\nclass_name = {class}\n");
    }
    for migration in &manifest.migrations {
        let classes: Vec<String> = migration.new_sqlite_classes.iter().map(|c| quoted(c)).collect();
        let (tag, classes) = (quoted(&migration.tag), classes.join(", "));
        let _ = write!(out, "\n[[migrations]]\ntag = {tag}\nnew_sqlite_classes = [{classes}]\n");
    }
    out
}

fn routes(target: &Target, out: &mut String) {
    if target.routes.is_empty() && target.domains.is_empty() {
        return;
    }
    out.push_str("routes = [\n");
    let places = target.routes.iter().map(|place| (place, false));
    for (place, custom) in places.chain(target.domains.iter().map(|place| (place, true))) {
        let _ = write!(out, "  {{ pattern = {}", Value::from(place.pattern.as_str()));
        if let Some(zone) = &place.zone_name {
            let _ = write!(out, ", zone_name = {}", Value::from(zone.as_str()));
        }
        out.push_str(if custom { ", custom_domain = true },\n" } else { " },\n" });
    }
    out.push_str("]\n");
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))
}

/// Writes a file that only its owner can read, from its first byte on: a new file takes the place
/// of one that others may have open.
pub fn write_private(file: &Path, content: &[u8]) -> Result<(), Failure> {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let fresh = file.with_file_name(name);
    let write = || -> io::Result<()> {
        let _ = fs::remove_file(&fresh);
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut out = options.open(&fresh)?;
        out.write_all(content)?;
        out.sync_all()?;
        fs::rename(&fresh, file)
    };
    write().map_err(|error| unwritable(file, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {error}", path.display()))
}

//! What a `wrangler.toml` or `wrangler.json` says about name, account and target. Read, never
//! written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use router_operator::Failure;
use serde_json::Value;

use crate::payload;
use crate::target::{Place, Target};

/// The name of the Worker where nothing else says one; the older program's.
pub(crate) const NAME_DEFAULT: &str = "llm-router-route";
/// Names of the file, as Wrangler looks for them.
const FILES: [&str; 3] = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];
/// Bytes of the file at most.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Hints for a deploy.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Project {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// Name of the Worker, the environment's included.
    pub name: String,
    /// Account the file names.
    pub account_id: Option<String>,
    /// Target the file names.
    pub target: Option<Target>,
    /// Plain variables of the file.
    pub vars: BTreeMap<String, String>,
}

impl Project {
    /// Reads the file in `folder`, and in it the section of `env`. No file is no error.
    pub fn read(folder: &Path, env: Option<&str>) -> Result<Self, Failure> {
        let env = env.map(str::trim).filter(|env| !env.is_empty());
        for name in FILES {
            let file = folder.join(name);
            if let Some(document) = document(&file)? {
                return from_document(&document, env, file);
            }
        }
        if !folder.is_dir() {
            return Err(Failure::input(format!("{} is not a folder", folder.display()))
                .hint("--project-dir names the folder of wrangler.toml"));
        }
        let name =
            env.map_or_else(|| NAME_DEFAULT.to_owned(), |env| format!("{NAME_DEFAULT}-{env}"));
        Ok(Self { name, ..Self::default() })
    }
}

fn document(file: &Path) -> Result<Option<Value>, Failure> {
    let bad = |error: &dyn std::fmt::Display| {
        Failure::input(format!("cannot read {}: {error}", file.display()))
    };
    match fs::metadata(file) {
        Ok(about) if about.len() > FILE_BYTES_MAX => return Err(bad(&"it is too large")),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad(&error)),
    }
    let text = fs::read_to_string(file).map_err(|error| bad(&error))?;
    if file.extension().is_some_and(|ending| ending == "toml") {
        return toml::from_str(&text).map(Some).map_err(|error| bad(&error));
    }
    router_config::parse::json(&text).map(Some).map_err(|error| bad(&error.message))
}

fn from_document(root: &Value, env: Option<&str>, file: PathBuf) -> Result<Project, Failure> {
    let section = match env {
        None => None,
        Some(env) => {
            let found = root.get("env").and_then(|all| all.get(env));
            Some(found.ok_or_else(|| unknown_env(root, env, &file))?)
        }
    };
    let own = |name: &str| section.and_then(|section| section.get(name));
    let either = |name: &str| own(name).or_else(|| root.get(name));
    let base = root.get("name").and_then(Value::as_str).unwrap_or(NAME_DEFAULT);
    let name = match (own("name").and_then(Value::as_str), env) {
        (Some(name), _) => name.to_owned(),
        (None, Some(env)) => format!("{base}-{env}"),
        (None, None) => base.to_owned(),
    };
    // An environment is another Worker: another's routes would take them away from it.
    let target = target(section.unwrap_or(root), either("workers_dev"));
    let vars = section.unwrap_or(root).get("vars").and_then(Value::as_object);
    let vars = vars.into_iter().flatten().filter_map(|(name, value)| {
        let text = value.as_str().map(str::to_owned);
        let text =
            text.or_else(|| (value.is_number() || value.is_boolean()).then(|| value.to_string()));
        Some((name.clone(), text?))
    });
    let vars: BTreeMap<_, _> = vars.collect();
    if let Some(name) = vars.keys().find(|name| payload::is_ours(name)) {
        let what = format!("{} has the secret {name} among its plain variables", file.display());
        return Err(Failure::input(what)
            .hint("remove it there: anyone who may read the Worker's settings can read it"));
    }
    let account_id = either("account_id").and_then(Value::as_str).map(str::to_owned);
    Ok(Project { file: Some(file), name, account_id, target, vars })
}

fn unknown_env(root: &Value, env: &str, file: &Path) -> Failure {
    let known = root.get("env").and_then(Value::as_object);
    let known: Vec<_> = known.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let hint = match router_config::nearest(env, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "the file has no [env.…] section".to_owned(),
        None => format!("it has {}", known.join(", ")),
    };
    Failure::input(format!("{} has no environment `{env}`", file.display())).hint(hint)
}

fn target(section: &Value, workers_dev: Option<&Value>) -> Option<Target> {
    let mut target = Target::default();
    if let Some(on) = workers_dev.and_then(Value::as_bool) {
        target.workers_dev = on;
    }
    let many = section.get("routes").and_then(Value::as_array).into_iter().flatten();
    for route in section.get("route").into_iter().chain(many) {
        let text = |name| route.get(name).and_then(Value::as_str);
        let Some(pattern) = route.as_str().or_else(|| text("pattern")) else { continue };
        let place =
            Place { pattern: pattern.to_owned(), zone_name: text("zone_name").map(str::to_owned) };
        if route.get("custom_domain").and_then(Value::as_bool) == Some(true) {
            target.domains.push(place);
        } else {
            target.routes.push(place);
        }
    }
    (!target.is_empty()).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = r#"
name = "gateway"
account_id = "0123"
workers_dev = false
route = "top.example.com/*"

[vars]
LLM_ROUTER_ALLOWED_IPS = "10.0.0.0/8"

[env.production]
routes = [
  { pattern = "llm.example.com/*", zone_name = "example.com" },
  { pattern = "own.example.com", custom_domain = true },
]

[env.staging]
workers_dev = true
"#;

    fn read(text: &str, env: Option<&str>) -> Result<Project, Failure> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("wrangler.toml"), text).unwrap();
        let read = Project::read(folder.path(), env);
        assert_eq!(fs::read_to_string(folder.path().join("wrangler.toml")).unwrap(), text);
        read
    }

    #[test]
    fn an_environment_has_its_own_name_routes_and_variables() {
        let top = read(TOML, None).unwrap();
        assert_eq!((top.name.as_str(), top.account_id.as_deref()), ("gateway", Some("0123")));
        assert_eq!(top.target.unwrap().describe(), "route top.example.com/*");
        assert_eq!(top.vars["LLM_ROUTER_ALLOWED_IPS"], "10.0.0.0/8");
        let production = read(TOML, Some("production")).unwrap();
        assert_eq!(production.name, "gateway-production");
        let target = production.target.unwrap();
        assert_eq!(target.describe(), "route llm.example.com/*, domain own.example.com");
        assert_eq!(target.routes[0].zone_name.as_deref(), Some("example.com"));
        assert!(production.vars.is_empty());
        assert!(read(TOML, Some("staging")).unwrap().target.unwrap().workers_dev);
    }

    #[test]
    fn what_is_wrong_with_the_file_is_said() {
        let near = read(TOML, Some("prodution")).unwrap_err();
        assert_eq!(near.hint.as_deref(), Some("did you mean `production`?"));
        assert!(read("name = ", None).is_err());
        let leak = read("[vars]\nLLM_ROUTER_MASTER_KEY = \"gw_x\"\n", None).unwrap_err();
        assert!(leak.message.contains("LLM_ROUTER_MASTER_KEY") && !leak.message.contains("gw_x"));
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Project::read(folder.path(), Some("eu")).unwrap().name, "llm-router-route-eu");
        assert!(Project::read(&folder.path().join("gone"), None).is_err());
    }
}

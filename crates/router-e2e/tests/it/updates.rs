//! Upgrading a copy of the program from an index, and the ways that goes wrong.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use router_e2e::origin::answer;
use router_e2e::{Origin, router};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A copy of the program, and an index that it is told of.
struct Copy {
    folder: TempDir,
    index: Arc<Mutex<Value>>,
    origin: Origin,
}

impl Copy {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("bin"))?;
        let program = folder.path().join("bin/llm-router");
        std::fs::copy(router::binary()?, program)?;
        crate::processes::other_version(&folder.path().join("new"), "99.0.0")?;
        let new = std::fs::read(folder.path().join("new"))?;
        let index = Arc::new(Mutex::new(Value::Null));
        let told = Arc::clone(&index);
        let origin = Origin::start(move |request, stream| {
            let body = match request.line.as_str() {
                "GET /index.json" => {
                    told.lock().unwrap_or_else(PoisonError::into_inner).to_string().into_bytes()
                }
                "GET /new" => new.clone(),
                "GET /half" => {
                    let whole = answer(200, &[], &new);
                    let half = whole.get(..whole.len() - 20).unwrap_or_default();
                    let _ = std::io::Write::write_all(stream, half);
                    return;
                }
                "GET /moved" => {
                    let moved = answer(302, &[("location", "/new")], b"");
                    let _ = std::io::Write::write_all(stream, &moved);
                    return;
                }
                _ => {
                    let _ = std::io::Write::write_all(stream, &answer(404, &[], b""));
                    return;
                }
            };
            let _ = std::io::Write::write_all(stream, &answer(200, &[], &body));
        })?;
        let copy = Self { folder, index, origin };
        let config = json!({
            // No provider: the index counts in a config that cannot serve yet, too.
            "update": { "index": format!("{}/index.json", copy.origin.url()) },
        });
        std::fs::write(copy.folder.path().join(".llm-router.json"), config.to_string())?;
        Ok(copy)
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("bin/llm-router")
    }

    /// What the index says from now on.
    fn offer(&self, version: &str, url: &str, sha256: &str) {
        let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let entry =
            json!({ "version": version, "targets": { target: { "url": url, "sha256": sha256 } } });
        let older = json!({ "version": "0.0.1", "targets": {} });
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) =
            json!({ "releases": [older, entry] });
    }

    fn digest(&self) -> Result<String> {
        let new = std::fs::read(self.folder.path().join("new"))?;
        Ok(Sha256::digest(new).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")))
    }

    fn update(&self, flags: &[&str]) -> Result<Output> {
        let mut command = Command::new(self.program());
        command.arg("update").args(flags).arg("--json").env("HOME", self.folder.path());
        for name in ["LLM_ROUTER_CONFIG", "CARGO_HOME"] {
            command.env_remove(name);
        }
        Ok(command.output()?)
    }

    fn version(&self) -> Result<String> {
        let output = Command::new(self.program()).arg("--version").output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

fn json_of(output: &Output) -> Result<Value> {
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[test]
fn a_newer_version_is_found_fetched_checked_and_taken_back() -> Result<()> {
    let copy = Copy::new()?;
    let before = copy.version()?;
    copy.offer("99.0.0", "moved", &copy.digest()?.to_uppercase());
    let looked = json_of(&copy.update(&["--check"])?)?;
    assert_eq!((&looked["newest"], &looked["newer"]), (&json!("99.0.0"), &json!(true)), "{looked}");
    assert_eq!((looked["origin"].as_str(), copy.version()?), (Some("release"), before.clone()));
    let updated = copy.update(&[])?;
    ensure!(updated.status.success(), "{}", String::from_utf8_lossy(&updated.stderr));
    assert_eq!(json_of(&updated)?["updated"], true);
    assert_eq!(copy.version()?, "llm-router 99.0.0");
    assert!(copy.program().with_file_name("llm-router.previous").exists());
    // The new one is a script around the old one, which finds itself: go back by the kept one.
    let kept = copy.program().with_file_name("llm-router.previous");
    std::fs::rename(kept, copy.program())?;
    assert_eq!(copy.version()?, before);
    copy.offer("0.0.2", "new", &copy.digest()?);
    let same = json_of(&copy.update(&[])?)?;
    assert_eq!((&same["newer"], &same["updated"]), (&json!(false), &json!(false)));
    assert_eq!(copy.update(&["--rollback"])?.status.code(), Some(1), "nothing to go back to");
    Ok(())
}

#[test]
fn a_starting_router_says_that_there_is_a_newer_version_if_the_config_asks_for_it() -> Result<()> {
    let copy = Copy::new()?;
    copy.offer("99.0.0", "new", &copy.digest()?);
    let home = copy.folder.path();
    let mut config = json!({
        "providers": [{ "id": "p", "baseUrl": "http://127.0.0.1:9", "format": "openai",
                        "apiKey": "k", "models": ["m"] }],
        "update": { "index": format!("{}/index.json", copy.origin.url()), "check": true },
    });
    let said = |config: &Value| -> Result<String> {
        std::fs::write(home.join(".llm-router.json"), config.to_string())?;
        let log = home.join("start.log");
        let out = std::fs::File::create(&log)?;
        let mut router = Command::new(copy.program())
            .args(["start", "--port=0", "--watch-binary=false"])
            .env("HOME", home)
            .env_remove("LLM_ROUTER_CONFIG")
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()?;
        let patience = if config["update"]["check"] == true { 100 } else { 15 };
        let mut text = String::new();
        for _ in 0..patience {
            std::thread::sleep(std::time::Duration::from_millis(100));
            text = std::fs::read_to_string(&log)?;
            if text.contains("99.0.0") {
                break;
            }
        }
        router.kill()?;
        router.wait()?;
        Ok(text)
    };
    let text = said(&config)?;
    assert!(text.contains("a newer version is there") && text.contains("99.0.0"), "{text}");
    config["update"]["check"] = false.into();
    let text = said(&config)?;
    assert!(text.contains("listening") && !text.contains("99.0.0"), "{text}");
    Ok(())
}

#[test]
fn what_is_not_as_the_index_says_changes_nothing() -> Result<()> {
    let copy = Copy::new()?;
    let before = copy.version()?;
    let (good, wrong) = (copy.digest()?, "0".repeat(64));
    for (version, url, digest, code) in [
        ("99.0.0", "new", wrong.as_str(), 1),
        ("99.0.0", "half", &good, 4),
        ("99.0.0", "missing", &good, 1),
        ("98.0.0", "new", &good, 1),
        ("99.0.0", "new", "not a digest", 1),
        ("99.0.0", "http://example.com/new", &good, 2),
    ] {
        copy.offer(version, url, digest);
        let refused = copy.update(&[])?;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(code), "{version} {url}: {said}");
        assert!(json_of(&refused)?["error"]["message"].is_string());
        assert_eq!(copy.version()?, before);
        let left = std::fs::read_dir(copy.program().with_file_name(""))?.count();
        assert_eq!(left, 1, "nothing is left over: {url}");
    }
    Ok(())
}

#[test]
fn a_folder_that_cannot_be_written_is_named() -> Result<()> {
    let copy = Copy::new()?;
    copy.offer("99.0.0", "new", &copy.digest()?);
    let folder = copy.program().with_file_name("");
    let locked = Locked::new(&folder)?;
    let refused = copy.update(&[])?;
    drop(locked);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot replace") && said.contains("llm-router"), "{said}");
    assert_ne!(copy.version()?, "llm-router 99.0.0");
    Ok(())
}

/// A folder in which nothing can be made, even by root: its place is taken by a read-only bind
/// mount where the system allows that, else by permissions.
struct Locked {
    folder: PathBuf,
}

impl Locked {
    fn new(folder: &Path) -> Result<Self> {
        // Root ignores permissions, but not the attribute that forbids all change.
        let _ = Command::new("chattr").arg("+i").arg(folder).output();
        let mut permissions = std::fs::metadata(folder)?.permissions();
        permissions.set_readonly(true);
        let _ = std::fs::set_permissions(folder, permissions);
        Ok(Self { folder: folder.to_owned() })
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = Command::new("chattr").arg("-i").arg(&self.folder).output();
        let _ = Command::new("chmod").arg("755").arg(&self.folder).output();
    }
}

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;

#[test]
fn versions_are_compared_by_number_and_trials_are_no_releases() {
    for (version, current, expect) in [
        ("1.10.0", "1.9.9", true),
        ("v1.0.1", "1.0.0", true),
        ("1.0.0", "1.0.0", false),
        ("0.9.0", "1.0.0", false),
        ("2.0.0-rc.1", "1.0.0", false),
        ("2.0", "1.0.0", false),
        ("newest", "1.0.0", false),
    ] {
        assert_eq!(is_newer(version, current), expect, "{version} {current}");
    }
}

#[test]
fn an_address_may_be_relative_and_must_be_safe() {
    for (base, url, expect) in [
        ("https://a/b/index.json", "x", "https://a/b/x"),
        ("https://a/b/index.json", "/x", "https://a/x"),
        ("https://a", "x", "https://a/x"),
        ("https://a/b", "https://c/d", "https://c/d"),
    ] {
        assert_eq!(absolute(base, url), expect);
    }
    for url in ["https://example.com/x", "http://127.0.0.1:8080/x", "http://localhost/x"] {
        assert!(checked(url).is_ok(), "{url}");
    }
    for url in ["http://example.com/x", "ftp://example.com/x", "x", "http://localhost.evil.com/"] {
        assert!(checked(url).is_err(), "{url}");
    }
}

fn script(path: &Path, version: &str) {
    fs::write(path, format!("#!/bin/sh\necho llm-router {version}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_program_is_swapped_and_brought_back() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("llm-router");
    script(&program, "1.0.0");
    let new = b"#!/bin/sh\necho llm-router 1.1.0\n";
    let swapped = swap(&program, new, "1.1.0").unwrap();
    assert_eq!(fs::read(&program).unwrap(), new);
    assert_eq!(fs::metadata(&program).unwrap().permissions().mode() & 0o777, 0o755);
    assert!(fs::read_to_string(&swapped.previous).unwrap().contains("1.0.0"));
    assert_eq!(rollback(&program).unwrap().version, "1.0.0");
    assert_eq!(rollback(&program).unwrap().version, "1.1.0", "going back can be taken back");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left over");
}

#[test]
fn a_program_that_is_not_what_it_should_be_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("llm-router");
    script(&program, "1.0.0");
    assert!(matches!(rollback(&program), Err(UpdateError::NoPrevious(_))));
    for new in ["#!/bin/sh\necho llm-router 9.9.9\n", "#!/bin/sh\nexit 1\n", "\u{7f}ELF", ""] {
        assert!(matches!(swap(&program, new.as_bytes(), "1.1.0"), Err(UpdateError::Broken(_))));
        assert!(fs::read_to_string(&program).unwrap().contains("1.0.0"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
    }
}

#[test]
fn the_command_that_upgrades_depends_on_who_installed_it() {
    let folder = tempfile::tempdir().unwrap();
    let cargo = folder.path().join("cargo");
    fs::create_dir_all(cargo.join("bin")).unwrap();
    let program = cargo.join("bin/llm-router");
    fs::write(&program, "").unwrap();
    for (source, expect) in [
        (
            "registry+https://github.com/rust-lang/crates.io-index",
            "cargo install --locked router-cli",
        ),
        (
            "git+https://example.com/r?branch=main#abc",
            "cargo install --locked --git https://example.com/r router-cli",
        ),
        ("path+file:///src/r", "cargo install --locked --path /src/r"),
    ] {
        let list = format!("[v1]\n\"router-cli 0.1.0 ({source})\" = [\"llm-router\"]\n");
        fs::write(cargo.join(".crates.toml"), list).unwrap();
        let found = copy(&program, Some(&cargo));
        assert_eq!((found.origin, found.upgrade.as_deref()), (Origin::Cargo, Some(expect)));
    }
    let alone = folder.path().join("llm-router");
    fs::write(&alone, "").unwrap();
    assert_eq!(copy(&alone, Some(&cargo)).origin, Origin::Release);
    let brewed = folder.path().join("Cellar/llm-router/1/bin");
    fs::create_dir_all(&brewed).unwrap();
    fs::write(brewed.join("llm-router"), "").unwrap();
    let found = copy(&brewed.join("llm-router"), None);
    assert_eq!(found.upgrade.as_deref(), Some("brew upgrade llm-router"));
}

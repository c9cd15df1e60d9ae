//! Edits of the file: nothing is lost, whatever goes wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::common::{CONFIG, Home};

/// A user without rights, for tests that run as root, whom no mode stops.
const NOBODY: u32 = 65_534;

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn an_edit_changes_nothing_else() {
    let home = Home::new();
    home.ok(&["default", "set", "two/big"]);
    let expect = CONFIG.replace("\"defaultModel\": \"one/small\"", "\"defaultModel\": \"two/big\"");
    assert_eq!(home.text(), expect);
}

#[test]
fn edits_at_the_same_time_all_count() {
    let home = Home::new();
    let edits: Vec<_> = (0..12)
        .map(|number| {
            let id = format!("alias-{number}");
            home.command(&["alias", "add", &id, "--targets", "one/small"]).spawn().unwrap()
        })
        .collect();
    for mut edit in edits {
        assert!(edit.wait().unwrap().success());
    }
    for number in 0..12 {
        assert!(home.text().contains(&format!("\"alias-{number}\"")), "{}", home.text());
    }
    home.ok(&["validate"]);
}

#[test]
fn whoever_holds_the_lock_is_named() {
    let home = Home::new();
    home.ok(&["default", "set", "two/big"]);
    let lock = home.folder().join(".llm-router.json.history/lock");
    let file = fs::File::options().write(true).open(&lock).unwrap();
    file.lock().unwrap();
    fs::write(&lock, "4711").unwrap();
    let refused = home.run(&["default", "set", "one/small"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("process 4711"), "{}", refused.err);
    drop(file);
    home.ok(&["default", "set", "one/small"]);
}

#[test]
fn a_full_disk_leaves_the_config_as_it_was() {
    let home = Home::new();
    let large = CONFIG.replace("own note", &"own note ".repeat(2000));
    home.write(&large);
    // A limit on the size of files, met without a signal, is a disk that is full.
    let script = "trap '' XFSZ; ulimit -f 4; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_llm-router"), "default", "set", "two/big"]);
    let output = command.env("HOME", home.folder()).env("NO_COLOR", "1").output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("cannot write") && err.contains("as it was"), "{err}");
    assert_eq!(home.text(), large);
    let names: Vec<_> =
        fs::read_dir(home.folder()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "the file and its history: {names:?}");
}

/// A small disk, which only root can make; without it the test above has to do.
#[test]
fn a_disk_that_fills_up_in_the_middle_of_an_edit_leaves_the_config_whole() {
    let home = Home::new();
    let disk = home.folder().join("disk");
    fs::create_dir(&disk).unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=128k", "tmpfs"];
    let made = Command::new("mount").args(mount).arg(&disk).output();
    let made = made.is_ok_and(|output| output.status.success());
    assert!(made || std::env::var_os("CI").is_none(), "CI has to be able to mount");
    if !made {
        return;
    }
    let config = disk.join("config.json");
    let large = CONFIG.replace("own note", &"own note ".repeat(2000));
    let path = config.to_string_lossy().into_owned();
    let ended = [0, 8, 24].map(|room| {
        fs::write(&config, &large).unwrap();
        let ballast = disk.join("ballast");
        let mut file = fs::File::create(&ballast).unwrap();
        while std::io::Write::write_all(&mut file, &[0; 1024]).is_ok() {}
        let full = file.metadata().unwrap().len();
        file.set_len(full - room * 1024).unwrap();
        let ended = home.run(&["default", "set", "two/big", "--config", &path]);
        fs::remove_file(&ballast).unwrap();
        let text = fs::read_to_string(&config).unwrap();
        let is_temporary = |name: &str| name.ends_with(".tmp");
        let names = fs::read_dir(&disk).unwrap().map(|e| e.unwrap().file_name());
        let left: Vec<_> = names.filter(|name| is_temporary(&name.to_string_lossy())).collect();
        (ended, text == large, left)
    });
    let after = home.run(&["default", "set", "two/big", "--config", &path]);
    let undone = home.run(&["config", "undo", "--config", &path]);
    let text = fs::read_to_string(&config).unwrap_or_default();
    Command::new("umount").arg("--lazy").arg(&disk).status().unwrap();
    for (ended, is_whole, left) in ended {
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.contains("the disk is full"), "{ended:?}");
        assert!(is_whole && left.is_empty(), "{left:?}");
    }
    assert_eq!((after.code, undone.code), (Some(0), Some(0)), "{after:?} {undone:?}");
    assert_eq!(text, large);
}

#[test]
fn a_read_only_home_is_told() {
    let home = Home::new();
    let is_root =
        fs::metadata("/proc/self").is_ok_and(|it| std::os::unix::fs::MetadataExt::uid(&it) == 0);
    if is_root {
        std::os::unix::fs::chown(home.path(), Some(NOBODY), None).unwrap();
        std::os::unix::fs::chown(home.folder(), Some(NOBODY), None).unwrap();
    }
    fs::set_permissions(home.folder(), fs::Permissions::from_mode(0o500)).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = home.command(arguments);
        if is_root {
            command.uid(NOBODY);
        }
        command.output().unwrap()
    };
    let shown = run(&["list"]);
    assert!(shown.status.success(), "reading needs no writing: {shown:?}");
    let edited = run(&["default", "set", "two/big"]);
    fs::set_permissions(home.folder(), fs::Permissions::from_mode(0o700)).unwrap();
    let err = String::from_utf8_lossy(&edited.stderr);
    assert_eq!(edited.status.code(), Some(1), "{err}");
    assert!(err.contains("must be writable"), "{err}");
    assert_eq!(home.text(), CONFIG);
}

#[test]
fn a_symbolic_link_stays_one() {
    let home = Home::new();
    let elsewhere = home.folder().join("dotfiles");
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(home.path(), elsewhere.join("router.json")).unwrap();
    std::os::unix::fs::symlink("dotfiles/router.json", home.path()).unwrap();
    home.ok(&["default", "set", "two/big"]);
    assert!(fs::symlink_metadata(home.path()).unwrap().file_type().is_symlink());
    assert!(fs::read_to_string(elsewhere.join("router.json")).unwrap().contains("\"two/big\","));
}

#[test]
fn loose_permissions_are_warned_about_and_end_with_the_next_edit() {
    let home = Home::new();
    for command in [&["default", "set", "two/big"][..], &["default", "set", "two/big"]] {
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o644)).unwrap();
        let shown = home.ok(&["list"]);
        assert!(shown.err.contains("can read"), "{}", shown.err);
        assert_eq!(mode(&home.path()), 0o644, "reading changes nothing");
        let edited = home.ok(command);
        assert!(edited.out.contains("0644"), "{}", edited.out);
        assert_eq!(mode(&home.path()), 0o600, "also when the text stays the same");
    }
}

#[test]
fn undo_goes_back_again_and_again_and_redo_comes_back() {
    let home = Home::new();
    let mut texts = vec![home.text()];
    for model in ["two/big", "one/large", "fast"] {
        home.ok(&["default", "set", model]);
        texts.push(home.text());
    }
    for expect in texts.iter().rev().skip(1) {
        home.ok(&["config", "undo"]);
        assert_eq!(home.text(), *expect);
    }
    assert_eq!(home.run(&["config", "undo"]).code, Some(2));
    for expect in texts.iter().skip(1) {
        home.ok(&["config", "redo"]);
        assert_eq!(home.text(), *expect);
    }
    assert_eq!(home.run(&["config", "redo"]).code, Some(2));
    home.ok(&["config", "undo"]);
    home.ok(&["default", "set", "two/qwen2.5:7"]);
    assert_eq!(home.run(&["config", "redo"]).code, Some(2), "an edit ends what could be redone");
}

#[test]
fn backups_are_private_few_and_named_by_number() {
    let home = Home::new();
    for round in 0..30 {
        let model = if round % 2 == 0 { "two/big" } else { "one/large" };
        home.ok(&["default", "set", model]);
    }
    let folder = home.folder().join(".llm-router.json.history");
    assert_eq!(mode(&folder), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600);
        names.push(entry.file_name().into_string().unwrap());
    }
    names.retain(|name| name != "lock");
    assert_eq!(names.len(), 20);
    assert!(names.iter().all(|name| name.len() == 9 && name.ends_with(".json")), "{names:?}");
}

#[test]
fn a_dry_run_writes_nothing_at_all() {
    let home = Home::new();
    let shown = home.ok(&["provider", "remove", "two", "--cascade", "--dry-run"]);
    assert!(shown.out.contains("nothing was written"), "{}", shown.out);
    assert_eq!(home.text(), CONFIG);
    assert_eq!(fs::read_dir(home.folder()).unwrap().count(), 1);
}

#[test]
fn an_invalid_config_can_be_edited_towards_a_valid_one_only() {
    let home = Home::new();
    let broken = CONFIG.replace("\"unit\": \"day\"", "\"unit\": \"dya\"");
    home.write(&broken);
    let edited = home.ok(&["default", "set", "two/big"]);
    assert!(edited.out.contains("still wrong"), "{}", edited.out);
    let refused = home.run(&["provider", "edit", "one", "--headers", r#"{"bad header": "x"}"#]);
    assert_eq!(refused.code, Some(2), "{}", refused.out);
    home.ok(&["limit", "add", "one", "daily", "--bucket-window", "1d"]);
    home.ok(&["validate"]);
}

#[test]
fn a_config_that_is_no_json_is_not_touched() {
    let home = Home::new();
    home.write("{ \"version\": 2,");
    let refused = home.run(&["default", "set", "two/big"]);
    assert_eq!(refused.code, Some(3), "{}", refused.err);
    assert_eq!(home.text(), "{ \"version\": 2,");
}

#[test]
fn the_first_edit_makes_the_file() {
    let home = Home::empty();
    home.ok(&["provider", "add", "--preset", "groq", "--api-key", "env:GROQ_API_KEY"]);
    assert_eq!(mode(&home.path()), 0o600);
    home.ok(&["validate"]);
    let nested = home.folder().join("a/b/c.json");
    home.ok(&["key", "generate", "--config", &nested.to_string_lossy()]);
    assert!(nested.exists());
}

#[test]
fn a_home_in_the_path_is_expanded() {
    let home = Home::new();
    home.ok(&["list", "--config=~/.llm-router.json"]);
    assert!(!home.folder().join("~").exists());
}

#[test]
fn the_editor_edits_a_copy_that_is_checked() {
    let home = Home::new();
    let edit = |script: &str| {
        let editor = home.folder().join("editor.sh");
        fs::write(&editor, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&editor, fs::Permissions::from_mode(0o700)).unwrap();
        let mut command = home.command(&["config", "edit"]);
        command.env("EDITOR", &editor).env_remove("VISUAL").output().unwrap()
    };
    let bad = edit("sed -i 's/\"version\": 2/\"version\": 2, \"server\": {\"port\": -1}/' \"$1\"");
    assert_eq!(bad.status.code(), Some(2), "{bad:?}");
    assert_eq!(home.text(), CONFIG);
    let good = edit("sed -i 's/one.small\",/two\\/big\",/' \"$1\"");
    assert!(good.status.success(), "{good:?}");
    assert!(home.text().contains("\"defaultModel\": \"two/big\""), "{}", home.text());
    assert_eq!(edit("true").status.code(), Some(1), "nothing changed");
    assert_eq!(edit("exit 3").status.code(), Some(1));
    let none = home.command(&["config", "edit"]).env_remove("EDITOR").env_remove("VISUAL").output();
    assert_eq!(none.unwrap().status.code(), Some(2));
}

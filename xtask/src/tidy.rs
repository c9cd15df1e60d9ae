//! The repository's own rules, held by a check and not by goodwill.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::ci::PURE;
use crate::shell::{output, root};

/// Lines of a source file at most, tests apart.
const FILE_LINES_MAX: usize = 500;
/// Files that are one thing although they are longer, each with its reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// Checks every file that git tracks.
pub(crate) fn run() -> Result<()> {
    let mut problems = Vec::new();
    for path in output("git", &["ls-files"])?.lines() {
        let Ok(text) = fs::read_to_string(root().join(path)) else { continue };
        if is_generated(path) {
            continue;
        }
        check_text(path, &text, &mut problems);
        if ending(path) == Some("rs") {
            check_source(path, &text, &mut problems);
        }
    }
    check_clippy_files(&mut problems)?;
    if !problems.is_empty() {
        bail!("tidy:\n  {}", problems.join("\n  "));
    }
    Ok(())
}

fn ending(path: &str) -> Option<&str> {
    Path::new(path).extension()?.to_str()
}

fn is_generated(path: &str) -> bool {
    matches!(ending(path), Some("lock" | "snap"))
        || path.ends_with("package-lock.json")
        || path.contains("/fixtures/")
        || path.contains("/corpus/")
        || path.contains("/parity/")
        || path.contains("/tests/it/bad/")
        || path.starts_with("schema/")
        || path.starts_with("bench/results/")
}

fn check_text(path: &str, text: &str, problems: &mut Vec<String>) {
    for (line, content) in (1..).zip(text.lines()) {
        if content.ends_with([' ', '\t']) && ending(path) != Some("md") {
            problems.push(format!("{path}:{line}: trailing white space"));
        }
        for home in [concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/ho", "me/user")] {
            if content.contains(home) {
                problems.push(format!("{path}:{line}: a path of one machine"));
            }
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        problems.push(format!("{path}: no newline at the end"));
    }
}

fn check_source(path: &str, text: &str, problems: &mut Vec<String>) {
    if path.ends_with("/mod.rs") {
        problems.push(format!("{path}: `foo.rs` beside `foo/`, never `mod.rs`"));
    }
    let is_test = path.contains("/tests/") || path.ends_with("/tests.rs");
    if !is_test && !text.starts_with("//!") {
        problems.push(format!("{path}: a file opens with what it is for (`//!`)"));
    }
    let production = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    let lines = production.lines().count();
    let excused = LONG_FILES.iter().any(|(file, _)| *file == path);
    if !is_test && !excused && lines > FILE_LINES_MAX {
        problems.push(format!("{path}: {lines} lines, more than {FILE_LINES_MAX}"));
    }
    for (line, content) in (1..).zip(text.lines()) {
        let marker = ["TO", "FIX"].iter().zip(["DO", "ME"]);
        for (head, tail) in marker {
            if content.contains(&format!("{head}{tail}")) {
                problems.push(format!("{path}:{line}: an open end; finish it or file it"));
            }
        }
    }
}

/// A crate's own `clippy.toml` replaces the root's, so it has to repeat the root's thresholds.
fn check_clippy_files(problems: &mut Vec<String>) -> Result<()> {
    let read = |path: &str| {
        fs::read_to_string(root().join(path)).with_context(|| format!("cannot read {path}"))
    };
    let shared = read("clippy.toml")?;
    for name in PURE {
        let path = format!("crates/{name}/clippy.toml");
        let own = read(&path)?;
        for line in shared.lines().filter(|line| !line.starts_with([' ', ']', 'd', '#'])) {
            if !own.contains(line) {
                problems.push(format!("{path}: lacks `{line}` of the root's file"));
            }
        }
    }
    Ok(())
}

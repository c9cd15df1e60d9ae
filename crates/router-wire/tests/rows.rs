//! Every row of `ROWS.md` names proofs that exist.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

/// The text of all tests that may be named.
#[expect(clippy::disallowed_methods, reason = "tests read the sources they name")]
fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|end| end == "rs") {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_row_has_a_proof_that_exists() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    for folder in ["src", "tests", "../router-core/src", "../router-e2e/tests"] {
        sources(&own.join(folder), &mut text);
    }
    let rows = include_str!("ROWS.md").lines().filter(|line| line.starts_with('|'));
    let rows = rows.filter(|line| !line.starts_with("| row |") && !line.starts_with("| --- |"));
    let (mut count, mut missing) = (0, Vec::new());
    for row in rows {
        let proofs: Vec<_> = row.split('`').skip(1).step_by(2).collect();
        let exists = |proof: &&str| match proof.split_once('/') {
            Some((dialect, name)) => {
                own.join(format!("fixtures/{dialect}/request/{name}.json")).exists()
            }
            None => text.contains(&format!("fn {proof}(")),
        };
        if proofs.is_empty() || !proofs.iter().all(exists) {
            missing.push(row);
        }
        count += 1;
    }
    assert!(missing.is_empty(), "no such tests or fixtures: {missing:#?}");
    assert!(100 < count, "only {count} rows were found");
}

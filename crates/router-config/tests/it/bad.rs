//! Documents with problems: the report is the test.

use std::fmt::Write as _;

use router_config::{NoLookup, load, render};

#[test]
fn every_problem_is_reported_at_its_place() {
    insta::glob!("bad/*.json", |path| {
        let text = std::fs::read_to_string(path).unwrap();
        let loaded = load(&text, &NoLookup);
        assert!(!loaded.diagnostics.is_empty(), "{} has a problem", path.display());
        assert_eq!(loaded.config.is_none(), loaded.has_errors(), "{}", path.display());
        let mut report = render(&loaded.diagnostics);
        assert!(!report.contains("very-secret"), "{}: {report}", path.display());
        if let Some(config) = &loaded.config {
            for (id, alias) in &config.catalog.aliases {
                let _ =
                    writeln!(report, "{id}: {:?} / {:?}", alias.targets, alias.fallback_targets);
            }
        }
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false, snapshot_path => "bad" }, {
            insta::assert_snapshot!(report);
        });
    });
}

//! Commands that ask nobody answer at once.

use std::time::{Duration, Instant};

use crate::common::Home;

/// What an operator does not notice.
const MAX: Duration = Duration::from_millis(50);
/// Tries; the machine may be busy with something else in most of them.
const TRIES: usize = 20;

#[test]
fn a_command_answers_within_50_ms() {
    for arguments in [
        &["list", "--json"][..],
        &["--version"],
        &["--help"],
        &["validate"],
        &["provider", "presets"],
        &["default", "set", "two/big"],
        &["config", "--operation=set-model-fallbacks", "--help"],
        &["completions", "bash"],
        &["explain", "--model", "fast", "--offline"],
    ] {
        let home = Home::new();
        let times = (0..TRIES).map(|_| {
            let start = Instant::now();
            home.run(arguments);
            start.elapsed()
        });
        let best = times.min().unwrap();
        assert!(best < MAX, "{arguments:?} takes {best:?}");
    }
}

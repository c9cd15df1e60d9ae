//! What a developer of this repository runs: `cargo x <task>`.

fn main() {}

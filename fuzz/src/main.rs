//! The program of every fuzz target: `FUZZ_TARGET=sse router-fuzz CORPUS…`. One program is built
//! and linked in a fraction of the time that eighteen take.
#![no_main]

use std::sync::LazyLock;

/// The target that the environment names.
static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let wanted = std::env::var("FUZZ_TARGET").unwrap_or_default();
    match router_fuzz::TARGETS.iter().find(|(name, _)| *name == wanted) {
        Some((_, target)) => *target,
        None => panic!("FUZZ_TARGET is one of {:?}", router_fuzz::TARGETS.map(|(name, _)| name)),
    }
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));

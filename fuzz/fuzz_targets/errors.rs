//! See `router_fuzz::errors`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| router_fuzz::errors(data));

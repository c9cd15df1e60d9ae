//! See `router_fuzz::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| router_fuzz::config(data));

//! See `router_fuzz::count`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| router_fuzz::count(data));

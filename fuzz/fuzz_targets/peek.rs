//! See `router_fuzz::peek`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| router_fuzz::peek(data));

//! See `router_fuzz::tap`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| router_fuzz::tap(data));

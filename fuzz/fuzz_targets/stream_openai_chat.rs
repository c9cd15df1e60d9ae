//! See `router_fuzz::stream`.
#![no_main]

use router_wire::Dialect;

libfuzzer_sys::fuzz_target!(|data: &[u8]| router_fuzz::stream(Dialect::OpenaiChat, data));

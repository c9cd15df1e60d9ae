//! See `router_fuzz::response`.
#![no_main]

use router_wire::Dialect;

libfuzzer_sys::fuzz_target!(|data: &[u8]| router_fuzz::response(Dialect::Anthropic, data));

//! See `router_fuzz::request`.
#![no_main]

use router_wire::Dialect;

libfuzzer_sys::fuzz_target!(|data: &[u8]| router_fuzz::request(Dialect::OpenaiResponses, data));

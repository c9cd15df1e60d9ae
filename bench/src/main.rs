//! Measures the router beside nginx and haproxy.

fn main() {}

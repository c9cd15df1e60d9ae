//! Whole-process tests: the shipped binary, real sockets, real clients.

mod sdks;

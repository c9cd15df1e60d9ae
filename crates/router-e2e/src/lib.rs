//! Whole-process tests over real sockets.

//! Whole-process tests: the shipped binary, real sockets, real clients.

#![expect(clippy::indexing_slicing, reason = "what is not there fails the test, as it should")]

mod admin;
mod auth;
mod bad_input;
mod clients;
mod common;
mod conformance;
mod deploy;
mod faults;
mod kept;
mod learned;
mod limits;
mod manners;
mod outbound;
mod parity;
mod passthrough;
mod processes;
mod reload;
mod routing;
mod sdks;
mod services;
mod streams;
mod surface;
mod tls;
mod tokens;
mod tools;
mod translation;
mod updates;
mod wild;
mod worker;

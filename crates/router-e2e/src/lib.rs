//! Whole-process tests over real sockets: the shipped binary between real clients and
//! `router-demo`.

pub mod http;
pub mod origin;
pub mod provider;
pub mod router;
pub mod sdk;

pub use origin::Origin;
pub use provider::Provider;
pub use router::Router;

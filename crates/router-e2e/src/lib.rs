//! Whole-process tests over real sockets: the shipped binary, and the Worker in workerd, between
//! real clients and `router-demo`.

pub mod cloudflare;
pub mod edge;
pub mod http;
pub mod origin;
pub mod parity;
pub mod provider;
pub mod router;
pub mod sdk;

pub use cloudflare::Cloudflare;
pub use edge::Edge;
pub use origin::Origin;
pub use provider::Provider;
pub use router::Router;

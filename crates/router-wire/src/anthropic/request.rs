//! The request of the Messages API.

mod blocks;
mod read;
mod summary;
mod tools;
mod write;
mod write_blocks;

pub(super) use blocks::{Keep, citation, content, is_hosted};
pub use read::read;
pub use write::write;

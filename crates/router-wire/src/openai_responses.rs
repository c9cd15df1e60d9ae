//! OpenAI Responses, as the SDKs' typed models describe it, and as Codex speaks it.
//!
//! The router keeps no conversations: what refers to stored state (`previous_response_id`,
//! `conversation`, `prompt`, `item_reference`, `background`) is refused on the way to another
//! dialect, and requests written here say `store: false` unless the client asked for storage.
//!
//! Ids of items name stored items and nothing else, so they are read over and not written back;
//! `status` of an item in the history says only that it is over. Neither is a loss.

pub mod request;
pub mod response;
pub mod stream;

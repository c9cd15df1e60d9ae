//! OpenAI Chat Completions, as the SDKs' typed models describe it, and as the many servers that
//! speak it really use it.
//!
//! The contract is OpenAI's; everybody else's servers leave out members, add some and send some
//! in other types. What an upstream says is read loosely (`loose`), what a client says strictly
//! wherever guessing could change the meaning.

pub(crate) mod details;
mod loose;
pub mod request;
pub mod response;
mod said;
mod stop;
pub mod stream;
mod usage;

/// Marks the text of a tool result that is an error, as Chat has no member for it.
const TOOL_ERROR: &str = "[tool error]";

/// The vendor whose Chat server carries the state of thinking on tool calls.
const GOOGLE: &str = "google";

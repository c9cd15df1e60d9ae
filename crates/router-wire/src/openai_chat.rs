//! OpenAI Chat Completions, as the SDKs' typed models describe it, and as the many servers that
//! speak it really use it.
//!
//! The contract is OpenAI's; everybody else's servers leave out members, add some and send some
//! in other types. What an upstream says is read loosely, what a client says strictly
//! wherever guessing could change the meaning.

pub mod request;

/// Marks the text of a tool result that is an error, as Chat has no member for it.
const TOOL_ERROR: &str = "[tool error]";

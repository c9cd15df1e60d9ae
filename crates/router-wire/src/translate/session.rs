//! What the way back must know of the way there.

use super::request::text_of;
use super::{RequestExtra, dispatch};
use crate::canonical::Shown;
use crate::dialect::Dialect;

/// A tool under the name the upstream knows it by.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ToolAlias {
    /// Name at the upstream.
    pub sent: String,
    /// Name at the client.
    pub name: String,
    /// Group at the client (Responses `namespace`).
    pub namespace: Option<String>,
    /// Whether a free-text tool was shown as a function with one string member `input`.
    pub unwrap: bool,
    /// Hosted item type at the client (`apply_patch_call`), shown as a function.
    pub hosted: Option<String>,
}

/// Everything the way back needs. Owns its data.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent wishes of the client")]
pub struct Session {
    /// What the client speaks.
    pub inbound: Dialect,
    /// What the upstream speaks.
    pub outbound: Dialect,
    /// The model name answers show.
    pub model_shown: String,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// Whether a Gemini client gets its stream as one JSON array.
    pub json_array: bool,
    /// Whether a Chat client asked for the usage chunk.
    pub include_usage: bool,
    /// Whether a Chat client used the old `functions`.
    pub legacy_functions: bool,
    /// Whether a Chat client sees `reasoning_content`.
    pub reasoning_to_chat: bool,
    /// How much of the thinking the client wants to see.
    pub shown: Shown,
    /// Now, in seconds since 1970.
    pub now_s: u64,
    /// Tools whose names differ between the two sides.
    pub tools: Vec<ToolAlias>,
    /// Stop sequences the router itself watches for, as the upstream does not.
    pub stops: Vec<String>,
    /// Estimated input tokens, shown until the upstream reports real ones.
    pub input_estimate: u64,
    /// Vendor of the model that answers; opaque state is wrapped under this name.
    pub vendor: String,
    /// Its family.
    pub family: String,
    /// Whether readable thinking is what the vendor demands back.
    pub keeps_text: bool,
    /// Members of the request that the client's dialect repeats in its answers (Responses): JSON
    /// members without the braces, or nothing.
    pub echo: String,
}

impl Session {
    /// A session in which nothing was asked for.
    pub fn new(inbound: Dialect, outbound: Dialect) -> Self {
        Self {
            inbound,
            outbound,
            model_shown: String::new(),
            stream: false,
            json_array: false,
            include_usage: false,
            legacy_functions: false,
            reasoning_to_chat: true,
            shown: Shown::Unset,
            now_s: 0,
            tools: Vec::new(),
            stops: Vec::new(),
            input_estimate: 0,
            vendor: String::new(),
            family: String::new(),
            keeps_text: false,
            echo: String::new(),
        }
    }
}

/// A session for an upstream that speaks the client's own dialect, for an answer that has to be told
/// in another form than it came in: whole where a stream was asked for. A body that cannot be read
/// asks for nothing.
pub fn native_session(dialect: Dialect, body: &[u8], extra: &RequestExtra<'_>) -> Session {
    let mut session = Session {
        stream: true,
        json_array: extra.json_array,
        model_shown: extra.model_shown.unwrap_or_default().to_owned(),
        // What the upstream shows is what the client asked it for.
        shown: Shown::Summary,
        now_s: extra.now_s,
        vendor: native_vendor(dialect).to_owned(),
        ..Session::new(dialect, dialect)
    };
    let Ok(text) = text_of(body) else { return session };
    if let Ok(request) = dispatch::read_request(dialect, text, extra) {
        session.include_usage = request.include_usage;
        session.legacy_functions = request.legacy_functions;
        session.echo = dispatch::echo(dialect, text);
    }
    session
}

/// The vendor whose opaque state a client of this dialect carries unwrapped.
pub const fn native_vendor(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Anthropic => "anthropic",
        Dialect::OpenaiChat | Dialect::OpenaiResponses => "openai",
        Dialect::Gemini => "google",
    }
}

//! The models the provider offers, what is allowed with each, and the ones
//! that fail on purpose.

use std::time::Duration;

use crate::script::{At, Fault};

/// One model of the demo provider, as documents and configs show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemoModel {
    /// The name clients use.
    pub id: &'static str,
    /// What it does, in one sentence.
    pub what: &'static str,
}

const fn model(id: &'static str, what: &'static str) -> DemoModel {
    DemoModel { id, what }
}

/// The healthy models.
pub const MODELS: &[DemoModel] = &[
    model("demo-chat", "Answers everything; takes every optional parameter its dialects know."),
    model(
        "demo-reasoner",
        "Always reasons; newest rules: no sampling, no max_tokens in Chat, adaptive thinking only, no prefill, thought signatures demanded back.",
    ),
    model(
        "demo-classic",
        "Older rules: no reasoning effort, thinking by budget only, no system turns between others.",
    ),
    model(
        "demo-frontier",
        "Like demo-reasoner, and refuses function tools with an effort in Chat.",
    ),
    model(
        "demo-deepthink",
        "Sends reasoning_content in Chat and demands it back with tool results.",
    ),
    model("demo-small", "Like demo-chat with a context of 2,000 tokens and answers of 200."),
    model("demo-refuse", "Declines every request in the dialect's own way."),
    model("demo-embed", "Embeddings of 64 dimensions."),
    model("demo-instruct", "Legacy completions."),
];

/// The models that fail on purpose. Where a name takes a number, it may follow
/// as `-N`, such as `demo-cut-3`.
pub const FAULTY_MODELS: &[DemoModel] = &[
    model("demo-rate-limit", "429 with retry-after (N seconds, else 2)."),
    model("demo-rate-limit-bare", "429 without a hint when to come back."),
    model("demo-overloaded", "529 overloaded."),
    model("demo-error", "Status N (else 500) with the dialect's error body."),
    model("demo-auth", "401 although the key is right."),
    model("demo-quota", "429: the account has nothing left."),
    model("demo-too-long", "400: the context is too long."),
    model("demo-slow-head", "The head comes after N milliseconds (else 3,000)."),
    model("demo-slow", "N milliseconds (else 200) between events."),
    model("demo-drip", "The body byte by byte, N milliseconds (else 1) apart."),
    model("demo-split", "The body in pieces of N bytes (else 7)."),
    model("demo-black-hole", "Never answers."),
    model("demo-close", "Closes the connection instead of answering."),
    model("demo-reset", "Resets the connection instead of answering."),
    model("demo-reset-body", "Resets the connection after N events (else in the middle)."),
    model("demo-cut", "Closes the connection after N events (else in the middle)."),
    model("demo-stall", "Falls silent after N events (else in the middle)."),
    model("demo-garbage", "An event that is no JSON after the first output."),
    model("demo-garbage-utf8", "An event that is no UTF-8 after the first output."),
    model("demo-oversize", "One event of N bytes (else 4,194,304)."),
    model("demo-error-event-first", "200, and the first event is an error."),
    model("demo-error-event-before", "An error event after start-up, before output."),
    model("demo-error-event-after", "An error event after the first output."),
    model("demo-no-terminal", "The stream ends without saying that it is complete."),
    model("demo-double-terminal", "The last event comes twice."),
    model("demo-200-error", "Status 200 whose body is an error."),
    model("demo-200-html", "Status 200 whose body is an HTML page."),
    model("demo-html", "A proxy's 502 HTML page."),
    model("demo-content-type", "A good answer labelled text/plain."),
    model("demo-empty", "Status 200 with an empty body."),
    model("demo-length-long", "Content-length promises more than comes."),
    model("demo-length-short", "Content-length promises less than comes."),
    model("demo-early-hints", "103 Early Hints before the answer."),
    model("demo-redirect", "307 to another origin."),
    model("demo-gzip", "A gzip-encoded answer if the client accepts one."),
    model("demo-echo", "The request as a JSON object instead of an answer."),
];

/// How a model lets a caller steer its thinking in the Messages dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thinking {
    /// `enabled` with a budget.
    Budget,
    /// `adaptive` with an effort.
    Adaptive,
    /// Either.
    Both,
}

/// What is allowed with a model.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one published rule of a model")]
pub(crate) struct Rules {
    /// Refuses `max_tokens` in Chat and sampling in all `OpenAI` dialects.
    pub(crate) reasoning: bool,
    /// Takes `temperature`, `top_p` and `top_k`.
    pub(crate) sampling: bool,
    pub(crate) thinking: Thinking,
    /// Efforts taken; none means that the member itself is refused.
    pub(crate) efforts: &'static [&'static str],
    /// Takes a conversation that ends with an assistant turn.
    pub(crate) prefill: bool,
    /// Takes `role: "system"` between other turns in Messages.
    pub(crate) system_turns: bool,
    /// Refuses function tools together with an effort in Chat.
    pub(crate) tools_exclude_effort: bool,
    /// Sends `reasoning_content` in Chat and wants it back.
    pub(crate) reasoning_content: bool,
    /// Declines every request.
    pub(crate) refuses: bool,
    /// Tokens of input and output together.
    pub(crate) context: u64,
    /// The largest output limit a request may ask for.
    pub(crate) output: u64,
}

const CHAT: Rules = Rules {
    reasoning: false,
    sampling: true,
    thinking: Thinking::Both,
    efforts: &["none", "minimal", "low", "medium", "high", "xhigh", "max"],
    prefill: true,
    system_turns: true,
    tools_exclude_effort: false,
    reasoning_content: false,
    refuses: false,
    context: 400_000,
    output: 128_000,
};

const REASONER: Rules = Rules {
    reasoning: true,
    sampling: false,
    thinking: Thinking::Adaptive,
    efforts: &["low", "medium", "high", "xhigh", "max"],
    prefill: false,
    ..CHAT
};

const CLASSIC: Rules =
    Rules { thinking: Thinking::Budget, efforts: &[], system_turns: false, ..CHAT };

const FRONTIER: Rules = Rules {
    efforts: &["none", "low", "medium", "high", "xhigh"],
    tools_exclude_effort: true,
    ..REASONER
};

/// The rules of a model, or nothing if the provider has no such model.
///
/// Besides its own names the provider knows the families of real vendors, so
/// that a client with its usual model id can be tried.
pub(crate) fn rules(model: &str) -> Option<Rules> {
    let rules = match model {
        "demo-reasoner" => REASONER,
        "demo-classic" => CLASSIC,
        "demo-frontier" => FRONTIER,
        "demo-deepthink" => Rules { reasoning_content: true, ..CHAT },
        "demo-small" => Rules { context: 2_000, output: 200, ..CHAT },
        "demo-refuse" => Rules { refuses: true, ..CHAT },
        _ if MODELS.iter().any(|known| known.id == model) => CHAT,
        _ if named_fault(model).is_some() => CHAT,
        _ => return family(model),
    };
    Some(rules)
}

/// Parts of the names of models that think by budget only.
const OLD_CLAUDE: &[&str] = &["-3-", "-4-0", "-4-1", "-4-5", "-4-2025"];

fn family(model: &str) -> Option<Rules> {
    let starts = |names: &[&str]| names.iter().any(|name| model.starts_with(name));
    let holds = |names: &[&str]| names.iter().any(|name| model.contains(name));
    if starts(&["gpt-5.4", "gpt-5.5", "gpt-5.6", "gpt-6"]) {
        Some(FRONTIER)
    } else if starts(&["gpt-5", "o1", "o3", "o4"]) {
        let efforts = &["none", "minimal", "low", "medium", "high", "xhigh"];
        Some(Rules { efforts, ..REASONER })
    } else if starts(&["gpt-"]) || (starts(&["claude-"]) && holds(OLD_CLAUDE)) {
        Some(CLASSIC)
    } else if starts(&["claude-"]) && holds(&["-4-6"]) {
        Some(Rules { system_turns: false, ..CHAT })
    } else if starts(&["claude-"]) {
        Some(Rules { reasoning: false, ..REASONER })
    } else if starts(&["gemini-3"]) {
        Some(Rules { sampling: true, ..REASONER })
    } else if starts(&["gemini-", "text-embedding-"]) {
        Some(CHAT)
    } else if starts(&["deepseek-"]) {
        Some(Rules { reasoning_content: true, ..CHAT })
    } else {
        None
    }
}

/// The fault a model's name asks for.
pub(crate) fn named_fault(model: &str) -> Option<Fault> {
    if FAULTY_MODELS.iter().any(|known| known.id == model) {
        return fault(model, None);
    }
    let (name, number) = model.rsplit_once('-')?;
    fault(name, Some(number.parse().ok()?))
}

fn fault(name: &str, number: Option<usize>) -> Option<Fault> {
    let count = |or: usize| number.unwrap_or(or);
    let millis = |or: usize| Duration::from_millis(u64::try_from(count(or)).unwrap_or(u64::MAX));
    let place = number.map_or(At::Middle, At::Event);
    Some(match name {
        "demo-rate-limit" => Fault::status(429).with_header("retry-after", &count(2).to_string()),
        "demo-rate-limit-bare" => Fault::status(429),
        "demo-overloaded" => Fault::status(529),
        "demo-error" => Fault::status(u16::try_from(count(500)).ok()?),
        "demo-auth" => Fault::status(401),
        "demo-quota" => Fault::Quota,
        "demo-too-long" => Fault::TooLong,
        "demo-slow-head" => Fault::SlowHead(millis(3_000)),
        "demo-slow" => Fault::Pace(millis(200)),
        "demo-drip" => Fault::Drip { bytes: 1, every: millis(1) },
        "demo-split" => Fault::Split(count(7)),
        "demo-black-hole" => Fault::BlackHole,
        "demo-close" => Fault::CloseBeforeHead,
        "demo-reset" => Fault::ResetBeforeHead,
        "demo-reset-body" => Fault::Reset(place),
        "demo-cut" => Fault::Cut(place),
        "demo-stall" => Fault::Stall(place),
        "demo-garbage" => Fault::BadJson(At::AfterOutput),
        "demo-garbage-utf8" => Fault::GarbageUtf8(At::AfterOutput),
        "demo-oversize" => Fault::Oversize(count(4 << 20)),
        "demo-error-event-first" => Fault::ErrorEvent(At::Start),
        "demo-error-event-before" => Fault::ErrorEvent(At::BeforeOutput),
        "demo-error-event-after" => Fault::ErrorEvent(At::AfterOutput),
        "demo-no-terminal" => Fault::NoTerminal,
        "demo-double-terminal" => Fault::DoubleTerminal,
        "demo-200-error" => Fault::ErrorAsSuccess,
        "demo-200-html" => Fault::HtmlAsSuccess,
        "demo-html" => Fault::Html,
        "demo-content-type" => Fault::ContentType("text/plain".into()),
        "demo-empty" => Fault::EmptyBody,
        "demo-length-long" => Fault::LengthTooLong,
        "demo-length-short" => Fault::LengthTooShort,
        "demo-early-hints" => Fault::Informational(103),
        "demo-redirect" => Fault::Redirect("http://127.0.0.1:9/".into()),
        "demo-gzip" => Fault::Gzip,
        "demo-echo" => Fault::Echo,
        _ => return None,
    })
}

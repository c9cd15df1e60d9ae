//! Responses request, written.

use super::{write_items, write_tools};
use crate::canonical::{
    CacheSettings, Content, Identity, Logprobs, Losses, OutputFormat, Part, Reasoning, Request,
    Role, Sampling, ServiceTier, Severity, Shown, Storage, ThinkingForm, Turn, Verbosity,
};
use crate::dialect::Dialect;
use crate::ids;
use crate::json::{Object, Str};
use crate::translate::{Refusal, Target};

const NO_FIELD: &str = "Responses has no such member";

/// Writes a Responses request. It is stateless: nothing is stored unless the client asked for it,
/// items carry no ids, and reasoning comes back encrypted so that the next request can return it.
pub fn write(
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let Request {
        model: _,
        turns: _,
        tools,
        tool_choice,
        parallel_tools,
        max_tokens,
        stop,
        sampling,
        reasoning,
        format,
        verbosity,
        choices,
        logprobs,
        service_tier,
        identity,
        cache,
        storage,
        stream,
        include_usage: _,
        legacy_functions: _,
        extras,
    } = request;
    if choices.is_some_and(|count| count > 1) {
        return Err(losses.refuse("n", "Responses gives one answer"));
    }
    if !stop.is_empty() {
        // `fit` lets the router watch for them where it can.
        losses.member(Severity::Setting, "stop", NO_FIELD);
    }
    let mut object = Object::new(out);
    object.text("model", target.model);
    write_turns(&mut object, request, target, losses)?;
    write_tools::tools(&mut object, tools, losses)?;
    write_tools::choice(&mut object, tool_choice.as_ref(), tools, losses)?;
    if let (Some(parallel), false) = (parallel_tools, tools.is_empty()) {
        object.bool("parallel_tool_calls", *parallel);
    }
    if let Some(limit) = max_tokens {
        object.int("max_output_tokens", *limit);
    }
    write_sampling(&mut object, sampling, losses);
    write_reasoning(&mut object, *reasoning, losses);
    write_text(&mut object, format.as_ref(), *verbosity);
    write_include(&mut object, *logprobs, target);
    write_identity(&mut object, identity);
    write_tier(&mut object, service_tier.as_ref(), losses);
    write_cache(&mut object, cache);
    write_storage(&mut object, storage);
    // `fit` leaves what OpenAI's two dialects share.
    if let Some(moderation) = extras.iter().find(|extra| extra.path == "moderation") {
        object.raw("moderation", moderation.raw.text());
    }
    if *stream {
        object.bool("stream", true);
        if target.facts.openai_extras {
            object.raw("stream_options", r#"{"include_obfuscation":false}"#);
        }
    }
    object.end();
    Ok(())
}

fn write_turns(
    object: &mut Object<'_>,
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let (leading, rest) = request.leading();
    let turns = match leading {
        [only] if is_plain(only) => {
            let mut texts = only.parts.iter().filter_map(text_of).filter(|text| !text.is_empty());
            if let Some(first) = texts.next() {
                let buffer = object.key("instructions");
                buffer.push(b'"');
                first.push_inner(buffer);
                for text in texts {
                    buffer.extend_from_slice(b"\\n\\n");
                    text.push_inner(buffer);
                }
                buffer.push(b'"');
            }
            rest
        }
        _ => &request.turns,
    };
    let mut list = object.array("input");
    let mut items = write_items::Items::new(target);
    for turn in turns {
        items.turn(turn, &mut list, losses)?;
    }
    list.end();
    Ok(())
}

/// Whether the turn says all it says as `instructions`: text without cache marks and citations.
fn is_plain(turn: &Turn<'_>) -> bool {
    turn.name.is_none()
        && turn.parts.iter().all(|part| part.cache.is_none() && text_of(part).is_some())
}

const fn text_of<'p, 'a>(part: &'p Part<'a>) -> Option<&'p Str<'a>> {
    match &part.content {
        Content::Text { text, citations } if citations.is_empty() => Some(text),
        _ => None,
    }
}

fn write_sampling(object: &mut Object<'_>, sampling: &Sampling<'_>, losses: &mut Losses) {
    let Sampling {
        temperature,
        top_p,
        top_k,
        presence_penalty,
        frequency_penalty,
        seed,
        logit_bias,
    } = sampling;
    if let Some(value) = temperature {
        object.float("temperature", *value);
    }
    if let Some(value) = top_p {
        object.float("top_p", *value);
    }
    for (member, set) in [
        ("top_k", top_k.is_some()),
        ("presence_penalty", presence_penalty.is_some_and(|value| value != 0.0)),
        ("frequency_penalty", frequency_penalty.is_some_and(|value| value != 0.0)),
        ("seed", seed.is_some()),
        ("logit_bias", logit_bias.is_some()),
    ] {
        if set {
            losses.member(Severity::Setting, member, NO_FIELD);
        }
    }
}

fn write_reasoning(object: &mut Object<'_>, reasoning: Reasoning, losses: &mut Losses) {
    let Reasoning { effort, form, shown } = reasoning;
    // `fit` has made a form into a level; `Off` beside a level says the same as the level.
    if effort.is_none() && !matches!(form, ThinkingForm::Unset | ThinkingForm::Adaptive) {
        losses.member(Severity::Setting, "reasoning_effort", "the model takes no such effort");
    }
    let summary = match shown {
        Shown::Unset | Shown::Hidden => None,
        Shown::Summary => Some("auto"),
        Shown::Concise => Some("concise"),
        Shown::Detailed => Some("detailed"),
    };
    let summary = summary.filter(|_| form != ThinkingForm::Off);
    if effort.is_none() && summary.is_none() {
        return;
    }
    let mut inner = object.object("reasoning");
    if let Some(level) = effort {
        inner.text("effort", level.name());
    }
    if let Some(summary) = summary {
        inner.text("summary", summary);
    }
    inner.end();
}

fn write_text(
    object: &mut Object<'_>,
    format: Option<&OutputFormat<'_>>,
    verbosity: Option<Verbosity>,
) {
    if format.is_none() && verbosity.is_none() {
        return;
    }
    let mut text = object.object("text");
    match format {
        None => {}
        Some(OutputFormat::JsonObject) => {
            text.raw("format", r#"{"type":"json_object"}"#);
        }
        Some(OutputFormat::JsonSchema { name, description, schema, strict }) => {
            let mut inner = text.object("format");
            inner.text("type", "json_schema");
            inner.str("name", name.as_ref().unwrap_or(&Str::plain("answer")));
            if let Some(description) = description {
                inner.str("description", description);
            }
            inner.raw("schema", schema.text());
            if let Some(strict) = strict {
                inner.bool("strict", *strict);
            }
            inner.end();
        }
    }
    if let Some(level) = verbosity {
        text.text("verbosity", level.name());
    }
    text.end();
}

fn write_include(object: &mut Object<'_>, logprobs: Option<Logprobs>, target: &Target<'_>) {
    if let Some(Logprobs { top }) = logprobs {
        object.int("top_logprobs", top);
    }
    // Models that do not reason refuse to be asked for their reasoning.
    let reasons = target.facts.reasons;
    if !reasons && logprobs.is_none() {
        return;
    }
    let mut list = object.array("include");
    if reasons {
        Str::plain("reasoning.encrypted_content").push(list.item());
    }
    if logprobs.is_some() {
        Str::plain("message.output_text.logprobs").push(list.item());
    }
    list.end();
}

fn write_identity(object: &mut Object<'_>, identity: &Identity<'_>) {
    // The session is no member of its own: `fit` has made it the cache key.
    let Identity { end_user, user, session: _ } = identity;
    if let Some(name) = end_user {
        object.text("safety_identifier", &ids::shortened(name, ids::END_USER_MAX));
    }
    if let Some(name) = user {
        object.str("user", name);
    }
}

fn write_tier(object: &mut Object<'_>, tier: Option<&ServiceTier<'_>>, losses: &mut Losses) {
    let name = match tier {
        None => return,
        Some(ServiceTier::Auto) => "auto",
        Some(ServiceTier::Standard) => "default",
        Some(ServiceTier::Flex) => "flex",
        Some(ServiceTier::Scale) => "scale",
        Some(ServiceTier::Priority) => "priority",
        Some(ServiceTier::Fast) => "fast",
        Some(ServiceTier::Other(name)) => {
            if losses.dialect() == Dialect::OpenaiResponses {
                object.str("service_tier", name);
            } else {
                losses.member(Severity::Hint, "service_tier", "Responses has no such tier");
            }
            return;
        }
    };
    object.text("service_tier", name);
}

fn write_cache(object: &mut Object<'_>, cache: &CacheSettings<'_>) {
    // An automatic mark asks for what the Responses API does anyway.
    let CacheSettings { key, retention, explicit, ttl_s, prewarm, automatic: _ } = cache;
    if let Some(key) = key {
        object.str("prompt_cache_key", key);
    }
    if let Some(retention) = retention {
        object.str("prompt_cache_retention", retention);
    }
    let ttl = ttl_s.and_then(write_items::ttl_name);
    if explicit.is_none() && ttl.is_none() && !prewarm {
        return;
    }
    let mut options = object.object("prompt_cache_options");
    if let Some(explicit) = explicit {
        options.text("mode", if *explicit { "explicit" } else { "implicit" });
    }
    if let Some(ttl) = ttl {
        options.text("ttl", ttl);
    }
    if *prewarm {
        options.bool("prewarm", true);
    }
    options.end();
}

fn write_storage(object: &mut Object<'_>, storage: &Storage<'_>) {
    let Storage { store, metadata } = storage;
    // The API stores unless told not to; no other dialect does.
    object.bool("store", store.unwrap_or(false));
    if let Some(metadata) = metadata {
        object.raw("metadata", metadata.text());
    }
}

/// The role of a message, as the target calls it.
pub(super) fn role_name(role: Role, target: &Target<'_>) -> &'static str {
    match role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Developer => "developer",
        Role::System if target.facts.developer_role => "developer",
        Role::System => "system",
    }
}

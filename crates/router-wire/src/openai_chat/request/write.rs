//! Chat request, written.

mod content;
mod message;
mod tools;

use crate::canonical::{
    CacheMark, CacheSettings, Effort, Identity, Logprobs, Losses, OutputFormat, Reasoning, Request,
    Sampling, ServiceTier, Severity, Storage, Tool,
};
use crate::facts::{CacheMarks, TokensField};
use crate::ids;
use crate::json::{Object, Str};
use crate::translate::{Refusal, Target};

const NO_FIELD: &str = "Chat has no such member";
const OPENAI_ONLY: &str = "only OpenAI's own API has this member";

/// Most stop sequences Chat takes.
const STOP_MAX: usize = 4;

/// Most breakpoints OpenAI writes for one request.
const MARKS_MAX: usize = 4;

/// Writes a Chat request.
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
    let mut marks = Marks::new(request, target);
    let mut object = Object::new(out);
    object.text("model", target.model);
    marks.tools(tools, losses);
    message::write(&mut object, request, target, &mut marks, losses)?;
    tools::write(&mut object, tools, tool_choice.as_ref(), *parallel_tools, target, losses)?;
    if let Some(limit) = max_tokens {
        let member = match target.facts.tokens_field {
            TokensField::MaxTokens => "max_tokens",
            TokensField::MaxCompletionTokens => "max_completion_tokens",
        };
        object.int(member, *limit);
    }
    write_stop(&mut object, stop, losses)?;
    write_sampling(&mut object, sampling, losses);
    write_effort(&mut object, *reasoning, tools, target, losses);
    if let Some(format) = format {
        write_format(&mut object, format);
    }
    if let Some(length) = verbosity {
        if target.facts.openai_extras {
            object.text("verbosity", length.name());
        } else {
            losses.member(Severity::Setting, "verbosity", OPENAI_ONLY);
        }
    }
    write_choices(&mut object, *choices, losses)?;
    if let Some(Logprobs { top }) = logprobs {
        object.bool("logprobs", true).int("top_logprobs", *top);
    }
    write_tier(&mut object, service_tier.as_ref(), target, losses);
    write_identity(&mut object, identity, target, losses);
    write_cache(&mut object, cache, target, losses)?;
    write_storage(&mut object, storage, target, losses);
    // `fit` leaves what OpenAI's two dialects share.
    if let Some(moderation) = extras.iter().find(|extra| extra.path == "moderation") {
        object.raw("moderation", moderation.raw.text());
    }
    if *stream {
        write_stream(&mut object, target);
    }
    object.end();
    Ok(())
}

/// A stream, with the usage that clients and counters need.
fn write_stream(object: &mut Object<'_>, target: &Target<'_>) {
    object.bool("stream", true);
    let mut options = object.object("stream_options");
    options.bool("include_usage", true);
    if target.facts.openai_extras {
        options.bool("include_obfuscation", false);
    }
    options.end();
}

/// Which cache marks are written, and how.
///
/// A mark on what cannot carry one moves to the next part that can. OpenAI writes four at most;
/// the last ones count.
struct Marks {
    form: CacheMarks,
    /// Marks to leave out before the last ones.
    skip: usize,
    /// A mark on its way to the next part that can carry it.
    moving: Option<CacheMark>,
    long: bool,
}

impl Marks {
    fn new(request: &Request<'_>, target: &Target<'_>) -> Self {
        let in_tools = request.tools.iter().filter(|tool| mark_of(tool).is_some()).count();
        let parts = request.turns.iter().flat_map(|turn| &turn.parts);
        let in_turns = parts.filter(|part| message::mark_of(part).is_some()).count();
        Self {
            form: target.facts.cache_marks,
            skip: (in_tools + in_turns).saturating_sub(MARKS_MAX),
            moving: None,
            long: target.options.cache_12h,
        }
    }

    fn tools(&mut self, tools: &[Tool<'_>], losses: &mut Losses) {
        for mark in tools.iter().filter_map(mark_of) {
            self.carry(Some(mark), losses);
        }
    }

    /// Takes the mark of something that cannot carry it.
    fn carry(&mut self, mark: Option<CacheMark>, losses: &mut Losses) {
        self.moving = self.take(mark, losses);
    }

    /// The mark to write, given the part's own.
    fn take(&mut self, mark: Option<CacheMark>, losses: &mut Losses) -> Option<CacheMark> {
        let Some(mark) = mark else { return self.moving.take() };
        if self.form == CacheMarks::None {
            losses.member(Severity::Hint, "cache_control", "the upstream caches by itself");
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            losses.member(Severity::Hint, "cache_control", "only the last four marks are kept");
            return self.moving.take();
        }
        self.moving = None;
        Some(mark)
    }

    /// Whether the next part will carry a mark.
    fn pending(&self, marked: bool) -> bool {
        self.form != CacheMarks::None && (marked || self.moving.is_some())
    }

    /// The member for a part's mark.
    fn write(&mut self, object: &mut Object<'_>, mark: Option<CacheMark>, losses: &mut Losses) {
        let Some(mark) = self.take(mark, losses) else { return };
        match self.form {
            CacheMarks::None => {}
            CacheMarks::CacheControl => {
                let mut inner = object.object("cache_control");
                inner.text("type", "ephemeral");
                if mark.ttl_s.is_some_and(|seconds| seconds > 300) {
                    inner.text("ttl", "1h");
                }
                inner.end();
            }
            CacheMarks::Breakpoint => {
                let mut inner = object.object("prompt_cache_breakpoint");
                inner.text("mode", "explicit");
                match mark.ttl_s {
                    Some(1800) => drop(inner.text("ttl", "30m")),
                    Some(43_200) => drop(inner.text("ttl", "12h")),
                    Some(3600) if self.long => drop(inner.text("ttl", "12h")),
                    _ => {}
                }
                inner.end();
            }
        }
    }
}

fn mark_of(tool: &Tool<'_>) -> Option<CacheMark> {
    match tool {
        Tool::Function(function) => function.cache,
        Tool::Custom(custom) => custom.cache,
        Tool::WebSearch(search) => search.cache,
        Tool::Hosted(_) => None,
    }
}

fn write_stop(object: &mut Object<'_>, stop: &[Str<'_>], losses: &Losses) -> Result<(), Refusal> {
    if stop.len() > STOP_MAX {
        return Err(losses.refuse("stop", "Chat takes four stop sequences at most"));
    }
    if !stop.is_empty() {
        let mut list = object.array("stop");
        for text in stop {
            text.push(list.item());
        }
        list.end();
    }
    Ok(())
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
    for (member, value) in [
        ("temperature", temperature),
        ("top_p", top_p),
        ("presence_penalty", presence_penalty),
        ("frequency_penalty", frequency_penalty),
    ] {
        if let Some(value) = value {
            object.float(member, *value);
        }
    }
    if let Some(seed) = seed {
        object.raw("seed", &seed.to_string());
    }
    if let Some(biases) = logit_bias {
        object.raw("logit_bias", biases.text());
    }
    if top_k.is_some() {
        losses.member(Severity::Setting, "top_k", NO_FIELD);
    }
}

fn write_effort(
    object: &mut Object<'_>,
    reasoning: Reasoning,
    tools: &[Tool<'_>],
    target: &Target<'_>,
    losses: &mut Losses,
) {
    // The form of thinking is a matter of Messages and Gemini: `fit` has made an effort of it.
    // What is shown of it is decided on the way back.
    let Reasoning { effort, form: _, shown: _ } = reasoning;
    let Some(level) = effort else { return };
    let refused = target.facts.chat_tools_refuse_effort && !tools.is_empty();
    if !refused || level == Effort::None {
        object.text("reasoning_effort", level.name());
        return;
    }
    if target.facts.efforts.contains(&Effort::None) {
        object.text("reasoning_effort", Effort::None.name());
    }
    let why = "the model takes no effort beside tools on Chat";
    losses.member(Severity::Setting, "reasoning_effort", why);
}

fn write_format(object: &mut Object<'_>, format: &OutputFormat<'_>) {
    let mut outer = object.object("response_format");
    match format {
        OutputFormat::JsonObject => drop(outer.text("type", "json_object")),
        OutputFormat::JsonSchema { name, description, schema, strict } => {
            outer.text("type", "json_schema");
            let mut inner = outer.object("json_schema");
            inner.str("name", name.as_ref().unwrap_or(&Str::Literal("answer")));
            if let Some(text) = description {
                inner.str("description", text);
            }
            inner.raw("schema", schema.text());
            if let Some(strict) = strict {
                inner.bool("strict", *strict);
            }
            inner.end();
        }
    }
    outer.end();
}

fn write_choices(
    object: &mut Object<'_>,
    choices: Option<u64>,
    losses: &Losses,
) -> Result<(), Refusal> {
    match choices {
        Some(0) => Err(losses.refuse("n", "at least one answer must be asked for")),
        Some(count) if count > 1 => {
            object.int("n", count);
            Ok(())
        }
        Some(_) | None => Ok(()),
    }
}

fn write_tier(
    object: &mut Object<'_>,
    tier: Option<&ServiceTier<'_>>,
    target: &Target<'_>,
    losses: &mut Losses,
) {
    let Some(tier) = tier else { return };
    let name = match tier {
        ServiceTier::Auto => "auto",
        ServiceTier::Standard => "default",
        ServiceTier::Flex => "flex",
        ServiceTier::Scale => "scale",
        ServiceTier::Priority => "priority",
        ServiceTier::Fast => "fast",
        ServiceTier::Other(_) => {
            losses.member(Severity::Hint, "service_tier", "Chat has no such tier");
            return;
        }
    };
    if target.facts.openai_extras {
        object.text("service_tier", name);
    } else if !matches!(tier, ServiceTier::Auto | ServiceTier::Standard) {
        losses.member(Severity::Hint, "service_tier", OPENAI_ONLY);
    }
}

fn write_identity(
    object: &mut Object<'_>,
    identity: &Identity<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
) {
    // The session is no member of its own: `fit` has used it for the cache key.
    let Identity { end_user, user, session: _ } = identity;
    if let Some(name) = end_user {
        if target.facts.openai_extras {
            object.text("safety_identifier", &ids::shortened(name, ids::END_USER_MAX));
        } else {
            losses.member(Severity::Hint, "safety_identifier", OPENAI_ONLY);
        }
    }
    if let Some(name) = user {
        object.str("user", name);
    }
}

fn write_cache(
    object: &mut Object<'_>,
    cache: &CacheSettings<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    // `automatic` asks for what OpenAI's servers do anyway: to cache the whole prompt.
    let CacheSettings { key, retention, explicit, ttl_s, prewarm, automatic: _ } = cache;
    let facts = target.facts;
    if *prewarm {
        return Err(losses.refuse("max_tokens", "Chat cannot only warm the cache"));
    }
    if let Some(key) = key {
        if facts.openai_extras {
            object.text("prompt_cache_key", &ids::shortened(key, ids::CACHE_KEY_MAX));
        } else {
            losses.member(Severity::Hint, "prompt_cache_key", OPENAI_ONLY);
        }
    }
    if let Some(retention) = retention {
        let day = retention == "24h";
        if facts.openai_extras && day == facts.cache_retention_24h {
            object.str("prompt_cache_retention", retention);
        } else {
            let why = "the model does not take this retention";
            losses.member(Severity::Hint, "prompt_cache_retention", why);
        }
    }
    if explicit.is_none() && ttl_s.is_none() {
        return Ok(());
    }
    if facts.cache_marks != CacheMarks::Breakpoint {
        let why = "the model does not take these options";
        losses.member(Severity::Hint, "prompt_cache_options", why);
        return Ok(());
    }
    let mut options = object.object("prompt_cache_options");
    if let Some(explicit) = explicit {
        options.text("mode", if *explicit { "explicit" } else { "implicit" });
    }
    match ttl_s {
        Some(1800) => drop(options.text("ttl", "30m")),
        Some(_) => losses.member(Severity::Hint, "prompt_cache_options", "Chat knows 30m only"),
        None => {}
    }
    options.end();
    Ok(())
}

fn write_storage(
    object: &mut Object<'_>,
    storage: &Storage<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
) {
    let Storage { store, metadata } = storage;
    let stored = *store == Some(true);
    match store {
        Some(store) if target.facts.openai_extras => drop(object.bool("store", *store)),
        Some(true) => losses.member(Severity::Hint, "store", OPENAI_ONLY),
        Some(false) | None => {}
    }
    match metadata {
        Some(labels) if target.facts.openai_extras && stored => {
            object.raw("metadata", labels.text());
        }
        Some(_) => losses.member(Severity::Hint, "metadata", "kept for stored answers only"),
        None => {}
    }
}

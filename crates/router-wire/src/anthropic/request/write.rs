//! Messages request, written.

use super::write_blocks;
use crate::canonical::{
    CacheMark, CacheSettings, Function, Identity, Losses, OutputFormat, Reasoning, Request,
    Sampling, ServiceTier, Severity, Shown, Storage, ThinkingForm, Tool, ToolChoice, WebSearch,
};
use crate::dialect::Dialect;
use crate::json::{Object, out};
use crate::translate::{Refusal, Target};

const NO_FIELD: &str = "Messages has no such member";

/// Writes a Messages request.
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
        extras: _,
    } = request;
    if choices.is_some_and(|count| count > 1) {
        return Err(losses.refuse("n", "Messages gives one answer"));
    }
    if logprobs.is_some() {
        return Err(losses.refuse("logprobs", "Messages gives no probabilities"));
    }
    if verbosity.is_some() {
        losses.member(Severity::Setting, "verbosity", NO_FIELD);
    }
    let mut object = Object::new(out);
    object.text("model", target.model);
    let limit =
        if cache.prewarm { 0 } else { max_tokens.unwrap_or(target.options.max_tokens_default) };
    object.int("max_tokens", limit);
    write_turns(&mut object, request, losses)?;
    write_tools(&mut object, tools, target, losses)?;
    write_choice(&mut object, tool_choice.as_ref(), *parallel_tools, !tools.is_empty(), losses)?;
    if !stop.is_empty() {
        let mut list = object.array("stop_sequences");
        for text in stop {
            text.push(list.item());
        }
        list.end();
    }
    write_sampling(&mut object, sampling, losses);
    write_reasoning(&mut object, *reasoning, format.as_ref(), losses);
    write_identity(&mut object, identity, losses);
    write_tier(&mut object, service_tier.as_ref(), target, losses);
    write_cache(&mut object, cache, losses);
    let Storage { store, metadata } = storage;
    if *store == Some(true) {
        losses.member(Severity::Hint, "store", NO_FIELD);
    }
    if metadata.is_some() {
        losses.member(Severity::Hint, "metadata", "Messages keeps no labels");
    }
    if *stream {
        object.bool("stream", true);
    }
    object.end();
    Ok(())
}

fn write_turns(
    object: &mut Object<'_>,
    request: &Request<'_>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let (leading, rest) = request.leading();
    if !leading.is_empty() {
        let mut list = object.array("system");
        if let Some(named) = leading.iter().find(|turn| turn.name.is_some()) {
            let why = "Messages has no names of speakers";
            losses.add_at(Severity::Hint, "message-name", named.origin, why);
        }
        for part in leading.iter().flat_map(|turn| &turn.parts) {
            write_blocks::part(part, list.item(), losses)?;
        }
        list.end();
    }
    let mut list = object.array("messages");
    for turn in rest {
        write_blocks::turn(turn, &mut list, losses)?;
    }
    list.end();
    Ok(())
}

fn write_tools(
    object: &mut Object<'_>,
    tools: &[Tool<'_>],
    target: &Target<'_>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    if tools.is_empty() {
        return Ok(());
    }
    let mut list = object.array("tools");
    for tool in tools {
        match tool {
            Tool::Function(function) => write_function(list.object(), function),
            Tool::WebSearch(search) => write_search(list.object(), search, target, losses)?,
            // `fit` has turned those that can be served into functions.
            Tool::Custom(_) => return Err(losses.refuse("tools", "Messages has no such tool")),
            Tool::Hosted(hosted) if hosted.dialect == Dialect::Anthropic => {
                list.item().extend_from_slice(hosted.raw.text().as_bytes());
            }
            Tool::Hosted(hosted) => {
                return Err(
                    losses.refuse("tools", format!("Messages has no tool of type {}", hosted.kind))
                );
            }
        }
    }
    list.end();
    Ok(())
}

fn write_function(mut object: Object<'_>, function: &Function<'_>) {
    let Function {
        name,
        namespace: _,
        description,
        parameters,
        strict,
        cache,
        defer_loading,
        extras: _,
    } = function;
    object.str("name", name);
    if let Some(text) = description {
        object.str("description", text);
    }
    match parameters {
        Some(schema) => object.raw("input_schema", schema.text()),
        None => object.raw("input_schema", r#"{"type":"object"}"#),
    };
    if *strict == Some(true) {
        object.bool("strict", true);
    }
    if *defer_loading {
        object.bool("defer_loading", true);
    }
    write_mark(&mut object, *cache);
    object.end();
}

fn write_search(
    mut object: Object<'_>,
    search: &WebSearch<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let WebSearch {
        allowed_domains,
        blocked_domains,
        max_uses,
        user_location,
        context_size,
        cache,
        extras: _,
    } = search;
    let Some(kind) = target.facts.web_search_tool.as_deref() else {
        return Err(losses.refuse("web_search", "the model has no web search"));
    };
    object.text("type", kind).text("name", "web_search");
    if let Some(uses) = max_uses {
        object.int("max_uses", *uses);
    }
    for (key, domains) in
        [("allowed_domains", allowed_domains), ("blocked_domains", blocked_domains)]
    {
        if !domains.is_empty() {
            let mut list = object.array(key);
            for domain in domains {
                domain.push(list.item());
            }
            list.end();
        }
    }
    if let Some(place) = user_location {
        object.raw("user_location", place.text());
    }
    if context_size.is_some() {
        losses.member(Severity::Hint, "search_context_size", NO_FIELD);
    }
    write_mark(&mut object, *cache);
    object.end();
    Ok(())
}

fn write_choice(
    object: &mut Object<'_>,
    choice: Option<&ToolChoice<'_>>,
    parallel: Option<bool>,
    has_tools: bool,
    losses: &Losses,
) -> Result<(), Refusal> {
    let one_at_a_time = parallel == Some(false);
    if !has_tools || (choice.is_none() && !one_at_a_time) {
        return Ok(());
    }
    let mut object = object.object("tool_choice");
    let mut calls = true;
    match choice {
        None | Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => {
            object.text("type", "auto");
        }
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => {
            object.text("type", "any");
        }
        Some(ToolChoice::None) => {
            object.text("type", "none");
            calls = false;
        }
        Some(ToolChoice::Named(tool)) => {
            object.text("type", "tool").str("name", &tool.name);
        }
        Some(ToolChoice::Foreign(foreign)) => {
            return Err(losses.refuse(
                "tool_choice",
                format!("Messages has no choice of type {}", foreign.kind),
            ));
        }
    }
    if one_at_a_time && calls {
        object.bool("disable_parallel_tool_use", true);
    }
    object.end();
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
    if let Some(value) = temperature {
        object.float("temperature", *value);
    }
    if let Some(value) = top_p {
        object.float("top_p", *value);
    }
    if let Some(value) = top_k {
        object.int("top_k", *value);
    }
    for (member, set) in [
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

fn write_reasoning(
    object: &mut Object<'_>,
    reasoning: Reasoning,
    format: Option<&OutputFormat<'_>>,
    losses: &mut Losses,
) {
    let Reasoning { effort, form, shown } = reasoning;
    let kind = match form {
        ThinkingForm::Unset => None,
        ThinkingForm::Off => Some(("disabled", None)),
        ThinkingForm::Adaptive => Some(("adaptive", None)),
        ThinkingForm::Budget(tokens) => Some(("enabled", Some(tokens))),
    };
    if let Some((kind, budget)) = kind {
        let mut thinking = object.object("thinking");
        thinking.text("type", kind);
        if let Some(tokens) = budget {
            thinking.int("budget_tokens", tokens);
        }
        match shown {
            _ if form == ThinkingForm::Off => {}
            Shown::Unset => {}
            Shown::Hidden => drop(thinking.text("display", "omitted")),
            Shown::Summary | Shown::Concise | Shown::Detailed => {
                thinking.text("display", "summarized");
            }
        }
        thinking.end();
    }
    let schema = match format {
        Some(OutputFormat::JsonSchema { name: _, description, schema, strict: _ }) => {
            if description.is_some() {
                losses.member(Severity::Hint, "response_format.description", NO_FIELD);
            }
            Some(schema)
        }
        Some(OutputFormat::JsonObject) | None => None,
    };
    if effort.is_none() && schema.is_none() {
        return;
    }
    let mut config = object.object("output_config");
    if let Some(level) = effort {
        config.text("effort", level.name());
    }
    if let Some(schema) = schema {
        let mut format = config.object("format");
        format.text("type", "json_schema").raw("schema", schema.text());
        format.end();
    }
    config.end();
}

fn write_identity(object: &mut Object<'_>, identity: &Identity<'_>, losses: &mut Losses) {
    // The session is no member of its own: `fit` has used it for the cache key where there is one.
    let Identity { end_user, user, session: _ } = identity;
    if let Some(name) = end_user.as_ref().or(user.as_ref()) {
        let mut metadata = object.object("metadata");
        metadata.str("user_id", name);
        metadata.end();
    }
    if end_user.is_some() && user.is_some() && end_user != user {
        losses.member(Severity::Hint, "user", "Messages has one user id");
    }
}

fn write_tier(
    object: &mut Object<'_>,
    tier: Option<&ServiceTier<'_>>,
    target: &Target<'_>,
    losses: &mut Losses,
) {
    match tier {
        None => {}
        Some(ServiceTier::Auto) => drop(object.text("service_tier", "auto")),
        Some(ServiceTier::Standard) => drop(object.text("service_tier", "standard_only")),
        Some(ServiceTier::Fast) if target.facts.fast_mode => drop(object.text("speed", "fast")),
        Some(ServiceTier::Fast) => {
            losses.member(Severity::Hint, "service_tier", "the model has no fast mode");
        }
        Some(
            ServiceTier::Flex | ServiceTier::Scale | ServiceTier::Priority | ServiceTier::Other(_),
        ) => {
            object.text("service_tier", "auto");
            losses.member(Severity::Hint, "service_tier", "Messages has no such tier");
        }
    }
}

fn write_cache(object: &mut Object<'_>, cache: &CacheSettings<'_>, losses: &mut Losses) {
    // `fit` has made the settings into marks where that is possible.
    let CacheSettings { key, retention, explicit: _, ttl_s: _, prewarm: _, automatic } = cache;
    if let Some(mark) = automatic {
        mark_value(object.key("cache_control"), *mark);
    } else if key.is_some() {
        losses.member(Severity::Hint, "prompt_cache_key", NO_FIELD);
    }
    if retention.is_some() {
        losses.member(Severity::Hint, "prompt_cache_retention", NO_FIELD);
    }
}

/// The member `cache_control`, if there is a mark.
pub(super) fn write_mark(object: &mut Object<'_>, mark: Option<CacheMark>) {
    if let Some(mark) = mark {
        mark_value(object.key("cache_control"), mark);
    }
}

fn mark_value(buffer: &mut Vec<u8>, mark: CacheMark) {
    let mut object = Object::new(buffer);
    object.text("type", "ephemeral");
    // Five minutes is the default; Anthropic's only other lifetime is an hour.
    if mark.ttl_s.is_some_and(|seconds| seconds > 300) {
        object.text("ttl", "1h");
    }
    object.end();
}

/// Appends a JSON string that is known at compile time.
pub(super) fn word(buffer: &mut Vec<u8>, text: &str) {
    out::string(buffer, text);
}

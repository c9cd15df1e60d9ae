//! Request, written.

use super::{write_contents, write_tools};
use crate::canonical::{
    CacheSettings, Content, Detail, Effort, Identity, Logprobs, Losses, OutputFormat, Reasoning,
    Request, Sampling, ServiceTier, Severity, Shown, Storage, ThinkingForm,
};
use crate::facts::ThinkingKind;
use crate::json::{Object, out};
use crate::translate::{Refusal, Target};

const NO_FIELD: &str = "Gemini has no such member";

/// Most stop sequences Gemini takes.
const STOPS_MAX: usize = 5;

/// Writes a generateContent request. The model and the wish for a stream go into the path.
pub fn write(
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    write_object(Object::new(out), request, target, losses)
}

/// Writes the members of a request into an object and closes it.
pub(in crate::gemini) fn write_object(
    mut object: Object<'_>,
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let Request {
        model: _,
        turns: _,
        tools,
        tool_choice,
        parallel_tools,
        max_tokens: _,
        stop: _,
        sampling: _,
        reasoning: _,
        format: _,
        verbosity,
        choices: _,
        logprobs: _,
        service_tier,
        identity,
        cache,
        storage,
        stream: _,
        include_usage: _,
        legacy_functions: _,
        extras: _,
    } = request;
    if verbosity.is_some() {
        losses.member(Severity::Setting, "verbosity", NO_FIELD);
    }
    if *parallel_tools == Some(false) && !tools.is_empty() {
        losses.member(Severity::Setting, "parallel_tool_calls", NO_FIELD);
    }
    write_contents::write(&mut object, request, target, losses)?;
    write_tools::tools(&mut object, tools, losses)?;
    write_tools::choice(&mut object, tool_choice.as_ref(), tools, losses)?;
    write_config(&mut object, request, target, losses)?;
    write_tier(&mut object, service_tier.as_ref(), losses);
    lose_identity(identity, losses);
    lose_cache(cache, losses)?;
    let Storage { store, metadata } = storage;
    if *store == Some(true) {
        losses.member(Severity::Hint, "store", "nothing is stored at the vendor");
    }
    if metadata.is_some() {
        losses.member(Severity::Hint, "metadata", NO_FIELD);
    }
    object.end();
    Ok(())
}

fn write_config(
    object: &mut Object<'_>,
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let mut buffer = Vec::new();
    let mut config = Object::new(&mut buffer);
    write_sampling(&mut config, &request.sampling, losses);
    if let Some(count) = request.choices.filter(|count| *count > 1) {
        config.int("candidateCount", count);
    }
    if let Some(limit) = request.max_tokens {
        config.int("maxOutputTokens", limit);
    }
    if request.stop.len() > STOPS_MAX {
        return Err(losses.refuse("stop", "Gemini takes at most five stop sequences"));
    }
    if !request.stop.is_empty() {
        let mut list = config.array("stopSequences");
        for text in &request.stop {
            text.push(list.item());
        }
        list.end();
    }
    if let Some(Logprobs { top }) = request.logprobs {
        config.bool("responseLogprobs", true);
        if top > 0 {
            config.int("logprobs", top);
        }
    }
    write_format(&mut config, request.format.as_ref(), losses);
    write_reasoning(&mut config, request.reasoning, target, losses);
    if let Some(level) = resolution(request) {
        config.text("mediaResolution", level);
    }
    config.end();
    if buffer != b"{}" {
        object.key("generationConfig").extend_from_slice(&buffer);
    }
    Ok(())
}

fn write_sampling(config: &mut Object<'_>, sampling: &Sampling<'_>, losses: &mut Losses) {
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
        ("topP", top_p),
        ("presencePenalty", presence_penalty),
        ("frequencyPenalty", frequency_penalty),
    ] {
        if let Some(value) = value {
            config.float(member, *value);
        }
    }
    if let Some(value) = top_k {
        config.int("topK", *value);
    }
    match seed.map(i32::try_from) {
        Some(Ok(value)) => out::float(config.key("seed"), f64::from(value)),
        Some(Err(_)) => {
            losses.member(Severity::Setting, "seed", "Gemini takes seeds of 32 bits only");
        }
        None => {}
    }
    if logit_bias.is_some() {
        losses.member(Severity::Setting, "logit_bias", NO_FIELD);
    }
}

fn write_format(config: &mut Object<'_>, format: Option<&OutputFormat<'_>>, losses: &mut Losses) {
    match format {
        None => {}
        Some(OutputFormat::JsonObject) => {
            config.text("responseMimeType", "application/json");
        }
        Some(OutputFormat::JsonSchema { name: _, description, schema, strict: _ }) => {
            if description.is_some() {
                losses.member(Severity::Hint, "response_format.description", NO_FIELD);
            }
            config.text("responseMimeType", "application/json");
            config.raw("responseJsonSchema", schema.text());
        }
    }
}

fn write_reasoning(
    config: &mut Object<'_>,
    reasoning: Reasoning,
    target: &Target<'_>,
    losses: &mut Losses,
) {
    let Reasoning { effort, form, shown } = reasoning;
    let facts = target.facts;
    let shows = !matches!(shown, Shown::Unset | Shown::Hidden) && facts.reasons;
    let level = effort.filter(|_| facts.thinks(ThinkingKind::Level)).map(level_name);
    let budget = match form {
        ThinkingForm::Budget(tokens) => Some(tokens),
        ThinkingForm::Off => Some(0),
        ThinkingForm::Unset | ThinkingForm::Adaptive => None,
    };
    if effort.is_some() && level.is_none() {
        losses.member(Severity::Setting, "reasoning_effort", "the model takes no level");
    }
    // Where nothing is thought there is nothing to show, and Google refuses to be asked for it.
    let shows = shows && budget != Some(0);
    if !shows && level.is_none() && budget.is_none() {
        return;
    }
    let mut thinking = config.object("thinkingConfig");
    if shows {
        thinking.bool("includeThoughts", true);
    }
    if let Some(name) = level {
        thinking.text("thinkingLevel", name);
    } else if let Some(tokens) = budget {
        thinking.int("thinkingBudget", tokens);
    }
    thinking.end();
}

const fn level_name(effort: Effort) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal => "MINIMAL",
        Effort::Low => "LOW",
        Effort::Medium => "MEDIUM",
        Effort::High => "HIGH",
        Effort::Xhigh | Effort::Max => "XHIGH",
    }
}

/// The closest look any image asks for: Gemini has one figure for the whole request on all models.
fn resolution(request: &Request<'_>) -> Option<&'static str> {
    let rank = |detail: Detail| match detail {
        Detail::Auto => 0,
        Detail::Low => 1,
        Detail::Medium => 2,
        Detail::High | Detail::Original => 3,
    };
    let closest = request
        .turns
        .iter()
        .flat_map(|turn| &turn.parts)
        .flat_map(|part| match &part.content {
            Content::ToolResult(result) => result.content.iter(),
            _ => std::slice::from_ref(part).iter(),
        })
        .filter_map(|part| match &part.content {
            Content::Image(image) => image.detail.map(rank),
            _ => None,
        })
        .max();
    match closest {
        Some(1) => Some("MEDIA_RESOLUTION_LOW"),
        Some(2) => Some("MEDIA_RESOLUTION_MEDIUM"),
        Some(3) => Some("MEDIA_RESOLUTION_HIGH"),
        _ => None,
    }
}

fn write_tier(object: &mut Object<'_>, tier: Option<&ServiceTier<'_>>, losses: &mut Losses) {
    match tier {
        None | Some(ServiceTier::Auto) => {}
        Some(ServiceTier::Standard) => drop(object.text("serviceTier", "standard")),
        Some(ServiceTier::Flex) => drop(object.text("serviceTier", "flex")),
        Some(ServiceTier::Priority) => drop(object.text("serviceTier", "priority")),
        Some(ServiceTier::Scale | ServiceTier::Fast | ServiceTier::Other(_)) => {
            losses.member(Severity::Hint, "service_tier", "Gemini has no such tier");
        }
    }
}

fn lose_identity(identity: &Identity<'_>, losses: &mut Losses) {
    // The session is no member of its own.
    let Identity { end_user, user, session: _ } = identity;
    if end_user.is_some() {
        losses.member(Severity::Hint, "safety_identifier", NO_FIELD);
    }
    if user.is_some() {
        losses.member(Severity::Hint, "user", NO_FIELD);
    }
}

fn lose_cache(cache: &CacheSettings<'_>, losses: &mut Losses) -> Result<(), Refusal> {
    const IMPLICIT: &str = "Gemini caches by itself";
    let CacheSettings { key, retention, explicit, ttl_s, prewarm, automatic } = cache;
    if *prewarm {
        return Err(losses.refuse("max_tokens", "Gemini cannot warm a cache without answering"));
    }
    for (member, set) in [
        ("prompt_cache_key", key.is_some()),
        ("prompt_cache_retention", retention.is_some()),
        ("prompt_cache_options", explicit.is_some() || ttl_s.is_some()),
        ("cache_control", automatic.is_some()),
    ] {
        if set {
            losses.member(Severity::Hint, member, IMPLICIT);
        }
    }
    Ok(())
}

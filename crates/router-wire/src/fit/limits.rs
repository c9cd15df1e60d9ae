//! Token limits, sampling, stop sequences and the form of the answer.

use crate::canonical::Origin;
use crate::canonical::{
    Effort, Json, Losses, OutputFormat, Part, Request, Role, Severity, ThinkingForm, Turn,
};
use crate::dialect::Dialect;
use crate::facts::SamplingRule;
use crate::fit::schema;
use crate::fit::tools::CUT;
use crate::json::Str;
use crate::translate::{Refusal, Target};

/// The first version of the Messages API that takes no sampling parameters at all.
const VERSION_WITHOUT_SAMPLING: &str = "2026-10-21";
/// The part of an estimate by which it may be too low.
const ESTIMATE_MARGIN: u64 = 4;
/// The least that is left for an answer where the context seems full, in tokens.
const ROOM_MIN: u64 = 1024;
/// Most stop sequences Chat takes.
const CHAT_STOPS_MAX: usize = 4;
/// Most stop sequences Gemini takes.
const GEMINI_STOPS_MAX: usize = 5;

/// Adapts limits. Gives the stop sequences the router must watch for.
pub(super) fn fit(
    request: &mut Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Result<Vec<String>, Refusal> {
    if request.cache.prewarm && matches!(target.dialect, Dialect::OpenaiChat | Dialect::Gemini) {
        return Err(losses.refuse("max_tokens", "the target cannot warm a cache without answering"));
    }
    fit_max_tokens(request, target, losses);
    fit_sampling(request, target, losses);
    fit_format(request, target, losses);
    Ok(fit_stop(request, target, losses))
}

fn fit_max_tokens(request: &mut Request<'_>, target: &Target<'_>, losses: &mut Losses) {
    let facts = target.facts;
    if request.max_tokens.is_none() && target.dialect == Dialect::Anthropic {
        let most = facts.max_output.unwrap_or(target.options.max_tokens_default);
        // Messages refuses a limit that the context has no room for.
        let room = facts.context.map(|context| {
            let used = crate::estimate::input_tokens(request);
            context.saturating_sub(used.saturating_add(used / ESTIMATE_MARGIN)).max(ROOM_MIN)
        });
        request.max_tokens = Some(room.map_or(most, |room| most.min(room)));
    }
    let Some(asked) = request.max_tokens else { return };
    let highest = facts.max_output.unwrap_or(u64::MAX).max(facts.min_output);
    let limit = asked.clamp(facts.min_output, highest);
    if limit != asked {
        let severity = if limit > asked { Severity::Hint } else { Severity::Setting };
        losses.member(severity, "max_tokens", "moved into the range the model takes");
        request.max_tokens = Some(limit);
    }
}

fn fit_sampling(request: &mut Request<'_>, target: &Target<'_>, losses: &mut Losses) {
    let facts = target.facts;
    let reasoning = request.reasoning;
    let messages = target.dialect == Dialect::Anthropic;
    let refused = match facts.sampling {
        SamplingRule::None => true,
        SamplingRule::WithoutReasoning => reasoning.effort != Some(Effort::None),
        SamplingRule::All => {
            messages
                && (target.options.anthropic_version.as_str() >= VERSION_WITHOUT_SAMPLING
                    || matches!(reasoning.form, ThinkingForm::Budget(_) | ThinkingForm::Adaptive))
        }
    };
    let sampling = &mut request.sampling;
    if refused {
        const WHY: &str = "the model refuses it";
        // The default value asks for nothing.
        if sampling.temperature.take().is_some_and(|value| (value - 1.0).abs() > f64::EPSILON) {
            losses.member(Severity::Setting, "temperature", WHY);
        }
        if sampling.top_p.take().is_some_and(|value| (value - 1.0).abs() > f64::EPSILON) {
            losses.member(Severity::Setting, "top_p", WHY);
        }
        if sampling.top_k.take().is_some() {
            losses.member(Severity::Setting, "top_k", WHY);
        }
        if sampling.presence_penalty.take().is_some_and(|value| value != 0.0) {
            losses.member(Severity::Setting, "presence_penalty", WHY);
        }
        if sampling.frequency_penalty.take().is_some_and(|value| value != 0.0) {
            losses.member(Severity::Setting, "frequency_penalty", WHY);
        }
        if !messages && request.logprobs.take().is_some() {
            losses.member(Severity::Setting, "logprobs", WHY);
        }
        return;
    }
    if let Some(value) = sampling.temperature
        && value > facts.temperature_max
    {
        sampling.temperature = Some(facts.temperature_max);
        losses.member(Severity::Setting, "temperature", "lowered to the highest the model takes");
    }
    if facts.temperature_or_top_p
        && sampling.temperature.is_some()
        && sampling.top_p.take().is_some_and(|value| (value - 1.0).abs() > f64::EPSILON)
    {
        losses.member(Severity::Setting, "top_p", "the model takes it only without temperature");
    }
}

/// Whether the target holds the answer to the schema. Anthropic's structured outputs take none that
/// refers to itself.
fn takes_schema(schema: &str, target: &Target<'_>) -> bool {
    target.facts.structured_outputs
        && (target.dialect != Dialect::Anthropic || !schema::is_recursive(schema))
}

/// The form of the answer; where the model has no such setting it is asked for in words.
fn fit_format(request: &mut Request<'_>, target: &Target<'_>, losses: &mut Losses) {
    let rules = schema::Rules::for_answers(target.dialect);
    let words = match &mut request.format {
        Some(OutputFormat::JsonObject) if target.dialect == Dialect::Anthropic => {
            "Answer with one JSON object and nothing else.".to_owned()
        }
        None | Some(OutputFormat::JsonObject) => return,
        Some(OutputFormat::JsonSchema { schema, .. }) if !takes_schema(schema.text(), target) => {
            format!(
                "Answer with one JSON value and nothing else. It must follow this JSON Schema:\n{}",
                schema.text()
            )
        }
        Some(OutputFormat::JsonSchema { schema, strict, .. }) => {
            if !target.facts.schema_refs
                && let Some(schema::Inlined { schema: inlined, cut }) =
                    schema::inline(schema.text())
            {
                *schema = Json(inlined.into());
                if cut {
                    losses.member(Severity::Setting, "response_format.schema", CUT);
                }
            }
            if let Some(cleaned) = schema::clean_answer(schema.text(), &rules) {
                super::tools::note_lost("response_format", &cleaned, losses);
                *schema = Json(cleaned.text.into());
            }
            if *strict == Some(true)
                && target.dialect != Dialect::Anthropic
                && !schema::is_strict(schema.text())
            {
                *strict = Some(false);
                losses.member(
                    Severity::Setting,
                    "response_format.strict",
                    "the schema is not closed enough for it",
                );
            }
            return;
        }
    };
    losses.member(Severity::Setting, "response_format", "asked for in words, not enforced");
    request.format = None;
    let part = Part::text(words.into(), Origin::default());
    match request.turns.first_mut() {
        Some(first) if first.role.is_system() => first.parts.push(part),
        _ => request.turns.insert(0, Turn::new(Role::System, vec![part], Origin::default())),
    }
}

fn fit_stop(request: &mut Request<'_>, target: &Target<'_>, losses: &mut Losses) -> Vec<String> {
    let blank = |text: &Str<'_>| match target.dialect {
        // Messages refuses stop sequences without a visible character.
        Dialect::Anthropic => text.is_blank(),
        _ => text.is_empty(),
    };
    let before = request.stop.len();
    request.stop.retain(|text| !blank(text));
    if request.stop.len() < before {
        losses.member(Severity::Setting, "stop", "the target takes no blank stop sequences");
    }
    let takes = match target.dialect {
        Dialect::Anthropic => usize::MAX,
        Dialect::OpenaiChat if target.facts.stop => CHAT_STOPS_MAX,
        Dialect::Gemini => GEMINI_STOPS_MAX,
        Dialect::OpenaiChat | Dialect::OpenaiResponses => 0,
    };
    if request.stop.len() <= takes {
        return Vec::new();
    }
    // The upstream takes none, or not as many: the router cuts the answer itself.
    std::mem::take(&mut request.stop).into_iter().map(|text| text.decode().into_owned()).collect()
}

//! The way there: a client's body becomes an upstream's.

use super::mend::mend;
use super::{
    Outbound, ReadError, Refusal, RequestExtra, Session, Target, TranslateError, dispatch,
};
use crate::canonical::{Effort, Loss, Losses, Request, ThinkingForm};
use crate::dialect::Dialect;
use crate::facts::ReasoningContent;
use crate::json::{JsonError, path_at};
use crate::{fit, gemini};

/// Translates a client's request for a target.
///
/// The losses are complete: whatever of the request is not in the outbound body is either in
/// [`Outbound::losses`] or was refused.
pub fn translate_request(
    inbound: Dialect,
    body: &[u8],
    extra: &RequestExtra<'_>,
    target: &Target<'_>,
) -> Result<Outbound, TranslateError> {
    let text = text_of(body)?;
    let mut losses = Losses::new(inbound);
    let text = &mend(text, &mut losses);
    let mut request = read(inbound, text, extra)?;
    if let Some(model) = extra.model {
        request.model = model.into();
    }
    if let Some(session) = extra.session {
        request.identity.session = Some(session.into());
    }
    take_headers(&mut request, extra, target);
    let shown = extra.model_shown.map_or_else(|| request.model.decode(), Into::into).into_owned();
    let mut session = Session {
        inbound,
        outbound: target.dialect,
        model_shown: shown,
        stream: request.stream || extra.stream,
        json_array: extra.json_array,
        include_usage: request.include_usage,
        legacy_functions: request.legacy_functions,
        reasoning_to_chat: target.options.reasoning_to_chat,
        shown: request.reasoning.shown,
        now_s: extra.now_s,
        tools: Vec::new(),
        stops: Vec::new(),
        input_estimate: crate::estimate::input_tokens(&request),
        vendor: target.facts.vendor.clone(),
        family: target.facts.family.clone(),
        keeps_text: target.facts.reasoning_content == ReasoningContent::Required,
        echo: dispatch::echo(inbound, text),
    };
    // The answers of a stream would come mixed; whole they can be told one after the other.
    request.stream = session.stream && request.choices.is_none_or(|count| count < 2);
    let stream = request.stream;
    let fitted = fit::fit(&mut request, inbound, extra, target, &mut losses).map_err(refused)?;
    session.tools = fitted.tools;
    session.stops = fitted.stops;
    let mut out = Vec::with_capacity(body.len() + body.len() / 8 + 1024);
    dispatch::write_request(&request, target, &mut losses, &mut out).map_err(refused)?;
    let losses = losses.into_list();
    refuse_strict(&losses, target)?;
    Ok(Outbound { body: out, stream, headers: headers(target), losses, session })
}

/// What the client says in headers counts where its body says nothing.
fn take_headers<'a>(request: &mut Request<'a>, extra: &RequestExtra<'a>, target: &Target<'_>) {
    if let Some(key) = extra.cache_key {
        request.cache.key.get_or_insert_with(|| key.into());
    }
    let asks = request.reasoning.effort.is_some() || request.reasoning.form != ThinkingForm::Unset;
    if target.options.effort_headers && !asks {
        request.reasoning.effort = extra.effort.and_then(Effort::from_word);
    }
}

/// A guess at the input tokens of a client's request, for upstreams that cannot count them.
pub fn estimate_tokens(
    inbound: Dialect,
    body: &[u8],
    extra: &RequestExtra<'_>,
) -> Result<u64, TranslateError> {
    read_count(inbound, body, extra).map(|request| crate::estimate::input_tokens(&request))
}

/// Reads a client's request to count tokens. Gemini has a body of its own for it.
pub fn read_count<'a>(
    inbound: Dialect,
    body: &'a [u8],
    extra: &RequestExtra<'a>,
) -> Result<Request<'a>, TranslateError> {
    let text = text_of(body)?;
    match inbound {
        Dialect::Gemini => gemini::count::read(text, extra).map_err(|error| malformed(text, error)),
        _ => read(inbound, text, extra),
    }
}

fn read<'a>(
    inbound: Dialect,
    text: &'a str,
    extra: &RequestExtra<'a>,
) -> Result<Request<'a>, TranslateError> {
    dispatch::read_request(inbound, text, extra).map_err(|error| match error {
        ReadError::ThreadNotFound => TranslateError::ThreadNotFound,
        ReadError::Json(error) => malformed(text, error),
    })
}

fn malformed(text: &str, error: JsonError) -> TranslateError {
    TranslateError::Malformed { path: path_at(text, error.at), problem: error.problem.into_owned() }
}

/// The text of a body; a byte order mark is not part of it.
pub(super) fn text_of(body: &[u8]) -> Result<&str, TranslateError> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    std::str::from_utf8(body).map_err(|_| TranslateError::Malformed {
        path: String::new(),
        problem: "the body is not UTF-8".to_owned(),
    })
}

fn refused(refusal: Refusal) -> TranslateError {
    TranslateError::Refused { path: refusal.path, why: refusal.why.into_owned() }
}

fn refuse_strict(losses: &[Loss], target: &Target<'_>) -> Result<(), TranslateError> {
    let strict = &target.options.strict;
    let hit: Vec<Loss> =
        losses.iter().filter(|loss| strict.contains(&loss.severity)).cloned().collect();
    if hit.is_empty() { Ok(()) } else { Err(TranslateError::Strict(hit)) }
}

fn headers(target: &Target<'_>) -> Vec<(&'static str, String)> {
    match target.dialect {
        Dialect::Anthropic => vec![("anthropic-version", target.options.anthropic_version.clone())],
        Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Gemini => Vec::new(),
    }
}

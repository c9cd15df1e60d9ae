//! `generationConfig`, read.

use std::borrow::Cow;

use super::read::{Reading, strings};
use crate::canonical::{Effort, Logprobs, Shown, ThinkingForm};
use crate::gemini::{camel, list, number, part, schema};
use crate::json::{Cursor, JsonError};

/// Reads `generationConfig`.
pub(super) fn read<'a>(r: &mut Reading<'a>, c: &mut Cursor<'a>) -> Result<(), JsonError> {
    if c.null()? {
        return Ok(());
    }
    let (mut probable, mut top) = (false, None);
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match camel(&key).as_ref() {
            "temperature" => r.request.sampling.temperature = number(c)?,
            "topP" => r.request.sampling.top_p = number(c)?,
            "topK" => r.request.sampling.top_k = number(c)?,
            "seed" => r.request.sampling.seed = number(c)?,
            "presencePenalty" => r.request.sampling.presence_penalty = number(c)?,
            "frequencyPenalty" => r.request.sampling.frequency_penalty = number(c)?,
            "candidateCount" => r.request.choices = number(c)?,
            "maxOutputTokens" => r.request.max_tokens = number(c)?,
            "stopSequences" => r.request.stop = strings(c)?,
            "responseLogprobs" => probable = c.opt(Cursor::bool)?.unwrap_or(false),
            "logprobs" => top = number(c)?,
            "mediaResolution" => {
                r.detail = c.opt(Cursor::string)?.and_then(|name| part::detail(&name));
            }
            "thinkingConfig" => thinking(r, c)?,
            "responseSchema" => {
                if !c.null()? {
                    let raw = c.clone().raw()?;
                    for word in schema::hints(raw) {
                        let path = format!("generationConfig.responseSchema.{word}");
                        r.hint(&mut raw.cursor(), path, schema::HINT_WHY)?;
                    }
                    r.schema = Some(schema::read(c)?);
                }
            }
            "responseJsonSchema" => {
                if let Some(raw) = c.opt(Cursor::raw)? {
                    r.schema = Some(raw.into());
                }
            }
            "responseMimeType" => mime_type(r, c)?,
            "responseModalities" => modalities(r, c)?,
            other => member(r, c, other)?,
        }
    }
    if probable {
        r.request.logprobs = Some(Logprobs { top: top.unwrap_or(0) });
    }
    Ok(())
}

/// Members that other dialects do not have.
fn member<'a>(r: &mut Reading<'a>, c: &mut Cursor<'a>, name: &str) -> Result<(), JsonError> {
    let path = format!("generationConfig.{name}");
    match name {
        "speechConfig" | "imageConfig" | "audioTranscriptionConfig" => {
            r.refused(c, path, "answers are text elsewhere")
        }
        "continuationToken" => r.refused(c, path, "the answer to be continued is stored at Google"),
        "enableEnhancedCivicAnswers"
        | "audioTimestamp"
        | "routingConfig"
        | "modelSelectionConfig"
        | "modelConfig"
        | "modelArmorConfig" => r.hint(c, path, "vendor detail"),
        _ => r.unknown(c, path),
    }
}

fn mime_type<'a>(r: &mut Reading<'a>, c: &mut Cursor<'a>) -> Result<(), JsonError> {
    let mut before = c.clone();
    let Some(name) = c.opt(Cursor::string)? else { return Ok(()) };
    if matches!(name.as_ref(), "application/json" | "text/plain" | "text/x.enum" | "") {
        r.mime_type = Some(name);
        return Ok(());
    }
    r.refused(
        &mut before,
        "generationConfig.responseMimeType",
        "answers are text or JSON elsewhere",
    )
}

fn modalities<'a>(r: &mut Reading<'a>, c: &mut Cursor<'a>) -> Result<(), JsonError> {
    let mut before = c.clone();
    let names = list(c, Cursor::string)?;
    if names.iter().all(|name| name.eq_ignore_ascii_case("text")) {
        return Ok(());
    }
    r.refused(&mut before, "generationConfig.responseModalities", "answers are text elsewhere")
}

fn thinking<'a>(r: &mut Reading<'a>, c: &mut Cursor<'a>) -> Result<(), JsonError> {
    if c.null()? {
        return Ok(());
    }
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match camel(&key).as_ref() {
            "includeThoughts" => {
                r.request.reasoning.shown = match c.opt(Cursor::bool)? {
                    Some(true) => Shown::Summary,
                    Some(false) => Shown::Hidden,
                    None => Shown::Unset,
                }
            }
            "thinkingBudget" => {
                if let Some(tokens) = number(c)? {
                    r.request.reasoning.form = budget(tokens);
                }
            }
            "thinkingLevel" => level(r, c)?,
            _ => r.unknown(c, Cow::Owned(format!("generationConfig.thinkingConfig.{key}")))?,
        }
    }
    Ok(())
}

/// 0 is off and a negative figure leaves it to the model.
fn budget(tokens: i64) -> ThinkingForm {
    match u64::try_from(tokens) {
        Ok(0) => ThinkingForm::Off,
        Ok(tokens) => ThinkingForm::Budget(tokens),
        Err(_) => ThinkingForm::Adaptive,
    }
}

fn level(r: &mut Reading<'_>, c: &mut Cursor<'_>) -> Result<(), JsonError> {
    let at = c.position() + 1;
    let Some(name) = c.opt(Cursor::string)? else { return Ok(()) };
    let name = name.to_ascii_uppercase();
    let name = name.strip_prefix("THINKING_LEVEL_").unwrap_or(&name);
    if !matches!(name, "UNSPECIFIED" | "") {
        let level = Effort::from_name(name).ok_or_else(|| {
            JsonError::new(
                at,
                "unknown thinking level; expected minimal, low, medium, high or xhigh",
            )
        })?;
        r.request.reasoning.effort = Some(level);
    }
    Ok(())
}

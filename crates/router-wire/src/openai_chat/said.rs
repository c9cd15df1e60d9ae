//! What an upstream says: a `message` of an answer or a `delta` of a stream, which have the same
//! members.

use std::borrow::Cow;

use super::{GOOGLE, loose};
use crate::canonical::{Citation, Opaque};
use crate::json::{Cursor, JsonError, Kind, Raw, Str};

/// A message or a delta.
#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    /// Thinking, under any of the names vendors gave it.
    pub(super) reasoning: Option<Str<'a>>,
    /// Thinking in parts: the same text once more where `reasoning` is there, and state.
    pub(super) details: Option<Raw<'a>>,
    /// Text.
    pub(super) content: Option<Str<'a>>,
    /// Text and thinking in parts.
    pub(super) parts: Option<Raw<'a>>,
    /// The model's refusal.
    pub(super) refusal: Option<Str<'a>>,
    /// Sources.
    pub(super) annotations: Option<Raw<'a>>,
    /// Tool calls: an array.
    pub(super) calls: Option<Raw<'a>>,
    /// The one call of the old form.
    pub(super) legacy_call: Option<Raw<'a>>,
    /// Whether there is sound.
    pub(super) audio: bool,
    /// Whether there are pictures, which OpenRouter puts beside the text.
    pub(super) images: bool,
}

impl<'a> Said<'a> {
    /// Reads a message or a delta; `null` says nothing.
    pub(super) fn read(c: &mut Cursor<'a>) -> Result<Self, JsonError> {
        let mut said = Self::default();
        let mut other_name = None;
        loose::object(c, |key, c| {
            match key {
                "content" if c.kind()? == Kind::Array => said.parts = Some(c.raw()?),
                "content" => said.content = loose::filled(c)?,
                "reasoning_content" => said.reasoning = loose::filled(c)?,
                "reasoning" => other_name = loose::filled(c)?,
                "reasoning_details" => said.details = of_kind(c, Kind::Array)?,
                "refusal" => said.refusal = loose::filled(c)?,
                "annotations" => said.annotations = of_kind(c, Kind::Array)?,
                "tool_calls" => said.calls = of_kind(c, Kind::Array)?,
                "function_call" => said.legacy_call = of_kind(c, Kind::Object)?,
                "audio" => said.audio = of_kind(c, Kind::Object)?.is_some(),
                "images" => said.images = of_kind(c, Kind::Array)?.is_some(),
                _ => c.skip()?,
            }
            Ok(())
        })?;
        said.reasoning = said.reasoning.or(other_name);
        Ok(said)
    }

    /// Whether nothing was said at all.
    pub(super) const fn is_empty(&self) -> bool {
        self.reasoning.is_none()
            && self.details.is_none()
            && self.content.is_none()
            && self.parts.is_none()
            && self.refusal.is_none()
            && self.calls.is_none()
            && self.legacy_call.is_none()
            && !self.audio
            && !self.images
    }

    /// Hands out thinking and text in order.
    pub(super) fn texts(&self, mut sink: impl FnMut(Talk, Str<'a>)) -> Result<(), JsonError> {
        if let Some(text) = &self.reasoning {
            sink(Talk::Thinking, text.clone());
        }
        if let (Some(raw), None) = (self.details, &self.reasoning) {
            talk(&mut raw.cursor(), Talk::Thinking, &mut sink)?;
        }
        if let Some(text) = &self.content {
            sink(Talk::Text, text.clone());
        }
        if let Some(raw) = self.parts {
            talk(&mut raw.cursor(), Talk::Text, &mut sink)?;
        }
        if let Some(text) = &self.refusal {
            sink(Talk::Refusal, text.clone());
        }
        Ok(())
    }

    /// Hands out the sources.
    pub(super) fn citations(&self, mut sink: impl FnMut(Citation<'a>)) -> Result<(), JsonError> {
        let Some(raw) = self.annotations else { return Ok(()) };
        loose::array(&mut raw.cursor(), |_, c| {
            let raw = c.raw()?;
            sink(citation(raw)?);
            Ok(())
        })
    }

    /// Hands out the tool calls.
    pub(super) fn tool_calls(
        &self,
        mut sink: impl FnMut(Call<'a>) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        if let Some(raw) = self.calls {
            loose::array(&mut raw.cursor(), |_, c| sink(Call::read(c)?))?;
        }
        if let Some(raw) = self.legacy_call {
            let mut call = Call::default();
            call.function(&mut raw.cursor())?;
            sink(call)?;
        }
        Ok(())
    }
}

fn of_kind<'a>(c: &mut Cursor<'a>, kind: Kind) -> Result<Option<Raw<'a>>, JsonError> {
    if c.kind()? == kind {
        // An empty list says no more than an absent one.
        return Ok(Some(c.raw()?).filter(|raw| raw.text() != "[]"));
    }
    c.skip().map(|()| None)
}

/// What a text is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Talk {
    Thinking,
    Text,
    Refusal,
}

/// Text in parts: strings, `{type: text, text}`, `{type: thinking, thinking: [...]}`,
/// `{type: reasoning.text, text}`, `{type: reasoning.summary, summary}`, `{type: refusal, refusal}`.
fn talk<'a>(
    c: &mut Cursor<'a>,
    outer: Talk,
    sink: &mut impl FnMut(Talk, Str<'a>),
) -> Result<(), JsonError> {
    match c.kind()? {
        Kind::String => {
            let text = c.str()?;
            if !text.is_empty() {
                sink(outer, text);
            }
            Ok(())
        }
        Kind::Array => {
            let mut items = c.array()?;
            while items.next(c)?.is_some() {
                talk(c, outer, sink)?;
            }
            Ok(())
        }
        Kind::Object => {
            let mut members = c.object()?;
            while let Some(key) = members.next(c)? {
                match key.as_ref() {
                    "text" | "summary" => talk(c, outer, sink)?,
                    "thinking" => talk(c, Talk::Thinking, sink)?,
                    "refusal" => talk(c, Talk::Refusal, sink)?,
                    _ => c.skip()?,
                }
            }
            Ok(())
        }
        Kind::Null | Kind::Bool | Kind::Number => c.skip(),
    }
}

fn citation(raw: Raw<'_>) -> Result<Citation<'_>, JsonError> {
    let (mut url, mut title, mut start, mut end) = (None, None, None, None);
    loose::object(&mut raw.cursor(), |key, c| {
        // The members stand in `url_citation`, or beside the type as in Responses.
        if key == "url_citation" {
            return loose::object(c, |key, c| {
                place(key, c, &mut url, &mut title, &mut start, &mut end)
            });
        }
        place(key, c, &mut url, &mut title, &mut start, &mut end)
    })?;
    Ok(match url {
        Some(url) => Citation::Url { url, title, cited_text: None, start, end },
        None => Citation::Other(raw.into()),
    })
}

fn place<'a>(
    key: &str,
    c: &mut Cursor<'a>,
    url: &mut Option<Str<'a>>,
    title: &mut Option<Str<'a>>,
    start: &mut Option<u64>,
    end: &mut Option<u64>,
) -> Result<(), JsonError> {
    match key {
        "url" => *url = loose::filled(c)?,
        "title" => *title = loose::filled(c)?,
        "start_index" => *start = loose::int(c)?,
        "end_index" => *end = loose::int(c)?,
        _ => c.skip()?,
    }
    Ok(())
}

/// A tool call, or a piece of one.
#[derive(Debug, Default)]
pub(super) struct Call<'a> {
    /// Its number in the answer, where the upstream counts.
    pub(super) index: Option<u64>,
    /// Its id; empty where this piece has none.
    pub(super) id: Str<'a>,
    /// The tool; empty where this piece has none.
    pub(super) name: Str<'a>,
    /// Arguments or input; empty where this piece has none.
    pub(super) input: Str<'a>,
    /// Whether the input is free text.
    pub(super) custom: bool,
    /// State of the thinking before the call, which Google's server wants back with it.
    pub(super) state: Option<Str<'a>>,
}

impl<'a> Call<'a> {
    fn read(c: &mut Cursor<'a>) -> Result<Self, JsonError> {
        let mut call = Self::default();
        loose::object(c, |key, c| {
            match key {
                "index" => call.index = loose::int(c)?,
                "id" => call.id = loose::text(c)?.unwrap_or_default(),
                "function" => call.function(c)?,
                "custom" if c.kind()? == Kind::Object => {
                    call.custom = true;
                    call.function(c)?;
                }
                "extra_content" => call.state = google_state(c)?,
                "type" => call.custom |= loose::text(c)?.is_some_and(|kind| kind == *"custom"),
                _ => c.skip()?,
            }
            Ok(())
        })?;
        Ok(call)
    }

    fn function(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        loose::object(c, |key, c| {
            match (key, c.kind()?) {
                ("name", _) => self.name = loose::text(c)?.unwrap_or_default(),
                ("arguments" | "input", Kind::String) => self.input = c.str()?,
                // The contract wants text; some servers send the object itself. An empty one
                // often only announces the text that follows.
                ("arguments" | "input", Kind::Object) => {
                    let raw = c.raw()?;
                    if raw.text() != "{}" {
                        self.input = Str::plain(raw.text());
                    }
                }
                _ => c.skip()?,
            }
            Ok(())
        })
    }
}

/// `{"google": {"thought_signature": ...}}`.
fn google_state<'a>(c: &mut Cursor<'a>) -> Result<Option<Str<'a>>, JsonError> {
    let mut state = None;
    loose::object(c, |key, c| {
        if key != "google" {
            return c.skip();
        }
        loose::object(c, |key, c| {
            if key == "thought_signature" {
                state = loose::filled(c)?;
                return Ok(());
            }
            c.skip()
        })
    })?;
    Ok(state)
}

/// The items of `logprobs.content`, if there are any.
pub(super) fn logprobs<'a>(c: &mut Cursor<'a>) -> Result<Option<Raw<'a>>, JsonError> {
    let mut content = None;
    loose::object(c, |key, c| {
        if key == "content" && c.kind()? == Kind::Array {
            content = Some(c.raw()?).filter(|raw| raw.text() != "[]");
            return Ok(());
        }
        c.skip()
    })?;
    Ok(content)
}

/// State of Google's thinking.
pub(super) fn google(payload: Str<'_>) -> Opaque<'_> {
    Opaque { vendor: Cow::Borrowed(GOOGLE), family: None, payload }
}

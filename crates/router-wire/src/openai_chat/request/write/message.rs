//! Messages of a Chat request, written.

use super::{Marks, content};
use crate::canonical::{
    CacheMark, Content, Losses, Part, Request, Role, Severity, Thinking, ToolCall, ToolInput,
    ToolResult, Turn,
};
use crate::facts::ReasoningContent;
use crate::json::{Array, Object, Str};
use crate::openai_chat::details::ROUTER;
use crate::openai_chat::{GOOGLE, TOOL_ERROR};
use crate::translate::{Refusal, Target};

/// What a vendor gets that demands the reasoning of a turn back when nobody has it. Empty text is
/// refused by some.
const NO_REASONING: &str = " ";

/// The member `messages`.
pub(super) fn write(
    object: &mut Object<'_>,
    request: &Request<'_>,
    target: &Target<'_>,
    marks: &mut Marks,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let mut w = Writer { list: object.array("messages"), target, marks, losses };
    let (leading, mut rest) = request.leading();
    w.system(leading)?;
    while let Some(first) = rest.first() {
        // Turns of one speaker belong together: results must follow their calls directly.
        let same = |turn: &&Turn<'_>| turn.role == first.role && !turn.role.is_system();
        let run = rest.iter().take_while(same).count().max(1);
        let (group, tail) = rest.split_at_checked(run).unwrap_or((rest, &[]));
        match first.role {
            Role::System | Role::Developer => w.system(group)?,
            Role::User => w.user(group)?,
            Role::Assistant => w.assistant(group)?,
        }
        rest = tail;
    }
    w.list.end();
    Ok(())
}

/// The cache mark of a part, or of the content of a tool's result.
pub(super) fn mark_of(part: &Part<'_>) -> Option<CacheMark> {
    match &part.content {
        Content::ToolResult(result) => {
            part.cache.or_else(|| result.content.iter().rev().find_map(|part| part.cache))
        }
        _ => part.cache,
    }
}

struct Writer<'w, 'o> {
    list: Array<'o>,
    target: &'w Target<'w>,
    marks: &'w mut Marks,
    losses: &'w mut Losses,
}

/// A part of a tool's result that goes into a user message, and the call it belongs to.
struct Lifted<'a, 'p> {
    call_id: &'p Str<'a>,
    part: &'p Part<'a>,
}

impl Writer<'_, '_> {
    /// One message for neighbouring instructions.
    fn system(&mut self, turns: &[Turn<'_>]) -> Result<(), Refusal> {
        let parts: Vec<&Part<'_>> = turns.iter().flat_map(|turn| &turn.parts).collect();
        if parts.is_empty() {
            return Ok(());
        }
        let role = if self.target.facts.developer_role { "developer" } else { "system" };
        let mut object = self.list.object();
        object.text("role", role);
        if let Some(name) = turns.iter().find_map(|turn| turn.name.as_ref()) {
            object.str("name", name);
        }
        let mut pieces = Vec::with_capacity(parts.len());
        for part in &parts {
            let Some(text) = content::as_text(part, self.losses)? else {
                let why = "instructions on Chat are text";
                return Err(self.losses.refuse_at(part.origin, why));
            };
            pieces.push((text, part.cache));
        }
        write_texts(object.key("content"), &pieces, self.marks, self.losses);
        object.end();
        Ok(())
    }

    /// Results of tools, then what the user says.
    fn user(&mut self, turns: &[Turn<'_>]) -> Result<(), Refusal> {
        let mut lifted = Vec::new();
        for part in turns.iter().flat_map(|turn| &turn.parts) {
            if let Content::ToolResult(result) = &part.content {
                self.result(result, part, &mut lifted)?;
            }
        }
        for turn in turns {
            let said = |part: &&Part<'_>| !matches!(part.content, Content::ToolResult(_));
            let parts: Vec<&Part<'_>> = turn.parts.iter().filter(said).collect();
            if !parts.is_empty() {
                self.user_message(turn.name.as_ref(), &std::mem::take(&mut lifted), &parts)?;
            }
        }
        if !lifted.is_empty() {
            self.user_message(None, &lifted, &[])?;
        }
        Ok(())
    }

    fn user_message(
        &mut self,
        name: Option<&Str<'_>>,
        lifted: &[Lifted<'_, '_>],
        parts: &[&Part<'_>],
    ) -> Result<(), Refusal> {
        let mut object = self.list.object();
        object.text("role", "user");
        if let Some(name) = name {
            object.str("name", name);
        }
        let buffer = object.key("content");
        if let ([], [Part { content: Content::Text { text, .. }, cache, .. }]) = (lifted, parts)
            && !self.marks.pending(cache.is_some())
        {
            self.marks.carry(*cache, self.losses);
            text.push(buffer);
        } else {
            let mut list = Array::new(buffer);
            let mut last = None;
            for Lifted { call_id, part } in lifted {
                if last != Some(call_id) {
                    let text = format!("Attached to the result of tool call {}:", call_id.decode());
                    content::write_text(&mut list, &text.into(), None, self.marks, self.losses);
                    last = Some(call_id);
                }
                content::write(&mut list, part, None, self.marks, self.losses)?;
            }
            for part in parts {
                content::write(&mut list, part, part.cache, self.marks, self.losses)?;
            }
            list.end();
        }
        object.end();
        Ok(())
    }

    /// One `tool` message. Chat knows text only there; everything else is lifted out of it.
    fn result<'a, 'p>(
        &mut self,
        result: &'p ToolResult<'a>,
        part: &Part<'_>,
        lifted: &mut Vec<Lifted<'a, 'p>>,
    ) -> Result<(), Refusal> {
        // The name and the kind of the tool stand with the call.
        let ToolResult { call_id, name: _, content, is_error, custom: _ } = result;
        let mut object = self.list.object();
        object.text("role", "tool").str("tool_call_id", call_id);
        let mut pieces = Vec::with_capacity(content.len() + 1);
        let before = lifted.len();
        for part in content {
            match content::as_text(part, self.losses)? {
                Some(text) => pieces.push(text),
                None => lifted.push(Lifted { call_id, part }),
            }
        }
        if lifted.len() > before {
            pieces.push(Str::Literal("[attached below]"));
            let why = "results of tools on Chat are text; a user message holds the rest";
            self.losses.add_at(Severity::Hint, "tool-result-lifted", part.origin, why);
        }
        let text = one_text(pieces, *is_error);
        write_texts(object.key("content"), &[(text, mark_of(part))], self.marks, self.losses);
        object.end();
        Ok(())
    }

    /// One message for neighbouring turns of the assistant.
    fn assistant(&mut self, turns: &[Turn<'_>]) -> Result<(), Refusal> {
        let mut said = Said::default();
        for turn in turns {
            said.turn(turn, self.target, self.losses)?;
        }
        let required = self.target.facts.reasoning_content == ReasoningContent::Required;
        if required && said.reasoning.is_empty() && !said.calls.is_empty() {
            if let Some(turn) = turns.first() {
                let why = "the vendor demands the reasoning of this turn, and nobody has it";
                self.losses.add_at(Severity::Content, "reasoning-missing", turn.origin, why);
            }
            said.reasoning.push(Str::plain(NO_REASONING));
        }
        if said.texts.is_empty() && said.refusal.is_empty() && said.calls.is_empty() {
            return Ok(());
        }
        let mut object = self.list.object();
        object.text("role", "assistant");
        if let Some(name) = turns.iter().find_map(|turn| turn.name.as_ref()) {
            object.str("name", name);
        }
        if said.texts.is_empty() {
            object.null("content");
        } else {
            write_texts_joined(object.key("content"), &said.texts, "", self.marks, self.losses);
        }
        if !said.refusal.is_empty() {
            joined(object.key("refusal"), said.refusal.iter(), "");
        }
        if required && !said.reasoning.is_empty() {
            joined(object.key("reasoning_content"), said.reasoning.iter(), "\\n\\n");
        }
        if !said.details.is_empty() {
            write_details(object.key("reasoning_details"), &said.details);
        }
        if !said.calls.is_empty() {
            let mut list = object.array("tool_calls");
            for (call, mark, state) in said.calls {
                self.marks.carry(mark, self.losses);
                write_call(list.object(), call, state);
            }
            list.end();
        }
        object.end();
        Ok(())
    }
}

/// What the assistant said in neighbouring turns, sorted by member.
#[derive(Default)]
struct Said<'a, 'p> {
    texts: Vec<(Str<'a>, Option<CacheMark>)>,
    refusal: Vec<Str<'a>>,
    reasoning: Vec<Str<'a>>,
    /// Calls, with the state of the thinking before them where it goes back with the call.
    calls: Vec<(&'p ToolCall<'a>, Option<CacheMark>, Option<&'p Str<'a>>)>,
    state: Option<&'p Str<'a>>,
    /// State of the thinking as OpenRouter gave it out: lists.
    details: Vec<&'p Str<'a>>,
}

impl<'a, 'p> Said<'a, 'p> {
    fn turn(
        &mut self,
        turn: &'p Turn<'a>,
        target: &Target<'_>,
        losses: &mut Losses,
    ) -> Result<(), Refusal> {
        let mut first = true;
        for part in &turn.parts {
            match &part.content {
                Content::Refusal(text) => self.refusal.push(text.clone()),
                Content::Thinking(thinking) => self.thinking(thinking, part, target, losses),
                Content::ToolCall(call) => {
                    self.calls.push((call, part.cache, self.state.take()));
                }
                Content::ToolResult(_) => {
                    let why = "a result of a tool stands in a turn of the assistant";
                    return Err(losses.refuse_at(part.origin, why));
                }
                _ => match content::as_text(part, losses)? {
                    // Texts of one turn are pieces of one text; those of two are not.
                    Some(text) if std::mem::take(&mut first) && !self.texts.is_empty() => {
                        let mut apart = String::from("\n\n");
                        text.decode_into(&mut apart);
                        self.texts.push((apart.into(), part.cache));
                    }
                    Some(text) => self.texts.push((text, part.cache)),
                    None => {
                        let why = "turns of the assistant on Chat are text and calls";
                        return Err(losses.refuse_at(part.origin, why));
                    }
                },
            }
        }
        Ok(())
    }

    fn thinking(
        &mut self,
        thinking: &'p Thinking<'a>,
        part: &Part<'a>,
        target: &Target<'_>,
        losses: &mut Losses,
    ) {
        let Thinking { text, opaque, redacted: _ } = thinking;
        if let Some(state) = opaque.as_ref().filter(|state| state.vendor == ROUTER) {
            self.details.push(&state.payload);
            if target.facts.reasoning_content == ReasoningContent::Required && !text.is_empty() {
                self.reasoning.push(text.clone());
            }
            return;
        }
        let kept = opaque.as_ref().filter(|state| state.vendor == target.facts.vendor);
        if let (GOOGLE, Some(state)) = (target.facts.vendor.as_str(), kept) {
            self.state = Some(&state.payload);
            return;
        }
        if target.facts.reasoning_content != ReasoningContent::Required {
            let why = "thinking is no part of Chat";
            losses.add_at(Severity::Hint, "thinking", part.origin, why);
            return;
        }
        // Where the client did not see the text, the state it carried is the text.
        let text = Some(text).filter(|text| !text.is_empty());
        let text = text.or_else(|| kept.map(|state| &state.payload));
        self.reasoning.extend(text.filter(|text| !text.is_empty()).cloned());
    }
}

/// One list of several, which `fit` has checked to be lists.
fn write_details(buffer: &mut Vec<u8>, lists: &[&Str<'_>]) {
    let mut all = Array::new(buffer);
    for list in lists {
        let list = list.decode();
        let inner = list.trim().strip_prefix('[').and_then(|list| list.strip_suffix(']'));
        if let Some(inner) = inner.filter(|inner| !inner.trim().is_empty()) {
            all.item().extend_from_slice(inner.as_bytes());
        }
    }
    all.end();
}

fn write_call(mut object: Object<'_>, call: &ToolCall<'_>, state: Option<&Str<'_>>) {
    let ToolCall { id, name, namespace: _, input, custom, hosted: _ } = call;
    object.str("id", id);
    if *custom {
        object.text("type", "custom");
        let mut inner = object.object("custom");
        inner.str("name", name);
        match input {
            ToolInput::Text(text) => inner.str("input", text),
            ToolInput::Json(json) => inner.text("input", json.text()),
        };
        inner.end();
    } else {
        object.text("type", "function");
        let mut inner = object.object("function");
        inner.str("name", name);
        match input {
            ToolInput::Text(text) if text.is_empty() => inner.text("arguments", "{}"),
            ToolInput::Text(text) => inner.str("arguments", text),
            ToolInput::Json(json) => inner.text("arguments", json.text()),
        };
        inner.end();
    }
    if let Some(state) = state {
        let mut outer = object.object("extra_content");
        let mut inner = outer.object(GOOGLE);
        inner.str("thought_signature", state);
        inner.end();
        outer.end();
    }
    object.end();
}

type Piece<'a> = (Str<'a>, Option<CacheMark>);

/// One string where no mark is to be written, else a list of text parts.
fn write_texts(buffer: &mut Vec<u8>, pieces: &[Piece<'_>], marks: &mut Marks, losses: &mut Losses) {
    write_texts_joined(buffer, pieces, "\\n\\n", marks, losses);
}

fn write_texts_joined(
    buffer: &mut Vec<u8>,
    pieces: &[Piece<'_>],
    between: &str,
    marks: &mut Marks,
    losses: &mut Losses,
) {
    if marks.pending(pieces.iter().any(|(_, mark)| mark.is_some())) {
        let mut list = Array::new(buffer);
        for (text, mark) in pieces {
            content::write_text(&mut list, text, *mark, marks, losses);
        }
        list.end();
        return;
    }
    for (_, mark) in pieces {
        marks.carry(*mark, losses);
    }
    joined(buffer, pieces.iter().map(|(text, _)| text), between);
}

/// One text of several, after the mark of an error.
fn one_text(mut pieces: Vec<Str<'_>>, is_error: bool) -> Str<'_> {
    if !is_error && pieces.len() < 2 {
        return pieces.pop().unwrap_or_default();
    }
    let mut text = String::new();
    if is_error {
        text.push_str(TOOL_ERROR);
    }
    for (index, piece) in pieces.iter().enumerate() {
        text.push_str(if index > 0 {
            "\n\n"
        } else if is_error {
            " "
        } else {
            ""
        });
        piece.decode_into(&mut text);
    }
    text.into()
}

/// One JSON string of several texts; `between` is already escaped.
fn joined<'s, 'a: 's>(
    buffer: &mut Vec<u8>,
    texts: impl Iterator<Item = &'s Str<'a>>,
    between: &str,
) {
    buffer.push(b'"');
    for (index, text) in texts.enumerate() {
        if index > 0 {
            buffer.extend_from_slice(between.as_bytes());
        }
        text.push_inner(buffer);
    }
    buffer.push(b'"');
}

//! The conversation of a request, written.

use crate::canonical::{
    Content, Document, Image, Json, Losses, Media, Opaque, Origin, Part, Request, Role,
    SearchResult, Severity, Thinking, ToolCall, ToolInput, ToolResult, Turn,
};
use crate::gemini::part::kind_of_url;
use crate::gemini::{VENDOR, state};
use crate::json::{Array, Object, Str};
use crate::media::{base64_text, is_textual};
use crate::translate::{RAW_INPUT, Refusal, Target};

/// Writes `systemInstruction` and `contents`.
pub(super) fn write(
    object: &mut Object<'_>,
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let (leading, rest) = request.leading();
    if !leading.is_empty() {
        let mut system = object.object("systemInstruction");
        let mut parts = system.array("parts");
        for turn in leading {
            write_turn(turn, &mut parts, target, losses)?;
        }
        parts.end();
        system.end();
    }
    let mut contents = object.array("contents");
    // `fit` has merged neighbours, turned late system turns into the user's, removed empty ones.
    for turn in rest {
        let mut content = contents.object();
        content.text("role", if turn.role == Role::Assistant { "model" } else { "user" });
        let mut parts = content.array("parts");
        write_turn(turn, &mut parts, target, losses)?;
        if parts.is_empty() {
            let mut part = parts.object();
            part.text("text", "");
            part.end();
        }
        parts.end();
        content.end();
    }
    contents.end();
    Ok(())
}

/// Parts of one content while they are written.
struct Writing<'l, 't, 'o> {
    losses: &'l mut Losses,
    target: &'t Target<'t>,
    /// The signature that the next part is to carry.
    signature: Option<Str<'o>>,
    /// Whether the model's first call of this content is still to come.
    first_call: bool,
}

fn write_turn(
    turn: &Turn<'_>,
    list: &mut Array<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let Turn { role: _, parts, name, origin } = turn;
    if name.is_some() {
        losses.add_at(Severity::Hint, "message-name", *origin, "Gemini has no names of speakers");
    }
    let mut writing = Writing { losses, target, signature: None, first_call: true };
    let files_apart = !target.facts.tool_result_media;
    for part in parts {
        writing.part(part, list)?;
    }
    if files_apart {
        for part in parts {
            if let Content::ToolResult(result) = &part.content {
                for file in result.content.iter().filter(|part| is_file(part)) {
                    writing.part(file, list)?;
                }
            }
        }
    }
    writing.rest(list);
    Ok(())
}

fn is_file(part: &Part<'_>) -> bool {
    match &part.content {
        Content::Image(_) | Content::Audio(_) => true,
        Content::Document(document) => !matches!(document.media, Media::Text(_)),
        _ => false,
    }
}

impl<'o> Writing<'_, '_, 'o> {
    fn refuse(&self, origin: Origin, why: &'static str) -> Refusal {
        self.losses.refuse_at(origin, why)
    }

    /// Closes a part, with the signature that waits for it.
    fn end(&mut self, mut part: Object<'_>) {
        if let Some(signature) = self.signature.take() {
            part.str("thoughtSignature", &signature);
        }
        part.end();
    }

    /// A signature that no part followed stands on an empty text, as in the answers of Gemini.
    fn rest(&mut self, list: &mut Array<'_>) {
        if self.signature.is_some() {
            let mut part = list.object();
            part.text("text", "");
            self.end(part);
        }
    }

    fn text(&mut self, text: &Str<'_>, list: &mut Array<'_>) {
        if !text.is_empty() {
            let mut part = list.object();
            part.str("text", text);
            self.end(part);
        }
    }

    fn part(&mut self, part: &Part<'o>, list: &mut Array<'_>) -> Result<(), Refusal> {
        let Part { content, cache, origin } = part;
        if cache.is_some() {
            self.losses.member(Severity::Hint, "cache_control", "Gemini caches by itself");
        }
        match content {
            Content::Text { text, citations } => {
                if !citations.is_empty() {
                    let why = "derived from the sources";
                    self.losses.add_at(Severity::Hint, "citations", *origin, why);
                }
                self.text(text, list);
            }
            // A refusal of an earlier turn is plain text to the next model.
            Content::Refusal(text) => self.text(text, list),
            Content::Image(Image { media, detail: _ }) | Content::Audio(media) => {
                self.file(media, *origin, list)?;
            }
            Content::Document(document) => self.document(document, *origin, list)?,
            Content::SearchResult(result) => self.search_result(result, list)?,
            Content::Thinking(thinking) => self.thinking(thinking, *origin, list),
            Content::ToolCall(call) => self.call(call, *origin, list),
            Content::ToolResult(result) => self.result(result, *origin, list)?,
            Content::Foreign(foreign) => {
                let why = format!("Gemini has nothing like {}", foreign.kind);
                return Err(self.losses.refuse_at(*origin, why));
            }
        }
        Ok(())
    }

    fn thinking(&mut self, thinking: &Thinking<'o>, origin: Origin, list: &mut Array<'_>) {
        // The text is a summary for people; the signature is what the model reads.
        let Thinking { text: _, opaque, redacted: _ } = thinking;
        match opaque {
            Some(Opaque { vendor, family: _, payload }) if vendor == VENDOR => {
                self.rest(list);
                self.signature = Some(payload.clone());
            }
            _ => {
                let why = "only the model that thought it can take it back";
                self.losses.add_at(Severity::Setting, "thinking-history", origin, why);
            }
        }
    }

    fn call(&mut self, call: &ToolCall<'_>, origin: Origin, list: &mut Array<'_>) {
        let ToolCall { id, name, namespace: _, input, custom: _, hosted: _ } = call;
        let mut part = list.object();
        let mut object = part.object("functionCall");
        object.str("id", id).str("name", name);
        match input {
            ToolInput::Json(Json(text)) if text.trim_start().starts_with('{') => {
                object.raw("args", text);
            }
            ToolInput::Json(Json(text)) => raw_input(&mut object, &Str::plain(text)),
            ToolInput::Text(text) => raw_input(&mut object, text),
        }
        object.end();
        let first = std::mem::take(&mut self.first_call);
        if first && self.signature.is_none() && self.target.facts.signed_calls {
            // Only models of Google sign, and the first of parallel calls is signed for all.
            self.signature = Some(Str::plain(state::SKIP));
            let why =
                "no model of Google made this call; Gemini is told not to look for a signature";
            self.losses.add_at(Severity::Hint, "thought-signature", origin, why);
        }
        self.end(part);
    }

    fn result(
        &mut self,
        result: &ToolResult<'o>,
        origin: Origin,
        list: &mut Array<'_>,
    ) -> Result<(), Refusal> {
        let ToolResult { call_id, name, content, is_error, custom: _ } = result;
        let name = name.as_ref().ok_or_else(|| self.refuse(origin, "it answers no call"))?;
        let mut part = list.object();
        let mut object = part.object("functionResponse");
        object.str("id", call_id).str("name", name);
        let buffer = object.key("response");
        buffer.extend_from_slice(if *is_error { b"{\"error\":\"" } else { b"{\"output\":\"" });
        let nested = self.target.facts.tool_result_media;
        let files = content.iter().filter(|part| is_file(part)).count();
        for (at, part) in content.iter().filter(|part| !is_file(part)).enumerate() {
            if at > 0 {
                buffer.extend_from_slice(b"\\n");
            }
            result_text(part, buffer).map_err(|why| self.refuse(part.origin, why))?;
        }
        if files > 0 && !nested {
            let break_first: &[u8] = if content.len() > files { b"\\n" } else { b"" };
            buffer.extend_from_slice(break_first);
            buffer.extend_from_slice(b"[attached below]");
        }
        buffer.extend_from_slice(b"\"}");
        if files > 0 && nested {
            let mut parts = object.array("parts");
            let mut inner = Writing {
                losses: self.losses,
                target: self.target,
                signature: None,
                first_call: false,
            };
            for file in content.iter().filter(|part| is_file(part)) {
                inner.part(file, &mut parts)?;
            }
            parts.end();
        }
        object.end();
        self.end(part);
        Ok(())
    }

    fn search_result(
        &mut self,
        result: &SearchResult<'o>,
        list: &mut Array<'_>,
    ) -> Result<(), Refusal> {
        self.text(&Str::from(search_head(result)), list);
        for part in &result.content {
            self.part(part, list)?;
        }
        Ok(())
    }

    fn document(
        &mut self,
        document: &Document<'o>,
        origin: Origin,
        list: &mut Array<'_>,
    ) -> Result<(), Refusal> {
        let Document { media, title, context, citations } = document;
        if *citations {
            let why = "Gemini cites no files";
            self.losses.add_at(Severity::Hint, "document-citations", origin, why);
        }
        if title.is_some() || context.is_some() {
            self.text(&Str::from(document_head(title.as_ref(), context.as_ref())), list);
        }
        match media {
            Media::Text(text) => self.text(text, list),
            Media::Parts(parts) => {
                for part in parts {
                    self.part(part, list)?;
                }
            }
            Media::Base64 { media_type, data } => {
                let kind = media_type.decode();
                if kind == "application/pdf" {
                    self.file(media, origin, list)?;
                } else if is_textual(&kind)
                    && let Some(text) = base64_text(&data.decode())
                {
                    self.text(&Str::from(text), list);
                } else {
                    return Err(self.refuse(origin, "Gemini reads PDF and text files"));
                }
            }
            Media::Url { .. } | Media::FileId(_) => self.file(media, origin, list)?,
        }
        Ok(())
    }

    fn file(
        &mut self,
        media: &Media<'_>,
        origin: Origin,
        list: &mut Array<'_>,
    ) -> Result<(), Refusal> {
        match media {
            Media::Base64 { media_type, data } => {
                let mut part = list.object();
                let mut object = part.object("inlineData");
                object.str("mimeType", media_type).str("data", data);
                object.end();
                self.end(part);
            }
            Media::Url { url, media_type } => {
                let plain = url.decode();
                let mut part = list.object();
                let mut object = part.object("fileData");
                match (media_type, kind_of_url(&plain)) {
                    (Some(kind), _) => drop(object.str("mimeType", kind)),
                    (None, Some(kind)) => drop(object.text("mimeType", kind)),
                    (None, None) => {}
                }
                object.str("fileUri", url);
                object.end();
                self.end(part);
            }
            Media::FileId(_) => return Err(self.refuse(origin, "file ids belong to one vendor")),
            Media::Text(_) | Media::Parts(_) => {
                return Err(self.refuse(origin, "it must be base64 or a URL"));
            }
        }
        Ok(())
    }
}

fn raw_input(object: &mut Object<'_>, text: &Str<'_>) {
    let mut args = object.object("args");
    args.str(RAW_INPUT, text);
    args.end();
}

/// Appends the text of one piece of a tool's result to the inside of a JSON string.
fn result_text(part: &Part<'_>, buffer: &mut Vec<u8>) -> Result<(), &'static str> {
    match &part.content {
        Content::Text { text, .. } | Content::Refusal(text) => text.push_inner(buffer),
        Content::SearchResult(result) => {
            Str::from(search_head(result)).push_inner(buffer);
            for part in &result.content {
                buffer.extend_from_slice(b"\\n");
                result_text(part, buffer)?;
            }
        }
        Content::Document(document) => {
            let Document { media, title, context, citations: _ } = &**document;
            if title.is_some() || context.is_some() {
                let head = document_head(title.as_ref(), context.as_ref());
                Str::from(head).push_inner(buffer);
                buffer.extend_from_slice(b"\\n");
            }
            if let Media::Text(text) = media {
                text.push_inner(buffer);
            }
        }
        _ => return Err("a tool's result holds text, images and files"),
    }
    Ok(())
}

fn search_head(result: &SearchResult<'_>) -> String {
    let SearchResult { source, title, content: _, citations: _ } = result;
    format!("[search result] {}\n{}", title.decode(), source.decode())
}

fn document_head(title: Option<&Str<'_>>, context: Option<&Str<'_>>) -> String {
    let title = title.map(Str::decode).unwrap_or_default();
    let mut head = format!("[document] {title}");
    if let Some(context) = context {
        head.push('\n');
        context.decode_into(&mut head);
    }
    head
}

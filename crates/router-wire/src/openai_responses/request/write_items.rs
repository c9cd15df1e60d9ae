//! Items of a Responses conversation, written.

use super::hosted;
use super::write::role_name;
use crate::canonical::{
    CacheMark, Content, Detail, Document, Image, Losses, Media, Origin, Part, Role, SearchResult,
    Severity, TOOL_ERROR_PREFIX, Thinking, ToolCall, ToolInput, ToolResult, Turn, envelope,
};
use crate::dialect::Dialect;
use crate::json::{Array, Object, Str, out};
use crate::translate::{Refusal, Target};

/// What a text part is called: the API tells what it was given from what it gave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Input,
    Output,
}

/// Writes one conversation.
#[derive(Debug)]
pub(super) struct Items<'t> {
    target: &'t Target<'t>,
}

impl<'t> Items<'t> {
    pub(super) const fn new(target: &'t Target<'t>) -> Self {
        Self { target }
    }

    /// One turn: its messages, and its calls and results as items of their own, in order.
    pub(super) fn turn(
        &mut self,
        turn: &Turn<'_>,
        list: &mut Array<'_>,
        losses: &mut Losses,
    ) -> Result<(), Refusal> {
        let Turn { role, parts, name, origin } = turn;
        if name.is_some() {
            let why = "Responses has no names of speakers";
            losses.add_at(Severity::Hint, "message-name", *origin, why);
        }
        for group in parts.chunk_by(|a, b| is_message(a) && is_message(b)) {
            match group {
                [first, ..] if is_message(first) => self.message(*role, group, list, losses)?,
                _ => {
                    for part in group {
                        self.item(part, list, losses)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn message(
        &self,
        role: Role,
        parts: &[Part<'_>],
        list: &mut Array<'_>,
        losses: &mut Losses,
    ) -> Result<(), Refusal> {
        let mut item = list.object();
        item.text("type", "message").text("role", role_name(role, self.target));
        let side = if role == Role::Assistant { Side::Output } else { Side::Input };
        let mut content = item.array("content");
        for one in parts {
            self.part(one, side, &mut content, losses)?;
        }
        content.end();
        item.end();
        Ok(())
    }

    fn item(
        &self,
        part: &Part<'_>,
        list: &mut Array<'_>,
        losses: &mut Losses,
    ) -> Result<(), Refusal> {
        let Part { content, cache, origin } = part;
        match content {
            Content::Thinking(thinking) => {
                self.reasoning(thinking, *origin, list, losses);
                no_mark(*cache, *origin, losses);
            }
            Content::ToolCall(call) => {
                write_call(call, list.object());
                no_mark(*cache, *origin, losses);
            }
            Content::ToolResult(result) => self.result(result, *cache, list.object(), losses)?,
            Content::Foreign(foreign) if foreign.dialect == Dialect::OpenaiResponses => {
                list.item().extend_from_slice(foreign.raw.text().as_bytes());
            }
            Content::Foreign(foreign) => {
                let why = format!("Responses has nothing like {}", foreign.kind);
                return Err(losses.refuse_at(*origin, why));
            }
            // Parts of a message never come here.
            Content::Text { .. }
            | Content::Image(_)
            | Content::Document(_)
            | Content::Audio(_)
            | Content::SearchResult(_)
            | Content::Refusal(_) => {}
        }
        Ok(())
    }

    /// Reasoning goes back to the vendor that made it; nobody else could read it.
    fn reasoning(
        &self,
        thinking: &Thinking<'_>,
        origin: Origin,
        list: &mut Array<'_>,
        losses: &mut Losses,
    ) {
        let Thinking { text, opaque, redacted: _ } = thinking;
        let Some(opaque) = opaque.as_ref().filter(|opaque| opaque.vendor == self.vendor()) else {
            let why = "reasoning without its vendor's encrypted state cannot be sent back";
            losses.add_at(Severity::Content, "thinking", origin, why);
            return;
        };
        let mut item = list.object();
        item.text("type", "reasoning");
        let mut summary = item.array("summary");
        if !text.is_empty() {
            let mut part = summary.object();
            part.text("type", "summary_text").str("text", text);
            part.end();
        }
        summary.end();
        let buffer = item.key("encrypted_content");
        buffer.push(b'"');
        envelope::push_wrapped(opaque, &opaque.vendor, buffer);
        buffer.push(b'"');
        item.end();
    }

    fn vendor(&self) -> &str {
        match self.target.facts.vendor.as_str() {
            "" => "openai",
            vendor => vendor,
        }
    }

    fn result(
        &self,
        result: &ToolResult<'_>,
        cache: Option<CacheMark>,
        mut item: Object<'_>,
        losses: &mut Losses,
    ) -> Result<(), Refusal> {
        let ToolResult { call_id, name: _, content, is_error, custom } = result;
        let kind = if *custom { "custom_tool_call_output" } else { "function_call_output" };
        item.text("type", kind).str("call_id", call_id);
        let text_only = content.iter().all(|part| matches!(part.content, Content::Text { .. }));
        let marked = cache.is_some() || content.iter().any(|part| part.cache.is_some());
        if text_only && !marked {
            write_output_text(content, *is_error, item.key("output"));
        } else {
            let mut list = item.array("output");
            if *is_error {
                input_text(&mut list, &Str::plain(TOOL_ERROR_PREFIX.trim_end()), None);
            }
            let last = content.len().saturating_sub(1);
            for (index, part) in content.iter().enumerate() {
                let mark = part.cache.or_else(|| cache.filter(|_| index == last));
                self.marked(part, mark, Side::Input, &mut list, losses)?;
            }
            list.end();
        }
        item.end();
        Ok(())
    }

    fn part(
        &self,
        part: &Part<'_>,
        side: Side,
        list: &mut Array<'_>,
        losses: &mut Losses,
    ) -> Result<(), Refusal> {
        self.marked(part, part.cache, side, list, losses)
    }

    fn marked(
        &self,
        part: &Part<'_>,
        mark: Option<CacheMark>,
        side: Side,
        list: &mut Array<'_>,
        losses: &mut Losses,
    ) -> Result<(), Refusal> {
        let origin = part.origin;
        let mark = mark.map(|mark| self.ttl_of(mark));
        match &part.content {
            Content::Text { text, citations } => {
                if !citations.is_empty() {
                    losses.add_at(Severity::Hint, "citations", origin, "derived from the sources");
                }
                if side == Side::Output {
                    output_text(list, text);
                    no_mark(part.cache, origin, losses);
                } else {
                    input_text(list, text, mark);
                }
            }
            Content::Refusal(text) => {
                let mut object = list.object();
                object.text("type", "refusal").str("refusal", text);
                object.end();
            }
            Content::Image(image) => write_image(image, mark, origin, list, losses)?,
            Content::Document(document) => {
                self.document(document, mark, origin, list, losses)?;
            }
            Content::SearchResult(result) => {
                if result.citations {
                    let why = "Responses cites no sources of a request";
                    losses.add_at(Severity::Setting, "document-citations", origin, why);
                }
                write_search_result(result, mark, list);
            }
            Content::Audio(_) => {
                return Err(losses.refuse_at(origin, "Responses has no audio input"));
            }
            Content::Foreign(foreign) if foreign.dialect == Dialect::OpenaiResponses => {
                list.item().extend_from_slice(foreign.raw.text().as_bytes());
            }
            Content::Foreign(foreign) => {
                let why = format!("Responses has nothing like {}", foreign.kind);
                return Err(losses.refuse_at(origin, why));
            }
            Content::Thinking(_) | Content::ToolCall(_) | Content::ToolResult(_) => {
                return Err(losses.refuse_at(origin, "not a part of a message or a tool's result"));
            }
        }
        Ok(())
    }

    fn document(
        &self,
        document: &Document<'_>,
        mark: Option<CacheMark>,
        origin: Origin,
        list: &mut Array<'_>,
        losses: &mut Losses,
    ) -> Result<(), Refusal> {
        let Document { media, title, context, citations } = document;
        if *citations {
            let why = "Responses cites no files of a request";
            losses.add_at(Severity::Setting, "document-citations", origin, why);
        }
        match media {
            Media::Text(text) => {
                heading(list, title.as_ref(), context.as_ref());
                input_text(list, text, mark);
                return Ok(());
            }
            Media::Parts(parts) => {
                heading(list, title.as_ref(), context.as_ref());
                let last = parts.len().saturating_sub(1);
                for (index, part) in parts.iter().enumerate() {
                    let mark = part.cache.or_else(|| mark.filter(|_| index == last));
                    self.marked(part, mark, Side::Input, list, losses)?;
                }
                return Ok(());
            }
            Media::FileId(_) if losses.dialect() == Dialect::Anthropic => {
                return Err(losses.refuse_at(origin, "file ids belong to one vendor"));
            }
            Media::Base64 { .. } | Media::Url { .. } | Media::FileId(_) => {}
        }
        if let Some(context) = context {
            input_text(list, context, None);
        }
        let mut object = list.object();
        object.text("type", "input_file");
        match media {
            Media::Base64 { media_type, data } => {
                object.str("filename", title.as_ref().unwrap_or(&Str::plain("document.pdf")));
                data_url(object.key("file_data"), media_type, data);
            }
            Media::Url { url, media_type: _ } => drop(object.str("file_url", url)),
            Media::FileId(id) => drop(object.str("file_id", id)),
            Media::Text(_) | Media::Parts(_) => {}
        }
        write_mark(&mut object, mark);
        object.end();
        Ok(())
    }

    /// The mark with a lifetime the API has, or without one.
    fn ttl_of(&self, mark: CacheMark) -> CacheMark {
        let ttl_s = mark.ttl_s.and_then(|seconds| match seconds {
            1800 | 43_200 => Some(seconds),
            3600.. if self.target.options.cache_12h => Some(43_200),
            _ => None,
        });
        CacheMark { ttl_s }
    }
}

const fn is_message(part: &Part<'_>) -> bool {
    match &part.content {
        Content::Text { .. }
        | Content::Image(_)
        | Content::Document(_)
        | Content::Audio(_)
        | Content::SearchResult(_)
        | Content::Refusal(_) => true,
        Content::Thinking(_)
        | Content::ToolCall(_)
        | Content::ToolResult(_)
        | Content::Foreign(_) => false,
    }
}

fn write_call(call: &ToolCall<'_>, mut item: Object<'_>) {
    let ToolCall { id, name, namespace, input, custom, hosted } = call;
    if let (Some(kind), ToolInput::Json(json)) = (hosted, input) {
        hosted::write_hosted_call(&mut item, kind, id, json.text());
        item.end();
        return;
    }
    item.text("type", if *custom { "custom_tool_call" } else { "function_call" });
    item.str("call_id", id).str("name", name);
    if let Some(group) = namespace {
        item.str("namespace", group);
    }
    let key = if *custom { "input" } else { "arguments" };
    match input {
        ToolInput::Json(json) => drop(item.text(key, json.text())),
        ToolInput::Text(text) if text.is_empty() && !custom => drop(item.text(key, "{}")),
        ToolInput::Text(text) => drop(item.str(key, text)),
    }
    item.end();
}

/// Texts as one string, one per line.
fn write_output_text(content: &[Part<'_>], is_error: bool, buffer: &mut Vec<u8>) {
    buffer.push(b'"');
    if is_error {
        out::escaped(buffer, TOOL_ERROR_PREFIX);
    }
    let mut first = true;
    for part in content {
        let Content::Text { text, .. } = &part.content else { continue };
        if !std::mem::take(&mut first) {
            buffer.extend_from_slice(b"\\n");
        }
        text.push_inner(buffer);
    }
    buffer.push(b'"');
}

fn input_text(list: &mut Array<'_>, text: &Str<'_>, mark: Option<CacheMark>) {
    let mut object = list.object();
    object.text("type", "input_text").str("text", text);
    write_mark(&mut object, mark);
    object.end();
}

fn output_text(list: &mut Array<'_>, text: &Str<'_>) {
    let mut object = list.object();
    object.text("type", "output_text").str("text", text).raw("annotations", "[]");
    object.end();
}

/// Title and context of a text document, before its text.
fn heading(list: &mut Array<'_>, title: Option<&Str<'_>>, context: Option<&Str<'_>>) {
    for text in [title, context].into_iter().flatten() {
        input_text(list, text, None);
    }
}

fn write_search_result(result: &SearchResult<'_>, mark: Option<CacheMark>, list: &mut Array<'_>) {
    let SearchResult { source, title, content, citations: _ } = result;
    heading(list, Some(title), Some(source));
    let texts: Vec<&Str<'_>> = content
        .iter()
        .filter_map(|part| match &part.content {
            Content::Text { text, .. } => Some(text),
            _ => None,
        })
        .collect();
    let last = texts.len().saturating_sub(1);
    for (index, text) in texts.into_iter().enumerate() {
        input_text(list, text, mark.filter(|_| index == last));
    }
}

fn write_image(
    image: &Image<'_>,
    mark: Option<CacheMark>,
    origin: Origin,
    list: &mut Array<'_>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let Image { media, detail } = image;
    let refuse = |losses: &Losses, why: &'static str| Err(losses.refuse_at(origin, why));
    match media {
        Media::FileId(_) if losses.dialect() == Dialect::Anthropic => {
            return refuse(losses, "file ids belong to one vendor");
        }
        Media::Text(_) | Media::Parts(_) => {
            return refuse(losses, "an image must be base64 or a URL");
        }
        Media::Base64 { .. } | Media::Url { .. } | Media::FileId(_) => {}
    }
    let mut object = list.object();
    object.text("type", "input_image");
    object.text(
        "detail",
        match detail {
            None | Some(Detail::Auto | Detail::Medium) => "auto",
            Some(Detail::Low) => "low",
            Some(Detail::High) => "high",
            Some(Detail::Original) => "original",
        },
    );
    match media {
        Media::Base64 { media_type, data } => data_url(object.key("image_url"), media_type, data),
        Media::Url { url, media_type: _ } => drop(object.str("image_url", url)),
        Media::FileId(id) => drop(object.str("file_id", id)),
        Media::Text(_) | Media::Parts(_) => {}
    }
    write_mark(&mut object, mark);
    object.end();
    Ok(())
}

fn data_url(buffer: &mut Vec<u8>, media_type: &Str<'_>, data: &Str<'_>) {
    buffer.extend_from_slice(b"\"data:");
    media_type.push_inner(buffer);
    buffer.extend_from_slice(b";base64,");
    data.push_inner(buffer);
    buffer.push(b'"');
}

fn write_mark(object: &mut Object<'_>, mark: Option<CacheMark>) {
    let Some(CacheMark { ttl_s }) = mark else { return };
    let mut inner = object.object("prompt_cache_breakpoint");
    inner.text("mode", "explicit");
    if let Some(ttl) = ttl_s.and_then(ttl_name) {
        inner.text("ttl", ttl);
    }
    inner.end();
}

/// A lifetime in the API's own words; it has two.
pub(super) const fn ttl_name(seconds: u32) -> Option<&'static str> {
    match seconds {
        1800 => Some("30m"),
        43_200 => Some("12h"),
        _ => None,
    }
}

/// `fit` moves marks to parts that can carry them; one that is still there cannot be written.
fn no_mark(mark: Option<CacheMark>, origin: Origin, losses: &mut Losses) {
    if mark.is_some() {
        let why = "this kind of item takes no cache mark";
        losses.add_at(Severity::Hint, "cache-mark", origin, why);
    }
}

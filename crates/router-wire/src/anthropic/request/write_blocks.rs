//! Turns and content blocks of a Messages request, written.

use super::write::{word, write_mark};
use crate::canonical::{
    Content, Document, Image, Json, Losses, Media, Opaque, Origin, Part, Role, SearchResult,
    Severity, Thinking, ToolCall, ToolInput, ToolResult, Turn, envelope,
};
use crate::dialect::Dialect;
use crate::json::{Array, Object, Str};
use crate::translate::Refusal;

/// Media types the Messages API reads as images.
const IMAGE_TYPES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// One turn. `fit` has removed empty ones and merged neighbours.
pub(super) fn turn(
    turn: &Turn<'_>,
    list: &mut Array<'_>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let Turn { role, parts, name, origin } = turn;
    if name.is_some() {
        losses.add_at(Severity::Hint, "message-name", *origin, "Messages has no names of speakers");
    }
    let mut object = list.object();
    object.text(
        "role",
        match role {
            Role::System | Role::Developer => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        },
    );
    write_parts(object.key("content"), parts, losses)?;
    object.end();
    Ok(())
}

/// A list of blocks, or a string where one plain text is all.
fn write_parts(
    buffer: &mut Vec<u8>,
    parts: &[Part<'_>],
    losses: &mut Losses,
) -> Result<(), Refusal> {
    if let [Part { content: Content::Text { text, citations }, cache: None, .. }] = parts
        && citations.is_empty()
    {
        text.push(buffer);
        return Ok(());
    }
    let mut list = Array::new(buffer);
    for one in parts {
        part(one, list.item(), losses)?;
    }
    list.end();
    Ok(())
}

/// One block.
pub(super) fn part(
    part: &Part<'_>,
    buffer: &mut Vec<u8>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let Part { content, cache, origin } = part;
    if let Content::Foreign(foreign) = content
        && foreign.dialect == Dialect::Anthropic
    {
        buffer.extend_from_slice(foreign.raw.text().as_bytes());
        return Ok(());
    }
    let mut object = Object::new(buffer);
    match content {
        Content::Text { text, citations } => {
            if !citations.is_empty() {
                losses.add_at(Severity::Hint, "citations", *origin, "derived from the sources");
            }
            object.text("type", "text").str("text", text);
        }
        // A refusal of an earlier turn is plain text to the next model.
        Content::Refusal(text) => drop(object.text("type", "text").str("text", text)),
        Content::Image(image) => write_image(&mut object, image, *origin, losses)?,
        Content::Document(document) => write_document(&mut object, document, *origin, losses)?,
        Content::SearchResult(result) => write_search_result(&mut object, result, losses)?,
        Content::Audio(_) => return Err(refuse(losses, *origin, "Messages has no audio input")),
        Content::Thinking(thinking) => write_thinking(&mut object, thinking, *origin, losses)?,
        Content::ToolCall(call) => write_call(&mut object, call, *origin, losses)?,
        Content::ToolResult(result) => write_result(&mut object, result, losses)?,
        Content::Foreign(foreign) => {
            let why = format!("Messages has nothing like {}", foreign.kind);
            return Err(Refusal::new(losses.path(*origin), why));
        }
    }
    write_mark(&mut object, *cache);
    object.end();
    Ok(())
}

fn refuse(losses: &Losses, origin: Origin, why: &'static str) -> Refusal {
    Refusal::new(losses.path(origin), why)
}

fn write_image(
    object: &mut Object<'_>,
    image: &Image<'_>,
    origin: Origin,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let Image { media, detail } = image;
    if detail.is_some() {
        losses.add_at(Severity::Hint, "image-detail", origin, "Messages has no such hint");
    }
    object.text("type", "image");
    match media {
        Media::Base64 { media_type, data } => {
            if !IMAGE_TYPES.contains(&media_type.decode().as_ref()) {
                return Err(refuse(
                    losses,
                    origin,
                    "Messages reads JPEG, PNG, GIF and WebP images",
                ));
            }
            write_base64(object, media_type, data);
        }
        Media::Url { url, media_type: _ } => write_url(object, url),
        Media::FileId(_) => return Err(refuse(losses, origin, "file ids belong to one vendor")),
        Media::Text(_) | Media::Parts(_) => {
            return Err(refuse(losses, origin, "an image must be base64 or a URL"));
        }
    }
    Ok(())
}

fn write_base64(object: &mut Object<'_>, media_type: &Str<'_>, data: &Str<'_>) {
    let mut source = object.object("source");
    source.text("type", "base64").str("media_type", media_type).str("data", data);
    source.end();
}

fn write_url(object: &mut Object<'_>, url: &Str<'_>) {
    let mut source = object.object("source");
    source.text("type", "url").str("url", url);
    source.end();
}

fn write_document(
    object: &mut Object<'_>,
    document: &Document<'_>,
    origin: Origin,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let Document { media, title, context, citations } = document;
    object.text("type", "document");
    match media {
        Media::Base64 { media_type, data } => {
            let kind = media_type.decode();
            if kind == "application/pdf" {
                write_base64(object, media_type, data);
            } else if crate::media::is_textual(&kind)
                && let Some(text) = crate::media::base64_text(&data.decode())
            {
                write_text_source(object, &text.into());
            } else {
                return Err(refuse(losses, origin, "Messages reads PDF and text files"));
            }
        }
        Media::Url { url, media_type: _ } => write_url(object, url),
        Media::FileId(_) => return Err(refuse(losses, origin, "file ids belong to one vendor")),
        Media::Text(text) => write_text_source(object, text),
        Media::Parts(parts) => {
            let mut source = object.object("source");
            source.text("type", "content");
            write_parts(source.key("content"), parts, losses)?;
            source.end();
        }
    }
    if let Some(text) = title {
        object.str("title", text);
    }
    if let Some(text) = context {
        object.str("context", text);
    }
    if *citations {
        object.raw("citations", r#"{"enabled":true}"#);
    }
    Ok(())
}

fn write_text_source(object: &mut Object<'_>, text: &Str<'_>) {
    let mut source = object.object("source");
    source.text("type", "text").text("media_type", "text/plain").str("data", text);
    source.end();
}

fn write_search_result(
    object: &mut Object<'_>,
    result: &SearchResult<'_>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let SearchResult { source, title, content, citations } = result;
    object.text("type", "search_result").str("source", source).str("title", title);
    let mut list = object.array("content");
    for one in content {
        part(one, list.item(), losses)?;
    }
    list.end();
    if *citations {
        object.raw("citations", r#"{"enabled":true}"#);
    }
    Ok(())
}

fn write_thinking(
    object: &mut Object<'_>,
    thinking: &Thinking<'_>,
    origin: Origin,
    losses: &Losses,
) -> Result<(), Refusal> {
    let Thinking { text, opaque, redacted } = thinking;
    let Some(opaque) = opaque else {
        return Err(refuse(losses, origin, "thinking without a signature cannot be sent back"));
    };
    if *redacted {
        object.text("type", "redacted_thinking");
        push_native(object.key("data"), opaque);
    } else {
        object.text("type", "thinking").str("thinking", text);
        push_native(object.key("signature"), opaque);
    }
    Ok(())
}

fn push_native(buffer: &mut Vec<u8>, opaque: &Opaque<'_>) {
    buffer.push(b'"');
    envelope::push_wrapped(opaque, &opaque.vendor, buffer);
    buffer.push(b'"');
}

fn write_call(
    object: &mut Object<'_>,
    call: &ToolCall<'_>,
    origin: Origin,
    losses: &Losses,
) -> Result<(), Refusal> {
    let ToolCall { id, name, namespace: _, input, custom: _, hosted: _ } = call;
    object.text("type", "tool_use").str("id", id).str("name", name);
    match input {
        ToolInput::Json(Json(text)) => drop(object.raw("input", text)),
        ToolInput::Text(_) => {
            return Err(refuse(losses, origin, "tool input must be a JSON object"));
        }
    }
    Ok(())
}

fn write_result(
    object: &mut Object<'_>,
    result: &ToolResult<'_>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let ToolResult { call_id, name: _, content, is_error, custom: _ } = result;
    word(object.key("type"), "tool_result");
    object.str("tool_use_id", call_id);
    if !content.is_empty() {
        write_parts(object.key("content"), content, losses)?;
    }
    if *is_error {
        object.bool("is_error", true);
    }
    Ok(())
}

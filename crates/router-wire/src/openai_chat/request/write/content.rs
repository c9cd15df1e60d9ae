//! Content parts of a Chat request, written.

use super::Marks;
use crate::canonical::{
    CacheMark, Content, Detail, Document, Image, Losses, Media, Origin, Part, SearchResult,
    Severity,
};
use crate::json::{Array, Object, Str};
use crate::media;
use crate::translate::Refusal;

/// The text of a part that is text on Chat; nothing for images, files and sound.
pub(super) fn as_text<'a>(
    part: &Part<'a>,
    losses: &mut Losses,
) -> Result<Option<Str<'a>>, Refusal> {
    let origin = part.origin;
    Ok(match &part.content {
        Content::Text { text, citations } => {
            if !citations.is_empty() {
                losses.add_at(Severity::Hint, "citations", origin, "derived from the sources");
            }
            Some(text.clone())
        }
        Content::Refusal(text) => Some(text.clone()),
        Content::SearchResult(result) => {
            note_citations(result.citations, origin, losses);
            Some(search_result(result, losses)?.into())
        }
        Content::Document(document) => document_text(document, origin, losses)?.map(Str::from),
        Content::Image(_) | Content::Audio(_) => None,
        Content::Foreign(foreign) => {
            let why = format!("Chat has nothing like {}", foreign.kind);
            return Err(losses.refuse_at(origin, why));
        }
        Content::Thinking(_) | Content::ToolCall(_) | Content::ToolResult(_) => {
            return Err(losses.refuse_at(origin, "this part cannot stand here on Chat"));
        }
    })
}

/// A text part. Empty ones are left out.
pub(super) fn write_text(
    list: &mut Array<'_>,
    text: &Str<'_>,
    mark: Option<CacheMark>,
    marks: &mut Marks,
    losses: &mut Losses,
) {
    if text.is_empty() {
        marks.carry(mark, losses);
        return;
    }
    let mut object = list.object();
    object.text("type", "text").str("text", text);
    marks.write(&mut object, mark, losses);
    object.end();
}

/// A part of a user message.
pub(super) fn write(
    list: &mut Array<'_>,
    part: &Part<'_>,
    mark: Option<CacheMark>,
    marks: &mut Marks,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    if let Some(text) = as_text(part, losses)? {
        write_text(list, &text, mark, marks, losses);
        return Ok(());
    }
    match &part.content {
        Content::Image(image) => {
            let mut object = list.object();
            write_image(&mut object, image, part.origin, losses)?;
            marks.write(&mut object, mark, losses);
            object.end();
        }
        Content::Document(document) => {
            if let Some(context) = &document.context {
                write_text(list, context, None, marks, losses);
            }
            let mut object = list.object();
            write_file(&mut object, document, part.origin, losses)?;
            marks.write(&mut object, mark, losses);
            object.end();
        }
        Content::Audio(sound) => {
            let mut object = list.object();
            write_audio(&mut object, sound, part.origin, losses)?;
            marks.write(&mut object, mark, losses);
            object.end();
        }
        // Everything else has a text, or was refused for having none.
        _ => {}
    }
    Ok(())
}

fn write_image(
    object: &mut Object<'_>,
    image: &Image<'_>,
    origin: Origin,
    losses: &Losses,
) -> Result<(), Refusal> {
    let Image { media, detail } = image;
    object.text("type", "image_url");
    let mut inner = object.object("image_url");
    match media {
        Media::Base64 { media_type, data } => data_url(inner.key("url"), media_type, data),
        Media::Url { url, media_type: _ } => drop(inner.str("url", url)),
        Media::FileId(_) => return Err(losses.refuse_at(origin, "file ids belong to one vendor")),
        Media::Text(_) | Media::Parts(_) => {
            return Err(losses.refuse_at(origin, "an image must be base64 or a URL"));
        }
    }
    if let Some(detail) = detail {
        let name = match detail {
            Detail::Auto | Detail::Medium => "auto",
            Detail::Low => "low",
            Detail::High => "high",
            Detail::Original => "original",
        };
        inner.text("detail", name);
    }
    inner.end();
    Ok(())
}

fn data_url(buffer: &mut Vec<u8>, media_type: &Str<'_>, data: &Str<'_>) {
    buffer.extend_from_slice(b"\"data:");
    media_type.push_inner(buffer);
    buffer.extend_from_slice(b";base64,");
    data.push_inner(buffer);
    buffer.push(b'"');
}

fn write_file(
    object: &mut Object<'_>,
    document: &Document<'_>,
    origin: Origin,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let Document { media, title, context: _, citations } = document;
    note_citations(*citations, origin, losses);
    let why = match media {
        Media::Base64 { media_type, data } if media_type.decode() == "application/pdf" => {
            object.text("type", "file");
            let mut inner = object.object("file");
            inner.str("filename", title.as_ref().unwrap_or(&Str::Literal("document.pdf")));
            data_url(inner.key("file_data"), media_type, data);
            inner.end();
            return Ok(());
        }
        Media::Url { .. } => "Chat fetches no files",
        Media::FileId(_) => "file ids belong to one vendor",
        Media::Base64 { .. } | Media::Text(_) | Media::Parts(_) => "Chat reads PDF and text files",
    };
    Err(losses.refuse_at(origin, why))
}

fn note_citations(asked: bool, origin: Origin, losses: &mut Losses) {
    if asked {
        losses.add_at(Severity::Setting, "document-citations", origin, "Chat cites no files");
    }
}

/// The text of a document that is text, under its title and context.
fn document_text(
    document: &Document<'_>,
    origin: Origin,
    losses: &mut Losses,
) -> Result<Option<String>, Refusal> {
    let Document { media, title, context, citations } = document;
    let mut text = String::new();
    for line in [title, context].into_iter().flatten() {
        line.decode_into(&mut text);
        text.push('\n');
    }
    if !text.is_empty() {
        text.push('\n');
    }
    match media {
        Media::Text(body) => body.decode_into(&mut text),
        Media::Parts(parts) => {
            let mut first = true;
            for part in parts {
                let Some(piece) = as_text(part, losses)? else {
                    let why = "a file made of parts must be text on Chat";
                    return Err(losses.refuse_at(origin, why));
                };
                if part.cache.is_some() {
                    let why = "a file's parts are one text on Chat";
                    losses.member(Severity::Hint, "cache_control", why);
                }
                if !std::mem::take(&mut first) {
                    text.push_str("\n\n");
                }
                piece.decode_into(&mut text);
            }
        }
        Media::Base64 { media_type, data } if media::is_textual(&media_type.decode()) => {
            let Some(body) = media::base64_text(&data.decode()) else {
                return Err(losses.refuse_at(origin, "a text file must be UTF-8 in base64"));
            };
            text.push_str(&body);
        }
        Media::Base64 { .. } | Media::Url { .. } | Media::FileId(_) => return Ok(None),
    }
    note_citations(*citations, origin, losses);
    Ok(Some(text))
}

fn search_result(result: &SearchResult<'_>, losses: &mut Losses) -> Result<String, Refusal> {
    let SearchResult { source, title, content, citations: _ } = result;
    let mut text = String::new();
    title.decode_into(&mut text);
    text.push('\n');
    source.decode_into(&mut text);
    for part in content {
        text.push_str("\n\n");
        match as_text(part, losses)? {
            Some(piece) => piece.decode_into(&mut text),
            None => return Err(losses.refuse_at(part.origin, "search results are text on Chat")),
        }
    }
    Ok(text)
}

fn write_audio(
    object: &mut Object<'_>,
    sound: &Media<'_>,
    origin: Origin,
    losses: &Losses,
) -> Result<(), Refusal> {
    let Media::Base64 { media_type, data } = sound else {
        return Err(losses.refuse_at(origin, "sound on Chat must be base64"));
    };
    let format = match media_type.decode().as_ref() {
        "audio/wav" | "audio/x-wav" | "audio/wave" => "wav",
        "audio/mpeg" | "audio/mp3" => "mp3",
        _ => return Err(losses.refuse_at(origin, "Chat hears WAV and MP3")),
    };
    object.text("type", "input_audio");
    let mut inner = object.object("input_audio");
    inner.str("data", data).text("format", format);
    inner.end();
    Ok(())
}

//! Probabilities of tokens: `logprobsResult` here, items of `logprobs.content` in Chat's form.

use crate::canonical::Json;
use crate::gemini::{camel, list, number};
use crate::json::{Array, Cursor, JsonError, Object, Raw, Str, out};

#[derive(Debug, Default)]
struct Token<'a> {
    token: Str<'a>,
    logprob: f64,
}

/// Reads `logprobsResult` into a JSON array of Chat's items.
pub(super) fn read<'a>(c: &mut Cursor<'a>) -> Result<Option<Json<'a>>, JsonError> {
    if c.null()? {
        return Ok(None);
    }
    let (mut chosen, mut top) = (Vec::new(), Vec::new());
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match camel(&key).as_ref() {
            "chosenCandidates" => chosen = list(c, token)?,
            "topCandidates" => top = list(c, top_tokens)?,
            _ => c.skip()?,
        }
    }
    if chosen.is_empty() {
        return Ok(None);
    }
    let mut buffer = Vec::new();
    let mut items = Array::new(&mut buffer);
    let mut tops = top.iter();
    for token in &chosen {
        let mut item = items.object();
        write_chat(&mut item, token);
        let mut others = item.array("top_logprobs");
        for other in tops.next().map(Vec::as_slice).unwrap_or_default() {
            let mut one = others.object();
            write_chat(&mut one, other);
            one.end();
        }
        others.end();
        item.end();
    }
    items.end();
    // Everything written is text of the document or ASCII of our own.
    Ok(String::from_utf8(buffer).ok().map(|text| Json(text.into())))
}

fn write_chat(object: &mut Object<'_>, token: &Token<'_>) {
    object.str("token", &token.token).float("logprob", token.logprob).null("bytes");
}

fn top_tokens<'a>(c: &mut Cursor<'a>) -> Result<Vec<Token<'a>>, JsonError> {
    let mut tokens = Vec::new();
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        if key == "candidates" {
            tokens = list(c, token)?;
        } else {
            c.skip()?;
        }
    }
    Ok(tokens)
}

fn token<'a>(c: &mut Cursor<'a>) -> Result<Token<'a>, JsonError> {
    let mut token = Token::default();
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match camel(&key).as_ref() {
            "token" => token.token = c.opt(Cursor::str)?.unwrap_or_default(),
            "logProbability" => token.logprob = number(c)?.unwrap_or(0.0),
            _ => c.skip()?,
        }
    }
    Ok(token)
}

/// Writes the member `logprobsResult` from lists of Chat's items.
pub(in crate::gemini) fn write(object: &mut Object<'_>, chat: &[Json<'_>]) {
    let mut items = Vec::new();
    for json in chat {
        // What is no such list says nothing about tokens.
        items.extend(Raw::parse(json.text()).and_then(self::items).unwrap_or_default());
    }
    if !items.is_empty() {
        let mut result = object.object("logprobsResult");
        let mut chosen = result.array("chosenCandidates");
        for (token, _) in &items {
            write_token(chosen.item(), token);
        }
        chosen.end();
        let mut tops = result.array("topCandidates");
        for (_, others) in &items {
            let mut top = tops.object();
            let mut list = top.array("candidates");
            for other in others {
                write_token(list.item(), other);
            }
            list.end();
            top.end();
        }
        tops.end();
        result.end();
    }
}

fn write_token(buffer: &mut Vec<u8>, token: &Token<'_>) {
    let mut object = Object::new(buffer);
    object.str("token", &token.token);
    out::float(object.key("logProbability"), token.logprob);
    object.end();
}

type Item<'a> = (Token<'a>, Vec<Token<'a>>);

fn items(raw: Raw<'_>) -> Result<Vec<Item<'_>>, JsonError> {
    list(&mut raw.cursor(), item)
}

fn item<'a>(c: &mut Cursor<'a>) -> Result<Item<'a>, JsonError> {
    let mut item: Item<'a> = (Token::default(), Vec::new());
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "token" => item.0.token = c.str()?,
            "logprob" => item.0.logprob = c.f64()?,
            "top_logprobs" => item.1 = list(c, |c| self::item(c).map(|(token, _)| token))?,
            _ => c.skip()?,
        }
    }
    Ok(item)
}

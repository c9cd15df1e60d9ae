//! A turn of Messages that the vendor interrupts: `stop_reason` is `pause_turn` where its own tools
//! need longer than one call may take. A client of Messages sends what came back to have the rest.
//! No other dialect has such an ending, so for their clients the router does it: they get one
//! answer, and the calls it took are added up.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::usage;
use crate::json::{Array, Cursor, JsonError, Object, Raw};
use crate::peek::{self, peek};
use crate::splice::{Change, Splice};
use crate::sse;
use crate::usage::Usage;

/// Calls after the first one.
const ROUNDS_MAX: u8 = 4;
/// Most bytes of content that are sent back.
const CONTENT_MAX: usize = 8 << 20;

/// One turn of the model over all the calls it takes.
#[derive(Debug)]
pub struct Turn {
    /// The body of the first call.
    asked: Vec<u8>,
    /// Blocks that are complete, as the upstream wants them back.
    content: Vec<Vec<u8>>,
    size: usize,
    /// What the earlier calls used, and what this one has used so far.
    spent: Usage,
    current: Usage,
    rounds: u8,
    stream: Stream,
}

/// Where a streamed turn is.
#[derive(Debug, Default)]
struct Stream {
    decoder: sse::Decoder,
    /// Something else than events: it is handed on as it is.
    other: Option<bool>,
    /// Blocks under way, by the upstream's index.
    open: BTreeMap<u64, Part>,
    /// Blocks the client has had before this call began.
    before: u64,
    /// Blocks begun in all calls.
    begun: u64,
    /// The call ended in a pause; this event says so and was not handed on.
    paused: Option<Vec<u8>>,
}

/// A block while it is streamed.
#[derive(Debug, Default)]
struct Part {
    block: String,
    text: String,
    input: String,
    signature: String,
    citations: Vec<String>,
}

impl Turn {
    /// A turn that begins with this request.
    pub fn new(asked: Vec<u8>) -> Self {
        Self {
            asked,
            content: Vec::new(),
            size: 0,
            spent: Usage::default(),
            current: Usage::default(),
            rounds: 0,
            stream: Stream::default(),
        }
    }

    /// Whether a request may be interrupted: it has tools that the vendor runs.
    pub fn may_pause(asked: &[u8]) -> bool {
        [&b"\"type\":\"web_search_"[..], b"\"type\":\"tool_search_"]
            .iter()
            .any(|kind| memchr::memmem::find(asked, kind).is_some())
    }

    /// Takes a whole answer; gives the request that continues it if it is a pause.
    pub fn whole(&mut self, answer: &[u8]) -> Option<Vec<u8>> {
        let is_pause =
            peek::find(answer, "stop_reason").is_some_and(|raw| raw == b"\"pause_turn\"");
        // What makes no sense is for those to say who read it next.
        if (is_pause || 0 < self.rounds)
            && let Ok(text) = std::str::from_utf8(answer)
            && self.take_whole(text).is_ok()
            && is_pause
        {
            return self.continued();
        }
        None
    }

    /// The answer after the last call, with what the earlier ones brought.
    pub fn joined(&self, last: &[u8]) -> Option<Vec<u8>> {
        if self.rounds == 0 {
            return None;
        }
        let peeked = peek(last).ok()?;
        let mut used = Vec::new();
        let mut total = self.spent;
        total.add(&self.current);
        let mut holder = Object::new(&mut used);
        usage::write(&mut holder, &total, None);
        holder.end();
        let usage = Change::Set { name: "usage", json: peek::find(&used, "usage")?.to_vec() };
        let content = Change::Set { name: "content", json: self.content_json() };
        Some(Splice::new(&peeked, &[content, usage]).to_vec(last))
    }

    fn take_whole(&mut self, answer: &str) -> Result<(), JsonError> {
        let mut c = Cursor::new(answer);
        let mut members = c.object()?;
        while let Some(key) = members.next(&mut c)? {
            match key.as_ref() {
                "content" => {
                    let mut items = c.array()?;
                    while items.next(&mut c)?.is_some() {
                        let block = c.raw()?.text();
                        self.keep(block.as_bytes().to_vec());
                    }
                }
                "usage" => self.current = usage::read(&mut c)?.0,
                _ => c.skip()?,
            }
        }
        c.end()
    }

    fn keep(&mut self, block: Vec<u8>) {
        self.size = self.size.saturating_add(block.len());
        self.content.push(block);
    }

    fn content_json(&self) -> Vec<u8> {
        let mut json = Vec::with_capacity(self.size + 64);
        let mut list = Array::new(&mut json);
        for block in &self.content {
            list.item().extend_from_slice(block);
        }
        list.end();
        json
    }

    /// Whether the upstream would take what it said so far: results of calls that the client is to
    /// make are not there yet.
    fn can_continue(&self) -> bool {
        let is = |block: &[u8], kind: &str| {
            peek::find(block, "type").and_then(peek::text_of).is_some_and(|found| found == kind)
        };
        self.rounds < ROUNDS_MAX
            && self.size < CONTENT_MAX
            && !self.content.is_empty()
            && !self.content.iter().any(|block| is(block, "tool_use"))
    }

    /// The next call's body. The call before it is over.
    fn continued(&mut self) -> Option<Vec<u8>> {
        if !self.can_continue() {
            return None;
        }
        let peeked = peek(&self.asked).ok()?;
        let turns = peek::find(&self.asked, "messages")?.trim_ascii().strip_suffix(b"]")?;
        let mut json = Vec::with_capacity(turns.len() + self.size + 64);
        json.extend_from_slice(turns);
        json.extend_from_slice(br#",{"role":"assistant","content":"#);
        json.extend_from_slice(&self.content_json());
        json.extend_from_slice(b"}]");
        let body = Splice::new(&peeked, &[Change::Set { name: "messages", json }]);
        let body = body.to_vec(&self.asked);
        self.rounds += 1;
        let current = std::mem::take(&mut self.current);
        self.spent.add(&current);
        Some(body)
    }

    /// Takes the next piece of a stream and hands on to `out` what is not about a pause.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let first = piece.iter().find(|byte| !byte.is_ascii_whitespace());
        let other = &mut self.stream.other;
        *other = other.or_else(|| first.map(|byte| matches!(byte, b'{' | b'[')));
        if *other == Some(true) {
            out.extend_from_slice(piece);
            return;
        }
        let mut decoder = std::mem::take(&mut self.stream.decoder);
        let pushed = decoder.push(piece, |event| self.event(event, out));
        if pushed.is_err() {
            // Such a piece is an error to those who read on, too.
            out.extend_from_slice(piece);
        }
        self.stream.decoder = decoder;
    }

    /// The stream is over: its last event may lack the line that ends it.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let mut decoder = std::mem::take(&mut self.stream.decoder);
        decoder.finish(|event| self.event(event, out));
        self.stream.decoder = decoder;
        self.give_up(out);
    }

    /// After a pause: the request that continues the turn.
    pub fn next_call(&mut self) -> Option<Vec<u8>> {
        self.stream.paused.as_ref()?;
        let body = self.continued();
        if body.is_some() {
            self.stream.decoder = sse::Decoder::default();
            self.stream.open.clear();
            self.stream.before = self.stream.begun;
        }
        body
    }

    /// Whether a streamed call ended in a pause and the next one has not begun to answer.
    pub const fn is_paused(&self) -> bool {
        self.stream.paused.is_some()
    }

    /// There is no next call: the pause is the end.
    pub fn give_up(&mut self, out: &mut Vec<u8>) {
        if let Some(event) = self.stream.paused.take() {
            out.extend_from_slice(&event);
            sse::encode(out, "message_stop", br#"{"type":"message_stop"}"#);
        }
    }

    /// The next call has begun to answer.
    pub fn resumed(&mut self) {
        self.stream.paused = None;
    }

    fn event(&mut self, event: sse::Event<'_>, out: &mut Vec<u8>) {
        let name = str::from_utf8(event.name).unwrap_or("");
        let changed = str::from_utf8(event.data).ok().and_then(|data| self.follow(name, data).ok());
        match changed {
            Some(Follow::Hold(data)) => {
                let held = self.stream.paused.get_or_insert_default();
                sse::encode(held, "message_delta", &data);
            }
            Some(Follow::Skip) => {}
            Some(Follow::Instead(data)) => sse::encode(out, name, &data),
            Some(Follow::AsIs) | None => sse::encode(out, name, event.data),
        }
    }

    /// Notes what one event says.
    fn follow(&mut self, name: &str, data: &str) -> Result<Follow, JsonError> {
        let mut m = Members::read(data)?;
        match m.kind.as_deref().unwrap_or(name) {
            "message_start" => {
                if let Some(usage) =
                    m.message.map(|raw| member(raw, "usage")).transpose()?.flatten()
                {
                    self.current.merge(&usage::read(&mut usage.cursor())?.0);
                }
                Ok(if self.rounds == 0 { Follow::AsIs } else { Follow::Skip })
            }
            "content_block_start" => {
                self.stream.begun += 1;
                let block = m.block.map_or("{}", |raw| raw.text()).to_owned();
                self.stream.open.insert(m.index, Part { block, ..Part::default() });
                Ok(self.moved(&m))
            }
            "content_block_delta" => {
                if let Some(part) = self.stream.open.get_mut(&m.index)
                    && let Some(delta) = m.delta
                {
                    self.size = self.size.saturating_add(delta.text().len());
                    if self.size < CONTENT_MAX {
                        part.delta(delta)?;
                    }
                }
                Ok(self.moved(&m))
            }
            "content_block_stop" => {
                if let Some(block) = self.stream.open.remove(&m.index).and_then(Part::json) {
                    self.keep(block);
                }
                Ok(self.moved(&m))
            }
            "message_delta" => {
                if let Some(usage) = m.usage.take() {
                    self.current.merge(&usage::read(&mut usage.cursor())?.0);
                }
                let reason = m.delta.map(|raw| member(raw, "stop_reason")).transpose()?.flatten();
                if reason.is_some_and(|raw| raw.text() == "\"pause_turn\"") && self.can_continue() {
                    return Ok(Follow::Hold(self.added_up(&m)));
                }
                let first = self.rounds == 0;
                Ok(if first { Follow::AsIs } else { Follow::Instead(self.added_up(&m)) })
            }
            "message_stop" if self.stream.paused.is_some() => Ok(Follow::Skip),
            _ => Ok(Follow::AsIs),
        }
    }

    /// The event, with the place of its block among all of the turn.
    fn moved(&self, m: &Members<'_>) -> Follow {
        if self.stream.before == 0 {
            return Follow::AsIs;
        }
        let mut data = Vec::new();
        let mut object = Object::new(&mut data);
        object.text("type", m.kind.as_deref().unwrap_or_default());
        object.int("index", self.stream.before.saturating_add(m.index));
        for (name, raw) in [("content_block", m.block), ("delta", m.delta)] {
            if let Some(raw) = raw {
                object.raw(name, raw.text());
            }
        }
        object.end();
        Follow::Instead(data)
    }

    /// The last event but one, with the figures of all calls.
    fn added_up(&self, m: &Members<'_>) -> Vec<u8> {
        let mut total = self.spent;
        total.add(&self.current);
        let mut data = Vec::new();
        let mut object = Object::new(&mut data);
        object.text("type", "message_delta");
        object.raw("delta", m.delta.map_or("{}", |raw| raw.text()));
        usage::write(&mut object, &total, None);
        object.end();
        data
    }
}

/// What becomes of an event.
enum Follow {
    AsIs,
    Instead(Vec<u8>),
    Hold(Vec<u8>),
    Skip,
}

/// Members of an event, unread.
#[derive(Default)]
struct Members<'a> {
    kind: Option<Cow<'a, str>>,
    index: u64,
    message: Option<Raw<'a>>,
    block: Option<Raw<'a>>,
    delta: Option<Raw<'a>>,
    usage: Option<Raw<'a>>,
}

impl<'a> Members<'a> {
    fn read(data: &'a str) -> Result<Self, JsonError> {
        let mut m = Self::default();
        let mut c = Cursor::new(data);
        let mut members = c.object()?;
        while let Some(key) = members.next(&mut c)? {
            match key.as_ref() {
                "type" => m.kind = c.opt(Cursor::string)?,
                "index" => m.index = c.opt(Cursor::u64)?.unwrap_or(0),
                "message" => m.message = c.opt(Cursor::raw)?,
                "content_block" => m.block = c.opt(Cursor::raw)?,
                "delta" => m.delta = c.opt(Cursor::raw)?,
                "usage" => m.usage = c.opt(Cursor::raw)?,
                _ => c.skip()?,
            }
        }
        c.end()?;
        Ok(m)
    }
}

/// A member of an object.
fn member<'a>(object: Raw<'a>, name: &str) -> Result<Option<Raw<'a>>, JsonError> {
    let mut c = object.cursor();
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        let raw = c.raw()?;
        if key == name {
            return Ok(Some(raw));
        }
    }
    Ok(None)
}

impl Part {
    fn delta(&mut self, delta: Raw<'_>) -> Result<(), JsonError> {
        let mut c = delta.cursor();
        let mut members = c.object()?;
        while let Some(key) = members.next(&mut c)? {
            let text = match key.as_ref() {
                "text" | "thinking" => &mut self.text,
                "partial_json" => &mut self.input,
                "signature" => &mut self.signature,
                "citation" => {
                    self.citations.push(c.raw()?.text().to_owned());
                    continue;
                }
                _ => {
                    c.skip()?;
                    continue;
                }
            };
            if let Some(piece) = c.opt(Cursor::str)? {
                piece.decode_into(text);
            }
        }
        Ok(())
    }

    /// The block as it would stand in a whole answer; nothing for one that says nothing.
    fn json(self) -> Option<Vec<u8>> {
        let mut json = Vec::with_capacity(self.block.len() + self.text.len() + 64);
        let mut object = Object::new(&mut json);
        let mut c = Cursor::new(&self.block);
        let mut members = c.object().ok()?;
        let mut said = true;
        while let Some(key) = members.next(&mut c).ok()? {
            match key.as_ref() {
                name @ ("text" | "thinking") => {
                    let mut text = c.opt(Cursor::string).ok()?.unwrap_or_default().into_owned();
                    text.push_str(&self.text);
                    said = name == "thinking" || !text.trim().is_empty();
                    object.text(name, &text);
                }
                "signature" if !self.signature.is_empty() => {
                    c.skip().ok()?;
                    object.text("signature", &self.signature);
                }
                "input" if !self.input.is_empty() => {
                    c.skip().ok()?;
                    object.raw("input", Raw::parse(&self.input).ok()?.text());
                }
                "citations" if !self.citations.is_empty() => c.skip().ok()?,
                name => {
                    let raw = c.raw().ok()?;
                    object.raw(name, raw.text());
                }
            }
        }
        if !self.citations.is_empty() {
            let mut list = object.array("citations");
            for citation in &self.citations {
                list.item().extend_from_slice(citation.as_bytes());
            }
            list.end();
        }
        object.end();
        said.then_some(json)
    }
}

#[cfg(test)]
mod tests;

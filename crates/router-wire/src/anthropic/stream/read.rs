//! Messages events, read.

use std::borrow::Cow;

use crate::anthropic::request::{citation, is_hosted};
use crate::anthropic::response::upstream_error;
use crate::anthropic::{VENDOR, stop, usage};
use crate::canonical::{Block, Delta, Event, Opaque, Origin, Severity, Start, Stop, StopReason};
use crate::json::{Cursor, JsonError, Kind, Raw, Str};
use crate::translate::{ANSWER_PART, HOSTED_STEP};
use crate::usage::Usage;

/// Reads the events of one Messages stream.
#[derive(Debug, Default)]
pub struct Reader {
    /// Blocks that are open: the upstream's index and ours.
    open: Vec<OpenBlock>,
    next_key: u32,
    /// Id of the answer; calls without an id of their own get one made from it.
    id: String,
    finished: bool,
}

#[derive(Debug)]
struct OpenBlock {
    index: u64,
    key: u32,
    /// Blocks of server tools are open but passed over.
    ignored: bool,
    /// Input that came whole with the start; sent at the stop if no fragment came.
    whole_input: Option<String>,
    holds: Holds,
}

/// What the deltas of a block carry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Holds {
    Text,
    Thinking,
    Input,
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

impl Reader {
    /// Reads one event. `name` is used where the data has no `type`.
    pub fn event(
        &mut self,
        name: &str,
        data: &str,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        let mut c = Cursor::new(data);
        let mut m = Members::default();
        let mut members = c.object()?;
        while let Some(key) = members.next(&mut c)? {
            match key.as_ref() {
                "type" => m.kind = c.opt(Cursor::string)?,
                "index" => m.index = c.opt(Cursor::u64)?.unwrap_or(0),
                "message" => m.message = Some(c.raw()?),
                "content_block" => m.block = Some(c.raw()?),
                "delta" => m.delta = Some(c.raw()?),
                "usage" => m.usage = Some(c.raw()?),
                _ => c.skip()?,
            }
        }
        c.end()?;
        match m.kind.as_deref().unwrap_or(name) {
            "message_start" => self.start(m.message, sink),
            "content_block_start" => self.block_start(&m, sink),
            "content_block_delta" => self.block_delta(&m, sink),
            "content_block_stop" => {
                self.block_stop(m.index, sink);
                Ok(())
            }
            "message_delta" => self.message_delta(&m, sink),
            "message_stop" => {
                sink(Event::End);
                Ok(())
            }
            "ping" => {
                sink(Event::Ping);
                Ok(())
            }
            "error" => {
                sink(Event::Failed(Box::new(upstream_error(data.as_bytes()))));
                Ok(())
            }
            // Events of later versions of the API.
            _ => Ok(()),
        }
    }

    fn start(
        &mut self,
        message: Option<Raw<'_>>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        let message = message.ok_or_else(|| JsonError::new(0, "`message` is missing"))?;
        let mut start =
            Start { id: Str::EMPTY, model: Str::EMPTY, created_s: None, service_tier: None };
        let mut used = Usage::default();
        let mut c = message.cursor();
        let mut members = c.object()?;
        while let Some(key) = members.next(&mut c)? {
            match key.as_ref() {
                "id" => start.id = c.opt(Cursor::str)?.unwrap_or_default(),
                "model" => start.model = c.opt(Cursor::str)?.unwrap_or_default(),
                "usage" => (used, start.service_tier) = usage::read(&mut c)?,
                _ => c.skip()?,
            }
        }
        start.id.decode_into(&mut self.id);
        sink(Event::Start(start));
        if !used.is_empty() {
            sink(Event::Usage(used));
        }
        Ok(())
    }

    fn block_start(
        &mut self,
        m: &Members<'_>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        let block = m.block.ok_or_else(|| JsonError::new(0, "`content_block` is missing"))?;
        // An index that opens twice without a stop: the earlier block is over.
        self.block_stop(m.index, sink);
        let (mut kind, mut text, mut id, mut name, mut input, mut state) =
            (Cow::Borrowed(""), Str::EMPTY, Str::EMPTY, Str::EMPTY, None, Str::EMPTY);
        let mut c = block.cursor();
        let mut members = c.object()?;
        while let Some(key) = members.next(&mut c)? {
            match key.as_ref() {
                "type" => kind = c.string()?,
                "text" | "thinking" => text = c.opt(Cursor::str)?.unwrap_or_default(),
                "signature" | "data" => state = c.opt(Cursor::str)?.unwrap_or_default(),
                "id" => id = c.opt(Cursor::str)?.unwrap_or_default(),
                "name" => name = c.opt(Cursor::str)?.unwrap_or_default(),
                "input" => input = c.opt(Cursor::raw)?,
                _ => c.skip()?,
            }
        }
        let key = self.next_key;
        let origin = Origin::default().part(usize::try_from(m.index).unwrap_or(usize::MAX));
        let opened = match kind.as_ref() {
            "text" => Some(Block::Text),
            "thinking" => Some(Block::Thinking { redacted: false }),
            "redacted_thinking" => Some(Block::Thinking { redacted: true }),
            "tool_use" => Some(Block::ToolCall {
                id: if id.is_empty() {
                    crate::ids::call_id(&Str::plain(&self.id), key).into()
                } else {
                    id
                },
                name,
                namespace: None,
                custom: false,
                hosted: None,
            }),
            kind => {
                sink(lost(kind, origin));
                None
            }
        };
        let ignored = opened.is_none();
        let holds = match &opened {
            Some(Block::Thinking { .. }) => Holds::Thinking,
            Some(Block::ToolCall { .. }) => Holds::Input,
            _ => Holds::Text,
        };
        let whole_input = input
            .filter(|raw| raw.kind() == Kind::Object && raw.text() != "{}")
            .map(|raw| raw.text().to_owned());
        self.open.push(OpenBlock { index: m.index, key, ignored, whole_input, holds });
        if let Some(kind) = opened {
            self.next_key = self.next_key.saturating_add(1);
            sink(Event::Open { block: key, kind });
        }
        if !ignored && !text.is_empty() {
            sink(Event::Delta { block: key, delta: Delta::Text(text) });
        }
        if !ignored && !state.is_empty() {
            sink(Event::Delta { block: key, delta: Delta::Opaque(native(state)) });
        }
        Ok(())
    }

    fn block_delta(
        &mut self,
        m: &Members<'_>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        let delta = m.delta.ok_or_else(|| JsonError::new(0, "`delta` is missing"))?;
        let (mut kind, mut text, mut cited) = (Cow::Borrowed(""), None, None);
        let mut c = delta.cursor();
        let mut members = c.object()?;
        while let Some(key) = members.next(&mut c)? {
            match key.as_ref() {
                "type" => kind = c.string()?,
                "text" | "partial_json" | "thinking" | "signature" => {
                    text = c.opt(Cursor::str)?;
                }
                "citation" => cited = Some(c.raw()?),
                _ => c.skip()?,
            }
        }
        let Some(block) = self.open.iter_mut().find(|block| block.index == m.index) else {
            return Err(JsonError::new(0, "a delta for a block that is not open"));
        };
        if block.ignored {
            return Ok(());
        }
        let fits = match kind.as_ref() {
            "text_delta" | "citations_delta" => block.holds == Holds::Text,
            "thinking_delta" | "signature_delta" => block.holds == Holds::Thinking,
            "input_json_delta" => block.holds == Holds::Input,
            _ => true,
        };
        if !fits {
            return Err(JsonError::new(0, "a delta of another kind than its block"));
        }
        let delta = match (kind.as_ref(), text, cited) {
            ("text_delta" | "thinking_delta", Some(text), _) => Delta::Text(text),
            ("input_json_delta", Some(text), _) => {
                if text.is_empty() {
                    return Ok(());
                }
                block.whole_input = None;
                Delta::Input(text)
            }
            ("signature_delta", Some(text), _) => Delta::Opaque(native(text)),
            ("citations_delta", _, Some(raw)) => Delta::Citation(citation(raw)?),
            _ => return Ok(()),
        };
        sink(Event::Delta { block: block.key, delta });
        Ok(())
    }

    fn block_stop(&mut self, index: u64, sink: &mut impl FnMut(Event<'_>)) {
        let Some(at) = self.open.iter().position(|block| block.index == index) else { return };
        let block = self.open.swap_remove(at);
        if block.ignored {
            return;
        }
        if let Some(input) = &block.whole_input {
            let delta = Delta::Input(Str::plain(input));
            sink(Event::Delta { block: block.key, delta });
        }
        sink(Event::Close { block: block.key });
    }

    fn message_delta(
        &mut self,
        m: &Members<'_>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        if let Some(raw) = m.usage {
            let (used, _) = usage::read(&mut raw.cursor())?;
            if !used.is_empty() {
                sink(Event::Usage(used));
            }
        }
        let Some(delta) = m.delta else { return Ok(()) };
        let (mut reason, mut sequence, mut details) = (None, None, None);
        let mut c = delta.cursor();
        let mut members = c.object()?;
        while let Some(key) = members.next(&mut c)? {
            match key.as_ref() {
                "stop_reason" => reason = c.opt(Cursor::string)?,
                "stop_sequence" => sequence = c.opt(Cursor::str)?,
                "stop_details" => details = stop::read_details(&mut c)?,
                _ => c.skip()?,
            }
        }
        if let Some(name) = reason
            && !std::mem::replace(&mut self.finished, true)
        {
            let reason = stop::reason(&name).unwrap_or_else(|| {
                sink(Event::Lost {
                    severity: Severity::Hint,
                    code: stop::UNKNOWN,
                    origin: Origin::default(),
                    why: "unknown to the router",
                });
                StopReason::EndTurn
            });
            sink(Event::Finish(Stop { reason, sequence, details }));
        }
        Ok(())
    }
}

/// A block that only Messages has.
fn lost(kind: &str, origin: Origin) -> Event<'static> {
    let hosted = is_hosted(kind);
    Event::Lost {
        severity: if hosted { Severity::Hint } else { Severity::Content },
        code: if hosted { HOSTED_STEP } else { ANSWER_PART },
        origin,
        why: if hosted { "internal to the vendor" } else { "unknown kind of block" },
    }
}

const fn native(payload: Str<'_>) -> Opaque<'_> {
    Opaque { vendor: Cow::Borrowed(VENDOR), family: None, payload }
}

//! Items and parts that are told whole, read.

use std::borrow::Cow;

use super::read::{Form, Members, Place, Reader, Shape, Slot};
use crate::canonical::{Block, Delta, Event, Opaque, Origin, Severity, ToolInput};
use crate::json::{Cursor, JsonError, Kind, Raw, Str};
use crate::openai_responses::request::citations;
use crate::openai_responses::response::{Item, PHASE, item, lost};

impl Reader {
    pub(super) fn part_done(
        &mut self,
        m: &Members<'_>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        self.started(sink);
        let at = self.slot(m, Shape::Message);
        self.part(at, m.part_index, &mut m.raw()?.cursor(), sink)
    }

    /// A part that is told whole; its block ends.
    fn part(
        &mut self,
        at: usize,
        index: u64,
        c: &mut Cursor<'_>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        let (mut kind, mut text, mut cited) = (Cow::Borrowed(""), Str::EMPTY, None);
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            match key.as_ref() {
                "type" => kind = c.string()?,
                "text" | "refusal" => text = c.opt(Cursor::str)?.unwrap_or_default(),
                "annotations" => cited = c.opt(Cursor::raw)?,
                _ => c.skip()?,
            }
        }
        let place = match kind.as_ref() {
            "output_text" | "text" => Place::Text(index),
            "refusal" => Place::Refusal(index),
            "reasoning_text" => Place::Raw(index),
            _ => return Ok(()),
        };
        self.text(at, place, &text, Form::Whole, sink);
        let Some(slot) = self.slots.get_mut(at).filter(|slot| slot.part == place) else {
            return Ok(());
        };
        if let (Some(block), Some(raw)) = (slot.block, cited) {
            for citation in citations(raw)?.into_iter().skip(slot.cited) {
                slot.cited += 1;
                sink(Event::Delta { block, delta: Delta::Citation(citation) });
            }
        }
        if slot.kind == Shape::Message {
            slot.close(sink);
        }
        Ok(())
    }

    pub(super) fn item_added(
        &mut self,
        m: &Members<'_>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        self.started(sink);
        let item = item(&mut m.raw()?.cursor())?;
        // An item that is told of again is not another one.
        if m.output_index.is_some() && self.find(m.output_index, None).is_some() {
            return Ok(());
        }
        let at = self.add(&item, m.output_index);
        if item.is_call() && !item.is_hosted_call() {
            self.open_call(at, item, Form::Piece, sink)?;
        }
        Ok(())
    }

    fn add(&mut self, item: &Item<'_>, index: Option<u64>) -> usize {
        let index = index.unwrap_or_else(|| self.slots.last().map_or(0, |slot| slot.index + 1));
        let kind = match item.kind.as_ref() {
            "message" => Shape::Message,
            "reasoning" => Shape::Reasoning,
            _ if item.is_call() => Shape::Call,
            _ => Shape::Other,
        };
        let id = item.id.as_ref().map(|id| id.decode().into_owned()).unwrap_or_default();
        self.slots.push(Slot { index, id, kind, ..Slot::default() });
        self.slots.len() - 1
    }

    /// Opens a call's block as soon as the call has a name, and passes on the input it has.
    fn open_call(
        &mut self,
        at: usize,
        mut item: Item<'_>,
        form: Form,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        let opened = self.slots.get(at).is_some_and(|slot| slot.block.is_some());
        if !opened {
            let Some(name) = item.take_name() else {
                return match form {
                    Form::Piece => Ok(()),
                    Form::Whole => Err(JsonError::new(0, "a tool call has no name")),
                };
            };
            let id = item.take_call_id(&Str::plain(&self.id), at);
            let block = self.next_key;
            self.next_key += 1;
            self.called = true;
            if let Some(slot) = self.slots.get_mut(at) {
                slot.block = Some(block);
            }
            sink(Event::Open {
                block,
                kind: Block::ToolCall {
                    id,
                    name,
                    namespace: item.namespace.take(),
                    custom: item.kind == "custom_tool_call",
                    hosted: item.is_hosted_call().then(|| item.kind.clone()),
                },
            });
        }
        match item.take_input()? {
            ToolInput::Text(text) => self.text(at, Place::Input, &text, form, sink),
            ToolInput::Json(json) => {
                self.text(at, Place::Input, &Str::plain(json.text()), form, sink);
            }
        }
        Ok(())
    }

    pub(super) fn item_done(
        &mut self,
        m: &Members<'_>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        let item = item(&mut m.raw()?.cursor())?;
        let index = match m.output_index {
            None => item.id.as_ref().and_then(|id| {
                let at = self.find(None, Some(id))?;
                self.slots.get(at).map(|slot| slot.index)
            }),
            index => index,
        };
        self.done(item, index, sink)
    }

    /// An item that is told whole.
    pub(super) fn done(
        &mut self,
        mut item: Item<'_>,
        index: Option<u64>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        self.started(sink);
        let at = match index.and_then(|index| self.find(Some(index), None)) {
            Some(at) => at,
            None => self.add(&item, index),
        };
        if self.slots.get(at).is_none_or(|slot| slot.done) {
            return Ok(());
        }
        if item.phase {
            let origin = Origin::item(at);
            sink(Event::Lost { severity: Severity::Hint, code: PHASE, origin, why: "no field" });
        }
        match item.kind.as_ref() {
            "message" => self.parts(at, item.content, sink)?,
            "reasoning" => {
                self.summaries(at, item.summary, sink)?;
                self.parts(at, item.content, sink)?;
                if let Some(state) = item.encrypted.take().filter(|state| !state.is_empty()) {
                    self.state(at, state, sink);
                }
            }
            _ if item.is_call() => self.open_call(at, item, Form::Whole, sink)?,
            kind => {
                let (severity, code, why) = lost(kind);
                sink(Event::Lost { severity, code, origin: Origin::item(at), why });
                sink(Event::Ping);
            }
        }
        if let Some(slot) = self.slots.get_mut(at) {
            slot.close(sink);
            slot.done = true;
        }
        Ok(())
    }

    fn parts(
        &mut self,
        at: usize,
        content: Option<Raw<'_>>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        let Some(raw) = content.filter(|raw| raw.kind() == Kind::Array) else { return Ok(()) };
        // Reasoning that was summarised is not told again as it was.
        let summarised =
            self.slots.get(at).is_some_and(|slot| matches!(slot.part, Place::Summary(_)));
        let mut c = raw.cursor();
        let mut items = c.array()?;
        while let Some(index) = items.next(&mut c)? {
            if summarised {
                c.skip()?;
            } else {
                self.part(at, u64::try_from(index).unwrap_or(u64::MAX), &mut c, sink)?;
            }
        }
        Ok(())
    }

    fn summaries(
        &mut self,
        at: usize,
        summary: Option<Raw<'_>>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        let Some(raw) = summary.filter(|raw| raw.kind() == Kind::Array) else { return Ok(()) };
        let mut c = raw.cursor();
        let mut items = c.array()?;
        while let Some(index) = items.next(&mut c)? {
            let mut text = Str::EMPTY;
            let mut members = c.object()?;
            while let Some(key) = members.next(&mut c)? {
                match key.as_ref() {
                    "text" => text = c.opt(Cursor::str)?.unwrap_or_default(),
                    _ => c.skip()?,
                }
            }
            let place = Place::Summary(u64::try_from(index).unwrap_or(u64::MAX));
            self.text(at, place, &text, Form::Whole, sink);
        }
        Ok(())
    }

    fn state(&mut self, at: usize, payload: Str<'_>, sink: &mut impl FnMut(Event<'_>)) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        let block = slot.block.unwrap_or_else(|| {
            let block = self.next_key;
            self.next_key += 1;
            slot.block = Some(block);
            sink(Event::Open { block, kind: Block::Thinking { redacted: false } });
            block
        });
        let vendor = if self.vendor.is_empty() { "openai" } else { &self.vendor };
        let family = (!self.family.is_empty()).then_some(Cow::Borrowed(self.family.as_str()));
        let opaque = Opaque { vendor: Cow::Borrowed(vendor), family, payload };
        sink(Event::Delta { block, delta: Delta::Opaque(opaque) });
    }
}

//! Opaque state that the client's dialect cannot carry, kept for it by tool-call id.
//!
//! Chat and Gemini clients have no member for a vendor's signature. The host keeps what is
//! collected here and hands it back with the next request as [`super::RequestExtra::kept`].

use super::{Session, native_vendor};
use crate::canonical::{Content, Opaque, Response, envelope};
use crate::dialect::Dialect;
use crate::json::Str;

/// Most bytes of one kept state; larger ones are not kept.
pub const KEPT_BYTES_MAX: usize = 256 << 10;
/// Most states kept of one answer.
pub const KEPT_MAX: usize = 128;

/// The family of kept state whose thinking is withheld.
pub(crate) const REDACTED: &str = "redacted";

/// State of the model that answers, empty.
fn made_by(session: &Session) -> Opaque<'_> {
    Opaque {
        vendor: session.vendor.as_str().into(),
        family: Some(session.family.as_str().into()),
        payload: Str::EMPTY,
    }
}

/// Collects state while an answer passes.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    /// State of the blocks since the last call, in order.
    states: Vec<String>,
    text: String,
    kept: Vec<(String, String)>,
}

/// Whether clients of this dialect need state kept for them.
pub(super) const fn needed(session: &Session) -> bool {
    matches!(session.inbound, Dialect::OpenaiChat | Dialect::Gemini)
}

impl Keeper {
    /// Readable thinking, which is the state where the vendor demands it back.
    pub(super) fn text(&mut self, session: &Session, text: &Str<'_>) {
        if session.keeps_text && self.text.len() <= KEPT_BYTES_MAX {
            text.decode_into(&mut self.text);
        }
    }

    /// The vendor's own state.
    pub(super) fn state(&mut self, session: &Session, opaque: &Opaque<'_>, redacted: bool) {
        let marked;
        let opaque = if redacted {
            marked = Opaque { family: Some(REDACTED.into()), ..opaque.clone() };
            &marked
        } else {
            opaque
        };
        let state = envelope::wrapped(opaque, native_vendor(session.inbound));
        if state.len() <= KEPT_BYTES_MAX && self.states.len() < KEPT_MAX {
            self.states.push(state);
        }
    }

    /// A call begins: the state before it is kept under its id.
    pub(super) fn call(&mut self, session: &Session, id: &Str<'_>) {
        let text = std::mem::take(&mut self.text);
        if self.states.is_empty() && !text.is_empty() {
            let opaque = Opaque { payload: text.into(), ..made_by(session) };
            self.state(session, &opaque, false);
        }
        for state in self.states.drain(..) {
            if self.kept.len() < KEPT_MAX {
                self.kept.push((id.decode().into_owned(), state));
            }
        }
    }

    /// Collects the state of a whole answer.
    pub(super) fn of(response: &Response<'_>, session: &Session) -> Self {
        let mut keeper = Self::default();
        if !needed(session) {
            return keeper;
        }
        for part in response.choices.first().into_iter().flat_map(|choice| &choice.parts) {
            match &part.content {
                Content::Thinking(thinking) => {
                    keeper.text(session, &thinking.text);
                    if let Some(opaque) = &thinking.opaque {
                        keeper.state(session, opaque, thinking.redacted);
                    }
                }
                Content::ToolCall(call) => keeper.call(session, &call.id),
                _ => {}
            }
        }
        keeper
    }

    pub(super) fn kept(&self) -> &[(String, String)] {
        &self.kept
    }

    pub(super) fn into_kept(self) -> Vec<(String, String)> {
        self.kept
    }
}

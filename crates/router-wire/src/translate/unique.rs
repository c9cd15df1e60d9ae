//! Ids of tool calls, each once in an answer: a client pairs results with calls by them.

use crate::ids;
use crate::json::Str;

/// The ids an answer has given so far.
#[derive(Debug, Default)]
pub(super) struct UniqueIds(Vec<String>);

impl UniqueIds {
    /// The id to use for a call: its own, or one made from it if another call has it already.
    pub(super) fn take<'a>(&mut self, id: Str<'a>) -> Str<'a> {
        let is_taken = self.0.iter().any(|known| id == *known.as_str());
        let count = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let id = if is_taken { Str::from(ids::call_id(&id, count)) } else { id };
        self.0.push(id.decode().into_owned());
        id
    }
}

//! Documents with halves of surrogate pairs, which strict readers refuse.

use std::borrow::Cow;

use crate::canonical::{Losses, Severity};
use crate::json::{mended, path_at};

/// The document with U+FFFD in place of every half of a surrogate pair, which is told in `losses`.
pub(super) fn mend<'d>(document: &'d str, losses: &mut Losses) -> Cow<'d, str> {
    let Some((mended, at)) = mended(document) else { return Cow::Borrowed(document) };
    let why = "half of a surrogate pair is no character; U+FFFD stands in for it";
    losses.add(Severity::Content, "lone-surrogate", &path_at(document, at), why);
    Cow::Owned(mended)
}

//! The object that both a whole answer and every element of a stream is.

use std::borrow::Cow;

use super::{cite, logprobs};
use crate::canonical::Json;
use crate::error::{ClientError, UpstreamError};
use crate::gemini::{camel, number, stop, usage};
use crate::json::{Cursor, JsonError, Raw, Str};
use crate::usage::Usage;

/// Why a prompt was blocked: the reason and the message.
type Blocked<'a> = (Cow<'a, str>, Option<Str<'a>>);

/// An answer or a piece of one. Parts are left unread.
#[derive(Debug, Default)]
pub(in crate::gemini) struct Chunk<'a> {
    pub(in crate::gemini) id: Str<'a>,
    pub(in crate::gemini) model: Str<'a>,
    pub(in crate::gemini) created_s: Option<u64>,
    pub(in crate::gemini) candidates: Option<Raw<'a>>,
    /// Where the prompt was blocked.
    pub(in crate::gemini) blocked: Option<Blocked<'a>>,
    pub(in crate::gemini) usage: Usage,
    pub(in crate::gemini) error: bool,
}

impl<'a> Chunk<'a> {
    /// Reads the object.
    pub(in crate::gemini) fn read(c: &mut Cursor<'a>) -> Result<Self, JsonError> {
        let mut chunk = Self::default();
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            match camel(&key).as_ref() {
                "candidates" => chunk.candidates = c.opt(Cursor::raw)?,
                "promptFeedback" => chunk.blocked = feedback(c)?,
                "usageMetadata" => chunk.usage = usage::read(c)?,
                "modelVersion" => chunk.model = c.opt(Cursor::str)?.unwrap_or_default(),
                "responseId" => chunk.id = c.opt(Cursor::str)?.unwrap_or_default(),
                "createTime" => {
                    chunk.created_s = c.opt(Cursor::string)?.and_then(|time| seconds(&time));
                }
                "error" => {
                    if !c.null()? {
                        c.skip()?;
                        chunk.error = true;
                    }
                }
                _ => c.skip()?,
            }
        }
        Ok(chunk)
    }

    /// The error in place of an answer.
    pub(in crate::gemini) fn failure(document: &str) -> ClientError {
        UpstreamError::read(0, document.as_bytes()).to_client_error()
    }
}

fn feedback<'a>(c: &mut Cursor<'a>) -> Result<Option<Blocked<'a>>, JsonError> {
    if c.null()? {
        return Ok(None);
    }
    let (mut reason, mut message) = (None, None);
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match camel(&key).as_ref() {
            "blockReason" => reason = c.opt(Cursor::string)?.map(stop::upper),
            "blockReasonMessage" => message = c.opt(Cursor::str)?,
            _ => c.skip()?,
        }
    }
    let said =
        |reason: &Cow<'_, str>| !matches!(reason.as_ref(), "" | "BLOCKED_REASON_UNSPECIFIED");
    Ok(reason.filter(said).map(|reason| (reason, message)))
}

/// One candidate. Its parts are left unread.
#[derive(Debug, Default)]
pub(in crate::gemini) struct Candidate<'a> {
    pub(in crate::gemini) index: u64,
    pub(in crate::gemini) parts: Option<Raw<'a>>,
    pub(in crate::gemini) finish: Cow<'a, str>,
    pub(in crate::gemini) message: Option<Str<'a>>,
    pub(in crate::gemini) cited: cite::Cited<'a>,
    /// Items of Chat's `logprobs.content`.
    pub(in crate::gemini) logprobs: Option<Json<'a>>,
}

impl<'a> Candidate<'a> {
    /// Reads the object.
    pub(in crate::gemini) fn read(c: &mut Cursor<'a>) -> Result<Self, JsonError> {
        let mut candidate = Self::default();
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            match camel(&key).as_ref() {
                "index" => candidate.index = number(c)?.unwrap_or(0),
                "content" => candidate.content(c)?,
                "finishReason" => {
                    candidate.finish = c.opt(Cursor::string)?.map(stop::upper).unwrap_or_default();
                }
                "finishMessage" => candidate.message = c.opt(Cursor::str)?,
                "citationMetadata" => candidate.cited.citations(c)?,
                "groundingMetadata" => candidate.cited.grounding(c)?,
                "logprobsResult" => candidate.logprobs = logprobs::read(c)?,
                // Ratings, counts and vendor bookkeeping.
                _ => c.skip()?,
            }
        }
        Ok(candidate)
    }

    fn content(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        if c.null()? {
            return Ok(());
        }
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            if key == "parts" {
                self.parts = c.opt(Cursor::raw)?;
            } else {
                c.skip()?;
            }
        }
        Ok(())
    }
}

/// Seconds since 1970 of an RFC 3339 time in UTC, such as `2026-03-01T12:00:00.123Z`.
fn seconds(time: &str) -> Option<u64> {
    let (date, clock) = time.split_once('T')?;
    let clock = clock.strip_suffix('Z')?.split('.').next()?;
    let three = |text: &str, separator: char| -> Option<[u64; 3]> {
        let mut numbers = text.split(separator).map(str::parse);
        let three = [numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?];
        numbers.next().is_none().then_some(three)
    };
    let [year, month, day] = three(date, '-')?;
    let [hour, minute, second] = three(clock, ':')?;
    if !(1970..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1970 in the calendar whose years begin in March.
    let shifted = if month > 2 { year } else { year - 1 };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + day_of_year - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::seconds;
    use crate::models::rfc3339;

    #[test]
    fn times_are_read_as_they_are_written() {
        for second in [0, 951_782_400, 951_868_799, 1_740_787_199, 4_102_444_800] {
            assert_eq!(seconds(&rfc3339(second)), Some(second));
        }
        assert_eq!(seconds("2025-02-19T00:00:00.5Z"), seconds("2025-02-19T00:00:00Z"));
        for bad in ["", "2025", "2025-13-01T00:00:00Z", "2025-01-01T00:00Z", "0000-01-01T00:00:00Z"]
        {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}

//! Spans in the wall clock of a time zone, from the time zone data built into the program.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::catalog::Window;
use crate::time::UnixMs;
use crate::window::{Span, local_span};

fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

/// Whether `name` is an IANA time zone.
pub(crate) fn known(name: &str) -> bool {
    zone(name).is_some()
}

/// The span of `window` around `now` in the wall clock of `name`; `None` for an unknown zone.
///
/// Where a clock change skips or repeats a boundary, the boundary is the first moment at or after
/// it, so spans still follow one another without a gap.
pub(crate) fn span(window: &Window, name: &str, now: UnixMs) -> Option<Span> {
    let zone = zone(name)?;
    let instant = Timestamp::from_millisecond(i64::try_from(now.0).ok()?).ok()?;
    let wall = zone.to_datetime(instant);
    let (start, end) = local_span(window, wall_ms(wall)?);
    let span = Span { start: instant_of(&zone, start)?, end: instant_of(&zone, end)? };
    Some(hold(span, now))
}

/// In a repeated hour a short window's wall-clock span can lie an hour away; there `now` gets a
/// span that reaches to the nearer boundary.
fn hold(span: Span, now: UnixMs) -> Span {
    if span.holds(now) {
        span
    } else if now < span.start {
        Span { start: now, end: span.start }
    } else {
        let length = span.end.0.saturating_sub(span.start.0).max(1);
        Span { start: span.start, end: UnixMs(now.0.saturating_add(length)) }
    }
}

fn wall_ms(wall: DateTime) -> Option<i64> {
    let instant = TimeZone::UTC.to_timestamp(wall).ok()?;
    Some(instant.as_millisecond())
}

fn instant_of(zone: &TimeZone, wall_ms: i64) -> Option<UnixMs> {
    let wall = TimeZone::UTC.to_datetime(Timestamp::from_millisecond(wall_ms).ok()?);
    let instant = zone.to_timestamp(wall).ok()?;
    Some(UnixMs(u64::try_from(instant.as_millisecond()).unwrap_or(0)))
}

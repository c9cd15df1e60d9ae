//! Calendar spans that bucket counters live in.
//!
//! ```text
//!   second, minute, hour, day   multiples of size x unit since 1970-01-01T00:00Z
//!   week                        Mondays 00:00, grouped by size from 1970-01-05
//!   month                       year x 12 + month, floored to a multiple of size
//! ```
//!
//! With a time zone the same rules hold for the zone's wall clock.

use serde::{Deserialize, Serialize};

use crate::catalog::{Window, WindowUnit};
use crate::time::UnixMs;

const SECOND: i64 = 1_000;
const DAY: i64 = 86_400 * SECOND;
/// 1970-01-05, a Monday.
const FIRST_MONDAY: i64 = 4 * DAY;

/// One span of a [`Window`]: `start` belongs to it, `end` to the next.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Span {
    /// First moment.
    pub start: UnixMs,
    /// First moment after it.
    pub end: UnixMs,
}

impl Span {
    /// Whether `now` lies within.
    pub fn holds(self, now: UnixMs) -> bool {
        self.start <= now && now < self.end
    }
}

/// The span of `window` that `now` falls into.
pub fn span(window: &Window, now: UnixMs) -> Span {
    match &window.time_zone {
        None => plain_span(window, now),
        Some(zone) => {
            crate::zone::span(window, zone, now).unwrap_or_else(|| plain_span(window, now))
        }
    }
}

fn plain_span(window: &Window, now: UnixMs) -> Span {
    let (start, end) = local_span(window, i64::try_from(now.0).unwrap_or(i64::MAX / 4));
    let moment = |ms: i64| UnixMs(u64::try_from(ms).unwrap_or(0));
    Span { start: moment(start), end: moment(end) }
}

/// Start and end of the span around `ms`, all in milliseconds of one wall clock since its
/// 1970-01-01T00:00.
pub(crate) fn local_span(window: &Window, ms: i64) -> (i64, i64) {
    let size = i64::from(window.size.max(1));
    let fixed = |unit: i64, origin: i64| {
        let length = unit * size;
        let start = (ms - origin).div_euclid(length) * length + origin;
        (start, start + length)
    };
    match window.unit {
        WindowUnit::Second => fixed(SECOND, 0),
        WindowUnit::Minute => fixed(60 * SECOND, 0),
        WindowUnit::Hour => fixed(3_600 * SECOND, 0),
        WindowUnit::Day => fixed(DAY, 0),
        WindowUnit::Week => fixed(7 * DAY, FIRST_MONDAY),
        WindowUnit::Month => {
            let month = month_of(ms.div_euclid(DAY)).div_euclid(size) * size;
            (first_day(month).saturating_mul(DAY), first_day(month + size).saturating_mul(DAY))
        }
    }
}

/// Months since the year 0 for a day counted from 1970-01-01, in the Gregorian calendar.
///
/// Years begin in March here, so that the leap day is the last of a year.
const fn month_of(day: i64) -> i64 {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    (era * 400 + year) * 12 + (5 * of_year + 2) / 153 + 2
}

/// The first day of a month counted from the year 0, as days from 1970-01-01.
const fn first_day(month: i64) -> i64 {
    let year = (month - 2).div_euclid(12);
    let from_march = (month - 2).rem_euclid(12);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * from_march + 2) / 5 - 719_468
}

/// Whether counters can be kept in the wall clock of `time_zone` on this build.
pub fn knows_zone(time_zone: &str) -> bool {
    crate::zone::known(time_zone)
}

#[cfg(test)]
mod tests;

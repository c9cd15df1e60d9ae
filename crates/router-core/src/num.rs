//! The few conversions between whole and real numbers that decisions need.

use std::time::Duration;

/// `value` as a real number; exact below 2^53, which no counter reaches.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "exact below 2^53")]
pub(crate) const fn real(value: u64) -> f64 {
    value as f64
}

/// `value` rounded to a whole number; negative and NaN become 0.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float to integer casts saturate"
)]
pub(crate) const fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// `part / all`, or 1 where there is no limit to speak of.
pub(crate) const fn ratio(part: u64, all: u64) -> f64 {
    if all == 0 { 1.0 } else { real(part) / real(all) }
}

/// Whole milliseconds, saturating.
pub(crate) fn millis(value: Duration) -> u64 {
    u64::try_from(value.as_millis()).unwrap_or(u64::MAX)
}

/// The value that `share` of the sorted `values` do not exceed; 0 of none.
pub(crate) fn percentile(values: &[u64], share: f64) -> u64 {
    let last = u64::try_from(values.len().saturating_sub(1)).unwrap_or(0);
    let index = usize::try_from(whole(real(last) * share)).unwrap_or(0);
    values.get(index).copied().unwrap_or(0)
}

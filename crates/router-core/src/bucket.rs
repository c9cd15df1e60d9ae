//! Counters of a provider's caps.
//!
//! ```text
//!   reserve: +1 request, +1 in flight, + estimated tokens    all buckets or none
//!   settle:  -1 in flight; tokens corrected to real usage; everything refunded if no answer came
//! ```
//!
//! A counter belongs to one span of its window and starts at zero in the next. Requests and
//! requests in flight never pass their cap; tokens and cost pass it by at most what the estimates
//! of the requests in flight were short of their real usage.

use serde::{Deserialize, Serialize};

use crate::catalog::{Bucket, Window};
use crate::num::{ratio, whole};
use crate::time::UnixMs;
use crate::window::{Span, span};

/// Tokens a request is expected to use; the more it is an upper bound, the stricter token caps
/// are kept. Output of 0 means nobody knows: the model's average stands in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Tokens {
    /// Sent, cached ones included.
    pub input: u64,
    /// Received, reasoning included.
    pub output: u64,
    /// What they cost in millionths of a US dollar; 0 where no price is configured.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cost: u64,
}

impl Tokens {
    /// Tokens of unknown cost.
    pub const fn new(input: u64, output: u64) -> Self {
        Self { input, output, cost: 0 }
    }

    /// The same tokens, at this cost in US dollars.
    #[must_use]
    pub const fn at_cost(self, dollars: f64) -> Self {
        Self { cost: whole(dollars * 1e6), ..self }
    }

    const fn plus(self, more: Self) -> Self {
        Self {
            input: self.input.saturating_add(more.input),
            output: self.output.saturating_add(more.output),
            cost: self.cost.saturating_add(more.cost),
        }
    }

    const fn minus(self, less: Self) -> Self {
        Self {
            input: self.input.saturating_sub(less.input),
            output: self.output.saturating_sub(less.output),
            cost: self.cost.saturating_sub(less.cost),
        }
    }
}

#[cfg_attr(
    target_pointer_width = "64",
    expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")
)]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// What one bucket counted in one span.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Counter {
    /// The span counted in.
    pub span: Span,
    /// Requests.
    pub requests: u64,
    /// Tokens.
    pub tokens: Tokens,
    /// Requests in flight, whatever span they began in.
    #[serde(skip)]
    pub in_flight: u64,
}

/// How full a bucket is for one more request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// What is left over the cap, the least over all caps of the bucket; 0 to 1.
    pub left: f64,
    /// Whether one more request fits.
    pub fits: bool,
    /// When there is room again: the end of the span, or `None` for a cap on requests in flight.
    pub resets_at: Option<UnixMs>,
}

impl Counter {
    /// The counter as it stands at `now`: empty again once its span is over.
    #[must_use]
    pub fn at(self, window: &Window, now: UnixMs) -> Self {
        // A clock that goes backwards must not empty the bucket.
        if now < self.span.end {
            return self;
        }
        Self { span: span(window, now), in_flight: self.in_flight, ..Self::default() }
    }

    /// How full `bucket` is for a request of `tokens`, if this counter stands at `now`.
    pub fn level(&self, bucket: &Bucket, tokens: Tokens) -> Level {
        let total = |t: Tokens| t.input.saturating_add(t.output);
        let mut level = Level { left: 1.0, fits: true, resets_at: Some(self.span.end) };
        let mut windowed_fits = true;
        let mut cap = |used: u64, cap: Option<u64>, wanted: u64, fits: &mut bool| {
            let Some(cap) = cap else { return };
            level.left = level.left.min(ratio(cap.saturating_sub(used), cap));
            // A request that alone is larger than the cap is let into an empty bucket.
            *fits &= used.saturating_add(wanted.clamp(1, cap.max(1))) <= cap;
        };
        cap(self.requests, bucket.requests, 1, &mut windowed_fits);
        cap(total(self.tokens), bucket.tokens, total(tokens), &mut windowed_fits);
        cap(self.tokens.input, bucket.input_tokens, tokens.input, &mut windowed_fits);
        cap(self.tokens.output, bucket.output_tokens, tokens.output, &mut windowed_fits);
        cap(self.tokens.cost, bucket.cost, tokens.cost, &mut windowed_fits);
        let mut flight_fits = true;
        cap(self.in_flight, bucket.concurrent, 1, &mut flight_fits);
        level.fits = windowed_fits && flight_fits;
        if windowed_fits {
            level.resets_at = if flight_fits { Some(self.span.end) } else { None };
        }
        level
    }

    /// Counts one more request.
    pub const fn take(&mut self, tokens: Tokens) {
        self.requests = self.requests.saturating_add(1);
        self.in_flight = self.in_flight.saturating_add(1);
        self.tokens = self.tokens.plus(tokens);
    }

    /// The request counted with `held` tokens in `span` ended: its tokens become `used`, and with
    /// `None` it is taken back.
    pub fn settle(&mut self, of: Span, held: Tokens, used: Option<Tokens>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.span.start != of.start {
            return;
        }
        self.tokens = self.tokens.minus(held);
        match used {
            Some(used) => self.tokens = self.tokens.plus(used),
            None => self.requests = self.requests.saturating_sub(1),
        }
    }

    /// Whether nothing would be lost by forgetting the counter at `now`.
    pub fn is_over(&self, now: UnixMs) -> bool {
        self.in_flight == 0 && self.span.end <= now
    }
}

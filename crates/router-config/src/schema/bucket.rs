//! `providers[].rateLimits[]`.

use super::leaf::Texts;
use crate::read::document;

document! {
    /// A cap on use of a provider within a window.
    pub struct Bucket {
        /// Unique within the provider; made of `name` if absent.
        id: String = "id",
        /// Name for people.
        name: serde_json::Value = "name",
        /// Model ids that count, or `all`.
        models: Texts = "models" | "model",
        /// Requests per window.
        requests: u64 = "requests",
        /// Input plus output tokens per window.
        tokens: u64 = "tokens",
        /// Input tokens per window.
        input_tokens: u64 = "inputTokens" | "input-tokens",
        /// Output tokens per window.
        output_tokens: u64 = "outputTokens" | "output-tokens",
        /// US dollars per window, by the configured prices; models without a price cost nothing.
        cost: f64 = "cost",
        /// Requests in flight at once; needs no window.
        concurrent: u64 = "concurrent",
        /// `provider` (one counter) or `credential` (one counter for each credential).
        scope: String = "scope",
        /// Calendar span the bucket counts in.
        window: Window = "window",
        /// Unit of the window; `window.unit` is preferred.
        window_unit: String = "windowUnit" | "window-unit",
        /// Size of the window; `window.size` is preferred.
        window_size: u64 = "windowSize" | "window-size",
        /// IANA name of the time zone windows are aligned to; absent means UTC.
        time_zone: String = "timeZone" | "time-zone" | "timezone",
        /// Free use; kept as written.
        metadata: serde_json::Value = "metadata",
    }
}

document! {
    /// A calendar span.
    pub struct Window shorthand unit {
        /// `second`, `minute`, `hour`, `day`, `week` or `month`.
        unit: String = "unit",
        /// How many units; 1 if absent.
        size: u64 = "size",
    }
}

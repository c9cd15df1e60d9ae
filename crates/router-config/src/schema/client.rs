//! `clientKeys[]`.

use super::leaf::{List, SecretText, Texts};
use super::{Bucket, Window};
use crate::read::document;

document! {
    /// A key that one client presents.
    pub struct ClientKey {
        /// Name in records, logs and messages; unique.
        label: String = "label" | "name",
        /// The key: text, `env:NAME`, `file:PATH` or `keychain:NAME`.
        key: SecretText = "key" | "value",
        /// Only `false` turns the key off.
        enabled: serde_json::Value = "enabled",
        /// What it may ask for: names of aliases, `provider/model`, or `provider/*`; absent means
        /// everything.
        models: Texts = "models",
        /// Caps on its use; they count all its requests.
        limits: List<Limit> = "limits" | "rateLimits",
        /// Free use; kept as written.
        metadata: serde_json::Value = "metadata",
    }
}

document! {
    /// A cap on the use of a client key within a window.
    pub struct Limit {
        /// Unique within the key; made of `name` if absent.
        id: String = "id",
        /// Name for people.
        name: serde_json::Value = "name",
        /// Requests per window.
        requests: u64 = "requests",
        /// Input plus output tokens per window.
        tokens: u64 = "tokens",
        /// Input tokens per window.
        input_tokens: u64 = "inputTokens" | "input-tokens",
        /// Output tokens per window.
        output_tokens: u64 = "outputTokens" | "output-tokens",
        /// US dollars per window, by the configured prices; models without a price are not used.
        cost: f64 = "cost",
        /// Requests in flight at once; needs no window.
        concurrent: u64 = "concurrent",
        /// Calendar span the limit counts in.
        window: Window = "window",
        /// IANA name of the time zone windows are aligned to; absent means UTC.
        time_zone: String = "timeZone" | "time-zone" | "timezone",
    }
}

impl Limit {
    /// The same as a bucket that counts everything.
    pub fn as_bucket(&self) -> Bucket {
        Bucket {
            at: self.at.clone(),
            id: self.id.clone(),
            name: self.name.clone(),
            models: Some(Texts(vec![(0, "all".to_owned())])),
            requests: self.requests,
            tokens: self.tokens,
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            cost: self.cost,
            concurrent: self.concurrent,
            window: self.window.clone(),
            time_zone: self.time_zone.clone(),
            ..Bucket::default()
        }
    }
}

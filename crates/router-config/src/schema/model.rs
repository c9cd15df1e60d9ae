//! `providers[].models[]`.

use super::leaf::Texts;
use crate::read::document;

document! {
    /// A model a provider offers.
    pub struct Model shorthand id {
        /// The name the provider knows.
        id: String = "id" | "name" | "model",
        /// Other names clients may use.
        aliases: Texts = "aliases" | "alias",
        /// Dialects the model is limited to; absent means all of the provider's.
        formats: Texts = "formats" | "format",
        /// Only `false` turns the model off.
        enabled: serde_json::Value = "enabled",
        /// Tokens of context.
        context_window: u64 = "contextWindow" | "context-window",
        /// Prices in US dollars per million tokens: `input`, `output`, `cacheRead`, `cacheWrite`.
        cost: serde_json::Value = "cost",
        /// Models (`provider/model`) used when this one fails on a direct request.
        fallback_models: Texts = "fallbackModels" | "fallback-models" | "silentFallbacks"
            | "silent-fallbacks" | "fallbacks",
        /// Corrections to what is known about the model, for translation.
        facts: serde_json::Value = "facts",
        /// Free use; kept as written.
        metadata: serde_json::Value = "metadata",
    }
}

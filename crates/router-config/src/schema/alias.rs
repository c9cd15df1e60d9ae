//! `modelAliases`.

use super::leaf::{List, OrText};
use crate::read::document;

document! {
    /// A name clients use that stands for several targets.
    pub struct Alias {
        /// Repeats the key in files written by the older program.
        id: serde_json::Value = "id",
        /// `auto`, `ordered`, `round-robin`, `weighted-rr`, `quota-aware-weighted-rr`,
        /// `least-latency` or `least-cost`; absent means `ordered`.
        strategy: String = "strategy",
        /// First tier.
        targets: List<OrText<Target>> = "targets",
        /// Second tier: used only when no target is left.
        fallback_targets: List<OrText<Target>> = "fallbackTargets" | "fallback-targets" | "fallbacks",
        /// Whether sessions stay on their target: `"on"` or `"off"`.
        affinity: serde_json::Value = "affinity",
        /// Translation settings for this alias.
        translation: super::Translation = "translation",
        /// Free use; kept as written.
        metadata: serde_json::Value = "metadata",
    }
}

document! {
    /// One entry of an alias.
    pub struct Target shorthand to {
        /// `provider/model` or another alias.
        to: String = "ref" | "target" | "route" | "model",
        /// Share of traffic, greater than 0; 1 if absent.
        weight: f64 = "weight",
        /// Free use; kept as written.
        metadata: serde_json::Value = "metadata",
    }
}

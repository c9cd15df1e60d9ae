//! The config with which the router uses this provider.

use serde_json::{Value, json};

use crate::models::{FAULTY_MODELS, MODELS};

/// A complete version-2 config: one provider `demo` at `base_url` that speaks
/// all dialects, every model of this crate, and a few aliases. `base_url` has
/// no path; `key` is the provider's credential.
pub fn demo_config_json(base_url: &str, key: &str) -> String {
    let base = base_url.trim_end_matches('/');
    let models: Vec<Value> = MODELS
        .iter()
        .chain(FAULTY_MODELS)
        .map(|model| json!({"id": model.id, "metadata": {"description": model.what}}))
        .collect();
    let config = json!({
        "version": 2,
        "defaultModel": "demo/demo-chat",
        "providers": [{
            "id": "demo",
            "name": "Demo",
            "baseUrl": base,
            "baseUrlByFormat": {
                "openai": format!("{base}/v1"),
                "responses": format!("{base}/v1"),
                "anthropic": base,
                "gemini": base,
            },
            "formats": ["openai", "responses", "anthropic", "gemini"],
            "apiKey": key,
            "models": models,
        }],
        "modelAliases": {
            "demo": {"strategy": "ordered", "targets": ["demo/demo-chat"]},
            "demo-fallback": {
                "strategy": "ordered",
                "targets": ["demo/demo-rate-limit", "demo/demo-overloaded"],
                "fallbackTargets": ["demo/demo-chat"],
            },
            "demo-balanced": {
                "strategy": "round-robin",
                "targets": ["demo/demo-chat", "demo/demo-classic"],
            },
        },
    });
    format!("{config:#}\n")
}

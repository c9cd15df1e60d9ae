//! Where a Worker's config comes from: secrets, several of them where one is too small, or KV.

use router_config::Lookup;
use wasm_bindgen::JsValue;
use worker::Env;

/// The secret or variable with the whole config; the older program's names after it.
const NAMES: [&str; 3] = ["LLM_ROUTER_CONFIG_JSON", "ROUTE_CONFIG_JSON", "LLM_ROUTER_JSON"];
/// Pieces of a config at most: secrets hold 5 KB, and a Worker has 128 of them.
const PIECES_MAX: usize = 128;
/// The binding of a KV namespace with the config in it.
const KV: &str = "LLM_ROUTER_CONFIG_KV";
/// The variable with the key of the config in KV.
const KV_KEY: &str = "LLM_ROUTER_CONFIG_KV_KEY";
/// The key, if none is said.
const KV_KEY_DEFAULT: &str = "llm-router.json";

/// A Worker's variables and secrets.
pub(crate) struct Bindings<'a>(pub(crate) &'a Env);

impl Bindings<'_> {
    fn text(&self, name: &str) -> Option<String> {
        let value = js_sys::Reflect::get(self.0, &JsValue::from_str(name)).ok()?;
        value.as_string().filter(|text| !text.trim().is_empty())
    }

    /// Whether there is a binding of this name, of whatever kind.
    pub(crate) fn has(&self, name: &str) -> bool {
        js_sys::Reflect::get(self.0, &JsValue::from_str(name))
            .is_ok_and(|value| !value.is_undefined() && !value.is_null())
    }

    /// Whether the config is in KV, where it may change at any time.
    pub(crate) fn uses_kv(&self) -> bool {
        self.in_secrets().is_none() && self.has(KV)
    }

    /// The config's text, or why there is none.
    pub(crate) async fn config(&self) -> Result<String, String> {
        if let Some(text) = self.in_secrets() {
            return Ok(text);
        }
        if !self.has(KV) {
            return Err(format!(
                "there is no config: set the secret {}, its pieces {}_1, _2, …, or bind a KV \
                 namespace as {KV}",
                NAMES[0], NAMES[0]
            ));
        }
        let key = self.text(KV_KEY).unwrap_or_else(|| KV_KEY_DEFAULT.to_owned());
        let kv = self.0.kv(KV).map_err(|error| format!("{KV} is no KV namespace: {error}"))?;
        let text = kv.get(&key).text().await;
        let text = text.map_err(|error| format!("cannot read `{key}` from {KV}: {error}"))?;
        text.ok_or_else(|| format!("{KV} has no value `{key}`"))
    }

    fn in_secrets(&self) -> Option<String> {
        NAMES.iter().find_map(|name| self.text(name)).or_else(|| {
            let pieces = (1..=PIECES_MAX).map_while(|n| self.text(&format!("{}_{n}", NAMES[0])));
            Some(pieces.collect::<String>()).filter(|text| !text.is_empty())
        })
    }
}

impl Lookup for Bindings<'_> {
    fn var(&self, name: &str) -> Option<String> {
        self.text(name)
    }

    fn file(&self, _: &str) -> Result<String, String> {
        Err("a Worker has no files: use `env:NAME` and a secret of that name".to_owned())
    }

    fn keychain(&self, _: &str) -> Result<String, String> {
        Err("a Worker has no keychain: use `env:NAME` and a secret of that name".to_owned())
    }
}

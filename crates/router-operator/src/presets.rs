//! Providers that are known already: addresses, formats, starter models, free limits.

use router_config::nearest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Failure;

/// The data, one object a preset.
const DATA: &str = include_str!("presets.json");

/// A provider that is known already.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Preset {
    /// What `--preset` takes, and the id of the provider.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// The environment variable the vendor's own tools read the key from; absent if none is
    /// needed.
    pub key_env: Option<String>,
    /// Where a key is made.
    pub key_url: Option<String>,
    /// What an address looks like, if every account has its own.
    pub address: Option<String>,
    /// Where the names of models are found, if they differ by account.
    pub models_hint: Option<String>,
    /// Members of the provider in the config.
    pub provider: Map<String, Value>,
    /// The vendor's limits for accounts that do not pay, as buckets.
    #[serde(default)]
    pub free_tier: Vec<Value>,
    /// Where those limits stand; vendors that publish none have none here.
    pub free_tier_source: Option<FreeTierSource>,
}

/// Where a vendor says what its free tier allows.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FreeTierSource {
    /// The vendor's page.
    pub url: String,
    /// The day the numbers were last compared with it.
    pub checked: String,
    /// Whom the limits apply to.
    pub applies: String,
}

/// Every preset, by id.
pub fn all() -> Result<Vec<Preset>, Failure> {
    serde_json::from_str(DATA).map_err(|error| Failure::failed(format!("the presets: {error}")))
}

/// A preset by its id.
pub fn find(id: &str) -> Result<Preset, Failure> {
    let all = all()?;
    let wanted = id.trim().to_ascii_lowercase();
    if let Some(preset) = all.iter().find(|preset| preset.id == wanted) {
        return Ok(preset.clone());
    }
    let failure = Failure::input(format!("there is no preset `{id}`"));
    Err(match nearest(&wanted, all.iter().map(|preset| preset.id.as_str())) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("`llm-router provider presets` lists them"),
    })
}

impl Preset {
    /// The members of a new provider.
    pub fn provider(&self, free_tier: bool) -> Result<Map<String, Value>, Failure> {
        let mut members = Map::new();
        members.insert("name".to_owned(), self.name.as_str().into());
        members.extend(self.provider.clone());
        if free_tier {
            if self.free_tier.is_empty() {
                let message = format!("{} publishes no limits of a free tier", self.name);
                return Err(Failure::input(message)
                    .hint("`llm-router limit add` sets those that your account shows"));
            }
            members.insert("rateLimits".to_owned(), self.free_tier.clone().into());
        }
        Ok(members)
    }

    /// Says what this vendor needs when something is missing.
    pub fn explain(&self, failure: Failure) -> Failure {
        let mut hints = Vec::new();
        if let Some(env) = &self.key_env {
            hints.push(format!("--api-key env:{env}"));
        }
        if let Some(address) = &self.address {
            hints.push(format!("--base-url {address}"));
        }
        if let Some(models) = &self.models_hint {
            hints.push(format!("--models: {models}"));
        }
        if let Some(url) = &self.key_url {
            hints.push(format!("keys are made at {url}"));
        }
        if hints.is_empty() || !failure.message.contains("lacks") {
            return failure;
        }
        failure.hint(format!("{}: {}", self.name, hints.join("; ")))
    }

    /// The documented JSON object.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "keyEnv": self.key_env,
            "keyUrl": self.key_url,
            "address": self.address,
            "modelsHint": self.models_hint,
            "provider": self.provider,
            "freeTier": self.free_tier,
            "freeTierSource": self.free_tier_source,
        })
    }
}

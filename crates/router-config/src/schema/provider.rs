//! `providers[]`.

use super::leaf::{List, Map, OrText, SecretText, Texts};
use super::{Bucket, Model, Timeouts};
use crate::read::document;

document! {
    /// A configured account at a vendor.
    pub struct Provider {
        /// Name in `provider/model`; made of the letters, digits and dashes of what is given.
        id: serde_json::Value = "id",
        /// Name for people.
        name: serde_json::Value = "name",
        /// Only `false` turns the provider off.
        enabled: serde_json::Value = "enabled",
        /// Root of the vendor's API, such as `https://api.openai.com/v1`.
        base_url: OrText<Url> = "baseUrl" | "base-url" | "endpoint",
        /// Roots by dialect, where they differ.
        base_url_by_format: Map<OrText<Url>> = "baseUrlByFormat" | "base-url-by-format"
            | "endpointByFormat" | "endpoint-by-format" | "endpoints",
        /// The credential: text, `env:NAME`, `file:PATH` or `keychain:NAME`.
        api_key: SecretText = "apiKey" | "credential" | "api-key",
        /// More credentials; all are used in turn, each with its own cooldown.
        api_keys: List<OrText<Key>> = "apiKeys" | "api-keys",
        /// Environment variable that holds the credential, used when `apiKey` is absent.
        api_key_env: String = "apiKeyEnv" | "api-key-env",
        /// Preferred dialect: `openai`, `claude`, `responses` or `gemini`.
        format: String = "format" | "responseFormat" | "response-format",
        /// Dialects the provider speaks, preferred first.
        formats: Texts = "formats",
        /// How the credential is presented.
        auth: Auth = "auth",
        /// The same, by dialect.
        auth_by_format: Map<Auth> = "authByFormat" | "auth-by-format",
        /// Headers added to every request; values may be `env:NAME` or `file:PATH`.
        headers: Map<serde_json::Value> = "headers",
        /// Value of `anthropic-version`.
        anthropic_version: String = "anthropicVersion" | "anthropic-version",
        /// Values of `anthropic-beta` that are always sent.
        anthropic_beta: Texts = "anthropicBeta" | "anthropic-beta",
        /// Values of a client's `anthropic-beta` that may pass; absent means all.
        anthropic_beta_allow: Texts = "anthropicBetaAllow" | "anthropic-beta-allow",
        /// Models the provider offers.
        models: List<OrText<Model>> = "models",
        /// Caps on use.
        rate_limits: List<Bucket> = "rateLimits" | "rate-limits",
        /// Timeouts of this provider; those not given are the router's.
        timeouts: Timeouts = "timeouts",
        /// Corrections to what is known about the provider's models, for translation.
        facts: serde_json::Value = "facts",
        /// Translation settings for this provider.
        translation: super::Translation = "translation",
        /// Free use; kept as written.
        metadata: serde_json::Value = "metadata",
        /// Result of the last probe; kept as written.
        last_probe: serde_json::Value = "lastProbe" | "last-probe",
    }
}

document! {
    /// An address.
    pub struct Url shorthand url {
        /// The address. `{model}` stands for the model's name.
        url: String = "url",
        /// Whether the address is complete: nothing is appended to it.
        exact: bool = "exact" | "full",
    }
}

document! {
    /// One of several credentials.
    pub struct Key shorthand value {
        /// The credential: text, `env:NAME`, `file:PATH` or `keychain:NAME`.
        value: SecretText = "value" | "key" | "apiKey",
        /// Environment variable that holds the credential, used when `value` is absent.
        value_env: String = "valueEnv" | "env" | "apiKeyEnv",
        /// Name in logs and state; unique within the provider.
        label: String = "label" | "name",
        /// Share of traffic relative to the other credentials; 1 if absent.
        weight: f64 = "weight",
    }
}

document! {
    /// How a credential is presented.
    pub struct Auth shorthand kind {
        /// `bearer`, `x-api-key`, `header` or `none`.
        kind: String = "type" | "kind",
        /// Name of the header, for `header`.
        header_name: String = "headerName" | "header" | "header-name",
        /// Text before the credential.
        prefix: String = "prefix",
    }
}

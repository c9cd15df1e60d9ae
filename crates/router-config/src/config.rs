//! A loaded config: what the host holds and shares between requests.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use ipnet::IpNet;
use router_core::catalog::Catalog;
use router_wire::Dialect;
use router_wire::canonical::Severity;

use crate::headers::sensitive;
use crate::secret::Secret;
use crate::url::{BaseUrl, Operation};

/// Settings of one router, resolved and checked. Immutable; showing it shows no secret.
#[derive(Clone, Debug)]
pub struct Config {
    /// Version of the file format the document says or implies.
    pub version: u64,
    /// What can be routed to.
    pub catalog: Catalog,
    /// Addresses and credentials of `catalog.providers`, by the same index.
    pub upstreams: Vec<Upstream>,
    /// The key clients present.
    pub master_key: Option<Secret>,
    /// Where and how clients are served.
    pub server: Server,
    /// Where counters and cooldowns are kept.
    pub state: State,
    /// How requests and answers are translated.
    pub translation: Translation,
    /// Translation settings of single aliases.
    pub alias_translation: BTreeMap<String, Translation>,
    /// Logs, records and traces.
    pub telemetry: Telemetry,
    /// Where newer versions are looked for.
    pub update: Update,
}

/// How to reach a provider.
#[derive(Clone, Debug, Default)]
pub struct Upstream {
    /// The slug that names the provider.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// Base URLs by dialect.
    pub bases: BTreeMap<Dialect, BaseUrl>,
    /// Credentials, by the index of `catalog.providers[..].credentials`.
    pub credentials: Vec<Credential>,
    /// How the credential is presented, by dialect.
    pub auth: BTreeMap<Dialect, AuthHeader>,
    /// Headers added to every request; values are marked as sensitive.
    pub headers: HeaderMap,
    /// Value of `anthropic-version`, if config sets one.
    pub anthropic_version: Option<HeaderValue>,
    /// Values of `anthropic-beta` that are always sent.
    pub anthropic_beta: Vec<String>,
    /// Values of a client's `anthropic-beta` that may pass; `None` means all.
    pub anthropic_beta_allow: Option<Vec<String>>,
    /// Corrections to model facts for all models, as written.
    pub facts: Option<serde_json::Value>,
    /// Corrections to model facts by the index of `catalog.providers[..].models`.
    pub model_facts: Vec<Option<serde_json::Value>>,
    /// Translation settings of this provider, where they differ.
    pub translation: Option<Translation>,
    /// Addresses that do not depend on the model.
    pub(crate) fixed: Fixed,
}

/// Addresses made once.
#[derive(Clone, Default)]
pub(crate) struct Fixed(pub(crate) Vec<(Dialect, Operation, Uri)>);

/// Shows how many there are: a query may hold a key.
impl fmt::Debug for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fixed({})", self.0.len())
    }
}

/// One secret of a provider.
#[derive(Clone, Debug, Default)]
pub struct Credential {
    /// Unique within the provider; safe to log.
    pub label: String,
    /// The secret; `None` if the provider needs none or it is missing.
    pub secret: Option<Secret>,
    /// What is missing, as a sentence for operators, if a secret is configured but not found.
    pub missing: Option<String>,
}

/// How a credential is presented.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AuthHeader {
    /// No credential is sent.
    None,
    /// A header with a text before the credential.
    Header {
        /// The header.
        name: HeaderName,
        /// Text before the credential, such as `Bearer `.
        prefix: String,
    },
}

impl AuthHeader {
    /// `Authorization: Bearer`.
    pub fn bearer() -> Self {
        Self::Header { name: http::header::AUTHORIZATION, prefix: "Bearer ".to_owned() }
    }

    /// What a dialect uses when config says nothing.
    pub fn usual(dialect: Dialect) -> Self {
        let plain =
            |name| Self::Header { name: HeaderName::from_static(name), prefix: String::new() };
        match dialect {
            Dialect::Anthropic => plain("x-api-key"),
            Dialect::Gemini => plain("x-goog-api-key"),
            Dialect::OpenaiChat | Dialect::OpenaiResponses => Self::bearer(),
        }
    }
}

impl Upstream {
    /// The address of an operation, or nothing if the dialect does not have it.
    pub fn endpoint(&self, dialect: Dialect, operation: Operation, model: &str) -> Option<Uri> {
        let fixed = self.fixed.0.iter().find(|(d, o, _)| (*d, *o) == (dialect, operation));
        if let Some((_, _, uri)) = fixed {
            return Some(uri.clone());
        }
        self.bases.get(&dialect)?.endpoint(dialect, operation, model)?.parse().ok()
    }

    /// The headers config adds to a request: custom ones, the credential, and for the Anthropic
    /// dialect `anthropic-version` and `anthropic-beta` where config sets them.
    ///
    /// Errors name what is missing, as a sentence for operators. A credential replaces a custom
    /// header of the same name.
    pub fn headers(&self, dialect: Dialect, credential: usize) -> Result<HeaderMap, String> {
        let mut headers = self.headers.clone();
        if dialect == Dialect::Anthropic {
            if let Some(version) = &self.anthropic_version {
                headers.insert("anthropic-version", version.clone());
            }
            let beta = self.anthropic_beta.join(", ");
            if !beta.is_empty()
                && let Ok(value) = HeaderValue::from_str(&beta)
            {
                headers.insert("anthropic-beta", value);
            }
        }
        let Some(credential) = self.credentials.get(credential) else { return Ok(headers) };
        if let Some(missing) = &credential.missing {
            return Err(missing.clone());
        }
        let auth = self.auth.get(&dialect).cloned().unwrap_or_else(|| AuthHeader::usual(dialect));
        if let (Some(secret), AuthHeader::Header { name, prefix }) = (&credential.secret, auth) {
            let value = sensitive(&format!("{prefix}{}", secret.expose()))
                .ok_or("the credential has characters that cannot be sent in a header")?;
            headers.insert(name, value);
        }
        Ok(headers)
    }

    /// Whether a value of a client's `anthropic-beta` may pass.
    pub fn allows_beta(&self, beta: &str) -> bool {
        self.anthropic_beta_allow.as_ref().is_none_or(|allowed| allowed.iter().any(|a| a == beta))
    }
}

/// Where and how clients are served.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Address to listen on.
    pub host: String,
    /// Port to listen on.
    pub port: u16,
    /// Whether clients must present the master key; `None` leaves it to the address.
    pub require_auth: Option<bool>,
    /// Largest request body in bytes.
    pub body_bytes_max: usize,
    /// Whether answers carry routing headers.
    pub debug: bool,
    /// Which web pages may call the router.
    pub cors: Cors,
    /// Client addresses that are served; empty means all.
    pub allowed_ips: Vec<IpNet>,
    /// How long a stopping server waits for requests in flight.
    pub drain: Duration,
    /// How long a client has to send its request head.
    pub header_timeout: Duration,
    /// Whether the config file is watched.
    pub watch_config: bool,
    /// Quiet time after a change of the file before it is read.
    pub reload_debounce: Duration,
    /// Listener for operators.
    pub admin: Option<Admin>,
}

/// Which web pages may call the router.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Cors {
    /// Every page.
    pub allow_all: bool,
    /// Pages of these origins, compared exactly.
    pub allowed_origins: Vec<String>,
}

/// Listener for operators.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Address to listen on.
    pub host: String,
    /// Port to listen on.
    pub port: u16,
    /// The key operators present; `None` if it is missing, and the listener must stay off.
    pub key: Option<Secret>,
}

impl PartialEq for Admin {
    fn eq(&self, other: &Self) -> bool {
        (&self.host, self.port) == (&other.host, other.port)
            && self.key.as_ref().map(Secret::expose) == other.key.as_ref().map(Secret::expose)
    }
}

/// Where counters and cooldowns are kept.
#[derive(Clone, Debug)]
pub struct State {
    /// Which store.
    pub backend: StateBackend,
    /// File of the `sqlite` backend; `None` leaves it to the host.
    pub path: Option<String>,
    /// Address of Redis; may hold a password.
    pub url: Option<Secret>,
    /// What the names of keys in Redis begin with.
    pub prefix: String,
    /// How long state about an unused candidate is kept.
    pub ttl: Duration,
}

/// A store of state.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StateBackend {
    /// Memory, written behind to an `SQLite` file.
    #[default]
    Sqlite,
    /// Memory only.
    Memory,
    /// Redis or Valkey.
    Redis,
}

/// How requests and answers are translated.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Translation {
    /// Severities of loss that refuse a request.
    pub strict: Vec<Severity>,
    /// Whether reasoning reaches Chat clients as `reasoning_content`.
    pub reasoning_to_chat: bool,
    /// Whether effort headers of clients count where the body asks for none.
    pub effort_headers: bool,
    /// Limit of an answer where nobody states one, in tokens.
    pub max_tokens_default: u64,
    /// Whether a cache mark of an hour may become one of twelve hours.
    pub cache_12h: bool,
}

impl Default for Translation {
    fn default() -> Self {
        Self {
            strict: Vec::new(),
            reasoning_to_chat: true,
            effort_headers: false,
            max_tokens_default: 8192,
            cache_12h: false,
        }
    }
}

/// Logs, records and traces.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// Level or filter of the log.
    pub log_level: String,
    /// Whether log lines are JSON.
    pub log_json: bool,
    /// Records of finished requests; `None` turns them off.
    pub records: Option<Records>,
    /// Address of an OpenTelemetry collector.
    pub otlp_endpoint: Option<String>,
    /// Headers for the collector.
    pub otlp_headers: Vec<(String, Secret)>,
}

/// Records of finished requests.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Records {
    /// File of the records; `None` leaves it to the host.
    pub path: Option<String>,
    /// How long a record is kept.
    pub age_max: Duration,
    /// Bytes of records kept at most.
    pub bytes_max: u64,
}

/// Where newer versions are looked for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Update {
    /// Address of a release index.
    pub index: Option<String>,
    /// Whether newer versions are mentioned at start.
    pub check: bool,
}

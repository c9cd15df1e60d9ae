//! What an isolate keeps between requests: its config, its view of the state, a few ids.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use router_config::{NoLookup, Severity};
use router_core::state::{State, Table};
use router_core::time::UnixMs;
use router_drive::{Kept, RequestId, Snapshot};
use worker::Env;

use crate::clock::{Moment, global};
use crate::config::Bindings;
use crate::objects::Views;

/// A config in KV is read again after this.
const KV_AGE_MAX_MS: u64 = 30_000;
/// The same while there is none that can be used, so that nobody is refused for long.
const KV_RETRY_MS: u64 = 1_000;
/// Why a Worker without a key serves nobody: it can be reached from everywhere.
const NO_KEY: &str = "this router has no key and serves nobody: set the secret \
                      LLM_ROUTER_MASTER_KEY, or `masterKey` in its config";

/// The same where the config is at fault. What is wrong with it is for the operator to see.
const NO_CONFIG: &str = "this router has no usable config and serves nobody; its log says why";

/// What all requests of an isolate share.
#[derive(Debug, Default)]
pub(crate) struct Isolate {
    /// The state, or what the owners told of it. Never held while anything is awaited.
    state: Mutex<State>,
    current: Mutex<Option<Current>>,
    pub(crate) kept: Kept,
    pub(crate) views: Views,
}

/// The config in force.
#[derive(Debug)]
struct Current {
    text: Result<String, String>,
    /// Whether it is from KV, and may change. Looking for it in the secrets copies them.
    in_kv: bool,
    read: UnixMs,
    snapshot: Arc<Snapshot>,
}

impl Current {
    /// Whether nothing newer is looked for.
    fn stands(&self, now: UnixMs) -> bool {
        let age_max = if self.snapshot.closed.is_some() { KV_RETRY_MS } else { KV_AGE_MAX_MS };
        !self.in_kv || now.0 < self.read.0 + age_max
    }
}

/// The isolate this code runs in.
pub(crate) fn isolate() -> &'static Isolate {
    static ISOLATE: OnceLock<Isolate> = OnceLock::new();
    ISOLATE.get_or_init(Isolate::default)
}

impl Isolate {
    /// The state, for a moment.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// The config in force. Secrets cannot change while an isolate lives, so it is parsed once; a
    /// config in KV is looked at now and then.
    pub(crate) async fn snapshot(&self, env: &Env) -> Arc<Snapshot> {
        let now = Moment::now().unix();
        if let Some(current) = &*lock(&self.current)
            && current.stands(now)
        {
            return Arc::clone(&current.snapshot);
        }
        let bindings = Bindings(env);
        let in_kv = bindings.uses_kv();
        let text = bindings.config().await;
        let mut current = lock(&self.current);
        if let Some(current) = &mut *current
            && (text.is_err() || current.text == text)
        {
            // What cannot be read never replaces what works.
            current.read = now;
            return Arc::clone(&current.snapshot);
        }
        let snapshot = match (self.load(&text, &bindings, now), &*current) {
            (Ok(snapshot), _) => Arc::new(snapshot),
            (Err(why), Some(current)) if current.snapshot.closed.is_none() => {
                worker::console_error!("the new config is not used: {why}");
                Arc::clone(&current.snapshot)
            }
            (Err(why), _) => {
                worker::console_error!("{why}");
                Arc::new(closed())
            }
        };
        *current = Some(Current { text, in_kv, read: now, snapshot: Arc::clone(&snapshot) });
        snapshot
    }

    fn load(
        &self,
        text: &Result<String, String>,
        bindings: &Bindings<'_>,
        now: UnixMs,
    ) -> Result<Snapshot, String> {
        let text = text.as_ref().map_err(Clone::clone)?;
        let loaded = router_config::load(text, bindings);
        let errors = loaded.diagnostics.iter().filter(|each| each.severity == Severity::Error);
        let errors: Vec<String> = errors.map(ToString::to_string).collect();
        let config = loaded
            .config
            .ok_or_else(|| format!("the config cannot be used: {}", errors.join("; ")))?;
        let catalog = Arc::new(config.catalog.clone());
        let table = self.state().table(catalog, now);
        // Other machines reach a Worker, always.
        let has_key = config.master_key.is_some();
        let mut snapshot = Snapshot::new(config, table, true);
        snapshot.closed = (!has_key).then(|| NO_KEY.to_owned());
        Ok(snapshot)
    }
}

/// What is served without a usable config: nobody.
fn closed() -> Snapshot {
    let blank = router_config::load("", &NoLookup).config;
    #[expect(clippy::expect_used, reason = "a blank document is an empty config, always")]
    let config = blank.expect("an empty config");
    let mut snapshot = Snapshot::new(config, Table::default(), true);
    snapshot.closed = Some(NO_CONFIG.to_owned());
    snapshot
}

/// A name for a request, of the platform's random numbers.
pub(crate) fn request_id() -> RequestId {
    let mut bytes = [0; 16];
    // Without random numbers ids repeat, which harms nobody but who looks for one.
    if let Ok(crypto) = global().crypto() {
        let _ = crypto.get_random_values_with_u8_array(&mut bytes);
    }
    let word = u128::from_le_bytes(bytes);
    let [high, low] = [word >> 64, word & u128::from(u64::MAX)].map(u64::try_from);
    RequestId::new(high.unwrap_or_default(), low.unwrap_or_default())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! What all connections of one provider share.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::cache::Cache;
use crate::demo::Options;
use crate::models;
use crate::record::Records;
use crate::script::{Fault, Script};

/// Shared by all connections. The scripts are locked for one look-up per
/// request; tests write them.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) records: Records,
    pub(crate) cache: Cache,
    scripts: Mutex<BTreeMap<String, Script>>,
}

impl State {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            records: Records::default(),
            cache: Cache::default(),
            scripts: Mutex::default(),
        }
    }

    /// Sets the script of a model, or of all models without one of their own
    /// when `model` is `*`.
    pub(crate) fn script(&self, model: &str, script: Script) {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner).insert(model.into(), script);
    }

    pub(crate) fn reset(&self) {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.records.clear();
        self.cache.clear();
    }

    /// What the next request to `model` meets.
    pub(crate) fn fault(&self, model: &str) -> Option<Fault> {
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(script) = scripts.get_mut(model) {
            return script.next();
        }
        match scripts.get_mut("*") {
            Some(script) => script.next(),
            None => models::named_fault(model),
        }
    }

    /// Whether a script makes this model exist although no table names it.
    pub(crate) fn is_scripted(&self, model: &str) -> bool {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner).contains_key(model)
    }
}

//! Time something is skipped after a failure that said why.

use serde::{Deserialize, Serialize};

use crate::failure::FailureClass;
use crate::time::UnixMs;

/// What a cooldown keeps out.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// One model with one credential.
    Lane,
    /// One model with every credential.
    Model,
    /// Every model of the provider with one credential.
    Credential,
    /// The whole provider.
    Provider,
}

impl Scope {
    /// The scope's one name in explanations and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lane => "lane",
            Self::Model => "model",
            Self::Credential => "credential",
            Self::Provider => "provider",
        }
    }
}

/// A stated time out.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Cooldown {
    /// First moment it no longer holds.
    pub until: UnixMs,
    /// When it was set last.
    pub since: UnixMs,
    /// What the failure was.
    pub class: FailureClass,
}

impl Cooldown {
    /// Whether it still holds.
    pub fn holds(&self, now: UnixMs) -> bool {
        now < self.until
    }

    /// Sets or lengthens the cooldown in `slot`; never shortens it.
    pub fn set(slot: &mut Option<Self>, next: Self) {
        match slot {
            Some(held) if held.until > next.until => held.since = next.since,
            _ => *slot = Some(next),
        }
    }

    /// Drops the cooldown in `slot` unless it was set after `started`: a success that began
    /// before a limit was hit says nothing about the limit.
    pub fn clear(slot: &mut Option<Self>, started: UnixMs) {
        if slot.is_some_and(|held| held.since <= started) {
            *slot = None;
        }
    }
}

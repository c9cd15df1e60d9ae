//! What a probe tells while it runs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use router_wire::Dialect;
use serde_json::{Value, json};

use super::{ModelCheck, Settings};
use crate::upstream::{Outcome, Wait};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A host was asked for its models.
    ModelList {
        /// The address.
        endpoint: String,
        /// How many it lists; `None` if it has no list.
        count: Option<usize>,
        /// Why it has none.
        message: String,
    },
    /// The tests begin.
    MatrixStart {
        /// Hosts, which are tested at the same time.
        endpoint_count: usize,
        /// Models.
        model_count: usize,
    },
    /// A host's tests begin.
    EndpointStart {
        /// The address.
        endpoint: String,
        /// Its number, from 1.
        index: usize,
        /// Dialects it is tested for.
        formats: Vec<Dialect>,
    },
    /// A model was tested, or need not be.
    ModelCheck {
        /// The result.
        check: ModelCheck,
        /// The address.
        endpoint: String,
        /// The dialect.
        format: Dialect,
        /// Whether the result is known from an earlier run or from another model.
        is_known: bool,
        /// Tests that are done.
        completed: usize,
        /// Tests in all.
        total: usize,
    },
    /// The probe waits.
    RateLimitWait {
        /// Why.
        reason: Reason,
        /// The address.
        endpoint: String,
        /// The dialect, if it is about one.
        format: Option<Dialect>,
        /// The model, if it is about one.
        model: String,
        /// How long.
        time: Duration,
        /// Which retry follows.
        retry: u32,
        /// Retries at most.
        retries_max: u32,
        /// What the provider said.
        message: String,
    },
    /// A host's tests are done.
    EndpointDone {
        /// The address.
        endpoint: String,
        /// Its number, from 1.
        index: usize,
        /// Dialects that work there.
        working_formats: Vec<Dialect>,
    },
    /// All is done.
    MatrixDone {
        /// Dialects that work.
        working_formats: Vec<Dialect>,
        /// Models that answered.
        supported_model_count: usize,
    },
}

/// Why a probe waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// To keep to the requests per minute.
    Pacing,
    /// The provider asked for it.
    RateLimit,
}

impl Event {
    pub(super) fn wait(
        endpoint: &str,
        format: Option<Dialect>,
        model: &str,
        wait: &Wait,
        settings: Settings,
    ) -> Self {
        Self::RateLimitWait {
            reason: if wait.retry == 0 { Reason::Pacing } else { Reason::RateLimit },
            endpoint: endpoint.to_owned(),
            format,
            model: model.to_owned(),
            time: wait.time,
            retry: wait.retry,
            retries_max: settings.rate_limit_retries,
            message: wait.message.clone(),
        }
    }

    /// The documented JSON object.
    pub fn to_json(&self) -> Value {
        let names = |formats: &[Dialect]| -> Value {
            formats.iter().map(|format| format.config_name()).collect()
        };
        match self {
            Self::ModelList { endpoint, count, message } => json!({
                "phase": "model-list", "endpoint": endpoint, "modelCount": count,
                "message": message,
            }),
            Self::MatrixStart { endpoint_count, model_count } => json!({
                "phase": "matrix-start", "endpointCount": endpoint_count,
                "modelCount": model_count,
            }),
            Self::EndpointStart { endpoint, index, formats } => json!({
                "phase": "endpoint-start", "endpoint": endpoint, "endpointIndex": index,
                "formatsToTest": names(formats),
            }),
            Self::ModelCheck { check, endpoint, format, is_known, completed, total } => json!({
                "phase": "model-check", "endpoint": endpoint, "format": format.config_name(),
                "model": check.model, "confirmed": check.outcome == Outcome::Ok,
                "outcome": check.outcome, "status": check.status, "message": check.message,
                "known": is_known, "completedChecks": completed, "totalChecks": total,
            }),
            Self::RateLimitWait {
                reason,
                endpoint,
                format,
                model,
                time,
                retry,
                retries_max,
                message,
            } => json!({
                "phase": "rate-limit-wait",
                "reason": match reason { Reason::Pacing => "pacing", Reason::RateLimit => "rate-limit" },
                "endpoint": endpoint, "format": format.map(Dialect::config_name), "model": model,
                "waitMs": u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
                "retryAttempt": retry, "maxRetries": retries_max, "message": message,
            }),
            Self::EndpointDone { endpoint, index, working_formats } => json!({
                "phase": "endpoint-done", "endpoint": endpoint, "endpointIndex": index,
                "workingFormats": names(working_formats),
            }),
            Self::MatrixDone { working_formats, supported_model_count } => json!({
                "phase": "matrix-done", "workingFormats": names(working_formats),
                "supportedModelCount": supported_model_count,
            }),
        }
    }
}

/// Counts the tests of all hosts.
pub(super) struct Progress<'a> {
    completed: AtomicUsize,
    total: usize,
    on_event: &'a (dyn Fn(&Event) + Sync),
}

impl<'a> Progress<'a> {
    pub(super) fn new(total: usize, on_event: &'a (dyn Fn(&Event) + Sync)) -> Self {
        Self { completed: AtomicUsize::new(0), total, on_event }
    }

    /// Counts one test and tells of it.
    pub(super) fn checked(
        &self,
        check: &ModelCheck,
        endpoint: &str,
        format: Dialect,
        is_known: bool,
    ) {
        let completed = self.completed.fetch_add(1, Ordering::Relaxed) + 1;
        (self.on_event)(&Event::ModelCheck {
            check: check.clone(),
            endpoint: endpoint.to_owned(),
            format,
            is_known,
            completed,
            total: self.total,
        });
    }
}

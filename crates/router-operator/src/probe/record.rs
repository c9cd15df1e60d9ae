//! A report as JSON: for programs, and for the config, in the older program's shape.

use router_config::{AuthHeader, Upstream};
use router_wire::Dialect;
use serde_json::{Map, Value, json};

use super::{LaneReport, ModelReport, Report};
use crate::upstream::Way;

impl Report {
    /// The documented JSON object.
    pub fn to_json(&self) -> Value {
        let unresolved: Vec<Value> = self
            .unresolved()
            .map(|model| json!({ "model": model.id, "outcome": model.outcome, "why": model.why }))
            .collect();
        let limited: Vec<Value> = self.rate_limit_failures().iter().map(|each| json!({
            "endpoint": each.endpoint, "format": each.format.config_name(), "model": each.model,
            "retries": each.retries, "status": each.status, "message": each.message,
        })).collect();
        let listed: Vec<&str> = self.listed.iter().map(|model| model.id.as_str()).collect();
        let mut object = self.summary();
        object.extend(members(json!({
            "provider": self.provider,
            "complete": self.is_complete,
            "endpoints": self.endpoints(),
            "preferredFormat": self.working_formats().first().map(|each| each.config_name()),
            "baseUrlByFormat": self.by_format(|_, way| Some(way.base.written().into())),
            "authByFormat": self.by_format(|_, way| Some(auth(&way.auth))),
            "endpointMatrix": self.lanes_by_endpoint(true),
            "unresolvedModels": unresolved,
            "rateLimitFailures": limited,
            "listedModels": listed,
            "requestsPerMinute": self.settings.requests_per_minute,
            "maxRateLimitRetries": self.settings.rate_limit_retries,
            "manualFallbackRecommended": !self.is_ok() || !unresolved.is_empty(),
            "failureScope": self.scope().name(),
        })));
        Value::Object(object)
    }

    /// The record for `lastProbe`.
    pub fn last_probe(&self) -> Value {
        let mut object = self.summary();
        object.insert("endpointMatrix".to_owned(), self.lanes_by_endpoint(false));
        Value::Object(object)
    }

    /// What the probe changes in its provider: dialects, addresses and headers where they work,
    /// and the record. Addresses and headers that are what the config says already are left out.
    pub fn provider_members(&self, configured: &Upstream) -> Map<String, Value> {
        let mut out = Map::new();
        out.insert("lastProbe".to_owned(), self.last_probe());
        let formats = self.working_formats();
        if formats.is_empty() {
            return out;
        }
        let names: Vec<_> = formats.iter().map(|format| format.config_name()).collect();
        out.insert("format".to_owned(), names.first().copied().into());
        out.insert("formats".to_owned(), names.into());
        let is_new =
            |dialect: Dialect, way: &Way| configured.bases.get(&dialect) != Some(&way.base);
        let bases =
            self.by_format(|dialect, way| is_new(dialect, way).then(|| way.base.reveal().into()));
        let usual = |dialect: Dialect| {
            configured.auth.get(&dialect).cloned().unwrap_or_else(|| AuthHeader::usual(dialect))
        };
        let auths =
            self.by_format(|dialect, way| (way.auth != usual(dialect)).then(|| auth(&way.auth)));
        for (key, map) in [("baseUrlByFormat", bases), ("authByFormat", auths)] {
            if map.as_object().is_some_and(|map| !map.is_empty()) {
                out.insert(key.to_owned(), map);
            }
        }
        out
    }

    /// The dialects a model is limited to: `null` if it answers in all that its provider speaks.
    pub fn model_formats(&self, model: &ModelReport) -> Value {
        if model.dialects.len() == self.working_formats().len() {
            return Value::Null;
        }
        model.dialects.iter().map(|format| format.config_name()).collect()
    }

    fn summary(&self) -> Map<String, Value> {
        let names = |formats: &[Dialect]| -> Value {
            formats.iter().map(|format| format.config_name()).collect()
        };
        let confirmed: Vec<&str> = self.confirmed().map(|model| model.id.as_str()).collect();
        let support: Map<String, Value> =
            self.confirmed().map(|model| (model.id.clone(), names(&model.dialects))).collect();
        let preferred: Map<String, Value> = self
            .confirmed()
            .filter_map(|model| {
                Some((model.id.clone(), model.dialects.first()?.config_name().into()))
            })
            .collect();
        members(json!({
            "ok": self.is_ok(),
            "at": self.at,
            "formats": names(&self.supported_formats()),
            "workingFormats": names(&self.working_formats()),
            "models": confirmed,
            "modelSupport": support,
            "modelPreferredFormat": preferred,
            "warnings": self.warnings,
        }))
    }

    fn endpoints(&self) -> Vec<&str> {
        let mut endpoints: Vec<&str> = Vec::new();
        for lane in &self.lanes {
            if !endpoints.contains(&lane.endpoint.as_str()) {
                endpoints.push(&lane.endpoint);
            }
        }
        endpoints
    }

    fn by_format(&self, value: impl Fn(Dialect, &Way) -> Option<Value>) -> Value {
        let named = |(dialect, way): (Dialect, &Way)| {
            Some((dialect.config_name().to_owned(), value(dialect, way)?))
        };
        Value::Object(self.ways().filter_map(named).collect())
    }

    fn lanes_by_endpoint(&self, with_checks: bool) -> Value {
        let matrix = self.endpoints().into_iter().map(|endpoint| {
            let lanes: Vec<_> =
                self.lanes.iter().filter(|lane| lane.endpoint == endpoint).collect();
            let names = |keep: &dyn Fn(&LaneReport) -> bool| -> Value {
                let kept = lanes.iter().filter(|lane| keep(lane));
                kept.map(|lane| lane.dialect().config_name()).collect()
            };
            let map = |value: &dyn Fn(&LaneReport) -> Value| -> Value {
                let working = lanes.iter().filter(|lane| lane.works());
                let each =
                    working.map(|lane| (lane.dialect().config_name().to_owned(), value(lane)));
                Value::Object(each.collect())
            };
            let mut entry = members(json!({
                "endpoint": endpoint,
                "supportedFormats": names(&|lane| lane.is_supported),
                "workingFormats": names(&LaneReport::works),
                "modelsByFormat": map(&|lane| {
                    lane.confirmed().map(|check| check.model.as_str()).collect()
                }),
                "authByFormat": map(&|lane| auth(&lane.way.auth)),
            }));
            if with_checks {
                entry.insert("modelChecks".to_owned(), checks(&lanes));
            }
            Value::Object(entry)
        });
        matrix.collect()
    }
}

fn checks(lanes: &[&LaneReport]) -> Value {
    let each = lanes.iter().flat_map(|lane| {
        lane.checks.iter().map(|check| {
            let mut entry = members(json!(check));
            entry.insert("format".to_owned(), lane.dialect().config_name().into());
            Value::Object(entry)
        })
    });
    each.collect()
}

/// A header as config writes it.
fn auth(auth: &AuthHeader) -> Value {
    if *auth == AuthHeader::bearer() {
        return json!({ "type": "bearer" });
    }
    match auth {
        AuthHeader::None => json!({ "type": "none" }),
        AuthHeader::Header { name, prefix } if name == "x-api-key" && prefix.is_empty() => {
            json!({ "type": "x-api-key" })
        }
        AuthHeader::Header { name, prefix } if prefix.is_empty() => {
            json!({ "type": "header", "headerName": name.as_str() })
        }
        AuthHeader::Header { name, prefix } => {
            json!({ "type": "header", "headerName": name.as_str(), "prefix": prefix })
        }
    }
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

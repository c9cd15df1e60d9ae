//! What there is before a deploy: the account, the Worker as it is, zones and routes.

use std::collections::BTreeMap;

use router_operator::Failure;
use serde_json::Value;

use crate::api::segment;
use crate::{Account, Api, Marker, Store, Target, Zone, find_zone, marker, payload};

/// What a plan is made from. [`Survey::offline`] knows nothing; its plan has placeholders.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The account; absent offline.
    pub account: Option<Account>,
    /// The Worker as it is now, if it exists.
    pub existing: Option<Existing>,
    /// The account's part of workers.dev addresses.
    pub subdomain: Option<String>,
    /// The KV namespace of configs, if it exists.
    pub namespace: Option<String>,
    /// The zones of the target's hosts.
    pub(crate) zones: BTreeMap<String, Zone>,
    /// Who has the target's patterns and hosts now, with the id of the route.
    pub(crate) taken: BTreeMap<String, (String, String)>,
}

/// A Worker that exists.
#[derive(Clone, Debug, Default)]
pub struct Existing {
    /// The newest Durable Object migration it has gone through.
    pub migration_tag: Option<String>,
    /// When it was last changed, as the API says it.
    pub modified: Option<String>,
    /// Names and types of its bindings.
    pub bindings: BTreeMap<String, String>,
    /// What the last deploy left.
    pub marker: Option<Marker>,
    /// Settings of the operator's that an upload without them would reset.
    pub(crate) settings: BTreeMap<&'static str, Value>,
}

/// Settings that are made in the dashboard, such as whether logs are kept.
const KEPT_SETTINGS: [&str; 5] =
    ["observability", "logpush", "tail_consumers", "placement", "limits"];
/// What the API says of them and does not take.
const TOLD_ONLY: [&str; 2] = ["status", "last_analyzed_at"];

impl Existing {
    /// Whether the Worker has a master key that is not the config's.
    pub fn has_own_key(&self) -> bool {
        self.bindings.contains_key(payload::MASTER_KEY)
    }
}

impl Survey {
    /// A survey that asked nobody. `account` is what the operator named.
    pub fn offline(account: Option<&str>) -> Self {
        let account =
            account.map(|id| Account { id: id.trim().to_owned(), name: id.trim().to_owned() });
        Self { account, ..Self::default() }
    }

    /// The account's id in a path.
    pub(crate) fn account_id(&self) -> String {
        self.account.as_ref().map_or_else(|| "{account}".to_owned(), |a| segment(&a.id))
    }

    /// The id of the zone of `host` in a path.
    pub(crate) fn zone_id(&self, host: &str) -> String {
        let zone = self.zones.get(host);
        zone.map_or_else(|| format!("{{zone of {host}}}"), |zone| segment(&zone.id))
    }
}

/// Looks at everything a deploy of `name` to `target` depends on. Reads only.
pub async fn survey(
    api: &Api,
    account: &Account,
    name: &str,
    target: &Target,
    store: Store,
) -> Result<Survey, Failure> {
    let mut found = Survey { account: Some(account.clone()), ..Survey::default() };
    let id = segment(&account.id);
    found.existing = existing(api, &id, name).await?;
    if target.workers_dev {
        found.subdomain = Some(subdomain(api, &id).await?);
    }
    if store == Store::Kv {
        found.namespace = namespace(api, &id, name).await?;
    }
    if !target.routes.is_empty() || !target.domains.is_empty() {
        places(api, account, target, &mut found).await?;
    }
    Ok(found)
}

/// The Worker called `name`, if there is one.
pub(crate) async fn existing(
    api: &Api,
    account: &str,
    name: &str,
) -> Result<Option<Existing>, Failure> {
    let scripts = api.get(&format!("/accounts/{account}/workers/scripts")).await?;
    let is_it = |script: &&Value| script.get("id").and_then(Value::as_str) == Some(name);
    let Some(script) = scripts.as_array().into_iter().flatten().find(is_it) else {
        return Ok(None);
    };
    let path = format!("/accounts/{account}/workers/scripts/{}/settings", segment(name));
    let settings = api.find(&path).await?.unwrap_or_default();
    let mut existing = Existing {
        migration_tag: text(script, "migration_tag"),
        modified: text(script, "modified_on"),
        ..Existing::default()
    };
    let all = KEPT_SETTINGS.iter();
    existing.settings = all.filter_map(|name| Some((*name, kept(settings.get(*name)?)?))).collect();
    for binding in settings.get("bindings").and_then(Value::as_array).into_iter().flatten() {
        let Some(name) = text(binding, "name") else { continue };
        if name == marker::NAME {
            existing.marker = text(binding, "text").and_then(|text| Marker::parse(&text));
        }
        existing.bindings.insert(name, text(binding, "type").unwrap_or_default());
    }
    Ok(Some(existing))
}

/// A setting as an upload may repeat it; `None` where there is nothing to repeat.
fn kept(told: &Value) -> Option<Value> {
    let mut value = told.clone();
    if let Some(members) = value.as_object_mut() {
        members.retain(|name, value| !TOLD_ONLY.contains(&name.as_str()) && !value.is_null());
        return (!members.is_empty()).then_some(value);
    }
    (!value.is_null()).then_some(value)
}

/// The account's part of workers.dev addresses.
pub(crate) async fn subdomain(api: &Api, account: &str) -> Result<String, Failure> {
    let found = api.find(&format!("/accounts/{account}/workers/subdomain")).await?;
    found.as_ref().and_then(|found| text(found, "subdomain")).ok_or_else(|| {
        Failure::input("the account has no workers.dev subdomain").hint(format!(
            "choose one at https://dash.cloudflare.com/{account}/workers/onboarding; an account's \
             first Worker needs it, wherever it answers"
        ))
    })
}

/// The title of the KV namespace of a Worker's configs.
pub(crate) fn namespace_title(name: &str) -> String {
    format!("{name}-config")
}

pub(crate) async fn namespace(
    api: &Api,
    account: &str,
    name: &str,
) -> Result<Option<String>, Failure> {
    let all = api.list(&format!("/accounts/{account}/storage/kv/namespaces")).await?;
    let title = namespace_title(name);
    let is_it = |space: &&Value| text(space, "title").as_deref() == Some(&title);
    Ok(all.iter().find(is_it).and_then(|space| text(space, "id")))
}

async fn places(
    api: &Api,
    account: &Account,
    target: &Target,
    found: &mut Survey,
) -> Result<(), Failure> {
    let zones = api.zones(&account.id).await?;
    for place in target.routes.iter().chain(&target.domains) {
        let zone = find_zone(&zones, place.host(), place.zone_name.as_deref())?;
        found.zones.insert(place.host().to_owned(), zone);
    }
    for route in &target.routes {
        let path = format!("/zones/{}/workers/routes", found.zone_id(route.host()));
        let routes = api.get(&path).await?;
        for each in routes.as_array().into_iter().flatten() {
            if text(each, "pattern").as_deref() == Some(&route.pattern) {
                let script = text(each, "script").unwrap_or_default();
                let id = text(each, "id").unwrap_or_default();
                found.taken.insert(route.pattern.clone(), (script, id));
            }
        }
    }
    for domain in &target.domains {
        let account = segment(&account.id);
        let host = segment(&domain.pattern);
        let path = format!("/accounts/{account}/workers/domains?hostname={host}");
        let domains = api.get(&path).await?;
        for each in domains.as_array().into_iter().flatten() {
            if text(each, "hostname").as_deref() == Some(&domain.pattern) {
                let service = text(each, "service").unwrap_or_default();
                let id = text(each, "id").unwrap_or_default();
                found.taken.insert(domain.pattern.clone(), (service, id));
            }
        }
    }
    Ok(())
}

/// A text of an object.
pub(crate) fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_dashboard_says_is_repeated_without_what_only_the_api_says() {
        for (told, expect) in [
            (json!({"enabled": true, "head_sampling_rate": null}), Some(json!({"enabled": true}))),
            (json!(true), Some(json!(true))),
            (json!({"mode": "smart", "status": "SUCCESS"}), Some(json!({"mode": "smart"}))),
            (json!({"last_analyzed_at": "2026-01-01T00:00:00Z"}), None),
            (json!({"cpu_ms": 50}), Some(json!({"cpu_ms": 50}))),
            (json!({}), None),
            (json!(null), None),
        ] {
            assert_eq!(kept(&told), expect, "{told}");
        }
    }
}

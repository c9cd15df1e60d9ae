//! Looking after a Worker that is deployed: its state, roll-back, deletion, its key.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use router_config::Secret;
use router_operator::{Failure, Kind};
use serde_json::{Value, json};

use crate::api::{Body, segment};
use crate::survey::{self, Existing, text};
use crate::{Account, Api, Marker, Module, Payload, payload};

/// A Worker as it is.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// The Worker, if it exists.
    pub existing: Option<Existing>,
    /// Whether it answers on workers.dev, and whether its versions do.
    pub workers_dev: bool,
    /// Whether each version has an address of its own.
    pub previews: bool,
    /// Addresses that lead to it.
    pub urls: Vec<String>,
    /// Those of them that the last deploy did not ask for, in words.
    pub left_over: Vec<String>,
    /// Deployments, the newest first.
    pub deployments: Vec<Deployment>,
}

/// One deployment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Deployment {
    /// Its version, or the one with the most traffic.
    pub version: String,
    /// When, as the API says it.
    pub created: String,
    /// What was said about it.
    pub message: Option<String>,
    /// Who made it, as the API says it.
    pub author: Option<String>,
}

/// A part of config or code that is not what is deployed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Difference {
    /// Only here.
    Added(String),
    /// Here and there, and not the same.
    Changed(String),
    /// Only there.
    Removed(String),
}

/// Something that a deletion removes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Removal {
    /// In words.
    pub what: String,
    /// The path that is deleted.
    pub path: String,
}

/// How the Worker is.
pub async fn status(api: &Api, account: &Account, name: &str) -> Result<Status, Failure> {
    let id = segment(&account.id);
    let Some(existing) = survey::existing(api, &id, name).await? else {
        return Ok(Status::default());
    };
    let base = format!("/accounts/{id}/workers/scripts/{}", segment(name));
    let switch = api.get(&format!("{base}/subdomain")).await?;
    let is_on = |name: &str| switch.get(name).and_then(Value::as_bool) == Some(true);
    let (workers_dev, previews) = (is_on("enabled"), is_on("previews_enabled"));
    let mut urls = Vec::new();
    let mut left_over = Vec::new();
    let marker = existing.marker.as_ref();
    for way in ways(api, account, name, marker).await? {
        let path = way.pattern.trim_end_matches('*').trim_end_matches('/');
        urls.push(format!("https://{path}"));
        if marker.is_some_and(|marker| !way.is_known(marker)) {
            left_over.push(way.what());
        }
    }
    if workers_dev {
        let subdomain = survey::subdomain(api, &id).await?;
        urls.push(format!("https://{name}.{subdomain}.workers.dev"));
    }
    let deployments = deployments(api, account, name).await?;
    let existing = Some(existing);
    Ok(Status { existing, workers_dev, previews, urls, left_over, deployments })
}

/// The deployments of a Worker, the newest first.
pub async fn deployments(
    api: &Api,
    account: &Account,
    name: &str,
) -> Result<Vec<Deployment>, Failure> {
    let id = segment(&account.id);
    let path = format!("/accounts/{id}/workers/scripts/{}/deployments", segment(name));
    let found = api.get(&path).await?;
    let all = found.get("deployments").and_then(Value::as_array);
    Ok(all.into_iter().flatten().filter_map(deployment).collect())
}

fn deployment(value: &Value) -> Option<Deployment> {
    let versions = value.get("versions")?.as_array()?;
    let share = |each: &&Value| each.get("percentage").and_then(Value::as_f64).unwrap_or(0.0);
    let version = versions.iter().max_by(|a, b| share(a).total_cmp(&share(b)))?;
    let message = value.pointer("/annotations/workers~1message").and_then(Value::as_str);
    Some(Deployment {
        version: text(version, "version_id")?,
        created: text(value, "created_on").unwrap_or_default(),
        message: message.map(str::to_owned),
        author: text(value, "author_email"),
    })
}

/// What `payload` and `module` have that `marker` has not, and the reverse.
pub fn diff(marker: &Marker, payload: &Payload, module: Option<&Module>) -> Vec<Difference> {
    let mut found = Vec::new();
    if let Some(module) = module
        && module.fingerprint() != marker.module
    {
        found.push(Difference::Changed("code".to_owned()));
    }
    if payload.fingerprint() == marker.config {
        return found;
    }
    let parts: BTreeMap<_, _> = payload.parts();
    if marker.parts.is_empty() {
        // The config was too large for the marker to list its parts.
        found.push(Difference::Changed("config".to_owned()));
        return found;
    }
    let names: BTreeSet<&String> = parts.keys().chain(marker.parts.keys()).collect();
    for name in names {
        match (parts.get(name), marker.parts.get(name)) {
            (Some(_), None) => found.push(Difference::Added(name.clone())),
            (None, Some(_)) => found.push(Difference::Removed(name.clone())),
            (Some(here), Some(there)) if here != there => {
                found.push(Difference::Changed(name.clone()));
            }
            _ => {}
        }
    }
    found
}

/// Sends all traffic to `version`. With `force` also when secrets have changed since, which
/// brings the old ones back.
pub async fn rollback(
    api: &Api,
    account: &Account,
    name: &str,
    version: &str,
    force: bool,
) -> Result<(), Failure> {
    let id = segment(&account.id);
    let query = if force { "?force=true" } else { "" };
    let path = format!("/accounts/{id}/workers/scripts/{}/deployments{query}", segment(name));
    let body = json!({
        "strategy": "percentage",
        "versions": [{ "version_id": version, "percentage": 100 }],
        "annotations": { "workers/message": format!("roll-back to {version}") },
    });
    api.call(Method::POST, &path, Some(Body::json(&body))).await.map(drop)
}

/// Everything a deletion of the Worker removes, in order.
pub async fn plan_delete(
    api: &Api,
    account: &Account,
    name: &str,
) -> Result<Vec<Removal>, Failure> {
    let id = segment(&account.id);
    let ways = ways(api, account, name, None).await?.into_iter();
    let mut removals: Vec<Removal> =
        ways.map(|way| Removal { what: way.what(), path: way.path }).collect();
    if survey::existing(api, &id, name).await?.is_some() {
        let path = format!("/accounts/{id}/workers/scripts/{}?force=true", segment(name));
        let what = format!("Worker {name}, with its secrets and the counters it keeps");
        removals.push(Removal { what, path });
    }
    if let Some(namespace) = survey::namespace(api, &id, name).await? {
        let path = format!("/accounts/{id}/storage/kv/namespaces/{}", segment(&namespace));
        removals.push(Removal { what: "KV namespace of its configs".to_owned(), path });
    }
    Ok(removals)
}

/// Carries the removals out.
pub async fn delete(
    api: &Api,
    removals: &[Removal],
    progress: &mut (dyn FnMut(&Removal) + Send),
) -> Result<(), Failure> {
    for removal in removals {
        progress(removal);
        api.call(Method::DELETE, &removal.path, None).await?;
    }
    Ok(())
}

/// Sets the Worker's own master key, which overrides the config's.
pub async fn put_key(
    api: &Api,
    account: &Account,
    name: &str,
    key: &Secret,
) -> Result<(), Failure> {
    let id = segment(&account.id);
    let path = format!("/accounts/{id}/workers/scripts/{}/secrets", segment(name));
    let body = json!({ "name": payload::MASTER_KEY, "text": key.expose(), "type": "secret_text" });
    api.call(Method::PUT, &path, Some(Body::json(&body))).await.map(drop)
}

/// A route or a host that leads to a Worker.
struct Way {
    /// Whether it is a host of its own.
    is_domain: bool,
    pattern: String,
    /// Where the API keeps it.
    path: String,
}

impl Way {
    fn what(&self) -> String {
        let kind = if self.is_domain { "domain" } else { "route" };
        format!("{kind} {}", self.pattern)
    }

    /// Whether a deploy asked for it.
    fn is_known(&self, marker: &Marker) -> bool {
        if self.is_domain {
            marker.domains.contains(&self.pattern)
        } else {
            marker.routes.iter().any(|(_, pattern)| *pattern == self.pattern)
        }
    }
}

/// Every route and host that leads to a Worker. Where the token may not read zones, its routes are
/// those `marker` lists.
async fn ways(
    api: &Api,
    account: &Account,
    name: &str,
    marker: Option<&Marker>,
) -> Result<Vec<Way>, Failure> {
    let mut ways = match (routes(api, account, name).await, marker) {
        (Ok(routes), _) => routes,
        (Err(failure), Some(marker)) if failure.kind == Kind::Input => {
            marker.routes.iter().map(known).collect()
        }
        (Err(failure), _) => return Err(failure),
    };
    let id = segment(&account.id);
    let path = format!("/accounts/{id}/workers/domains?service={}", segment(name));
    for domain in api.get(&path).await?.as_array().into_iter().flatten() {
        if text(domain, "service").as_deref() == Some(name)
            && let (Some(domain_id), Some(pattern)) = (text(domain, "id"), text(domain, "hostname"))
        {
            let path = format!("/accounts/{id}/workers/domains/{}", segment(&domain_id));
            ways.push(Way { is_domain: true, pattern, path });
        }
    }
    Ok(ways)
}

fn known((_, pattern): &(String, String)) -> Way {
    Way { is_domain: false, pattern: pattern.clone(), path: String::new() }
}

async fn routes(api: &Api, account: &Account, name: &str) -> Result<Vec<Way>, Failure> {
    let mut ways = Vec::new();
    for zone in api.zones(&account.id).await? {
        let base = format!("/zones/{}/workers/routes", segment(&zone.id));
        for route in api.get(&base).await?.as_array().into_iter().flatten() {
            if text(route, "script").as_deref() == Some(name)
                && let (Some(id), Some(pattern)) = (text(route, "id"), text(route, "pattern"))
            {
                let path = format!("{base}/{}", segment(&id));
                ways.push(Way { is_domain: false, pattern, path });
            }
        }
    }
    Ok(ways)
}

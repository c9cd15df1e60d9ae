//! The calls of a deploy, in order, before any of them is made.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use http::Method;
use router_config::Secret;
use router_operator::Failure;
use serde_json::{Value, json};

use crate::api::segment;
use crate::limits::{Limit, over_limits};
use crate::module::Module;
use crate::multipart::Form;
use crate::payload::{self, Payload, Rendered, Store};
use crate::survey::{Survey, namespace_title};
use crate::target::Place;
use crate::{Marker, Target, marker};

/// Stands for the id of a namespace that an earlier step makes; as long as an id is.
pub(crate) const NAMESPACE: &str = "{id of the namespace made above}";

/// What is to be deployed.
#[derive(Clone, Debug)]
pub struct Request {
    /// Name of the Worker.
    pub name: String,
    /// Where it answers.
    pub target: Target,
    /// Its code.
    pub module: Module,
    /// Its config.
    pub payload: Payload,
    /// Its master key.
    pub key: KeySource,
    /// Plain variables.
    pub vars: BTreeMap<String, String>,
    /// Whether routes and domains of other Workers are taken over.
    pub take_routes: bool,
}

/// Where the master key comes from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// It goes up with the config, whose key it is.
    Config,
    /// The Worker keeps the one it was given apart from the config.
    Keep,
    /// It is set apart from the config and overrides the config's.
    Set(Secret),
}

/// A deploy, ready to be shown and applied.
#[derive(Debug)]
pub struct Plan {
    /// Name of the Worker.
    pub name: String,
    /// The calls in order.
    pub steps: Vec<Step>,
    /// What the operator should know first.
    pub warnings: Vec<String>,
    /// What the free plan, or any plan, does not allow.
    pub limits: Vec<Limit>,
    /// Bindings of the Worker that are not the deploy's and stay.
    pub kept: Vec<String>,
    /// Secrets of earlier deploys that go.
    pub dropped: Vec<String>,
    /// Where the Worker is going to answer, if that is known.
    pub url: Option<String>,
    pub(crate) upload: Upload,
}

/// One call.
#[derive(Debug)]
pub struct Step {
    /// Its method.
    pub method: Method,
    /// Its path below the API's address. `{…}` stands for what is not known yet.
    pub path: String,
    /// What it does.
    pub what: String,
    /// Bytes of its body.
    pub bytes: usize,
    /// What the body holds, without secrets.
    pub details: Vec<String>,
    pub(crate) action: Action,
}

/// The body of a call.
#[derive(Debug)]
pub(crate) enum Action {
    /// JSON.
    Json(Value),
    /// JSON, and the answer's id is the namespace's.
    Namespace(Value),
    /// Bytes as they are.
    Raw(Bytes),
    /// The upload of the plan.
    Upload,
}

/// Metadata and files of the upload.
pub(crate) struct Upload {
    metadata: Value,
    module: Module,
}

/// Shows no metadata: secrets are in it.
impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("module", &self.module.source).finish_non_exhaustive()
    }
}

impl Upload {
    /// The form, in which `namespace` stands for [`NAMESPACE`].
    pub(crate) fn form(&self, namespace: &str) -> Result<(String, Bytes), Failure> {
        let mut form = Form::new()?;
        let metadata = self.metadata.to_string().replace(NAMESPACE, namespace);
        form.file("metadata", "application/json", metadata.as_bytes());
        for part in &self.module.parts {
            form.file(&part.name, &part.content_type, &part.content);
        }
        Ok(form.finish())
    }
}

/// Makes the plan.
pub fn plan(request: &Request, survey: &Survey) -> Result<Plan, Failure> {
    let with_key = matches!(request.key, KeySource::Config);
    let mut rendered = request.payload.render(with_key)?;
    if let KeySource::Set(key) = &request.key {
        rendered.secrets.insert(payload::MASTER_KEY.to_owned(), key.clone());
    }
    let mut warnings = request.payload.warnings.clone();
    let kept = kept(request, survey, &rendered);
    let dropped = dropped(survey, &rendered);
    let metadata = metadata(request, survey, &rendered, &kept)?;
    let bindings = metadata.get("bindings").and_then(Value::as_array).map_or(0, Vec::len);
    let largest = rendered.secrets.values().map(|secret| secret.expose().len()).max();
    let module = request.module.compressed_size()?;
    let limits = over_limits(module, bindings, largest.unwrap_or(0));
    let upload = Upload { metadata, module: request.module.clone() };

    let mut steps = Vec::new();
    if request.payload.store == Store::Kv {
        store_steps(request, survey, &rendered, &mut steps);
    }
    steps.push(upload_step(request, survey, &rendered, &upload, module)?);
    steps.push(subdomain_step(request, survey));
    for route in &request.target.routes {
        steps.extend(route_step(request, survey, route)?);
        warnings.push(dns_reminder(route));
    }
    for domain in &request.target.domains {
        steps.extend(domain_step(request, survey, domain)?);
    }
    warnings.extend(left_over(request, survey));
    let url = url(request, survey);
    let name = request.name.clone();
    Ok(Plan { name, steps, warnings, limits, kept, dropped, url, upload })
}

/// Bindings that are somebody else's: they are inherited, not lost.
fn kept(request: &Request, survey: &Survey, rendered: &Rendered) -> Vec<String> {
    let Some(existing) = &survey.existing else { return Vec::new() };
    let made = existing.marker.as_ref().map(|marker| marker.names.as_slice()).unwrap_or_default();
    let mut kept = Vec::new();
    for name in existing.bindings.keys() {
        let is_own_key = name == payload::MASTER_KEY && matches!(request.key, KeySource::Keep);
        let is_new = rendered.secrets.contains_key(name) || request.vars.contains_key(name);
        let is_object =
            request.module.manifest.durable_objects.iter().any(|object| object.binding == *name);
        let replaced = is_new || is_object || payload::is_ours(name) || made.contains(name);
        if is_own_key || !replaced {
            kept.push(name.clone());
        }
    }
    kept
}

/// Secrets of earlier deploys that the config does not use any more.
fn dropped(survey: &Survey, rendered: &Rendered) -> Vec<String> {
    let marker = survey.existing.as_ref().and_then(|existing| existing.marker.as_ref());
    let names = marker.map(|marker| marker.names.as_slice()).unwrap_or_default();
    names.iter().filter(|name| !rendered.secrets.contains_key(*name)).cloned().collect()
}

/// The metadata of the upload.
///
/// Source: "Multipart upload metadata" in Cloudflare's documentation of Workers.
fn metadata(
    request: &Request,
    survey: &Survey,
    rendered: &Rendered,
    kept: &[String],
) -> Result<Value, Failure> {
    let manifest = &request.module.manifest;
    let mut bindings = Vec::new();
    for (name, secret) in &rendered.secrets {
        bindings.push(json!({ "type": "secret_text", "name": name, "text": secret.expose() }));
    }
    for object in &manifest.durable_objects {
        bindings.push(json!({
            "type": "durable_object_namespace",
            "name": object.binding,
            "class_name": object.class_name,
        }));
    }
    let mut vars = request.vars.clone();
    if request.payload.store == Store::Kv {
        let id = survey.namespace.as_deref().unwrap_or(NAMESPACE);
        let name = payload::CONFIG_KV;
        bindings.push(json!({ "type": "kv_namespace", "name": name, "namespace_id": id }));
        vars.insert(payload::CONFIG_KEY.to_owned(), config_key(&rendered.json));
    }
    vars.insert(marker::NAME.to_owned(), marker(request, survey, rendered).text());
    for (name, text) in vars {
        bindings.push(json!({ "type": "plain_text", "name": name, "text": text }));
    }
    bindings.extend(kept.iter().map(|name| json!({ "type": "inherit", "name": name })));
    let mut metadata = json!({
        "main_module": manifest.main_module,
        "compatibility_date": manifest.compatibility_date,
        "compatibility_flags": manifest.compatibility_flags,
        "bindings": bindings,
        "annotations": { "workers/message": concat!("llm-router ", env!("CARGO_PKG_VERSION")) },
    });
    if let Some(object) = metadata.as_object_mut() {
        for (name, value) in survey.existing.iter().flat_map(|existing| &existing.settings) {
            object.insert((*name).to_owned(), value.clone());
        }
        if let Some(migrations) = migrations(request, survey)? {
            object.insert("migrations".to_owned(), migrations);
        }
    }
    Ok(metadata)
}

fn marker(request: &Request, survey: &Survey, rendered: &Rendered) -> Marker {
    let routes = request.target.routes.iter();
    let routes = routes.map(|route| (survey.zone_id(route.host()), route.pattern.clone()));
    let is_key = |name: &&String| *name != payload::MASTER_KEY;
    Marker {
        by: concat!("llm-router ", env!("CARGO_PKG_VERSION")).to_owned(),
        module: request.module.fingerprint(),
        config: request.payload.fingerprint(),
        parts: request.payload.parts(),
        names: rendered.secrets.keys().filter(is_key).cloned().collect(),
        routes: routes.collect(),
        domains: request.target.domains.iter().map(|domain| domain.pattern.clone()).collect(),
    }
}

/// Addresses that an earlier deploy set and this one does not: they go on leading to the Worker.
fn left_over(request: &Request, survey: &Survey) -> Vec<String> {
    let Some(marker) = survey.existing.as_ref().and_then(|existing| existing.marker.as_ref())
    else {
        return Vec::new();
    };
    let is_new = |places: &[Place], pattern: &str| places.iter().any(|it| it.pattern == pattern);
    let routes = marker.routes.iter().map(|(_, pattern)| pattern);
    let routes = routes.filter(|pattern| !is_new(&request.target.routes, pattern));
    let domains = marker.domains.iter();
    let domains = domains.filter(|host| !is_new(&request.target.domains, host));
    let routes = routes.map(|pattern| format!("route {pattern}"));
    let all = routes.chain(domains.map(|host| format!("domain {host}")));
    all.map(|what| format!("{what} of an earlier deploy still leads to the Worker")).collect()
}

/// The name of the value of KV: a new config has a new name, so that old versions of the Worker
/// keep theirs and a roll-back finds it.
fn config_key(json: &str) -> String {
    format!("config-{}", marker::fingerprint([json.as_bytes()], 16))
}

/// The migrations that the Worker has not gone through, or nothing.
fn migrations(request: &Request, survey: &Survey) -> Result<Option<Value>, Failure> {
    let all = &request.module.manifest.migrations;
    let Some(newest) = all.last() else { return Ok(None) };
    let tag = survey.existing.as_ref().and_then(|existing| existing.migration_tag.as_deref());
    let done = match tag {
        None => 0,
        Some(tag) => {
            let at = all.iter().position(|migration| migration.tag == tag);
            at.map(|at| at + 1).ok_or_else(|| {
                Failure::input(format!(
                    "the Worker `{}` has gone through the Durable Object migration `{tag}`, which \
                     this module does not know",
                    request.name
                ))
                .hint("another program or a newer module made it: choose another --name, or use that module")
            })?
        }
    };
    let rest = all.get(done..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(None);
    }
    let step = |classes: &Vec<String>| json!({ "new_sqlite_classes": classes });
    let steps: Vec<Value> = rest.iter().map(|each| step(&each.new_sqlite_classes)).collect();
    let mut value = json!({ "new_tag": newest.tag, "steps": steps });
    if let (Some(tag), Some(object)) = (tag, value.as_object_mut()) {
        object.insert("old_tag".to_owned(), tag.into());
    }
    Ok(Some(value))
}

fn store_steps(request: &Request, survey: &Survey, rendered: &Rendered, steps: &mut Vec<Step>) {
    let base = format!("/accounts/{}/storage/kv/namespaces", survey.account_id());
    if survey.namespace.is_none() {
        let title = namespace_title(&request.name);
        let body = json!({ "title": title });
        let what = format!("make the KV namespace `{title}`, unless it exists");
        let (path, bytes) = (base.clone(), body.to_string().len());
        let action = Action::Namespace(body);
        steps.push(Step { method: Method::POST, path, what, bytes, details: Vec::new(), action });
    }
    let id = survey.namespace.as_deref().unwrap_or(NAMESPACE);
    let json = Bytes::from(rendered.json.clone());
    steps.push(Step {
        method: Method::PUT,
        path: format!("{base}/{id}/values/{}", config_key(&rendered.json)),
        what: "store the config, which holds no secret".to_owned(),
        bytes: json.len(),
        details: Vec::new(),
        action: Action::Raw(json),
    });
}

fn upload_step(
    request: &Request,
    survey: &Survey,
    rendered: &Rendered,
    upload: &Upload,
    compressed: usize,
) -> Result<Step, Failure> {
    let mut details = vec![format!(
        "module {} ({}): {} bytes, {compressed} compressed",
        request.module.fingerprint(),
        request.module.source,
        request.module.size(),
    )];
    for part in &request.module.parts {
        let (name, kind) = (&part.name, &part.content_type);
        details.push(format!("file {name}: {} bytes, {kind}", part.content.len()));
    }
    for (name, secret) in &rendered.secrets {
        details.push(format!("secret {name}: {} bytes", secret.expose().len()));
    }
    if let Some(bindings) = upload.metadata.get("bindings").and_then(Value::as_array) {
        for binding in bindings {
            let text = |name| binding.get(name).and_then(Value::as_str).unwrap_or_default();
            match text("type") {
                "secret_text" => {}
                "plain_text" => {
                    details.push(format!(
                        "variable {}: {} bytes",
                        text("name"),
                        text("text").len()
                    ));
                }
                "inherit" => details.push(format!("kept {}", text("name"))),
                kind => details.push(format!("binding {}: {kind}", text("name"))),
            }
        }
    }
    if let Some(tag) = upload.metadata.pointer("/migrations/new_tag").and_then(Value::as_str) {
        details.push(format!("Durable Object migration to {tag}"));
    }
    let account = survey.account_id();
    Ok(Step {
        method: Method::PUT,
        path: format!(
            "/accounts/{account}/workers/scripts/{}?excludeScript=true&bindings_inherit=strict",
            segment(&request.name)
        ),
        what: "upload code, secrets and migrations together".to_owned(),
        bytes: upload.form(NAMESPACE)?.1.len(),
        details,
        action: Action::Upload,
    })
}

fn subdomain_step(request: &Request, survey: &Survey) -> Step {
    let enabled = request.target.workers_dev;
    let body = json!({ "enabled": enabled, "previews_enabled": false });
    let account = survey.account_id();
    let is = if enabled { "on" } else { "off" };
    Step {
        method: Method::POST,
        path: format!("/accounts/{account}/workers/scripts/{}/subdomain", segment(&request.name)),
        what: format!("workers.dev {is}, preview addresses off"),
        bytes: body.to_string().len(),
        details: Vec::new(),
        action: Action::Json(body),
    }
}

fn route_step(request: &Request, survey: &Survey, route: &Place) -> Result<Option<Step>, Failure> {
    let pattern = &route.pattern;
    let body = json!({ "pattern": pattern, "script": request.name });
    let base = format!("/zones/{}/workers/routes", survey.zone_id(route.host()));
    let (method, path) = match survey.taken.get(pattern) {
        Some((script, _)) if *script == request.name => return Ok(None),
        Some((script, id)) => {
            may_take(request, "route", pattern, script)?;
            (Method::PUT, format!("{base}/{}", segment(id)))
        }
        None => (Method::POST, base),
    };
    let (what, bytes) = (format!("lead {pattern} to the Worker"), body.to_string().len());
    Ok(Some(Step { method, path, what, bytes, details: Vec::new(), action: Action::Json(body) }))
}

fn domain_step(
    request: &Request,
    survey: &Survey,
    domain: &Place,
) -> Result<Option<Step>, Failure> {
    let host = &domain.pattern;
    match survey.taken.get(host) {
        Some((service, _)) if *service == request.name => return Ok(None),
        Some((service, _)) => may_take(request, "domain", host, service)?,
        None => {}
    }
    let zone = survey.zone_id(host);
    let body = json!({
        "hostname": host, "service": request.name, "zone_id": zone, "environment": "production",
    });
    Ok(Some(Step {
        method: Method::PUT,
        path: format!("/accounts/{}/workers/domains", survey.account_id()),
        what: format!("give {host} to the Worker, with DNS record and certificate"),
        bytes: body.to_string().len(),
        details: Vec::new(),
        action: Action::Json(body),
    }))
}

fn may_take(request: &Request, kind: &str, place: &str, owner: &str) -> Result<(), Failure> {
    if request.take_routes {
        return Ok(());
    }
    Err(Failure::input(format!("the {kind} {place} leads to the Worker `{owner}`"))
        .hint("--take-routes leads it to this one instead"))
}

fn dns_reminder(route: &Place) -> String {
    format!(
        "a route needs a proxied DNS record of {}; --custom-domain makes one by itself",
        route.host()
    )
}

/// The address a client would use.
fn url(request: &Request, survey: &Survey) -> Option<String> {
    let target = &request.target;
    if let Some(domain) = target.domains.first() {
        return Some(format!("https://{}", domain.pattern));
    }
    if let Some(route) = target.routes.first() {
        let path = route.pattern.trim_end_matches('*').trim_end_matches('/');
        return (!path.contains('*')).then(|| format!("https://{path}"));
    }
    let subdomain = survey.subdomain.as_ref()?;
    Some(format!("https://{}.{subdomain}.workers.dev", request.name))
}

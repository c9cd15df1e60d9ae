//! The tables as Prometheus reads them: text format 0.0.4.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::fmt::{Display, Write};

use router_core::state::{BucketStatus, ClientStatus, Held, ProviderStatus};
use router_core::time::UnixMs;
use router_wire::Dialect;

use super::metrics::{BOUNDS, Histogram, TOKEN_KINDS, Tables, Target};
use super::{Names, Telemetry, lock};

/// What is measured when it is asked for.
#[derive(Debug)]
pub(crate) struct Gauges {
    /// How each provider stands.
    pub(crate) providers: Vec<ProviderStatus>,
    /// How each client key stands.
    pub(crate) clients: Vec<ClientStatus>,
    /// Cooldowns and open circuits.
    pub(crate) held: Vec<Held>,
    /// Records written and records dropped, if any are kept.
    pub(crate) records: Option<(u64, u64)>,
    pub(crate) now: UnixMs,
}

/// Everything counted so far, and the gauges.
pub(crate) fn render(telemetry: &Telemetry, gauges: &Gauges) -> String {
    let mut tables = Tables::default();
    let mut answers = [0; 6];
    for meter in &*lock(&telemetry.meters) {
        meter.add_to(&mut tables);
        for (sum, count) in answers.iter_mut().zip(meter.answers()) {
            *sum += count;
        }
    }
    let names = lock(&telemetry.names);
    let mut page = Page(String::new());
    process(telemetry, &answers, &mut page);
    exchanges(&names, &tables, &mut page);
    targets(&names, &tables.targets, &mut page);
    refusals(&names, &tables, &mut page);
    standing(gauges, &mut page);
    page.0
}

fn process(telemetry: &Telemetry, answers: &[u64; 6], page: &mut Page) {
    page.family("build_info", "gauge", "The running version.");
    page.sample("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.family("uptime_seconds", "gauge", "Time since the start.");
    page.sample("uptime_seconds", &[], telemetry.started().elapsed().as_secs_f64());
    let (reloaded, refused) = telemetry.reloads();
    page.family("config_reloads_total", "counter", "Configs read while running.");
    page.sample("config_reloads_total", &[("result", "in-force")], reloaded);
    page.sample("config_reloads_total", &[("result", "refused")], refused);
    page.family("inflight", "gauge", "Exchanges under way.");
    page.sample("inflight", &[], telemetry.in_flight());
    page.family("http_answers_total", "counter", "Answers to clients, refusals included.");
    for (class, count) in ["0xx", "1xx", "2xx", "3xx", "4xx", "5xx"].iter().zip(answers).skip(2) {
        page.sample("http_answers_total", &[("status", class)], count);
    }
}

fn exchanges(names: &Names, tables: &Tables, page: &mut Page) {
    page.family("exchanges_total", "counter", "Exchanges that ended, by what answered and how.");
    for (key, count) in &tables.exchanges {
        let alias = key.alias.and_then(|alias| names.aliases.name(alias));
        let (provider, model) = target_name(names, key.target);
        let labels = [
            ("alias", alias.map_or("", String::as_str)),
            ("provider", provider),
            ("model", model),
            ("inbound", key.inbound.name()),
            ("outbound", key.outbound.map_or("", Dialect::name)),
            ("outcome", key.outcome.name()),
        ];
        page.sample("exchanges_total", &labels, count);
    }
}

fn target_name(names: &Names, number: Option<usize>) -> (&str, &str) {
    let name = number.and_then(|number| names.targets.name(number));
    name.map_or(("", ""), |(provider, model)| (provider, model))
}

/// The targets that were ever called, with their labels.
fn called<'a>(
    names: &'a Names,
    targets: &'a [Target],
) -> impl Iterator<Item = ([(&'static str, &'a str); 2], &'a Target)> + Clone {
    let called = targets.iter().enumerate().filter(|(_, target)| !target.attempts.is_empty());
    called.map(|(number, target)| {
        let (provider, model) = target_name(names, Some(number));
        ([("provider", provider), ("model", model)], target)
    })
}

fn targets(names: &Names, targets: &[Target], page: &mut Page) {
    let all = || called(names, targets);
    page.family("attempts_total", "counter", "Calls of upstreams, by how they ended.");
    for ([provider, model], target) in all() {
        for (end, count) in &target.attempts {
            page.sample("attempts_total", &[provider, model, ("class", end.name())], count);
        }
    }
    let help = "Exchanges completed by another candidate than the one tried first.";
    page.family("fallbacks_total", "counter", help);
    for (labels, target) in all().filter(|(_, target)| target.fallbacks > 0) {
        page.sample("fallbacks_total", &labels, target.fallbacks);
    }
    let help = "Tokens as upstreams counted them; reasoning is part of output.";
    page.family("tokens_total", "counter", help);
    for ([provider, model], target) in all() {
        for (kind, count) in TOKEN_KINDS.iter().zip(target.tokens) {
            page.sample("tokens_total", &[provider, model, ("kind", kind)], count);
        }
    }
    page.family("cost_dollars_total", "counter", "Cost in US dollars, where prices are known.");
    for (labels, target) in all().filter(|(_, target)| target.dollars > 0.0) {
        page.sample("cost_dollars_total", &labels, target.dollars);
    }
    histogram(page, "first_byte_seconds", "From accept to first output.", all(), |t| &t.first_byte);
    histogram(page, "exchange_seconds", "From accept to end.", all(), |t| &t.exchange);
    histogram(page, "attempt_seconds", "From a call to its end.", all(), |t| &t.attempt);
}

fn histogram<'a>(
    page: &mut Page,
    name: &str,
    help: &str,
    targets: impl Iterator<Item = ([(&'static str, &'a str); 2], &'a Target)>,
    of: impl Fn(&Target) -> &Histogram,
) {
    page.family(name, "histogram", help);
    let bucket = format!("{name}_bucket");
    for ([provider, model], target) in targets {
        let histogram = of(target);
        let mut within = 0;
        for (bound, count) in BOUNDS.iter().zip(histogram.counts) {
            within += count;
            page.sample(&bucket, &[provider, model, ("le", &bound.to_string())], within);
        }
        page.sample(&bucket, &[provider, model, ("le", "+Inf")], histogram.count);
        page.sample(&format!("{name}_sum"), &[provider, model], histogram.sum_s);
        page.sample(&format!("{name}_count"), &[provider, model], histogram.count);
    }
}

fn refusals(names: &Names, tables: &Tables, page: &mut Page) {
    let help = "Candidates passed over because a bucket had no room.";
    page.family("limit_refusals_total", "counter", help);
    for (number, count) in &tables.refusals {
        let Some((provider, bucket)) = names.buckets.name(*number) else { continue };
        page.sample("limit_refusals_total", &[("provider", provider), ("bucket", bucket)], count);
    }
    page.family("losses_total", "counter", "What translations could not carry, by kind.");
    for ((severity, code), count) in &tables.losses {
        page.sample("losses_total", &[("severity", severity), ("code", code)], count);
    }
}

fn standing(gauges: &Gauges, page: &mut Page) {
    if let Some((written, dropped)) = gauges.records {
        page.family("records_total", "counter", "Records of exchanges, by what became of them.");
        page.sample("records_total", &[("result", "written")], written);
        page.sample("records_total", &[("result", "dropped")], dropped);
    }
    let help = "0 closed, 1 half-open, 2 open; an empty model is the whole provider.";
    page.family("circuit_state", "gauge", help);
    for each in &gauges.providers {
        let provider = ("provider", each.provider.as_str());
        page.sample("circuit_state", &[provider, ("model", "")], circuit(each.circuit));
        for model in &each.models {
            let labels = [provider, ("model", model.model.as_str())];
            page.sample("circuit_state", &labels, circuit(model.circuit));
        }
    }
    let help = "Time left of cooldowns; an empty label stands for all.";
    page.family("cooldown_seconds", "gauge", help);
    for held in &gauges.held {
        let Some(class) = held.class else { continue };
        let labels = [
            ("provider", held.provider.as_str()),
            ("model", held.model.as_deref().unwrap_or_default()),
            ("credential", held.credential.as_deref().unwrap_or_default()),
            ("class", class.name()),
        ];
        page.sample("cooldown_seconds", &labels, held.until.since(gauges.now).as_secs_f64());
    }
    left(gauges, page);
}

fn left(gauges: &Gauges, page: &mut Page) {
    page.family("bucket_left_ratio", "gauge", "What is left of each bucket, 0 to 1.");
    for each in &gauges.providers {
        for bucket in &each.buckets {
            let labels = [
                ("provider", each.provider.as_str()),
                ("bucket", bucket.bucket.as_str()),
                ("credential", bucket.credential.as_deref().unwrap_or_default()),
            ];
            page.sample("bucket_left_ratio", &labels, bucket.left);
        }
    }
    let help = "What is left of the limits of each client key, 0 to 1.";
    page.family("client_limit_left_ratio", "gauge", help);
    for each in &gauges.clients {
        for BucketStatus { bucket, left, .. } in &each.limits {
            let labels = [("client", each.client.as_str()), ("limit", bucket.as_str())];
            page.sample("client_limit_left_ratio", &labels, *left);
        }
    }
}

fn circuit(state: &str) -> u8 {
    match state {
        "open" => 2,
        "half-open" => 1,
        _ => 0,
    }
}

/// A page of metrics. Every name gets the router's prefix.
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP llm_router_{name} {help}");
        let _ = writeln!(self.0, "# TYPE llm_router_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.0, "llm_router_{name}");
        for (index, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"", if index == 0 { '{' } else { ',' });
            for character in text.chars() {
                match character {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    other => self.0.push(other),
                }
            }
            self.0.push('"');
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }
}

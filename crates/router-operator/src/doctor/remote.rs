//! What has to be asked for: the port, Redis, and every provider.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use http::{Request, Response, header};
use router_client::{Client, Limits, OutboundBody, Transport};
use router_config::{AuthHeader, Config, Operation, StateBackend, Upstream};
use router_core::catalog::Provider;

use super::{Finding, LOOK_MAX, Verdict};
use crate::discover::refused;
use crate::upstream::{Asker, Failed, Outcome, Way};

/// How far the clocks may be apart before it is worth a word.
const SKEW_MAX: Duration = Duration::from_mins(1);
/// Providers asked at most.
const PROVIDERS_MAX: usize = 200;

/// Whether the router's port is free, or held by a router.
pub(super) async fn port(config: &Config, client: &Client) -> Finding {
    let (host, port) = (config.server.host.trim(), config.server.port);
    let about = format!("{host}:{port}");
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let ip: Option<IpAddr> = if bare.eq_ignore_ascii_case("localhost") {
        Some([127, 0, 0, 1].into())
    } else {
        bare.parse().ok()
    };
    let Some(ip) = ip else {
        return Finding::new("port", about, Verdict::Broken, "server.host is not an IP address")
            .fix("write 127.0.0.1, or the address of an interface");
    };
    match TcpListener::bind(SocketAddr::new(ip, port)) {
        Ok(_) => Finding::new("port", about, Verdict::Good, "free"),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            if is_router(ip, port, client).await {
                return Finding::new("port", about, Verdict::Good, "a router listens there");
            }
            Finding::new("port", about, Verdict::Broken, "another program listens there")
                .fix("stop it, or set server.port to another port")
        }
        Err(error) => Finding::new("port", about, Verdict::Broken, error.to_string())
            .fix("set server.host and server.port to what this user may listen on"),
    }
}

async fn is_router(ip: IpAddr, port: u16, client: &Client) -> bool {
    // An address for all interfaces is reached by the loopback one.
    let ip = match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        ip => ip,
    };
    let url = format!("http://{}/", SocketAddr::new(ip, port));
    let limits = Limits {
        connect: Duration::from_secs(1),
        total: Duration::from_secs(2),
        body_bytes: 64 * 1024,
    };
    let Ok(request) = Request::get(url).body(OutboundBody::default()) else { return false };
    let Ok(answer) = client.fetch(request, limits).await else { return false };
    let said: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    said.get("name").is_some_and(|name| name == "llm-router")
}

/// Whether Redis is there, where the config uses it.
pub(super) async fn redis(config: &Config) -> Option<Finding> {
    if config.state.backend != StateBackend::Redis {
        return None;
    }
    let Some(url) = &config.state.url else {
        return Some(
            Finding::new("redis", "", Verdict::Broken, "state.url is missing")
                .fix("set it to redis://host:port"),
        );
    };
    Some(match router_store::check_redis(url.expose()).await {
        Ok(()) => Finding::new("redis", "", Verdict::Good, "it answers"),
        Err(why) => {
            let why = why.replace(url.expose(), "***");
            Finding::new("redis", "", Verdict::Unreachable, why)
                .fix("start it, or correct state.url; until then each router counts by itself")
        }
    })
}

/// Whether each provider is there, takes each key, and agrees about the time.
pub(super) async fn providers(config: &Config, client: &Client) -> Vec<Finding> {
    let pairs = config.catalog.providers.iter().zip(&config.upstreams).take(PROVIDERS_MAX);
    let looks = pairs.flat_map(|(provider, upstream)| {
        let present = |at: &usize| {
            upstream.credentials.get(*at).is_some_and(|credential| credential.missing.is_none())
        };
        let credentials: Vec<usize> = (0..upstream.credentials.len()).filter(present).collect();
        credentials.into_iter().map(move |at| provider_with(provider, upstream, at, client))
    });
    let mut clocks: Vec<(String, Duration)> = Vec::new();
    let mut out = Vec::new();
    for (finding, skew) in join_all(looks).await {
        if let Some(skew) = skew {
            clocks.push((finding.about.clone(), skew));
        }
        out.push(finding);
    }
    out.extend(clock(&clocks));
    out
}

async fn provider_with(
    provider: &Provider,
    upstream: &Upstream,
    credential: usize,
    client: &Client,
) -> (Finding, Option<Duration>) {
    let label = upstream.credentials.get(credential).map_or("", |each| each.label.as_str());
    let about = match upstream.credentials.len() {
        0 | 1 => upstream.id.clone(),
        _ => format!("{} ({label})", upstream.id),
    };
    let asker = Asker { client, upstream, credential, timeout: LOOK_MAX, rate_limit_retries: 0 };
    let Some(way) = way(provider, upstream) else {
        return (Finding::new("provider", about, Verdict::Broken, "no usable address"), None);
    };
    let sent = SystemTime::now();
    match asker.read(&way, Operation::Models, None).await {
        Ok(answer) => {
            let skew = skew(&answer, sent);
            let finding = answered(&about, &answer, &asker);
            (finding, skew)
        }
        Err(failed) => (unanswered(&about, &failed, way.base.origin()), None),
    }
}

/// The preferred dialect, as config has it.
fn way(provider: &Provider, upstream: &Upstream) -> Option<Way> {
    let dialect = *provider.dialects.first()?;
    let base = upstream.bases.get(&dialect)?.clone();
    let auth = upstream.auth.get(&dialect).cloned();
    Some(Way { dialect, base, auth: auth.unwrap_or_else(|| AuthHeader::usual(dialect)) })
}

fn answered(about: &str, answer: &Response<bytes::Bytes>, asker: &Asker<'_>) -> Finding {
    let status = answer.status().as_u16();
    let Some(refusal) = refused(answer) else {
        return Finding::new("provider", about, Verdict::Good, "it answers and takes the key");
    };
    let message = asker.scrub(&refusal.message);
    match refusal.outcome {
        Outcome::AuthError => {
            let message = format!("it refuses the key ({message})");
            Finding::new("provider", about, Verdict::Broken, message).fix(
                "give it another key: `llm-router provider edit ID --api-key -`; or find out how \
                 it wants its key: `llm-router provider probe ID`",
            )
        }
        Outcome::RateLimit => {
            Finding::new("provider", about, Verdict::Warning, "it answers, and is rate limited now")
        }
        Outcome::RuntimeError => {
            let message = format!("it fails at the moment ({message})");
            Finding::new("provider", about, Verdict::Unreachable, message).fix("try again later")
        }
        _ if (300..400).contains(&status) => {
            let message = "it redirects to another address, which is not followed";
            Finding::new("provider", about, Verdict::Broken, message)
                .fix("set baseUrl to the final address")
        }
        _ => {
            let message = "it answers, but has no list of models: whether it takes the key is not \
                           known without spending";
            Finding::new("provider", about, Verdict::Good, message)
        }
    }
}

fn unanswered(about: &str, failed: &Failed, origin: &str) -> Finding {
    let finding = |what: &str| {
        let message = format!("{what} ({})", failed.message);
        Finding::new("provider", about, Verdict::Unreachable, message)
    };
    match failed.kind {
        Some(Transport::Dns) => finding("its name does not resolve")
            .fix(format!("check {origin}, and this machine's DNS")),
        Some(Transport::Tls) => finding("TLS fails").fix(
            "check the address and the clock; behind a proxy that reads along, install its \
             certificate in the system's store",
        ),
        Some(Transport::Connect) => finding("the connection is refused")
            .fix(format!("check {origin}, and whether a server runs there")),
        Some(Transport::ConnectTimeout) => finding("no connection in time")
            .fix("check the network, a firewall, and the proxy variables"),
        Some(Transport::Closed | Transport::Protocol) => {
            finding("the connection broke").fix(format!("check that {origin} speaks HTTP"))
        }
        None if failed.outcome == Outcome::RuntimeError => {
            finding("no answer in time").fix("try again; check the network")
        }
        None => Finding::new("provider", about, Verdict::Broken, failed.message.clone()),
    }
}

/// How far a provider's clock and this machine's are apart.
fn skew(answer: &Response<bytes::Bytes>, sent: SystemTime) -> Option<Duration> {
    let text = answer.headers().get(header::DATE)?.to_str().ok()?;
    let theirs = httpdate::parse_http_date(text).ok()?;
    let ours = SystemTime::now();
    // It was set between sending and receiving, and counts whole seconds.
    let early = sent.checked_sub(Duration::from_secs(1))?;
    if (early..=ours).contains(&theirs) {
        return Some(Duration::ZERO);
    }
    let apart = theirs.duration_since(ours).or_else(|_| early.duration_since(theirs));
    Some(apart.unwrap_or_default())
}

/// One clock is wrong if most providers disagree with it.
fn clock(skews: &[(String, Duration)]) -> Option<Finding> {
    let mut sorted: Vec<_> = skews.iter().map(|(_, skew)| *skew).collect();
    sorted.sort();
    let middle = *sorted.get(sorted.len() / 2)?;
    Some(if middle > SKEW_MAX {
        let message = format!("{} s off from what the providers say", middle.as_secs());
        Finding::new("clock", "", Verdict::Warning, message)
            .fix("set the clock (`timedatectl set-ntp true`): windows of limits depend on it")
    } else {
        Finding::new("clock", "", Verdict::Good, "agrees with the providers")
    })
}

//! What one reservation costs: in memory, and through a real Redis over loopback.
//!
//! `cargo bench -p router-store` starts a `redis-server` of its own, and fails where Redis adds more
//! than it may.

use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use router_core::bucket::Tokens;
use router_core::catalog::{
    Bucket, BucketModels, Catalog, Credential, Model, Provider, Window, WindowUnit,
};
use router_core::plan::RequestFacts;
use router_core::resolve::resolve;
use router_core::state::{Effect, Settlement};
use router_core::time::UnixMs;
use router_store::{RedisOptions, Store};
use router_wire::Dialect;

const ROUNDS: usize = 5_000;
/// What Redis may add to half of all reservations.
const ADDED_MAX: Duration = Duration::from_micros(500);

/// A Redis on a free port; killed when dropped.
struct Server(Child, String);

impl Server {
    fn start() -> std::io::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()?;
        let server = Self(child, format!("redis://127.0.0.1:{port}"));
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Duration::from_secs(10) < begun.elapsed() {
                return Err(std::io::Error::other("redis-server does not answer"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn catalog() -> Arc<Catalog> {
    let bucket = Bucket {
        id: "month".into(),
        models: BucketModels::All,
        per_credential: false,
        window: Window { unit: WindowUnit::Month, size: 1, time_zone: None },
        requests: Some(1_000_000_000),
        tokens: None,
        input_tokens: None,
        output_tokens: None,
        cost: None,
        concurrent: None,
    };
    let provider = Provider {
        id: "a".into(),
        models: vec![Model { id: "m".into(), ..Model::default() }],
        credentials: vec![Credential { label: "k".into(), weight: 1.0 }],
        buckets: vec![bucket],
        ..Provider::default()
    };
    Arc::new(Catalog { providers: vec![provider], ..Catalog::default() })
}

async fn measure(what: &str, store: &Store) -> Duration {
    let now = UnixMs(1_790_000_000_000);
    let table = store.install(catalog(), now);
    let Ok(route) = resolve(table.catalog(), Some("a/m")) else { return Duration::MAX };
    let facts = RequestFacts {
        inbound: Dialect::OpenaiChat,
        native_only: false,
        session: None,
        tokens: Tokens::new(1_000, 100),
        client: None,
    };
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let plan = store.plan(&table, &route, &facts, now);
        let begun = Instant::now();
        let Ok(call) = store.reserve(&table, &plan, 0, now).await else { return Duration::MAX };
        times.push(begun.elapsed());
        let how = Settlement { answered: true, used: None, effect: Effect::Success };
        store.settle(call, &how, now);
    }
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    let mut out = std::io::stdout().lock();
    let line = writeln!(out, "{what:<24} p50 {:?}   p99 {:?}", at(50), at(99));
    drop(line);
    at(50)
}

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let memory = runtime.block_on(measure("memory", &Store::default()));
    let server = Server::start()?;
    let options = RedisOptions { url: server.1.clone(), prefix: "bench".into() };
    let report: router_store::Report = Arc::new(|notice| {
        let line = writeln!(std::io::stderr(), "{notice}");
        drop(line);
    });
    let store = Store::redis(&options, &report);
    let redis = runtime.block_on(measure("Redis over loopback", &store));
    drop(store);
    assert!(redis.saturating_sub(memory) < ADDED_MAX, "Redis adds more than {ADDED_MAX:?}");
    Ok(())
}

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use router_core::catalog::{Bucket, Catalog, Client, Price};
use router_core::cooldown::Scope;
use router_core::failure::FailureClass;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::*;
use crate::testing::{MINUTE, Notices, World, bucket, catalog, monthly, now};
use crate::{Reservation, Store};

/// Where the processes that race find their Redis.
const CHILD_SOCKET: &str = "ROUTER_STORE_CHILD_SOCKET";
/// Reservations of each of them, all at once.
const RACE: usize = 5_000;
const RACE_CAP: u64 = 1_000;

/// A real Redis with a folder of its own; killed when dropped.
struct Server {
    child: Child,
    folder: TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let child = Self::spawn(folder.path());
        let server = Self { child, folder };
        server.wait();
        server
    }

    fn spawn(folder: &Path) -> Child {
        Command::new("redis-server")
            .args(["--port", "0", "--unixsocket", "socket", "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
            .arg(folder)
            .current_dir(folder)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed by `cargo x test`")
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn wait(&self) {
        let client = redis::Client::open(url(&self.socket())).unwrap();
        soon("redis-server answers", || {
            let connection = client.get_connection();
            connection.is_ok_and(|mut it| redis::cmd("PING").query::<String>(&mut it).is_ok())
        });
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = Self::spawn(self.folder.path());
        self.wait();
    }

    fn store(&self, notices: &Notices) -> Store {
        open(&self.socket(), notices)
    }

    fn world(&self, buckets: Vec<Bucket>) -> World {
        World::new(self.store(&Notices::default()), catalog(buckets), now())
    }

    fn ask<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let mut connection =
            redis::Client::open(url(&self.socket())).unwrap().get_connection().unwrap();
        let mut asked = redis::cmd(command[0]);
        for argument in &command[1..] {
            asked.arg(*argument);
        }
        asked.query(&mut connection).unwrap()
    }

    fn requests(&self) -> u64 {
        self.ask::<Option<u64>>(&["HGET", "test:count:a/month", "r"]).unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn url(socket: &Path) -> String {
    format!("unix://{}", socket.display())
}

fn open(socket: &Path, notices: &Notices) -> Store {
    let options = RedisOptions { url: url(socket), prefix: "test".into() };
    Store::redis(&options, &notices.report())
}

#[track_caller]
fn soon(what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

impl World {
    async fn reserved(&self, name: &str) -> Option<Reservation> {
        let plan = self.plan(name, None);
        self.store.reserve(&self.table, &plan, 0, self.now).await.ok()
    }

    fn served(&self) -> bool {
        let Some(reservation) = run(self.reserved("a/m")) else { return false };
        self.settle(reservation, true, Effect::Success);
        true
    }

    fn served_of(&self, count: usize) -> usize {
        (0..count).filter(|_| self.served()).count()
    }
}

#[test]
#[ignore = "another test runs two of it at once, each in a process of its own"]
fn child_that_races() {
    let socket = PathBuf::from(std::env::var_os(CHILD_SOCKET).unwrap());
    let notices = Notices::default();
    let world = World::new(open(&socket, &notices), catalog(monthly(RACE_CAP)), now());
    let world = Arc::new(world);
    let served = run(async {
        let mut calls = JoinSet::new();
        for _ in 0..RACE {
            let world = Arc::clone(&world);
            calls.spawn(async move {
                let Some(reservation) = world.reserved("a/m").await else { return 0_u64 };
                tokio::task::yield_now().await;
                world.settle(reservation, true, Effect::Success);
                1
            });
        }
        calls.join_all().await.into_iter().sum::<u64>()
    });
    assert_eq!(notices.take(), []);
    world.store.flush();
    std::fs::write(
        socket.with_file_name(format!("served-{}", std::process::id())),
        served.to_string(),
    )
    .unwrap();
}

#[test]
fn two_processes_with_ten_thousand_reservations_keep_to_one_cap() {
    let server = Server::start();
    let child = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "redis::tests::child_that_races", "--ignored"])
            .env(CHILD_SOCKET, server.socket())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut served = Vec::new();
    for mut child in [child(), child()] {
        let id = child.id();
        assert!(child.wait().unwrap().success());
        let file = server.folder.path().join(format!("served-{id}"));
        served.push(std::fs::read_to_string(file).unwrap().parse::<u64>().unwrap());
    }
    assert_eq!(served.iter().sum::<u64>(), RACE_CAP, "{served:?}");
    assert_eq!(server.requests(), RACE_CAP);
}

#[test]
fn what_one_router_uses_is_used_up_for_the_other() {
    let server = Server::start();
    let (one, two) = (server.world(monthly(10)), server.world(monthly(10)));
    assert_eq!((one.served_of(4), two.served_of(20), one.served_of(20)), (4, 6, 0));
    soon("planning knows", || two.plan("a/m", None).candidates.is_empty());
    assert!(0 < server.ask::<i64>(&["PTTL", "test:count:a/month"]), "keys expire");
}

#[test]
fn a_call_without_an_answer_is_given_back_to_all() {
    let server = Server::start();
    let (one, two) = (server.world(monthly(1)), server.world(monthly(1)));
    let reservation = run(one.reserved("a/m")).unwrap();
    assert!(!two.served());
    one.settle(reservation, false, Effect::Nothing);
    soon("there is room again", || two.served());
}

#[test]
fn tokens_become_what_was_really_used() {
    let server = Server::start();
    let capped = vec![Bucket { tokens: Some(1_000), ..bucket("month") }];
    let world = server.world(capped);
    assert!(world.served());
    world.store.flush();
    let figures: Vec<u64> = server.ask(&["HMGET", "test:count:a/month", "r", "i", "o"]);
    assert_eq!(figures, [1, 7, 5]);
}

#[test]
fn calls_in_flight_are_capped_across_routers_and_end() {
    let server = Server::start();
    let capped = || vec![Bucket { concurrent: Some(3), ..bucket("flight") }];
    let (one, two) = (server.world(capped()), server.world(capped()));
    let held: Vec<_> = [&one, &two, &one].map(|world| run(world.reserved("a/m")).unwrap()).into();
    assert!(run(two.reserved("a/m")).is_none());
    for (reservation, world) in held.into_iter().zip([&one, &two, &one]) {
        world.settle(reservation, true, Effect::Success);
    }
    soon("the other knows", || {
        run(two.reserved("a/m")).map(|it| two.settle(it, true, Effect::Nothing)).is_some()
    });
    soon("nothing is left", || server.ask::<u64>(&["ZCARD", "test:flight:a/flight"]) == 0);
}

#[test]
fn a_request_that_is_dropped_while_it_waits_is_not_counted() {
    let server = Server::start();
    let world = server.world(monthly(5));
    run(async {
        for _ in 0..5 {
            let asked = tokio::time::timeout(Duration::ZERO, world.reserved("a/m")).await;
            if let Ok(Some(reservation)) = asked {
                world.settle(reservation, false, Effect::Nothing);
            }
        }
    });
    soon("all is given back", || {
        world.store.flush();
        server.requests() == 0 && world.counted() == 0
    });
    assert_eq!(world.served_of(9), 5);
}

#[test]
fn a_cooldown_holds_for_all_until_it_is_cleared() {
    let server = Server::start();
    let (one, two) = (server.world(Vec::new()), server.world(Vec::new()));
    let providers = |world: &World| {
        let plan = world.plan("x", None);
        let name = |it: &router_core::plan::Candidate| world.table.catalog().name(it.model);
        plan.candidates.iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(providers(&two).len(), 2);
    let reservation = run(one.reserved("a/m")).unwrap();
    let class = FailureClass::RateLimited;
    let cooldown = Some((Scope::Provider, MINUTE));
    one.settle(reservation, true, Effect::Failure { class, cooldown, circuit: None });
    soon("the other skips it", || providers(&two) == ["b/m"]);
    two.store.clear(None, now());
    two.store.flush();
    assert_eq!(server.ask::<u64>(&["HLEN", "test:held:a"]), 0);
    assert_eq!(providers(&two).len(), 2);
}

#[test]
fn what_is_let_back_in_by_one_is_let_back_in_by_all() {
    let server = Server::start();
    let (one, two) = (server.world(Vec::new()), server.world(Vec::new()));
    let providers = |world: &World| {
        let plan = world.plan("x", None);
        let name = |it: &router_core::plan::Candidate| world.table.catalog().name(it.model);
        plan.candidates.iter().map(name).collect::<Vec<_>>()
    };
    let reservation = run(one.reserved("a/m")).unwrap();
    let class = FailureClass::Unauthorized;
    let cooldown = Some((Scope::Credential, MINUTE));
    one.settle(reservation, true, Effect::Failure { class, cooldown, circuit: None });
    soon("the other skips it", || providers(&two) == ["b/m"]);
    assert_eq!(two.store.held(two.now), one.store.held(one.now));
    two.store.clear(None, two.now);
    soon("the first takes it up again", || providers(&one).len() == 2);
    assert_eq!(one.store.held(one.now), []);
}

#[test]
fn a_circuit_that_opens_is_open_for_all_and_closes_for_all() {
    let server = Server::start();
    let (one, mut two) = (server.world(Vec::new()), server.world(Vec::new()));
    let circuit = Some(Scope::Model);
    let failure = Effect::Failure { class: FailureClass::ServerError, cooldown: None, circuit };
    for _ in 0..2 {
        let call = run(one.reserved("a/m")).unwrap();
        one.settle(call, true, failure);
    }
    let held = one.store.held(one.now);
    assert_eq!(held.len(), 1);
    soon("the other leaves it alone", || two.store.held(two.now) == held);
    // After its time the other sends a probe, which succeeds.
    two.now = two.now.after(Duration::from_secs(31));
    let mut probe = run(two.reserved("a/m")).unwrap();
    two.store.commit(&mut probe, None, two.now);
    two.settle(probe, true, Effect::Success);
    soon("it is closed for the first too", || one.store.held(one.now).is_empty());
}

#[test]
fn a_session_goes_on_where_the_other_router_left_it() {
    let server = Server::start();
    let (one, two) = (server.world(Vec::new()), server.world(Vec::new()));
    let first = |world: &World, session| {
        let plan = world.plan("x", session);
        world.table.catalog().name(plan.candidates[0].model)
    };
    for session in 0..20 {
        let there = first(&one, Some(session));
        let plan = one.plan("x", Some(session));
        let mut call = run(one.store.reserve(&one.table, &plan, 0, one.now)).unwrap();
        one.store.commit(&mut call, None, one.now);
        one.settle(call, true, Effect::Success);
        assert_eq!(one.table.catalog().name(plan.candidates[0].model), there);
    }
    one.store.flush();
    assert_eq!(server.ask::<u64>(&["HLEN", "test:sessions"]), 20);
    assert!(0 < server.ask::<i64>(&["PTTL", "test:sessions"]), "sessions expire");
    let known = || two.store.look(|state| serde_json::to_value(state.save(two.now)).unwrap());
    soon("the other knows them", || {
        known()["sessions"].as_array().is_some_and(|all| all.len() == 20)
    });
    for session in 0..20 {
        assert_eq!(first(&two, Some(session)), first(&one, Some(session)), "{session}");
    }
}

#[test]
fn what_others_use_is_seen_without_a_call() {
    let server = Server::start();
    let (one, two) = (server.world(monthly(4)), server.world(monthly(4)));
    assert_eq!(one.served_of(3), 3);
    soon("the level is known", || two.counted() == 3);
}

#[test]
fn a_client_key_has_one_budget_for_all() {
    let server = Server::start();
    let keyed = || {
        let mut catalog = Catalog::clone(&catalog(Vec::new()));
        let limits = vec![Bucket { cost: Some(5), ..bucket("money") }];
        let label = "team".to_owned();
        catalog.clients = vec![Client { label, models: Vec::new(), buckets: limits }];
        for provider in &mut catalog.providers {
            let price = Price { input: 0.0, output: 0.2, cache_read: None, cache_write: None };
            provider.models[0].price = Some(price);
        }
        Arc::new(catalog)
    };
    let notices = Notices::default();
    let world = || World::new(server.store(&notices), keyed(), now());
    let worlds = [world(), world()];
    let admit = |world: &World| {
        let mut plan = world.plan("a/m", None);
        plan.client = Some(0);
        run(world.store.admit(&world.table, &plan, world.now)).ok().flatten()
    };
    let mut served = 0;
    for round in 0..10 {
        let world = &worlds[round % 2];
        if let Some(admitted) = admit(world) {
            let used = Some(Tokens::new(7, 5).at_cost(0.000_001));
            let how = Settlement { answered: true, used, effect: Effect::Nothing };
            world.store.settle(admitted, &how, world.now);
            world.store.flush();
            served += 1;
        }
    }
    assert_eq!(served, 5, "each costs a millionth of a dollar");
    assert_eq!(server.ask::<u64>(&["HGET", "test:count:client:team/money", "d"]), 5);
}

#[test]
fn while_redis_is_away_counting_goes_on_and_is_added_later() {
    let mut server = Server::start();
    let notices = Notices::default();
    let world = World::new(server.store(&notices), catalog(monthly(12)), now());
    assert_eq!(world.served_of(5), 5);
    let open = run(world.reserved("a/m")).unwrap();
    world.store.flush();
    server.stop();
    assert_eq!(world.served_of(4), 4);
    world.settle(open, false, Effect::Nothing);
    soon("it is said", || matches!(notices.take()[..], [Notice::RedisAway { .. }]));
    server.restart();
    soon("it is back", || notices.take() == [Notice::RedisBack]);
    assert_eq!(server.requests(), 9, "five before, four meanwhile, one given back");
    let other = server.world(monthly(12));
    assert_eq!(other.served_of(9), 3);
    assert_eq!(notices.take(), []);
}

#[test]
fn a_redis_that_was_never_there_is_joined_when_it_comes() {
    let mut server = Server::start();
    server.stop();
    let notices = Notices::default();
    let world = World::new(server.store(&notices), catalog(monthly(3)), now());
    assert!(matches!(notices.take()[..], [Notice::RedisAway { .. }]));
    assert_eq!(world.served_of(5), 3, "local counts have the same cap");
    server.restart();
    soon("it is there", || notices.take() == [Notice::RedisBack]);
    assert_eq!(server.requests(), 3);
}

#[test]
fn a_reservation_is_one_round_trip() {
    let server = Server::start();
    let world = server.world(monthly(1_000));
    let calls = || {
        let stats: String = server.ask(&["INFO", "commandstats"]);
        let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
        line.map_or(0, |line| line.split(',').next().unwrap().parse::<u64>().unwrap())
    };
    world.settle(run(world.reserved("a/m")).unwrap(), true, Effect::Nothing);
    world.store.flush();
    let (before, begun) = (calls(), Instant::now());
    let (held, times): (Vec<_>, Vec<_>) = run(async {
        let mut all = Vec::new();
        for _ in 0..200 {
            let begun = Instant::now();
            all.push((world.reserved("a/m").await.unwrap(), begun.elapsed()));
        }
        all.into_iter().unzip()
    });
    let looks = u64::try_from(begun.elapsed().as_millis() / 500).unwrap() + 2;
    let made = calls() - before;
    assert!((200..=200 + looks).contains(&made), "{made} calls, at most {looks} looks");
    let mut times: Vec<Duration> = times;
    times.sort();
    assert!(times[100] < Duration::from_millis(20), "half within {:?}", times[100]);
    for reservation in held {
        world.settle(reservation, true, Effect::Nothing);
    }
}

#[test]
fn an_address_that_is_none_leaves_counting_local_and_shows_no_password() {
    let notices = Notices::default();
    let options = RedisOptions { url: "redis://:s3cret@:bad:/x".into(), prefix: "test".into() };
    assert!(!format!("{options:?}").contains("s3cret"));
    let world = World::new(Store::redis(&options, &notices.report()), catalog(monthly(1)), now());
    assert_eq!(world.served_of(2), 1);
    let said = notices.take();
    assert!(matches!(said[..], [Notice::RedisAway { .. }]), "{said:?}");
    assert!(!said[0].to_string().contains("s3cret"), "{said:?}");
}

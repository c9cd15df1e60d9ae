use super::*;
use crate::bucket::Tokens;
use crate::catalog::{Bucket, BucketModels, Credential, Strategy, WindowUnit};
use crate::failure::FailureClass;
use crate::testing::{World, bucket, catalog};

#[test]
fn d4_state_is_dropped_when_the_providers_config_changes() {
    let mut world = World::new(catalog("ab").alias("x", Strategy::Ordered, "a b", ""));
    world.fail("a/m", FailureClass::Unauthorized);
    world.fail("b/m", FailureClass::Unauthorized);
    assert_eq!(world.turn("x"), "a!");
    let fixed = catalog("ab").alias("x", Strategy::Ordered, "a b", "");
    world.reload(fixed.change("a", |provider| provider.fingerprint = 9));
    assert_eq!(world.turn("x"), "a");
    assert_eq!(world.state.held(world.now).len(), 1, "b was not touched");
}

#[test]
fn counts_survive_a_reload_and_a_change_of_keys() {
    let mut world = World::new(catalog("a").monthly("a", 3));
    assert_eq!(world.serve_all("a/m", 2), "aa");
    world.reload(catalog("a").monthly("a", 3).change("a", |provider| provider.fingerprint = 9));
    assert_eq!(world.serve_all("a/m", 2), "a-");
    world.reload(catalog("b"));
    world.reload(catalog("ba").monthly("a", 4));
    assert_eq!(world.serve_all("a/m", 2), "a-", "even while the provider was gone");
}

#[test]
fn d32_reservations_never_pass_the_cap() {
    let mut world = World::new(catalog("a").monthly("a", 3));
    let held: Vec<_> = (0..5).map(|_| world.begin("a/m")).collect();
    let granted = held.into_iter().flatten().collect::<Vec<_>>();
    assert_eq!(granted.len(), 3);
    for reservation in granted {
        world.end(reservation, Effect::Success, None);
    }
    assert_eq!(world.serve("a/m"), "-");
}

#[test]
fn d32_no_answer_refunds_and_any_answer_counts() {
    let mut world = World::new(catalog("a").monthly("a", 1));
    for _ in 0..3 {
        let reservation = world.begin("a/m").unwrap();
        let how = Settlement { answered: false, used: None, effect: Effect::Nothing };
        world.state.settle(reservation, &how, world.now);
    }
    let reservation = world.begin("a/m").unwrap();
    world.end(reservation, Effect::Alive, Some(Tokens::default()));
    assert_eq!(world.serve("a/m"), "-");
}

#[test]
fn several_buckets_are_reserved_all_or_none() {
    let two = catalog("a").monthly("a", 2).change("a", |provider| {
        let requests = Some(5);
        provider.buckets.push(Bucket { requests, ..bucket("second") });
    });
    let mut world = World::new(two);
    assert_eq!(world.serve_all("a/m", 4), "aa--");
    let counts = world.state.providers[0].buckets.iter().map(|b| b.counters[0].requests);
    assert_eq!(counts.collect::<Vec<_>>(), [2, 2]);
}

#[test]
fn a_bucket_counts_the_models_it_lists() {
    let mut listed = catalog("a").change("a", |provider| {
        let models = BucketModels::Only(vec!["n".into()]);
        provider.buckets.push(Bucket { models, requests: Some(1), ..bucket("n-only") });
        let n = crate::catalog::Model { id: "n".into(), ..Default::default() };
        provider.models.push(n);
    });
    listed.routing.retry.attempts = 1;
    let mut world = World::new(listed);
    assert_eq!(world.serve_all("a/m", 3), "aaa");
    assert_eq!(world.serve_all("a/n", 3), "a--");
}

#[test]
fn token_caps_reserve_estimates_and_settle_real_usage() {
    let capped = catalog("a").change("a", |provider| {
        provider.buckets.push(Bucket { tokens: Some(1_000), ..bucket("t") });
    });
    let mut world = World::new(capped);
    world.tokens = Tokens::new(300, 200);
    let first = world.begin("a/m").unwrap();
    let second = world.begin("a/m").unwrap();
    assert!(world.begin("a/m").is_err(), "1,000 tokens are reserved");
    world.end(first, Effect::Success, Some(Tokens::new(300, 10)));
    assert!(world.begin("a/m").is_err(), "310 used and 500 reserved");
    world.end(second, Effect::Success, Some(Tokens::new(100, 10)));
    let third = world.begin("a/m").unwrap();
    world.end(third, Effect::Success, None);
    assert!(world.begin("a/m").is_err(), "unknown usage keeps the estimate: 920 used");
}

#[test]
fn a_request_larger_than_the_cap_is_let_into_an_empty_bucket() {
    let capped = catalog("a").change("a", |provider| {
        provider.buckets.push(Bucket { output_tokens: Some(100), ..bucket("t") });
    });
    let mut world = World::new(capped);
    world.tokens = Tokens::new(1, 32_000);
    let only = world.begin("a/m").unwrap();
    assert!(world.begin("a/m").is_err());
    world.end(only, Effect::Success, Some(Tokens::new(1, 40)));
    assert!(world.begin("a/m").is_err());
    world.tokens.output = 60;
    assert!(world.begin("a/m").is_ok());
}

#[test]
fn concurrent_caps_count_requests_in_flight() {
    let mut capped = catalog("a").change("a", |provider| {
        provider.buckets.push(Bucket { concurrent: Some(2), ..bucket("c") });
    });
    capped.routing.queue = Duration::ZERO;
    let mut world = World::new(capped);
    let (first, second) = (world.begin("a/m").unwrap(), world.begin("a/m").unwrap());
    assert!(world.plan("a/m").candidates.is_empty());
    let plan = world.plan("a/m");
    assert_eq!(plan.skipped[0].until, None, "nobody knows when a request ends");
    world.end(first, Effect::Nothing, None);
    assert_eq!(world.serve("a/m"), "a");
    world.wait(40 * 86_400);
    world.end(second, Effect::Success, None);
    assert_eq!(world.state.providers[0].buckets[0].counters[0].in_flight, 0);
}

#[test]
fn a_bucket_per_credential_has_a_counter_for_each() {
    let two = catalog("a").change("a", |provider| {
        let key = |label: &str| Credential { label: label.into(), weight: 1.0 };
        provider.credentials = vec![key("k1"), key("k2")];
        let cap = Bucket { requests: Some(2), per_credential: true, ..bucket("each") };
        provider.buckets.push(cap);
    });
    let mut world = World::new(two);
    assert_eq!(world.serve_all("a/m", 5), "aaaa-");
}

#[test]
fn a_bucket_is_empty_again_in_its_next_span() {
    let mut world = World::new(catalog("a").change("a", |provider| {
        let mut cap = Bucket { requests: Some(1), ..bucket("minute") };
        cap.window.unit = WindowUnit::Minute;
        provider.buckets.push(cap);
    }));
    assert_eq!(world.serve_all("a/m", 2), "a-");
    world.now = UnixMs(world.now.0 - 120_000);
    assert_eq!(world.serve("a/m"), "-", "a clock that goes backwards does not empty it");
    world.wait(120 + 60);
    assert_eq!(world.serve_all("a/m", 2), "a-");
}

#[test]
fn a_settlement_from_an_earlier_span_leaves_the_present_one_alone() {
    let mut world = World::new(catalog("a").change("a", |provider| {
        let mut cap = Bucket { requests: Some(2), tokens: Some(100), ..bucket("minute") };
        cap.window.unit = WindowUnit::Minute;
        provider.buckets.push(cap);
    }));
    world.tokens = Tokens::new(10, 0);
    let old = world.begin("a/m").unwrap();
    world.wait(61);
    let new = world.begin("a/m").unwrap();
    world.end(old, Effect::Success, Some(Tokens::new(90, 0)));
    world.end(new, Effect::Success, Some(Tokens::new(5, 0)));
    let counter = world.state.providers[0].buckets[0].counters[0];
    assert_eq!((counter.requests, counter.tokens.input), (1, 5));
}

#[test]
fn half_open_lets_one_request_through() {
    let mut world = World::new(catalog("ab").alias("x", Strategy::Ordered, "a b", ""));
    world.fail("a/m", FailureClass::ServerError);
    world.fail("a/m", FailureClass::ServerError);
    assert_eq!(world.turn("x"), "b", "two failing exchanges open the circuit");
    world.wait(30);
    assert_eq!(world.turn("x"), "ab");
    let probe = world.begin("x").unwrap();
    assert_eq!(world.turn("x"), "b", "the probe is under way");
    world.end(probe, Effect::Nothing, None);
    assert_eq!(world.turn("x"), "ab", "it told nothing, so another may");
    world.fail("x", FailureClass::TimedOut);
    assert_eq!(world.turn("x"), "b");
    world.wait(30);
    assert_eq!(world.serve("x"), "a");
    assert_eq!(world.turn("x"), "ab");
}

#[test]
fn a_provider_nobody_can_connect_to_is_left_out_with_all_its_models() {
    let mut world = World::new(catalog("ab").alias("x", Strategy::Ordered, "a b", "").change(
        "a",
        |provider| {
            provider.models.push(crate::catalog::Model { id: "n".into(), ..Default::default() });
        },
    ));
    world.fail("a/n", FailureClass::Unreachable);
    world.fail("a/n", FailureClass::Unreachable);
    assert_eq!(world.turn("x"), "b");
}

#[test]
fn what_is_kept_out_can_be_seen_and_let_back_in() {
    let mut world = World::new(catalog("ab"));
    world.fail("a/m", FailureClass::Billing);
    world.fail("b/m", FailureClass::NotFound);
    let held = world.state.held(world.now);
    let told: Vec<_> = held
        .iter()
        .map(|h| (h.provider.as_str(), h.model.as_deref(), h.credential.as_deref(), h.class))
        .collect();
    assert_eq!(
        told,
        [
            ("a", None, Some("k1"), Some(FailureClass::Billing)),
            ("b", Some("m"), None, Some(FailureClass::NotFound)),
        ]
    );
    assert_eq!(world.state.clear(Some("a"), world.now), 1);
    assert_eq!(world.turn("a/m"), "a");
    assert_eq!(world.turn("b/m"), "b!");
    assert_eq!(world.state.clear(None, world.now), 1);
    assert_eq!(world.state.held(world.now), []);
}

#[test]
fn a_saved_state_comes_back_as_it_was() {
    let make = || {
        catalog("abc").alias("x", Strategy::RoundRobin, "a b c", "").monthly("a", 5).monthly("b", 5)
    };
    let mut world = World::new(make());
    world.session = Some(5);
    assert_eq!(world.serve("x"), "a");
    world.session = None;
    assert_eq!(world.serve("x"), "b");
    world.fail("c/m", FailureClass::Unauthorized);
    world.fail("b/m", FailureClass::ServerError);
    let saved = world.state.save(world.now);
    let text = serde_json::to_string(&saved).unwrap();
    let read: Saved = serde_json::from_str(&text).unwrap();
    assert_eq!(read, saved);
    world.state = State::restore(read);
    world.reload(make());
    assert_eq!(world.state.save(world.now), saved);
    world.session = Some(5);
    assert!(world.plan("x").by_affinity);
    world.session = None;
    assert_eq!(world.letters(&world.plan("x")), "ab", "c is still cooling down");
}

#[test]
fn damage_in_a_saved_state_is_dropped() {
    for text in [
        "{}",
        r#"{"providers":[{"id":""},{"id":"a"},{"id":"a"}]}"#,
        r#"{"providers":[{"id":"a","buckets":[{"id":"x","unit":"fortnight"}]}]}"#,
        r#"{"sessions":[{"key":1,"provider":"nobody"}]}"#,
        r#"{"rotations":[{"alias":"x","targets":[["a/m",1e300]]}]}"#,
    ] {
        let saved: Saved = serde_json::from_str(text).unwrap();
        let mut world = World::new(catalog("a").monthly("a", 1));
        world.state = State::restore(saved);
        world.reload(catalog("a").monthly("a", 1));
        assert_eq!(world.serve_all("a/m", 2), "a-", "{text}");
    }
}

#[test]
fn an_old_table_reads_and_writes_nothing_of_what_was_given_away() {
    let mut world = World::new(catalog("a"));
    let reservation = world.begin("a/m").unwrap();
    let old = world.table.clone();
    world.reload(catalog("b"));
    world.reload(catalog("c").monthly("c", 1));
    let effect = Effect::Failure {
        class: FailureClass::Unauthorized,
        cooldown: Some((crate::cooldown::Scope::Provider, Duration::from_mins(1))),
        circuit: None,
    };
    world.end(reservation, effect, None);
    assert_eq!(world.state.held(world.now), []);
    let view = world.state.view(&old);
    let model = crate::catalog::ModelRef { provider: 0, model: 0 };
    assert_eq!(view.standing(model, 0, Tokens::default(), world.now), Standing::default());
    assert_eq!(world.serve_all("c/m", 2), "c-");
}

#[test]
fn reloading_for_ever_does_not_grow_the_state() {
    let mut world = World::new(catalog("a"));
    for round in 0..3_000 {
        let id = char::from_u32(0x4e00 + round).unwrap().to_string();
        world.reload(catalog(&id).alias(&id, Strategy::RoundRobin, &id, ""));
    }
    assert!(world.state.providers.len() <= 2 && world.state.rotations.len() <= 2);
}

#[test]
fn unknown_output_is_taken_to_be_average() {
    let capped = catalog("a").change("a", |provider| {
        provider.buckets.push(Bucket { output_tokens: Some(1_000), ..bucket("t") });
    });
    let mut world = World::new(capped);
    let first = world.begin("a/m").unwrap();
    world.end(first, Effect::Success, Some(Tokens::new(10, 100)));
    let held: Vec<_> = (0..20).map_while(|_| world.begin("a/m").ok()).collect();
    assert_eq!(held.len(), 9, "100 tokens used, nine times 100 reserved");
    for reservation in held {
        world.end(reservation, Effect::Success, Some(Tokens::new(10, 20)));
    }
    assert_eq!(world.state.providers[0].buckets[0].counters[0].tokens.output, 280);
    let average = world.state.providers[0].models[0].output.unwrap();
    assert!(average > 20.0 && average < 60.0, "{average}");
}

#[test]
fn a_model_that_always_breaks_half_way_is_left_out() {
    let mut world = World::new(catalog("ab").alias("x", Strategy::Ordered, "a b", ""));
    for _ in 0..2 {
        assert_eq!(world.turn("x"), "ab");
        let mut reservation = world.begin("x").unwrap();
        world.state.commit(&mut reservation, None, world.now);
        let circuit = Some(crate::cooldown::Scope::Model);
        let class = FailureClass::Interrupted;
        world.wait(1);
        world.end(reservation, Effect::Failure { class, cooldown: None, circuit }, None);
    }
    assert_eq!(world.turn("x"), "b");
}

#[test]
fn any_answer_shows_that_a_provider_can_be_reached() {
    let mut world = World::new(catalog("ab").alias("x", Strategy::Ordered, "a b", ""));
    for _ in 0..4 {
        world.fail("a/m", FailureClass::Unreachable);
        let reservation = world.begin("a/m").unwrap();
        world.end(reservation, Effect::Alive, Some(Tokens::default()));
        assert_eq!(world.turn("x"), "ab");
    }
}

use std::sync::Arc;

use super::*;
use crate::UnixMs;
use crate::catalog::{Alias, Catalog, Credential, Model, ModelRef, Provider, Target, TargetRef};
use crate::failure::{Fault, classify_transport};
use crate::plan::{RequestFacts, plan};
use crate::resolve::resolve;
use crate::state::State;
use router_wire::Dialect;

/// Providers `a`, `b`, .. with model `m` each, and alias `all` with the first as targets and the
/// rest as fallback targets.
fn catalog(primaries: usize, fallbacks: usize) -> Catalog {
    let provider = |index: usize| Provider {
        id: char::from_digit(u32::try_from(index + 10).unwrap(), 36).unwrap().to_string(),
        models: vec![Model { id: "m".into(), ..Model::default() }],
        dialects: vec![Dialect::OpenaiChat],
        credentials: vec![Credential { label: String::new(), weight: 1.0 }],
        ..Provider::default()
    };
    let target =
        |provider| Target { to: TargetRef::Model(ModelRef { provider, model: 0 }), weight: None };
    let alias = Alias {
        targets: (0..primaries).map(target).collect(),
        fallback_targets: (primaries..primaries + fallbacks).map(target).collect(),
        ..Alias::default()
    };
    Catalog {
        providers: (0..primaries + fallbacks).map(provider).collect(),
        aliases: [("all".to_owned(), alias)].into(),
        ..Catalog::default()
    }
}

fn failure(script: char) -> Failure {
    let of = |class, status| Failure { status: Some(status), ..Failure::new(class, "no") };
    match script {
        'x' => of(FailureClass::ServerError, 500),
        'r' => of(FailureClass::RateLimited, 429),
        's' => Failure {
            retry_after: Some(Duration::from_secs(1)),
            ..of(FailureClass::RateLimited, 429)
        },
        'u' => of(FailureClass::Unauthorized, 401),
        'b' => of(FailureClass::Rejected, 400),
        'c' => of(FailureClass::ContextTooLong, 400),
        'p' => of(FailureClass::ContentRefused, 403),
        'e' => Failure {
            code: Some("invalid_encrypted_content".into()),
            ..of(FailureClass::Rejected, 400)
        },
        'n' => classify_transport(Fault::Connect, None, "refused"),
        't' => classify_transport(Fault::Timeout, None, "late"),
        other => panic!("no failure is written {other}"),
    }
}

/// Plays one exchange on alias `all`: each letter is how the next attempt fails, `.` is success.
/// Returns the providers called, in order, and how it ended.
fn play(state: &mut State, catalog: Catalog, script: &str, now: &mut UnixMs) -> String {
    let table = state.table(Arc::new(catalog), *now);
    let route = resolve(table.catalog(), Some("all")).unwrap();
    let facts = RequestFacts {
        inbound: Dialect::OpenaiChat,
        native_only: false,
        session: None,
        tokens: Tokens::default(),
        client: None,
    };
    let planned = plan(&state.view(&table), &route, &facts, *now);
    state.accept(&planned, *now);
    let mut exchange = Exchange::new(planned, &table.catalog().routing, false, *now, 1);
    let mut script = script.chars();
    let mut told = String::new();
    let mut step = exchange.step(*now);
    loop {
        step = match step {
            Step::Dial(dial) => {
                match state.reserve(&table, exchange.plan(), dial.candidate, *now) {
                    Err(refused) => exchange.on_refused(&refused, *now),
                    Ok(mut reservation) => {
                        let candidate = exchange.plan().candidates[dial.candidate];
                        told += &table.catalog().provider(candidate.model).unwrap().id;
                        match script.next().expect("no further attempt") {
                            '.' => {
                                let step = exchange.on_commit(*now);
                                assert_eq!(step, Step::Relay);
                                state.commit(&mut reservation, None, *now);
                                let end = exchange.on_end(None, *now);
                                state.settle(reservation, &end, *now);
                                return told + " ok";
                            }
                            letter => {
                                let (end, step) = exchange.on_failure(failure(letter), *now);
                                state.settle(reservation, &end, *now);
                                step
                            }
                        }
                    }
                }
            }
            Step::Wait { until } => {
                assert!(*now < until);
                *now = until;
                exchange.step(*now)
            }
            Step::Fail(refusal) => {
                assert_eq!(script.next(), None, "ended early: {refusal:?}");
                return format!("{told} {}", refusal.status());
            }
            Step::Relay => panic!("relay without commit"),
        }
    }
}

#[track_caller]
fn check(targets: (usize, usize), script: &str, expect: &str) {
    let mut now = UnixMs(1_000_000);
    let told = play(&mut State::new(), catalog(targets.0, targets.1), script, &mut now);
    assert_eq!(told, expect, "for {script:?}");
}

#[test]
fn failures_lead_to_the_same_or_the_next_candidate_by_class() {
    check((1, 0), ".", "a ok");
    check((2, 0), "r.", "ab ok");
    check((2, 0), "u.", "ab ok");
    check((2, 0), "t.", "ab ok");
    check((2, 0), "xx.", "aaa ok");
    check((2, 0), "xxx.", "aaab ok");
    check((2, 0), "nnn.", "aaab ok");
    check((1, 0), "xxx", "aaa 500");
    check((1, 0), "r", "a 429");
    check((1, 0), "t", "a 504");
}

#[test]
fn a_bad_request_is_never_retried() {
    check((2, 1), "b", "a 400");
}

#[test]
fn d10_a_refusal_of_content_neither_cools_down_nor_falls_back_unless_told() {
    check((2, 0), "p", "a 403");
    let mut now = UnixMs(1_000_000);
    let mut state = State::new();
    let mut willing = catalog(2, 0);
    willing.routing.cooldown.allow_policy_fallback = true;
    assert_eq!(play(&mut state, willing, "p.", &mut now), "ab ok");
    assert_eq!(state.held(now), []);
}

#[test]
fn d11_a_conversation_too_long_for_one_model_goes_to_the_next() {
    check((2, 0), "c.", "ab ok");
    check((2, 0), "cc", "ab 400");
    let mut state = State::new();
    let mut now = UnixMs(1_000_000);
    assert_eq!(play(&mut state, catalog(2, 0), "c.", &mut now), "ab ok");
    assert_eq!(state.held(now), []);
}

#[test]
fn d13_a_short_wait_is_sat_out_where_there_is_no_other_candidate() {
    check((1, 0), "s.", "aa ok");
    check((2, 0), "s.", "ab ok");
}

#[test]
fn d37_every_candidate_may_be_retried() {
    check((2, 1), "xxxxxx.", "aaabbbc ok");
}

#[test]
fn d3_fallback_targets_come_after_every_primary() {
    check((2, 2), "rrr.", "abcd ok");
}

#[test]
fn attempts_in_all_are_bounded() {
    check((9, 0), "xxxxxxxxxx", "aaabbbcccd 500");
}

#[test]
fn d45_the_failure_that_tells_most_is_returned() {
    check((2, 0), "cu", "ab 400");
    check((2, 0), "uc", "ab 400");
    check((2, 0), "ru", "ab 429");
    check((2, 0), "ur", "ab 429");
    check((2, 0), "tnnn", "abbb 502");
}

#[test]
fn d4_a_sole_candidate_is_tried_even_while_it_cools_down() {
    let mut state = State::new();
    let mut now = UnixMs(1_000_000);
    for script in ["r", "u", "xxx", "xxx", "xxx", "r"] {
        let expect = format!(
            "{} {}",
            "a".repeat(script.len()),
            failure(script.chars().next().unwrap()).client_status()
        );
        assert_eq!(play(&mut state, catalog(1, 0), script, &mut now), expect);
    }
    assert_eq!(play(&mut state, catalog(1, 0), ".", &mut now), "a ok");
    assert_eq!(state.held(now), []);
}

#[test]
fn a_candidate_that_cools_down_is_left_out_while_another_is_well() {
    let mut state = State::new();
    let mut now = UnixMs(1_000_000);
    assert_eq!(play(&mut state, catalog(2, 0), "r.", &mut now), "ab ok");
    assert_eq!(play(&mut state, catalog(2, 0), ".", &mut now), "b ok");
    now = now.after(Duration::from_secs(30));
    assert_eq!(play(&mut state, catalog(2, 0), ".", &mut now), "a ok");
}

#[test]
fn nothing_follows_the_commit() {
    let mut state = State::new();
    let now = UnixMs(5);
    let table = state.table(Arc::new(catalog(2, 0)), now);
    let facts = RequestFacts {
        inbound: Dialect::OpenaiChat,
        native_only: false,
        session: None,
        tokens: Tokens::default(),
        client: None,
    };
    let route = resolve(table.catalog(), Some("all")).unwrap();
    let planned = plan(&state.view(&table), &route, &facts, now);
    let mut exchange = Exchange::new(planned, &table.catalog().routing, true, now, 1);
    assert!(
        matches!(exchange.step(now), Step::Dial(Dial { timeouts, .. }) if timeouts.total.is_none())
    );
    assert_eq!(exchange.on_commit(now), Step::Relay);
    let cut = classify_transport(Fault::Cut, Some(200), "ended early");
    let (end, step) = exchange.on_failure(cut, now);
    assert!(matches!(end.effect, Effect::Failure { circuit: Some(Scope::Model), .. }));
    assert!(matches!(step, Step::Fail(refusal) if refusal.kind == RefusalKind::Broken));
    assert!(matches!(exchange.step(now), Step::Fail(_)));
    assert!(matches!(exchange.on_commit(now), Step::Fail(_)));
}

#[test]
fn no_attempt_begins_after_the_time_budget() {
    let mut state = State::new();
    let mut now = UnixMs(1_000_000);
    let mut hasty = catalog(3, 0);
    hasty.routing.retry.budget = Duration::from_millis(100);
    assert_eq!(play(&mut state, hasty, "xxx", &mut now), "abc 500");
    assert_eq!(now, UnixMs(1_000_000), "a retry that would start too late is not waited for");
}

/// The refusal of a request that finds nothing to call.
fn refusal(world: &crate::testing::World) -> Refusal {
    let plan = world.plan("x");
    let routing = &world.table.catalog().routing;
    match Exchange::new(plan, routing, true, world.now, 1).step(world.now) {
        Step::Fail(refusal) => *refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn d14_full_buckets_are_a_429_that_says_when_they_empty() {
    use crate::catalog::Strategy;
    use crate::testing::{World, catalog};
    let full = catalog("ab").alias("x", Strategy::Ordered, "a b", "");
    let mut world = World::new(full.monthly("a", 1).monthly("b", 1));
    assert_eq!(world.serve_all("x", 2), "ab");
    let told = refusal(&world);
    assert_eq!((told.kind, told.status()), (RefusalKind::Exhausted, 429));
    // 2026-03-01T00:00Z.
    assert_eq!(told.resets_at, Some(UnixMs(1_772_323_200_000)));
    assert_eq!(told.retry_after_s(), Some(2_323_200));
    assert_eq!(told.class(), FailureClass::RateLimited);
    assert_eq!(
        told.message("x"),
        "every target of `x` has used up its configured limits; try again in 2323200 s, \
         at 2026-03-01T00:00:00Z"
    );
}

/// Plays the part of the host for `exchange` until it calls, or is refused.
fn wait_for_call(world: &mut crate::testing::World, exchange: &mut Exchange) -> Step {
    let mut step = exchange.step(world.now);
    loop {
        step = match step {
            Step::Wait { until } => {
                world.now = until;
                exchange.step(until)
            }
            Step::Dial(dial) => {
                match world.state.reserve(&world.table, exchange.plan(), dial.candidate, world.now)
                {
                    Ok(held) => {
                        world.end(held, Effect::Success, None);
                        return Step::Dial(dial);
                    }
                    Err(refused) => exchange.on_refused(&refused, world.now),
                }
            }
            last => return last,
        }
    }
}

#[test]
fn d14_what_cools_down_and_is_probed_already_is_a_503_after_a_while() {
    use crate::catalog::Strategy;
    use crate::testing::{World, catalog};
    let mut world = World::new(catalog("a").alias("x", Strategy::Ordered, "a", ""));
    world.fail("x", FailureClass::RateLimited);
    let probe = world.begin("x").unwrap();
    let start = world.now;
    let routing = world.table.catalog().routing.clone();
    let mut exchange = Exchange::new(world.plan("x"), &routing, true, start, 1);
    let Step::Fail(told) = wait_for_call(&mut world, &mut exchange) else { panic!("called") };
    assert_eq!(world.now.since(start), PROBE_PATIENCE);
    assert_eq!((told.kind, told.status()), (RefusalKind::Cooling, 503));
    assert_eq!(told.retry_after_s(), Some(1));
    assert_eq!(exchange.attempts(), []);
    world.end(probe, Effect::Success, None);
    assert_eq!(world.serve("x"), "a");
}

#[test]
fn who_waits_for_a_probe_is_served_when_it_ends() {
    use crate::catalog::Strategy;
    use crate::testing::{World, catalog};
    for effect in [Effect::Success, Effect::Nothing] {
        let mut world = World::new(catalog("a").alias("x", Strategy::Ordered, "a", ""));
        world.fail("x", FailureClass::RateLimited);
        let probe = world.begin("x").unwrap();
        let routing = world.table.catalog().routing.clone();
        let mut exchange = Exchange::new(world.plan("x"), &routing, true, world.now, 1);
        assert!(matches!(exchange.step(world.now), Step::Dial(_)));
        let refused = world.state.reserve(&world.table, exchange.plan(), 0, world.now);
        let step = exchange.on_refused(&refused.unwrap_err(), world.now);
        assert_eq!(step, Step::Wait { until: world.now.after(PROBE_POLL) });
        world.end(probe, effect, None);
        world.now = world.now.after(PROBE_POLL);
        let call = wait_for_call(&mut world, &mut exchange);
        assert!(matches!(call, Step::Dial(Dial { attempt: 1, .. })), "{effect:?}");
    }
}

#[test]
fn a_route_that_speaks_no_common_dialect_is_refused_for_what_it_is() {
    use crate::catalog::Strategy;
    use crate::testing::{World, catalog};
    let gemini = catalog("a").alias("x", Strategy::Ordered, "a", "");
    let world = World::new(gemini.change("a", |p| p.models[0].dialects = vec![Dialect::Gemini]));
    assert_eq!((refusal(&world).kind, refusal(&world).status()), (RefusalKind::NoCandidate, 400));
}

#[test]
fn b7_22_state_an_upstream_cannot_read_is_left_out_once() {
    check((2, 0), "e.", "aa ok");
    check((2, 0), "ee", "aa 400");
    check((2, 0), "ex.", "aaa ok");
    let routing = Routing::default();
    let world = crate::testing::World::new(catalog(2, 0));
    let mut exchange = Exchange::new(world.plan("all"), &routing, true, world.now, 1);
    assert!(matches!(exchange.step(world.now), Step::Dial(Dial { stateless: false, .. })));
    let (settlement, step) = exchange.on_failure(failure('e'), world.now);
    assert!(matches!(step, Step::Dial(Dial { stateless: true, candidate: 0, attempt: 2, .. })));
    assert_eq!(settlement.effect, Effect::Nothing);
    let (_, step) = exchange.on_failure(failure('c'), world.now);
    assert!(matches!(step, Step::Dial(Dial { stateless: false, candidate: 1, .. })));
}

#[test]
fn a_candidate_that_never_answers_leaves_time_for_another() {
    let routing = Routing::default();
    let first_byte = Timeouts::default().first_byte.unwrap();
    assert!(routing.retry.budget > first_byte * 2);
    let mut world = crate::testing::World::new(catalog(2, 0));
    let mut exchange = Exchange::new(world.plan("all"), &routing, true, world.now, 1);
    assert!(matches!(exchange.step(world.now), Step::Dial(Dial { candidate: 0, .. })));
    world.now = world.now.after(first_byte);
    let (_, step) = exchange.on_failure(failure('t'), world.now);
    assert!(matches!(step, Step::Dial(Dial { candidate: 1, .. })));
}

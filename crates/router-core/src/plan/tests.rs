use super::*;
use crate::catalog::{Credential, Price, Strategy, TargetRef};
use crate::state::Effect;
use crate::testing::{World, catalog};

/// The largest lead either of two letters ever has in a prefix.
fn lead(text: &str, a: char, b: char) -> i32 {
    let mut lead = 0_i32;
    let mut most = 0;
    for letter in text.chars() {
        lead += i32::from(letter == a) - i32::from(letter == b);
        most = most.max(lead.abs());
    }
    most
}

#[test]
fn d5_auto_interleaves_equal_targets() {
    let catalog = catalog("ab").alias("x", Strategy::Auto, "a b", "");
    let mut world = World::new(catalog.monthly("a", 100).monthly("b", 100));
    let served = world.serve_all("x", 200);
    assert!(lead(&served, 'a', 'b') <= 2, "{served}");
    assert_eq!(served.matches('a').count(), 100);
    assert_eq!(world.serve("x"), "-", "both buckets are used up");
}

#[test]
fn rotating_strategies_keep_to_their_weights_in_every_prefix() {
    for (strategy, targets, expect) in [
        (Strategy::RoundRobin, "a*5 b c", "abcabcabc"),
        (Strategy::WeightedRr, "a b c", "abcabcabc"),
        (Strategy::WeightedRr, "a b*3", "babbbabbbabb"),
        (Strategy::WeightedRr, "a*2 b*2 c", "abcababcab"),
        (Strategy::QuotaAwareWeightedRr, "a b", "ababab"),
    ] {
        let mut world = World::new(catalog("abc").alias("x", strategy, targets, ""));
        let served = world.serve_all("x", expect.len());
        assert_eq!(served, expect, "{strategy:?} {targets}");
    }
}

#[test]
fn ordered_always_starts_with_the_first() {
    let mut world = World::new(catalog("abc").alias("x", Strategy::Ordered, "b a c", ""));
    assert_eq!(world.serve_all("x", 3), "bbb");
    assert_eq!(world.turn("x"), "bac");
}

#[test]
fn d44_a_fractional_weight_is_a_fraction() {
    let mut world = World::new(catalog("ab").alias("x", Strategy::WeightedRr, "a*0.5 b", ""));
    let served = world.serve_all("x", 300);
    assert_eq!(served.matches('a').count(), 100);
}

#[test]
fn d3_fallback_targets_never_take_part_in_rotation() {
    for strategy in [Strategy::Auto, Strategy::RoundRobin, Strategy::WeightedRr] {
        let mut world = World::new(catalog("abcd").alias("x", strategy, "a b", "c d"));
        assert_eq!(world.serve_all("x", 4), "abab");
        assert_eq!(world.turn("x"), "abcd");
        world.fail("a/m", FailureClass::RateLimited);
        world.fail("b/m", FailureClass::RateLimited);
        assert_eq!(world.turn("x"), "cd", "{strategy:?}");
    }
}

#[test]
fn d34_health_and_latency_move_traffic() {
    let catalog = catalog("ab").alias("x", Strategy::Auto, "a b", "");
    let mut world = World::new(catalog);
    world.teach("a", 100);
    world.teach("b", 124);
    assert_eq!(world.serve_all("x", 10).matches('a').count(), 5, "within a quarter is equal");
    world.teach("b", 400);
    assert_eq!(world.serve_all("x", 100).matches('a').count(), 80, "a is four times as fast");
    world.fail("a/m", FailureClass::ServerError);
    let served = world.plan("x");
    assert_eq!(world.letters(&served).len(), 2, "one failure does not open a circuit");
}

#[test]
fn d35_a_nested_alias_is_one_entry_and_keeps_its_own_strategy() {
    let nested = catalog("abcde").alias("inner", Strategy::RoundRobin, "b c d", "e").alias(
        "x",
        Strategy::RoundRobin,
        "a inner",
        "",
    );
    let mut world = World::new(nested);
    assert_eq!(world.serve_all("x", 12), "abacadabacad");
    assert_eq!(world.turn("x"), "abcde", "the inner fallback is second tier");
    let ordered = catalog("abc").alias("inner", Strategy::Ordered, "b c", "").alias(
        "x",
        Strategy::WeightedRr,
        "a inner*2",
        "",
    );
    let mut world = World::new(ordered);
    assert_eq!(world.serve_all("x", 6), "babbab");
}

#[test]
fn d36_a_cooldown_does_not_shift_the_rotation() {
    let mut world = World::new(catalog("abc").alias("x", Strategy::RoundRobin, "a b c", ""));
    assert_eq!(world.serve("x"), "a");
    world.fail("c/m", FailureClass::RateLimited);
    let served = world.serve_all("x", 20);
    assert!(lead(&served, 'a', 'b') <= 2, "{served}");
    world.wait(31);
    let served = world.serve_all("x", 9);
    for letter in ["a", "b", "c"] {
        assert!((2..=4).contains(&served.matches(letter).count()), "{served}");
    }
}

#[test]
fn d36_the_rotation_is_shared_by_all_dialects_and_survives_a_reload() {
    let with = |targets: &str| catalog("abc").alias("x", Strategy::RoundRobin, targets, "");
    let mut world = World::new(with("a b"));
    assert_eq!(world.serve("x"), "a");
    world.reload(with("c a b"));
    let served = world.serve_all("x", 6);
    assert_eq!(served.matches('a').count(), 2, "{served}");
    assert!(!served.starts_with('a'));
}

#[test]
fn d37_fallback_models_of_targets_come_last() {
    let mut linked = catalog("abcd").alias("x", Strategy::Ordered, "a b", "c");
    linked.providers[1].models[0].fallback_models = vec![ModelRef { provider: 3, model: 0 }];
    linked.providers[0].models[0].fallback_models = vec![ModelRef { provider: 1, model: 0 }];
    let mut world = World::new(linked);
    assert_eq!(world.turn("x"), "abcd");
    assert_eq!(world.turn("a/m"), "ab");
}

#[test]
fn least_latency_prefers_the_fastest_and_tries_the_unknown() {
    let mut world = World::new(catalog("abc").alias("x", Strategy::LeastLatency, "a b c", ""));
    world.teach("a", 500);
    world.teach("b", 100);
    assert_eq!(world.serve_all("x", 4), "bcbc");
    world.teach("c", 120);
    assert_eq!(world.serve_all("x", 4), "bcbc");
    world.teach("c", 300);
    assert_eq!(world.turn("x"), "bca");
}

#[test]
fn least_cost_prefers_the_cheapest_for_this_request() {
    let price = |input: f64, output: f64| {
        Some(Price { input, output, cache_read: None, cache_write: None })
    };
    let mut priced = catalog("abc").alias("x", Strategy::LeastCost, "a b c", "");
    priced.providers[0].models[0].price = price(1.0, 10.0);
    priced.providers[1].models[0].price = price(3.0, 3.0);
    let mut world = World::new(priced);
    world.tokens = Tokens::new(1_000, 10);
    assert_eq!(world.turn("x"), "abc", "long in, short out; the unknown price is last");
    world.tokens = Tokens::new(100, 1_000);
    assert_eq!(world.turn("x"), "bac");
}

#[test]
fn a_session_stays_where_it_is() {
    for strategy in [Strategy::Auto, Strategy::RoundRobin, Strategy::WeightedRr] {
        let mut world = World::new(catalog("abc").alias("x", strategy, "a b c", ""));
        for (session, letter) in [(1, "a"), (2, "b"), (3, "c"), (4, "a")] {
            world.session = Some(session);
            assert_eq!(world.serve("x"), letter, "sessions take turns");
        }
        for (session, letter) in [(3, "c"), (1, "a"), (2, "b"), (2, "b"), (3, "c"), (4, "a")] {
            world.session = Some(session);
            assert_eq!(world.serve("x"), letter, "{strategy:?}: sessions stay");
            assert!(world.plan("x").by_affinity);
        }
    }
}

#[test]
fn a_session_moves_when_its_target_fails_and_then_stays_there() {
    let mut world = World::new(catalog("ab").alias("x", Strategy::RoundRobin, "a b", ""));
    world.session = Some(1);
    assert_eq!(world.serve("x"), "a");
    world.fail("a/m", FailureClass::RateLimited);
    assert_eq!(world.serve("x"), "b");
    world.wait(60);
    assert_eq!(world.serve("x"), "b", "its cache is there now");
}

#[test]
fn a_session_is_forgotten_after_its_time() {
    let mut world = World::new(catalog("ab").alias("x", Strategy::RoundRobin, "a b", ""));
    world.session = Some(1);
    assert_eq!(world.serve_all("x", 3), "aaa");
    world.wait(3_601);
    assert_eq!(world.serve("x"), "b", "it is the next one's turn");
}

#[test]
fn an_alias_may_turn_affinity_off_and_ordered_has_none() {
    let mut off = catalog("ab").alias("x", Strategy::RoundRobin, "a b", "");
    off.aliases.get_mut("x").unwrap().affinity = false;
    let mut world = World::new(off);
    world.session = Some(1);
    assert_eq!(world.serve_all("x", 4), "abab");
    let mut world = World::new(catalog("ab").alias("x", Strategy::Ordered, "a b", ""));
    world.session = Some(1);
    world.fail("a/m", FailureClass::RateLimited);
    assert_eq!(world.serve("x"), "b");
    world.wait(31);
    assert_eq!(world.serve("x"), "a");
}

#[test]
fn a_session_moves_by_choice_only_when_staying_costs_more_than_its_cache() {
    let mut world = World::new(catalog("ab").alias("x", Strategy::Auto, "a b", ""));
    world.teach("a", 100);
    world.teach("b", 100);
    world.session = Some(1);
    let mut reservation = world.begin("x").unwrap();
    world.state.commit(&mut reservation, None, world.now);
    let used = Some(Tokens::new(50_000, 10));
    world.end(reservation, Effect::Success, used);
    // Reading 50,000 tokens again takes 5 s.
    world.session = None;
    world.teach("a", 4_000);
    world.session = Some(1);
    assert_eq!(world.letters(&world.plan("x")), "ab");
    world.session = None;
    world.teach("a", 6_000);
    world.session = Some(1);
    assert_eq!(world.letters(&world.plan("x")), "ba");
}

#[test]
fn a_session_moves_to_a_cheaper_target_only_if_that_saves_money() {
    let price = |input: f64, cache_read: f64| {
        Some(Price { input, output: 0.0, cache_read: Some(cache_read), cache_write: None })
    };
    let mut priced = catalog("ab").alias("x", Strategy::LeastCost, "a b", "");
    priced.providers[0].models[0].price = price(2.0, 0.2);
    priced.providers[1].models[0].price = price(1.0, 1.0);
    let mut world = World::new(priced);
    world.tokens = Tokens::new(1_000, 0);
    world.session = Some(1);
    world.fail("b/m", FailureClass::RateLimited);
    assert_eq!(world.serve("x"), "a");
    world.wait(31);
    assert_eq!(world.letters(&world.plan("x")), "ab", "cached at a costs a fifth of b");
    world.session = Some(2);
    assert_eq!(world.letters(&world.plan("x")), "ba");
}

#[test]
fn least_cost_learns_how_much_a_model_writes() {
    let price = |input: f64, output: f64| {
        Some(Price { input, output, cache_read: None, cache_write: None })
    };
    let mut priced = catalog("ab").alias("x", Strategy::LeastCost, "a b", "");
    priced.providers[0].models[0].price = price(1.0, 10.0);
    priced.providers[1].models[0].price = price(2.0, 2.0);
    let mut world = World::new(priced);
    world.tokens = Tokens::new(1_000, 0);
    assert_eq!(world.turn("x"), "ab");
    for name in ["a/m", "b/m"] {
        let reservation = world.begin(name).unwrap();
        let used = Some(Tokens::new(1_000, 800));
        world.end(reservation, Effect::Success, used);
    }
    assert_eq!(world.turn("x"), "ba");
}

proptest::proptest! {
    /// No target ever leads or lags its share by a whole request per target.
    #[test]
    fn every_prefix_keeps_to_the_weights(weights in proptest::collection::vec(1_u32..50, 2..6)) {
        let letters: Vec<char> = ('a'..='f').take(weights.len()).collect();
        let targets = letters.iter().zip(&weights).map(|(letter, weight)| format!("{letter}*{weight}"));
        let targets = targets.collect::<Vec<_>>().join(" ");
        let names: String = letters.iter().collect();
        let mut world = World::new(catalog(&names).alias("x", Strategy::WeightedRr, &targets, ""));
        let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        let mut served = std::collections::BTreeMap::<char, f64>::new();
        for made in 1..=200_u32 {
            let letter = world.turn("x").chars().next().unwrap();
            *served.entry(letter).or_default() += 1.0;
            for (letter, weight) in letters.iter().zip(&weights) {
                let share = f64::from(made) * f64::from(*weight) / total;
                let off = served.get(letter).copied().unwrap_or(0.0) - share;
                let most = f64::from(u32::try_from(weights.len()).unwrap());
                proptest::prop_assert!(off.abs() < most, "{letter} is off by {off} after {made}");
            }
        }
    }
}

fn two_keys() -> crate::catalog::Catalog {
    catalog("ab").alias("x", Strategy::Ordered, "a b", "").change("a", |provider| {
        let key = |label: &str, weight| Credential { label: label.into(), weight };
        provider.credentials = vec![key("k1", 1.0), key("k2", 2.0)];
    })
}

#[test]
fn credentials_take_turns_by_weight_and_come_before_the_next_target() {
    let mut world = World::new(two_keys());
    let turns: Vec<_> = (0..6).map(|_| world.turn("x")).collect();
    assert_eq!(turns, ["a2a1b", "a1a2b", "a2a1b", "a2a1b", "a1a2b", "a2a1b"]);
    assert_eq!(world.turn("a/m"), "a2a1");
}

#[test]
fn each_credential_has_its_own_cooldown() {
    let mut world = World::new(two_keys());
    world.fail("x", FailureClass::Unauthorized);
    assert_eq!(world.turn("x"), "a1b");
    world.fail("x", FailureClass::RateLimited);
    assert_eq!(world.turn("x"), "b");
    world.wait(31);
    assert_eq!(world.turn("x"), "a1b");
    world.wait(600);
    assert_eq!(world.turn("x").len(), 5);
}

#[test]
fn a_session_keeps_its_credential() {
    let mut world = World::new(two_keys());
    world.session = Some(7);
    assert_eq!((0..3).map(|_| world.turn("a/m")).collect::<String>(), "a2a1a2a1a2a1");
    world.session = Some(8);
    assert_eq!(world.turn("a/m"), "a1a2");
    world.session = Some(7);
    assert_eq!(world.turn("a/m"), "a2a1");
}

#[test]
fn the_soonest_to_recover_is_probed_when_everything_cools_down() {
    let mut world = World::new(catalog("abc").alias("x", Strategy::Ordered, "a b", "c"));
    world.fail("a/m", FailureClass::Unauthorized);
    world.fail("b/m", FailureClass::RateLimited);
    world.fail("c/m", FailureClass::Unauthorized);
    assert_eq!(world.turn("x"), "b!");
    let probe = world.begin("x").unwrap();
    assert_eq!(world.turn("x"), "a!", "one probe at a time on each candidate");
    world.end(probe, Effect::Success, None);
    assert_eq!(world.turn("x"), "b");
}

#[test]
fn full_buckets_are_never_probed() {
    let mut world = World::new(catalog("a").monthly("a", 1));
    assert_eq!(world.serve("a/m"), "a");
    let plan = world.plan("a/m");
    assert_eq!(plan.candidates, []);
    assert_eq!(plan.skipped[0].reason, SkipReason::Exhausted(0));
    assert!(plan.skipped[0].until.unwrap() > world.now);
}

#[test]
fn candidates_without_a_common_dialect_are_skipped() {
    let mixed = catalog("ab")
        .alias("x", Strategy::RoundRobin, "a b", "")
        .change("a", |provider| provider.models[0].dialects = vec![Dialect::Gemini]);
    let mut world = World::new(mixed);
    assert_eq!(world.serve_all("x", 3), "bbb");
    assert_eq!(world.plan("x").skipped[0].reason, SkipReason::Dialect);
}

#[test]
fn d25_a_dangling_target_costs_only_itself() {
    let mut dangling = catalog("a").alias("x", Strategy::RoundRobin, "a", "");
    let alias = dangling.aliases.get_mut("x").unwrap();
    let to = TargetRef::Model(ModelRef { provider: 7, model: 7 });
    alias.targets.push(crate::catalog::Target { to, weight: None });
    let to = TargetRef::Alias("x".into());
    alias.targets.push(crate::catalog::Target { to, weight: None });
    let mut world = World::new(dangling);
    assert_eq!(world.serve_all("x", 3), "aaa");
}

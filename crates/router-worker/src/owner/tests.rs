use router_core::bucket::Tokens;
use router_core::catalog::{
    Bucket, BucketModels, Client, Credential, Model, Provider, Window, WindowUnit,
};
use router_core::state::{Call, Refused, Report};
use router_wire::Dialect;

use super::*;

const NOW: UnixMs = UnixMs(1_770_000_000_000);

fn catalog(concurrent: Option<u64>, requests: Option<u64>) -> Catalog {
    let provider = Provider {
        id: "a".to_owned(),
        models: vec![Model { id: "m".to_owned(), ..Model::default() }],
        dialects: vec![Dialect::OpenaiChat],
        credentials: vec![Credential { label: "k".to_owned(), weight: 1.0 }],
        buckets: vec![bucket(concurrent, requests)],
        ..Provider::default()
    };
    Catalog { providers: vec![provider], ..Catalog::default() }
}

fn bucket(concurrent: Option<u64>, requests: Option<u64>) -> Bucket {
    Bucket {
        id: "b".to_owned(),
        models: BucketModels::All,
        per_credential: false,
        window: Window { unit: WindowUnit::Month, size: 1, time_zone: None },
        requests,
        tokens: None,
        input_tokens: None,
        output_tokens: None,
        concurrent,
        cost: None,
    }
}

fn owner(catalog: &Catalog) -> Owner {
    Owner::new(catalog, "a", None, Vec::new(), NOW).unwrap()
}

fn call(session: Option<u64>) -> Call {
    let (model, credential) = ("m".to_owned(), "k".to_owned());
    Call { model, credential, probe: false, tokens: Tokens::default(), session }
}

fn reserving(session: Option<u64>) -> Ask {
    Ask::Reserve(call(session))
}

fn reserve(owner: &mut Owner, now: UnixMs) -> Result<u64, Refused> {
    owner.ask(reserving(None), now).reserved.unwrap()
}

fn keep(owner: &mut Owner, now: UnixMs) -> Kept {
    let kept = owner.unkept(now);
    owner.kept(now);
    kept
}

fn settled(id: u64, answered: bool) -> Ask {
    let how = Settlement { answered, used: None, effect: Effect::Nothing };
    Ask::Tell(vec![Event::Settled { id, how }])
}

#[test]
fn of_two_hundred_calls_on_a_bucket_of_fifty_exactly_fifty_pass() {
    let mut owner = owner(&catalog(None, Some(50)));
    let passed = (0..200).filter(|_| reserve(&mut owner, NOW).is_ok()).count();
    assert_eq!(passed, 50);
}

#[test]
fn a_call_that_was_never_sent_is_given_back() {
    let mut owner = owner(&catalog(None, Some(1)));
    let id = reserve(&mut owner, NOW).unwrap();
    assert!(reserve(&mut owner, NOW).is_err());
    owner.ask(settled(id, false), NOW);
    assert!(reserve(&mut owner, NOW).is_ok());
}

#[test]
fn a_call_whose_end_nobody_reports_is_over_after_its_lease() {
    let mut owner = owner(&catalog(Some(1), None));
    let id = reserve(&mut owner, NOW).unwrap();
    assert!(reserve(&mut owner, NOW).is_err(), "one is in flight");
    let later = NOW.after(LEASE);
    let second = reserve(&mut owner, later).unwrap();
    owner.ask(settled(id, true), later);
    assert!(reserve(&mut owner, later).is_err(), "a late word ends no other call");
    owner.ask(settled(second, true), later);
    assert!(reserve(&mut owner, later).is_ok());
}

#[test]
fn what_is_kept_survives_a_restart() {
    let catalog = catalog(None, Some(2));
    let mut first = owner(&catalog);
    let id = first.ask(reserving(Some(7)), NOW).reserved.unwrap().unwrap();
    assert!(keep(&mut first, NOW).part.is_some(), "a count is worth keeping");
    let committed = Event::Committed { id, first_output_ms: Some(20) };
    let how = Settlement { answered: true, used: None, effect: Effect::Success };
    first.ask(Ask::Tell(vec![committed, Event::Settled { id, how }]), NOW);
    let kept = keep(&mut first, NOW);
    let text = serde_json::to_string(&kept.part.unwrap()).unwrap();
    let sessions = kept.sessions.into_iter().map(|(_, session)| session).collect();
    let part = serde_json::from_str(&text).unwrap();
    let mut second = Owner::new(&catalog, "a", Some(part), sessions, NOW).unwrap();
    let reply = second.ask(Ask::View { session: Some(7) }, NOW);
    assert_eq!(second.due(NOW), Due::Never, "looking changes nothing");
    let part = serde_json::to_string(&reply.part.unwrap()).unwrap();
    assert!(part.contains("\"session\":"), "{part}");
    assert!(reserve(&mut second, NOW).is_ok());
    assert!(reserve(&mut second, NOW).is_err(), "one of two was used before");
}

#[test]
fn counts_are_kept_at_once_and_the_rest_once_a_second() {
    let mut owner = owner(&catalog(None, Some(50)));
    assert_eq!(owner.due(NOW), Due::Never);
    let id = reserve(&mut owner, NOW).unwrap();
    assert_eq!(owner.due(NOW), Due::Now);
    keep(&mut owner, NOW);
    assert_eq!(owner.due(NOW), Due::Never, "it is kept");
    owner.ask(settled(id, true), NOW);
    let (soon, next) = (NOW.after(Duration::from_millis(999)), NOW.after(KEEP_EVERY));
    assert_eq!([owner.due(NOW), owner.due(soon)], [Due::At(next); 2], "how it ended may wait");
    assert_eq!(owner.due(next), Due::Now, "but not for longer");
    let second = reserve(&mut owner, soon).unwrap();
    assert_eq!(owner.due(soon), Due::Now, "the next count takes it along");
    assert!(keep(&mut owner, soon).part.is_some());
    owner.ask(settled(second, true), soon.after(KEEP_EVERY));
    assert_eq!(owner.due(soon.after(KEEP_EVERY)), Due::Now, "nothing was kept for a second");
}

#[test]
fn a_call_that_no_limit_counts_is_not_kept_at_once() {
    let unlimited = Catalog {
        providers: vec![Provider {
            buckets: Vec::new(),
            ..catalog(None, None).providers.remove(0)
        }],
        ..Catalog::default()
    };
    let mut owner = owner(&unlimited);
    let id = owner.ask(reserving(Some(7)), NOW).reserved.unwrap().unwrap();
    assert_eq!(owner.due(NOW), Due::Never);
    owner.ask(settled(id, true), NOW);
    assert_eq!(owner.due(NOW), Due::Now, "its session is, after a quiet second");
}

#[test]
fn what_became_of_a_call_that_nothing_counts_is_kept_with_its_session() {
    let catalog = catalog(None, None);
    let mut first = owner(&catalog);
    let call = call(Some(7));
    let how = Settlement { answered: true, used: None, effect: Effect::Success };
    let report = Report { call, began_ms_ago: 40, committed: true, first_output_ms: Some(20), how };
    let reply = first.ask(Ask::Tell(vec![Event::Over(report)]), NOW);
    assert!(reply.reserved.is_none());
    let kept = keep(&mut first, NOW);
    assert_eq!(kept.sessions.len(), 1);
    let sessions = kept.sessions.into_iter().map(|(_, session)| session).collect();
    let mut second = Owner::new(&catalog, "a", kept.part, sessions, NOW).unwrap();
    let part = second.ask(Ask::View { session: Some(7) }, NOW).part.unwrap();
    assert!(serde_json::to_string(&part).unwrap().contains("\"session\":"));
}

#[test]
fn a_provider_that_config_does_not_have_has_no_owner() {
    let catalog = catalog(None, None);
    assert!(Owner::new(&catalog, "b", None, Vec::new(), NOW).is_none());
    let mut owner = owner(&catalog);
    assert!(!owner.install(&Catalog::default(), NOW));
    assert!(owner.install(&catalog, NOW));
}

#[test]
fn a_client_key_has_an_owner_that_counts_its_requests() {
    let client = |buckets| Client { label: "team".to_owned(), models: Vec::new(), buckets };
    let clients = vec![client(vec![bucket(None, Some(2))])];
    let catalog = Catalog { clients, ..catalog(None, None) };
    let mut owner = Owner::new(&catalog, "client:team", None, Vec::new(), NOW).unwrap();
    let admit = |owner: &mut Owner| owner.ask(Ask::Admit(Tokens::default()), NOW).reserved;
    let first = admit(&mut owner).unwrap().unwrap();
    let second = admit(&mut owner).unwrap().unwrap();
    owner.ask(settled(first, true), NOW);
    owner.ask(settled(second, false), NOW);
    let part =
        keep(&mut owner, NOW).part.map(|part| serde_json::to_string(&part).unwrap()).unwrap();
    let kept = serde_json::from_str(&part).unwrap();
    let mut again = Owner::new(&catalog, "client:team", Some(kept), Vec::new(), NOW).unwrap();
    assert!(admit(&mut again).unwrap().is_ok(), "the second was given back");
    let refused = admit(&mut again).unwrap().unwrap_err();
    assert!(matches!(refused, Refused::Exhausted { bucket, .. } if bucket == "b"));
    assert!(Owner::new(&catalog, "client:gone", None, Vec::new(), NOW).is_none());
}

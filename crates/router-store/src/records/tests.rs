use std::os::unix::fs::PermissionsExt;

use router_core::bucket::Tokens;
use router_core::exchange::Outcome;
use router_core::failure::FailureClass;
use router_core::simulate::Recorded;
use router_core::time::UnixMs;
use router_wire::Dialect;
use tempfile::TempDir;

use super::*;
use crate::testing::{Notices, now};

fn record(at: UnixMs, route: &str) -> Record {
    Record {
        id: "req_1".into(),
        at,
        client: Some("master".into()),
        dialect: Dialect::Anthropic,
        outbound: Some(Dialect::OpenaiChat),
        model: Some("smart".into()),
        route: route.into(),
        target: Some("a/m".into()),
        credential: Some("k1".into()),
        stream: true,
        request_bytes: 4,
        session: Some(u64::MAX),
        outcome: Outcome::Complete,
        status: 200,
        first_output_ms: Some(12),
        total_ms: 34,
        tokens: Tokens::new(5, 6),
        cache_read: Some(1),
        cache_write: None,
        reasoning: None,
        cost: Some(0.25),
        losses: vec!["top-k".into()],
        attempts: vec![RecordedAttempt {
            target: "b/m".into(),
            credential: "k1".into(),
            failure: Some(FailureClass::Overloaded),
            status: Some(529),
            retry_after_ms: Some(1_500),
            answered: true,
            after_ms: 0,
            first_output_ms: 3,
            total_ms: 3,
        }],
    }
}

struct Kept {
    folder: TempDir,
    notices: Notices,
}

impl Kept {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), notices: Notices::default() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("records.sqlite")
    }

    fn open(&self, age_max: Duration, bytes_max: u64) -> Records {
        let options = RecordsOptions { path: self.path(), age_max, bytes_max };
        Records::open(options, &self.notices.report()).unwrap()
    }

    fn export(&self, filter: &Filter) -> Vec<Record> {
        let mut out = Vec::new();
        let count = export(&self.path(), filter, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let all: Vec<Record> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(u64::try_from(all.len()).unwrap(), count);
        all
    }
}

const DAY: Duration = Duration::from_hours(24);

#[test]
fn what_is_pushed_is_exported_in_order_even_while_the_router_runs() {
    let kept = Kept::new();
    let records = kept.open(DAY, u64::MAX);
    let begin = now();
    let all: Vec<_> =
        (0..5).map(|n| record(begin.after(Duration::from_secs(n)), &n.to_string())).collect();
    for record in &all {
        records.push(record.clone());
    }
    records.flush();
    assert_eq!(kept.export(&Filter::default()), all);
    assert_eq!(kept.export(&Filter { limit: Some(2), since: None }), all[3..]);
    assert_eq!(kept.export(&Filter { limit: None, since: Some(all[1].at) }), all[1..]);
    assert_eq!((records.written(), records.dropped()), (5, 0));
    let mode = std::fs::metadata(kept.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_record_is_what_simulate_reads() {
    let line = serde_json::to_string(&record(UnixMs(7), "x")).unwrap();
    let read: Recorded = serde_json::from_str(&line).unwrap();
    assert_eq!((read.at, read.model.as_deref(), read.stream), (UnixMs(7), Some("smart"), true));
    assert_eq!(read.tokens, Tokens::new(5, 6));
    assert_eq!(read.attempts[0].failure, Some(FailureClass::Overloaded));
    assert_eq!(read.attempts[0].retry_after_ms, Some(1_500));
    assert_eq!((read.attempts[0].target.as_str(), read.attempts[0].answered), ("b/m", true));
}

#[test]
fn records_that_are_waiting_are_written_at_the_end() {
    let kept = Kept::new();
    kept.open(DAY, u64::MAX).push(record(now(), "x"));
    assert_eq!(kept.export(&Filter::default()).len(), 1);
}

#[test]
fn what_is_too_old_or_too_much_is_removed() {
    let kept = Kept::new();
    let records = kept.open(DAY, u64::MAX);
    records.push(record(UnixMs(1), "old"));
    for n in 0..2_000 {
        records.push(record(now(), &n.to_string()));
    }
    drop(records);
    assert_eq!(kept.export(&Filter::default()).len(), 2_001);
    drop(kept.open(DAY, u64::MAX));
    assert_eq!(kept.export(&Filter::default()).len(), 2_000, "one was too old");
    let limit = 400 * 1024;
    drop(kept.open(DAY, limit));
    let left = kept.export(&Filter::default());
    assert!((200..1_500).contains(&left.len()), "{}", left.len());
    assert_eq!(left.last().unwrap().route, "1999", "the latest stay");
    assert!(std::fs::metadata(kept.path()).unwrap().len() <= limit);
}

#[test]
fn records_beyond_the_queue_are_dropped_and_counted() {
    let kept = Kept::new();
    let records = kept.open(DAY, u64::MAX);
    // Somebody else holds the file, so the thread cannot write.
    let other = Connection::open(kept.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = Instant::now();
    let pushed = 3 * u64::try_from(QUEUE_MAX).unwrap();
    for _ in 0..pushed {
        records.push(record(now(), "x"));
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "nothing waits");
    other.execute_batch("ROLLBACK").unwrap();
    records.flush();
    assert!(0 < records.dropped());
    assert_eq!(records.dropped() + records.written(), pushed);
}

#[test]
fn a_missing_file_is_named() {
    let kept = Kept::new();
    let missing = export(&kept.path(), &Filter::default(), &mut Vec::new());
    assert!(matches!(missing, Err(ExportError::Missing)));
}

use super::*;

fn window(unit: WindowUnit, size: u32, time_zone: Option<&str>) -> Window {
    Window { unit, size, time_zone: time_zone.map(Into::into) }
}

fn at(text: &str) -> UnixMs {
    let instant: jiff::Timestamp = text.parse().unwrap();
    UnixMs(u64::try_from(instant.as_millisecond()).unwrap())
}

/// Checks the span around `now` against its first and last boundary.
#[track_caller]
fn check(unit: WindowUnit, size: u32, zone: Option<&str>, now: &str, start: &str, end: &str) {
    let got = span(&window(unit, size, zone), at(now));
    assert_eq!(
        got,
        Span { start: at(start), end: at(end) },
        "{size} {unit:?} in {zone:?} at {now}"
    );
}

#[test]
fn windows_are_aligned_to_utc_as_documented() {
    use WindowUnit::{Day, Hour, Minute, Month, Second, Week};
    let now = "2026-02-28T15:42:47Z";
    check(Second, 30, None, now, "2026-02-28T15:42:30Z", "2026-02-28T15:43:00Z");
    check(Minute, 5, None, now, "2026-02-28T15:40:00Z", "2026-02-28T15:45:00Z");
    check(Hour, 5, None, now, "2026-02-28T12:00:00Z", "2026-02-28T17:00:00Z");
    check(Hour, 6, None, now, "2026-02-28T12:00:00Z", "2026-02-28T18:00:00Z");
    check(Day, 7, None, now, "2026-02-26T00:00:00Z", "2026-03-05T00:00:00Z");
    check(Week, 2, None, now, "2026-02-16T00:00:00Z", "2026-03-02T00:00:00Z");
    check(Month, 3, None, now, "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z");
    check(Month, 5, None, now, "2025-11-01T00:00:00Z", "2026-04-01T00:00:00Z");
    check(Month, 1, None, "2024-02-29T23:59:59Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z");
}

#[test]
fn windows_follow_the_wall_clock_of_their_zone() {
    use WindowUnit::{Day, Hour, Month};
    let zone = Some("Europe/Berlin");
    check(Day, 1, zone, "2026-03-28T23:30:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z");
    check(Day, 1, zone, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");
    check(Month, 1, zone, "2026-03-31T22:30:00Z", "2026-03-31T22:00:00Z", "2026-04-30T22:00:00Z");
    check(Hour, 1, zone, "2026-06-01T10:30:00Z", "2026-06-01T10:00:00Z", "2026-06-01T11:00:00Z");
    assert!(knows_zone("Europe/Berlin") && !knows_zone("Europe/Atlantis"));
}

#[test]
fn a_moment_always_lies_in_its_span_and_the_next_span_follows() {
    use WindowUnit::{Day, Hour, Minute, Month, Second, Week};
    let mut seed = crate::seed::Seed::new(1);
    for unit in [Second, Minute, Hour, Day, Week, Month] {
        for zone in [None, Some("America/New_York"), Some("Australia/Lord_Howe")] {
            for _ in 0..300 {
                let now = UnixMs(seed.draw() % 4_000_000_000_000);
                let size = u32::try_from(seed.draw() % 40).unwrap() + 1;
                let window = window(unit, size, zone);
                let found = span(&window, now);
                assert!(found.holds(now), "{window:?} at {now:?}: {found:?}");
                if zone.is_none() && found.start.0 > 0 {
                    assert_eq!(span(&window, found.end).start, found.end);
                    assert_eq!(span(&window, UnixMs(found.start.0 - 1)).end, found.start);
                }
            }
        }
    }
}

proptest::proptest! {
    /// No size, moment or zone is too odd to be counted in.
    #[test]
    fn every_window_has_a_span(unit in 0_usize..6, size: u32, now: u64, zoned: bool) {
        use WindowUnit::{Day, Hour, Minute, Month, Second, Week};
        let unit = [Second, Minute, Hour, Day, Week, Month][unit];
        let window = window(unit, size, zoned.then_some("Asia/Kathmandu"));
        let now = UnixMs(now >> 3);
        let found = span(&window, now);
        proptest::prop_assert!(found.start <= found.end);
        if now.0 < 4_000_000_000_000 {
            proptest::prop_assert!(found.holds(now), "{window:?} at {now:?}: {found:?}");
        }
    }
}

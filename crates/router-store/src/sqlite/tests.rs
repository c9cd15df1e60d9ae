use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use proptest::prelude::*;
use router_core::catalog::{Bucket, Window, WindowUnit};
use router_core::cooldown::Scope;
use router_core::failure::FailureClass;
use router_core::state::Effect;
use router_core::time::UnixMs;
use tempfile::TempDir;

use super::*;
use crate::Store;
use crate::testing::{MINUTE, Notices, World, bucket, catalog, monthly, now};

/// Where the test that is killed keeps its state.
const CHILD_FILE: &str = "ROUTER_STORE_CHILD_FILE";

struct Folder {
    folder: TempDir,
    notices: Notices,
}

impl Folder {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), notices: Notices::default() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("state.sqlite")
    }

    fn older(&self) -> PathBuf {
        self.folder.path().join("state.json")
    }

    fn store(&self) -> Store {
        let options = SqliteOptions { path: self.path(), older: Some(self.older()) };
        Store::sqlite(&options, &self.notices.report())
    }

    fn world(&self) -> World {
        World::new(self.store(), catalog(monthly(100)), now())
    }

    /// Files that were set aside.
    fn aside(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path());
        files.filter(|path| path.to_string_lossy().contains(".corrupt-")).collect()
    }
}

#[test]
fn counts_are_exact_after_a_restart() {
    let folder = Folder::new();
    for round in 1..=4 {
        let world = folder.world();
        for _ in 0..30 {
            world.serve("a/m");
        }
        assert_eq!(world.counted(), (round * 30).min(100));
    }
    assert_eq!(folder.notices.take(), []);
}

/// A small file system at a folder, which only root can make.
struct Small(PathBuf);

impl Small {
    const BYTES: &str = "size=4m";

    fn at(folder: &Path) -> Option<Self> {
        let mount = ["-t", "tmpfs", "-o", Self::BYTES, "tmpfs"];
        let made = Command::new("mount").args(mount).arg(folder).stderr(Stdio::null()).status();
        let made = made.is_ok_and(|status| status.success());
        assert!(made || std::env::var_os("CI").is_none(), "CI has to be able to mount");
        made.then(|| Self(folder.to_owned()))
    }

    /// Leaves room for nothing.
    fn fill(&self) {
        let mut ballast = fs::File::create(self.0.join("ballast")).unwrap();
        for size in [4096, 1] {
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_costs_nothing_but_the_file_and_is_made_good_when_there_is_room() {
    let folder = Folder::new();
    let Some(disk) = Small::at(folder.folder.path()) else { return };
    let world = folder.world();
    world.serve("a/m");
    world.store.flush();
    disk.fill();
    for session in 0..2_000 {
        let mut reservation = world.reserve("x", Some(session)).unwrap();
        world.store.commit(&mut reservation, None, world.now);
        world.settle(reservation, true, Effect::Success);
    }
    world.store.flush();
    let said = folder.notices.take();
    assert!(matches!(said.as_slice(), [Notice::NotWritten { .. }]), "{said:?}");
    let counted = world.counted();
    assert!(50 < counted, "memory goes on");
    disk.free();
    world.store.flush();
    let said = folder.notices.take();
    assert!(matches!(said.as_slice(), [Notice::Written { .. }]), "{said:?}");
    drop(world);
    assert_eq!(folder.world().counted(), counted);
    assert!(folder.aside().is_empty());
}

#[test]
fn a_call_without_an_answer_is_not_counted_after_a_restart() {
    let folder = Folder::new();
    let world = folder.world();
    let reservation = world.reserve("a/m", None).unwrap();
    world.store.flush();
    world.settle(reservation, false, Effect::Nothing);
    drop(world);
    assert_eq!(folder.world().counted(), 0);
}

#[test]
fn only_the_owner_reads_the_file() {
    let folder = Folder::new();
    fs::write(folder.path(), "").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let world = folder.world();
    world.serve("a/m");
    world.store.flush();
    let mut files = 0;
    for file in fs::read_dir(folder.folder.path()).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        files += 1;
    }
    assert!(2 <= files, "the state and its log");
}

#[test]
fn a_damaged_file_is_set_aside_and_a_fresh_one_begun() {
    let lost = |write: &dyn Fn(&Folder)| {
        let folder = Folder::new();
        write(&folder);
        let world = folder.world();
        assert!(world.serve("a/m"));
        drop(world);
        let notices = folder.notices.take();
        assert!(matches!(&notices[..], [Notice::SetAside { .. }]), "{notices:?}");
        assert!(!folder.aside().is_empty());
        assert_eq!(folder.world().counted(), 1, "the fresh one is kept");
        assert_eq!(folder.notices.take(), []);
    };
    lost(&|folder| fs::write(folder.path(), "not a database, but long enough to look at").unwrap());
    let change = |sql: &'static str| {
        move |folder: &Folder| {
            drop(folder.world());
            Connection::open(folder.path()).unwrap().execute_batch(sql).unwrap();
        }
    };
    lost(&change("PRAGMA user_version = 99"));
    lost(&change("UPDATE part SET body = '{' WHERE kind = 'provider'"));
    lost(&change("DROP TABLE part; CREATE TABLE part (x); PRAGMA user_version = 7"));
}

#[test]
fn a_second_store_on_the_same_file_says_so_and_counts_by_itself() {
    let folder = Folder::new();
    let first = folder.world();
    first.serve("a/m");
    let second = folder.world();
    assert_eq!(folder.notices.take(), [Notice::InUse { path: folder.path() }]);
    second.serve("a/m");
    second.serve("a/m");
    assert_eq!((first.counted(), second.counted()), (1, 2));
    drop(second);
    drop(first);
    assert_eq!(folder.world().counted(), 1, "the first one's");
    assert!(folder.aside().is_empty(), "a file in use is not touched");
}

#[test]
fn d7_a_file_that_cannot_be_made_leaves_the_state_in_memory() {
    let folder = Folder::new();
    let path = folder.folder.path().join("file");
    fs::write(&path, "").unwrap();
    let options = SqliteOptions { path: path.join("state.sqlite"), older: None };
    let store = Store::sqlite(&options, &folder.notices.report());
    assert!(matches!(&folder.notices.take()[..], [Notice::Unusable { .. }]));
    let world = World::new(store, catalog(monthly(1)), now());
    assert!(world.serve("a/m"));
    assert!(!world.serve("a/m"));
}

#[test]
fn counts_of_the_older_program_are_taken_over_once() {
    let folder = Folder::new();
    // Spans of a thousand years, so that the one now is known.
    let window = Window { unit: WindowUnit::Month, size: 12_000, time_zone: None };
    let buckets = vec![Bucket { requests: Some(50), window, ..bucket("age") }];
    let world = || World::new(folder.store(), catalog(buckets.clone()), now());
    let file = r#"{"version":1,"routeCursors":{"x":3},"candidateStates":{},"bucketUsage":{
        "bucket:a:age":{"month:12000:2000-01":{"count":40}}}}"#;
    fs::write(folder.older(), file).unwrap();
    assert_eq!(world().counted(), 40);
    assert_eq!(folder.notices.take(), [Notice::Imported { from: folder.older() }]);
    let again = world();
    again.serve("a/m");
    assert_eq!((again.counted(), folder.notices.take()), (41, Vec::new()));
}

#[test]
#[ignore = "another test runs it in a process of its own, and kills it"]
fn child_that_is_killed() {
    let path = PathBuf::from(std::env::var_os(CHILD_FILE).unwrap());
    let options = SqliteOptions { path, older: None };
    let store = Store::sqlite(&options, &Notices::default().report());
    let world = World::new(store, catalog(monthly(u64::MAX)), now());
    let begun = Instant::now();
    while begun.elapsed() < MINUTE {
        for _ in 0..50 {
            assert!(world.serve("a/m"));
        }
        let count = world.counted();
        writeln!(std::io::stderr(), "counted {count} at {}", now().0).unwrap();
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn d9_a_killed_process_loses_at_most_its_last_second() {
    let folder = Folder::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sqlite::tests::child_that_is_killed", "--ignored", "--nocapture"])
        .env(CHILD_FILE, folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut counts = Vec::new();
    for line in lines {
        let figures = line.strip_prefix("counted ").and_then(|rest| rest.split_once(" at "));
        let Some((count, at)) = figures else { continue };
        counts.push((at.parse::<u64>().unwrap(), count.parse::<u64>().unwrap()));
        if counts[0].0 + 2_500 < at.parse::<u64>().unwrap() {
            // On Unix this is SIGKILL.
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    let killed = counts.last().unwrap().0;
    let before = counts.iter().rfind(|(at, _)| at + 1_000 <= killed).unwrap().1;
    let kept = folder.world().counted();
    assert_eq!(folder.notices.take(), []);
    assert!(before <= kept, "{kept} kept, {before} were counted a second before");
    assert!(kept <= counts.last().unwrap().1 + 50, "nothing was made up");
}

/// One thing that happens to a store.
#[derive(Clone, Debug)]
enum Event {
    Serve { name: &'static str, session: Option<u64>, end: End },
    Wait(u64),
    Restart,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Success,
    NoAnswer,
    Cooldown(Scope),
    Circuit,
}

fn event() -> impl Strategy<Value = Event> {
    let end = prop_oneof![
        6 => Just(End::Success),
        1 => Just(End::NoAnswer),
        1 => prop::sample::select(vec![
            Scope::Lane, Scope::Model, Scope::Credential, Scope::Provider,
        ]).prop_map(End::Cooldown),
        1 => Just(End::Circuit),
    ];
    let name = prop::sample::select(vec!["a/m", "x"]);
    prop_oneof![
        8 => (name, prop::option::of(0..3_u64), end)
            .prop_map(|(name, session, end)| Event::Serve { name, session, end }),
        1 => (1..200_u64).prop_map(Event::Wait),
        1 => Just(Event::Restart),
    ]
}

/// Carries out all but restarts; whether there was room.
fn carry_out(world: &mut World, event: &Event) -> Option<bool> {
    match event {
        Event::Restart => None,
        Event::Wait(seconds) => {
            world.now = world.now.after(Duration::from_secs(*seconds));
            None
        }
        Event::Serve { name, session, end } => {
            let Some(mut reservation) = world.reserve(name, *session) else { return Some(false) };
            let class = FailureClass::Overloaded;
            let failed = |cooldown, circuit| Effect::Failure { class, cooldown, circuit };
            let effect = match end {
                End::Success => {
                    world.store.commit(&mut reservation, None, world.now);
                    Effect::Success
                }
                End::NoAnswer => Effect::Nothing,
                End::Cooldown(scope) => failed(Some((*scope, MINUTE)), None),
                End::Circuit => failed(None, Some(Scope::Model)),
            };
            world.settle(reservation, !matches!(end, End::NoAnswer), effect);
            Some(true)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Restarts change nothing that memory alone would have known.
    #[test]
    fn restarts_are_invisible(events in prop::collection::vec(event(), 1..40)) {
        let folder = Folder::new();
        let begin = UnixMs(now().0);
        let buckets = monthly(15);
        let mut memory = World::new(Store::default(), catalog(buckets.clone()), begin);
        let mut kept = World::new(folder.store(), catalog(buckets.clone()), begin);
        for event in &events {
            if matches!(event, Event::Restart) {
                let at = kept.now;
                drop(kept);
                kept = World::new(folder.store(), catalog(buckets.clone()), at);
            }
            prop_assert_eq!(carry_out(&mut memory, event), carry_out(&mut kept, event));
        }
        let rows = |world: &World| {
            world.store.look(|state| rows_of(&state.save(world.now)).unwrap())
        };
        prop_assert_eq!(rows(&memory), rows(&kept));
    }
}

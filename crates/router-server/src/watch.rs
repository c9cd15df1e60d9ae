//! Noticing that the config file changed.
//!
//! Editors replace files in many ways: writing in place, writing a new file and renaming it over
//! the old one, moving the old one away first. A path may also be a symlink whose target is
//! replaced. So the folders of the path and of what it resolves to are watched, any event in them
//! starts a pause, and after the pause the file's content is compared with what is in use.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// The content is compared this often even without an event, for file systems that send none.
const POLL: Duration = Duration::from_secs(5);
/// Events waiting to be looked at; more of them say nothing new.
const EVENTS_MAX: usize = 1;
/// Pauses that events may add up to before the file is looked at all the same.
const PAUSES_MAX: u32 = 10;

/// Tells when a file may have changed.
#[derive(Debug)]
pub(crate) struct FileWatch {
    path: PathBuf,
    debounce: Duration,
    events: mpsc::Receiver<()>,
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
}

impl FileWatch {
    /// Starts to watch `path`. Where the platform's notification is not available, polling alone
    /// has to do.
    pub(crate) fn new(path: PathBuf, debounce: Duration) -> Self {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        // What changed between the first reading and the first watching has no event of its own.
        let _ = sender.try_send(());
        let on_event = move |event: notify::Result<notify::Event>| {
            // Reading the file is no change; a full channel already means "look".
            if !event.is_ok_and(|event| event.kind.is_access()) {
                let _ = sender.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(on_event)
            .inspect_err(|error| tracing::warn!(%error, "cannot watch files; polling instead"))
            .ok();
        let mut watch = Self { path, debounce, events, watcher, folders: BTreeSet::new() };
        watch.follow();
        watch
    }

    /// Resolves when the file may have changed.
    pub(crate) async fn changed(&mut self) {
        tokio::select! {
            // Without a watcher there are no events: only the poll is left.
            Some(()) = self.events.recv() => {
                // Each further event starts the pause anew, within reason: a home directory may
                // never be quiet.
                let until = Instant::now() + self.debounce * PAUSES_MAX;
                while Instant::now() < until
                    && matches!(
                        tokio::time::timeout(self.debounce, self.events.recv()).await,
                        Ok(Some(()))
                    )
                {}
            }
            () = tokio::time::sleep(POLL) => {}
        }
        self.follow();
    }

    /// Watches the folders the path leads through now; symlinks may have moved.
    fn follow(&mut self) {
        let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
        let mut step = self.path.clone();
        for _ in 0..=SYMLINKS_MAX {
            let folder = step.parent().unwrap_or_else(|| Path::new("")).to_path_buf();
            let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
            let Ok(target) = std::fs::read_link(&step) else {
                folders.insert(folder);
                break;
            };
            step = folder.join(target);
            folders.insert(folder);
        }
        // A folder along the way may itself be a symlink (as Kubernetes mounts are).
        if let Ok(real) = self.path.canonicalize() {
            folders.extend(real.parent().map(Path::to_path_buf));
        }
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.folders.difference(&folders) {
            let _ = watcher.unwatch(gone);
        }
        self.folders.retain(|folder| folders.contains(folder));
        for folder in folders {
            if !self.folders.contains(&folder)
                && watcher.watch(&folder, RecursiveMode::NonRecursive).is_ok()
            {
                self.folders.insert(folder);
            }
        }
    }
}

/// Symlinks followed one after the other at most, as in Linux.
const SYMLINKS_MAX: usize = 40;

//! Edits of the config file that lose nothing.
//!
//! One edit at a time, across processes; the whole result is checked before it is written; the
//! file is replaced at once or not at all; and what was there before can be brought back.

mod check;
mod history;
mod lock;
mod write;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use router_config::edit::Document;
use router_config::{Diagnostic, Lookup};

use crate::change::{self, Change};
use crate::{Failure, Kind};

pub use history::{BACKUPS_MAX, Direction};

/// A config file by its path.
pub struct ConfigFile<'a> {
    path: PathBuf,
    /// The file itself, behind every symbolic link.
    target: PathBuf,
    lookup: &'a dyn Lookup,
}

/// Shows the path only.
impl std::fmt::Debug for ConfigFile<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfigFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What the file holds now.
#[derive(Debug)]
pub struct Current {
    /// The document; a new one if there is no file.
    pub document: Document,
    /// Whether there is a file.
    pub exists: bool,
    /// What the operator should know about the file itself.
    pub warnings: Vec<String>,
}

/// What came of an edit.
#[derive(Debug)]
pub struct Saved {
    /// The file.
    pub path: PathBuf,
    /// Whether the file was written; `false` for a dry run and when nothing is different.
    pub written: bool,
    /// What is different, with secrets masked.
    pub changes: Vec<Change>,
    /// Where the text from before is kept.
    pub backup: Option<PathBuf>,
    /// Errors that were in the file before and still are.
    pub remaining: Vec<Diagnostic>,
    /// Warnings about what the edit brought in.
    pub warnings: Vec<Diagnostic>,
    /// What else the operator should know, such as permissions that were tightened.
    pub notes: Vec<String>,
}

impl<'a> ConfigFile<'a> {
    /// Names a file; `lookup` finds the secrets that it refers to.
    pub fn new(path: &Path, lookup: &'a dyn Lookup) -> Self {
        Self { path: path.to_owned(), target: write::behind_links(path), lookup }
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text of the file; `None` if there is none.
    pub fn text(&self) -> Result<Option<String>, Failure> {
        match router_secret::read_text(&self.target) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                let message = format!("cannot read {}: {error}", self.path.display());
                Err(Failure::input(message).hint("check the file's owner and permissions"))
            }
        }
    }

    /// Reads the file without a lock.
    pub fn read(&self) -> Result<Current, Failure> {
        let text = self.text()?;
        let document = parse(text.as_deref().unwrap_or_default(), &self.path)?;
        let exposed = router_secret::exposed(&self.target).ok().flatten();
        let warnings = exposed
            .map(|it| format!("{it}; the next edit ends that, and so does `{}`", it.fix()))
            .into_iter()
            .collect();
        Ok(Current { document, exists: text.is_some(), warnings })
    }

    /// Changes the document and writes it, all or nothing.
    ///
    /// The change sees the file as it is under the lock, so two edits at the same time both
    /// count. A result with an error that was not there before is refused. `dry_run` does
    /// everything but write.
    pub fn edit<T>(
        &self,
        dry_run: bool,
        change: impl FnOnce(&mut Document) -> Result<T, Failure>,
    ) -> Result<(T, Saved), Failure> {
        let _lock = if dry_run { None } else { Some(self.lock()?) };
        let before = self.text()?;
        let mut document = parse(before.as_deref().unwrap_or_default(), &self.path)?;
        let value = change(&mut document)?;
        let is_same = before.as_deref() == Some(document.text())
            || before.is_none() && document == Document::default();
        let saved = self.store(before.as_deref(), document.text(), dry_run, is_same, |target| {
            before.as_deref().map(|before| history::keep(target, before)).transpose()
        })?;
        Ok((value, saved))
    }

    /// Brings back the text from before the last edit, or takes that back again.
    pub fn undo(&self, direction: Direction, dry_run: bool) -> Result<Saved, Failure> {
        let _lock = if dry_run { None } else { Some(self.lock()?) };
        let before = self.text()?;
        let Some((kept, text)) = history::newest(&self.target, direction)
            .map_err(|error| self.cannot("read the backups of", &error))?
        else {
            return Err(Failure::input(match direction {
                Direction::Back => "there is no earlier version to go back to",
                Direction::Forth => "there is no undone edit to bring back",
            }));
        };
        let saved = self.store(before.as_deref(), &text, dry_run, false, |target| {
            let before = before.as_deref();
            before.map(|before| history::keep_for(target, before, direction.back())).transpose()
        })?;
        if saved.written {
            // Left behind, it would only be offered once more.
            let _ = fs::remove_file(kept);
        }
        Ok(saved)
    }

    /// Writes a whole text in the place of `expected`, which is what the operator began with.
    pub fn replace(&self, expected: Option<&str>, text: &str) -> Result<Saved, Failure> {
        let _lock = self.lock()?;
        let before = self.text()?;
        if before.as_deref() != expected {
            let message = format!("{} was changed by somebody else meanwhile", self.path.display());
            return Err(Failure::failed(message).hint("start over from the file as it is now"));
        }
        parse(text, &self.path)?;
        let is_same = before.as_deref() == Some(text);
        self.store(before.as_deref(), text, false, is_same, |target| {
            before.as_deref().map(|before| history::keep(target, before)).transpose()
        })
    }

    fn lock(&self) -> Result<lock::Lock, Failure> {
        lock::take(&self.target).map_err(|error| match error {
            lock::LockError::Held(holder) => {
                let message = format!("{} is being edited by {holder}", self.path.display());
                Failure::failed(message).hint("try again when it has finished")
            }
            lock::LockError::Io(error) => self.cannot("write", &error),
        })
    }

    fn cannot(&self, verb: &str, error: &io::Error) -> Failure {
        let message = format!("cannot {verb} {}: {error}", self.path.display());
        Failure::failed(message).hint(match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "the disk is full; the config is as it was"
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                "the folder must be writable for an edit; the config is as it was"
            }
            _ => "the config is as it was",
        })
    }

    /// Checks and writes; `keep` puts the old text aside first and says where.
    fn store(
        &self,
        before: Option<&str>,
        after: &str,
        dry_run: bool,
        is_same: bool,
        keep: impl FnOnce(&Path) -> io::Result<Option<PathBuf>>,
    ) -> Result<Saved, Failure> {
        let checked = check::check(before.unwrap_or_default(), after, self.lookup)?;
        let mut notes = checked.notes;
        let mut backup = None;
        let write = !dry_run && !is_same;
        let exposed = router_secret::exposed(&self.target).ok().flatten();
        if write {
            backup = keep(&self.target).map_err(|error| self.cannot("write", &error))?;
            if let Err(error) = write::replace(&self.target, after) {
                // An undo would go back to what is there anyway.
                let _ = backup.as_deref().map(fs::remove_file);
                return Err(self.cannot("write", &error));
            }
        } else if !dry_run && exposed.is_some() {
            write::tighten(&self.target).map_err(|error| self.cannot("protect", &error))?;
        }
        if let Some(exposed) = exposed.filter(|_| !dry_run) {
            notes.push(format!("{exposed} no more"));
        }
        Ok(Saved {
            path: self.path.clone(),
            written: write,
            changes: change::between(before.unwrap_or_default(), after),
            backup,
            remaining: checked.remaining,
            warnings: checked.warnings,
            notes,
        })
    }
}

fn parse(text: &str, path: &Path) -> Result<Document, Failure> {
    Document::parse(text).map_err(|error| {
        let message = format!("{} cannot be edited: {error}", path.display());
        Failure::new(Kind::Config, message)
            .hint("`llm-router config undo` brings back the version before the last edit, and `llm-router validate` shows the place")
    })
}

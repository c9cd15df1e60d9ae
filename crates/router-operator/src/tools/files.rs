//! Writing settings files, and taking that back.
//!
//! The record of a tool holds, for every file, the text from before and the text as written. Undoing
//! is a merge: what the patch changed goes back, what others have changed since stays.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::formats::{Format, Settings};
use super::{Places, Plan, Scope, Tool, ToolError, read, store};
use crate::instance::create_private_folder;

/// A settings file, before and after.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FileEdit {
    /// The file.
    pub path: PathBuf,
    /// Its text before; absent if there was no file.
    pub before: Option<String>,
    /// Its text afterwards.
    pub after: String,
}

impl FileEdit {
    /// What is different, as a unified diff in which `secret` is masked.
    pub fn diff(&self, secret: &str) -> String {
        let mask = |text: &str| {
            if secret.is_empty() { text.to_owned() } else { text.replace(secret, "********") }
        };
        let (before, after) = (mask(self.before.as_deref().unwrap_or_default()), mask(&self.after));
        if before == after {
            return String::new();
        }
        let patch = diffy::create_patch(&before, &after).to_string();
        // Its own headings name no file.
        let body = patch.split_once("@@").map_or("", |(_, body)| body);
        let path = self.path.display();
        let from = if self.before.is_some() { path.to_string() } else { "/dev/null".to_owned() };
        format!("--- {from}\n+++ {path}\n@@{body}")
    }
}

/// What was written.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The files.
    pub files: Vec<PathBuf>,
    /// Where the texts from before are kept.
    pub record: PathBuf,
}

/// What was put back.
#[derive(Clone, Debug)]
pub struct Undone {
    /// Files that are as they were, but for what others have changed since.
    pub restored: Vec<PathBuf>,
    /// Files that did not exist before and are gone.
    pub removed: Vec<PathBuf>,
}

/// The name of the record of a tool, which differs between projects.
pub(super) fn record_name(tool: Tool, places: &Places, scope: Scope) -> String {
    match scope {
        Scope::User => format!("{}.json", tool.name()),
        Scope::Project => {
            let digest = Sha256::digest(places.project.as_os_str().as_encoded_bytes());
            let digits: Vec<_> = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!("{}.{}.json", tool.name(), digits.concat())
        }
    }
}

/// Works out the new text of a file. A file that was set up before is edited as it was without that.
pub(super) fn edit(
    places: &Places,
    record: &str,
    path: PathBuf,
    format: Format,
    change: &dyn Fn(&mut Settings) -> Result<(), String>,
) -> Result<FileEdit, ToolError> {
    let current = read(&path)?;
    let recorded = recorded(&store(places).join(record))?;
    let recorded = recorded.into_iter().find(|each| each.path == path);
    let before = match (&recorded, &current) {
        (Some(recorded), Some(current)) => match unpatched(recorded, current) {
            Some(text) => text,
            None => Some(current.clone()),
        },
        _ => current,
    };
    let wrong =
        |message: String| ToolError::Syntax { path: path.clone(), format: format.name(), message };
    let text = before.as_deref().unwrap_or_default();
    let mut settings = Settings::parse(text, format).map_err(wrong)?;
    change(&mut settings).map_err(wrong)?;
    let after = settings.text();
    Ok(FileEdit { path, before, after })
}

/// Writes the files of a plan and keeps what was there.
pub fn apply(plan: &Plan, tool: Tool, places: &Places, scope: Scope) -> Result<Applied, ToolError> {
    let folder = store(places);
    let record = folder.join(record_name(tool, places, scope));
    // First of all: whatever happens next can be taken back.
    create_private_folder(&folder).map_err(|error| ToolError::File {
        verb: "make",
        path: folder.clone(),
        error,
    })?;
    let text = serde_json::to_string_pretty(&plan.edits).unwrap_or_default();
    write(&record, &text)?;
    for edit in &plan.edits {
        write(&edit.path, &edit.after)?;
    }
    Ok(Applied { files: plan.edits.iter().map(|edit| edit.path.clone()).collect(), record })
}

/// Puts back what was there before the tool was set up. Nothing is written unless all of it can be.
pub fn undo(tool: Tool, places: &Places, scope: Scope) -> Result<Undone, ToolError> {
    let record = store(places).join(record_name(tool, places, scope));
    let recorded = recorded(&record)?;
    if recorded.is_empty() {
        return Err(ToolError::NotSetUp(tool.title()));
    }
    let mut changes = Vec::new();
    for edit in recorded {
        let Some(current) = read(&edit.path)? else { continue };
        let text = unpatched(&edit, &current)
            .ok_or_else(|| ToolError::Changed { path: edit.path.clone(), kept: record.clone() })?;
        changes.push((edit.path, text));
    }
    let mut undone = Undone { restored: Vec::new(), removed: Vec::new() };
    for (path, text) in changes {
        if let Some(text) = text {
            write(&path, &text)?;
            undone.restored.push(path);
        } else {
            let removed = fs::remove_file(&path);
            removed.map_err(|error| cannot("remove", &path, error))?;
            undone.removed.push(path);
        }
    }
    fs::remove_file(&record).map_err(|error| cannot("remove", &record, error))?;
    Ok(undone)
}

fn cannot(verb: &'static str, path: &Path, error: std::io::Error) -> ToolError {
    ToolError::File { verb, path: path.to_owned(), error }
}

/// `current` without the patch; `Some(None)` if there would be no file. `None` if the patched lines
/// were changed since.
#[expect(clippy::option_option, reason = "no answer and no file are two things")]
fn unpatched(edit: &FileEdit, current: &str) -> Option<Option<String>> {
    if current == edit.after {
        return Some(edit.before.clone());
    }
    let before = edit.before.as_deref().unwrap_or_default();
    diffy::merge(&edit.after, current, before).ok().map(Some)
}

fn recorded(record: &Path) -> Result<Vec<FileEdit>, ToolError> {
    let Some(text) = read(record)? else { return Ok(Vec::new()) };
    serde_json::from_str(&text).map_err(|error| ToolError::Syntax {
        path: record.to_owned(),
        format: "JSON",
        message: error.to_string(),
    })
}

/// Replaces a file at once. A link is followed; a new file is private, as it holds a key.
fn write(path: &Path, text: &str) -> Result<(), ToolError> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().unwrap_or_else(|| Path::new("."));
    let replace = || -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        if let Ok(meta) = fs::metadata(&target) {
            file.as_file().set_permissions(meta.permissions())?;
        }
        file.persist(&target)?;
        Ok(())
    };
    replace().map_err(|error| cannot("write", path, error))
}

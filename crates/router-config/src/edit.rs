//! Edits of a config document that change nothing else.
//!
//! A [`Document`] is text. Every edit keeps order, comments, indentation and unknown keys; what
//! an edit does not name stays byte for byte. Writing the text to a file, and checking it with
//! [`load`](crate::load()) first, is the caller's part.

mod clients;
mod operations;
mod references;
mod tree;

use std::fmt;

use jsonc_parser::cst::CstRootNode;

use crate::diagnostic::{Diagnostic, Source};
use crate::json::{self, Node, Value};

pub use operations::OnReferences;
pub use references::{Reference, ReferenceKind};

/// A config document being edited.
#[derive(Clone, Eq, PartialEq)]
pub struct Document {
    text: String,
}

/// Shows the length only: the text holds secrets.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

impl Default for Document {
    fn default() -> Self {
        Self { text: "{\n  \"version\": 2\n}\n".to_owned() }
    }
}

/// Why an edit was not made; the document is as it was.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EditError {
    /// The document is not JSON.
    #[error("{0}")]
    Syntax(Box<Diagnostic>),
    /// What should be edited does not exist.
    #[error("there is no {what}{}", near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    NotFound {
        /// What was looked for, such as ``provider `opnai` ``.
        what: String,
        /// A name that is nearly the same.
        near: Option<String>,
    },
    /// The new name belongs to something else.
    #[error("there is a {0} already")]
    Taken(String),
    /// Other parts of the document refer to what should be removed.
    #[error("{what} is still used by {}", list(.references))]
    Referenced {
        /// What should be removed.
        what: String,
        /// Where it is used.
        references: Vec<Reference>,
    },
    /// What should be removed is all that a client key may use; without it the key could use
    /// everything.
    #[error("{what} is all that the client key at `{path}` may use")]
    OnlyUse {
        /// What should be removed.
        what: String,
        /// The client key.
        path: String,
    },
    /// A part of the document is not what the edit needs.
    #[error("`{path}` is not {expected}")]
    Shape {
        /// Where.
        path: String,
        /// What it should be.
        expected: &'static str,
    },
}

fn list(references: &[Reference]) -> String {
    references.iter().map(|each| format!("`{}`", each.path)).collect::<Vec<_>>().join(", ")
}

/// One step into a document.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Step {
    /// A member of an object.
    Key(String),
    /// An element of a list.
    Index(usize),
}

/// A place in a document, with the keys as they are written there.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Path(Vec<Step>);

impl Path {
    /// The document itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// A member of what stands at this path.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    /// An element of what stands at this path.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    /// The steps from the top.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    fn parent(&self) -> Option<(Self, &Step)> {
        self.0.split_last().map(|(last, before)| (Self(before.to_vec()), last))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if at == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl Document {
    /// Takes a text that is JSON, with comments and trailing commas if need be; a blank text is a
    /// new document.
    pub fn parse(text: &str) -> Result<Self, EditError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let document = Self { text: text.to_owned() };
        match document.tree()?.value {
            Value::Object(_) => Ok(document),
            _ => Err(EditError::Shape { path: String::new(), expected: "an object" }),
        }
    }

    /// The document as it stands.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value at a path.
    pub fn get(&self, path: &Path) -> Option<serde_json::Value> {
        let tree = self.tree().ok()?;
        find(&tree, path).map(Node::to_json)
    }

    /// Puts a value at a path: replaces what is there, or adds it behind the last entry. Missing
    /// objects on the way are made; a list takes an index up to its length.
    ///
    /// A value equal to the one that is there leaves the text as it is.
    pub fn set(&mut self, path: &Path, value: &serde_json::Value) -> Result<(), EditError> {
        self.set_all([(path, value)])
    }

    /// Puts several values at places that do not contain each other, all or none.
    pub(crate) fn set_all<'a>(
        &mut self,
        places: impl IntoIterator<Item = (&'a Path, &'a serde_json::Value)>,
    ) -> Result<(), EditError> {
        let tree = self.tree()?;
        let root = self.cst()?;
        let mut is_changed = false;
        for (path, value) in places {
            if find(&tree, path).map(Node::to_json).as_ref() != Some(value) {
                tree::set(&root, path, value)?;
                is_changed = true;
            }
        }
        if is_changed {
            self.text = root.to_string();
        }
        Ok(())
    }

    /// Puts a value into a list before the element at `index`; the elements from there move on.
    pub fn insert(
        &mut self,
        list: &Path,
        index: usize,
        value: &serde_json::Value,
    ) -> Result<(), EditError> {
        let root = self.cst()?;
        let array = tree::locate(&root, list).and_then(|node| node.as_array());
        let array = array.ok_or_else(|| shape(list, "a list"))?;
        if index > array.elements().len() {
            return Err(shape(&list.index(index), "within the list"));
        }
        array.insert(index, tree::input(value));
        self.text = root.to_string();
        Ok(())
    }

    /// Merges an object into the one at `path`: its members are set one by one, those that are
    /// `null` are removed, and all others stay as they are.
    pub fn merge(
        &mut self,
        path: &Path,
        members: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<(), EditError> {
        for (key, value) in members {
            let place = path.key(key);
            if value.is_null() {
                self.remove(&place)?;
            } else {
                self.set(&place, value)?;
            }
        }
        Ok(())
    }

    /// Removes what stands at a path, every repetition of its key included; says whether there
    /// was anything.
    pub fn remove(&mut self, path: &Path) -> Result<bool, EditError> {
        self.remove_all([path])
    }

    /// Removes what stands at several places, given from the last to the first of each list.
    pub(crate) fn remove_all<'a>(
        &mut self,
        places: impl IntoIterator<Item = &'a Path>,
    ) -> Result<bool, EditError> {
        let root = self.cst()?;
        let mut is_found = false;
        for path in places {
            is_found |= tree::remove(&root, path);
        }
        if is_found {
            self.text = root.to_string();
        }
        Ok(is_found)
    }

    fn cst(&self) -> Result<CstRootNode, EditError> {
        CstRootNode::parse(&self.text, &json::syntax()).map_err(|_| match self.tree() {
            // The reader of spans words the error; both accept the same texts.
            Err(error) => error,
            Ok(_) => shape(&Path::root(), "JSON"),
        })
    }

    fn tree(&self) -> Result<Node, EditError> {
        json::parse(&Source::new(&self.text)).map_err(EditError::Syntax)
    }
}

fn shape(path: &Path, expected: &'static str) -> EditError {
    EditError::Shape { path: path.to_string(), expected }
}

/// The node at a path; of a repeated key the last one, as JSON readers take it.
fn find<'a>(tree: &'a Node, path: &Path) -> Option<&'a Node> {
    path.0.iter().try_fold(tree, |node, step| match (&node.value, step) {
        (Value::Object(members), Step::Key(key)) => {
            members.iter().rev().find(|member| member.key == *key).map(|member| &member.node)
        }
        (Value::Array(items), Step::Index(index)) => items.get(*index),
        _ => None,
    })
}

#[cfg(test)]
mod tests;

//! Edits of a config document that change nothing else.
//!
//! A [`Document`] is text. Every edit keeps order, comments, indentation and unknown keys; what
//! an edit does not name stays byte for byte. Writing the text to a file, and checking it with
//! [`load`](crate::load()) first, is the caller's part.

mod operations;
mod references;

use std::fmt;

use jsonc_parser::cst::{
    CstArray, CstContainerNode, CstInputValue, CstNode, CstObject, CstObjectProp, CstRootNode,
};

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
        let Some((parent, last)) = path.parent() else {
            return Err(EditError::Shape {
                path: String::new(),
                expected: "a place in the document",
            });
        };
        if self.get(path).as_ref() == Some(value) {
            return Ok(());
        }
        let root = self.cst()?;
        let container = make_way(&root, &parent, last)?;
        match (last, container) {
            (Step::Key(key), CstNode::Container(container)) => {
                let object = container.as_object().ok_or_else(|| shape(&parent, "an object"))?;
                match last_property(&object, key) {
                    Some(property) => property.set_value(input(value)),
                    None => {
                        object.append(key, input(value));
                    }
                }
            }
            (Step::Index(index), CstNode::Container(container)) => {
                let array = container.as_array().ok_or_else(|| shape(&parent, "a list"))?;
                set_element(&array, *index, value).ok_or_else(|| shape(path, "within the list"))?;
            }
            (_, CstNode::Leaf(_)) => return Err(shape(&parent, "an object or a list")),
        }
        self.text = root.to_string();
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
        let array = locate(&root, list).and_then(|node| node.as_array());
        let array = array.ok_or_else(|| shape(list, "a list"))?;
        if index > array.elements().len() {
            return Err(shape(&list.index(index), "within the list"));
        }
        array.insert(index, input(value));
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
        let Some((parent, last)) = path.parent() else { return Ok(false) };
        let root = self.cst()?;
        let Some(container) = locate(&root, &parent) else { return Ok(false) };
        let mut is_found = false;
        match last {
            Step::Key(key) => {
                let properties = container.as_object().map(|each| each.properties());
                for property in properties.into_iter().flatten() {
                    if property.decoded_name().as_deref() == Some(key) {
                        property.remove();
                        is_found = true;
                    }
                }
            }
            Step::Index(index) => {
                let elements = container.as_array().map(|each| each.elements());
                if let Some(element) = elements.and_then(|all| all.into_iter().nth(*index)) {
                    element.remove();
                    is_found = true;
                }
            }
        }
        if is_found {
            self.text = root.to_string();
        }
        Ok(is_found)
    }

    fn cst(&self) -> Result<CstRootNode, EditError> {
        // The reader of spans words the error; both accept the same texts.
        self.tree()?;
        CstRootNode::parse(&self.text, &json::syntax()).map_err(|_| shape(&Path::root(), "JSON"))
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

fn last_property(object: &CstObject, key: &str) -> Option<CstObjectProp> {
    let is_named = |each: &CstObjectProp| each.decoded_name().as_deref() == Some(key);
    object.properties().into_iter().rev().find(is_named)
}

fn locate(root: &CstRootNode, path: &Path) -> Option<CstNode> {
    path.0.iter().try_fold(root.value()?, |node, step| match step {
        Step::Key(key) => last_property(&node.as_object()?, key)?.value(),
        Step::Index(index) => node.as_array()?.elements().into_iter().nth(*index),
    })
}

/// The container at `path`, with empty containers made where there is nothing or null; the last
/// one of the kind that `last` needs.
fn make_way(root: &CstRootNode, path: &Path, last: &Step) -> Result<CstNode, EditError> {
    // A document of comments alone has no value yet.
    let made = || root.object_value_or_create().map(|object| CstContainerNode::from(object).into());
    let mut node = root.value().or_else(made).ok_or_else(|| shape(&Path::root(), "an object"))?;
    let nexts = path.0.iter().skip(1).chain([last]);
    let mut so_far = Path::root();
    for (step, next) in path.0.iter().zip(nexts) {
        let here = so_far.with(step.clone());
        let is_free = |node: &Option<CstNode>| {
            node.as_ref().is_none_or(|node| node.as_null_keyword().is_some())
        };
        let below = match step {
            Step::Key(key) => {
                let object = node.as_object().ok_or_else(|| shape(&so_far, "an object"))?;
                let property = last_property(&object, key);
                let value = property.as_ref().and_then(CstObjectProp::value);
                if is_free(&value) {
                    let empty = match next {
                        Step::Key(_) => CstInputValue::Object(Vec::new()),
                        Step::Index(_) => CstInputValue::Array(Vec::new()),
                    };
                    let property = match property {
                        Some(property) => {
                            property.set_value(empty);
                            property
                        }
                        None => object.append(key, empty),
                    };
                    property.value()
                } else {
                    value
                }
            }
            Step::Index(index) => {
                let array = node.as_array().ok_or_else(|| shape(&so_far, "a list"))?;
                array.elements().into_iter().nth(*index)
            }
        };
        node = below.ok_or_else(|| shape(&here, "in the document"))?;
        so_far = here;
    }
    Ok(node)
}

fn set_element(array: &CstArray, index: usize, value: &serde_json::Value) -> Option<()> {
    let elements = array.elements();
    if index == elements.len() {
        array.append(input(value));
        return Some(());
    }
    let element = elements.into_iter().nth(index)?;
    let value = input(value);
    if let Some(each) = element.as_object() {
        each.replace_with(value);
    } else if let Some(each) = element.as_array() {
        each.replace_with(value);
    } else if let Some(each) = element.as_string_lit() {
        each.replace_with(value);
    } else if let Some(each) = element.as_number_lit() {
        each.replace_with(value);
    } else if let Some(each) = element.as_boolean_lit() {
        each.replace_with(value);
    } else if let Some(each) = element.as_null_keyword() {
        each.replace_with(value);
    } else {
        return None;
    }
    Some(())
}

fn input(value: &serde_json::Value) -> CstInputValue {
    match value {
        serde_json::Value::Null => CstInputValue::Null,
        serde_json::Value::Bool(value) => CstInputValue::Bool(*value),
        serde_json::Value::Number(number) => CstInputValue::Number(number.to_string()),
        serde_json::Value::String(text) => CstInputValue::String(text.clone()),
        serde_json::Value::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        serde_json::Value::Object(members) => CstInputValue::Object(
            members.iter().map(|(key, value)| (key.clone(), input(value))).collect(),
        ),
    }
}

#[cfg(test)]
mod tests;

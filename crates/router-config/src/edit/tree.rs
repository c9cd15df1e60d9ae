//! Changes of the concrete syntax tree.

use jsonc_parser::cst::{
    CstArray, CstContainerNode, CstInputValue, CstNode, CstObject, CstObjectProp, CstRootNode,
};

use super::{EditError, Path, Step, shape};

/// Puts a value at a path; see [`Document::set`](super::Document::set).
pub(super) fn set(
    root: &CstRootNode,
    path: &Path,
    value: &serde_json::Value,
) -> Result<(), EditError> {
    let Some((parent, last)) = path.parent() else {
        return Err(shape(path, "a place in the document"));
    };
    let container = make_way(root, &parent, last)?;
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
    Ok(())
}

/// Removes what stands at a path, every repetition of its key included.
pub(super) fn remove(root: &CstRootNode, path: &Path) -> bool {
    let Some((parent, last)) = path.parent() else { return false };
    let Some(container) = locate(root, &parent) else { return false };
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
    is_found
}

fn last_property(object: &CstObject, key: &str) -> Option<CstObjectProp> {
    let is_named = |each: &CstObjectProp| each.decoded_name().as_deref() == Some(key);
    object.properties().into_iter().rev().find(is_named)
}

pub(super) fn locate(root: &CstRootNode, path: &Path) -> Option<CstNode> {
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

pub(super) fn input(value: &serde_json::Value) -> CstInputValue {
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

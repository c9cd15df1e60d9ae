//! Keys of single clients.

use serde_json::{Map, Value};

use super::references::{CLIENT_KEYS, CLIENT_LABEL, Index};
use super::{Document, EditError, Path, Reference, ReferenceKind};
use crate::names::nearest;

impl Document {
    /// Labels of client keys, those that are turned off included.
    pub fn client_labels(&self) -> Vec<String> {
        let index = Index::new(self).ok();
        index.iter().flat_map(Index::clients).map(|(label, _)| label).collect()
    }

    /// Where a client key stands.
    pub fn client_path(&self, label: &str) -> Result<Path, EditError> {
        let all = Index::new(self)?.clients();
        let near = nearest(label, all.iter().map(|(each, _)| each.as_str())).map(str::to_owned);
        let not_found = || EditError::NotFound { what: format!("client key `{label}`"), near };
        let found = all.into_iter().find(|(each, _)| each == label.trim());
        found.map(|(_, path)| path).ok_or_else(not_found)
    }

    /// Adds a client key behind the others.
    pub fn add_client(
        &mut self,
        label: &str,
        members: &Map<String, Value>,
    ) -> Result<(), EditError> {
        self.check_client_label(label)?;
        let mut client = Map::new();
        client.insert("label".to_owned(), label.trim().into());
        let present = members.iter().filter(|(_, value)| !value.is_null());
        client.extend(present.map(|(key, value)| (key.clone(), value.clone())));
        let list = Index::new(self)?.place(&Path::root(), CLIENT_KEYS);
        self.push(&list, Value::Object(client))
    }

    /// Sets members of a client key; those that are `null` are removed, all others stay.
    pub fn edit_client(
        &mut self,
        label: &str,
        members: &Map<String, Value>,
    ) -> Result<(), EditError> {
        let path = self.client_path(label)?;
        self.merge(&path, members)
    }

    /// Gives a client key another label.
    pub fn rename_client(&mut self, label: &str, to: &str) -> Result<(), EditError> {
        let path = self.client_path(label)?;
        if label.trim() == to.trim() {
            return Ok(());
        }
        self.check_client_label(to)?;
        let place = Index::new(self)?.place(&path, CLIENT_LABEL);
        self.set(&place, &to.trim().into())
    }

    /// Removes a client key.
    pub fn remove_client(&mut self, label: &str) -> Result<(), EditError> {
        let path = self.client_path(label)?;
        self.remove(&path).map(|_| ())
    }

    /// The master key goes by the label `master`.
    fn check_client_label(&self, label: &str) -> Result<(), EditError> {
        let label = label.trim();
        let is_taken = label == "master" || self.client_labels().iter().any(|each| each == label);
        if is_taken { Err(EditError::Taken(format!("client key `{label}`"))) } else { Ok(()) }
    }
}

/// The first client key all of whose models would go: it could then use everything.
pub(super) fn opened(index: &Index, gone: &[Reference]) -> Option<Path> {
    let goes = |path: &Path| {
        gone.iter().any(|each| each.kind == ReferenceKind::ClientModel && each.path == *path)
    };
    let mut clients = index.clients().into_iter().map(|(_, path)| path);
    clients.find(|client| {
        let models = index.client_models(client);
        !models.is_empty() && models.iter().all(|(path, _)| goes(path))
    })
}

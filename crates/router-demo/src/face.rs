//! How the provider looks from outside: a real one speaks some dialects at some address, takes its
//! key in one header, and has the models it has.

use crate::Dialect;

/// The look of a provider. The default one speaks everything and has every model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one trait of real providers")]
pub struct Face {
    /// The dialects spoken; addresses of the others are not there.
    pub dialects: Vec<Dialect>,
    /// What every address begins with, such as `/openai`.
    pub folder: String,
    /// Whether the addresses of Chat, Responses and Messages begin with a version.
    pub versioned: bool,
    /// The headers a key is taken in; empty means where the vendor of the dialect looks for it.
    pub key_headers: Vec<String>,
    /// The only models there are; `None` means all that the provider knows.
    pub models: Option<Vec<String>>,
    /// Whether there is a list of models.
    pub has_list: bool,
    /// Whether unknown addresses are answered with a page and status 200, as web applications do.
    pub has_pages: bool,
    /// Whether errors about a key repeat it.
    pub repeats_key: bool,
    /// The time the provider says it is, as an HTTP date; `None` means the truth.
    pub date: Option<String>,
}

impl Default for Face {
    fn default() -> Self {
        Self {
            dialects: vec![Dialect::Chat, Dialect::Responses, Dialect::Messages, Dialect::Gemini],
            folder: String::new(),
            versioned: true,
            key_headers: Vec::new(),
            models: None,
            has_list: true,
            has_pages: false,
            repeats_key: false,
            date: None,
        }
    }
}

impl Face {
    /// Only these dialects.
    pub fn speaking(dialects: &[Dialect]) -> Self {
        Self { dialects: dialects.to_vec(), ..Self::default() }
    }

    pub(crate) fn speaks(&self, dialect: Dialect) -> bool {
        self.dialects.contains(&dialect)
    }

    /// Whether a model is there, as far as the face says.
    pub(crate) fn has(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|known| known == model))
    }

    /// The path below the folder; `None` outside of it.
    pub(crate) fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        let path = path.strip_prefix(self.folder.as_str())?;
        (self.versioned || !path.starts_with("/v1/")).then_some(path)
    }
}

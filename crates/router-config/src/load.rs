//! From text to config, with everything that is wrong on the way.

use crate::config::Config;
use crate::diagnostic::{Diagnostic, Severity, Source};
use crate::read::{Context, Read, Show};
use crate::schema::File;
use crate::secret::Lookup;
use crate::{env, json, resolve};

/// What came of a document.
#[derive(Debug)]
pub struct Loaded {
    /// The config, unless there is an error among the diagnostics.
    pub config: Option<Config>,
    /// Every problem found, in the order of the document.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Whether the document is unusable.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|each| each.severity == Severity::Error)
    }
}

/// Reads a config document; a blank one is an empty config.
///
/// The text is never rewritten: what it says in older spellings is understood as it is.
/// Environment variables override it.
pub fn load(text: &str, lookup: &dyn Lookup) -> Loaded {
    let source = Source::new(text);
    let root = match json::parse(&source) {
        Ok(root) => root,
        Err(diagnostic) => return Loaded { config: None, diagnostics: vec![*diagnostic] },
    };
    let mut cx = Context::new(&source);
    let config = File::read(&root, &mut cx).map(|mut file| {
        env::apply(&mut file, lookup, &mut cx);
        resolve::resolve(&file, lookup, &mut cx)
    });
    let mut diagnostics = cx.diagnostics;
    diagnostics.sort_by_key(|each| (each.line, each.column));
    let loaded = Loaded { config, diagnostics };
    if loaded.has_errors() { Loaded { config: None, ..loaded } } else { loaded }
}

impl File {
    /// Reads a document as it is written, whether or not it makes sense as a whole.
    pub fn parse(text: &str) -> Result<Self, Box<Diagnostic>> {
        let source = Source::new(text);
        let root = json::parse(&source)?;
        Ok(Self::read(&root, &mut Context::new(&source)).unwrap_or_default())
    }

    /// The version the document says, or else implies by what it uses.
    pub fn stated_version(&self) -> u64 {
        version(self, &mut Context::new(&Source::new("")))
    }
}

/// The version a document says, or else implies by what it uses.
pub(crate) fn version(file: &File, cx: &mut Context<'_>) -> u64 {
    let uses_version_2 = file.model_aliases.as_ref().is_some_and(|map| !map.0.is_empty())
        || file
            .providers
            .iter()
            .flat_map(|providers| providers.iter())
            .any(|provider| provider.rate_limits.as_ref().is_some_and(|list| !list.is_empty()));
    let implied = if uses_version_2 { 2 } else { 1 };
    let Some(value) = &file.version else { return implied };
    let number = match value {
        serde_json::Value::Number(number) => number.as_f64(),
        serde_json::Value::String(text) => text.trim().parse().ok(),
        serde_json::Value::Bool(true) => Some(1.0),
        _ => None,
    };
    let whole = number.filter(|n| (1.0..=1e9).contains(n)).map(f64::floor);
    let whole = whole.and_then(|n| format!("{n:.0}").parse::<u64>().ok());
    if whole.is_none() {
        let hint = Some("write `\"version\": 2`");
        let what = "`version` is not a version number and has no effect";
        cx.report(Severity::Warning, "version", Show::Value, what, hint);
    }
    whole.unwrap_or(implied).max(implied)
}

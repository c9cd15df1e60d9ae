//! The config as commands that ask providers need it.

use router_config::{Config, nearest, slug};
use router_server::{Source, reload};

use crate::cx::Cx;
use crate::outcome::Failure;

/// The config, if it can be used.
pub(crate) fn loaded(cx: &Cx) -> Result<Config, Failure> {
    let path = cx.config_path()?;
    let loaded = reload::load(&Source::File(path));
    loaded.map(|(config, ..)| config).map_err(|error| super::start::config_failure(&error))
}

/// The id of a provider that is turned on, or the nearest name.
pub(crate) fn provider_id(config: &Config, id: &str) -> Result<String, Failure> {
    let wanted = slug(id);
    let mut ids = config.catalog.providers.iter().map(|provider| provider.id.as_str());
    if ids.clone().any(|known| known == wanted) {
        return Ok(wanted);
    }
    let failure = Failure::input(format!("there is no provider `{id}` that is turned on"));
    Err(match nearest(&wanted, &mut ids) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("`llm-router provider list` shows them"),
    })
}

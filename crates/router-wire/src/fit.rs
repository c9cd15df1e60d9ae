//! Adapts a request to its target: one pass between reader and writer.
//!
//! ```text
//! deferred   tools that a search loads: searched by the target's own tool, or sent up front
//! extras     members only the client's dialect has: dropped with a word, or refused
//! tools      free-text and hosted tools become functions, names fit, schemas are cleaned
//! turns      results follow their calls, every call has one, nothing is empty
//! thinking   effort, form and state as the model takes them
//! limits     token limits, sampling and stop sequences as the model takes them
//! cache      marks and keys as the upstream takes them
//! ```
//!
//! What is changed against the client's wish is recorded as a loss. The writers can then write
//! what is there.

mod cache;
mod deferred;
mod extras;
mod limits;
mod names;
pub mod schema;
mod thinking;
mod tools;
mod turns;

use crate::canonical::{Losses, Request};
use crate::dialect::Dialect;
use crate::translate::{Refusal, RequestExtra, Target, ToolAlias};

/// What the way back must undo.
#[derive(Debug, Default)]
pub struct Fitted {
    /// Tools whose names or forms differ.
    pub tools: Vec<ToolAlias>,
    /// Stop sequences the router watches for itself.
    pub stops: Vec<String>,
}

/// Adapts a request to its target.
pub fn fit<'a>(
    request: &mut Request<'a>,
    inbound: Dialect,
    extra: &RequestExtra<'a>,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Result<Fitted, Refusal> {
    deferred::fit(request, target, losses);
    let hosted = extras::fit(request, inbound, target, losses)?;
    let tools = tools::fit(request, &hosted, target, losses)?;
    turns::fit(request, target, losses)?;
    thinking::fit(request, inbound, extra, target, losses);
    turns::merge(request, target, losses)?;
    let stops = limits::fit(request, target, losses)?;
    cache::fit(request, target, losses);
    Ok(Fitted { tools, stops })
}

#[cfg(test)]
mod tests;

//! `llm-router explain`: where a request would go now, and why.

use router_operator::instance::ask::{Question as Ask, Router};
use router_server::Source;
use router_server::explain::{Question, QuestionError, offline};
use router_server::reload;
use serde_json::json;

use super::start::config_failure;
use crate::args::Explain;
use crate::cx::Cx;
use crate::outcome::{Failure, Kind, Outcome};
use crate::{operator, output};

/// Asks the running router, or else answers from the config file with an empty state.
pub(crate) fn run(cx: &Cx, flags: Explain) -> Result<Outcome, Failure> {
    let loaded = reload::load(&Source::File(cx.config_path()?));
    let (config, ..) = loaded.map_err(|error| config_failure(&error))?;
    let question = Question {
        model: flags.model,
        dialect: flags.as_client,
        session: flags.session,
        body_bytes: flags.body_bytes,
        native_only: false,
        client: flags.client,
    };
    let admin = config.server.admin.as_ref().filter(|_| !flags.offline);
    if let Some(router) = admin.and_then(operator::connect) {
        return ask(router, &question, cx.json);
    }
    if !flags.offline {
        let why = if admin.is_some() {
            "no router answers where server.admin says"
        } else {
            "the config has no server.admin to ask a running router by"
        };
        output::note(&format!("{why}: explained from the config alone, with nothing counted yet"));
    }
    let explanation = offline(config.catalog, &question).map_err(|error| match &error {
        QuestionError::Model(_) | QuestionError::Dialect(_) | QuestionError::Client(_) => {
            Failure::new(Kind::Input, error.to_string())
        }
    })?;
    Ok(Outcome::new(explanation.to_string(), json!(explanation)))
}

fn ask(router: Router, question: &Question, as_json: bool) -> Result<Outcome, Failure> {
    let address = router.address();
    let accept = if as_json { "application/json" } else { "text/plain" };
    let body = json!(question).to_string();
    let answer = operator::ask(router, &Ask { accept, ..Ask::post("/admin/explain", &body) })?;
    if answer.status == 200 {
        output::note(&format!("as the router at http://{address} sees it"));
        let value = serde_json::from_str(&answer.body).unwrap_or_default();
        return Ok(Outcome::new(answer.body, value));
    }
    Err(Failure::new(Kind::Input, answer.message()))
}

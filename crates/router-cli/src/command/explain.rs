//! `llm-router explain`: where a request would go now, and why.

use router_server::Source;
use router_server::explain::{Question, QuestionError, offline};
use router_server::reload;
use serde_json::{Value, json};

use super::start::{config_failure, config_path};
use crate::args::Explain;
use crate::exit::{Failure, Kind};
use crate::operator::Operator;
use crate::output;

/// Asks the running router, or else answers from the config file with an empty state.
pub(crate) fn run(flags: Explain) -> Result<(), Failure> {
    let path = config_path(&flags.config)?;
    let loaded = reload::load(&Source::File(path));
    let (config, ..) = loaded.map_err(|error| config_failure(&error))?;
    let question = Question {
        model: flags.model,
        dialect: flags.as_client,
        session: flags.session,
        body_bytes: flags.body_bytes,
        native_only: false,
    };
    let admin = config.server.admin.as_ref().filter(|_| !flags.offline);
    if let Some(operator) = admin.and_then(Operator::connect) {
        return ask(operator, &question, flags.json);
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
        QuestionError::Model(_) | QuestionError::Dialect(_) => {
            Failure::new(Kind::Input, error.to_string())
        }
    })?;
    if flags.json {
        output::result(&json!(explanation).to_string());
    } else {
        output::result(explanation.to_string().trim_end());
    }
    Ok(())
}

fn ask(operator: Operator, question: &Question, as_json: bool) -> Result<(), Failure> {
    let address = operator.address();
    let accept = if as_json { "application/json" } else { "text/plain" };
    let answer = operator.post("/admin/explain", accept, &json!(question).to_string())?;
    if answer.status == 200 {
        output::note(&format!("as the router at http://{address} sees it"));
        output::result(answer.body.trim_end());
        return Ok(());
    }
    let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let message = said.pointer("/error/message").and_then(Value::as_str);
    let message = message.map_or_else(|| format!("answered {}", answer.status), str::to_owned);
    Err(Failure::new(Kind::Input, message))
}

//! `llm-router secret`: secrets in this machine's keychain.

use router_config::Secret;
use router_secret::keychain::{self, KeychainError};
use serde_json::json;

use crate::args::probe::SecretCommand;
use crate::cx::Cx;
use crate::outcome::{Failure, Outcome};
use crate::output::{GOOD, WARN, styled};

pub(crate) fn run(cx: &Cx, command: &SecretCommand) -> Result<Outcome, Failure> {
    match command {
        SecretCommand::Set { name } => {
            let secret = super::edit::secret(cx, name, "-")?;
            keychain::set(name, &Secret::new(secret)).map_err(|error| failure(&error))?;
            let lasting = keychain::is_lasting();
            let mut text = styled(GOOD, format!("stored; refer to it as keychain:{name}"));
            if !lasting {
                let note = "this machine's keychain forgets it when the machine restarts, or when \
                            nothing reads it for some days; `file:PATH` lasts";
                text.push_str(&format!("\n{} {note}", styled(WARN, "note:")));
            }
            let reference = format!("keychain:{name}");
            let value = json!({ "name": name, "reference": reference, "lasting": lasting });
            Ok(Outcome::new(text, value))
        }
        SecretCommand::Remove { name } => {
            let removed = keychain::remove(name).map_err(|error| failure(&error))?;
            let text = if removed { "removed" } else { "there was none" };
            Ok(Outcome::new(styled(GOOD, text), json!({ "name": name, "removed": removed })))
        }
    }
}

fn failure(error: &KeychainError) -> Failure {
    match error {
        KeychainError::Name => Failure::input(error.to_string()),
        _ => Failure::failed(error.to_string()),
    }
}

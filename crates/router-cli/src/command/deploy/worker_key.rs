//! `llm-router worker-key`: the master key of a deployed Worker.

use std::time::Duration;

use router_config::Secret;
use router_deploy::{CheckRequest, KeyCheck, check_keys, put_key};
use router_operator::mask::secret as masked;
use serde_json::json;

use super::{
    Session, Subject, check_headers, check_save_key, check_strength, given_secret, interruptible,
    made_key, payload, runtime, save_key,
};
use crate::args::deploy::{ConfigStore, WorkerKey};
use crate::cx::Cx;
use crate::outcome::{Failure, Kind, Outcome};
use crate::output::note;

/// What else a leak asks for.
const AFTER_A_LEAK: &str = "\
what else to do after a leak:
  1. give the new key to every client
  2. `llm-router key generate` replaces the key of the config on this machine, if it is the same
  3. make new credentials at every provider, and run `llm-router deploy` with them
  4. `llm-router deploy logs` and the providers' usage pages show what the key was used for
  5. narrow who can reach the Worker: see SECURITY.md";

pub(crate) fn run(cx: &Cx, flags: &WorkerKey) -> Result<Outcome, Failure> {
    runtime()?.block_on(interruptible(set(cx, flags)))
}

async fn set(cx: &Cx, flags: &WorkerKey) -> Result<Outcome, Failure> {
    let subject = Subject::new(&flags.place)?;
    let is_made = flags.rotate
        || flags.leaked
        || (flags.key.generate_master_key == Some(true) && flags.key.master_key.is_none());
    check_save_key(&flags.key, is_made)?;
    let from_config = config_key(cx);
    let key = new_key(cx, flags, is_made, from_config.clone())?;
    if !flags.verify {
        check_strength(cx, &flags.key, &key)?;
    }
    if flags.dry_run == Some(true) {
        return Ok(dry_run(&subject, is_made, &key));
    }
    let headers = check_headers(cx, &flags.check)?;
    let old = match &flags.old_key {
        Some(text) => Some(given_secret(cx, "--old-key", text)?),
        None => from_config.ok(),
    };
    let old = old.filter(|old| old.expose() != key.expose());
    let session = subject.session(cx, &flags.place).await?;
    if !flags.verify {
        cx.confirm(&format!(
            "Set the master key of {} to {}?",
            subject.name,
            masked(key.expose())
        ))?;
        if is_made {
            save_key(&flags.key, &key)?;
        }
        put_key(&session.api, &session.account, &subject.name, &key).await?;
    }
    let checked = verify(cx, flags, &subject, &session, (&key, old.as_ref()), headers).await;
    // A key that is in force is shown even if the check could not be made, which is no good end.
    Ok(match checked {
        Ok(checked) => answer(flags, &subject, &key, is_made, checked.as_ref()),
        Err(trouble) => {
            note(&format!("not checked: {trouble}"));
            trouble.hint.iter().for_each(|hint| note(hint));
            answer(flags, &subject, &key, is_made, None).bad_news(Kind::Failed)
        }
    })
}

/// The config's key; why there is none, otherwise.
fn config_key(cx: &Cx) -> Result<Secret, Failure> {
    let payload = payload(cx, ConfigStore::Secrets)?;
    payload.master_key.ok_or_else(|| Failure::input("the config has no master key"))
}

fn new_key(
    cx: &Cx,
    flags: &WorkerKey,
    is_made: bool,
    from_config: Result<Secret, Failure>,
) -> Result<Secret, Failure> {
    if is_made {
        return made_key(&flags.key);
    }
    if let Some(text) = &flags.key.master_key {
        return given_secret(cx, "--master-key", text);
    }
    let hint = "--rotate makes one, --master-key - reads one from standard input";
    if !flags.use_config_key {
        return Err(Failure::input("no key is given").hint(hint));
    }
    from_config.map_err(|failure| if failure.hint.is_some() { failure } else { failure.hint(hint) })
}

fn dry_run(subject: &Subject, is_made: bool, key: &Secret) -> Outcome {
    let shown = if is_made { "a new one".to_owned() } else { masked(key.expose()) };
    let text = format!(
        "Worker {}: LLM_ROUTER_MASTER_KEY would be {shown}\n\
         PUT /accounts/{{account}}/workers/scripts/{}/secrets\n\
         dry run: nothing was sent",
        subject.name, subject.name
    );
    let value = json!({
        "name": subject.name, "set": false, "masked": (!is_made).then_some(shown),
        "masterKey": null, "accepted": null, "oldRefused": null, "detail": null,
    });
    Outcome::new(text, value)
}

async fn verify(
    cx: &Cx,
    flags: &WorkerKey,
    subject: &Subject,
    session: &Session,
    (key, old): (&Secret, Option<&Secret>),
    headers: Vec<(String, Secret)>,
) -> Result<Option<KeyCheck>, Failure> {
    if flags.check.no_check {
        return Ok(None);
    }
    let url = if let Some(url) = &flags.check.check_url {
        url.clone()
    } else {
        let status = router_deploy::status(&session.api, &session.account, &subject.name).await;
        let urls = status?.urls;
        urls.into_iter().next().ok_or_else(|| {
            Failure::input("no address of the Worker is known").hint("--check-url names one")
        })?
    };
    if !cx.json {
        note(&format!("asking {url}"));
    }
    let request = CheckRequest {
        url: url.trim_end_matches('/').to_owned(),
        key: Some(key.clone()),
        model: None,
        headers,
        wait: Duration::from_secs(flags.check.check_wait),
    };
    check_keys(&session.client, &request, old).await.map(Some)
}

fn answer(
    flags: &WorkerKey,
    subject: &Subject,
    key: &Secret,
    is_made: bool,
    checked: Option<&KeyCheck>,
) -> Outcome {
    let name = &subject.name;
    let mut lines = Vec::new();
    if !flags.verify {
        lines.push(format!("the master key of {name} is set: {}", masked(key.expose())));
    }
    if is_made {
        lines.push(format!("master key, shown this once: {}", key.expose()));
    }
    match checked {
        Some(check) if check.passed() => {
            lines.push(format!("{name} accepts it and refuses the old one"));
        }
        Some(check) => {
            lines.push(format!("{name} does not do as it should: {}", check.detail));
        }
        None => lines.push("the live Worker was not asked".to_owned()),
    }
    if flags.leaked {
        lines.push(AFTER_A_LEAK.to_owned());
    }
    let value = json!({
        "name": name,
        "set": !flags.verify,
        "masked": masked(key.expose()),
        "masterKey": is_made.then(|| key.expose()),
        "accepted": checked.map(|check| check.accepted),
        "oldRefused": checked.map(|check| check.refused),
        "detail": checked.map(|check| check.detail.clone()),
    });
    let outcome = Outcome::new(lines.join("\n"), value);
    let failed = checked.is_some_and(|check| !check.passed());
    if failed { outcome.bad_news(Kind::Failed) } else { outcome }
}

//! From an answer of the API to its result, or to an error that says what to do.

use bytes::Bytes;
use http::{Method, Response};
use router_operator::{Failure, Kind};
use serde_json::{Value, json};

/// The member of a failure's details with Cloudflare's error codes.
const CODES: &str = "cloudflareCodes";
/// Characters of an error message kept.
const MESSAGE_MAX: usize = 600;

/// The envelope of a successful answer.
pub(super) fn read(
    method: &Method,
    path: &str,
    answer: &Response<Bytes>,
) -> Result<Value, Failure> {
    let status = answer.status();
    let path = path.split('?').next().unwrap_or(path);
    let parsed: Option<Value> = serde_json::from_slice(answer.body()).ok();
    let Some(envelope) = parsed.filter(Value::is_object) else {
        // Values of KV and some deletions answer without an envelope.
        if status.is_success() && answer.body().is_empty() {
            return Ok(Value::Null);
        }
        let what = format!("{method} {path}: the answer ({status}) is not Cloudflare's");
        // Cloudflare's own troubles come as pages too.
        let hint = match status.as_u16() {
            500.. => TROUBLE,
            _ => "something between here and Cloudflare answered; check HTTPS_PROXY",
        };
        return Err(Failure::failed(what).hint(hint));
    };
    if status.is_success() && envelope.get("success") == Some(&Value::Bool(true)) {
        return Ok(envelope);
    }
    let errors = envelope.get("errors").and_then(Value::as_array);
    let errors: Vec<(i64, &str)> = errors.into_iter().flatten().filter_map(error).collect();
    let told: Vec<String> =
        errors.iter().map(|(code, message)| format!("{message} (code {code})")).collect();
    let told = if told.is_empty() { status.to_string() } else { told.join("; ") };
    let told: String = told.chars().take(MESSAGE_MAX).collect();
    let mut codes: Vec<i64> = errors.iter().map(|(code, _)| *code).collect();
    if codes.is_empty() && status.as_u16() == 404 {
        codes.push(NOT_FOUND);
    }
    let is_refused = matches!(status.as_u16(), 401 | 403);
    let kind = if is_refused { Kind::Input } else { Kind::Failed };
    let mut failure = Failure::new(kind, format!("{method} {path}: {told}"));
    let by_status = match status.as_u16() {
        401 | 403 => Some(PERMISSIONS),
        429 => Some(TOO_MANY),
        500.. => Some(TROUBLE),
        _ => None,
    };
    failure.hint = codes.iter().find_map(|code| hint(*code)).or(by_status).map(str::to_owned);
    if !codes.is_empty() {
        failure = failure.details(json!({ CODES: codes }));
    }
    Err(failure)
}

fn error(value: &Value) -> Option<(i64, &str)> {
    Some((value.get("code")?.as_i64()?, value.get("message")?.as_str()?))
}

/// Stands for a 404 without a code.
const NOT_FOUND: i64 = 404;
/// Codes that mean there is no such script, zone or namespace.
const MISSING: [i64; 3] = [NOT_FOUND, 10007, 10090];

/// Whether the API said that there is no such thing.
pub(super) fn is_missing(failure: &Failure) -> bool {
    codes(failure).any(|code| MISSING.contains(&code))
}

/// Cloudflare's error codes, in the order they came.
fn codes(failure: &Failure) -> impl Iterator<Item = i64> {
    let codes = failure.details.get(CODES).and_then(Value::as_array);
    codes.into_iter().flatten().filter_map(Value::as_i64)
}

const PERMISSIONS: &str = "the token needs the permissions of the template \"Edit Cloudflare \
    Workers\" with read access to memberships and user details; make one at \
    https://dash.cloudflare.com/profile/api-tokens";

const TOO_MANY: &str = "Cloudflare takes 1200 calls in five minutes: wait that long, then run the \
    same command again";

const TROUBLE: &str = "Cloudflare is in trouble itself: see https://www.cloudflarestatus.com, then \
    run the same command again";

/// The code by which Cloudflare refuses a migration that has been made already, or another one.
const MIGRATED: i64 = 10079;

/// Whether a call that failed may have been carried out: its answer is lost, or the call was made
/// again and finds its own work done.
pub(crate) fn may_be_done(failure: &Failure) -> bool {
    failure.kind == Kind::Unreachable || codes(failure).any(|code| code == MIGRATED)
}

/// What to do about a code; those Cloudflare documents for uploads, routes and tokens.
fn hint(code: i64) -> Option<&'static str> {
    Some(match code {
        1000 | 1001 | 6003 | 6111 | 9109 => {
            "the token is not a valid API token: copy it again, without quotes or line breaks; one \
             that belongs to an account and not to a user needs --account-id"
        }
        9103 | 10000 | 10001 => PERMISSIONS,
        10007 => {
            "there is no such Worker in this account: check --name, --env and --account-id, or \
             run `llm-router deploy` first"
        }
        10006 | 10021 | 10068 => {
            "the module does not start: build it again (`cargo x worker`) or use the one in a \
             release"
        }
        10014 | 10020 => "another Worker has this route or name: remove it there first",
        100_117 => {
            "the host has DNS records already: remove them in the dashboard, choose another host, \
             or use --route-pattern, which needs such a record"
        }
        10027 => "the module is too large for the account's plan",
        10034 => "verify the e-mail address of the Cloudflare account first",
        10054 => "a secret is larger than 5 KB: use --config-store kv",
        10055 => "too many secrets and variables for the account's plan: use --config-store kv",
        10057 => "a binding to keep is gone: run the command again",
        10061 | 10064 | 10070 | 10074 | 10079 => {
            "the Durable Object migration does not fit what is deployed: see `llm-router deploy \
             status`"
        }
        10063 => {
            "an account's first Worker needs a workers.dev subdomain, wherever it answers: open \
             Workers & Pages in the dashboard once, which makes one"
        }
        10097 => "Durable Objects on the free plan need SQLite classes; use a newer module",
        10215 => {
            "the newest version of the Worker is not the deployed one: run `llm-router deploy` or \
             roll back first"
        }
        10220 => {
            "secrets have changed since that version; --force brings the old ones back, leaked \
             keys included"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &'static str) -> Result<Value, Failure> {
        let answer = Response::builder().status(status).body(Bytes::from(body)).unwrap();
        read(&Method::GET, "/accounts/a/workers?x=1", &answer)
    }

    #[test]
    fn an_error_keeps_the_code_and_says_what_to_do() {
        let refused = answer(
            403,
            r#"{"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}"#,
        );
        let failure = refused.unwrap_err();
        assert_eq!(failure.message, "GET /accounts/a/workers: Authentication error (code 10000)");
        assert_eq!((failure.kind, codes(&failure).collect()), (Kind::Input, vec![10000]));
        assert!(failure.hint.unwrap().contains("Edit Cloudflare Workers"));
    }

    #[test]
    fn what_passes_is_told_from_what_has_to_be_changed() {
        let hint = |status, body| answer(status, body).unwrap_err().hint.unwrap_or_default();
        let busy = r#"{"success":false,"errors":[{"code":971,"message":"Please wait"}]}"#;
        assert!(hint(429, busy).contains("five minutes"));
        assert!(hint(429, "{}").contains("five minutes"));
        assert!(hint(503, "{}").contains("cloudflarestatus"));
        assert!(hint(502, "<html>502 Bad Gateway</html>").contains("cloudflarestatus"));
        assert!(hint(200, r#"{"success":tr"#).contains("HTTPS_PROXY"));
        assert_eq!(hint(400, r#"{"errors":[{"code":1,"message":"m"}]}"#), "");
    }

    #[test]
    fn success_needs_both_a_good_status_and_the_envelope_saying_so() {
        assert!(answer(200, r#"{"success":true,"result":1}"#).is_ok());
        assert!(answer(200, r#"{"success":false,"errors":[]}"#).is_err());
        assert!(answer(500, r#"{"success":true,"result":1}"#).is_err());
        let page = answer(200, "<html>log in to the hotel's network</html>").unwrap_err();
        assert!(page.hint.unwrap().contains("HTTPS_PROXY"));
        assert!(is_missing(&answer(404, "{}").unwrap_err()));
    }
}

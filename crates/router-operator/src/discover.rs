//! Which models a provider says it has.

use bytes::Bytes;
use http::Response;
use router_config::Operation;
use router_core::failure::{Answer, classify};
use router_wire::Dialect;
use router_wire::models::{Listed, read_list};

use crate::upstream::{Asker, Outcome, Pacer, Wait, Way, now};

/// Pages of a list at most.
const PAGES_MAX: usize = 20;
/// Models of a list at most.
const MODELS_MAX: usize = 5_000;

/// A provider's list of models.
#[derive(Clone, Debug)]
pub struct Discovered {
    /// The models, in the order of the list.
    pub models: Vec<Listed>,
    /// How it was asked.
    pub way: Way,
}

/// Why there is no list.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct NoList {
    /// What it comes down to.
    pub outcome: Outcome,
    /// The provider's words, or what happened. Holds no secret.
    pub message: String,
}

/// Asks for the list in each of `ways` until one has it. Costs nothing but requests.
///
/// The error is that of the way that came nearest: a refused key says more than a missing address.
pub async fn discover(
    asker: &Asker<'_>,
    ways: &[Way],
    pacer: &Pacer<'_>,
    on_wait: &(dyn Fn(Wait) + Sync),
) -> Result<Discovered, NoList> {
    let mut nearest: Option<NoList> = None;
    let mut asked = Vec::new();
    for way in ways {
        let address = way.base.endpoint(way.dialect, Operation::Models, "");
        // Both dialects of OpenAI have one list.
        if asked.contains(&(address.clone(), &way.auth, way.dialect == Dialect::Anthropic)) {
            continue;
        }
        match list(asker, way, pacer, on_wait).await {
            Ok(models) => return Ok(Discovered { models, way: way.clone() }),
            Err(none) => {
                let is_hopeless = none.outcome == Outcome::NetworkError;
                if nearest.as_ref().is_none_or(|known| weight(known) < weight(&none)) {
                    nearest = Some(none);
                }
                if is_hopeless {
                    break;
                }
            }
        }
        asked.push((address, &way.auth, way.dialect == Dialect::Anthropic));
    }
    Err(nearest.unwrap_or_else(|| NoList {
        outcome: Outcome::NotTested,
        message: "there is no address to ask".to_owned(),
    }))
}

fn weight(none: &NoList) -> u8 {
    match none.outcome {
        Outcome::NotTested => 0,
        Outcome::NoAddress | Outcome::FormatMismatch => 1,
        Outcome::AuthError => 2,
        _ => 3,
    }
}

async fn list(
    asker: &Asker<'_>,
    way: &Way,
    pacer: &Pacer<'_>,
    on_wait: &(dyn Fn(Wait) + Sync),
) -> Result<Vec<Listed>, NoList> {
    let (mut models, mut query): (Vec<Listed>, Option<String>) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        if pacer.turn(on_wait).await.is_none() {
            let message = "the budget of requests is spent".to_owned();
            return Err(NoList { outcome: Outcome::NotTested, message });
        }
        let read = asker.read(way, Operation::Models, query.as_deref()).await;
        let answer =
            read.map_err(|failed| NoList { outcome: failed.outcome, message: failed.message })?;
        if let Some(none) = refused(&answer) {
            return Err(NoList { message: asker.scrub(&none.message), ..none });
        }
        let list = read_list(answer.body()).ok_or_else(|| NoList {
            outcome: Outcome::FormatMismatch,
            message: "the answer is no list of models".to_owned(),
        })?;
        for model in list.models {
            if models.len() < MODELS_MAX && !models.iter().any(|known| known.id == model.id) {
                models.push(model);
            }
        }
        query = list.next;
        if query.is_none() {
            break;
        }
    }
    Ok(models)
}

/// What an answer to a request without a model says, if it is a failure.
pub(crate) fn refused(answer: &Response<Bytes>) -> Option<NoList> {
    use router_core::failure::FailureClass as Class;
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let status = answer.status().as_u16();
    let said = Answer { status, headers: &header, body: answer.body() };
    let failure = classify(&said, now())?;
    let outcome = match failure.class {
        Class::Unauthorized | Class::Forbidden => Outcome::AuthError,
        Class::RateLimited => Outcome::RateLimit,
        Class::NotFound | Class::Unsupported => Outcome::NoAddress,
        Class::Overloaded | Class::ServerError | Class::TimedOut | Class::Billing => {
            Outcome::RuntimeError
        }
        _ => Outcome::FormatMismatch,
    };
    Some(NoList { outcome, message: format!("{status}: {}", failure.message) })
}

//! What only a command on this machine can ask for: the end, and a successor.

use std::path::PathBuf;
use std::time::Duration;

use http::{Method, StatusCode};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;

use super::answer::{Problem, ok};
use super::routes::{Answer, read};
use super::{Admin, Control};
use crate::HandOver;
use crate::ending::How;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stop {
    /// Milliseconds that open requests have; as config says if absent.
    #[serde(default)]
    drain_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Succession {
    /// The program to start; the running one if absent.
    #[serde(default)]
    program: Option<PathBuf>,
}

/// Carries out `command`.
pub(super) async fn answer(
    admin: &Admin,
    control: &Control,
    (method, command): (&Method, &str),
    body: Incoming,
) -> Answer {
    if *method != Method::POST {
        return Err(Problem::method("POST"));
    }
    match command {
        "stop" => stop(admin, &read::<Stop>(body).await?).await,
        "hand-over" => hand_over(control, read::<Succession>(body).await?).await,
        "yield" => Ok(give_way(admin)),
        _ => {
            let message = "there are /control/stop, /control/hand-over and /control/yield";
            Err(Problem::new(StatusCode::NOT_FOUND, "not_found", message))
        }
    }
}

/// Answers when nothing is served any more.
async fn stop(admin: &Admin, stop: &Stop) -> Answer {
    tracing::info!(drain_ms = stop.drain_ms, "told to stop");
    admin.ending.begin(How::Stop(stop.drain_ms.map(Duration::from_millis)));
    let cut_off = admin.ending.wait().await;
    Ok(ok(&json!({ "cut_off": cut_off })))
}

/// Answers when the successor serves, or it is clear that there is none.
async fn hand_over(control: &Control, succession: Succession) -> Answer {
    let failed = |message: String| Problem::new(StatusCode::CONFLICT, "not_handed_over", message);
    let (reply, answer) = oneshot::channel();
    let order = HandOver { program: succession.program, reply };
    if control.orders.try_send(order).is_err() {
        return Err(failed("the router is handing over already, or ending".to_owned()));
    }
    let gone = |_| failed("the router ended meanwhile".to_owned());
    let pid = answer.await.map_err(gone)?.map_err(failed)?;
    Ok(ok(&json!({ "pid": pid })))
}

/// The caller serves from now on: it has the sockets, and gets the state file.
fn give_way(admin: &Admin) -> http::Response<http_body_util::Full<bytes::Bytes>> {
    tracing::info!("a successor serves from now on");
    admin.ending.begin(How::Succeeded);
    admin.app.store.release();
    ok(&json!({}))
}

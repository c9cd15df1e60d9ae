//! Asking a running router over its operators' listener.

use std::net::{IpAddr, SocketAddr};

use router_config::Admin;
use router_operator::instance::ask::{Answer, Question, Router};

use crate::outcome::{Failure, Kind};

/// Connects to the listener a config names; `None` if nobody is there.
pub(crate) fn connect(admin: &Admin) -> Option<Router> {
    let key = admin.key.clone()?;
    let host = admin.host.trim();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let ip: IpAddr = if host.eq_ignore_ascii_case("localhost") {
        [127, 0, 0, 1].into()
    } else {
        bare.parse().ok()?
    };
    Router::connect(SocketAddr::new(ip, admin.port), key)
}

/// Asks the router whose key the config has.
pub(crate) fn ask(router: Router, question: &Question<'_>) -> Result<Answer, Failure> {
    let address = router.address();
    let answer = router.ask(question).map_err(|error| {
        Failure::new(Kind::Failed, format!("the router at {address} does not answer: {error}"))
    })?;
    if answer.status == 401 {
        let message = format!("whoever listens on {address} does not accept server.admin.key");
        return Err(Failure::new(Kind::Input, message)
            .hint("a running router reads its key from its own config; --offline asks nobody"));
    }
    Ok(answer)
}

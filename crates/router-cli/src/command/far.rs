//! Commands that ask far away: a runtime for as long as they run, and the end by Ctrl+C.

use router_client::Client;
use router_operator::probe::Settings;
use tokio_util::sync::CancellationToken;

use crate::args::probe::Asking;
use crate::outcome::Failure;

/// Runs `work`; its token is cancelled when the operator presses Ctrl+C.
pub(crate) fn run<T>(
    work: impl AsyncFnOnce(&Client, &CancellationToken) -> T,
) -> Result<T, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("cannot start: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(&error))?;
    runtime.block_on(async {
        let client = Client::new().map_err(|error| failed(&error))?;
        let cancel = CancellationToken::new();
        let interrupted = async {
            if tokio::signal::ctrl_c().await.is_ok() {
                cancel.cancel();
            }
            std::future::pending().await
        };
        tokio::select! {
            done = work(&client, &cancel) => Ok(done),
            never = interrupted => never,
        }
    })
}

impl Asking {
    /// The settings with what was typed.
    pub(crate) fn settings(self) -> Settings {
        let usual = Settings::default();
        let seconds = self.probe_timeout.map(std::time::Duration::from_secs);
        Settings {
            requests_per_minute: self.probe_rpm.unwrap_or(usual.requests_per_minute),
            requests: self.probe_requests.unwrap_or(usual.requests),
            timeout: seconds.unwrap_or(usual.timeout),
            ..usual
        }
    }
}

//! How serving ends: because it was told to, or because a successor has taken over.

use std::time::Duration;

use tokio::sync::watch;

/// Why serving ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum How {
    /// Nobody serves afterwards; open requests may take so long, or as long as config allows.
    Stop(Option<Duration>),
    /// Another process accepts on the same sockets by now.
    Succeeded,
}

/// The end of serving: begun once, over once.
#[derive(Debug)]
pub(crate) struct Ending {
    begun: watch::Sender<Option<How>>,
    /// How many connections were cut off.
    over: watch::Sender<Option<usize>>,
}

impl Default for Ending {
    fn default() -> Self {
        Self { begun: watch::Sender::new(None), over: watch::Sender::new(None) }
    }
}

impl Ending {
    /// Begins the end, unless it has begun.
    pub(crate) fn begin(&self, how: How) {
        self.begun.send_if_modified(|begun| {
            let first = begun.is_none();
            begun.get_or_insert(how);
            first
        });
    }

    /// Whether it has begun, and how.
    pub(crate) fn how(&self) -> Option<How> {
        *self.begun.borrow()
    }

    /// Resolves when it has begun.
    pub(crate) async fn begun(&self) {
        // The sender is `self`: it does not go away meanwhile.
        let _ = self.begun.subscribe().wait_for(Option::is_some).await;
    }

    /// Resolves when a successor has taken over.
    pub(crate) async fn succeeded(&self) {
        let _ = self.begun.subscribe().wait_for(|how| *how == Some(How::Succeeded)).await;
    }

    /// Tells those who wait that nothing is served any more.
    pub(crate) fn over(&self, cut_off: usize) {
        self.over.send_replace(Some(cut_off));
    }

    /// Resolves with the number of connections that were cut off.
    pub(crate) async fn wait(&self) -> usize {
        let mut over = self.over.subscribe();
        let cut_off = over.wait_for(Option::is_some).await;
        cut_off.map_or(0, |cut_off| cut_off.unwrap_or(0))
    }
}

//! What the demo provider was asked, for tests to look at.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method};

/// Requests kept; the oldest go first.
pub const RECORDS_MAX: usize = 4096;

/// Bytes of bodies kept over all records; the oldest records go first.
pub const RECORDED_BYTES_MAX: usize = 64 << 20;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Record {
    /// Counts from 1 in order of arrival and is never used twice.
    pub id: u64,
    /// The connection it came on; two requests with one number shared it.
    pub connection: u64,
    /// The method.
    pub method: Method,
    /// The path with its query.
    pub path: String,
    /// All headers, the credential included.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// When the head had been read.
    pub received: Instant,
    /// The status answered, once there is one. Absent while a fault holds it back.
    pub status: Option<u16>,
    /// When the last byte of the answer had been handed over.
    pub finished: Option<Instant>,
    /// When the client went away before the answer was complete.
    pub aborted: Option<Instant>,
}

impl Record {
    /// The body as JSON, or `null` if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header as text, or the empty string.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// The records of one provider. Every connection writes, tests read; the lock
/// is held only to push or copy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    records: VecDeque<Record>,
    bytes: usize,
    last: u64,
}

impl Records {
    pub(crate) fn push(&self, mut record: Record) -> Ticket {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.last += 1;
        record.id = kept.last;
        let id = record.id;
        kept.bytes += record.body.len();
        kept.records.push_back(record);
        while kept.records.len() > RECORDS_MAX || kept.bytes > RECORDED_BYTES_MAX {
            let Some(oldest) = kept.records.pop_front() else { break };
            kept.bytes -= oldest.body.len();
        }
        Ticket { records: self.clone(), id, open: true }
    }

    pub(crate) fn all(&self) -> Vec<Record> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.records.iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.records.clear();
        kept.bytes = 0;
    }

    fn update(&self, id: u64, change: impl FnOnce(&mut Record)) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = kept.records.iter_mut().rev().find(|record| record.id == id) {
            change(record);
        }
    }
}

/// Follows one request to its end: dropped before [`Ticket::finish`], it notes
/// that the client went away.
#[derive(Debug)]
pub(crate) struct Ticket {
    records: Records,
    id: u64,
    open: bool,
}

impl Ticket {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn answered(&self, status: u16) {
        self.records.update(self.id, |record| record.status = Some(status));
    }

    pub(crate) fn finish(&mut self) {
        if self.open {
            self.open = false;
            self.records.update(self.id, |record| record.finished = Some(Instant::now()));
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.open {
            self.records.update(self.id, |record| record.aborted = Some(Instant::now()));
        }
    }
}

//! A server that runs: signals, successors, and its end.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::process::Child;
use std::time::{Duration, Instant};

use router_operator::instance::process::{self, Signal as Told};
use router_operator::instance::succession::{self, READY_MAX};
use router_server::{HandOver, Handle, Server};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::binary::BinaryWatch;
use crate::output;

/// Signals to a successor closer together than this are one: a terminal and a service manager may
/// send it to every process they know of, and the predecessor passes it on besides.
const SAME_SIGNAL: Duration = Duration::from_secs(1);
/// Time between two looks at a process.
const POLL: Duration = Duration::from_millis(20);

/// The signals a server answers to.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.hangup.recv() => Told::Hangup,
            _ = self.terminate.recv() => Told::Terminate,
            _ = self.interrupt.recv() => Told::Terminate,
        }
    }
}

/// What runs, and as what.
#[derive(Debug)]
pub(super) struct Role<'a> {
    /// The instance's name.
    pub(super) name: &'a str,
    /// The program that a successor runs.
    pub(super) program: PathBuf,
    /// Whether this process has taken another one's place.
    pub(super) is_successor: bool,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct End {
    /// Connections that were cut off.
    pub(super) cut_off: usize,
    /// The process that serves now.
    pub(super) successor: Option<Child>,
}

type Attempt = Pin<Box<dyn Future<Output = Result<Child, String>>>>;

/// What goes on beside serving.
struct Live<'a> {
    handle: Handle,
    role: Role<'a>,
    attempt: Option<Attempt>,
    waiting: Option<oneshot::Sender<Result<u32, String>>>,
    successor: Option<Child>,
    stopping: Option<Instant>,
}

/// Serves until told to stop or succeeded. SIGHUP reloads; the first SIGTERM or SIGINT drains, and
/// a second one ends this at once.
pub(super) async fn run(
    mut server: Server,
    role: Role<'_>,
    mut watch: Option<BinaryWatch>,
    signals: &mut Signals,
) -> End {
    let mut orders = server.orders();
    let mut live = Live {
        handle: server.handle(),
        role,
        attempt: None,
        waiting: None,
        successor: None,
        stopping: None,
    };
    let mut serving = pin!(server.run());
    loop {
        tokio::select! {
            // In this order: with nothing open, the end comes together with the successor.
            biased;
            told = signals.next() => if live.obey(told) {
                return End { cut_off: 0, successor: live.successor };
            },
            tried = attempt(live.attempt.as_mut()) => live.tried(tried),
            cut_off = &mut serving => return End { cut_off, successor: live.successor },
            Some(HandOver { program, reply }) = order(orders.as_mut()), if live.is_free() => {
                live.try_successor(program, Some(reply));
            }
            program = changed(watch.as_mut()), if live.is_free() => {
                output::note(&format!("{} is another version by now", program.display()));
                live.try_successor(Some(program), None);
            }
        }
    }
}

/// Passes signals on to the process that serves now, and ends with it: whoever started this one
/// waits for its end. Returns whether all went well.
pub(super) async fn accompany(mut successor: Child, signals: &mut Signals) -> bool {
    loop {
        tokio::select! {
            // The child has not been waited for, so its number is its own.
            told = signals.next() => { let _ = process::signal(successor.id(), told); }
            () = tokio::time::sleep(POLL) => match successor.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => return status.success(),
                Err(_) => return false,
            },
        }
    }
}

impl Live<'_> {
    /// Does what a signal says; true if this process is to end at once.
    fn obey(&mut self, told: Told) -> bool {
        if let Some(successor) = &self.successor {
            let _ = process::signal(successor.id(), told);
        }
        if told == Told::Hangup {
            self.handle.reload();
            return false;
        }
        if let Some(since) = self.stopping {
            return !self.role.is_successor || SAME_SIGNAL < since.elapsed();
        }
        self.stopping = Some(Instant::now());
        output::note("stopping; requests under way may finish (again to stop at once)");
        self.handle.stop();
        false
    }

    fn is_free(&self) -> bool {
        self.attempt.is_none() && self.successor.is_none() && self.stopping.is_none()
    }

    fn try_successor(
        &mut self,
        program: Option<PathBuf>,
        reply: Option<oneshot::Sender<Result<u32, String>>>,
    ) {
        let program = program.unwrap_or_else(|| self.role.program.clone());
        self.waiting = reply;
        let attempt = succeed(program, self.role.name.to_owned(), self.handle.clone());
        self.attempt = Some(Box::pin(attempt));
    }

    fn tried(&mut self, tried: Result<Child, String>) {
        self.attempt = None;
        let told = match tried {
            Ok(child) => {
                let pid = child.id();
                output::note(&format!("process {pid} serves from now on; finishing what is open"));
                self.successor = Some(child);
                Ok(pid)
            }
            Err(why) => {
                output::note(&format!("not handed over, this process serves on: {why}"));
                Err(why)
            }
        };
        if let Some(reply) = self.waiting.take() {
            // Whoever asked may be gone.
            let _ = reply.send(told);
        }
    }
}

async fn attempt(attempt: Option<&mut Attempt>) -> Result<Child, String> {
    match attempt {
        Some(attempt) => attempt.await,
        None => std::future::pending().await,
    }
}

async fn order(orders: Option<&mut tokio::sync::mpsc::Receiver<HandOver>>) -> Option<HandOver> {
    match orders {
        Some(orders) => orders.recv().await,
        None => std::future::pending().await,
    }
}

async fn changed(watch: Option<&mut BinaryWatch>) -> PathBuf {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

/// Starts `program` and waits until it has taken over.
async fn succeed(program: PathBuf, name: String, handle: Handle) -> Result<Child, String> {
    let sockets = handle.listeners().map_err(|error| format!("no sockets to pass on: {error}"))?;
    let failed = |error| cannot_run(&program, &error);
    let mut child = succession::spawn(&program, &name, sockets).map_err(failed)?;
    let deadline = Instant::now() + READY_MAX;
    loop {
        tokio::select! {
            () = handle.succeeded() => return Ok(child),
            () = tokio::time::sleep(POLL) => {}
        }
        match child.try_wait() {
            Ok(Some(status)) => {
                return Err(format!("{} ended before it served ({status})", program.display()));
            }
            Ok(None) if Instant::now() < deadline => {}
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                let limit = READY_MAX.as_secs();
                return Err(format!("{} does not serve after {limit} s", program.display()));
            }
        }
    }
}

fn cannot_run(program: &Path, error: &io::Error) -> String {
    format!("cannot run {}: {error}", program.display())
}

//! One process taking the place of another without a lost request.
//!
//! ```text
//!   old: spawn new with the listening sockets ......... serves on ......... yields, drains, ends
//!   new: ......... reads its config, checks everything ........ /control/yield, opens the state file, serves
//! ```
//!
//! The sockets are never closed: connections that nobody has accepted yet wait in the kernel for
//! whichever process accepts next. They are passed as systemd passes sockets (`sd_listen_fds(3)`), so
//! that socket activation is the same thing.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};

use super::ask::{Question, ask};
use super::{Control, Instance, Instances};

/// Names the instance whose place a new process takes.
pub const SUCCEEDS_VARIABLE: &str = "LLM_ROUTER_SUCCEEDS";
/// How long a successor may take until it serves.
pub const READY_MAX: Duration = Duration::from_mins(1);
/// The first descriptor that is passed on.
const FIRST: i32 = 3;
/// Sockets passed on at most: the clients' and the operators'.
const SOCKETS_MAX: usize = 2;

/// Starts `program` with the arguments of this process and these sockets.
pub fn spawn(program: &Path, name: &str, sockets: Vec<OwnedFd>) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.args(std::env::args_os().skip(1)).stdin(Stdio::null());
    command.env(SUCCEEDS_VARIABLE, name).env("LISTEN_FDS", sockets.len().to_string());
    command.env_remove("LISTEN_PID").env_remove("LISTEN_FDNAMES");
    let sockets = (FIRST..).zip(sockets);
    let mappings = sockets.map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd }).collect();
    command.fd_mappings(mappings).map_err(io::Error::other)?;
    command.spawn()
}

/// The sockets this process was given: the clients', then the operators'. To be called once, while
/// the process has a single thread, as it reads and clears the environment.
pub fn inherited() -> io::Result<Vec<TcpListener>> {
    let mut given = listenfd::ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..given.len().min(SOCKETS_MAX) {
        sockets.extend(given.take_tcp_listener(index)?);
    }
    Ok(sockets)
}

/// The instance whose place this process is to take, if it is a successor.
pub fn predecessor(instances: &Instances) -> Option<Instance> {
    let name = std::env::var(SUCCEEDS_VARIABLE).ok()?;
    instances.get(&name)
}

/// Tells the predecessor to stop accepting and to leave the state file; it answers when it has.
pub fn take_over(control: &Control) -> io::Result<()> {
    let gone = || io::Error::new(io::ErrorKind::NotConnected, "the predecessor is gone");
    let answer = ask(control, &Question::post("/control/yield", "{}")).ok_or_else(gone)??;
    if answer.status == 200 { Ok(()) } else { Err(io::Error::other(answer.message())) }
}

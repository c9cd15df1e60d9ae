//! Asking for a secret in a terminal that does not show what is typed.

use std::io;
use std::sync::mpsc;
use std::thread;

use crate::outcome::{Failure, Kind};

/// Asks on the terminal. Ctrl+C ends the question, and the terminal shows again what is typed.
pub(crate) fn ask(question: String) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::failed(format!("cannot read the secret: {error}"));
    let terminal = Terminal::of_this_process();
    let (told, ending) = mpsc::channel();
    let typed = told.clone();
    // Neither thread can be stopped while it waits; both end with the process.
    thread::spawn(move || typed.send(Some(rpassword::prompt_password(question))));
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            // Nobody listens where the secret came first.
            let _ = told.send(None);
        }
        Ok::<_, io::Error>(())
    });
    match ending.recv() {
        // The signal may end the reading first.
        Ok(Some(Err(error))) if error.kind() == io::ErrorKind::Interrupted => {}
        Ok(Some(secret)) => return secret.map_err(failed),
        Ok(None) | Err(_) => {}
    }
    terminal.restore();
    Err(Failure::new(Kind::Interrupted, "interrupted").hint("nothing was changed"))
}

/// How the terminal was before it was told to show nothing.
#[cfg(unix)]
struct Terminal(Option<(std::fs::File, rustix::termios::Termios)>);

#[cfg(unix)]
impl Terminal {
    fn of_this_process() -> Self {
        let file = std::fs::File::open("/dev/tty").ok();
        Self(file.and_then(|file| {
            let state = rustix::termios::tcgetattr(&file).ok()?;
            Some((file, state))
        }))
    }

    fn restore(&self) {
        if let Some((file, state)) = &self.0 {
            let now = rustix::termios::OptionalActions::Now;
            let _ = rustix::termios::tcsetattr(file, now, state);
            crate::output::note("");
        }
    }
}

/// Other systems do that by themselves.
#[cfg(not(unix))]
struct Terminal;

#[cfg(not(unix))]
impl Terminal {
    const fn of_this_process() -> Self {
        Self
    }

    const fn restore(&self) {}
}

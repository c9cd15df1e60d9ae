//! `llm-router records`: what happened, as JSON lines.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use router_core::time::UnixMs;
use router_server::Source;
use router_store::records::{ExportError, Filter, export};

use super::start::config_failure;
use crate::args::{Records, RecordsCommand, RecordsExport};
use crate::cx::Cx;
use crate::outcome::{Failure, Kind, Outcome};

pub(crate) fn run(cx: &Cx, flags: &Records) -> Result<Outcome, Failure> {
    match &flags.command {
        RecordsCommand::Export(flags) => print(cx, flags),
    }
}

fn print(cx: &Cx, flags: &RecordsExport) -> Result<Outcome, Failure> {
    let now = UnixMs(u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0));
    let since = flags.since.as_deref().map(|text| since(text, now)).transpose()?;
    let path = file(cx, flags)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let exported = export(&path, &Filter { since, limit: flags.limit }, &mut out);
    let exported = exported.and_then(|_| out.flush().map_err(ExportError::from));
    match exported {
        // A reader that went away is no failure.
        Err(ExportError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(Outcome::printed())
        }
        Err(error @ ExportError::Missing) => {
            Err(Failure::new(Kind::Input, format!("{error}: {}", path.display()))
                .hint("the router writes it when it runs; name another one with --file FILE"))
        }
        Err(error) => Err(Failure::new(Kind::Failed, format!("{error}: {}", path.display()))),
        Ok(()) => Ok(Outcome::printed()),
    }
}

fn file(cx: &Cx, flags: &RecordsExport) -> Result<PathBuf, Failure> {
    if let Some(file) = &flags.file {
        return Ok(file.clone());
    }
    let loaded = router_server::reload::load(&Source::File(cx.config_path()?));
    let (config, ..) = loaded.map_err(|error| config_failure(&error))?;
    let home = std::env::home_dir();
    router_server::records_path(&config, home.as_deref()).ok_or_else(|| {
        Failure::new(Kind::Input, "there is no home directory to look for records in")
            .hint("name the file with --file FILE")
    })
}

/// A moment, or a time that has passed since.
fn since(text: &str, now: UnixMs) -> Result<UnixMs, Failure> {
    let text = text.trim();
    let ago = |text: &str| {
        let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
        let (count, unit) = units.iter().find_map(|(unit, ms)| {
            let count: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
            Some((count, *ms))
        })?;
        Some(Duration::from_millis(count.saturating_mul(unit)))
    };
    if let Some(ago) = ago(text) {
        let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
        return Ok(UnixMs(now.0.saturating_sub(ago)));
    }
    let moment: Result<jiff::Timestamp, _> = text.parse();
    let moment = moment.ok().and_then(|moment| u64::try_from(moment.as_millisecond()).ok());
    moment.map(UnixMs).ok_or_else(|| {
        Failure::new(Kind::Input, format!("--since: `{text}` is neither a moment nor a duration"))
            .hint("write `2026-03-01T12:00:00Z`, `90m`, `12h` or `7d`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_moment_or_a_duration() {
        let now = UnixMs(1_000_000_000);
        for (text, expect) in [
            ("1970-01-01T00:00:01Z", Some(1_000)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("90m", Some(1_000_000_000 - 5_400_000)),
            (" 7d ", Some(1_000_000_000 - 604_800_000)),
            ("250ms", Some(1_000_000_000 - 250)),
            ("1000000h", Some(0)),
            ("yesterday", None),
            ("-5m", None),
            ("", None),
        ] {
            assert_eq!(since(text, now).ok(), expect.map(UnixMs), "{text}");
        }
    }
}

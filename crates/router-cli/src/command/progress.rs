//! How far a probe is: a bar in a terminal, lines elsewhere, nothing for programs.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use router_operator::probe::{Event, Reason};
use router_operator::upstream::Outcome;
use router_wire::Dialect;

use crate::cx::Cx;
use crate::output::{BAD, FAINT, GOOD, WARN, note, styled};

/// Waits that are shorter are not worth a line.
const WAIT_SHOWN_MIN: Duration = Duration::from_secs(1);

/// Shows what happens.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    has_lines: bool,
}

impl Progress {
    pub(crate) fn new(cx: &Cx) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let bar = (is_terminal && !cx.json).then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:24} {pos}/{len} {wide_msg}");
            if let Ok(style) = style {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        Self { has_lines: !cx.json && bar.is_none(), bar }
    }

    /// Takes note of an event.
    pub(crate) fn event(&self, event: &Event) {
        if let Some(bar) = &self.bar {
            draw(bar, event);
        } else if self.has_lines
            && let Some(line) = line(event)
        {
            note(&line);
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn draw(bar: &ProgressBar, event: &Event) {
    match event {
        Event::ModelCheck { completed, total, check, .. } => {
            bar.set_length(u64::try_from(*total).unwrap_or(u64::MAX));
            bar.set_position(u64::try_from(*completed).unwrap_or(u64::MAX));
            bar.set_message(check.model.clone());
            if let Some(line) = line(event) {
                bar.suspend(|| note(&line));
            }
        }
        Event::RateLimitWait { .. } => bar.set_message(line(event).unwrap_or_default()),
        _ => {
            if let Some(line) = line(event) {
                bar.suspend(|| note(&line));
            }
        }
    }
}

/// One line about an event, if it is worth one.
fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::ModelList { endpoint, count: Some(count), .. } => {
            styled(FAINT, format!("{endpoint} lists {count} models"))
        }
        Event::ModelList { endpoint, count: None, message } => {
            styled(FAINT, format!("{endpoint} has no list of models: {message}"))
        }
        Event::ModelCheck { is_known: true, .. }
        | Event::MatrixStart { .. }
        | Event::EndpointStart { .. }
        | Event::EndpointDone { .. }
        | Event::MatrixDone { .. } => return None,
        Event::ModelCheck { check, endpoint, format, completed, total, .. } => {
            let (style, detail) = if check.outcome == Outcome::Ok {
                (GOOD, format!("{} ms", check.latency_ms))
            } else {
                (BAD, check.message.clone())
            };
            let status = check.status.map(|status| format!(" ({status})")).unwrap_or_default();
            let outcome = styled(style, format!("{}{status}", check.outcome));
            let format = format.config_name();
            format!(
                "{completed}/{total} {} on {format} @ {endpoint}: {outcome} {detail}",
                check.model
            )
        }
        Event::RateLimitWait { time, .. } if *time < WAIT_SHOWN_MIN => return None,
        Event::RateLimitWait { reason, endpoint, format, model, time, .. } => {
            let why = match reason {
                Reason::Pacing => "to keep the pace",
                Reason::RateLimit => "as the provider asks",
            };
            let what = format.map(Dialect::config_name).unwrap_or_default();
            let seconds = time.as_secs_f32();
            styled(WARN, format!("waiting {seconds:.1} s {why}: {model} {what} @ {endpoint}"))
        }
    })
}

//! `llm-router stop`, `reload`, `status` and `logs`: what is said to running routers.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use router_operator::instance::ask::{self, Answer, Question};
use router_operator::instance::succession::READY_MAX;
use router_operator::instance::{ChooseError, Instance, Instances, choose, log, stop};
use serde_json::{Value, json};

use crate::args::process::{Logs, Named, Reload, Stop};
use crate::cx::Cx;
use crate::outcome::{Failure, Kind, Outcome};
use crate::output::{self, FAINT, GOOD, STRONG, WARN, styled};

/// How long a process that serves may take to write its instance file.
const KNOWN_MAX: Duration = Duration::from_secs(5);
/// Time between two looks.
const POLL: Duration = Duration::from_millis(10);

/// The instance files of this user.
pub(crate) fn instances() -> Result<Instances, Failure> {
    let home = std::env::home_dir();
    let home = home.ok_or_else(|| Failure::input("there is no home directory to look in"))?;
    Ok(Instances::new(&home))
}

fn the_one(which: &Named) -> Result<Instance, Failure> {
    let live = instances()?.live();
    choose(live, which.name.as_deref()).map_err(|error| {
        let message = error.to_string();
        match error {
            ChooseError::None => Failure::failed(message).hint("`llm-router start` starts one"),
            ChooseError::Unknown { running, .. } => {
                Failure::input(message).hint(if running.is_empty() {
                    "none is running at all".to_owned()
                } else {
                    format!("running: {}", running.join(", "))
                })
            }
            ChooseError::Several { .. } => {
                Failure::input(message).hint("choose one with --name NAME")
            }
        }
    })
}

/// Ends one or all; that none runs is no failure, as before.
pub(crate) fn stop(flags: &Stop) -> Result<Outcome, Failure> {
    let instances = instances()?;
    let live = instances.live();
    let chosen = if live.is_empty() && flags.which.name.is_none() {
        Vec::new()
    } else if flags.all {
        live
    } else {
        vec![the_one(&flags.which)?]
    };
    let (mut text, mut stopped) = (String::new(), Vec::new());
    for instance in &chosen {
        let how = stop::stop(&instances, instance, flags.timeout);
        let how = how.map_err(|error| Failure::failed(error.to_string()))?;
        let name = styled(STRONG, &instance.name);
        let _ = write!(text, "stopped {name} (process {})", instance.facts.pid);
        match how.cut_off {
            Some(count @ 1..) => {
                let _ = write!(
                    text,
                    "; {}",
                    styled(WARN, format!("{count} connection(s) were cut off"))
                );
            }
            Some(0) => text.push_str("; every request was finished"),
            None => {}
        }
        if how.killed {
            let _ = write!(text, "; {}", styled(WARN, "it had to be killed"));
        }
        text.push('\n');
        if let Some(manager) = &instance.facts.managed_by {
            let _ = writeln!(
                text,
                "{manager} starts it again at the next boot or login; `llm-router service uninstall` ends that"
            );
        }
        stopped.push(json!({
            "name": instance.name,
            "pid": instance.facts.pid,
            "cut_off": how.cut_off,
            "killed": how.killed,
        }));
    }
    if chosen.is_empty() {
        text.push_str("no router is running");
    }
    Ok(Outcome::new(text, json!({ "stopped": stopped })))
}

/// Puts the config file in force, or a new process in the place of the old.
pub(crate) fn reload(flags: &Reload) -> Result<Outcome, Failure> {
    let instance = the_one(&flags.which)?;
    let name = styled(STRONG, &instance.name);
    if let Some(program) = &flags.binary {
        let body = json!({ "program": program }).to_string();
        let patience = Some(READY_MAX * 2);
        let question = Question { patience, ..Question::post("/control/hand-over", &body) };
        let answer = asked(&instance, &question)?;
        if answer.status != 200 {
            return Err(Failure::failed(answer.message())
                .hint("the router serves on as it was; its log says more"));
        }
        let (from, to) = (instance.facts.pid, answer.json().get("pid").and_then(Value::as_u64));
        let to = to.and_then(|pid| u32::try_from(pid).ok()).unwrap_or_default();
        wait_for(to)?;
        let text = format!(
            "{name}: process {from} has handed over to process {to} and finishes what it has begun"
        );
        return Ok(Outcome::new(text, json!({ "name": instance.name, "from": from, "to": to })));
    }
    let answer = asked(&instance, &Question::post("/admin/reload", ""))?;
    if answer.status != 200 {
        let message =
            format!("the config is refused, the running one stays in force: {}", answer.message());
        return Err(Failure::new(Kind::Config, message)
            .hint("`llm-router validate` checks a file without a router"));
    }
    let value = answer.json();
    let changes = value.get("changes").and_then(Value::as_array);
    let changes: Vec<_> = changes.into_iter().flatten().filter_map(Value::as_str).collect();
    let text = if changes.is_empty() {
        format!("{name}: reloaded, nothing is different")
    } else {
        format!("{name}: reloaded\n  {}", changes.join("\n  "))
    };
    Ok(Outcome::new(text, value))
}

/// Waits until a process that serves has told so: it does that a moment later.
fn wait_for(pid: u32) -> Result<(), Failure> {
    let (instances, deadline) = (instances()?, Instant::now() + KNOWN_MAX);
    while instances.of_process(pid).is_none() && Instant::now() < deadline {
        thread::sleep(POLL);
    }
    Ok(())
}

fn asked(instance: &Instance, question: &Question<'_>) -> Result<Answer, Failure> {
    let (name, pid) = (&instance.name, instance.facts.pid);
    let Some(control) = &instance.facts.control else {
        let message =
            format!("`{name}` (process {pid}) is the older program and takes no commands");
        return Err(Failure::failed(message).hint("`llm-router stop` ends it; then start this one"));
    };
    let unreachable = |why: String| {
        Failure::new(Kind::Unreachable, format!("`{name}` (process {pid}) does not answer: {why}"))
    };
    match ask::ask(control, question) {
        Some(answer) => answer.map_err(|error| unreachable(error.to_string())),
        None => Err(unreachable("nobody listens where it should".to_owned())),
    }
}

/// What runs, and how it does.
pub(crate) fn status(which: &Named) -> Result<Outcome, Failure> {
    let chosen = match &which.name {
        Some(_) => vec![the_one(which)?],
        None => instances()?.live(),
    };
    let (mut text, mut all) = (String::new(), Vec::new());
    for instance in &chosen {
        let answer = asked(instance, &Question::get("/admin/status"));
        let status = answer.ok().filter(|answer| answer.status == 200).map(|answer| answer.json());
        describe(&mut text, instance, status.as_ref());
        let facts = &instance.facts;
        all.push(json!({
            "name": instance.name,
            "pid": facts.pid,
            "url": instance.url(),
            "address": facts.address,
            "admin_address": facts.admin_address,
            "config": facts.config_path,
            "version": facts.version,
            "managed_by": facts.managed_by,
            "requires_auth": facts.requires_auth,
            "log": facts.log,
            "started_at": facts.started_at,
            "answers": status.is_some(),
            "status": status,
        }));
    }
    if chosen.is_empty() {
        text.push_str("no router is running");
    }
    Ok(Outcome::new(text, json!({ "instances": all })))
}

fn describe(text: &mut String, instance: &Instance, status: Option<&Value>) {
    let facts = &instance.facts;
    let _ = writeln!(
        text,
        "{} {} {}",
        styled(STRONG, &instance.name),
        instance.url(),
        styled(FAINT, format!("(process {}, version {})", facts.pid, facts.version)),
    );
    let config = facts.config_path.as_ref();
    let config = config.map_or_else(|| "built-in demo".to_owned(), |it| it.display().to_string());
    let _ = writeln!(text, "  config      {config}");
    let number = |key: &str| status.and_then(|it| it.get(key)).and_then(Value::as_u64);
    match (number("uptime_s"), number("in_flight")) {
        (Some(uptime), Some(in_flight)) => {
            let _ = writeln!(text, "  up          {}", duration(uptime));
            let _ = writeln!(text, "  in flight   {in_flight}");
        }
        _ => {
            let _ = writeln!(text, "  {}", styled(WARN, "it does not answer"));
        }
    }
    let auth = if facts.requires_auth { "required" } else { "off" };
    let _ = writeln!(text, "  client key  {auth}");
    if let Some(manager) = &facts.managed_by {
        let _ = writeln!(text, "  started by  {manager}");
    }
    if let Some(log) = &facts.log {
        let _ = writeln!(text, "  log         {}", log.display());
    }
    let providers = status.and_then(|it| it.get("providers")).and_then(Value::as_array);
    let held = status.and_then(|it| it.get("cooldowns")).and_then(Value::as_array);
    for provider in providers.into_iter().flatten() {
        let word = |key: &str| provider.get(key).and_then(Value::as_str).unwrap_or_default();
        let (id, circuit) = (word("provider"), word("circuit"));
        let class = held
            .into_iter()
            .flatten()
            .find(|each| each.get("provider").and_then(Value::as_str) == Some(id));
        let class = class.and_then(|each| each.get("class")).and_then(Value::as_str);
        let health = match (circuit, class) {
            ("closed", None) => styled(GOOD, "ok"),
            ("closed", Some(class)) => styled(WARN, format!("cooling down: {class}")),
            (circuit, _) => styled(WARN, format!("circuit {circuit}")),
        };
        let _ = writeln!(text, "  provider    {id}: {health}");
    }
}

fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// Prints the log, wherever the platform keeps it.
pub(crate) fn logs(cx: &Cx, flags: &Logs) -> Result<Outcome, Failure> {
    if cx.json && flags.follow {
        return Err(Failure::input("--json is one document, and --follow has no end")
            .hint("leave one of them out"));
    }
    let instances = instances()?;
    let running = the_one(&flags.which);
    // What a router that ended has said is worth reading, too.
    let name = flags.which.name.as_deref().unwrap_or(router_operator::instance::DEFAULT_NAME);
    let path = match &running {
        Ok(instance) => match (&instance.facts.log, instance.facts.managed_by.as_deref()) {
            (Some(path), _) => path.clone(),
            (None, Some("systemd")) => return journal(cx, flags),
            (None, _) => {
                let message = format!("`{}` logs to the terminal it was started in", instance.name);
                let hint = "start it with --background or --log-file FILE to keep its log";
                return Err(Failure::failed(message).hint(hint));
            }
        },
        Err(_) => instances.log_path(name),
    };
    if !path.exists() {
        return Err(running
            .err()
            .unwrap_or_else(|| Failure::failed(format!("there is no log at {}", path.display()))));
    }
    let unreadable =
        |error: io::Error| Failure::failed(format!("cannot read {}: {error}", path.display()));
    if cx.json {
        let mut text = Vec::new();
        log::tail(&path, flags.lines, &mut text).map_err(unreadable)?;
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        return Ok(Outcome::new("", json!({ "path": path, "lines": lines })));
    }
    let mut out = io::stdout().lock();
    let printed = if flags.follow {
        let over = || !running.as_ref().is_ok_and(Instance::is_alive);
        log::follow(&path, flags.lines, &mut out, &over)
    } else {
        log::tail(&path, flags.lines, &mut out)
    };
    match printed.and_then(|()| out.flush()) {
        // A reader that went away is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unreadable(error)),
        _ => Ok(Outcome::printed()),
    }
}

fn journal(cx: &Cx, flags: &Logs) -> Result<Outcome, Failure> {
    let mut command = Command::new("journalctl");
    // The system's journal holds the user's units as well.
    command.args(["--user-unit", "llm-router", "--unit", "llm-router", "--output", "cat"]);
    command.arg("--lines").arg(flags.lines.to_string());
    if flags.follow {
        command.arg("--follow");
    } else {
        command.arg("--no-pager");
    }
    let failed = |error| Failure::failed(format!("cannot run journalctl: {error}"));
    let ended = |status: std::process::ExitStatus| {
        status.success().then_some(()).ok_or_else(|| Failure::failed("journalctl failed"))
    };
    if cx.json {
        let said = command.output().map_err(failed)?;
        ended(said.status)?;
        let text = String::from_utf8_lossy(&said.stdout);
        let lines: Vec<&str> = text.lines().collect();
        return Ok(Outcome::new("", json!({ "lines": lines })));
    }
    output::note(&styled(FAINT, "from the journal of systemd"));
    ended(command.status().map_err(failed)?)?;
    Ok(Outcome::printed())
}

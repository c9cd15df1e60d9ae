//! Questions are for terminals: `script` gives the command one.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use router_demo::{Demo, Face};

use crate::asking::Site;
use crate::common::Home;

const TYPED: &str = "sk-marker-5ecret-typed";

/// Runs a command in a terminal, and types an answer each time a question is there.
fn in_terminal(command: &Command, talk: &[(&str, &str)]) -> (Option<i32>, String) {
    let quoted = |text: &std::ffi::OsStr| format!("'{}'", text.to_string_lossy());
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = format!("tty; exec {}", words.map(quoted).collect::<Vec<_>>().join(" "));
    let mut script = Command::new("script");
    script.args(["-qefc", &line, "/dev/null"]).current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    script.stdin(Stdio::piped()).stdout(Stdio::piped());
    // Of util-linux.
    let mut child = script.spawn().unwrap();
    let mut said = String::new();
    for (question, answer) in talk {
        read_until(&mut child, question, &mut said);
        if question.contains("not shown") {
            wait_for_silence(said.lines().next().unwrap().trim());
        }
        let stdin = child.stdin.as_mut().unwrap();
        stdin.write_all(format!("{answer}\n").as_bytes()).unwrap();
    }
    let mut rest = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut rest).unwrap();
    said.push_str(&String::from_utf8_lossy(&rest));
    (child.wait().unwrap().code(), said)
}

/// Waits until a terminal does not show what is typed: the question comes before that.
fn wait_for_silence(terminal: &str) {
    loop {
        let state = Command::new("stty").args(["-a", "-F", terminal]).output().unwrap();
        if String::from_utf8_lossy(&state.stdout).contains("-echo ") {
            return;
        }
        std::thread::yield_now();
    }
}

fn read_until(child: &mut Child, question: &str, said: &mut String) {
    let out = child.stdout.as_mut().unwrap();
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).contains(question) {
        let mut byte = [0];
        assert_eq!(out.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&bytes));
        bytes.extend(byte);
    }
    said.push_str(&String::from_utf8_lossy(&bytes));
}

#[cfg(unix)]
#[test]
fn ctrl_c_at_a_hidden_question_leaves_a_terminal_that_shows_what_is_typed() {
    let home = Home::new();
    let before = home.text();
    let mut command = Command::new("sh");
    let program = home.command(&["key", "set", "-"]);
    let line = program.get_args().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let line = format!(
        "trap : INT; {} {line}; echo \"code=$? $(stty -a | grep -o -- '-\\{{0,1\\}}echo ')\"",
        program.get_program().to_string_lossy()
    );
    command.args(["-c", &line.replace('\'', "'\\''")]).current_dir(home.folder());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let (_, said) = in_terminal(&command, &[("not shown): ", "\u{3}")]);
    assert!(said.contains("code=130 echo "), "{said}");
    assert!(said.contains("interrupted"), "{said}");
    assert_eq!(home.text(), before);
}

#[test]
fn a_missing_key_is_asked_for_without_being_shown() {
    let home = Home::empty();
    let command = home.command(&["provider", "add", "--preset", "groq", "--skip-probe"]);
    let (code, said) = in_terminal(&command, &[("API key of Groq (not shown): ", TYPED)]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("5ecret"), "{said}");
    assert!(home.text().contains(TYPED));
    // A key that is there already is not asked for.
    let command = home.command(&["provider", "edit", "groq", "--name", "Fast"]);
    let (code, said) = in_terminal(&command, &[]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn nothing_is_asked_with_no_input_or_json_or_without_a_terminal() {
    let home = Home::empty();
    let new = ["provider", "add", "x", "--base-url=https://x.example", "--models=m"];
    for more in ["--no-input", "--json"] {
        let (code, said) = in_terminal(&home.command(&[&new[..], &[more]].concat()), &[]);
        assert_eq!(code, Some(2), "{said}");
        for part in ["--api-key env:NAME", "--api-key - ", "--no-key"] {
            assert!(said.contains(part), "{more}: {said}");
        }
    }
    assert_eq!(home.run(&new).code, Some(2));
    assert!(!home.path().exists());
}

#[test]
fn a_provider_that_does_not_work_is_saved_if_the_operator_says_so() {
    let site = Site::new(Face::default());
    let nobody = site.runtime.block_on(Demo::refusing_address()).unwrap();
    let url = format!("http://{nobody}");
    let before = site.home.text();
    let add = ["provider", "add", "x", "--no-key", "--base-url", &url, "--models=m"];
    let question = "Save it all the same? [y/N] ";
    let (code, said) = in_terminal(&site.command(&add), &[(question, "n")]);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(site.home.text(), before);
    let (code, said) = in_terminal(&site.command(&add), &[(question, "y")]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(site.config()["providers"][1]["id"], "x");
    assert_eq!(site.config()["providers"][1].get("lastProbe"), None);
}

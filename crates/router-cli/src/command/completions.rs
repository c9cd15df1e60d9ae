//! `llm-router completions` and `llm-router man`, made from the definition of the commands.

use clap::CommandFactory;
use clap_complete::Shell;
use router_config::nearest;
use serde_json::json;

use crate::args::{Arguments, Completions, Man};
use crate::outcome::{Failure, Outcome};

/// Completions for a shell.
pub(crate) fn run(flags: &Completions) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(flags.shell, &mut Arguments::command(), "llm-router", &mut script);
    let mut text = text_of(script)?;
    if flags.shell == Shell::Bash {
        // The generator takes the dash of the program's name for the step to a subcommand in
        // one half of the script only, and so would complete nothing behind a subcommand.
        text = text.replace("llm__subcmd__router", "llm__router");
    }
    Ok(printed(text))
}

/// A manual page.
pub(crate) fn man(flags: &Man) -> Result<Outcome, Failure> {
    let mut command = Arguments::command();
    command.build();
    for name in &flags.command {
        let names: Vec<String> =
            command.get_subcommands().map(|each| each.get_name().to_owned()).collect();
        let next = command.find_subcommand(name).cloned();
        command = next.ok_or_else(|| {
            let failure = Failure::input(format!("there is no command `{name}`"));
            match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None => failure.hint("`llm-router --help` lists the commands"),
            }
        })?;
    }
    let mut page = Vec::new();
    let failed = |error: std::io::Error| Failure::failed(format!("no manual page: {error}"));
    clap_mangen::Man::new(command).render(&mut page).map_err(failed)?;
    Ok(printed(text_of(page)?))
}

fn text_of(bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|error| Failure::failed(format!("not a text: {error}")))
}

fn printed(text: String) -> Outcome {
    let value = json!({ "text": text });
    Outcome::new(text, value)
}

use super::*;
use crate::canonical::stop::{Stop, StopReason};

fn call(id: &'static str) -> Block<'static> {
    Block::ToolCall {
        id: id.into(),
        name: "f".into(),
        namespace: None,
        custom: false,
        hosted: None,
    }
}

fn run(events: Vec<Event<'_>>) -> String {
    let mut sequencer = Sequencer::default();
    let mut seen = String::new();
    for event in events {
        sequencer.event(event, &mut |event| {
            let word = match event {
                Event::Open { block, kind: Block::ToolCall { id, .. } } => {
                    format!("+{block}:{} ", id.decode())
                }
                Event::Open { block, .. } => format!("+{block} "),
                Event::Delta { delta: Delta::Input(text) | Delta::Text(text), .. } => {
                    format!("{} ", text.decode())
                }
                Event::Delta { .. } => "~ ".to_owned(),
                Event::Close { block } => format!("-{block} "),
                Event::Finish(_) => "finish ".to_owned(),
                Event::Failed(_) => "failed ".to_owned(),
                _ => "? ".to_owned(),
            };
            seen.push_str(&word);
        });
    }
    seen.trim_end().to_owned()
}

const fn open(block: u32, kind: Block<'_>) -> Event<'_> {
    Event::Open { block, kind }
}

fn input(block: u32, text: &str) -> Event<'_> {
    Event::Delta { block, delta: Delta::Input(text.into()) }
}

const FINISH: Event<'static> = Event::Finish(Stop::new(StopReason::ToolUse));

#[test]
fn interleaved_calls_come_out_one_after_the_other() {
    let events = vec![
        open(7, call("a")),
        input(7, "{\"x\":"),
        open(9, call("b")),
        input(9, "{"),
        input(7, "1"),
        input(9, "}"),
        input(7, "}"),
        FINISH,
    ];
    assert_eq!(run(events), "+0:a {\"x\": 1 } -0 +1:b {} -1 finish");
}

#[test]
fn a_complete_call_does_not_hold_up_the_next() {
    let events = vec![
        open(0, call("a")),
        input(0, "{\"s\":\"}\\\"{\"}"),
        open(1, call("b")),
        input(1, "{"),
        input(1, "}"),
        FINISH,
    ];
    assert_eq!(run(events), "+0:a {\"s\":\"}\\\"{\"} -0 +1:b { } -1 finish");
}

#[test]
fn a_call_without_input_is_closed_at_the_end() {
    let events = vec![open(0, call("a")), open(1, call("b")), FINISH];
    assert_eq!(run(events), "+0:a -0 +1:b -1 finish");
}

#[test]
fn text_ends_when_a_call_opens() {
    let text = Event::Delta { block: 0, delta: Delta::Text("hi".into()) };
    let events = vec![open(0, Block::Text), text, open(1, call("a")), input(1, "{}"), FINISH];
    assert_eq!(run(events), "+0 hi -0 +1:a {} -1 finish");
}

#[test]
fn input_after_the_close_fails_instead_of_getting_lost() {
    let events = vec![
        open(0, call("a")),
        input(0, "{}"),
        open(1, call("b")),
        input(1, "{}"),
        input(0, " "),
        input(0, "{}"),
        FINISH,
    ];
    assert_eq!(run(events), "+0:a {} -0 +1:b {} failed");
}

use serde_json::json;

use super::*;
use crate::ask::{Given, Tool};
use crate::models::rules;

fn ask(prompt: &str) -> Ask {
    Ask { prompt: prompt.into(), ..Ask::new("demo-chat", rules("demo-chat").unwrap()) }
}

fn weather() -> Tool {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"},
        "days": {"type": "integer", "minimum": 3}}, "required": ["city", "days"]});
    Tool { name: "get_weather".into(), about: String::new(), schema: Some(schema), space: None }
}

fn names_and_inputs(ask: &Ask) -> Vec<String> {
    answer(ask, Usage::default(), 1).calls().map(|c| format!("{} {}", c.name, c.input)).collect()
}

#[test]
fn a_fitting_tool_is_called_with_arguments_of_its_schema() {
    let mut ask = ask("What is the weather in Paris?");
    ask.tools = vec![weather()];
    assert_eq!(names_and_inputs(&ask), [r#"get_weather {"city":"Paris","days":3}"#]);
    ask.choice = Choice::Never;
    assert_eq!(names_and_inputs(&ask), [""; 0]);
}

#[test]
fn parallel_calls_differ_and_obey_the_switch() {
    let mut ask = ask("Weather in Paris and Rome in parallel");
    ask.tools = vec![weather()];
    let both = names_and_inputs(&ask);
    assert_eq!(both.len(), 2);
    assert!(both[0].contains("Paris") && both[1].contains("Rome"), "{both:?}");
    ask.parallel = false;
    assert_eq!(names_and_inputs(&ask).len(), 1);
}

#[test]
fn among_many_tools_only_a_named_one_is_called() {
    let mut ask = ask("hello there");
    ask.tools = (0..9).map(|n| Tool { name: format!("tool{n}"), ..weather() }).collect();
    assert_eq!(names_and_inputs(&ask).len(), 0);
    ask.prompt = "please use tool7".into();
    assert!(names_and_inputs(&ask)[0].starts_with("tool7"));
}

#[test]
fn results_end_the_rounds_and_are_quoted() {
    let mut ask = ask("Weather in Paris in 2 steps");
    ask.tools = vec![weather()];
    ask.rounds = 1;
    ask.results = vec![Given { text: "sunny".into(), failed: false }];
    assert_eq!(names_and_inputs(&ask).len(), 1, "one round is left");
    ask.rounds = 2;
    let done = answer(&ask, Usage::default(), 1);
    assert_eq!(done.stop, Stop::Done);
    assert!(done.text().contains("sunny"));
}

#[test]
fn stops_and_limits_cut_the_text() {
    let mut ask = ask("one STOP two");
    ask.stops = vec!["STOP".into()];
    let cut = answer(&ask, Usage::default(), 1);
    assert_eq!(cut.stop, Stop::Sequence("STOP".into()));
    assert!(cut.text().ends_with("one "), "{}", cut.text());
    ask.stops.clear();
    ask.limit = Some(3);
    let cut = answer(&ask, Usage::default(), 1);
    assert_eq!((cut.stop, cut.usage.output, cut.pieces.len()), (Stop::Length, 3, 1));
}

#[test]
fn a_schema_is_obeyed() {
    let mut ask = ask("A person");
    ask.form = Form::Schema(json!({
        "type": "object", "required": ["name", "tags", "kind", "ref"],
        "properties": {
            "name": {"type": "string", "minLength": 20},
            "tags": {"type": "array", "items": {"type": "number"}, "minItems": 2},
            "kind": {"enum": ["a", "b"]},
            "ref": {"$ref": "#/$defs/x"},
            "not_needed": {"type": "string"},
        },
        "$defs": {"x": {"anyOf": [{"type": "boolean"}, {"type": "null"}]}},
    }));
    let text = answer(&ask, Usage::default(), 1).text();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["name"].as_str().unwrap().len(), 20);
    assert_eq!(value["tags"].as_array().unwrap().len(), 2);
    assert_eq!((&value["kind"], &value["ref"]), (&json!("a"), &json!(true)));
    assert_eq!(value.get("not_needed"), None);
}

#[test]
fn the_number_of_words_can_be_asked_for() {
    let text = answer(&ask("Say 50 words."), Usage::default(), 1).text();
    assert_eq!(text.split_whitespace().count(), 50);
}

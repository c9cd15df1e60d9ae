use proptest::prelude::*;

use super::{HeaderHints, detect};
use crate::Dialect::{self, Anthropic, Gemini, OpenaiChat, OpenaiResponses};
use crate::peek::peek;

#[track_caller]
fn check(body: &str, expect: Dialect, reason: &str) {
    check_with(HeaderHints::default(), body, expect, reason);
}

#[track_caller]
fn check_with(headers: HeaderHints, body: &str, expect: Dialect, reason: &str) {
    let body = body.replace('\'', "\"");
    let found = detect(&peek(body.as_bytes()).expect("the body is valid"), headers);
    assert_eq!(found.dialect, expect, "{body} because of {}", found.reason);
    assert!(found.reason.contains(reason), "{body}: {} is not {reason}", found.reason);
}

#[test]
fn an_ordinary_chat_body_is_chat() {
    let hi = "'messages':[{'role':'user','content':'hi'}]";
    check(&format!("{{'model':'m',{hi}}}"), OpenaiChat, "nothing else");
    check(
        &format!("{{'model':'m','max_tokens':5,'stream':true,{hi}}}"),
        OpenaiChat,
        "nothing else",
    );
    let system = "{'messages':[{'role':'system','content':'s'},{'role':'user','content':'hi'}]}";
    check(system, OpenaiChat, "role system");
    check(&format!("{{{hi},'stop':['x']}}"), OpenaiChat, "only Chat");
    check(&format!("{{{hi},'stream_options':{{}}}}"), OpenaiChat, "only Chat");
    check(&format!("{{{hi},'n':null}}"), OpenaiChat, "or n");
    check("{}", OpenaiChat, "nothing else");
}

#[test]
fn messages_bodies_are_recognised() {
    let hi = "'messages':[{'role':'user','content':'hi'}]";
    check(&format!("{{{hi},'system':'s'}}"), Anthropic, "only Messages");
    check(&format!("{{{hi},'thinking':{{'type':'adaptive'}}}}"), Anthropic, "only Messages");
    check(&format!("{{{hi},'anthropic_version':'x'}}"), Anthropic, "anthropic_version");
    check(&format!("{{{hi},'anthropic_version':null}}"), OpenaiChat, "nothing else");
    check(
        "{'tools':[{'type':'web_search_20250305'},{'name':'t','input_schema':{}}]}",
        Anthropic,
        "tools",
    );
    check("{'tool_choice':{'type':'any'}}", Anthropic, "tool_choice");
    for kind in ["tool_use", "tool_result", "thinking", "redacted_thinking", "document"] {
        let body =
            format!("{{'messages':[{{'content':[{{'type':'text'}},{{'type':'{kind}'}}]}}]}}");
        check(&body, Anthropic, "messages");
    }
}

#[test]
fn the_shape_of_tools_and_messages_tells_chat() {
    check("{'tools':[{'type':'function','function':{}}],'system':'s'}", OpenaiChat, "tools");
    check("{'tools':[{'type':'custom','custom':{}}]}", OpenaiChat, "tools");
    for choice in
        ["'required'", "'none'", "'auto'", "{'type':'function'}", "{'type':'allowed_tools'}"]
    {
        check(&format!("{{'tool_choice':{choice}}}"), OpenaiChat, "tool_choice");
    }
    for message in [
        "'role':'tool'",
        "'role':'developer'",
        "'tool_call_id':'x'",
        "'tool_calls':[]",
        "'content':[{'type':'image_url'}]",
    ] {
        check(&format!("{{'messages':[{{{message}}}]}}"), OpenaiChat, "messages");
    }
}

#[test]
fn responses_and_gemini_are_recognised() {
    check("{'model':'m','input':'hi'}", OpenaiResponses, "input");
    check(
        "{'input':[{'role':'user','content':'hi'}],'tools':[{'type':'function'}]}",
        OpenaiResponses,
        "input",
    );
    check("{'input':'x','messages':[]}", OpenaiChat, "nothing else");
    check("{'contents':[{'parts':[{'text':'hi'}]}]}", Gemini, "contents");
    check("{'conten\\u0074s':[]}", Gemini, "contents");
}

#[test]
fn headers_help_where_the_body_is_silent() {
    let only = |name: &'static str| HeaderHints::new(move |header| header == name);
    let hi = "{'messages':[{'role':'user','content':'hi'}],'max_tokens':1}";
    check_with(only("anthropic-version"), hi, Anthropic, "anthropic-version");
    check_with(only("anthropic-version"), "{'n':1}", Anthropic, "anthropic-version");
    check_with(only("x-api-key"), hi, Anthropic, "x-api-key");
    check_with(only("x-api-key"), "{'stop':'x'}", OpenaiChat, "only Chat");
    check_with(only("x-goog-api-key"), hi, Gemini, "x-goog");
    check_with(only("authorization"), hi, OpenaiChat, "nothing else");
    assert_eq!(only("anthropic-version").models_shape(), Anthropic);
    assert_eq!(only("x-goog-api-key").models_shape(), Gemini);
    assert_eq!(only("x-api-key").models_shape(), OpenaiChat);
}

proptest! {
    /// Any object gets a dialect.
    #[test]
    fn any_object_is_survived(
        name in "(messages|tools|tool_choice|input|contents|system|x)",
        value in "(\\[|\\]|\\{|\\}|\"type\"|\"role\"|:|,|\"tool\"|1){0,9}",
    ) {
        if let Ok(peek) = peek(format!("{{\"{name}\":{value}}}").as_bytes()) {
            prop_assert!(!detect(&peek, HeaderHints::default()).reason.is_empty());
        }
    }
}

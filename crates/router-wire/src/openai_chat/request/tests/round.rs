//! A Chat request that goes through the canonical form comes out the same.

use super::*;

fn round(body: &Value, facts: &Facts) -> Written {
    let text = parse(body);
    written(&read_ok(&text), Dialect::OpenaiChat, facts).unwrap()
}

#[test]
fn everything_the_contract_has_comes_through() {
    let facts = Facts { chat_web_search: true, ..openai() };
    let body = json!({
        "model": "up",
        "messages": [
            {"role": "developer", "content": "be"},
            {"role": "user", "name": "bob", "content": [
                {"type": "text", "text": "look \"here\"\n\u{1F600}"},
                {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "original"}},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="},
                 "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}
            ]},
            {"role": "assistant", "content": "calling", "refusal": "or not", "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}},
                {"id": "b", "type": "custom", "custom": {"name": "p", "input": "*** patch"}}
            ]},
            {"role": "tool", "tool_call_id": "a", "content": "ok"},
            {"role": "tool", "tool_call_id": "b", "content": "[tool error] no"},
            {"role": "developer", "content": "later"},
            {"role": "user", "content": "go"}
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": false}},
            {"type": "custom", "custom": {"name": "p", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "s: x"}}}}
        ],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
            {"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "p"}}
        ]}},
        "parallel_tool_calls": false,
        "web_search_options": {"search_context_size": "low", "user_location": {"type": "approximate", "approximate": {"city": "X"}}},
        "max_completion_tokens": 7,
        "stop": ["a"],
        "temperature": 0.5, "top_p": 0.9, "presence_penalty": 1, "frequency_penalty": 0.25,
        "seed": -3, "logit_bias": {"1": 2},
        "reasoning_effort": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "description": "d", "schema": {"type": "object"}, "strict": true}},
        "verbosity": "low", "n": 2, "logprobs": true, "top_logprobs": 3, "service_tier": "priority",
        "safety_identifier": "s", "user": "u", "prompt_cache_key": "k",
        "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
        "store": true, "metadata": {"a": "b"}
    });
    let mut back = round(&body, &facts);
    assert_eq!(back.losses, [""; 0]);
    // Whole numbers lose their spelling, not their value.
    back.body["presence_penalty"] = json!(1);
    assert_eq!(back.body, body);
}

#[test]
fn other_servers_get_nothing_of_openais_own() {
    let body = json!({
        "model": "up", "messages": [], "tools": [
            {"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "g"}}
        ],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "g"}}]}},
        "verbosity": "low", "service_tier": "flex", "safety_identifier": "s", "prompt_cache_key": "k",
        "prompt_cache_retention": "24h", "prompt_cache_options": {"mode": "explicit"},
        "store": true, "metadata": {"a": "b"}
    });
    let written = round(&body, &plain());
    assert_eq!(
        written.body,
        json!({
            "model": "up", "messages": [],
            "tools": [{"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}}],
            "tool_choice": "auto"
        })
    );
    let codes: Vec<&str> = written.losses.iter().filter_map(|l| l.split(' ').next()).collect();
    assert_eq!(
        codes,
        [
            "verbosity",
            "service_tier",
            "safety_identifier",
            "prompt_cache_key",
            "prompt_cache_retention",
            "prompt_cache_options",
            "store",
            "metadata",
        ]
    );
}

#[test]
fn d65_a_retention_is_sent_only_where_it_is_taken() {
    let table = FactsTable::embedded();
    let sent = |model: &str, retention: &str| {
        let body = json!({"model": "up", "messages": [], "prompt_cache_retention": retention});
        round(&body, &table.lookup(model)).body.get("prompt_cache_retention").is_some()
    };
    assert!(sent("gpt-5.5", "24h") && sent("gpt-4.1", "in_memory"));
    assert!(!sent("gpt-5.5", "in_memory") && !sent("gpt-4.1", "24h"));
}

#[test]
fn broken_arguments_are_passed_on_untouched() {
    let body = json!({"model": "up", "messages": [{"role": "assistant", "content": null, "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\": "}}
    ]}]});
    assert_eq!(round(&body, &plain()).body, body);
}

proptest::proptest! {
    /// Whatever stands in texts and names, what is written is JSON and says the same.
    #[test]
    fn any_text_survives(text in "\\PC{1,20}", name in "\\PC{0,8}", arguments in "\\PC{1,12}") {
        let body = json!({"model": "up", "messages": [
            {"role": "user", "name": format!("n{name}"), "content": text},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}}]},
            {"role": "tool", "tool_call_id": "a", "content": format!("r{text}")}
        ]});
        proptest::prop_assert_eq!(round(&body, &plain()).body, body);
    }
}

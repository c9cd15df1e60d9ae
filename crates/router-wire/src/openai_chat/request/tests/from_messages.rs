//! What a Messages request becomes on Chat.

use super::*;

/// Reads a Messages request and writes it for Chat.
fn translate(body: &Value, facts: &Facts) -> Result<Written, String> {
    let text = body.to_string();
    let request = crate::anthropic::request::read(&text, &RequestExtra::default()).unwrap();
    written(&request, Dialect::Anthropic, facts)
}

#[track_caller]
fn messages(body: Value, facts: &Facts, expect: Value, losses: &[&str]) {
    let body = json!({"model": "c", "max_tokens": 9, "messages": body});
    let written = translate(&body, facts).unwrap();
    assert_eq!(written.body["messages"], expect, "{body}");
    assert_eq!(written.losses, losses, "{body}");
}

#[track_caller]
fn member(extra: Value, facts: &Facts, expect: Value, losses: &[&str]) {
    let mut body =
        json!({"model": "c", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]});
    for (key, value) in extra.as_object().unwrap() {
        body[key] = value.clone();
    }
    let mut written = translate(&body, facts).unwrap();
    let rest = written.body.as_object_mut().unwrap();
    for key in ["model", "messages", "max_tokens", "max_completion_tokens"] {
        if !extra.as_object().unwrap().contains_key(key) {
            rest.remove(key);
        }
    }
    assert_eq!(written.body, expect, "{extra}");
    assert_eq!(written.losses, losses, "{extra}");
}

#[track_caller]
fn refused(content: Value, expect: &str) {
    let body =
        json!({"model": "c", "max_tokens": 9, "messages": [{"role": "user", "content": content}]});
    let error = translate(&body, &openai()).err();
    assert_eq!(error.as_deref(), Some(expect), "{body}");
}

#[test]
fn d1_a_system_turn_in_mid_conversation_stays_one() {
    messages(
        json!([{"role": "user", "content": "a"}, {"role": "system", "content": "b"}, {"role": "assistant", "content": "c"}]),
        &plain(),
        json!([{"role": "user", "content": "a"}, {"role": "system", "content": "b"}, {"role": "assistant", "content": "c"}]),
        &[],
    );
}

#[test]
fn d2_documents_become_files_or_text() {
    messages(
        json!([{"role": "user", "content": [
            {"type": "document", "title": "T", "context": "C", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}},
            {"type": "document", "title": "N", "context": "ctx", "source": {"type": "text", "media_type": "text/plain", "data": "body"}},
            {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "p"}, {"type": "text", "text": "q"}]}}
        ]}]),
        &openai(),
        json!([{"role": "user", "content": [
            {"type": "text", "text": "C"},
            {"type": "file", "file": {"filename": "T", "file_data": "data:application/pdf;base64,AA=="}},
            {"type": "text", "text": "N\nctx\n\nbody"},
            {"type": "text", "text": "p\n\nq"}
        ]}]),
        &[],
    );
    refused(
        json!([{"type": "document", "source": {"type": "url", "url": "https://x/a.pdf"}}]),
        "messages[0].content[0]: Chat fetches no files",
    );
    refused(
        json!([{"type": "document", "source": {"type": "file", "file_id": "f"}}]),
        "messages[0].content[0]: file ids belong to one vendor",
    );
}

#[test]
fn d3_images_become_urls_and_file_ids_are_refused() {
    messages(
        json!([{"role": "user", "content": [
            {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
        ]}]),
        &plain(),
        json!([{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
        ]}]),
        &[],
    );
    refused(
        json!([{"type": "image", "source": {"type": "file", "file_id": "f"}}]),
        "messages[0].content[0]: file ids belong to one vendor",
    );
}

#[test]
fn d4_d11_results_are_text_with_their_images_below_all_results() {
    let calls = json!([
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {}}
    ]);
    messages(
        json!([
            {"role": "assistant", "content": calls},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": [
                    {"type": "text", "text": "see"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
                ]},
                {"type": "tool_result", "tool_use_id": "b", "is_error": true, "content": "broken"},
                {"type": "text", "text": "go on"}
            ]}
        ]),
        &plain(),
        json!([
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
                {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}}
            ]},
            {"role": "tool", "tool_call_id": "a", "content": "see\n\n[attached below]"},
            {"role": "tool", "tool_call_id": "b", "content": "[tool error] broken"},
            {"role": "user", "content": [
                {"type": "text", "text": "Attached to the result of tool call a:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                {"type": "text", "text": "go on"}
            ]}
        ]),
        &["tool-result-lifted at messages[1].content[0]"],
    );
}

#[test]
fn d5_d10_d31_tool_choice_and_parallel_calls_are_kept() {
    let tools = json!([{"name": "f", "input_schema": {"type": "object"}, "strict": true}]);
    let chat = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": true}}]);
    for (choice, expect) in [
        (json!({"type": "auto"}), json!("auto")),
        (json!({"type": "any"}), json!("required")),
        (json!({"type": "none"}), json!("none")),
        (
            json!({"type": "tool", "name": "f"}),
            json!({"type": "function", "function": {"name": "f"}}),
        ),
    ] {
        member(
            json!({"tools": tools, "tool_choice": choice}),
            &plain(),
            json!({"tools": chat, "tool_choice": expect}),
            &[],
        );
    }
    member(
        json!({"tools": tools, "tool_choice": {"type": "auto", "disable_parallel_tool_use": true}}),
        &plain(),
        json!({"tools": chat, "tool_choice": "auto", "parallel_tool_calls": false}),
        &[],
    );
    member(json!({"tool_choice": {"type": "any"}}), &plain(), json!({}), &[]);
}

#[test]
fn d6_d7_d13_stops_schemas_and_sampling_are_kept() {
    member(
        json!({"stop_sequences": ["a"], "temperature": 0.5, "top_p": 0.9, "top_k": 3,
               "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}),
        &plain(),
        json!({"stop": ["a"], "temperature": 0.5, "top_p": 0.9,
               "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": true}}}),
        &["top_k at top_k"],
    );
    let body = json!({"model": "c", "max_tokens": 9, "messages": [], "stop_sequences": ["1", "2", "3", "4", "5"]});
    let error = translate(&body, &plain()).err();
    assert_eq!(error.as_deref(), Some("stop_sequences: Chat takes four stop sequences at most"));
}

#[test]
fn d8_the_token_limit_has_the_name_the_model_knows() {
    let field = |model: &str| {
        let facts = FactsTable::embedded().lookup(model);
        let body = json!({"model": "c", "max_tokens": 99, "messages": []});
        let body = translate(&body, &facts).unwrap().body;
        ["max_tokens", "max_completion_tokens"].map(|name| body.get(name).is_some())
    };
    assert_eq!(field("gpt-5.2"), [false, true]);
    assert_eq!(field("o3"), [false, true]);
    assert_eq!(field("llama-3"), [true, false]);
}

#[test]
fn d12_b7_18_thinking_goes_back_only_to_vendors_that_demand_it() {
    let body = json!([
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "llmr1:deepseek:deepseek:"},
            {"type": "tool_use", "id": "a", "name": "f", "input": {}}
        ]}
    ]);
    let call =
        json!([{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    let needy = Facts {
        vendor: "deepseek".to_owned(),
        reasoning_content: ReasoningContent::Required,
        ..plain()
    };
    messages(
        body.clone(),
        &needy,
        json!([{"role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": call}]),
        &[],
    );
    messages(
        body,
        &plain(),
        json!([{"role": "assistant", "content": null, "tool_calls": call}]),
        &["thinking at messages[0].content[0]"],
    );
    // Hidden from the client, the text came back inside the state.
    messages(
        json!([{"role": "assistant", "content": [
            {"type": "thinking", "thinking": "", "signature": "llmr1:deepseek:deepseek:secret thought"},
            {"type": "tool_use", "id": "a", "name": "f", "input": {}}
        ]}]),
        &needy,
        json!([{"role": "assistant", "content": null, "reasoning_content": "secret thought", "tool_calls": call}]),
        &[],
    );
    messages(
        json!([{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]}]),
        &needy,
        json!([{"role": "assistant", "content": null, "reasoning_content": " ", "tool_calls": call}]),
        &["reasoning-missing at messages[0]"],
    );
}

#[test]
fn d14_the_user_id_becomes_a_safety_identifier_of_legal_length() {
    let openai = openai();
    member(
        json!({"metadata": {"user_id": "u1"}}),
        &openai,
        json!({"safety_identifier": "u1"}),
        &[],
    );
    member(
        json!({"metadata": {"user_id": "u1"}}),
        &plain(),
        json!({}),
        &["safety_identifier at metadata.user_id"],
    );
    let long = "x".repeat(200);
    let body =
        json!({"model": "c", "max_tokens": 9, "messages": [], "metadata": {"user_id": long}});
    let body = translate(&body, &openai).unwrap().body;
    assert_eq!(body["safety_identifier"].as_str().unwrap().len(), 16);
}

#[test]
fn d16_no_cache_mark_reaches_a_server_that_does_not_take_them() {
    let body = json!({"model": "c", "max_tokens": 9,
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}]});
    let written = translate(&body, &plain()).unwrap();
    assert!(!written.body.to_string().contains("cache"), "{}", written.body);
    assert_eq!(written.losses, ["cache_control at cache_control"]);
}

#[test]
fn d67_b7_19_marks_become_breakpoints_and_move_where_they_cannot_stand() {
    let mark = json!({"type": "ephemeral"});
    let point = json!({"mode": "explicit"});
    let body = json!({"model": "c", "max_tokens": 9,
    "system": [{"type": "text", "text": "s"}],
    "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": mark}],
    "messages": [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}, "cache_control": mark}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "r"},
                                     {"type": "text", "text": "y", "cache_control": mark}]}
    ]});
    let written = translate(&body, &openai()).unwrap();
    assert_eq!(written.losses, [""; 0]);
    assert_eq!(
        written.body["messages"],
        json!([
            {"role": "developer", "content": [{"type": "text", "text": "s", "prompt_cache_breakpoint": point}]},
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "r", "prompt_cache_breakpoint": point}]},
            {"role": "user", "content": [{"type": "text", "text": "y", "prompt_cache_breakpoint": point}]}
        ])
    );
    let five: Vec<Value> = (0..5)
        .map(|n| json!({"type": "text", "text": n.to_string(), "cache_control": mark}))
        .collect();
    let body =
        json!({"model": "c", "max_tokens": 9, "messages": [{"role": "user", "content": five}]});
    let written = translate(&body, &openai()).unwrap();
    let text = written.body.to_string();
    assert_eq!(text.matches("prompt_cache_breakpoint").count(), 4);
    assert!(written.body["messages"][0]["content"][0].get("prompt_cache_breakpoint").is_none());
}

#[test]
fn d17_d18_the_effort_is_chats_own_and_absent_beside_tools_where_refused() {
    let table = FactsTable::embedded();
    let tools = json!([{"name": "f", "input_schema": {"type": "object"}}]);
    let mut body = json!({"model": "c", "max_tokens": 99, "messages": [], "output_config": {"effort": "high"}});
    let plain = translate(&body, &table.lookup("gpt-5.4")).unwrap();
    assert_eq!(plain.body["reasoning_effort"], "high");
    assert!(plain.body.get("reasoning").is_none());
    body["tools"] = tools;
    let refused = translate(&body, &table.lookup("gpt-5.4")).unwrap();
    assert_eq!(refused.body["reasoning_effort"], "none");
    assert_eq!(refused.losses, ["reasoning_effort at thinking"]);
    let older = translate(&body, &table.lookup("gpt-5.2")).unwrap();
    assert_eq!(older.body["reasoning_effort"], "high");
}

#[test]
fn d19_usage_is_asked_for_in_every_stream() {
    member(
        json!({"stream": true}),
        &plain(),
        json!({"stream": true, "stream_options": {"include_usage": true}}),
        &[],
    );
    member(
        json!({"stream": true}),
        &openai(),
        json!({"stream": true, "stream_options": {"include_usage": true, "include_obfuscation": false}}),
        &[],
    );
}

#[test]
fn system_blocks_are_one_message_and_search_results_are_text() {
    let body = json!({"model": "c", "max_tokens": 9, "system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
    "messages": [{"role": "user", "content": [
        {"type": "search_result", "source": "https://s", "title": "T", "content": [{"type": "text", "text": "c"}]}
    ]}]});
    let written = translate(&body, &plain()).unwrap();
    assert_eq!(
        written.body["messages"],
        json!([
            {"role": "system", "content": "a\n\nb"},
            {"role": "user", "content": [{"type": "text", "text": "T\nhttps://s\n\nc"}]}
        ])
    );
}

#[test]
fn tiers_and_speed_have_chats_names() {
    let openai = openai();
    for (extra, expect) in [
        (json!({"service_tier": "auto"}), json!({"service_tier": "auto"})),
        (json!({"service_tier": "standard_only"}), json!({"service_tier": "default"})),
        (json!({"speed": "fast"}), json!({"service_tier": "fast"})),
    ] {
        member(extra, &openai, expect, &[]);
    }
    member(json!({"speed": "fast"}), &plain(), json!({}), &["service_tier at service_tier"]);
}

#[test]
fn a_request_that_only_warms_the_cache_is_refused() {
    let body = json!({"model": "c", "max_tokens": 0, "messages": []});
    assert_eq!(
        translate(&body, &openai()).err().as_deref(),
        Some("max_tokens: Chat cannot only warm the cache")
    );
}

#[test]
fn what_chat_does_not_have_is_refused_at_its_place() {
    refused(
        json!([{"type": "container_upload", "file_id": "f"}]),
        "messages[0].content[0]: Chat has nothing like container_upload",
    );
}

#[test]
fn b7_23_googles_signature_goes_back_with_its_call() {
    let body = json!({"model": "c", "max_tokens": 9, "messages": [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "", "signature": "llmr1:google::SIG"},
            {"type": "tool_use", "id": "a", "name": "f", "input": {}},
            {"type": "tool_use", "id": "b", "name": "f", "input": {}}
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "a", "content": "1"},
            {"type": "tool_result", "tool_use_id": "b", "content": "2"}
        ]}
    ]});
    let sent = |model: &str| {
        let facts = FactsTable::embedded().lookup(model);
        let options = Options::default();
        let target =
            Target { dialect: Dialect::OpenaiChat, model, facts: &facts, options: &options };
        let bytes = serde_json::to_vec(&body).unwrap();
        let extra = RequestExtra::default();
        let out = crate::translate::translate_request(Dialect::Anthropic, &bytes, &extra, &target);
        let body: Value = serde_json::from_slice(&out.unwrap().body).unwrap();
        body["messages"][1]["tool_calls"].clone()
    };
    let calls = sent("gemini-3-flash");
    assert_eq!(calls[0]["extra_content"], json!({"google": {"thought_signature": "SIG"}}));
    assert!(calls[1].get("extra_content").is_none());
    assert!(sent("gpt-4o")[0].get("extra_content").is_none());
}

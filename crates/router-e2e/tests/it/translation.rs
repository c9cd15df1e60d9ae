//! Translation through the whole process: what is lost and told, what config may say about it, and
//! answers that come in another form than the client asked for.

use anyhow::{Context as _, Result, ensure};
use router_e2e::http::{Answer, post};
use router_e2e::origin::{Origin, answer, stream, whole};
use router_e2e::{Router, router};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{ALL, Speaks};

const CHAT_ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;

/// A whole answer of each dialect.
fn whole_answer(speaks: Speaks) -> &'static str {
    match speaks {
        Speaks::Chat => CHAT_ANSWER,
        Speaks::Responses => {
            r#"{"id":"resp_1","object":"response","created_at":1,"model":"m","status":"completed","output":[{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hello","annotations":[]}]}],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}}"#
        }
        Speaks::Messages => {
            r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2}}"#
        }
        Speaks::Gemini => {
            r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"Hello"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5}}"#
        }
    }
}

/// The name of a dialect in config.
fn format(speaks: Speaks) -> &'static str {
    match speaks {
        Speaks::Chat => "openai",
        Speaks::Responses => "responses",
        Speaks::Messages => "claude",
        Speaks::Gemini => "gemini",
    }
}

fn ask(router: &Router, speaks: Speaks, body: &Value, stream: bool) -> Result<Answer> {
    post(router.address(), &speaks.path("p/m", stream), body)
}

fn messages(extra: Value) -> Value {
    let mut body = Speaks::Messages.request("p/m", false);
    if let (Some(body), Value::Object(extra)) = (body.as_object_mut(), extra) {
        body.extend(extra);
    }
    body
}

/// The code of each loss of which the answer tells, from the short header.
fn codes(answer: &Answer) -> Vec<String> {
    let told = answer.header("x-llm-router-loss").and_then(|text| text.split_once("; "));
    let codes = told.map_or("", |(_, codes)| codes);
    codes.split(", ").filter(|code| !code.is_empty()).map(str::to_owned).collect()
}

#[test]
fn losses_are_told_in_full_with_debug_on() -> Result<()> {
    let origin = Origin::saying(whole(CHAT_ANSWER))?;
    let body = messages(json!({ "top_k": 5, "inference_geo": "eu" }));
    for debug in [false, true] {
        let mut config = origin.config(&["openai"]);
        config["server"] = json!({ "debug": debug });
        let router = Router::start(&config)?;
        let answer = ask(&router, Speaks::Messages, &body, false)?;
        assert_eq!(codes(&answer), ["inference_geo", "top_k"], "{}", answer.text());
        let Some(full) = answer.header("x-llm-router-losses") else {
            assert!(!debug, "no losses in full");
            continue;
        };
        assert!(debug, "{full}");
        let full: Value = serde_json::from_str(full)?;
        let top_k = full.as_array().and_then(|all| all.iter().find(|loss| loss["code"] == "top_k"));
        let top_k = top_k.context("no top_k")?;
        let why = "Chat has no such member";
        assert_eq!(
            *top_k,
            json!({"path": "top_k", "code": "top_k", "why": why, "severity": "setting", "count": 1})
        );
    }
    Ok(())
}

#[test]
fn strictness_is_set_for_all_per_provider_and_per_alias() -> Result<()> {
    let origin = Origin::saying(whole(CHAT_ANSWER))?;
    let mut config = origin.config(&["openai"]);
    let mut strict = config["providers"][0].clone();
    strict["id"] = json!("strict");
    strict["translation"] = json!({ "strict": ["setting"] });
    config["providers"].as_array_mut().context("no providers")?.push(strict);
    config["modelAliases"] = json!({
        "eased": { "targets": [{ "model": "strict/m" }], "translation": { "strict": false } },
        "tight": { "targets": [{ "model": "p/m" }], "translation": { "strict": true } },
        "plain": { "targets": [{ "model": "strict/m" }] },
    });
    let router = Router::start(&config)?;
    let ask = |model: &str, extra: Value| {
        let mut body = messages(extra);
        body["model"] = json!(model);
        post(router.address(), "/v1/messages", &body)
    };
    let (setting, hint) = (json!({ "top_k": 5 }), json!({ "inference_geo": "eu" }));
    for (model, extra, status) in [
        ("p/m", &setting, 200),
        ("strict/m", &setting, 400),
        ("strict/m", &hint, 200),
        ("plain", &setting, 400),
        ("eased", &setting, 200),
        ("tight", &setting, 400),
        ("tight", &hint, 400),
    ] {
        let answer = ask(model, extra.clone())?;
        assert_eq!(answer.status, status, "{model} {extra}: {}", answer.text());
        if status == 400 {
            let told = Speaks::Messages.error(&answer)?;
            assert_eq!(told.kind, "invalid_request_error");
            let member = extra.as_object().and_then(|it| it.keys().next()).context("no member")?;
            assert!(told.message.contains(member), "{}", told.message);
        }
    }
    config["translation"] = json!({ "strict": "hint" });
    let router = Router::start(&config)?;
    let answer = post(router.address(), "/v1/messages", &messages(hint))?;
    assert_eq!(answer.status, 400, "{}", answer.text());
    Ok(())
}

const SEARCHED: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"usage\":{\"input_tokens\":3}}}\n\n\
    event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\",\"input\":{}}}\n\n\
    event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
    event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n\
    event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n\
    event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n\
    event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\n\
    event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

#[test]
fn losses_inside_a_stream_are_counted_and_recorded() -> Result<()> {
    let origin = Origin::saying(stream(SEARCHED))?;
    let mut config = origin.config(&["claude"]);
    config["server"] = json!({ "admin": { "port": 0, "key": "admin-key" } });
    let home = TempDir::new()?;
    let mut router = Router::start_with(&config, &[], &[("HOME", &home.path().to_string_lossy())])?;
    let body = Speaks::Chat.request("p/m", true);
    let answer = ask(&router, Speaks::Chat, &body, true)?;
    ensure!(Speaks::Chat.is_complete_stream(&answer), "{}", answer.text());
    assert!(!codes(&answer).contains(&"hosted-step".to_owned()), "the headers went before it");
    router.signal("TERM")?;
    router.wait()?;
    let path = home.path().join(".llm-router.records.sqlite");
    let mut command = router::command(home.path())?;
    let output = command.args(["records", "export", "--file"]).arg(path).output()?;
    let text = String::from_utf8(output.stdout)?;
    let record: Value = serde_json::from_str(text.lines().next().context("no record")?)?;
    let losses = record["losses"].as_array().context("no losses")?;
    assert!(losses.contains(&json!("hosted-step")), "{record}");
    Ok(())
}

#[test]
fn a_whole_answer_is_told_as_the_stream_that_was_asked_for() -> Result<()> {
    for upstream in ALL {
        let origin = Origin::saying(whole(whole_answer(upstream)))?;
        let router = Router::start(&origin.config(&[format(upstream)]))?;
        for client in ALL {
            let mut body = client.request("p/m", true);
            if client == Speaks::Chat {
                body["stream_options"] = json!({ "include_usage": true });
            }
            let answer = ask(&router, client, &body, true)?;
            let what = format!("{upstream:?} to {client:?}: {}", answer.text());
            assert!(client.is_complete_stream(&answer), "{what}");
            assert!(answer.header("content-type").is_some_and(|it| it.contains("event-stream")));
            assert!(answer.text().contains("Hello"), "{what}");
            assert!(
                client != Speaks::Chat || answer.text().contains("\"total_tokens\":5"),
                "{what}"
            );
        }
    }
    Ok(())
}

#[test]
fn a_whole_error_is_an_error_where_a_stream_was_asked_for() -> Result<()> {
    let origin =
        Origin::saying(whole(r#"{"error":{"message":"no luck","type":"x","code":null}}"#))?;
    let router = Router::start(&origin.config(&["openai"]))?;
    for client in ALL {
        let answer = ask(&router, client, &client.request("p/m", true), true)?;
        assert!(answer.status >= 400, "{client:?}: {}", answer.text());
        assert_eq!(client.error(&answer)?.message, "no luck");
    }
    Ok(())
}

#[test]
fn several_answers_reach_a_client_as_one_stream() -> Result<()> {
    let two = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"one"}]},"finishReason":"STOP","index":0},{"content":{"role":"model","parts":[{"text":"two"}]},"finishReason":"STOP","index":1}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5}}"#;
    let origin = Origin::saying(whole(two))?;
    let router = Router::start(&origin.config(&["gemini"]))?;
    let mut body = Speaks::Chat.request("p/m", true);
    body["n"] = json!(2);
    let answer = ask(&router, Speaks::Chat, &body, true)?;
    ensure!(Speaks::Chat.is_complete_stream(&answer), "{}", answer.text());
    let sent = origin.last()?;
    assert!(sent.line.contains(":generateContent"), "asked for whole: {}", sent.line);
    let chunks = answer.events();
    let chunks = chunks.iter().filter_map(|it| serde_json::from_str::<Value>(it).ok());
    let said: Vec<(u64, String)> = chunks
        .filter_map(|chunk| {
            let choice = chunk["choices"].get(0)?.clone();
            let text = choice["delta"]["content"].as_str().filter(|text| !text.is_empty())?;
            Some((choice["index"].as_u64()?, text.to_owned()))
        })
        .collect();
    assert_eq!(said, [(0, "one".to_owned()), (1, "two".to_owned())]);
    Ok(())
}

/// What the upstream is sent for a Messages request that asks for effort.
fn sent(facts: Value, model: Value) -> Result<Value> {
    let origin = Origin::saying(whole(CHAT_ANSWER))?;
    let mut config = origin.config(&["openai"]);
    let mut entry = json!({ "id": "gpt-5.2" });
    if !model.is_null() {
        entry["facts"] = model;
    }
    config["providers"][0]["models"] = json!([entry]);
    if !facts.is_null() {
        config["providers"][0]["facts"] = facts;
    }
    config["defaultModel"] = json!("p/gpt-5.2");
    let router = Router::start(&config)?;
    let mut body = messages(json!({ "output_config": { "effort": "max" } }));
    body["model"] = json!("p/gpt-5.2");
    let answer = post(router.address(), "/v1/messages", &body)?;
    ensure!(answer.status == 200, "{}", answer.text());
    Ok(serde_json::from_slice(&origin.last()?.body)?)
}

#[test]
fn facts_about_models_are_corrected_per_provider_and_per_model() -> Result<()> {
    let plain = sent(Value::Null, Value::Null)?;
    assert_eq!(plain["reasoning_effort"], "xhigh");
    assert_eq!(plain["max_completion_tokens"], 64);
    let provider = sent(json!({ "tokens_field": "max_tokens" }), Value::Null)?;
    assert_eq!(provider["max_tokens"], 64);
    assert_eq!(provider.get("max_completion_tokens"), None);
    let facts = json!({ "efforts": ["low", "high"], "max_output": 32, "min_output": 1 });
    let both = sent(json!({ "efforts": ["low"] }), facts)?;
    assert_eq!(both["reasoning_effort"], "high", "the model's own facts outweigh the provider's");
    assert_eq!(both["max_completion_tokens"], 32);
    Ok(())
}

#[test]
fn wrong_facts_and_severities_are_problems_of_the_config() -> Result<()> {
    let origin = Origin::saying(whole(CHAT_ANSWER))?;
    let home = TempDir::new()?;
    let mut config = origin.config(&["openai"]);
    config["providers"][0]["facts"] = json!({ "eforts": ["low"] });
    config["providers"][0]["models"] = json!([{ "id": "m", "facts": { "context": "big" } }]);
    config["translation"] = json!({ "strict": ["high"] });
    let path = home.path().join("config.json");
    std::fs::write(&path, config.to_string())?;
    let mut command = router::command(home.path())?;
    let output = command.arg("validate").arg("--config").arg(&path).output()?;
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{text}");
    for place in ["providers[0].facts", "providers[0].models[0].facts", "translation.strict"] {
        assert!(text.contains(place), "{place} in {text}");
    }
    Ok(())
}

#[test]
fn b7_22_state_an_upstream_cannot_read_is_left_out_once() -> Result<()> {
    let refusal = r#"{"error":{"message":"The encrypted content could not be verified.","type":"invalid_request_error","param":null,"code":"invalid_encrypted_content"}}"#;
    let origin = Origin::start(move |request, stream| {
        let body = String::from_utf8_lossy(&request.body);
        let bytes = if body.contains("encrypted_content\":\"") {
            answer(400, &[("content-type", "application/json")], refusal.as_bytes())
        } else {
            whole(whole_answer(Speaks::Responses))
        };
        let _ = std::io::Write::write_all(stream, &bytes);
    })?;
    let router = Router::start(&origin.config(&["responses"]))?;
    let native = json!({ "model": "p/m", "store": false, "input": [
        { "role": "user", "content": "q" },
        { "type": "reasoning", "summary": [], "encrypted_content": "gAAA" },
        { "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}" },
        { "type": "function_call_output", "call_id": "c", "output": "r" },
    ] });
    let answer = ask(&router, Speaks::Responses, &native, false)?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(origin.received().len(), 2);
    let kept = json!({ "model": "p/m", "max_tokens": 64, "messages": [
        { "role": "user", "content": "q" },
        { "role": "assistant", "content": [
            { "type": "thinking", "thinking": "", "signature": "llmr1:openai::gAAA" },
            { "type": "tool_use", "id": "c", "name": "f", "input": {} }] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "c", "content": "r" }] },
    ] });
    let mut config = origin.config(&["responses"]);
    config["providers"][0]["models"] = json!([{ "id": "gpt-5.6" }]);
    config["defaultModel"] = json!("p/gpt-5.6");
    let router = Router::start(&config)?;
    let mut kept = kept;
    kept["model"] = json!("p/gpt-5.6");
    let answer = post(router.address(), "/v1/messages", &kept)?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(origin.received().len(), 4);
    assert_eq!(codes(&answer), ["thinking-history"]);
    Ok(())
}

/// An upstream that interrupts each turn `pauses` times and then says the rest.
fn pausing(pauses: usize) -> Result<Origin> {
    Origin::start(move |request, socket| {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let turns = body["messages"].as_array().cloned().unwrap_or_default();
        let said = turns.last().filter(|turn| turn["role"] == "assistant");
        let so_far = said.map_or(0, |turn| turn["content"].as_array().map_or(0, Vec::len));
        let (text, reason) =
            if so_far < pauses { ("I look. ", "pause_turn") } else { ("Found.", "end_turn") };
        let bytes = if body["stream"] == true {
            format!(
                concat!(
                    "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"usage\":{{\"input_tokens\":3,\"output_tokens\":1}}}}}}\n\n",
                    "event: content_block_start\ndata: {{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{{\"type\":\"text\",\"text\":\"\"}}}}\n\n",
                    "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{}\"}}}}\n\n",
                    "event: content_block_stop\ndata: {{\"type\":\"content_block_stop\",\"index\":0}}\n\n",
                    "event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"{}\"}},\"usage\":{{\"output_tokens\":2}}}}\n\n",
                    "event: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n",
                ),
                text, reason
            )
        } else {
            let mut answer: Value =
                serde_json::from_str(whole_answer(Speaks::Messages)).unwrap_or_default();
            answer["content"][0]["text"] = json!(text);
            answer["stop_reason"] = json!(reason);
            answer.to_string()
        };
        let bytes = if body["stream"] == true { stream(&bytes) } else { whole(&bytes) };
        let _ = std::io::Write::write_all(socket, &bytes);
    })
}

#[test]
fn a_turn_the_upstream_interrupts_goes_on_to_its_end() -> Result<()> {
    for (pauses, calls, reason) in [(2, 3, "stop"), (50, 5, "length")] {
        let origin = pausing(pauses)?;
        let mut config = origin.config(&["claude"]);
        config["providers"][0]["facts"] = json!({"web_search_tool": "web_search_20250305"});
        let router = Router::start(&config)?;
        for is_stream in [false, true] {
            let before = origin.received().len();
            let body = json!({"model": "p/m", "stream": is_stream, "stream_options":
                {"include_usage": true}, "web_search_options": {},
                "messages": [{"role": "user", "content": "q"}]});
            let mut body = body;
            if !is_stream && let Some(body) = body.as_object_mut() {
                body.remove("stream_options");
            }
            let answer = ask(&router, Speaks::Chat, &body, is_stream)?;
            let text = answer.text();
            assert_eq!(answer.status, 200, "{text}");
            assert_eq!(origin.received().len() - before, calls, "{text}");
            assert!(text.contains(&format!("\"finish_reason\":\"{reason}\"")), "{text}");
            assert!(text.contains(&format!("\"prompt_tokens\":{}", 3 * calls)), "{text}");
            assert!(text.contains(&format!("\"completion_tokens\":{}", 2 * calls)), "{text}");
            assert_eq!(text.matches("I look. ").count(), pauses.min(calls), "{text}");
        }
        // A client of Messages knows the ending and goes on itself.
        let before = origin.received().len();
        let answer = ask(&router, Speaks::Messages, &messages(json!({})), false)?;
        assert!(answer.text().contains("pause_turn"), "{}", answer.text());
        assert_eq!(origin.received().len() - before, 1);
    }
    Ok(())
}

#[test]
fn a_message_thread_begins_and_is_to_be_replayed() -> Result<()> {
    let origin = Origin::saying(whole(CHAT_ANSWER))?;
    let router = Router::start(&origin.config(&["openai"]))?;
    let create = messages(json!({ "thread": { "type": "create" } }));
    let answer = ask(&router, Speaks::Messages, &create, false)?;
    assert!(Speaks::Messages.is_answer(&answer), "{}", answer.text());
    let sent: Value = serde_json::from_slice(&origin.last()?.body)?;
    assert_eq!(sent.get("thread"), None);
    for stream in [false, true] {
        let mut again =
            messages(json!({ "thread": { "type": "continue", "previous_message_id": "msg_1" } }));
        again["stream"] = json!(stream);
        let answer = ask(&router, Speaks::Messages, &again, stream)?;
        assert_eq!(answer.status, 404, "{}", answer.text());
        assert_eq!(answer.json()?["error"]["details"]["error_code"], "thread_not_found");
    }
    assert_eq!(origin.received().len(), 1, "nobody was asked to continue");
    Ok(())
}

#[test]
fn responses_is_a_stateless_service_for_any_upstream() -> Result<()> {
    let origin = Origin::saying(whole(CHAT_ANSWER))?;
    let router = Router::start(&origin.config(&["openai"]))?;
    for (member, value) in [
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!("conv_1")),
        ("prompt", json!({ "id": "pmpt_1" })),
        ("background", json!(true)),
    ] {
        let mut body = Speaks::Responses.request("p/m", false);
        body[member] = value;
        let answer = ask(&router, Speaks::Responses, &body, false)?;
        assert_eq!(answer.status, 400, "{member}: {}", answer.text());
        let told = Speaks::Responses.error(&answer)?;
        assert!(told.message.starts_with(member), "{}", told.message);
        assert_eq!(answer.json()?["error"]["param"], member);
    }
    let mut stored = Speaks::Responses.request("p/m", false);
    stored["store"] = json!(true);
    let answer = ask(&router, Speaks::Responses, &stored, false)?;
    assert!(Speaks::Responses.is_answer(&answer), "{}", answer.text());
    assert_eq!(answer.json()?["store"], false, "it does not pretend");
    assert!(codes(&answer).contains(&"store".to_owned()), "{:?}", codes(&answer));
    Ok(())
}

#[test]
fn gemini_clients_are_served_under_v1_and_where_the_body_tells_the_dialect() -> Result<()> {
    let origin = Origin::saying(whole(CHAT_ANSWER))?;
    let router = Router::start(&origin.config(&["openai"]))?;
    let mut body = Speaks::Gemini.request("p/m", false);
    for path in ["/v1/models/p%2Fm:generateContent", "/gemini/v1beta/models/p%2Fm:generateContent"]
    {
        let answer = post(router.address(), path, &body)?;
        assert!(Speaks::Gemini.is_answer(&answer), "{path}: {}", answer.text());
    }
    let path = "/v1/models/p%2Fm:streamGenerateContent?alt=sse";
    let answer = post(router.address(), path, &body)?;
    assert!(Speaks::Gemini.is_complete_stream(&answer), "{}", answer.text());
    body["model"] = json!("p/m");
    for path in ["/", "/v1", "/route"] {
        let answer = post(router.address(), path, &body)?;
        assert!(Speaks::Gemini.is_answer(&answer), "{path}: {}", answer.text());
    }
    Ok(())
}

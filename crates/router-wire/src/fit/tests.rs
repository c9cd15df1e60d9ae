use crate::canonical::{Effort, Loss, Shown};
use crate::facts::{FactsTable, ReasoningContent};
use crate::translate::{
    Options, Outbound, RequestExtra, Target, TranslateError, translate_request,
};
use crate::{Dialect, json::Raw};

fn translated(
    inbound: Dialect,
    body: &str,
    dialect: Dialect,
    model: &str,
) -> Result<Outbound, TranslateError> {
    let facts = FactsTable::embedded().lookup(model);
    let options = Options::default();
    let target = Target { dialect, model, facts: &facts, options: &options };
    translate_request(inbound, body.as_bytes(), &RequestExtra::default(), &target)
}

fn members(rest: &str) -> String {
    format!(
        r#"{{"model":"m","max_tokens":8000,"messages":[{{"role":"user","content":"x"}}],{rest}}}"#
    )
}

fn value(outbound: &Outbound, pointer: &str) -> String {
    let body: serde_json::Value = serde_json::from_slice(&outbound.body).unwrap();
    body.pointer(pointer).map_or_else(|| "-".to_owned(), ToString::to_string)
}

fn codes(losses: &[Loss]) -> Vec<&str> {
    losses.iter().map(|loss| loss.code.as_ref()).collect()
}

/// What effort of Messages becomes at a Chat model.
#[test]
fn efforts_reach_chat_models_at_the_nearest_level_they_know() {
    for (model, asked, sent, lossy) in [
        ("gpt-5.2", "max", r#""xhigh""#, true),
        ("gpt-5.2", "xhigh", r#""xhigh""#, false),
        ("gpt-5.6", "max", r#""max""#, false),
        ("gpt-5", "low", r#""low""#, false),
        ("gpt-5-pro", "low", r#""high""#, true),
        ("o3", "xhigh", r#""high""#, true),
        ("gpt-4o", "high", "-", true),
        ("openai/gpt-5.2", "max", r#""xhigh""#, true),
    ] {
        let body = members(&format!(r#""output_config":{{"effort":"{asked}"}}"#));
        let out = translated(Dialect::Anthropic, &body, Dialect::OpenaiChat, model).unwrap();
        assert_eq!(value(&out, "/reasoning_effort"), sent, "{model} {asked}");
        assert_eq!(codes(&out.losses).contains(&"reasoning_effort"), lossy, "{model} {asked}");
    }
}

#[test]
fn a_thinking_budget_becomes_a_level_by_its_share_of_the_limit() {
    for (budget, max, level) in [
        (1024, Some(8000), Effort::Low),
        (2000, Some(8000), Effort::Medium),
        (4400, Some(8000), Effort::High),
        (6000, Some(8000), Effort::Xhigh),
        (7200, Some(8000), Effort::Max),
        (31_999, Some(32_000), Effort::Max),
        (0, Some(8000), Effort::None),
        (1024, None, Effort::Low),
        (6000, None, Effort::Medium),
        (24_000, None, Effort::High),
        (32_000, None, Effort::Max),
    ] {
        assert_eq!(Effort::from_budget(budget, max), level, "{budget} of {max:?}");
    }
}

/// Effort of Chat to the forms Messages models know.
#[test]
fn chat_effort_takes_the_form_the_messages_model_knows() {
    for (model, asked, thinking, effort) in [
        ("claude-opus-4-7", "high", r#"{"type":"adaptive","display":"summarized"}"#, r#""high""#),
        ("claude-opus-4-7", "minimal", r#"{"type":"adaptive","display":"summarized"}"#, r#""low""#),
        ("claude-opus-4-7", "none", r#"{"type":"disabled"}"#, "-"),
        ("claude-opus-4-6", "xhigh", r#"{"type":"adaptive","display":"summarized"}"#, r#""high""#),
        ("claude-sonnet-5", "max", r#"{"type":"adaptive","display":"summarized"}"#, r#""max""#),
        (
            "claude-sonnet-4-5",
            "medium",
            r#"{"type":"enabled","budget_tokens":3600,"display":"summarized"}"#,
            "-",
        ),
        (
            "claude-sonnet-4-5",
            "max",
            r#"{"type":"enabled","budget_tokens":7999,"display":"summarized"}"#,
            "-",
        ),
        ("claude-sonnet-4-5", "none", r#"{"type":"disabled"}"#, "-"),
        ("claude-3-5-haiku-latest", "high", "-", "-"),
    ] {
        let body = members(&format!(r#""reasoning_effort":"{asked}""#));
        let out = translated(Dialect::OpenaiChat, &body, Dialect::Anthropic, model).unwrap();
        assert_eq!(value(&out, "/thinking"), thinking, "{model} {asked}");
        assert_eq!(value(&out, "/output_config/effort"), effort, "{model} {asked}");
    }
}

#[test]
fn thinking_leaves_room_for_the_answer_and_for_a_forced_tool() {
    let out = translated(
        Dialect::OpenaiChat,
        r#"{"model":"m","messages":[{"role":"user","content":"x"}],"reasoning_effort":"low","temperature":0.3}"#,
        Dialect::Anthropic,
        "claude-sonnet-4-5",
    )
    .unwrap();
    assert_eq!(value(&out, "/max_tokens"), "64000");
    assert_eq!(value(&out, "/thinking/budget_tokens"), "12800");
    assert_eq!(value(&out, "/temperature"), "-");
    let forced = members(
        r#""reasoning_effort":"high","tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required""#,
    );
    let out = translated(Dialect::OpenaiChat, &forced, Dialect::Anthropic, "claude-sonnet-4-5");
    let out = out.unwrap();
    assert_eq!(value(&out, "/thinking/type"), r#""disabled""#);
    assert_eq!(value(&out, "/tool_choice/type"), r#""any""#);
    assert!(codes(&out.losses).contains(&"reasoning_effort"));
}

#[test]
fn a_budget_is_not_sent_into_a_tool_loop_that_began_without_thinking() {
    let body = r#"{"model":"m","max_tokens":8000,"reasoning_effort":"high","messages":[
        {"role":"user","content":"x"},
        {"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"call_1","content":"y"}],
        "tools":[{"type":"function","function":{"name":"f"}}]}"#;
    let out =
        translated(Dialect::OpenaiChat, body, Dialect::Anthropic, "claude-sonnet-4-5").unwrap();
    assert_eq!(value(&out, "/thinking"), "-");
    assert_eq!(value(&out, "/messages/1/content/0/type"), r#""tool_use""#);
    assert!(codes(&out.losses).contains(&"reasoning_effort"));
}

#[test]
fn sampling_goes_only_where_it_is_taken() {
    for (dialect, model, temperature) in [
        (Dialect::Anthropic, "claude-sonnet-4-5", "1"),
        (Dialect::Anthropic, "claude-opus-4-7", "-"),
        (Dialect::OpenaiResponses, "gpt-4o", "1.5"),
        (Dialect::OpenaiResponses, "gpt-5.2", "-"),
        (Dialect::OpenaiResponses, "o3", "-"),
    ] {
        let out = translated(Dialect::OpenaiChat, &members(r#""temperature":1.5"#), dialect, model)
            .unwrap();
        assert_eq!(value(&out, "/temperature"), temperature, "{model}");
        let lossy = temperature != "1.5";
        assert_eq!(codes(&out.losses).contains(&"temperature"), lossy, "{model}");
    }
}

#[test]
fn the_default_limit_is_what_the_model_can_do() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#;
    for (model, limit) in [
        ("claude-sonnet-4-5", "64000"),
        ("claude-3-haiku-20240307", "4096"),
        ("some-model", "8192"),
    ] {
        let out = translated(Dialect::OpenaiChat, body, Dialect::Anthropic, model).unwrap();
        assert_eq!(value(&out, "/max_tokens"), limit, "{model}");
    }
}

#[test]
fn a_long_turn_keeps_one_session_key() {
    let first =
        r#"{"model":"m","max_tokens":100,"system":"S","messages":[{"role":"user","content":"x"}]}"#;
    let later = r#"{"model":"m","max_tokens":100,"system":"S","messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"},{"role":"user","content":"z"}]}"#;
    let other =
        r#"{"model":"m","max_tokens":100,"system":"S","messages":[{"role":"user","content":"w"}]}"#;
    let key = |body: &str| {
        let out = translated(Dialect::Anthropic, body, Dialect::OpenaiChat, "gpt-5.2").unwrap();
        value(&out, "/prompt_cache_key")
    };
    assert_eq!(key(first), key(later));
    assert_ne!(key(first), key(other));
}

#[test]
fn strict_settings_refuse_chosen_losses() {
    let facts = FactsTable::embedded().lookup("gpt-5.2");
    let body = members(r#""top_k":5,"inference_geo":"eu""#);
    let run = |strict: Vec<crate::canonical::Severity>| {
        let options = Options { strict, ..Options::default() };
        let target = Target {
            dialect: Dialect::OpenaiChat,
            model: "gpt-5.2",
            facts: &facts,
            options: &options,
        };
        translate_request(Dialect::Anthropic, body.as_bytes(), &RequestExtra::default(), &target)
    };
    assert!(run(vec![]).is_ok());
    assert!(run(vec![crate::canonical::Severity::Content]).is_ok());
    let error = run(vec![crate::canonical::Severity::Setting]).unwrap_err();
    assert!(matches!(&error, TranslateError::Strict(losses) if losses.len() == 1), "{error}");
    assert_eq!(error.param(), Some("top_k"));
}

#[test]
fn state_kept_for_a_client_returns_in_front_of_its_call() {
    let facts = FactsTable::embedded().lookup("claude-sonnet-4-5");
    let options = Options::default();
    let target = Target {
        dialect: Dialect::Anthropic,
        model: "claude-sonnet-4-5",
        facts: &facts,
        options: &options,
    };
    let body = br#"{"model":"m","max_tokens":8000,"reasoning_effort":"high","messages":[
        {"role":"user","content":"x"},
        {"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"toolu_1","content":"y"}],
        "tools":[{"type":"function","function":{"name":"f"}}]}"#;
    let kept = [("toolu_1".to_owned(), "llmr1:anthropic:claude:EqQB".to_owned())];
    let extra = RequestExtra { kept: &kept, ..RequestExtra::default() };
    let out = translate_request(Dialect::OpenaiChat, body, &extra, &target).unwrap();
    assert_eq!(
        value(&out, "/messages/1/content/0"),
        r#"{"type":"thinking","thinking":"hm","signature":"EqQB"}"#
    );
    assert_eq!(value(&out, "/messages/1/content/1/type"), r#""tool_use""#);
    assert_eq!(value(&out, "/thinking/type"), r#""enabled""#);
}

#[test]
fn what_a_client_wants_to_see_is_remembered() {
    let body = members(r#""thinking":{"type":"adaptive","display":"omitted"}"#);
    let out = translated(Dialect::Anthropic, &body, Dialect::OpenaiChat, "gpt-5.2").unwrap();
    assert_eq!(out.session.shown, Shown::Hidden);
    assert!(Raw::parse(std::str::from_utf8(&out.body).unwrap()).is_ok());
}

fn sent(
    inbound: Dialect,
    body: &str,
    dialect: Dialect,
    model: &str,
) -> (serde_json::Value, Vec<String>) {
    let out = translated(inbound, body, dialect, model).unwrap();
    let codes = out.losses.iter().map(|loss| loss.code.to_string()).collect();
    (serde_json::from_slice(&out.body).unwrap(), codes)
}

#[test]
fn b4_2_a_search_among_deferred_tools_has_the_targets_form() {
    let messages = r#"{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"q"}],"tools":[{"type":"tool_search_tool_regex_20251119","name":"tool_search_tool_regex"},{"name":"f","input_schema":{"type":"object"},"defer_loading":true}]}"#;
    let responses = r#"{"model":"m","input":"q","tools":[{"type":"tool_search"},{"type":"function","name":"f","parameters":{"type":"object"},"strict":false,"defer_loading":true}]}"#;
    let (body, codes) = sent(Dialect::Anthropic, messages, Dialect::OpenaiResponses, "gpt-5.6");
    assert_eq!(body["tools"][0]["type"], "tool_search");
    assert_eq!((&body["tools"][1]["defer_loading"], codes.len()), (&true.into(), 0), "{codes:?}");
    let (body, codes) =
        sent(Dialect::OpenaiResponses, responses, Dialect::Anthropic, "claude-opus-4-7");
    assert_eq!(body["tools"][0]["type"], "tool_search_tool_bm25_20251119");
    assert_eq!((&body["tools"][1]["defer_loading"], codes.len()), (&true.into(), 0), "{codes:?}");
    for (inbound, body, dialect, model) in [
        (Dialect::Anthropic, messages, Dialect::OpenaiChat, "gpt-5.6"),
        (Dialect::Anthropic, messages, Dialect::OpenaiResponses, "gpt-5.2"),
        (Dialect::Anthropic, messages, Dialect::Gemini, "gemini-2.5-pro"),
        (Dialect::OpenaiResponses, responses, Dialect::Anthropic, "claude-3-5-haiku"),
    ] {
        let (body, codes) = sent(inbound, body, dialect, model);
        let text = body.to_string();
        assert!(!text.contains("defer_loading") && !text.contains("tool_search"), "{text}");
        assert!(codes.iter().any(|code| code == "defer_loading"), "{codes:?}");
        assert!(codes.iter().any(|code| code.starts_with("tool_search")), "{codes:?}");
    }
}

#[test]
fn b6_6_references_are_written_out_where_the_target_follows_none() {
    let body = r##"{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"q"}],"tools":[{"name":"f","input_schema":{"type":"object","properties":{"a":{"$ref":"#/$defs/A"},"n":{"$ref":"#/$defs/N"}},"$defs":{"A":{"type":"string"},"N":{"type":"object","properties":{"n":{"$ref":"#/$defs/N"}}}}}}]}"##;
    let (sent_body, codes) = sent(Dialect::Anthropic, body, Dialect::Gemini, "gemini-2.5-pro");
    let text = sent_body.to_string();
    assert!(!text.contains("$ref") && text.contains(r#""a":{"type":"string"}"#), "{text}");
    assert_eq!(codes, ["tools.schema"]);
    let (sent_body, codes) = sent(Dialect::Anthropic, body, Dialect::OpenaiChat, "gpt-4o");
    assert!(sent_body.to_string().contains("$ref") && codes.is_empty(), "{codes:?}");
    // Structured outputs of Anthropic know references, but none that lead to themselves.
    let body = r##"{"model":"m","messages":[{"role":"user","content":"q"}],"response_format":{"type":"json_schema","json_schema":{"name":"t","schema":{"type":"object","properties":{"n":{"$ref":"#"}}}}}}"##;
    let (sent_body, codes) = sent(Dialect::OpenaiChat, body, Dialect::Anthropic, "claude-opus-4-7");
    assert!(sent_body.to_string().contains("It must follow this JSON Schema"), "{sent_body}");
    assert_eq!(codes, ["response_format"]);
}

#[test]
fn what_a_model_cannot_read_is_refused_at_its_place() {
    let image =
        r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}"#;
    let pdf = r#"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AA=="}}"#;
    let text =
        r#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"}}"#;
    for (part, refused) in [(image, true), (pdf, true), (text, false)] {
        let plain = format!(
            r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":[{{"type":"text","text":"q"}},{part}]}}]}}"#
        );
        let result = translated(Dialect::Anthropic, &plain, Dialect::OpenaiChat, "deepseek-v4");
        assert_eq!(result.is_err(), refused, "{part}");
        if let Err(error) = result {
            assert_eq!(error.param(), Some("messages[0].content[1]"));
        }
        let result = translated(Dialect::Anthropic, &plain, Dialect::OpenaiChat, "gpt-4o");
        assert!(result.is_ok(), "{part}");
    }
}

#[test]
fn a_limit_the_router_chooses_leaves_room_for_the_conversation() {
    let limit = |words: usize| {
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"{}"}}]}}"#,
            "word ".repeat(words)
        );
        let (body, _) = sent(Dialect::OpenaiChat, &body, Dialect::Anthropic, "claude-sonnet-4-5");
        body["max_tokens"].as_u64().unwrap()
    };
    assert_eq!(limit(10), 64_000);
    assert!((1024..64_000).contains(&limit(130_000)), "{}", limit(130_000));
    assert_eq!(limit(1_000_000), 1024);
}

#[test]
fn thinking_nobody_showed_returns_to_a_model_of_an_unknown_vendor_that_demands_it() {
    let mut facts = FactsTable::embedded().lookup("house-blend");
    facts.reasoning_content = ReasoningContent::Required;
    let options = Options::default();
    let body = members(
        r#""messages": [{"role": "user", "content": "go"}, {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "", "signature": "llmr1:::hm"},
            {"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "r"}]}]"#,
    );
    let sent = |dialect| {
        let target = Target { dialect, model: "house-blend", facts: &facts, options: &options };
        let extra = RequestExtra::default();
        translate_request(Dialect::Anthropic, body.as_bytes(), &extra, &target).unwrap()
    };
    let chat = sent(Dialect::OpenaiChat);
    assert_eq!(value(&chat, "/messages/1/reasoning_content"), "\"hm\"");
    assert_eq!(codes(&chat.losses), Vec::<&str>::new());
    assert_eq!(codes(&sent(Dialect::OpenaiResponses).losses), ["thinking-history"]);
}

#[test]
fn nobody_asks_to_see_thinking_that_is_off() {
    let body =
        r#"{"model":"m","messages":[{"role":"user","content":"x"}],"reasoning_effort":"none"}"#;
    let sent = translated(Dialect::OpenaiChat, body, Dialect::Gemini, "gemini-2.5-flash").unwrap();
    assert_eq!(value(&sent, "/generationConfig/thinkingConfig"), r#"{"thinkingBudget":0}"#);
}

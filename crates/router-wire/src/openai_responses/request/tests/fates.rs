//! What becomes of everything that only this dialect has.

use super::{item, parse};
use crate::canonical::{Content, Fallback, Tool};

#[track_caller]
fn check_extra(member: &str, fate: Option<bool>) {
    let body = format!(r#"{{"input":"",{member}}}"#);
    let request = parse(&body);
    let found = match request.extras.as_slice() {
        [] => None,
        [extra] => Some(matches!(extra.fallback, Fallback::Refuse(_))),
        more => panic!("{more:?}"),
    };
    assert_eq!(found, fate, "{member}: nothing, or whether it is refused");
}

#[test]
fn what_needs_stored_state_is_refused_elsewhere() {
    check_extra(r#""previous_response_id":"resp_1""#, Some(true));
    check_extra(r#""conversation":{"id":"conv_1"}"#, Some(true));
    check_extra(r#""prompt":{"id":"pmpt_1"}"#, Some(true));
    check_extra(r#""background":true"#, Some(true));
    check_extra(r#""context_management":[{"type":"compaction"}]"#, Some(true));
    for member in ["previous_response_id", "conversation", "prompt", "background", "store"] {
        check_extra(&format!(r#""{member}":null"#), None);
    }
    check_extra(r#""background":false"#, None);
    check_extra(r#""store":true"#, None);
    check_extra(r#""truncation":"disabled""#, None);
    check_extra(r#""truncation":"auto""#, Some(false));
    check_extra(r#""client_metadata":{}"#, Some(false));
    check_extra(r#""max_tool_calls":1"#, Some(false));
    check_extra(r#""never_seen":1"#, Some(false));
    assert_eq!(parse(r#"{"input":"","store":true}"#).storage.store, Some(true));
    assert!(
        parse(r#"{"prompt":{"id":"p"}}"#).turns.is_empty(),
        "a stored prompt stands in for the input, and is refused by its own words"
    );
}

#[track_caller]
fn check_item(text: &str, fate: &str) {
    let body = item(text);
    let request = parse(&body);
    let part = request.turns.first().and_then(|turn| turn.parts.first());
    let found = match part.map(|part| &part.content) {
        Some(Content::Foreign(foreign)) => match &foreign.fallback {
            Fallback::Text(_) => "text",
            Fallback::Drop(_) => "drop",
            Fallback::Refuse(_) => "refuse",
            Fallback::Function(_) => "function",
        },
        Some(Content::ToolCall(_)) => "call",
        Some(Content::ToolResult(_)) => "result",
        Some(Content::Image(_)) => "image",
        other => panic!("{other:?}"),
    };
    assert_eq!(found, fate, "{text}");
}

#[test]
fn every_item_type_has_its_fate() {
    for kind in [
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "mcp_list_tools",
        "mcp_call",
    ] {
        check_item(&format!(r#"{{"type":"{kind}","id":"x"}}"#), "text");
    }
    for kind in [
        "computer_call",
        "computer_call_output",
        "mcp_approval_request",
        "mcp_approval_response",
        "program",
        "program_output",
        "compaction",
        "compaction_trigger",
        "item_reference",
        "unheard_of",
    ] {
        check_item(&format!(r#"{{"type":"{kind}","id":"x"}}"#), "refuse");
    }
    for kind in [
        "tool_search_call",
        "tool_search_output",
        "additional_tools",
        "configuration_update",
        "image_generation_call",
    ] {
        check_item(&format!(r#"{{"type":"{kind}","id":"x"}}"#), "drop");
    }
    check_item(r#"{"type":"image_generation_call","id":"x","result":"iVBO"}"#, "image");
    for kind in ["shell_call", "local_shell_call"] {
        check_item(&format!(r#"{{"type":"{kind}","call_id":"x","action":{{}}}}"#), "call");
    }
    check_item(r#"{"type":"apply_patch_call","call_id":"x","operation":{}}"#, "call");
    for kind in [
        "shell_call_output",
        "local_shell_call_output",
        "apply_patch_call_output",
        "function_call_output",
        "custom_tool_call_output",
    ] {
        check_item(&format!(r#"{{"type":"{kind}","call_id":"x","output":"y"}}"#), "result");
    }
}

#[track_caller]
fn check_tool(kind: &str, fate: &str) {
    let body = format!(r#"{{"input":"","tools":[{{"type":"{kind}","name":"n"}}]}}"#);
    let request = parse(&body);
    let found = match request.tools.first() {
        Some(Tool::Function(_)) => "function",
        Some(Tool::Custom(_)) => "custom",
        Some(Tool::WebSearch(_)) => "search",
        Some(Tool::Hosted(foreign)) => match &foreign.fallback {
            Fallback::Function(_) => "stands in",
            Fallback::Drop(_) => "drop",
            Fallback::Refuse(_) => "refuse",
            Fallback::Text(_) => "text",
        },
        None => "nothing",
    };
    assert_eq!(found, fate, "{kind}");
}

#[test]
fn every_tool_type_has_its_fate() {
    check_tool("function", "function");
    check_tool("custom", "custom");
    for kind in ["web_search", "web_search_preview", "web_search_2025_08_26"] {
        check_tool(kind, "search");
    }
    for kind in ["shell", "local_shell", "apply_patch"] {
        check_tool(kind, "stands in");
    }
    check_tool("tool_search", "drop");
    for kind in [
        "file_search",
        "code_interpreter",
        "image_generation",
        "mcp",
        "computer",
        "computer_use_preview",
        "programmatic_tool_calling",
        "unheard_of",
    ] {
        check_tool(kind, "refuse");
    }
}

#[test]
fn a_shell_at_the_vendor_is_not_one_at_the_client() {
    for (environment, refused) in [
        (r#"{"type":"local"}"#, false),
        ("null", false),
        (r#"{"type":"container_auto"}"#, true),
        (r#"{"type":"container_reference","container_id":"c"}"#, true),
    ] {
        let body =
            format!(r#"{{"input":"","tools":[{{"type":"shell","environment":{environment}}}]}}"#);
        let request = parse(&body);
        let Some(Tool::Hosted(shell)) = request.tools.first() else { panic!("{body}") };
        assert_eq!(matches!(shell.fallback, Fallback::Refuse(_)), refused, "{body}");
    }
}

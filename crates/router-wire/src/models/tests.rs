use serde_json::{Value, json};

use super::{ModelRow, Page, render_list, render_one, rfc3339};
use crate::Dialect::{Anthropic, Gemini, OpenaiChat};

fn rows() -> [ModelRow<'static>; 3] {
    let row = |id| ModelRow { id, owned_by: "acme", ..ModelRow::default() };
    let full = ModelRow {
        display_name: "Model A",
        created_s: 1_739_923_200,
        context_window: Some(200_000),
        output_tokens_max: Some(8_192),
        dialects: &[Anthropic, OpenaiChat],
        ..row("acme/a")
    };
    [full, row("acme/b"), row("fast")]
}

fn read(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn openai_clients_get_an_openai_list() {
    let list = read(&render_list(OpenaiChat, &rows(), Page::default()));
    assert_eq!(list["object"], "list");
    assert_eq!(
        list["data"][0],
        json!({
            "id": "acme/a", "object": "model", "created": 1_739_923_200, "owned_by": "acme",
            "provider_id": "acme", "name": "Model A", "formats": ["anthropic", "openai-chat"],
            "context_window": 200_000, "max_output_tokens": 8_192,
        })
    );
    assert_eq!(list["data"][2]["name"], "fast");
    assert_eq!(read(&render_one(OpenaiChat, &rows()[0])), list["data"][0]);
}

#[test]
fn messages_clients_get_pages() {
    let list = read(&render_list(Anthropic, &rows(), Page::default()));
    assert_eq!(
        list["data"][0],
        json!({
            "type": "model", "id": "acme/a", "display_name": "Model A",
            "created_at": "2025-02-19T00:00:00Z", "max_input_tokens": 200_000, "max_tokens": 8_192,
        })
    );
    assert_eq!(read(&render_one(Anthropic, &rows()[0])), list["data"][0]);
    let page = |limit, after_id, before_id| {
        let page = Page { limit, after_id, before_id };
        let list = read(&render_list(Anthropic, &rows(), page));
        let ids: Vec<_> =
            list["data"].as_array().unwrap().iter().map(|m| m["id"].clone()).collect();
        (
            Value::from(ids),
            list["has_more"].clone(),
            list["first_id"].clone(),
            list["last_id"].clone(),
        )
    };
    let expect = |ids: &[&str], more: bool| {
        let end = |id: Option<&&str>| id.map_or(Value::Null, |id| json!(id));
        (json!(ids), json!(more), end(ids.first()), end(ids.last()))
    };
    assert_eq!(page(None, None, None), expect(&["acme/a", "acme/b", "fast"], false));
    assert_eq!(page(Some(2), None, None), expect(&["acme/a", "acme/b"], true));
    assert_eq!(page(Some(2), Some("acme/b"), None), expect(&["fast"], false));
    assert_eq!(page(Some(1), None, Some("fast")), expect(&["acme/b"], true));
    assert_eq!(page(None, Some("fast"), None), expect(&[], false));
    assert_eq!(page(None, Some("fast"), Some("acme/a")), expect(&[], false));
}

#[test]
fn gemini_clients_get_resource_names() {
    let list = read(&render_list(Gemini, &rows(), Page::default()));
    assert_eq!(list["models"][0]["name"], "models/acme/a");
    assert_eq!(list["models"][0]["displayName"], "Model A");
    assert_eq!(list["models"][0]["inputTokenLimit"], 200_000);
    assert_eq!(list["models"][1].get("outputTokenLimit"), None);
    assert_eq!(read(&render_one(Gemini, &rows()[0])), list["models"][0]);
}

#[test]
fn dates_follow_the_calendar() {
    for (seconds, expect) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_399, "2000-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (951_868_800, "2000-03-01T00:00:00Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
        (1_735_689_599, "2024-12-31T23:59:59Z"),
    ] {
        assert_eq!(rfc3339(seconds), expect);
    }
}

//! Reading the model lists of upstreams, in whatever shape they come.

use serde_json::Value;

use crate::Dialect;

/// One model of an upstream's list.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Listed {
    /// The name requests use.
    pub id: String,
    /// A name for people, where it differs.
    pub display_name: Option<String>,
    /// The most tokens a conversation may have.
    pub context_window: Option<u64>,
    /// The most tokens one answer may have.
    pub output_tokens_max: Option<u64>,
    /// Whether the list says that the model does something else than answer in text: embeddings,
    /// images, speech, moderation, ranking.
    pub is_other: bool,
}

/// One page of an upstream's list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct List {
    /// Whose shape it has. What the upstream speaks otherwise may be another dialect.
    pub shape: Dialect,
    /// The models, in the order of the list.
    pub models: Vec<Listed>,
    /// Query that asks for the next page, such as `after_id=claude-x`; `None` on the last one.
    pub next: Option<String>,
}

/// Reads a list of models in the shape of `OpenAI` (also as a bare array, as Together sends it),
/// Anthropic or Gemini; `None` for anything else.
pub fn read_list(body: &[u8]) -> Option<List> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let value: Value = serde_json::from_slice(body).ok()?;
    if let Some(models) = value.get("models").and_then(Value::as_array) {
        let next = text(&value, "nextPageToken").map(|token| format!("pageToken={token}"));
        return Some(List { shape: Dialect::Gemini, models: listed(models, gemini)?, next });
    }
    let items = value.get("data").unwrap_or(&value).as_array()?;
    let is_anthropic = value.get("has_more").is_some_and(Value::is_boolean)
        || items.first().and_then(|item| text(item, "type")) == Some("model");
    let shape = if is_anthropic { Dialect::Anthropic } else { Dialect::OpenaiChat };
    let has_more = is_anthropic && value.get("has_more").and_then(Value::as_bool) == Some(true);
    let last = text(&value, "last_id").filter(|_| has_more);
    let next = last.map(|last| format!("after_id={last}"));
    Some(List { shape, models: listed(items, other)?, next })
}

fn listed(items: &[Value], read: fn(&Value) -> Option<Listed>) -> Option<Vec<Listed>> {
    items.iter().map(read).collect()
}

fn gemini(item: &Value) -> Option<Listed> {
    let name = text(item, "name")?;
    let methods = item.get("supportedGenerationMethods").and_then(Value::as_array);
    let generates = |methods: &Vec<Value>| methods.iter().any(|each| each == "generateContent");
    let id = name.strip_prefix("models/").unwrap_or(name);
    Some(Listed {
        id: id.to_owned(),
        display_name: different(text(item, "displayName"), id),
        context_window: number(item, &["inputTokenLimit"]),
        output_tokens_max: number(item, &["outputTokenLimit"]),
        is_other: methods.is_some_and(|methods| !generates(methods)),
    })
}

/// `OpenAI`'s and Anthropic's, with the members that other vendors add to them.
fn other(item: &Value) -> Option<Listed> {
    let id = text(item, "id")?;
    let context = [
        "context_window",
        "context_length",
        "max_context_length",
        "max_model_len",
        "max_input_tokens",
    ];
    let output = ["max_output_tokens", "max_completion_tokens", "max_tokens"];
    let provider = item.get("top_provider").unwrap_or(&Value::Null);
    Some(Listed {
        id: id.to_owned(),
        display_name: different(text(item, "display_name").or_else(|| text(item, "name")), id),
        context_window: number(item, &context),
        output_tokens_max: number(item, &output).or_else(|| number(provider, &output)),
        is_other: is_other(item),
    })
}

/// Mistral states capabilities, Together a type, OpenRouter what comes out.
fn is_other(item: &Value) -> bool {
    let chats = item.pointer("/capabilities/completion_chat").and_then(Value::as_bool);
    let kinds = ["embedding", "image", "audio", "video", "moderation", "rerank", "transcribe"];
    let kind = text(item, "type").is_some_and(|kind| kinds.contains(&kind));
    let outputs = item.pointer("/architecture/output_modalities").and_then(Value::as_array);
    let no_text = outputs.is_some_and(|all| !all.iter().any(|each| each == "text"));
    chats == Some(false) || kind || no_text
}

fn different(name: Option<&str>, id: &str) -> Option<String> {
    name.filter(|name| !name.is_empty() && *name != id).map(str::to_owned)
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str().filter(|text| !text.is_empty())
}

fn number(value: &Value, names: &[&str]) -> Option<u64> {
    names.iter().find_map(|name| value.get(name)?.as_u64()).filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{ModelRow, Page, render_list};

    fn ids(list: &List) -> Vec<&str> {
        list.models.iter().map(|model| model.id.as_str()).collect()
    }

    #[test]
    fn what_the_router_writes_in_a_dialect_is_read_as_that_dialect() {
        let rows = [ModelRow { id: "a/b", context_window: Some(7), ..ModelRow::default() }];
        for dialect in [Dialect::OpenaiChat, Dialect::Anthropic, Dialect::Gemini] {
            let list = read_list(&render_list(dialect, &rows, Page::default())).unwrap();
            assert_eq!((list.shape, ids(&list)), (dialect, vec!["a/b"]));
            assert_eq!(list.models[0].context_window, Some(7), "{dialect}");
            assert_eq!(list.next, None);
        }
    }

    #[test]
    fn every_vendor_s_own_members_are_understood() {
        for (body, expect) in [
            // Anthropic, one page of several.
            (
                r#"{"data":[{"type":"model","id":"claude-x","display_name":"Claude X"}],"has_more":true,"last_id":"claude-x"}"#,
                Listed { display_name: Some("Claude X".into()), ..named("claude-x") },
            ),
            // Gemini.
            (
                r#"{"models":[{"name":"models/embed","supportedGenerationMethods":["embedContent"],"inputTokenLimit":5}]}"#,
                Listed { context_window: Some(5), is_other: true, ..named("embed") },
            ),
            // OpenRouter.
            (
                r#"{"data":[{"id":"v/m","name":"M","context_length":9,"top_provider":{"max_completion_tokens":4},"architecture":{"output_modalities":["text"]}}]}"#,
                Listed {
                    display_name: Some("M".into()),
                    context_window: Some(9),
                    output_tokens_max: Some(4),
                    ..named("v/m")
                },
            ),
            // Mistral.
            (
                r#"{"object":"list","data":[{"id":"e","capabilities":{"completion_chat":false},"max_context_length":3}]}"#,
                Listed { context_window: Some(3), is_other: true, ..named("e") },
            ),
            // Together: a bare array.
            (r#"[{"id":"flux","type":"image"}]"#, Listed { is_other: true, ..named("flux") }),
            // vLLM.
            (
                r#"{"object":"list","data":[{"id":"q","object":"model","max_model_len":8}]}"#,
                Listed { context_window: Some(8), ..named("q") },
            ),
        ] {
            assert_eq!(read_list(body.as_bytes()).unwrap().models, [expect], "{body}");
        }
    }

    #[test]
    fn the_next_page_is_asked_for_in_the_vendor_s_way() {
        let next = |body: &str| read_list(body.as_bytes()).unwrap().next;
        let more = r#"{"data":[{"id":"x","type":"model"}],"has_more":true,"last_id":"x"}"#;
        assert_eq!(next(more).as_deref(), Some("after_id=x"));
        assert_eq!(next(&more.replace("true", "false")), None);
        let page = r#"{"models":[{"name":"models/a"}],"nextPageToken":"t1"}"#;
        assert_eq!(next(page).as_deref(), Some("pageToken=t1"));
    }

    #[test]
    fn what_is_no_list_of_models_is_none() {
        for body in [
            "<html>",
            "{}",
            r#"{"data":{}}"#,
            r#"{"data":[{"name":"x"}]}"#,
            r#"{"data":[1]}"#,
            r#"{"error":{"message":"no"}}"#,
            "null",
            "",
        ] {
            assert_eq!(read_list(body.as_bytes()), None, "{body}");
        }
    }

    fn named(id: &str) -> Listed {
        Listed { id: id.to_owned(), ..Listed::default() }
    }
}

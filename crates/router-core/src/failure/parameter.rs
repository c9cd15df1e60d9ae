//! Which parameter an upstream does not take, in the words of each vendor.
//!
//! | vendor | says |
//! |---|---|
//! | `OpenAI`, Azure | `error.code` `unsupported_parameter` or `unknown_parameter` with `error.param` |
//! | older `OpenAI`-like | `Unrecognized request argument supplied: top_k` |
//! | Anthropic | `top_k: Extra inputs are not permitted` |
//! | Google | `Unknown name "top_k": Cannot find field.` |
//! | Groq | `property 'top_k' is unsupported` |
//! | `LiteLLM` | `does not support parameters: ['top_k']` |

use router_wire::error::UpstreamError;

use super::FailureClass;

/// Members without which a request means nothing.
const ESSENTIAL: [&str; 5] = ["model", "messages", "input", "contents", "stream"];
/// Asks for nothing but a look at the thinking, and needs a verified organisation at `OpenAI`.
const SUMMARY: &str = "reasoning.summary";
/// Characters of a member's name at most.
const NAME_MAX: usize = 64;

/// The member at the top of the request that `body` says is not known or not taken at all. A value
/// that is not taken, and what lies deeper, say nothing about other requests; but for summaries of
/// the thinking, which an account may have or not.
pub(super) fn unknown(class: FailureClass, body: &UpstreamError) -> Option<String> {
    if class != FailureClass::Unsupported {
        return None;
    }
    if body.param.as_deref() == Some(SUMMARY) {
        return Some(SUMMARY.to_owned());
    }
    let code = body.code.as_deref().or(body.kind.as_deref()).unwrap_or_default();
    let by_code = matches!(code, "unsupported_parameter" | "unknown_parameter");
    let named = body.param.as_deref().filter(|_| by_code);
    let name = named.or_else(|| in_words(&body.message))?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_good = name.len() <= NAME_MAX && !name.is_empty() && name.chars().all(is_name);
    (is_good && !ESSENTIAL.contains(&name)).then(|| name.to_owned())
}

fn in_words(message: &str) -> Option<&str> {
    let after = |words: &str| message.split_once(words).map(|(_, rest)| rest);
    let quoted = |words: &str, quote: char| {
        let (name, rest) = after(words)?.split_once(quote)?;
        Some((name, rest))
    };
    if let Some((name, _)) = message.split_once(": Extra inputs are not permitted") {
        return name.rsplit(char::is_whitespace).next();
    }
    if let Some(rest) = after("Unrecognized request argument supplied: ") {
        return rest.split(|c: char| c.is_whitespace() || c == ',').next();
    }
    if let Some((name, rest)) = quoted("Unknown name \"", '"') {
        return rest.starts_with(':').then_some(name);
    }
    let forms =
        ["Unsupported parameter: '", "Unknown parameter: '", "does not support parameters: ['"];
    if let Some((name, _)) = forms.iter().find_map(|form| quoted(form, '\'')) {
        return Some(name);
    }
    let (name, rest) = message.strip_prefix("property '")?.split_once('\'')?;
    rest.starts_with(" is unsupported").then_some(name)
}

#[cfg(test)]
mod tests {
    use crate::failure::{Answer, classify};
    use crate::time::UnixMs;

    #[track_caller]
    fn check(body: &str, expect: Option<&str>) {
        let answer = Answer { status: 400, headers: &|_| None, body: body.as_bytes() };
        let failure = classify(&answer, UnixMs(0)).unwrap();
        assert_eq!(failure.parameter.as_deref(), expect, "{failure}");
    }

    #[test]
    fn a_parameter_that_is_not_taken_is_named() {
        check(
            r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#,
            Some("max_tokens"),
        );
        check(
            r#"{"error":{"message":"Unknown parameter: 'foo'.","type":"invalid_request_error","param":"foo","code":"unknown_parameter"}}"#,
            Some("foo"),
        );
        check(
            r#"{"error":{"message":"Unrecognized request argument supplied: top_k","type":"invalid_request_error","param":null,"code":null}}"#,
            Some("top_k"),
        );
        check(
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"top_k: Extra inputs are not permitted"}}"#,
            Some("top_k"),
        );
        check(
            r#"{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"seed\": Cannot find field.","status":"INVALID_ARGUMENT"}}"#,
            Some("seed"),
        );
        check(
            r#"{"error":{"message":"property 'logit_bias' is unsupported","type":"invalid_request_error"}}"#,
            Some("logit_bias"),
        );
        check(
            r#"{"error":{"message":"litellm.UnsupportedParamsError: cohere does not support parameters: ['parallel_tool_calls'], for model=x","type":"None","param":null,"code":"400"}}"#,
            Some("parallel_tool_calls"),
        );
    }

    #[test]
    fn summaries_of_the_thinking_are_left_out_where_the_account_may_not_have_them() {
        check(
            r#"{"error":{"message":"Your organization must be verified to generate reasoning summaries.","type":"invalid_request_error","param":"reasoning.summary","code":"unsupported_value"}}"#,
            Some("reasoning.summary"),
        );
        check(
            r#"{"error":{"message":"Unsupported value: 'high'.","type":"invalid_request_error","param":"reasoning.effort","code":"unsupported_value"}}"#,
            None,
        );
    }

    #[test]
    fn values_and_what_lies_deeper_are_not() {
        check(
            r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model.","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}"#,
            None,
        );
        check(
            r#"{"error":{"message":"Unknown parameter: 'messages[0].x'.","param":"messages[0].x","code":"unknown_parameter"}}"#,
            None,
        );
        check(
            r#"{"error":{"code":400,"message":"Unknown name \"x\" at 'generation_config': Cannot find field.","status":"INVALID_ARGUMENT"}}"#,
            None,
        );
        check(
            r#"{"error":{"message":"Unknown parameter: 'messages'.","param":"messages","code":"unknown_parameter"}}"#,
            None,
        );
        check(r#"{"error":{"message":"bad request","param":"x"}}"#, None);
    }
}

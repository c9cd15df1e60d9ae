use Dialect::{Anthropic, Gemini, OpenaiChat, OpenaiResponses};

use super::*;

const CHAT_OK: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"OK"},"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
const RESPONSES_OK: &str = r#"{"id":"r","object":"response","created_at":1,"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"model":"m","output":[],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}"#;
const MESSAGES_OK: &str = r#"{"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"OK"}],"stop_reason":"max_tokens","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}"#;
const GEMINI_OK: &str = r#"{"candidates":[{"content":{"role":"model"},"finishReason":"MAX_TOKENS","index":0}],"usageMetadata":{"promptTokenCount":1,"totalTokenCount":17},"modelVersion":"m"}"#;

fn answer(status: u16, body: &str) -> Response<Bytes> {
    Response::builder().status(status).body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn judged(dialect: Dialect, status: u16, body: &str) -> Judged {
    let session = Session::new(OpenaiChat, dialect);
    judge(dialect, "m-1", &answer(status, body), session, UnixMs(0))
}

#[test]
fn only_an_answer_in_the_dialect_confirms_a_model() {
    let all = [
        (OpenaiChat, CHAT_OK),
        (OpenaiResponses, RESPONSES_OK),
        (Anthropic, MESSAGES_OK),
        (Gemini, GEMINI_OK),
    ];
    for (asked, _) in all {
        for (spoken, body) in all {
            let expect = if asked == spoken { Outcome::Ok } else { Outcome::FormatMismatch };
            let judged = judged(asked, 200, body);
            assert_eq!(judged.check.outcome, expect, "{asked} asked, {spoken} spoken: {judged:?}");
        }
        for body in ["<!doctype html><title>Hi</title>", "", "OK", "{}", "[]", r#"{"ok":true}"#] {
            let outcome = judged(asked, 200, body).check.outcome;
            assert_eq!(outcome, Outcome::FormatMismatch, "{asked}: {body}");
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn errors_say_whether_it_is_the_address_the_key_or_the_model() {
    let openai = |message: &str, code: &str| {
        format!(
            r#"{{"error":{{"message":"{message}","type":"invalid_request_error","code":"{code}"}}}}"#
        )
    };
    let messages = |kind: &str, message: &str| {
        format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}}}}"#)
    };
    let gemini = |status: &str, message: &str| {
        format!(r#"{{"error":{{"code":400,"message":"{message}","status":"{status}"}}}}"#)
    };
    for (dialect, status, body, expect) in [
        (
            OpenaiChat,
            404,
            openai("The model `m-1` does not exist", "model_not_found"),
            Outcome::ModelUnsupported,
        ),
        (
            OpenaiChat,
            404,
            openai("Invalid URL (POST /v1/chat/completions)", ""),
            Outcome::NoAddress,
        ),
        (OpenaiChat, 404, "404 page not found".to_owned(), Outcome::NoAddress),
        (OpenaiChat, 404, r#"{"detail":"Not Found"}"#.to_owned(), Outcome::NoAddress),
        (OpenaiResponses, 405, r#"{"detail":"Method Not Allowed"}"#.to_owned(), Outcome::NoAddress),
        (OpenaiChat, 400, openai("invalid model: m-1", ""), Outcome::ModelUnsupported),
        (
            OpenaiChat,
            401,
            openai("Incorrect API key provided", "invalid_api_key"),
            Outcome::AuthError,
        ),
        (OpenaiChat, 403, "{}".to_owned(), Outcome::AuthError),
        (OpenaiChat, 429, openai("slow down", "rate_limit_exceeded"), Outcome::RateLimit),
        (OpenaiChat, 429, openai("no money", "insufficient_quota"), Outcome::RuntimeError),
        (OpenaiChat, 503, "{}".to_owned(), Outcome::RuntimeError),
        (OpenaiChat, 400, openai("messages is wrong", ""), Outcome::Unconfirmed),
        (OpenaiChat, 400, openai("This is not a chat model", ""), Outcome::ModelUnsupported),
        (OpenaiChat, 302, String::new(), Outcome::FormatMismatch),
        (Anthropic, 404, messages("not_found_error", "model: m-1"), Outcome::ModelUnsupported),
        (Anthropic, 404, openai("Invalid URL (POST /v1/messages)", ""), Outcome::NoAddress),
        (Anthropic, 401, messages("authentication_error", "invalid x-api-key"), Outcome::AuthError),
        (Anthropic, 400, openai("messages is wrong", ""), Outcome::FormatMismatch),
        (Anthropic, 529, messages("overloaded_error", "Overloaded"), Outcome::RuntimeError),
        (OpenaiChat, 400, messages("invalid_request_error", "no"), Outcome::FormatMismatch),
        (
            Gemini,
            404,
            gemini("NOT_FOUND", "models/m-1 is not found for API version v1beta"),
            Outcome::ModelUnsupported,
        ),
        (Gemini, 404, "<html>models/m-1 not found</html>".to_owned(), Outcome::NoAddress),
        (
            Gemini,
            404,
            openai("Invalid URL (POST /v1beta/models/m-1:generateContent)", ""),
            Outcome::NoAddress,
        ),
        (
            Gemini,
            400,
            gemini("INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
            Outcome::AuthError,
        ),
    ] {
        let judged = judged(dialect, status, &body);
        assert_eq!(judged.check.outcome, expect, "{dialect} {status} {body}");
        assert_eq!(judged.check.status, Some(status));
        assert!(!judged.is_about_limit);
    }
}

#[test]
fn a_complaint_about_the_limit_is_worth_another_try() {
    for (dialect, message) in [
        (
            OpenaiChat,
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        ),
        (
            OpenaiResponses,
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 64",
        ),
        (
            OpenaiChat,
            "Could not finish the message because max_tokens or model output limit was reached.",
        ),
    ] {
        let body = serde_json::json!({"error": {"message": message}}).to_string();
        assert!(judged(dialect, 400, &body).is_about_limit, "{message}");
    }
}

#[test]
fn long_words_are_cut_and_pages_are_named_not_quoted() {
    let long = "x ".repeat(1000);
    let check = judged(OpenaiChat, 500, &long).check;
    assert_eq!(check.message.chars().count(), MESSAGE_CHARS_MAX);
    let check = judged(OpenaiChat, 502, "<html><body>secret things</body></html>").check;
    assert_eq!(check.message, "an HTML page with status 502");
}

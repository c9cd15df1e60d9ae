use proptest::prelude::*;
use serde_json::{Value, json};

use super::{ClientError, ErrorKind, StreamPlace, UpstreamError};
use crate::Dialect::{self, Anthropic, Gemini, OpenaiChat, OpenaiResponses};

#[track_caller]
fn check(status: u16, anthropic: &str, openai: (&str, Option<&str>), gemini: (u16, &str)) {
    let error = ClientError::from_status(status, "no");
    let body = |dialect| serde_json::from_slice::<Value>(&error.body(dialect, "req_1")).unwrap();
    let expect = json!({"type": "error", "error": {"type": anthropic, "message": "no"}, "request_id": "req_1"});
    assert_eq!(body(Anthropic), expect, "{status}");
    assert_eq!(error.status_for(Anthropic), status);
    let expect =
        json!({"error": {"message": "no", "type": openai.0, "param": null, "code": openai.1}});
    assert_eq!(body(OpenaiChat), expect, "{status}");
    assert_eq!(body(OpenaiResponses), expect, "{status}");
    let expect = json!({"error": {"code": gemini.0, "message": "no", "status": gemini.1}});
    assert_eq!(body(Gemini), expect, "{status}");
    assert_eq!(error.status_for(Gemini), gemini.0);
    assert_eq!(error.status_for(OpenaiChat), gemini.0);
}

#[test]
fn every_status_has_its_name_in_every_dialect() {
    let invalid = ("invalid_request_error", None);
    for status in [400, 413, 415, 418, 422] {
        check(status, "invalid_request_error", invalid, (status, "INVALID_ARGUMENT"));
    }
    let auth = ("authentication_error", Some("invalid_api_key"));
    check(401, "authentication_error", auth, (401, "UNAUTHENTICATED"));
    let billing = ("insufficient_quota", Some("insufficient_quota"));
    check(402, "billing_error", billing, (402, "RESOURCE_EXHAUSTED"));
    check(403, "permission_error", ("permission_error", None), (403, "PERMISSION_DENIED"));
    check(404, "not_found_error", invalid, (404, "NOT_FOUND"));
    let timeout = ("server_error", Some("timeout"));
    check(408, "timeout_error", timeout, (408, "DEADLINE_EXCEEDED"));
    check(504, "timeout_error", timeout, (504, "DEADLINE_EXCEEDED"));
    let limit = ("rate_limit_error", Some("rate_limit_exceeded"));
    check(429, "rate_limit_error", limit, (429, "RESOURCE_EXHAUSTED"));
    check(500, "api_error", ("server_error", None), (500, "INTERNAL"));
    check(502, "api_error", ("server_error", None), (502, "INTERNAL"));
    let overloaded = ("server_error", Some("overloaded"));
    check(503, "overloaded_error", overloaded, (503, "UNAVAILABLE"));
    check(529, "overloaded_error", overloaded, (503, "UNAVAILABLE"));
}

fn body(error: &ClientError, dialect: Dialect) -> Value {
    serde_json::from_slice(&error.body(dialect, "r")).unwrap()
}

#[test]
fn clients_find_the_words_they_look_for() {
    let model = ClientError::new(ErrorKind::ModelNotFound, "no model `x`").with_param("model");
    assert_eq!(body(&model, OpenaiChat)["error"]["code"], "model_not_found");
    assert_eq!(body(&model, OpenaiChat)["error"]["param"], "model");
    assert_eq!(body(&model, Anthropic)["error"]["type"], "not_found_error");
    let long = ClientError::new(ErrorKind::ContextTooLong, "9 > 8 tokens");
    assert_eq!(body(&long, Anthropic)["error"]["message"], "prompt is too long: 9 > 8 tokens");
    assert_eq!(body(&long, OpenaiChat)["error"]["code"], "context_length_exceeded");
    let thread = ClientError::new(ErrorKind::NotFound, "no").with_detail("thread_not_found");
    assert_eq!(body(&thread, Anthropic)["error"]["details"]["error_code"], "thread_not_found");
    let own = ClientError::new(ErrorKind::RateLimit, "no").with_code("bucket").with_retry_after(9);
    assert_eq!(body(&own, OpenaiResponses)["error"]["code"], "bucket");
    assert_eq!(own.retry_after_s, Some(9));
    let wait = &body(&own, Gemini)["error"]["details"];
    assert_eq!(wait[0]["@type"], "type.googleapis.com/google.rpc.RetryInfo");
    assert_eq!(wait[0]["retryDelay"], "9s");
    assert!(body(&model, Gemini)["error"].get("details").is_none());
}

#[test]
fn a_broken_stream_ends_in_one_error_event_and_nothing_else() {
    let error = ClientError::new(ErrorKind::Upstream, "cut \"off\"\n");
    let place = StreamPlace {
        request_id: "req_1",
        response_id: "resp_1",
        model: "m",
        created_s: 7,
        sequence_number: 4,
    };
    let text = |dialect| String::from_utf8(error.stream_event(dialect, &place)).unwrap();
    assert_eq!(
        text(Anthropic),
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\
         \"message\":\"cut \\\"off\\\"\\n\"},\"request_id\":\"req_1\"}\n\n"
    );
    assert_eq!(
        text(OpenaiChat),
        "data: {\"error\":{\"message\":\"cut \\\"off\\\"\\n\",\"type\":\"server_error\",\
         \"param\":null,\"code\":null}}\n\n"
    );
    assert_eq!(
        text(Gemini),
        "data: {\"error\":{\"code\":502,\"message\":\"cut \\\"off\\\"\\n\",\"status\":\"INTERNAL\"}}\n\n"
    );
    let failed = text(OpenaiResponses);
    let data = failed.strip_prefix("event: response.failed\ndata: ").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["type"], "response.failed");
    assert_eq!(data["sequence_number"], 4);
    assert_eq!(data["response"]["id"], "resp_1");
    assert_eq!(data["response"]["status"], "failed");
    assert_eq!(
        data["response"]["error"],
        json!({"code": "server_error", "message": "cut \"off\"\n"})
    );
    assert_eq!(data["response"]["output"], json!([]));
}

#[track_caller]
fn reads(status: u16, body: &str, message: &str, kind: Option<&str>, code: Option<&str>) {
    let error = UpstreamError::read(status, body.as_bytes());
    assert_eq!(error.message, message, "message of {body}");
    assert_eq!(error.kind.as_deref(), kind, "type of {body}");
    assert_eq!(error.code.as_deref(), code, "code of {body}");
    assert_eq!(error.status, status);
}

#[test]
fn errors_of_every_vendor_are_read() {
    let body = r#"{"error":{"message":"m","type":"t","param":"p","code":"c"}}"#;
    reads(400, body, "m", Some("t"), Some("c"));
    assert_eq!(UpstreamError::read(400, body.as_bytes()).param.as_deref(), Some("p"));
    reads(
        529,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#,
        "m",
        Some("overloaded_error"),
        None,
    );
    reads(
        400,
        r#"{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}"#,
        "m",
        Some("INVALID_ARGUMENT"),
        None,
    );
    reads(400, r#"[{"error":{"code":400,"message":"m","status":"S"}}]"#, "m", Some("S"), None);
    reads(401, r#"{"error":"Unauthorized"}"#, "Unauthorized", None, None);
    reads(422, r#"{"detail":"m"}"#, "m", None, None);
    reads(
        422,
        r#"{"detail":[{"loc":["body"],"msg":"m","type":"missing"}]}"#,
        "m",
        Some("missing"),
        None,
    );
    reads(500, r#"{"message":"m","code":7}"#, "m", None, Some("7"));
    reads(
        0,
        r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"m"}}}"#,
        "m",
        None,
        Some("server_error"),
    );
    reads(
        0,
        r#"{"type":"error","code":"c","message":"m","param":null,"sequence_number":3}"#,
        "m",
        None,
        Some("c"),
    );
    reads(400, r#"{"error":{"message":{"en":["m"]}}}"#, r#"{"en":["m"]}"#, None, None);
    reads(500, " plain words\n", "plain words", None, None);
    reads(
        502,
        "<html><head><title>502 Bad Gateway</title></head></html>",
        "502 Bad Gateway",
        None,
        None,
    );
    for empty in ["", "{}", "[]", "null", "<html></html>", r#"{"error":null}"#, r#"{"error":{}}"#] {
        reads(503, empty, "the upstream answered with status 503 and no message", None, None);
    }
}

#[test]
fn a_client_hears_what_the_upstream_said() {
    let client =
        |status, body: &str| UpstreamError::read(status, body.as_bytes()).to_client_error();
    let error = client(
        429,
        r#"{"error":{"message":"slow","type":"requests","code":"rate_limit_exceeded"}}"#,
    );
    assert_eq!((error.status, error.kind), (429, ErrorKind::RateLimit));
    assert_eq!(error.message, "slow");
    let error = client(400, r#"{"error":{"message":"This model's maximum context length is 8"}}"#);
    assert_eq!(error.kind, ErrorKind::ContextTooLong);
    let error = client(404, r#"{"error":{"message":"m","code":"model_not_found"}}"#);
    assert_eq!(error.kind, ErrorKind::ModelNotFound);
    let error = client(400, r#"{"error":{"code":400,"message":"m"}}"#);
    assert_eq!(error.code, None, "a status is no code");
    for (kind, status) in [("overloaded_error", 529), ("rate_limit_error", 429), ("x", 502)] {
        let body = format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"m"}}}}"#);
        assert_eq!(client(0, &body).status, status, "{kind} in a stream");
        assert_eq!(client(200, &body).status, status, "{kind} with a success status");
    }
}

#[test]
fn the_wait_that_gemini_asks_for_is_read() {
    for (delay, millis) in [
        ("34s", Some(34_000)),
        ("1.5s", Some(1_500)),
        ("0.0071234s", Some(7)),
        ("34", None),
        ("-1s", None),
        ("1.xs", None),
        ("s", None),
        ("99999999999999999999s", None),
    ] {
        let body = format!(
            r#"[{{"error":{{"code":429,"message":"m","details":[{{"reason":"r"}},{{"retryDelay":"{delay}"}}]}}}}]"#
        );
        let error = UpstreamError::read(429, body.as_bytes());
        assert_eq!(error.retry_after_ms, millis, "{delay}");
        let seconds = millis.map(|millis: u64| millis.div_ceil(1_000));
        assert_eq!(error.to_client_error().retry_after_s, seconds, "whole seconds, rounded up");
    }
}

#[test]
fn a_success_that_is_an_error_is_recognised() {
    for error in [
        r#"{"error":{"message":"m"}}"#,
        r#" {"id":"x","error":"m"}"#,
        r#"[{"error":{"code":5}}]"#,
        r#"{"choices":[],"error":{"message":"m"}}"#,
        r#"{"type":"response.failed","response":{"status":"failed","error":{}}}"#,
        r#"{"type":"error","error":{}}"#,
        r#"{"object":"error","message":"m"}"#,
        r#"{"\u0065rror":{"message":"m"}}"#,
        r#"{"type":"\u0065rror"}"#,
        "\u{feff}{\"error\":{\"message\":\"m\"}}",
    ] {
        assert!(UpstreamError::read(200, error.as_bytes()).is_error, "{error}");
        assert!(UpstreamError::is_possible(error.as_bytes()), "{error}");
    }
    for answer in [
        r#"{"id":"x","error":null,"output":[]}"#,
        r#"{"type":"message","content":[]}"#,
        "{}",
        "",
        "[]",
        "<html>",
        r#"{"error":false}"#,
    ] {
        assert!(!UpstreamError::read(200, answer.as_bytes()).is_error, "{answer}");
    }
}

proptest! {
    /// Any bytes are read as some error with a message, and rendered as JSON.
    #[test]
    fn any_error_body_is_survived(status in any::<u16>(), bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let error = UpstreamError::read(status, &bytes);
        prop_assert!(!error.is_error || UpstreamError::is_possible(&bytes));
        let error = error.to_client_error();
        prop_assert!((400..=u16::MAX).contains(&error.status));
        for dialect in Dialect::ALL {
            prop_assert!(serde_json::from_slice::<Value>(&error.body(dialect, "r")).is_ok());
        }
    }
}

use proptest::prelude::*;

use super::Operation::{
    Completions, CountTokens, CountTokensGemini, Describe, Embeddings, Generate, GenerateGemini,
    Health, Hello, Model, Models, Preflight, Ready, StoredResponse, Unified,
};
use super::{Operation, PathText, SurfaceError, dialect_hint, route};
use crate::Dialect::{Anthropic, Gemini, OpenaiChat, OpenaiResponses};

const GET: &str = "GET, HEAD, OPTIONS";
const POST: &str = "POST, OPTIONS";

#[track_caller]
fn check(methods: &[&str], paths: &[&str], expect: Operation<'_>, allow: &'static str) {
    for path in paths {
        for method in ["GET", "HEAD", "POST", "DELETE", "PUT", "TRACE"] {
            let expect = if methods.contains(&method) {
                Ok(expect)
            } else {
                Err(SurfaceError::MethodNotAllowed { allow })
            };
            assert_eq!(route(method, path), expect, "{method} {path}");
        }
        assert_eq!(route("OPTIONS", path), Ok(Preflight));
        let more = format!("{path}?beta=true&x=/y/");
        assert_eq!(route(methods[0], &more), Ok(expect), "the query of {more} is ignored");
        if *path != "/" {
            let slash = format!("{path}/");
            assert_eq!(route(methods[0], &slash), Ok(expect), "one slash in {slash} is ignored");
            let slashes = format!("{path}//");
            assert_ne!(route(methods[0], &slashes), Ok(expect), "two slashes in {slashes} count");
        }
    }
}

#[test]
fn every_path_and_alias_of_generation_is_served() {
    let messages = ["/v1/messages", "/messages", "/anthropic", "/anthropic/v1/messages"];
    check(&["POST"], &messages, Generate(Anthropic), POST);
    let more =
        ["/anthropic/messages", "/openai/v1/messages", "/router/v1/messages", "/route/messages"];
    check(&["POST"], &more, Generate(Anthropic), POST);
    let chat = ["/v1/chat/completions", "/chat/completions", "/openai", "/openai/v1"];
    check(&["POST"], &chat, Generate(OpenaiChat), POST);
    let more =
        ["/openai/v1/chat/completions", "/openai/chat/completions", "/route/v1/chat/completions"];
    check(&["POST"], &more, Generate(OpenaiChat), POST);
    let responses = ["/v1/responses", "/responses", "/openai/v1/responses", "/openai/responses"];
    check(&["POST"], &responses, Generate(OpenaiResponses), POST);
    check(&["POST"], &["/v1", "/route", "/router", "/router/v1"], Unified, POST);
    let count = ["/v1/messages/count_tokens", "/anthropic/v1/messages/count_tokens"];
    check(&["POST"], &count, CountTokens, POST);
    check(&["POST"], &["/v1/embeddings", "/openai/embeddings"], Embeddings, POST);
    check(&["POST"], &["/v1/completions", "/openai/v1/completions"], Completions, POST);
}

#[test]
fn gemini_puts_the_model_and_the_verb_into_the_path() {
    for base in ["/v1beta", "/gemini/v1beta", "/v1", "/gemini/v1", ""] {
        let at = |verb: &str| format!("{base}/models/p/gemini-2.5-pro:{verb}");
        let model = PathText("p/gemini-2.5-pro");
        let generate = GenerateGemini { model, stream: false };
        check(&["POST"], &[&at("generateContent")], generate, POST);
        let stream = GenerateGemini { model, stream: true };
        check(&["POST"], &[&at("streamGenerateContent")], stream, POST);
        check(&["POST"], &[&at("countTokens")], CountTokensGemini { model }, POST);
    }
    let tagged = GenerateGemini { model: PathText("llama3:8b"), stream: false };
    check(&["POST"], &["/v1beta/models/llama3:8b:generateContent"], tagged, POST);
    check(&["POST"], &["/v1beta/models/llama3:8b%3AgenerateContent"], tagged, POST);
}

#[test]
fn model_lists_know_whose_shape_is_wanted() {
    let get = ["GET", "HEAD"];
    check(&get, &["/v1/models", "/models", "/router/v1/models"], Models { shape: None }, GET);
    let shape = Some(Anthropic);
    check(&get, &["/anthropic/v1/models", "/anthropic/models"], Models { shape }, GET);
    let shape = Some(OpenaiChat);
    check(&get, &["/openai/v1/models", "/openai/models"], Models { shape }, GET);
    let shape = Some(Gemini);
    check(
        &get,
        &["/v1beta/models", "/gemini/v1beta/models", "/gemini/models"],
        Models { shape },
        GET,
    );
    let id = PathText("openai/gpt-5:x%2Fy");
    check(&get, &["/v1/models/openai/gpt-5:x%2Fy"], Model { id, shape: None }, GET);
    let shape = Some(Anthropic);
    check(&get, &["/anthropic/models/openai/gpt-5:x%2Fy"], Model { id, shape }, GET);
}

#[test]
fn service_paths_answer_to_get_and_head() {
    let get = ["GET", "HEAD"];
    check(&get, &["/health", "/anthropic/health"], Health, GET);
    check(&get, &["/ready"], Ready, GET);
    check(&get, &["/api/hello", "/anthropic/api/hello"], Hello, GET);
    assert_eq!(route("GET", "/"), Ok(Describe));
    assert_eq!(route("HEAD", ""), Ok(Describe));
    assert_eq!(route("POST", "/?x=1"), Ok(Unified));
    let allow = "GET, HEAD, POST, OPTIONS";
    assert_eq!(route("PUT", "/"), Err(SurfaceError::MethodNotAllowed { allow }));
    assert_eq!(route("OPTIONS", "*"), Ok(Preflight));
    let id = PathText("resp_1/cancel");
    let all = ["GET", "HEAD", "POST", "DELETE"];
    let allow = "GET, HEAD, POST, DELETE, OPTIONS";
    check(&all, &["/v1/responses/resp_1/cancel"], StoredResponse { id }, allow);
}

#[test]
fn other_paths_are_not_found() {
    for path in [
        "/v2/messages",
        "/v1/message",
        "/v1/Messages",
        "//",
        "//v1/messages",
        "/v1//messages",
        "/anthropicx/v1/messages",
        "/v1/health",
        "/v1/chat",
        "/v1beta",
        "/gemini",
        "/v1/models//",
        "/v1/messages/count_tokens/x",
        "/openai/openai/v1/responses",
        "v1/messages",
        "*",
        "/%761/messages",
    ] {
        for method in ["GET", "POST", "PUT"] {
            assert_eq!(route(method, path), Err(SurfaceError::NotFound), "{method} {path}");
        }
    }
}

#[test]
fn the_path_tells_the_dialect_of_its_errors() {
    assert_eq!(dialect_hint("/v1/messages/nonsense"), Some(Anthropic));
    assert_eq!(dialect_hint("/anthropic/nonsense"), Some(Anthropic));
    assert_eq!(dialect_hint("/v1/chat"), Some(OpenaiChat));
    assert_eq!(dialect_hint("/v1/responses/x/y"), Some(OpenaiResponses));
    assert_eq!(dialect_hint("/v1beta/nonsense"), Some(Gemini));
    assert_eq!(dialect_hint("/v1/models/m:generateContent"), Some(Gemini));
    assert_eq!(dialect_hint("/v1/models/m:8b"), None);
    assert_eq!(dialect_hint("/nonsense"), None);
}

#[test]
fn ids_are_decoded_once() {
    for (written, expect) in [
        ("a%2Fb", "a/b"),
        ("a%252F", "a%2F"),
        ("100%", "100%"),
        ("%zz%4", "%zz%4"),
        ("%ff", "%ff"),
        ("%C3%A9", "é"),
    ] {
        assert_eq!(PathText(written).decode(), expect);
    }
}

proptest! {
    /// Any target is routed or refused, never a panic, and an operation tells its name.
    #[test]
    fn any_target_is_survived(method in "[A-Z]{0,7}", path in "\\PC{0,40}") {
        if let Ok(operation) = route(&method, &path) {
            prop_assert!(!operation.name().is_empty());
        }
        let _ = (dialect_hint(&path), PathText(&path).decode());
    }
}

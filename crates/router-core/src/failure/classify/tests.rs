use std::time::Duration;

use super::*;
use FailureClass::{
    Billing, ContentRefused, ContextTooLong, Forbidden, NotFound, Overloaded, RateLimited,
    Rejected, ServerError, TimedOut, Unauthorized, Unsupported,
};

/// Error answers as vendors send them: who, status, body, and what it comes down to.
#[rustfmt::skip]
const VENDORS: &[(&str, u16, &str, FailureClass)] = &[
    // OpenAI
    ("openai", 401, r#"{"error":{"message":"Incorrect API key provided: sk-abc. You can find your API key at https://platform.openai.com/account/api-keys.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#, Unauthorized),
    ("openai", 429, r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#, Billing),
    ("openai", 429, r#"{"error":{"message":"Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#, RateLimited),
    ("openai", 400, r#"{"error":{"message":"This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#, ContextTooLong),
    ("openai", 400, r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#, Unsupported),
    ("openai", 400, r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model.","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}"#, Unsupported),
    ("openai", 404, r#"{"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#, NotFound),
    ("openai", 400, r#"{"error":{"message":"Your request was rejected as a result of our safety system.","type":"image_generation_user_error","param":null,"code":"moderation_blocked"}}"#, ContentRefused),
    ("openai", 400, r#"{"error":{"message":"Invalid 'messages[0].role'.","type":"invalid_request_error","param":"messages[0].role","code":"invalid_value"}}"#, Rejected),
    ("openai", 500, r#"{"error":{"message":"The server had an error while processing your request. Sorry about that!","type":"server_error","param":null,"code":null}}"#, ServerError),
    ("openai", 503, r#"{"error":{"message":"The engine is currently overloaded, please try again later","type":"server_error","code":"engine_overloaded"}}"#, Overloaded),
    ("openai", 503, r#"{"error":{"message":"Slow down","type":"server_error","code":"slow_down"}}"#, Overloaded),
    ("openai", 403, r#"{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported","param":null,"type":"request_forbidden"}}"#, Forbidden),
    // Anthropic
    ("anthropic", 401, r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#, Unauthorized),
    ("anthropic", 400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."}}"#, Billing),
    ("anthropic", 402, r#"{"type":"error","error":{"type":"billing_error","message":"Payment required."}}"#, Billing),
    ("anthropic", 400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#, ContextTooLong),
    ("anthropic", 400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000"}}"#, ContextTooLong),
    ("anthropic", 400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"messages.0.content.0.text: text content blocks must be non-empty"}}"#, Rejected),
    ("anthropic", 400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"temperature: Extra inputs are not permitted"}}"#, Unsupported),
    ("anthropic", 400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}"#, ContentRefused),
    ("anthropic", 403, r#"{"type":"error","error":{"type":"permission_error","message":"Your API key does not have permission to use the specified resource."}}"#, Forbidden),
    ("anthropic", 404, r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}"#, NotFound),
    ("anthropic", 413, r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#, FailureClass::TooLarge),
    ("anthropic", 429, r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 40,000 input tokens per minute."}}"#, RateLimited),
    ("anthropic", 500, r#"{"type":"error","error":{"type":"api_error","message":"Internal server error"}}"#, ServerError),
    ("anthropic", 529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, Overloaded),
    ("anthropic", 504, r#"{"type":"error","error":{"type":"timeout_error","message":"Request timed out"}}"#, TimedOut),
    // Gemini
    ("gemini", 400, r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}"#, Unauthorized),
    ("gemini", 400, r#"[{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]"#, ContextTooLong),
    ("gemini", 429, r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details. Please retry in 34.5s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]}}"#, RateLimited),
    ("gemini", 403, r#"{"error":{"code":403,"message":"Permission denied on resource project x.","status":"PERMISSION_DENIED"}}"#, Forbidden),
    ("gemini", 404, r#"{"error":{"code":404,"message":"models/gemini-9 is not found for API version v1beta, or is not supported for generateContent.","status":"NOT_FOUND"}}"#, NotFound),
    ("gemini", 400, r#"{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"top_kk\": Cannot find field.","status":"INVALID_ARGUMENT"}}"#, Unsupported),
    ("gemini", 503, r#"{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}"#, Overloaded),
    ("gemini", 500, r#"{"error":{"code":500,"message":"An internal error has occurred.","status":"INTERNAL"}}"#, ServerError),
    ("gemini", 504, r#"{"error":{"code":504,"message":"The request timed out.","status":"DEADLINE_EXCEEDED"}}"#, TimedOut),
    // Azure
    ("azure", 401, r#"{"error":{"code":"401","message":"Access denied due to invalid subscription key or wrong API endpoint."}}"#, Unauthorized),
    ("azure", 404, r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#, NotFound),
    ("azure", 429, r#"{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 6 seconds."}}"#, RateLimited),
    ("azure", 400, r#"{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{}}}}"#, ContentRefused),
    ("azure", 400, r#"{"error":{"code":"OperationNotSupported","message":"The chatCompletion operation does not work with the specified model."}}"#, Unsupported),
    // OpenRouter
    ("openrouter", 401, r#"{"error":{"message":"No auth credentials found","code":401}}"#, Unauthorized),
    ("openrouter", 402, r#"{"error":{"message":"This request requires more credits, or fewer max_tokens.","code":402}}"#, Billing),
    ("openrouter", 403, r#"{"error":{"message":"Key limit exceeded (total limit).","code":403}}"#, Billing),
    ("openrouter", 403, r#"{"error":{"message":"Input was flagged for moderation","code":403,"metadata":{"reasons":["violence"],"flagged_input":"..."}}}"#, ContentRefused),
    ("openrouter", 404, r#"{"error":{"message":"No endpoints found that support tool use.","code":404}}"#, Unsupported),
    ("openrouter", 404, r#"{"error":{"message":"No endpoints found for foo/bar.","code":404}}"#, NotFound),
    ("openrouter", 400, r#"{"error":{"message":"foo is not a valid model ID","code":400}}"#, NotFound),
    ("openrouter", 429, r#"{"error":{"message":"Rate limit exceeded: free-models-per-min.","code":429,"metadata":{"headers":{"X-RateLimit-Reset":"1767225630000"}}}}"#, RateLimited),
    ("openrouter", 400, r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":{\"message\":\"This model's maximum context length is 8192 tokens.\"}}","provider_name":"Foo"}}}"#, ContextTooLong),
    ("openrouter", 502, r#"{"error":{"message":"Provider returned error","code":502}}"#, ServerError),
    ("openrouter", 200, r#"{"error":{"message":"Provider disconnected","code":502}}"#, ServerError),
    ("openrouter", 200, r#"{"id":"gen-1","error":{"message":"Rate limit exceeded","code":429}}"#, RateLimited),
    // Groq
    ("groq", 429, r#"{"error":{"message":"Rate limit reached for model `llama-3.3-70b` in organization `org` service tier `on_demand` on tokens per day (TPD): Limit 100000. Please try again in 7m12s.","type":"tokens","code":"rate_limit_exceeded"}}"#, RateLimited),
    ("groq", 413, r#"{"error":{"message":"Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce your message size and try again.","type":"tokens","code":"rate_limit_exceeded"}}"#, FailureClass::TooLarge),
    ("groq", 400, r#"{"error":{"message":"The model `x` has been decommissioned and is no longer supported.","type":"invalid_request_error","code":"model_decommissioned"}}"#, NotFound),
    ("groq", 400, r#"{"error":{"message":"Failed to call a function. Please adjust your prompt.","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"..."}}"#, ServerError),
    ("groq", 400, r#"{"error":{"message":"Please reduce the length of the messages or completion.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#, ContextTooLong),
    ("groq", 498, r#"{"error":{"message":"Flex tier capacity exceeded.","type":"server_error","code":"capacity_exceeded"}}"#, Overloaded),
    // Mistral
    ("mistral", 401, r#"{"message":"Unauthorized","request_id":"x"}"#, Unauthorized),
    ("mistral", 422, r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","foo"],"msg":"Extra inputs are not permitted","input":1}]},"type":"invalid_request_error","param":null,"code":null}"#, Unsupported),
    ("mistral", 422, r#"{"detail":[{"type":"missing","loc":["body","messages"],"msg":"Field required"}]}"#, Rejected),
    ("mistral", 429, r#"{"object":"error","message":"Service tier capacity exceeded for this model.","type":"service_tier_capacity_exceeded","param":null,"code":"3505"}"#, RateLimited),
    ("mistral", 400, r#"{"object":"error","message":"Invalid model: mistral-huge","type":"invalid_model","param":null,"code":"1500"}"#, NotFound),
    ("mistral", 400, r#"{"object":"error","message":"Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length","type":"invalid_request_error","code":"3051"}"#, ContextTooLong),
    // DeepSeek
    ("deepseek", 402, r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#, Billing),
    ("deepseek", 401, r#"{"error":{"message":"Authentication Fails (no such user)","type":"authentication_error","param":null,"code":"invalid_request_error"}}"#, Unauthorized),
    ("deepseek", 400, r#"{"error":{"message":"Content Exists Risk","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#, ContentRefused),
    ("deepseek", 400, r#"{"error":{"message":"This model's maximum context length is 65536 tokens. However, you requested 70000 tokens.","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#, ContextTooLong),
    ("deepseek", 422, r#"{"error":{"message":"Failed to deserialize the JSON body into the target type: missing field `messages`","type":"invalid_request_error","code":"invalid_request_error"}}"#, Rejected),
    ("deepseek", 503, r#"{"error":{"message":"Service is too busy","type":"service_unavailable_error"}}"#, Overloaded),
    // vLLM
    ("vllm", 400, r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens in the messages, Please reduce the length of the messages.","type":"BadRequestError","param":null,"code":400}"#, ContextTooLong),
    ("vllm", 404, r#"{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","param":null,"code":404}"#, NotFound),
    ("vllm", 400, r#"{"object":"error","message":"\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set","type":"BadRequestError","param":null,"code":400}"#, Unsupported),
    ("vllm", 400, r#"{"object":"error","message":"x is not a multimodal model","type":"BadRequestError","param":null,"code":400}"#, Unsupported),
    ("vllm", 401, r#"{"error":"Unauthorized"}"#, Unauthorized),
    ("vllm", 500, "Internal Server Error", ServerError),
    // Ollama
    ("ollama", 404, r#"{"error":"model 'llama9' not found, try pulling it first"}"#, NotFound),
    ("ollama", 404, r#"{"error":{"message":"model \"llama9\" not found, try pulling it first","type":"api_error","param":null,"code":null}}"#, NotFound),
    ("ollama", 400, r#"{"error":"registry.ollama.ai/library/gemma:2b does not support tools"}"#, Unsupported),
    ("ollama", 500, r#"{"error":"llama runner process has terminated: exit status 2"}"#, ServerError),
    ("ollama", 503, r#"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#, Overloaded),
    // LiteLLM
    ("litellm", 401, r#"{"error":{"message":"Authentication Error, Invalid proxy server token passed.","type":"auth_error","param":"None","code":"401"}}"#, Unauthorized),
    ("litellm", 429, r#"{"error":{"message":"Budget has been exceeded! Current cost: 10.5, Max budget: 10.0","type":"budget_exceeded","param":null,"code":"400"}}"#, Billing),
    ("litellm", 400, r#"{"error":{"message":"litellm.ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: OpenAIException - This model's maximum context length is 4097 tokens.","type":null,"param":null,"code":"400"}}"#, ContextTooLong),
    ("litellm", 400, r#"{"error":{"message":"litellm.UnsupportedParamsError: openai does not support parameters: {'top_k': 3}","type":"None","param":null,"code":"400"}}"#, Unsupported),
    ("litellm", 400, r#"{"error":{"message":"litellm.ContentPolicyViolationError: Your request violates the content policy","type":null,"code":"400"}}"#, ContentRefused),
    ("litellm", 429, r#"{"error":{"message":"No deployments available for selected model, Try again in 60 seconds.","type":"None","param":"None","code":"429"}}"#, RateLimited),
    // llama.cpp and proxies in front
    ("llama.cpp", 400, r#"{"error":{"code":400,"message":"the request exceeds the available context size. try increasing the context size or enable context shift","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}}"#, ContextTooLong),
    ("llama.cpp", 503, r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#, Overloaded),
    ("nginx", 502, "<html><head><title>502 Bad Gateway</title></head><body></body></html>", ServerError),
    ("cloudflare", 524, "<!DOCTYPE html><title>A timeout occurred</title>", TimedOut),
    ("nginx", 413, "<html><head><title>413 Request Entity Too Large</title></head></html>", FailureClass::TooLarge),
    // Statuses alone
    ("nobody", 400, "", Rejected),
    ("nobody", 401, "", Unauthorized),
    ("nobody", 402, "", Billing),
    ("nobody", 403, "", Forbidden),
    ("nobody", 404, "", NotFound),
    ("nobody", 408, "", TimedOut),
    ("nobody", 409, "", ServerError),
    ("nobody", 410, "", NotFound),
    ("nobody", 418, "", Rejected),
    ("nobody", 422, "", Rejected),
    ("nobody", 425, "", ServerError),
    ("nobody", 429, "", RateLimited),
    ("nobody", 451, "", ContentRefused),
    ("nobody", 307, "", FailureClass::Misconfigured),
    ("nobody", 304, "", FailureClass::Misconfigured),
];

fn answer(status: u16, body: &str) -> Option<Failure> {
    classify(&Answer { status, headers: &|_| None, body: body.as_bytes() }, UnixMs(0))
}

#[test]
fn d12_bodies_of_real_vendors_are_understood() {
    let mut wrong = Vec::new();
    for (vendor, status, body, expect) in VENDORS {
        let found = answer(*status, body).map(|failure| failure.class);
        if found != Some(*expect) {
            wrong.push(format!("{vendor} {status} {body}\n  is {found:?}, not {expect:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn d15_a_message_is_always_text_and_keeps_the_vendors_words() {
    for (body, expect) in [
        (r#"{"error":{"message":"no","code":5}}"#, "no"),
        (r#"{"error":{"message":{"a":1}}}"#, r#"{"a":1}"#),
        (r#"{"message":7}"#, "7"),
        ("plain words", "plain words"),
        ("<html><title> Bad thing </title>", "Bad thing"),
        (r#"{"detail":[{"msg":"Field required"},{"msg":"Too long"}]}"#, "Field required; Too long"),
        (r#"[{"error":{"message":"listed"}}]"#, "listed"),
        ("", "the upstream answered with status 400 and no message"),
        ("\u{feff}{\"error\":\"with a mark\"}", "with a mark"),
    ] {
        assert_eq!(answer(400, body).unwrap().message, expect, "{body}");
    }
    let long = format!("{{\"error\":{{\"message\":\"{}\"}}}}", "é".repeat(60_000));
    assert!(answer(400, &long).unwrap().message.chars().count() <= 2_000);
}

#[test]
fn d16_an_error_behind_a_200_is_an_error() {
    for (body, expect) in [
        (r#"{"error":{"message":"x","type":"invalid_request_error"}}"#, Some(Rejected)),
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Some(Overloaded),
        ),
        (r#"{"type":"error","error":{"type":"api_error","message":"x"}}"#, Some(ServerError)),
        (
            r#"{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}"#,
            Some(RateLimited),
        ),
        (
            r#"{"object":"response","status":"failed","error":{"code":"rate_limit_exceeded","message":"x"}}"#,
            Some(RateLimited),
        ),
        (r#"{"object":"response","status":"completed","error":null}"#, None),
        (r#"{"id":"1","object":"chat.completion","choices":[]}"#, None),
        (r#"{"type":"message","content":[{"type":"text","text":"error: no"}]}"#, None),
        (r#"{"error":null,"choices":[]}"#, None),
        ("not json", None),
    ] {
        assert_eq!(answer(200, body).map(|failure| failure.class), expect, "{body}");
    }
}

#[test]
fn error_events_inside_streams_are_classified() {
    for (event, expect) in [
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Overloaded,
        ),
        (r#"{"error":{"message":"Provider returned error","code":502}}"#, ServerError),
        (
            r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"context_length_exceeded","message":"too long"}}}"#,
            ContextTooLong,
        ),
        (r#"{"type":"error","code":"insufficient_quota","message":"no money"}"#, Billing),
        (r#"{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}"#, RateLimited),
        ("garbage", ServerError),
    ] {
        assert_eq!(classify_stream_error(event.as_bytes()).class, expect, "{event}");
    }
}

#[test]
fn what_the_upstream_asks_for_bounds_its_cooldown() {
    let policy = crate::catalog::CooldownPolicy::default();
    let headers = |name: &str| (name == "retry-after").then_some("12");
    let answer = Answer { status: 429, headers: &headers, body: b"" };
    let failure = classify(&answer, UnixMs(0)).unwrap();
    assert_eq!(failure.retry_after, Some(Duration::from_secs(12)));
    let cooldown = failure.class.treatment().cooldown(&policy, failure.retry_after);
    assert_eq!(cooldown, Some((crate::cooldown::Scope::Lane, Duration::from_secs(12))));
    let week = Some(Duration::from_hours(168));
    let cooldown = failure.class.treatment().cooldown(&policy, week);
    assert_eq!(cooldown, Some((crate::cooldown::Scope::Lane, Duration::from_hours(24))));
    assert_eq!(ServerError.treatment().cooldown(&policy, None), None);
    assert!(ServerError.treatment().cooldown(&policy, week).is_some());
}

#[test]
fn faults_of_requests_never_cool_anything_down() {
    let policy = crate::catalog::CooldownPolicy::default();
    let asked = Some(Duration::from_mins(1));
    for class in [Rejected, ContentRefused, ContextTooLong, Unsupported, FailureClass::TooLarge] {
        let treatment = class.treatment();
        assert_eq!((treatment.cooldown(&policy, asked), treatment.circuit), (None, None));
    }
}

proptest::proptest! {
    /// Whatever an upstream sends is classified, within bounds, and never panics.
    #[test]
    fn anything_is_classified(
        status: u16,
        body in "\\PC{0,200}",
        header in "[0-9a-zA-Z.:+ -]{0,24}",
        pick in 0_usize..4,
    ) {
        let bodies = [body.clone(), format!("{{\"error\":{{\"message\":{body:?}}}}}"), format!("{{\"error\":{body:?}}}")];
        let names = ["retry-after", "retry-after-ms", "x-ratelimit-reset", "anthropic-ratelimit-tokens-reset"];
        let headers = |name: &str| (name == names[pick]).then_some(header.as_str());
        for body in &bodies {
            let answer = Answer { status, headers: &headers, body: body.as_bytes() };
            if let Some(failure) = classify(&answer, UnixMs(1_700_000_000_000)) {
                proptest::prop_assert!((400..600).contains(&failure.client_status()));
                let cooldown = failure.class.treatment()
                    .cooldown(&crate::catalog::CooldownPolicy::default(), failure.retry_after);
                proptest::prop_assert!(cooldown.is_none_or(|(_, length)| length <= Duration::from_hours(24)));
            } else {
                proptest::prop_assert!((200..300).contains(&status));
            }
        }
    }
}

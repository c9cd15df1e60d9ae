//! The scenarios: settings of the config, and what clients ask under each.

use router_demo::{At, Fault, Script};
use serde_json::{Value, json};

use crate::common::{ALL, Speaks};

/// What a client sends.
pub(super) struct Ask {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) has_key: bool,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    pub(super) body: Option<Value>,
    /// Instead of `body`.
    pub(super) raw: Option<&'static str>,
}

impl Ask {
    pub(super) fn post(path: &str, body: Value) -> Self {
        Self { method: "POST", body: Some(body), ..Self::get(path) }
    }

    fn get(path: &str) -> Self {
        let (path, headers) = (path.to_owned(), Vec::new());
        Self { method: "GET", path, has_key: true, headers, body: None, raw: None }
    }

    fn of(speaks: Speaks, model: &str, is_stream: bool) -> Self {
        Self::post(&speaks.path(model, is_stream), speaks.request(model, is_stream))
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn without_key(self) -> Self {
        Self { has_key: false, ..self }
    }
}

/// What clients ask, and what goes wrong at provider `a` meanwhile.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) faults: Vec<(&'static str, Script)>,
    pub(super) asks: Vec<Ask>,
}

/// A setting's name, what it changes in the config, and its scenarios.
type Setting = (&'static str, fn(&mut Value), Vec<Scenario>);

/// Every setting with its scenarios.
pub(super) fn all() -> Vec<Setting> {
    let mut usual = own_answers();
    usual.extend(bad_requests());
    usual.extend(dialects());
    usual.extend(fall_over());
    usual.extend(broken_streams());
    vec![
        ("As usual", |_| {}, usual),
        ("Pings", pings, held()),
        ("A full bucket", full, full_bucket()),
        (
            "A client from elsewhere",
            |config| config["server"]["allowedIps"] = json!(["10.0.0.0/8"]),
            elsewhere(),
        ),
        (
            "Web pages",
            |config| config["server"]["cors"] = json!({"allowedOrigins": ["https://a.example"]}),
            pages(),
        ),
        ("No providers", |config| config["providers"] = json!([]), empty()),
    ]
}

fn scenario(name: &'static str, asks: Vec<Ask>) -> Scenario {
    Scenario { name, faults: Vec::new(), asks }
}

fn failing(name: &'static str, fault: Fault, asks: Vec<Ask>) -> Scenario {
    Scenario { name, faults: vec![("m", Script::always(fault))], asks }
}

/// The same request in every dialect.
fn each(model: &str, is_stream: bool) -> Vec<Ask> {
    ALL.map(|speaks| Ask::of(speaks, model, is_stream)).into()
}

fn own_answers() -> Vec<Scenario> {
    vec![
        scenario("health, without a key", vec![Ask::get("/health").without_key()]),
        scenario("ready", vec![Ask::get("/ready").without_key()]),
        scenario("what is served", vec![Ask::get("/"), Ask::get("/v1")]),
        scenario(
            "lists of models in every shape",
            vec![
                Ask::get("/v1/models"),
                Ask::get("/v1/models").with("anthropic-version", "2023-06-01"),
                Ask::get("/v1beta/models"),
                Ask::get("/v1/models/pair"),
                Ask::get("/v1/models/a%2Fm"),
                Ask::get("/v1/models/nobody"),
            ],
        ),
        scenario(
            "no key, a wrong key, and every place for the right one",
            vec![
                Ask::get("/v1/models").without_key(),
                Ask::get("/v1/models").without_key().with("authorization", "Bearer wrong"),
                Ask::get("/v1/models")
                    .without_key()
                    .with("authorization", "Bearer gw-parity-key-6fJ2mQ9x"),
                Ask::get("/v1beta/models?key=gw-parity-key-6fJ2mQ9x").without_key(),
            ],
        ),
        scenario(
            "no such endpoint, and a method it does not take",
            vec![Ask::get("/nowhere"), Ask::get("/v1/messages"), Ask::get("/v1/responses/resp_1")],
        ),
    ]
}

fn bad_requests() -> Vec<Scenario> {
    let raw = |text| Ask { raw: Some(text), ..Ask::post("/v1/chat/completions", Value::Null) };
    vec![
        scenario("bodies that are no request", vec![raw("{"), raw("[]"), raw("{\"model\":7}")]),
        scenario(
            "bodies that are not declared as JSON",
            vec![
                raw("{}").with("content-type", "text/plain"),
                raw("{}").with("content-encoding", "gzip"),
            ],
        ),
        scenario("a model nobody has", each("nobody/nothing", false)),
    ]
}

fn dialects() -> Vec<Scenario> {
    let text = json!([{"role": "user", "content": "hello world"}]);
    vec![
        scenario("whole answers in their own dialect", each("a/m", false)),
        scenario("streams in their own dialect", each("a/m", true)),
        scenario("whole answers of a Chat upstream", each("chat/m", false)),
        scenario("streams of a Chat upstream", each("chat/m", true)),
        scenario("whole answers of a Responses upstream", each("responses/m", false)),
        scenario("streams of a Responses upstream", each("responses/m", true)),
        scenario("whole answers of a Messages upstream", each("messages/m", false)),
        scenario("streams of a Messages upstream", each("messages/m", true)),
        scenario("whole answers of a Gemini upstream", each("gemini/m", false)),
        scenario("streams of a Gemini upstream", each("gemini/m", true)),
        scenario(
            "a Gemini stream as one array",
            vec![Ask::post(
                "/v1beta/models/a%2Fm:streamGenerateContent",
                Speaks::Gemini.request("", true),
            )],
        ),
        scenario(
            "the default model",
            vec![Ask::post("/v1/chat/completions", json!({"messages": text}))],
        ),
        scenario(
            "headers that pass",
            vec![
                Ask::of(Speaks::Messages, "a/m", false)
                    .with("anthropic-version", "2023-06-01")
                    .with("anthropic-beta", "one,two")
                    .with("user-agent", "a client/1")
                    .with("x-secret", "stays here"),
            ],
        ),
        scenario(
            "embeddings and token counts",
            vec![
                Ask::post("/v1/embeddings", json!({"model": "a/m", "input": "hello"})),
                Ask::post("/v1/messages/count_tokens", json!({"model": "a/m", "messages": text})),
            ],
        ),
    ]
}

fn fall_over() -> Vec<Scenario> {
    let both =
        || vec![Ask::of(Speaks::Chat, "pair", false), Ask::of(Speaks::Messages, "tiers", true)];
    vec![
        failing("429 goes to the next", Fault::rate_limit(1), both()),
        failing("500 goes to the next", Fault::status(500), both()),
        failing("503 goes to the next", Fault::status(503), both()),
        failing("401 goes to the next", Fault::status(401), both()),
        failing("silence goes to the next", Fault::BlackHole, both()),
        failing("a closed connection goes to the next", Fault::CloseBeforeHead, both()),
        failing("a page of HTML goes to the next", Fault::HtmlAsSuccess, both()),
        failing("an error that says 200 goes to the next", Fault::ErrorAsSuccess, both()),
        failing("an empty answer goes to the next", Fault::EmptyBody, both()),
        failing(
            "a redirect goes to the next",
            Fault::Redirect("http://127.0.0.1:9/".into()),
            both(),
        ),
        failing(
            "a stream cut before output goes to the next",
            Fault::Cut(At::BeforeOutput),
            each("pair", true),
        ),
        failing(
            "a stream that stalls before output goes to the next",
            Fault::Stall(At::BeforeOutput),
            each("pair", true),
        ),
        failing(
            "an error event before output goes to the next",
            Fault::ErrorEvent(At::BeforeOutput),
            each("pair", true),
        ),
        failing("400 goes nowhere else", Fault::status(400), each("pair", false)),
        failing("nobody is left", Fault::status(503), each("a/m", false)),
        failing("nobody is left for a stream", Fault::status(529), each("a/m", true)),
        failing(
            "the first time only",
            Fault::status(500),
            vec![Ask::of(Speaks::Chat, "pair", false), Ask::of(Speaks::Chat, "b/m", false)],
        ),
    ]
}

fn broken_streams() -> Vec<Scenario> {
    vec![
        failing("a stream cut after output", Fault::Cut(At::AfterOutput), each("a/m", true)),
        failing(
            "a stream that stalls after output",
            Fault::Stall(At::AfterOutput),
            each("a/m", true),
        ),
        failing(
            "an error event after output",
            Fault::ErrorEvent(At::AfterOutput),
            each("a/m", true),
        ),
        failing("bad JSON after output", Fault::BadJson(At::AfterOutput), each("a/m", true)),
        failing("a stream without its end", Fault::NoTerminal, each("a/m", true)),
        failing("a stream in odd pieces", Fault::Split(7), each("a/m", true)),
        failing("a translated stream in odd pieces", Fault::Split(7), each("messages/m", true)),
        failing(
            "a translated stream cut after output",
            Fault::Cut(At::AfterOutput),
            each("chat/m", true),
        ),
        failing("a large event", Fault::Oversize(200_000), each("a/m", true)),
    ]
}

fn pings(config: &mut Value) {
    config["routing"]["stream"] = json!({"keepAliveMs": 150});
    config["routing"]["timeouts"] = json!({"firstByteMs": 400, "idleMs": 400});
}

fn held() -> Vec<Scenario> {
    vec![failing(
        "a client that waits is told of a failure by one event",
        Fault::BlackHole,
        each("a/m", true),
    )]
}

fn full(config: &mut Value) {
    config["providers"][0]["rateLimits"] =
        json!([{"id": "day", "models": "all", "requests": 2, "window": {"unit": "month"}}]);
}

fn full_bucket() -> Vec<Scenario> {
    let ask = |model| Ask::of(Speaks::Chat, model, false);
    vec![scenario(
        "two pass, the others fall over or are told when to come back",
        vec![ask("a/m"), ask("pair"), ask("pair"), ask("b/m")],
    )]
}

fn elsewhere() -> Vec<Scenario> {
    vec![scenario(
        "nobody is let in",
        vec![Ask::get("/health"), Ask::of(Speaks::Chat, "a/m", false)],
    )]
}

fn pages() -> Vec<Scenario> {
    let preflight = |origin| {
        let ask = Ask { method: "OPTIONS", ..Ask::get("/v1/chat/completions") };
        ask.with("origin", origin).with("access-control-request-method", "POST")
    };
    vec![
        scenario(
            "preflight of a page that may, and of one that may not",
            vec![preflight("https://a.example"), preflight("https://b.example")],
        ),
        scenario(
            "answers to pages",
            vec![
                Ask::of(Speaks::Chat, "a/m", false).with("origin", "https://a.example"),
                Ask::of(Speaks::Chat, "a/m", true).with("origin", "https://a.example"),
                Ask::of(Speaks::Chat, "a/m", false).with("origin", "https://b.example"),
            ],
        ),
    ]
}

fn empty() -> Vec<Scenario> {
    vec![scenario("not ready, and no model", vec![Ask::get("/ready"), Ask::get("/v1/models")])]
}

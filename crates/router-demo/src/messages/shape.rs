//! The request of `POST /v1/messages` as data.

use crate::shape::{COUNT, Kind, Member, STR, Variant, beta, may, need};

const MANY: usize = usize::MAX;

const CACHE: Member = may("cache_control", Kind::Maybe(&CACHE_CONTROL));
const CACHE_CONTROL: Kind = Kind::Tag(
    "type",
    &[("ephemeral", &[may("ttl", Kind::Word(&["5m", "1h"])), beta("scope", STR)])],
);

const IMAGE_TYPE: Kind = Kind::Word(&["image/jpeg", "image/png", "image/gif", "image/webp"]);

const IMAGE: Variant = (
    "image",
    &[
        need(
            "source",
            Kind::Tag(
                "type",
                &[
                    ("base64", &[need("data", STR), need("media_type", IMAGE_TYPE)]),
                    ("url", &[need("url", STR)]),
                    ("file", &[need("file_id", STR)]),
                ],
            ),
        ),
        CACHE,
    ],
);

const CITATIONS: Member = may("citations", Kind::Maybe(&Kind::Obj(&[may("enabled", Kind::Bool)])));

const DOCUMENT: Variant = (
    "document",
    &[
        need(
            "source",
            Kind::Tag(
                "type",
                &[
                    (
                        "base64",
                        &[need("data", STR), need("media_type", Kind::Word(&["application/pdf"]))],
                    ),
                    ("text", &[need("data", STR), need("media_type", Kind::Word(&["text/plain"]))]),
                    ("url", &[need("url", STR)]),
                    ("file", &[need("file_id", STR)]),
                    (
                        "content",
                        &[need("content", Kind::Either(&[STR, Kind::List(0, MANY, &Kind::Open)]))],
                    ),
                ],
            ),
        ),
        may("title", Kind::Maybe(&STR)),
        may("context", Kind::Maybe(&STR)),
        CITATIONS,
        CACHE,
    ],
);

const TEXT: Variant = (
    "text",
    &[need("text", STR), may("citations", Kind::Maybe(&Kind::List(0, MANY, &Kind::Open))), CACHE],
);

const SEARCH: Variant = (
    "search_result",
    &[
        need("source", STR),
        need("title", STR),
        need("content", Kind::List(1, MANY, &Kind::Tag("type", &[TEXT]))),
        CITATIONS,
        CACHE,
    ],
);

const RESULT_BLOCK: Kind = Kind::Tag(
    "type",
    &[
        TEXT,
        IMAGE,
        DOCUMENT,
        SEARCH,
        ("tool_reference", &[need("tool_name", STR), CACHE]),
        ("browser_state", &[may("state", Kind::Any), CACHE]),
    ],
);

const ID: Kind = Kind::Name(128);
const CALLER: Member = may("caller", Kind::Maybe(&Kind::Open));

/// A block the server wrote itself and gets back as it was.
const SERVER_RESULT: &[Member] =
    &[need("tool_use_id", STR), need("content", Kind::Any), CALLER, CACHE];

const BLOCK: Kind = Kind::Tag(
    "type",
    &[
        TEXT,
        IMAGE,
        DOCUMENT,
        SEARCH,
        ("thinking", &[need("thinking", STR), need("signature", STR)]),
        ("redacted_thinking", &[need("data", STR)]),
        (
            "tool_use",
            &[
                need("id", ID),
                need("name", Kind::Str(1, 200)),
                need("input", Kind::Open),
                CALLER,
                may("toolset_name", Kind::Maybe(&STR)),
                CACHE,
            ],
        ),
        (
            "tool_result",
            &[
                need("tool_use_id", ID),
                may("content", Kind::Either(&[STR, Kind::List(0, MANY, &RESULT_BLOCK)])),
                may("is_error", Kind::Bool),
                may("toolset_name", Kind::Maybe(&STR)),
                CACHE,
            ],
        ),
        (
            "server_tool_use",
            &[need("id", ID), need("name", STR), need("input", Kind::Open), CALLER, CACHE],
        ),
        ("web_search_tool_result", SERVER_RESULT),
        ("web_fetch_tool_result", SERVER_RESULT),
        ("code_execution_tool_result", SERVER_RESULT),
        ("bash_code_execution_tool_result", SERVER_RESULT),
        ("text_editor_code_execution_tool_result", SERVER_RESULT),
        ("tool_search_tool_result", SERVER_RESULT),
        ("container_upload", &[need("file_id", STR), CACHE]),
        // Members that exist only for beta callers.
        (
            "mcp_tool_use",
            &[
                beta("id", STR),
                beta("name", STR),
                beta("server_name", STR),
                beta("input", Kind::Open),
                CACHE,
            ],
        ),
        (
            "mcp_tool_result",
            &[
                beta("tool_use_id", STR),
                beta("content", Kind::Any),
                beta("is_error", Kind::Bool),
                CACHE,
            ],
        ),
        ("compaction", &[beta("content", Kind::Any), CACHE]),
        ("tool_addition", &[beta("tools", Kind::Any), beta("tool", Kind::Any), CACHE]),
        ("tool_removal", &[beta("tools", Kind::Any), beta("tool", Kind::Any), CACHE]),
    ],
);

const CONTENT: Kind = Kind::Either(&[STR, Kind::List(0, MANY, &BLOCK)]);
const TEXTS: Kind = Kind::Either(&[
    STR,
    Kind::List(
        0,
        MANY,
        &Kind::Tag(
            "type",
            &[
                TEXT,
                ("tool_addition", &[beta("tools", Kind::Any), beta("tool", Kind::Any), CACHE]),
                ("tool_removal", &[beta("tools", Kind::Any), beta("tool", Kind::Any), CACHE]),
            ],
        ),
    ),
]);

const MESSAGE: Kind = Kind::Tag(
    "role",
    &[
        ("user", &[need("content", CONTENT)]),
        ("assistant", &[need("content", CONTENT)]),
        ("system", &[need("content", TEXTS)]),
    ],
);

/// Members every tool may have.
const DEFER: Member = may("defer_loading", Kind::Bool);
const CALLERS: Member = may("allowed_callers", Kind::List(0, MANY, &STR));

const CUSTOM: &[Member] = &[
    need("name", Kind::Name(128)),
    may("description", STR),
    need("input_schema", Kind::Open),
    may("strict", Kind::Maybe(&Kind::Bool)),
    may("input_examples", Kind::List(0, MANY, &Kind::Open)),
    may("eager_input_streaming", Kind::Maybe(&Kind::Bool)),
    DEFER,
    CALLERS,
    CACHE,
];

const HOSTED: &[Member] = &[
    may("name", STR),
    may("max_uses", Kind::Maybe(&COUNT)),
    may("allowed_domains", Kind::Maybe(&Kind::List(0, MANY, &STR))),
    may("blocked_domains", Kind::Maybe(&Kind::List(0, MANY, &STR))),
    may("user_location", Kind::Maybe(&Kind::Open)),
    may("citations", Kind::Maybe(&Kind::Open)),
    may("max_content_tokens", Kind::Maybe(&COUNT)),
    may("max_characters", Kind::Maybe(&COUNT)),
    may("strict", Kind::Maybe(&Kind::Bool)),
    may("display_width_px", COUNT),
    may("display_height_px", COUNT),
    may("mcp_server_name", STR),
    may("configs", Kind::Open),
    may("default_config", Kind::Open),
    may("model", STR),
    DEFER,
    CALLERS,
    CACHE,
];

const TOOL: Kind = Kind::TagOr(
    "type",
    "custom",
    &[
        ("custom", CUSTOM),
        ("bash_20250124", HOSTED),
        ("code_execution_20250522", HOSTED),
        ("code_execution_20250825", HOSTED),
        ("code_execution_20260120", HOSTED),
        ("code_execution_20260521", HOSTED),
        ("browser_toolset_20260801", HOSTED),
        ("computer_toolset_20260801", HOSTED),
        ("computer_20250124", HOSTED),
        ("memory_20250818", HOSTED),
        ("text_editor_20250124", HOSTED),
        ("text_editor_20250429", HOSTED),
        ("text_editor_20250728", HOSTED),
        ("web_search_20250305", HOSTED),
        ("web_search_20260209", HOSTED),
        ("web_search_20260318", HOSTED),
        ("web_fetch_20250910", HOSTED),
        ("web_fetch_20260209", HOSTED),
        ("web_fetch_20260309", HOSTED),
        ("web_fetch_20260318", HOSTED),
        ("tool_search_tool_bm25", HOSTED),
        ("tool_search_tool_bm25_20251119", HOSTED),
        ("tool_search_tool_regex", HOSTED),
        ("tool_search_tool_regex_20251119", HOSTED),
        ("advisor_20260301", HOSTED),
        ("mcp_toolset", HOSTED),
    ],
);

const SERIAL: Member = may("disable_parallel_tool_use", Kind::Bool);
const CHOICE: Kind = Kind::Tag(
    "type",
    &[
        ("auto", &[SERIAL]),
        ("any", &[SERIAL]),
        ("tool", &[need("name", STR), SERIAL]),
        ("none", &[]),
    ],
);

const DISPLAY: Member =
    may("display", Kind::Maybe(&Kind::Word(&["summarized", "omitted", "updates"])));
const THINKING: Kind = Kind::Tag(
    "type",
    &[
        ("enabled", &[need("budget_tokens", Kind::Int(1024, i64::MAX)), DISPLAY]),
        ("adaptive", &[DISPLAY]),
        ("disabled", &[]),
        ("between_tools", &[DISPLAY]),
    ],
);

const OUTPUT: Kind = Kind::Obj(&[
    may("effort", Kind::Maybe(&Kind::Word(&["low", "medium", "high", "xhigh", "max"]))),
    may(
        "format",
        Kind::Maybe(&Kind::Tag("type", &[("json_schema", &[need("schema", Kind::Open)])])),
    ),
    beta("task_budget", Kind::Open),
]);

const SYSTEM: Kind = Kind::Either(&[STR, Kind::List(0, MANY, &Kind::Tag("type", &[TEXT]))]);

/// What creating a message and counting its tokens have in common.
macro_rules! shared {
    ($($more:expr),* $(,)?) => {
        &[
            need("model", Kind::Str(1, 256)),
            need("messages", Kind::List(0, 100_000, &MESSAGE)),
            may("system", SYSTEM),
            may("tools", Kind::List(0, MANY, &TOOL)),
            may("tool_choice", CHOICE),
            may("thinking", THINKING),
            may("output_config", OUTPUT),
            may("cache_control", Kind::Maybe(&CACHE_CONTROL)),
            beta("context_management", Kind::Maybe(&Kind::Open)),
            beta("mcp_servers", Kind::List(0, MANY, &Kind::Open)),
            may("speed", Kind::Maybe(&Kind::Word(&["standard", "fast"]))),
            $($more),*
        ]
    };
}

/// The body of `POST /v1/messages`.
pub(super) static REQUEST: Kind = Kind::Obj(shared![
    need("max_tokens", COUNT),
    may("metadata", Kind::Obj(&[may("user_id", Kind::Maybe(&Kind::Str(0, 512)))])),
    may("stop_sequences", Kind::List(0, MANY, &STR)),
    may("stream", Kind::Bool),
    may("temperature", Kind::Num(0.0, 1.0)),
    may("top_p", Kind::Num(0.0, 1.0)),
    may("top_k", COUNT),
    may("service_tier", Kind::Word(&["auto", "standard_only"])),
    may("inference_geo", Kind::Maybe(&STR)),
    may("container", Kind::Maybe(&Kind::Either(&[STR, Kind::Open]))),
    may("diagnostics", Kind::Maybe(&Kind::Open)),
    beta("compaction", Kind::Maybe(&Kind::Open)),
    beta("thread", Kind::Maybe(&Kind::Open)),
    beta("fallbacks", Kind::Any),
    beta("fallback_credit_token", Kind::Maybe(&STR)),
    beta("billing_policy", Kind::Any),
]);

/// The body of `POST /v1/messages/count_tokens`.
pub(super) static COUNT_REQUEST: Kind = Kind::Obj(shared![]);

//! The request of `POST /v1/responses` as data.

use crate::openai::EFFORTS;
use crate::shape::{COUNT, Kind, Member, STR, Variant, may, need};

const MANY: usize = usize::MAX;
const MAYBE_STR: Kind = Kind::Maybe(&STR);
const BREAKPOINT: Member = may("prompt_cache_breakpoint", Kind::Maybe(&Kind::Open));
const STATUS: Member =
    may("status", Kind::Maybe(&Kind::Word(&["in_progress", "completed", "incomplete"])));
const ID: Member = may("id", MAYBE_STR);

const PART: Kind = Kind::Tag(
    "type",
    &[
        ("input_text", &[need("text", STR), BREAKPOINT]),
        (
            "input_image",
            &[
                may("image_url", MAYBE_STR),
                may("file_id", MAYBE_STR),
                may("detail", Kind::Maybe(&Kind::Word(&["auto", "low", "high", "original"]))),
                BREAKPOINT,
            ],
        ),
        (
            "input_file",
            &[
                may("file_data", MAYBE_STR),
                may("file_id", MAYBE_STR),
                may("file_url", MAYBE_STR),
                may("filename", MAYBE_STR),
                BREAKPOINT,
            ],
        ),
        (
            "output_text",
            &[
                need("text", STR),
                may("annotations", Kind::Maybe(&Kind::List(0, MANY, &Kind::Open))),
                may("logprobs", Kind::Maybe(&Kind::List(0, MANY, &Kind::Open))),
            ],
        ),
        ("refusal", &[need("refusal", STR)]),
    ],
);

const CONTENT: Kind = Kind::Either(&[STR, Kind::List(0, MANY, &PART)]);

const SUMMARY: Kind =
    Kind::List(0, MANY, &Kind::Tag("type", &[("summary_text", &[need("text", STR)])]));

const OUTPUT: Kind = Kind::Either(&[STR, Kind::List(0, MANY, &PART)]);

/// Items the demo carries without looking inside.
const OPAQUE: &[Member] = &[
    ID,
    STATUS,
    may("call_id", MAYBE_STR),
    may("action", Kind::Any),
    may("actions", Kind::Any),
    may("output", Kind::Any),
    may("queries", Kind::Any),
    may("results", Kind::Any),
    may("code", Kind::Any),
    may("container_id", Kind::Any),
    may("outputs", Kind::Any),
    may("result", Kind::Any),
    may("server_label", Kind::Any),
    may("name", Kind::Any),
    may("arguments", Kind::Any),
    may("tools", Kind::Any),
    may("operation", Kind::Any),
    may("environment", Kind::Any),
    may("max_output_length", Kind::Any),
    may("execution", Kind::Any),
    may("encrypted_content", Kind::Any),
    may("role", Kind::Any),
    may("error", Kind::Any),
    may("approval_request_id", Kind::Any),
    may("approve", Kind::Any),
    may("reason", Kind::Any),
];

const MESSAGE: Variant = (
    "message",
    &[
        need("role", Kind::Word(&["user", "assistant", "system", "developer"])),
        need("content", CONTENT),
        may("phase", Kind::Maybe(&Kind::Word(&["commentary", "final_answer"]))),
        ID,
        STATUS,
    ],
);

const ITEM: Kind = Kind::TagOr(
    "type",
    "message",
    &[
        MESSAGE,
        (
            "reasoning",
            &[
                need("summary", SUMMARY),
                may("content", Kind::Maybe(&Kind::List(0, MANY, &Kind::Open))),
                may("encrypted_content", MAYBE_STR),
                ID,
                STATUS,
            ],
        ),
        (
            "function_call",
            &[
                need("call_id", Kind::Str(1, 64)),
                need("name", Kind::Name(64)),
                need("arguments", STR),
                may("namespace", MAYBE_STR),
                may("caller", Kind::Any),
                ID,
                STATUS,
            ],
        ),
        (
            "function_call_output",
            &[
                need("call_id", Kind::Str(1, 64)),
                need("output", OUTPUT),
                may("caller", Kind::Any),
                ID,
                STATUS,
            ],
        ),
        (
            "custom_tool_call",
            &[
                need("call_id", Kind::Str(1, 64)),
                need("name", Kind::Name(64)),
                need("input", STR),
                may("namespace", MAYBE_STR),
                ID,
                STATUS,
            ],
        ),
        (
            "custom_tool_call_output",
            &[need("call_id", Kind::Str(1, 64)), need("output", OUTPUT), ID, STATUS],
        ),
        ("item_reference", &[need("id", STR)]),
        ("compaction", OPAQUE),
        ("compaction_trigger", OPAQUE),
        ("configuration_update", OPAQUE),
        ("additional_tools", OPAQUE),
        ("tool_search_call", OPAQUE),
        ("tool_search_output", OPAQUE),
        ("program", OPAQUE),
        ("program_output", OPAQUE),
        ("file_search_call", OPAQUE),
        ("web_search_call", OPAQUE),
        ("computer_call", OPAQUE),
        ("computer_call_output", OPAQUE),
        ("image_generation_call", OPAQUE),
        ("code_interpreter_call", OPAQUE),
        ("local_shell_call", OPAQUE),
        ("local_shell_call_output", OPAQUE),
        ("shell_call", OPAQUE),
        ("shell_call_output", OPAQUE),
        ("apply_patch_call", OPAQUE),
        ("apply_patch_call_output", OPAQUE),
        ("mcp_list_tools", OPAQUE),
        ("mcp_call", OPAQUE),
        ("mcp_approval_request", OPAQUE),
        ("mcp_approval_response", OPAQUE),
    ],
);

const FUNCTION: Variant = (
    "function",
    &[
        need("name", Kind::Name(64)),
        may("description", MAYBE_STR),
        may("parameters", Kind::Maybe(&Kind::Open)),
        may("strict", Kind::Maybe(&Kind::Bool)),
        may("defer_loading", Kind::Bool),
        may("async", Kind::Bool),
        may("output_schema", Kind::Maybe(&Kind::Open)),
        may("allowed_callers", Kind::Any),
    ],
);

const CUSTOM: Variant = (
    "custom",
    &[
        need("name", Kind::Name(64)),
        may("description", MAYBE_STR),
        may("defer_loading", Kind::Bool),
        may(
            "format",
            Kind::Tag(
                "type",
                &[
                    ("text", &[]),
                    (
                        "grammar",
                        &[need("definition", STR), need("syntax", Kind::Word(&["lark", "regex"]))],
                    ),
                ],
            ),
        ),
    ],
);

const HOSTED: &[Member] = &[
    may("filters", Kind::Any),
    may("search_context_size", Kind::Any),
    may("user_location", Kind::Any),
    may("external_web_access", Kind::Any),
    may("vector_store_ids", Kind::Any),
    may("max_num_results", Kind::Any),
    may("ranking_options", Kind::Any),
    may("container", Kind::Any),
    may("environment", Kind::Any),
    may("server_label", Kind::Any),
    may("server_url", Kind::Any),
    may("server_description", Kind::Any),
    may("connector_id", Kind::Any),
    may("authorization", Kind::Any),
    may("allowed_tools", Kind::Any),
    may("headers", Kind::Any),
    may("require_approval", Kind::Any),
    may("display_width", Kind::Any),
    may("display_height", Kind::Any),
    may("model", Kind::Any),
    may("size", Kind::Any),
    may("quality", Kind::Any),
    may("background", Kind::Any),
    may("output_format", Kind::Any),
    may("description", Kind::Any),
    may("parameters", Kind::Any),
    may("execution", Kind::Any),
];

const TOOL: Kind = Kind::Tag(
    "type",
    &[
        FUNCTION,
        CUSTOM,
        (
            "namespace",
            &[
                need("name", Kind::Name(64)),
                may("description", MAYBE_STR),
                need("tools", Kind::List(0, MANY, &Kind::Tag("type", &[FUNCTION, CUSTOM]))),
            ],
        ),
        ("tool_search", HOSTED),
        ("web_search", HOSTED),
        ("web_search_preview", HOSTED),
        ("file_search", HOSTED),
        ("computer", HOSTED),
        ("computer_use_preview", HOSTED),
        ("mcp", HOSTED),
        ("code_interpreter", HOSTED),
        ("programmatic_tool_calling", HOSTED),
        ("image_generation", HOSTED),
        ("local_shell", HOSTED),
        ("shell", HOSTED),
        ("apply_patch", HOSTED),
    ],
);

const CHOICE: Kind = Kind::Either(&[
    Kind::Word(&["none", "auto", "required"]),
    Kind::Tag(
        "type",
        &[
            ("function", &[need("name", STR)]),
            ("custom", &[need("name", STR)]),
            (
                "allowed_tools",
                &[
                    need("mode", Kind::Word(&["auto", "required"])),
                    need("tools", Kind::List(1, MANY, &Kind::Open)),
                ],
            ),
            ("mcp", &[need("server_label", STR), may("name", MAYBE_STR)]),
            ("web_search", &[]),
            ("web_search_preview", &[]),
            ("file_search", &[]),
            ("code_interpreter", &[]),
            ("image_generation", &[]),
            ("shell", &[]),
            ("apply_patch", &[]),
        ],
    ),
]);

const FORMAT: Kind = Kind::Tag(
    "type",
    &[
        ("text", &[]),
        ("json_object", &[]),
        (
            "json_schema",
            &[
                need("name", Kind::Name(64)),
                need("schema", Kind::Open),
                may("description", MAYBE_STR),
                may("strict", Kind::Maybe(&Kind::Bool)),
            ],
        ),
    ],
);

const INCLUDE: Kind = Kind::Word(&[
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
]);

/// The request, with what widespread clients send beyond the typed contract.
pub(super) static REQUEST: Kind = Kind::Obj(&[
    need("model", STR),
    need("input", Kind::Either(&[STR, Kind::List(0, MANY, &ITEM)])),
    may("instructions", MAYBE_STR),
    may("tools", Kind::Maybe(&Kind::List(0, 512, &TOOL))),
    may("tool_choice", CHOICE),
    may("parallel_tool_calls", Kind::Maybe(&Kind::Bool)),
    may("max_tool_calls", Kind::Maybe(&COUNT)),
    may("max_output_tokens", Kind::Maybe(&Kind::Int(16, i64::MAX))),
    may(
        "reasoning",
        Kind::Maybe(&Kind::Obj(&[
            may("effort", Kind::Maybe(&Kind::Word(EFFORTS))),
            may("summary", Kind::Maybe(&Kind::Word(&["auto", "concise", "detailed"]))),
            may("generate_summary", MAYBE_STR),
            may("context", Kind::Any),
            may("mode", Kind::Any),
        ])),
    ),
    may(
        "text",
        Kind::Maybe(&Kind::Obj(&[
            may("format", FORMAT),
            may("verbosity", Kind::Maybe(&Kind::Word(&["low", "medium", "high"]))),
        ])),
    ),
    may("include", Kind::Maybe(&Kind::List(0, MANY, &INCLUDE))),
    may("store", Kind::Maybe(&Kind::Bool)),
    may("previous_response_id", MAYBE_STR),
    may("conversation", Kind::Maybe(&Kind::Either(&[STR, Kind::Open]))),
    may("prompt", Kind::Maybe(&Kind::Open)),
    may("truncation", Kind::Maybe(&Kind::Word(&["auto", "disabled"]))),
    may("context_management", Kind::Maybe(&Kind::Any)),
    may("background", Kind::Maybe(&Kind::Bool)),
    may("background_options", Kind::Maybe(&Kind::Open)),
    may("stream", Kind::Maybe(&Kind::Bool)),
    may("stream_options", Kind::Maybe(&Kind::Obj(&[may("include_obfuscation", Kind::Bool)]))),
    may("temperature", Kind::Maybe(&Kind::Num(0.0, 2.0))),
    may("top_p", Kind::Maybe(&Kind::Num(0.0, 1.0))),
    may("top_logprobs", Kind::Maybe(&Kind::Int(0, 20))),
    may("metadata", Kind::Maybe(&Kind::Map(&Kind::Str(0, 512)))),
    may("user", MAYBE_STR),
    may("safety_identifier", Kind::Maybe(&Kind::Str(0, 64))),
    may("prompt_cache_key", Kind::Maybe(&Kind::Str(0, 64))),
    may("prompt_cache_options", Kind::Maybe(&Kind::Open)),
    may("prompt_cache_retention", Kind::Maybe(&Kind::Word(&["in_memory", "24h"]))),
    may(
        "service_tier",
        Kind::Maybe(&Kind::Word(&[
            "auto",
            "default",
            "flex",
            "scale",
            "priority",
            "fast",
            "ultrafast",
        ])),
    ),
    may("moderation", Kind::Maybe(&Kind::Open)),
    may("access_programs", Kind::Maybe(&Kind::Any)),
    may("image", Kind::Maybe(&Kind::Open)),
    may("client_metadata", Kind::Maybe(&Kind::Open)),
]);

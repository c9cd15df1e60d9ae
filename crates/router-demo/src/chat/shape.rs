//! The request of `POST /v1/chat/completions` as data.

use crate::openai::{EFFORTS, TIERS};
use crate::shape::{Kind, Member, STR, Variant, may, need};

const NAME: Kind = Kind::Name(64);
const BREAKPOINT: Member = may(
    "prompt_cache_breakpoint",
    Kind::Obj(&[need("mode", Kind::Word(&["explicit"])), may("ttl", Kind::Word(&["30m", "12h"]))]),
);

const TEXT: Variant = ("text", &[need("text", STR), BREAKPOINT]);

const USER_PART: Kind = Kind::Tag(
    "type",
    &[
        TEXT,
        (
            "image_url",
            &[
                need(
                    "image_url",
                    Kind::Obj(&[
                        need("url", STR),
                        may("detail", Kind::Word(&["auto", "low", "high", "original"])),
                    ]),
                ),
                BREAKPOINT,
            ],
        ),
        (
            "input_audio",
            &[
                need(
                    "input_audio",
                    Kind::Obj(&[need("data", STR), need("format", Kind::Word(&["wav", "mp3"]))]),
                ),
                BREAKPOINT,
            ],
        ),
        (
            "file",
            &[
                need(
                    "file",
                    Kind::Obj(&[may("file_data", STR), may("file_id", STR), may("filename", STR)]),
                ),
                BREAKPOINT,
            ],
        ),
    ],
);

const TEXT_CONTENT: Kind =
    Kind::Either(&[STR, Kind::List(1, usize::MAX, &Kind::Tag("type", &[TEXT]))]);

const CALLED: Kind = Kind::Obj(&[need("name", STR), need("arguments", STR)]);

const CALL: Kind = Kind::Tag(
    "type",
    &[
        ("function", &[need("id", STR), need("function", CALLED)]),
        (
            "custom",
            &[need("id", STR), need("custom", Kind::Obj(&[need("name", STR), need("input", STR)]))],
        ),
    ],
);

const ASSISTANT: &[Member] = &[
    may(
        "content",
        Kind::Maybe(&Kind::Either(&[
            STR,
            Kind::List(
                1,
                usize::MAX,
                &Kind::Tag("type", &[TEXT, ("refusal", &[need("refusal", STR)])]),
            ),
        ])),
    ),
    may("refusal", Kind::Maybe(&STR)),
    may("name", STR),
    may("audio", Kind::Maybe(&Kind::Obj(&[need("id", STR)]))),
    may("annotations", Kind::Maybe(&Kind::List(0, usize::MAX, &Kind::Open))),
    may("function_call", Kind::Maybe(&CALLED)),
    may("tool_calls", Kind::Maybe(&Kind::List(1, 128, &CALL))),
];

/// An assistant turn of the vendors that send and want reasoning text.
const ASSISTANT_REASONING: &[Member] = &[
    may("content", Kind::Maybe(&TEXT_CONTENT)),
    may("reasoning_content", Kind::Maybe(&STR)),
    may("reasoning", Kind::Maybe(&STR)),
    may("refusal", Kind::Maybe(&STR)),
    may("name", STR),
    may("tool_calls", Kind::Maybe(&Kind::List(1, 128, &CALL))),
];

const SYSTEM: &[Member] = &[need("content", TEXT_CONTENT), may("name", STR)];

const USER: &[Member] = &[
    need("content", Kind::Either(&[STR, Kind::List(1, usize::MAX, &USER_PART)])),
    may("name", STR),
];

const TOOL_TURN: &[Member] = &[need("content", TEXT_CONTENT), need("tool_call_id", STR)];

const FUNCTION_TURN: &[Member] = &[need("content", Kind::Maybe(&STR)), need("name", STR)];

const MESSAGE: Kind = Kind::Tag(
    "role",
    &[
        ("system", SYSTEM),
        ("assistant", ASSISTANT),
        ("user", USER),
        ("function", FUNCTION_TURN),
        ("tool", TOOL_TURN),
        ("developer", SYSTEM),
    ],
);

const MESSAGE_REASONING: Kind = Kind::Tag(
    "role",
    &[("system", SYSTEM), ("assistant", ASSISTANT_REASONING), ("user", USER), ("tool", TOOL_TURN)],
);

const FUNCTION: Kind = Kind::Obj(&[
    need("name", NAME),
    may("description", Kind::Str(0, 1 << 20)),
    may("parameters", Kind::Open),
    may("strict", Kind::Maybe(&Kind::Bool)),
]);

const GRAMMAR: Kind =
    Kind::Obj(&[need("definition", STR), need("syntax", Kind::Word(&["lark", "regex"]))]);

const TOOL: Kind = Kind::Tag(
    "type",
    &[
        ("function", &[need("function", FUNCTION)]),
        (
            "custom",
            &[need(
                "custom",
                Kind::Obj(&[
                    need("name", NAME),
                    may("description", STR),
                    may(
                        "format",
                        Kind::Tag(
                            "type",
                            &[("text", &[]), ("grammar", &[need("grammar", GRAMMAR)])],
                        ),
                    ),
                ]),
            )],
        ),
    ],
);

const NAMED: Kind = Kind::Obj(&[need("name", STR)]);

const CHOICE: Kind = Kind::Either(&[
    Kind::Word(&["none", "auto", "required"]),
    Kind::Tag(
        "type",
        &[
            ("function", &[need("function", NAMED)]),
            ("custom", &[need("custom", NAMED)]),
            (
                "allowed_tools",
                &[need(
                    "allowed_tools",
                    Kind::Obj(&[
                        need("mode", Kind::Word(&["auto", "required"])),
                        need("tools", Kind::List(1, 128, &Kind::Open)),
                    ]),
                )],
            ),
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
            &[need(
                "json_schema",
                Kind::Obj(&[
                    need("name", NAME),
                    may("description", STR),
                    may("schema", Kind::Open),
                    may("strict", Kind::Maybe(&Kind::Bool)),
                ]),
            )],
        ),
    ],
);

/// The members of a request whose messages are of one kind.
macro_rules! request {
    ($messages:expr) => {
        &[
            need("model", STR),
            need("messages", Kind::List(1, usize::MAX, &$messages)),
            may("audio", Kind::Maybe(&Kind::Open)),
            may("frequency_penalty", Kind::Maybe(&Kind::Num(-2.0, 2.0))),
            may("function_call", Kind::Either(&[Kind::Word(&["none", "auto"]), NAMED])),
            may("functions", Kind::List(1, 128, &FUNCTION)),
            may("logit_bias", Kind::Maybe(&Kind::Map(&Kind::Num(-100.0, 100.0)))),
            may("logprobs", Kind::Maybe(&Kind::Bool)),
            may("max_completion_tokens", Kind::Maybe(&Kind::Int(1, i64::MAX))),
            may("max_tokens", Kind::Maybe(&Kind::Int(1, i64::MAX))),
            may("metadata", Kind::Maybe(&Kind::Map(&Kind::Str(0, 512)))),
            may("modalities", Kind::Maybe(&Kind::List(1, 2, &Kind::Word(&["text", "audio"])))),
            may("moderation", Kind::Maybe(&Kind::Open)),
            may("n", Kind::Maybe(&Kind::Int(1, 128))),
            may("parallel_tool_calls", Kind::Maybe(&Kind::Bool)),
            may("prediction", Kind::Maybe(&Kind::Open)),
            may("presence_penalty", Kind::Maybe(&Kind::Num(-2.0, 2.0))),
            may("prompt_cache_key", Kind::Maybe(&Kind::Str(0, 64))),
            may(
                "prompt_cache_options",
                Kind::Maybe(&Kind::Obj(&[
                    may("mode", Kind::Word(&["implicit", "explicit"])),
                    may("ttl", Kind::Word(&["30m", "12h"])),
                ])),
            ),
            may("prompt_cache_retention", Kind::Maybe(&Kind::Word(&["in_memory", "24h"]))),
            may("reasoning_effort", Kind::Maybe(&Kind::Word(EFFORTS))),
            may("response_format", FORMAT),
            may("safety_identifier", Kind::Maybe(&Kind::Str(0, 64))),
            may("seed", Kind::Maybe(&Kind::Int(i64::MIN, i64::MAX))),
            may("service_tier", Kind::Maybe(&Kind::Word(TIERS))),
            may("stop", Kind::Maybe(&Kind::Either(&[STR, Kind::List(0, 4, &STR)]))),
            may("store", Kind::Maybe(&Kind::Bool)),
            may("stream", Kind::Maybe(&Kind::Bool)),
            may(
                "stream_options",
                Kind::Maybe(&Kind::Obj(&[
                    may("include_usage", Kind::Bool),
                    may("include_obfuscation", Kind::Bool),
                ])),
            ),
            may("temperature", Kind::Maybe(&Kind::Num(0.0, 2.0))),
            may("tool_choice", CHOICE),
            may("tools", Kind::List(1, 128, &TOOL)),
            may("top_logprobs", Kind::Maybe(&Kind::Int(0, 20))),
            may("top_p", Kind::Maybe(&Kind::Num(0.0, 1.0))),
            may("user", Kind::Maybe(&STR)),
            may("verbosity", Kind::Maybe(&Kind::Word(&["low", "medium", "high"]))),
            may("web_search_options", Kind::Open),
        ]
    };
}

/// The request as the vendor's own API takes it.
pub(super) static REQUEST: Kind = Kind::Obj(request!(MESSAGE));

/// The request of vendors with `reasoning_content`.
pub(super) static REQUEST_REASONING: Kind = Kind::Obj(request!(MESSAGE_REASONING));

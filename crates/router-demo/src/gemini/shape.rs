//! The request of `generateContent` as data, in camel case.

use crate::shape::{COUNT, Kind, Member, STR, may, need};

const MANY: usize = usize::MAX;
const SCHEMA: Kind = Kind::Open;

const BLOB: Kind = Kind::Obj(&[need("mimeType", STR), need("data", STR), may("displayName", STR)]);
const FILE: Kind =
    Kind::Obj(&[may("mimeType", STR), need("fileUri", STR), may("displayName", STR)]);

const PART: Kind = Kind::Obj(&[
    may("text", STR),
    may("inlineData", BLOB),
    may("fileData", FILE),
    may(
        "functionCall",
        Kind::Obj(&[may("id", STR), need("name", STR), may("args", Kind::Maybe(&Kind::Open))]),
    ),
    may(
        "functionResponse",
        Kind::Obj(&[
            may("id", STR),
            need("name", STR),
            need("response", Kind::Open),
            may("parts", Kind::List(0, MANY, &Kind::Open)),
            may("willContinue", Kind::Bool),
            may("scheduling", STR),
        ]),
    ),
    may("executableCode", Kind::Open),
    may("codeExecutionResult", Kind::Open),
    may("toolCall", Kind::Open),
    may("toolResponse", Kind::Open),
    may("thought", Kind::Bool),
    may("thoughtSignature", STR),
    may("videoMetadata", Kind::Open),
    may("mediaResolution", Kind::Any),
    may("partMetadata", Kind::Open),
]);

const PARTS: Kind = Kind::List(1, MANY, &PART);

const CONTENT: Kind =
    Kind::Obj(&[may("role", Kind::Word(&["user", "model", "function"])), need("parts", PARTS)]);

const DECLARATION: Kind = Kind::Obj(&[
    need("name", Kind::Str(1, 64)),
    may("description", STR),
    may("parameters", SCHEMA),
    may("parametersJsonSchema", SCHEMA),
    may("response", SCHEMA),
    may("responseJsonSchema", SCHEMA),
    may("behavior", STR),
]);

const TOOL: Kind = Kind::Obj(&[
    may("functionDeclarations", Kind::List(0, MANY, &DECLARATION)),
    may("googleSearch", Kind::Open),
    may("googleSearchRetrieval", Kind::Open),
    may("urlContext", Kind::Open),
    may("codeExecution", Kind::Open),
    may("fileSearch", Kind::Open),
    may("googleMaps", Kind::Open),
    may("computerUse", Kind::Open),
    may("mcpServers", Kind::Any),
]);

const TOOL_CONFIG: Kind = Kind::Obj(&[
    may(
        "functionCallingConfig",
        Kind::Obj(&[
            may("mode", Kind::Word(&["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"])),
            may("allowedFunctionNames", Kind::List(0, MANY, &STR)),
        ]),
    ),
    may("retrievalConfig", Kind::Open),
    may("includeServerSideToolInvocations", Kind::Bool),
]);

const GENERATION: Kind = Kind::Obj(&[
    may("temperature", Kind::Num(0.0, 2.0)),
    may("topP", Kind::Num(0.0, 1.0)),
    may("topK", Kind::Num(0.0, 1e9)),
    may("candidateCount", Kind::Int(1, 8)),
    may("maxOutputTokens", Kind::Int(1, i64::MAX)),
    may("stopSequences", Kind::List(0, 5, &STR)),
    may("responseLogprobs", Kind::Bool),
    may("logprobs", COUNT),
    may("presencePenalty", Kind::Num(-2.0, 2.0)),
    may("frequencyPenalty", Kind::Num(-2.0, 2.0)),
    may("seed", Kind::Int(i64::MIN, i64::MAX)),
    may("responseMimeType", Kind::Word(&["text/plain", "application/json", "text/x.enum"])),
    may("responseSchema", SCHEMA),
    may("responseJsonSchema", SCHEMA),
    may("responseModalities", Kind::List(0, MANY, &STR)),
    may("mediaResolution", STR),
    may("speechConfig", Kind::Open),
    may("imageConfig", Kind::Open),
    may("enableEnhancedCivicAnswers", Kind::Bool),
    may("audioTranscriptionConfig", Kind::Open),
    may("continuationToken", STR),
    may(
        "thinkingConfig",
        Kind::Obj(&[
            may("thinkingBudget", Kind::Int(-1, 65_536)),
            may(
                "thinkingLevel",
                Kind::Word(&[
                    "MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH", "minimal", "low", "medium",
                    "high", "xhigh",
                ]),
            ),
            may("includeThoughts", Kind::Bool),
        ]),
    ),
]);

const MEMBERS: &[Member] = &[
    need("contents", Kind::List(1, MANY, &CONTENT)),
    may("systemInstruction", Kind::Obj(&[may("role", STR), need("parts", PARTS)])),
    may("tools", Kind::List(0, MANY, &TOOL)),
    may("toolConfig", TOOL_CONFIG),
    may(
        "safetySettings",
        Kind::List(0, MANY, &Kind::Obj(&[need("category", STR), need("threshold", STR)])),
    ),
    may("cachedContent", STR),
    may("serviceTier", STR),
    may("store", Kind::Bool),
    may("labels", Kind::Open),
    may("generationConfig", GENERATION),
    may("model", STR),
];

/// The body of a generation.
pub(super) static REQUEST: Kind = Kind::Obj(MEMBERS);

/// The body of a token count.
pub(super) static COUNT_REQUEST: Kind = Kind::Obj(&[
    may("contents", Kind::List(1, MANY, &CONTENT)),
    may("generateContentRequest", Kind::Obj(MEMBERS)),
    may("model", STR),
]);

//! Errors in the words, shapes and statuses of each vendor.

use serde_json::{Value, json};

use crate::Dialect;
use crate::shape::{Flaw, Step, What};

/// The kinds of error all vendors share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Invalid,
    Authentication,
    Billing,
    Permission,
    NotFound,
    Conflict,
    TooLarge,
    RateLimit,
    Timeout,
    Server,
    Overloaded,
}

impl Class {
    /// The class a vendor would give to an HTTP status.
    pub(crate) fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            402 => Self::Billing,
            403 => Self::Permission,
            404 => Self::NotFound,
            408 | 504 => Self::Timeout,
            409 => Self::Conflict,
            413 => Self::TooLarge,
            429 => Self::RateLimit,
            503 | 529 => Self::Overloaded,
            500.. => Self::Server,
            _ => Self::Invalid,
        }
    }

    fn anthropic(self) -> &'static str {
        match self {
            Self::Invalid => "invalid_request_error",
            Self::Authentication => "authentication_error",
            Self::Billing => "billing_error",
            Self::Permission => "permission_error",
            Self::NotFound => "not_found_error",
            Self::Conflict => "conflict_error",
            Self::TooLarge => "request_too_large",
            Self::RateLimit => "rate_limit_error",
            Self::Timeout => "timeout_error",
            Self::Server => "api_error",
            Self::Overloaded => "overloaded_error",
        }
    }

    fn openai(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Invalid | Self::NotFound | Self::Conflict | Self::TooLarge => {
                ("invalid_request_error", None)
            }
            Self::Authentication => ("invalid_request_error", Some("invalid_api_key")),
            Self::Billing => ("insufficient_quota", Some("insufficient_quota")),
            Self::Permission => ("permission_error", None),
            Self::RateLimit => ("rate_limit_error", Some("rate_limit_exceeded")),
            Self::Timeout => ("server_error", Some("timeout")),
            Self::Server => ("server_error", None),
            Self::Overloaded => ("server_error", Some("overloaded")),
        }
    }

    fn gemini(self) -> &'static str {
        match self {
            Self::Invalid | Self::TooLarge => "INVALID_ARGUMENT",
            Self::Authentication => "UNAUTHENTICATED",
            Self::Billing | Self::RateLimit => "RESOURCE_EXHAUSTED",
            Self::Permission => "PERMISSION_DENIED",
            Self::NotFound => "NOT_FOUND",
            Self::Conflict => "ABORTED",
            Self::Timeout => "DEADLINE_EXCEEDED",
            Self::Server => "INTERNAL",
            Self::Overloaded => "UNAVAILABLE",
        }
    }

    /// A message in the vendors' own tone for an error nobody caused.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Invalid => "The request is invalid.",
            Self::Authentication => "Incorrect API key provided.",
            Self::Billing => {
                "You exceeded your current quota, please check your plan and billing details."
            }
            Self::Permission => "Your API key does not have permission to use this resource.",
            Self::NotFound => "The requested resource was not found.",
            Self::Conflict => "The request conflicts with another one.",
            Self::TooLarge => "Request exceeds the maximum allowed number of bytes.",
            Self::RateLimit => "Rate limit reached. Please slow down and try again later.",
            Self::Timeout => "The request timed out.",
            Self::Server => "The server had an error while processing your request.",
            Self::Overloaded => "Overloaded",
        }
    }
}

/// An error answer before it has taken a vendor's shape.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) class: Class,
    pub(crate) message: String,
    /// The member at fault, where the `OpenAI` APIs name one.
    pub(crate) param: Option<String>,
    /// The machine-readable code of the `OpenAI` APIs.
    pub(crate) code: Option<&'static str>,
    /// `error.details` of the Messages API.
    pub(crate) details: Option<Box<Value>>,
}

impl Refusal {
    /// A 400 with this message.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            class: Class::Invalid,
            message: message.into(),
            param: None,
            code: None,
            details: None,
        }
    }

    /// The vendor's standard answer for a status.
    pub(crate) fn of_status(status: u16) -> Self {
        let class = Class::of_status(status);
        Self { status, class, ..Self::invalid(class.message()) }
    }

    pub(crate) fn param(self, param: impl Into<String>) -> Self {
        Self { param: Some(param.into()), ..self }
    }

    pub(crate) fn code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// The account has nothing left.
    pub(crate) fn quota() -> Self {
        Self { status: 429, ..Self::of_status(402) }
    }

    /// The request is longer than the context, in the dialect's words.
    pub(crate) fn too_long(dialect: Dialect) -> Self {
        let message = match dialect {
            Dialect::Messages => "prompt is too long: 400001 tokens > 400000 maximum",
            Dialect::Gemini => {
                "The input token count (400001) exceeds the maximum number of tokens allowed \
                 (400000)."
            }
            Dialect::Chat | Dialect::Responses => {
                "This model's maximum context length is 400000 tokens. However, your messages \
                 resulted in 400001 tokens. Please reduce the length of the messages."
            }
        };
        Self::invalid(message).param("messages").code("context_length_exceeded")
    }

    /// The error of a model nobody serves, in the dialect's words.
    pub(crate) fn no_model(dialect: Dialect, model: &str) -> Self {
        let message = match dialect {
            Dialect::Messages => format!("model: {model}"),
            Dialect::Gemini => {
                format!("models/{model} is not found for API version v1beta, or is not supported.")
            }
            Dialect::Chat | Dialect::Responses => {
                format!("The model `{model}` does not exist or you do not have access to it.")
            }
        };
        let refusal = Self { status: 404, class: Class::NotFound, ..Self::invalid(message) };
        refusal.param("model").code("model_not_found")
    }

    /// The words of one dialect for a flaw in the shape of a body.
    pub(crate) fn of_flaw(dialect: Dialect, flaw: &Flaw) -> Self {
        match dialect {
            Dialect::Messages => {
                Self::invalid(format!("{}: {}", dotted(&flaw.path), pydantic(&flaw.what)))
            }
            Dialect::Gemini => Self::invalid(protobuf(flaw)),
            Dialect::Chat | Dialect::Responses => {
                let path = bracketed(&flaw.path);
                let (code, message) = openai(&path, &flaw.what);
                Self::invalid(message).param(path).code(code)
            }
        }
    }

    /// The error body of one dialect.
    pub(crate) fn body(&self, dialect: Dialect, request_id: &str) -> Value {
        match dialect {
            Dialect::Messages => {
                let mut error = json!({"type": self.class.anthropic(), "message": self.message});
                if let (Some(details), Some(object)) = (&self.details, error.as_object_mut()) {
                    object.insert("details".into(), Value::clone(details));
                }
                json!({"type": "error", "error": error, "request_id": request_id})
            }
            Dialect::Chat | Dialect::Responses => {
                let (kind, code) = self.class.openai();
                json!({"error": {
                    "message": self.message,
                    "type": kind,
                    "param": self.param,
                    "code": self.code.or(code),
                }})
            }
            Dialect::Gemini => json!({"error": {
                "code": self.status,
                "message": self.message,
                "status": self.class.gemini(),
            }}),
        }
    }
}

/// `messages.0.content.1.text.foo`, as the Messages API prints paths.
pub(crate) fn dotted(path: &[Step]) -> String {
    let steps: Vec<String> = path
        .iter()
        .map(|step| match step {
            Step::Key(key) => key.clone(),
            Step::Index(index) => index.to_string(),
            Step::Variant(word) => (*word).to_owned(),
        })
        .collect();
    steps.join(".")
}

/// `messages[0].content[1].foo`, as the `OpenAI` and Gemini APIs print paths.
pub(crate) fn bracketed(path: &[Step]) -> String {
    let mut out = String::new();
    for step in path {
        match step {
            Step::Key(key) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(key);
            }
            Step::Index(index) => {
                out.push('[');
                out.push_str(&index.to_string());
                out.push(']');
            }
            Step::Variant(_) => {}
        }
    }
    out
}

fn pydantic(what: &What) -> String {
    match what {
        What::Missing => "Field required".into(),
        What::Unknown => "Extra inputs are not permitted".into(),
        What::Type { expected, .. } => match *expected {
            "a string" => "Input should be a valid string".into(),
            "an integer" => "Input should be a valid integer".into(),
            "a decimal" => "Input should be a valid number".into(),
            "a boolean" => "Input should be a valid boolean".into(),
            "an array" => "Input should be a valid list".into(),
            _ => "Input should be a valid dictionary".into(),
        },
        What::Word { got, allowed } => {
            format!("Input '{got}' should be {}", quoted(allowed, "or"))
        }
        What::NumberLow { least, .. } => {
            format!("Input should be greater than or equal to {least}")
        }
        What::NumberHigh { most, .. } => format!("Input should be less than or equal to {most}"),
        What::TextShort { least } => format!("String should have at least {least} character"),
        What::TextLong { most, .. } => format!("String should have at most {most} characters"),
        What::NameForm { most, .. } => {
            format!("String should match pattern '^[a-zA-Z0-9_-]{{1,{most}}}$'")
        }
        What::ListShort { least, got } => {
            format!("List should have at least {least} item after validation, not {got}")
        }
        What::ListLong { most, got } => {
            format!("List should have at most {most} items after validation, not {got}")
        }
    }
}

fn openai(path: &str, what: &What) -> (&'static str, String) {
    match what {
        What::Missing => {
            ("missing_required_parameter", format!("Missing required parameter: '{path}'."))
        }
        What::Unknown => ("unknown_parameter", format!("Unknown parameter: '{path}'.")),
        What::Type { expected, got } => (
            "invalid_type",
            format!("Invalid type for '{path}': expected {expected}, but got {got} instead."),
        ),
        What::Word { got, allowed } => (
            "invalid_value",
            format!("Invalid value: '{got}'. Supported values are: {}.", quoted(allowed, "and")),
        ),
        What::NumberLow { least, got } => (
            "integer_below_min_value",
            format!(
                "Invalid '{path}': integer below minimum value. Expected a value >= {least}, but got {got} instead."
            ),
        ),
        What::NumberHigh { most, got } => (
            "integer_above_max_value",
            format!(
                "Invalid '{path}': integer above maximum value. Expected a value <= {most}, but got {got} instead."
            ),
        ),
        What::TextShort { least } => (
            "empty_string",
            format!(
                "Invalid '{path}': empty string. Expected a string with minimum length {least}, but got an empty string instead."
            ),
        ),
        What::TextLong { most, got } => (
            "string_above_max_length",
            format!(
                "Invalid '{path}': string too long. Expected a string with maximum length {most}, but got a string with length {got} instead."
            ),
        ),
        What::NameForm { most, got } if got.len() > *most => (
            "string_above_max_length",
            format!(
                "Invalid '{path}': string too long. Expected a string with maximum length {most}, but got a string with length {} instead.",
                got.len()
            ),
        ),
        What::NameForm { .. } => (
            "invalid_value",
            format!(
                "Invalid '{path}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
            ),
        ),
        What::ListShort { least, .. } => (
            "empty_array",
            format!(
                "Invalid '{path}': empty array. Expected an array with minimum length {least}, but got an empty array instead."
            ),
        ),
        What::ListLong { most, got } => (
            "array_above_max_length",
            format!(
                "Invalid '{path}': array too long. Expected an array with maximum length {most}, but got an array with length {got} instead."
            ),
        ),
    }
}

fn protobuf(flaw: &Flaw) -> String {
    let path = bracketed(&flaw.path);
    match &flaw.what {
        What::Unknown => {
            let (parent, name) = path.rsplit_once('.').unwrap_or(("", &path));
            if parent.is_empty() {
                format!(
                    "Invalid JSON payload received. Unknown name \"{name}\": Cannot find field."
                )
            } else {
                format!(
                    "Invalid JSON payload received. Unknown name \"{name}\" at '{parent}': Cannot find field."
                )
            }
        }
        What::Missing => format!("* GenerateContentRequest.{path}: {path} is not specified\n"),
        What::Type { expected, got } => {
            format!("Invalid value at '{path}' (expected {expected}), but got {got}")
        }
        What::Word { got, .. } => format!("Invalid value at '{path}' (TYPE_ENUM), \"{got}\""),
        What::NumberLow { got, .. } | What::NumberHigh { got, .. } => {
            format!("Unable to submit request because {path} is out of range, got {got}.")
        }
        What::NameForm { most, .. } => format!(
            "* GenerateContentRequest.{path}: Invalid function name. Must start with a letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of {most}.\n"
        ),
        What::TextShort { .. } | What::TextLong { .. } => format!("{path} has a bad length"),
        What::ListShort { .. } | What::ListLong { .. } => {
            format!("* GenerateContentRequest.{path}: {path} has a bad number of items\n")
        }
    }
}

fn quoted(words: &[&str], joiner: &str) -> String {
    match words {
        [] => String::new(),
        [one] => format!("'{one}'"),
        [init @ .., last] => {
            let init: Vec<String> = init.iter().map(|word| format!("'{word}'")).collect();
            format!("{} {joiner} '{last}'", init.join(", "))
        }
    }
}

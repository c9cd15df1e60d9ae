//! The addresses a client can call, the same in every host.
//!
//! | method | path (after an optional prefix) | operation |
//! |---|---|---|
//! | POST | `/v1/messages`, `/messages`, `/anthropic` | [`Operation::Generate`] (Messages) |
//! | POST | `/v1/chat/completions`, `/chat/completions`, `/openai` | [`Operation::Generate`] (Chat) |
//! | POST | `/v1/responses`, `/responses` | [`Operation::Generate`] (Responses) |
//! | POST | `/v1beta/models/{model}:generateContent`, `…:streamGenerateContent` | [`Operation::GenerateGemini`] |
//! | POST | `/v1beta/models/{model}:countTokens` | [`Operation::CountTokensGemini`] |
//! | POST | `/`, `/v1`, `/route`, `/router` | [`Operation::Unified`] |
//! | POST | `/v1/messages/count_tokens`, `/messages/count_tokens` | [`Operation::CountTokens`] |
//! | POST | `/v1/embeddings`, `/embeddings` | [`Operation::Embeddings`] |
//! | POST | `/v1/completions`, `/completions` | [`Operation::Completions`] |
//! | GET, HEAD | `/v1/models`, `/models`, `/v1beta/models` | [`Operation::Models`] |
//! | GET, HEAD | `/v1/models/{id}`, `/models/{id}`, `/v1beta/models/{id}` | [`Operation::Model`] |
//! | GET, HEAD, POST, DELETE | `/v1/responses/{id}…`, `/responses/{id}…` | [`Operation::StoredResponse`] |
//! | GET, HEAD | `/health`, `/ready`, `/api/hello`, `/` | the operation of that name; `/` describes |
//! | OPTIONS | any | [`Operation::Preflight`] |
//!
//! All of them also stand under the prefixes `/openai`, `/anthropic`, `/gemini`, `/route` and
//! `/router`; where `/v1` stands, `/v1beta` may stand too. One trailing slash is ignored, and so
//! is the query. Paths are compared with case and without percent-decoding; only model ids are
//! decoded.

use std::borrow::Cow;

use crate::Dialect;

/// What a client asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation<'p> {
    /// An answer from a model, with the model and the streaming switch in the body. The dialect
    /// is never [`Dialect::Gemini`].
    Generate(Dialect),
    /// An answer from a model in the Gemini dialect, which says both in the path.
    GenerateGemini {
        /// The model.
        model: PathText<'p>,
        /// Whether the answer is to be streamed.
        stream: bool,
    },
    /// An answer from a model, in the dialect that the body shows.
    Unified,
    /// Counting the tokens of a Messages request.
    CountTokens,
    /// Counting the tokens of a Gemini request.
    CountTokensGemini {
        /// The model.
        model: PathText<'p>,
    },
    /// The list of models.
    Models {
        /// The dialect whose list the path asks for; `None` leaves it to the headers.
        shape: Option<Dialect>,
    },
    /// One model.
    Model {
        /// Its id, which may hold slashes.
        id: PathText<'p>,
        /// As in [`Operation::Models`].
        shape: Option<Dialect>,
    },
    /// Embeddings, in OpenAI's format.
    Embeddings,
    /// Legacy text completions, in OpenAI's format.
    Completions,
    /// Reading, cancelling or deleting a stored response. A router keeps none.
    StoredResponse {
        /// What follows `responses/`, as written.
        id: PathText<'p>,
    },
    /// Is the process alive?
    Health,
    /// Can it serve requests?
    Ready,
    /// The greeting Claude Code sends before its first request.
    Hello,
    /// What this service is.
    Describe,
    /// A browser asks whether it may send the real request.
    Preflight,
}

impl Operation<'_> {
    /// The dialect the client speaks, as far as the address tells.
    pub fn dialect(&self) -> Option<Dialect> {
        match self {
            Self::Generate(dialect) => Some(*dialect),
            Self::GenerateGemini { .. } | Self::CountTokensGemini { .. } => Some(Dialect::Gemini),
            Self::CountTokens => Some(Dialect::Anthropic),
            Self::Models { shape } | Self::Model { shape, .. } => *shape,
            Self::Embeddings | Self::Completions => Some(Dialect::OpenaiChat),
            Self::StoredResponse { .. } => Some(Dialect::OpenaiResponses),
            Self::Unified
            | Self::Health
            | Self::Ready
            | Self::Hello
            | Self::Describe
            | Self::Preflight => None,
        }
    }

    /// The operation's one name in logs, records and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Generate(_) | Self::GenerateGemini { .. } | Self::Unified => "generate",
            Self::CountTokens | Self::CountTokensGemini { .. } => "count-tokens",
            Self::Models { .. } => "models",
            Self::Model { .. } => "model",
            Self::Embeddings => "embeddings",
            Self::Completions => "completions",
            Self::StoredResponse { .. } => "stored-response",
            Self::Health => "health",
            Self::Ready => "ready",
            Self::Hello => "hello",
            Self::Describe => "describe",
            Self::Preflight => "preflight",
        }
    }
}

/// A piece of a path, as the client wrote it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PathText<'p>(pub &'p str);

impl<'p> PathText<'p> {
    /// The text without percent-encoding. A `%` that two hex digits do not follow stays, and so
    /// does the whole text when it would not be UTF-8.
    pub fn decode(self) -> Cow<'p, str> {
        if !self.0.contains('%') {
            return Cow::Borrowed(self.0);
        }
        let mut bytes = Vec::with_capacity(self.0.len());
        let mut rest = self.0.as_bytes();
        while let Some((&first, tail)) = rest.split_first() {
            rest = tail;
            if first == b'%'
                && let Some((&[high, low], after)) = tail.split_first_chunk::<2>()
                && let (Some(high), Some(low)) = (hex(high), hex(low))
            {
                bytes.push(high << 4 | low);
                rest = after;
            } else {
                bytes.push(first);
            }
        }
        String::from_utf8(bytes).map_or(Cow::Borrowed(self.0), Cow::Owned)
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Why nothing answers at an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SurfaceError {
    /// No operation has this path.
    #[error("no such endpoint")]
    NotFound,
    /// The path exists, but not for this method.
    #[error("method not allowed; allowed here: {allow}")]
    MethodNotAllowed {
        /// The value of the `Allow` header.
        allow: &'static str,
    },
}

/// Finds the operation for a method and the path of the request target. Allocates nothing.
pub fn route<'p>(method: &str, path: &'p str) -> Result<Operation<'p>, SurfaceError> {
    if method == "OPTIONS" {
        return Ok(Operation::Preflight);
    }
    let place = Place::of(path);
    let found = place.find().ok_or(SurfaceError::NotFound)?;
    let operation = match method {
        "GET" | "HEAD" => found.get,
        "POST" => found.post,
        "DELETE" => found.delete,
        _ => None,
    };
    operation.ok_or_else(|| SurfaceError::MethodNotAllowed { allow: found.allow() })
}

/// The dialect in which a client at this path expects an error, even where no operation answers;
/// `None` when the path says nothing about it.
pub fn dialect_hint(path: &str) -> Option<Dialect> {
    let place = Place::of(path);
    if let Some(dialect) = place.shape() {
        return Some(dialect);
    }
    match place.tail.split('/').next() {
        Some("messages") => Some(Dialect::Anthropic),
        Some("chat" | "embeddings" | "completions") => Some(Dialect::OpenaiChat),
        Some("responses") => Some(Dialect::OpenaiResponses),
        Some("models") if place.find().is_some_and(|found| found.get.is_none()) => {
            Some(Dialect::Gemini)
        }
        _ => None,
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Prefix {
    None,
    Anthropic,
    Openai,
    Gemini,
    Route,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Version {
    None,
    V1,
    V1Beta,
}

/// A path taken apart.
struct Place<'p> {
    prefix: Prefix,
    version: Version,
    /// What is left, without a slash at either end.
    tail: &'p str,
}

/// What the methods do at one path.
#[derive(Default)]
struct Found<'p> {
    get: Option<Operation<'p>>,
    post: Option<Operation<'p>>,
    delete: Option<Operation<'p>>,
}

impl<'p> Found<'p> {
    fn get(operation: Operation<'p>) -> Self {
        Self { get: Some(operation), ..Self::default() }
    }

    fn post(operation: Operation<'p>) -> Self {
        Self { post: Some(operation), ..Self::default() }
    }

    fn allow(&self) -> &'static str {
        match (self.get.is_some(), self.post.is_some(), self.delete.is_some()) {
            (true, true, true) => "GET, HEAD, POST, DELETE, OPTIONS",
            (true, true, _) => "GET, HEAD, POST, OPTIONS",
            (true, false, _) => "GET, HEAD, OPTIONS",
            (false, ..) => "POST, OPTIONS",
        }
    }
}

impl<'p> Place<'p> {
    fn of(path: &'p str) -> Self {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let path = path.strip_suffix('/').unwrap_or(path);
        let (prefix, path) = [
            ("/anthropic", Prefix::Anthropic),
            ("/openai", Prefix::Openai),
            ("/gemini", Prefix::Gemini),
            ("/router", Prefix::Route),
            ("/route", Prefix::Route),
        ]
        .into_iter()
        .find_map(|(text, prefix)| Some((prefix, segment(path, text)?)))
        .unwrap_or((Prefix::None, path));
        let (version, path) = [("/v1", Version::V1), ("/v1beta", Version::V1Beta)]
            .into_iter()
            .find_map(|(text, version)| Some((version, segment(path, text)?)))
            .unwrap_or((Version::None, path));
        let tail = match path.strip_prefix('/') {
            // Two slashes in a row are not the root.
            Some("") => "/",
            Some(tail) => tail,
            None if path.is_empty() => "",
            None => "/",
        };
        Self { prefix, version, tail }
    }

    fn shape(&self) -> Option<Dialect> {
        match (self.prefix, self.version) {
            (Prefix::Anthropic, _) => Some(Dialect::Anthropic),
            (Prefix::Openai, _) => Some(Dialect::OpenaiChat),
            (Prefix::Gemini, _) | (_, Version::V1Beta) => Some(Dialect::Gemini),
            (Prefix::None | Prefix::Route, _) => None,
        }
    }

    fn find(&self) -> Option<Found<'p>> {
        Some(match self.tail {
            "" => return self.root(),
            "messages" => Found::post(Operation::Generate(Dialect::Anthropic)),
            "messages/count_tokens" => Found::post(Operation::CountTokens),
            "chat/completions" => Found::post(Operation::Generate(Dialect::OpenaiChat)),
            "responses" => Found::post(Operation::Generate(Dialect::OpenaiResponses)),
            "embeddings" => Found::post(Operation::Embeddings),
            "completions" => Found::post(Operation::Completions),
            "models" => Found::get(Operation::Models { shape: self.shape() }),
            "health" if self.version == Version::None => Found::get(Operation::Health),
            "ready" if self.version == Version::None => Found::get(Operation::Ready),
            "api/hello" if self.version == Version::None => Found::get(Operation::Hello),
            tail => match tail.split_once('/')? {
                (_, "") => return None,
                ("models", rest) => self.model(rest),
                ("responses", rest) => {
                    let stored = Some(Operation::StoredResponse { id: PathText(rest) });
                    Found { get: stored, post: stored, delete: stored }
                }
                _ => return None,
            },
        })
    }

    fn root(&self) -> Option<Found<'p>> {
        Some(match (self.prefix, self.version) {
            (Prefix::None, Version::None) => Found {
                get: Some(Operation::Describe),
                post: Some(Operation::Unified),
                delete: None,
            },
            (_, Version::V1Beta) | (Prefix::Gemini, _) => return None,
            (Prefix::Anthropic, _) => Found::post(Operation::Generate(Dialect::Anthropic)),
            (Prefix::Openai, _) => Found::post(Operation::Generate(Dialect::OpenaiChat)),
            (Prefix::None | Prefix::Route, _) => Found::post(Operation::Unified),
        })
    }

    /// `rest` is a model's id, or one with a Gemini verb behind its last colon.
    fn model(&self, rest: &'p str) -> Found<'p> {
        for colon in [":", "%3A", "%3a"] {
            let Some((model, verb)) = rest.rsplit_once(colon) else { continue };
            let model = PathText(model);
            match verb {
                _ if model.0.is_empty() => {}
                "generateContent" => {
                    return Found::post(Operation::GenerateGemini { model, stream: false });
                }
                "streamGenerateContent" => {
                    return Found::post(Operation::GenerateGemini { model, stream: true });
                }
                "countTokens" => return Found::post(Operation::CountTokensGemini { model }),
                _ => {}
            }
        }
        Found::get(Operation::Model { id: PathText(rest), shape: self.shape() })
    }
}

/// What follows `text` in `path`, when it ends there or a slash follows.
fn segment<'p>(path: &'p str, text: &str) -> Option<&'p str> {
    path.strip_prefix(text).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;

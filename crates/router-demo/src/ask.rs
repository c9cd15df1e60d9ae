//! What a request asks for and what is answered, free of any dialect.

use serde_json::Value;

use crate::models::Rules;

/// A tool on offer.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) name: String,
    /// What it is for, used to find the tool that fits a request.
    pub(crate) about: String,
    /// The schema of its arguments; none for a freeform tool.
    pub(crate) schema: Option<Value>,
    /// The namespace it stands in, where the dialect has such a thing.
    pub(crate) space: Option<String>,
}

/// Which tools the answer may or must call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    #[default]
    Auto,
    Never,
    Some,
    Named(String),
}

/// A tool's result since the last answer.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) text: String,
    pub(crate) failed: bool,
}

/// The form the text of the answer must have.
#[derive(Clone, Debug, Default)]
pub(crate) enum Form {
    #[default]
    Text,
    /// Any JSON object.
    Json,
    /// JSON of this schema.
    Schema(Value),
}

/// Whether to think, and whether the thoughts are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Think {
    #[default]
    No,
    Hidden,
    Shown,
}

/// A stretch of the prompt in the order a cache sees it.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) content: String,
    pub(crate) tokens: u64,
    pub(crate) mark: CacheMark,
}

/// Whether a segment ends a prefix to be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CacheMark {
    #[default]
    None,
    Minutes,
    Hour,
}

/// A request as the model sees it.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) model: String,
    pub(crate) rules: Rules,
    pub(crate) stream: bool,
    /// The text of the last user turn.
    pub(crate) prompt: String,
    pub(crate) results: Vec<Given>,
    /// Answers with tool calls since the last user turn.
    pub(crate) rounds: usize,
    pub(crate) tools: Vec<Tool>,
    pub(crate) choice: Choice,
    pub(crate) parallel: bool,
    /// One sentence for each image or document of the last user turn and the
    /// results after it.
    pub(crate) media: Vec<String>,
    pub(crate) form: Form,
    pub(crate) stops: Vec<String>,
    /// The most output tokens.
    pub(crate) limit: Option<u64>,
    pub(crate) think: Think,
    pub(crate) segments: Vec<Segment>,
    /// Whether only marked prefixes are cached, or all.
    pub(crate) marks_only: bool,
}

impl Ask {
    /// An empty request to a model.
    pub(crate) fn new(model: &str, rules: Rules) -> Self {
        Self {
            model: model.into(),
            rules,
            stream: false,
            prompt: String::new(),
            results: Vec::new(),
            rounds: 0,
            tools: Vec::new(),
            choice: Choice::Auto,
            parallel: true,
            media: Vec::new(),
            form: Form::Text,
            stops: Vec::new(),
            limit: None,
            think: Think::No,
            segments: Vec::new(),
            marks_only: false,
        }
    }

    /// A new user turn begins: earlier results and media are settled.
    pub(crate) fn user_turn(&mut self) {
        self.prompt.clear();
        self.results.clear();
        self.media.clear();
        self.rounds = 0;
    }

    /// Adds a part of the prompt for counting and caching.
    pub(crate) fn segment(&mut self, value: &Value, mark: CacheMark) {
        let mut value = value.clone();
        if let Some(object) = value.as_object_mut() {
            object.remove("cache_control");
        }
        let tokens = crate::tokens::of(&value);
        self.segments.push(Segment { content: value.to_string(), tokens, mark });
    }

    /// Tokens of the whole prompt.
    pub(crate) fn prompt_tokens(&self) -> u64 {
        self.segments.iter().map(|segment| segment.tokens).sum()
    }
}

/// One part of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    Thought(String),
    Text(String),
    Refusal(String),
    Call(Call),
}

/// A tool call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) space: Option<String>,
    /// JSON text, or the bare input of a freeform tool.
    pub(crate) input: String,
    pub(crate) freeform: bool,
}

/// Why an answer ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stop {
    Done,
    Length,
    Sequence(String),
    Calls,
    Refusal,
}

/// Tokens by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Input neither read from nor written to the cache.
    pub(crate) input: u64,
    pub(crate) read: u64,
    pub(crate) write: u64,
    /// The part of `write` kept for an hour.
    pub(crate) write_hour: u64,
    /// All output, thoughts included.
    pub(crate) output: u64,
    pub(crate) thoughts: u64,
}

impl Usage {
    /// Input with everything the cache saw.
    pub(crate) fn whole_input(self) -> u64 {
        self.input + self.read + self.write
    }
}

/// A finished answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) stop: Stop,
    pub(crate) usage: Usage,
}

impl Answer {
    /// All text of the answer, joined.
    pub(crate) fn text(&self) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => Some(text.clone()),
            _ => None,
        };
        self.pieces.iter().filter_map(text).collect()
    }

    pub(crate) fn thoughts(&self) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Thought(text) => Some(text.clone()),
            _ => None,
        };
        self.pieces.iter().filter_map(text).collect()
    }

    pub(crate) fn refusal(&self) -> Option<&str> {
        self.pieces.iter().find_map(|piece| match piece {
            Piece::Refusal(text) => Some(text.as_str()),
            _ => None,
        })
    }

    pub(crate) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Call(call) => Some(call),
            _ => None,
        })
    }
}

//! Tools the model may call, and how freely.

use super::content::{CacheMark, Json};
use super::request::{Extra, Foreign};
use crate::json::Str;

/// A tool on offer.
#[derive(Clone, Debug)]
pub enum Tool<'a> {
    /// A function with a JSON object as input.
    Function(Box<Function<'a>>),
    /// A tool that takes free text.
    Custom(Box<CustomTool<'a>>),
    /// The vendor's web search.
    WebSearch(Box<WebSearch<'a>>),
    /// Another tool that the vendor runs or defines. Its [`Foreign::fallback`] may be
    /// [`super::Fallback::Function`].
    Hosted(Box<Foreign<'a>>),
}

/// A function the client runs.
#[derive(Clone, Debug)]
pub struct Function<'a> {
    /// Name, without its namespace.
    pub name: Str<'a>,
    /// Group it belongs to (Responses `namespace`).
    pub namespace: Option<Str<'a>>,
    /// What it does.
    pub description: Option<Str<'a>>,
    /// JSON Schema of the input. Nothing means an empty object.
    pub parameters: Option<Json<'a>>,
    /// Whether the input must follow the schema exactly. Nothing leaves it to the dialect.
    pub strict: Option<bool>,
    /// Cache mark.
    pub cache: Option<CacheMark>,
    /// Whether the tool is only loaded when a tool search finds it.
    pub defer_loading: bool,
    /// Members only one dialect has.
    pub extras: Vec<Extra<'a>>,
}

impl<'a> Function<'a> {
    /// A function with a name and nothing else.
    pub const fn new(name: Str<'a>) -> Self {
        Self {
            name,
            namespace: None,
            description: None,
            parameters: None,
            strict: None,
            cache: None,
            defer_loading: false,
            extras: Vec::new(),
        }
    }
}

/// A tool that takes free text, such as a patch.
#[derive(Clone, Debug)]
pub struct CustomTool<'a> {
    /// Name, without its namespace.
    pub name: Str<'a>,
    /// Group it belongs to.
    pub namespace: Option<Str<'a>>,
    /// What it does.
    pub description: Option<Str<'a>>,
    /// Form of the text.
    pub format: CustomFormat<'a>,
    /// Cache mark.
    pub cache: Option<CacheMark>,
    /// Members only one dialect has.
    pub extras: Vec<Extra<'a>>,
}

/// Form of a custom tool's input.
#[derive(Clone, Debug)]
pub enum CustomFormat<'a> {
    /// Any text.
    Text,
    /// Text of a grammar.
    Grammar {
        /// `lark` or `regex`.
        syntax: Str<'a>,
        /// The grammar.
        definition: Str<'a>,
    },
}

/// The vendor's web search.
#[derive(Clone, Debug, Default)]
pub struct WebSearch<'a> {
    /// Only these domains. Empty means all.
    pub allowed_domains: Vec<Str<'a>>,
    /// Not these domains.
    pub blocked_domains: Vec<Str<'a>>,
    /// Most searches in one request.
    pub max_uses: Option<u64>,
    /// Approximate place of the user, a flat object (`type`, `city`, `region`, `country`, `timezone`).
    pub user_location: Option<Json<'a>>,
    /// `low`, `medium` or `high`; OpenAI only.
    pub context_size: Option<Str<'a>>,
    /// Cache mark.
    pub cache: Option<CacheMark>,
    /// Members only one dialect has.
    pub extras: Vec<Extra<'a>>,
}

/// Names a tool in a choice.
#[derive(Clone, Debug)]
pub struct ToolName<'a> {
    /// Name, without its namespace.
    pub name: Str<'a>,
    /// Group it belongs to.
    pub namespace: Option<Str<'a>>,
    /// Whether it is a custom (free text) tool.
    pub custom: bool,
}

/// How freely the model chooses.
#[derive(Clone, Debug)]
pub enum ToolChoice<'a> {
    /// The model decides.
    Auto,
    /// Some tool must be called.
    Required,
    /// No tool may be called.
    None,
    /// This tool must be called.
    Named(ToolName<'a>),
    /// Only these tools may be called.
    Allowed {
        /// Whether one of them must be.
        required: bool,
        /// The tools.
        tools: Vec<ToolName<'a>>,
    },
    /// A choice only one dialect has.
    Foreign(Box<Foreign<'a>>),
}

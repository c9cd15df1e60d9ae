//! How much the model is to think, and in what form it is told so.

use serde::{Deserialize, Serialize};

/// The ladder of reasoning effort, lowest first.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// No reasoning.
    None,
    /// As little as possible.
    Minimal,
    /// Little.
    Low,
    /// Middle.
    Medium,
    /// Much.
    High,
    /// Very much.
    Xhigh,
    /// As much as possible.
    Max,
}

impl Effort {
    /// All levels, lowest first.
    pub const ALL: [Self; 7] =
        [Self::None, Self::Minimal, Self::Low, Self::Medium, Self::High, Self::Xhigh, Self::Max];

    /// The level's name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The level of a name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }

    /// The level of a word as people write it into a header: a name, or `off`, `normal`, `extra
    /// high`, `maximum` and the like.
    pub fn from_word(word: &str) -> Option<Self> {
        let mut word = word.trim().to_ascii_lowercase();
        word.retain(|c| !matches!(c, ' ' | '-' | '_'));
        Self::from_name(&word).or_else(|| {
            Some(match word.as_str() {
                "off" | "disabled" | "disable" => Self::None,
                "normal" | "standard" | "default" => Self::Medium,
                "extrahigh" => Self::Xhigh,
                "maximum" => Self::Max,
                _ => return None,
            })
        })
    }

    /// The level a thinking budget stands for: by its share of `max_tokens`, or by its size when
    /// no limit is known.
    pub fn from_budget(budget: u64, max_tokens: Option<u64>) -> Self {
        let steps = match max_tokens {
            Some(max) if max > 0 => {
                let share =
                    |percent: u64| budget.saturating_mul(100) >= max.saturating_mul(percent);
                [share(90), share(75), share(55), share(25)]
            }
            _ => [budget >= 32_000, budget >= 24_000, budget >= 6_000, false],
        };
        match (budget, max_tokens, steps) {
            (0, ..) => Self::None,
            (_, _, [true, ..]) => Self::Max,
            (_, Some(_), [_, true, ..]) => Self::Xhigh,
            (_, Some(_), [_, _, true, _]) | (_, None, [_, true, ..]) => Self::High,
            (_, Some(_), [_, _, _, true]) | (_, None, [_, _, true, _]) => Self::Medium,
            _ => Self::Low,
        }
    }
}

/// In what form thinking is asked for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ThinkingForm {
    /// Nothing was said.
    #[default]
    Unset,
    /// Switched off.
    Off,
    /// The model decides how much.
    Adaptive,
    /// At most this many tokens.
    Budget(u64),
}

/// How much of the thinking the client wants to see.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Shown {
    /// Nothing was said.
    #[default]
    Unset,
    /// Nothing but the opaque state.
    Hidden,
    /// A summary; the vendor chooses its length (Anthropic `summarized`, Responses `auto`,
    /// Gemini `includeThoughts`).
    Summary,
    /// A short summary.
    Concise,
    /// A long summary.
    Detailed,
}

/// Everything about thinking in one request.
///
/// Readers state what the client asked. After `fit` it is what the target takes: `effort` is a
/// level the model knows or nothing, `form` one the model accepts or [`ThinkingForm::Unset`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Reasoning {
    /// Level asked for.
    pub effort: Option<Effort>,
    /// Form asked for.
    pub form: ThinkingForm,
    /// What is shown of it.
    pub shown: Shown,
}

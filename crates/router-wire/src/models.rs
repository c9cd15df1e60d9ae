//! Lists of models: written in the shape each dialect's clients read, and read as upstreams
//! send them.

use serde::Serialize;

use crate::Dialect;

mod read;

pub use read::{List, Listed, read_list};

/// One model or alias, as the host knows it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ModelRow<'a> {
    /// The name a client asks for, such as `provider/model` or an alias.
    pub id: &'a str,
    /// The provider's id, or the router's own name for an alias.
    pub owned_by: &'a str,
    /// A name for people; empty takes the id.
    pub display_name: &'a str,
    /// When the model was created, in seconds since 1970; 0 when nobody knows.
    pub created_s: u64,
    /// The most tokens a conversation may have.
    pub context_window: Option<u64>,
    /// The most tokens one answer may have.
    pub output_tokens_max: Option<u64>,
    /// The dialects its upstream speaks.
    pub dialects: &'a [Dialect],
}

impl ModelRow<'_> {
    fn name(&self) -> &str {
        if self.display_name.is_empty() { self.id } else { self.display_name }
    }
}

/// Which part of a list a client asks for, in the way of its dialect.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Page<'a> {
    /// Messages: `limit`. `None` gives everything: routers have few models, and a client that
    /// says nothing rarely asks again.
    pub limit: Option<usize>,
    /// Messages: `after_id`.
    pub after_id: Option<&'a str>,
    /// Messages: `before_id`.
    pub before_id: Option<&'a str>,
}

/// Renders a list of models as JSON. Only the Messages shape has pages.
pub fn render_list(dialect: Dialect, rows: &[ModelRow<'_>], page: Page<'_>) -> Vec<u8> {
    match dialect {
        Dialect::Anthropic => json(&anthropic_list(rows, page)),
        Dialect::OpenaiChat | Dialect::OpenaiResponses => {
            json(&OpenaiList { object: "list", data: rows.iter().map(openai).collect() })
        }
        Dialect::Gemini => json(&GeminiList { models: rows.iter().map(gemini).collect() }),
    }
}

/// Renders one model as JSON.
pub fn render_one(dialect: Dialect, row: &ModelRow<'_>) -> Vec<u8> {
    match dialect {
        Dialect::Anthropic => json(&anthropic(row)),
        Dialect::OpenaiChat | Dialect::OpenaiResponses => json(&openai(row)),
        Dialect::Gemini => json(&gemini(row)),
    }
}

/// Writes seconds since 1970 as RFC 3339 in UTC, such as `2025-02-19T00:00:00Z`.
pub fn rfc3339(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's civil_from_days, for days since 1970 that are not negative: years begin
    // in March, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn openai<'a>(row: &'a ModelRow<'a>) -> OpenaiModel<'a> {
    OpenaiModel {
        id: row.id,
        object: "model",
        created: row.created_s,
        owned_by: row.owned_by,
        provider_id: row.owned_by,
        name: row.name(),
        formats: row.dialects.iter().map(|dialect| dialect.name()).collect(),
        context_window: row.context_window,
        max_output_tokens: row.output_tokens_max,
    }
}

fn anthropic<'a>(row: &'a ModelRow<'a>) -> AnthropicModel<'a> {
    AnthropicModel {
        kind: "model",
        id: row.id,
        display_name: row.name(),
        created_at: rfc3339(row.created_s),
        max_input_tokens: row.context_window,
        max_tokens: row.output_tokens_max,
    }
}

fn anthropic_list<'a>(rows: &'a [ModelRow<'a>], page: Page<'_>) -> AnthropicList<'a> {
    let place = |id: Option<&str>| rows.iter().position(|row| Some(row.id) == id);
    let start = place(page.after_id).map_or(0, |at| at + 1);
    let end = place(page.before_id).unwrap_or(rows.len()).max(start);
    let limit = page.limit.unwrap_or(usize::MAX).max(1);
    let window = rows.get(start..end).unwrap_or_default();
    let backwards = page.before_id.is_some() && page.after_id.is_none();
    let shown = if backwards {
        window.get(window.len().saturating_sub(limit)..)
    } else {
        window.get(..limit.min(window.len()))
    }
    .unwrap_or_default();
    AnthropicList {
        data: shown.iter().map(anthropic).collect(),
        has_more: shown.len() < window.len(),
        first_id: shown.first().map(|row| row.id),
        last_id: shown.last().map(|row| row.id),
    }
}

fn gemini<'a>(row: &'a ModelRow<'a>) -> GeminiModel<'a> {
    GeminiModel {
        name: format!("models/{}", row.id),
        display_name: row.name(),
        input_token_limit: row.context_window,
        output_token_limit: row.output_tokens_max,
        supported_generation_methods: ["generateContent", "streamGenerateContent", "countTokens"],
    }
}

#[derive(Serialize)]
struct OpenaiList<'a> {
    object: &'a str,
    data: Vec<OpenaiModel<'a>>,
}

#[derive(Serialize)]
struct OpenaiModel<'a> {
    id: &'a str,
    object: &'a str,
    created: u64,
    owned_by: &'a str,
    provider_id: &'a str,
    name: &'a str,
    formats: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_window: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
}

#[derive(Serialize)]
struct AnthropicList<'a> {
    data: Vec<AnthropicModel<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

#[derive(Serialize)]
struct AnthropicModel<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
    display_name: &'a str,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
}

#[derive(Serialize)]
struct GeminiList<'a> {
    models: Vec<GeminiModel<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GeminiModel<'a> {
    name: String,
    display_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_token_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_token_limit: Option<u64>,
    supported_generation_methods: [&'static str; 3],
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // The types above hold nothing that JSON cannot: no maps, no floats.
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;

//! The smallest request that a model must answer, in each dialect.

use router_wire::Dialect;
use router_wire::facts::{Facts, TokensField};
use router_wire::translate::{Options, RequestExtra, Session, Target, translate_request};
use serde_json::json;

/// Tokens of the answer: the smallest limit that the Responses API takes.
const TOKENS: u64 = 16;
/// Tokens where a model wants room to think first.
const TOKENS_MORE: u64 = 1024;

/// The limit on an answer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Limit {
    /// `None` leaves it to the provider.
    tokens: Option<u64>,
    field: TokensField,
}

impl Limit {
    /// What to try, one after the other, with a model that does not like the one before.
    pub(super) fn variants(dialect: Dialect, facts: &Facts) -> Vec<Self> {
        let field = facts.tokens_field;
        let small = Self { tokens: Some(TOKENS), field };
        let large = Self { tokens: Some(TOKENS_MORE), field };
        let none = Self { tokens: None, field };
        if dialect != Dialect::OpenaiChat {
            return vec![small, large, none];
        }
        let other = match field {
            TokensField::MaxTokens => TokensField::MaxCompletionTokens,
            TokensField::MaxCompletionTokens => TokensField::MaxTokens,
        };
        vec![small, Self { field: other, ..small }, large, Self { field: other, ..large }, none]
    }
}

/// A request, and what reading its answer takes.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) body: Vec<u8>,
    pub(super) session: Session,
}

/// Writes the request in a dialect, with what is known about the model.
pub(super) fn question(
    dialect: Dialect,
    model: &str,
    facts: &Facts,
    limit: Limit,
) -> Result<Question, String> {
    let mut source = json!({
        "model": model,
        "messages": [{"role": "user", "content": "Answer with the word OK."}],
    });
    if let (Some(tokens), Some(members)) = (limit.tokens, source.as_object_mut()) {
        members.insert("max_completion_tokens".to_owned(), tokens.into());
    }
    let facts = Facts { tokens_field: limit.field, ..facts.clone() };
    let options = Options::default();
    let target = Target { dialect, model, facts: &facts, options: &options };
    let extra = RequestExtra::default();
    let source = source.to_string();
    let written = translate_request(Dialect::OpenaiChat, source.as_bytes(), &extra, &target);
    let written = written.map_err(|error| error.to_string())?;
    Ok(Question { body: written.body, session: written.session })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn written(dialect: Dialect, limit: Limit) -> Value {
        let question = question(dialect, "m", &Facts::default(), limit).unwrap();
        serde_json::from_slice(&question.body).unwrap()
    }

    #[test]
    fn the_limit_stands_where_each_dialect_has_it() {
        let facts = Facts::default();
        let first = |dialect| written(dialect, Limit::variants(dialect, &facts)[0]);
        assert_eq!(first(Dialect::OpenaiChat)["max_tokens"], TOKENS);
        assert_eq!(first(Dialect::OpenaiResponses)["max_output_tokens"], TOKENS);
        assert_eq!(first(Dialect::Anthropic)["max_tokens"], TOKENS);
        assert_eq!(first(Dialect::Gemini)["generationConfig"]["maxOutputTokens"], TOKENS);
    }

    #[test]
    fn the_variants_differ_and_end_without_a_limit() {
        let variants = Limit::variants(Dialect::OpenaiChat, &Facts::default());
        let bodies: Vec<_> =
            variants.iter().map(|limit| written(Dialect::OpenaiChat, *limit)).collect();
        assert_eq!(bodies[1]["max_completion_tokens"], TOKENS);
        assert_eq!(bodies[1].get("max_tokens"), None);
        assert_eq!(bodies[2]["max_tokens"], TOKENS_MORE);
        assert_eq!(bodies[4].get("max_tokens"), None);
        assert_eq!(bodies[4].get("max_completion_tokens"), None);
    }
}

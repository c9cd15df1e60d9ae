//! What to speak to a candidate.

use router_wire::Dialect;

use super::RequestFacts;
use crate::catalog::{Model, Provider};

/// The outbound dialect for a model: the client's where the upstream speaks it, since then
/// nothing is translated; else the one that carries most; `None` if there is none.
///
/// Reasoning models of `OpenAI` take tools together with reasoning only through Responses, so for
/// these it comes before Chat. Otherwise the config's order decides.
pub fn outbound(facts: &RequestFacts, provider: &Provider, model: &Model) -> Option<Dialect> {
    let speaks = |dialect: Dialect| {
        let all = provider.dialects.as_slice();
        let provider_speaks =
            if all.is_empty() { dialect == Dialect::OpenaiChat } else { all.contains(&dialect) };
        provider_speaks && (model.dialects.is_empty() || model.dialects.contains(&dialect))
    };
    if speaks(facts.inbound) {
        return Some(facts.inbound);
    }
    if facts.native_only {
        return None;
    }
    if speaks(Dialect::OpenaiResponses) && needs_responses(&model.id) {
        return Some(Dialect::OpenaiResponses);
    }
    if provider.dialects.is_empty() {
        return speaks(Dialect::OpenaiChat).then_some(Dialect::OpenaiChat);
    }
    provider.dialects.iter().copied().find(|dialect| speaks(*dialect))
}

/// Whether a model id names one of `OpenAI`'s reasoning models: `o1`.., `gpt-5`.., `*codex*`.
fn needs_responses(id: &str) -> bool {
    let name = id.rsplit('/').next().unwrap_or(id).to_ascii_lowercase();
    let digit_after = |prefix: &str, least: u8| {
        let rest = name.strip_prefix(prefix).map(str::as_bytes);
        rest.and_then(|rest| rest.first()).is_some_and(|b| b.is_ascii_digit() && *b >= least)
    };
    digit_after("o", b'1') || digit_after("gpt-", b'5') || name.contains("codex")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dialect::{Anthropic, Gemini, OpenaiChat, OpenaiResponses};

    #[track_caller]
    fn check(
        inbound: Dialect,
        provider: &[Dialect],
        model: (&str, &[Dialect]),
        expect: Option<Dialect>,
    ) {
        let facts = RequestFacts {
            inbound,
            native_only: false,
            session: None,
            tokens: crate::bucket::Tokens::default(),
            client: None,
        };
        let provider = Provider { dialects: provider.to_vec(), ..Provider::default() };
        let model = Model { id: model.0.into(), dialects: model.1.to_vec(), ..Model::default() };
        assert_eq!(outbound(&facts, &provider, &model), expect);
        let native = RequestFacts { native_only: true, ..facts };
        assert_eq!(outbound(&native, &provider, &model), expect.filter(|d| *d == inbound));
    }

    #[test]
    fn the_clients_dialect_comes_first_then_the_richest_pair() {
        check(OpenaiChat, &[Anthropic, OpenaiChat], ("m", &[]), Some(OpenaiChat));
        check(Anthropic, &[OpenaiChat, OpenaiResponses], ("gpt-4o", &[]), Some(OpenaiChat));
        check(Anthropic, &[OpenaiChat, OpenaiResponses], ("gpt-5.1", &[]), Some(OpenaiResponses));
        check(Anthropic, &[OpenaiChat, OpenaiResponses], ("openai/o3", &[]), Some(OpenaiResponses));
        check(
            Anthropic,
            &[OpenaiChat, OpenaiResponses],
            ("gpt-5.1", &[OpenaiChat]),
            Some(OpenaiChat),
        );
        check(OpenaiResponses, &[Gemini, Anthropic], ("m", &[]), Some(Gemini));
        check(Anthropic, &[], ("m", &[]), Some(OpenaiChat));
        check(Anthropic, &[OpenaiChat], ("m", &[Gemini]), None);
    }
}

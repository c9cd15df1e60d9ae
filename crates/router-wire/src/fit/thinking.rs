//! Thinking as the target takes it: how much, in what form, and which state goes back.

use crate::canonical::{
    Content, Effort, Losses, Opaque, Part, Reasoning, Request, Role, Severity, Shown, Thinking,
    ThinkingForm, ToolChoice, envelope,
};
use crate::dialect::Dialect;
use crate::facts::{Facts, ReasoningContent, ThinkingKind};
use crate::json::{Kind, Raw, Str};
use crate::openai_chat::details::ROUTER;
use crate::translate::{REDACTED, RequestExtra, Target, native_vendor};

/// Smallest thinking budget of Messages, in tokens.
const BUDGET_MIN: u64 = 1024;

/// Adapts thinking.
pub(super) fn fit<'a>(
    request: &mut Request<'a>,
    inbound: Dialect,
    extra: &RequestExtra<'a>,
    target: &Target<'_>,
    losses: &mut Losses,
) {
    put_back(request, inbound, extra);
    keep_own_state(request, extra.stateless, target, losses);
    if inbound == Dialect::OpenaiChat
        && target.options.reasoning_to_chat
        && request.reasoning.shown == Shown::Unset
    {
        // A Chat client cannot ask, and sees `reasoning_content` by default.
        request.reasoning.shown = Shown::Summary;
    }
    let on = matches!(request.reasoning.form, ThinkingForm::Adaptive | ThinkingForm::Budget(_));
    let foreign = inbound == Dialect::Anthropic && target.dialect != Dialect::Anthropic;
    if foreign && on && request.reasoning.shown == Shown::Unset {
        // A client that turns thinking on and says no more waits for thinking blocks.
        request.reasoning.shown = Shown::Summary;
    }
    let asked = asked(request);
    match target.dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses => {
            let asked = asked.or_else(|| adaptive_level(request, inbound, target.facts));
            fit_openai(request, asked, target, losses);
        }
        Dialect::Anthropic => fit_messages(request, asked, target, losses),
        Dialect::Gemini => fit_gemini(request, asked, target, losses),
    }
}

/// Puts state that the client's dialect could not carry in front of the calls it belongs to.
fn put_back<'a>(request: &mut Request<'a>, inbound: Dialect, extra: &RequestExtra<'a>) {
    if extra.kept.is_empty() {
        return;
    }
    for turn in request.turns.iter_mut().filter(|turn| turn.role == Role::Assistant) {
        let has_state = |part: &Part<'_>| match &part.content {
            Content::Thinking(thinking) => thinking.opaque.is_some(),
            _ => false,
        };
        if turn.parts.iter().any(has_state) {
            // The reader knew where the state belongs.
            continue;
        }
        let mut parts = Vec::with_capacity(turn.parts.len() + 1);
        let (mut text, mut used) = (None, false);
        for part in std::mem::take(&mut turn.parts) {
            if let Content::ToolCall(call) = &part.content {
                for (_, state) in extra.kept.iter().filter(|(id, _)| call.id == *id.as_str()) {
                    let opaque =
                        envelope::unwrapped(&Str::plain(state.as_str()), native_vendor(inbound));
                    let redacted = opaque.family.as_deref() == Some(REDACTED);
                    let text = if redacted { None } else { text.take() };
                    used |= text.is_some();
                    let text = text.unwrap_or_default();
                    let thinking = Thinking { text, opaque: Some(opaque), redacted };
                    let content = Content::Thinking(Box::new(thinking));
                    parts.push(Part::new(content, part.origin));
                }
            }
            if let Content::Thinking(thinking) = &part.content {
                // The client has the words, the router the state.
                text.get_or_insert_with(|| thinking.text.clone());
            }
            parts.push(part);
        }
        if used {
            // Its words stand with the state now.
            let unsigned = |part: &Part<'_>| match &part.content {
                Content::Thinking(thinking) => thinking.opaque.is_none(),
                _ => false,
            };
            if let Some(at) = parts.iter().position(unsigned) {
                parts.remove(at);
            }
        }
        turn.parts = parts;
    }
}

/// Leaves out the thinking that the target cannot take as its own.
fn keep_own_state(
    request: &mut Request<'_>,
    stateless: bool,
    target: &Target<'_>,
    losses: &mut Losses,
) {
    let facts = target.facts;
    let own = |opaque: &Opaque<'_>| !stateless && opaque.vendor == facts.vendor.as_str();
    let keeps = |thinking: &Thinking<'_>| match target.dialect {
        Dialect::OpenaiChat => {
            let required = facts.reasoning_content == ReasoningContent::Required;
            // Google's Chat server takes its signatures back with the calls.
            let signed = facts.vendor == "google";
            let routed = thinking.opaque.as_ref().is_some_and(|opaque| {
                !stateless && opaque.vendor == ROUTER && takes_details(opaque, facts)
            });
            let own = thinking.opaque.as_ref().filter(|opaque| own(opaque));
            routed
                || (required && (!thinking.text.is_empty() || own.is_some()))
                || (signed && own.is_some_and(|opaque| !opaque.payload.is_empty()))
        }
        Dialect::Anthropic | Dialect::OpenaiResponses | Dialect::Gemini => {
            let sealed = |o: &Opaque<'_>| !o.vendor.is_empty() && !o.payload.is_empty();
            thinking.opaque.as_ref().is_some_and(|o| own(o) && sealed(o))
        }
    };
    for turn in &mut request.turns {
        turn.parts.retain(|part| {
            let Content::Thinking(thinking) = &part.content else { return true };
            let kept = keeps(thinking);
            let says_something = !thinking.text.is_empty() || thinking.opaque.is_some();
            if !kept && says_something {
                losses.add_at(
                    Severity::Setting,
                    "thinking-history",
                    part.origin,
                    "only the model that thought it can take it back",
                );
            }
            kept
        });
    }
}

/// Whether the details OpenRouter gave out for a model can go to this one: it is of the same vendor,
/// and not at OpenAI's own API, which refuses members it does not know. They passed through the
/// client, so they are looked at.
fn takes_details(opaque: &Opaque<'_>, facts: &Facts) -> bool {
    let vendor = facts.vendor.as_str();
    let same = opaque.family.as_deref().is_none_or(|family| vendor.is_empty() || family == vendor);
    let is_list =
        || Raw::parse(&opaque.payload.decode()).is_ok_and(|raw| raw.kind() == Kind::Array);
    same && !facts.openai_extras && is_list()
}

/// The level the client asked for, if any.
fn asked(request: &Request<'_>) -> Option<Effort> {
    let Reasoning { effort, form, shown: _ } = request.reasoning;
    match (form, effort) {
        // "Off" beside a level: some vendors refuse the pair, and off is what was meant.
        (ThinkingForm::Off, _) => Some(Effort::None),
        (_, Some(level)) => Some(level),
        (ThinkingForm::Budget(tokens), None) => {
            Some(Effort::from_budget(tokens, request.max_tokens))
        }
        (ThinkingForm::Adaptive | ThinkingForm::Unset, None) => None,
    }
}

fn lose(losses: &mut Losses, why: &'static str) {
    losses.member(Severity::Setting, "reasoning_effort", why);
}

/// The level to send, with a word where it is not the one asked for.
fn clamped(asked: Option<Effort>, facts: &Facts, losses: &mut Losses) -> Option<Effort> {
    let asked = asked?;
    let level = facts.clamp(asked);
    match level {
        _ if facts.efforts.is_empty() => {
            // A model that never thinks does what "none" asks for.
            if asked != Effort::None || facts.reasons {
                lose(losses, "the model takes no effort");
            }
        }
        None => lose(losses, "the model cannot be kept from thinking"),
        Some(level) if level != asked => lose(losses, "the nearest level the model knows is used"),
        Some(_) => {}
    }
    level
}

/// The level for thinking that is on, where nobody named one: a model that takes "none" does not
/// think unless it is told to. What Gemini clients call dynamic is what they get by default, too.
fn adaptive_level(request: &Request<'_>, inbound: Dialect, facts: &Facts) -> Option<Effort> {
    let on = request.reasoning.form == ThinkingForm::Adaptive && inbound != Dialect::Gemini;
    (on && facts.efforts.contains(&Effort::None)).then_some(Effort::Medium)
}

fn fit_openai(
    request: &mut Request<'_>,
    asked: Option<Effort>,
    target: &Target<'_>,
    losses: &mut Losses,
) {
    let facts = target.facts;
    let mut level = clamped(asked, facts, losses);
    if target.dialect == Dialect::OpenaiChat
        && facts.chat_tools_refuse_effort
        && !request.tools.is_empty()
        && level.is_some_and(|level| level != Effort::None)
    {
        level = facts.efforts.contains(&Effort::None).then_some(Effort::None);
        lose(losses, "the model takes no effort beside tools on Chat");
    }
    request.reasoning.effort = level;
    request.reasoning.form = ThinkingForm::Unset;
}

fn fit_messages(
    request: &mut Request<'_>,
    asked: Option<Effort>,
    target: &Target<'_>,
    losses: &mut Losses,
) {
    let facts = target.facts;
    let form = request.reasoning.form;
    request.reasoning.effort = None;
    request.reasoning.form = ThinkingForm::Unset;
    if facts.thinking.is_empty() {
        if asked.is_some_and(|level| level != Effort::None) {
            lose(losses, "the model does not think");
        }
        return;
    }
    let wanted = match (asked, form) {
        (None, ThinkingForm::Adaptive) => None,
        (None, _) => return,
        (Some(level), _) => Some(level),
    };
    if wanted == Some(Effort::None) {
        if facts.thinks(ThinkingKind::Disabled) {
            request.reasoning.form = ThinkingForm::Off;
        } else {
            request.reasoning.effort = clamped(Some(Effort::Low), facts, losses);
            lose(losses, "the model cannot be kept from thinking");
        }
        return;
    }
    if forced(request) && facts.thinks(ThinkingKind::Disabled) {
        request.reasoning.form = ThinkingForm::Off;
        lose(losses, "the model cannot think when a tool is forced");
        return;
    }
    if facts.thinks(ThinkingKind::Adaptive) {
        request.reasoning.form = ThinkingForm::Adaptive;
        request.reasoning.effort = clamped(wanted, facts, losses);
        return;
    }
    if !facts.efforts.is_empty() {
        request.reasoning.effort = clamped(wanted, facts, losses);
    }
    if calls_without_thinking(request) {
        lose(losses, "the tool calls of this turn were made without thinking");
        return;
    }
    let exact = if let ThinkingForm::Budget(tokens) = form { Some(tokens) } else { None };
    fit_budget(request, wanted.unwrap_or(Effort::Medium), exact, target, losses);
}

/// Whether the client insists on a tool.
const fn forced(request: &Request<'_>) -> bool {
    matches!(
        request.tool_choice,
        Some(
            ToolChoice::Required
                | ToolChoice::Named(_)
                | ToolChoice::Allowed { required: true, .. }
        )
    )
}

/// Whether the conversation stands in the middle of a tool loop whose last turn of the assistant
/// does not begin with thinking: then Messages refuses a budget.
fn calls_without_thinking(request: &Request<'_>) -> bool {
    let last = request.turns.iter().rfind(|turn| turn.role == Role::Assistant);
    last.is_some_and(|turn| {
        turn.parts.iter().any(|part| matches!(part.content, Content::ToolCall(_)))
            && !matches!(turn.parts.first().map(|part| &part.content), Some(Content::Thinking(_)))
    })
}

fn fit_budget(
    request: &mut Request<'_>,
    level: Effort,
    exact: Option<u64>,
    target: &Target<'_>,
    losses: &mut Losses,
) {
    let limit = target.facts.max_output.unwrap_or(target.options.max_tokens_default);
    // Without a limit of the client's there is room for both thinking and answer.
    let max = request.max_tokens.unwrap_or(limit).min(limit);
    let percent = match level {
        Effort::None | Effort::Minimal => 0,
        Effort::Low => 20,
        Effort::Medium => 45,
        Effort::High => 75,
        Effort::Xhigh => 90,
        Effort::Max => 100,
    };
    let budget = exact.unwrap_or_else(|| max.saturating_mul(percent) / 100);
    if max <= BUDGET_MIN {
        lose(losses, "the token limit leaves no room for thinking");
        return;
    }
    request.max_tokens.get_or_insert(max);
    request.reasoning.form = ThinkingForm::Budget(budget.clamp(BUDGET_MIN, max - 1));
}

fn fit_gemini(
    request: &mut Request<'_>,
    asked: Option<Effort>,
    target: &Target<'_>,
    losses: &mut Losses,
) {
    let facts = target.facts;
    let form = std::mem::take(&mut request.reasoning.form);
    request.reasoning.effort = None;
    let Some(level) = asked else { return };
    if facts.thinks(ThinkingKind::Level) {
        request.reasoning.effort = clamped(Some(level), facts, losses);
    } else if facts.thinks(ThinkingKind::Budget) {
        let tokens = match (level, form) {
            (Effort::None, _) if facts.thinks(ThinkingKind::Disabled) => 0,
            (_, ThinkingForm::Budget(tokens)) => {
                let most = facts.budget_max.unwrap_or(u64::MAX);
                if most < tokens {
                    lose(losses, "lowered to the highest budget the model takes");
                }
                tokens.min(most)
            }
            _ => gemini_budget(level),
        };
        if level == Effort::None && tokens > 0 {
            lose(losses, "the model cannot be kept from thinking");
        }
        request.reasoning.form = ThinkingForm::Budget(tokens);
    } else if level != Effort::None {
        lose(losses, "the model does not think");
    }
}

/// Thinking budgets of Gemini 2.5, which takes up to 24,576 tokens in all its sizes.
const fn gemini_budget(level: Effort) -> u64 {
    match level {
        Effort::None | Effort::Minimal => 512,
        Effort::Low => 2048,
        Effort::Medium => 8192,
        Effort::High => 16_384,
        Effort::Xhigh | Effort::Max => 24_576,
    }
}

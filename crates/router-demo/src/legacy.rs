//! Embeddings and legacy completions.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Dialect;
use crate::ask::{Ask, CacheMark};
use crate::brain;
use crate::json::{flag, given, strings, text};
use crate::refusal::Refusal;
use crate::reply::{Event, Mark, Reply};
use crate::route::model_rules;
use crate::shape::{self, COUNT, Kind, STR, may, need};
use crate::state::State;
use crate::tokens;

/// Numbers in an embedding unless the request asks for another count.
const DIMENSIONS: usize = 64;

/// A fixed time of creation (2026-01-01), so that answers are always the same.
const CREATED: u64 = 1_767_225_600;

static EMBEDDINGS: Kind = Kind::Obj(&[
    need("model", STR),
    need("input", Kind::Either(&[Kind::Str(1, usize::MAX), Kind::List(1, 2048, &Kind::Any)])),
    may("dimensions", Kind::Int(1, 4096)),
    may("encoding_format", Kind::Word(&["float", "base64"])),
    may("user", STR),
]);

static COMPLETIONS: Kind = Kind::Obj(&[
    need("model", STR),
    may("prompt", Kind::Maybe(&Kind::Either(&[STR, Kind::List(0, 2048, &Kind::Any)]))),
    may("best_of", Kind::Maybe(&COUNT)),
    may("echo", Kind::Maybe(&Kind::Bool)),
    may("frequency_penalty", Kind::Maybe(&Kind::Num(-2.0, 2.0))),
    may("logit_bias", Kind::Maybe(&Kind::Open)),
    may("logprobs", Kind::Maybe(&Kind::Int(0, 5))),
    may("max_tokens", Kind::Maybe(&COUNT)),
    may("n", Kind::Maybe(&Kind::Int(1, 128))),
    may("presence_penalty", Kind::Maybe(&Kind::Num(-2.0, 2.0))),
    may("seed", Kind::Maybe(&Kind::Int(i64::MIN, i64::MAX))),
    may("stop", Kind::Maybe(&Kind::Either(&[STR, Kind::List(0, 4, &STR)]))),
    may("stream", Kind::Maybe(&Kind::Bool)),
    may("stream_options", Kind::Maybe(&Kind::Open)),
    may("suffix", Kind::Maybe(&STR)),
    may("temperature", Kind::Maybe(&Kind::Num(0.0, 2.0))),
    may("top_p", Kind::Maybe(&Kind::Num(0.0, 1.0))),
    may("user", STR),
]);

/// A reply and the model whose faults apply to it.
type Done = (Reply, Option<String>);

fn start(state: &State, body: &Value, kind: &Kind) -> Result<Ask, Refusal> {
    if state.options.strict {
        shape::check(body, kind, false).map_err(|flaw| Refusal::of_flaw(Dialect::Chat, &flaw))?;
    }
    let model = text(body, "model");
    Ok(Ask::new(model, model_rules(state, Dialect::Chat, model)?))
}

/// `POST /v1/embeddings`: vectors of unit length that depend on the input alone.
pub(crate) fn embeddings(state: &State, body: &Value) -> Result<Done, Refusal> {
    let ask = start(state, body, &EMBEDDINGS)?;
    let count = given(body, "dimensions").and_then(Value::as_u64);
    let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(DIMENSIONS);
    let inputs: Vec<String> = match body.get("input") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) if many.iter().all(Value::is_number) => {
            vec![Value::from(many.clone()).to_string()]
        }
        Some(Value::Array(many)) => many
            .iter()
            .map(|one| match one {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            })
            .collect(),
        _ => Vec::new(),
    };
    let encoded = text(body, "encoding_format") == "base64";
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let vector = vector(input, count);
            let embedding = if encoded { base64(&vector) } else { json!(vector) };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let used: u64 = inputs.iter().map(|input| tokens::of_text(input)).sum();
    let out = json!({
        "object": "list", "data": data, "model": ask.model,
        "usage": {"prompt_tokens": used, "total_tokens": used},
    });
    Ok((Reply::json(200, &out), Some(ask.model)))
}

fn vector(input: &str, count: usize) -> Vec<f32> {
    let mut numbers = Vec::with_capacity(count);
    let mut block: u32 = 0;
    while numbers.len() < count {
        let hash = Sha256::new_with_prefix(input).chain_update(block.to_le_bytes()).finalize();
        numbers.extend(hash.iter().map(|byte| f32::from(*byte) - 127.5));
        block += 1;
    }
    numbers.truncate(count);
    let length = numbers.iter().map(|number| number * number).sum::<f32>().sqrt();
    numbers.iter().map(|number| number / length).collect()
}

fn base64(vector: &[f32]) -> Value {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    crate::base64::encode(&bytes).into()
}

/// `POST /v1/completions`.
pub(crate) fn completions(state: &State, body: &Value, id: u64) -> Result<Done, Refusal> {
    let mut ask = start(state, body, &COMPLETIONS)?;
    ask.prompt = strings(body, "prompt").join("\n");
    ask.limit = Some(given(body, "max_tokens").and_then(Value::as_u64).unwrap_or(16));
    ask.stops = strings(body, "stop");
    ask.stream = flag(body, "stream");
    let prompt = ask.prompt.clone();
    ask.segment(&json!(prompt), CacheMark::None);
    let answer = brain::answer(&ask, state.cache.account(&ask), id);
    let finish = match answer.stop {
        crate::ask::Stop::Length => "length",
        _ => "stop",
    };
    let object = |text: &str, finish: Option<&str>, usage: Value| {
        let choice = json!({"index": 0, "text": text, "logprobs": null, "finish_reason": finish});
        json!({
            "id": format!("cmpl-demo{id:012}"), "object": "text_completion", "created": CREATED,
            "model": ask.model, "choices": [choice], "usage": usage,
        })
    };
    let used = answer.usage;
    let usage = json!({
        "prompt_tokens": used.whole_input(), "completion_tokens": used.output,
        "total_tokens": used.whole_input() + used.output,
    });
    let text = answer.text();
    let mut reply = if ask.stream {
        let mut events: Vec<Event> = tokens::chunks(&text)
            .iter()
            .map(|part| Event::data(Mark::Output, &object(part, None, Value::Null)))
            .collect();
        events.push(Event::data(Mark::Terminal, &object("", Some(finish), Value::Null)));
        if body.pointer("/stream_options/include_usage") == Some(&Value::Bool(true)) {
            let mut last = object("", None, usage);
            if let Some(members) = last.as_object_mut() {
                members.insert("choices".into(), json!([]));
            }
            events.push(Event::data(Mark::Terminal, &last));
        }
        events.push(Event::raw(Mark::Terminal, "data: [DONE]\n\n"));
        Reply::stream(events)
    } else {
        Reply::json(200, &object(&text, Some(finish), usage))
    };
    reply.pace = state.options.pace;
    Ok((reply, Some(ask.model)))
}

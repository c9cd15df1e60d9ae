//! `llm-router limit`.

use router_operator::operate::limit;
use serde_json::{Value, json};

use super::edit::{apply, file};
use super::list;
use crate::args::edit::{BucketFlags, LimitCommand};
use crate::cx::Cx;
use crate::outcome::{Failure, Outcome};
use crate::output::{STRONG, styled};

pub(crate) fn run(cx: &Cx, command: LimitCommand) -> Result<Outcome, Failure> {
    match command {
        LimitCommand::Add(flags) => {
            let fields = fields(&flags.fields, flags.id.clone(), None);
            apply(cx, flags.edit, |document| limit::put(document, &flags.provider, &fields, false))
        }
        LimitCommand::List { provider } => {
            let limits = limit::list(&file(cx)?, provider.as_deref());
            Ok(Outcome::new(text(&limits), json!({ "limits": limits })))
        }
        LimitCommand::Remove { provider, id, edit } => {
            cx.confirm(&format!("Remove bucket `{id}` of provider `{provider}`?"))?;
            apply(cx, edit, |document| limit::remove(document, &provider, &id))
        }
    }
}

/// What the flags say; `models` are those of another flag with the same meaning.
pub(crate) fn fields(
    flags: &BucketFlags,
    id: Option<String>,
    models: Option<String>,
) -> limit::Fields {
    let whole = [
        ("requests", flags.bucket_requests),
        ("tokens", flags.bucket_tokens),
        ("inputTokens", flags.bucket_input_tokens),
        ("outputTokens", flags.bucket_output_tokens),
        ("concurrent", flags.bucket_concurrent),
    ];
    let caps = whole.into_iter().filter_map(|(key, cap)| Some((key, cap?.into())));
    let cost = flags.bucket_cost.and_then(limit::cost).map(|cost| ("cost", cost));
    limit::Fields {
        id,
        name: flags.bucket_name.clone(),
        models: flags.bucket_models.clone().or(models),
        caps: caps.chain(cost).collect(),
        window: flags.bucket_window.clone(),
        scope: flags.bucket_scope.clone(),
        time_zone: flags.bucket_time_zone.clone(),
        rename_to: flags.bucket_rename_to.clone(),
        metadata: None,
    }
}

fn text(limits: &Value) -> String {
    let mut lines = Vec::new();
    for each in limits.as_array().into_iter().flatten() {
        let buckets = each.get("buckets").and_then(Value::as_array);
        let buckets = buckets.map(Vec::as_slice).unwrap_or_default();
        if !buckets.is_empty() {
            let id = each.get("provider").and_then(Value::as_str).unwrap_or_default();
            lines.push(styled(STRONG, id));
            lines.extend(buckets.iter().map(|bucket| format!("  {}", list::bucket(bucket))));
        }
    }
    if lines.is_empty() { "no buckets".to_owned() } else { lines.join("\n") }
}

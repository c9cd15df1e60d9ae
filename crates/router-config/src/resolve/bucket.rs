//! `providers[].rateLimits[]`.

use router_core::bucket::Tokens;
use router_core::catalog::{Bucket, BucketModels, Model, Window, WindowUnit};
use router_core::window::knows_zone;

use crate::names::{nearest, slug};
use crate::read::Context;
use crate::schema;

/// Spellings of units.
const UNITS: [(&str, WindowUnit); 6] = [
    ("second", WindowUnit::Second),
    ("minute", WindowUnit::Minute),
    ("hour", WindowUnit::Hour),
    ("day", WindowUnit::Day),
    ("week", WindowUnit::Week),
    ("month", WindowUnit::Month),
];

/// Checks the buckets of a provider. A bucket without meaning is an error: leaving it out would
/// lift a cap that someone wanted.
pub(crate) fn all(
    written: &[schema::Bucket],
    models: &[Model],
    disabled: &[String],
    cx: &mut Context<'_>,
) -> Vec<Bucket> {
    let mut buckets: Vec<Bucket> = Vec::with_capacity(written.len());
    for (index, bucket) in written.iter().enumerate() {
        let Some(id) = id(bucket, index, &buckets, cx) else { continue };
        let limits = [
            bucket.requests,
            bucket.tokens,
            bucket.input_tokens,
            bucket.output_tokens,
            bucket.cost.map(millionths),
            bucket.concurrent,
        ];
        let is_capped = check_limits(bucket, &limits, cx);
        let window = window(bucket, cx);
        let covered = covered(bucket, models, disabled, cx);
        let per_credential = per_credential(bucket, cx);
        let (true, Some(window), Some(models)) = (is_capped, window, covered) else { continue };
        let [requests, tokens, input_tokens, output_tokens, cost, concurrent] = limits;
        buckets.push(Bucket {
            id,
            models,
            per_credential,
            window,
            requests,
            tokens,
            input_tokens,
            output_tokens,
            cost,
            concurrent,
        });
    }
    buckets
}

/// An explicit id, or one made of the name that no earlier bucket has.
fn id(
    bucket: &schema::Bucket,
    index: usize,
    seen: &[Bucket],
    cx: &mut Context<'_>,
) -> Option<String> {
    let is_taken = |id: &str| seen.iter().any(|each| each.id == id);
    let explicit = bucket.id.as_deref().map(str::trim).filter(|id| !id.is_empty());
    if let Some(id) = explicit {
        if is_taken(id) {
            let path = format!("{}.id", bucket.at);
            cx.error(&path, format!("bucket id `{id}` is taken"), "give each bucket its own id");
            return None;
        }
        return Some(id.to_owned());
    }
    let number = index.saturating_add(1);
    let name = bucket.name.as_ref().map(super::provider::text_of).unwrap_or_default();
    let base = match slug(&name) {
        slugged if slugged.is_empty() => format!("bucket-{number}"),
        slugged => slugged,
    };
    let numbered = (2..).map(|number: u64| format!("{base}-{number}"));
    std::iter::once(base.clone()).chain(numbered).find(|id| !is_taken(id))
}

fn check_limits(bucket: &schema::Bucket, limits: &[Option<u64>], cx: &mut Context<'_>) -> bool {
    let names = ["requests", "tokens", "inputTokens", "outputTokens", "cost", "concurrent"];
    let zeros = names.iter().zip(limits).filter(|(_, limit)| **limit == Some(0));
    let mut is_good = true;
    for (name, _) in zeros {
        let path = format!("{}.{name}", bucket.at);
        cx.error(
            &path,
            format!("`{name}` is not more than 0"),
            "set a number above 0, or turn off what it caps",
        );
        is_good = false;
    }
    if limits.iter().all(Option::is_none) {
        cx.error(
            &bucket.at,
            "the bucket caps nothing",
            "add `requests`, `tokens`, `inputTokens`, `outputTokens`, `cost` or `concurrent`",
        );
        is_good = false;
    }
    is_good
}

fn window(bucket: &schema::Bucket, cx: &mut Context<'_>) -> Option<Window> {
    let nested = bucket.window.as_ref();
    let unit_text = nested.and_then(|window| window.unit.as_deref());
    let (unit_path, unit_text) = match unit_text {
        Some(text) => ("window.unit", Some(text)),
        None => ("windowUnit", bucket.window_unit.as_deref()),
    };
    let unit_path = format!("{}.{unit_path}", bucket.at);
    let time_zone = bucket.time_zone.as_deref().map(str::trim).filter(|zone| !zone.is_empty());
    if let Some(zone) = time_zone.filter(|zone| !knows_zone(zone)) {
        let path = format!("{}.timeZone", bucket.at);
        cx.error(
            &path,
            format!("`{zone}` is not a time zone"),
            "write a name such as `Europe/Berlin`",
        );
    }
    let counts_in_window = bucket.requests.or(bucket.tokens).or(bucket.input_tokens);
    let counts_in_window =
        counts_in_window.or(bucket.output_tokens).is_some() || bucket.cost.is_some();
    let unit = match unit_text.map(|text| text.trim().to_lowercase()) {
        None if counts_in_window => {
            cx.error(
                &bucket.at,
                "the bucket has no window",
                "add `\"window\": {\"unit\": \"day\"}`",
            );
            return None;
        }
        None => WindowUnit::Second,
        Some(text) => unit(&unit_path, &text, cx)?,
    };
    let size = nested.and_then(|window| window.size).or(bucket.window_size).unwrap_or(1);
    let size = u32::try_from(size).ok().filter(|size| *size > 0).or_else(|| {
        let path = format!("{}.window.size", bucket.at);
        cx.error(&path, "the size of the window is out of bounds", "set a number of at least 1");
        None
    })?;
    Some(Window { unit, size, time_zone: time_zone.map(str::to_owned) })
}

fn unit(path: &str, text: &str, cx: &mut Context<'_>) -> Option<WindowUnit> {
    let singular = text.strip_suffix('s').unwrap_or(text);
    if let Some((_, unit)) = UNITS.iter().find(|(name, _)| *name == text || *name == singular) {
        return Some(*unit);
    }
    let near = nearest(text, UNITS.iter().map(|(name, _)| *name));
    let hint = near.map_or_else(
        || "use second, minute, hour, day, week or month".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    cx.error(path, format!("`{text}` is not a unit of time"), &hint);
    None
}

/// Dollars as what is counted; negative ones become 0.
fn millionths(dollars: f64) -> u64 {
    Tokens::default().at_cost(dollars).cost
}

fn per_credential(bucket: &schema::Bucket, cx: &mut Context<'_>) -> bool {
    match bucket.scope.as_deref().map(str::trim) {
        None | Some("" | "provider") => false,
        Some("credential") => true,
        Some(other) => {
            let path = format!("{}.scope", bucket.at);
            cx.error(&path, format!("`{other}` is not a scope"), "use `provider` or `credential`");
            false
        }
    }
}

/// The models a bucket counts. Selectors that name nothing are left out one by one.
fn covered(
    bucket: &schema::Bucket,
    models: &[Model],
    disabled: &[String],
    cx: &mut Context<'_>,
) -> Option<BucketModels> {
    let path = format!("{}.models", bucket.at);
    let selectors = bucket.models.as_ref().map(|texts| texts.0.as_slice()).unwrap_or_default();
    if selectors.is_empty() {
        cx.error(&path, "the bucket names no models", "add `\"models\": [\"all\"]` or model ids");
        return None;
    }
    if selectors.iter().any(|(_, selector)| selector.eq_ignore_ascii_case("all")) {
        if selectors.len() > 1 {
            let hint = "keep `all` alone, or name the models";
            cx.warn(&path, "`all` covers the other models of the list too", hint);
        }
        return Some(BucketModels::All);
    }
    let mut known = Vec::with_capacity(selectors.len());
    for (index, selector) in selectors {
        let by_alias = |model: &&Model| model.aliases.iter().any(|alias| alias == selector);
        if models.iter().any(|model| model.id == *selector) {
            known.push(selector.clone());
        } else if let Some(model) = models.iter().find(by_alias) {
            known.push(model.id.clone());
        } else if !disabled.iter().any(|each| each == selector) {
            let near = nearest(selector, models.iter().map(|model| model.id.as_str()));
            let hint = near.map_or_else(
                || "name a model of this provider by its id".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            cx.warn(
                &format!("{path}[{index}]"),
                format!("the provider has no model `{selector}`"),
                &hint,
            );
        }
    }
    // A bucket of models that are all gone or off caps nothing, and does no harm.
    (!known.is_empty()).then_some(BucketModels::Only(known))
}

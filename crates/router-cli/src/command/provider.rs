//! `llm-router provider`.

use router_config::nearest;
use router_operator::operate::provider::{self, Expect, Fields};
use router_operator::{presets, view};
use serde_json::{Map, Value, json};

use super::edit::{apply, file, secret};
use super::list;
use super::put::Put;
use crate::args::provider::{ProviderAdd, ProviderCommand, ProviderFlags};
use crate::cx::Cx;
use crate::outcome::{Failure, Outcome};
use crate::output::{FAINT, STRONG, styled};

pub(crate) fn run(cx: &Cx, command: ProviderCommand) -> Result<Outcome, Failure> {
    match command {
        ProviderCommand::Add(flags) => add(cx, &flags),
        ProviderCommand::Edit(flags) => {
            let mut fields = fields(cx, &flags.fields)?;
            fields.cascade = flags.cascade;
            let put = Put {
                id: Some(&flags.id),
                fields,
                expect: Expect::Known,
                template: Map::new(),
                preset: None,
                master: None,
                asking: flags.asking,
                edit: flags.edit,
            };
            put.run(cx)
        }
        ProviderCommand::List => {
            let view = view::config(&file(cx)?);
            let providers = view.get("providers").cloned().unwrap_or_default();
            Ok(Outcome::new(list::providers(&providers), json!({ "providers": providers })))
        }
        ProviderCommand::Show { id } => {
            let file = file(cx)?;
            let shown = view::provider_of(&file, &id).ok_or_else(|| {
                let view = view::config(&file);
                let all = view.get("providers").and_then(Value::as_array);
                unknown(all.map(Vec::as_slice).unwrap_or_default(), &id)
            })?;
            Ok(Outcome::new(list::providers(&json!([shown])), shown))
        }
        ProviderCommand::Presets => known(),
        ProviderCommand::Probe(flags) => super::probe::run(cx, &flags),
        ProviderCommand::Test(flags) => super::test::run(cx, &flags),
        ProviderCommand::Models(flags) => super::models::run(cx, &flags),
        ProviderCommand::Remove(flags) => {
            cx.confirm(&format!("Remove provider `{}` with its models?", flags.id))?;
            apply(cx, flags.cascade.edit, |document| {
                provider::remove(document, &flags.id, flags.cascade.cascade)
            })
        }
        ProviderCommand::Rename(flags) => {
            apply(cx, flags.edit, |document| provider::rename(document, &flags.id, &flags.to))
        }
        ProviderCommand::Enable(flags) => {
            apply(cx, flags.edit, |document| provider::enable(document, &flags.id, true))
        }
        ProviderCommand::Disable(flags) => {
            apply(cx, flags.edit, |document| provider::enable(document, &flags.id, false))
        }
    }
}

fn add(cx: &Cx, flags: &ProviderAdd) -> Result<Outcome, Failure> {
    let fields = fields(cx, &flags.fields)?;
    let preset = flags.preset.as_deref().map(presets::find).transpose()?;
    let template = preset.as_ref().map(|preset| preset.provider(flags.free_tier)).transpose()?;
    let preset_id =
        preset.as_ref().filter(|_| flags.fields.name.is_none()).map(|it| it.id.as_str());
    let put = Put {
        id: flags.id.as_deref().or(preset_id),
        fields,
        expect: Expect::New,
        template: template.unwrap_or_default(),
        preset: preset.as_ref(),
        master: None,
        asking: flags.asking,
        edit: flags.edit,
    };
    put.run(cx)
}

/// What the flags say; reads the credential from standard input if told so.
pub(crate) fn fields(cx: &Cx, flags: &ProviderFlags) -> Result<Fields, Failure> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    let key = given(&flags.api_key).map(|text| secret(cx, "--api-key", &text)).transpose()?;
    let by_env = given(&flags.api_key_env).map(|name| format!("env:{}", name.trim()));
    let by_format = [
        ("openai", &flags.openai_base_url),
        ("claude", &flags.claude_base_url),
        ("gemini", &flags.gemini_base_url),
    ];
    Ok(Fields {
        name: given(&flags.name),
        endpoints: given(&flags.endpoints),
        base_url: given(&flags.base_url),
        by_format: by_format
            .into_iter()
            .filter_map(|(format, url)| Some((format, given(url)?)))
            .collect(),
        api_key: key.or(by_env),
        no_key: flags.no_key,
        models: given(&flags.models),
        format: given(&flags.format),
        formats: given(&flags.formats),
        headers: flags.headers.clone(),
        cascade: false,
        is_probed: flags.skip_probe != Some(true),
    })
}

/// There is no such provider, but perhaps one with nearly this name.
pub(crate) fn unknown(providers: &[Value], id: &str) -> Failure {
    let ids = providers.iter().filter_map(|each| each.get("id").and_then(Value::as_str));
    let failure = Failure::input(format!("there is no provider `{id}`"));
    match nearest(id, ids) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("`llm-router provider list` shows them"),
    }
}

fn known() -> Result<Outcome, Failure> {
    let all = presets::all()?;
    let width = all.iter().map(|preset| preset.id.len()).max().unwrap_or_default();
    let lines = all.iter().map(|preset| {
        let id = format!("{:width$}", preset.id);
        let needs = preset.key_env.as_deref().map(|env| format!("--api-key env:{env}"));
        let needs = needs.unwrap_or_else(|| "no key".to_owned());
        format!("{}  {:16}  {}", styled(STRONG, id), preset.name, styled(FAINT, needs))
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let presets: Vec<Value> = all.iter().map(presets::Preset::to_json).collect();
    Ok(Outcome::new(text, json!({ "presets": presets })))
}

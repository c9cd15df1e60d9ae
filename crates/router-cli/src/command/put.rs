//! Adding and changing a provider: it is asked first, so that what is saved is known to work.

use router_config::edit::Document;
use router_operator::file::ConfigFile;
use router_operator::operate::confirm::{Confirmation, confirmation};
use router_operator::operate::provider::{self, Expect, Fields};
use router_operator::operate::{Done, key};
use router_operator::presets::Preset;
use router_operator::probe::{Report, Subject, state_path};
use router_secret::Host;
use serde_json::{Map, Value};

use super::edit::{apply, secret};
use super::probe;
use crate::args::edit::Edit;
use crate::args::probe::Asking;
use crate::cx::Cx;
use crate::outcome::{Failure, Kind, Outcome};
use crate::output::{BAD, note, styled};

/// A provider as typed.
pub(crate) struct Put<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) fields: Fields,
    pub(crate) expect: Expect,
    /// Members of a new provider; the fields win over them.
    pub(crate) template: Map<String, Value>,
    /// Where the template is from.
    pub(crate) preset: Option<&'a Preset>,
    /// A master key that is set along with it.
    pub(crate) master: Option<String>,
    pub(crate) asking: Asking,
    pub(crate) edit: Edit,
}

impl Put<'_> {
    /// Probes the provider, unless told not to, and saves it with what was found.
    pub(crate) fn run(mut self, cx: &Cx) -> Result<Outcome, Failure> {
        let path = cx.config_path()?;
        let mut draft = ConfigFile::new(&path, &Host).read()?.document;
        if cx.may_ask && provider::lacks_key(&draft, self.id, &self.fields, &self.template) {
            let of = self.preset.map(|preset| format!(" of {}", preset.name)).unwrap_or_default();
            self.fields.api_key = Some(secret(cx, &format!("API key{of}"), "-")?);
        }
        if !self.fields.is_probed {
            return self.save(cx, None);
        }
        let done = self.put(&mut draft, None)?;
        let id = done.result.get("provider").and_then(|it| it.get("id")).and_then(Value::as_str);
        let id = id.unwrap_or_default();
        let is_new = done.result.get("added").and_then(Value::as_bool) == Some(true);
        match confirmation(&draft, id, (&self.fields, is_new), &Host)? {
            Confirmation::Skip(why) => {
                self.fields.is_probed = false;
                self.save(cx, why)
            }
            Confirmation::Probe(_) if self.edit.dry_run => self
                .save(cx, Some("a dry run asks nobody: a probe comes before it is saved".into())),
            Confirmation::Probe(subject) => self.probed(cx, &subject),
        }
    }

    fn probed(mut self, cx: &Cx, subject: &Subject) -> Result<Outcome, Failure> {
        let state = state_path(&cx.config_path()?, &subject.upstream.id);
        let report = probe::ask(cx, subject, self.asking.settings(), &state)?;
        let again = "the same command goes on from here";
        let mend = "nothing was saved: correct it, or save it unasked with --skip-probe";
        match probe::usable(&report, again, mend) {
            Ok(()) => {}
            Err(failure) if cx.may_ask && failure.kind != Kind::Interrupted => {
                note(&format!("{} {failure}", styled(BAD, "error:")));
                cx.confirm("Save it all the same?")?;
                self.fields.is_probed = false;
                return self.save(cx, None);
            }
            Err(failure) => return Err(failure),
        }
        let found = Some((&report, subject));
        let outcome = apply(cx, self.edit, |document| self.put(document, found))?;
        Ok(probe::with_report(outcome, &report))
    }

    /// Saves it as it is.
    fn save(&self, cx: &Cx, why: Option<String>) -> Result<Outcome, Failure> {
        apply(cx, self.edit, |document| {
            let mut done = self.put(document, None)?;
            done.notes.extend(why);
            Ok(done)
        })
    }

    fn put(
        &self,
        document: &mut Document,
        found: Option<(&Report, &Subject)>,
    ) -> Result<Done, Failure> {
        let Self { id, fields, expect, template, .. } = self;
        let done = match found {
            None => provider::put(document, *id, fields, *expect, template),
            Some((report, subject)) => {
                let found = (report, &subject.upstream);
                provider::put_probed(document, *id, fields, *expect, template, found)
            }
        };
        let mut done = done.map_err(|failure| match self.preset {
            Some(preset) => preset.explain(failure),
            None => failure,
        })?;
        if let Some(master) = &self.master {
            super::key::along(&mut done, key::set(document, master)?);
        }
        Ok(done)
    }
}

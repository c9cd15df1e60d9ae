//! The JSON Schema of the config file, generated from the types.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::shell::root;

const PATH: &str = "schema/llm-router.schema.json";

/// Writes the schema, or with `check` compares it with the committed one.
pub(crate) fn run(check: bool) -> Result<()> {
    let path = root().join(PATH);
    let fresh = format!("{:#}\n", router_config::schema::json_schema());
    if !check {
        return fs::write(&path, fresh).with_context(|| format!("cannot write {PATH}"));
    }
    let committed = fs::read_to_string(&path).with_context(|| format!("cannot read {PATH}"))?;
    if committed != fresh {
        bail!("{PATH} is stale; run `cargo x schema`");
    }
    Ok(())
}

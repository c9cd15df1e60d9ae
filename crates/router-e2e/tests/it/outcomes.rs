//! The native server does what the parity files say every host has to do.

use anyhow::{Result, bail};
use router_e2e::{Router, parity};

#[test]
fn the_native_server_keeps_to_the_parity_files() -> Result<()> {
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    let mut different = Vec::new();
    for name in parity::names()? {
        let outcomes = parity::play::<Router>(&parity::load(&name)?)?;
        if update {
            parity::write_expected(&name, &outcomes)?;
        }
        different.extend(parity::differences(&name, &outcomes)?);
    }
    if !different.is_empty() {
        bail!("{} steps differ:\n{}", different.len(), different.join("\n"));
    }
    Ok(())
}

//! The pure crates for wasm32: they build, and they import nothing from a host.

use anyhow::{Result, bail};

use crate::ci::PURE;
use crate::shell::{self, root};
use crate::tools;

/// The bare WebAssembly target.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Links each pure crate as a module of its own and looks at its imports.
pub(crate) fn run() -> Result<()> {
    tools::wasm_target()?;
    for name in PURE {
        shell::run(
            "cargo",
            &[
                "rustc",
                "-p",
                name,
                "--lib",
                "--locked",
                "--target",
                TARGET,
                "--crate-type",
                "cdylib",
            ],
        )?;
        let module = format!("{}.wasm", name.replace('-', "_"));
        let path = root().join("target").join(TARGET).join("debug").join(&module);
        let imports = imports(&std::fs::read(&path)?)?;
        if !imports.is_empty() {
            bail!("{name} is not pure: it imports {}", imports.join(", "));
        }
    }
    Ok(())
}

/// Names of a module's imports (WebAssembly core specification, binary format, section 2).
fn imports(module: &[u8]) -> Result<Vec<String>> {
    let mut reader = Reader { bytes: module, at: 8 };
    while let Some(id) = reader.byte() {
        let size = reader.number()?;
        if id != 2 {
            reader.at += size;
            continue;
        }
        let count = reader.number()?;
        let mut names = Vec::new();
        for _ in 0..count {
            let (from, name) = (reader.name()?, reader.name()?);
            names.push(format!("{from}.{name}"));
            reader.skip_description()?;
        }
        return Ok(names);
    }
    Ok(Vec::new())
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied();
        self.at += 1;
        byte
    }

    /// An unsigned LEB128 number.
    fn number(&mut self) -> Result<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let Some(byte) = self.byte() else { bail!("the module ends early") };
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        bail!("a number is too long")
    }

    fn name(&mut self) -> Result<String> {
        let length = self.number()?;
        let bytes = self.bytes.get(self.at..self.at + length).unwrap_or_default();
        self.at += length;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    fn skip_description(&mut self) -> Result<()> {
        let kind = self.byte();
        if kind == Some(1) {
            self.at += 1;
        }
        if matches!(kind, Some(1 | 2)) {
            let has_max = self.number()? & 1 == 1;
            self.number()?;
            if !has_max {
                return Ok(());
            }
        } else if kind == Some(3) {
            self.at += 1;
        }
        self.number().map(drop)
    }
}

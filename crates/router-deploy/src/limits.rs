//! What an account's plan allows.
//!
//! Source: "Limits" in Cloudflare's documentation of Workers: compressed module 3 MB on the free
//! plan and 10 MB on the paid one; 64 and 128 variables and secrets; 5 KB each.

/// Bytes of one secret or variable at most.
pub(crate) const SECRET_BYTES_MAX: usize = 5 * 1024;
/// Compressed bytes of a module: free plan, paid plan.
pub(crate) const MODULE_BYTES_MAX: [usize; 2] = [3_000_000, 10_000_000];
/// Secrets and variables of a Worker: free plan, paid plan.
pub(crate) const BINDINGS_MAX: [usize; 2] = [64, 128];

/// Something larger than a plan allows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limit {
    /// What it is, with its size.
    pub what: String,
    /// Whether the paid plan would allow it.
    pub on_paid: bool,
    /// What to do.
    pub hint: &'static str,
}

/// Everything that does not fit the free plan; what the paid one does not allow either says so.
pub fn over_limits(module_gzip: usize, bindings: usize, largest_secret: usize) -> Vec<Limit> {
    let mut found = Vec::new();
    let [free, paid] = MODULE_BYTES_MAX;
    if module_gzip > free {
        found.push(Limit {
            what: format!(
                "the module has {module_gzip} compressed bytes; the free plan takes {free}"
            ),
            on_paid: module_gzip <= paid,
            hint: "use the module of a release",
        });
    }
    let [free, paid] = BINDINGS_MAX;
    if bindings > free {
        found.push(Limit {
            what: format!(
                "the Worker has {bindings} secrets and variables; the free plan takes {free}, the \
                 paid one {paid}"
            ),
            on_paid: bindings <= paid,
            hint: "keep the config in KV: --config-store kv",
        });
    }
    if largest_secret > SECRET_BYTES_MAX {
        found.push(Limit {
            what: format!(
                "a secret has {largest_secret} bytes; Cloudflare takes {SECRET_BYTES_MAX}"
            ),
            on_paid: false,
            hint: "no credential is that long; look at env:, file: and keychain: in the config",
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_byte_that_fits_fits() {
        assert_eq!(over_limits(3_000_000, 64, 5120), []);
        let over = over_limits(3_000_001, 65, 5121);
        assert_eq!(over.iter().map(|each| each.on_paid).collect::<Vec<_>>(), [true, true, false]);
        assert!(over_limits(10_000_001, 129, 0).iter().all(|each| !each.on_paid));
    }
}

//! Newer versions: how this copy was installed, and swapping it where nobody else does.
//!
//! The index is a small JSON document of whoever builds releases:
//!
//! ```json
//! { "releases": [ { "version": "1.2.0", "targets": {
//!     "x86_64-unknown-linux-gnu": { "url": "llm-router-1.2.0-linux", "sha256": "…64 digits…" } } } ] }
//! ```
//!
//! A URL may be relative to the index. Nothing is fetched in the clear but from this machine, and
//! nothing is run whose digest is not the one of the index.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use http::{Method, Request, Uri, header};
use router_client::{Client, FetchError, Limits, OutboundBody};
use serde::Deserialize;
use sha2::{Digest, Sha256};

mod copy;
mod swap;

pub use copy::{Copy, Origin, copy};
pub use swap::{Swapped, previous, rollback, swap};

/// Bytes of an index at most.
const INDEX_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of a program at most.
const PROGRAM_BYTES_MAX: usize = 256 * 1024 * 1024;
/// How long an index may take.
const INDEX_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a program may take.
const PROGRAM_TIME_MAX: Duration = Duration::from_mins(15);
/// Redirects followed at most, one after the other.
const REDIRECTS_MAX: usize = 5;

/// A release that this machine can run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Release {
    /// Its version.
    pub version: String,
    /// Where it is.
    pub url: String,
    /// SHA-256 of the program, 64 hexadecimal digits in lower case.
    pub sha256: String,
}

/// Why there is no newer program.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// An address that must not be fetched from.
    #[error("`{0}` is not an https address (http is for this machine only)")]
    Address(String),
    /// The index or the program could not be fetched.
    #[error("cannot fetch {url}: {error}")]
    Fetch {
        /// From where.
        url: String,
        /// What went wrong.
        error: FetchError,
    },
    /// The server has something to say instead.
    #[error("{url} answered {status}")]
    Status {
        /// From where.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The index is not what it should be.
    #[error("the index is not understood: {0}")]
    Index(String),
    /// No release for this machine.
    #[error("the index has no release for {0}")]
    Target(String),
    /// What was fetched is not what the index names.
    #[error(
        "the digest of the program is {found}, but the index says {expected}; nothing was changed"
    )]
    Digest {
        /// What came.
        found: String,
        /// What should have come.
        expected: String,
    },
    /// The program does not run here.
    #[error("the new program does not run: {0}; nothing was changed")]
    Broken(String),
    /// The program's file cannot be replaced.
    #[error("cannot replace {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// There is no earlier program.
    #[error("there is no earlier program at {}", .0.display())]
    NoPrevious(PathBuf),
}

#[derive(Deserialize)]
struct Index {
    releases: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    version: String,
    targets: BTreeMap<String, Target>,
}

#[derive(Deserialize)]
struct Target {
    url: String,
    sha256: String,
}

/// The target this program was built for, as the compiler names it.
pub fn target() -> String {
    let environment = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    let arch = std::env::consts::ARCH;
    match std::env::consts::OS {
        "linux" => format!("{arch}-unknown-linux-{environment}"),
        "macos" => format!("{arch}-apple-darwin"),
        "windows" => format!("{arch}-pc-windows-msvc"),
        other => format!("{arch}-unknown-{other}"),
    }
}

/// The newest release for this machine that the index has.
pub async fn newest(client: &Client, index: &str) -> Result<Release, UpdateError> {
    let body = fetch(client, index, INDEX_BYTES_MAX, INDEX_TIME_MAX).await?;
    let target = target();
    let parsed: Index =
        serde_json::from_slice(&body).map_err(|error| UpdateError::Index(error.to_string()))?;
    let releases = parsed.releases.into_iter().filter_map(|mut entry| {
        let numbers = numbers(&entry.version)?;
        Some((numbers, entry.version, entry.targets.remove(&target)?))
    });
    let (_, version, found) = releases
        .max_by_key(|(numbers, ..)| *numbers)
        .ok_or_else(|| UpdateError::Target(target.clone()))?;
    let sha256 = found.sha256.trim().to_ascii_lowercase();
    if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(UpdateError::Index(format!("the digest of {version} is not 64 hex digits")));
    }
    Ok(Release { version, url: absolute(index, &found.url), sha256 })
}

/// Whether `version` comes after `current`. A version that is none never does.
pub fn is_newer(version: &str, current: &str) -> bool {
    numbers(version) > numbers(current)
}

/// Fetches the program of a release and checks its digest.
pub async fn download(client: &Client, release: &Release) -> Result<Vec<u8>, UpdateError> {
    let program = fetch(client, &release.url, PROGRAM_BYTES_MAX, PROGRAM_TIME_MAX).await?;
    let digits = crate::hex(&Sha256::digest(&program));
    if digits != release.sha256 {
        return Err(UpdateError::Digest { found: digits, expected: release.sha256.clone() });
    }
    Ok(program)
}

/// `1.2.3`; a version with anything behind is a trial and no release.
fn numbers(version: &str) -> Option<[u64; 3]> {
    let mut parts = version.trim().trim_start_matches('v').split('.');
    let numbers = [parts.next()?, parts.next()?, parts.next()?];
    let [major, minor, patch] = numbers.map(|part| part.parse().ok());
    parts.next().is_none().then_some([major?, minor?, patch?])
}

fn absolute(base: &str, url: &str) -> String {
    if url.contains("://") {
        return url.to_owned();
    }
    let scheme = base.find("://").map_or(0, |at| at + 3);
    let rest = base.get(scheme..).unwrap_or_default();
    let origin = base.get(..scheme + rest.find('/').unwrap_or(rest.len())).unwrap_or(base);
    if url.starts_with('/') {
        return format!("{origin}{url}");
    }
    let folder = base.rfind('/').filter(|at| scheme < *at).and_then(|at| base.get(..at));
    format!("{}/{url}", folder.unwrap_or(origin))
}

async fn fetch(
    client: &Client,
    url: &str,
    body_bytes: usize,
    total: Duration,
) -> Result<Vec<u8>, UpdateError> {
    let mut url = url.to_owned();
    for _ in 0..=REDIRECTS_MAX {
        let uri = checked(&url)?;
        let request = Request::builder()
            .method(Method::GET)
            .uri(uri)
            .header(header::USER_AGENT, concat!("llm-router/", env!("CARGO_PKG_VERSION")))
            .body(OutboundBody::new([]))
            .map_err(|_| UpdateError::Address(url.clone()))?;
        let limits = Limits { total, body_bytes, ..Limits::default() };
        let answer = client.fetch(request, limits).await;
        let answer = answer.map_err(|error| UpdateError::Fetch { url: url.clone(), error })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer.into_body().to_vec());
        }
        let to = answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
        match to.filter(|_| status.is_redirection()) {
            Some(to) => url = absolute(&url, to),
            None => return Err(UpdateError::Status { url, status: status.as_u16() }),
        }
    }
    Err(UpdateError::Status { url, status: 310 })
}

fn checked(url: &str) -> Result<Uri, UpdateError> {
    let bad = || UpdateError::Address(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| bad())?;
    let host = uri.host().unwrap_or_default();
    let is_local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if is_local => Ok(uri),
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests;

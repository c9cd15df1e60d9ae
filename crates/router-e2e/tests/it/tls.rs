//! Upstreams behind TLS, with HTTP/2 where the two agree on it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use router_e2e::Router;
use router_e2e::http::post;
use serde_json::json;

#[test]
fn an_upstream_with_a_trusted_certificate_is_asked_by_the_best_version_it_speaks() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/tls");
    let mut origin = Command::new("node")
        .arg(folder.join("origin.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut ports = String::new();
    BufReader::new(origin.stdout.take().context("no output")?).read_line(&mut ports)?;
    let providers: Vec<_> = ["h2", "h1"]
        .iter()
        .zip(ports.split_whitespace())
        .map(|(id, port)| {
            json!({
                "id": id, "baseUrl": format!("https://localhost:{port}/v1"), "apiKey": "k",
                "format": "openai", "models": ["m"],
            })
        })
        .collect();
    let trusted = folder.join("ca.pem");
    let env = [("SSL_CERT_FILE", trusted.to_str().context("no path")?)];
    let router = Router::start_with(&json!({ "version": 2, "providers": providers }), &[], &env)?;
    for (model, version) in [("h2/m", "2.0"), ("h1/m", "1.1")] {
        let body = json!({ "model": model, "messages": [] });
        let answer = post(router.address(), "/v1/chat/completions", &body)?;
        assert_eq!(answer.json()?["via"], version, "{model}: {}", answer.text());
    }
    drop(origin.stdin.take());
    origin.wait()?;
    Ok(())
}

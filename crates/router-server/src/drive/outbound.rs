//! The request one candidate gets.

use bytes::Bytes;
use http::{Method, Request, Uri};
use router_config::{Operation as Endpoint, Upstream};
use router_core::failure::{Failure, FailureClass};
use router_core::plan::Candidate;
use router_wire::Dialect;
use router_wire::peek::Peek;
use router_wire::splice::{Part, Splice};

use super::{Job, headers};
use crate::client::body::OutboundBody;

/// Builds the request for `candidate`; what is in the way is the provider's configuration.
pub(super) fn build(job: &Job, candidate: &Candidate) -> Result<Request<OutboundBody>, Failure> {
    let misconfigured = |what: String| Failure::new(FailureClass::Misconfigured, what);
    let config = &job.snapshot.config;
    let provider = config.upstreams.get(candidate.model.provider);
    let provider = provider.ok_or_else(|| misconfigured("the provider is gone".to_owned()))?;
    let model = config.catalog.model(candidate.model).map_or("", |model| model.id.as_str());
    let uri = address(job, provider, candidate.dialect, model).ok_or_else(|| {
        misconfigured(format!("provider `{}` has no usable base URL", provider.id))
    })?;
    let added = provider.headers(candidate.dialect, candidate.credential);
    let mut added = added.map_err(misconfigured)?;
    headers::to_upstream(job, candidate.dialect, |beta| provider.allows_beta(beta), &mut added);
    let mut request = Request::new(body(job, model));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() = added;
    Ok(request)
}

fn address(job: &Job, provider: &Upstream, dialect: Dialect, model: &str) -> Option<Uri> {
    let uri = provider.endpoint(dialect, job.endpoint, model)?;
    let wants_beta = job.beta && dialect == Dialect::Anthropic;
    if !wants_beta || uri.query().is_some_and(|query| query.contains("beta=")) {
        return Some(uri);
    }
    let separator = if uri.query().is_some() { '&' } else { '?' };
    format!("{uri}{separator}beta=true").parse().ok()
}

/// The client's bytes, with the upstream's name of the model in place of the client's.
fn body(job: &Job, model: &str) -> OutboundBody {
    let peek = Peek::of(&job.body, &job.found);
    // Gemini names the model in the path, and only there.
    if job.dialect == Dialect::Gemini {
        return OutboundBody::new([job.body.clone()]);
    }
    let splice = Splice::model(&peek, model);
    OutboundBody::new(splice.into_parts().into_iter().map(|part| match part {
        Part::Original(range) => job.body.slice(range),
        Part::New(bytes) => Bytes::from(bytes),
    }))
}

/// Whether the endpoint answers with a stream of events when it is asked to.
pub(super) fn streams(job: &Job) -> bool {
    job.stream && matches!(job.endpoint, Endpoint::Generate { .. } | Endpoint::Completions)
}

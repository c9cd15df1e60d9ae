//! Which session a request belongs to.

use http::HeaderMap;
use router_core::catalog::AffinityPolicy;
use router_core::session::{Hints, SessionKey, hashed, named};
use router_wire::peek::Peek;

/// The session the client names; where it names none and config says so, one by hash, of
/// which `client`, the label of its key, is a part.
pub(crate) fn of(
    policy: &AffinityPolicy,
    client: &str,
    headers: &HeaderMap,
    peek: &Peek<'_>,
) -> Option<SessionKey> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let value = |member: Option<_>| member.map(|member| peek.value(member));
    let hints = Hints {
        header: &header,
        metadata: value(peek.metadata),
        prompt_cache_key: value(peek.prompt_cache_key),
    };
    named(&hints).or_else(|| policy.hash.then(|| hashed(client, peek.body())).flatten())
}

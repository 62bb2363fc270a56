//! Where a request comes from. The front doors say what they know, by extensions of the request.

use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::HeaderName;

use crate::access::address;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of the connection: a client, or a proxy.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// The front door has made sure of the caller already: a direct invocation on Lambda, which IAM allows or not.
#[derive(Debug, Clone, Copy)]
pub struct Authorized;

/// Something that the front door wants to be kept until the answer has been sent.
#[derive(Clone)]
pub struct UntilSent(#[expect(dead_code, reason = "it is kept, no more")] Arc<dyn Any + Send + Sync>);

impl UntilSent {
    pub fn new(kept: impl Any + Send + Sync) -> Self {
        Self(Arc::new(kept))
    }
}

/// The client's address, behind so many proxies.
pub fn address(request: &Request, proxies: usize) -> Option<IpAddr> {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    if proxies == 0 {
        return peer;
    }
    let values = request.headers().get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    // A request that did not come by all of them is one of its peer.
    address::forwarded(values.collect::<Vec<_>>().into_iter(), proxies).or(peer)
}

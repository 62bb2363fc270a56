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
pub struct ClientAddr(pub IpAddr);

/// The front door has made sure of the caller already: a direct invocation on Lambda, which IAM allows or not.
#[derive(Debug, Clone, Copy)]
pub struct PreAuthorized;

/// Something that the front door wants to be kept until the answer has been sent.
#[derive(Clone)]
pub struct WriteTracker(Arc<dyn OnWritten>);

/// What the front door knows an answer by.
pub trait OnWritten: Send + Sync {
    /// To be kept as long as a part of the answer is not written.
    fn part(&self) -> Box<dyn Any + Send + Sync>;
}

/// Kept as long as a part of an answer is not written.
pub struct PendingWrite {
    _part: Box<dyn Any + Send + Sync>,
    _until_sent: WriteTracker,
}

impl WriteTracker {
    pub fn new(answering: impl OnWritten + 'static) -> Self {
        Self(Arc::new(answering))
    }

    pub fn part(&self) -> PendingWrite {
        PendingWrite { _part: self.0.part(), _until_sent: self.clone() }
    }
}

/// The client's address, behind so many proxies.
pub fn address(request: &Request, proxies: usize) -> Option<IpAddr> {
    let peer = request.extensions().get::<ClientAddr>().map(|peer| peer.0);
    if proxies == 0 {
        return peer;
    }
    let values = request.headers().get_all(FORWARDED_FOR).iter();
    // A value is not passed over for what a client has put into it: a proxy's entry may stand behind that.
    let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    // A request that did not come by all of them is one of its peer.
    address::forwarded(values.iter().map(AsRef::as_ref), proxies).or(peer)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn what_a_client_puts_before_it_does_not_hide_a_proxys_entry() {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(ClientAddr([10, 0, 0, 1].into()));
        for value in [&b"203.0.113.9"[..], b"\xff, 192.0.2.7"] {
            request.headers_mut().append(FORWARDED_FOR, HeaderValue::from_bytes(value).expect("a value"));
        }
        assert_eq!(address(&request, 1), Some([192, 0, 2, 7].into()));
        assert_eq!(address(&request, 2), Some([10, 0, 0, 1].into()));
        assert_eq!(address(&request, 3), Some([203, 0, 113, 9].into()));
    }
}

//! The payload of an invocation of the Lambda function.

use axum::http::Request;
use py_executor::lambda::event::{self, Event};
use serde_json::Value;
use serde_json::value::RawValue;

use super::memory;

/// The bytes are the payload. Lambda delivers nothing but JSON.
pub fn check(payload: &[u8]) {
    let Ok(payload) = serde_json::from_slice::<Box<RawValue>>(payload) else { return };
    let text = payload.get();
    let said = memory::within(256 * text.len() + (1 << 20), || event::read(&payload));
    let context =
        serde_json::from_str::<Value>(text).ok().and_then(|mut value| Some(value.get_mut("requestContext")?.take()));
    match said {
        Ok(Event::Direct(request)) => {
            assert_eq!(request.get(), text);
            // A field that is there twice makes no event.
            let once = text.matches(r#""requestContext""#).count() == 1;
            assert!(!once || context.is_none_or(|context| context.is_null()), "an HTTP event was taken for a request");
        }
        Ok(Event::Http(request)) => {
            // This conversion is not ours; it panics about much that an event can say.
            let request: Request<_> = memory::within(256 * text.len() + (1 << 20), || (*request).into());
            let uri = request.uri();
            assert!(uri.path().starts_with('/') && uri.host().is_none() && uri.query().is_none(), "{uri}");
        }
        Err(error) => assert!(error.to_string().len() <= 1024, "{error:.200}"),
    }
}

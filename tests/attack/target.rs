//! Where the attacks go: an HTTP front door, or a function that is invoked.

use std::time::{Duration, Instant};

use reqwest::{Client, Method, Request, RequestBuilder};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::curl;
use super::reply::Reply;

/// The event of `GET /health` that a function gets from API Gateway.
const HEALTH_EVENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lambda/events/http-health.json"));

/// A deployment.
pub enum Target {
    Http(Http),
    Lambda(Lambda),
}

/// The front door that speaks HTTP.
pub struct Http {
    base: String,
    credentials: Credentials,
    client: Client,
}

/// Whom the front door takes the suite for.
#[derive(Default)]
pub struct Credentials {
    /// The service's own API key.
    pub key: Option<String>,
    /// A token for the platform in front of it, which looks for it where the key would be.
    pub token: Option<String>,
}

impl Credentials {
    /// The headers of a request with this key in place of the right one.
    fn headers(&self, key: Option<&str>) -> Vec<(&'static str, String)> {
        let bearer = |secret: &str| ("authorization", format!("Bearer {secret}"));
        match (self.token.as_deref(), key) {
            (Some(token), Some(key)) => vec![bearer(token), ("x-api-key", key.to_owned())],
            (Some(secret), None) | (None, Some(secret)) => vec![bearer(secret)],
            (None, None) => Vec::new(),
        }
    }
}

/// A function, which runs one invocation at a time.
pub struct Lambda {
    url: String,
    client: Client,
    turn: Mutex<()>,
}

impl Target {
    /// A service at `url`.
    pub fn http(url: &str, credentials: Credentials) -> Result<Self, String> {
        let base = checked(url)?;
        Ok(Self::Http(Http { base, credentials, client: client()? }))
    }

    /// A function whose invocations go to `url`.
    pub fn lambda(url: &str) -> Result<Self, String> {
        Ok(Self::Lambda(Lambda { url: checked(url)?, client: client()?, turn: Mutex::default() }))
    }

    /// Runs a script. An error is the words for an answer that did not come.
    pub async fn execute(&self, request: &Value, patience: Duration) -> Result<Reply, String> {
        match self {
            Self::Http(http) => http.execute(request, patience).await,
            Self::Lambda(lambda) => lambda.invoke(request.to_string(), patience).await,
        }
    }

    /// What `/health` answers, as it came.
    pub async fn health_text(&self) -> Result<String, String> {
        let patience = Duration::from_mins(1);
        match self {
            Self::Http(http) => Ok(send(http.request(Method::GET, "/health"), patience).await?.text),
            Self::Lambda(lambda) => Ok(body_of_event(&lambda.invoke(HEALTH_EVENT.to_owned(), patience).await?.text)),
        }
    }

    /// The same as JSON.
    pub async fn health(&self) -> Result<Value, String> {
        let text = self.health_text().await?;
        serde_json::from_str(&text).map_err(|error| format!("/health is no JSON: {error}: {text}"))
    }

    /// The HTTP front door, where there is one.
    pub fn as_http(&self) -> Option<&Http> {
        match self {
            Self::Http(http) => Some(http),
            Self::Lambda(_) => None,
        }
    }
}

impl Http {
    /// Host and port of the front door.
    pub fn authority(&self) -> (String, u16) {
        let (scheme, rest) = self.base.split_once("://").unwrap_or(("http", &self.base));
        let authority = rest.split('/').next().unwrap_or_default();
        let usual = if scheme == "https" { 443 } else { 80 };
        match authority.rsplit_once(':') {
            Some((host, port)) => (host.trim_matches(['[', ']']).to_owned(), port.parse().unwrap_or(usual)),
            None => (authority.to_owned(), usual),
        }
    }

    /// Whether bytes can be sent as they are.
    pub fn is_plain(&self) -> bool {
        self.base.starts_with("http://")
    }

    pub fn key(&self) -> Option<&str> {
        self.credentials.key.as_deref()
    }

    /// What lets a request in.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        self.credentials.headers(self.key())
    }

    /// A request with the key, where there is one.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_with_key(method, path, self.key())
    }

    /// The same with another key, or none.
    pub fn request_with_key(&self, method: Method, path: &str, key: Option<&str>) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        self.credentials.headers(key).into_iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    async fn execute(&self, request: &Value, patience: Duration) -> Result<Reply, String> {
        send(self.request(Method::POST, "/execute").json(request), patience).await
    }
}

impl Lambda {
    async fn invoke(&self, payload: String, patience: Duration) -> Result<Reply, String> {
        let _turn = self.turn.lock().await;
        let mut reply = send(self.client.post(&self.url).body(payload), patience).await?;
        let body = std::mem::take(&mut reply.text);
        Ok(Reply::invoked(body.as_bytes(), reply.took))
    }
}

/// Sends a request and reads the whole answer.
pub async fn send(request: RequestBuilder, patience: Duration) -> Result<Reply, String> {
    let start = Instant::now();
    let (client, request) = request.timeout(patience).build_split();
    let request = request.map_err(|error| format!("no such request can be made: {error}"))?;
    let (status, body) = match request.url().scheme() {
        "https" => curl::execute(&request, patience).await?,
        _ => plain(&client, request, patience).await?,
    };
    Ok(Reply::new(status, &body, start.elapsed()))
}

async fn plain(client: &Client, request: Request, patience: Duration) -> Result<(u16, Vec<u8>), String> {
    let failed = |error: reqwest::Error| {
        if error.is_timeout() { format!("no answer within {patience:?}") } else { format!("no answer: {error:?}") }
    };
    let response = client.execute(request).await.map_err(failed)?;
    let status = response.status().as_u16();
    Ok((status, response.bytes().await.map_err(failed)?.to_vec()))
}

fn body_of_event(answer: &str) -> String {
    let answer: Value = serde_json::from_str(answer).unwrap_or(json!(answer));
    answer["body"].as_str().unwrap_or_default().to_owned()
}

fn checked(url: &str) -> Result<String, String> {
    if url.starts_with("http://") || url.starts_with("https://") {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    Err(format!("not an http:// or https:// URL: {url}"))
}

fn client() -> Result<Client, String> {
    // Kept connections would make a service that closes an idle one look as if it had failed.
    Client::builder().no_proxy().http1_only().pool_max_idle_per_host(0).build().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_gives_way_to_a_token_of_the_platform() {
        let credentials = |key: Option<&str>, token: Option<&str>| Credentials {
            key: key.map(str::to_owned),
            token: token.map(str::to_owned),
        };
        let sent = |key, token| credentials(key, token).headers(key);
        assert_eq!(sent(None, None), []);
        assert_eq!(sent(Some("k"), None), [("authorization", "Bearer k".to_owned())]);
        assert_eq!(sent(None, Some("t")), [("authorization", "Bearer t".to_owned())]);
        let both = [("authorization", "Bearer t".to_owned()), ("x-api-key", "k".to_owned())];
        assert_eq!(sent(Some("k"), Some("t")), both);
    }
}

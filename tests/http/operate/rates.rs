//! How often callers may ask.

use reqwest::Method;

use crate::support::{Directory, PATIENCE, Reply, Server};

use super::keys::{FIRST, SECOND};

const SCRIPT: &str = r#"{"script":"def main(): return 5"}"#;

async fn ask(server: &Server, headers: &[(&str, &str)]) -> Reply {
    let mut request = server.request(Method::POST, "/execute").body(SCRIPT);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request).await
}

/// What the headers say: limit, what remains, seconds until all is there again.
fn standing(reply: &Reply) -> [u64; 3] {
    ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"]
        .map(|name| reply.header(name).parse().unwrap_or_else(|_| panic!("{name}: {reply}")))
}

#[track_caller]
fn is_too_often(reply: &Reply, at_least: u64) {
    let failure = reply.failure_with(429);
    let seconds: u64 = reply.header("retry-after").parse().expect("seconds");
    assert!(seconds >= at_least, "{reply}");
    assert_eq!(failure.value, format!("too many requests; the next one is taken in {seconds} s"));
    assert_eq!(failure.stdout, "");
    assert_eq!(standing(reply)[1], 0, "{reply}");
}

#[tokio::test]
async fn each_key_has_a_bucket_of_its_own() {
    let keys = format!("ci:{FIRST},agents:{SECOND};rate=4/hour;burst=1");
    let server = Server::with(&[("EXECUTOR_API_KEYS", &keys), ("EXECUTOR_RATE", "2/hour"), ("EXECUTOR_PRELOAD", "")]);
    let (ci, agents) = ([("x-api-key", "first key")], [("authorization", "Bearer second key")]);
    let reply = ask(&server, &ci).await;
    reply.succeeds("5", "");
    assert_eq!(standing(&reply), [2, 1, 1800]);
    let reply = ask(&server, &agents).await;
    reply.succeeds("5", "");
    assert_eq!(standing(&reply), [1, 0, 900]);
    is_too_often(&ask(&server, &agents).await, 890);
    assert_eq!(standing(&ask(&server, &ci).await)[1], 0);
    is_too_often(&ask(&server, &ci).await, 1790);
    // What is no job costs nothing.
    for path in ["/", "/health"] {
        assert_eq!(server.get(path).await.status, 200);
    }
}

#[tokio::test]
async fn whoever_guesses_keys_is_held_to_the_rate_of_the_address() {
    let keys = format!("ci:{FIRST}");
    let server = Server::with(&[("EXECUTOR_API_KEYS", &keys), ("EXECUTOR_RATE", "3/hour"), ("EXECUTOR_PRELOAD", "")]);
    for guess in ["a", "b", "c"] {
        ask(&server, &[("x-api-key", guess)]).await.failure_with(401);
    }
    is_too_often(&ask(&server, &[("x-api-key", "d")]).await, 1190);
    // Whoever has a key is not held to that.
    ask(&server, &[("x-api-key", "first key")]).await.succeeds("5", "");
}

#[tokio::test]
async fn without_keys_a_caller_is_an_address() {
    let server = Server::with(&[("EXECUTOR_RATE", "1/hour"), ("EXECUTOR_PRELOAD", "")]);
    ask(&server, &[]).await.succeeds("5", "");
    // Nobody vouches for this header, so it makes nobody another caller.
    is_too_often(&ask(&server, &[("x-forwarded-for", "192.0.2.1")]).await, 3590);
}

#[tokio::test]
async fn behind_a_proxy_the_address_is_what_the_proxy_has_added() {
    let variables = [("EXECUTOR_RATE", "1/hour"), ("EXECUTOR_TRUSTED_PROXIES", "1"), ("EXECUTOR_PRELOAD", "")];
    let server = Server::with(&variables);
    ask(&server, &[("x-forwarded-for", "192.0.2.1")]).await.succeeds("5", "");
    ask(&server, &[("x-forwarded-for", "192.0.2.2")]).await.succeeds("5", "");
    is_too_often(&ask(&server, &[("x-forwarded-for", "198.51.100.9, 192.0.2.1")]).await, 3590);
    is_too_often(&ask(&server, &[("x-forwarded-for", "198.51.100.9"), ("x-forwarded-for", "192.0.2.1")]).await, 3590);
    // One subscriber has a whole network of IPv6 addresses.
    ask(&server, &[("x-forwarded-for", "2001:db8:0:1::1")]).await.succeeds("5", "");
    is_too_often(&ask(&server, &[("x-forwarded-for", "2001:db8:0:1:ffff::2")]).await, 3590);
    ask(&server, &[("x-forwarded-for", "2001:db8:0:2::1")]).await.succeeds("5", "");
}

#[tokio::test]
async fn tokens_come_back() {
    let variables = [("EXECUTOR_RATE", "2/second"), ("EXECUTOR_RATE_BURST", "1"), ("EXECUTOR_PRELOAD", "")];
    let server = Server::with(&variables);
    ask(&server, &[]).await.succeeds("5", "");
    let all = async { while ask(&server, &[]).await.status != 200 {} };
    tokio::time::timeout(PATIENCE, all).await.expect("a token comes back");
}

/// A file with two keys, one of which is exchanged while the other one is held to its rate.
#[tokio::test]
async fn keys_are_exchanged_and_rates_are_kept_at_the_same_time() {
    let directory = Directory::new("rates");
    let path = directory.write("keys", &format!("ci:{FIRST};rate=3/hour\n"));
    let server = Server::with(&[("EXECUTOR_API_KEYS_FILE", path.to_str().expect("UTF-8")), ("EXECUTOR_PRELOAD", "")]);
    let (old, new) = ([("x-api-key", "first key")], [("x-api-key", "second key")]);
    ask(&server, &old).await.succeeds("5", "");
    ask(&server, &new).await.failure_with(401);
    directory.write("keys", &format!("ci:{FIRST};rate=3/hour\nci:{SECOND};rate=3/hour\n"));
    let known = async {
        loop {
            let reply = ask(&server, &new).await;
            if reply.status == 200 {
                return reply;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let reply = tokio::time::timeout(PATIENCE, known).await.expect("the file is read again");
    // Both have the same name: it is one caller, whose bucket was not filled by the exchange.
    assert_eq!(standing(&reply)[..2], [3, 1]);
    assert_eq!(standing(&ask(&server, &old).await)[..2], [3, 0]);
    is_too_often(&ask(&server, &new).await, 1100);
}

#[tokio::test]
async fn a_key_can_have_a_time_limit_of_its_own() {
    let keys = format!("ci:{FIRST};timeout=1,agents:{SECOND}");
    let server = Server::with(&[("EXECUTOR_API_KEYS", &keys), ("EXECUTOR_PRELOAD", "")]);
    let body = r#"{"script":"def main():\n    while True: pass"}"#;
    let request = server.request(Method::POST, "/execute").header("x-api-key", "first key").body(body);
    server.send(request).await.fails("TimeoutError: script exceeded its time limit of 1 s", "");
    let body = r#"{"script":"def main(): return 5","timeout":2}"#;
    let request = |key| server.request(Method::POST, "/execute").header("x-api-key", key).body(body);
    let refused = server.send(request("first key")).await;
    refused.fails("field 'timeout' must be a number of seconds between 0 and 1", "");
    server.send(request("second key")).await.succeeds("5", "");
}

#[test]
fn wrong_rates_keep_the_service_from_starting() {
    for (variables, words) in [
        (
            &[("EXECUTOR_RATE", "60")][..],
            "EXECUTOR_RATE: \"60\": a rate is a whole number per `second`, `minute` or `hour`",
        ),
        (&[("EXECUTOR_RATE_BURST", "5")], "EXECUTOR_RATE_BURST needs EXECUTOR_RATE"),
        (&[("EXECUTOR_RATE", "1/hour"), ("EXECUTOR_RATE_BURST", "0")], "EXECUTOR_RATE_BURST: \"0\""),
    ] {
        let (status, log) = Server::refusal(crate::support::server::command(variables));
        assert!(!status.success() && log.contains(words), "{variables:?}: {log}");
    }
}

//! A host on which no worker can be made any more: callers are told, `GET /health` and the log say why, and all is well again
//! when the host is.

use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::host::{Host, Service};
use crate::support::server::AT_ONCE;
use crate::support::{Directory, Reply, until};

const QUEUE: Duration = Duration::from_secs(2);
const VARIABLES: &[(&str, &str)] = &[("EXECUTOR_QUEUE_SECONDS", "2")];

const SCRIPT: &str = "def main():\n    return 1";
const REFUSED: &str = r#"{"error":"no worker can be made for the script at the moment","stdout":""}"#;

/// What the Python of a new worker says when it cannot open the device.
const CAUSE: &str = "cannot make a worker: prepare Python: PermissionError: [Errno 13] Permission denied: '/dev/null'";

/// More requests than workers are parked.
const MANY: usize = 60;

/// A /dev/null that only the service has.
struct Null(PathBuf);

impl Null {
    fn make(directory: &Directory) -> Self {
        let null = Self(directory.path().join("null"));
        let made = Command::new("mknod").arg(&null.0).args(["c", "1", "3"]).status();
        assert!(made.expect("there is mknod").success());
        null.repair();
        null
    }

    /// The one of a container.
    fn of(service: &Service) -> Self {
        Self(inside(service, "/dev/null"))
    }

    fn set_mode(&self, mode: u32) {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&self.0, permissions).expect("root can change modes");
    }

    fn break_it(&self) {
        self.set_mode(0);
    }

    fn repair(&self) {
        self.set_mode(0o666);
    }

    /// Words that start a command with this one in the place of the machine's.
    fn entrance(&self) -> Vec<OsString> {
        let enter = r#"mount --bind "$1" /dev/null && shift && exec "$@""#;
        let words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", enter, "sh"];
        words.map(OsString::from).into_iter().chain([self.0.clone().into()]).collect()
    }
}

/// A path of a container, which is not the machine's, found by the first process in it: that is there as long as the service.
fn inside(service: &Service, path: &str) -> PathBuf {
    let identity = |path: &Path| std::fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    let machine = identity(Path::new(path));
    let below = service.process().descendants();
    let mut paths = below.iter().map(|entry| PathBuf::from(format!("/proc/{}/root{path}", entry.pid)));
    let own = paths.find(|path| identity(path).is_some_and(|found| Some(found) != machine));
    own.expect("a container has it for itself")
}

fn health(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Lines of the log that have this text.
fn lines(service: &Service, text: &str) -> Vec<String> {
    service.log().text().lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
}

/// Answers until the first one that is no result; each comes in its time.
async fn first_refusal(service: &Service) -> Reply {
    for _ in 0..MANY {
        let begun = Instant::now();
        let reply = service.server().execute(SCRIPT).await;
        assert!(begun.elapsed() < QUEUE + AT_ONCE, "after {:?}: {reply}", begun.elapsed());
        if reply.status != 200 {
            return reply;
        }
    }
    panic!("scripts are still run\n{}", service.log());
}

#[track_caller]
fn is_refusal(reply: &Reply) {
    assert_eq!((reply.status, reply.body.as_str()), (503, REFUSED), "{reply}");
    assert_eq!(reply.header("retry-after"), "5", "{reply}");
}

/// Waits until the service says that it is well: it finds out by itself.
async fn recovers(service: &Service) {
    let begun = Instant::now();
    loop {
        let reply = service.server().get("/health").await;
        if reply.status == 200 {
            return assert!(health(&reply.body).get("cause").is_none(), "{reply}");
        }
        assert!(begun.elapsed() < AT_ONCE * 3, "it does not recover: {reply}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn is_told_by(service: Service, null: Null) {
    service.is_well().await;
    null.break_it();
    is_refusal(&first_refusal(&service).await);

    // Several at a time, and one whose answer would be a stream.
    let server = service.server();
    let begun = Instant::now();
    let body = json!({ "script": SCRIPT });
    let stream = server.request(Method::POST, "/v1/run").header("accept", "text/event-stream").json(&body);
    let (one, other, stream) = tokio::join!(server.execute(SCRIPT), server.execute(SCRIPT), server.send(stream));
    assert!(begun.elapsed() < QUEUE + AT_ONCE, "{:?}", begun.elapsed());
    for reply in [one, other, stream] {
        assert_eq!(reply.status, 503, "{reply}");
        reply.header("retry-after");
    }

    let reply = server.get("/health").await;
    assert_eq!(reply.status, 503, "{reply}");
    let said = health(&reply.body);
    assert_eq!(said["status"], "no script can be run at the moment", "{reply}");
    assert_eq!((said["cause"].as_str(), &said["python"]), (Some(CAUSE), &Value::Null), "{reply}");
    let metrics = server.get("/metrics").await;
    assert!(metrics.body.lines().any(|line| line == "executor_ready 0"), "{metrics}");

    let told = lines(&service, "cannot make a worker");
    assert!((1..=4).contains(&told.len()), "a line for each zygote, perhaps once more: {told:#?}");
    assert!(told.iter().all(|line| line.contains("Permission denied: '/dev/null'")), "{told:#?}");

    null.repair();
    recovers(&service).await;
    service.is_well().await;
    service.execute(crate::PANDAS).await.succeeds("23.0", "");
    // Until then jobs have had workers of the other zygote.
    let again = until("the log says that it is over", || {
        let again = lines(&service, "can make a worker again");
        again.iter().any(|line| line.contains(r#""base""#)).then_some(again)
    });
    let again = again.await;
    assert!(again.len() <= 2 && again.iter().all(|line| line.contains("failures")), "{again:#?}");
}

#[tokio::test]
async fn an_ordinary_user_that_can_make_no_worker_says_so() {
    let directory = Directory::new("null");
    let null = Null::make(&directory);
    is_told_by(Host::User.start_behind(&null.entrance(), VARIABLES), null).await;
}

#[tokio::test]
async fn root_that_can_make_no_worker_says_so() {
    let directory = Directory::new("null");
    let null = Null::make(&directory);
    is_told_by(Host::Root.start_behind(&null.entrance(), VARIABLES), null).await;
}

#[tokio::test]
async fn a_container_that_can_make_no_worker_says_so() {
    let service = Host::Container.start_with(VARIABLES);
    let null = Null::of(&service);
    is_told_by(service, null).await;
}

/// Its environment is frozen between invocations, so nothing is tried there: the next one, or the next look at its health,
/// tries again.
#[tokio::test]
async fn a_function_that_can_make_no_worker_says_so() {
    let service = Host::Lambda.start_with(VARIABLES);
    service.is_well().await;
    let null = Null::of(&service);
    null.break_it();
    // One worker waited.
    service.execute(SCRIPT).await.succeeds("1", "");
    for _ in 0..2 {
        let begun = Instant::now();
        let (status, answer) = service.try_execute(SCRIPT, json!({})).await;
        assert_eq!((status, answer.as_str()), (200, REFUSED), "{}", service.log());
        assert!(begun.elapsed() < QUEUE + AT_ONCE, "{:?}", begun.elapsed());
    }
    is_refusal(&service.reply_of_event(SCRIPT, json!({})).await);
    let said = health(&service.target().health_text().await.expect("/health answers"));
    assert_eq!(said["cause"], CAUSE, "{said}");
    let told = lines(&service, "cannot make a worker");
    assert!((1..=2).contains(&told.len()), "{told:#?}");

    null.repair();
    let begun = Instant::now();
    while health(&service.target().health_text().await.expect("/health answers")).get("cause").is_some() {
        assert!(begun.elapsed() < AT_ONCE * 3, "it does not recover\n{}", service.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    service.is_well().await;
    assert_eq!(lines(&service, "can make a worker again").len(), 1, "{}", service.log());
}

/// A function owns its /tmp, but not what root puts there.
#[tokio::test]
async fn a_file_that_cannot_be_removed_is_named() {
    let service = Host::Lambda.start();
    service.is_well().await;
    std::fs::write(inside(&service, "/tmp").join("of-root"), "stays").expect("root can write there");
    // Where something may be left of a script, the environment ends.
    let _ = service.try_execute(SCRIPT, json!({})).await;
    let words = r#"\"/tmp/of-root\" cannot be removed: Operation not permitted"#;
    let found = lines(&service, words);
    assert!(!found.is_empty(), "{words}\n{}", service.log());
}

//! `make deploy` from sam on, with a stand-in for AWS: what the SDK asks of CloudFormation and of Lambda's versions is answered
//! here, the API is a server of the tests' own, and the function is the real one under the emulator.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::Response;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::cloudrun::attack;
use super::support::emulator::Emulator;
use super::support::{Directory, Server};
use super::{builder_python, must, program, project};

const FUNCTION: &str = "py-executor-Executor-1A2B3C";

/// An account with a region, as far as there is one here.
struct Account {
    cloud: Arc<Cloud>,
    address: String,
    directory: Directory,
}

struct Cloud {
    /// What the API and the function run.
    server: Server,
    function: Emulator,
    /// Where the stand-in for sam leaves what it was told.
    deployed: PathBuf,
    /// Whether there is a stack before.
    had_stack: bool,
    authorization: &'static str,
    state: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The version that callers get, since somebody said so.
    given: Option<String>,
    /// What was asked of the API and of the function: the service that it was signed for, and how the key came.
    requests: Vec<(String, Option<String>)>,
}

/// How a deployment ended.
struct Deployed {
    is_good: bool,
    words: String,
}

impl Account {
    async fn new(had_stack: bool, authorization: &'static str, settings: &[(&str, &str)]) -> Self {
        let directory = Directory::new("aws");
        program(&directory, "sam", "#!/bin/sh\nprintf '%s\\n' \"$@\" >\"$(dirname \"$0\")/deployed\"\n");
        let deployed = directory.path().join("deployed");
        let (server, function) = (Server::with(settings), Emulator::start());
        let state = Mutex::default();
        let cloud = Arc::new(Cloud { server, function, deployed, had_stack, authorization, state });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = format!("http://{}", listener.local_addr().expect("it has an address"));
        let router = Router::new().fallback(answer).with_state((Arc::clone(&cloud), address.clone()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { cloud, address, directory }
    }

    /// deploy/aws.py, of whose attacks only one is made, which takes no time.
    async fn deploy(&self, parameters: &[&str], variables: &[(&str, &str)]) -> Deployed {
        let mut command = tool_of_deployment(parameters);
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", self.directory.path().display());
        command.envs([("PATH", &*path), ("AWS_ENDPOINT_URL", &self.address), ("AWS_REGION", "eu-central-1")]);
        command.envs([("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret")]);
        command.env("ATTACK", attack()).envs([("ATTACK_FLAGS", "--only net-dns"), ("PATIENCE", "3")]);
        command.envs(variables.iter().copied());
        run(command).await
    }

    fn told_sam(&self) -> String {
        std::fs::read_to_string(&self.cloud.deployed).unwrap_or_default()
    }
}

fn tool_of_deployment(parameters: &[&str]) -> Command {
    let mut command = builder_python();
    command.arg("deploy/aws.py").arg("py-executor").args(parameters).current_dir(project());
    command
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("HOME", "/nonexistent")
        .env("PATH", "/usr/bin:/bin");
    command
}

/// Beside the stand-in, which answers meanwhile.
async fn run(mut command: Command) -> Deployed {
    let output = tokio::task::spawn_blocking(move || command.output().expect("there is a Python"));
    let output = output.await.expect("it does not panic");
    let words = [output.stdout, output.stderr].concat();
    Deployed { is_good: output.status.success(), words: String::from_utf8(words).expect("it is text") }
}

impl Cloud {
    fn has_stack(&self) -> bool {
        self.had_stack || self.deployed.exists()
    }

    /// What callers get: what was given them, or else what CloudFormation made.
    fn version(&self) -> String {
        let given = self.state.lock().expect("nobody panics").given.clone();
        given.unwrap_or_else(|| self.newest().to_owned())
    }

    fn newest(&self) -> &'static str {
        if self.deployed.exists() { "8" } else { "7" }
    }

    fn note(&self, service: String, key: Option<String>) {
        self.state.lock().expect("nobody panics").requests.push((service, key));
    }
}

/// What a request was signed for, by the scope of its signature.
fn signed_for(request: &Request) -> String {
    let service = || {
        let value = request.headers().get("authorization")?.to_str().ok()?;
        let (_, scope) = value.strip_prefix("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/")?.split_once('/')?;
        value.contains("Signature=").then(|| scope.split('/').nth(1).map(str::to_owned))?
    };
    service().unwrap_or_else(|| "nobody".to_owned())
}

async fn answer(State((cloud, address)): State<(Arc<Cloud>, String)>, request: Request) -> Response<Body> {
    let (method, path, service) = (request.method().clone(), request.uri().path().to_owned(), signed_for(&request));
    let [key, kind] = ["x-api-key", "content-type"].map(|name| {
        let value = request.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    });
    let body = to_bytes(request.into_body(), usize::MAX).await.expect("it comes");
    let text = String::from_utf8_lossy(&body).into_owned();
    let alias = format!("/2015-03-31/functions/{FUNCTION}/aliases/live");
    if let Some(path) = path.strip_prefix("/api") {
        cloud.note(service, key.clone());
        return cloud.pass_on(method, path, key, kind, text).await;
    }
    assert_ne!(service, "nobody", "{method} {path}");
    if path == "/" && text.contains("Action=GetCallerIdentity") {
        xml(200, "GetCallerIdentity", "<Account>123456789012</Account>")
    } else if path == "/" && text.contains("Action=DescribeStacks") {
        cloud.describe(&address)
    } else if path == alias {
        if method == Method::PUT {
            let wanted: Value = serde_json::from_str(&text).expect("it is JSON");
            let version = wanted["FunctionVersion"].as_str().expect("a version").to_owned();
            cloud.state.lock().expect("nobody panics").given = Some(version);
        }
        Response::new(json!({ "Name": "live", "FunctionVersion": cloud.version() }).to_string().into())
    } else if path == format!("/2015-03-31/functions/{FUNCTION}:live/invocations") {
        cloud.note(service, key);
        let (status, answer) = cloud.function.try_invoke(text).await;
        Response::builder().status(status).body(answer.into()).expect("it is an answer")
    } else {
        panic!("{method} {path} is not known here: {text}")
    }
}

impl Cloud {
    /// To the service behind the API.
    async fn pass_on(
        &self,
        method: Method,
        path: &str,
        key: Option<String>,
        kind: Option<String>,
        body: String,
    ) -> Response<Body> {
        let mut request = self.server.request(method, path).body(body);
        for (name, value) in [("x-api-key", key), ("content-type", kind)] {
            request = value.into_iter().fold(request, |request, value| request.header(name, value));
        }
        let response = request.send().await.expect("the service answers");
        let answer = Response::builder().status(response.status());
        answer.body(response.bytes().await.expect("it is whole").into()).expect("it is an answer")
    }

    fn describe(&self, address: &str) -> Response<Body> {
        if !self.has_stack() {
            let words =
                "<Error><Code>ValidationError</Code><Message>Stack py-executor does not exist</Message></Error>";
            return Response::builder()
                .status(400)
                .body(format!("<ErrorResponse>{words}</ErrorResponse>").into())
                .expect("one");
        }
        let member = |kind: &str, name: &str, value: &str| {
            format!("<member><{kind}Key>{name}</{kind}Key><{kind}Value>{value}</{kind}Value></member>")
        };
        let function = format!("arn:aws:lambda:eu-central-1:123456789012:function:{FUNCTION}:live");
        let version = function.replace(":live", &format!(":{}", self.newest()));
        let outputs = member("Output", "Function", &function)
            + &member("Output", "Version", &version)
            + &member("Output", "HttpUrl", &format!("{address}/api"));
        let parameters = member("Parameter", "Authorization", self.authorization);
        xml(
            200,
            "DescribeStacks",
            &format!(
                "<Stacks><member><StackName>py-executor</StackName><StackStatus>UPDATE_COMPLETE</StackStatus>\
                 <CreationTime>2026-01-01T00:00:00Z</CreationTime><Outputs>{outputs}</Outputs>\
                 <Parameters>{parameters}</Parameters></member></Stacks>"
            ),
        )
    }
}

fn xml(status: u16, action: &str, result: &str) -> Response<Body> {
    let text = format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>");
    Response::builder().status(status).header("content-type", "text/xml").body(text.into()).expect("it is an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_deployment_is_tried_out_with_signed_requests() {
    let account = Account::new(false, "AWS_IAM", &[]).await;
    let deployed = account.deploy(&["Architecture=x86_64", "RateLimit=5"], &[]).await;
    assert!(deployed.is_good, "{}", deployed.words);
    let told = account.told_sam();
    for word in [
        "deploy",
        "--stack-name\npy-executor",
        "--region\neu-central-1",
        "--resolve-s3",
        "Architecture=x86_64\nRateLimit=5",
    ] {
        assert!(told.contains(word), "{word}: {told}");
    }
    for words in [
        "every promise is kept",
        "the README's examples",
        "net-dns",
        "--aws-sigv4 \"aws:amz:eu-central-1:execute-api\"",
    ] {
        assert!(deployed.words.contains(words), "it does not say {words:?}: {}", deployed.words);
    }
    let seen = account.cloud.state.lock().expect("nobody panics");
    let of = |wanted: &str| seen.requests.iter().filter(|(service, _)| service == wanted).count();
    assert!(of("execute-api") >= 3 && of("lambda") >= 2 && of("nobody") == 0, "{:?}", seen.requests);
    assert_eq!(seen.given, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_its_test_is_taken_back() {
    let settings = [("EXECUTOR_POLICY", "relaxed"), ("EXECUTOR_DISABLED_MECHANISMS", "rlimits")];
    let account = Account::new(true, "AWS_IAM", &settings).await;
    let deployed = account.deploy(&[], &[("DEPLOY_FLAGS", "--s3-bucket some-bucket")]).await;
    assert!(!deployed.is_good && deployed.words.contains("not every promise is kept"), "{}", deployed.words);
    assert!(deployed.words.contains("callers get version 7 again"), "{}", deployed.words);
    assert_eq!(account.cloud.version(), "7");
    let told = account.told_sam();
    assert!(told.contains("--s3-bucket\nsome-bucket") && !told.contains("--resolve-s3"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_deployment_that_fails_its_test_is_told_so() {
    let settings = [("EXECUTOR_POLICY", "relaxed"), ("EXECUTOR_DISABLED_MECHANISMS", "rlimits")];
    let account = Account::new(false, "AWS_IAM", &settings).await;
    let deployed = account.deploy(&[], &[]).await;
    assert!(!deployed.is_good && deployed.words.contains("There is no version from before"), "{}", deployed.words);
    assert_eq!(account.cloud.state.lock().expect("nobody panics").given, None);
}

/// What was put back by hand is not CloudFormation's to know.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_is_given_again_when_it_is_deployed_again() {
    let account = Account::new(true, "AWS_IAM", &[]).await;
    account.cloud.state.lock().expect("nobody panics").given = Some("5".to_owned());
    let deployed = account.deploy(&[], &[]).await;
    assert!(deployed.is_good, "{}", deployed.words);
    assert_eq!(account.cloud.version(), "8");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_interrupted_is_taken_back() {
    let account = Account::new(true, "AWS_IAM", &[]).await;
    // The attack's program hangs, and whoever waits loses patience.
    let text = "#!/bin/sh\nkill -TERM \"$(ps -o ppid= -p $PPID | tr -d ' ')\"\nexec sleep 3\n";
    let hang = program(&account.directory, "hang", text);
    let deployed = account.deploy(&[], &[("ATTACK", hang.to_str().expect("the path is text"))]).await;
    assert!(!deployed.is_good && deployed.words.contains("callers get version 7 again"), "{}", deployed.words);
    assert_eq!(account.cloud.version(), "7");
}

/// The service that is deployed knows the deployment's key only if it is told of it, so a stand-in that knows none answers it.
#[tokio::test(flavor = "multi_thread")]
async fn each_deployment_is_another_release_with_a_key_of_its_own() {
    let account = Account::new(true, "NONE", &[]).await;
    let mut told = Vec::new();
    for _ in 0..2 {
        let deployed = account.deploy(&[], &[]).await;
        assert!(deployed.is_good, "{}", deployed.words);
        let words = account.told_sam();
        let of = |name: &str| words.lines().find_map(|line| line.strip_prefix(name)).expect(name).to_owned();
        told.push((of("Release="), of("DeploymentKey=deployment:")));
    }
    assert!(told[0].0 != told[1].0 && told[0].1 != told[1].1, "{told:?}");
    assert!(told.iter().all(|(release, digest)| release.len() == 10 && digest.len() == 64), "{told:?}");
    // What was shown is the key of which the digest was told; without IAM nothing is signed.
    let seen = account.cloud.state.lock().expect("nobody panics");
    let (_, key) = seen.requests.iter().rfind(|(service, _)| service == "nobody").expect("there were requests");
    assert_eq!(sha256(key.as_deref().expect("a key was shown")), told[1].1);
}

fn sha256(text: &str) -> String {
    let digest = "import hashlib, sys; print(hashlib.sha256(sys.argv[1].encode()).hexdigest())";
    must(builder_python().args(["-c", digest, text])).trim().to_owned()
}

#[test]
fn only_what_it_is_for_is_signed() {
    let told = must(builder_python().arg("tests/delivery/sign.py"));
    assert_eq!(told.lines().collect::<Vec<_>>(), ["POST /invocations 200 signed", "403", "403", "403"]);
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let no_region = run(tool_of_deployment(&[])).await;
    assert!(!no_region.is_good && no_region.words.contains("no region is set"), "{}", no_region.words);
    let twice = run(tool_of_deployment(&["Architecture=x86_64", "Architecture=arm64"])).await;
    assert!(!twice.is_good && twice.words.contains("a parameter is there twice"), "{}", twice.words);
    let mut command = tool_of_deployment(&[]);
    command.env("AWS_REGION", "eu-central-1");
    let nobody = run(command).await;
    assert!(!nobody.is_good && nobody.words.contains("AWS does not know who you are"), "{}", nobody.words);
}

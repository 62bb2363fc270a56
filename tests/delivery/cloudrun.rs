//! `make deploy-cloudrun`, with a stand-in for gcloud that keeps in a directory what is made, and a service of the tests' own in
//! the place of each revision; and the files that Google Cloud reads.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{must, only, packages, program, project, python, tool};
use crate::support::{Directory, Server};

/// A revision that served before.
const OLD: &str = "py-executor-20260101-000000";

/// A project on Google Cloud, as far as the stand-in has one.
struct Cloud {
    directory: Directory,
    /// Whether revisions start, and what they are started with besides.
    starts: bool,
    besides: Vec<(&'static str, &'static str)>,
}

/// How a deployment ended.
struct Deployed {
    is_good: bool,
    words: String,
}

impl Cloud {
    fn new() -> Self {
        let cloud = Self { directory: Directory::new("gcloud"), starts: true, besides: Vec::new() };
        let state = json!({
            "account": "somebody@example.com", "project": "some-project", "build": "SUCCESS", "apis": [],
            "service_accounts": [], "repositories": [], "secrets": [], "accessors": [], "revisions": [], "traffic": null, "url": "",
            "public": false, "image": null, "unseen": false,
        });
        cloud.directory.write("state.json", &state.to_string());
        fs::create_dir(cloud.path("bin")).expect("it is ours");
        let stand_in = [
            project().join("target/layer/tools/python3"),
            project().join("tests/delivery/gcloud.py"),
            packages(),
            cloud.path(""),
        ];
        let [python, stand_in, packages, state] = stand_in.map(|path| path.display().to_string());
        let script = format!("#!/bin/sh\nexec {python} -I -B {stand_in} {packages} {state} \"$@\"\n");
        program(&cloud.directory, "bin/gcloud", &script);
        cloud
    }

    /// One in which a revision serves already.
    fn serving() -> Self {
        let cloud = Self::new();
        cloud.set("service_accounts", json!(["py-executor@some-project.iam.gserviceaccount.com"]));
        cloud.set("repositories", json!(["py-executor"]));
        cloud.set("secrets", json!(["py-executor-api-keys"]));
        cloud.set("accessors", json!(["serviceAccount:py-executor@some-project.iam.gserviceaccount.com"]));
        let apis = ["artifactregistry", "cloudbuild", "iam", "run", "secretmanager"];
        cloud.set("apis", json!(apis.map(|api| format!("{api}.googleapis.com"))));
        cloud.directory.write("api-keys", "");
        cloud.set("revisions", json!([OLD]));
        cloud.set("traffic", json!([{ "revisionName": OLD, "percent": 100 }]));
        cloud.set("url", json!("https://py-executor.example"));
        cloud
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn state(&self) -> Value {
        serde_json::from_str(&self.read("state.json")).expect("it is JSON")
    }

    fn set(&self, name: &str, value: Value) {
        let mut state = self.state();
        state[name] = value;
        self.directory.write("state.json", &state.to_string());
    }

    /// Whether some call of gcloud had these words.
    fn was_called(&self, words: &str) -> bool {
        self.read("calls.txt").lines().any(|call| call.contains(words))
    }

    /// `make deploy-cloudrun` with these variables. Of the attacks only one is made, which takes no time.
    fn deploy(&self, variables: &[(&str, &str)]) -> Deployed {
        let mut command = Command::new("make");
        command.args(["--no-print-directory", "deploy-cloudrun"]).current_dir(project());
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", self.path("bin").display());
        command.env_clear().env("PATH", path).env("HOME", self.path(""));
        command.env("ATTACK", attack()).env("ATTACK_FLAGS", "--only svc-key").envs(variables.iter().copied());
        let words = File::create(self.path("words")).expect("it is ours");
        command.stderr(words.try_clone().expect("it is a file")).stdout(words);
        for name in ["variables", "url"] {
            let _ = fs::remove_file(self.path(name));
        }
        let mut process = command.spawn().expect("there is make");
        let mut revision = None;
        let deadline = Instant::now() + Duration::from_mins(3);
        let status = loop {
            if let Some(status) = process.try_wait().expect("it is a child") {
                break status;
            }
            if Instant::now() > deadline {
                let _ = process.kill();
                panic!("it does not end: {}", self.read("words"));
            }
            if revision.is_none() && self.path("variables").exists() {
                revision = Some(self.start());
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        Deployed { is_good: status.success(), words: self.read("words") }
    }

    /// Does what Cloud Run does with a revision, and says where it serves.
    fn start(&self) -> Option<Server> {
        let variables = self.read("variables");
        let variables = variables.lines().map(|line| line.split_once('=').expect("a name and a value"));
        let keys = self.path("api-keys");
        let mounted = variables.map(|(name, value)| match value {
            "/secrets/api-keys" => (name, keys.to_str().expect("it is UTF-8")),
            _ => (name, value),
        });
        let all: Vec<_> = mounted.chain([("K_SERVICE", "py-executor")]).chain(self.besides.iter().copied()).collect();
        let server = self.starts.then(|| Server::with(&all));
        let url = server.as_ref().map(|server| server.url("")).unwrap_or_default();
        fs::rename(self.directory.write("url.unfinished", &url), self.path("url")).expect("it is ours");
        server
    }
}

impl Deployed {
    fn fails(&self, words: &str) {
        assert!(!self.is_good, "{}", self.words);
        self.says(words);
    }

    fn says(&self, words: &str) {
        assert!(self.words.contains(words), "it does not say {words:?}: {}", self.words);
    }
}

/// The attacks' program; a missing one fails the test. Cargo builds it along with all tests, but not for a single one.
pub fn attack() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_py-executor-server")).with_file_name("examples").join("attack");
    assert!(path.is_file(), "there is no {}: run `cargo build --example attack` first", path.display());
    path
}

/// Whether Google's description of an API allows what is in a file.
fn is_allowed(document: &str, schema: &str, file: &Path) {
    let documents = packages().join("googleapiclient/discovery_cache/documents");
    let mut check = python();
    check.arg("tests/delivery/discovery.py").arg(packages()).arg(documents.join(document)).arg(schema).arg(file);
    must(&mut check);
}

/// The service as it was deployed has a single target of its traffic, of this name.
fn only_serving(cloud: &Cloud, revision: &str) {
    assert_eq!(cloud.state()["traffic"], json!([{ "revisionName": revision, "percent": 100 }]));
}

#[test]
fn a_service_is_deployed_and_deployed_again() {
    let cloud = Cloud::new();
    let first = cloud.deploy(&[("GENERATION", "gen1")]);
    assert!(first.is_good, "{}", first.words);
    let state = cloud.state();
    assert_eq!(state["service_accounts"], json!(["py-executor@some-project.iam.gserviceaccount.com"]));
    assert_eq!(state["image"], "europe-west1-docker.pkg.dev/some-project/py-executor/py-executor:build-1");
    assert_eq!((&state["public"], state["traffic"][0]["percent"].as_u64()), (&json!(false), Some(100)));
    // The account has no role but the one for the secret, in which no key is.
    assert!(!cloud.was_called("projects add-iam-policy-binding"), "{}", cloud.read("calls.txt"));
    let (_, key) = first.words.split_once("not shown again:\n\n    ").expect("the key is shown");
    let key = key.lines().next().expect("a line");
    assert_eq!(key.len(), 32, "{key:?}");
    assert!(cloud.read("api-keys").starts_with("caller:") && !cloud.read("api-keys").contains(key));
    assert!(!cloud.read("service.yaml").contains("${"), "{}", cloud.read("service.yaml"));
    is_allowed("run.v1.json", "Service", &cloud.path("service.yaml"));
    for words in ["every promise is kept", "svc-key", "smoke: passed", "print-identity-token)\" -H 'x-api-key: KEY'"] {
        first.says(words);
    }

    let before = state["revisions"][0].as_str().expect("a name").to_owned();
    // Names of revisions are times.
    std::thread::sleep(Duration::from_secs(1));
    fs::remove_file(cloud.path("calls.txt")).expect("there were calls");
    // What was chosen stays.
    let of_first = cloud.read("service.yaml");
    assert!(of_first.contains("/execution-environment: gen1"), "{of_first}");
    let second = cloud.deploy(&[("IMAGE", "registry.example/some/image:1"), ("PUBLIC", "1")]);
    assert!(cloud.read("service.yaml").contains("/execution-environment: gen1"), "{}", cloud.read("service.yaml"));
    assert!(second.is_good, "{}", second.words);
    let state = cloud.state();
    assert_eq!((&state["public"], &state["image"]), (&json!(true), &json!("registry.example/some/image:1")));
    let after = state["revisions"][1].as_str().expect("another one");
    only_serving(&cloud, after);
    let traffic = format!(
        "traffic: [{{revisionName: {before}, percent: 100}}, {{latestRevision: true, percent: 0, tag: candidate}}]"
    );
    assert!(cloud.read("service.yaml").contains(&traffic), "{}", cloud.read("service.yaml"));
    is_allowed("run.v1.json", "Service", &cloud.path("service.yaml"));
    for words in ["create", "builds"] {
        assert!(!cloud.was_called(words), "{words}: {}", cloud.read("calls.txt"));
    }
    assert!(!second.words.contains("not shown again") && !second.words.contains("print-identity-token)"));
}

/// What a workflow deploys that may see what is there, but make nothing.
#[test]
fn who_deploys_again_needs_no_rights_to_what_is_there() {
    let cloud = Cloud::serving();
    cloud.set("account", json!("deployer@some-project.iam.gserviceaccount.com"));
    let deployed = cloud.deploy(&[("IMAGE", "registry.example/some/image:1")]);
    assert!(deployed.is_good, "{}", deployed.words);
    assert!(cloud.was_called("--impersonate-service-account=deployer@some-project.iam.gserviceaccount.com"));
    for words in ["create", "enable", "add-iam-policy-binding", "builds"] {
        let is_looking = |call: &str| call.contains("--enabled");
        let called = cloud.read("calls.txt").lines().any(|call| call.contains(words) && !is_looking(call));
        assert!(!called, "{words}: {}", cloud.read("calls.txt"));
    }
}

#[test]
fn a_revision_that_fails_its_test_gets_no_requests() {
    let mut cloud = Cloud::serving();
    cloud.besides = vec![("EXECUTOR_POLICY", "relaxed"), ("EXECUTOR_DISABLED_MECHANISMS", "rlimits")];
    let deployed = cloud.deploy(&[("PUBLIC", "1")]);
    deployed.fails("not every promise is kept");
    deployed.says(&format!("what served before goes on serving ({OLD},100)"));
    only_serving(&cloud, OLD);
    assert_eq!(cloud.state()["public"], json!(false));
}

#[test]
fn a_revision_that_does_not_start_gets_no_requests() {
    let mut cloud = Cloud::serving();
    cloud.starts = false;
    let deployed = cloud.deploy(&[]);
    deployed.fails("the revision does not start");
    deployed.says("what the service says of itself");
    only_serving(&cloud, OLD);
}

#[test]
fn a_first_deployment_that_fails_its_test_is_not_public() {
    let mut cloud = Cloud::new();
    cloud.besides = vec![("EXECUTOR_POLICY", "relaxed"), ("EXECUTOR_DISABLED_MECHANISMS", "rlimits")];
    let deployed = cloud.deploy(&[("PUBLIC", "1")]);
    deployed.fails("This was the first deployment");
    assert_eq!(cloud.state()["public"], json!(false));
}

#[test]
fn a_service_that_cannot_be_seen_is_not_taken_for_a_new_one() {
    let cloud = Cloud::serving();
    cloud.set("unseen", json!(true));
    let deployed = cloud.deploy(&[]);
    deployed.fails("PERMISSION_DENIED");
    assert!(!cloud.was_called("run services replace"), "{}", cloud.read("calls.txt"));
}

#[test]
fn a_build_that_fails_deploys_nothing() {
    let cloud = Cloud::serving();
    cloud.set("build", json!("FAILURE"));
    let deployed = cloud.deploy(&[]);
    deployed.fails("the build ended with FAILURE");
    assert!(!cloud.was_called("run services replace"), "{}", cloud.read("calls.txt"));
}

#[test]
fn what_is_missing_is_said() {
    for (name, value, words) in [
        ("account", "", "nobody is logged in: gcloud auth login"),
        ("project", "", "no project is set: gcloud config set project NAME"),
        ("project", "other", "cannot see a project other"),
    ] {
        let cloud = Cloud::new();
        cloud.set(name, json!(value));
        let deployed = cloud.deploy(&[]);
        deployed.fails(words);
        assert!(!cloud.was_called("create"), "{}", cloud.read("calls.txt"));
    }
    for (name, value) in [
        ("SERVICE", "Py"),
        ("SERVICE", "-executor"),
        ("REGION", "eu west"),
        ("GENERATION", "3"),
        ("PUBLIC", "yes"),
        ("IMAGE", "a b"),
    ] {
        let deployed = Cloud::new().deploy(&[(name, value)]);
        deployed.fails(&format!("deploy/cloudrun: {name} "));
    }
}

#[test]
fn a_missing_gcloud_is_said() {
    let directory = only(&["dirname", "readlink"]);
    let output = Command::new(project().join("deploy/cloudrun")).env_clear().env("PATH", directory.path()).output();
    let output = output.expect("it can be started");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && words.contains("gcloud is missing"), "{words}");
}

/// What stands behind `name:` or `value:` in deploy/cloudrun.yaml.
fn settings() -> BTreeMap<String, String> {
    let text = fs::read_to_string(project().join("deploy/cloudrun.yaml")).expect("it is there");
    let mut found = BTreeMap::new();
    let mut variable = None;
    for line in text.lines() {
        let Some((name, value)) = line.trim().trim_start_matches("- ").split_once(": ") else { continue };
        let value = value.trim_matches('"').to_owned();
        match name {
            "name" => variable = Some(value),
            "value" => drop(found.insert(variable.take().expect("a variable has a name"), value)),
            _ => drop(found.insert(name.to_owned(), value)),
        }
    }
    found
}

#[test]
fn an_instance_has_room_for_all_that_runs_in_it() {
    let settings = settings();
    let number = |name: &str| -> u64 { settings[name].parse().unwrap_or_else(|_| panic!("{name}: {settings:?}")) };
    let mebibytes: u64 = settings["memory"].trim_end_matches("Mi").parse().expect("MiB");
    let concurrency = number("EXECUTOR_CONCURRENCY");
    let scripts = (concurrency + 1) * (number("EXECUTOR_MEMORY_MB") + number("EXECUTOR_SCRATCH_MB"));
    assert!(scripts + 640 <= mebibytes, "{settings:?}");
    assert_eq!(concurrency, number("cpu"));
    assert!(number("containerConcurrency") >= concurrency);
    let longest = number("EXECUTOR_QUEUE_SECONDS") + 2 * number("EXECUTOR_TIMEOUT_SECONDS");
    let first = fs::read_to_string(project().join("deploy/cloudrun.yaml")).expect("it is there");
    let patience = first.lines().find_map(|line| line.strip_prefix("      timeoutSeconds: ")).expect("of a request");
    assert!(patience.parse::<u64>().expect("seconds") > longest, "{settings:?}");
}

#[test]
fn the_build_is_what_cloud_build_takes() {
    let file = project().join("cloudbuild.yaml");
    is_allowed("cloudbuild.v1.json", "Build", &file);
    must(Command::new(tool("check-jsonschema")).args(["--builtin-schema", "vendor.cloudbuild"]).arg(file));
}

//! The manifests and the chart for Kubernetes: built by kustomize and rendered by Helm, read by the schemas of the oldest and the
//! newest API, compared with each other, and tried with a service.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use py_executor::config::{Config, Platform};
use reqwest::Method;
use serde_json::{Value, json};

use super::{must, packages, project, python, tool};
use crate::support::{Directory, Server};

/// The oldest version that knows all members of the manifests, and the newest one with schemas.
const VERSIONS: [&str; 2] = ["1.30", "1.37"];

const CHART: &str = "deploy/helm/py-executor";

/// MiB that the service itself may take, as in the formula of deploy/cloudrun.yaml.
const SERVICE_MIB: u64 = 640;

/// Labels of a chart's objects that those of the base do not have.
const LABELS_OF_HELM: [&str; 3] = ["app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"];

/// Objects by kind.
type Objects = BTreeMap<String, Value>;

/// Builds the base with these components by kustomize.
fn built(components: &[&str]) -> String {
    let list = |paths: &mut dyn Iterator<Item = String>| paths.collect::<Vec<_>>();
    let components: Vec<String> = list(&mut components.iter().map(|name| format!("components/{name}")));
    built_from(&json!({ "resources": ["base"], "components": components }).to_string())
}

/// Builds a `kustomization.yaml` that lies in deploy/kubernetes.
fn built_from(kustomization: &str) -> String {
    let directory = Directory::new("kustomize");
    copy(&project().join("deploy/kubernetes"), directory.path());
    directory.write("kustomization.yaml", kustomization);
    must(Command::new(tool("kustomize")).arg("build").arg(directory.path()))
}

fn copy(from: &Path, to: &Path) {
    must(Command::new("cp").arg("-r").arg(from.join(".")).arg(to));
}

fn reader() -> Command {
    let mut command = python();
    command.arg("tests/delivery/kubernetes.py").arg(packages()).current_dir(project());
    command
}

fn checked(manifests: &str, versions: &[&str]) -> Output {
    let directory = Directory::new("manifests");
    let file = directory.write("manifests.yaml", manifests);
    reader().arg("check").arg(file).args(versions).output().expect("Python starts")
}

/// Reads the objects, which every version must take.
#[track_caller]
fn read(manifests: &str) -> Objects {
    let output = checked(manifests, &VERSIONS);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let list: Vec<Value> = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let (count, kind) = (list.len(), |object: &Value| object["kind"].as_str().expect("text").to_owned());
    let objects: Objects = list.into_iter().map(|object| (kind(&object), object)).collect();
    assert_eq!(objects.len(), count, "two objects are of one kind");
    objects
}

fn rendered(chart: &Path, name: &str, values: &Value) -> Output {
    reader().arg("chart").arg(chart).args([name, &values.to_string()]).output().expect("Python starts")
}

/// Renders the chart with these values and an image.
#[track_caller]
fn chart(name: &str, values: &Value) -> Objects {
    let mut values = values.clone();
    values["image"]["repository"] = json!("py-executor");
    let output = rendered(Path::new(CHART), name, &values);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    read(&String::from_utf8_lossy(&output.stdout))
}

#[track_caller]
fn refuses(values: &Value, words: &str) {
    let output = rendered(Path::new(CHART), "some", values);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(words), "{values}: {said}");
}

fn pod(objects: &Objects) -> &Value {
    &objects["Deployment"]["spec"]["template"]["spec"]
}

fn container(objects: &Objects) -> &Value {
    &pod(objects)["containers"][0]
}

fn variables(objects: &Objects) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let listed = container(objects)["env"].as_array().expect("there are some");
    listed.iter().map(|variable| (text(&variable["name"]), text(&variable["value"]))).collect()
}

fn config(objects: &Objects) -> Config {
    Config::from_variables(variables(objects), Platform::Linux).expect("the settings are right")
}

/// A quantity of memory in MiB.
fn mib(quantity: &Value) -> u64 {
    quantity.as_str().and_then(|text| text.strip_suffix("Mi")).expect("MiB").parse().expect("a number")
}

/// Compares the sizes and times of the pod with the settings of the service in it.
#[track_caller]
fn fits(objects: &Objects) {
    let (config, pod) = (config(objects), pod(objects));
    let concurrency = config.concurrency as u64;
    let script = (config.policy.memory_bytes + config.policy.scratch_bytes) >> 20;
    let resources = &container(objects)["resources"];
    for kind in ["requests", "limits"] {
        assert_eq!(resources[kind]["cpu"], concurrency.to_string());
        assert_eq!(mib(&resources[kind]["memory"]), (concurrency + 1) * script + SERVICE_MIB);
    }
    let scratch = mib(&pod["volumes"][0]["emptyDir"]["sizeLimit"]);
    assert_eq!(scratch, (concurrency + 2) * (config.policy.scratch_bytes >> 20));
    let sleep = container(objects)["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().expect("seconds");
    let period = Duration::from_secs(pod["terminationGracePeriodSeconds"].as_u64().expect("seconds"));
    assert!(period >= config.grace + Duration::from_secs(sleep + 5), "{period:?}");
}

#[test]
fn a_pod_is_locked_down() {
    let objects = read(&built(&[]));
    let (pod, container) = (pod(&objects), container(&objects));
    let user = json!({
        "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "seccompProfile": { "type": "RuntimeDefault" },
    });
    assert_eq!(pod["securityContext"], user);
    let rights = json!({
        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] },
    });
    assert_eq!(container["securityContext"], rights);
    for name in ["automountServiceAccountToken", "enableServiceLinks"] {
        assert_eq!(pod[name], false, "{name}");
    }
    for name in ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "initContainers", "serviceAccountName"] {
        assert!(pod.get(name).is_none(), "{name}");
    }
    assert_eq!(pod["containers"].as_array().map(Vec::len), Some(1));
    let policy = &objects["NetworkPolicy"]["spec"];
    assert_eq!((&policy["policyTypes"], &policy["egress"]), (&json!(["Ingress", "Egress"]), &json!([])));
    let callers = json!([{ "namespaceSelector": { "matchLabels": { "py-executor-client": "true" } } }]);
    assert_eq!((&policy["ingress"][0]["from"], policy["ingress"].as_array().map(Vec::len)), (&callers, Some(1)));
    // A namespace alone lets all of its pods in; who else is in there is for the podSelector below.
    for selector in [
        &policy["podSelector"]["matchLabels"],
        &objects["Service"]["spec"]["selector"],
        &objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        &objects["Deployment"]["spec"]["selector"]["matchLabels"],
    ] {
        assert_eq!(selector, &objects["Deployment"]["spec"]["template"]["metadata"]["labels"]);
    }
}

#[test]
fn a_pod_has_room_and_time_for_its_scripts() {
    let objects = read(&built(&[]));
    fits(&objects);
    let config = config(&objects);
    assert!(config.grace > config.timeout, "a script may run for {:?}", config.timeout);
    // An overloaded pod is not restarted: that takes five minutes in which it can run nothing.
    let liveness = &container(&objects)["livenessProbe"];
    let seconds = |name: &str| liveness[name].as_u64().expect("a number");
    assert!(seconds("periodSeconds") * seconds("failureThreshold") >= 300 && seconds("timeoutSeconds") >= 10);
    assert!(objects["Deployment"]["spec"].get("replicas").is_none(), "the autoscaler's number would be reset");
}

#[tokio::test]
async fn its_settings_start_a_service_that_the_probes_and_prometheus_can_ask() {
    let objects = read(&built(&["service-monitor"]));
    let directory = Directory::new("keys");
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let keys = directory.write("api-keys", &format!("prometheus:{digest}\n"));
    let mount = &container(&objects)["volumeMounts"][1];
    assert_eq!(pod(&objects)["volumes"][1]["name"], mount["name"]);
    let mounted = format!("{}/api-keys", mount["mountPath"].as_str().expect("text"));
    let variables = variables(&objects);
    let placed: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), if *value == mounted { keys.to_str().expect("UTF-8") } else { value }))
        .collect();
    assert!(placed.iter().any(|(_, value)| Path::new(value) == keys), "no setting is {mounted}");
    let server = Server::with(&placed);
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let path = container(&objects)[probe]["httpGet"]["path"].as_str().expect("text");
        assert_eq!(server.send(server.request(Method::GET, path)).await.status, 200, "{probe}");
    }
    let path = objects["ServiceMonitor"]["spec"]["endpoints"][0]["path"].as_str().expect("text");
    assert_eq!(server.send(server.request(Method::GET, path)).await.status, 401);
    assert_eq!(server.send(server.request(Method::GET, path).bearer_auth("test")).await.status, 200);
}

#[test]
fn the_components_add_what_they_say() {
    let (base, all) = (read(&built(&[])), read(&built(&["gvisor", "service-monitor"])));
    assert!(pod(&base).get("runtimeClassName").is_none());
    assert_eq!(pod(&all)["runtimeClassName"], all["RuntimeClass"]["metadata"]["name"]);
    let added: Vec<&String> = all.keys().filter(|kind| !base.contains_key(*kind)).collect();
    assert_eq!(added, ["RuntimeClass", "ServiceMonitor"]);
    let ports = |object: &Value, list: &str| object["spec"][list][0]["port"].clone();
    assert_eq!(ports(&all["ServiceMonitor"], "endpoints"), all["Service"]["spec"]["ports"][0]["name"]);
}

#[test]
fn the_chart_renders_what_the_base_has() {
    let values = json!({
        "serviceMonitor": { "enabled": true }, "runtimeClass": { "name": "gvisor", "create": true },
    });
    for (values, components) in [(json!({}), &[][..]), (values, &["gvisor", "service-monitor"])] {
        let mut of_chart = chart("py-executor", &values);
        for object in of_chart.values_mut() {
            if let Some(labels) = object["metadata"].get_mut("labels").and_then(Value::as_object_mut) {
                for label in LABELS_OF_HELM {
                    assert!(labels.remove(label).is_some(), "there is no {label}");
                }
            }
        }
        assert_eq!(json!(of_chart), json!(read(&built(components))));
    }
}

#[test]
fn the_charts_values_do_what_they_say() {
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let objects = chart(
        "some",
        &json!({
            "image": { "digest": format!("sha256:{digest}") }, "imagePullSecrets": ["registry"],
            "apiKeys": { "digests": [format!("a:{digest}"), format!("b:{digest};rate=60/minute")] },
            "script": { "timeoutSeconds": 60, "memoryMb": 1_048_576, "scratchMb": 128 }, "concurrency": 4, "graceSeconds": 65,
            "settings": { "EXECUTOR_RATE": "600/minute" }, "autoscaling": { "enabled": false }, "replicas": 3,
            "disruptionBudget": { "enabled": false }, "networkPolicy": { "enabled": false },
            "nodeSelector": { "pool": "scripts" }, "tolerations": [{ "key": "scripts", "operator": "Exists" }],
            "podAnnotations": { "a": "b" },
        }),
    );
    assert_eq!(objects.keys().collect::<Vec<_>>(), ["Deployment", "Secret", "Service"]);
    fits(&objects);
    assert_eq!(objects["Deployment"]["spec"]["replicas"], 3);
    assert_eq!(container(&objects)["image"], format!("py-executor@sha256:{digest}"));
    assert!(config(&objects).access.rate.is_some());
    let secret = &objects["Secret"];
    assert_eq!(secret["stringData"]["api-keys"], format!("a:{digest}\nb:{digest};rate=60/minute"));
    assert_eq!(pod(&objects)["volumes"][1]["secret"]["secretName"], secret["metadata"]["name"]);
    assert_eq!(objects["Service"]["metadata"]["name"], "some-py-executor");
    assert_eq!(pod(&objects)["nodeSelector"]["pool"], "scripts");
    let named = chart(
        "some",
        &json!({
            "fullnameOverride": "scripts", "apiKeys": { "existingSecret": "keys" },
            "networkPolicy": { "clientNamespaceLabels": { "team": "agents" } },
        }),
    );
    // These labels instead of the usual one, not both.
    let callers = &named["NetworkPolicy"]["spec"]["ingress"][0]["from"];
    assert_eq!(*callers, json!([{ "namespaceSelector": { "matchLabels": { "team": "agents" } } }]));
    assert_eq!(named["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"], "scripts");
    assert_eq!(pod(&named)["volumes"][1]["secret"]["secretName"], "keys");
}

/// Compares the members of a schema with those of the values, each of which the text must name.
fn same(values: &Value, schema: &Value, text: &str) {
    let Some(known) = schema["properties"].as_object() else { return };
    assert_eq!(schema.get("additionalProperties"), Some(&json!(false)), "{schema}");
    let values = values.as_object().expect("an object");
    assert_eq!(values.keys().collect::<Vec<_>>(), known.keys().collect::<Vec<_>>());
    for (name, value) in values {
        assert!(name == "global" || text.contains(&format!("{name}:")), "{name}");
        same(value, &known[name], text);
    }
}

#[test]
fn every_value_has_an_explanation_and_a_schema() {
    let text = fs::read_to_string(project().join(CHART).join("values.yaml")).expect("it is text");
    let mut values: Value =
        serde_json::from_str(&must(reader().args(["json", &format!("{CHART}/values.yaml")]))).expect("JSON");
    let schema = fs::read_to_string(project().join(CHART).join("values.schema.json")).expect("it is text");
    let schema: Value = serde_json::from_str(&schema).expect("it is JSON");
    // Helm itself adds this one.
    values["global"] = json!({});
    same(&values, &schema, &text);
}

#[test]
fn a_wrong_value_is_refused() {
    refuses(&json!({}), "image.repository is needed");
    let with = |name: &str, value: Value| json!({ "image": { "repository": "a" }, name: value });
    refuses(&with("concurency", json!(4)), "additional properties 'concurency' not allowed");
    refuses(&with("concurrency", json!("4")), "/concurrency");
    refuses(&with("apiKeys", json!({ "digests": ["a key itself"] })), "/apiKeys/digests/0");
    // What a value of its own decides cannot be set a second time, nor can numbers, which Helm writes as 1e+06.
    refuses(&with("settings", json!({ "EXECUTOR_CONCURRENCY": "4" })), "invalid propertyName");
    refuses(&with("settings", json!({ "EXECUTOR_QUEUE": 1_000_000 })), "/settings/EXECUTOR_QUEUE");
    refuses(
        &with("networkPolicy", json!({ "clientNamespaceLabels": { "team": 1 } })),
        "/networkPolicy/clientNamespaceLabels",
    );
    let keys = json!({ "existingSecret": "keys", "digests": [format!("a:{}", "0".repeat(64))] });
    refuses(&with("apiKeys", keys), "set apiKeys.existingSecret or apiKeys.digests, not both");
    refuses(&with("runtimeClass", json!({ "create": true })), "runtimeClass.create needs runtimeClass.name");
}

#[test]
fn a_wrong_manifest_is_refused() {
    let manifests = built(&["gvisor", "service-monitor"]);
    for (right, wrong, words) in [
        ("runAsNonRoot: true", "runAsNonRoot: \"yes\"", "runAsNonRoot"),
        ("readOnlyRootFilesystem:", "readOnlyRootFileSystem:", "'readOnlyRootFileSystem' was unexpected"),
        ("type: Utilization", "kind: Utilization", "HorizontalPodAutoscaler"),
        ("kind: PodDisruptionBudget", "kind: PodDisruptionBudgets", "Couldn't find schema"),
        ("policy/v1", "policy/v1beta1", "Couldn't find schema"),
        ("targetLabel:", "targetlabel:", "ServiceMonitor"),
        ("kind: ServiceMonitor", "kind: ServiceMonitors", "ServiceMonitors"),
    ] {
        assert!(manifests.contains(right), "{right}");
        let output = checked(&manifests.replace(right, wrong), &VERSIONS[1..]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(words), "{wrong}: {said}");
    }
    // Older clusters do not know how to sleep, and versions without schemas are not taken for others.
    for (version, words) in [("1.28", "sleep"), ("1.99", "VersionNotSupportedError")] {
        let output = checked(&manifests, &[version]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(words), "{version}: {said}");
    }
}

#[test]
fn a_broken_chart_is_refused() {
    let directory = Directory::new("chart");
    copy(&project().join(CHART), directory.path());
    let values = json!({ "image": { "repository": "a" } });
    assert!(rendered(directory.path(), "some", &values).status.success());
    for (file, text) in [
        ("templates/service.yaml", "kind: {{ .Values.nothing.at.all }}"),
        ("templates/service.yaml", "a:\n b\n  c: {{ .Chart.Name }}"),
        ("Chart.yaml", "apiVersion: v2\nname: py-executor\n"),
    ] {
        let path = directory.path().join(file);
        let before = fs::read_to_string(&path).expect("it is there");
        fs::write(&path, text).expect("it is ours");
        assert!(!rendered(directory.path(), "some", &values).status.success(), "{file}: {text}");
        fs::write(&path, before).expect("it is ours");
    }
}

#[test]
fn all_are_of_the_services_version() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(container(&read(&built(&[])))["image"], format!("py-executor:{version}"));
    let chart = fs::read_to_string(project().join(CHART).join("Chart.yaml")).expect("it is text");
    for name in ["version", "appVersion"] {
        assert!(chart.contains(&format!("\n{name}: {version}\n")), "{name}: {chart}");
    }
}

#[test]
fn the_documents_kustomization_can_be_built() {
    let document = fs::read_to_string(project().join("docs/deploy/kubernetes.md")).expect("it is text");
    let examples: Vec<&str> =
        document.split("```yaml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect();
    let (values, kustomizations): (Vec<&str>, Vec<&str>) =
        examples.into_iter().partition(|example| !example.contains("kind: Kustomization"));
    assert_eq!(kustomizations.len(), 1);
    for kustomization in kustomizations {
        let here = kustomization.replace("../py-executor/deploy/kubernetes/", "");
        assert_ne!(here, kustomization);
        let objects = read(&built_from(&here));
        assert_eq!(objects["Deployment"]["metadata"]["namespace"], "scripts");
        assert!(container(&objects)["image"].as_str().expect("text").starts_with("registry.example/"));
        fits(&objects);
    }
    assert_eq!(values.len(), 1);
    let directory = Directory::new("values");
    let file = directory.write("values.yaml", values[0]);
    let values = must(reader().arg("json").arg(file));
    fits(&chart("some", &serde_json::from_str(&values).expect("it is JSON")));
}

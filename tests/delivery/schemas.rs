//! That nothing which others read is written without being read here.

use std::collections::BTreeMap;

use super::{files, has_extension, project};

/// What reads each YAML file as those do whom it is for.
const READERS: [(&str, &str); 11] = [
    (".github/actions/", "workflows: zizmor, and the schema of actions"),
    (".github/dependabot.yml", "workflows: zizmor, and Dependabot's schema"),
    (".github/workflows/", "workflows: actionlint, zizmor, and the schema of workflows"),
    ("cloudbuild.yaml", "cloudrun: Google's description, and the schema of Cloud Build"),
    ("deploy/alerts.yaml", "tests/http/operate: promtool"),
    ("deploy/alerts_test.yaml", "tests/http/operate: promtool"),
    ("deploy/cloudrun.yaml", "cloudrun: Google's description, as it is rendered"),
    ("deploy/compose.yaml", "container: the Compose specification"),
    ("deploy/helm/", "kubernetes: Helm, and the schemas of Kubernetes for what it renders"),
    ("deploy/kubernetes/", "kubernetes: kustomize, and the schemas of Kubernetes for what it builds"),
    ("template.yaml", "template: sam validate --lint, which has the schemas of CloudFormation"),
];

#[test]
fn every_yaml_file_has_a_reader() {
    let mut read: BTreeMap<&str, usize> = READERS.iter().map(|(place, _)| (*place, 0)).collect();
    for path in files().into_iter().filter(|path| has_extension(path, &["yml", "yaml"])) {
        let name = path.strip_prefix(project()).expect("it is below").to_str().expect("the name is text").to_owned();
        let place = READERS.iter().map(|(place, _)| *place).find(|place| name.starts_with(place));
        let place = place.unwrap_or_else(|| panic!("{name}: nothing here reads it as those do whom it is for"));
        *read.get_mut(place).expect("it is one of them") += 1;
    }
    assert!(read.values().all(|count| *count > 0), "there is no such file any more: {read:?}");
}

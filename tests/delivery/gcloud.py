"""Stands in for gcloud: knows the commands of deploy/cloudrun, keeps what they make, and notes each call.

gcloud.py TOOLS DIRECTORY COMMAND...: the directory has state.json, calls.txt, and the files of the revision that is deployed.
"""

import json
import pathlib
import re
import sys
import time

sys.path.insert(0, sys.argv[1])

import yaml

DIRECTORY, COMMAND = pathlib.Path(sys.argv[2]), sys.argv[3:]
WORDS = [word for word in COMMAND if not word.startswith("--")]
FLAGS = dict((word[2:].split("=", 1) + [""])[:2] for word in COMMAND if word.startswith("--"))
STATE = json.loads((DIRECTORY / "state.json").read_text())


def fail(words):
    sys.exit(f"ERROR: (gcloud) {words}")


def save():
    (DIRECTORY / "state.json").write_text(json.dumps(STATE))


def described(kind, name):
    if name not in STATE[kind]:
        fail(f"NOT_FOUND: {name}")


def created(kind, name):
    if name in STATE[kind]:
        fail(f"ALREADY_EXISTS: {name}")
    STATE[kind].append(name)


def replace(file):
    """Like Cloud Run, answers when the revision serves, or does not start."""
    service = yaml.safe_load(pathlib.Path(file).read_text())
    spec = service["spec"]["template"]["spec"]
    described("service_accounts", spec["serviceAccountName"])
    described("secrets", spec["volumes"][0]["secret"]["secretName"])
    revision = service["metadata"]["name"], service["spec"]["template"]["metadata"]["name"]
    assert re.fullmatch(re.escape(revision[0]) + "-[a-z0-9-]+", revision[1]) and len(revision[1]) < 64, revision
    variables = [f"{variable['name']}={variable['value']}" for variable in spec["containers"][0]["env"]]
    STATE["image"] = spec["containers"][0]["image"]
    (DIRECTORY / "service.yaml").write_text(pathlib.Path(file).read_text())
    unfinished = DIRECTORY / "variables.unfinished"
    unfinished.write_text("\n".join(variables))
    unfinished.rename(DIRECTORY / "variables")
    while not (DIRECTORY / "url").exists():
        time.sleep(0.02)
    url = (DIRECTORY / "url").read_text()
    if not url:
        fail("The user-provided container failed to start and listen on the port")
    traffic = []
    for target in service["spec"]["traffic"]:
        if target.get("latestRevision"):
            target = {**target, "revisionName": revision[1]}
            STATE["revisions"].append(revision[1])
        if target["revisionName"] not in STATE["revisions"]:
            fail(f"no revision {target['revisionName']}")
        if "tag" in target:
            target["url"] = url
        traffic.append(target)
    assert sum(target["percent"] for target in traffic) == 100, traffic
    STATE.update(traffic=traffic, url=url)


def describe():
    if STATE["traffic"] is None:
        fail("NOT_FOUND: service")
    if FLAGS["format"] == "value(status.url)":
        print(STATE["url"])
        return
    if FLAGS["format"] == "export":
        print((DIRECTORY / "service.yaml").read_text() if (DIRECTORY / "service.yaml").exists() else "kind: Service")
        return
    assert FLAGS["flatten"] == "status.traffic[]", FLAGS
    columns = re.fullmatch(r"csv\[no-heading\]\((.*)\)", FLAGS["format"])[1].split(",")
    for target in STATE["traffic"]:
        print(*(target.get(column.removeprefix("status.traffic."), "") for column in columns), sep=",")


def update_traffic():
    if revision := FLAGS.get("to-revisions"):
        name, percent = revision.split("=")
        assert name in STATE["revisions"] and percent == "100", revision
        STATE["traffic"] = [{"revisionName": name, "percent": 100}]
    for target in STATE["traffic"]:
        if target.get("tag") == FLAGS["remove-tags"]:
            del target["tag"]
    STATE["traffic"] = [target for target in STATE["traffic"] if target["percent"] or "tag" in target]


def main():
    match WORDS:
        case ["auth", "list"]:
            print(STATE["account"])
        case ["auth", "print-identity-token"]:
            # As with workload identity federation.
            if STATE["account"].endswith(".gserviceaccount.com") and FLAGS.get("impersonate-service-account") != STATE["account"]:
                fail("No identity token can be obtained from the current credentials.")
            if "audiences" in FLAGS:
                assert FLAGS["audiences"] == STATE["url"], FLAGS
            print("identity-token")
        case ["config", "get-value", "project"]:
            print(STATE["project"] or "(unset)", file=sys.stdout if STATE["project"] else sys.stderr)
        case ["projects", "describe", name]:
            if name != "some-project":
                fail(f"no permission to see {name}")
        case ["services", "list"]:
            assert FLAGS == {**FLAGS, "enabled": "", "format": "value(config.name)"}, FLAGS
            print(*STATE["apis"], sep="\n")
        case ["services", "enable", *names]:
            STATE["apis"] = sorted({*STATE["apis"], *names})
        case ["iam", "service-accounts", "describe", name]:
            described("service_accounts", name)
        case ["iam", "service-accounts", "create", name]:
            created("service_accounts", f"{name}@{FLAGS['project']}.iam.gserviceaccount.com")
        case ["artifacts", "repositories", "describe", name]:
            described("repositories", name)
        case ["artifacts", "repositories", "create", name]:
            created("repositories", name)
        case ["secrets", "describe", name]:
            described("secrets", name)
        case ["secrets", "create", name]:
            assert FLAGS["data-file"] == "-"
            created("secrets", name)
            (DIRECTORY / "api-keys").write_text(sys.stdin.read())
        case ["secrets", "get-iam-policy", name]:
            described("secrets", name)
            if STATE["accessors"]:
                print("roles/secretmanager.secretAccessor", ";".join(STATE["accessors"]), sep="\t")
        case ["secrets", "add-iam-policy-binding", _]:
            assert FLAGS["role"] == "roles/secretmanager.secretAccessor", FLAGS
            described("service_accounts", FLAGS["member"].removeprefix("serviceAccount:"))
            STATE["accessors"].append(FLAGS["member"])
        case ["builds", "submit", _]:
            described("repositories", FLAGS["substitutions"].split("_REPOSITORY=")[1].split(",")[0])
            print("build-1")
        case ["builds", "log", "build-1"]:
            print("the log of the build")
        case ["builds", "describe", "build-1"]:
            print(STATE["build"])
        case ["run", "services", "replace", file]:
            replace(file)
        case ["run", "services", "list"]:
            assert FLAGS["filter"] == "metadata.name=py-executor", FLAGS
            if STATE["unseen"]:
                fail("PERMISSION_DENIED")
            if STATE["traffic"] is not None:
                print("py-executor")
        case ["run", "services", "describe", _]:
            describe()
        case ["run", "services", "update-traffic", _]:
            update_traffic()
        case ["run", "services", "add-iam-policy-binding", _]:
            assert (FLAGS["member"], FLAGS["role"]) == ("allUsers", "roles/run.invoker"), FLAGS
            STATE["public"] = True
        case ["logging", "read", _]:
            print("what the service says of itself")
        case _:
            fail(f"the stand-in does not know {COMMAND}")


with open(DIRECTORY / "calls.txt", "a") as calls:
    print(*COMMAND, file=calls)
main()
save()

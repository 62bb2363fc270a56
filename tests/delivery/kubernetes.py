"""Reads manifests as those do whom they are for. The first argument is the directory of packages.

kubernetes.py PACKAGES check MANIFESTS VERSION...  prints the objects, as JSON, if the API of each Kubernetes VERSION takes them
kubernetes.py PACKAGES chart DIRECTORY NAME VALUES prints what Helm makes of a chart with these values, and lints it
kubernetes.py PACKAGES json FILE                   prints a YAML file as JSON
"""

import json
import sys
from pathlib import Path

packages, command, *arguments = sys.argv[1:]
sys.path.insert(0, packages)

import yaml


def check(file, *versions):
    objects = [found for found in yaml.safe_load_all(Path(file).read_text()) if found]
    for found in objects:
        is_of_operator = found["apiVersion"].startswith("monitoring.coreos.com/")
        faults = [of_operator(found)] if is_of_operator else [of_api(found, version) for version in versions]
        for fault in filter(None, faults):
            sys.exit(f"{found['kind']} {found['metadata']['name']}: {fault}")
    print(json.dumps(objects))


def of_api(found, version):
    """What is wrong by the schemas of the API, which in their strict form know all members. A kind without a schema is wrong."""
    import kubernetes_validate

    try:
        used = kubernetes_validate.validate(found, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{version}: {'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError as error:
        return error.message
    return None if used == version else f"there are no schemas of {version}, only of {used}"


def of_operator(found):
    """The same for Prometheus' operator. Its models leave out members that they do not know."""
    import pydantic
    from cloudcoil.models.prometheus_operator import v1

    try:
        known = getattr(v1, found["kind"]).model_validate(found).model_dump(by_alias=True, exclude_unset=True, mode="json")
    except (AttributeError, pydantic.ValidationError) as error:
        return str(error)
    return None if known == found else f"only this is known: {json.dumps(known)}"


def chart(directory, name, values):
    import helm_python

    values = json.loads(values)
    with helm_python.Chart.load(directory) as loaded:
        loaded.validate_schema(values)
        rendered = loaded.render(values, name=name, namespace="somewhere")
    # An icon would have to be fetched from somewhere.
    report = helm_python.lint(directory, values, strict=True)
    faults = [found for found in report["messages"] if found["severity"] > 1 or "icon" not in found["error"]]
    if faults or report["errors"]:
        sys.exit(f"lint: {faults} {report['errors']}")
    print(*(text for file, text in sorted(rendered.items()) if file.endswith(".yaml")), sep="\n---\n")


def as_json(file):
    print(json.dumps(yaml.safe_load(Path(file).read_text())))


try:
    {"check": check, "chart": chart, "json": as_json}[command](*arguments)
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")

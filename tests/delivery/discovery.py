"""Whether a YAML file is what Google's API takes: discovery.py TOOLS DOCUMENT SCHEMA FILE

DOCUMENT is a discovery document, SCHEMA the name of one of its schemas. What it does not know is a fault, and so is an
annotation that Cloud Run does not list for the place where it stands.
"""

import json
import re
import sys

sys.path.insert(0, sys.argv[1])

import jsonschema
import yaml

document, name, file = sys.argv[2:]
INTEGERS = {"int32": 2**31, "uint32": 2**32}


def strict(schema):
    """A schema of a discovery document as a JSON Schema that allows nothing else."""
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref']}"}
    kind = schema.get("type", "any")
    result = {} if kind == "any" else {"type": kind}
    if schema.get("format") in INTEGERS:
        result.update(minimum=-INTEGERS[schema["format"]], exclusiveMaximum=INTEGERS[schema["format"]])
    if "enum" in schema:
        result["enum"] = schema["enum"]
    if kind == "array":
        result["items"] = strict(schema["items"])
    if kind == "object":
        # What the API alone writes is not to be written.
        members = {key: value for key, value in schema.get("properties", {}).items() if not value.get("readOnly")}
        result["properties"] = {key: strict(value) for key, value in members.items()}
        rest = schema.get("additionalProperties")
        result["additionalProperties"] = strict(rest) if rest else False
    return result


with open(document) as opened:
    schemas = json.load(opened)["schemas"]
with open(file) as opened:
    content = yaml.safe_load(opened)

validator = jsonschema.Draft202012Validator(
    {"$ref": f"#/$defs/{name}", "$defs": {key: strict(schema) for key, schema in schemas.items()}}
)
faults = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(content)]

if name == "Service":
    described = schemas["ObjectMeta"]["properties"]["annotations"]["description"]
    known = {key: kinds.split(", ") for key, kinds in re.findall(r"\* `([^`]+)`: ([A-Z][A-Za-z, ]+)", described)}
    assert len(known) > 10, "the annotations were not found"
    for kind, metadata in [("Service", content["metadata"]), ("Revision", content["spec"]["template"]["metadata"])]:
        for annotation in metadata.get("annotations", {}):
            if not {kind, "All resources"} & set(known.get(annotation, [])):
                faults.append(f"{annotation} is no annotation of a {kind}")

sys.exit("\n".join(faults) or 0)

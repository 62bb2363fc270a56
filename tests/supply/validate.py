"""Whether files are right by CycloneDX's schema, and their package URLs by that of package URLs: validate.py TOOLS FILE..."""

import json
import sys

sys.path.insert(0, sys.argv[1])

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

for file in sys.argv[2:]:
    with open(file) as opened:
        text = opened.read()
    if fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"{file}: {fault}")
    for component in json.loads(text)["components"]:
        if (canonical := PackageURL.from_string(component["purl"]).to_string()) != component["purl"]:
            sys.exit(f"{file}: {component['purl']} should be {canonical}")

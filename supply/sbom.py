"""Writes bills of materials, CycloneDX 1.6 in JSON: sbom.py ARCH RUNTIME OUT.

OUT/py-executor.cdx.json has the crates that the two binaries for ARCH are built from, and OUT/layer.cdx.json the packages
that RUNTIME was built from, each with the hash of the archive that was fetched. The same inputs make the same bytes: there
is no time in them, and their serial number is a hash.
"""

import json
import re
import subprocess
import sys
import tomllib
import uuid
from email.parser import HeaderParser
from pathlib import Path
from urllib.parse import quote

PROJECT = Path(__file__).resolve().parent.parent
TARGETS = {"x86_64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}
# Debian's release, as package URLs name it.
DISTRO = "debian-13"


def bill(about, components, dependencies=()):
    content = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": about},
        "components": sorted(components, key=lambda component: component["bom-ref"]),
    }
    if dependencies:
        content["dependencies"] = [{"ref": ref, "dependsOn": sorted(needed)} for ref, needed in sorted(dependencies.items())]
    serial = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(content))
    return {**content, "serialNumber": serial.urn}


def component(kind, name, version, purl, licences, sha256, **more):
    return {
        "type": kind,
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        **({"licenses": licences} if licences else {}),
        **({"hashes": [{"alg": "SHA-256", "content": sha256}]} if sha256 else {}),
        **more,
    }


def purl(kind, name, version, **qualifiers):
    query = "&".join(f"{key}={quote(value, safe='')}" for key, value in sorted(qualifiers.items()))
    return f"pkg:{kind}/{quote(name)}@{quote(version, safe=':')}" + (f"?{query}" if query else "")


def expression(text):
    return [{"expression": text}]


def named(names):
    return [{"license": {"name": name}} for name in names]


# The binaries.


def tree(target, edges):
    """What cargo builds for a target: each crate with the depth at which it stands, its version and its licence."""
    command = ["cargo", "tree", "--locked", "--target", target, "--edges", edges, "--prefix", "depth", "--format", "\t{p}\t{l}"]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=PROJECT).stdout.splitlines()
    for line in lines:
        depth, package, licence = line.split("\t")
        name, version = package.split(" ")[:2]
        yield int(depth), name, version.removeprefix("v"), licence.removesuffix(" (*)")


def binaries(arch):
    target = TARGETS[arch]
    lock = tomllib.loads((PROJECT / "Cargo.lock").read_text())["package"]
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in lock}
    linked = {(name, version) for _, name, version, _ in tree(target, "normal,no-proc-macro")}
    crates, needs, path = {}, {}, []
    for depth, name, version, licence in tree(target, "normal,build"):
        ref = purl("cargo", name, version)
        # What is only run at build time is in no binary.
        scope = "required" if (name, version) in linked else "excluded"
        licences = expression(licence.replace("/", " OR "))
        crates[ref] = component("library", name, version, ref, licences, checksums[name, version], scope=scope)
        needs.setdefault(ref, set())
        path[depth:] = [ref]
        if depth:
            needs[path[depth - 1]].add(ref)
    about = crates.pop(path[0])
    del about["scope"]
    about["type"] = "application"
    about["properties"] = [{"name": "cdx:rustc:sbom:target:triple", "value": target}]
    return bill(about, crates.values(), needs)


# The layer.


def debian_licences(runtime, package):
    """As Debian's copyright file names them, where that is made for machines."""
    file = runtime / "usr/share/doc" / package / "copyright"
    text = file.read_text(errors="replace")
    names = set(re.findall(r"^License: *(\S.*)$", text, re.MULTILINE)) if text.startswith("Format:") else None
    return named(sorted(names or {f"see /{file.relative_to(runtime)}"}))


def wheel_licences(runtime, name, version):
    """As the wheel states them: an expression of SPDX's, or a classifier, or a few words."""
    packages = runtime / "usr/lib/python3/dist-packages"
    about = HeaderParser().parsestr((packages / f"{name.replace('-', '_')}-{version}.dist-info/METADATA").read_text())
    if about["License-Expression"]:
        return expression(about["License-Expression"])
    classifiers = [line.split(" :: ")[-1] for line in about.get_all("Classifier", []) if line.startswith("License ::")]
    return named(classifiers or (about["License"] or "").splitlines()[:1])


def layer(runtime):
    manifest = json.loads((runtime / "usr/share/py-executor/manifest.json").read_text())
    components = []
    for package in manifest["debian"]:
        name, version = package["name"], package["version"]
        ref = purl("deb/debian", name, version, arch=package["arch"], distro=DISTRO, upstream=package["source"])
        components.append(component("library", name, version, ref, debian_licences(runtime, name), package["sha256"]))
    for package in manifest["wheels"]:
        name, version = package["name"], package["version"]
        ref = purl("pypi", name, version)
        components.append(component("library", name, version, ref, wheel_licences(runtime, name, version), package["sha256"]))
    about = {
        "type": "platform",
        "bom-ref": "layer",
        "name": "py-executor layer",
        "version": manifest["python"],
        "description": f"Python {manifest['python']} with its libraries and packages, for {manifest['arch']}",
    }
    return bill(about, components)


def main(arch, runtime, out):
    Path(out).mkdir(parents=True, exist_ok=True)
    for name, content in (("py-executor", binaries(arch)), ("layer", layer(Path(runtime)))):
        file = Path(out, f"{name}.cdx.json")
        file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        print(f"{file}: {len(content['components'])} components")


main(*sys.argv[1:])

"""Writes what the runtime is made of: manifest.py ARCH RUNTIME DEBS WHEELS MANIFEST.

DEBS is a file with the paths of the .deb files, WHEELS the directory of the wheels. A copy of the manifest
goes into the runtime, whose size it states.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

from check import size_of


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def debian_package(path):
    name, version, arch = unquote(path.stem).split("_")
    return {"name": name, "version": version, "arch": arch, "source": source(path) or name, "sha256": sha256(path)}


def source(path):
    """The source package, by which Debian names vulnerabilities; none if it has the package's own name."""
    field = subprocess.run(["dpkg-deb", "--field", path, "Source"], check=True, capture_output=True, text=True).stdout
    return field.split(" ")[0].strip()


def wheel(path):
    name, version = path.stem.split("-")[:2]
    return {"name": name.lower().replace("_", "-"), "version": version, "sha256": sha256(path)}


def main(arch, runtime, debs, wheels, manifest):
    packages = [debian_package(Path(line)) for line in Path(debs).read_text().splitlines()]
    python = next(package["version"] for package in packages if package["name"] == "python3.13")
    content = {
        "arch": arch,
        "python": python.split("-")[0],
        "size": 0,
        "debian": sorted(packages, key=lambda package: package["name"]),
        "wheels": sorted(map(wheel, Path(wheels).glob("*.whl")), key=lambda wheel: wheel["name"]),
    }
    inside = Path(runtime, "usr/share/py-executor/manifest.json")
    inside.parent.mkdir(parents=True, exist_ok=True)
    inside.touch()
    # The manifest is part of what it measures: write until the number is the right one.
    while True:
        text = json.dumps(content, indent=2) + "\n"
        inside.write_text(text)
        if content["size"] == size_of(Path(runtime)):
            break
        content["size"] = size_of(Path(runtime))
    Path(manifest).write_text(text)


main(*sys.argv[1:])

"""CITATION.cff and CHANGELOG.md name the version of include/brainquant/version.h.

usage: versions_test.py ROOT
"""

import datetime
import pathlib
import re
import sys

import yaml

# Of the Citation File Format 1.2.0; "type" is software unless it says otherwise.
REQUIRED = {"cff-version", "message", "title", "authors"}


def version_of_sources(root):
    return re.search(r'kVersion = "(\d+\.\d+\.\d+)"', (root / "include/brainquant/version.h").read_text()).group(1)


def problems_of_citation(citation, version):
    if missing := REQUIRED - citation.keys():
        yield f"CITATION.cff: {sorted(missing)} missing"
    if citation.get("cff-version") != "1.2.0":
        yield f"CITATION.cff: cff-version is {citation.get('cff-version')!r}, expected '1.2.0'"
    if citation.get("version") != version:
        yield f"CITATION.cff: version is {citation.get('version')!r}, expected {version!r}, as in include/brainquant/version.h"


def problems_of_changelog(changelog, version):
    headings = re.findall(r"^## (.*)$", changelog, re.MULTILINE)
    if headings[:1] != ["[Unreleased]"]:
        yield f"CHANGELOG.md: the first heading is {headings[:1]}, expected [Unreleased]"
    released = []
    for heading in headings[1:]:
        match = re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})", heading)
        if not match:
            yield f"CHANGELOG.md: found the heading '{heading}', expected '[X.Y.Z] - YYYY-MM-DD'"
            continue
        released.append((tuple(map(int, match[1].split("."))), datetime.date.fromisoformat(match[2])))
    newest = ".".join(map(str, released[0][0])) if released else None
    if newest != version:
        yield f"CHANGELOG.md: the newest version is {newest}, expected {version}, as in include/brainquant/version.h"
    for later, earlier in zip(released, released[1:]):
        if later[0] <= earlier[0] or later[1] < earlier[1]:
            yield f"CHANGELOG.md: {earlier} stands below {later}, expected the newest version first"


root = pathlib.Path(sys.argv[1])
version = version_of_sources(root)
problems = [
    *problems_of_citation(yaml.safe_load((root / "CITATION.cff").read_text()), version),
    *problems_of_changelog((root / "CHANGELOG.md").read_text(), version),
]
print(*problems, sep="\n")
sys.exit(1 if problems else 0)

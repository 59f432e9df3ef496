"""Every relative link of the documents leads to a file or folder that is there, and its #anchor to a heading.

usage: links_test.py ROOT
"""

import pathlib
import re
import sys
from urllib.parse import unquote


def prose(text):
    """The numbered lines without code: blocks between fences, indented by four, and spans."""
    in_fence = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_fence = not in_fence
        elif not in_fence and not line.startswith("    "):
            yield number, line


def anchors(text):
    """Those that GitHub gives to headings: letters, digits, - and _ in lower case, spaces as -, and -1, -2 for repetitions."""
    counts = {}
    for _, line in prose(text):
        if not (heading := re.match(r"#{1,6} +(.*?) *#* *$", line)):
            continue
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading[1])
        anchor = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        counts[anchor] = counts.get(anchor, -1) + 1
        yield anchor if counts[anchor] == 0 else f"{anchor}-{counts[anchor]}"


def links(text):
    """Line numbers and targets, a link's text being perhaps on the line before; no web addresses."""
    lines = "\n".join(f"{number}\0{re.sub(r'`[^`]*`', 'code', line)}" for number, line in prose(text))
    number = 0
    for match in re.finditer(r"^(\d+)\0|\]\(([^)\s]+)\)", lines, re.MULTILINE):
        if match[1]:
            number = int(match[1])
        elif not re.match(r"[a-z]+:", match[2]):
            yield number, match[2]


def problem_of(document, target, root):
    path, _, anchor = unquote(target).partition("#")
    found = (document.parent / path).resolve() if path else document
    if not found.is_relative_to(root) or not found.exists():
        return "no such file or folder"
    if anchor and (found.suffix != ".md" or anchor not in anchors(found.read_text())):
        return f"no such heading in {found.relative_to(root)}"
    return None


# Worked by hand from GitHub's rule.
assert list(anchors("# The `bq_model` & C++\n## A: [b](c.md)?\n```\n# no\n```\n## A b\n")) == ["the-bq_model--c", "a-b", "a-b-1"]
assert list(links("a [b\nc](d.md#e) `[x](y)`\n\n    [in](code)\n[w](https://w.example)")) == [(2, "d.md#e")]

root = pathlib.Path(sys.argv[1]).resolve()
documents = [*sorted(root.glob("*.md")), *sorted((root / "docs").glob("*.md"))]
found = [(document, number, target) for document in documents for number, target in links(document.read_text())]
assert len(documents) > 5 and len(found) > 20, (documents, found)
problems = [
    f"{document.relative_to(root)}:{number}: {target}: {problem}"
    for document, number, target in found
    if (problem := problem_of(document, target, root))
]
print(*problems, sep="\n")
sys.exit(1 if problems else 0)

"""Every line of the documents fits 100 columns; tables, code and programs' output may be wider.

usage: line_length_test.py ROOT
"""

import pathlib
import sys

WIDTH = 100


def too_long(path):
    in_fence = False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_fence = not in_fence
        elif len(line) > WIDTH and not in_fence and not line.startswith("    ") and not line.lstrip().startswith("|"):
            yield f"{path}:{number}: {len(line)} columns, at most {WIDTH} expected"


root = pathlib.Path(sys.argv[1])
documents = [root / "README.md", root / "CONTRIBUTING.md", root / "CHANGELOG.md", *sorted((root / "docs").glob("*.md"))]
assert len(documents) > 5, documents
problems = [problem for document in documents for problem in too_long(document)]
print(*problems, sep="\n")
sys.exit(1 if problems else 0)

"""Writes the C++ source that holds what a page carries with it: its style, its script, and Vega, Vega-Lite and
Vega-Embed, which the Python package vl-convert-python brings along.

usage: write_page_assets.py FOLDER OUTPUT      FOLDER holds page.css and page.js
"""

import sys
from pathlib import Path

import vl_convert

# A string literal may be long, but tools choke on endless lines: the pieces stand on lines of their own.
PIECE = 8000


def literal(text):
    assert ')page"' not in text
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)] or [""]
    return "\n    ".join(f'R"page({piece})page"' for piece in pieces)


def function(name, text):
    return f"std::string_view {name}() {{\n  return\n    {literal(text)};\n}}\n"


def main():
    folder, output = Path(sys.argv[1]), Path(sys.argv[2])
    bundle = vl_convert.javascript_bundle()
    assert "</script" not in bundle and "<!--" not in bundle and "window.vegaEmbed" in bundle
    output.write_text(
        "// Written by cmake/write_page_assets.py when the library is built.\n"
        '#include "reporting/page/assets.h"\n\nnamespace brainquant {\n\n'
        + function("page_style", (folder / "page.css").read_text(encoding="utf-8"))
        + function("page_script", (folder / "page.js").read_text(encoding="utf-8"))
        + function("vega_bundle", bundle)
        + "\n}  // namespace brainquant\n",
        encoding="utf-8",
    )


main()

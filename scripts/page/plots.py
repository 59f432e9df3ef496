"""Each plot of a page as SVG and PNG, for slides and papers.

usage: plots.py PAGE.html FOLDER
"""

import json
import re
import sys
from pathlib import Path

import vl_convert

WIDTH, WIDE = 520, 900  # pixels; of plots that take half and all of the page
PNG_SCALE = 3
SPEC = re.compile(r'<script type="application/json" id="spec-([\w.-]+)" class="spec">(.*?)</script>')
CONFIG = re.compile(r'<script type="application/json" id="plot-config">(.*?)</script>')


def specs_of(page):
    """The plots' specifications by name, as they are drawn outside the page: on white, and of a width of their own."""
    config = json.loads(CONFIG.search(page).group(1))
    for name, text in SPEC.findall(page):
        spec = json.loads(text)
        wide = spec["usermeta"]["wide"]
        spec["width"] = WIDE if wide else WIDTH
        del spec["autosize"]  # names on the axes are beyond that width
        spec["config"] = config | {"background": "white", "legend": config["legend"] | {"columns": 4 if wide else 2}}
        yield name, spec


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: scripts/plots.sh PAGE.html FOLDER")
    page, folder = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        specs = dict(specs_of(page.read_text(encoding="utf-8")))
    except OSError as problem:
        sys.exit(f"error: {problem}")
    except (AttributeError, KeyError, ValueError):
        sys.exit(f"error: {page}: not a page of brainquant's with plots")
    folder.mkdir(parents=True, exist_ok=True)
    for name, spec in specs.items():
        (folder / f"{name}.svg").write_text(vl_convert.vegalite_to_svg(spec))
        (folder / f"{name}.png").write_bytes(vl_convert.vegalite_to_png(spec, scale=PNG_SCALE))
        print(folder / f"{name}.svg", folder / f"{name}.png")


main()

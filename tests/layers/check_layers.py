"""Reads the includes of src/, include/ and apps/ and names those that go up: each layer uses only itself and those below it.

usage: check_layers.py [ROOT]     exit code 1 if an include goes up, or a library's headers are included outside its layer
"""

import re
import sys
from pathlib import Path

# Headers that only one layer may include.
LIBRARIES = {"torch": r"(ATen|c10|caffe2|torch/(csrc|script|version|torch|extension))\b", "io": r"H5\w*\.h$|H5Cpp|zip\.h",
             "language_model": r"hiredis/", "model": r"yaml-cpp/"}
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]', re.MULTILINE)


def layers_of(root):
    """The layers from low to high, as src/CMakeLists.txt adds them; docs/architecture.md's table has the same order."""
    cmake = (root / "src/CMakeLists.txt").read_text()
    layers = max((names.split() for names in re.findall(r"set\(_layers ([\w\s]+)\)", cmake)), key=len)
    folders = {path.name for path in (root / "src").iterdir() if path.is_dir()}
    assert folders == set(layers), f"src/ has {sorted(folders)}, its CMakeLists.txt {sorted(layers)}"
    described = re.findall(r"^\| (\w+) \| ", (root / "docs/architecture.md").read_text(), re.MULTILINE)[1:]
    assert described == layers, f"docs/architecture.md has {described}, src/CMakeLists.txt {layers}"
    return layers


ROOT = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
LAYERS = layers_of(ROOT)


def layer_of(path):
    """The layer of a file relative to the root, or of what an include names; None if it is of no layer."""
    parts = path.removeprefix("include/").removeprefix("src/").removeprefix("brainquant/").split("/")
    return parts[0] if len(parts) > 1 and parts[0] in LAYERS else None


def problems_of(path, text):
    own = layer_of(path)
    problems = []
    for included in INCLUDE.findall(text):
        other = layer_of(included)
        if path.startswith("include/") and not included.startswith("brainquant/") and other is not None:
            problems.append(f"{path}: an installed header includes {included}, which is not installed")
        is_ours = included.startswith("brainquant/") or (other is not None and not re.match(LIBRARIES["torch"], included))
        if own is not None and is_ours and other is not None and LAYERS.index(other) > LAYERS.index(own):
            problems.append(f"{path}: {own} includes {included}, of the higher layer {other}")
        if path.startswith("apps/") and other is not None and not included.startswith("brainquant/"):
            problems.append(f"{path}: includes {included}; an app uses installed headers only")
        for layer, pattern in LIBRARIES.items():
            if own != layer and re.match(pattern, included):
                problems.append(f"{path}: includes {included}, which only {layer} may")
    return problems


def check_itself():
    """A step up, and a library outside its layer, are found; a step down is none."""
    assert problems_of("src/model/a.cpp", '#include "brainquant/runtime/engine.h"')
    assert problems_of("src/support/a.h", '#include "io/hdf5_call.h"')
    assert problems_of("src/runtime/a.cpp", "#include <ATen/ATen.h>")
    assert problems_of("apps/a.cpp", "#include <H5Cpp.h>")
    assert problems_of("apps/a.cpp", '#include "quantization/observer.h"')
    assert problems_of("include/brainquant/quantization/a.h", '#include "quantization/observer.h"')
    assert not problems_of("src/runtime/a.cpp", '#include "brainquant/model/config.h"\n#include <vector>')
    assert not problems_of("src/torch/a.cpp", '#include <torch/csrc/api.h>\n#include "torch/gru_layer.h"')


def main():
    check_itself()
    files = [path for folder in ("include", "src", "apps") for path in sorted((ROOT / folder).rglob("*"))
             if path.suffix in (".h", ".cpp")]
    assert files, f"no sources below {ROOT}"
    problems = [problem for path in files for problem in problems_of(str(path.relative_to(ROOT)), path.read_text())]
    for problem in problems:
        print(problem)
    print(f"{len(files)} files, {len(problems)} includes that go up")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

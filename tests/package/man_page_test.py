"""The C program of the manual page: compiled and linked as the page says, its phonemes against docs/numerics.md in NumPy.

usage: man_page_test.py PAGE COMPILER INCLUDE LIBRARY FIXTURES MODEL SCRATCH
PAGE: brainquant-runtime.7.in; LIBRARY: libbrainquant_c.so; FIXTURES: the folder of int8_decoder.py; MODEL: a quantized file of 41 classes.
"""

import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

page, compiler, include, library, fixtures, model, scratch = map(pathlib.Path, sys.argv[1:])
sys.path.insert(0, str(fixtures))
import int8_decoder  # noqa: E402

BINS = 300


def documented_program(text):
    blocks = re.findall(r"^\.EX\n(.*?)^\.EE$", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1, f"expected one example, found {len(blocks)}"
    return blocks[0].replace(r"\e", "\\")  # \e is how troff writes a backslash


def smoothed(features, settings):
    impulse = np.zeros(settings["smooth_kernel_size"])
    impulse[len(impulse) // 2] = 1
    taps = gaussian_filter1d(impulse, settings["smooth_kernel_std"])
    taps = taps[taps > 0.01]
    taps = (taps / taps.sum()).astype(np.float32)
    bins = len(features) - len(taps) + 1
    return sum(tap * features[i : i + bins] for i, tap in enumerate(taps))


def expected_phonemes(root, features):
    logits = int8_decoder.Decoder(root)(smoothed(features, root["model"]), 0)
    best_two = np.sort(logits, axis=1)[:, -2:]
    assert (best_two[:, 1] - best_two[:, 0] > 1e-5).all(), "a step whose phoneme is decided by rounding"
    return [name for name in (root["model"]["classes"][i] for i in logits.argmax(axis=1)) if name != "BLANK"]


def run(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, **options)


shutil.rmtree(scratch, ignore_errors=True)
scratch.mkdir(parents=True)
text = page.read_text()
(scratch / "example.c").write_text(documented_program(text))
assert "cc example.c \\-lbrainquant_c" in text
built = run(compiler, "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-I", include, scratch / "example.c",
            "-L", library.parent, f"-Wl,-rpath,{library.parent}", "-lbrainquant_c", "-o", scratch / "example")
assert built.returncode == 0, built.stderr.decode()

root = torch.load(model, weights_only=True)
features = np.random.default_rng(3).normal(0, 2, (BINS, root["model"]["n_input_features"])).astype(np.float32)
done = run(scratch / "example", model, input=features.tobytes())
found, expected = done.stdout.decode().split(), expected_phonemes(root, features)
assert done.returncode == 0, done.stderr.decode()
assert len(set(expected)) > 3, f"a test of {set(expected)} only"
assert found == expected, f"found {found}\nexpected {expected}"

no_model = run(scratch / "example", scratch / "no_such_model.pt", input=b"")
assert no_model.returncode == 1 and b"no_such_model.pt" in no_model.stderr, no_model

if shutil.which("man"):
    warned = run("man", "--warnings=w", "-E", "UTF-8", "-l", page).stderr.decode()
    assert not warned, f"man warns of the page:\n{warned}"

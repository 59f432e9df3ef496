"""The code of docs/file-format.md against the programs: logits of the small study's trials from quantized files of every kind.

usage: file_format_test.py DOCUMENT PROGRAMS STUDY FILES SCRATCH
PROGRAMS: the folder of the built programs; STUDY: what tests/fixtures/small_study.py writes; FILES: a folder of quantized files for models of
the study's sessions and number of features; SCRATCH: a folder to work in, emptied first.
"""

import pathlib
import re
import shutil
import subprocess
import sys

import h5py
import numpy as np
import torch

QUANTIZATIONS = {
    "dynamic_qint8": ["--quantization_type", "dynamic"],
    "dynamic_qint8_per_channel": ["--quantization_type", "dynamic", "--weight_granularity", "per_channel"],
    "dynamic_float16": ["--quantization_type", "dynamic", "--dtype", "float16"],
    "static_qint8": ["--quantization_type", "static"],
    "static_per_channel_qint8": ["--quantization_type", "static_per_channel"],
    "dynamic_qint4": ["--dtype", "qint4"],
    "static_per_channel_qint4": ["--quantization_type", "static_per_channel", "--dtype", "qint4"],
    "static_qint8_day_layers_float": ["--quantization_type", "static", "--day_layers", "float"],
}
FP16_TOLERANCE = 1e-3
# The lower bound is docs/file-format.md's, with its reason. Rows whose largest magnitude is the root mean square itself, the
# best that rounding to 8 bits can meet, would give 53 dB, and zeros are exact: above 60 the engine would not be INT8.
INT8_SQNR_DB = (38, 60)


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments), "--quiet"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{program}: exit code {done.returncode}\n{done.stderr}")


def documented_code(document):
    blocks = re.findall(r"^```python\n(.*?)^```$", document, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1, f"expected one block of Python, found {len(blocks)}"
    return blocks[0]


def documented_classes(document):
    return re.search(r"^    (BLANK.*?)\n\n", document, re.DOTALL | re.MULTILINE).group(1).split()


def recordings(study):
    for path in sorted((study / "data").glob("*/data_val.hdf5")):
        with h5py.File(path) as file:
            for name, trial in file.items():
                yield path.parent.name, name, trial["input_features"][...]


def check(path, logits, study, programs, scratch):
    saved = scratch / f"{path.parent.name}_{path.stem}.h5"
    run(programs / "evaluate_quantized_model", "--model_path", path, "--data_dir", study / "data", "--csv_path",
        study / "corpora.csv", "--gpu_number", -1, "--skip_lm", "--save_logits", saved, "--output_csv", saved.with_suffix(".csv"))
    ours, theirs = [], []
    with h5py.File(saved) as file:
        for session, trial, features in recordings(study):
            sessions = torch.load(path, weights_only=True)["model"]["sessions"]
            if session not in sessions:
                continue
            ours.append(file[session][trial][...])
            theirs.append(logits(path, features, session).numpy())
            assert ours[-1].shape == theirs[-1].shape, (path, session, trial, ours[-1].shape, theirs[-1].shape)
    ours, theirs = np.concatenate(ours).astype(np.float64), np.concatenate(theirs).astype(np.float64)
    assert len(ours) > 100 and np.isfinite(theirs).all()
    worst = np.abs(ours - theirs).max()
    sqnr = 10 * np.log10((theirs**2).sum() / ((ours - theirs) ** 2).sum())
    print(f"{path.parent.name}/{path.stem}: {len(ours)} steps, largest difference {worst:.2g}, SQNR {sqnr:.1f} dB")
    if "float16" in path.stem:
        assert worst <= FP16_TOLERANCE, path
    else:
        assert INT8_SQNR_DB[0] <= sqnr <= INT8_SQNR_DB[1], path


def main(document, programs, study, files, scratch):
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    text = document.read_text()
    documented = {}
    exec(compile(documented_code(text), str(document), "exec"), documented)
    fresh = []
    for name, options in QUANTIZATIONS.items():
        fresh.append(scratch / "fresh" / f"{name}.pt")
        run(programs / "quantize_model", "--model_path", study / "model", "--output_path", fresh[-1], "--data_dir", study / "data",
            "--csv_path", study / "corpora.csv", *options)
    assert torch.load(fresh[0], weights_only=True)["model"]["classes"] == documented_classes(text)
    # Static scales of other recordings would clip the study's, so only the dynamic files of the past.
    for path in [*fresh, *sorted(files.glob("dynamic_*.pt"))]:
        check(path, documented["logits"], study, programs, scratch)


main(*(pathlib.Path(argument).resolve() for argument in sys.argv[1:]))

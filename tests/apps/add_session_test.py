"""quantize_model --add_session and --replace_session, against files quantized whole and against NumPy.

usage: add_session_test.py PROGRAMS FIXTURES QUANTIZED_FILE_V2
PROGRAMS: the folder of the programs; FIXTURES: that of the tests' fixtures; QUANTIZED_FILE_V2: a file of an earlier version.
Exit code 1 names what is wrong.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import torch
from omegaconf import OmegaConf
from scipy.ndimage import gaussian_filter1d

PROGRAMS, FIXTURES, EARLIER = (Path(argument).resolve() for argument in sys.argv[1:4])
STUDY = FIXTURES / "small_study"
DATA = ["--data_dir", STUDY / "data", "--csv_path", STUDY / "corpora.csv"]
NEW = "t15.2023.08.27"


def run(program, *arguments):
    command = [str(argument) for argument in (PROGRAMS / program, *arguments, "--quiet")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def succeeded(result):
    assert result.returncode == 0, result
    return result.stdout


def refused(result, *parts, code=1):
    assert result.returncode == code and result.stderr.count("\n") == 1, result
    for part in parts:
        assert part in result.stderr, (part, result.stderr)


def fine_tuned(folder, day_of=None, change=None):
    """The study's checkpoint with a day more, or with another day layer of `day_of`; `change` alters other weights."""
    shutil.copytree(STUDY / "model", folder)
    args = OmegaConf.load(folder / "checkpoint/args.yaml")
    path = folder / "checkpoint/best_checkpoint"
    root = torch.load(path, weights_only=False)
    state = root["model_state_dict"]
    if day_of is None:
        place, args.dataset.sessions = len(args.dataset.sessions), [*args.dataset.sessions, NEW]
        OmegaConf.save(args, folder / "checkpoint/args.yaml")
    else:
        place = list(args.dataset.sessions).index(day_of)
    prefix = next(key for key in state if key.endswith("day_weights.0")).removesuffix("day_weights.0")
    torch.manual_seed(place + 40)
    size = state[f"{prefix}day_weights.0"].shape[0]
    state[f"{prefix}day_weights.{place}"] = torch.eye(size) + 0.1 * torch.randn(size, size)
    state[f"{prefix}day_biases.{place}"] = 0.1 * torch.randn(1, size)
    if change:
        key = next(k for k in state if k.endswith(change))
        state[key] = state[key] + 1e-6 * state[key].abs().max()
    torch.save(root, path)
    return folder


def quantized(path, model, *flags):
    succeeded(run("quantize_model", "--model_path", model, "--output_path", path, *DATA, *flags))
    return path


def put(flag, checkpoint, session, base, output, *more):
    return run("quantize_model", flag, checkpoint, session, "--base", base, "--output_path", output, *more)


def contents(path):
    root = torch.load(path, weights_only=True)
    return root, {name: (str(tensor.dtype), tensor.numpy().tobytes()) for name, tensor in root["tensors"].items()}


def check_added_is_as_if_quantized_whole(work, tuned):
    """Without calibration nothing depends on other days: the file is that of the whole checkpoint."""
    for name, flags in {"qint8": [], "per_channel": ["--weight_granularity", "per_channel"], "float16": ["--dtype", "float16"],
                        "qint4": ["--dtype", "qint4", "--weight_rounding", "nearest"], "float_days": ["--day_layers", "float"]}.items():
        base = quantized(work / name / "base.pt", STUDY / "model", *flags)
        whole = quantized(work / f"{name}_whole" / "whole.pt", tuned, *flags)
        added = work / f"{name}_added" / "added.pt"
        said = succeeded(put("--add_session", tuned, NEW, base, added))
        root, tensors = contents(added)
        whole_root, whole_tensors = contents(whole)
        assert list(tensors) == list(whole_tensors) and tensors == whole_tensors, name
        assert root["model"] == whole_root["model"] and root["checksums"] == whole_root["checksums"], name
        assert root["provenance"]["shared_sha256"] == whole_root["provenance"]["shared_sha256"]
        assert root["provenance"]["day_sha256"] == whole_root["provenance"]["day_sha256"]
        assert root["provenance"]["source_sha256"] == contents(base)[0]["provenance"]["source_sha256"]
        assert "clips" not in said, said
        assert (added.parent / "args.yaml").read_text() == (tuned / "checkpoint/args.yaml").read_text()


def check_static(work, tuned):
    base = quantized(work / "static" / "base.pt", STUDY / "model", "--quantization_type", "static_per_channel")
    added = work / "static_added" / "added.pt"
    said = succeeded(put("--add_session", tuned, NEW, base, added, "--data_dir", STUDY / "data"))
    assert "was not measured" in said, said  # no recordings of that day
    root, tensors = contents(added)
    base_root, base_tensors = contents(base)
    new = {"day_residuals.4", "day_residuals.4.scale", "day_biases.4"}
    assert set(tensors) - set(base_tensors) == new
    assert all(tensors[name] == base_tensors[name] for name in base_tensors)
    assert root["activation_scales"] == base_root["activation_scales"]
    for key in ("tool_version", "source_sha256", "args_sha256", "val_per", "calibration_trials", "calibration_sha256"):
        assert root["provenance"][key] == base_root["provenance"][key], key
    # To nearest, a scale for each output channel: by NumPy.
    state = torch.load(tuned / "checkpoint/best_checkpoint", weights_only=False)["model_state_dict"]
    weight = next(v for k, v in state.items() if k.endswith("day_weights.4")).numpy()
    residual = (weight - np.eye(len(weight), dtype=np.float32)).T
    scale = np.abs(residual).max(1) / np.float32(127)
    np.testing.assert_array_equal(root["tensors"]["day_residuals.4.scale"].numpy(), scale)
    np.testing.assert_array_equal(root["tensors"]["day_residuals.4"].numpy(), np.rint(residual / scale[:, None]))

    # The days that were there are decoded as before, bit for bit.
    logits = {}
    for name, path in (("base", base), ("added", added)):
        succeeded(run("evaluate_quantized_model", "--model_path", path, "--skip_lm", *DATA, "--save_logits", work / f"{name}.npz"))
        logits[name] = np.load(work / f"{name}.npz")
    assert logits["base"].files == logits["added"].files and len(logits["base"].files) > 10
    assert all(np.array_equal(logits["base"][key], logits["added"][key]) for key in logits["base"].files)

    inspected = json.loads(succeeded(run("quantize_model", "--inspect", added, "--json")))
    [entry] = inspected["quantized"]["added_sessions"]
    assert entry["session"] == NEW and entry["replaced"] is False and entry["made_by"] == inspected["quantized"]["made_by"]
    assert f"session added       {NEW}" in succeeded(run("quantize_model", "--inspect", added))
    # Such a file is none that quantizing the checkpoint would make.
    refused(run("quantize_model", "--model_path", STUDY / "model", "--output_path", added, *DATA, "--quantization_type",
                "static_per_channel"), "already exists", "added_session")


def check_replacing(work):
    session = "t15.2023.08.18"
    tuned = fine_tuned(work / "tuned_day", day_of=session)
    base = work / "static" / "base.pt"
    output = work / "replaced" / "replaced.pt"
    said = succeeded(put("--replace_session", tuned, session, base, output, "--data_dir", STUDY / "data"))
    root, tensors = contents(output)
    base_root, base_tensors = contents(base)
    assert list(tensors) == list(base_tensors)
    changed = {name for name in tensors if tensors[name] != base_tensors[name]}
    assert changed == {"day_residuals.2", "day_residuals.2.scale", "day_biases.2"}, changed
    assert root["model"] == base_root["model"]
    # What the shared scale clips of that day's train trials, by scipy and NumPy.
    impulse = np.zeros(100, dtype=np.float32)
    impulse[50] = 1
    taps = gaussian_filter1d(impulse, 2)
    taps = taps[taps > 0.01] / taps[taps > 0.01].sum()
    values = clipped = 0
    with h5py.File(STUDY / "data" / session / "data_train.hdf5") as file:
        for trial in file.values():
            x = np.apply_along_axis(np.convolve, 0, trial["input_features"][:].astype(np.float64), taps, "valid")
            values += x.size
            clipped += int((np.abs(np.rint(x / root["activation_scales"]["day_input"])) > 127).sum())
        count = len(file)
    assert f"clips {100 * clipped / values:.4f} % of the values of {count} train trials" in said, (said, clipped, values)

    # Recordings that are louder than those that calibrated do clip.
    loud = work / "loud" / session
    loud.mkdir(parents=True)
    shutil.copy(STUDY / "data" / session / "data_train.hdf5", loud)
    with h5py.File(loud / "data_train.hdf5", "r+") as file:
        for trial in file.values():
            trial["input_features"][:] = 3 * trial["input_features"][:]
    said = succeeded(put("--replace_session", tuned, session, base, output, "--data_dir", loud.parent, "--force"))
    assert "clips 0.0000 %" not in said, said


def check_refusals(work, tuned):
    base = work / "qint8" / "base.pt"
    output = work / "refused" / "new.pt"
    sessions = OmegaConf.load(STUDY / "model/checkpoint/args.yaml").dataset.sessions
    refused(put("--add_session", tuned, sessions[0], base, output), str(base), "is there already; --replace_session")
    refused(put("--replace_session", tuned, NEW, base, output), str(base), "is not there; --add_session")
    refused(put("--add_session", STUDY / "model", NEW, base, output), "args.yaml", f"{NEW} is not there")
    for change in ("gru.weight_hh_l1", "out.bias", "h0"):
        other = fine_tuned(work / f"other_{change}", change=change)
        refused(put("--add_session", other, NEW, base, output), "GRU and output layer", "is not what the quantized file")
    other = fine_tuned(work / "other_day", change="day_weights.1")
    refused(put("--add_session", other, NEW, base, output), f"the day layer of {sessions[1]}")
    refused(put("--add_session", tuned, NEW, EARLIER, output), str(EARLIER), "quantize the model again")
    refused(put("--add_session", tuned, NEW, base, work / "qint8_added" / "added.pt"), "already exists; --force")
    refused(put("--add_session", tuned, NEW, base, base), "is --base itself", code=2)
    refused(put("--add_session", tuned, NEW, base, output, "--dtype", "qint8"), "--dtype cannot be given", code=2)
    refused(run("quantize_model", "--add_session", tuned, NEW, "--output_path", output), "--base", code=2)
    refused(run("quantize_model", "--base", base, "--output_path", output, "--model_path", tuned), "--add_session", code=2)
    refused(run("quantize_model", "--add_session", tuned, "--base", base, "--output_path", output), "--add_session", code=2)
    assert not output.exists()


def main():
    with tempfile.TemporaryDirectory(prefix="brainquant_add_session_") as folder:
        work = Path(folder)
        tuned = fine_tuned(work / "tuned")
        check_added_is_as_if_quantized_whole(work, tuned)
        check_static(work, tuned)
        check_replacing(work)
        check_refusals(work, tuned)


main()

"""Sizes of the files and what quantization costs, judged by PyTorch's logits and phonemes and by edit distances of our own."""

import csv
import json

import h5py
import numpy as np
import torch

from programs import METHODS
from pytorch_decoder import edit_distance
from torch_side import phoneme_text

NEEDED_DB = {"dynamic_qint8": 42.0, "static_qint8": 42.0, "static_per_channel_qint8": 48.0}


def quantize_all(table, programs, model, data, csv_path, work, fp32_bytes):
    files = {}
    for method in METHODS:
        path = work / method / "checkpoint" / "quantized_model.pt"
        programs.quantize(model, data, csv_path, method, path)
        files[method] = path
        share, most = 100 * path.stat().st_size / fp32_bytes, 50.5 if method == "dynamic_float16" else 25.6
        table.add(f"size of {method}", f"<= {most} % of fp32's {fp32_bytes / 1e6:.1f} MB",
                  f"{share:.2f} % ({path.stat().st_size / 1e6:.1f} MB)", share <= most)
        try:
            torch.load(path, weights_only=True)
            opened, what = True, "opens"
        except Exception as problem:  # whatever it is, the file does not open
            opened, what = False, str(problem).splitlines()[0][:60]
        table.add(f"torch.load of {method}", "opens with weights_only=True", what, opened)
    return files


def evaluated(programs, model, data, csv_path, out):
    """(logits by label, predicted phonemes' texts in order, JSON) of one evaluation."""
    out.mkdir(parents=True, exist_ok=True)
    logits_file = out / "logits.hdf5"
    programs.must_run("evaluate_quantized_model", *programs.evaluation_arguments(model, data, csv_path, out),
                      "--save_logits", logits_file)
    with h5py.File(logits_file, "r") as file:
        logits = {f"{s}/{t}": file[s][t][:] for s in file for t in file[s]}
    with open(out / "results.csv", newline="") as file:
        predicted = [row["pred_phonemes"] for row in csv.DictReader(file)]
    return logits, predicted, json.loads((out / "results.json").read_text())


def error_rate(predicted, answers):
    """Over phonemes' names, so that the program's own text is what is judged."""
    distance = sum(edit_distance(phoneme_text(a.truth).split(), p.split()) for a, p in zip(answers, predicted, strict=True))
    return 100 * distance / sum(len(a.truth) for a in answers)


def against(answers, logits):
    """(signal-to-noise ratio in dB, steps with the same argmax in percent, largest difference) against PyTorch's logits."""
    signal = noise = 0.0
    same = steps = 0
    largest = 0.0
    for answer in answers:
        ours = logits[answer.label].astype(np.float64)
        if ours.shape != answer.logits.shape:
            raise RuntimeError(f"{answer.label}: logits of shape {ours.shape}, PyTorch gives {answer.logits.shape}")
        if not ours.size:
            continue
        difference = ours - answer.logits
        signal += float((answer.logits.astype(np.float64) ** 2).sum())
        noise += float((difference**2).sum())
        largest = max(largest, float(np.abs(difference).max()))
        same += int((ours.argmax(-1) == answer.logits.argmax(-1)).sum())
        steps += len(ours)
    return (10 * np.log10(signal / noise) if noise else np.inf), 100 * same / max(1, steps), largest


def judge(table, programs, model, files, answers, data, csv_path, work):
    logits, predicted, report = evaluated(programs, model, data, csv_path, work / "fp32")
    differing = sum(p != phoneme_text(a.predicted) for a, p in zip(answers, predicted, strict=True))
    table.add("fp32 phonemes against PyTorch", "equal in every trial", f"{len(answers) - differing} of {len(answers)} equal",
              differing == 0)
    _, _, largest = against(answers, logits)
    table.add("fp32 logits against PyTorch", "<= 1e-4 apart", f"{largest:.1e}", largest <= 1e-4)
    baseline = error_rate(predicted, answers)
    reported = [abs(report["per"]["total"]["rate"] - baseline) if "rate" in report["per"]["total"] else None]
    decibels = {}
    for method, path in files.items():
        logits, predicted, report = evaluated(programs, path, data, csv_path, work / method)
        db, agreement, _ = against(answers, logits)
        decibels[method] = db
        per = error_rate(predicted, answers)
        if "rate" in report["per"]["total"]:
            reported.append(abs(report["per"]["total"]["rate"] - per))
        if method in NEEDED_DB:
            needed = NEEDED_DB[method]
            table.add(f"logits' signal to noise, {method}", f">= {needed:.0f} dB", f"{db:.1f} dB", db >= needed)
            table.add(f"argmax agreement, {method}", ">= 99.5 %", f"{agreement:.2f} %", agreement >= 99.5)
        most = 0.05 if method == "dynamic_float16" else 0.3
        table.add(f"PER, {method}", f"within {most} of fp32's {baseline:.2f} %", f"{per:.2f} % ({per - baseline:+.2f})",
                  abs(per - baseline) <= most + 1e-9)
    table.add("static_per_channel's signal to noise", "no lower than static's",
              f"{decibels['static_per_channel_qint8']:.1f} dB against {decibels['static_qint8']:.1f} dB",
              decibels["static_per_channel_qint8"] >= decibels["static_qint8"])
    worst = max((r for r in reported if r is not None), default=None)
    table.add("PER as the programs report it", "as computed here", f"{worst:.1e} points apart" if worst is not None else "none",
              worst is not None and worst < 1e-6)
    return baseline

"""Time and memory."""

import json
import shutil
import statistics
from pathlib import Path

import h5py

from torch_side import save_with_optimizer_state

MB = 1e6


def wall_seconds(programs, model, data, csv_path, out, limit):
    out.mkdir(parents=True, exist_ok=True)
    programs.must_run("evaluate_quantized_model", *programs.evaluation_arguments(model, data, csv_path, out),
                      "--max_trials", limit)
    return json.loads((out / "results.json").read_text())["timing"]["wall_seconds"]


def speed(table, programs, decoder, model, static_file, data, csv_path, work, limit, rounds):
    """One interleaved run: PyTorch, fp32, static INT8, and again; ratios of each round, then their median."""
    decoder.seconds_for(data, min(limit, 5))  # PyTorch's first calls set things up
    fp32, static, times = [], [], []
    for _ in range(rounds):
        torch_seconds = decoder.seconds_for(data, limit)
        ours = [wall_seconds(programs, m, data, csv_path, work / "speed", limit) for m in (model, static_file)]
        fp32.append(torch_seconds / ours[0])
        static.append(torch_seconds / ours[1])
        times.append((torch_seconds, *ours))
    each = [1e3 * statistics.median(column) / limit for column in zip(*times)]
    spread = [f"{statistics.median(r):.2f} times ({min(r):.2f} to {max(r):.2f})" for r in (fp32, static)]
    where = f"{limit} trials, {programs.threads} threads, {rounds} rounds"
    table.add("fp32 evaluation against PyTorch's", "no slower", f"{spread[0]} as fast; {each[1]:.1f} ms a trial, PyTorch "
              f"{each[0]:.1f} ms; {where}", statistics.median(fp32) >= 1.0)
    table.add("static INT8 evaluation against PyTorch's", ">= 3 times as fast", f"{spread[1]}; {each[2]:.1f} ms a trial",
              statistics.median(static) >= 3.0)


def repeated_data(data, sessions, out, wanted):
    """A data set of at least `wanted` val trials: every session's own, as often as it takes."""
    sources = {s: Path(data) / s / "data_val.hdf5" for s in sessions if (Path(data) / s / "data_val.hdf5").exists()}
    there = 0
    for path in sources.values():
        with h5py.File(path, "r") as file:
            there += len(file)
    times = -(-wanted // there)
    for session, path in sources.items():
        (out / session).mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "r") as source, h5py.File(out / session / "data_val.hdf5", "w") as target:
            for k in range(times):
                for name in source:
                    source.copy(name, target, f"trial_{k * len(source) + int(name.rsplit('_', 1)[-1]):04d}")
    return there * times


def memory(table, programs, decoder, models, data, csv_path, work):
    """models: name -> file or folder."""
    many = work / "many_trials"
    there = repeated_data(data, decoder.sessions, many, 400)
    out = work / "memory"
    out.mkdir(parents=True, exist_ok=True)
    largest, where = 0, ""
    for name, model in models.items():
        peaks = []
        for limit in (10, there):
            ended = programs.must_run("evaluate_quantized_model", *programs.evaluation_arguments(model, many, csv_path, out),
                                      "--max_trials", limit)
            peaks.append(ended.peak_bytes)
        if max(peaks) > largest:
            largest, where = max(peaks), name
        growth = peaks[1] / peaks[0] - 1
        # Batches of longer trials and the allocator's leftovers move it a little; a data set kept in memory would double it.
        table.add(f"memory with 10 and {there} trials, {name}", "the same (within 10 %)",
                  f"{peaks[0] / MB:.0f} and {peaks[1] / MB:.0f} MB ({100 * growth:+.1f} %)", abs(growth) <= 0.10)
    table.add("peak memory of evaluation", "< 1200 MB", f"{largest / MB:.0f} MB ({where})", largest < 1200 * MB)
    shutil.rmtree(many)


def quantizing(table, programs, decoder, model, data, csv_path, work):
    """On a checkpoint with the optimizer's state; one without gets one."""
    if not decoder.has_optimizer_state:
        save_with_optimizer_state(model, work / "with_optimizer")
        model = work / "with_optimizer"
    folder = Path(model) / "checkpoint"
    checkpoint = (folder if folder.is_dir() else Path(model)) / "best_checkpoint"
    with open(checkpoint, "rb") as file:  # into the page cache
        while file.read(1 << 24):
            pass
    ended = programs.quantize(model, data, csv_path, "dynamic_qint8", work / "quantizing" / "quantized_model.pt")
    size = f"{checkpoint.stat().st_size / MB:.0f} MB checkpoint"
    table.add(f"quantize_model, dynamic, {size}", "< 5 s", f"{ended.seconds:.2f} s", ended.seconds < 5)
    table.add("its memory", "< 700 MB", f"{ended.peak_bytes / MB:.0f} MB", ended.peak_bytes < 700 * MB)

"""Input that is damaged, hostile or wrong: one line that names file and fault, exit code 1 (2 for wrong flags), nothing left."""

import os
import pickle
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import torch
from omegaconf import OmegaConf

from torch_side import checkpoint_folder


@dataclass
class Case:
    name: str
    program: str
    arguments: list
    output: Path  # where the output would be
    names: list = field(default_factory=list)  # what the message must contain, in lower case
    code: int = 1


def problem_of(case, ended):
    """What is wrong with how a bad input was met, or None."""
    lines = ended.stderr.strip().splitlines()
    if ended.code < 0:
        return f"died of signal {-ended.code}"
    if ended.code != case.code:
        return f"exit code {ended.code}, {case.code} wanted: {ended.last_line()[:90]}"
    if len(lines) != 1:
        return f"{len(lines)} lines on stderr"
    missing = [n for n in case.names if n.lower() not in lines[0].lower()]
    if missing:
        return f"does not name {', '.join(missing)}: {lines[0][:120]}"
    left = [str(p) for p in case.output.parent.rglob("*") if p.is_file()] if case.output.parent.exists() else []
    return f"left {left[0]}" if left else None


class Attack:
    """A pickle that runs a command when it is loaded by an unrestricted unpickler."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


class BadInput:
    def __init__(self, model, data, csv_path, quantized, work):
        self.checkpoint = checkpoint_folder(model)
        self.data, self.csv, self.quantized, self.work = Path(data), Path(csv_path), Path(quantized), work
        self.marker = work / "the_pickle_was_run"
        self.saved = torch.load(self.checkpoint / "best_checkpoint", map_location="cpu", weights_only=False)
        self.saved["optimizer_state_dict"] = {}
        self.args = OmegaConf.to_container(OmegaConf.load(self.checkpoint / "args.yaml"))
        self.session = next(s for s in self.args["dataset"]["sessions"] if (self.data / s / "data_val.hdf5").exists())
        self.count = 0

    def out(self, file):
        self.count += 1
        return self.work / f"out{self.count}" / file

    def quantizing(self, name, folder, *names, flags=(), code=1):
        out = self.out("quantized_model.pt")
        return Case(name, "quantize_model", ["--model_path", folder, "--output_path", out, "--quiet", *flags], out,
                    list(names), code)

    def evaluating(self, name, model, data, csv_path, *names, flags=(), code=1):
        out = self.out("results.csv")
        return Case(name, "evaluate_quantized_model",
                    ["--model_path", model, "--data_dir", data, "--csv_path", csv_path, "--output_csv", out, "--output_json",
                     out.with_suffix(".json"), "--skip_lm", "--gpu_number", -1, "--quiet", *flags], out, list(names), code)

    def model_folder(self, name, saved=None, args=None, content=None):
        folder = self.work / name / "checkpoint"
        folder.mkdir(parents=True)
        OmegaConf.save(OmegaConf.create(args or self.args), folder / "args.yaml")
        if content is not None:
            (folder / "best_checkpoint").write_bytes(content)
        else:
            torch.save(self.saved if saved is None else saved, folder / "best_checkpoint")
        return folder.parent

    def with_state(self, change):
        state = dict(self.saved["model_state_dict"])
        change(state, next(k for k in state if k.endswith("out.weight")))
        return {**self.saved, "model_state_dict": state}

    def data_folder(self, name, change):
        """The first session with val trials, damaged by `change(h5py file)`, alone in a data set."""
        folder = self.work / name / self.session
        folder.mkdir(parents=True)
        shutil.copy(self.data / self.session / "data_val.hdf5", folder)
        with h5py.File(folder / "data_val.hdf5", "r+") as file:
            change(file, file[sorted(file)[0]])
        return folder.parent

    def checkpoints(self):
        good = (self.checkpoint / "best_checkpoint").read_bytes()
        middle = bytearray(good)
        middle[len(good) // 7] ^= 0x10

        def drop(state, key):
            del state[key]

        def widen(state, key):
            state[key] = torch.zeros(state[key].shape[0], state[key].shape[1] + 1)

        def not_a_number(state, key):
            state[key] = state[key].clone()
            state[key][0, 0] = float("nan")

        def extra(state, key):
            state[key.replace("out.weight", "surplus.weight")] = torch.zeros(2)

        attacked = {**self.saved, "val_loss": Attack(f"touch {self.marker}")}
        no_sessions = OmegaConf.to_container(OmegaConf.create(self.args))
        del no_sessions["dataset"]["sessions"]
        name = "best_checkpoint"
        yield self.quantizing("checkpoint cut in half", self.model_folder("cut", content=good[: len(good) // 2]), name)
        yield self.quantizing("empty checkpoint", self.model_folder("empty", content=b""), name)
        yield self.quantizing("checkpoint with a flipped bit", self.model_folder("flipped", content=bytes(middle)), name)
        yield self.quantizing("pickle that calls os.system", self.model_folder("attack", attacked), name, "system")
        yield self.quantizing("bare pickle instead of an archive",
                              self.model_folder("bare", content=pickle.dumps(Attack(f"touch {self.marker}"))), name)
        yield self.quantizing("missing tensor", self.model_folder("lacks", self.with_state(drop)), name, "out.weight")
        yield self.quantizing("tensor of a wrong shape", self.model_folder("wide", self.with_state(widen)), name, "out.weight")
        yield self.quantizing("tensor with NaN", self.model_folder("nan", self.with_state(not_a_number)), name, "out.weight")
        yield self.quantizing("extra tensor", self.model_folder("extra", self.with_state(extra)), name, "surplus")
        yield self.quantizing("args.yaml without sessions", self.model_folder("args", args=no_sessions), "args.yaml", "sessions")
        yield self.quantizing("no such model", self.work / "nowhere", "nowhere")

    def quantized_files(self):
        good = self.quantized.read_bytes()
        for name, content in (
            ("cut", good[: len(good) // 2]),
            ("flipped", good[: len(good) // 2] + bytes([good[len(good) // 2] ^ 1]) + good[len(good) // 2 + 1 :]),
            ("no", b"no model at all"),
        ):
            path = self.work / f"quantized_{name}" / "quantized_model.pt"
            path.parent.mkdir()
            path.write_bytes(content)
            yield self.evaluating(f"quantized file: {name}", path, self.data, self.csv, "quantized_model.pt")

    def data_sets(self):
        def attribute(name):
            def change(_, trial):
                del trial.attrs[name]
            return change

        def wrong_rows(_, trial):
            trial.attrs["n_time_steps"] = int(trial.attrs["n_time_steps"]) + 1

        def other_session(_, trial):
            trial.attrs["session"] = "t15.1999.01.01"

        def other_width(_, trial):
            features = trial["input_features"][:]
            del trial["input_features"]
            trial.create_dataset("input_features", data=features[:, 1:])

        def infinite(_, trial):
            trial["input_features"][3, 0] = np.inf

        def no_features(_, trial):
            del trial["input_features"]

        changes = [("seq_len", attribute("seq_len")), ("n_time_steps", attribute("n_time_steps")),
                   ("block_num", attribute("block_num")), ("session", attribute("session"))]
        for name, change in changes:
            yield self.evaluating(f"trial without {name}", self.quantized, self.data_folder(f"no_{name}", change), self.csv,
                                  "data_val.hdf5", "trial_", name)
        for name, change, named in (
            ("n_time_steps that is not the rows", wrong_rows, "n_time_steps"),
            ("trial of another session", other_session, "1999"),
            ("too few features", other_width, "input_features"),
            ("infinite feature", infinite, "trial_"),
            ("no features", no_features, "input_features"),
        ):
            folder = self.data_folder(name.replace(" ", "_"), change)
            yield self.evaluating(name, self.quantized, folder, self.csv, "data_val.hdf5", "trial_", named)
        cut = self.data_folder("cut_data", lambda *_: None)
        path = cut / self.session / "data_val.hdf5"
        os.truncate(path, path.stat().st_size // 2)
        yield self.evaluating("HDF5 cut in half", self.quantized, cut, self.csv, "data_val.hdf5")
        header = self.csv.read_text().splitlines()[0]
        rowless = self.work / "rowless.csv"
        rowless.write_text(header + "\n")
        yield self.evaluating("CSV without the row", self.quantized, self.data, rowless, "rowless.csv")
        yield self.evaluating("no such data", self.quantized, self.work / "nowhere", self.csv, "nowhere")
        yield self.evaluating("no such CSV", self.quantized, self.data, self.work / "nowhere.csv", "nowhere.csv")

    def flags(self):
        model = self.checkpoint.parent
        yield self.quantizing("float16 with static", model, "float16", code=2,
                              flags=["--quantization_type", "static", "--dtype", "float16"])
        yield self.quantizing("unknown quantization type", model, "quantization_type", code=2,
                              flags=["--quantization_type", "quadratic"])
        yield self.quantizing("unknown flag", model, "--surprise", code=2, flags=["--surprise"])
        yield self.quantizing("observer with dynamic", model, "observer", code=2, flags=["--observer", "minmax"])
        yield self.evaluating("train split", self.quantized, self.data, self.csv, "eval_type", code=2,
                              flags=["--eval_type", "train"])
        out = self.out("quantized_model.pt")
        yield Case("model_path missing", "quantize_model", ["--output_path", out], out, ["model_path"], 2)


def flipped_bits(table, programs, bad, positions=24):
    """Single flipped bits all over a checkpoint: refused, or without effect on any tensor (padding, dates in the zip)."""
    folder = bad.model_folder("many_flips")
    path = folder / "checkpoint" / "best_checkpoint"
    out = bad.work / "many_flips_out" / "quantized_model.pt"
    programs.must_run("quantize_model", "--model_path", folder, "--output_path", out)
    good = torch.load(out, weights_only=True)
    size, rng = path.stat().st_size, np.random.default_rng(11)
    places = np.concatenate([rng.integers(0, min(size, 1 << 14), positions // 3),
                             rng.integers(max(0, size - (1 << 13)), size, positions // 3),
                             rng.integers(0, size, positions - 2 * (positions // 3))])
    refused, unharmed, wrong = 0, 0, []
    with open(path, "r+b", buffering=0) as file:
        for place in places.tolist():
            byte = os.pread(file.fileno(), 1, place)
            os.pwrite(file.fileno(), bytes([byte[0] ^ (1 << int(rng.integers(8)))]), place)
            shutil.rmtree(out.parent, ignore_errors=True)
            ended = programs.run("quantize_model", "--model_path", folder, "--output_path", out, "--quiet")
            if ended.code == 1 and "best_checkpoint" in ended.stderr and not out.exists():
                refused += 1
            elif ended.code == 0 and same_tensors(good, torch.load(out, weights_only=True)):
                unharmed += 1
            else:
                wrong.append(f"byte {place}: exit {ended.code}, {ended.last_line()[:60]}")
            os.pwrite(file.fileno(), byte, place)
    table.add(f"{positions} single flipped bits in a checkpoint", "refused, or without effect",
              wrong[0] if wrong else f"{refused} refused, {unharmed} without effect", not wrong)


def same_tensors(a, b):
    """Whether two files' contents hold the same tensors; texts (the source's SHA-256) may differ."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_tensors(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same_tensors, a, b))
    return type(a) is type(b)


def judge(table, programs, model, data, csv_path, quantized, work):
    bad = BadInput(model, data, csv_path, quantized, work)
    for group in (bad.checkpoints(), bad.quantized_files(), bad.data_sets(), bad.flags()):
        for case in group:
            ended = programs.run(case.program, *case.arguments, timeout=600)
            problem = problem_of(case, ended)
            table.add(f"bad input: {case.name}", f"one line, exit {case.code}, nothing left", problem or "so", problem is None)
    table.add("bad input: no pickle was run", "no command ran", "ran" if bad.marker.exists() else "so", not bad.marker.exists())
    flipped_bits(table, programs, bad)

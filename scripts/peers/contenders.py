"""Who takes part in bench_peers.py: each has a name and, for each task that it can do, a function that does it once and returns seconds
for one trial or one step."""

import copy
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent.parent / "acceptance")]
from brainquant_c import Library, Model  # noqa: E402
from programs import FOUR_BITS, METHODS  # noqa: E402
from pytorch_decoder import smooth  # noqa: E402
from torch_side import TorchDecoder  # noqa: E402


@dataclass
class Smoothed:
    recorded: np.ndarray
    features: np.ndarray
    session: int


def trials_of(model, data, count, bins):
    """The first `count` validation trials that have at least that many bins, cut to it."""
    decoder = TorchDecoder(model, 2)
    trials = []
    for _, session, group in decoder.val_trials(data, None):
        if len(trials) == count:
            break
        if len(group["input_features"]) < bins:
            continue
        recorded = np.ascontiguousarray(group["input_features"][:bins], np.float32)
        trials.append(Smoothed(recorded, np.ascontiguousarray(smooth(recorded, decoder.taps).numpy()), session))
    if not trials:
        raise SystemExit(f"{data}: no validation trial has {bins} bins (--bins)")
    return trials


class TorchContender:
    """A GRUDecoder, whatever its GRU and output layer were replaced by."""

    def __init__(self, name, model, trials, steps):
        self.name, self.model, self.trials = name, model, trials
        self.inputs = [torch.from_numpy(t.features).unsqueeze(0) for t in trials]
        self.padded = torch.nn.utils.rnn.pad_sequence([x[0] for x in self.inputs], batch_first=True)
        self.steps = steps

    def whole_trial(self):
        with torch.inference_mode():
            started = time.perf_counter()
            self.model(self.inputs[0], [self.trials[0].session])
            return time.perf_counter() - started

    def batch_of_trials(self):
        with torch.inference_mode():
            started = time.perf_counter()
            self.model(self.padded, [t.session for t in self.trials])
            return (time.perf_counter() - started) / len(self.trials)

    def streaming_step(self):
        """Day layer of the bins that are new to a step, then one step of the GRU with the state kept."""
        model, trial = self.model, self.trials[0]
        weight, bias = model.day_weights[trial.session], model.day_biases[trial.session]
        size, stride = max(1, model.patch_size), model.patch_stride if model.patch_size else 1
        with torch.inference_mode():
            x = self.inputs[0][0]
            state = model.h0.expand(model.gru.num_layers, 1, model.gru.hidden_size).contiguous()
            kept = torch.nn.functional.softsign(x[:size] @ weight + bias)
            _, state = model.gru(kept.reshape(1, 1, -1), state)
            seconds = []
            for step in range(1, min(self.steps, (len(x) - size) // stride)):
                started = time.perf_counter()
                at = size + (step - 1) * stride
                fresh = torch.nn.functional.softsign(x[at:at + stride] @ weight + bias)
                kept = torch.cat([kept[stride:], fresh])
                hidden, state = model.gru(kept.reshape(1, 1, -1), state)
                model.out(hidden)
                seconds.append(time.perf_counter() - started)
        return statistics.median(seconds)


class OnnxContender:
    """The GRU and the output layer in ONNX Runtime; day layer and patches in PyTorch, as for the others."""

    def __init__(self, model, trials, steps, threads, folder):
        import onnxruntime

        self.name, self.trials, self.steps = "ONNX Runtime fp32", trials, steps

        class Recurrent(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.gru, self.out = model.gru, model.out

            def forward(self, x, state):
                hidden, state = self.gru(x, state)
                return self.out(hidden), state

        size = model.gru.input_size
        path = str(Path(folder) / "gru.onnx")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(Recurrent(), (torch.zeros(1, 2, size), torch.zeros(model.gru.num_layers, 1, model.gru.hidden_size)),
                              path, dynamo=False, input_names=["x", "state"], output_names=["logits", "next"],
                              dynamic_axes={"x": {0: "trials", 1: "steps"}, "state": {1: "trials"},
                                            "logits": {0: "trials", 1: "steps"}, "next": {1: "trials"}})
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

        class Replaced(torch.nn.Module):
            num_layers, hidden_size = model.gru.num_layers, model.gru.hidden_size

            def forward(self, x, state):
                logits, following = session.run(None, {"x": x.numpy(), "state": state.numpy()})
                return torch.from_numpy(logits), torch.from_numpy(following)

        replaced = copy.deepcopy(model)
        replaced.gru, replaced.out = Replaced(), torch.nn.Identity()
        self.torch = TorchContender(self.name, replaced, trials, steps)
        self.whole_trial, self.batch_of_trials = self.torch.whole_trial, self.torch.batch_of_trials
        self.streaming_step = self.torch.streaming_step


class OurContender:
    def __init__(self, name, library, path, trials, steps, threads):
        self.open = lambda: Model(library, path, threads)
        self.model = self.open()
        self.name, self.trials, self.steps = name, trials, steps
        pairs = [(t.features, t.session) for t in trials]
        self.one, self.all = self.model.batch(pairs[:1]), self.model.batch(pairs)

    def opening(self):
        started = time.perf_counter()
        self.open()
        return time.perf_counter() - started

    def whole_trial(self):
        started = time.perf_counter()
        self.model.decode(self.one)
        return time.perf_counter() - started

    def batch_of_trials(self):
        started = time.perf_counter()
        self.model.decode(self.all)
        return (time.perf_counter() - started) / len(self.trials)

    def streaming_step(self):
        return self.steps_of_a_trial()[0]

    def last_bin_to_logits(self):
        return self.steps_of_a_trial()[1]

    def steps_of_a_trial(self):
        """Medians of a step's work (its bins' push and prepare, smoothing included) and of the push that completes it."""
        dll, recorded = self.model.dll, self.trials[0].recorded
        decoder = self.model.decoder(self.trials[0].session)
        logits = np.empty(self.model.classes, np.float32)
        to, row_bytes = logits.ctypes.data, recorded.strides[0]
        work, last, sum_of_step = [], [], 0.0
        for at in range(recorded.ctypes.data, recorded.ctypes.data + recorded.nbytes, row_bytes):
            started = time.perf_counter()
            ready = dll.bq_decoder_push(decoder, at, to)
            pushed = time.perf_counter()
            sum_of_step += pushed - started
            if ready == 1:
                work.append(sum_of_step)
                last.append(pushed - started)
                sum_of_step = 0.0
                if len(work) == self.steps:
                    break
            started = time.perf_counter()
            dll.bq_decoder_prepare(decoder)
            sum_of_step += time.perf_counter() - started
        dll.bq_decoder_free(decoder)
        return statistics.median(work[1:]), statistics.median(last[1:])


def quantized_files(args, build, work):
    """Made once; quantize_model itself skips what is there already."""
    files = {}
    for method, flags in {**METHODS, **({} if build == args.against else FOUR_BITS)}.items():
        path = work / method / "checkpoint" / "quantized_model.pt"
        subprocess.run([build / "bin" / "quantize_model", "--model_path", args.model, "--output_path", path, "--data_dir",
                        args.data, "--csv_path", args.csv, "--gpu_number", "-1", *flags], check=True, stdout=subprocess.DEVNULL,
                       stderr=None if args.verbose else subprocess.DEVNULL)
        files[method] = path
    return files


def check_agreement(torch_fp32, ours):
    """Speed of a wrong answer is worth nothing: steps whose best class is PyTorch's."""
    with torch.inference_mode():
        expected = torch_fp32.model(torch_fp32.inputs[0], [torch_fp32.trials[0].session])[0].numpy()
    for contender in ours:
        found = contender.model.decode(contender.one)[0]
        share = float((found.argmax(-1) == expected.argmax(-1)).mean())
        print(f"  {contender.name}: {100 * share:.1f} % of the steps agree with PyTorch fp32")
        if share < 0.9:
            raise RuntimeError(f"{contender.name} gives other logits than PyTorch")


def library_at(build, name):
    """Builds from before there were two libraries have the first alone, which ran everything."""
    path = build / "lib" / name
    return path if path.exists() else build / "lib" / "libbrainquant_c.so"


def our_contenders(args, title, build, work, trials, threads):
    runtime, full = (Library(library_at(build, name)) for name in ("libbrainquant_c.so", "libbrainquant_c_torch.so"))
    files = {"fp32": args.model, **quantized_files(args, build, work)}
    return [OurContender(f"{title} {name}", runtime if "qint" in name else full, path, trials, args.steps, threads)
            for name, path in files.items()]


def make_contenders(args, trials, threads):
    decoder = TorchDecoder(args.model, threads)  # sets the number of threads
    fp32 = TorchContender("PyTorch fp32", decoder.model, trials, args.steps)
    contenders = [fp32]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, dtype in (("PyTorch dynamic INT8", torch.qint8), ("PyTorch dynamic FP16", torch.float16)):
            model = torch.ao.quantization.quantize_dynamic(copy.deepcopy(decoder.model), {torch.nn.GRU, torch.nn.Linear}, dtype)
            contenders.append(TorchContender(name, model, trials, args.steps))
    try:
        with tempfile.TemporaryDirectory() as folder:
            contenders.append(OnnxContender(decoder.model, trials, args.steps, threads, folder))
    except ImportError as missing:
        print(f"ONNX Runtime is left out: {missing}")
    ours = our_contenders(args, "brainquant", args.build, args.work, trials, threads)
    print(f"\n{threads} threads; brainquant's instructions: "
          f"{ours[1].model.dll.bq_model_instructions(ours[1].model.handle).decode()}")
    if args.against:
        ours += our_contenders(args, "against", args.against, args.work / "against", trials, threads)
    check_agreement(fp32, ours)
    return contenders + ours


def dense_products(threads):
    """GMAC/s of PyTorch's INT8 products at layer 0's size, for the bound of a whole trial (build/.../trial_bound GMAC/s)."""
    torch.set_num_threads(threads)
    rows, inputs, channels = 222, 7168, 2304
    x = torch.randint(-60, 60, (rows, inputs), dtype=torch.int8)
    w = torch.randint(-60, 60, (channels, inputs), dtype=torch.int8)
    products = {}
    scales, zeros = torch.ones(channels), torch.zeros(channels, dtype=torch.int32)
    try:
        packed = torch.ops.onednn.qlinear_prepack(w, [rows, inputs])
        u8 = (x.to(torch.int16) + 128).to(torch.uint8)
        products["oneDNN"] = lambda: torch.ops.onednn.qlinear_pointwise(
            u8, 0.01, 128, packed, scales, zeros, None, 1.0, 0, torch.float32, "none", [], "")
        products["oneDNN"]()
    except (RuntimeError, AttributeError, NotImplementedError) as problem:
        products.pop("oneDNN", None)
        print(f"oneDNN's product is left out: {str(problem).splitlines()[0]}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        linear = torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(torch.nn.Linear(inputs, channels)),
                                                        {torch.nn.Linear}, torch.qint8)
    values = torch.randn(rows, inputs)
    products["FBGEMM"] = lambda: linear(values)
    rates = {}
    with torch.inference_mode():
        for name, product in products.items():
            best = float("inf")
            for _ in range(12):
                started = time.perf_counter()
                product()
                best = min(best, time.perf_counter() - started)
            rates[name] = rows * inputs * channels / best / 1e9
    return rates

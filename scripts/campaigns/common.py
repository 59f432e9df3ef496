"""What the campaigns share: the small study, the programs, and what each method's files must be."""

import hashlib
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Ways to call run_quantization_experiment, by the name that its variant must get.
VARIANTS = {
    "dynamic_qint8": [],
    "dynamic_qint8-per_channel": ["--weight_granularity", "per_channel"],
    "dynamic_qint8-float_days": ["--day_layers", "float"],
    "dynamic_float16": ["--dtype", "float16"],
    "static_qint8": ["--quantization_type", "static"],
    "static_qint8-histogram": ["--quantization_type", "static", "--observer", "histogram"],
    "static_qint8-percentile-n5": ["--quantization_type", "static", "--observer", "percentile", "--calibration_samples", "5"],
    "static_per_channel_qint8": ["--quantization_type", "static_per_channel"],
    "static_per_channel_qint8-float_days": ["--quantization_type", "static_per_channel", "--day_layers", "float"],
}
# What the file must say of each; the observer is None and the granularity as the type has it unless the name says more.
OBSERVERS = ("minmax", "percentile", "histogram")


def make_study(folder):
    """The tests' small study: folder/model, folder/data, folder/corpora.csv."""
    subprocess.run([sys.executable, ROOT / "tests/fixtures/small_study.py", folder], check=True)


def data_flags(study):
    return ["--model_path", study / "model", "--data_dir", study / "data", "--csv_path", study / "corpora.csv",
            "--skip_lm", "--gpu_number", "-1"]


def command(programs, name, study, output_dir, *more):
    return [str(word) for word in
            (programs / name, *data_flags(study), "--output_dir", output_dir, "--threads", "1", *more)]


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def model_file(output_dir, variant):
    return Path(output_dir) / f"quantized_{variant}" / "checkpoint" / "quantized_model.pt"


def deterministic_files(output_dir):
    """Path to bytes' hash of every file of a run that must be the same each time: models, CSVs and logits."""
    output_dir = Path(output_dir)
    paths = [*output_dir.glob("quantized_*/checkpoint/quantized_model.pt"),
             *output_dir.glob("quantization_results/*_val.csv"), *output_dir.glob("quantization_results/logits/*.h5")]
    return {str(path.relative_to(output_dir)): sha256(path) for path in paths}


def expected_options(variant):
    """What a quantized file must hold, from the name of its folder alone."""
    method, *tags = variant.split("-")
    kind, dtype = method.rsplit("_", 1)
    is_static = kind != "dynamic"
    options = {"quantization_type": kind, "dtype": dtype, "day_layers": "float" if "float_days" in tags else "quantize"}
    options["weight_granularity"] = (None if dtype == "float16" else
                                     "per_channel" if kind == "static_per_channel" or "per_channel" in tags else "per_tensor")
    options["observer"] = next((o for o in OBSERVERS if o in tags), "minmax") if is_static else None
    samples = next((int(tag[1:]) for tag in tags if tag[0] == "n" and tag[1:].isdigit()), 1000)
    options["calibration_samples"] = samples if is_static else None
    return options


def problems_of(output_dir):
    """Every label, option and hash in an output folder that does not agree with another; none if all is well."""
    import torch

    output_dir = Path(output_dir)
    problems = []

    def check(condition, what):
        if not condition:
            problems.append(what)

    for folder in output_dir.glob("quantized_*"):
        variant = folder.name.removeprefix("quantized_")
        path = model_file(output_dir, variant)
        if not path.exists():
            continue
        held = torch.load(path, weights_only=True)["quantization"]
        for name, value in expected_options(variant).items():
            check(held[name] == value, f"{path}: {name} is {held[name]}, the folder says {value}")
    results = output_dir / "quantization_results"
    for path in results.glob("*_val.json"):
        document = json.loads(path.read_text())
        variant = path.stem.removeprefix("experiment_").removesuffix("_val")
        evaluation = document.get("evaluation", document)
        check_evaluation(evaluation, variant, output_dir, path, check)
        if "evaluation" in document:
            check(document["method"] == variant, f"{path}: is of {document['method']}")
    comparison = results / "comparison.json"
    if comparison.exists():
        for method in json.loads(comparison.read_text())["methods"]:
            check(method["succeeded"], f"{comparison}: {method['method']} failed: {method.get('problem')}")
            if method["succeeded"]:
                check_evaluation(method["evaluation"], method["method"], output_dir, comparison, check)
    return problems


def check_evaluation(evaluation, variant, output_dir, path, check):
    model = evaluation["model"]
    if variant == "fp32":
        check(model["quantization"] is None, f"{path}: fp32 is quantized")
        return
    options = model["quantization"]["options"]
    for name, value in expected_options(variant).items():
        check(options[name] == value, f"{path}: {name} is {options[name]}, {variant} has {value}")
    check(model["sha256"] == sha256(model_file(output_dir, variant)), f"{path}: {variant} is of another file")
    check(Path(model["path"]).parent.parent.name == f"quantized_{variant}", f"{path}: {variant} is of {model['path']}")


def new_folder(below, name):
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=below))


def main(name, default_count, prepare, problems_of_round):
    """Runs `PROGRAMS [COUNT] [SEED]` of the command line: each round's problems are printed; exit code 1 if there are any.

    prepare(programs, study, scratch) gives what problems_of_round(prepared, number, rng) needs.
    """
    programs = Path(sys.argv[1]).resolve()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else default_count
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    rng = random.Random(seed)
    failures = 0
    with tempfile.TemporaryDirectory(prefix="brainquant-campaign-") as scratch:
        study = new_folder(scratch, "study")
        make_study(study)
        prepared = prepare(programs, study, scratch)
        for number in range(count):
            problems = problems_of_round(prepared, number, rng)
            failures += bool(problems)
            for problem in problems:
                print(f"{name} {number + 1} (seed {seed}): {problem}", flush=True)
    print(f"{count} {name}s: {count - failures} passed, {failures} failed")
    return 1 if failures else 0

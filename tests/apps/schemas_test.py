"""Every JSON file that the programs write for a small study keeps to its schema, and no damaged one does.

usage: schemas_test.py PROGRAMS FIXTURES SCHEMAS
PROGRAMS: the folder of the four programs; FIXTURES: that of the tests' fixtures; SCHEMAS: docs/schemas. Exit code 1 names what is wrong.
"""

import copy
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

PROGRAMS, FIXTURES, SCHEMAS = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
STUDY, GRAPH = FIXTURES / "small_study", FIXTURES / "wfst" / "case1"
WORDS = ["--lm", "wfst", "--lm_dir", GRAPH, "--lm_preset", "published"]
# Objects whose fields are names of options, groups, files and the like: a schema can't tell one too many or too few.
MAPS = {"run_key", "key", "options", "sessions", "corpora", "files", "costs", "metrics", "activation_scales"}


def load_validators():
    schemas = {path.name: json.loads(path.read_text()) for path in sorted(SCHEMAS.glob("*.schema.json"))}
    registry = Registry().with_resources((name, Resource.from_contents(schema)) for name, schema in schemas.items())
    for name, schema in schemas.items():
        Draft202012Validator.check_schema(schema)
        require_descriptions(schema, name)
    return {name.removesuffix(".schema.json"): Draft202012Validator(schema, registry=registry)
            for name, schema in schemas.items() if name != "common.schema.json"}


def require_descriptions(schema, where):
    """A field says what it is, and in which unit, unless what it refers to does."""
    if isinstance(schema, dict):
        for name, field in schema.get("properties", {}).items() if isinstance(schema.get("properties"), dict) else ():
            assert "if" in where or {"description", "$ref"} & set(field), f"{where}: {name} has no description"
        for key, value in schema.items():
            require_descriptions(value, f"{where}/{key}")
    elif isinstance(schema, list):
        for value in schema:
            require_descriptions(value, where)


def run(program, work, *flags, model=STUDY / "model", data=STUDY / "data", code=0):
    command = [PROGRAMS / program, "--model_path", model, "--data_dir", data, "--csv_path", STUDY / "corpora.csv",
               "--gpu_number", -1, "--threads", 1, "--quiet", *flags]
    done = subprocess.run(list(map(str, command)), cwd=work, capture_output=True, text=True)
    assert done.returncode == code, f"{program}: exit code {done.returncode}: {done.stderr}"


def write_results(work):
    """Everything that may be null is there once with a value and once without."""
    compare, evaluate = "test_all_quantization_methods", "evaluate_quantized_model"
    run(compare, work, "--output_dir", work / "words", *WORDS, "--methods", "dynamic_qint8,static_per_channel_qint4",
        "--tune_lm", 3, "--tune_lm_each")
    run(compare, work, "--output_dir", work / "sensitivity", *WORDS, "--methods", "dynamic_qint8", "--sensitivity", 4,
        "--sensitivity_trials", 3)
    run(compare, work, "--output_dir", work / "test", "--skip_lm", "--eval_type", "test", "--max_trials", 4, "--methods",
        "dynamic_float16", "--sensitivity", 8, "--sensitivity_trials", 2)
    # Without train files nothing can be calibrated.
    for path in (STUDY / "data").glob("*/data_val.hdf5"):
        (work / "no_train" / path.parent.name).mkdir(parents=True)
        (work / "no_train" / path.parent.name / path.name).symlink_to(path)
    run(compare, work, "--output_dir", work / "failed", "--skip_lm", "--methods", "static_qint8",
        data=work / "no_train", code=1)
    run("run_quantization_experiment", work, "--output_dir", work / "budget", "--skip_lm", "--dtype", "mixed",
        "--max_per_increase", 1, "--budget_trials", 4)
    run("quantize_model", work, "--output_path", work / "quantized" / "m.pt", "--dtype", "mixed", *WORDS,
        "--max_wer_increase", 100, "--budget_trials", 4)
    for name, file in {"checkpoint": STUDY / "model", "quantized": work / "words/quantized_static_per_channel_qint4/checkpoint"
                       "/quantized_model.pt"}.items():
        said = subprocess.run([PROGRAMS / "quantize_model", "--inspect", file, "--json", "--quiet"], capture_output=True,
                              check=True)
        (work / f"{name}.json").write_bytes(said.stdout)
    for name, flags in {"streamed": ["--streaming"], "timed": ["--step_latency", 5]}.items():
        run(evaluate, work, *WORDS, *flags, "--output_csv", work / f"{name}.csv", "--output_json", work / f"{name}.json",
            "--output_nbest", work / f"{name}.jsonl", "--save_logits", work / f"{name}.npz",
            model=work / "quantized" / "m.pt")


def documents(work):
    """(name of the schema, where it stands, document) of every JSON below `work`."""
    for path in sorted(work.rglob("*")):
        if path.suffix == ".json":
            document = json.loads(path.read_text())
            yield document["schema"].removeprefix("brainquant/"), path, document
        elif path.suffix == ".jsonl":
            for number, line in enumerate(path.read_text().splitlines(), 1):
                yield "nbest", f"{path}:{number}", json.loads(line)
        elif path.suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                yield "logits_labels", path, json.loads(archive.read("trials.json"))


def at(document, path):
    for key in path:
        document = document[key]
    return document


def paths_in(value, path=()):
    """Of every field, and of the first two items of every list."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, inner in items:
        yield *path, key
        yield from paths_in(inner, (*path, key))


def damaged(document):
    """(what was done, document): a field missing, one too many, one of another type."""
    for path in [(), *paths_in(document)]:
        value = at(document, path)
        is_map = any(isinstance(key, str) and key in MAPS for key in path[-1:])
        if isinstance(value, dict) and not is_map:
            if set(value) == {"hex"}:
                continue
            other = copy.deepcopy(document)
            at(other, path)["a_field_that_there_is_not"] = 1
            yield f"{path} has one field too many", other
            for key in value:
                if key == "own_scales":  # only there with --tune_lm_each
                    continue
                other = copy.deepcopy(document)
                del at(other, path)[key]
                yield f"{path} lacks {key}", other
        if path:
            other = copy.deepcopy(document)
            at(other, path[:-1])[path[-1]] = [{"of": "another type"}]
            yield f"{path} is of another type", other


def main():
    validators = load_validators()
    problems, seen = [], {}
    with tempfile.TemporaryDirectory(prefix="brainquant_schemas_") as folder:
        work = pathlib.Path(folder)
        write_results(work)
        for name, where, document in documents(work):
            if name not in validators:
                problems.append(f"{where}: there is no schema of {name}")
                continue
            seen.setdefault(name, []).append(document)
            for error in validators[name].iter_errors(document):
                problems.append(f"{where}: {error.json_path}: {error.message[:300]}")
    problems += [f"{name}: nothing of this kind was written" for name in validators if name not in seen]
    refused = 0
    for name, found in seen.items():
        document = max(found, key=lambda one: sum(1 for _ in paths_in(one)))
        for what, other in damaged(document):
            refused += 1
            if validators[name].is_valid(other):
                problems.append(f"{name}: accepted although {what}")
    for problem in problems[:40]:
        print(problem)
    print(f"{sum(map(len, seen.values()))} documents of {len(seen)} kinds, {refused} damaged ones, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

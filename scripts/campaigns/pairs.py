"""Pairs of concurrent runs in one output folder: whatever meets, every label, option and hash agrees afterwards.

usage: pairs.py PROGRAMS [PAIRS] [SEED]
"""

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import VARIANTS, command, deterministic_files, make_study, new_folder, problems_of

PAIRS_IN_A_FOLDER = 10  # later pairs of a folder meet the finished work of earlier ones
LATEST_START = 0.6      # seconds between the starts of a pair, at most


def random_run(rng):
    if rng.random() < 0.15:
        return "test_all_quantization_methods", rng.choice([[], ["--observer", "histogram"]]), None
    variant = rng.choice(list(VARIANTS))
    batch = rng.choice([[], [], ["--batch_size", "4"]])  # another run key: the work is done again
    return "run_quantization_experiment", [*VARIANTS[variant], *batch], variant


def reference(programs, study, folder):
    """The files of each variant, made one after the other."""
    for flags in VARIANTS.values():
        subprocess.run(command(programs, "run_quantization_experiment", study, folder, *flags), check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for flags in ([], ["--observer", "histogram"]):
        subprocess.run(command(programs, "test_all_quantization_methods", study, folder, *flags), check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return deterministic_files(folder)


def run_pair(programs, study, folder, rng):
    """What went wrong."""
    runs = [random_run(rng), random_run(rng)]
    processes = []
    for name, flags, _ in runs:
        processes.append(subprocess.Popen(command(programs, name, study, folder, *flags), stdin=subprocess.DEVNULL,
                                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        time.sleep(rng.random() * LATEST_START)
    problems = []
    for (name, flags, variant), process in zip(runs, processes):
        out, err = process.communicate(timeout=300)
        told = f"{name} {' '.join(flags)}"
        if process.returncode != 0:
            problems.append(f"{told} ended with {process.returncode}: {err.strip().splitlines()[-1:]}")
        if variant is not None and not out.startswith(f"{variant}: "):
            problems.append(f"{told} printed '{out.splitlines()[:1]}'")
    return problems


def main():
    programs = Path(sys.argv[1]).resolve()
    pairs = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    rng = random.Random(seed)
    failures = 0
    with tempfile.TemporaryDirectory(prefix="brainquant-pairs-") as scratch:
        study = new_folder(scratch, "study")
        make_study(study)
        expected = reference(programs, study, new_folder(scratch, "reference"))
        folder = None
        for i in range(pairs):
            if i % PAIRS_IN_A_FOLDER == 0:
                folder = new_folder(scratch, "out")
            problems = run_pair(programs, study, folder, rng) + problems_of(folder)
            for path, digest in deterministic_files(folder).items():
                if expected.get(path) != digest:
                    problems.append(f"{path} is not what it is when it is made alone")
            failures += bool(problems)
            for problem in problems:
                print(f"pair {i + 1} (seed {seed}): {problem}", flush=True)
    print(f"{pairs} pairs of concurrent runs: {pairs - failures} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

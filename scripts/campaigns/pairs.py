"""Pairs of concurrent runs in one output folder: whatever meets, every label, option and hash agrees afterwards.

usage: pairs.py PROGRAMS [PAIRS] [SEED]
"""

import subprocess
import sys
import time

from common import VARIANTS, command, deterministic_files, main, new_folder, problems_of

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


class Pairs:
    """Some pairs in each folder."""

    def __init__(self, programs, study, scratch):
        self.programs, self.study, self.scratch = programs, study, scratch
        self.expected = reference(programs, study, new_folder(scratch, "reference"))
        self.folder = None

    def problems(self, number, rng):
        if number % PAIRS_IN_A_FOLDER == 0:
            self.folder = new_folder(self.scratch, "out")
        problems = run_pair(self.programs, self.study, self.folder, rng) + problems_of(self.folder)
        return problems + [f"{path} is not what it is when it is made alone"
                           for path, digest in deterministic_files(self.folder).items() if self.expected.get(path) != digest]


if __name__ == "__main__":
    sys.exit(main("pair", 200, Pairs, Pairs.problems))

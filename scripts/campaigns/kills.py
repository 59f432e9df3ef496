"""Kills a comparison at random moments and runs it again at once: no method is lost, and files end as undisturbed.

usage: kills.py PROGRAMS [KILLS] [SEED]

Every other kill takes the whole process group, as the kernel's out-of-memory killer or a batch system may; the others take
the program alone, whose children must then end by themselves.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import command, deterministic_files, make_study, new_folder, problems_of


def run(arguments):
    return subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)


def start_and_kill(arguments, after, whole_group):
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True)
    try:
        process.wait(timeout=after)
    except subprocess.TimeoutExpired:
        if whole_group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def problems_after(arguments, folder, expected):
    again = run(arguments)
    if again.returncode != 0:
        return [f"the rerun ended with {again.returncode}: {again.stderr.strip().splitlines()[-1:]}"]
    problems = problems_of(folder)
    methods = json.loads((folder / "quantization_results/comparison.json").read_text())["methods"]
    lost = [method["method"] for method in methods if not method["succeeded"]]
    if len(methods) != 5 or lost:
        problems.append(f"{len(methods)} methods, lost: {lost}")
    found = deterministic_files(folder)
    problems += [f"{path} is not what it is undisturbed" for path in expected if found.get(path) != expected[path]]
    problems += [f"{path} is left over" for path in found if path not in expected]
    problems += [f"{path} is left over" for path in folder.rglob("*.partial*")]
    return problems


def main():
    programs = Path(sys.argv[1]).resolve()
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    rng = random.Random(seed)
    failures = 0
    with tempfile.TemporaryDirectory(prefix="brainquant-kills-") as scratch:
        study = new_folder(scratch, "study")
        make_study(study)
        folder = new_folder(scratch, "reference")
        begin = time.monotonic()
        undisturbed = run(command(programs, "test_all_quantization_methods", study, folder))
        seconds = time.monotonic() - begin
        assert undisturbed.returncode == 0, undisturbed.stderr
        expected = deterministic_files(folder)
        for i in range(kills):
            folder = new_folder(scratch, "out")
            arguments = command(programs, "test_all_quantization_methods", study, folder)
            after = rng.uniform(0, seconds)
            start_and_kill(arguments, after, whole_group=i % 2 == 0)
            problems = problems_after(arguments, folder, expected)
            failures += bool(problems)
            for problem in problems:
                print(f"kill {i + 1} after {after:.3f} of {seconds:.3f} s (seed {seed}): {problem}", flush=True)
    print(f"{kills} kills: {kills - failures} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

"""Kills a comparison at random moments and runs it again at once: no method is lost, and files end as undisturbed.

usage: kills.py PROGRAMS [KILLS] [SEED]

Every other kill takes the whole process group, as the kernel's out-of-memory killer or a batch system may; the others take
the program alone, whose children must then end by themselves.
"""

import json
import os
import signal
import subprocess
import sys
import time

from common import command, deterministic_files, main, new_folder, problems_of


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


def prepare(programs, study, scratch):
    folder = new_folder(scratch, "reference")
    begin = time.monotonic()
    undisturbed = run(command(programs, "test_all_quantization_methods", study, folder))
    assert undisturbed.returncode == 0, undisturbed.stderr
    return programs, study, scratch, time.monotonic() - begin, deterministic_files(folder)


def problems_of_kill(prepared, number, rng):
    programs, study, scratch, seconds, expected = prepared
    folder = new_folder(scratch, "out")
    arguments = command(programs, "test_all_quantization_methods", study, folder)
    after = rng.uniform(0, seconds)
    start_and_kill(arguments, after, whole_group=number % 2 == 0)
    return [f"after {after:.3f} of {seconds:.3f} s: {problem}" for problem in problems_after(arguments, folder, expected)]


if __name__ == "__main__":
    sys.exit(main("kill", 100, prepare, problems_of_kill))

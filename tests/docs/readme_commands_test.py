"""The commands of the four programs in README and the tutorial, as they stand, in a folder laid out as theirs with the small study in it.

usage: readme_commands_test.py PROGRAMS STUDY LM SCRATCH DOCUMENT...
PROGRAMS: the folder of the built programs; STUDY: what tests/fixtures/small_study.py writes; LM: a folder with TLG.fst and words.txt;
SCRATCH: a folder to work in, emptied first; DOCUMENT: README first, which has all programs. Every command must exit with 0.
"""

import pathlib
import re
import shlex
import shutil
import subprocess
import sys

PROGRAMS = {"quantize_model", "evaluate_quantized_model", "test_all_quantization_methods", "run_quantization_experiment"}


def commands_in(text):
    """The indented lines that begin with build/release/bin/, each with its continuation lines."""
    for match in re.finditer(r"^    (build/release/bin/(?:.*\\\n)*.*)$", text, re.MULTILINE):
        yield shlex.split(match.group(1).replace("\\\n", " "), comments=True)


def lay_out(scratch, programs, study, lm):
    shutil.rmtree(scratch, ignore_errors=True)
    (scratch / "build/release").mkdir(parents=True)
    (scratch / "build/release/bin").symlink_to(programs)
    for folder, model in (("demo/data", "demo/model"), ("data", "data/t15_pretrained_rnn_baseline")):
        shutil.copytree(study / "data", scratch / folder / "hdf5_data_final")
        shutil.copy(study / "corpora.csv", scratch / folder / "t15_copyTaskData_description.csv")
        shutil.copytree(study / "model", scratch / model)
    for folder in ("demo/lm", "lm/english"):
        shutil.copytree(lm, scratch / folder)


def run_commands(document, scratch):
    """The names of the programs that ran."""
    run = set()
    for command in commands_in(document.read_text()):
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            sys.exit(f"{shlex.join(command)}\nexit code {done.returncode}, expected 0\n{done.stderr}")
        assert done.stdout.strip(), command
        run.add(pathlib.Path(command[0]).name)
    if not run:
        sys.exit(f"{document} has no commands")
    return run


def main(programs, study, lm, scratch, readme, *others):
    lay_out(scratch, programs, study, lm)
    run = run_commands(readme, scratch)
    if run != PROGRAMS:
        sys.exit(f"README has commands of {sorted(run)}, expected {sorted(PROGRAMS)}")
    for document in others:
        run_commands(document, scratch)


main(*(pathlib.Path(argument).resolve() for argument in sys.argv[1:]))

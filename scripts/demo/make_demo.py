#!/usr/bin/env python3
"""Makes a small trained decoder and its data, in the public checkpoint's and data set's form:

    make_demo.py OUT [--tiny] [--seed N] [--force]

    OUT/model/checkpoint/{args.yaml,best_checkpoint}
    OUT/data/hdf5_data_final/SESSION/data_{train,val,test}.hdf5
    OUT/data/t15_copyTaskData_description.csv

Takes about a hundred seconds on two cores; --tiny makes a far smaller, barely trained one in a few seconds, for tests. What is
there already and was made by the same code is left alone.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import numpy as np  # noqa: E402
import torch  # noqa: E402

from dataset import is_evaluated, session_names, write_dataset  # noqa: E402
from training import Recipe, measure, save_checkpoint, train, training_args  # noqa: E402
from world import World, read_sentences  # noqa: E402

# The noise is chosen so that the decoder ends at a phoneme error rate of 5 to 15 %, like the published one's 10 %.
DEMO = Recipe(features=512, units=128, layers=2, sessions=6, noise=2.8, steps=100)
TINY = Recipe(features=24, units=40, layers=2, sessions=3, noise=0.3, steps=80, batch=8, lr=1e-2)
DEMO_TRIALS = {"train": 96, "val": 60, "test": 18}
TINY_TRIALS = {"train": 6, "val": 4, "test": 2}


def code_hash():
    digest = hashlib.sha256()
    for path in sorted([*HERE.glob("*.py"), HERE / "sentences.txt", HERE.parent / "pytorch_decoder.py"]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def make(out, final, recipe, trials, seed):
    """Makes everything below `out`, which is renamed to `final` when it is whole."""
    train_sentences, held_out = read_sentences()
    splits = {
        "train": train_sentences[: trials["train"]],
        "val": held_out[: trials["val"]],
        "test": held_out[trials["val"] : trials["val"] + trials["test"]],
    }
    names = session_names(recipe.sessions)
    evaluated = [is_evaluated(k) for k in range(recipe.sessions)]
    world = World(recipe.features, recipe.sessions, recipe.noise)
    write_dataset(out / "data", world, names, splits, seed)
    print(f"   {', '.join(f'{len(s)} {split}' for split, s in splits.items())} trials of {recipe.sessions} sessions")
    started = time.monotonic()
    model, optimizer, scheduler = train(world, train_sentences, recipe, seed, lambda line: print(line, flush=True))
    print(f"   trained in {time.monotonic() - started:.0f} s")
    # The run's own validation, on other recordings of the held-out sentences than the data set's.
    rng = np.random.default_rng([seed, 7])
    sessions = [k for k in range(recipe.sessions) if evaluated[k]]
    validation = [(world.trial(rng, s, sessions[k % len(sessions)]), sessions[k % len(sessions)])
                  for k, s in enumerate(splits["val"])]
    val_per, val_loss = measure(model, validation)
    folder = out / "model" / "checkpoint"
    save_checkpoint(folder, model, optimizer, scheduler, val_per, val_loss,
                    training_args(recipe, names, evaluated, final / "model" / "checkpoint", seed))
    print(f"   phoneme error rate of the training run's validation: {100 * val_per:.1f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--threads", type=int, default=None, help="for PyTorch; all cores unless given")
    parser.add_argument("--steps", type=int, default=None, help="training steps instead of the usual number")
    parser.add_argument("--force", action="store_true", help="make it again")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    recipe, trials = (TINY, TINY_TRIALS) if args.tiny else (DEMO, DEMO_TRIALS)
    if args.steps is not None:
        recipe = replace(recipe, steps=args.steps)
    made_by = json.dumps({"code": code_hash(), "recipe": asdict(recipe), "trials": trials, "seed": args.seed})
    stamp = args.out / "made_by.json"
    if stamp.exists() and stamp.read_text() == made_by and not args.force:
        print(f"   {args.out} already exists")
        return
    args.out.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    unfinished = args.out / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    make(unfinished, args.out.resolve(), recipe, trials, args.seed)
    for part in ("data", "model"):
        shutil.rmtree(args.out / part, ignore_errors=True)
        os.replace(unfinished / part, args.out / part)
    unfinished.rmdir()
    stamp.write_text(made_by)


if __name__ == "__main__":
    main()

"""Times PyTorch, ONNX Runtime and brainquant on one checkpoint and the same trials, by turns, and prints the ratios.

usage: scripts/bench_peers.py --model MODEL --data DATA --csv CSV [--trials N] [--threads 1,2] [--rounds N] [--bins N] [--json OUT] [--isa avx2]

Each round runs every contender once, in an order that shifts from round to round, so that whatever else the machine does falls on all of
them alike; reported are medians, and the median and range of each round's ratio to PyTorch in fp32. All contenders run in one process and
take features that are smoothed already, but for brainquant's streaming step, which smooths the recorded bins itself and is timed with it. brainquant runs through libbrainquant_c (build/release/lib), its files are made by quantize_model
(build/release/bin) into --work.

ONNX Runtime takes part if onnxruntime and onnx are installed; it leaves a GRU in fp32.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="checkpoint folder")
    parser.add_argument("--data", type=Path, required=True, help="folder of the sessions' HDF5 files")
    parser.add_argument("--csv", type=Path, required=True, help="description of the data, for calibration")
    parser.add_argument("--trials", type=int, default=8, help="trials of the val files; a batch is all of them")
    parser.add_argument("--threads", default="1,2", type=lambda text: [int(t) for t in text.split(",")])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--bins", type=int, default=902, help="trials are cut to N bins of 20 ms; shorter ones are left out")
    parser.add_argument("--steps", type=int, default=60, help="streaming steps in a round")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--isa", choices=["avx2"], help="hold every contender to these instructions")
    parser.add_argument("--build", type=Path, default=ROOT / "build/release")
    parser.add_argument("--against", type=Path, help="another build of brainquant, which takes part too")
    parser.add_argument("--work", type=Path, default=ROOT / "build/bench_peers", help="keeps the quantized files")
    parser.add_argument("--verbose", action="store_true", help="show what quantize_model says")
    return parser.parse_args()


def hold_to_avx2():
    """Libraries read these when they are loaded."""
    os.environ.update(FBGEMM_ENABLE_INSTRUCTIONS="AVX2", ATEN_CPU_CAPABILITY="avx2", ONEDNN_MAX_CPU_ISA="AVX2",
                      BRAINQUANT_KERNEL="avx2")


# What is timed, and the task that PyTorch fp32's time of the same round is taken of. Only ours tell a step's last bin apart; opening has
# nothing to be set against.
TASKS = {"whole_trial": "whole_trial", "batch_of_trials": "batch_of_trials", "streaming_step": "streaming_step",
         "last_bin_to_logits": "streaming_step", "opening": None}


def summary(seconds, baseline):
    median = {"median_ms": 1e3 * statistics.median(seconds)}
    if baseline is None:
        return median
    ratios = sorted(b / s for s, b in zip(seconds, baseline))
    return {**median, "speedup": statistics.median(ratios),
            "speedup_min": ratios[0], "speedup_max": ratios[-1]}


# The OpenMP threads of a contender spin for some milliseconds after its last work; by then they sleep.
SECONDS_UNTIL_IDLE = 0.1


def interleaved(contenders, task, rounds):
    """Seconds of each round for each contender, which begins on an idle machine and runs once untimed before."""
    able = [c for c in contenders if hasattr(c, task)]
    times = {c.name: [] for c in able}
    for r in range(rounds):
        for k in range(len(able)):
            contender = able[(r + k) % len(able)]
            time.sleep(SECONDS_UNTIL_IDLE)
            getattr(contender, task)()
            times[contender.name].append(getattr(contender, task)())
    return times


def print_table(threads, task, results):
    print(f"\n{task.replace('_', ' ')}, {threads} thread{'s' if threads > 1 else ''}")
    print(f"  {'':34}{'median ms':>10}{'x fp32':>9}{'range':>20}{'x INT8':>9}")
    int8 = results["PyTorch dynamic INT8"]["median_ms"]
    for name, r in results.items():
        spread = f"{r['speedup_min']:.2f} to {r['speedup_max']:.2f}"
        print(f"  {name:34}{r['median_ms']:10.3f}{r['speedup']:9.2f}{spread:>20}{int8 / r['median_ms']:9.2f}")


def main():
    args = arguments()
    if args.isa == "avx2":
        hold_to_avx2()
    sys.path.insert(0, str(ROOT / "scripts" / "peers"))
    from contenders import dense_products, make_contenders, trials_of

    trials = trials_of(args.model, args.data, args.trials, args.bins)
    report = {"isa": args.isa or "all", "rounds": args.rounds, "trials": len(trials),
              "bins": [len(t.features) for t in trials], "results": []}
    for threads in args.threads:
        contenders = make_contenders(args, trials, threads)
        dense = dense_products(threads)
        print(f"\nINT8 product 222x7168x2304 in PyTorch, {threads} threads: " +
              ", ".join(f"{name} {rate:.0f} GMAC/s" for name, rate in dense.items()))
        report.setdefault("dense_gmac_per_second", {})[threads] = dense
        fp32 = {}  # task: its seconds
        for task, compared in TASKS.items():
            times = interleaved(contenders, task, args.rounds)
            fp32[task] = times.get("PyTorch fp32")
            baseline = fp32.get(compared)
            results = {name: summary(seconds, baseline) for name, seconds in times.items()}
            if "PyTorch dynamic INT8" in results:
                print_table(threads, task, results)
            else:
                print(f"\n{task.replace('_', ' ')}, {threads} threads: " +
                      ", ".join(f"{name} {r['median_ms']:.3f} ms" for name, r in results.items()))
            report["results"].append({"task": task, "threads": threads, "contenders": results})
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()

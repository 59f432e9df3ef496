#!/usr/bin/env python3
"""What the four methods must reach, measured on a checkpoint and data of your own and judged by PyTorch's answers.

    acceptance.py MODEL DATA CSV [--threads N] [--bin FOLDER] [--work FOLDER] [--lm_dir FOLDER] [--only PART ...]

MODEL: folder with checkpoint/args.yaml and checkpoint/best_checkpoint, which is trusted (PyTorch itself unpickles it). DATA: folder
of sessions. CSV: the description of its blocks. Exit code 1 if a line of the table fails.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import bad_input  # noqa: E402
import bits  # noqa: E402
import costs  # noqa: E402
import quality  # noqa: E402
from programs import Programs  # noqa: E402
from table import Table  # noqa: E402
from torch_side import TorchDecoder  # noqa: E402

PARTS = ["quality", "speed", "memory", "quantize", "bits", "bad_input"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--work", type=Path, default=None, help="parent of the folder that everything is made in, then removed")
    parser.add_argument("--timed_trials", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3, help="of the interleaved timing")
    parser.add_argument("--lm_dir", type=Path, default=None, help="decoding graph: the budget of part `bits` is then one of words")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    args = parser.parse_args()

    work = Path(tempfile.mkdtemp(prefix="acceptance_", dir=args.work))
    table, programs = Table(), Programs(args.bin.resolve(), args.threads)
    data, csv_path = args.data.resolve(), args.csv.resolve()
    try:
        decoder = TorchDecoder(args.model, args.threads)
        files = quality.quantize_all(table, programs, args.model, data, csv_path, work / "methods", 4 * decoder.parameters)
        trials = sum(1 for _ in decoder.val_trials(data))
        static = files["static_qint8"]
        if "quality" in args.only:
            quality.judge(table, programs, args.model, files, decoder.answers(data), data, csv_path, work / "quality")
        if "speed" in args.only:
            costs.speed(table, programs, decoder, args.model, static, data, csv_path, work, min(trials, args.timed_trials),
                        args.rounds)
        if "memory" in args.only:
            costs.memory(table, programs, decoder, {"fp32": args.model, **files}, data, csv_path, work)
        if "quantize" in args.only:
            costs.quantizing(table, programs, decoder, args.model, data, csv_path, work)
        if "bits" in args.only:
            bits.judge(table, programs, args.model, decoder.answers(data), files["static_per_channel_qint8"].stat().st_size, data, csv_path,
                       args.lm_dir, work / "bits")
        if "bad_input" in args.only:
            (work / "bad").mkdir()
            bad_input.judge(table, programs, args.model, data, csv_path, static, work / "bad")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"\n{table.text()}\n\n{len(table.rows) - table.failures()} of {len(table.rows)} lines hold")
    sys.exit(1 if table.failures() else 0)


if __name__ == "__main__":
    main()

"""Runs the project's programs as a user does, and says how they ended, how long they took and how much memory they held."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

MEASURE = Path(__file__).with_name("measure.py")
METHODS = {
    "dynamic_qint8": ["--quantization_type", "dynamic", "--dtype", "qint8"],
    "dynamic_float16": ["--quantization_type", "dynamic", "--dtype", "float16"],
    "static_qint8": ["--quantization_type", "static", "--dtype", "qint8"],
    "static_per_channel_qint8": ["--quantization_type", "static_per_channel", "--dtype", "qint8"],
}
FOUR_BITS = {
    "dynamic_qint4": ["--quantization_type", "dynamic", "--dtype", "qint4"],
    "static_per_channel_qint4": ["--quantization_type", "static_per_channel", "--dtype", "qint4"],
}


@dataclass
class Ended:
    code: int  # negative: the signal that ended it
    seconds: float
    peak_bytes: int
    stdout: str
    stderr: str

    def last_line(self):
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return lines[-1] if lines else "(it said nothing)"


class Programs:
    def __init__(self, folder, threads):
        self.folder, self.threads = Path(folder), threads

    def run(self, name, *arguments, timeout=3600):
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder) / "result"
            ended = subprocess.run([sys.executable, "-S", "-E", MEASURE, result, str(timeout), self.folder / name,
                                    *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, check=True)
            code, seconds, peak = result.read_text().split()
        return Ended(int(code), float(seconds), int(peak), ended.stdout.decode(errors="replace"),
                     ended.stderr.decode(errors="replace"))

    def must_run(self, name, *arguments):
        ended = self.run(name, *arguments)
        if ended.code != 0:
            raise RuntimeError(f"{name} {' '.join(map(str, arguments))}\n  gave {ended.code}: {ended.last_line()}")
        return ended

    def quantize(self, model, data, csv, method, output):
        return self.must_run("quantize_model", "--model_path", model, "--output_path", output, "--data_dir", data,
                             "--csv_path", csv, "--gpu_number", -1, "--threads", self.threads, *METHODS[method])

    def evaluation_arguments(self, model, data, csv, out):
        """`out` gets results.csv and results.json."""
        return ["--model_path", model, "--data_dir", data, "--csv_path", csv, "--eval_type", "val", "--skip_lm",
                "--gpu_number", -1, "--threads", self.threads, "--output_csv", out / "results.csv",
                "--output_json", out / "results.json", "--force"]

"""Whether measuring chooses bits well: the ranking of matrices, and what a budget's file costs on trials that it has not seen."""

import json
import time

import numpy as np

import quality

POINTS = 0.2
MOST_MINUTES = {"sensitivity": 12, "budget": 30}


def quantize_mixed(programs, model, data, csv_path, output, *how):
    start = time.monotonic()
    programs.must_run("quantize_model", "--model_path", model, "--output_path", output, "--data_dir", data, "--csv_path", csv_path,
                      "--threads", programs.threads, "--dtype", "mixed", *how)
    return (time.monotonic() - start) / 60


def ranking(table, programs, model, answers, data, csv_path, work):
    """The three matrices that sensitivity calls the worst in 4 bits lose more, together, than the three best."""
    start = time.monotonic()
    programs.must_run("test_all_quantization_methods", "--model_path", model, "--output_dir", work / "study", "--data_dir", data,
                      "--csv_path", csv_path, "--threads", programs.threads, "--skip_lm", "--methods", "dynamic_qint8", "--sensitivity")
    minutes = (time.monotonic() - start) / 60
    table.add("sensitivity, both widths", f"<= {MOST_MINUTES['sensitivity']} minutes with fp32 and one method", f"{minutes:.1f} minutes",
              minutes <= MOST_MINUTES["sensitivity"])
    cases = json.loads((work / "study" / "quantization_results" / "sensitivity.json").read_text())["cases"]
    alone = sorted((c for c in cases if c["part"] == "alone" and c["bits"] == 4), key=lambda c: c["sqnr_db"] or np.inf)
    decibels = {}
    for name, three in (("worst", alone[:3]), ("best", alone[-3:])):
        output = work / name / "quantized_model.pt"
        rules = ",".join(c["matrix"] + "=4" for c in three)
        quantize_mixed(programs, model, data, csv_path, output, "--bits", rules)
        logits, _, _ = quality.evaluated(programs, output, data, csv_path, work / name)
        decibels[name], _, _ = quality.against(answers, logits)
    table.add("the three worst matrices in 4 bits", "cost more than the three best", f"{decibels['worst']:.1f} and {decibels['best']:.1f} dB",
              decibels["worst"] < decibels["best"])


def interval(a, b, lengths):
    """(difference in points, upper end of its 95 % interval): a paired bootstrap of our own."""
    rng = np.random.default_rng(1)
    lost = np.array(b) - np.array(a)
    drawn = rng.integers(0, len(lost), (4000, len(lost)))
    rates = 100 * lost[drawn].sum(axis=1) / np.array(lengths)[drawn].sum(axis=1)
    return 100 * lost.sum() / sum(lengths), np.quantile(rates, 0.975)


def budget(table, programs, model, int8_bytes, data, csv_path, lm_dir, work):
    words = ["--lm", "wfst", "--lm_dir", lm_dir] if lm_dir else []
    rate, distance, length = ("wer", "word_distance", "true_words") if lm_dir else ("per", "distance", "true_length")
    for kind in ("dynamic", "static_per_channel"):
        output = work / kind / "quantized_model.pt"
        minutes = quantize_mixed(programs, model, data, csv_path, output, "--quantization_type", kind, f"--max_{rate}_increase", POINTS,
                                 "--calibration_samples", 300, *words)
        name = f"{kind}_mixed, {rate.upper()} + {POINTS}"
        table.add(f"{name}: choosing", f"<= {MOST_MINUTES['budget']} minutes", f"{minutes:.1f} minutes", minutes <= MOST_MINUTES["budget"])
        share = output.stat().st_size / int8_bytes
        table.add(f"{name}: size", "<= 75 % of INT8's", f"{100 * share:.1f} %", share <= 0.75)
        trials = {}
        for which, path in (("fp32", model), (kind, output)):
            out = work / f"{kind}_{which}"
            out.mkdir(parents=True)
            arguments = [a for a in programs.evaluation_arguments(path, data, csv_path, out) if a != "--skip_lm" or not lm_dir]
            programs.must_run("evaluate_quantized_model", *arguments, *words)
            trials[which] = json.loads((out / "results.json").read_text())["trials"]
        lengths = [t[length] for t in trials["fp32"]]
        points, high = interval([t[distance] for t in trials["fp32"]], [t[distance] for t in trials[kind]], lengths)
        table.add(f"{name}: on val", "within the budget plus the interval", f"{points:+.2f} points, up to {high:+.2f}",
                  points <= POINTS + (high - points))


def judge(table, programs, model, answers, int8_bytes, data, csv_path, lm_dir, work):
    ranking(table, programs, model, answers, data, csv_path, work)
    budget(table, programs, model, int8_bytes, data, csv_path, lm_dir, work)

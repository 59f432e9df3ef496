"""Trains a small decoder with the CTC loss on trials drawn anew for every step, and saves it as a training run does."""

import math
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch
from omegaconf import OmegaConf
from torch import nn

from pytorch_decoder import GRUDecoder, collapse_ctc, edit_distance, smooth, smoothing_taps


@dataclass
class Recipe:
    features: int
    units: int
    layers: int
    sessions: int
    noise: float
    steps: int
    batch: int = 16
    lr: float = 4e-3
    patch_size: int = 14
    patch_stride: int = 4


def prepare(trials, taps):
    """Smoothed features padded to the longest, the number of bins of each, and their phonemes in one row."""
    smoothed = [smooth(t.features, taps) for t in trials]
    x = nn.utils.rnn.pad_sequence(smoothed, batch_first=True)
    return x, torch.tensor([len(s) for s in smoothed]), torch.tensor([c for t in trials for c in t.classes])


def draw_batch(rng, world, sentences, recipe):
    trials, sessions = [], []
    for _ in range(recipe.batch):
        words = sentences[rng.integers(len(sentences))].split()
        if rng.random() < 0.5:  # so that phonemes are learnt from what is heard, not from the sentence they stand in
            rng.shuffle(words)
        sessions.append(int(rng.integers(recipe.sessions)))
        trials.append(world.trial(rng, " ".join(words), sessions[-1]))
    return trials, sessions


def train(world, sentences, recipe, seed=3, report=print):
    """Returns (model, optimizer, scheduler). The same on every run of one machine: steps are counted, not seconds."""
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, 99])
    taps = smoothing_taps()
    model = GRUDecoder(recipe.features, recipe.units, recipe.layers, recipe.sessions,
                       patch_size=recipe.patch_size, patch_stride=recipe.patch_stride)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.lr, weight_decay=1e-4)
    warm_up = max(1, recipe.steps // 15)

    def rate(step):
        if step < warm_up:
            return (step + 1) / warm_up
        return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, recipe.steps - warm_up)))

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    ctc = nn.CTCLoss(blank=0, zero_infinity=True)
    for step in range(recipe.steps):
        world.noise = recipe.noise * min(1.0, 0.4 + 1.2 * step / recipe.steps)  # easy trials first: it learns sooner
        trials, sessions = draw_batch(rng, world, sentences, recipe)
        x, bins, targets = prepare(trials, taps)
        steps = (bins - recipe.patch_size) // recipe.patch_stride + 1
        scores = model(x, sessions).log_softmax(-1)
        loss = ctc(scores.transpose(0, 1), targets, steps, torch.tensor([len(t.classes) for t in trials]))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        scheduler.step()
        if (step + 1) % max(1, recipe.steps // 8) == 0:
            report(f"   step {step + 1} of {recipe.steps}: CTC loss {loss.item():.3f}")
    world.noise = recipe.noise
    return model.eval(), optimizer, scheduler


def measure(model, trials_with_sessions, collapse=collapse_ctc):
    """(error rate as a fraction, mean CTC loss) over trials, one at a time."""
    taps = smoothing_taps()
    ctc = nn.CTCLoss(blank=0, zero_infinity=True)
    distance = length = loss = 0
    with torch.inference_mode():
        for trial, session in trials_with_sessions:
            logits = model(smooth(trial.features, taps).unsqueeze(0), [session])[0]
            distance += edit_distance(trial.classes, collapse(logits.argmax(-1).tolist()))
            length += len(trial.classes)
            loss += ctc(logits.log_softmax(-1), torch.tensor(trial.classes), torch.tensor(len(logits)),
                        torch.tensor(len(trial.classes))).item()
    return distance / length, loss / len(trials_with_sessions)


def training_args(recipe, names, evaluated, folder, seed):
    """args.yaml with every key that the public training run writes."""
    return {
        "model": {
            "n_input_features": recipe.features,
            "n_units": recipe.units,
            "rnn_dropout": 0.0,
            "rnn_trainable": True,
            "n_layers": recipe.layers,
            "patch_size": recipe.patch_size,
            "patch_stride": recipe.patch_stride,
            "input_network": {
                "n_input_layers": 1,
                "input_layer_sizes": [recipe.features],
                "input_trainable": True,
                "input_layer_dropout": 0.0,
            },
        },
        "gpu_number": "-1",
        "mode": "train",
        "use_amp": False,
        "output_dir": str(folder.parent),
        "checkpoint_dir": str(folder),
        "init_from_checkpoint": False,
        "init_checkpoint_path": None,
        "num_training_batches": recipe.steps,
        "lr_max": recipe.lr,
        "seed": seed,
        "dataset": {
            "data_transforms": {
                "white_noise_std": 0.0,
                "constant_offset_std": 0.0,
                "random_walk_std": 0.0,
                "random_walk_axis": -1,
                "static_gain_std": 0.0,
                "random_cut": 0,
                "smooth_kernel_size": 100,
                "smooth_data": True,
                "smooth_kernel_std": 2,
            },
            "neural_dim": recipe.features,
            "batch_size": recipe.batch,
            "n_classes": 41,
            "max_seq_elements": 500,
            "days_per_batch": recipe.sessions,
            "seed": seed,
            "must_include_days": None,
            "feature_subset": None,
            "dataset_dir": str(folder.parent.parent / "data" / "hdf5_data_final"),
            "bad_trials_dict": None,
            "sessions": list(names),
            "dataset_probability_val": [int(e) for e in evaluated],
        },
    }


def save_checkpoint(folder, model, optimizer, scheduler, val_per, val_loss, args):
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = {
        "model_state_dict": OrderedDict(model.state_dict()),
        "optimizer_state_dict": optimizer.state_dict(),
        "scheduler_state_dict": scheduler.state_dict(),
        "val_PER": np.float64(val_per),
        "val_loss": np.float32(val_loss),
    }
    torch.save(checkpoint, folder / "best_checkpoint")
    OmegaConf.save(OmegaConf.create(args), folder / "args.yaml")

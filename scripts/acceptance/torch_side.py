"""PyTorch's own answers: the checkpoint's decoder in fp32, trial by trial, as the documented Python evaluator runs it."""

import time
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from omegaconf import OmegaConf

from pytorch_decoder import GRUDecoder, collapse_published, smooth, smoothing_taps

NAMES = (
    "BLANK AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH |"
).split()


def phoneme_text(classes):
    return " ".join(NAMES[c] for c in classes)


@dataclass
class Answer:
    label: str  # SESSION/TRIAL
    logits: np.ndarray  # [steps, 41]
    predicted: list
    truth: list
    bins: int


def checkpoint_folder(model):
    model = Path(model)
    return model / "checkpoint" if (model / "checkpoint").is_dir() else model


class TorchDecoder:
    """The checkpoint is taken as trusted: numpy scalars in it need an unrestricted unpickler."""

    def __init__(self, model, threads):
        torch.set_num_threads(threads)
        folder = checkpoint_folder(model)
        self.args = OmegaConf.load(folder / "args.yaml")
        saved = torch.load(folder / "best_checkpoint", map_location="cpu", weights_only=False)
        state = {k.replace("module.", "").replace("_orig_mod.", ""): v.float() for k, v in saved["model_state_dict"].items()}
        self.parameters = sum(v.numel() for v in state.values())
        self.has_optimizer_state = bool(saved.get("optimizer_state_dict", {}).get("state"))
        self.sessions = list(self.args.dataset.sessions)
        shape = self.args.model
        self.model = GRUDecoder(shape.n_input_features, shape.n_units, shape.n_layers, len(self.sessions),
                                self.args.dataset.n_classes, shape.patch_size, shape.patch_stride).eval()
        self.model.load_state_dict(state)
        transforms = self.args.dataset.data_transforms
        self.taps = smoothing_taps(transforms.smooth_kernel_std, transforms.smooth_kernel_size) \
            if transforms.smooth_data else torch.ones(1)

    def logits(self, features, session):
        x = smooth(np.asarray(features, dtype=np.float32), self.taps)
        if len(x) < max(1, self.args.model.patch_size):
            return np.zeros((0, self.args.dataset.n_classes), dtype=np.float32)
        with torch.inference_mode():
            return self.model(x.unsqueeze(0), [session])[0].numpy()

    def val_trials(self, data, limit=None):
        """(label, session's number, h5py group) in the order that the programs use."""
        count = 0
        for number, session in enumerate(self.sessions):
            path = Path(data) / session / "data_val.hdf5"
            if not path.exists():
                continue
            with h5py.File(path, "r") as file:
                for name in sorted(file):
                    if limit is not None and count >= limit:
                        return
                    count += 1
                    yield f"{session}/{name}", number, file[name]

    def answers(self, data):
        out = []
        for label, session, group in self.val_trials(data):
            features = group["input_features"][:]
            logits = self.logits(features, session)
            truth = group["seq_class_ids"][:][: int(group.attrs["seq_len"])].tolist()
            out.append(Answer(label, logits, collapse_published(logits.argmax(-1).tolist()), truth, len(features)))
        return out

    def seconds_for(self, data, limit):
        """Reading, smoothing, decoding, collapsing: what evaluation is, trial by trial."""
        started = time.perf_counter()
        for _, session, group in self.val_trials(data, limit):
            collapse_published(self.logits(group["input_features"][:], session).argmax(-1).tolist())
        return time.perf_counter() - started


def save_with_optimizer_state(model, out):
    """A copy of a checkpoint with Adam's state, as a training run leaves it: about three times the model's size."""
    folder = checkpoint_folder(model)
    saved = torch.load(folder / "best_checkpoint", map_location="cpu", weights_only=False)
    parameters = [torch.nn.Parameter(v.float().clone()) for v in saved["model_state_dict"].values()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3)
    for p in parameters:
        p.grad = torch.zeros_like(p)
    optimizer.step()
    saved["optimizer_state_dict"] = optimizer.state_dict()
    target = Path(out) / "checkpoint"
    target.mkdir(parents=True, exist_ok=True)
    (target / "args.yaml").write_bytes((folder / "args.yaml").read_bytes())
    torch.save(saved, target / "best_checkpoint")

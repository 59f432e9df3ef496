"""The GRU decoder in plain PyTorch: what the C++ program is trained with in the demo and judged against in acceptance."""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import nn


class GRUDecoder(nn.Module):
    """Parameters named and shaped as in the public baseline's checkpoint."""

    def __init__(self, features, units, layers, sessions, classes=41, patch_size=14, patch_stride=4):
        super().__init__()
        self.patch_size, self.patch_stride = patch_size, patch_stride
        self.day_weights = nn.ParameterList([nn.Parameter(torch.eye(features)) for _ in range(sessions)])
        self.day_biases = nn.ParameterList([nn.Parameter(torch.zeros(1, features)) for _ in range(sessions)])
        self.gru = nn.GRU(features * max(patch_size, 1), units, layers, batch_first=True)
        self.out = nn.Linear(units, classes)
        self.h0 = nn.Parameter(torch.zeros(1, 1, units))
        for name, parameter in self.gru.named_parameters():
            if "weight_hh" in name:
                nn.init.orthogonal_(parameter)
            elif "weight_ih" in name:
                nn.init.xavier_uniform_(parameter)
        nn.init.xavier_uniform_(self.out.weight)

    def day_output(self, x, sessions):
        """x: smoothed features [trials, bins, features]; sessions: a day layer's number for each trial."""
        weights = torch.stack([self.day_weights[s] for s in sessions])
        biases = torch.cat([self.day_biases[s] for s in sessions]).unsqueeze(1)
        return nn.functional.softsign(torch.baddbmm(biases, x, weights))

    def patches(self, y):
        """[trials, bins, features] -> [trials, steps, patch * features], bin by bin."""
        if self.patch_size == 0:
            return y
        y = y.unfold(1, self.patch_size, self.patch_stride).transpose(2, 3)  # [trials, steps, patch, features]
        return y.reshape(y.shape[0], y.shape[1], -1)

    def forward(self, x, sessions):
        """Arguments as day_output()'s. -> logits [trials, steps, classes]."""
        x = self.patches(self.day_output(x, sessions))
        state = self.h0.expand(self.gru.num_layers, x.shape[0], self.gru.hidden_size).contiguous()
        return self.out(self.gru(x, state)[0])


def smoothing_taps(std=2.0, size=100):
    """scipy's Gaussian of a unit impulse, taps of at most 0.01 dropped."""
    impulse = np.zeros(size, dtype=np.float32)
    impulse[size // 2] = 1
    taps = gaussian_filter1d(impulse, std)
    taps = taps[taps > 0.01]
    return torch.from_numpy((taps / taps.sum()).astype(np.float32))


def smooth(features, taps):
    """[bins, features] -> [bins - taps + 1, features], each feature filtered along time without padding."""
    x = torch.as_tensor(features).T.unsqueeze(1)
    return nn.functional.conv1d(x, taps.view(1, 1, -1)).squeeze(1).T.contiguous()


def collapse_published(path):
    """Blanks dropped first, repeats merged then: the order of the public evaluator."""
    kept = [c for c in path if c != 0]
    return [c for k, c in enumerate(kept) if k == 0 or c != kept[k - 1]]


def collapse_ctc(path):
    """Repeats merged first, blanks dropped then: textbook CTC, the order of the public training code."""
    return [c for k, c in enumerate(path) if c != 0 and (k == 0 or c != path[k - 1])]


def edit_distance(truth, guess):
    row = list(range(len(guess) + 1))
    for i, t in enumerate(truth, start=1):
        diagonal, row[0] = row[0], i
        for j, g in enumerate(guess, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (t != g))
    return row[-1]

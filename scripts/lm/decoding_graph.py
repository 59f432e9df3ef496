"""Decoding graphs from a grammar and a lexicon, composed as the public language models are: T o min(det(L o G)).

T lets blanks and repeats of a class stand for one class (the topology in which two equal phonemes need a blank between them and
others don't), L turns phonemes and silence into words, G weighs the words. Labels: phonemes.py on the input, words.txt on the
output. "#0" in G marks backing off, further ones in L tell words of equal pronunciation apart; T drops them.
"""

import collections
import math

import kaldifst

from phonemes import BLANK, FIRST_DISAMBIGUATION, LABEL_OF, SIL, TOKENS

EPSILON = 0
LN10 = math.log(10.0)


class Words:
    """words.txt: <eps> 0, the words from 1 on in sorted order, #0, <s>, </s>."""

    def __init__(self, words):
        self.symbols = ["<eps>"] + sorted(words) + ["#0", "<s>", "</s>"]
        self.id_of = {word: number for number, word in enumerate(self.symbols)}
        self.backoff = self.id_of["#0"]

    def write(self, path):
        with open(path, "w", encoding="utf-8") as file:
            for number, word in enumerate(self.symbols):
                file.write(f"{word} {number}\n")


def compile_fst(arcs, finals):
    """A kaldifst graph; the first arc's source is the start state."""
    lines = [f"{source} {target} {label_in} {label_out} {weight:.6g}" for source, target, label_in, label_out, weight in arcs]
    lines += [f"{state} {weight:.6g}" for state, weight in finals]
    return kaldifst.compile("\n".join(lines) + "\n", acceptor=False)


def token_fst(disambiguations):
    """T. State 0: at the start or after a blank; state k: after class k."""
    labels = [LABEL_OF[token] for token in TOKENS if token != "BLANK"]
    arcs = [(0, 0, BLANK, EPSILON, 0.0)]
    arcs += [(0, label, label, label, 0.0) for label in labels]
    for last in labels:
        arcs.append((last, 0, BLANK, EPSILON, 0.0))
        arcs.append((last, last, last, EPSILON, 0.0))
        arcs += [(last, label, label, label, 0.0) for label in labels if label != last]
    states = [0] + labels
    arcs += [(state, state, EPSILON, FIRST_DISAMBIGUATION + i, 0.0) for state in states for i in range(disambiguations)]
    used = {label: number for number, label in enumerate(states)}
    return compile_fst([(used[s], used[t], i, o, w) for s, t, i, o, w in arcs], [(used[s], 0.0) for s in states])


def lexicon_fst(pronunciations, words, silence_probability):
    """(L, number of disambiguation symbols). After each word comes a silence with the given probability; before the first one
    with the same. Pronunciations that equal another word's, or begin another, end in a symbol of their own."""
    entries = [(word, phonemes) for word in sorted(pronunciations) for phonemes in pronunciations[word]]
    count = collections.Counter(phonemes for _, phonemes in entries)
    prefixes = {phonemes[:i] for _, phonemes in entries for i in range(1, len(phonemes))}
    used = collections.Counter()
    tagged = []
    for word, phonemes in entries:
        tag = 0
        if count[phonemes] > 1 or phonemes in prefixes:
            used[phonemes] += 1
            tag = used[phonemes]
        tagged.append((word, phonemes, tag))
    silence_tag = max(used.values(), default=0) + 1

    start, loop, silence, said = 0, 1, 2, 3
    exits = []
    if silence_probability < 1.0:
        exits.append((loop, -math.log(1.0 - silence_probability)))
    if silence_probability > 0.0:
        exits.append((silence, -math.log(silence_probability)))
    arcs = [(start, target, EPSILON, EPSILON, cost) for target, cost in exits]
    arcs.append((silence, said, SIL, EPSILON, 0.0))
    arcs.append((said, loop, FIRST_DISAMBIGUATION + silence_tag, EPSILON, 0.0))
    state = 4
    for word, phonemes, tag in tagged:
        labels = [LABEL_OF[phoneme] for phoneme in phonemes] + ([FIRST_DISAMBIGUATION + tag] if tag else [])
        source, output = loop, words.id_of[word]
        for label in labels[:-1]:
            arcs.append((source, state, label, output, 0.0))
            source, output, state = state, EPSILON, state + 1
        arcs += [(source, target, labels[-1], output, cost) for target, cost in exits]
    arcs.append((loop, loop, FIRST_DISAMBIGUATION, words.backoff, 0.0))
    return compile_fst(arcs, [(loop, 0.0)]), silence_tag + 1


def grammar_fst(orders, words):
    """G of an ARPA model (arpa.read_arpa): a state for each history, "#0" on the arcs that back off, `</s>` as final weights.
    N-grams with words that words.txt doesn't have, `<unk>` among them, are left out."""
    states = {("<s>",): 0, (): 1}
    longest = len(orders) - 1

    def state_of(history):
        """The state of the longest end of `history` that the model has as a history."""
        while history not in states and history:
            history = history[1:]
        return states[history]

    for ngrams in orders[:-1]:
        for ngram in ngrams:
            if all(word in words.id_of or word == "<s>" for word in ngram) and ngram[-1] != "</s>" and "<s>" not in ngram[1:]:
                states.setdefault(ngram, len(states))
    arcs, finals = [], []
    for history, state in states.items():
        if history:
            backoff = orders[len(history) - 1].get(history, (0.0, 0.0))[1]
            arcs.append((state, state_of(history[1:]), words.backoff, EPSILON, -backoff * LN10))
    for ngrams in orders:
        for ngram, (probability, _) in ngrams.items():
            history, word = ngram[:-1], ngram[-1]
            if history not in states or word == "<s>":
                continue
            if word == "</s>":
                finals.append((states[history], -probability * LN10))
            elif word in words.id_of:
                target = state_of(ngram[-longest:] if longest else ())
                arcs.append((states[history], target, words.id_of[word], words.id_of[word], -probability * LN10))
    grammar = compile_fst(arcs, finals)
    kaldifst.connect(grammar)
    kaldifst.arcsort(grammar, "ilabel")
    return grammar


def compose_graph(pronunciations, words, grammar, silence_probability, determinize_in_log=True):
    """TLG."""
    lexicon, disambiguations = lexicon_fst(pronunciations, words, silence_probability)
    kaldifst.arcsort(lexicon, "olabel")
    graph = kaldifst.compose(lexicon, grammar)
    kaldifst.determinize_star(graph, use_log=determinize_in_log)
    kaldifst.minimize_encoded(graph)
    kaldifst.arcsort(graph, "ilabel")
    tokens = token_fst(disambiguations)
    kaldifst.arcsort(tokens, "olabel")
    return kaldifst.compose(tokens, graph)

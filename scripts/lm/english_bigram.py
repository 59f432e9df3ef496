"""The default language model: an English back-off bigram from everyday_counts().

The counts are large (no pair below 100,000) but cut off, so estimates of what is listed need no discount, and what is missing is
known by its total. With c(w) the count of w, c(v w) that of a pair:

    p(w | v)   = (1 - e(v)) c(v w) / c(v)                      for listed pairs
    p(w)       ~ max(c(w) - sum over v of c(v w), c(w) / 10)   what the listed pairs do not already say (the marginal
                                                               constraint of Kneser and Ney, ICASSP 1995)
    back-off   the mass that listed pairs and the sentence's end leave, spread by p(w)

e(v), the probability that a sentence ends after v, can't be had from pairs: it is END_AFTER_CLOSED for words that hardly end a
sentence (articles, prepositions, ...) and END_AFTER_OPEN for all others. Sentences begin with a word of OPENERS in as many cases
as its weights say, else by p(w). Pairs are kept by how much they change the model: c(v w) log(p(w | v) / backed-off p(w | v)), the
weighted difference of Seymore and Rosenfeld (ICSLP 1996).
"""

import math

END_AFTER_OPEN = 0.2
END_AFTER_CLOSED = 0.01
NOTHING_SAID = 0.001
CLOSED = frozenset(
    "the a an of and or but to in on at for from with by as if than because my your his her its our their this these those "
    "is are am was were be been has have had do does did will would can could should may might must i he she we they "
    "i'm it's he's she's that's what's there's we're they're you're i've we've they've you've i'll we'll you'll they'll "
    "i'd he'd she'd we'd they'd let's very every each some any no not".split()
)
# How often, in a thousand sentences, an everyday sentence begins with the word; the rest is spread by p(w).
OPENERS = {
    "i": 110, "you": 40, "it": 35, "we": 35, "they": 35, "the": 35, "and": 30, "it's": 25, "that's": 25, "i'm": 20, "but": 20,
    "so": 20, "he": 20, "that": 20, "this": 15, "she": 12, "my": 12, "what": 12, "there's": 8, "there": 10, "do": 10, "if": 10,
    "well": 10, "he's": 6, "they're": 6, "we're": 6, "you're": 6, "i've": 6, "i'll": 5, "don't": 6, "how": 8, "is": 6, "are": 6,
    "can": 6, "let's": 3, "what's": 4, "no": 6, "yes": 4, "yeah": 6, "oh": 4, "a": 8, "in": 8, "when": 6, "one": 5, "some": 5,
    "people": 3, "where": 4, "who": 4, "why": 4, "just": 4, "not": 4, "did": 4, "have": 4, "was": 3, "i'd": 4, "then": 3,
    "please": 3, "because": 4, "or": 5, "at": 4, "for": 4, "to": 4, "she's": 3, "your": 4, "our": 3, "his": 3, "her": 2,
}  # fmt: skip
# c(v w) of all pairs together may reach at most this share of c(v): the two lists were cut differently.
MAX_COVERAGE = 0.95


def _unigrams(counts):
    followed = dict.fromkeys(counts.words, 0.0)
    for following in counts.pairs.values():
        for word, count in following.items():
            followed[word] += count
    left = {w: max(c - followed[w], c / 10) for w, c in counts.words.items()}
    total = sum(left.values())
    end = END_AFTER_OPEN / 2
    return {w: (1 - end) * c / total for w, c in left.items()}, end


def english_bigram(counts, max_pairs):
    """ARPA orders (see arpa.py) with the `max_pairs` pairs that matter most."""
    unigrams, unigram_end = _unigrams(counts)
    candidates = []
    for first, following in counts.pairs.items():
        total = max(counts.words[first], sum(following.values()) / MAX_COVERAGE)
        end = END_AFTER_CLOSED if first in CLOSED else END_AFTER_OPEN
        listed = {w: (1 - end) * c / total for w, c in following.items()}
        backoff = (1 - end - sum(listed.values())) / (1 - unigram_end - sum(unigrams[w] for w in listed))
        for word, probability in listed.items():
            gain = following[word] * math.log(probability / (backoff * unigrams[word]))
            if gain > 0:
                candidates.append((gain, first, word, probability))
    candidates.sort(reverse=True)
    listed = {}
    for _, first, word, probability in candidates[:max_pairs]:
        listed.setdefault(first, {})[word] = probability
    known_openers = {w: n / 1000 for w, n in OPENERS.items() if w in unigrams}
    listed["<s>"] = known_openers

    log10 = math.log10
    singles = {(w,): (log10(p), 0.0) for w, p in unigrams.items()}
    singles[("</s>",)] = (log10(unigram_end), 0.0)
    singles[("<s>",)] = (-99.0, 0.0)
    pairs = {}
    for first, following in listed.items():
        end = NOTHING_SAID if first == "<s>" else END_AFTER_CLOSED if first in CLOSED else END_AFTER_OPEN
        seen = sum(following.values()) + end
        pairs[(first, "</s>")] = (log10(end), 0.0)
        backoff = (1 - seen) / (1 - unigram_end - sum(unigrams[w] for w in following))
        singles[(first,)] = (singles[(first,)][0], log10(backoff))
        for word, probability in following.items():
            pairs[(first, word)] = (log10(probability), 0.0)
    return [singles, pairs]

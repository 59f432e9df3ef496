"""Reads the binary trigram models of Sphinx ("Trie Language Model"), such as en-us.lm.bin of Debian's pocketsphinx-en-us.

Little-endian: the text "Trie Language Model"; uint8 order (3); uint32 number of 1-, 2-, 3-grams; uint32 1 (16-bit quantization);
float32 tables of 65,536 values: probabilities of 2-grams, back-offs of 2-grams, probabilities of 3-grams; 1-grams plus one: float32
probability, float32 back-off, uint32 first 2-gram; 2-grams plus one and 3-grams in packed bits (lowest first), each array rounded
up to bytes and 8 more; uint32 length of the words, and the words, each ended by a zero byte. Values are logarithms to base 1.0001.

The tree is read from an n-gram's last word backwards: a 2-gram's entry below word w names the word before it. 2-gram: word (as
many bits as the number of words needs), 16 bits of back-off, 16 of probability, first 3-gram (as many bits as their number needs).
3-gram: word, 16 bits of probability.
"""

import math
import struct

import numpy

MAGIC = b"Trie Language Model"
TABLE = 65536
LOG10_OF_BASE = math.log10(1.0001)
MAX_ERROR_OF_SUMS = 0.01


class SphinxModelError(Exception):
    """A file that is not such a model, or a damaged one."""


def _bits(data, start, stride, count, offset, width):
    """`count` numbers of `width` (at most 32) bits, `stride` bits apart, the first at bit `offset` from byte `start`."""
    position = numpy.arange(count, dtype=numpy.int64) * stride + offset
    byte = start + (position >> 3)
    value = numpy.zeros(count, numpy.uint64)
    for k in range(5):
        value |= data[byte + k].astype(numpy.uint64) << numpy.uint64(8 * k)
    return ((value >> (position & 7).astype(numpy.uint64)) & numpy.uint64((1 << width) - 1)).astype(numpy.int64)


def _parents(first, count):
    """For each entry the index of the entry above it, from where each one's entries begin."""
    return numpy.repeat(numpy.arange(len(first) - 1), numpy.diff(numpy.minimum(first, count)))


def _check_sums(singles, parent, word, log10_pairs, path):
    """Over all words that follow a history, listed and backed off to, the probabilities must add up to 1."""
    unigrams = 10.0 ** singles["p"]
    listed = numpy.bincount(word, 10.0**log10_pairs, len(unigrams))
    covered = numpy.bincount(word, unigrams[parent], len(unigrams))
    totals = listed + 10.0 ** singles["b"] * (1 - covered)
    wrong = float(numpy.mean(numpy.abs(totals - 1) > MAX_ERROR_OF_SUMS))
    if wrong > 0.02:
        raise SphinxModelError(f"{path}: the probabilities after {wrong:.0%} of the words don't add up to 1")


def read_sphinx_model(path):
    """ARPA orders (see arpa.py) of a trigram model."""
    data = path.read_bytes()
    if not data.startswith(MAGIC) or len(data) < 64:
        raise SphinxModelError(f"{path}: not a Sphinx trie language model")
    at = len(MAGIC)
    order, words, pairs, triples, quantization = struct.unpack_from("<BIIII", data, at)
    at += 17
    if order != 3 or quantization != 1:
        raise SphinxModelError(f"{path}: order {order}, quantization {quantization}; only 3 and 1 are read")
    word_bits, next_bits = words.bit_length(), triples.bit_length()
    pair_bits, triple_bits = word_bits + 32 + next_bits, word_bits + 16
    singles_at = at + 3 * TABLE * 4
    pairs_at = singles_at + 12 * (words + 1)
    triples_at = pairs_at + ((pairs + 1) * pair_bits + 7) // 8 + 8
    names_at = triples_at + ((triples + 1) * triple_bits + 7) // 8 + 8
    if names_at + 4 > len(data) or names_at + 4 + struct.unpack_from("<I", data, names_at)[0] != len(data):
        raise SphinxModelError(f"{path}: its size doesn't fit its counts (truncated?)")
    names = [name.decode("utf-8", errors="replace") for name in data[names_at + 4 :].split(b"\0")[:words]]
    tables = numpy.frombuffer(data, "<f4", 3 * TABLE, at).reshape(3, TABLE).astype(numpy.float64) * LOG10_OF_BASE
    record = numpy.dtype([("p", "<f4"), ("b", "<f4"), ("first", "<u4")])
    unigrams = numpy.frombuffer(data, record, words + 1, singles_at)
    singles = {key: unigrams[key][:-1].astype(numpy.float64) * LOG10_OF_BASE for key in ("p", "b")}

    raw = numpy.frombuffer(data, numpy.uint8)
    pair_word = _bits(raw, pairs_at, pair_bits, pairs, 0, word_bits)
    pair_backoff = tables[1][_bits(raw, pairs_at, pair_bits, pairs, word_bits, 16)]
    pair_log10 = tables[0][_bits(raw, pairs_at, pair_bits, pairs, word_bits + 16, 16)]
    first_triple = _bits(raw, pairs_at, pair_bits, pairs, word_bits + 32, next_bits)
    triple_word = _bits(raw, triples_at, triple_bits, triples, 0, word_bits)
    triple_log10 = tables[2][_bits(raw, triples_at, triple_bits, triples, word_bits, 16)]
    if pair_word.max(initial=0) >= words or triple_word.max(initial=0) >= words:
        raise SphinxModelError(f"{path}: an n-gram of a word that isn't there")

    # A pair without triples may carry no position: the next one's counts.
    first_triple = numpy.maximum.accumulate(first_triple)
    first_pair = numpy.append(unigrams["first"][:-1].astype(numpy.int64), pairs)
    pair_last = _parents(first_pair, pairs)
    triple_pair = _parents(numpy.append(first_triple, triples), triples)
    if len(pair_last) != pairs or len(triple_pair) != triples:
        raise SphinxModelError(f"{path}: entries that belong to no n-gram")
    _check_sums(singles, pair_last, pair_word, pair_log10, path)

    orders = [{(name,): (float(p), float(b)) for name, p, b in zip(names, singles["p"], singles["b"])}]
    orders.append(
        {
            (names[before], names[last]): (p, b)
            for before, last, p, b in zip(pair_word.tolist(), pair_last.tolist(), pair_log10.tolist(), pair_backoff.tolist())
        }
    )
    orders.append(
        {
            (names[before], names[middle], names[last]): (p, 0.0)
            for before, middle, last, p in zip(
                triple_word.tolist(),
                pair_word[triple_pair].tolist(),
                pair_last[triple_pair].tolist(),
                triple_log10.tolist(),
            )
        }
    )
    return orders

"""Checks the default language model and scripts/build_lm.sh. Usage: check_language_model.py [--report SENTENCES]

Without arguments: probabilities of the English bigram sum to 1 for every history looked at, by adding up all words; and a model
built by the command line from an ARPA file and a dictionary says what the model's own graph says. With --report: perplexity of a
file of sentences, one a line.
"""

import math
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "scripts" / "lm"))

import kaldifst  # noqa: E402

import build_lm  # noqa: E402
import english_bigram  # noqa: E402
import english_counts  # noqa: E402
import sphinx_model  # noqa: E402
from phonemes import read_dictionary  # noqa: E402


def default_bigram():
    pronunciations = read_dictionary(build_lm.cmudict_lines(), "cmudict")
    return english_bigram.english_bigram(english_counts.everyday_counts(set(pronunciations)), 230_000)


def probability(orders, first, word):
    if (first, word) in orders[1]:
        return 10 ** orders[1][(first, word)][0]
    return 10 ** (orders[0][(first,)][1] + orders[0][(word,)][0])


def check_sums(orders):
    words = [ngram[0] for ngram in orders[0] if ngram[0] != "<s>"]
    assert len(words) > 50_000
    histories = sorted({ngram[0] for ngram in orders[1]})
    random.seed(1)
    for first in ["<s>", "i", "it's", "don't", "the", "home"] + random.sample(histories, 20):
        total = math.fsum(probability(orders, first, word) for word in words)
        assert abs(total - 1) < 1e-6, (first, total)
    # What people say more often must be likelier.
    for first, more, less in [("i", "think", "is"), ("it's", "a", "am"), ("<s>", "i", "of"), ("don't", "know", "known")]:
        assert probability(orders, first, more) > 2 * probability(orders, first, less), (first, more, less)


def check_command_line():
    build = [root / "scripts" / "build_lm.sh"]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "model.arpa").write_text(
            "\\data\\\nngram 1=5\nngram 2=2\n\n\\1-grams:\n-99 <s> -0.2\n-0.5 </s>\n-0.7 Hello -0.1\n-0.9 world 0\n-1 zzz 0\n\n"
            "\\2-grams:\n-0.1 <s> Hello\n-0.3 Hello world\n\n\\end\\\n"
        )
        (folder / "dictionary").write_text("HELLO  HH AH0 L OW1\nHELLO(2)  HH EH0 L OW1\nworld W ER1 L D # a comment\n")
        subprocess.run([*build, folder / "out", "--arpa", folder / "model.arpa", "--dict", folder / "dictionary"], check=True)
        assert (folder / "out" / "words.txt").read_text().split("\n")[:3] == ["<eps> 0", "Hello 1", "world 2"]
        subprocess.run([*build, folder / "copy.fst", "--convert", folder / "out" / "G.fst"], check=True)
        grammar = kaldifst.StdConstFst.read(str(folder / "copy.fst"))
        assert grammar.num_states == kaldifst.StdVectorFst.read(str(folder / "out" / "G.fst")).num_states
        for damaged in ("model.arpa", "dictionary"):
            text = (folder / damaged).read_text()
            (folder / "bad").write_text(text[: len(text) // 2] if damaged == "model.arpa" else text.replace("ER1", "XX"))
            options = {"model.arpa": folder / "model.arpa", "dictionary": folder / "dictionary", damaged: folder / "bad"}
            command = [*build, folder / "no", "--arpa", options["model.arpa"], "--dict", options["dictionary"]]
            result = subprocess.run(command, capture_output=True, text=True)
            assert result.returncode == 1 and "bad" in result.stderr and "Traceback" not in result.stderr, result
            assert not (folder / "no").exists()


def pack(values_and_widths):
    """Bits, lowest first, as the bytes of one array."""
    number, width = 0, 0
    for value, bits in values_and_widths:
        number |= value << width
        width += bits
    return number.to_bytes((width + 7) // 8 + 8, "little")


def check_sphinx_model():
    """A trie of three words written here bit by bit: p(a) .5, p(b) .3, p(c) .2; p(b|a) .6; p(c|a b) .7."""
    base = math.log(1.0001)
    log = lambda p: math.log(p) / base  # noqa: E731
    # What is left after a and after "a b", over what backing off gives to the words not listed.
    bow_a, bow_ab = 0.4 / 0.7, 0.3 / 0.8
    table = lambda value: struct.pack("<65536f", 0.0, value, *[0.0] * 65534)  # noqa: E731
    data = b"Trie Language Model" + struct.pack("<BIIII", 3, 3, 2, 1, 1)
    data += table(log(0.6)) + table(log(bow_ab)) + table(log(0.7))
    # Pairs below their last word: b below it a; c below it b, which continues to a.
    data += struct.pack("<ffI", log(0.5), log(bow_a), 0) + struct.pack("<ffI", log(0.3), 0.0, 0)
    data += struct.pack("<ffI", log(0.2), 0.0, 1) + struct.pack("<ffI", 0.0, 0.0, 2)
    # Word 2 bits, back-off 16, probability 16, first triple 1. Sums are not what this tiny model is about: their check is off.
    data += pack([(0, 2), (1, 16), (1, 16), (0, 1), (1, 2), (0, 16), (1, 16), (0, 1), (0, 35)])
    data += pack([(0, 2), (1, 16), (0, 18)])
    names = b"a\0b\0c\0"
    data += struct.pack("<I", len(names)) + names
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "tiny.lm.bin"
        path.write_bytes(data)
        sphinx_model.MAX_ERROR_OF_SUMS, usual = 2.0, sphinx_model.MAX_ERROR_OF_SUMS
        orders = sphinx_model.read_sphinx_model(path)
        sphinx_model.MAX_ERROR_OF_SUMS = usual
        near = lambda log10, p: abs(10**log10 - p) < 1e-4  # noqa: E731
        assert [len(ngrams) for ngrams in orders] == [3, 2, 1], orders
        assert near(orders[0][("a",)][0], 0.5) and near(orders[0][("a",)][1], bow_a)
        assert near(orders[1][("a", "b")][0], 0.6)
        assert set(orders[1]) == {("a", "b"), ("b", "c")} and set(orders[2]) == {("a", "b", "c")}
        assert near(orders[2][("a", "b", "c")][0], 0.7)
        for damaged in (data[:1000], data[:-3], data + b"x", b"Trie Language Model"):
            path.write_bytes(damaged)
            try:
                sphinx_model.read_sphinx_model(path)
            except sphinx_model.SphinxModelError as error:
                assert "tiny.lm.bin" in str(error)
            else:
                raise AssertionError("a damaged model was read")


def report(path):
    orders = default_bigram()
    log10, words, unknown = 0.0, 0, 0
    for line in pathlib.Path(path).read_text().splitlines():
        history = "<s>"
        for word in line.lower().split() + ["</s>"]:
            if (word,) not in orders[0]:
                unknown += 1
                history = None
                continue
            log10 += math.log10(probability(orders, history, word)) if history else orders[0][(word,)][0]
            words += 1
            history = word
    print(f"perplexity {10 ** (-log10 / words):.1f} over {words} words and sentence ends, {unknown} unknown words")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--report":
        report(sys.argv[2])
    else:
        check_sums(default_bigram())
        check_command_line()
        check_sphinx_model()

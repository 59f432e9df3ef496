"""The 41 classes in the order in which decoding graphs number them, and pronunciations made of them."""

import re

PHONEMES = ("AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH").split()
TOKENS = ["BLANK", "SIL"] + PHONEMES
# Input label of a graph; 0 is epsilon, and what follows the classes are disambiguation symbols.
LABEL_OF = {token: position + 1 for position, token in enumerate(TOKENS)}
BLANK = LABEL_OF["BLANK"]
SIL = LABEL_OF["SIL"]
FIRST_DISAMBIGUATION = len(TOKENS) + 1


class DictionaryError(Exception):
    """A pronunciation dictionary that can't be used; the text names file and line."""


def read_dictionary(lines, name):
    """{word in lower case: [pronunciations as tuples of phonemes]} from lines "WORD PH1 PH2 ...", as CMUdict has them.

    Stress digits, comments (from ' #' or ';;;' on) and the "(2)" of further pronunciations are dropped, repeats too.
    """
    pronunciations = {}
    for number, line in enumerate(lines, 1):
        if line.startswith(";;;"):
            continue
        fields = line.split(" #")[0].split()
        if not fields:
            continue
        word = re.sub(r"\(\d+\)$", "", fields[0]).lower()
        phonemes = tuple(re.sub(r"\d$", "", phoneme).upper() for phoneme in fields[1:])
        unknown = [phoneme for phoneme in phonemes if phoneme not in LABEL_OF or phoneme in ("BLANK", "SIL")]
        if not phonemes or unknown:
            problem = f"unknown phoneme {unknown[0]}" if unknown else "no phonemes"
            raise DictionaryError(f"{name}, line {number}: {problem}")
        known = pronunciations.setdefault(word, [])
        if phonemes not in known:
            known.append(phonemes)
    return pronunciations

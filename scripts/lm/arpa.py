"""Back-off n-gram models in the ARPA format."""

import gzip


class ArpaError(Exception):
    """A file that is not an ARPA model; the text names file and line."""


def read_arpa(path):
    """[{n-gram as a tuple of words: (log10 probability, log10 back-off)} for each order], plain or gzipped."""
    orders = []
    with open(path, "rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    opener = gzip.open if gzipped else open
    ended = False
    with opener(path, "rt", encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            line = line.strip()
            if line == "\\end\\":
                ended = True
                break
            if line.startswith("\\") and line.endswith("-grams:"):
                orders.append({})
                if line != f"\\{len(orders)}-grams:":
                    raise ArpaError(f"{path}, line {number}: section {line}, expected \\{len(orders)}-grams:")
            elif line and orders:
                fields = line.split()
                order = len(orders)
                if len(fields) not in (order + 1, order + 2):
                    raise ArpaError(f"{path}, line {number}: {len(fields)} fields in a {order}-gram")
                try:
                    backoff = float(fields[order + 1]) if len(fields) == order + 2 else 0.0
                    orders[-1][tuple(fields[1 : order + 1])] = (float(fields[0]), backoff)
                except ValueError as error:
                    raise ArpaError(f"{path}, line {number}: {error}") from error
    if not ended or not orders:
        raise ArpaError(f"{path}: no \\end\\: not an ARPA model, or a truncated one")
    return orders


def write_arpa(path, orders):
    """The reverse of read_arpa, uncompressed, n-grams sorted."""
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n\\data\\\n")
        for order, ngrams in enumerate(orders, 1):
            file.write(f"ngram {order}={len(ngrams)}\n")
        for order, ngrams in enumerate(orders, 1):
            file.write(f"\n\\{order}-grams:\n")
            for words, (probability, backoff) in sorted(ngrams.items()):
                tail = f"\t{backoff:.5f}" if order < len(orders) else ""
                file.write(f"{probability:.5f}\t{' '.join(words)}{tail}\n")
        file.write("\n\\end\\\n")

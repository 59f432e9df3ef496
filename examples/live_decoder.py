"""Bins in, words out, in Python: what live_decoder.c does.

usage: live_decoder.py LIBRARY MODEL.pt SESSION GRAPH < bins     LIBRARY: libbrainquant_c.so
"""

import ctypes as c
import sys


class Sentence(c.Structure):
    _fields_ = [("text", c.c_char_p), ("acoustic", c.c_double), ("ngram", c.c_double), ("total", c.c_double)]


def load(path):
    bq = c.CDLL(path)
    for name in ("bq_last_error", "bq_words_partial"):
        getattr(bq, name).restype = c.c_char_p
    for name in ("bq_model_features", "bq_model_classes", "bq_model_session_index", "bq_words_finish"):
        getattr(bq, name).restype = c.c_int64
    return bq


def main(library, model_path, session, graph_path):
    bq = load(library)

    def checked(status):
        if status < 0:
            sys.exit(f"live_decoder.py: {bq.bq_last_error().decode()}")
        return status

    model, decoder, graph, words, best = c.c_void_p(), c.c_void_p(), c.c_void_p(), c.c_void_p(), Sentence()
    checked(bq.bq_model_open(model_path.encode(), None, c.byref(model)))
    checked(bq.bq_graph_open(graph_path.encode(), None, c.byref(graph)))
    index = checked(bq.bq_model_session_index(model, session.encode()))
    checked(bq.bq_decoder_create(model, c.c_int64(index), c.byref(decoder)))
    checked(bq.bq_words_create(graph, None, c.c_int64(0), c.byref(words)))
    size = bq.bq_model_features(model) * c.sizeof(c.c_float)
    logits = (c.c_float * bq.bq_model_classes(model))()
    said = ""
    while len(piece := sys.stdin.buffer.read(size)) == size:
        bin_ = (c.c_float * (size // 4)).from_buffer_copy(piece)
        if checked(bq.bq_decoder_push(decoder, bin_, logits)) == 1:
            checked(bq.bq_words_push(words, logits))
        now = bq.bq_words_partial(words).decode()
        if now != said:
            print(said := now)
        checked(bq.bq_decoder_prepare(decoder))
    if bq.bq_words_finish(words) > 0:
        checked(bq.bq_words_sentence(words, c.c_int64(0), c.byref(best)))
        print("=", best.text.decode())
    for free, thing in ((bq.bq_words_free, words), (bq.bq_decoder_free, decoder), (bq.bq_graph_close, graph),
                        (bq.bq_model_close, model)):
        free(thing)


if __name__ == "__main__":
    main(*sys.argv[1:])

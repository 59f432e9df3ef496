"""usage: c_api_client.py LIBRARY MODEL SESSION BINS FEATURES LOGITS

Streams FEATURES (float32, [BINS, features]) through MODEL by ctypes, and decodes them again as a whole trial; writes LOGITS
(float32: the streamed steps, then the whole trial's).
"""

import ctypes as c
import sys

import numpy as np


class Options(c.Structure):
    _fields_ = [("size", c.c_size_t), ("engine", c.c_char_p), ("kernel", c.c_char_p), ("threads", c.c_int32)]


class Trial(c.Structure):
    _fields_ = [("features", c.c_void_p), ("bins", c.c_int64), ("session_index", c.c_int64), ("logits", c.c_void_p),
                ("step_capacity", c.c_int64), ("steps", c.c_int64)]


def main(library, path, session, bins, features_path, logits_path):
    bq = c.CDLL(library)
    bq.bq_last_error.restype = c.c_char_p
    bq.bq_model_step_seconds.restype = c.c_double
    for name in ("features", "classes", "session_index", "steps"):
        getattr(bq, "bq_model_" + name).restype = c.c_int64

    def checked(status):
        if status < 0:
            sys.exit(bq.bq_last_error().decode())
        return status

    model, decoder = c.c_void_p(), c.c_void_p()
    missing = bq.bq_model_open(b"/no/such/file", None, c.byref(model))
    assert missing == -3 and b"/no/such/file" in bq.bq_last_error() and not model
    options = Options(size=c.sizeof(Options), engine=b"native", threads=1)
    checked(bq.bq_model_open(path.encode(), c.byref(options), c.byref(model)))
    width, classes = bq.bq_model_features(model), bq.bq_model_classes(model)
    index = checked(bq.bq_model_session_index(model, session.encode()))
    x = np.fromfile(features_path, np.float32).reshape(int(bins), width)

    checked(bq.bq_decoder_create(model, c.c_int64(index), c.byref(decoder)))
    row, streamed = np.empty(classes, np.float32), []
    for t in range(len(x)):
        if checked(bq.bq_decoder_push(decoder, x[t].ctypes.data_as(c.c_void_p), row.ctypes.data_as(c.c_void_p))) == 1:
            streamed.append(row.copy())
    bq.bq_decoder_free(decoder)

    steps = bq.bq_model_steps(model, c.c_int64(len(x)), 0)
    whole = np.empty((steps, classes), np.float32)
    trial = Trial(x.ctypes.data, len(x), index, whole.ctypes.data, steps, 0)
    checked(bq.bq_decode_trials(model, c.byref(trial), c.c_int64(1), 0))
    assert trial.steps == steps
    bq.bq_model_close(model)
    np.concatenate([np.array(streamed), whole]).tofile(logits_path)


main(*sys.argv[1:])

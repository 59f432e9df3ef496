"""libbrainquant_c by ctypes, as much as the benchmark needs."""

import ctypes as c

import numpy as np


class Options(c.Structure):
    _fields_ = [("size", c.c_size_t), ("engine", c.c_char_p), ("kernel", c.c_char_p), ("threads", c.c_int32)]


class Trial(c.Structure):
    _fields_ = [("features", c.c_void_p), ("bins", c.c_int64), ("session_index", c.c_int64), ("logits", c.c_void_p),
                ("step_capacity", c.c_int64), ("steps", c.c_int64)]


class Library:
    def __init__(self, path):
        self.dll = c.CDLL(str(path))
        self.dll.bq_last_error.restype = c.c_char_p
        for name in ("bq_model_classes", "bq_model_steps"):
            getattr(self.dll, name).restype = c.c_int64
        self.dll.bq_model_instructions.restype = c.c_char_p
        self.dll.bq_decoder_push.argtypes = [c.c_void_p, c.c_void_p, c.c_void_p]
        self.dll.bq_decoder_prepare.argtypes = [c.c_void_p]

    def checked(self, status):
        if status < 0:
            raise RuntimeError(self.dll.bq_last_error().decode())
        return status


class Model:
    def __init__(self, library, path, threads):
        self.library, self.dll = library, library.dll
        self.handle = c.c_void_p()
        options = Options(size=c.sizeof(Options), threads=threads)
        library.checked(self.dll.bq_model_open(str(path).encode(), c.byref(options), c.byref(self.handle)))
        self.classes = self.dll.bq_model_classes(self.handle)

    def __del__(self):
        self.dll.bq_model_close(self.handle)

    def batch(self, trials):
        """Something decode() takes, with room for its logits; trials: (smoothed features, session's index)."""
        out, rows = [], []
        for features, session in trials:
            steps = self.dll.bq_model_steps(self.handle, c.c_int64(len(features)), 1)
            out.append(np.empty((steps, self.classes), np.float32))
            rows.append(Trial(features.ctypes.data, len(features), session, out[-1].ctypes.data, steps, 0))
        return (Trial * len(rows))(*rows), out

    def decode(self, batch):
        rows, out = batch
        self.library.checked(self.dll.bq_decode_trials(self.handle, rows, c.c_int64(len(rows)), 1))
        return out

    def decoder(self, session):
        handle = c.c_void_p()
        self.library.checked(self.dll.bq_decoder_create(self.handle, c.c_int64(session), c.byref(handle)))
        return handle

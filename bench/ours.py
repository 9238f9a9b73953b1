"""Our side: `nacre build --emit=shared --cpu=native` of the row's file, called through ctypes as any program would."""
import ctypes
import os
import subprocess
import time

import numpy as np

import arrays
import rows


class Nacre:
    note = ""

    def __init__(self, threads, build):
        self.threads, self.build = threads, build

    def folder(self, row):
        path = os.path.join(self.build, "bench", "ours", row.name)
        os.makedirs(path, exist_ok=True)
        return path

    def compile(self, row, fresh=True, product="shared"):
        """The library or program, and the seconds that it took: 0 where one of this run is taken as it is."""
        library = os.path.join(self.folder(row), "model.so" if product == "shared" else "model")
        if not fresh and os.path.exists(library):
            return library, 0.0
        settings = [f"--set={name}={value}" for name, value in row.settings.items()]
        if row.kind != "f32":
            settings.append(f"--real={row.kind}")
        command = [os.path.join(self.build, "bin", "nacre"), "build", row.source, f"--emit={product}", "--cpu=native", *settings,
                   "-o", library]
        start = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or [f"nacre build ended with {done.returncode}"])[0])
        return library, time.perf_counter() - start

    def open(self, path):
        self.library = ctypes.CDLL(path)   # also keeps it alive
        self.library.nacre_set_threads(self.threads)
        self.library.nacre_last_error.restype = ctypes.c_char_p
        return self.library

    def error(self):
        return RuntimeError(self.library.nacre_last_error().decode())

    def load(self, row, weights, answers, fresh=True):
        """A call, the function that fetches its results, and the seconds of the compiler. `weights` is
        empty for a row without any; `answers` say of which shape the results are."""
        path, seconds = self.compile(row, fresh)
        library, module = self.open(path), os.path.splitext(os.path.basename(row.source))[0]
        half = row.kind == "bf16"
        arguments = []
        if weights:
            load = getattr(library, f"{module}_net_load")
            load.restype, load.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
            net = load(weights.encode())
            if not net:
                raise self.error()
            arguments.append(ctypes.c_void_p(net))
        values = row.draw_inputs().values()
        if row.channels_last:
            values = [arrays.channels_last(v) for v in values]
            answers = [arrays.channels_last(a) for a in answers]
        sizes = [ctypes.c_int64(next(iter(values)).shape[0])] if row.open_batch else []
        size = getattr(library, f"{module}_{row.entry}_workspace")
        size.restype = ctypes.c_size_t
        given = [aligned(arrays.to_bf16(v) if half else v) for v in values]
        results = [aligned(np.zeros(a.shape, np.uint16 if half else np.float32)) for a in answers]
        workspace = aligned(np.zeros(size(*sizes), np.uint8))
        entry = getattr(library, f"{module}_{row.entry}")
        arguments += [*sizes, *map(pointer, given), *map(pointer, results), pointer(workspace)]

        def call():
            if entry(*arguments):
                raise self.error()

        def fetch():
            found = [arrays.from_bf16(r) if half else r for r in results]
            return [arrays.channels_first(r) for r in found] if row.channels_last else found

        self.keep = given, results, workspace
        return call, fetch, seconds

    def load_training(self, row, weights, fresh=True):
        """A step, a function that gives the first losses, and the seconds of the compiler. A step takes its batch out of sixteen."""
        path, seconds = self.compile(row, fresh)
        library, module = self.open(path), os.path.splitext(os.path.basename(row.source))[0]
        create, step = getattr(library, f"{module}_{row.block}_create"), getattr(library, f"{module}_{row.block}_step")
        create.restype, create.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
        loss = ctypes.c_double()

        def trainer(batches):
            data = os.path.join(self.folder(row), f"data{batches}")
            os.makedirs(data, exist_ok=True)
            x, target = row.draw_batch(batches)
            np.save(os.path.join(data, "x.npy"), arrays.channels_last(x) if row.channels_last else x)
            np.save(os.path.join(data, "label.npy" if row.target == () else "y.npy"), target)
            options = Options(0, 1, 1 << 30, 0, data.encode(), weights.encode(), None)
            made = create(ctypes.byref(options))
            if not made:
                raise self.error()
            return ctypes.c_void_p(made)

        def call(which):
            if step(which, ctypes.byref(loss)):
                raise self.error()
            return loss.value

        check, timed = trainer(1), trainer(16)
        losses = np.array([call(check) for _ in range(rows.STEPS)])
        return lambda: call(timed), lambda: [losses], seconds


class Options(ctypes.Structure):
    """nacre_trainer_options of nacre_train.h."""
    _fields_ = [("seed", ctypes.c_uint64), ("seeded", ctypes.c_int), ("epochs", ctypes.c_int64), ("steps", ctypes.c_int64),
                ("data", ctypes.c_char_p), ("weights", ctypes.c_char_p), ("resume", ctypes.c_char_p)]


def aligned(array):
    """A copy at a multiple of 64 bytes."""
    memory = np.empty(array.nbytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    copy = memory[start:start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def pointer(array):
    return ctypes.c_void_p(array.ctypes.data)

"""Our side: `nacre build --emit=shared --cpu=native` of the workload's file, called through ctypes as any program would."""
import ctypes
import os
import subprocess

import numpy as np

import training
import workloads


class Nacre:
    def __init__(self, threads, build):
        self.threads, self.build = threads, build

    def compile(self, workload):
        """(library, weights file)."""
        folder = os.path.join(self.build, "bench", workload.name)
        os.makedirs(folder, exist_ok=True)
        library, weights = os.path.join(folder, "model.so"), workload.weights
        nacre = os.path.join(self.build, "bin", "nacre")
        settings = [f"--set={name}={value}" for name, value in workload.settings.items()]
        subprocess.run([nacre, "build", workload.source, "--emit=shared", "--cpu=native", *settings, "-o", library], check=True,
                       stdout=2)
        if not isinstance(weights, str):
            weights = os.path.join(folder, "weights.safetensors")
            workloads.write_safetensors(weights, workload.draw_weights())
        return library, weights

    def load(self, workload):
        if isinstance(workload, training.Training):
            return training.load_ours(self, workload, workloads.write_safetensors)
        path, weights = self.compile(workload)
        library = ctypes.CDLL(path)
        module = os.path.splitext(os.path.basename(workload.source))[0]
        library.nacre_set_threads(self.threads)
        library.nacre_last_error.restype = ctypes.c_char_p
        arguments = []
        if workload.weights:
            load = getattr(library, f"{module}_net_load")
            load.restype, load.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
            net = load(weights.encode())
            if not net:
                raise RuntimeError(library.nacre_last_error().decode())
            arguments.append(ctypes.c_void_p(net))
        inputs = [v.reshape(workload.shapes.get(n, v.shape)) for n, v in workload.draw_inputs().items()]
        dynamic = [] if workload.settings else [ctypes.c_int64(inputs[0].shape[0])]
        size = getattr(library, f"{module}_{workload.entry}_workspace")
        size.restype = ctypes.c_size_t
        self.keep = [aligned(v) for v in inputs]
        result = aligned(np.zeros(workload.reference().shape, np.float32))
        workspace = aligned(np.zeros(size(*dynamic), np.uint8))
        entry = getattr(library, f"{module}_{workload.entry}")
        arguments += [*dynamic, *(pointer(v) for v in self.keep), pointer(result), pointer(workspace)]

        def call():
            if entry(*arguments):
                raise RuntimeError(library.nacre_last_error().decode())

        self.alive = library, workspace
        return call, lambda: result


def aligned(array):
    """A copy at a multiple of 64 bytes."""
    memory = np.empty(array.nbytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    copy = memory[start:start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def pointer(array):
    return ctypes.c_void_p(array.ctypes.data)

"""The other runtimes. Each loads a row and gives a call without arguments and a function that fetches its results, channels first
and f32; IREE, which is timed by its own native tool, gives an object with a method `sample` instead of the call.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np

import arrays
import prepare


COMMAND_SECONDS = 600   # of a tool of IREE


def quickest(candidates):
    """Of several ways to do the same, (name, load), the one whose best call is the shortest; those that fail are left out."""
    best, problem = None, None
    for name, load in candidates:
        try:
            call, results = load()
            times, end = [], time.perf_counter() + 0.15
            while len(times) < 2 or time.perf_counter() < end:
                start = time.perf_counter()
                call()
                times.append(time.perf_counter() - start)
        except Exception as failure:
            problem = failure
            continue
        if best is None or min(times[1:]) < best[0]:
            best = min(times[1:]), name, call, results
    if best is None:
        raise problem
    return best[1:]


class Peer:
    note = ""   # which of several ways was taken

    def __init__(self, threads, build):
        self.threads, self.build = threads, build

    def onnx_files(self, row):
        files = sorted(glob.glob(os.path.join(prepare.folder(self.build, row), "model[0-9][0-9].onnx")))
        if not files:
            raise RuntimeError(prepare.description(self.build, row)["onnx"] or "no ONNX file")
        return files


class OnnxRuntime(Peer):
    def load(self, row):
        if row.kind == "bf16":
            raise RuntimeError("has no bf16 kernels for the CPU")
        self.note, call, results = quickest([(os.path.basename(f), lambda f=f: self.open(row, f)) for f in self.onnx_files(row)])
        return call, results

    def open(self, row, file):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        binding = session.io_binding()   # inputs and outputs stay where they are: no copies in the call
        keep = list(row.draw_inputs().values())
        for declared, value in zip(session.get_inputs(), keep, strict=True):
            binding.bind_cpu_input(declared.name, value)
        results = []
        for declared, answer in zip(session.get_outputs(), prepare.expected(self.build, row), strict=True):
            results.append(onnxruntime.OrtValue.ortvalue_from_shape_and_type(answer.shape, np.float32))
            binding.bind_ortvalue_output(declared.name, results[-1])
        return lambda: session.run_with_iobinding(binding), lambda: [keep and r.numpy() for r in results]


class OpenVino(Peer):
    def load(self, row):
        self.note, call, results = quickest([(os.path.basename(f), lambda f=f: self.open(row, f)) for f in self.onnx_files(row)])
        return call, results

    def open(self, row, file):
        import openvino
        # Without the hint OpenVINO computes f32 models in bf16 where the processor has AMX.
        compiled = openvino.Core().compile_model(file, "CPU", {
            "INFERENCE_NUM_THREADS": self.threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": row.kind})
        request = compiled.create_infer_request()
        keep = [openvino.Tensor(v) for v in row.draw_inputs().values()]
        for i, tensor in enumerate(keep):
            request.set_input_tensor(i, tensor)

        def call():
            request.start_async()
            request.wait()

        return call, lambda: [np.array(request.get_output_tensor(i).data) for i in range(len(compiled.outputs))]


class Torch(Peer):
    """Eager, in inference mode; images channels last, which is what convolutions like."""
    compiled = False

    def load(self, row):
        import torch
        torch.set_num_threads(self.threads)
        torch.set_grad_enabled(False)
        module, values = prepare.network(row, prepare.weights(self.build, row)).requires_grad_(False), prepare.inputs(row)
        if row.kind == "bf16":
            module, values = module.bfloat16(), [v.bfloat16() for v in values]
        if any(v.dim() == 4 for v in values) and row.channels_last:
            module = module.to(memory_format=torch.channels_last)
            values = [v.contiguous(memory_format=torch.channels_last) for v in values]
        results = [None]
        run = self.wrap(module)

        def call():
            results[0] = run(*values)

        return call, lambda: [r.float().contiguous().numpy() for r in prepare.tuple_of(results[0])]

    def wrap(self, module):
        import torch

        def run(*values):
            with torch.inference_mode():
                return module(*values)

        return run


class TorchCompiled(Torch):
    """torch.compile with the weights frozen, that is folded and packed. Needs a C++ compiler ($CXX, else g++)."""

    def __init__(self, threads, build):
        super().__init__(threads, build)
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(build, "bench", "inductor"))

    def wrap(self, module):
        import torch
        import torch._inductor.config
        torch._dynamo.reset()
        torch._inductor.config.freezing = True
        return torch.compile(module)


class Iree(Peer):
    """From ONNX by iree-compile, with and without data tiling; the quicker one is kept."""
    FLAGS = {"plain": [], "tiled": ["--iree-dispatch-creation-data-tiling", "--iree-opt-data-tiling"]}

    def load(self, row):
        path = prepare.folder(self.build, row)
        suffix = "_bf16" if row.kind == "bf16" else ""
        source = os.path.join(path, f"model18{suffix}.onnx")
        if not os.path.exists(source):
            raise RuntimeError(prepare.description(self.build, row)["onnx"] or "no ONNX file")
        choice = os.path.join(path, "iree.json")
        if not os.path.exists(choice):
            kept = self.choose(row, path, source)
            with open(choice, "w") as f:
                json.dump(kept, f)
        with open(choice) as f:
            self.note, function = json.load(f)
        program = Program(self, row, path, os.path.join(path, "iree.vmfb"), function)
        return program, program.results

    def choose(self, row, path, source):
        """How it is compiled best, and the name of its function."""
        imported = os.path.join(path, "iree.mlir")
        quiet([sys.executable, "-m", "iree.compiler.tools.import_onnx", source, "-o", imported])
        with open(imported) as f:
            function = re.search(r"func\.func @([\w$.]+)", f.read(1 << 20)).group(1)
        best, problem = None, None
        for name, flags in self.FLAGS.items():
            module = os.path.join(path, f"iree-{name}.vmfb")
            try:
                quiet([compiler(), imported, "-o", module, "--iree-hal-target-device=local",
                       "--iree-hal-local-target-device-backends=llvm-cpu", "--iree-llvmcpu-target-cpu=host", "--iree-opt-level=O3",
                       *flags])
                seconds = min(Program(self, row, path, module, function).sample(0.2))
            except RuntimeError as failure:
                problem = failure
                continue
            if best is None or seconds < best[0]:
                best = seconds, name
        os.remove(imported)   # as large as the weights, twice
        if best is None:
            raise problem
        for name in self.FLAGS:
            module = os.path.join(path, f"iree-{name}.vmfb")
            if name == best[1]:
                shutil.move(module, os.path.join(path, "iree.vmfb"))
            elif os.path.exists(module):
                os.remove(module)
        return best[1], function


class Program:
    """One compiled module and the arguments that its tools take."""
    UNITS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}

    def __init__(self, peer, row, path, module, function):
        device = ["--device=local-sync"] if peer.threads == 1 else ["--device=local-task",
                                                                    f"--task_topology_group_count={peer.threads}"]
        self.peer, self.row = peer, row
        self.arguments = [f"--module={module}", f"--function={function}", *device]
        for name, value in row.draw_inputs().items():
            file = os.path.join(path, f"iree-{name}")
            if row.kind == "bf16":
                arrays.to_bf16(value).tofile(f"{file}.bin")
                self.arguments.append("--input=" + "x".join(map(str, value.shape)) + f"xbf16=@{file}.bin")
            else:
                np.save(f"{file}.npy", value)
                self.arguments.append(f"--input=@{file}.npy")

    def __call__(self):
        pass

    def sample(self, seconds):
        """Milliseconds: each is the mean of one repetition."""
        text = quiet([tool("iree-benchmark-module"), *self.arguments, f"--benchmark_min_time={seconds / 3}s",
                      "--benchmark_repetitions=3", "--benchmark_format=json"])
        found = json.loads(text[text.index("{"):])["benchmarks"]
        return [b["real_time"] * self.UNITS[b["time_unit"]] for b in found if b["run_type"] == "iteration"]

    def results(self):
        answers = prepare.expected(self.peer.build, self.row)
        with tempfile.TemporaryDirectory() as scratch:
            kind = "bin" if self.row.kind == "bf16" else "npy"
            files = [os.path.join(scratch, f"{i}.{kind}") for i in range(len(answers))]
            quiet([tool("iree-run-module"), *self.arguments, *(f"--output=@{f}" for f in files)])
            if kind == "npy":
                return [np.load(f) for f in files]
            return [arrays.from_bf16(np.fromfile(f, np.uint16)).reshape(a.shape) for f, a in zip(files, answers)]


def tool(name):
    """The native tool; the script of that name starts a Python first."""
    import iree._runtime_libs
    return os.path.join(next(iter(iree._runtime_libs.__path__)), name)


def compiler():
    import iree.compiler._mlir_libs
    return os.path.join(next(iter(iree.compiler._mlir_libs.__path__)), "iree-compile")


def quiet(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{os.path.basename(command[0])}: no end within {COMMAND_SECONDS} seconds") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise RuntimeError(f"{os.path.basename(command[0])}: {lines[0] if lines else done.returncode}"[:300])
    return done.stdout


PEERS = {"onnxruntime": OnnxRuntime, "openvino": OpenVino, "torch": Torch, "torch_compile": TorchCompiled, "iree": Iree}

"""The other runtimes. Each loads a workload and gives a call without arguments and a function that fetches its result."""
import os

import numpy as np


def onnx_model(workload):
    """The workload as ONNX, static shapes, weights inside."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    weights = workload.draw_weights()
    nodes, used, names = [], {}, list(workload.inputs)
    current = names[0]

    def add(op, extra=(), **attributes):
        nonlocal current
        following = f"v{len(nodes)}"
        nodes.append(helper.make_node(op, [current, *extra], [following], **attributes))
        current = following

    def weight(name, value=None):
        used[name] = weights[name] if value is None else value
        return name

    for kind, *a in workload.steps:
        if kind == "scale":
            add("Mul", [weight("factor", np.array(a[0], np.float32))])
        elif kind == "flatten":
            add("Flatten", axis=1)
        elif kind == "relu":
            add("Relu")
        elif kind == "pool":
            add("MaxPool", kernel_shape=[a[0]] * 2, strides=[a[0]] * 2)
        elif kind == "linear":
            add("Gemm", [weight(f"{a[0]}.weight"), weight(f"{a[0]}.bias")], transB=1)
        elif kind == "matmul":
            add("MatMul", [weight(a[0])])
        elif kind == "product":
            add("MatMul", [names[1]])
        elif kind == "conv":
            add("Conv", [weight(f"{a[0]}.weight"), weight(f"{a[0]}.bias")], pads=[a[1]] * 4)
        elif kind == "norm":
            add("BatchNormalization", [weight(f"{a[0]}.{part}") for part in ("weight", "bias", "running_mean", "running_var")], epsilon=1e-5)
    graph = helper.make_graph(
        nodes, workload.name, [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in workload.inputs.items()],
        [helper.make_tensor_value_info(current, TensorProto.FLOAT, workload.reference().shape)], [numpy_helper.from_array(v, n) for n, v in used.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model.SerializeToString()


class OnnxRuntime:
    def __init__(self, threads):
        self.threads = threads

    def load(self, workload):
        import onnxruntime as ort
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        session = ort.InferenceSession(onnx_model(workload), options, providers=["CPUExecutionProvider"])
        self.keep = workload.draw_inputs()
        binding = session.io_binding()   # inputs and outputs stay where they are: no copies in the call
        for name, value in self.keep.items():
            binding.bind_cpu_input(name, value)
        output = session.get_outputs()[0].name
        result = ort.OrtValue.ortvalue_from_shape_and_type(workload.reference().shape, np.float32)
        binding.bind_ortvalue_output(output, result)
        return lambda: session.run_with_iobinding(binding), result.numpy


class OpenVino:
    def __init__(self, threads):
        self.threads = threads

    def load(self, workload):
        import io
        import openvino
        core = openvino.Core()
        model = core.read_model(io.BytesIO(onnx_model(workload)))
        # Without the hint OpenVINO computes f32 models in bf16 where the processor has AMX.
        compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": self.threads, "NUM_STREAMS": 1,
                                                     "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
        request = compiled.create_infer_request()
        self.keep = [openvino.Tensor(v) for v in workload.draw_inputs().values()]
        for i, tensor in enumerate(self.keep):
            request.set_input_tensor(i, tensor)

        def call():
            request.start_async()
            request.wait()

        return call, lambda: request.get_output_tensor(0).data


class Torch:
    """Eager PyTorch, in inference mode; images channels-last where that is what convolutions like."""

    def __init__(self, threads):
        import torch
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)

    def load(self, workload):
        import torch
        import torch.nn.functional as F
        w = {name: torch.from_numpy(value) for name, value in workload.draw_weights().items()}
        inputs = [torch.from_numpy(v) for v in workload.draw_inputs().values()]
        steps, result = [], [None]
        for kind, *a in workload.steps:
            if kind == "scale":
                steps.append(lambda x, f=a[0]: x * f)
            elif kind == "flatten":
                steps.append(lambda x: x.flatten(1))
            elif kind == "relu":
                steps.append(F.relu)
            elif kind == "pool":
                steps.append(lambda x, k=a[0]: F.max_pool2d(x, k))
            elif kind == "linear":
                steps.append(lambda x, p=w[f"{a[0]}.weight"], q=w[f"{a[0]}.bias"]: F.linear(x, p, q))
            elif kind == "matmul":
                steps.append(lambda x, p=w[a[0]]: x @ p)
            elif kind == "product":
                steps.append(lambda x: x @ inputs[1])
            elif kind == "conv":
                p = w[f"{a[0]}.weight"].to(memory_format=torch.channels_last)
                steps.append(lambda x, p=p, q=w[f"{a[0]}.bias"], pad=a[1]: F.conv2d(x, p, q, padding=pad))
            elif kind == "norm":
                p = [w[f"{a[0]}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
                steps.append(lambda x, p=p: F.batch_norm(x, *p))

        def call():
            x = inputs[0]
            for step in steps:
                x = step(x)
            result[0] = x

        return call, lambda: result[0].numpy()


PEERS = {"onnxruntime": OnnxRuntime, "openvino": OpenVino, "torch": Torch}

"""What is measured: each row is a network of networks.py, its inputs, and the file, entry and settings by which ours is the same.

Nothing here needs PyTorch; weights and inputs are drawn by name (arrays.py), so that every contender has the same.
"""
import dataclasses
import os

import arrays

HERE = os.path.dirname(os.path.abspath(__file__))
DIGITS = os.path.join(os.path.dirname(HERE), "examples", "02_digits")


@dataclasses.dataclass
class Row:
    name: str
    network: str                    # a class of networks.py
    arguments: dict                 # of its constructor
    inputs: dict                    # name -> shape, as the network takes them
    source: str                     # our file
    settings: dict = dataclasses.field(default_factory=dict)   # its --set
    entry: str = "forward"
    operations: int = 0             # multiplications and additions of its products; 0: PyTorch counts them
    channels_last: bool = False     # ours has the channels last wherever a tensor has more than two axes
    kind: str = "f32"               # or bf16
    weights: str = ""               # a file of trained weights; otherwise drawn
    open_batch: bool = False        # our entry serves any number of samples
    tolerance: float = 1e-4         # max |y - reference| / max |reference|, the reference in f64
    scale: float = 1.0              # inputs lie in [-scale, scale)

    training = False

    def draw_inputs(self):
        return {name: arrays.uniform(f"input.{name}", shape, -self.scale, self.scale) for name, shape in self.inputs.items()}


@dataclasses.dataclass
class Training:
    """One step, always of the same batch: forward, loss, backward, update."""
    name: str
    network: str
    arguments: dict
    sample: tuple                   # shape of one, as the network takes it
    target: tuple                   # of one: () is a label below 10 with cross-entropy, else mean squared error
    batch: int
    source: str
    block: str                      # the train block of our file
    optimizer: str                  # sgd, momentum or adam
    rate: float
    settings: dict = dataclasses.field(default_factory=dict)
    channels_last: bool = False
    tolerance: float = 1e-3         # of the losses of the first STEPS steps
    kind: str = "f32"

    training = True

    def draw_batch(self, batches=1):
        count = self.batch * batches
        x = arrays.uniform("input.x", (count, *self.sample))
        if self.target == ():
            return x, (arrays.uniform("target", (count,), 0, 10)).astype("int32")
        return x, arrays.uniform("target", (count, *self.target))


STEPS = 3


def model(name):
    return os.path.join(HERE, "models", f"{name}.nacre")


def transformer_operations(depth, length, width, past=0):
    """Four products of width², two of 4 width², and two of attention, for every token."""
    return depth * (2 * length * 12 * width * width + 4 * length * (past + length) * width)


def inference():
    for b in 1, 64:
        image = dict(inputs={"image": (b, 1, 8, 8)}, entry="logits", channels_last=True, open_batch=True, scale=16.0)
        yield Row(f"digits_mlp_b{b}", "DigitsMlp", {}, source=os.path.join(DIGITS, "mlp.nacre"),
                  weights=os.path.join(DIGITS, "mlp.safetensors"), **image)
        yield Row(f"digits_lenet_b{b}", "DigitsLenet", {}, source=os.path.join(DIGITS, "lenet.nacre"),
                  weights=os.path.join(DIGITS, "lenet.safetensors"), **image)
    for b in 1, 64:
        yield Row(f"mlp_b{b}", "Mlp", {}, {"x": (b, 784)}, model("mlp"), {"batch": b})
        yield Row(f"lenet_b{b}", "Lenet", {}, {"x": (b, 1, 28, 28)}, model("lenet"), {"batch": b}, channels_last=True)
    for b in 1, 16:
        yield Row(f"lstm_b{b}", "Lstm", {}, {"x": (b, 64, 128)}, model("lstm"), {"batch": b},
                  operations=2 * b * 64 * 4 * 256 * (128 + 256))
    yield Row("encoder_layer", "Encoder", {"depth": 1, "width": 512, "heads": 8}, {"x": (1, 128, 512)}, model("encoder"),
              operations=transformer_operations(1, 128, 512))
    bert = {"depth": 12, "width": 768, "heads": 12}
    yield Row("bert_base", "Encoder", bert, {"x": (1, 128, 768)}, model("encoder"), bert,
              operations=transformer_operations(12, 128, 768))
    cache = (12, 1, 12, 256, 64)
    yield Row("gpt_step", "Decoder", bert, {"x": (1, 1, 768), "keys": cache, "values": cache}, model("gpt_step"),
              operations=transformer_operations(12, 1, 768, 256))
    image = dict(channels_last=True, tolerance=1e-3)
    yield Row("resnet50", "ResNet", {"blocks": (3, 4, 6, 3), "bottleneck": True}, {"x": (1, 3, 224, 224)}, model("resnet50"),
              {"batch": 1}, **image)
    yield Row("unet", "UNet", {"base": 32, "classes": 2}, {"x": (1, 3, 256, 256)}, model("unet"), **image)
    yield Row("yolo_tiny", "YoloTiny", {"outputs": 255}, {"x": (1, 3, 416, 416)}, model("yolo_tiny"), **image)
    yield Row("wavenet", "WaveNet", {"depth": 30, "channels": 64}, {"x": (1, 1, 16000)}, model("wavenet"), **image)
    for m, k, n in (512, 512, 512), (1024, 1024, 1024), (128, 768, 768), (128, 768, 3072), (128, 3072, 768), (1, 1024, 4096):
        size = {"rows": m, "inner": k, "columns": n}
        yield Row(f"product_{m}x{k}x{n}", "Product", {}, {"a": (m, k), "b": (k, n)}, model("products"), size, "product",
                  operations=2 * m * k * n)
        yield Row(f"weighted_{m}x{k}x{n}", "Weighted", {"inner": k, "columns": n}, {"x": (m, k)}, model("products"), size,
                  "weighted", operations=2 * m * k * n)
    for length in 512, 2048:
        for causal in False, True:
            pairs = length * (length + 1) // 2 if causal else length * length
            yield Row(f"attention_{length}" + ("_causal" if causal else ""), "Attention", {"causal": causal},
                      {name: (1, 12, length, 64) for name in "qkv"}, model("attention"), {"length": length},
                      "causal" if causal else "full", operations=4 * 12 * 64 * pairs)
    for name, size, inputs, outputs, kernel, groups in (
            ("conv3x3_56_64", 56, 64, 64, 3, 1), ("conv3x3_14_256", 14, 256, 256, 3, 1),
            ("conv1x1_56_64_256", 56, 64, 256, 1, 1), ("depthwise3x3_112_64", 112, 64, 64, 3, 64)):
        shape = {"inputs": inputs, "outputs": outputs, "kernel": kernel, "groups": groups}
        yield Row(name, "ConvRelu", shape, {"x": (1, inputs, size, size)}, model("convolution"), {"size": size, **shape},
                  channels_last=True, operations=2 * size * size * outputs * kernel * kernel * inputs // groups)
    size = {"rows": 1024, "inner": 1024, "columns": 1024}
    half = dict(kind="bf16", tolerance=2e-2, operations=2 * 1024**3)
    yield Row("product_1024x1024x1024_bf16", "Product", {}, {"a": (1024, 1024), "b": (1024, 1024)}, model("products_bf16"), size,
              "product", **half)
    yield Row("weighted_1024x1024x1024_bf16", "Weighted", {"inner": 1024, "columns": 1024}, {"x": (1024, 1024)},
              model("products_bf16"), size, "weighted", **half)
    yield Row("bert_base_bf16", "Encoder", bert, {"x": (1, 128, 768)}, model("encoder_bf16"), bert, kind="bf16", tolerance=6e-2,
              operations=transformer_operations(12, 128, 768))


def steps():
    for optimizer, rate in ("sgd", 1e-2), ("adam", 1e-4):
        yield Training(f"train_mlp_{optimizer}", "Mlp", {}, (784,), (), 64, model("mlp_train"), optimizer, optimizer, rate)
        yield Training(f"train_lenet_{optimizer}", "Lenet", {}, (1, 28, 28), (), 64, model("lenet_train"), optimizer, optimizer,
                       rate, channels_last=True)
    yield Training("train_lstm_adam", "Lstm", {}, (64, 128), (64, 256), 16, model("lstm_train"), "adam", "adam", 1e-4)
    yield Training("train_encoder_adam", "Encoder", {"depth": 1, "width": 512, "heads": 8}, (128, 512), (128, 512), 8,
                   model("encoder_train"), "adam", "adam", 1e-4)
    yield Training("train_resnet18_momentum", "ResNet", {"blocks": (2, 2, 2, 2), "classes": 10, "small": True}, (3, 32, 32), (), 32,
                   model("resnet_train"), "momentum", "momentum", 1e-3, channels_last=True)


ROWS = {row.name: row for row in [*inference(), *steps()]}

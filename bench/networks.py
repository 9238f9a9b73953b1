"""The networks that are measured, each a plain PyTorch module whose weights have the paths and shapes of our file in `models/`.
This is the one statement of them beside ours: exported to ONNX for the runtimes, run as it is by PyTorch, in f64 the reference.
Images are [n, c, h, w], sounds [n, c, t].
"""
import math

import torch
from torch import nn
from torch.nn import functional as F


class Product(nn.Module):
    def forward(self, a, b):
        return a @ b


class Weighted(nn.Module):
    """A product whose right operand is a weight, which may be packed when it is loaded."""

    def __init__(self, inner, columns):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inner, columns))

    def forward(self, x):
        return x @ self.weight


class Attention(nn.Module):
    def __init__(self, causal):
        super().__init__()
        self.causal = causal

    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)


class ConvRelu(nn.Module):
    def __init__(self, inputs, outputs, kernel, groups=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups)

    def forward(self, x):
        return F.relu(self.conv(x))


class DigitsMlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(64, 128), nn.Linear(128, 64), nn.Linear(64, 10)

    def forward(self, image):
        x = (image / 16).flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class DigitsLenet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.conv2, self.bn2 = nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32)
        self.fc1, self.fc2 = nn.Linear(128, 64), nn.Linear(64, 10)

    def forward(self, image):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(image / 16))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2).flatten(1)
        return self.fc2(F.relu(self.fc1(x)))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(784, 512), nn.Linear(512, 256), nn.Linear(256, 10)

    def forward(self, x):
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class Lenet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(128, 256, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0]


def heads_of(x, heads):
    """[b, s, 3 d] to queries, keys and values [b, heads, s, d // heads]."""
    b, s, d = x.shape
    return x.view(b, s, 3, heads, d // 3 // heads).permute(2, 0, 3, 1, 4).unbind(0)


class EncoderLayer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj, self.ln1 = nn.Linear(width, 3 * width), nn.Linear(width, width), nn.LayerNorm(width)
        self.fc1, self.fc2, self.ln2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width), nn.LayerNorm(width)

    def forward(self, x):
        a = F.scaled_dot_product_attention(*heads_of(self.qkv(x), self.heads)).transpose(1, 2).reshape(x.shape)
        x = self.ln1(x + self.proj(a))
        return self.ln2(x + self.fc2(F.gelu(self.fc1(x))))


class Encoder(nn.Module):
    def __init__(self, depth, width, heads):
        super().__init__()
        self.layers = nn.Sequential(*(EncoderLayer(width, heads) for _ in range(depth)))

    def forward(self, x):
        return self.layers(x)


class DecoderBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln1, self.qkv, self.proj = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.ln2, self.fc1, self.fc2 = nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, keys, values):
        q, k, v = heads_of(self.qkv(self.ln1(x)), self.heads)
        a = F.scaled_dot_product_attention(q, torch.cat([keys, k], 2), torch.cat([values, v], 2))
        x = x + self.proj(a.transpose(1, 2).reshape(x.shape))
        return x + self.fc2(F.gelu(self.fc1(self.ln2(x)), approximate="tanh")), k, v


class Decoder(nn.Module):
    """One step with cached keys and values [depth, b, heads, past, width // heads]."""

    def __init__(self, depth, width, heads):
        super().__init__()
        self.blocks = nn.ModuleList(DecoderBlock(width, heads) for _ in range(depth))
        self.ln = nn.LayerNorm(width)

    def forward(self, x, keys, values):
        gained = []
        for i, block in enumerate(self.blocks):
            x, *new = block(x, keys[i], values[i])
            gained.append(new)
        return self.ln(x), torch.stack([k for k, _ in gained]), torch.stack([v for _, v in gained])


def conv3(inputs, outputs, stride=1):
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)


class BasicBlock(nn.Module):
    growth = 1

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.bn1 = conv3(inputs, outputs, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = conv3(outputs, outputs), nn.BatchNorm2d(outputs)
        self.downsample = shortcut(inputs, outputs, stride)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class Bottleneck(nn.Module):
    growth = 4

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = conv3(outputs, outputs, stride), nn.BatchNorm2d(outputs)
        self.conv3, self.bn3 = nn.Conv2d(outputs, 4 * outputs, 1, bias=False), nn.BatchNorm2d(4 * outputs)
        self.downsample = shortcut(inputs, 4 * outputs, stride)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


def shortcut(inputs, outputs, stride):
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class ResNet(nn.Module):
    def __init__(self, blocks, bottleneck=False, classes=1000, small=False):
        super().__init__()
        self.small = small
        self.conv1 = conv3(3, 64) if small else nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        block, inputs = Bottleneck if bottleneck else BasicBlock, 64
        for stage, count in enumerate(blocks):
            layers = []
            for i in range(count):
                layers.append(block(inputs, 64 << stage, 2 if stage > 0 and i == 0 else 1))
                inputs = (64 << stage) * block.growth
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        if not self.small:
            x = F.max_pool2d(x, 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


class Double(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1, self.bn1 = conv3(inputs, outputs), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = conv3(outputs, outputs), nn.BatchNorm2d(outputs)

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


class Up(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.up, self.conv = nn.ConvTranspose2d(2 * outputs, outputs, 2, 2), Double(2 * outputs, outputs)

    def forward(self, x, skip):
        return self.conv(torch.cat([skip, self.up(x)], 1))


class UNet(nn.Module):
    def __init__(self, base, classes):
        super().__init__()
        self.enc0, self.enc1 = Double(3, base), Double(base, 2 * base)
        self.enc2, self.enc3 = Double(2 * base, 4 * base), Double(4 * base, 8 * base)
        self.mid = Double(8 * base, 16 * base)
        self.up0, self.up1, self.up2, self.up3 = Up(8 * base), Up(4 * base), Up(2 * base), Up(base)
        self.head = nn.Conv2d(base, classes, 1)

    def forward(self, x):
        a = self.enc0(x)
        b = self.enc1(F.max_pool2d(a, 2))
        c = self.enc2(F.max_pool2d(b, 2))
        d = self.enc3(F.max_pool2d(c, 2))
        x = self.mid(F.max_pool2d(d, 2))
        return self.head(self.up3(self.up2(self.up1(self.up0(x, d), c), b), a))


class Cbl(nn.Module):
    def __init__(self, inputs, outputs, kernel):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs)

    def forward(self, x):
        return F.leaky_relu(self.bn(self.conv(x)), 0.1)


class YoloTiny(nn.Module):
    """YOLOv3-tiny without the decoding of boxes."""

    def __init__(self, outputs):
        super().__init__()
        self.s0, self.s1, self.s2 = Cbl(3, 16, 3), Cbl(16, 32, 3), Cbl(32, 64, 3)
        self.s3, self.s4 = Cbl(64, 128, 3), Cbl(128, 256, 3)
        self.c6, self.c7, self.c8, self.c9 = Cbl(256, 512, 3), Cbl(512, 1024, 3), Cbl(1024, 256, 1), Cbl(256, 512, 3)
        self.c10, self.c11 = Cbl(256, 128, 1), Cbl(384, 256, 3)
        self.head1, self.head2 = nn.Conv2d(512, outputs, 1), nn.Conv2d(256, outputs, 1)

    def forward(self, x):
        for stage in (self.s0, self.s1, self.s2, self.s3):
            x = F.max_pool2d(stage(x), 2)
        route = self.s4(x)
        wide = self.c6(F.max_pool2d(route, 2))
        y = self.c8(self.c7(F.max_pool2d(F.pad(wide, (0, 1, 0, 1)), 2, 1)))
        both = torch.cat([F.interpolate(self.c10(y), scale_factor=2.0, mode="nearest"), route], 1)
        return self.head1(self.c9(y)), self.head2(self.c11(both))


class WaveNetLayer(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.dilation = dilation
        self.gate = nn.Conv1d(channels, 2 * channels, 2, dilation=dilation)
        self.mix = nn.Conv1d(channels, 2 * channels, 1)

    def forward(self, x, skip):
        a, b = self.gate(F.pad(x, (self.dilation, 0))).chunk(2, 1)
        r, s = self.mix(torch.tanh(a) * torch.sigmoid(b)).chunk(2, 1)
        return (x + r) * math.sqrt(0.5), s if skip is None else skip + s


class WaveNet(nn.Module):
    def __init__(self, depth, channels):
        super().__init__()
        self.front = nn.Conv1d(1, channels, 2)
        self.layer = nn.ModuleList(WaveNetLayer(channels, 2 ** (i % 10)) for i in range(depth))
        self.out1, self.out2 = nn.Conv1d(channels, channels, 1), nn.Conv1d(channels, 256, 1)

    def forward(self, x):
        x, skip = self.front(F.pad(x, (1, 0))), None
        for layer in self.layer:
            x, skip = layer(x, skip)
        return self.out2(F.relu(self.out1(F.relu(skip))))

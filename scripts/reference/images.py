"""Layers of images and residual networks, channels last."""

import numpy as np
import torch
from torch.nn import functional as F

from .store import single

WIDE_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}


def channels_first(function, x, *arguments, **options):
    """`function` of `[batch, channels, height, width]` for an x `[batch, height, width, channels]`."""
    return function(x.permute(0, 3, 1, 2), *arguments, **options).permute(0, 2, 3, 1)


def convolution(x, weight, stride=1):
    """3x3 or 1x1 with padding of half a kernel; weight `[kernel, kernel, in, out]`."""
    padding = weight.shape[0] // 2
    return channels_first(F.conv2d, x, weight.permute(3, 2, 0, 1).contiguous(), stride=stride, padding=padding)


def batch_norm(x, scale, shift, mean, variance, training=True):
    """Changes the running `mean` and `variance` in training."""
    return channels_first(F.batch_norm, x, mean, variance, scale, shift, training=training, momentum=0.1, eps=1e-5)


class ResNet:
    """The residual network of He et al. (2016, arXiv 1512.03385) in its form for small images, of plain functions.

    Shapes and parameters by name are those of the Swift model; `shapes` lists them in the order of the forward pass.
    """

    def __init__(self, depth, width, classes, channels=3, shortcut="projection"):
        self.blocks = WIDE_BLOCKS.get(depth) or ((depth - 2) // 6,) * 3
        self.shortcut, self.shapes, self.statistics = shortcut, {}, {}
        self._norm_convolution("stem/convolution", "stem/norm", 3, channels, width)
        inputs = width
        self.layout = []
        for stage, count in enumerate(self.blocks):
            middle = width << stage
            outputs = 4 * middle if depth == 50 else middle
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                path = f"stages/{stage}/{index}"
                sizes = ([(1, inputs, middle, 1), (3, middle, middle, stride), (1, middle, outputs, 1)]
                         if depth == 50 else [(3, inputs, middle, stride), (3, middle, outputs, 1)])
                projects = shortcut == "projection" and (stride > 1 or inputs != outputs)
                for number, (kernel, source, target, _) in enumerate(sizes, 1):
                    self._norm_convolution(f"{path}/convolution{number}", f"{path}/norm{number}", kernel, source, target)
                    if number == 1 and projects:
                        self._norm_convolution(f"{path}/shortcut/convolution", f"{path}/shortcut/norm", 1, inputs, outputs)
                self.layout.append((path, [size[3] for size in sizes], projects, stride, outputs))
                inputs = outputs
        self.shapes |= {"head/weight": (inputs, classes), "head/bias": (classes,)}

    def _norm_convolution(self, convolution, norm, kernel, inputs, outputs):
        self.shapes |= {f"{convolution}/weight": (kernel, kernel, inputs, outputs),
                        f"{norm}/scale": (outputs,), f"{norm}/shift": (outputs,)}
        self.statistics |= {f"{norm}/mean": torch.zeros(outputs, dtype=torch.float64),
                            f"{norm}/variance": torch.ones(outputs, dtype=torch.float64)}

    def formula_parameters(self):
        """Starts that need not be stored: `formula_numbers`, weights with the deviation sqrt(2 / (kernel^2 out))."""
        parameters = {}
        for index, (name, shape) in enumerate(self.shapes.items()):
            if len(shape) == 4:
                offset, bound = 0.0, (6 / (shape[0] * shape[1] * shape[3])) ** 0.5
            elif name == "head/weight":
                offset, bound = 0.0, (1 / shape[0]) ** 0.5
            else:
                offset, bound = (1.0 if name.endswith("scale") else 0.0), 0.1
            parameters[name] = formula_numbers(index, shape, bound, offset)
        return parameters

    def __call__(self, parameters, x, training=True):
        def norm(path, values):
            return batch_norm(values, parameters[f"{path}/scale"], parameters[f"{path}/shift"],
                              self.statistics[f"{path}/mean"], self.statistics[f"{path}/variance"], training)

        values = norm("stem/norm", convolution(x, parameters["stem/convolution/weight"])).relu()
        for path, strides, projects, stride, outputs in self.layout:
            branch = values
            for number, step in enumerate(strides, 1):
                branch = convolution(branch, parameters[f"{path}/convolution{number}/weight"], step)
                branch = norm(f"{path}/norm{number}", branch)
                if number < len(strides):
                    branch = branch.relu()
            if projects:
                shortcut = convolution(values, parameters[f"{path}/shortcut/convolution/weight"], stride)
                shortcut = norm(f"{path}/shortcut/norm", shortcut)
            else:
                shortcut = F.pad(values[:, ::stride, ::stride], (0, outputs - values.shape[3]))
            values = (shortcut + branch).relu()
        return values.mean(dim=(1, 2)) @ parameters["head/weight"] + parameters["head/bias"]


def formula_words(stream, count):
    """32-bit words that are a pure function of stream and position (a finalizer of a multiplicative hash)."""
    x = np.arange(count, dtype=np.uint32) + np.uint32(stream * 0x9E3779B9 & 0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return x ^ (x >> np.uint32(16))


def formula_numbers(stream, shape, bound, offset=0.0):
    """Uniform in offset ± bound, rounded to single precision."""
    words = formula_words(stream, int(np.prod(shape)))
    return single(offset + bound * ((words >> np.uint32(8)) / 2.0 ** 23 - 1)).reshape(shape)


def formula_labels(stream, count, classes):
    return torch.from_numpy((formula_words(stream, count) >> np.uint32(8)).astype(np.int64) % classes)

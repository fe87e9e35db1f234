"""Writing reference values: one HDF5 file a subject, one group a case."""

import zlib
from pathlib import Path

import h5py
import numpy as np
import torch


class Draws:
    """Random inputs of one case, the same in every run.

    Every value is exact in single precision, so that a single-precision test starts from the very numbers
    the double-precision reference started from.
    """

    def __init__(self, name):
        self.generator = np.random.default_rng(zlib.crc32(name.encode()))

    def normal(self, *shape, scale=1.0):
        return single(scale * self.generator.standard_normal(shape))

    def directions(self, *shape):
        """Unit vectors along the last axis, of length 1 to single precision."""
        e = self.generator.standard_normal(shape)
        return single(e / np.linalg.norm(e, axis=-1, keepdims=True))


def single(values):
    """A double-precision tensor of the values, each rounded to the nearest single-precision number."""
    return torch.from_numpy(np.asarray(values, dtype=np.float32).astype(np.float64))


class FixtureFile:
    """An HDF5 file of cases; sizes and options are attributes of a case's group, arrays are its data sets."""

    def __init__(self, path: Path):
        self.file = h5py.File(path, "w", libver="earliest")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def add(self, case, arrays, **attributes):
        """Arrays may be nested dictionaries, which become groups, and names may be paths."""
        group = self.file.require_group(case)
        for name, value in attributes.items():
            kind = np.int64 if isinstance(value, (bool, int)) else np.float64
            group.attrs[name] = kind(value)
        for name, value in arrays.items():
            if isinstance(value, dict):
                self.add(f"{case}/{name}", value)
            else:
                array = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
                group.create_dataset(name, data=np.ascontiguousarray(array), track_times=False)


def differentiated(draws, function, variables):
    """The output of `function(**variables)`, a random gradient for it, and the gradients of the variables.

    Returns `variables`, `output`, `outputGradient`, and `<variable>Gradient` for each variable.
    """
    leaves = {name: value.clone().requires_grad_() for name, value in variables.items()}
    output = function(**leaves)
    upstream = draws.normal(*output.shape)
    output.backward(upstream)
    gradients = {f"{name}Gradient": leaf.grad for name, leaf in leaves.items()}
    return {**variables, "output": output, "outputGradient": upstream, **gradients}

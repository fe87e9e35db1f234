#!/usr/bin/env python3
"""Verifies the reference values of make-fixtures.py with plain NumPy loops and central differences.

    check-fixtures.py [FOLDER]       (default: Tests/KitiCoreTests/Fixtures of this repository)

Needs numpy and h5py from PyPI. Nothing here is shared with the maker: a transform is a sum of cosines and sines, a
collision a loop over pairs, a gradient a difference quotient. Exit status 1 names the first disagreement.
"""

import math
import sys
from pathlib import Path

import h5py
import numpy as np


def agree(what, ours, theirs, tolerance=1e-12):
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    if ours.shape != theirs.shape:
        sys.exit(f"{what}: shape {theirs.shape}, expected {ours.shape}")
    error = np.abs(ours - theirs).max() / max(1.0, np.abs(ours).max())
    if not error <= tolerance:
        sys.exit(f"{what}: off by {error:.2e}, allowed {tolerance:.0e}")


def check_gradients(what, case, function, names, tolerance=1e-7):
    """The stored gradients along random directions, against central differences of `function(**variables)`."""
    generator = np.random.default_rng(1)
    variables = {name: case[name][()] for name in names}
    agree(f"{what}/output", function(**variables), case["output"])
    upstream = case["outputGradient"][()]
    for name in names:
        stored = case[f"{name}Gradient"][()]
        if stored.shape != variables[name].shape:
            sys.exit(f"{what}/{name}Gradient: shape {stored.shape}")
        for _ in range(4):
            direction = generator.standard_normal(stored.shape)
            ends = [np.sum(upstream * function(**variables | {name: variables[name] + step * direction}))
                    for step in (1e-6, -1e-6)]
            agree(f"{what}/{name}Gradient", (ends[0] - ends[1]) / 2e-6, np.sum(stored * direction), tolerance)


def check_linear(file):
    for name, case in file.items():
        check_gradients(name, case, lambda input, weight, bias: np.einsum("bpi,io->bpo", input, weight) + bias,
                        ["input", "weight", "bias"])


def check_activations(file):
    x, upstream = file["gelu/input"][()], file["gelu/outputGradient"][()]
    normal = np.vectorize(lambda t: math.erfc(-t / math.sqrt(2)) / 2)(x)
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    agree("gelu/output", x * normal, file["gelu/output"])
    agree("gelu/inputGradient", upstream * (normal + x * density), file["gelu/inputGradient"])
    agree("relu/output", np.where(x > 0, x, 0), file["relu/output"], 0)
    agree("relu/inputGradient", np.where(x > 0, file["relu/outputGradient"], 0), file["relu/inputGradient"], 0)


def spectral(input, weight):
    """The truncated convolution as sums: the constant and the Nyquist mode count once and only by their real parts."""
    places, modes = input.shape[1], weight.shape[0]
    angle = 2 * np.pi * np.outer(np.arange(modes), np.arange(places)) / places
    real = np.einsum("ks,bsi->bki", np.cos(angle), input)
    imaginary = -np.einsum("ks,bsi->bki", np.sin(angle), input)
    product_real = np.einsum("bki,kio->bko", real, weight[:, 0]) - np.einsum("bki,kio->bko", imaginary, weight[:, 1])
    product_imaginary = np.einsum("bki,kio->bko", real, weight[:, 1]) + np.einsum("bki,kio->bko", imaginary, weight[:, 0])
    count = np.array([1 if k == 0 or 2 * k == places else 2 for k in range(modes)])[:, None] / places
    sine = np.where(count * places == 1, 0, np.sin(angle))
    return (np.einsum("ks,bko->bso", count * np.cos(angle), product_real)
            - np.einsum("ks,bko->bso", count * sine, product_imaginary))


def check_spectral(file):
    for name, case in file.items():
        check_gradients(name, case, spectral, ["input", "weight"])


def owners(case):
    """For each particle of one sample, the flat positions of its coordinates in `[places, channels]`."""
    places, channels, divide, width = (int(case.attrs[k]) for k in ("places", "channels", "divide", "particleWidth"))
    if width:
        return [[j * width + c for c in range(width)] for j in range(channels // width)]
    n = places // divide
    return [[(q * n + j) * channels + c for q in range(divide) for c in range(channels)] for j in range(n)]


def check_cut(name, case, owned):
    """Each coordinate belongs to one particle at most, and the attributes give the particles' number and size."""
    flat = sorted(k for one in owned for k in one)
    if flat != list(range(len(flat))) or len(owned) != case.attrs["particles"]:
        sys.exit(f"{name}: particles do not tile the sample")
    if {len(one) for one in owned} != {int(case.attrs["coordinates"])}:
        sys.exit(f"{name}: coordinates")
    keys = ("batch", "places", "channels")
    if case["position"].shape != tuple(int(case.attrs[k]) for k in keys):
        sys.exit(f"{name}: shape")


def pair_gradient(gi, gj, e, w):
    """What an accepted pair adds to the velocity gradients (collision.md, "Gradient")."""
    s = np.linalg.norm(w)
    turn = 0.5 * np.dot(gi - gj, e) * w / s if s > 0 else 0 * w
    return (gi + gj) / 2 + turn, (gi + gj) / 2 - turn


def check_ntc(file):
    for name, case in file.items():
        if name == "probability":
            continue
        owned, dt, midpoint = owners(case), case.attrs["timeStep"], case.attrs["midpoint"]
        check_cut(name, case, owned)
        agree(f"{name}/directions", 1 + 0 * case["accepted"][()], np.linalg.norm(case["directions"], axis=-1), 1e-6)
        for b in range(case["position"].shape[0]):
            x, v, upstream = (case[k][b].ravel() for k in ("position", "velocity", "outputGradient"))
            start, after = x.copy(), v.copy()
            dx, dv = upstream.copy(), dt * upstream
            met = case["pairs"][b].ravel().tolist()
            if len(set(met)) != len(owned) // 2 * 2:
                sys.exit(f"{name}/pairs: sample {b} is not a matching")
            for (i, j), hit, e in zip(case["pairs"][b], case["accepted"][b], case["directions"][b]):
                if not hit:
                    continue
                i, j = owned[i], owned[j]
                s, centre = math.dist(v[i], v[j]), (v[i] + v[j]) / 2
                after[i], after[j] = centre + s / 2 * e, centre - s / 2 * e
                agree(f"{name}: energy", v[i] @ v[i] + v[j] @ v[j], after[i] @ after[i] + after[j] @ after[j], 1e-6)
                dv[i], dv[j] = pair_gradient(dt * upstream[i], dt * upstream[j], e, v[i] - v[j])
                if midpoint:
                    start[i] = start[j] = (x[i] + x[j]) / 2
                    dx[i] = dx[j] = (upstream[i] + upstream[j]) / 2
            for key, value in {"output": start + dt * after, "positionGradient": dx, "velocityGradient": dv}.items():
                agree(f"{name}/{key}", value, case[key][b].ravel())


def check_dense(file):
    for name, case in file.items():
        if name == "probability":
            continue
        owned, dt, midpoint = owners(case), case.attrs["timeStep"], case.attrs["midpoint"]
        check_cut(name, case, owned)
        for b in range(case["position"].shape[0]):
            x, v, upstream = (case[k][b].ravel() for k in ("position", "velocity", "outputGradient"))
            start, after = x.copy(), v.copy()
            dx, dv = upstream.copy(), dt * upstream
            accepted = case["accepted"][b]
            partners = accepted.sum(1)
            for i, j in zip(*np.nonzero(np.triu(accepted))):
                if i == j or accepted[j, i] != 1:
                    sys.exit(f"{name}/accepted: not symmetric with zero diagonal")
                w = 1.0 if case.attrs["plainSum"] else 1 / max(partners[i], partners[j])
                e = case["directions"][b, i, j]
                agree(f"{name}/directions", -e, case["directions"][b, j, i], 0)
                agree(f"{name}/weights", [w, w], [case["weights"][b, i, j], case["weights"][b, j, i]])
                i, j = owned[i], owned[j]
                s = math.dist(v[i], v[j])
                after[i] += w * ((v[j] - v[i]) / 2 + s / 2 * e)
                after[j] += w * ((v[i] - v[j]) / 2 - s / 2 * e)
                gi, gj = dt * upstream[i], dt * upstream[j]
                to_i, to_j = pair_gradient(gi, gj, e, v[i] - v[j])
                dv[i] += w * (to_i - gi)
                dv[j] += w * (to_j - gj)
                if midpoint:
                    start[i] += w * (x[j] - x[i]) / 2
                    start[j] += w * (x[i] - x[j]) / 2
                    dx[i] += w * (upstream[j] - upstream[i]) / 2
                    dx[j] += w * (upstream[i] - upstream[j]) / 2
            for key, value in {"output": start + dt * after, "positionGradient": dx, "velocityGradient": dv}.items():
                agree(f"{name}/{key}", value, case[key][b].ravel())
            agree(f"{name}: momentum", sum(v[i] for i in owned), sum(after[i] for i in owned))


def check_probabilities(file):
    for name, case in file["probability"].items():
        x, v = case["position"][()], case["velocity"][()]
        for b in range(len(x)):
            n = len(x[b])
            matching = "pairs" in case
            pairs = case["pairs"][b].tolist() if matching else [(i, j) for i in range(n) for j in range(i)]
            r = [math.dist(x[b, i], x[b, j]) for i, j in pairs]
            s = [math.dist(v[b, i], v[b, j]) for i, j in pairs]
            scales = {"rms": math.sqrt(sum(t * t for t in r) / len(r)), "unit": 1, "number": case.attrs["lengthScale"]}
            for key, scale in scales.items():
                for c, coefficient in enumerate(case["coefficients"]):
                    p = [coefficient * (si / max(s) if max(s) else 0) * (math.exp(-ri / scale) if ri else 1)
                         for ri, si in zip(r, s)]
                    table = case[key][c, b]
                    stored = table if matching else [table[i, j] for i, j in pairs]
                    agree(f"probability/{name}/{key}", p, stored)
                    if not matching:
                        agree(f"probability/{name}/{key}: symmetry", table, table.T, 0)
                        agree(f"probability/{name}/{key}: diagonal", np.zeros(n), np.diag(table), 0)
                        if key == "rms" and coefficient == 1:
                            hit = [t > 1 - case.attrs["thresholdCoefficient"] for t in p]
                            agree(f"probability/{name}/accepted", hit, [case["accepted"][b, i, j] for i, j in pairs], 0)


def relative_l2(prediction, target):
    return float(np.mean([np.linalg.norm(p - t) / np.linalg.norm(t) for p, t in zip(prediction, target)]))


def check_losses(file):
    for name, case in file["relativeL2"].items():
        p, t = case["prediction"][()], case["target"][()]
        agree(f"{name}/loss", relative_l2(p, t), case.attrs["loss"])
        gradient = [(a - b) / np.linalg.norm(a - b) / np.linalg.norm(b) / len(p) for a, b in zip(p, t)]
        agree(f"{name}/predictionGradient", gradient, case["predictionGradient"])


def cross_entropy(prediction, target, smoothing):
    """The loss, and its gradient as soft-max minus wanted distribution."""
    exponentials = np.exp(prediction - prediction.max(1, keepdims=True))
    probabilities = exponentials / exponentials.sum(1, keepdims=True)
    wanted = np.full_like(prediction, smoothing / prediction.shape[1])
    wanted[np.arange(len(target)), target] += 1 - smoothing
    return -np.mean(np.sum(wanted * np.log(probabilities), 1)), (probabilities - wanted) / len(target)


def check_cross_entropies(file):
    for name, case in file["crossEntropy"].items():
        prediction, target = case["prediction"][()], case["target"][()].astype(int)
        loss, gradient = cross_entropy(prediction, target, case.attrs["labelSmoothing"])
        agree(f"{name}/loss", loss, case.attrs["loss"])
        agree(f"{name}/predictionGradient", gradient, case["predictionGradient"])
        agree(f"{name}/correct", np.sum(np.argmax(prediction, 1) == target), case.attrs["correct"], 0)


def batch_norm(input, scale, shift):
    mean, variance = input.mean((0, 1, 2)), input.var((0, 1, 2))
    return (input - mean) / np.sqrt(variance + 1e-5) * scale + shift


def check_batch_norms(file):
    for name, case in file.items():
        # A mean of hundreds of deviations costs the difference quotients digits.
        check_gradients(name, case, batch_norm, ["input", "scale", "shift"], tolerance=1e-6)
        x = case["input"][()]
        mean, variance = 0.1 * x.mean((0, 1, 2)), 0.9 + 0.1 * x.var((0, 1, 2), ddof=1)
        agree(f"{name}/mean", mean, case["mean"])
        agree(f"{name}/variance", variance, case["variance"])
        agree(f"{name}/evaluated", (x - mean) / np.sqrt(variance + 1e-5) * case["scale"] + case["shift"], case["evaluated"])


def pool(input, kind, kernel, stride, padding):
    batch, height, width, channels = input.shape
    edge = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
    padded = np.pad(input, edge, constant_values=0.0 if kind == "average" else -np.inf)
    rows, columns = ((size + 2 * padding - kernel) // stride + 1 for size in (height, width))
    output = np.empty((batch, rows, columns, channels))
    for row in range(rows):
        for column in range(columns):
            window = padded[:, row * stride:row * stride + kernel, column * stride:column * stride + kernel]
            output[:, row, column] = window.mean((1, 2)) if kind == "average" else window.max((1, 2))
    return output


def check_poolings(file):
    for kind, cases in file.items():
        for name, case in cases.items():
            sizes = [int(case.attrs[size]) for size in ("kernel", "stride", "padding")]
            check_gradients(f"{kind}/{name}", case, lambda input: pool(input, kind, *sizes), ["input"])


def gelu(x):
    return x * np.vectorize(lambda t: math.erfc(-t / math.sqrt(2)) / 2)(x)


def fourier_operator(parameters, field, blocks):
    coordinate = np.broadcast_to((np.arange(field.shape[1]) / field.shape[1])[None, :, None], field.shape)
    h = np.concatenate([field, coordinate], 2) @ parameters["lift/weight"] + parameters["lift/bias"]
    for k in range(blocks):
        pointwise = h @ parameters[f"blocks/{k}/pointwise/weight"] + parameters[f"blocks/{k}/pointwise/bias"]
        h = pointwise + spectral(h, parameters[f"blocks/{k}/spectral/weight"])
        h = gelu(h) if k < blocks - 1 else h
    h = gelu(h @ parameters["projection/0/weight"] + parameters["projection/0/bias"])
    return h @ parameters["projection/1/weight"] + parameters["projection/1/bias"]


def arrays(group):
    found = {}
    group.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def check_fourier_operator(file):
    network = file["network"]
    blocks, parameters, gradients = int(network.attrs["blocks"]), arrays(network["parameters"]), arrays(network["gradients"])
    inputs, targets = network["inputs"][()], network["targets"][()]

    def loss(parameters, field=inputs[0]):
        return relative_l2(fourier_operator(parameters, field, blocks), targets[0])

    agree("network/output", fourier_operator(parameters, inputs[0], blocks), network["output"])
    agree("network/loss", loss(parameters), network.attrs["loss"])
    generator = np.random.default_rng(2)
    for name, value in parameters.items():
        direction = generator.standard_normal(value.shape)
        ends = [loss(parameters | {name: value + step * direction}) for step in (1e-6, -1e-6)]
        agree(f"network/gradients/{name}", (ends[0] - ends[1]) / 2e-6, np.sum(gradients[name] * direction), 1e-8)
    direction = generator.standard_normal(inputs[0].shape)
    ends = [loss(parameters, inputs[0] + step * direction) for step in (1e-6, -1e-6)]
    agree("network/inputGradient", (ends[0] - ends[1]) / 2e-6, np.sum(network["inputGradient"][()] * direction), 1e-8)

    for name, run in file["training"].items():
        first, last = run["losses"][0], run["losses"][9]
        agree(f"training/{name}: first loss", loss(parameters), first)
        end = arrays(run["parameters"])
        which = 9 % len(inputs)
        before = relative_l2(fourier_operator(parameters, inputs[which], blocks), targets[which])
        after = relative_l2(fourier_operator(end, inputs[which], blocks), targets[which])
        if not after < last < before:
            sys.exit(f"training/{name}: the loss did not fall ({before}, {last}, {after})")
        agree(f"training/{name}: names", sorted(end) == sorted(parameters), True)


def check_optimizers(file):
    gradients = file["gradients"][()]
    for name in ("adam", "adamw", "sgd-nesterov", "sgd-momentum"):
        options, p = dict(file[name].attrs), file["start"][()]
        first, second = np.zeros_like(p), np.zeros_like(p)
        rate, decay = options["learningRate"], options["weightDecay"]
        for t, g in enumerate(gradients, start=1):
            if name == "adamw":
                p = p * (1 - rate * decay)
            else:
                g = g + decay * p
            if name.startswith("adam"):
                first = options["beta1"] * first + (1 - options["beta1"]) * g
                second = options["beta2"] * second + (1 - options["beta2"]) * g * g
                step = first / (1 - options["beta1"] ** t)
                p = p - rate * step / (np.sqrt(second / (1 - options["beta2"] ** t)) + options["epsilon"])
            else:
                first = options["momentum"] * first + g
                p = p - rate * (g + options["momentum"] * first if options["nesterov"] else first)
            agree(f"{name}: step {t}", p, file[name]["parameters"][t - 1])


CHECKS = {
    "linear": [check_linear],
    "activations": [check_activations],
    "spectral1d": [check_spectral],
    "collision-ntc": [check_ntc, check_probabilities],
    "collision-dense": [check_dense, check_probabilities],
    "losses": [check_losses, check_cross_entropies],
    "batch-norm": [check_batch_norms],
    "pooling": [check_poolings],
    "fno1d": [check_fourier_operator],
    "optimizers": [check_optimizers],
}


def main():
    default = Path(__file__).resolve().parent.parent / "Tests/KitiCoreTests/Fixtures"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    for name, checks in CHECKS.items():
        with h5py.File(folder / f"{name}.h5") as file:
            for check in checks:
                check(file)
        print(f"{name}.h5: verified")


if __name__ == "__main__":
    main()

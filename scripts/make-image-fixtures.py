#!/usr/bin/env python3
"""Makes the image fixtures of the tests from real CIFAR-10 images: needs NumPy and Pillow.

    make-image-fixtures.py CIFAR-FOLDER

CIFAR-FOLDER holds data_batch_1.bin and so on. The first images of each file make a small data set of the same form;
the first image of all becomes a file of each kind that the reader of folders knows, with its pixels beside it as
another decoder sees them (NAME.rgb: 32 x 32 x 3 bytes).
"""
import os
import shutil
import sys

import numpy as np
from PIL import Image

RECORD = 1 + 3 * 32 * 32
source = sys.argv[1]
fixtures = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Tests", "KitiCoreTests", "Fixtures")


def head(name, count):
    with open(os.path.join(source, name), "rb") as file:
        return file.read(count * RECORD)


small = os.path.join(fixtures, "cifar-10-batches-bin")
os.makedirs(small, exist_ok=True)
for batch in range(1, 6):
    with open(os.path.join(small, f"data_batch_{batch}.bin"), "wb") as file:
        file.write(head(f"data_batch_{batch}.bin", 3))
with open(os.path.join(small, "test_batch.bin"), "wb") as file:
    file.write(head("test_batch.bin", 4))
shutil.copy(os.path.join(source, "batches.meta.txt"), small)

images = os.path.join(fixtures, "images")
os.makedirs(images, exist_ok=True)
first = np.frombuffer(head("data_batch_1.bin", 1), np.uint8)[1:].reshape(3, 32, 32).transpose(1, 2, 0)
color = Image.fromarray(np.ascontiguousarray(first))
grey = color.convert("L")
alpha = color.copy()
alpha.putalpha(grey)
deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
files = {
    "color.png": (color, {}),
    "grey.png": (grey, {}),
    "palette.png": (color.quantize(16), {}),
    "deep.png": (deep, {}),
    "transparent.png": (alpha, {}),
    "color.jpg": (color, {"quality": 90}),
    "halved.jpeg": (color, {"quality": 80, "subsampling": "4:2:0"}),
    "progressive.jpg": (color, {"quality": 90, "progressive": True}),
    "grey.jpg": (grey, {"quality": 90}),
    "print.jpg": (color.convert("CMYK"), {}),
}
for name, (image, options) in files.items():
    path = os.path.join(images, name)
    image.save(path, **options)
    if name in ("transparent.png", "print.jpg"):
        continue
    seen = grey if name == "deep.png" else Image.open(path)
    with open(path + ".rgb", "wb") as file:
        file.write(np.asarray(seen.convert("RGB")).tobytes())

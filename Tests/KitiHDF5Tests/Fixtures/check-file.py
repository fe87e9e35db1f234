"""Checks with h5py a file that InteroperationTests wrote: python3 check-file.py FILE"""

import sys

import h5py
import numpy as np

KINDS = ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
failures = []


def check(name, found, wanted):
    if type(found) is not type(wanted) or found != wanted:
        failures.append(f"{name}: {found!r}, not {wanted!r}")


def check_array(name, found, wanted):
    if found.dtype != wanted.dtype or found.shape != wanted.shape or not np.array_equal(found, wanted):
        failures.append(f"{name}: {found!r}, not {wanted!r}")


def values(kind, shape):
    count = int(np.prod(shape, dtype=int))
    return ((np.arange(count) * 7 + 3) % 101).astype(kind).reshape(shape)


with h5py.File(sys.argv[1], "r") as file:
    for kind in KINDS:
        data_set = file[f"numbers/{kind}"]
        check(f"{kind} byte order", data_set.dtype.byteorder in "=<|", True)
        check_array(kind, data_set[...], values(kind, (3, 4, 5)))
        check_array(f"scalar {kind}", np.asarray(file.attrs[f"scalar {kind}"]), np.asarray(np.dtype(kind).type(42)))
        check_array(f"array {kind}", file.attrs[f"array {kind}"], values(kind, (4,)))
    check_array("chunked", file["chunked"][...], values("float32", (13, 7)))
    check("chunks", file["chunked"].chunks, (4, 3))
    check("fill", float(file["filled"][1]), -1.5)
    check("scalar", float(file["scalar"][()]), 2.5)
    check("none", file["none"].shape, (0, 3))
    check("texts", list(file["texts/variable"].asstr()[...]), ["", "plain", "Größe €"])
    check("fixed texts", [text.decode() for text in file["texts/fixed"][...]], ["", "plain", "Größe €"])
    check("text", file.attrs["text"], "Größe €")
    check("text of a group", file["texts"].attrs["text"], "group")
    check("text of a data set", file["scalar"].attrs["text"], "data set")
    check("text list", list(file.attrs["texts"]), ["a", "", "Größe"])
    fixed = file.attrs["fixed text"]
    check("fixed text", fixed.decode() if isinstance(fixed, bytes) else fixed, "Größe €")
    check("user block", file.userblock_size, 512)

for failure in failures:
    print(failure)
sys.exit(1 if failures else 0)

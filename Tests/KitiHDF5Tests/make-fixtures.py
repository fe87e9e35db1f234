"""Makes Fixtures/h5py.h5, the file that InteroperationTests reads: python3 make-fixtures.py"""

import os

import h5py
import numpy as np

KINDS = ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def values(kind, shape):
    count = int(np.prod(shape, dtype=int))
    return ((np.arange(count) * 7 + 3) % 101).astype(kind).reshape(shape)


path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Fixtures", "h5py.h5")
with h5py.File(path, "w") as file:
    for kind in KINDS:
        little = np.dtype(kind).newbyteorder("<")
        file.create_dataset(f"little/{kind}", data=values(kind, (3, 4, 5)), dtype=little)
        file.create_dataset(f"big/{kind}", data=values(kind, (3, 4, 5)), dtype=little.newbyteorder(">"))
        file.attrs[f"scalar {kind}"] = np.dtype(kind).type(42)
        file.attrs[f"array {kind}"] = values(kind, (4,))
    file.create_dataset("chunked", data=values("float32", (13, 7)), chunks=(4, 3), compression="gzip")
    file.create_dataset("growing", data=values("int32", (6, 2)), maxshape=(None, 2))
    file["scalar"] = 2.5
    file["none"] = np.zeros((0, 3), dtype="float32")
    file["null"] = h5py.Empty("float32")
    file["half"] = np.zeros(2, dtype="float16")
    file["flags"] = np.array([True, False])
    file["records"] = np.zeros(2, dtype=[("a", "int32"), ("b", "float32")])
    file.create_dataset("texts/variable", data=["", "plain", "Größe €"], dtype=h5py.string_dtype())
    file.create_dataset("texts/ascii", data=[b"a", b"bc"], dtype=h5py.string_dtype("ascii"))
    file.create_dataset("texts/fixed", data=np.array([b"", b"ab", b"abcd"], dtype="S4"))
    file.create_dataset("texts/fixed utf8", data=["é".encode(), b"xyz"], dtype=h5py.string_dtype("utf-8", 5))
    file["texts/invalid"] = np.array([b"\xff\xfe"], dtype="S2")
    file["link"] = h5py.SoftLink("/nowhere")
    file.attrs["python int"] = 7
    file.attrs["python float"] = 0.5
    file.attrs["text"] = "Größe €"
    file.attrs["texts"] = ["a", "", "Größe"]
    file.attrs["fixed text"] = np.bytes_("abc")
    file.attrs["matrix"] = values("float64", (2, 3))
    file.attrs["empty"] = h5py.Empty("float32")

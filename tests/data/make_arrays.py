#!/usr/bin/env python3
"""Writes arrays/: .npy and .npz files as numpy makes them, for the readers' tests (numpy 2.4)."""

import pathlib

import numpy as np
from numpy.lib import format as npy_format

FOLDER = pathlib.Path(__file__).resolve().parent / "arrays"
TYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
         "float16", "float32", "float64"]


def write_version(name, array, version):
    with open(FOLDER / name, "wb") as file:
        npy_format.write_array(file, array, version=version)


def main():
    FOLDER.mkdir(exist_ok=True)
    values = np.array([[0, 1, 2], [3, 100, 127]])
    for name in TYPES:
        np.save(FOLDER / f"{name}.npy", values.astype(name))
    matrix = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    write_version("version2.npy", matrix, (2, 0))
    write_version("version3.npy", matrix, (3, 0))
    np.save(FOLDER / "fortran.npy", np.asfortranarray(matrix))
    np.save(FOLDER / "scalar.npy", np.float32(2.5))
    np.save(FOLDER / "empty.npy", np.zeros((0, 4), np.float32))
    np.save(FOLDER / "big_endian.npy", matrix.astype(">f4"))
    np.save(FOLDER / "structured.npy", np.zeros(2, dtype=[("a", "<i4"), ("b", "<f4")]))
    np.save(FOLDER / "object.npy", np.array([1, "a"], dtype=object), allow_pickle=True)
    np.save(FOLDER / "text.npy", np.array(["ab", "c"]))
    np.save(FOLDER / "complex.npy", np.array([1 + 2j]))
    arrays = {"a": matrix, "b": values.astype(np.int64), "f": np.asfortranarray(matrix)}
    np.savez(FOLDER / "stored.npz", **arrays)
    np.savez_compressed(FOLDER / "deflated.npz", **arrays)


if __name__ == "__main__":
    main()

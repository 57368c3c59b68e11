"""The files of an image set: IDX, compressed or not, and .npz."""

import gzip
from pathlib import Path

import numpy as np

SHAPES = ((30, 28, 28), (30,), (10, 28, 28), (10,))
IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
NPZ = ("x_train", "y_train", "x_test", "y_test")


def idx(array: np.ndarray) -> bytes:
    return b"\0\0\x08" + bytes([array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def write_idx(folder: Path, arrays: list[np.ndarray], packed: bool = True) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / (f"{name}.gz" if packed else name) for name in IDX]
    for path, array in zip(paths, arrays, strict=True):
        path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    return paths


def write_npz(path: Path, arrays: list[np.ndarray]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, allow_pickle=False, **dict(zip(NPZ, arrays, strict=True)))
    return path

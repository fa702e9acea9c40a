"""Tensors of every datatype, with the ends of what each can hold."""

import math

import ml_dtypes
import numpy as np

DATATYPES = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "FP32": np.float32,
    "FP64": np.float64,
    "BYTES": np.object_,
}

SHAPES = [(), (5,), (2, 3), (1, 2, 3), (2, 1, 2, 2)]
EMPTY = (0, 3)


def sample(datatype, shape):
    kind, n = DATATYPES[datatype], math.prod(shape)
    if datatype == "BYTES":
        words = ["plain", "", 'quo"ted \\', "zwölf 猫", "tab\tline\n"]
        flat = [words[i % len(words)].encode() for i in range(n)]
        return np.array(flat, dtype=np.object_).reshape(shape)
    if datatype == "BOOL":
        flat = np.arange(n) % 2 == 0
    elif np.issubdtype(kind, np.integer):
        ends = [np.iinfo(kind).max, np.iinfo(kind).min, 0, 1, 77]
        flat = np.array([ends[i % len(ends)] for i in range(n)], dtype=kind)
    else:
        limits = ml_dtypes.finfo(kind)
        ends = [limits.max, limits.min, 0, 1 / 3, -1.5, limits.tiny]
        flat = np.array([ends[i % len(ends)] for i in range(n)]).astype(kind)
    return flat.astype(kind).reshape(shape)


def same(got, want):
    """The very same bits, in the same shape and type."""
    assert got is not None, "there is no such output"
    assert got.shape == want.shape, f"shape {got.shape}, want {want.shape}"
    assert got.dtype == want.dtype, f"type {got.dtype}, want {want.dtype}"
    if want.dtype == np.object_:
        assert got.tolist() == want.tolist(), f"{got.tolist()}, want {want.tolist()}"
    else:
        assert got.tobytes() == want.tobytes(), f"{got}, want {want}"
    return f"{want.dtype} {list(want.shape)} as sent"

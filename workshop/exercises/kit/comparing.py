"""Is an answer the expected one? Numbers within a tolerance, arrays by their shape too, texts whatever their case."""

import inspect
import math
from typing import Any

import numpy as np


class UnlikeError(Exception):
    """Why an answer is not the expected one: `kind` is "nan", "type", "shape" or "value"; the text says it."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def check_same(answer: Any, expected: Any, tolerance: float = 1e-6) -> None:
    """Raises UnlikeError unless the two are the same.

    Args:
        answer: whatever a student gave.
        expected: a number, a text, an array, None, or a tuple, list or dict of these.
        tolerance: how far a number may be off, relative to the expected one where that is above 1.
    """
    if isinstance(expected, str):
        if not isinstance(answer, str):
            raise UnlikeError("type", f"{describe(answer)}, which is no text")
        if answer.strip().casefold() != expected.strip().casefold():
            raise UnlikeError("value", describe(answer))
    elif isinstance(expected, dict):
        if not isinstance(answer, dict):
            raise UnlikeError("type", f"{describe(answer)}, which is no dict")
        if set(answer) != set(expected):
            raise UnlikeError("value", describe(answer))
        for key, value in expected.items():
            check_same(answer[key], value, tolerance)
    elif isinstance(expected, (list, tuple)) and not _is_array(expected):
        if isinstance(answer, np.ndarray):  # an array of texts is as good as a list of them
            answer = answer.tolist()
        if not isinstance(answer, (list, tuple)):
            raise UnlikeError("type", f"{describe(answer)}, which is no {type(expected).__name__}")
        if len(answer) != len(expected):
            raise UnlikeError("shape", f"{describe(answer)}, of the length {len(answer)}, not {len(expected)}")
        for item, expected_item in zip(answer, expected, strict=True):
            check_same(item, expected_item, tolerance)
    elif expected is None:
        if answer is not None:
            raise UnlikeError("value", describe(answer))
    else:
        _check_same_numbers(answer, np.asarray(expected), tolerance)


def _is_array(values: Any) -> bool:
    """Returns whether a list or a tuple holds nothing but numbers, in rows of one length."""
    try:
        return np.asarray(values).dtype.kind in "biuf"
    except ValueError:
        return False


def _check_same_numbers(answer: Any, expected: np.ndarray, tolerance: float) -> None:
    if isinstance(answer, (str, bytes, dict, set)) or answer is None:
        raise UnlikeError("type", f"{describe(answer)}, which is no {'number' if expected.ndim == 0 else 'array'}")
    if hasattr(answer, "detach"):  # a tensor of PyTorch that tracks gradients
        answer = answer.detach().cpu()
    try:
        numbers = np.asarray(answer)
    except ValueError:  # rows of different lengths
        raise UnlikeError("shape", f"{describe(answer)}, whose rows have different lengths") from None
    if numbers.dtype.kind not in "biufc":
        raise UnlikeError(
            "type", f"{describe(answer)}, which is no {'number' if expected.ndim == 0 else 'array of numbers'}"
        )
    if numbers.shape != expected.shape:
        needed = "a number" if expected.ndim == 0 else f"an array of shape {expected.shape}"
        given = "a number" if numbers.ndim == 0 else f"an array of shape {numbers.shape}"
        raise UnlikeError("shape", f"{given}, expected {needed}")
    if numbers.dtype.kind == "c":
        raise UnlikeError("type", f"{describe(answer)}, which is complex")
    numbers, expected = numbers.astype(float), expected.astype(float)
    if np.isnan(numbers).any() and not np.isnan(expected).any():
        raise UnlikeError("nan", "NaN, not a number: 0 divided by 0, or the logarithm of a negative number?")
    if not np.allclose(numbers, expected, rtol=tolerance, atol=tolerance, equal_nan=True):
        raise UnlikeError("value", describe(answer))


def is_same(answer: Any, expected: Any, tolerance: float = 1e-6) -> bool:
    """Returns whether the two are the same."""
    try:
        check_same(answer, expected, tolerance)
    except UnlikeError:
        return False
    return True


def describe(value: Any) -> str:
    """Returns a value in a few characters: a number as it is, an array by its numbers or, where long, its shape."""
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.6g}"
    if isinstance(value, np.ndarray) and value.size > 8:
        return f"an array of shape {value.shape}"
    if inspect.isroutine(value):
        return f"the function {value.__name__}"
    with np.printoptions(precision=4, suppress=True):
        text = " ".join((str(value) if isinstance(value, (np.ndarray, np.generic)) else repr(value)).split())
    if " at 0x" in text:  # where it lies in the memory says nothing
        return f"an object of the type {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."

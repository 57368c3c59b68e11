"""The bands of `workshop/bands.json`: the metrics of a default run with other seeds, measured over five of them.

`python -m benchmarks.bands` measures and writes them. A band is five standard deviations to either side of the mean:
a normally distributed value of a sixth seed lies within it 99 times in 100 (Student's t with four degrees of freedom,
4.60, times the root of 1 + 1/5). A run has many values: of those in the file one in eight has a metric outside the band
of the other four seeds, as likely as this one. What a lesson claims is narrower or wider, and stands in `LESSONS`.
"""

import functools
import json
import math
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[1] / "bands.json"
SEEDS = (1, 2, 3, 4, 5)
_DEVIATIONS = 5
_NARROWEST = 1e-3  # of the mean: half a band's width at least, where all seeds give nearly the same
_ROUNDING = 1e-6  # a smaller mean is what rounding leaves, and another processor rounds in another way
_SHARES = ("accuracy", "precision", "recall", "f1", "success_rate", "auc", "zero_one_loss", "entropy")  # 0 to 1
_SCORES = ("score", "return")  # may be negative; a score is 1 at most

Band = tuple[float, float]


@functools.cache
def measured() -> dict[str, dict[str, Any]]:
    """Returns what the file holds: of each lesson and each engine its runs, with their data, versions and metrics."""
    return dict(json.loads(FILE.read_text("utf-8"))) if FILE.exists() else {}


def expected(lesson: str, engine: str, preset: str | None, data: str, claims: dict[str, Band]) -> dict[str, Band]:
    """Returns the band of each metric of a default run.

    Args:
        lesson: its name.
        engine: "keras", "torch" or "numpy".
        preset: of the run; one that was not measured has its claims alone.
        data: as the run names it; other data than the measured has its claims alone.
        claims: the lesson's own limits, which no band exceeds.

    Returns:
        (lowest, highest) by the metric's name. The distance from an exact result, which is rounding, has its claim
        alone.
    """
    bands = dict(claims)
    runs = measured().get(lesson, {}).get(engine)
    if runs is None or runs["seeds"] != list(SEEDS) or runs["data"] != data or runs["preset"] != preset:
        return bands
    for name, metric in runs["metrics"].items():
        mean, spread, values = metric["mean"], metric["spread"], metric["values"]
        is_whole = len(values) == len(SEEDS) and None not in values
        if not is_whole or abs(mean) < _ROUNDING or name.endswith("max_error"):
            continue
        half = max(_DEVIATIONS * spread, _NARROWEST * abs(mean))
        lowest, highest = claims.get(name, (-math.inf, math.inf))
        if not name.endswith(_SCORES) and min(values) >= 0:
            lowest = max(lowest, 0.0)
        if name.endswith((*_SHARES, "score")):
            highest = min(highest, 1.0)
        bands[name] = max(lowest, mean - half), min(highest, mean + half)
    return bands


def is_within(value: float, band: Band) -> bool:
    """Says whether a value lies in a band, both as they are printed: to four significant digits."""
    lowest, highest = (float(f"{limit:.4g}") for limit in band)
    return lowest <= float(f"{value:.4g}") <= highest


def describe(band: Band) -> str:
    """Returns a band in words: "0.9918 to 0.9936", "at least 0.975", "1"."""
    lowest, highest = band
    if highest == math.inf:
        return f"at least {lowest:.4g}"
    if lowest == -math.inf:
        return f"at most {highest:.4g}"
    return f"{lowest:.4g}" if f"{lowest:.4g}" == f"{highest:.4g}" else f"{lowest:.4g} to {highest:.4g}"

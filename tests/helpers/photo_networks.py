"""Weights and images with which the networks for photographs can be compared."""

import numpy as np


def as_if_learned(names: list[str], weights: list[np.ndarray]) -> list[np.ndarray]:
    """Returns weights as of a network that was trained: no statistic is 0 or 1, and nothing fades on its way.

    Kernels are drawn for that as He and others (2015) do, with the variance 2 / inputs.
    """
    random = np.random.default_rng(5)
    ranges = {"gamma": (0.5, 1.5), "beta": (-0.3, 0.7), "moving_mean": (-0.3, 0.3), "moving_variance": (0.5, 1.5)}
    drawn = []
    for name, weight in zip(names, weights, strict=True):
        if name in ranges:
            drawn.append(random.uniform(*ranges[name], weight.shape))
        else:  # of a depthwise kernel the inputs are the places alone
            inputs = weight[..., 0, 0].size if weight.shape[2:] and weight.shape[-1] == 1 else weight[..., 0].size
            drawn.append(random.normal(0, np.sqrt(2 / max(1, inputs)), weight.shape))
    return [one.astype(np.float32) for one in drawn]


def brighter_and_darker(count: int, size: int) -> np.ndarray:
    """Returns noise from 0 to 1 that is brighter in some images than in others."""
    random = np.random.default_rng(6)
    noise = random.random((count, size, size, 3), np.float32)
    return noise * random.uniform(0.2, 1, (count, 1, 1, 3)).astype(np.float32)

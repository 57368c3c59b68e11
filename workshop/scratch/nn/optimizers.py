"""Optimizers by name, the learning-rate schedule of a run (warm-up, then cosine decay), and clipping.

`sgd` has what all of them share and gradient descent itself, `adaptive` those with a rate for each weight: each as its
paper has it, with Keras' constants, Rprop with PyTorch's. Where Keras and PyTorch differ, the docstring says so, and
the code is Keras'.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.kit.training.recipe import default_rate
from workshop.scratch.nn.adaptive import Adadelta, Adagrad, Adam, Nadam, RMSprop, Rprop
from workshop.scratch.nn.sgd import SGD, Optimizer, Rate


def cosine_with_warmup(highest: float, steps: int) -> Callable[[int], float]:
    """Returns the rate by the number of steps done: a linear warm-up in the first tenth, then a cosine decay.

    Loshchilov and Hutter 2017 (SGDR); the warm-up starts at highest / 25. The same as `Recipe.make_optimizer`.
    """
    warmup = max(1, steps // 10)

    def rate(step: int) -> float:
        if step < warmup:
            return highest / 25 + (highest - highest / 25) * step / warmup
        progress = min(step - warmup, max(1, steps - warmup)) / max(1, steps - warmup)
        return highest * 0.5 * (1 + math.cos(math.pi * progress))

    return rate


def make_optimizer(name: str, learning_rate: Rate | None = None, steps: int | None = None) -> Optimizer:
    """Returns an optimizer by its name on the command line, with the constants of `Recipe.make_optimizer`.

    Raises:
        WorkshopError: there is none of this name.
    """
    rate: Rate = learning_rate or default_rate(name)
    if steps is not None and not callable(rate):
        rate = cosine_with_warmup(rate, steps)
    makers: dict[str, Callable[[], Optimizer]] = {
        "sgd": lambda: SGD(rate),
        "momentum": lambda: SGD(rate, momentum=0.9),
        "nesterov": lambda: SGD(rate, momentum=0.9, nesterov=True),
        "rmsprop": lambda: RMSprop(rate),
        "adagrad": lambda: Adagrad(rate),
        "adam": lambda: Adam(rate),
        "adamw": lambda: Adam(rate, beta_2=0.99, weight_decay=0.01),
        "nadam": lambda: Nadam(rate),
        "rprop": lambda: Rprop(rate),
        "adadelta": lambda: Adadelta(rate),
    }
    if name not in makers:
        raise WorkshopError(f"optimizer = {name!r} is not known; known are {', '.join(makers)}")
    return makers[name]()


def clip_by_global_norm(gradients: Mapping[str, np.ndarray], limit: float) -> None:
    """Shortens the gradient of all weights together, in place, to the norm `limit` where it is longer.

    It keeps its direction (Pascanu, Mikolov and Bengio 2013). The same as `global_clipnorm` of Keras' optimizers.
    """
    norm = np.sqrt(sum(float(np.sum(gradient**2)) for gradient in gradients.values()))
    scale = limit / np.maximum(norm, limit)  # 1 where it is shorter; not a number where one of them is none
    for gradient in gradients.values():
        gradient *= scale

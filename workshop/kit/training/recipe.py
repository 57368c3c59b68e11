"""Recipes: epochs, batch size, optimizer and learning rate of a training, from the lesson or from the command line."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

from workshop.kit import device
from workshop.kit.lazy import keras

SMALL_SET = 2000  # samples; fewer make too few steps in the epochs that a published set needs
_DEFAULT_RATES = {"sgd": 0.01, "momentum": 0.01, "nesterov": 0.01, "rprop": 0.01, "adadelta": 1.0}


def default_rate(optimizer: str) -> float:
    """Returns the learning rate of an optimizer, one of `cli.OPTIMIZERS`, where none is given.

    It is Keras': 0.01 for SGD, 0.001 for the others. Rprop, which Keras does not have, begins with steps of PyTorch's
    0.01. Adadelta has its paper's rate of 1: with Keras' 0.001 no training here would get anywhere.
    """
    return _DEFAULT_RATES.get(optimizer, 0.001)


@dataclass(frozen=True)
class Recipe:
    """The settings of one training, the same for every engine.

    Attributes:
        epochs: passes over the training data.
        learning_rate: the highest rate with a `schedule`, else the constant one; None for `default_rate`.
        batch_size: samples per step.
        optimizer: its name, one of `cli.OPTIMIZERS`; "momentum" and "nesterov" are SGD with momentum 0.9.
        schedule: whether the rate warms up over the first tenth of the steps and then falls to zero along a cosine
            (Loshchilov and Hutter 2017, SGDR). A run of few epochs ends far better so.
        clip: the greatest norm of the gradient of all weights together; a longer one is shortened to it.
        steps: of the whole training; `with_options` counts them.
        quick_epochs: passes with `--quick`.
        small_set_epochs: passes over a set of at most 2,000 samples, such as a stand-in.
        own_batch_size: samples per step where `--optimizer` is given; an optimizer of one's own choice runs as Keras
            runs it by default.
    """

    epochs: int
    learning_rate: float | None = None
    batch_size: int = 32
    optimizer: str = "adamw"
    schedule: bool = True
    clip: float | None = None
    steps: int | None = None
    quick_epochs: int | None = None
    small_set_epochs: int | None = None
    own_batch_size: int | None = None

    def with_options(self, arguments: argparse.Namespace, samples: int) -> Self:
        """Returns the recipe that the options of the command line ask for.

        Args:
            arguments: with `epochs`, `batch_size`, `learning_rate`, `optimizer` (None unless given) and `quick`.
            samples: in the training data.
        """
        epochs = self.epochs
        if self.small_set_epochs is not None and samples <= SMALL_SET:
            epochs = self.small_set_epochs
        if arguments.quick and self.quick_epochs is not None:
            epochs = self.quick_epochs
        recipe = replace(self, epochs=arguments.epochs or epochs)
        if arguments.optimizer is None:
            rate = arguments.learning_rate or self.learning_rate
            recipe = replace(recipe, learning_rate=rate, batch_size=arguments.batch_size or self.batch_size)
        else:
            batch_size = arguments.batch_size or self.own_batch_size or self.batch_size
            recipe = replace(
                recipe,
                optimizer=arguments.optimizer,
                learning_rate=arguments.learning_rate,
                batch_size=batch_size,
                schedule=False,
            )
        return recipe.for_samples(samples)

    def for_run(self, quick: bool) -> Self:
        """Returns the recipe with the epochs of a quick run, or as it is."""
        return replace(self, epochs=self.quick_epochs) if quick and self.quick_epochs else self

    def for_samples(self, samples: int) -> Self:
        """Returns the recipe with the number of steps that so many samples make."""
        return replace(self, steps=self.epochs * math.ceil(samples / self.batch_size))

    @property
    def schedule_steps(self) -> int | None:
        """The number of steps that the schedule is laid out for, or None where the rate is constant."""
        return self.steps if self.schedule else None

    @property
    def rate(self) -> float:
        """The constant learning rate, or the highest."""
        return self.learning_rate or default_rate(self.optimizer)

    def make_optimizer(self) -> keras.optimizers.Optimizer:
        """Returns the Keras optimizer, its learning rate on a schedule where the recipe has one."""
        rate = self.rate
        if self.schedule:
            assert self.steps is not None, "with_options() or for_samples() counts the steps"
            warmup = max(1, self.steps // 10)
            rate = keras.optimizers.schedules.CosineDecay(
                rate / 25, max(1, self.steps - warmup), alpha=0.0, warmup_target=rate, warmup_steps=warmup
            )
        with device.on_all_devices():
            return _OPTIMIZERS[self.optimizer](rate, global_clipnorm=self.clip)


def _rprop(rate: float, **options: Any) -> keras.optimizers.Optimizer:
    from workshop.kit.training.rprop import Rprop  # a class of Keras' optimizers needs Keras

    return Rprop(rate, **options)


_OPTIMIZERS: dict[str, Callable[..., keras.optimizers.Optimizer]] = {
    "sgd": lambda rate, **options: keras.optimizers.SGD(rate, **options),
    "momentum": lambda rate, **options: keras.optimizers.SGD(rate, momentum=0.9, **options),
    "nesterov": lambda rate, **options: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, **options),
    "rmsprop": lambda rate, **options: keras.optimizers.RMSprop(rate, **options),
    "adagrad": lambda rate, **options: keras.optimizers.Adagrad(rate, **options),
    "adam": lambda rate, **options: keras.optimizers.Adam(rate, **options),
    # A memory of 100 steps for the second moment, not 1,000: the trainings here are some 2,000 steps long.
    "adamw": lambda rate, **options: keras.optimizers.AdamW(rate, weight_decay=0.01, beta_2=0.99, **options),
    "nadam": lambda rate, **options: keras.optimizers.Nadam(rate, **options),
    "rprop": _rprop,
    "adadelta": lambda rate, **options: keras.optimizers.Adadelta(rate, **options),
}

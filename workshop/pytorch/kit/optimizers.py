"""Optimizers that take the steps that Keras' take, built from PyTorch's where the two can be brought together.

The constants are Keras', the names and the rates those of `workshop.kit.training.Recipe.make_optimizer`.
What each library does differently is said at its place.
"""

import abc
import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from workshop.kit.training.recipe import Recipe

EPSILON = 1e-7  # keeps Keras' divisors above 0; PyTorch has 1e-8, 1e-10 for Adagrad


class _Optimizer(torch.optim.Optimizer, abc.ABC):
    """An optimizer whose `update` changes one parameter in place; `memory` is what it keeps for that parameter."""

    @abc.abstractmethod
    def update(
        self, parameter: torch.Tensor, gradient: torch.Tensor, memory: dict[str, torch.Tensor], group: dict[str, Any]
    ) -> None:
        """Takes one step with one parameter."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Takes one step with all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self.update(parameter, parameter.grad, self.state[parameter], group)
        return loss


class MomentumSGD(_Optimizer):
    """v <- momentum v - rate g, then w <- w + v (Polyak 1964).

    Nesterov's form looks ahead: w <- w + momentum v - rate g, v being the new one (Nesterov 1983, in the form of
    Sutskever 2013). PyTorch's SGD keeps v without the rate in it, v <- momentum v + g and w <- w - rate v. That is the
    same while the rate is constant; when the rate falls, PyTorch slows the old gradients down as well.
    """

    def __init__(self, parameters: Iterable[Any], lr: float, momentum: float = 0.9, nesterov: bool = False):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "nesterov": nesterov})

    def update(
        self, parameter: torch.Tensor, gradient: torch.Tensor, memory: dict[str, torch.Tensor], group: dict[str, Any]
    ) -> None:
        """One step down."""
        if not memory:
            memory["velocity"] = torch.zeros_like(parameter)
        velocity = memory["velocity"].mul_(group["momentum"]).sub_(gradient, alpha=group["lr"])
        if group["nesterov"]:
            parameter.add_(velocity, alpha=group["momentum"]).sub_(gradient, alpha=group["lr"])
        else:
            parameter.add_(velocity)


class RMSprop(_Optimizer):
    """w <- w - rate g / sqrt(v + epsilon), v the moving average of g^2 (Tieleman and Hinton 2012).

    PyTorch's has sqrt(v) + epsilon, and a slower average (0.99).
    """

    def __init__(self, parameters: Iterable[Any], lr: float, rho: float = 0.9):
        super().__init__(parameters, {"lr": lr, "rho": rho})

    def update(
        self, parameter: torch.Tensor, gradient: torch.Tensor, memory: dict[str, torch.Tensor], group: dict[str, Any]
    ) -> None:
        """One step, each weight at its own scale."""
        if not memory:
            memory["squares"] = torch.zeros_like(parameter)
        squares = memory["squares"].mul_(group["rho"]).addcmul_(gradient, gradient, value=1 - group["rho"])
        parameter.addcdiv_(gradient, (squares + EPSILON).sqrt_(), value=-group["lr"])


class Adam(torch.optim.AdamW):
    """Adam (Kingma and Ba 2015), and with a weight decay AdamW (Loshchilov and Hutter 2019).

    PyTorch adds epsilon to sqrt(v / (1 - beta_2^t)), after the correction for the start; Keras adds it to sqrt(v),
    before. So PyTorch's step is Keras' with an epsilon that is larger by what the correction will take away again.
    """

    def __init__(self, parameters: Iterable[Any], lr: float, beta_2: float = 0.999, weight_decay: float = 0.0):
        super().__init__(parameters, lr=lr, betas=(0.9, beta_2), weight_decay=weight_decay)
        for group in self.param_groups:
            if all(parameter.device.type == "cpu" for parameter in group["params"]):
                group["fused"] = True  # one call for a parameter's step instead of ten; on a GPU PyTorch chooses

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Takes one step with all parameters that have a gradient."""
        for group in self.param_groups:
            steps = next((int(self.state[one]["step"]) for one in group["params"] if one in self.state), 0) + 1
            group["eps"] = EPSILON / math.sqrt(1 - group["betas"][1] ** steps)
        return super().step(closure)


def warm_up_then_cosine(steps: int) -> Callable[[int], float]:
    """Returns the share of the highest rate by the number of steps done, for a run of so many steps.

    It goes up along a line from 1/25 in the first tenth, then down to zero along a cosine (Loshchilov and Hutter 2017,
    SGDR).
    """
    warm_up = max(1, steps // 10)
    falling = max(1, steps - warm_up)

    def share(step: int) -> float:
        if step < warm_up:
            return 1 / 25 + (1 - 1 / 25) * step / warm_up
        return 0.5 * (1 + math.cos(math.pi * min(step - warm_up, falling) / falling))

    return share


def make(
    recipe: Recipe, parameters: Iterable[nn.Parameter]
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Returns the optimizer of a recipe, with Keras' constants, and the scheduler of its learning rate.

    The scheduler's `step()` is called after each `step()` of the optimizer. Where the recipe's rate is constant it
    changes nothing.

    Args:
        recipe: with its steps counted.
        parameters: to be trained; those with `requires_grad = False` are left out.
    """
    trained, rate = [parameter for parameter in parameters if parameter.requires_grad], recipe.rate
    makers: dict[str, Callable[[], torch.optim.Optimizer]] = {
        "sgd": lambda: torch.optim.SGD(trained, rate, foreach=False),  # does not look for the fastest way each step
        "momentum": lambda: MomentumSGD(trained, rate),
        "nesterov": lambda: MomentumSGD(trained, rate, nesterov=True),
        "rmsprop": lambda: RMSprop(trained, rate),
        # Keras divides by sqrt(sum + epsilon), PyTorch by sqrt(sum) + epsilon: here epsilon is in the sum from the
        # start. The sum starts at 0.1 in Keras, at 0 in PyTorch.
        "adagrad": lambda: torch.optim.Adagrad(trained, rate, initial_accumulator_value=0.1 + EPSILON, eps=0),
        "adam": lambda: Adam(trained, rate),
        # A memory of 100 steps for the second moment, not 1,000: the runs here are some 2,000 steps long.
        "adamw": lambda: Adam(trained, rate, beta_2=0.99, weight_decay=0.01),
        # The momentum warms up with 0.96^t in Keras 3, in some ten steps; with 0.96^(0.004 t) in PyTorch.
        "nadam": lambda: torch.optim.NAdam(trained, rate, eps=EPSILON, momentum_decay=1.0),
        # Keras has none: the kit's is this one.
        "rprop": lambda: torch.optim.Rprop(trained, rate),
        # The same step in both; by default PyTorch averages over fewer steps (0.9) and has epsilon 1e-6.
        "adadelta": lambda: torch.optim.Adadelta(trained, rate, rho=0.95, eps=EPSILON),
    }
    optimizer = makers[recipe.optimizer]()
    if recipe.schedule_steps is None:
        return optimizer, torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0, total_iters=0)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, warm_up_then_cosine(recipe.schedule_steps))

"""Rprop for Keras, which has none: an optimizer of one's own is a subclass with variables and an update step.

This module imports Keras; `recipe` imports it when the optimizer is asked for.
"""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable("workshop")
class Rprop(keras.optimizers.Optimizer):
    """w <- w - d sign(g): each weight has a step length d of its own, and of its gradient only the sign counts.

    While the sign stays, d grows; when it changes, d shrinks, and the weight rests for one step (Riedmiller and Braun
    1993; in the form iRprop- of Igel and Huesken 2000, which is PyTorch's).

    Args:
        learning_rate: the first d of all weights; a rate that changes later changes nothing.
        shrink, grow: the factors of d.
        smallest, largest: the limits of d.
        name, **options: as of `keras.optimizers.Optimizer`.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        shrink: float = 0.5,
        grow: float = 1.2,
        smallest: float = 1e-6,
        largest: float = 50.0,
        name: str = "rprop",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **options)
        self.shrink, self.grow, self.smallest, self.largest = shrink, grow, smallest, largest

    def build(self, variables: list[keras.Variable]) -> None:
        """Creates the step length and the last sign of each weight."""
        if self.built:
            return
        super().build(variables)
        self._lengths, self._signs = (
            [self.add_variable_from_reference(variable, name=name) for variable in variables]
            for name in ("step_length", "sign")
        )

    def update_step(self, gradient: Any, variable: keras.Variable, learning_rate: Any) -> None:
        """Takes one step with one array of weights."""
        ops, index = keras.ops, self._get_variable_index(variable)
        length, sign_before = self._lengths[index], self._signs[index]
        sign = ops.sign(ops.cast(gradient, variable.dtype))
        agreement = sign * sign_before  # 1 the same, -1 changed, 0 where there was none
        factor = ops.where(agreement > 0, self.grow, ops.where(agreement < 0, self.shrink, 1.0))
        first = ops.cast(learning_rate, variable.dtype)
        new_length = ops.where(ops.equal(self.iterations, 0), first, length) * ops.cast(factor, variable.dtype)
        new_length = ops.clip(new_length, self.smallest, self.largest)
        sign = ops.where(agreement < 0, 0.0, sign)
        self.assign(length, new_length)
        self.assign(sign_before, sign)
        self.assign_sub(variable, new_length * sign)

    def get_config(self) -> dict[str, Any]:
        """Returns the settings, for saving."""
        settings = {name: getattr(self, name) for name in ("shrink", "grow", "smallest", "largest")}
        return {**super().get_config(), **settings}

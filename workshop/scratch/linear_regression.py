"""One neuron draws a line, in NumPy: the mirror of `workshop/linear_regression.py`.

The same data, options, figures and files; forward, backward and the step down are those of `workshop/scratch`.

    python -m workshop.scratch.linear_regression                      # all parts; then look into the folder plots
    python -m workshop.scratch.linear_regression --part features --data YOUR.csv
    python -m workshop.scratch.linear_regression --part descents          # batch sizes, rates, stopping, outputs

Expected, as with Keras: the line says 27 for 13 and -9 for -5, within 0.05; the weights of the houses agree with the
normal equation within 0.001; unscaled features diverge, scaled ones explain at least 90 % of the variance of the test
prices (R2), also at the rate that the validation rows choose; stopped early, the best epoch's weights are kept. About
10 s on two CPU cores. Then `python -m apps.house_price`.
"""

from collections.abc import Sequence
from typing import Any

from workshop import linear_regression as lesson
from workshop.kit import cli
from workshop.kit.engine import Engine
from workshop.scratch.nn import training
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.network import Network


def build(features: int, outputs: int, seed: int) -> Network:
    """Returns one neuron for each output, without an activation: (features,) -> w1 x1 + w2 x2 + ... + b."""
    return Network([Dense(outputs)], (features,), seed)


def train(*arguments: Any, **options: Any) -> Any:
    """Fits a model: see `training.fit`."""
    return training.fit(*arguments, loss="mean_squared_error", **options)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on the NumPy engine; returns the metrics."""
    return lesson.main(argv, Engine("numpy", __doc__, training.prepare, build, train))


if __name__ == "__main__":
    cli.run(main)

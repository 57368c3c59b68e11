"""What a lesson needs of the library that it trains with.

A lesson is written in Keras. Its mirrors, `workshop/pytorch/<lesson>.py` and `workshop/scratch/<lesson>.py`, build and
train the same models in PyTorch and in NumPy, and hand them to the lesson as an `Engine`: the data, the options, the
figures and the saved model are the lesson's, so that they cannot differ.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from workshop.kit.training.history import History

NAMES = {"keras": "Keras", "torch": "PyTorch", "numpy": "NumPy"}


class Plan(NamedTuple):
    """How a model is trained.

    Attributes:
        optimizer: its name, one of `cli.OPTIMIZERS`.
        learning_rate: constant or, with `steps`, the highest; None for the optimizer's own.
        epochs: passes over the data.
        batch_size: samples a step.
        steps: of the whole run, where the rate warms up and then falls along a cosine; else None.
        clip: the greatest norm that the gradient by all weights together may have, in a lesson with the option
            `--clip`; a longer one is shortened to it. Else None.
    """

    optimizer: str
    learning_rate: float | None
    epochs: int
    batch_size: int
    steps: int | None = None
    clip: float | None = None


@dataclass(frozen=True)
class Engine:
    """A library, and one lesson's models in it.

    Attributes:
        name: "keras", "torch" or "numpy".
        docstring: what `--help` begins with.
        prepare: seeds everything; from the seed, and the precision where the lesson has that option, to a line that
            says what the run is computed on.
        build: makes one of the lesson's models; the lesson says with which arguments, the seed last.
        train: fits a model: (model, X, y, plan, seed, **options of `fitting.fit`) to the history.
    """

    name: str
    docstring: str | None
    prepare: Callable[..., str]
    build: Callable[..., Any]
    train: Callable[..., History]

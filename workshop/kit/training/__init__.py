"""Training: recipes, batches in an order that can be repeated, `fit` for small tables, and callbacks that resume.

`Resume`, `StepLosses`, `Snapshots` and `Watch` are Keras callbacks: they are imported at their first use, and Keras
with them.
"""

from typing import TYPE_CHECKING, Any

from workshop.kit.training.batches import photo_batches as photo_batches
from workshop.kit.training.batches import shuffled_batches as shuffled_batches
from workshop.kit.training.recipe import Recipe as Recipe
from workshop.kit.training.table import fit_table as fit_table

if TYPE_CHECKING:
    from workshop.kit.training.callbacks import Resume as Resume
    from workshop.kit.training.callbacks import Snapshots as Snapshots
    from workshop.kit.training.callbacks import StepLosses as StepLosses
    from workshop.kit.training.callbacks import Watch as Watch
    from workshop.kit.training.callbacks import tensorboard as tensorboard


def __getattr__(name: str) -> Any:
    if name in {"Resume", "Snapshots", "StepLosses", "Watch", "tensorboard"}:
        from workshop.kit.training import callbacks

        return getattr(callbacks, name)
    raise AttributeError(f"module {__name__} has no attribute {name}")

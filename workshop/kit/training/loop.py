"""Fitting, whichever engine takes the steps: the loop over epochs, early stopping, and resuming.

An engine gives a `training_run.Run`, which knows how to take steps on batches. `fit` decides the order of the samples
from (seed, epoch), keeps the loss of every epoch in a `history`, shows the `progress`, and writes the state of the run
to a `checkpoint` after every call, from which `resume=True` goes on and ends with the weights that an uninterrupted run
would have had.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.kit.training import batching
from workshop.kit.training.history import History
from workshop.kit.training.loop_checkpoint import Checkpoint
from workshop.kit.training.progress import Progress
from workshop.kit.training.run import Run


def fit(
    run: Run,
    *,
    epochs: int,
    batch_size: int,
    seed: int,
    validation_data: tuple[np.ndarray, np.ndarray] | None = None,
    patience: int | None = None,
    snapshots: Sequence[int] = (),
    checkpoint: Path | None = None,
    resume: bool = False,
    may_diverge: bool = False,
    title: str = "",
) -> History:
    """Trains.

    Args:
        run: of an engine, with the model and the data.
        epochs: passes over the data.
        batch_size: samples a step; the last batch of an epoch may be smaller.
        seed: with the number of the epoch it decides the order of the samples.
        validation_data: (X, y) measured after every epoch, reported as `val_loss` and so on.
        patience: stop when `val_loss` has not improved for so many epochs, and put the best weights back.
        snapshots: the epochs after which the weights are kept in the history.
        checkpoint: a file for the state of the run. The caller deletes it when the model is saved.
        resume: go on from the checkpoint, if there is one.
        may_diverge: a loss that is no longer finite ends the training early instead of being an error.
        title: printed before the progress.

    Returns:
        The history, the epochs before a resume included.

    Raises:
        WorkshopError: the loss is no longer finite; or the checkpoint is of another run or cannot be written.
    """
    history = History()
    best: list[np.ndarray] = []
    checkpoint = getattr(checkpoint, "path", checkpoint)
    state = Checkpoint(checkpoint, run, epochs, batch_size, seed) if checkpoint else None
    if state and state.path.exists():
        if resume:
            best = state.load(history)
            print(f"Resumed   after epoch {history.finished} of {epochs} ({state.path})")
        else:
            print(
                f"Note      {state.path} is of a run that was stopped; --resume goes on with it, this run starts anew"
            )
    elif resume:
        print("Resume    found nothing to go on with: starting from the first epoch")
    if title and history.finished < epochs:
        print(title)
    if 0 in snapshots and not history.finished:
        history.snapshots[0] = run.get_weights()
    progress = Progress(run, epochs, batch_size)

    while history.finished < epochs and not _is_patience_spent(history, patience):
        first = history.finished
        orders = [
            batching.epoch_order(run.samples, seed, first + i)
            for i in range(_epochs_together(run, first, epochs, batch_size))
        ]
        if validation_data is not None or any(first < epoch < first + len(orders) for epoch in snapshots):
            # Somebody looks after single epochs.
            orders = orders[:1]
        run.begin_epoch(first)
        progress.begin(history)
        for call in run.train(orders, batch_size):
            progress.update(history, call)
        if not np.isfinite(history.epochs["loss"][-1]):
            if may_diverge:
                break
            raise WorkshopError(
                f"training diverged: the loss is {history.epochs['loss'][-1]} after epoch {history.finished}; take a "
                f"smaller --learning-rate, and scaled inputs. The model saved before is unchanged"
            )
        if validation_data is not None:
            for name, value in run.evaluate(*validation_data).items():
                history.epochs.setdefault(f"val_{name}", []).append(value)
        if patience is not None and _best_epoch(history) == history.finished:
            best = run.get_weights()
        if history.finished in snapshots:
            history.snapshots[history.finished] = run.get_weights()
        if state:
            state.save(history, best, at_once=history.finished == epochs)
    progress.close(history)
    history.best_epoch = history.finished
    if best:
        history.best_epoch = _best_epoch(history)
        run.set_weights(best)
    return history


def _epochs_together(run: Run, first: int, epochs: int, batch_size: int) -> int:
    """Returns how many epochs one call trains."""
    if not run.takes_epochs_together or batching.is_long(run.samples, batch_size):
        return 1
    return min(epochs - first, max(1, batching.STEPS_A_CALL_OF_EPOCHS // -(-run.samples // batch_size)))


def _best_epoch(history: History) -> int:
    return int(np.argmin(history.epochs["val_loss"])) + 1


def _is_patience_spent(history: History, patience: int | None) -> bool:
    if patience is None or not history.finished:
        return False
    return history.finished - _best_epoch(history) >= patience

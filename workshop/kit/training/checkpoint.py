"""The checkpoint of a training: its state in a file, from which it goes on as if it had never been stopped."""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workshop.kit import files, processes
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath

_SECONDS_BETWEEN_CHECKPOINTS = 0.5


class State(NamedTuple):
    """The content of a checkpoint.

    Attributes:
        arrays: what the engine needs to go on, by names of its own.
        notes: all else, as JSON knows it: the history, say.
    """

    arrays: dict[str, np.ndarray]
    notes: dict[str, Any]


def part(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """Returns the arrays below a name by the rest of theirs: "optimizer/steps" as "steps"."""
    return {key.removeprefix(f"{name}/"): array for key, array in arrays.items() if key.startswith(f"{name}/")}


class Checkpoint:
    """The file that a training writes its state to, and goes on from with `--resume`.

    Args:
        path: of the file, a `.npz` without Python objects in it. The caller deletes it when the model is saved.
        resume: whether to go on from it.
    """

    def __init__(self, path: FilePath, resume: bool = False) -> None:
        self.path, self.resume = Path(path), resume
        self._settings = ""
        self._next = -math.inf  # the time before which no state is written

    def begin(self, settings: Mapping[str, Any], restore: Callable[[State], int], epochs: int) -> int:
        """Goes on from the file, if that is wanted and it is there; says what it does.

        Args:
            settings: what must be the same in a training and in the one that resumes it, as JSON knows it.
            restore: puts a state back and returns how many epochs were done.
            epochs: of the whole training.

        Returns:
            How many epochs are done.

        Raises:
            WorkshopError: the file is damaged, or of a training with other settings.
        """
        self._settings = json.dumps(settings, sort_keys=True)
        self._next = -math.inf
        # Where several processes share a training, the first one's file is that of all.
        content = processes.from_first(self._read())
        if content is not None:
            finished = self._restore(content, restore)
            print(f"Resumed   after epoch {finished} of {epochs} ({self.path})")
            return finished
        if self.resume:
            print("Resume    found nothing to go on with: starting from the first epoch")
        elif self.path.exists():
            print(f"Note      {self.path} is of a run that was stopped; --resume goes on with it, this run starts anew")
        return 0

    def remaining_epochs(
        self, settings: Mapping[str, Any], epochs: int, capture: Callable[[], State], restore: Callable[[State], None]
    ) -> Iterator[int]:
        """Yields the epochs that are still to be trained, from 0, and keeps the state after each.

        Args:
            settings: what must be the same in a training and in the one that resumes it, as JSON knows it.
            epochs: of the whole training.
            capture: returns the state; the number of epochs that are done is kept with it.
            restore: puts a state back.
        """

        def put_back(state: State) -> int:
            restore(state)
            return int(state.notes["epoch"])

        def current() -> State:
            arrays, notes = capture()
            return State(arrays, {**notes, "epoch": done})

        done = self.begin({**settings, "epochs": epochs}, put_back, epochs)
        while done < epochs:
            yield done
            done += 1
            self.save(current, at_once=done == epochs)

    def _read(self) -> bytes | None:
        """Returns the file's content, if it is wanted and there; nothing of one that cannot be read."""
        if not self.resume or not self.path.exists():
            return None
        try:
            return self.path.read_bytes()
        except OSError:
            return b""

    def _restore(self, content: bytes, restore: Callable[[State], int]) -> int:
        try:
            # Without pickle a forged file runs no code.
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            notes = json.loads(arrays.pop("notes").tobytes())
            before, now = json.loads(notes.pop("settings")), json.loads(self._settings)
            changed = ", ".join(name for name in now if now[name] != before.get(name))
            if not changed:
                return restore(State(arrays, notes))
        except Exception as error:  # zipfile, NumPy and the engines raise whatever the damaged bytes lead them to
            raise WorkshopError(f"{self.path} is not a checkpoint: delete it and start without --resume") from error
        raise WorkshopError(
            f"{self.path} is of a run with other settings ({changed} differ): "
            f"give the same options, or start anew without --resume"
        )

    def save(self, state: Callable[[], State], at_once: bool = False) -> None:
        """Writes the state, unless the last one is so young that losing what came since costs nobody anything."""
        if not processes.is_first():
            return
        started = time.monotonic()
        if not at_once and started < self._next:
            return
        arrays, notes = state()
        content = io.BytesIO()
        encoded = json.dumps({**notes, "settings": self._settings}).encode()
        np.savez(content, notes=np.frombuffer(encoded, np.uint8), **arrays)  # type: ignore[arg-type]
        files.write_atomically(self.path, content.getvalue())
        # Where writing itself takes long, as for ten million weights, it waits longer.
        self._next = started + _SECONDS_BETWEEN_CHECKPOINTS * max(1.0, 40 * (time.monotonic() - started))


def check_finite(loss: float, epoch: int) -> None:
    """Refuses to go on with a loss that is no longer a number.

    Raises:
        WorkshopError: the training diverged in this epoch, counted from 1.
    """
    if not math.isfinite(loss):
        raise WorkshopError(
            f"training diverged: the loss is {loss} after epoch {epoch}; take a smaller --learning-rate, "
            f"and scaled inputs. The model saved before is unchanged"
        )

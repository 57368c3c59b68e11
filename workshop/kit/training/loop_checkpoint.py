"""The checkpoint of a run: its state in a file, from which it goes on as if it had never been stopped."""

import io
import json
import math
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from workshop.kit import files
from workshop.kit.errors import WorkshopError
from workshop.kit.training import checkpoint
from workshop.kit.training.history import History
from workshop.kit.training.run import Run


class _Kept(NamedTuple):
    """What a checkpoint holds, once it was read."""

    state: dict[str, np.ndarray]
    best: list[np.ndarray]
    snapshots: dict[int, list[np.ndarray]]


class Checkpoint:
    """The state of a run in a .npz: what the engine needs to go on, the best weights so far, the history."""

    def __init__(self, path: Path, run: Run, epochs: int, batch_size: int, seed: int) -> None:
        self.path = path
        self._run = run
        settings = {"engine": run.engine, "epochs": epochs, "batch_size": batch_size, "seed": seed}
        self._fingerprint = json.dumps(settings | run.describe(), sort_keys=True)
        self._saved = -math.inf
        self._patience = 1.0  # how many times as long it waits where writing itself takes long: ten million weights

    def save(self, history: History, best: list[np.ndarray], at_once: bool = False) -> None:
        """Writes the state, unless the last one is so young that losing what came since costs nobody anything."""
        started = time.monotonic()
        if not at_once and started - self._saved < checkpoint._SECONDS_BETWEEN_CHECKPOINTS * self._patience:
            return
        self._saved = started
        progress = {"run": self._fingerprint, "epochs": history.epochs, "fine": history.fine, "at": history.at}
        arrays = {"progress": np.frombuffer(json.dumps(progress).encode(), np.uint8)}
        arrays |= {f"state_{name}": array for name, array in self._run.state().items()}
        arrays |= {f"best_{i}": weight for i, weight in enumerate(best)}
        for epoch, weights in history.snapshots.items():
            arrays |= {f"snapshot_{epoch}_{i}": weight for i, weight in enumerate(weights)}
        content = io.BytesIO()
        np.savez(content, **arrays)  # type: ignore[arg-type]
        files.write_atomically(self.path, content.getvalue())
        self._patience = max(1.0, 40 * (time.monotonic() - started))

    def load(self, history: History) -> list[np.ndarray]:
        """Puts the state back; returns the best weights so far, with early stopping."""
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            progress = json.loads(arrays.pop("progress").tobytes())
            theirs, ours = json.loads(progress["run"]), json.loads(self._fingerprint)
            changed = ", ".join(name for name in ours if ours[name] != theirs.get(name))
            kept = _sorted(arrays)
            epochs, fine, at = progress["epochs"], progress["fine"], progress["at"]
            if not changed:
                self._run.restore(kept.state)
        except Exception as error:  # zipfile, NumPy and the engines raise whatever the damaged bytes lead them to
            raise WorkshopError(f"{self.path} is not a checkpoint: delete it and start without --resume") from error
        if changed:
            raise WorkshopError(
                f"{self.path} is of a run with other settings ({changed} differ): "
                f"give the same options, or start anew without --resume"
            )
        history.epochs, history.fine, history.at = epochs, fine, at
        history.snapshots = kept.snapshots
        return kept.best


def _sorted(arrays: dict[str, np.ndarray]) -> _Kept:
    """Parts the arrays of a checkpoint by what their names begin with."""
    state: dict[str, np.ndarray] = {}
    best: dict[int, np.ndarray] = {}
    snapshots: dict[int, dict[int, np.ndarray]] = {}
    for name, array in arrays.items():
        kind, _, rest = name.partition("_")
        if kind == "state":
            state[rest] = array
        elif kind == "best":
            best[int(rest)] = array
        elif kind == "snapshot":
            epoch, number = rest.split("_")
            snapshots.setdefault(int(epoch), {})[int(number)] = array
    return _Kept(
        state,
        [best[i] for i in sorted(best)],
        {epoch: [weights[i] for i in sorted(weights)] for epoch, weights in snapshots.items()},
    )

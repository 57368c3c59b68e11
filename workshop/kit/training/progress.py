"""The progress of a run: what its calls report goes to the bar on the screen and into the history."""

from typing import Any

import numpy as np

from workshop.kit.training import batching
from workshop.kit.training.history import History
from workshop.kit.training.run import Call, Run


class Progress:
    """The bar on the screen, and the history: both grow with every call."""

    def __init__(self, run: Run, epochs: int, batch_size: int) -> None:
        self._run, self._epochs, self._names = run, epochs, run.names
        self._steps = -(-run.samples // batch_size)
        self._by_step = batching.is_long(run.samples, batch_size)
        self._bar: Any = None
        self._sums = np.zeros(len(run.names))

    def begin(self, history: History) -> None:
        """Shows a bar before there is anything to report, so that its clock is right."""
        if self._bar is None and self._by_step:
            print(f"Epoch {history.finished + 1}/{self._epochs}")
            self._bar = self._run.bar(self._steps, "step")
        elif self._bar is None:
            self._bar = self._run.bar(self._epochs, "epoch")

    def update(self, history: History, call: Call) -> None:
        """Takes in what a call reports."""
        before = history.finished
        for row, passed, weight in zip(call.values, call.passed, call.weights, strict=True):
            self._sums += row * weight
            history.at.append(before + passed)
            for name, value in zip(self._names, row, strict=True):
                history.fine.setdefault(name, []).append(float(value))
            if not call.ends_epoch and passed < 1:
                continue
            for name, value in zip(self._names, self._sums, strict=True):
                history.epochs.setdefault(name, []).append(float(value))
            self._sums[:] = 0
        latest = [(name, history.fine[name][-1]) for name in self._names]
        if self._by_step:
            at = self._steps if call.ends_epoch else round(call.passed[-1] * self._steps)
            if call.ends_epoch:
                latest = [(name, history.epochs[name][-1]) for name in self._names]
            self._bar.update(at, latest, finalize=call.ends_epoch)
            if call.ends_epoch:
                self._bar = None
        else:
            self._bar.update(history.finished, latest, finalize=history.finished == self._epochs)

    def close(self, history: History) -> None:
        """Ends the line of a bar that early stopping left unfinished."""
        if self._bar is not None and not self._by_step and history.finished < self._epochs:
            self._bar.update(history.finished, finalize=True)

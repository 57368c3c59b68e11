"""A process of `test_several_machines`: it runs the lesson, and writes down the mean metrics of its epochs.

Apart from the tests, so that a process loads its own engine alone.
"""

import json
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from workshop.kit import cli


def remember(engine: str, path: str, *options: str) -> None:
    """Runs the lesson, and writes the mean metrics of its epochs to a file: it only prints them, in few digits."""
    histories = []
    if engine == "torch":
        from workshop.pytorch import mnist as mirror

        train = mirror.train

        def train_and_remember(network: Any, loader: Any, state: Any) -> None:
            train(network, loader, state)
            histories.append(state.history)

        with mock.patch.object(mirror, "train", train_and_remember):
            mirror.main(options)
    else:
        from workshop import mnist
        from workshop.kit import device, training

        class Remembering(training.Resume):
            def on_train_end(self, logs: Any = None) -> None:
                super().on_train_end(logs)
                histories.append(self.model.history.history)

        # Nobody waits half a minute for a process that a test has killed.
        with mock.patch.object(training, "Resume", Remembering), mock.patch.object(device, "_SECONDS_OF_SILENCE", 10):
            mnist.main(options)
    Path(path).write_text(json.dumps(histories), "utf-8")


if __name__ == "__main__":
    cli.run(lambda: remember(*sys.argv[1:]))

"""One training in one process and shared by several on this machine: images a second, and the same loss.

    WORKSHOP_DATA=... python -m benchmarks.several_machines [--processes 2] [--images 6400] [--limit 300]

Each process gets a core of its own, as it would have a machine of its own; the global batch stays the same. What the
processes gain grows with the work of a step, and what they lose is the time in which they add up their gradients: here
through the memory of one machine, elsewhere over a network. About four minutes; a table for PyTorch and, where JAX is
installed, one for Keras on JAX.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import measure
from workshop.kit import processes

ROOT = Path(__file__).parents[1]
ENGINES = {"torch": "PyTorch, `torchrun`", "keras": "Keras on JAX"}
RUNS = (("dense", 64), ("cnn", 64), ("cnn", 512))  # the network and the global batch
EPOCHS = 3  # the first of which also compiles
HEADINGS = ("network", "batch", "images/s, 1 process", "images/s, {}", "speed-up", "efficiency", "losses differ by")


def train_torch(kind: str, batch_size: int, count: int) -> tuple[list[float], list[float]]:
    """Trains the mirror's network on so many images; returns the epochs' seconds an image and mean losses."""
    from torch.utils.data import DataLoader

    from workshop.kit.data.images import load_image_set, scale_pixels
    from workshop.pytorch import mnist
    from workshop.pytorch.kit import device, distributed
    from workshop.pytorch.kit.dataset import ArrayDataset
    from workshop.pytorch.kit.model import TorchModel
    from workshop.pytorch.kit.state import TrainingState

    seconds = []

    class Timed(TrainingState):
        def epochs(self, *parts: Any) -> Iterator[int]:
            for epoch in super().epochs(*parts):
                started = time.perf_counter()
                yield epoch
                seconds.append(time.perf_counter() - started)

    device.prepare(1)
    images, arguments, recipe = load_image_set("mnist"), *_recipe(kind, batch_size, count)
    samples = ArrayDataset(images.X_train[:count], images.y_train[:count], scale_pixels)
    batches = distributed.SharedBatches(len(samples), batch_size, seed=1)
    network = mnist.build(kind, arguments)
    model = TorchModel(network, (28, 28, 1), "softmax")
    state = Timed(None, recipe.for_samples(len(samples)), model, verbose=0)
    mnist.train(network, DataLoader(samples, sampler=batches, batch_size=None), state)
    return [epoch / len(samples) for epoch in seconds], state.history["loss"]


def train_keras(kind: str, batch_size: int, count: int) -> tuple[list[float], list[float]]:
    """Trains the lesson's network on so many images; returns the epochs' seconds an image and mean losses."""
    import keras

    from workshop import mnist
    from workshop.kit import device, training
    from workshop.kit.data.images import load_image_set, scale_pixels

    seconds = []

    class Timer(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self._started = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seconds.append(time.perf_counter() - self._started)

    device.prepare(1)
    images, arguments, recipe = load_image_set("mnist"), *_recipe(kind, batch_size, count)
    X, y = images.X_train[:count], images.y_train[:count]
    batches = training.shuffled_batches(X, y, batch_size, 1, scale_pixels)
    with device.scope(1):
        model = mnist.build(kind, arguments)
    model.compile(
        optimizer=recipe.for_samples(len(X)).make_optimizer(),
        loss="sparse_categorical_crossentropy",
        steps_per_execution=device.steps_per_execution(),
    )
    history = model.fit(batches, epochs=EPOCHS, shuffle=False, verbose=0, callbacks=[Timer()])
    return [epoch / len(X) for epoch in seconds], history.history["loss"]


def _recipe(kind: str, batch_size: int, count: int) -> tuple[argparse.Namespace, Any]:
    from workshop import mnist

    options = ["--model", kind, "--epochs", str(EPOCHS), "--batch-size", str(batch_size), "--no-plots"]
    arguments = mnist.parse("Measures.", options)
    return arguments, arguments.recipes[kind].with_options(arguments, samples=count)


def work(engine: str, kind: str, batch_size: int, count: int) -> None:
    """Trains as one of the processes; the first one prints images a second and the losses, as JSON."""
    processes.begin(engine, may_share=True)
    if hasattr(os, "sched_setaffinity"):  # a core of its own, before a library counts them
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[processes.index() % len(cores)]})
    seconds, losses = (train_torch if engine == "torch" else train_keras)(kind, batch_size, count)
    print(json.dumps({"rate": 1 / statistics.median(seconds[1:]), "losses": losses}))


def start(engine: str, kind: str, batch_size: int, count: int, number: int, limit: float) -> dict[str, Any]:
    """Runs one training in so many processes; returns what the first one measured.

    Raises:
        RuntimeError: one of them failed, or took too long.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    running = []
    command = [sys.executable, "-m", "benchmarks.several_machines", "--work", engine, kind, str(batch_size), str(count)]
    try:
        for index in range(number):
            names = processes.VARIABLES[engine]
            values = {names[0]: str(number), names[1]: str(index), "OMP_NUM_THREADS": "1", "KERAS_BACKEND": "jax"}
            values |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "LOCAL_WORLD_SIZE": "1"}
            values |= {f"{processes.KERAS_PREFIX}JOB_ADDRESSES": f"127.0.0.1:{port}"}
            running.append(
                subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=os.environ | values,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    errors="replace",
                )
            )
        outputs = [process.communicate(timeout=limit) for process in running]
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{engine}, {kind}: took more than {limit:.0f} s") from error
    finally:
        for process in running:
            process.kill()
    if any(process.returncode for process in running):
        raise RuntimeError("\n".join(errors for _, errors in outputs))
    measured = json.loads(outputs[0][0].splitlines()[-1])
    assert isinstance(measured, dict)
    return measured


def row(kind: str, batch_size: int, one: dict[str, Any], several: dict[str, Any], number: int) -> list[str]:
    """Returns a row of the table."""
    ratio = several["rate"] / one["rate"]
    difference = max(abs(a - b) for a, b in zip(one["losses"], several["losses"], strict=True))
    rates = [f"{measured['rate']:,.0f}" for measured in (one, several)]
    return [kind, f"{batch_size:,}", *rates, f"{ratio:.2f}", f"{ratio / number:.0%}", f"{difference:.0e}"]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES), help="(default: both)")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="that share a training (default: 2)")
    parser.add_argument("--images", type=int, default=6400, metavar="N", help="training images (default: 6,400)")
    parser.add_argument("--limit", type=float, default=300, metavar="SECONDS", help="time for each run (default: 300)")
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        engine, kind, batch_size, count = arguments.work
        work(engine, kind, int(batch_size), int(count))
        return
    print(f"{measure.machine()}; each process has one of them")
    number = arguments.processes
    headings = [heading.format(f"{number} processes") for heading in HEADINGS]
    for engine in arguments.engines:
        library = "torch" if engine == "torch" else "jax"
        print(f"\n{ENGINES[engine]}")
        if importlib.util.find_spec(library) is None:
            print(f"{library} is not installed: left out")
            continue
        rows = []
        for kind, batch_size in RUNS:
            measured = [
                start(engine, kind, batch_size, arguments.images, count, arguments.limit) for count in (1, number)
            ]
            rows.append(row(kind, batch_size, measured[0], measured[1], number))
        print(measure.markdown(headings, rows), flush=True)


if __name__ == "__main__":
    main()

"""Overfitting and what helps against it, in PyTorch: the mirror of `workshop/regularization.py`.

The same digits, remedies, options, metrics, plots and files. PyTorch has no regularizers and no constraints: a penalty
is added to the loss where it is computed, and the weights are shortened after the step.

    python -m workshop.pytorch.regularization            # all of it; then look into the folder plots
    python -m workshop.pytorch.regularization --jobs 1   # the same numbers from one process, with its progress
    python -m workshop.pytorch.regularization --quick    # a first look

Expected, as with Keras: without a remedy a gap of about 18 points between training and test accuracy; with max-norm
and elastic distortions at least 91 % of the test digits. Less than a minute on two CPU cores, where two processes train
side by side; about a minute and a half in one.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop import regularization as lesson
from workshop.figures import regularization as figures
from workshop.kit import cli
from workshop.kit.data.images import load_image_set
from workshop.kit.errors import WorkshopError
from workshop.kit.report import Report
from workshop.kit.training import Recipe
from workshop.kit.training.checkpoint import Checkpoint
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.layers import initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import TrainingState
from workshop.regularization import NOTHING, OUTPUTS, RECIPES, REMEDIES, RING_UNITS, SIDE, Digits, Remedy

History = dict[str, list[float]]  # of each epoch
Weights = dict[int, list[np.ndarray]]  # by epochs


class Network(nn.Module):
    """The network: (n, 784) -> 36, sigmoid -> (n, 10) logits, each a question of yes and no."""

    def __init__(self, remedy: Remedy = NOTHING) -> None:
        super().__init__()
        self.hidden = nn.Linear(SIDE * SIDE, remedy.units)
        self.dropout = nn.Dropout(remedy.dropout)
        self.output = nn.Linear(remedy.units, OUTPUTS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the logits of images."""
        x = torch.sigmoid(self.hidden(x))
        return self.output(self.dropout(x))


class RingNetwork(nn.Module):
    """The network 2 -> 300 -> 2 logits."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(2, RING_UNITS)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(RING_UNITS, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the logits of points."""
        x = torch.relu(self.hidden(x))
        return self.output(self.dropout(x))


def build(remedy: Remedy, seed: int) -> Network:
    """Returns the network with its weights drawn as the lesson draws them."""
    torch.manual_seed(seed)
    network = Network(remedy)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=lesson.START)
    return network


def train(
    network: nn.Module,
    loader: DataLoader,
    state: TrainingState,
    criterion: nn.Module,
    remedy: Remedy = NOTHING,
    held_out: Digits | None = None,
) -> None:
    """The training loop of PyTorch, written out; `state` shows it, remembers it and goes on where it was stopped.

    By the loss on the `held_out` images the training is stopped early.
    """
    optimizer, _ = optimizers.make(state.recipe, network.parameters())  # the rate is constant: no scheduler
    weights = [parameter for parameter in network.parameters() if parameter.ndim > 1]  # no biases
    for _epoch in state.epochs(optimizer, None, loader):
        network.train()
        for inputs, targets in loader:
            optimizer.zero_grad()
            logits = network(inputs)
            loss = criterion(logits, targets)
            if remedy.l2:
                loss = loss + remedy.l2 * sum(weight.square().sum() for weight in weights)
            if remedy.l1:
                loss = loss + remedy.l1 * sum(weight.abs().sum() for weight in weights)
            loss.backward()
            optimizer.step()
            if remedy.max_norm:
                with torch.no_grad():
                    for weight in weights:  # (units, inputs): a row leads into a unit
                        weight.copy_(torch.renorm(weight, p=2, dim=0, maxnorm=remedy.max_norm))
            accuracy = (logits.argmax(dim=1) == targets.argmax(dim=1)).float().mean()
            state.log(len(inputs), loss=loss, accuracy=accuracy)
        if held_out is not None:
            network.eval()
            with torch.no_grad():
                loss = criterion(network(torch.from_numpy(held_out.X)), torch.from_numpy(held_out.y))
            state.log_validation(loss=float(loss))


def fit(
    remedy: Remedy,
    digits: Digits,
    seed: int,
    recipe: Recipe,
    checkpoint: Checkpoint,
    held_out: Digits | None = None,
    snapshots: Sequence[int] = (),
) -> tuple[TorchModel, TrainingState]:
    """Builds and trains a network; returns it as it is saved, with the sigmoid behind its logits, and its training."""
    network = build(remedy, seed)
    model = TorchModel(network, input_shape=(SIDE * SIDE,), activation="sigmoid")
    patience = None if held_out is None else lesson.PATIENCE
    state = TrainingState(checkpoint, recipe, model, patience=patience, snapshots=snapshots)
    batches = SeededBatches(len(digits.X), recipe.batch_size, seed)
    loader = DataLoader(ArrayDataset(digits.X, digits.y), sampler=batches, batch_size=None)
    train(network, loader, state, nn.BCEWithLogitsLoss(), remedy, held_out)
    return model, state


def fit_few(seed: int, few: Digits, recipe: Recipe, checkpoint: Checkpoint) -> tuple[TorchModel, History, Weights]:
    """Trains the network on few images until it has memorised them; returns it, its history and earlier weights."""
    model, state = fit(NOTHING, few, seed, recipe, checkpoint, snapshots=lesson.looks(recipe.epochs))
    return model, state.history, state.weights


def fit_all(seed: int, everything: Digits, recipe: Recipe, checkpoint: Checkpoint) -> tuple[TorchModel, float]:
    """Trains the same network on all images; returns it and the seconds that it took."""
    started = time.perf_counter()
    model, _ = fit(NOTHING, everything, seed, recipe, checkpoint)
    return model, time.perf_counter() - started


def fit_remedy(
    arguments: argparse.Namespace, remedy: Remedy, recipe: Recipe, checkpoint: Checkpoint, few: Digits, held_out: Digits
) -> tuple[TorchModel, float]:
    """Trains a network with a remedy, in as many steps as without; returns it and the seconds that it took."""
    started = time.perf_counter()
    shown, recipe = lesson.shown_images(few, remedy, recipe, arguments)
    model, _ = fit(remedy, shown, arguments.seed, recipe, checkpoint, held_out if remedy.stops_early else None)
    return model, time.perf_counter() - started


def fit_ring(
    seed: int, name: str, X: np.ndarray, y: np.ndarray, recipe: Recipe, checkpoint: Checkpoint | None
) -> TorchModel:
    """Trains a network on the noisy ring, with dropout if that is its name."""
    torch.manual_seed(seed)
    network = initialize_as_keras(RingNetwork(0.5 if name == "dropout" else 0.0))
    model = TorchModel(network, input_shape=(2,), activation="softmax")
    state = TrainingState(checkpoint, recipe, model)
    batches = SeededBatches(len(X), recipe.batch_size, seed)
    loader = DataLoader(ArrayDataset(X, np.eye(2, dtype=np.float32)[y]), sampler=batches, batch_size=None)
    train(network, loader, state, nn.CrossEntropyLoss())
    return model


# --- Side by side -----------------------------------------------------------------------------------------------------


def side_by_side(tasks: Sequence[Callable[[], Any]], arguments: argparse.Namespace) -> Iterator[Any]:
    """Yields the results of trainings in their order, from as many processes as `--jobs` says, this one among them.

    A step of ten images is too small for two cores. But no training needs another one's weights, and each begins with
    the seed: they end with the same bits in one process and in several.
    """
    if arguments.jobs == 1:
        yield from (task() for task in tasks)
        return
    from joblib.externals.loky import ProcessPoolExecutor

    others = arguments.jobs - 1
    pool, threads = ProcessPoolExecutor(others, timeout=30), ThreadPoolExecutor(others)

    def elsewhere(task: Callable[[], Any]) -> tuple[Any, str]:
        """Waits, in a thread of this process, for a training in another one."""
        return pool.submit(run_apart, task, arguments.seed).result()

    here: dict[int, tuple[Any, str]] = {}
    own = iter(range(others, len(tasks)))  # what this process may take: the first ones are for the others
    with warnings.catch_warnings():
        # A process that has grown is replaced by a new one, which is no reason to warn.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        futures = [threads.submit(elsewhere, task) for task in tasks]
        try:
            for number, future in enumerate(futures):
                while not future.done():  # meanwhile this process trains what no other one has begun
                    taken = next((i for i in own if futures[i].cancel()), None)
                    if taken is None:
                        wait([future])
                    else:
                        here[taken] = run_apart(tasks[taken], arguments.seed)
                result, said = here[number] if number in here else future.result()
                print(said, end="", flush=True)
                yield result
        except BrokenProcessPool as error:
            raise WorkshopError(
                "a process was ended from outside, perhaps out of memory: --resume goes on with what was trained; "
                "use --jobs 1 to need less"
            ) from error
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            pool.shutdown(kill_workers=True)


def run_apart(task: Callable[[], Any], seed: int) -> tuple[Any, str]:
    """Runs a training beside others; returns its result, and what it said."""
    from tqdm import tqdm

    tqdm.set_lock(threading.RLock())  # the default, a lock of all processes, would be left behind by Ctrl-C
    with contextlib.redirect_stdout(io.StringIO()) as said:
        device.prepare(seed, on_cpu=True)
        return task(), said.getvalue()


# --- The run ----------------------------------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, compares, saves and plots; returns the metrics."""
    arguments = lesson.parse(__doc__, argv, is_mirror=True, has_jobs=True)
    report = Report("regularization", arguments, engine="torch")
    images = load_image_set("mnist", arguments.data, quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    if arguments.jobs is None:  # a process imports PyTorch first, which takes longer than a quick run
        arguments.jobs = 1 if arguments.quick or report.is_standin else min(2, os.cpu_count() or 1)
    engine = device.prepare(arguments.seed, on_cpu=True)  # ten images a step are too few for a GPU
    report.engine(engine if arguments.jobs == 1 else f"{engine}, {arguments.jobs} processes")
    torch.set_num_threads(1)  # and for two cores
    everything = lesson.to_digits(images.X_train, images.y_train)
    test = lesson.to_digits(images.X_test, images.y_test)
    few, held_out = lesson.split_few(everything)
    ring, ring_test = lesson.rings(arguments.seed)

    recipe = RECIPES["few images"].with_options(arguments, len(few.X))
    all_recipe = lesson.all_images_recipe(arguments, len(everything.X))
    tasks: list[Callable[[], Any]] = [
        partial(fit_few, arguments.seed, few, recipe, report.checkpoint("regularization-few")),
        partial(fit_all, arguments.seed, everything, all_recipe, report.checkpoint("regularization-all")),
    ]
    recipe = RECIPES["a remedy"].with_options(arguments, len(few.X))
    for name, remedy in REMEDIES.items():
        checkpoint = report.checkpoint(f"regularization-{name}")
        tasks.append(partial(fit_remedy, arguments, remedy, recipe, checkpoint, few, held_out))
    recipe = RECIPES["the ring"].with_options(arguments, len(ring[0]))
    for name in ("plain", "dropout"):
        checkpoint = report.checkpoint(f"regularization-ring-{name}")
        tasks.append(partial(fit_ring, arguments.seed, name, *ring, recipe, checkpoint))
    trained = side_by_side(tasks, arguments)

    report.section(f"Overfitting: {len(few.X):,} images, {lesson.UNITS} hidden units")
    model, history, weights = next(trained)
    tests = lesson.evaluate_snapshots(model, model.predict, weights, test)
    losses = [OUTPUTS * loss for loss in history["loss"]]
    lesson.report_overfitting(report, {"loss": losses, "accuracy": history["accuracy"]}, tests)

    report.section(f"The same with all {len(everything.X):,} images")
    model, seconds = next(trained)
    lesson.report_all_images(report, lesson.measure(model.predict, everything, test, seconds))

    report.section(f"Ten remedies, on the same {len(few.X):,} images")
    results = {}
    for name, remedy in REMEDIES.items():
        print(remedy.title)
        model, seconds = next(trained)
        results[name] = lesson.measure(model.predict, few, test, seconds)
    lesson.report_remedies(report, results)
    lesson.save(report, model, results["combined"], images)
    report.plot("regularization-distortions", figures.distortions, *lesson.distorted_examples(few.X))

    report.section(f"Dropout at work: a noisy ring and a network of 2, {RING_UNITS} and 2 units")
    networks = {name: next(trained) for name in ("plain", "dropout")}
    lesson.report_ring(report, {name: network.predict for name, network in networks.items()}, ring, ring_test)
    return report.finish()


if __name__ == "__main__":
    cli.run(main)

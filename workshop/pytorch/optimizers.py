"""Nine optimizers, in PyTorch: the mirror of `workshop/optimizers.py`.

The memory of PyTorch's own optimizers, the race on the digits and the lowered rate, with the same options, metrics and
plots. The steps in the race are Keras': `workshop/pytorch/kit/optimizers.py` says what each library does differently.

    python -m workshop.pytorch.optimizers                              # all of it; then look into the folder plots
    python -m workshop.pytorch.optimizers --algorithms sgd adam        # two of the nine
    python -m workshop.pytorch.optimizers --quick                      # a first look

Expected, as with Keras: after one epoch Adam, Nadam and momentum over 95 %, Adagrad 93 %, Rprop under 92 %; the lowered
rate better than the constant one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop import optimizers as lesson
from workshop.figures.optimizers import Stalled
from workshop.kit import cli
from workshop.kit.data.images import ImageSet, load_image_set, scale_pixels
from workshop.kit.report import Report
from workshop.kit.training import Recipe
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.layers import initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import TrainingState


def build(hidden_units: Sequence[int], seed: int) -> nn.Sequential:
    """Returns the dense network: (n, 1, 28, 28) -> 784 -> each of `hidden_units`, relu -> 10 logits."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Flatten())
    inputs = 784
    for units in hidden_units:
        network.extend([nn.Linear(inputs, units), nn.ReLU()])
        inputs = units
    network.append(nn.Linear(inputs, 10))
    return initialize_as_keras(network).to(device.choose_device())


def make_loader(X: np.ndarray, y: np.ndarray, batch_size: int, seed: int) -> DataLoader:
    """Returns the batches of images, bytes or numbers from 0 to 1, and their classes."""
    rows = ArrayDataset(X, y, scale_pixels if X.dtype == np.uint8 else None)
    return DataLoader(rows, sampler=SeededBatches(len(rows), batch_size, seed), batch_size=None)


@torch.no_grad()
def evaluate(network: nn.Module, loader: DataLoader) -> tuple[float, float]:
    """Returns the mean loss and the share of images whose highest logit is that of their class."""
    network.eval()
    torch_device = next(network.parameters()).device
    loss = correct = total = 0.0
    for inputs, targets in loader:
        inputs, targets = inputs.to(torch_device), targets.to(torch_device)
        logits = network(inputs)
        loss += float(nn.functional.cross_entropy(logits, targets, reduction="sum"))
        correct += int((logits.argmax(dim=1) == targets).sum())
        total += len(targets)
    return loss / total, correct / total


def train(name: str, recipe: Recipe, images: ImageSet, report: Report) -> lesson.Trained:
    """Trains the network with one of the algorithms, from the same weights and on the same batches as the others."""
    print(f"{lesson.TITLES[name]}, rate {recipe.rate:g}")
    seed = report.arguments.seed
    network = build(lesson.LAYERS, seed)
    model = TorchModel(network, input_shape=(28, 28, 1))
    loader = make_loader(images.X_train, images.y_train, recipe.batch_size, seed)
    criterion = nn.CrossEntropyLoss()
    optimizer, _ = optimizers.make(recipe, network.parameters())  # the rate is constant: no scheduler
    state = TrainingState(report.checkpoint(f"optimizers-{name}"), recipe, model)
    for _epoch in state.epochs(optimizer, None, loader):
        network.train()
        started = time.perf_counter()
        for inputs, targets in loader:
            inputs, targets = inputs.to(state.device), targets.to(state.device)
            optimizer.zero_grad()
            loss = criterion(network(inputs), targets)
            loss.backward()
            optimizer.step()
            now = time.perf_counter()
            state.log(len(inputs), loss=loss, seconds=now - started)
            started = now
    _, accuracy = evaluate(network, make_loader(images.X_test, images.y_test, 1000, seed))
    epochs, losses = state.curve
    return lesson.Trained([epoch * len(loader) for epoch in epochs], losses, state.history["seconds"][-1], accuracy)


def train_stalling(images: ImageSet, report: Report, lowers: bool) -> Stalled:
    """Trains at a high rate; with `lowers` a scheduler lowers it where the validation loss stalls."""
    seed, recipe = report.arguments.seed, lesson.STALLING.for_run(report.arguments.quick)
    train_set, validation_set = lesson.split(images)
    network = build(lesson.STALLING_LAYERS, seed)
    model = TorchModel(network, input_shape=(28, 28, 1))
    loader = make_loader(*train_set, recipe.batch_size, seed)
    validation_loader = make_loader(*validation_set, 1000, seed)
    criterion = nn.CrossEntropyLoss()
    optimizer, _ = optimizers.make(recipe, network.parameters())
    # PyTorch's patience is the epochs that may pass without a better loss: with 2 of them the third lowers the rate.
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=lesson.FACTOR, patience=lesson.PATIENCE - 1, threshold=lesson.MIN_DELTA, threshold_mode="abs"
    )
    used: list[float] = []
    state = TrainingState(None, recipe, model)
    for _epoch in state.epochs(optimizer, None, loader):
        network.train()
        used.append(optimizer.param_groups[0]["lr"])
        for inputs, targets in loader:
            inputs, targets = inputs.to(state.device), targets.to(state.device)
            optimizer.zero_grad()
            loss = criterion(network(inputs), targets)
            loss.backward()
            optimizer.step()
            state.log(len(inputs), loss=loss)
        validation_loss, _ = evaluate(network, validation_loader)
        state.log_validation(loss=validation_loss)
        if lowers:
            plateau.step(validation_loss)
    _, accuracy = evaluate(network, make_loader(images.X_test, images.y_test, 1000, seed))
    return Stalled(state.history["loss"], state.history["val_loss"], used, accuracy)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Counts, trains and plots; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("optimizers", arguments, engine="torch")
    images = load_image_set("mnist", arguments.data, quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    report.engine(device.prepare(arguments.seed))

    report.section("Memory of each optimizer")
    lesson.report_memory({"PyTorch": lesson.memory_torch}, arguments.algorithms)

    report.section(f"The race on {images.source}: {'-'.join(map(str, (784, *lesson.LAYERS, 10)))}")
    recipes = lesson.race_recipes(arguments, len(images.X_train))
    trained = {name: train(name, recipes[name], images, report) for name in recipes}
    lesson.report_race(report, trained, recipes, images.source)

    report.section("Lowering the rate when validation stalls")
    stalled = {name: train_stalling(images, report, lowers=name == "lowered") for name in ("constant", "lowered")}
    lesson.report_stalling(report, stalled)
    return report.finish(not_comparable=arguments.not_comparable)


if __name__ == "__main__":
    cli.run(main)

"""Overfitting and what helps against it, in PyTorch: the mirror of `workshop/regularization.py`.

The same digits, remedies, options, metrics, plots and files. PyTorch has no regularizers and no constraints: a penalty
is added to the loss where it is computed, and the weights are shortened after the step.

    python -m workshop.pytorch.regularization            # all of it; then look into the folder plots
    python -m workshop.pytorch.regularization --quick    # a first look

Expected, as with Keras: without a remedy a gap of about 18 points between training and test accuracy; with max-norm
and elastic distortions at least 91 % of the test digits. About a minute and a half on two CPU cores.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop import regularization as lesson
from workshop.figures import regularization as figures
from workshop.kit import cli
from workshop.kit.data.images import load_image_set
from workshop.kit.report import Report
from workshop.kit.training import Recipe
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.layers import initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import TrainingState
from workshop.regularization import NOTHING, OUTPUTS, RECIPES, REMEDIES, RING_UNITS, SIDE, Digits, Remedy, Result


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
    model: TorchModel,
    loader: DataLoader,
    state: TrainingState,
    criterion: nn.Module,
    remedy: Remedy = NOTHING,
    held_out: Digits | None = None,
) -> None:
    """Trains a network: the loop of PyTorch.

    Args:
        network: inputs -> hidden units -> logits.
        model: the same network as it is saved.
        loader: of batches of inputs and targets.
        state: shows the progress, remembers it, and goes on where a training was stopped.
        criterion: the loss of the logits.
        remedy: what is added to the loss, and the largest length of a unit's weights.
        held_out: images by whose loss the training is stopped early.
    """
    optimizer, scheduler = optimizers.make(state.recipe, network.parameters())
    weights = [parameter for parameter in network.parameters() if parameter.ndim > 1]  # no biases
    for _epoch in state.epochs(model, optimizer, scheduler, loader):
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


def fit(remedy: Remedy, digits: Digits, seed: int, state: TrainingState, held_out: Digits | None = None) -> TorchModel:
    """Builds and trains a network; returns it as it is saved, with the sigmoid behind its logits."""
    network = build(remedy, seed)
    model = TorchModel(network, input_shape=(SIDE * SIDE,), activation="sigmoid")
    batches = SeededBatches(len(digits.X), state.recipe.batch_size, seed)
    loader = DataLoader(ArrayDataset(digits.X, digits.y), sampler=batches, batch_size=None)
    train(network, model, loader, state, nn.BCEWithLogitsLoss(), remedy, held_out)
    return model


def measure(model: TorchModel, train_digits: Digits, test: Digits, seconds: float) -> Result:
    """Returns how good a network is on the images that it was trained on, and on others."""
    on_train, on_test = model.predict(train_digits.X), model.predict(test.X)
    return Result(
        lesson.accuracy(on_train, train_digits.y),
        lesson.accuracy(on_test, test.y),
        lesson.cross_entropy(on_test, test.y),
        seconds,
    )


def overfit(report: Report, few: Digits, test: Digits) -> None:
    """Trains the network on few images until it knows them by heart."""
    seed = report.arguments.seed
    recipe = RECIPES["few images"].with_options(report.arguments, len(few.X))
    epochs = lesson.looks(recipe.epochs)
    state = TrainingState(report.checkpoint("regularization-few"), recipe, snapshots=epochs)
    model = fit(NOTHING, few, seed, state)
    tests = {}
    for epoch in epochs:
        model.set_weights(state.weights[epoch])
        outputs = model.predict(test.X)
        tests[epoch] = lesson.cross_entropy(outputs, test.y), lesson.accuracy(outputs, test.y)
    losses = [OUTPUTS * loss for loss in state.history["loss"]]
    lesson.report_overfitting(report, {"loss": losses, "accuracy": state.history["accuracy"]}, tests)


def try_remedy(
    report: Report, name: str, recipe: Recipe, few: Digits, held_out: Digits, test: Digits
) -> tuple[TorchModel, Result]:
    """Trains a network with a remedy, in as many steps as without; returns it and how good it is."""
    remedy = REMEDIES[name]
    started = time.perf_counter()
    shown, recipe = lesson.shown_images(few, remedy, recipe, report.arguments)
    patience = lesson.PATIENCE if remedy.stops_early else None
    state = TrainingState(report.checkpoint(f"regularization-{name}"), recipe, patience=patience)
    model = fit(remedy, shown, report.arguments.seed, state, held_out if remedy.stops_early else None)
    return model, measure(model, few, test, time.perf_counter() - started)


def fit_ring(report: Report, name: str, X: np.ndarray, y: np.ndarray) -> TorchModel:
    """Trains a network on the noisy ring, with dropout if that is its name."""
    seed = report.arguments.seed
    recipe = RECIPES["the ring"].with_options(report.arguments, len(X))
    torch.manual_seed(seed)
    network = initialize_as_keras(RingNetwork(0.5 if name == "dropout" else 0.0))
    model = TorchModel(network, input_shape=(2,), activation="softmax")
    batches = SeededBatches(len(X), recipe.batch_size, seed)
    loader = DataLoader(ArrayDataset(X, np.eye(2, dtype=np.float32)[y]), sampler=batches, batch_size=None)
    state = TrainingState(report.checkpoint(f"regularization-ring-{name}"), recipe)
    train(network, model, loader, state, nn.CrossEntropyLoss())
    return model


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, compares, saves and plots; returns the metrics."""
    arguments = lesson.parse(__doc__, argv, is_mirror=True)
    report = Report("regularization", arguments, engine="torch")
    images = load_image_set("mnist", arguments.data, quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    report.engine(device.prepare(arguments.seed, on_cpu=True))  # ten images a step are too few for a GPU
    everything = lesson.to_digits(images.X_train, images.y_train)
    test = lesson.to_digits(images.X_test, images.y_test)
    few, held_out = lesson.split_few(everything)

    report.section(f"Overfitting: {len(few.X):,} images, {lesson.UNITS} hidden units")
    overfit(report, few, test)

    report.section(f"The same with all {len(everything.X):,} images")
    recipe = lesson.all_images_recipe(arguments, len(everything.X))
    started = time.perf_counter()
    model = fit(NOTHING, everything, arguments.seed, TrainingState(report.checkpoint("regularization-all"), recipe))
    lesson.report_all_images(report, measure(model, everything, test, time.perf_counter() - started))

    report.section(f"Ten remedies, on the same {len(few.X):,} images")
    results = {}
    recipe = RECIPES["a remedy"].with_options(arguments, len(few.X))
    for name, remedy in REMEDIES.items():
        print(remedy.title)
        model, results[name] = try_remedy(report, name, recipe, few, held_out, test)
    lesson.report_remedies(report, results)
    lesson.save(report, model, results["combined"], images)
    report.plot("regularization-distortions", figures.distortions, *lesson.distorted_examples(few.X))

    report.section(f"Dropout, drawn: a noisy ring and a network of 2, {RING_UNITS} and 2 units")
    ring, ring_test = lesson.rings(arguments.seed)
    networks = {name: fit_ring(report, name, *ring) for name in ("plain", "dropout")}
    lesson.report_ring(report, {name: network.predict for name, network in networks.items()}, ring, ring_test)
    return report.finish()


if __name__ == "__main__":
    cli.run(main)

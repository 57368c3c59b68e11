"""Restricted Boltzmann machines, in PyTorch: the mirror of `workshop/boltzmann.py`.

The same digits, options, metrics, plots and files, for the parts that train on digits. Autograd finds contrastive
divergence by itself: the loss is the free energy of the digits less that of where a chain from them comes to.

    python -m workshop.pytorch.boltzmann                   # both parts; then look into the folder plots
    python -m workshop.pytorch.boltzmann --part machine    # one of them
    python -m workshop.pytorch.boltzmann --quick           # a first look, in seconds

Expected, as in NumPy and Keras: reconstructions with a mean squared error of at most 0.006; with 100 labels 79 to 80 %
of the test digits after pre-training, some 4 points more than from random weights. About a minute on two CPU cores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import linear, softplus
from torch.utils.data import DataLoader

from workshop import boltzmann as lesson
from workshop.boltzmann import DECAY, EARLY_LOOKS, KINDS, MOMENTA, SECOND_UNITS, Digits, History, Machine, Settings
from workshop.kit import cli
from workshop.kit.report import Report
from workshop.kit.saving.bundle import Input
from workshop.kit.training import Recipe
from workshop.kit.training.checkpoint import Checkpoint, State, check_finite
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.layers import initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import Parts


class BoltzmannMachine(nn.Module):
    """A restricted Boltzmann machine: W (hidden, visible), b of the visible and c of the hidden units."""

    def __init__(self, start: Machine) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.tensor(start.W.T.copy()))
        self.b = nn.Parameter(torch.tensor(start.b))
        self.c = nn.Parameter(torch.tensor(start.c))

    def free_energy(self, v: torch.Tensor) -> torch.Tensor:
        """Returns F(v), (n,): P(v) = exp(-F(v)) / Z."""
        return -v @ self.b - softplus(linear(v, self.W, self.c)).sum(dim=1)

    def forward(self, v: torch.Tensor) -> torch.Tensor:
        """Returns P(h = 1 | v), (n, hidden)."""
        return torch.sigmoid(linear(v, self.W, self.c))

    def visible_probabilities(self, h: torch.Tensor) -> torch.Tensor:
        """Returns P(v = 1 | h), (n, visible)."""
        return torch.sigmoid(linear(h, self.W.T, self.b))

    @torch.no_grad()
    def gibbs(self, v: torch.Tensor, k: int, samples_visible: bool) -> torch.Tensor:
        """Returns the visible units after k steps of a chain from v: drawn, or as probabilities."""
        for _ in range(k):
            # Of a training that has diverged nothing can be drawn; it is told in a line when the epoch is over.
            v = self.visible_probabilities(torch.bernoulli(self(v).nan_to_num()))
            v = torch.bernoulli(v.nan_to_num()) if samples_visible else v
        return v

    def copy_to(self, machine: Machine) -> None:
        """Copies the parameters into a machine of NumPy's arrays, to be measured and drawn."""
        W, b, c = (parameter.detach().cpu().numpy() for parameter in (self.W, self.b, self.c))
        machine.W[:], machine.b[:], machine.c[:] = W.T, b, c


class Features(nn.Module):
    """The machine's hidden units, of images (n, 1, 28, 28)."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self.hidden = as_linear(machine)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the features of images."""
        return torch.sigmoid(self.hidden(x.flatten(1)))


class DeepNetwork(nn.Module):
    """The network 784 -> hidden units -> 10 logits."""

    def __init__(self, hidden_units: Sequence[int], activation: nn.Module) -> None:
        super().__init__()
        first, second = hidden_units
        self.first, self.second, self.output = nn.Linear(784, first), nn.Linear(first, second), nn.Linear(second, 10)
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the logits of images (n, 1, 28, 28)."""
        x = self.activation(self.first(x.flatten(1)))
        return self.output(self.activation(self.second(x)))


def as_linear(machine: Machine) -> nn.Linear:
    """Returns the layer from a machine's visible units to its hidden ones."""
    layer = nn.Linear(*machine.W.shape)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(machine.W.T.copy()))
        layer.bias.copy_(torch.from_numpy(machine.c))
    return layer


def train(
    start: Machine, X: np.ndarray, settings: Settings, checkpoint: Checkpoint, history: History
) -> Iterator[float]:
    """Trains a machine on samples X: the loop of PyTorch.

    As the lesson's `train` it yields the epochs passed; by then the parameters of `start` are those of the machine.
    """
    batches = SeededBatches(len(X), settings.batch_size, settings.seed)
    loader = DataLoader(ArrayDataset(X, np.zeros(len(X), np.int64)), sampler=batches, batch_size=None)  # no labels
    torch_device = device.choose_device()
    machine = BoltzmannMachine(start).to(torch_device)
    decaying = {"params": [machine.W], "weight_decay": DECAY}
    biases = {"params": [machine.b, machine.c], "weight_decay": 0.0}
    optimizer = torch.optim.SGD([decaying, biases], settings.learning_rate, MOMENTA[0])
    torch.manual_seed(settings.seed)
    means = torch.from_numpy(X.mean(axis=0)).clamp(0, 1).to(torch_device)
    particles = torch.bernoulli(means.expand(settings.batch_size, -1))  # where persistent chains are
    parts = Parts({"machine": machine, "optimizer": optimizer})

    def capture() -> State:
        arrays = parts.capture(particles=particles)
        return State(arrays | {name: np.array(values) for name, values in history.items()}, {})

    def restore(state: State) -> None:
        parts.restore(state.arrays, particles=particles)
        history.update({name: [*array] for name, array in state.arrays.items() if name != "torch"})
        machine.copy_to(start)

    fixed = {**settings._asdict(), "samples": len(X), "shape": machine.W.shape, "engine": "torch"}
    for epoch in checkpoint.remaining_epochs(fixed, settings.epochs, capture, restore):
        if epoch == 0:
            yield 0.0
        torch.manual_seed(1000 * settings.seed + epoch)
        batches.set_epoch(epoch)
        for step, (v, _) in enumerate(loader, 1):
            v = v.to(torch_device)
            for group in optimizer.param_groups:
                group["lr"] = settings.rate((epoch + (step - 1) / len(batches)) / settings.epochs)
                group["momentum"] = settings.momentum(epoch)
            # Where the machine takes the digits, or its own samples: to the gradient these are constants.
            v_0 = particles if settings.is_persistent else v
            v_k = machine.gibbs(v_0, settings.k, epoch < settings.drawn)
            if settings.is_persistent:
                particles.copy_(v_k)
            optimizer.zero_grad()
            loss = machine.free_energy(v).mean() - machine.free_energy(v_k).mean()
            loss.backward()
            optimizer.step()
            if epoch == 0 and step in EARLY_LOOKS and step < len(batches):
                machine.copy_to(start)
                yield step / len(batches)
        machine.copy_to(start)
        check_finite(lesson.reconstruction_error(start, X[: settings.batch_size]), epoch + 1)
        yield float(epoch + 1)


def fit(network: DeepNetwork, X: torch.Tensor, y: torch.Tensor, recipe: Recipe) -> None:
    """Fine-tunes a network on all steps' images (samples, 1, 28, 28) and their digits (samples,), in this order."""
    optimizer, _ = optimizers.make(recipe, network.parameters())
    criterion = nn.CrossEntropyLoss()
    network.train()
    for inputs, targets in zip(X.split(recipe.batch_size), y.split(recipe.batch_size), strict=True):
        optimizer.zero_grad()
        loss = criterion(network(inputs), targets)
        loss.backward()
        optimizer.step()


@torch.no_grad()
def measure(network: DeepNetwork, X: torch.Tensor, y: torch.Tensor) -> float:
    """Returns the accuracy of a network."""
    network.eval()
    return float((network(X).argmax(dim=1) == y).double().mean())


def fine_tune(machines: Sequence[Machine], digits: Digits, report: Report) -> tuple[DeepNetwork, float]:
    """Compares the pre-trained network with the same one from random weights; see the lesson's."""
    arguments, torch_device = report.arguments, device.choose_device()
    y_train = digits.images.y_train[: len(digits.X_train)].astype(np.int64)
    X_test = torch.from_numpy(digits.X_test).reshape(-1, 1, 28, 28).to(torch_device)
    y_test = torch.from_numpy(digits.images.y_test.astype(np.int64)).to(torch_device)
    hidden_units = [len(machine.c) for machine in machines]
    results: dict[str, dict[int, list[float]]] = {}
    for kind in KINDS:
        recipe = lesson.make_recipe(kind, arguments)
        for count, seed, rows in lesson.labelled_samples(y_train, arguments):
            X = torch.from_numpy(digits.X_train[rows]).reshape(-1, 1, 28, 28).to(torch_device)
            y = torch.from_numpy(y_train[rows]).to(torch_device)
            torch.manual_seed(seed)
            network = DeepNetwork(hidden_units, nn.ReLU() if kind == "relu" else nn.Sigmoid())
            initialize_as_keras(network)
            if kind == "pretrained":  # the last layer alone keeps its random weights
                network.first, network.second = (as_linear(machine) for machine in machines)
            network.to(torch_device)
            fit(network, X, y, recipe)
            accuracy = measure(network, X_test, y_test)
            results.setdefault(kind, {}).setdefault(count, []).append(accuracy)
        if kind == "pretrained":
            pretrained, its_accuracy = network, accuracy
    lesson.compare_few_labels(results, report)
    return pretrained, its_accuracy


@np.errstate(over="ignore", invalid="ignore")  # a training that diverges is told in a line of its own
def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains the machines, compares, saves and plots; returns the metrics."""
    arguments = lesson.parse(__doc__, argv, parts=lesson.DIGITS_PARTS)
    report = Report("boltzmann", arguments, engine="torch")
    digits = lesson.load_digits(arguments, report)
    report.engine(device.prepare(arguments.seed))
    torch.set_num_threads(1)  # the matrices are small: a second core would mostly wait for the first one

    report.section(f"machine: 784 pixels and {arguments.hidden_units} hidden units")
    print(f"W {(arguments.hidden_units, 784)}, b {(784,)}, c {(arguments.hidden_units,)}")
    machine, history = lesson.train_on_digits(digits, report, train)
    card: dict[str, Any] = {"data": digits.images.source, "inputs": [Input("image", shape=(28, 28, 1))]}
    if "machine" in arguments.parts:
        few, persistent = lesson.memorise(digits, report, train), lesson.train_persistent(digits, report, train)
        error = lesson.show_machine(machine, history, few, persistent, digits, report)
        features = TorchModel(Features(machine), input_shape=(28, 28, 1))
        metrics = {"test_mean_squared_error": error}
        report.save("boltzmann_features", features, output="features", metrics=metrics, **card)

    if "deep" in arguments.parts:
        report.section(f"deep: 784-{arguments.hidden_units}-{SECOND_UNITS}-10, few labels")
        second = lesson.train_second(machine, digits.X_train, report, train)
        network, accuracy = fine_tune([machine, second], digits, report)
        metrics = {"test_accuracy": accuracy}
        report.result(metrics, model="deep")
        deep = TorchModel(network, input_shape=(28, 28, 1), activation="softmax")
        report.save("boltzmann_deep", deep, classes=digits.images.classes, metrics=metrics, **card)
    return report.finish(not_comparable=arguments.not_comparable)


if __name__ == "__main__":
    cli.run(main)

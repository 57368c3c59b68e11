"""Initialization, in PyTorch: the mirror of `workshop/initialization.py`.

The same images, networks, options, metrics and plots; the weights are drawn by `torch.nn.init`. PyTorch's own start is
none of the five: `nn.Linear` draws weights and biases evenly, up to 1 / sqrt(fan_in).

    python -m workshop.pytorch.initialization

Expected on MNIST, as with Keras: 90 to 93 % from LeCun's, Xavier's and He's starts, 10 to 12 % from weights that are
zero or too small.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop import initialization as lesson
from workshop.kit import cli
from workshop.kit.report import Report
from workshop.kit.training import Recipe
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.layers import BatchNormAsKeras, activation
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import TrainingState

# Each changes a tensor (outputs, inputs) in place. With the gain of "linear", 1, Kaiming He's is LeCun's.
INITIALIZERS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "zeros": nn.init.zeros_,
    "constant": lambda weight: nn.init.constant_(weight, lesson.CONSTANT),
    "too small": lambda weight: nn.init.normal_(weight, std=lesson.SMALL),
    "too large": lambda weight: nn.init.normal_(weight, std=lesson.LARGE),
    "LeCun": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="linear"),
    "Xavier": nn.init.xavier_normal_,
    "He": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
}


class DenseNetwork(nn.Module):
    """A network of a case: (n, 784) -> hidden layers -> (n, 10) logits.

    Attributes:
        hidden: of each hidden layer its Linear, the normalisation where there is one, and the activation.
    """

    def __init__(self, case: lesson.Case) -> None:
        super().__init__()
        self.hidden = nn.ModuleList()
        inputs = 784
        for _ in range(case.layers):
            layers: list[nn.Module] = [nn.Linear(inputs, case.units)]
            if case.normalises:
                layers.append(BatchNormAsKeras(case.units))
            self.hidden.append(nn.Sequential(*layers, activation(case.activation)))
            inputs = case.units
        self.output = nn.Linear(inputs, 10)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                INITIALIZERS[case.start](module.weight)
                nn.init.constant_(module.bias, 0 if module is self.output else case.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the logits of images."""
        for layer in self.hidden:
            x = layer(x)
        return self.output(x)

    def stages(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Returns the outputs of each hidden layer."""
        outputs = [x]
        for layer in self.hidden:
            outputs.append(layer(outputs[-1]))
        return outputs[1:]


def build(case: lesson.Case, seed: int) -> DenseNetwork:
    """Returns a network, its weights drawn from the seed."""
    torch.manual_seed(seed)
    return DenseNetwork(case).to(device.choose_device())


def as_tensor(X: np.ndarray) -> torch.Tensor:
    """Returns an array where the networks are."""
    return torch.from_numpy(X).to(device.choose_device())


def weight_tensors(network: nn.Module) -> list[nn.Parameter]:
    """Returns the weights of each linear layer, without the biases."""
    return [module.weight for module in network.modules() if isinstance(module, nn.Linear)]


def kernels(network: nn.Module) -> list[np.ndarray]:
    """Returns them as Keras has them (inputs, units), copied."""
    return [weight.detach().cpu().numpy().T.copy() for weight in weight_tensors(network)]


@torch.no_grad()
def activations(network: DenseNetwork, X: np.ndarray) -> list[np.ndarray]:
    """Returns the outputs of each hidden layer (images, units), normalised by these images where it normalises."""
    network.train()
    return [output.cpu().numpy() for output in network.stages(as_tensor(X))]


def measure(case: lesson.Case, X: np.ndarray, y: np.ndarray, seed: int) -> lesson.Passes:
    """Returns what a forward and a backward pass find in a network that was not trained."""
    network = build(case, seed)
    hidden = activations(network, X)
    loss = nn.functional.cross_entropy(network(as_tensor(X)), as_tensor(y.astype(np.int64)))
    gradients = torch.autograd.grad(loss, weight_tensors(network))
    return lesson.Passes(kernels(network), hidden, [gradient.cpu().numpy().T for gradient in gradients])


def train(network: nn.Module, loader: DataLoader, state: TrainingState) -> None:
    """The training loop of PyTorch, written out; `state` remembers it and goes on where it was stopped."""
    criterion = nn.CrossEntropyLoss()
    optimizer, _ = optimizers.make(state.recipe, network.parameters())  # the rate is constant: no scheduler
    for _epoch in state.epochs(optimizer, None, loader):
        network.train()
        for inputs, targets in loader:
            inputs, targets = inputs.to(state.device), targets.to(state.device)
            optimizer.zero_grad()
            logits = network(inputs)
            loss = criterion(logits, targets)
            loss.backward()
            optimizer.step()
            accuracy = (logits.argmax(dim=1) == targets).float().mean()
            state.log(len(inputs), loss=loss, accuracy=accuracy)


@torch.no_grad()
def evaluate(network: nn.Module, X: np.ndarray, y: np.ndarray) -> float:
    """Returns the share of images whose highest logit is that of their class."""
    network.eval()
    return float(np.mean(network(as_tensor(X)).argmax(dim=1).cpu().numpy() == y))


def fit(name: str, network: DenseNetwork, digits: lesson.Digits, recipe: Recipe, report: Report) -> lesson.Trained:
    """Trains a network; `name` is that of its checkpoint."""
    rows = ArrayDataset(*digits.train)
    batches = SeededBatches(len(rows), recipe.batch_size, report.arguments.seed)
    loader = DataLoader(rows, sampler=batches, batch_size=None)  # the sampler gives whole batches
    model = TorchModel(network, input_shape=(784,))
    state = TrainingState(report.checkpoint(f"initialization-{name}"), recipe, model, may_diverge=True, verbose=0)
    train(network, loader, state)
    return lesson.Trained(state.history["loss"], state.history["accuracy"], evaluate(network, *digits.test))


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Measures and trains the networks, plots; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("initialization", arguments, engine="torch")
    digits = lesson.load(report)
    report.engine(device.prepare(arguments.seed))
    seed, quick = arguments.seed, arguments.quick
    X, y = (part[: lesson.MEASURED_IMAGES] for part in digits.train)

    report.section("Five tanh layers before training: activations a and gradients")
    passes = {start: measure(case, X, y, seed) for start, case in lesson.STARTS.items()}
    lesson.report_starts(report, passes)
    own = float(nn.Linear(784, 100).weight.detach().std())
    print(f"nn.Linear by itself draws from another: 784-100 has a standard deviation of {own:.4f}.")

    report.section("The same with batch normalisation before each tanh")
    normalised = {start: measure(case, X, y, seed) for start, case in lesson.NORMALISED.items()}
    lesson.report_normalised(report, passes, normalised)

    report.section(f"Networks of 1 to {lesson.DEEP} layers before training")
    by_depth = {
        name: {depth: measure(case._replace(layers=depth), X, y, seed) for depth in lesson.DEPTHS}
        for name, case in lesson.BY_DEPTH.items()
    }
    lesson.report_depth(report, by_depth)

    report.section("Effect of the initial weights on training")
    trained, weights = {}, {}
    for name, case in lesson.networks(quick).items():
        started = time.perf_counter()
        network = build(case, seed)
        trained[name] = fit(name, network, digits, lesson.make_recipe(case, len(digits.train[1]), quick), report)
        if name in lesson.EQUAL:
            weights[name] = kernels(network)
        lesson.say(name, trained[name], time.perf_counter() - started)
    lesson.report_training(report, trained)

    report.section("Equal weights stay equal")
    lesson.report_equal(report, weights)

    report.section("Dead units: 0 for every training image, one hidden layer of relu")
    trained, dead = {}, {}
    for name, case in lesson.dying_networks(quick).items():
        started = time.perf_counter()
        shifted = digits.shifted(case.shift)
        network = build(case, seed)
        before = lesson.is_dead(activations(network, shifted.train[0])[0])
        recipe = lesson.make_recipe(case, len(digits.train[1]), quick, epochs=1)
        trained[name] = fit(name, network, shifted, recipe, report)
        dead[name] = before, lesson.is_dead(activations(network, shifted.train[0])[0])
        lesson.say(name, trained[name], time.perf_counter() - started)
    lesson.report_dead(report, dead, trained)
    return report.finish()


if __name__ == "__main__":
    cli.run(main)

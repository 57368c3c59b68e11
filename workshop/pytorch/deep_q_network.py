"""Deep Q-network, in PyTorch: the mirror of `workshop/deep_q_network.py`.

The same car, options, trainings, metrics, plots and files: a car with headlights learns by driving to find a gas
station. The step by hand and what the headlights show are in the lesson alone.

    python -m workshop.pytorch.deep_q_network                            # all of it; then look into the folder plots
    python -m workshop.pytorch.deep_q_network --part network             # the network alone; also sums, switches
    python -m workshop.pytorch.deep_q_network --preset course            # 20 inputs, plain Q-learning
    python -m workshop.pytorch.deep_q_network --part network --map my.txt    # then drives on your own map
    python -m workshop.pytorch.deep_q_network --quick                    # a first look, in seconds

Expected, as with Keras: 98 to 100 of 100 new maps reached with bearing and distance, at most 45 with the sums.

It needs gymnasium: python -m pip install gymnasium
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from workshop import deep_q_network as lesson
from workshop.kit import cli
from workshop.kit.environments import car
from workshop.kit.environments.trips import take_trip
from workshop.kit.lazy import gymnasium
from workshop.kit.report import Report
from workshop.kit.training import Recipe
from workshop.kit.training.checkpoint import Checkpoint
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.layers import initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import Parts

LOSSES = {"huber": nn.HuberLoss, "mean_squared_error": nn.MSELoss}


class QNetwork(nn.Module):
    """The network: observations -> each of `hidden_units`, relu -> the Q values of the actions, linear."""

    def __init__(self, inputs: int, hidden_units: Sequence[int] = (20, 150)) -> None:
        super().__init__()
        sizes = [inputs, *hidden_units]
        self.hidden = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        self.output = nn.Linear(sizes[-1], len(car.ACTIONS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the Q values of observations."""
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return self.output(x)

    def get_weights(self) -> list[np.ndarray]:
        """Returns kernels and biases, copied, as NumPy multiplies with them: (inputs, outputs)."""
        parameters = (parameter.detach().cpu().numpy() for parameter in self.parameters())
        return [array.T.copy() for array in parameters]


def build(settings: lesson.Settings, seed: int) -> QNetwork:
    """Returns the network for an observation; its weights are drawn as Keras draws them."""
    torch.manual_seed(seed)
    network = QNetwork(len(car.inputs(settings.observation)), settings.hidden_units)
    initialize_as_keras(network)
    return network.to(device.choose_device())


def train(network: QNetwork, state: lesson.Training, recipe: Recipe, checkpoint: Checkpoint) -> list[np.ndarray]:
    """Trains a network on what the cars do with it; returns its weights."""
    criterion = LOSSES[state.settings.loss]()
    optimizer, scheduler = optimizers.make(recipe, network.parameters())
    torch_device = device.choose_device()
    parts = Parts({"network": network, "optimizer": optimizer, "scheduler": scheduler})
    state.target = network.get_weights()
    engine = {"engine": "torch", "layers": str(network), "batch_size": recipe.batch_size, "optimizer": str(optimizer)}
    for _epoch in state.epochs(checkpoint, engine, parts.capture, parts.restore):
        losses = []
        weights = network.get_weights()
        for _step in range(state.steps):
            state.drive(weights)
            if len(state.memory) < lesson.FIRST_UPDATE:
                continue
            for _update in range(lesson.UPDATES):
                batch = state.sample(recipe.batch_size)
                states = torch.from_numpy(batch.states).to(torch_device)
                targets = torch.from_numpy(state.targets(weights, batch)).to(torch_device)
                optimizer.zero_grad()
                loss = criterion(network(states), targets)
                loss.backward()
                optimizer.step()
                scheduler.step()
                losses.append(loss.item())
                weights = network.get_weights()
        state.end_epoch(weights, float(np.mean(losses or [0.0])))
    return network.get_weights()


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, tests, saves and plots the networks; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("deep_q_network", arguments, engine="torch")
    report.data("the car's maps, made from the seed", f"gymnasium {gymnasium.__version__}")
    report.engine(device.prepare(arguments.seed))
    tested = {}
    if "drivers" in arguments.parts:
        report.section(lesson.NO_LEARNING)
        tested = lesson.compare_drivers(report)

    recipe = lesson.make_recipe(arguments)
    histories, trips = {}, {}
    for run in lesson.plan(arguments):
        report.section(run.title)
        name = "_".join(filter(None, ["deep_q_network", arguments.preset, run.name]))
        network = build(run.settings, arguments.seed)
        inputs = car.inputs(run.settings.observation)
        model = TorchModel(network, input_shape=(len(inputs),))
        if run.is_saved:
            print(network)
        state = lesson.Training(run, recipe, arguments)
        torch.set_num_threads(device.choose_threads(model.architecture, recipe.batch_size))
        weights = train(network, state, recipe, report.checkpoint(name))
        driven = tested[run.title] = lesson.add_result(report, run, weights)
        histories[run.title] = state.history
        if arguments.map is not None:
            trips[run.title] = take_trip(lesson.greedy(weights), run.settings.observation, map=arguments.own_map)
        if run.is_saved:
            report.save(name, model, inputs=inputs, classes=car.ACTIONS, metrics=driven.metrics)
    lesson.show_results(report, tested, histories)
    lesson.show_own_map(report, trips)
    return report.finish(not_comparable=arguments.not_comparable)


if __name__ == "__main__":
    cli.run(main)

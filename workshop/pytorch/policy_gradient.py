"""A policy learns from its own episodes, in PyTorch: the mirror of `workshop/policy_gradient.py`.

The same environments, options, metrics, plots and files. The episodes are played and the advantages computed in NumPy,
as in the lesson; the networks, their losses and their steps are PyTorch's. The log-probability, a cross-entropy in
Keras, is that of a `torch.distributions.Categorical`.

    python -m workshop.pytorch.policy_gradient                      # the car, then the lander; look at the plots
    python -m workshop.pytorch.policy_gradient --part lander        # the lander alone
    python -m workshop.pytorch.policy_gradient --algorithm ppo      # the lander by PPO
    python -m workshop.pytorch.policy_gradient --part car --map my.txt    # then it drives on your own map
    python -m workshop.pytorch.policy_gradient --quick              # a first look, in seconds

Expected, as with Keras: a mean return of 200 or more over 100 test episodes of the lander, within a minute on two CPU
cores. Then `python -m apps.lander`. Needs gymnasium with Box2D: python -m pip install "gymnasium[box2d]".
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical

from workshop import policy_gradient as lesson
from workshop.kit import cli
from workshop.kit.environments import car, lander
from workshop.kit.report import Report
from workshop.kit.training import Recipe
from workshop.kit.training.checkpoint import Checkpoint, check_finite
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import Parts


class Network(nn.Module):
    """A network inputs-64-outputs, relu: the logits of an actor, the value of a critic.

    Args:
        inputs, outputs: the numbers of an observation, and of actions or 1.
        gain: the size of the last layer's first weights; with a small one all actions begin equally probable.
    """

    def __init__(self, inputs: int, outputs: int, gain: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, 64)
        self.output = nn.Linear(64, outputs)
        for layer, size in ((self.hidden, 2**0.5), (self.output, gain)):
            nn.init.orthogonal_(layer.weight, size)
            nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the outputs of observations."""
        return self.output(torch.relu(self.hidden(x)))

    def arrays(self) -> list[np.ndarray]:
        """Returns a copy of the weights for NumPy, kernels (inputs, outputs): a step of 16 policies in 5 microseconds.

        PyTorch's own call takes 30.
        """
        return [parameter.detach().numpy().T.copy() for parameter in self.parameters()]


class Learner:
    """A network and what trains it.

    Args:
        network: the actor or the critic.
        recipe: of the optimizer, with its rate.
        falling_steps: the steps in which the rate falls along a line to a twentieth; None for a constant rate.
    """

    def __init__(self, network: Network, recipe: Recipe, falling_steps: int | None = None) -> None:
        self.network, self.clip = network, recipe.clip
        self.optimizer, self.scheduler = optimizers.make(recipe, network.parameters())
        if falling_steps is not None:
            line = {"start_factor": 1.0, "end_factor": 1 / 20, "total_iters": falling_steps}
            self.scheduler = torch.optim.lr_scheduler.LinearLR(self.optimizer, **line)

    def descend(self, loss: torch.Tensor) -> None:
        """Takes one step down the gradient of a loss."""
        self.optimizer.zero_grad()
        loss.backward()
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.optimizer.step()
        self.scheduler.step()


def make_parts(*learners: Learner) -> Parts:
    """Returns the parts of learners that a checkpoint keeps, numbered."""
    return Parts(dict(enumerate(part for one in learners for part in (one.network, one.optimizer, one.scheduler))))


def as_tensor(array: np.ndarray) -> torch.Tensor:
    """Returns an array of numbers as a tensor in single precision."""
    return torch.from_numpy(array.astype(np.float32))


def log_probability(network: Network, X: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    """Returns log p of the action taken in each observation (samples,)."""
    return Categorical(logits=network(X), validate_args=False).log_prob(actions)


def gradient_by_autograd() -> np.ndarray:
    """Returns the gradient of G log p(a) by the logits: a step of rate 1 up."""
    logits = torch.tensor(lesson.LOGITS, requires_grad=True)
    objective = lesson.RETURN * Categorical(logits=logits).log_prob(torch.tensor(lesson.ACTION))
    objective.backward()
    assert logits.grad is not None
    return logits.grad.numpy()


def train_car(name: str, seed: int, recipe: Recipe, checkpoint: Checkpoint) -> tuple[list[np.ndarray], lesson.Curve]:
    """Trains a car's policy by one of `METHODS`; see the lesson's function of this name."""
    scale, method = lesson.car_scale(), lesson.METHODS[name]
    torch.manual_seed(seed)
    actor = Learner(Network(len(scale), len(car.ACTIONS), gain=0.01), recipe)
    critic = Learner(Network(len(scale), 1, gain=1), recipe)
    player = lesson.Player(car.Cars(lesson.CARS, lesson.OBSERVATION, lesson.CAR_STEPS), scale)
    curve, parts = lesson.Curve([], []), make_parts(actor, critic)
    settings = {"method": name, "seed": seed, "recipe": repr(recipe)}
    for epoch in lesson.remaining_epochs(checkpoint, curve, recipe.epochs, settings, parts.capture, parts.restore):
        player.begin(seed, epoch)
        for _ in range(lesson.CAR_STEPS // method.steps):
            rollout = player.play(actor.network.arrays(), method.steps)
            factors, targets = lesson.car_targets(name, rollout, critic.network.arrays())
            X = as_tensor(rollout.observations)
            # The policy gradient (Williams 1992): up the log-probability of each action, as far as it was worth it.
            log_p = log_probability(actor.network, X, torch.from_numpy(rollout.actions))
            actor.descend(-(as_tensor(factors) * log_p).mean())
            if targets is not None:
                critic.descend(nn.functional.mse_loss(critic.network(X)[..., 0], as_tensor(targets)))
        curve.add(player, (epoch + 1) * lesson.CARS * lesson.CAR_STEPS)
    return actor.network.arrays(), curve


def train_lander(
    settings: lesson.Settings, recipe: Recipe, arguments: argparse.Namespace, checkpoint: Checkpoint
) -> tuple[Network, lesson.Curve]:
    """Trains actor and critic on the lander, and returns the actor and the episodes."""
    torch.manual_seed(arguments.seed)
    falls = settings.falls and arguments.optimizer is None
    assert recipe.steps is not None, "with_options() counts the steps"
    steps = recipe.steps

    def learner(network: Network, rate: float, passes: int) -> Learner:
        print(network)
        return Learner(network, replace(recipe, learning_rate=rate), steps * passes if falls else None)

    actor = learner(Network(8, len(lander.ACTIONS), gain=0.01), recipe.rate, settings.actor_passes)
    critic = learner(Network(8, 1, gain=1), recipe.rate * settings.critic_rate, settings.critic_passes)
    player, curve, parts = lesson.make_player(settings), lesson.Curve([], []), make_parts(actor, critic)
    told = asdict(settings) | {"seed": arguments.seed, "recipe": repr(recipe)}
    for epoch in lesson.remaining_epochs(checkpoint, curve, recipe.epochs, told, parts.capture, parts.restore):
        player.begin(arguments.seed, epoch)
        for _ in range(lesson.epoch_steps(arguments) // (lesson.ENVIRONMENTS * settings.steps)):
            rollout = player.play(actor.network.arrays(), settings.steps)
            A, targets = map(as_tensor, lesson.lander_targets(rollout, settings, critic.network.arrays()))
            X, actions = as_tensor(rollout.observations.reshape(-1, 8)), torch.from_numpy(rollout.actions.ravel())
            with torch.no_grad():
                old_log_p = log_probability(actor.network, X, actions)
            for batch in lesson.minibatches(len(X), recipe.batch_size, settings.actor_passes, player.random):
                log_p = log_probability(actor.network, X[batch], actions[batch])
                if settings.clip is None:  # the policy gradient, with advantages (Mnih 2016)
                    loss = -(A[batch] * log_p).mean()
                else:  # PPO (Schulman 2017, equation 7): no gradient where the new p is far from the old one
                    ratio = torch.exp(log_p - old_log_p[batch])
                    clipped = ratio.clamp(1 - settings.clip, 1 + settings.clip)
                    loss = -torch.minimum(ratio * A[batch], clipped * A[batch]).mean()
                actor.descend(loss)
            for batch in lesson.minibatches(len(X), recipe.batch_size, settings.critic_passes, player.random):
                error = nn.functional.mse_loss(critic.network(X[batch])[:, 0], targets[batch])
                critic.descend(error)
        check_finite((loss + error).item(), epoch + 1)
        lesson.print_epoch(epoch, recipe.epochs, curve, curve.add(player, (epoch + 1) * lesson.epoch_steps(arguments)))
    return actor.network, curve


def as_saved(actor: Network, settings: lesson.Settings) -> TorchModel:
    """Returns the policy as it is saved: from the numbers of the environment as they come to probabilities.

    The network was trained on X * scale, and (X * scale) W = X (scale W): the first layer's weights take the scale in.
    """
    network = Network(8, len(lander.ACTIONS), gain=0.01)
    network.load_state_dict(actor.state_dict())
    if settings.is_scaled:
        with torch.no_grad():
            network.hidden.weight.mul_(torch.from_numpy(lesson.SCALE))  # (64, 8): a column for each input
    return TorchModel(network, input_shape=(8,), activation="softmax")


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains the car and the lander, tests, saves and draws them; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("policy_gradient", arguments, engine="torch")
    lesson.say_environments(report)
    report.engine(device.prepare(arguments.seed, on_cpu=True))
    torch.set_num_threads(1)  # a step is over before a second core has heard of it
    if "car" in arguments.parts:
        report.section("The gradient of a policy: one action of three, with the return 2")
        lesson.report_gradients(report, gradient_by_autograd(), "by autograd")
        report.section("A car with 20 range sensors: REINFORCE, and an actor with a critic")
        trained = {
            name: [train_car(name, seed, recipe, report.checkpoint(f"car_{name}_{seed}")) for seed, recipe in trainings]
            for name, trainings in lesson.car_recipes(arguments).items()
        }
        lesson.report_car(report, trained)
    if "lander" in arguments.parts:
        kind = arguments.algorithm
        report.section(f"{lander.NAME}: {lesson.TITLES[kind]}")
        settings, recipe = lesson.lander_recipe(arguments)
        actor, curve = train_lander(settings, recipe, arguments, report.checkpoint(lesson.NAMES[kind]))
        lesson.report_lander(report, curve, as_saved(actor, settings))
    use = f"python -m apps.lander --model {report.last_model}" if "lander" in arguments.parts else ""
    return report.finish(use=use, not_comparable=arguments.not_comparable)


if __name__ == "__main__":
    cli.run(main)

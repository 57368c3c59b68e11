"""A small network that trains before one's eyes, in the NumPy engine: XOR or two moons, an epoch at a time."""

import time
from collections.abc import Iterator

import numpy as np

from workshop import xor
from workshop.scratch.nn.layers import Dense, Rescaling
from workshop.scratch.nn.losses import make_loss
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import make_optimizer

DATA = ("XOR", "two moons")
ACTIVATIONS = ("tanh", "sigmoid", "relu")
POINTS = 200
BATCH_SIZE = 10
EPOCHS = 400  # of one training; a press of the button goes on
MAX_UNITS = 12
MAX_NOISE = 0.4
RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)

_PAUSE = 0.08  # seconds between two frames


def points(data: str, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns X (POINTS, 2) and the classes y (POINTS,), 0 or 1; `noise` is a standard deviation."""
    if data == "XOR":
        return xor.noisy_points(POINTS, noise, np.random.default_rng(1))
    from sklearn.datasets import make_moons

    X, y = make_moons(POINTS, noise=noise, random_state=1)
    return X.astype(np.float32), y.astype(np.float32)


class Training:
    """A network of one hidden layer, and how far it has come.

    Args:
        data: one of `DATA`.
        noise: the standard deviation of the points' noise.
        units: of the hidden layer.
        activation: one of `ACTIVATIONS`.
        rate: the learning rate, which may be changed at any time.
        seed: of the initial weights.

    Attributes:
        losses: the mean loss in each epoch so far.
    """

    def __init__(self, data: str, noise: float, units: int, activation: str, rate: float, seed: int = 1) -> None:
        self.X, self.y = points(data, noise)
        self.rate, self.seed = rate, seed
        # The inputs lie around 0 for the network: there tanh and sigmoid are steep.
        layers = [Rescaling(2, -1), Dense(int(units), activation), Dense(1, "sigmoid")]
        self.network = Network(layers, (2,), seed)
        self.losses: list[float] = []
        self._criterion = make_loss("binary_crossentropy")
        self._random = np.random.default_rng(seed)

    def train_epoch(self) -> None:
        """Passes once over the points: forward, loss, backward, a step for each batch."""
        optimizer = make_optimizer("sgd", self.rate)
        targets = self.y[:, None]
        losses = []
        for rows in self._random.permutation(POINTS).reshape(-1, BATCH_SIZE):
            outputs = self.network.forward(self.X[rows], training=True)
            losses.append(self.network.compute_loss(outputs, targets[rows], self._criterion))
            self.network.backward(outputs, targets[rows], self._criterion)
            optimizer.apply(self.network.gradients, self.network.parameters)
        self.losses.append(float(np.mean(losses)))

    def accuracy(self) -> float:
        """Returns the share of the points on the right side of the boundary."""
        return float(np.mean((self.network.predict(self.X)[:, 0] >= 0.5) == self.y))

    def frames(self) -> Iterator[None]:
        """Trains for `EPOCHS`, slowly enough to watch, and stops where the page draws: less often later."""
        for epoch in range(1, EPOCHS + 1):
            self.train_epoch()
            if epoch <= 60 or epoch % 5 == 0:
                yield
                time.sleep(_PAUSE)

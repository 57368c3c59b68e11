"""Losses: the error of a batch of outputs, one number, and beside it the gradient by each output.

Y are the network's outputs (samples, outputs), T the targets. Each loss is the mean over the samples, and its gradient
includes that division. Where a network has an output at every step of a sequence, (samples, steps, outputs), each step
counts as a sample. Where a loss and the last activation match (sigmoid with binary, softmax with categorical
cross-entropy), `fused` is the gradient by the activation's input z: p - t, divided by the samples. It is shorter than
the two steps, and stays exact where p is so close to 0 or 1 that the logarithm's slope overflows. `fused_value` is the
loss itself from z, exact where p has been rounded to 0 or 1; Keras and PyTorch compute it so as well.
"""

import abc

import numpy as np

from workshop.kit.errors import WorkshopError

# Keras clips probabilities this far from 0 and 1 before it takes their logarithm, where it does not know their z.
EPSILON = 1e-7


class Loss(abc.ABC):
    """A loss.

    Attributes:
        fused_with: the last activation for which `fused` and `fused_value` hold, or an empty string.
    """

    fused_with = ""

    @abc.abstractmethod
    def value(self, Y: np.ndarray, T: np.ndarray) -> float:
        """Returns the loss of a batch."""

    @abc.abstractmethod
    def gradient(self, Y: np.ndarray, T: np.ndarray) -> np.ndarray:
        """Returns dE/dY."""

    def fused(self, Y: np.ndarray, T: np.ndarray) -> np.ndarray:
        """Returns dE/dz, z being the input of the activation `fused_with`."""
        # Binary cross-entropy is a mean over the outputs too, categorical a sum over the classes.
        count = Y.size if self.fused_with == "sigmoid" else Y.size // Y.shape[-1]
        return (Y - self.targets(Y, T)) / Y.dtype.type(count)

    def fused_value(self, Z: np.ndarray, T: np.ndarray) -> float:
        """Returns the loss of a batch from the inputs of the activation `fused_with`.

        A loss that is fused with no activation takes the outputs themselves.
        """
        return self.value(Z, T)

    def targets(self, Y: np.ndarray, T: np.ndarray) -> np.ndarray:
        """Returns the targets in the shape and dtype of the outputs: (samples,) becomes a column."""
        return T.reshape(Y.shape).astype(Y.dtype, copy=False)


class MeanSquaredError(Loss):
    """E = mean (y - t)^2 over samples and outputs."""

    def value(self, Y: np.ndarray, T: np.ndarray) -> float:
        """Mean of the squared differences."""
        return float(np.mean((Y - self.targets(Y, T)) ** 2))

    def gradient(self, Y: np.ndarray, T: np.ndarray) -> np.ndarray:
        """2 (y - t) / (samples x outputs)."""
        return 2 * (Y - self.targets(Y, T)) / Y.dtype.type(Y.size)


class BinaryCrossentropy(Loss):
    """E = -mean (t log p + (1 - t) log(1 - p)); Y are probabilities p."""

    fused_with = "sigmoid"

    def value(self, Y: np.ndarray, T: np.ndarray) -> float:
        """Mean negative log-likelihood of the targets."""
        p, t = np.clip(Y, EPSILON, 1 - EPSILON), self.targets(Y, T)
        return float(-np.mean(t * np.log(p) + (1 - t) * np.log(1 - p)))

    def fused_value(self, Z: np.ndarray, T: np.ndarray) -> float:
        """log(1 + e^z) - t z, written so that no exponent is above 0."""
        return float(np.mean(np.maximum(Z, 0) - Z * self.targets(Z, T) + np.log1p(np.exp(-np.abs(Z)))))

    def gradient(self, Y: np.ndarray, T: np.ndarray) -> np.ndarray:
        """(p - t) / (p (1 - p)) / (samples x outputs)."""
        p, t = np.clip(Y, EPSILON, 1 - EPSILON), self.targets(Y, T)
        return (p - t) / (p * (1 - p)) / Y.dtype.type(Y.size)


class CategoricalCrossentropy(Loss):
    """E = -mean over samples of sum over classes t log p; Y are probabilities, T one-hot."""

    fused_with = "softmax"

    def value(self, Y: np.ndarray, T: np.ndarray) -> float:
        """Mean negative log-likelihood of the samples' classes."""
        return float(-np.mean((self.targets(Y, T) * np.log(np.clip(Y, EPSILON, 1 - EPSILON))).sum(axis=-1)))

    def fused_value(self, Z: np.ndarray, T: np.ndarray) -> float:
        """log(sum e^z) - z of the sample's class, after subtracting the largest z from all of them."""
        shifted = Z - Z.max(axis=-1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        return float(-np.mean((self.targets(Z, T) * log_p).sum(axis=-1)))

    def gradient(self, Y: np.ndarray, T: np.ndarray) -> np.ndarray:
        """-t / p / samples."""
        return -self.targets(Y, T) / np.clip(Y, EPSILON, 1 - EPSILON) / Y.dtype.type(Y.size // Y.shape[-1])


class SparseCategoricalCrossentropy(CategoricalCrossentropy):
    """Categorical cross-entropy with T the numbers of the classes, (samples,) or (samples, steps)."""

    def targets(self, Y: np.ndarray, T: np.ndarray) -> np.ndarray:
        """Returns the class numbers as one-hot rows."""
        return np.eye(Y.shape[-1], dtype=Y.dtype)[np.reshape(T, Y.shape[:-1]).astype(int)]


LOSSES: dict[str, type[Loss]] = {
    "mean_squared_error": MeanSquaredError,
    "binary_crossentropy": BinaryCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
}


def make_loss(name: str) -> Loss:
    """Returns a loss by its Keras name.

    Raises:
        WorkshopError: there is none of this name.
    """
    if name not in LOSSES:
        raise WorkshopError(f"loss = {name!r} is not known; known are {', '.join(LOSSES)}")
    return LOSSES[name]()

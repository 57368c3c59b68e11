"""A PyTorch network as the lessons and the programs use it: from the `.h5` and back, predicting NumPy arrays."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from workshop.kit import files
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving import h5
from workshop.kit.saving.architecture import Architecture
from workshop.kit.saving.model import Preprocess, samples_at_once
from workshop.pytorch.kit.building import from_architecture as from_architecture
from workshop.pytorch.kit.device import choose_device
from workshop.pytorch.kit.reading.network import KNOWN_MODULES, in_a_row, read
from workshop.pytorch.kit.reading.network import to_architecture as to_architecture
from workshop.pytorch.kit.tracing import as_sequential


@contextlib.contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Puts the network into evaluation mode, without gradients, and back at the end."""
    was_training = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for part, trained in was_training.items():
            part.training = trained


class TorchModel:
    """A PyTorch network as the lessons and the programs use a model of any engine; see `saving.model.Model`.

    Args:
        module: a network as PyTorch is written, which `tracing.as_sequential` can follow; or an `nn.Sequential` whose
            images are channels last outside of it, as `from_h5` makes them. It is not copied: what trains it, trains
            this.
        input_shape: of one sample as Keras has it: (2,), (28, 28, 1).
        activation: of the outputs, where a network returns logits: "softmax" or "sigmoid".

    Raises:
        WorkshopError: the module cannot be described; the message names what is not known.
    """

    engine = "torch"

    def __init__(self, module: nn.Module, input_shape: Sequence[int], activation: str | None = None) -> None:
        if type(module) in KNOWN_MODULES and activation is None:
            module = nn.Sequential(module)
        elif type(module) is not nn.Sequential or activation is not None:
            module = as_sequential(module, input_shape, activation)
        self.module = module
        described = to_architecture(module, input_shape)
        self.input_shape, self.output_shape = described.input_shape, described.shapes()[-1]

    @classmethod
    def from_h5(cls, path: FilePath, dtype: torch.dtype = torch.float32) -> "TorchModel":
        """Reads a `.h5` that any engine or Keras saved, onto the graphics card where there is one.

        Raises:
            WorkshopError: the file cannot be read, is damaged or unsafe, or has a layer that is not known here.
        """
        return cls.from_bytes(files.read_bytes(path), path, dtype)

    @classmethod
    def from_bytes(cls, content: bytes, path: FilePath, dtype: torch.dtype = torch.float32) -> "TorchModel":
        """Reads the content of a `.h5`, as `from_h5` does; `path` is for the messages."""
        architecture = h5.from_bytes(content, path)
        return cls(from_architecture(architecture, dtype).to(choose_device(dtype)), architecture.input_shape)

    def predict(self, X: np.ndarray, *, preprocess: Preprocess | None = None) -> np.ndarray:
        """Returns the outputs for X (samples, *input_shape), in the type of the network's weights: float32.

        Args:
            X: samples first, images channels last.
            preprocess: applied to each batch of X.
        """
        if not len(X):
            return np.zeros((0, *self.output_shape), np.float32)
        parts = []
        size = samples_at_once(X)
        with _evaluating(self.module):
            for start in range(0, len(X), size):
                batch = X[start : start + size] if preprocess is None else preprocess(X[start : start + size])
                parts.append(self.module(self._as_tensor(batch)).cpu().numpy())
                files.release_pages(X)
        return np.concatenate(parts)

    def _as_tensor(self, batch: Any) -> torch.Tensor:
        """Returns a batch where the weights are, in their type."""
        if not isinstance(batch, torch.Tensor):
            batch = torch.tensor(np.ascontiguousarray(batch))
        shape = tuple(batch.shape[1:])
        if self.input_shape not in (shape, (*shape, 1)):  # Keras, too, takes images without their one channel
            raise WorkshopError(f"got samples of shape {shape}, the model takes {self.input_shape}")
        weight = next(self.module.parameters(), torch.zeros(0))
        return batch.to(weight.device, weight.dtype).reshape(len(batch), *self.input_shape)

    def get_weights(self) -> list[np.ndarray]:
        """Returns the weights and moving statistics layer by layer, in Keras' layout, copied."""
        return [weight.get() for _, weight in read(self.module, self.input_shape).weights()]

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Puts weights in, in the order and the layout of `get_weights`.

        Raises:
            WorkshopError: they are not as many, or not of the shapes.
        """
        places = read(self.module, self.input_shape).weights()
        if len(weights) != len(places):
            raise WorkshopError(f"got {len(weights)} weights, the network takes {len(places)}")
        for (what, weight), array in zip(places, weights, strict=True):
            weight.put(array, what)

    def count_params(self) -> int:
        """Returns the number of weights, moving statistics included."""
        return sum(math.prod(weight.shape) for _, weight in read(self.module, self.input_shape).weights())

    def stages(self, X: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """Returns the outputs of all layers but Flatten for X, images channels last, each with its Keras name."""
        reader = read(self.module, self.input_shape)
        by_module = {found.module: found for found in reader.found if found.layer.kind != "Flatten"}
        stages = []
        with _evaluating(self.module):
            output = self._as_tensor(X)
            for place, module in enumerate(in_a_row(self.module)):
                output = module(output)
                if place in by_module:
                    found = by_module[place]
                    shown = output.movedim(1, -1) if found.channels_first else output
                    # Copied: the next module may work in place.
                    stages.append((found.layer.kind, np.array(shown.cpu().numpy(), order="C")))
        return stages

    @property
    def architecture(self) -> Architecture:
        """The description that all engines build their models from, with a copy of the weights."""
        return to_architecture(self.module, self.input_shape)

    def to_h5(self) -> bytes:
        """Returns the content of the `.h5` that all engines load; the same weights give the same bytes."""
        return h5.to_bytes(self.architecture)

    def save_h5(self, path: FilePath) -> None:
        """Writes the `.h5`; a crash leaves the old file or the new one, whole."""
        files.write_atomically(path, self.to_h5())

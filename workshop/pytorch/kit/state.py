"""The state of a training in PyTorch: which epoch it is in, what it measured, and how it goes on after a stop."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop.kit.training import state
from workshop.kit.training.checkpoint import Checkpoint
from workshop.kit.training.recipe import Recipe
from workshop.pytorch.kit import device
from workshop.pytorch.kit.model import TorchModel


class Parts:
    """The parts of a training that have a `state_dict`: networks, optimizers. A checkpoint keeps their states.

    Args:
        parts: by their names.
    """

    def __init__(self, parts: Mapping[Any, Any]) -> None:
        self._parts = parts

    def capture(self, **tensors: torch.Tensor) -> dict[str, np.ndarray]:
        """Returns the states, and tensors beside them, as the bytes that `torch.save` writes."""
        content = io.BytesIO()
        torch.save({name: part.state_dict() for name, part in self._parts.items()} | tensors, content)
        return {"torch": np.frombuffer(content.getvalue(), np.uint8)}

    def restore(self, arrays: Mapping[str, np.ndarray], **tensors: torch.Tensor) -> None:
        """Puts the states back, and into tensors what was captured of them."""
        # `weights_only` keeps a forged file from running code.
        kept = torch.load(io.BytesIO(arrays["torch"].tobytes()), weights_only=True)
        for name, part in self._parts.items():
            part.load_state_dict(kept[name])
        for name, tensor in tensors.items():
            tensor.copy_(kept[name])


class TrainingState(state.TrainingState):
    """The progress of one training; see `workshop.kit.training.state.TrainingState`.

    `for epoch in state.epochs(optimizer, scheduler, loader)` goes on where a stopped training was, and tells the
    loader which epoch begins; `state.log(len(inputs), loss=loss)` shows and remembers what a step measured.

    Args:
        checkpoint, recipe, options: as in the class above.
        model: the network, as it is saved.

    Attributes:
        device: where the network's weights are, and its inputs belong.
    """

    engine = "torch"
    _model: TorchModel

    def __init__(self, checkpoint: Checkpoint | None, recipe: Recipe, model: TorchModel, **options: Any) -> None:
        super().__init__(checkpoint, recipe, **options)
        self._model, self.device = model, next(model.module.parameters()).device

    def epochs(
        self,
        optimizer: torch.optim.Optimizer,
        scheduler: torch.optim.lr_scheduler.LRScheduler | None,
        loader: DataLoader[Any],
        scaler: torch.amp.GradScaler | None = None,
        others: Mapping[str, Any] | None = None,
    ) -> Iterator[int]:
        """Yields the epochs that are still to be trained, from 0.

        Args:
            optimizer: of the network's parameters.
            scheduler: of the optimizer's learning rate, stepped after each step, or None.
            loader: of a `dataset.ArrayDataset` or `photos.PhotoDataset`, its sampler a `dataset.SeededBatches`.
            scaler: of the loss, where the steps are in float16.
            others: by names of their own, what else the training changes: a second network, its optimizer; all that has
                a `state_dict` and takes it back. Not named "network", "optimizer", "scheduler", "scaler", "generator".
        """
        parts: dict[str, Any] = {"network": self._model.module, "optimizer": optimizer}
        parts |= {"scheduler": scheduler} if scheduler is not None else {}
        parts |= {"scaler": scaler} if scaler is not None else {}
        self._parts = Parts(parts | dict(others or {}))
        torch.set_num_threads(device.choose_threads(self._model.architecture, self.recipe.batch_size))
        sampler: Any = loader.sampler
        data: Any = loader.dataset
        settings = {"layers": str(self._model.module), "precision": str(device.autocast_dtype()), "seed": sampler.seed}
        for epoch in self._run(len(data), settings | data.digests()):
            sampler.set_epoch(epoch)
            if hasattr(data, "set_epoch"):  # photos, whose changes are drawn anew
                data.set_epoch(epoch)
            yield epoch

    @staticmethod
    def _detach(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        # A number is added up ten times as fast; from a graphics card it would have to be waited for at each step.
        return value.item() if value.device.type == "cpu" else value.detach()

    def _capture(self) -> dict[str, np.ndarray]:
        return self._parts.capture(generator=torch.get_rng_state())  # from which Dropout draws

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        generator = torch.get_rng_state()
        self._parts.restore(arrays, generator=generator)
        torch.set_rng_state(generator)


def start_training(network: nn.Module) -> None:
    """Does what `network.train()` does, but for what is frozen by `requires_grad = False`.

    A frozen normalisation goes on normalising by its moving averages, which stay as they are: `trainable = False` means
    the same in Keras. `network.train()` alone would move them.
    """
    network.train()
    for module in network.modules():
        parameters = list(module.parameters(recurse=False))
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()

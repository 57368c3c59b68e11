"""Training in PyTorch: a new network, and the training loop, written out.

Everything around the loop (progress, early stopping, resuming) is that of `workshop.kit.training`, as in every engine.
The batches come from `dataset.py`, the optimizers from `optimizers.py`, the precision from `device.py`.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from workshop.kit.engine import Plan
from workshop.kit.saving.model import Preprocess, samples_at_once
from workshop.kit.training import batching, loop
from workshop.kit.training import run as training_run
from workshop.kit.training.history import History
from workshop.pytorch.kit.dataset import Arrays
from workshop.pytorch.kit.device import autocast_dtype, choose_device, choose_threads
from workshop.pytorch.kit.layers import initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.optimizers import make_optimizer
from workshop.pytorch.kit.reading import to_architecture


def new_model(modules: Sequence[nn.Module], input_shape: Sequence[int]) -> TorchModel:
    """Returns a network on the graphics card where there is one, its weights drawn as Keras draws them.

    Args:
        modules: in a row.
        input_shape: of one sample as Keras has it: (2,), (28, 28, 1).
    """
    network = initialize_as_keras(nn.Sequential(*modules))
    return TorchModel(network.to(choose_device()), input_shape)


def fit(
    model: TorchModel,
    X: np.ndarray,
    y: np.ndarray,
    plan: Plan,
    seed: int,
    *,
    loss: nn.Module,
    preprocess: Preprocess | None = None,
    preprocess_targets: Preprocess | None = None,
    **options: Any,
) -> History:
    """Trains a model, with the options of `fitting.fit`.

    Args:
        model: the network.
        X: inputs, samples first.
        y: targets, samples first: numbers of classes for nn.CrossEntropyLoss, else (samples, outputs). Where the
            network answers at every step of a sequence, (samples, steps) and (samples, steps, outputs).
        plan: how it is trained.
        seed: of the order of the samples.
        loss: nn.MSELoss, nn.BCEWithLogitsLoss or nn.CrossEntropyLoss. The latter two know their way through the last
            activation, sigmoid or softmax, which is the stable form: the network is trained without it.
        preprocess, preprocess_targets: applied to each batch of X, and of y.
        options: of `fitting.fit`.
    """
    run = TorchRun(model, Arrays(X, y, preprocess, preprocess_targets), plan, loss)
    return loop.fit(run, epochs=plan.epochs, batch_size=plan.batch_size, seed=seed, **options)


def start_training(network: nn.Module) -> None:
    """Has a network answer as it does while it learns, all but what is frozen by `requires_grad = False`.

    A frozen normalisation goes on normalising by its moving averages, which stay as they are: `trainable = False` means
    the same in Keras. `network.train()` alone would move them.
    """
    network.train()
    for module in network.modules():
        parameters = list(module.parameters(recurse=False))
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()


def _steps_as_samples(outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the answers at all steps of sequences, (samples, steps, outputs), as rows, and their targets as well.

    All losses are means over them, in Keras too. nn.CrossEntropyLoss would take the second axis for the classes.
    """
    return (outputs.flatten(0, 1), targets.flatten(0, 1)) if outputs.ndim == 3 else (outputs, targets)


class TorchRun(training_run.Run):
    """The training steps of one network on one set of data."""

    engine = "torch"

    def __init__(self, model: TorchModel, data: Arrays, plan: Plan, loss: nn.Module) -> None:
        self.samples = len(data)
        self._model, self._data, self._plan, self._loss = model, data, plan, loss
        network: Any = model.module
        takes_logits = isinstance(loss, nn.BCEWithLogitsLoss | nn.CrossEntropyLoss)
        self._network = network[:-1] if takes_logits else network  # the same modules, without the last activation
        self.names = ["loss", "accuracy"] if takes_logits else ["loss"]
        self._device = next(network.parameters()).device
        torch.set_num_threads(choose_threads(to_architecture(network, model.input_shape), plan.batch_size))
        learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self._optimizer, self._scheduler = make_optimizer(plan.optimizer, learned, plan.learning_rate, plan.steps)
        self._autocast = autocast_dtype()
        # The smallest gradients would be 0 in float16: the loss is scaled up, and the gradients down again.
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=self._autocast is torch.float16)

    def begin_epoch(self, epoch: int) -> None:
        """Tells the samples which epoch begins."""
        self._data.begin_epoch(epoch)

    def steps(self, orders: np.ndarray, batch_size: int) -> np.ndarray:
        """Takes the steps over the samples in these orders; returns the metrics, (segments, names)."""
        start_training(self._network)
        segments = []
        for order in orders:
            sums = torch.zeros(len(self.names), device=self._device)
            for inputs, targets in self._data.batches(order, batch_size):
                inputs, targets = inputs.to(self._device), targets.to(self._device)
                self._optimizer.zero_grad()
                with torch.autocast(self._device.type, self._autocast, enabled=self._autocast is not None):
                    outputs = self._network(inputs)
                if self._autocast is not None:
                    outputs = outputs.float()  # the loss takes logarithms
                outputs, targets = _steps_as_samples(outputs, targets)
                loss = self._loss(outputs, targets)
                self._scaler.scale(loss).backward()
                if self._plan.clip is not None:
                    self._scaler.unscale_(self._optimizer)
                    nn.utils.clip_grad_norm_(self._network.parameters(), self._plan.clip)
                self._scaler.step(self._optimizer)
                scale = self._scaler.get_scale()
                self._scaler.update()
                # A scale that shrinks says that a gradient was too large for float16, and the step was left out.
                if self._scheduler and self._scaler.get_scale() >= scale:
                    self._scheduler.step()
                sums += self._measure(loss.detach(), outputs.detach(), targets) * len(inputs)
            segments.append(sums.cpu().numpy() / len(order))
        return np.stack(segments)

    def _measure(self, loss: torch.Tensor, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Returns the metrics of one batch, by the order of `names`."""
        if "accuracy" not in self.names:
            return loss[None]
        if isinstance(self._loss, nn.BCEWithLogitsLoss):
            right = (outputs > 0) == (targets > 0.5)
        else:
            right = outputs.argmax(dim=1) == (targets if targets.ndim == 1 else targets.argmax(dim=1))
        return torch.stack([loss, right.float().mean()])

    @torch.inference_mode()
    def evaluate(self, X: np.ndarray, y: np.ndarray) -> dict[str, float]:
        """Returns loss and metrics over all of (X, y)."""
        self._network.eval()
        data = self._data.like(X, y)
        sums = torch.zeros(len(self.names), device=self._device)
        for rows in batching.batches(len(data), samples_at_once(X)):
            inputs, targets = (part.to(self._device) for part in data[rows])
            outputs, targets = _steps_as_samples(self._network(inputs), targets)
            sums += self._measure(self._loss(outputs, targets), outputs, targets) * len(inputs)
        return dict(zip(self.names, (sums / len(data)).tolist(), strict=True))

    def get_weights(self) -> list[np.ndarray]:
        """Returns the weights in Keras' order and layout, copied."""
        return self._model.get_weights()

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Puts weights in."""
        self._model.set_weights(weights)

    def state(self) -> dict[str, np.ndarray]:
        """Returns what `torch.save` writes of network, optimizer, rate and random generator."""
        content = io.BytesIO()
        parts = {
            "network": self._model.module.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scheduler": self._scheduler.state_dict() if self._scheduler else None,
            "scaler": self._scaler.state_dict(),
            "generator": torch.get_rng_state(),  # from which Dropout draws
        }
        torch.save(parts, content)
        return {"torch": np.frombuffer(content.getvalue(), np.uint8)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Puts it back. `weights_only` keeps a stranger's file from running code."""
        parts = torch.load(io.BytesIO(state["torch"].tobytes()), weights_only=True)
        self._model.module.load_state_dict(parts["network"])
        self._optimizer.load_state_dict(parts["optimizer"])
        if self._scheduler:
            self._scheduler.load_state_dict(parts["scheduler"])
        self._scaler.load_state_dict(parts["scaler"])
        torch.set_rng_state(parts["generator"])

    def describe(self) -> dict[str, Any]:
        """Returns modules, loss, plan and data."""
        described = {"layers": str(self._model.module), "loss": str(self._loss), "plan": list(self._plan)}
        described["precision"] = str(self._autocast)
        return described | self._data.digests()

"""What the PyTorch mirrors share: the training loop, written out, and its data.

Everything around it (progress, early stopping, resuming) is `workshop.kit.fitting`'s, as in the other engines.
"""

import io
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, Dataset

from workshop.kit import fitting
from workshop.kit.engine import Plan
from workshop.kit.fitting import History, Preprocess
from workshop.kit.model import samples_at_once
from workshop.pytorch import layers, optimizers
from workshop.pytorch.layers import ChannelsFirst as ChannelsFirst
from workshop.pytorch.layers import ChannelsLast as ChannelsLast
from workshop.pytorch.layers import FlattenAsKeras as FlattenAsKeras
from workshop.pytorch.layers import PadAsTensorFlow as PadAsTensorFlow
from workshop.pytorch.layers import ReshapeAsKeras as ReshapeAsKeras
from workshop.pytorch.model import TorchModel, device, to_architecture

_SMALL_STEP = 60_000_000  # multiplications: 784-128-10 on 64 images takes 7 million, the CNN 170


# What `--precision` means to PyTorch: the type that it multiplies in.
_MULTIPLIES_IN = {"float32": None, "mixed_float16": torch.float16, "mixed_bfloat16": torch.bfloat16}
_autocast: torch.dtype | None = None  # of the lesson that runs


def prepare(seed: int, precision: str = "float32") -> str:
    """Makes the run reproducible; returns what it uses, in words: "PyTorch 2.13.0, 2 CPU cores".

    Args:
        seed: a whole number.
        precision: one of `device.PRECISIONS`; "auto" takes 16 bits on a GPU.
    """
    global _autocast
    is_gpu = device().type == "cuda"
    chosen = ("mixed_float16" if is_gpu else "float32") if precision == "auto" else precision
    _autocast = _MULTIPLIES_IN[chosen]
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # With it PyTorch also fills all new memory, which costs a tenth of the time and changes nothing here.
    torch.utils.deterministic.fill_uninitialized_memory = False
    where = torch.cuda.get_device_name() if is_gpu else f"{os.cpu_count()} CPU cores"
    return f"PyTorch {torch.__version__.partition('+')[0]}, {where}" + f", {chosen}" * (chosen != "float32")


def new_model(modules: Sequence[nn.Module], input_shape: Sequence[int]) -> TorchModel:
    """Returns a network on the graphics card where there is one, its weights drawn as Keras draws them.

    Args:
        modules: in a row.
        input_shape: of one sample as Keras has it: (2,), (28, 28, 1).
    """
    network = layers.initialize_as_keras(nn.Sequential(*modules))
    return TorchModel(network.to(device()), input_shape)


def activation(name: str) -> nn.Module:
    """Returns the module of an activation function by Keras' name for it: "relu", "sigmoid", "tanh"."""
    return layers.ACTIVATIONS[name](1)


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


class Arrays(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Samples and targets in NumPy's arrays. An index is a list: a whole batch at once is far quicker than one by one.

    Args:
        X: samples first, images channels last; bytes, or numbers.
        y: numbers of classes (samples,), or targets (samples, outputs).
        preprocess, preprocess_targets: applied to each batch of X, and of y.
    """

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray,
        preprocess: Preprocess | None = None,
        preprocess_targets: Preprocess | None = None,
    ) -> None:
        self._X, self._y = X, y
        self._preprocess = preprocess or (lambda batch: batch)
        self._preprocess_targets = preprocess_targets or (lambda batch: batch)

    def __len__(self) -> int:
        return len(self._X)

    def __getitem__(self, rows: Any) -> tuple[torch.Tensor, torch.Tensor]:
        return self.as_tensors(self._X[rows], self._y[rows])

    def as_tensors(self, X: np.ndarray, y: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns some of the samples as the network takes them."""
        inputs = torch.from_numpy(np.asarray(self._preprocess(X), np.float32))
        y = self._preprocess_targets(y)
        # PyTorch's cross-entropy takes numbers of classes as 64-bit integers; all other targets are numbers.
        kind = np.int64 if y.dtype.kind in "iu" else np.float32
        return inputs, torch.from_numpy(np.asarray(y, kind))

    def batches(self, order: np.ndarray, batch_size: int) -> Iterable[tuple[torch.Tensor, torch.Tensor]]:
        """Returns the batches of an epoch that visits the samples in this order; the last one may be smaller."""
        sampler = BatchSampler(order.tolist(), batch_size, drop_last=False)
        return DataLoader(self, sampler=sampler, batch_size=None)

    def like(self, X: np.ndarray, y: np.ndarray) -> "Arrays":
        """Returns other samples that are prepared in the same way."""
        return Arrays(X, y, self._preprocess, self._preprocess_targets)

    def digests(self) -> dict[str, str]:
        """Returns what tells these samples from others."""
        return {"X": fitting.digest(self._X), "y": fitting.digest(self._y)}


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
    return fitting.fit(run, epochs=plan.epochs, batch_size=plan.batch_size, seed=seed, **options)


def _steps_as_samples(outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the answers at all steps of sequences, (samples, steps, outputs), as rows, and their targets as well.

    All losses are means over them, in Keras too. nn.CrossEntropyLoss would take the second axis for the classes.
    """
    return (outputs.flatten(0, 1), targets.flatten(0, 1)) if outputs.ndim == 3 else (outputs, targets)


class TorchRun(fitting.Run):
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
        # A step of so few multiplications is over before a second core has heard of it; and where another program takes
        # that core, the two wait for each other.
        # The steps through a sequence come one after the other and are small, too: two cores took three times as long.
        described = to_architecture(network, model.input_shape)
        is_recurrent = any("recurrent_kernel" in weights for weights in described.weight_shapes())
        is_small = is_recurrent or described.multiplications() * plan.batch_size < _SMALL_STEP
        torch.set_num_threads(1 if is_small else os.cpu_count() or 1)
        learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self._optimizer, self._scheduler = optimizers.make_optimizer(
            plan.optimizer, learned, plan.learning_rate, plan.steps
        )
        self._autocast = _autocast
        # The smallest gradients would be 0 in float16: the loss is scaled up, and the gradients down again.
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=_autocast is torch.float16)

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
        for rows in fitting.batches(len(data), samples_at_once(X)):
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

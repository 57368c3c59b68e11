"""Handwritten digits, in PyTorch: the mirror of `workshop/mnist.py`.

The same images, options, metrics, plots and files. PyTorch has the channels of an image first, and its loss takes
logits: the softmax is added when the model is saved, so that the `.h5` is the one that Keras would have written.

    python -m workshop.pytorch.mnist                    # both; then look into the folder plots
    python -m workshop.pytorch.mnist --model cnn        # one of them
    python -m workshop.pytorch.mnist --quick            # a first look, in seconds

Expected, as with Keras: dense at least 97.5 % test accuracy, CNN at least 99.0 %, both within a minute on two CPU
cores.

Several processes, on this machine or on several, share each batch and end with the same network:

    torchrun --nproc-per-node 2 -m workshop.pytorch.mnist
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop.figures import mnist as figures
from workshop.kit import cli, image_classifier
from workshop.kit.data.images import load_image_set, scale_pixels
from workshop.kit.report import Report
from workshop.mnist import parse, show_predictions, show_training_images
from workshop.pytorch.kit import device, distributed, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.layers import initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import TrainingState

ACTIVATIONS = {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}


class DenseNetwork(nn.Module):
    """The dense network: (n, 1, 28, 28) -> 784 -> each of `hidden_units` -> (n, 10) logits."""

    def __init__(self, hidden_units: Sequence[int] = (128,), activation: str = "relu") -> None:
        super().__init__()
        sizes = [784, *hidden_units]
        self.hidden = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in itertools.pairwise(sizes))
        self.output = nn.Linear(sizes[-1], 10)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the logits of images."""
        x = x.flatten(1)
        for hidden in self.hidden:
            x = self.activation(hidden(x))
        return self.output(x)


class CNN(nn.Module):
    """The convolutional network: a 3x3 convolution and a 2x2 pooling for each of `filters`, then dense layers.

    With the defaults the shapes are 1x28x28 -> 32x26x26 -> 32x13x13 -> 32x11x11 -> 32x5x5 -> 800 -> 128 -> 10 logits.
    With the padding "same" a convolution keeps the image's size.
    """

    def __init__(
        self,
        filters: Sequence[int] = (32, 32),
        hidden_units: Sequence[int] = (128,),
        activation: str = "relu",
        padding: str = "valid",
    ) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList()
        channels, size = 1, 28
        for count in filters:
            self.convolutions.append(nn.Conv2d(channels, count, kernel_size=3, padding=padding))
            channels, size = count, (size if padding == "same" else size - 2) // 2
        self.pooling = nn.MaxPool2d(2)
        sizes = [channels * size * size, *hidden_units]
        self.hidden = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in itertools.pairwise(sizes))
        self.output = nn.Linear(sizes[-1], 10)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the logits of images."""
        for convolution in self.convolutions:
            x = self.pooling(self.activation(convolution(x)))
        x = x.flatten(1)
        for hidden in self.hidden:
            x = self.activation(hidden(x))
        return self.output(x)


def build(kind: str, arguments: argparse.Namespace) -> nn.Module:
    """Returns one of the two networks, as the options want it; its weights are drawn as Keras draws them."""
    torch.manual_seed(arguments.seed)
    hidden_units = arguments.hidden_units[kind]
    if kind == "dense":
        network: nn.Module = DenseNetwork(hidden_units, arguments.activation)
    else:
        network = CNN(arguments.filters, hidden_units, arguments.activation, arguments.padding)
    return initialize_as_keras(network).to(device.choose_device())


def train(network: nn.Module, loader: DataLoader, state: TrainingState) -> None:
    """The training loop of PyTorch, written out; `state` shows it, remembers it and goes on where it was stopped."""
    criterion = nn.CrossEntropyLoss()
    # The recipe's: by default AdamW, warm-up and cosine decay; the constants are Keras'.
    optimizer, scheduler = optimizers.make(state.recipe, network.parameters())
    shared = distributed.shared(network)  # in several processes its backward pass takes the mean of their gradients
    scaler = device.grad_scaler()  # for float16, whose smallest gradients would be 0
    for _epoch in state.epochs(optimizer, scheduler, loader, scaler):
        shared.train()
        for inputs, targets in loader:
            inputs, targets = inputs.to(state.device), targets.to(state.device)
            optimizer.zero_grad()
            with device.autocast():
                logits = shared(inputs)
            loss = criterion(logits.float(), targets)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            scheduler.step()
            accuracy = (logits.argmax(dim=1) == targets).float().mean()
            state.log(len(inputs), loss=loss, accuracy=accuracy)


@torch.no_grad()
def evaluate(network: nn.Module, loader: DataLoader) -> float:
    """Returns the share of images whose highest logit is that of their class."""
    network.eval()
    torch_device = next(network.parameters()).device
    correct = total = 0
    for inputs, targets in loader:
        predicted = network(inputs.to(torch_device)).argmax(dim=1).cpu()
        correct += int((predicted == targets).sum())
        total += len(targets)
    return correct / total


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, saves and plots the networks; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("mnist", arguments, engine="torch", may_share=True)
    images = load_image_set("mnist", arguments.data, quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    if arguments.look is not None:
        return show_training_images(report, images)
    image_classifier.check_indices("--predict", arguments.predict, len(images.X_test), images.source)
    report.engine(device.prepare(arguments.seed, arguments.precision))  # seeds, determinism, precision

    preprocess = image_classifier.unscaled_pixels if arguments.no_scaling else scale_pixels  # to 0..255 or 0..1
    train_set = ArrayDataset(images.X_train, images.y_train, preprocess)
    test_set = ArrayDataset(images.X_test, images.y_test, preprocess)
    test_loader = DataLoader(test_set, sampler=SeededBatches(len(test_set), 1000, seed=0), batch_size=None)
    curves = {}
    for kind in arguments.kinds:
        name = image_classifier.model_name("mnist", kind, arguments)
        report.section(kind)
        # Epochs, batch size, optimizer: of the recipe or of the command line; `samples` gives the schedule its length.
        recipe = arguments.recipes[kind].with_options(arguments, samples=len(train_set))
        batches = distributed.SharedBatches(len(train_set), recipe.batch_size, arguments.seed)
        loader = DataLoader(train_set, sampler=batches, batch_size=None)  # the sampler gives whole batches
        network = build(kind, arguments)
        print(network)
        # The same network and weights as Keras and the .h5 have them: channels last, a softmax behind the logits.
        model = TorchModel(network, input_shape=(28, 28, 1), activation="softmax")
        print(f"{model.count_params():,} weights")
        state = TrainingState(report.checkpoint(name), recipe, model)
        train(network, loader, state)
        curves[kind] = state.curve

        test_accuracy = evaluate(network, test_loader)
        metrics = {"train_accuracy": state.history["accuracy"][-1], "test_accuracy": test_accuracy}
        print(f"{test_accuracy:.2%} of {len(test_set):,} test images classified correctly")
        report.result(metrics, model=kind, is_only=len(arguments.kinds) == 1)
        report.save(  # the .h5 that Keras would write, and a card (.json): inputs, classes, metrics, digests
            name,
            model,
            inputs=[image_classifier.image_input(arguments)],
            classes=images.classes,
            metrics=metrics,
        )
        probabilities = model.predict(images.X_test, preprocess=preprocess)
        report.plots(name, figures.evaluation(kind, images.X_test, images.y_test, probabilities, images.classes))
        pixels = preprocess(images.X_test[:1])
        outputs = [("image", pixels[0]), *((layer, output[0]) for layer, output in model.stages(pixels))]
        report.plot(f"{name}-layers", figures.layers, kind, outputs, images.classes)
        if kind == "cnn":
            report.plot(f"{name}-filters", figures.filters, model.get_weights()[0])
        elif not arguments.hidden_units[kind]:  # 784-10: each output has an image of weights
            report.plot(f"{name}-weights", figures.weight_images, model.get_weights()[0], images.classes)
        if arguments.predict:
            show_predictions(report, name, images, probabilities)
    report.plot(
        f"{image_classifier.run_name('mnist', arguments)}-loss",
        figures.losses,
        curves,
        title="Training loss on the digits",
    )
    use = f"python -m apps.digit --model {report.last_model} YOUR-PICTURE.png"
    # The programs give the network pixels of 0 to 1.
    return report.finish(use="" if arguments.no_scaling else use, not_comparable=arguments.not_comparable)


if __name__ == "__main__":
    cli.run(main)

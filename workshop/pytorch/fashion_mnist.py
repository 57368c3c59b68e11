"""Garments, in PyTorch: the mirror of `workshop/fashion_mnist.py`.

The same images, options, metrics, plots and files; the loop is the one of `pytorch/mnist.py`.

    python -m workshop.pytorch.fashion_mnist                    # both; then look into the folder plots
    python -m workshop.pytorch.fashion_mnist --model dense      # one of them

Expected, as with Keras: dense at least 88 % test accuracy, CNN at least 91.5 %, both within a minute on two CPU cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop.fashion_mnist import RECIPES, parse
from workshop.figures import fashion_mnist as figures
from workshop.kit import cli
from workshop.kit.data.images import load_image_set, scale_pixels
from workshop.kit.report import Report
from workshop.kit.saving.bundle import Input
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.layers import initialize_as_keras
from workshop.pytorch.kit.layout import FlattenAsKeras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import TrainingState
from workshop.pytorch.mnist import ACTIVATIONS, DenseNetwork


class CNN(nn.Module):
    """The convolutional network: 3x3 convolutions, all but the last padded; 2x2 poolings; dense layers.

    With the defaults the shapes are 1x28x28 -> 16x28x28 -> 16x14x14 -> 32x14x14 -> 32x7x7 -> 64x5x5 -> 96 -> 10 logits.
    """

    def __init__(self, filters: Sequence[int] = (16, 32, 64), hidden_units: int = 96, activation: str = "relu") -> None:
        super().__init__()
        *padded, last = filters
        self.convolutions = nn.ModuleList()
        channels, size = 1, 28
        for count in padded:
            self.convolutions.append(nn.Conv2d(channels, count, kernel_size=3, padding="same"))
            channels, size = count, size // 2
        self.last_convolution = nn.Conv2d(channels, last, kernel_size=3)
        self.pooling = nn.MaxPool2d(2)
        size -= 2
        # The last convolution keeps all of its positions, unless it is the only one.
        self.last_pooling = nn.Identity() if padded else nn.MaxPool2d(2)
        size = size if padded else size // 2
        self.flatten = FlattenAsKeras()  # the order that Keras has: of one pixel all channels, then the next
        self.hidden = nn.Linear(last * size * size, hidden_units)
        self.output = nn.Linear(hidden_units, 10)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the logits of images."""
        for convolution in self.convolutions:
            x = self.pooling(self.activation(convolution(x)))
        x = self.last_pooling(self.activation(self.last_convolution(x)))
        x = self.activation(self.hidden(self.flatten(x)))
        return self.output(x)


def build(kind: str, arguments: argparse.Namespace) -> nn.Module:
    """Returns one of the two networks, as the options want it; its weights are drawn as Keras draws them."""
    torch.manual_seed(arguments.seed)
    if kind == "dense":
        network: nn.Module = DenseNetwork(arguments.hidden_units or 128, arguments.activation)
    else:
        network = CNN(arguments.filters, arguments.hidden_units or 96, arguments.activation)
    return initialize_as_keras(network).to(device.choose_device())


def train(network: nn.Module, model: TorchModel, loader: DataLoader, state: TrainingState) -> None:
    """Trains a classifier on logits: the loop of PyTorch.

    Args:
        network: the classifier.
        model: the same network as it is saved.
        loader: of batches of images and class numbers.
        state: shows the progress, remembers it, and goes on where a training was stopped.
    """
    criterion = nn.CrossEntropyLoss()
    optimizer, scheduler = optimizers.make(state.recipe, network.parameters())
    scaler = device.grad_scaler()  # for float16, whose smallest gradients would be 0
    processor = device.choose_device()
    for _epoch in state.epochs(model, optimizer, scheduler, loader, scaler):
        network.train()
        for inputs, targets in loader:
            inputs, targets = inputs.to(processor), targets.to(processor)
            optimizer.zero_grad()
            with device.autocast():
                logits = network(inputs)
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
    processor = device.choose_device()
    correct = total = 0
    for inputs, targets in loader:
        predicted = network(inputs.to(processor)).argmax(dim=1).cpu()
        correct += int((predicted == targets).sum())
        total += len(targets)
    return correct / total


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, saves and plots the networks; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("fashion_mnist", arguments, engine="torch")
    images = load_image_set("fashion_mnist", arguments.data, quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    report.engine(device.prepare(arguments.seed, arguments.precision))

    train_set = ArrayDataset(images.X_train, images.y_train, scale_pixels)
    test_set = ArrayDataset(images.X_test, images.y_test, scale_pixels)
    test_loader = DataLoader(test_set, sampler=SeededBatches(len(test_set), 1000, seed=0), batch_size=None)
    curves = {}
    for kind in arguments.kinds:
        report.section(kind)
        recipe = RECIPES[kind].with_options(arguments, samples=len(train_set))
        batches = SeededBatches(len(train_set), recipe.batch_size, arguments.seed)
        loader = DataLoader(train_set, sampler=batches, batch_size=None)  # the sampler gives whole batches
        network = build(kind, arguments)
        print(network)
        model = TorchModel(network, input_shape=(28, 28, 1), activation="softmax")  # as Keras has it, and the .h5
        state = TrainingState(report.checkpoint(f"fashion_mnist_{kind}"), recipe)
        train(network, model, loader, state)
        curves[kind] = state.curve

        test_accuracy = evaluate(network, test_loader)
        metrics = {"train_accuracy": state.history["accuracy"][-1], "test_accuracy": test_accuracy}
        print(f"{test_accuracy:.2%} of {len(test_set):,} test images right")
        report.result(metrics, model=kind if len(arguments.kinds) > 1 else "", band=kind)
        report.save(
            f"fashion_mnist_{kind}",
            model,
            inputs=[Input("image", shape=(28, 28, 1))],
            classes=images.classes,
            metrics=metrics,
        )
        probabilities = model.predict(images.X_test, preprocess=scale_pixels)
        report.plots(
            f"fashion_mnist_{kind}",
            figures.classifier(kind, images.X_test, images.y_test, probabilities, images.classes),
        )
        pixels = scale_pixels(images.X_test[:1])
        outputs = [("image", pixels[0]), *((name, output[0]) for name, output in model.stages(pixels))]
        report.plot(f"fashion_mnist_{kind}-layers", figures.layers, kind, outputs, images.classes)
        if kind == "cnn":
            report.plot("fashion_mnist_cnn-filters", figures.filters, model.get_weights()[0])
    report.plot("fashion_mnist-loss", figures.losses, curves, title="Training loss on the garments")
    return report.finish(use=f"python -m apps.garment --model {report.last_model} YOUR-PICTURE.png")


if __name__ == "__main__":
    cli.run(main)

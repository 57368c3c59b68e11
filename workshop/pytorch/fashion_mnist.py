"""Garments, in PyTorch: the mirror of `workshop/fashion_mnist.py`.

The same images, options, metrics, plots and files.

    python -m workshop.pytorch.fashion_mnist                    # both; then look into the folder plots
    python -m workshop.pytorch.fashion_mnist --model dense      # one of them

Expected, as with Keras: dense at least 88 % test accuracy, CNN at least 91.5 %, both within a minute on two CPU cores.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop.fashion_mnist import parse
from workshop.figures import fashion_mnist as figures
from workshop.kit import cli, image_classifier
from workshop.kit.data.images import load_image_set, scale_pixels
from workshop.kit.report import Report
from workshop.mnist import show_predictions, show_training_images
from workshop.pytorch import mnist
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.layers import initialize_as_keras
from workshop.pytorch.kit.layout import FlattenAsKeras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import TrainingState


class CNN(nn.Module):
    """The convolutional network: 3x3 convolutions, all but the last padded; 2x2 poolings; dense layers.

    With the defaults the shapes are 1x28x28 -> 16x28x28 -> 16x14x14 -> 32x14x14 -> 32x7x7 -> 64x5x5 -> 96 -> 10 logits.
    """

    def __init__(
        self, filters: Sequence[int] = (16, 32, 64), hidden_units: Sequence[int] = (96,), activation: str = "relu"
    ) -> None:
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
        self.is_pooled_last = not padded
        size = size // 2 if self.is_pooled_last else size
        self.flatten = FlattenAsKeras()  # the order that Keras has: of one pixel all channels, then the next
        sizes = [last * size * size, *hidden_units]
        self.hidden = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in itertools.pairwise(sizes))
        self.output = nn.Linear(sizes[-1], 10)
        self.activation = mnist.ACTIVATIONS[activation]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the logits of images."""
        for convolution in self.convolutions:
            x = self.pooling(self.activation(convolution(x)))
        x = self.activation(self.last_convolution(x))
        if self.is_pooled_last:
            x = self.pooling(x)
        x = self.flatten(x)
        for hidden in self.hidden:
            x = self.activation(hidden(x))
        return self.output(x)


def build(kind: str, arguments: argparse.Namespace) -> nn.Module:
    """Returns one of the two networks, as the options want it; its weights are drawn as Keras draws them."""
    if kind == "dense" or arguments.preset:
        return mnist.build(kind, arguments)  # the digits' network
    torch.manual_seed(arguments.seed)
    network = CNN(arguments.filters, arguments.hidden_units[kind], arguments.activation)
    return initialize_as_keras(network).to(device.choose_device())


def train(network: nn.Module, loader: DataLoader, state: TrainingState) -> None:
    """The training loop of PyTorch, written out; `state` shows it, remembers it and goes on where it was stopped."""
    criterion = nn.CrossEntropyLoss()
    optimizer, scheduler = optimizers.make(state.recipe, network.parameters())
    scaler = device.grad_scaler()  # for float16, whose smallest gradients would be 0
    for _epoch in state.epochs(optimizer, scheduler, loader, scaler):
        network.train()
        for inputs, targets in loader:
            inputs, targets = inputs.to(state.device), targets.to(state.device)
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


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, saves and plots the networks; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("fashion_mnist", arguments, engine="torch")
    images = load_image_set("fashion_mnist", arguments.data, quick=arguments.quick)
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
        name = image_classifier.model_name("fashion_mnist", kind, arguments)
        report.section(kind)
        # Epochs, batch size, optimizer: of the recipe or of the command line; `samples` gives the schedule its length.
        recipe = arguments.recipes[kind].with_options(arguments, samples=len(train_set))
        batches = SeededBatches(len(train_set), recipe.batch_size, arguments.seed)
        loader = DataLoader(train_set, sampler=batches, batch_size=None)  # the sampler gives whole batches
        network = build(kind, arguments)
        print(network)
        # The same network and weights as Keras and the .h5 have them: channels last, a softmax behind the logits.
        model = TorchModel(network, input_shape=(28, 28, 1), activation="softmax")
        print(f"{model.count_params():,} weights")
        state = TrainingState(report.checkpoint(name), recipe, model)
        train(network, loader, state)
        curves[kind] = state.curve

        test_accuracy = mnist.evaluate(network, test_loader)
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
        f"{image_classifier.run_name('fashion_mnist', arguments)}-loss",
        figures.losses,
        curves,
        title="Training loss on the garments",
    )
    use = f"python -m apps.garment --model {report.last_model} YOUR-PICTURE.png"
    # The programs give the network pixels of 0 to 1.
    return report.finish(use="" if arguments.no_scaling else use, not_comparable=arguments.not_comparable)


if __name__ == "__main__":
    cli.run(main)

"""Cats and dogs, in PyTorch: the mirror of `workshop/cats_vs_dogs.py`.

The same photos, changed in the same way, the same options, metrics, plots and files. Each network returns logits: the
sigmoid or softmax is added when it is saved.

    python -m workshop.pytorch.cats_vs_dogs                             # both; then look into the folder plots
    python -m workshop.pytorch.cats_vs_dogs --data PHOTOS               # your own: a folder, a .zip or a .tar
    python -m workshop.pytorch.cats_vs_dogs --model small               # one of them
    python -m workshop.pytorch.cats_vs_dogs --preset workshop           # the workshop's whole recipe: minutes on a CPU
    python -m workshop.pytorch.cats_vs_dogs --quick                     # a first look, in seconds

Expected, as with Keras: on 280 photos of three breeds the small network classifies at least 85 % of 120 new ones right.
Without photos it trains on drawn cats and dogs, and says so.

The preset is the workshop's network, Adam at a rate of 0.001 and 30 epochs of 8 steps of 125 photos. Its
ImageDataGenerator is Keras' own: here the photos are decoded once and divided by 255 by this package, and so the preset
can be resumed. Of fewer than 1,000 photos an epoch sees some several times, in passes over the set as the generator
makes them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

from workshop.cats_vs_dogs import parse, report_steps
from workshop.figures import cats_vs_dogs as figures
from workshop.kit import cli, photo_classifier
from workshop.kit.data.images import scale_pixels
from workshop.kit.errors import WorkshopError
from workshop.kit.photo_classifier import PhotoRecipe
from workshop.kit.photos.augmentation import Augmentation
from workshop.kit.report import Report
from workshop.kit.saving.bundle import Input
from workshop.kit.training import batching
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.image_layers import PadAsTensorFlow
from workshop.pytorch.kit.layers import BatchNormAsKeras, initialize_as_keras
from workshop.pytorch.kit.layout import FlattenAsKeras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.photos import PhotoDataset
from workshop.pytorch.kit.state import TrainingState


class WorkshopNetwork(nn.Module):
    """The network of the workshop: 16-32-64 convolutions, then 512-512-512 and the output."""

    def __init__(self, size: int, classes: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList()
        channels = 3
        for filters in (16, 32, 64):
            self.convolutions.append(nn.Conv2d(channels, filters, kernel_size=3))
            channels, size = filters, (size - 2) // 2
        self.pooling = nn.MaxPool2d(2)
        self.flatten = FlattenAsKeras()  # the order that Keras has: of one pixel all channels, then the next
        inputs = channels * size * size
        self.hidden = nn.ModuleList([nn.Linear(inputs, 512), nn.Linear(512, 512), nn.Linear(512, 512)])
        self.output = nn.Linear(512, count_outputs(classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the logits of images (n, 3, size, size)."""
        for convolution in self.convolutions:
            x = self.pooling(torch.relu(convolution(x)))
        x = self.flatten(x)
        for hidden in self.hidden:
            x = torch.relu(hidden(x))
        return self.output(x)


class SmallNetwork(nn.Module):
    """A network for few photos: 16-32-64-96-176 convolutions, the average of each channel, and the output.

    The first convolution has a stride of two pixels, where the image is largest and each filter costs most. With four
    poolings in all, a unit of the last convolution sees nearly all of an image of 150x150.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            *convolution(3, 16, 5, stride=2),
            *convolution(16, 32, 3),
            *convolution(32, 64, 3),
            *convolution(64, 96, 3),
            *convolution(96, 176, 3, pooling=False),
        )
        self.dropout = nn.Dropout(0.2)
        self.output = nn.Linear(176, count_outputs(classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the logits of images (n, 3, size, size)."""
        x = self.backbone(x).mean((2, 3))
        return self.output(self.dropout(x))


def convolution(
    channels: int, filters: int, kernel_size: int, stride: int = 1, pooling: bool = True
) -> list[nn.Module]:
    """Returns a convolution, a pooling, batch normalisation (which has a bias of its own) and the activation.

    The pooling comes first: what it leaves out need not be normalised.
    """
    if stride == 1:
        modules: list[nn.Module] = [nn.Conv2d(channels, filters, kernel_size, padding="same", bias=False)]
    else:  # PyTorch's "same" takes no strides
        border = PadAsTensorFlow(kernel_size, stride)
        modules = [border, nn.Conv2d(channels, filters, kernel_size, stride, bias=False)]
    if pooling:
        modules.append(nn.MaxPool2d(2))
    # A memory of ten batches. nn.BatchNorm2d would remember another variance, divided by n - 1: in the last convolution
    # n is small enough to tell.
    return [*modules, BatchNormAsKeras(filters, momentum=0.9), nn.ReLU()]


def count_outputs(classes: int) -> int:
    """Returns how many outputs a network has: one for two classes, else one for each."""
    return 1 if classes == 2 else classes


def output_activation(classes: int) -> str:
    """Returns the activation, by Keras' name, that makes probabilities of the logits."""
    return "sigmoid" if classes == 2 else "softmax"


def build(kind: str, size: int, classes: int, seed: int) -> nn.Module:
    """Returns one of the two networks; its weights are drawn as Keras draws them."""
    torch.manual_seed(seed)
    network = WorkshopNetwork(size, classes) if kind == "workshop" else SmallNetwork(classes)
    return initialize_as_keras(network).to(device.choose_device())


class StepBatches(SeededBatches):
    """Epochs of a fixed number of batches, each continuing where the last ended.

    Where the photos end they come again, in another order, as from Keras' ImageDataGenerator.

    Args:
        samples, batch_size, seed: as in `SeededBatches`.
        steps: batches of an epoch.
    """

    def __init__(self, samples: int, batch_size: int, seed: int, steps: int) -> None:
        super().__init__(samples, batch_size, seed)
        self._steps, self._first = steps, 0

    def set_epoch(self, epoch: int) -> None:
        """Takes the batches of this epoch, counted from 0."""
        self._first = epoch * self._steps

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[list[int]]:
        batches = super().__len__()  # of one pass over the photos, the last of them smaller
        for number in range(self._first, self._first + self._steps):
            order = batching.epoch_order(self.samples, self.seed, number // batches)
            start = number % batches * self.batch_size
            yield order[start : start + self.batch_size].tolist()


def make_criterion(targets: np.ndarray) -> nn.Module:
    """Returns the loss on logits for targets (samples, 1), 0 or 1, or for class numbers (samples,)."""
    return nn.BCEWithLogitsLoss() if targets.ndim == 2 else nn.CrossEntropyLoss()


def count_correct(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Returns how many samples are classified correctly: by the highest logit, of two classes by its sign."""
    correct = (outputs > 0) == (targets > 0.5) if targets.ndim == 2 else outputs.argmax(dim=1) == targets
    return correct.sum()


@torch.no_grad()
def evaluate(network: nn.Module, photos: PhotoDataset | ArrayDataset, criterion: nn.Module) -> tuple[float, float]:
    """Returns the loss and the accuracy on photos."""
    network.eval()
    torch_device = next(network.parameters()).device
    loss = correct = 0.0
    for rows in BatchSampler(SequentialSampler(photos), 32, drop_last=False):
        inputs, targets = photos[rows]
        outputs, targets = network(inputs.to(torch_device)), targets.to(torch_device)
        loss += float(criterion(outputs, targets)) * len(inputs)
        correct += float(count_correct(outputs, targets))
    return loss / len(photos), correct / len(photos)


def train(
    network: nn.Module,
    loader: DataLoader,
    state: TrainingState,
    criterion: nn.Module,
    validation_sample: PhotoDataset | None = None,
) -> None:
    """The training loop of PyTorch, written out; `state` shows it, remembers it and goes on where it was stopped."""
    # The recipe's: by default AdamW, warm-up and cosine decay; the constants are Keras'.
    optimizer, scheduler = optimizers.make(state.recipe, network.parameters())
    scaler = device.grad_scaler()  # for float16, whose smallest gradients would be 0
    for _epoch in state.epochs(optimizer, scheduler, loader, scaler):
        network.train()
        for inputs, targets in loader:
            inputs, targets = inputs.to(state.device), targets.to(state.device)
            optimizer.zero_grad()
            with device.autocast():
                outputs = network(inputs)
            loss = criterion(outputs.float(), targets)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            scheduler.step()
            state.log(len(inputs), loss=loss, accuracy=count_correct(outputs, targets) / len(inputs))
        if validation_sample is not None:
            validation_loss, validation_accuracy = evaluate(network, validation_sample, criterion)
            state.log_validation(loss=validation_loss, accuracy=validation_accuracy)


def make_batches(recipe: PhotoRecipe, samples: int, seed: int) -> SeededBatches:
    """Returns the batches of a recipe; says what the preset's are."""
    if not recipe.steps_per_epoch:
        return SeededBatches(samples, recipe.batch_size, seed)
    report_steps(recipe, samples)
    print("Decoding        once, by this package: the ImageDataGenerator is Keras' own")
    return StepBatches(samples, recipe.batch_size, seed, recipe.steps_per_epoch)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, saves and plots the networks; returns the metrics."""
    arguments = parse(__doc__, argv, has_generator=False)
    report = Report("cats_vs_dogs", arguments, engine="torch")
    if arguments.pipeline == "generator":
        raise WorkshopError("--pipeline generator is Keras' own: python -m workshop.cats_vs_dogs has it")
    photos = photo_classifier.load(report, arguments.size)
    report.engine(device.prepare(arguments.seed, arguments.precision))  # seeds, determinism, precision

    X_train, X_validation, classes = photos.X_train, photos.X_validation, photos.classes
    y_train = photo_classifier.targets(photos.y_train, len(classes))
    y_validation = photo_classifier.targets(photos.y_validation, len(classes))
    criterion = make_criterion(y_train)
    # Of a large set a random sample: to validate after each epoch, and for the training accuracy at the end.
    rows = photo_classifier.sample_rows(len(X_train), photo_classifier.MAX_TRAIN_SAMPLE)
    train_sample = PhotoDataset(X_train[rows], y_train[rows])
    validation = PhotoDataset(X_validation, y_validation)
    suffix = "-preset" if arguments.preset else ""  # what the default run saved stays
    results, histories = {}, {}
    for kind in arguments.recipes:
        name = f"cats_vs_dogs_{kind}{suffix}"
        # Epochs, batch size, optimizer: of the recipe or of the command line; `samples` gives the schedule its length.
        recipe = arguments.recipes[kind].with_options(arguments, samples=len(X_train))
        limit = recipe.validation_steps * recipe.validation_batch_size or photo_classifier.MAX_VALIDATION_SAMPLE
        rows = photo_classifier.sample_rows(len(X_validation), limit)
        validation_sample = PhotoDataset(X_validation[rows], y_validation[rows])
        network = build(kind, arguments.size, len(classes), arguments.seed)
        # The same network and weights as Keras and the .h5 have them: channels last, the output a sigmoid or softmax.
        model = TorchModel(network, X_train.shape[1:], output_activation(len(classes)))
        weights = model.count_params()
        report.section(f"{kind}: {weights:,} weights, {recipe.epochs} epochs of {len(X_train):,} photos")
        print(network)
        sizes = recipe.sizes(arguments.size, len(X_train))  # of a large set: smaller images in the first epochs
        photo_classifier.report_sizes(sizes)
        train_set = PhotoDataset(X_train, y_train, arguments.seed, recipe.augmentation, sizes)
        batches = make_batches(recipe, len(train_set), arguments.seed)
        loader = DataLoader(train_set, sampler=batches, batch_size=None)  # the sampler gives whole batches
        started = time.perf_counter()
        # The train set tells the checkpoint its augmentation; a refused resume would name it twice.
        state = TrainingState(report.checkpoint(name), replace(recipe, augmentation=None), model)
        train(network, loader, state, criterion, validation_sample)
        seconds = (time.perf_counter() - started) / recipe.epochs
        histories[kind] = state.history

        _, train_accuracy = evaluate(network, train_sample, criterion)
        _, validation_accuracy = evaluate(network, validation, criterion)
        probabilities = photo_classifier.probabilities(model.predict(X_validation, preprocess=scale_pixels))
        print(f"{validation_accuracy:.1%} of {len(X_validation):,} validation photos classified correctly")
        metrics = {"train_accuracy": train_accuracy, "validation_accuracy": validation_accuracy}
        results[kind] = (weights, seconds, train_accuracy, validation_accuracy)
        report.result(metrics, model=kind, is_only=len(arguments.recipes) == 1)
        report.save(  # the .h5 that Keras would write, and a card (.json): inputs, classes, metrics, digests
            name,
            model,
            inputs=[Input("image", shape=X_train.shape[1:])],
            classes=classes,
            metrics=metrics,
        )
        report.plots(
            name,
            figures.evaluation(kind, X_validation, photos.y_validation, probabilities, classes),
        )
    report.section("Compared")
    print(figures.comparison(results))
    report.plot(f"cats_vs_dogs{suffix}-accuracy", figures.accuracies, histories)
    report.plot(
        "cats_vs_dogs-augmentation",
        figures.augmentation,
        *photo_classifier.augmented_examples(photos, Augmentation()),
    )
    return report.finish(
        use=f"python -m apps.cat_or_dog --model {report.last_model} YOUR-PHOTO.jpg",
        not_comparable="the photos are your own" if arguments.data else "",
    )


if __name__ == "__main__":
    cli.run(main)

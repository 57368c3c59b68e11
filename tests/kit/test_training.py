"""Training in Keras: the same weights as its own fit, many epochs in one call, and resuming to the same bits."""

from __future__ import annotations

import argparse
import io
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.lesson_runs import stop_after
from helpers.small_table_network import (
    CHECKPOINT,
    RANDOM,
    VALIDATION,
    X,
    Y,
    assert_same,
    build,
    fit,
    recipe,
    run,
    stopping,
)

from workshop.kit import cli, device, files, training
from workshop.kit.data.images import scale_pixels
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.saving import bundle
from workshop.kit.training import Recipe, batching
from workshop.kit.training.checkpoint import Checkpoint, State
from workshop.kit.training.state import TqdmBar


@pytest.fixture(scope="module", autouse=True)
def prepared() -> None:
    device.prepare(1)


# --- The same as fit --------------------------------------------------------------------------------------------------


EACH_FIT = [pytest.param("sgd", 16, marks=pytest.mark.slow), ("adam", 16), ("adam", 1000)]  # 50 = 3 x 16 + 2


@pytest.mark.parametrize(("optimizer", "batch_size"), EACH_FIT)
def test_the_weights_and_losses_of_keras_own_fit(optimizer: str, batch_size: int) -> None:
    fast, plain, expected = build(optimizer=optimizer), build(optimizer=optimizer), build(optimizer=optimizer)
    history = fit(fast, 6, batch_size=batch_size)
    same = fit(plain, 6, batch_size=batch_size, plain=True)
    losses: dict[str, list[float]] = {}
    for epoch in range(6):  # Keras' own fit on arrays, fed the same samples in the same order
        order = batching.epoch_order(len(X), 5, epoch)
        values = expected.fit(X[order], Y[order], batch_size=batch_size, shuffle=False, epochs=1, verbose=0).history
        for name, (value,) in values.items():
            losses.setdefault(name, []).append(value)
    assert_same(fast, plain)
    for weight, other in zip(fast.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(weight, other, atol=1e-5)
    assert set(history.history) == set(losses) == {"loss", "accuracy"}
    for name, values in losses.items():
        np.testing.assert_allclose(history.history[name], values, atol=1e-5)
        np.testing.assert_allclose(history.history[name], same.history[name], atol=1e-6)
    assert history.history["loss"][-1] != history.history["loss"][0]


def test_a_small_table_is_trained_in_compiled_calls_on_one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("fit_table called model.fit")

    model = build()
    monkeypatch.setattr(type(model), "fit", refuse)
    assert len(fit(model).history["loss"]) == 12
    with pytest.raises(AssertionError, match=r"called model\.fit"):
        fit(model, plain=True)
    monkeypatch.setattr(device, "is_distributed", lambda: True)
    with pytest.raises(AssertionError, match=r"called model\.fit"):
        fit(model)


def test_a_step_is_compiled_once() -> None:
    compiled = []

    def loss(y: Any, outputs: Any) -> Any:
        compiled.append(1)
        return keras.losses.binary_crossentropy(y, outputs)

    model = build()
    model.compile(recipe().make_optimizer(), loss, metrics=["accuracy"])
    batches = training.shuffled_batches(X, Y, 16, 5)
    model.compute_loss(None, Y[:2], model(X[:2]))  # Keras asks a new loss for its shape
    before = len(compiled)
    callbacks = [training.Resume(Checkpoint(CHECKPOINT), batches)]
    model.fit(batches, epochs=2, shuffle=False, callbacks=callbacks, verbose=0)
    assert len(compiled) == before + 1


def test_progress_is_shown_of_epochs(capsys: pytest.CaptureFixture[str]) -> None:
    fit(build(), 6, verbose=None)
    assert "6/6" in capsys.readouterr().out
    fit(build(), 6, verbose=0)
    assert capsys.readouterr().out == ""


class Screen(io.StringIO):
    """A standard output that a person watches."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("kind", [io.StringIO, Screen])
def test_the_bar_of_the_other_engines_moves_now_and_then_on_a_screen_and_is_one_line_in_a_file(
    kind: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", output := kind())
    bar = TqdmBar(3000, "step")
    for step in range(1, 3000):
        bar.update(step, [("loss", 1 / step)])
    bar.update(3000, [("loss", 0.25)], finalize=True)
    drawn = output.getvalue().split("\r")
    assert "3000/3000" in drawn[-1] and "loss: 0.2500" in drawn[-1]
    assert output.getvalue().count("\n") == 1
    if output.isatty():
        assert 1 < len(drawn) < 1000  # ten times a second: drawing it takes longer than a step
        assert "step/s" in drawn[-1]
    else:
        assert len(drawn) == 1 and "3000/3000 steps in " in drawn[0]


# --- Batches ----------------------------------------------------------------------------------------------------------


def test_batches_visit_the_samples_in_the_order_of_the_seed_and_the_epoch() -> None:
    samples = np.arange(50, dtype=np.int32)
    batches = training.shuffled_batches(samples[:, None], samples, 16, seed=3)
    assert len(batches) == 4
    for epoch in (0, 1):  # it counts the epochs by itself
        seen = [targets.numpy() for _, targets in batches]
        assert [len(rows) for rows in seen] == [16, 16, 16, 2]
        np.testing.assert_array_equal(np.concatenate(seen), batching.epoch_order(50, 3, epoch))
    batches.epoch.assign(7)
    seen = [targets.numpy() for _, targets in batches]
    np.testing.assert_array_equal(np.concatenate(seen), batching.epoch_order(50, 3, 7))


def test_the_order_of_the_samples() -> None:
    order = batching.epoch_order(100, 3, 4)
    assert sorted(order) == list(range(100)) and order.dtype == np.int32
    np.testing.assert_array_equal(order, batching.epoch_order(100, 3, 4))
    assert any(order != batching.epoch_order(100, 3, 5)) and any(order != batching.epoch_order(100, 4, 4))


def test_images_stay_bytes_until_they_are_used() -> None:
    images = RANDOM.integers(0, 256, (40, 4, 4, 1), np.uint8)
    batches = training.shuffled_batches(images, images, 16, 1, scale_pixels)
    order = batching.epoch_order(40, 1, 0)[:16]
    inputs, targets = next(iter(batches))
    np.testing.assert_array_equal(inputs.numpy(), images[order].astype(np.float32) / np.float32(255))
    assert targets.dtype == "uint8"
    both = training.shuffled_batches(images, images, 16, 1, scale_pixels, scale_pixels)
    inputs, targets = next(iter(both))
    np.testing.assert_array_equal(inputs.numpy(), targets.numpy())


def test_the_same_seed_gives_the_same_weights() -> None:
    models = [build(dropout=0.5) for _ in range(2)]
    for model in models:
        fit(model)
    assert_same(*models)
    other = build(dropout=0.5)
    fit(other, seed=6)
    assert any((one != two).any() for one, two in zip(other.get_weights(), models[0].get_weights(), strict=True))


# --- Recipes ----------------------------------------------------------------------------------------------------------


RATES = {"sgd": 0.01, "momentum": 0.01, "nesterov": 0.01, "rprop": 0.01, "adadelta": 1.0}


TRIED_FIRST = {"momentum", "rprop", "adadelta"}  # the others differ in Keras' class alone


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name not in TRIED_FIRST else []) for name in cli.OPTIMIZERS],
)
def test_every_optimizer_of_the_command_line(name: str) -> None:
    optimizer = recipe(name).make_optimizer()
    assert float(optimizer.learning_rate) == pytest.approx(RATES.get(name, 0.001))
    assert float(recipe(name, 0.125).make_optimizer().learning_rate) == 0.125
    if name in {"momentum", "nesterov"}:
        assert optimizer.momentum == 0.9 and optimizer.nesterov == (name == "nesterov")
    losses = fit(build(optimizer=name, rate=0.01), 30).history["loss"]
    assert losses[-1] < losses[0]


def test_a_schedule_makes_the_rate_rise_and_fall() -> None:
    scheduled = Recipe(10, 0.5, batch_size=10, optimizer="adam").for_samples(100)
    schedule = scheduled.make_optimizer()._learning_rate
    rates = [float(schedule(step)) for step in range(101)]
    # From a 25th of it along a line, then along a cosine.
    np.testing.assert_allclose(rates[:11], np.linspace(0.5 / 25, 0.5, 11), rtol=1e-5)
    np.testing.assert_allclose(rates[10:], 0.25 * (1 + np.cos(np.linspace(0, np.pi, 91))), atol=1e-6)
    assert float(Recipe(1, 0.5, optimizer="sgd").for_samples(1).make_optimizer()._learning_rate(0)) <= 0.5


def options(**given: Any) -> argparse.Namespace:
    nothing = dict.fromkeys(("epochs", "batch_size", "learning_rate", "optimizer"))
    return argparse.Namespace(**nothing | {"quick": False} | given)


def test_options_change_a_recipe() -> None:
    usual = Recipe(5, 0.003, batch_size=64, quick_epochs=8, small_set_epochs=20, own_batch_size=32)
    whole = usual.with_options(options(), 60_000)
    assert (whole.epochs, whole.learning_rate, whole.batch_size, whole.optimizer) == (5, 0.003, 64, "adamw")
    assert whole.steps == whole.schedule_steps == 5 * 938
    assert usual.with_options(options(), 2000).epochs == 20
    assert usual.with_options(options(), 2001).epochs == 5
    assert usual.with_options(options(quick=True), 1000).epochs == 8
    assert usual.with_options(options(quick=True, epochs=3), 1000).epochs == 3
    changed = usual.with_options(options(batch_size=10, learning_rate=0.5), 60_000)
    assert (changed.batch_size, changed.learning_rate, changed.schedule_steps) == (10, 0.5, 30_000)
    # An optimizer of one's own choice runs as Keras runs it: its own constant rate, batches of 32.
    own = usual.with_options(options(optimizer="sgd"), 60_000)
    assert (own.optimizer, own.learning_rate, own.batch_size, own.schedule_steps) == ("sgd", None, 32, None)
    own = usual.with_options(options(optimizer="sgd", learning_rate=0.2, batch_size=7), 60_000)
    assert (own.learning_rate, own.batch_size) == (0.2, 7)


# --- What is kept -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [False, True])
def test_the_weights_after_some_epochs(plain: bool) -> None:
    snapshots, model = training.Snapshots([0, 3, 12]), build()
    history = fit(model, 12, callbacks=[snapshots], plain=plain)
    assert sorted(snapshots.weights) == [0, 3, 12] and len(history.history["accuracy"]) == 12
    shorter = build()
    before = shorter.get_weights()
    fit(shorter, 3)
    for epoch, weights in ((0, before), (3, shorter.get_weights()), (12, model.get_weights())):
        for kept, expected in zip(snapshots.weights[epoch], weights, strict=True):
            np.testing.assert_array_equal(kept, expected)


def test_the_losses_within_epochs() -> None:
    losses, model = training.StepLosses(), build()
    model.compile(recipe("sgd").make_optimizer(), "binary_crossentropy", steps_per_execution=2)
    batches = training.shuffled_batches(X[:48], Y[:48], 16, 5)
    history = model.fit(batches, epochs=2, shuffle=False, callbacks=[losses], verbose=0)
    epochs, values = losses.curve
    np.testing.assert_allclose(epochs, [2 / 3, 1, 5 / 3, 2])
    # The mean of an epoch is that of its parts.
    for epoch in (0, 1):
        assert (2 * values[2 * epoch] + values[2 * epoch + 1]) / 3 == pytest.approx(history.history["loss"][epoch])


@pytest.mark.parametrize(
    ("in_a_call", "steps", "parts"),
    [
        (1, 3, [(0, 1), (1, 2), (2, 3)]),
        (3, 7, [(0, 3), (3, 7)]),  # 3, 3 and 1, which says too little by itself
        (3, 8, [(0, 3), (3, 6), (6, 8)]),
        (2, 3, [(0, 2), (2, 3)]),
        (5, 3, [(0, 3)]),
    ],
)
def test_the_few_steps_at_the_end_of_an_epoch_count_with_those_before(
    in_a_call: int, steps: int, parts: list[tuple[int, int]]
) -> None:
    losses = training.StepLosses("bits")
    losses.set_model(SimpleNamespace(steps_per_execution=in_a_call))
    losses.set_params({"steps": steps})
    each = np.random.default_rng(1).uniform(1, 2, (2, steps))
    for epoch in (0, 1):
        losses.on_epoch_begin(epoch)
        for done in [*range(in_a_call, steps, in_a_call), steps]:
            losses.on_train_batch_end(done - 1, {"loss": 99.0, "bits": each[epoch, :done].mean()})
    epochs, values = losses.curve
    assert epochs == pytest.approx([epoch + end / steps for epoch in (0, 1) for _, end in parts])
    assert values == pytest.approx([each[epoch, start:end].mean() for epoch in (0, 1) for start, end in parts])


def test_validation_is_measured_after_every_epoch() -> None:
    model = build()
    history = fit(model, 6, validation_data=VALIDATION).history
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"} and len(history["val_loss"]) == 6
    measured = model.evaluate(*VALIDATION, verbose=0, return_dict=True)
    assert history["val_loss"][-1] == pytest.approx(measured["loss"], abs=1e-6)
    unwatched = build()
    fit(unwatched, 6)
    assert_same(model, unwatched)  # looking changes nothing


@pytest.mark.parametrize("plain", [False, True])
def test_early_stopping_puts_the_best_weights_back(plain: bool) -> None:
    model = build(rate=0.05)
    history = fit(model, 60, validation_data=VALIDATION, callbacks=[stopping()], plain=plain).history
    best = int(np.argmin(history["val_loss"])) + 1
    assert best > 5 and len(history["loss"]) == best + 4 < 60
    measured = model.evaluate(*VALIDATION, verbose=0, return_dict=True)
    assert measured["loss"] == pytest.approx(min(history["val_loss"]), abs=1e-6)


@pytest.mark.parametrize("rate", [1e6, 1e30])
@pytest.mark.parametrize("plain", [False, True])
def test_a_run_that_diverges(rate: float, plain: bool) -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(recipe("sgd", rate).make_optimizer(), "mean_squared_error")
    with pytest.raises(WorkshopError, match=r"diverged: the loss is (nan|inf) after epoch \d+; .*--learning-rate"):
        fit(model, 300, callbacks=[training.Resume(Checkpoint(CHECKPOINT))], plain=plain)
    if not plain:
        assert not CHECKPOINT.exists()


# --- Resuming ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes the checkpoint after every call, and trains few epochs a call, so that a stop loses little."""
    monkeypatch.setattr("workshop.kit.training.checkpoint._SECONDS_BETWEEN_CHECKPOINTS", 0)
    monkeypatch.setattr("workshop.kit.training.table._STEPS_A_CALL", 8)  # of 4 steps per epoch: two epochs


SETTINGS = [
    "fit_table",
    "fit",
    *(pytest.param(setting, marks=pytest.mark.slow) for setting in ("snapshots", "early stopping")),
]


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("saves", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_a_resumed_run_ends_with_the_same_bits(
    setting: str, saves: int, every_epoch: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = build(dropout=0.3)
    history, kept = run(setting, whole)
    stop_after(saves, monkeypatch, lambda: run(setting, build(dropout=0.3)))
    keras.utils.set_random_seed(99)  # nothing may depend on what this process drew before
    resumed = build(dropout=0.3)
    resumed.set_weights([weight + 1 for weight in resumed.get_weights()])
    keras.random.uniform((3,))
    capsys.readouterr()
    again, kept_again = run(setting, resumed, resume=True)
    finished = {"fit_table": {1: 2, 3: 6}, "snapshots": {1: 1, 3: 4}}.get(setting, {1: 1, 3: 3})[saves]
    assert f"Resumed   after epoch {finished} of" in capsys.readouterr().out
    assert_same(whole, resumed)
    assert again == history
    if setting == "snapshots":
        assert kept.keys() == kept_again.keys()
        kept, kept_again = np.concatenate(kept[4], axis=None), np.concatenate(kept_again[4], axis=None)
    np.testing.assert_array_equal(kept, kept_again)


@pytest.mark.parametrize("setting", ["fit_table", "early stopping"])
def test_a_finished_run_is_resumed_to_where_it_ended(setting: str, every_epoch: None) -> None:
    model, again = build(dropout=0.3), build(dropout=0.3)
    assert run(setting, model) == run(setting, again, resume=True)
    assert_same(model, again)


@pytest.mark.slow
def test_a_checkpoint_without_resume_is_noted_and_written_anew(
    every_epoch: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stop_after(2, monkeypatch, lambda: run("fit_table", build()))
    whole, anew = build(), build()
    fit(whole)
    capsys.readouterr()
    run("fit_table", anew)
    assert "run-checkpoint.npz is of a run that was stopped; --resume goes on with it" in capsys.readouterr().out
    assert_same(whole, anew)
    CHECKPOINT.unlink()
    run("fit_table", build(), resume=True)
    assert "Resume    found nothing to go on with" in capsys.readouterr().out


def test_the_state_is_written_twice_a_second_at_most_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, written = [100.0], []
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(files, "write_atomically", lambda path, content: written.append(clock[0]))

    class Tick(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            clock[0] += 0.2

    fit(build(), 12, callbacks=[Tick(), training.Resume(Checkpoint(CHECKPOINT))])
    np.testing.assert_allclose(written, [100.2, 100.8, 101.4, 102.0, 102.4])


@pytest.mark.parametrize(("seconds", "waits"), [(0.0, 0.5), (0.02, 0.5), (0.1, 2.0), (1.0, 20.0)])
def test_a_state_that_takes_long_to_write_is_written_less_often(
    seconds: float, waits: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, written = [100.0], []

    def write(path: Path, content: bytes) -> None:
        written.append(clock[0])
        clock[0] += seconds

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(files, "write_atomically", write)
    checkpoint = Checkpoint(CHECKPOINT)
    checkpoint.begin({}, lambda state: 0, epochs=3)
    for at in (100.0, 100 + 0.98 * waits, 100 + 1.02 * waits):
        clock[0] = at
        checkpoint.save(lambda: State({}, {}))
    assert written == [100.0, 100 + 1.02 * waits]
    checkpoint.save(lambda: State({}, {}), at_once=True)
    assert len(written) == 3


def resume(
    model: Any, data: tuple[np.ndarray, np.ndarray] = (X, Y), epochs: int = 12, **given: Any
) -> keras.callbacks.History:
    settings: dict[str, Any] = {"epochs": epochs, "batch_size": 16, "seed": 5, "verbose": 0}
    callbacks = [training.Resume(Checkpoint(CHECKPOINT, True))]
    return training.fit_table(model, *data, **settings | given, callbacks=callbacks)


def test_a_checkpoint_of_another_run_is_refused(every_epoch: None) -> None:
    fit(build(), callbacks=[training.Resume(Checkpoint(CHECKPOINT))])

    def refused(named: str, model: Any, *changed: Any, **given: Any) -> None:
        before = model.get_weights()
        with pytest.raises(WorkshopError) as caught:
            resume(model, *changed, **given)
        message = str(caught.value)
        assert f"is of a run with other settings ({named} differ)" in message and "--resume" in message
        for weight, same in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, same)

    refused("epochs", build(), epochs=13)
    refused("seed", build(), seed=6)
    refused("batch_size", build(), batch_size=17)
    refused("optimizer", build(optimizer="nadam"))
    refused("optimizer", build(rate=0.5))
    refused("layers", build(activation="relu"))
    refused("layers, weights", build(dropout=0.5))
    other_loss = build()
    other_loss.compile(recipe().make_optimizer(), "mean_squared_error", metrics=["accuracy"])
    refused("loss", other_loss)
    refused("X", build(), (X + 1, Y))
    refused("X", build(), (X.astype(np.float64) * 2, Y))
    refused("y", build(), (X, 1 - Y))
    # The names that Keras counts up, and the object that stands for the same loss, make no difference.
    renamed = build()
    assert renamed.layers[0].name != "dense"
    assert len(resume(renamed).history["loss"]) == 12


def test_a_damaged_checkpoint_is_refused(every_epoch: None) -> None:
    fit(build(), callbacks=[training.Resume(Checkpoint(CHECKPOINT))])
    whole = CHECKPOINT.read_bytes()
    model = build()
    before = model.get_weights()

    def refuse(content: bytes) -> None:
        CHECKPOINT.write_bytes(content)
        with pytest.raises(WorkshopError, match=r"run-checkpoint\.npz is not a checkpoint: delete it"):
            resume(model)

    array = Path("array.npy")
    np.save(array, X)
    for content in (b"", b"hello", whole[:100], whole[: len(whole) // 2], whole[:-1], whole[:-30], array.read_bytes()):
        refuse(content)
    other = Path("other.npz")
    for notes in (b"5", b"[]", b"{", b"{}", b'{"settings": "5"}', b'{"settings": 5}', b"[" * 100_000):
        np.savez(other, notes=np.frombuffer(notes, np.uint8))
        refuse(other.read_bytes())
    CHECKPOINT.write_bytes(whole)
    with np.load(CHECKPOINT) as archive:
        arrays = dict(archive)
    variables = [name for name in arrays if name.startswith("model/")]
    for missing in ("notes", variables[0], variables[-1]):
        kept = {name: array for name, array in arrays.items() if name != missing}
        np.savez(other, **kept)
        refuse(other.read_bytes())
    for weight, same in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)


class Touches:
    """Unpickled, it makes a file."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("executed"),)


def test_a_forged_checkpoint_runs_no_code(every_epoch: None) -> None:
    fit(build(), callbacks=[training.Resume(Checkpoint(CHECKPOINT))])
    with np.load(CHECKPOINT) as archive:
        arrays = dict(archive)
    for name in ("notes", next(name for name in arrays if name.startswith("model/"))):
        np.savez(CHECKPOINT, **arrays | {name: np.array([Touches()], dtype=object)})
        with pytest.raises(WorkshopError, match=r"run-checkpoint\.npz is not a checkpoint: delete it"):
            resume(build())
        assert not Path("executed").exists()
    # What it would have done: the check above can fail.
    with np.load(CHECKPOINT, allow_pickle=True) as archive:
        assert archive[name] is not None
    assert Path("executed").exists()


def test_any_changed_byte_of_a_checkpoint(every_epoch: None) -> None:
    model = build()
    fit(model, callbacks=[training.Resume(Checkpoint(CHECKPOINT))])
    whole = CHECKPOINT.read_bytes()
    random = np.random.default_rng(8)
    outcomes = set()
    # Among them the directory at the end, which says how a member is packed.
    for at in [*random.integers(0, len(whole), 40), *random.integers(len(whole) * 3 // 4, len(whole), 60)]:
        changed = bytearray(whole)
        changed[at] ^= 1 << random.integers(8)
        CHECKPOINT.write_bytes(changed)
        try:
            assert len(resume(model).history["loss"]) == 12
            outcomes.add("harmless")
        except WorkshopError as error:
            assert str(error).isprintable()
            outcomes.add("refused")
    assert "refused" in outcomes


def test_a_checkpoint_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    CHECKPOINT.mkdir()
    with pytest.raises(WorkshopError, match=r"run-checkpoint\.npz cannot be written"):
        fit(build(), callbacks=[training.Resume(Checkpoint(CHECKPOINT))])
    assert [path.name for path in Path().iterdir()] == [CHECKPOINT.name]
    CHECKPOINT.rmdir()

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WorkshopError, match=r"cannot be written \(No space left on device\): free some space"):
        fit(build(), callbacks=[training.Resume(Checkpoint(CHECKPOINT))])
    assert not list(Path().iterdir())


# --- TensorBoard ------------------------------------------------------------------------------------------------------


def test_tensorboard_writes_its_logs() -> None:
    pytest.importorskip("tensorboard")
    fit(build(), 2, callbacks=training.tensorboard(Path("logs"), "dense"), plain=True)
    assert list(Path("logs/dense").rglob("events.out.tfevents*"))
    assert training.tensorboard(None, "dense") == []


# --- A whole lesson, killed -------------------------------------------------------------------------------------------


def start_lesson(models: Path, *given: str) -> subprocess.Popen[str]:
    # In NumPy, which starts at once: checkpoint and bundle, which are killed here, are the same for all engines.
    command = [sys.executable, "-m", "workshop.scratch.mnist", "--quick", "--model", "dense", "--epochs", "30"]
    command += ["--batch-size", "16", "--no-plots", "--json", "--models", str(models), *given]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_lesson_that_is_killed_while_it_trains(room: Path) -> None:
    name = "mnist_dense-quick-standin"
    killed, whole = room / "killed", room / "whole"
    uninterrupted = start_lesson(whole)
    # A model saved before, by another run of the lesson.
    keras.utils.set_random_seed(4)
    before = keras.Sequential(
        [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    )
    bundle.save(killed, name, before, lesson="mnist", data="digits", seed=4, inputs=[], metrics={})
    old = {path.name: path.read_bytes() for path in killed.iterdir()}

    process = start_lesson(killed)
    checkpoint = killed / "mnist_dense-numpy-checkpoint.npz"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert checkpoint.exists() and bundle.load(killed / f"{name}.h5", ["mnist"]).card["seed"] == 4
    assert {key: (killed / key).read_bytes() for key in old} == old

    resumed = start_lesson(killed, "--resume")
    out, err = resumed.communicate()
    assert resumed.returncode == 0, err
    epoch = int(out.partition("Resumed   after epoch ")[2].partition(" of 30")[0])
    assert 0 < epoch < 30
    _, err = uninterrupted.communicate()
    assert uninterrupted.returncode == 0, err
    assert (killed / f"{name}.h5").read_bytes() == (whole / f"{name}.h5").read_bytes()
    assert math.isfinite(bundle.load(killed / f"{name}.h5", ["mnist"]).card["metrics"]["test_accuracy"])

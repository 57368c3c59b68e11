"""Training: the same weights as Keras' own fit, many epochs in one call, and resuming to the same bits."""

import itertools
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workshop.kit import cli, device, training
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.saving import bundle
from workshop.kit.training import batching
from workshop.kit.training.checkpoint import Checkpoint
from workshop.kit.training.keras_steps import KerasRun, evaluate
from workshop.kit.training.progress import Progress

CHECKPOINT = Path("run-checkpoint.npz")
RANDOM = np.random.default_rng(11)
X = RANDOM.normal(size=(50, 3)).astype(np.float32)
Y = (X[:, :1] * X[:, 1:2] > 0).astype(np.float32)


@pytest.fixture(scope="module", autouse=True)
def prepared() -> None:
    device.prepare(1)


def build(dropout: float = 0.0, optimizer: str = "adam", activation: str = "tanh") -> Any:
    """The same network with the same weights, every time."""
    keras.utils.set_random_seed(7)
    layers = [keras.layers.Input((3,)), keras.layers.Dense(6, activation=activation)]
    layers += [keras.layers.Dropout(dropout)] if dropout else []
    model = keras.Sequential([*layers, keras.layers.Dense(1, activation="sigmoid")])
    model.compile(training.make_optimizer(optimizer), "binary_crossentropy", metrics=["accuracy"])
    return model


def fit(model: Any, epochs: int = 12, **options: Any) -> training.History:
    settings: dict[str, Any] = {"epochs": epochs, "batch_size": 16, "seed": 5}
    return training.fit(model, X, Y, **settings | options)


def assert_same(model: Any, other: Any) -> None:
    """Bit for bit."""
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def plainly(model: Any, epochs: int, batch_size: int) -> dict[str, list[float]]:
    """Keras' own fit, an epoch at a time, fed the same samples in the same order."""
    losses: dict[str, list[float]] = {}
    for epoch in range(epochs):
        order = batching.epoch_order(len(X), 5, epoch)
        history = model.fit(X[order], Y[order], batch_size=batch_size, shuffle=False, epochs=1, verbose=0).history
        for name, values in history.items():
            losses.setdefault(name, []).extend(values)
    return losses


# --- The same as fit --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("optimizer", "batch_size"), [("sgd", 16), ("adam", 16), ("adam", 1000)])  # 50 = 3 x 16 + 2
def test_the_weights_and_losses_of_keras_own_fit(optimizer: str, batch_size: int) -> None:
    ours, theirs = build(optimizer=optimizer), build(optimizer=optimizer)
    assert_same(ours, theirs)
    history = fit(ours, 6, batch_size=batch_size)
    expected = plainly(theirs, 6, batch_size)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert set(history.epochs) == set(expected) == {"loss", "accuracy"}
    for name, values in expected.items():
        np.testing.assert_allclose(history.epochs[name], values, atol=1e-5)
    assert history.epochs["loss"][-1] != history.epochs["loss"][0]


def test_epochs_cut_into_calls_are_the_same_epochs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, cut, theirs = build(), build(), build()
    together = fit(whole, 6, batch_size=4)
    monkeypatch.setattr(
        "workshop.kit.training.batching.STEPS_A_CALL_WITHIN_AN_EPOCH", 5
    )  # 13 steps: calls of 5, 5 and 3
    capsys.readouterr()
    history = fit(cut, 6, batch_size=4)
    assert_same(whole, cut)
    expected = plainly(theirs, 6, 4)
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(history.epochs[name], together.epochs[name], atol=1e-6)
        np.testing.assert_allclose(history.epochs[name], expected[name], atol=1e-5)
    assert len(history.at) == 18 and len(history.fine["loss"]) == 18
    np.testing.assert_allclose(history.at[:4], [20 / 50, 40 / 50, 1, 1.4])
    assert capsys.readouterr().out.count("Epoch ") == 6


def test_the_plain_path_of_other_backends_is_the_compiled_one(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, plain = build(), build()
    one = fit(compiled, 5)
    monkeypatch.setattr(KerasRun, "_compile", lambda run: run._steps_plainly)
    other = fit(plain, 5)
    for a, b in zip(compiled.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert one.at == other.at
    np.testing.assert_allclose(one.epochs["loss"], other.epochs["loss"], atol=1e-6)
    np.testing.assert_allclose(one.epochs["accuracy"], other.epochs["accuracy"], atol=1e-6)


def test_images_stay_bytes_until_they_are_used() -> None:
    images = RANDOM.integers(0, 256, (40, 4, 4, 1), np.uint8)
    labels = RANDOM.integers(0, 3, 40).astype(np.int32)

    def small() -> Any:
        keras.utils.set_random_seed(2)
        model = keras.Sequential(
            [keras.layers.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
        )
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def scale(batch: Any) -> Any:
        return keras.ops.cast(batch, "float32") / 255

    options: dict[str, Any] = {"epochs": 3, "batch_size": 16, "seed": 1}
    as_bytes, scaled = small(), small()
    one = training.fit(as_bytes, images, labels, preprocess=scale, **options)
    other = training.fit(scaled, images.astype(np.float32) / 255, labels, **options)
    for a, b in zip(as_bytes.get_weights(), scaled.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    np.testing.assert_allclose(one.epochs["loss"], other.epochs["loss"], atol=1e-6)
    outputs = training.predict(as_bytes, images, preprocess=scale)
    assert outputs.shape == (40, 3) and outputs.dtype == np.float32
    measured = evaluate(as_bytes, images, labels, preprocess=scale)
    assert measured["accuracy"] == pytest.approx(float(np.mean(outputs.argmax(1) == labels)))


def test_evaluate_is_over_all_samples() -> None:
    model = build()
    many = np.concatenate([X] * 45)[:2210]  # more than two parts of a thousand
    targets = np.concatenate([Y] * 45)[:2210]
    expected = model.evaluate(many, targets, verbose=0, return_dict=True)
    assert evaluate(model, many, targets) == pytest.approx(expected, abs=1e-5)
    np.testing.assert_allclose(training.predict(model, many), model.predict(many, verbose=0), atol=1e-6)


def test_the_order_of_the_samples() -> None:
    order = batching.epoch_order(100, 3, 4)
    assert sorted(order) == list(range(100)) and order.dtype == np.int32
    np.testing.assert_array_equal(order, batching.epoch_order(100, 3, 4))
    assert any(order != batching.epoch_order(100, 3, 5)) and any(order != batching.epoch_order(100, 4, 4))


def test_the_same_seed_gives_the_same_weights() -> None:
    models = [build(dropout=0.5) for _ in range(2)]
    for model in models:
        fit(model)
    assert_same(*models)
    other = build(dropout=0.5)
    fit(other, seed=6)
    assert any((one != two).any() for one, two in zip(other.get_weights(), models[0].get_weights(), strict=True))


@pytest.mark.parametrize("name", cli.OPTIMIZERS)
def test_every_optimizer_of_the_command_line(name: str) -> None:
    optimizer = training.make_optimizer(name)
    highest = 0.01 if name in {"sgd", "momentum", "nesterov"} else 0.001
    assert float(optimizer.learning_rate) == pytest.approx(highest)
    assert float(training.make_optimizer(name, 0.125).learning_rate) == 0.125
    if name in {"momentum", "nesterov"}:
        assert optimizer.momentum == 0.9 and optimizer.nesterov == (name == "nesterov")
    model = build()
    model.compile(training.make_optimizer(name, 0.01), "binary_crossentropy")
    history = fit(model, 30)
    assert history.epochs["loss"][-1] < history.epochs["loss"][0]


def test_a_number_of_steps_makes_the_rate_rise_and_fall() -> None:
    schedule = training.make_optimizer("adam", 0.5, steps=100)._learning_rate
    rates = [float(schedule(step)) for step in range(101)]
    assert rates[0] == pytest.approx(0.5 / 25) and rates[100] == pytest.approx(0, abs=1e-6)
    assert np.argmax(rates) == 10 and rates[10] == pytest.approx(0.5)
    assert all(np.diff(rates[:10]) > 0) and all(np.diff(rates[10:]) < 0)
    assert float(training.make_optimizer("sgd", 0.5, steps=1)._learning_rate(0)) <= 0.5


# --- What is kept -----------------------------------------------------------------------------------------------------


def test_the_history_of_whole_epochs() -> None:
    model = build()
    history = fit(model, 12, snapshots=(0, 3, 12))
    assert history.finished == 12 == history.best_epoch
    assert history.at == [float(epoch) for epoch in range(1, 13)]
    assert history.fine == history.epochs and len(history.epochs["accuracy"]) == 12
    assert sorted(history.snapshots) == [0, 3, 12]
    for one, other in zip(history.snapshots[0], build().get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(history.snapshots[12], model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    shorter = build()
    fit(shorter, 3)
    for one, other in zip(history.snapshots[3], shorter.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_validation_is_measured_after_every_epoch() -> None:
    model = build()
    history = fit(model, 6, validation_data=(X[:20], Y[:20]))
    assert set(history.epochs) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert len(history.epochs["val_loss"]) == 6 and len(history.fine["loss"]) == 6
    assert history.epochs["val_loss"][-1] == pytest.approx(evaluate(model, X[:20], Y[:20])["loss"], abs=1e-6)
    # Looking changes nothing.
    unwatched = build()
    fit(unwatched, 6)
    assert_same(model, unwatched)


def overfitting() -> dict[str, Any]:
    """A validation set with some wrong targets: a network that gets surer of itself gets worse on it."""
    wrong = np.arange(20)[:, None] % 5 == 0
    return {"validation_data": (X[:20], np.where(wrong, 1 - Y[:20], Y[:20])), "patience": 4}


def overfit(model: Any, **options: Any) -> training.History:
    model.compile(training.make_optimizer("adam", 0.05), "binary_crossentropy", metrics=["accuracy"])
    return fit(model, 60, **overfitting() | options)


def test_early_stopping_puts_the_best_weights_back() -> None:
    model = build()
    history = overfit(model)
    losses = history.epochs["val_loss"]
    assert 5 < history.best_epoch == int(np.argmin(losses)) + 1
    assert history.finished == history.best_epoch + 4 < 60
    assert evaluate(model, *overfitting()["validation_data"])["loss"] == pytest.approx(min(losses), abs=1e-6)


@pytest.mark.parametrize("rate", [1e6, 1e30])
def test_a_run_that_diverges(rate: float) -> None:
    def linear() -> Any:
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
        model.compile(training.make_optimizer("sgd", rate), "mean_squared_error")
        return model

    with pytest.raises(WorkshopError, match=r"diverged: the loss is (nan|inf) after epoch \d+; .*--learning-rate"):
        fit(linear(), 300, checkpoint=CHECKPOINT)
    assert not CHECKPOINT.exists()
    history = fit(linear(), 300, may_diverge=True)
    assert not math.isfinite(history.epochs["loss"][-1]) and len(history.at) == len(history.fine["loss"])


# --- Resuming ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes the checkpoint after every call, and trains few epochs a call, so that a stop loses little."""
    monkeypatch.setattr("workshop.kit.training.checkpoint._SECONDS_BETWEEN_CHECKPOINTS", 0)
    monkeypatch.setattr("workshop.kit.training.batching.STEPS_A_CALL_OF_EPOCHS", 8)  # of 4 steps an epoch: two epochs


def stop_after(calls: int, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    """Runs the work and presses Ctrl-C when so many calls are done."""
    update, count = Progress.update, itertools.count(1)

    def interrupting(*arguments: Any) -> None:
        if next(count) > calls:
            raise KeyboardInterrupt
        update(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Progress, "update", interrupting)
        with pytest.raises(KeyboardInterrupt):
            work()


SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "few steps a call": {"batch_size": 2},
    "validation": {"validation_data": (X[:20], Y[:20])},
    "snapshots": {"snapshots": (0, 1, 4, 9)},
    "patience": overfitting(),
}


# How many epochs the checkpoint has after so many calls.
FINISHED = {
    "plain": {1: 2, 4: 8},
    "few steps a call": {1: 0, 4: 1},
    "validation": {1: 1, 4: 4},
    "snapshots": {1: 1, 4: 6},
    "patience": {1: 1, 4: 4},
}
UNINTERRUPTED: dict[str, tuple[Any, training.History]] = {}


@pytest.mark.parametrize(
    "setting",
    [one if one in ("plain", "few steps a call") else pytest.param(one, marks=pytest.mark.slow) for one in SETTINGS],
)
@pytest.mark.parametrize("calls", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_a_resumed_run_ends_with_the_same_bits(
    setting: str, calls: int, every_epoch: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if setting == "few steps a call":
        monkeypatch.setattr(
            "workshop.kit.training.batching.STEPS_A_CALL_WITHIN_AN_EPOCH", 11
        )  # of 25 steps an epoch: three calls
    run = overfit if setting == "patience" else fit
    options = SETTINGS[setting] | {"checkpoint": CHECKPOINT}
    if setting not in UNINTERRUPTED:
        model = build(dropout=0.3)
        UNINTERRUPTED[setting] = model, run(model, **SETTINGS[setting])
    whole, expected = UNINTERRUPTED[setting]

    stop_after(calls, monkeypatch, lambda: run(build(dropout=0.3), **options))
    finished = FINISHED[setting][calls]
    assert CHECKPOINT.exists() == (finished > 0)
    keras.utils.set_random_seed(99)  # nothing may depend on what this process drew before
    resumed = build(dropout=0.3)
    if finished:
        resumed.set_weights([weight + 1 for weight in resumed.get_weights()])
        keras.random.uniform((3,))
    capsys.readouterr()
    history = run(resumed, **options, resume=True)
    said = f"Resumed   after epoch {finished} of" if finished else "Resume    found nothing to go on with"
    assert said in capsys.readouterr().out
    assert_same(whole, resumed)
    assert history.epochs == expected.epochs and history.fine == expected.fine and history.at == expected.at
    assert history.best_epoch == expected.best_epoch and sorted(history.snapshots) == sorted(expected.snapshots)
    for epoch, weights in expected.snapshots.items():
        for one, other in zip(history.snapshots[epoch], weights, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_finished_run_is_resumed_to_where_it_ended(every_epoch: None) -> None:
    for run, options in ((fit, {}), (overfit, overfitting())):
        model, again = build(dropout=0.3), build(dropout=0.3)
        expected = run(model, checkpoint=CHECKPOINT, **options)
        history = run(again, checkpoint=CHECKPOINT, resume=True, **options)
        assert_same(model, again)
        assert history.epochs == expected.epochs and history.best_epoch == expected.best_epoch
        CHECKPOINT.unlink()


@pytest.mark.slow
def test_a_checkpoint_without_resume_is_noted_and_written_anew(
    every_epoch: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stop_after(2, monkeypatch, lambda: fit(build(), checkpoint=CHECKPOINT))
    whole, anew = build(), build()
    fit(whole)
    capsys.readouterr()
    history = fit(anew, checkpoint=CHECKPOINT)
    assert "run-checkpoint.npz is of a run that was stopped; --resume goes on with it" in capsys.readouterr().out
    assert_same(whole, anew)
    assert history.finished == 12 and CHECKPOINT.exists()
    fit(build(), checkpoint=Path("other.npz"), resume=True)
    assert "Resume    found nothing to go on with" in capsys.readouterr().out


def test_a_checkpoint_of_another_run_is_refused(every_epoch: None) -> None:
    fit(build(), checkpoint=CHECKPOINT)

    def refused(named: str, model: Any, epochs: int = 12, **options: Any) -> None:
        before = model.get_weights()
        with pytest.raises(WorkshopError) as caught:
            fit(model, epochs, checkpoint=CHECKPOINT, resume=True, **options)
        message = str(caught.value)
        assert f"is of a run with other settings ({named} differ)" in message and "--resume" in message
        for one, other in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)

    refused("epochs", build(), 13)
    refused("seed", build(), seed=6)
    refused("batch_size", build(), batch_size=17)
    refused("optimizer", build(optimizer="nadam"))
    refused("layers", build(activation="relu"))
    refused("layers, weights", build(dropout=0.5))
    slower = build()
    slower.optimizer.learning_rate = 0.5
    refused("optimizer", slower)
    other_loss = build()
    other_loss.compile(training.make_optimizer("adam"), "mean_squared_error", metrics=["accuracy"])
    refused("loss", other_loss)
    wider = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(7), keras.layers.Dense(1)])
    wider.compile("adam", "binary_crossentropy")
    refused("layers, weights", wider)
    for values, named in ((X + 1, "X"), (X.astype(np.float64) * 2, "X")):
        with pytest.raises(WorkshopError, match=rf"\({named} differ\)"):
            training.fit(build(), values, Y, epochs=12, batch_size=16, seed=5, checkpoint=CHECKPOINT, resume=True)
    with pytest.raises(WorkshopError, match=r"\(y differ\)"):
        training.fit(build(), X, 1 - Y, epochs=12, batch_size=16, seed=5, checkpoint=CHECKPOINT, resume=True)
    # The names that Keras counts up, and the object that stands for the same loss, make no difference.
    renamed = build()
    assert renamed.layers[0].name != "dense"
    assert fit(renamed, checkpoint=CHECKPOINT, resume=True).finished == 12


def test_a_damaged_checkpoint_is_refused(every_epoch: None) -> None:
    fit(build(), checkpoint=CHECKPOINT)
    whole = CHECKPOINT.read_bytes()
    model = build()
    before = model.get_weights()
    array = Path("array.npy")
    np.save(array, X)
    for content in (b"", b"hello", whole[:100], whole[: len(whole) // 2], whole[:-1], whole[:-30], array.read_bytes()):
        CHECKPOINT.write_bytes(content)
        with pytest.raises(WorkshopError, match=r"run-checkpoint\.npz is not a checkpoint: delete it"):
            fit(model, checkpoint=CHECKPOINT, resume=True)
    for progress in (b"5", b"[]", b"{", b"{}", b'{"run": "5"}', b'{"run": 5}', b"[" * 100_000):
        np.savez(CHECKPOINT, progress=np.frombuffer(progress, np.uint8))
        with pytest.raises(WorkshopError, match=r"run-checkpoint\.npz is not a checkpoint: delete it"):
            fit(model, checkpoint=CHECKPOINT, resume=True)
    CHECKPOINT.write_bytes(whole)
    with np.load(CHECKPOINT) as archive:
        arrays = dict(archive)
    for missing in (
        "progress",
        "state_variable_0",
        f"state_variable_{sum(name.startswith('state_variable') for name in arrays) - 1}",
    ):
        np.savez(CHECKPOINT, allow_pickle=False, **{name: array for name, array in arrays.items() if name != missing})
        with pytest.raises(WorkshopError, match=r"is not a checkpoint"):
            fit(model, checkpoint=CHECKPOINT, resume=True)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_any_changed_byte_of_a_checkpoint(every_epoch: None) -> None:
    model = build()
    fit(model, checkpoint=CHECKPOINT)
    whole = CHECKPOINT.read_bytes()
    state = Checkpoint(CHECKPOINT, KerasRun(model, X, Y, None), 12, 16, 5)
    random = np.random.default_rng(8)
    outcomes = set()
    # Among them the directory at the end, which says how a member is packed.
    for at in [*random.integers(0, len(whole), 60), *random.integers(len(whole) * 3 // 4, len(whole), 90)]:
        changed = bytearray(whole)
        changed[at] ^= 1 << random.integers(8)
        CHECKPOINT.write_bytes(changed)
        history = training.History()
        try:
            state.load(history)
            assert history.finished == 12
            outcomes.add("harmless")
        except WorkshopError as error:
            assert str(error).isprintable()
            outcomes.add("refused")
    assert "refused" in outcomes


def test_a_checkpoint_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    CHECKPOINT.mkdir()
    with pytest.raises(WorkshopError, match=r"run-checkpoint\.npz cannot be written"):
        fit(build(), checkpoint=CHECKPOINT)
    assert [path.name for path in Path().iterdir()] == [CHECKPOINT.name]
    CHECKPOINT.rmdir()

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WorkshopError, match=r"cannot be written \(No space left on device\): free some space"):
        fit(build(), checkpoint=CHECKPOINT)
    assert not list(Path().iterdir())


# --- A whole lesson, killed -------------------------------------------------------------------------------------------


def start_lesson(models: Path, *options: str) -> subprocess.Popen[str]:
    # In NumPy, which starts at once: what is killed here, loop, checkpoint and bundle, is the same for all engines.
    command = [sys.executable, "-m", "workshop.scratch.mnist", "--quick", "--model", "dense", "--epochs", "30"]
    command += ["--batch-size", "16", "--no-plots", "--json", "--models", str(models), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_lesson_that_is_killed_while_it_trains(room: Path) -> None:
    name = "mnist_dense-quick-standin"
    killed, whole = room / "killed", room / "whole"
    uninterrupted = start_lesson(whole)
    # A model saved before, by another run of the lesson.
    keras.utils.set_random_seed(4)
    before = keras.Sequential(
        [keras.layers.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
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
    expected, err = uninterrupted.communicate()
    assert uninterrupted.returncode == 0, err
    assert (killed / f"{name}.h5").read_bytes() == (whole / f"{name}.h5").read_bytes()
    assert (killed / f"{name}.json").read_bytes() == (whole / f"{name}.json").read_bytes()
    one, other = (json.loads(text.splitlines()[-1]) for text in (out, expected))
    assert one["metrics"] == other["metrics"] and one["data"].startswith("digits (stand-in for mnist)")
    assert sorted(path.name for path in killed.iterdir()) == sorted(old)  # the checkpoint is gone

"""Training on photographs in Keras: the pipeline's batches, several devices, and 16 bits."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_training import stop_after

from workshop.kit import device, training
from workshop.kit.data.images import scale_pixels
from workshop.kit.lazy import keras
from workshop.kit.photo_classifier import Settings
from workshop.kit.photos.augmentation import Augmentation
from workshop.kit.saving.model import as_model
from workshop.kit.training import batching, photo_pipeline
from workshop.kit.training.history import History
from workshop.scratch.nn.network import Network

SIZE = 16
RANDOM = np.random.default_rng(2)
X = RANDOM.integers(0, 200, (30, SIZE, SIZE, 3)).astype(np.uint8)
Y = np.arange(30, dtype=np.float32)[:, None] % 2
X[Y[:, 0] == 1, 4:12, 4:12] += 55  # what there is to learn


@pytest.fixture(autouse=True)
def prepared() -> None:
    device.prepare(1)


def build(dropout: float = 0.3, normalises: bool = True) -> Any:
    """The same small network with the same weights, every time."""

    def layers() -> Any:
        return keras.Sequential(
            [
                keras.layers.Input((SIZE, SIZE, 3)),
                keras.layers.Conv2D(4, 3, activation="relu"),
                *([keras.layers.BatchNormalization()] if normalises else []),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dropout(dropout),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )

    model = device.seeded(layers)(7)
    model.compile(training.make_optimizer("adam", 0.01), "binary_crossentropy", metrics=["accuracy"])
    return model


def fit(model: Any, **options: Any) -> History:
    settings: dict[str, Any] = {"epochs": 4, "batch_size": 8, "seed": 3}
    return photo_pipeline.fit(model, X, Y, **settings | options)


def assert_close(model: Any, other: Any, tolerance: float) -> None:
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=tolerance)


# --- Batches ----------------------------------------------------------------------------------------------------------


def in_batches(pictures: np.ndarray, augmentation: Augmentation | None) -> list[tuple[np.ndarray, np.ndarray]]:
    order = batching.epoch_order(30, 1, 0)
    return [(a.numpy(), b.numpy()) for a, b in photo_pipeline.batches(pictures, Y, order, 8, augmentation)]


def test_batches_come_in_the_order_asked_for_scaled_and_whole() -> None:
    found = in_batches(X, None)
    assert [len(pictures) for pictures, _ in found] == [8, 8, 8, 6]
    order = batching.epoch_order(30, 1, 0)
    np.testing.assert_array_equal(np.concatenate([one for one, _ in found]), scale_pixels(X[order]))
    np.testing.assert_array_equal(np.concatenate([one for _, one in found]), Y[order])


def test_each_picture_is_changed_by_what_was_drawn_for_it() -> None:
    augmentation = Augmentation()
    order = batching.epoch_order(30, 1, 0)
    expected = augmentation.apply(X[order], *augmentation.draw(order, SIZE))
    found = np.concatenate([one for one, _ in in_batches(X, augmentation)])
    np.testing.assert_array_equal(found, scale_pixels(expected))
    assert (found != scale_pixels(X[order])).mean() > 0.9


def test_pictures_in_a_file_give_the_same_batches(tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "pictures", np.uint8, "w+", shape=X.shape)
    mapped[:] = X
    for (one, _), (other, _) in zip(in_batches(X, Augmentation()), in_batches(mapped, Augmentation()), strict=True):
        np.testing.assert_array_equal(one, other)


def test_batches_are_prepared_while_the_network_learns_from_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = threading.Semaphore(0)
    apply = Augmentation.apply

    def count(*parts: Any) -> np.ndarray:
        result = apply(*parts)
        changed.release()
        return result

    monkeypatch.setattr(Augmentation, "apply", count)
    order = batching.epoch_order(30, 1, 0)
    batches = iter(photo_pipeline.batches(X, Y, order, 8, Augmentation()))
    next(batches)
    # The second one is made without being asked for.
    assert all(changed.acquire(timeout=30) for _ in range(2))


# --- Training ---------------------------------------------------------------------------------------------------------


def test_unchanged_photographs_train_as_any_other_images() -> None:
    photographs, images = build(0), build(0)
    of_photographs = fit(photographs, validation_data=(X[:10], Y[:10]))
    of_images = training.fit(images, X, Y, epochs=4, batch_size=8, seed=3, preprocess=scale_pixels)
    assert_close(photographs, images, 1e-5)
    assert of_photographs.epochs["loss"] == pytest.approx(of_images.epochs["loss"], rel=1e-4)
    assert len(of_photographs.epochs["val_accuracy"]) == 4


def test_each_epoch_is_on_pictures_of_its_own_side_and_the_network_keeps_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[int, ...]] = []
    take_steps = photo_pipeline.PhotoRun.fit_on

    def watch(run: photo_pipeline.PhotoRun, batches: Any) -> np.ndarray:
        seen.extend({tuple(pictures.shape[1:]) for pictures, _ in batches})
        return take_steps(run, batches)

    monkeypatch.setattr(photo_pipeline.PhotoRun, "fit_on", watch)
    model = build()
    fit(model, epochs=3, augmentation=Augmentation(), sides=[12, 12, SIZE], validation_data=(X[:6], Y[:6]))
    assert seen == [(12, 12, 3), (12, 12, 3), (SIZE, SIZE, 3)]
    assert model.input_shape == (None, SIZE, SIZE, 3)


def test_many_photographs_begin_small_and_end_whole() -> None:
    settings = Settings(pictures=5000, learning_rate=0.003, augmentation=Augmentation())
    assert settings.sides(150, 20, 2000) == [112] * 14 + [150] * 6
    assert settings.sides(40, 4, 1000) == [32, 32, 40, 40]
    assert settings.sides(150, 1, 1000) == [150]
    assert settings.sides(150, 20, 999) is None
    assert settings.without_augmentation().sides(150, 20, 2000) is None


@pytest.mark.slow
def test_a_run_with_changes_and_dropout_is_resumed_to_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("workshop.kit.training.checkpoint._SECONDS_BETWEEN_CHECKPOINTS", 0)
    # The first epoch after the resume is on smaller pictures than those that the network is built for.
    options: dict[str, Any] = {"augmentation": Augmentation(), "sides": [12, 12, 12, SIZE]}
    whole, resumed = build(), build()
    expected = fit(whole, **options)
    checkpoint = Path("run-checkpoint.npz")
    stop_after(2, monkeypatch, lambda: fit(build(), checkpoint=checkpoint, **options))
    history = fit(resumed, checkpoint=checkpoint, resume=True, **options)
    assert "Resumed   after epoch 2 of 4" in capsys.readouterr().out
    assert_close(whole, resumed, 0)
    assert history.epochs == expected.epochs
    with pytest.raises(Exception, match=r"augmentation differ"):
        fit(build(), checkpoint=checkpoint, resume=True, sides=[12, 12, 12, SIZE])
    with pytest.raises(Exception, match=r"sides differ"):
        fit(build(), checkpoint=checkpoint, resume=True, augmentation=Augmentation())


# --- Sixteen bits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_a_network_trained_in_16_bits_is_saved_in_32_and_answers_the_same_in_numpy(precision: str) -> None:
    assert device.prepare(1, precision).endswith(f", {precision}")
    model = build()
    assert model.layers[0].compute_dtype == precision.removeprefix("mixed_")
    assert model.layers[-1].compute_dtype == "float32"
    model.optimizer.learning_rate = 0.05
    history = fit(model, epochs=8)
    assert history.epochs["loss"][-1] < 0.9 * history.epochs["loss"][0]
    kept = as_model(model)
    Path("model.h5").write_bytes(kept.to_h5())
    assert b"float16" not in Path("model.h5").read_bytes()
    answers = kept.predict(X, preprocess=scale_pixels)
    assert Network.from_h5(Path("model.h5")).predict(X, preprocess=scale_pixels) == pytest.approx(answers, abs=1e-5)
    # The next lesson of this process is not told.
    assert "float16" not in device.prepare(1)
    assert build().layers[0].compute_dtype == "float32"


def test_16_bits_are_chosen_on_a_gpu_and_on_a_cpu_only_where_they_were_measured_faster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured = []

    def speedup(value: float) -> None:
        def measure() -> float:
            measured.append(value)
            return value

        monkeypatch.setattr(device, "bfloat16_speedup", measure)

    monkeypatch.setattr(device, "cpu_flags", lambda: {"avx2", "amx_bf16"})
    speedup(2.0)
    assert device.choose_precision("auto", has_gpu=False) == "mixed_bfloat16"
    speedup(1.1)
    assert device.choose_precision("auto", has_gpu=False) == "float32"
    assert measured == [2.0, 1.1]
    monkeypatch.setattr(device, "cpu_flags", lambda: {"avx2"})
    speedup(2.0)
    assert device.choose_precision("auto", has_gpu=False) == "float32"
    assert device.choose_precision("auto", has_gpu=True) == "mixed_float16"
    assert device.choose_precision("mixed_bfloat16", has_gpu=True) == "mixed_bfloat16"
    assert measured == [2.0, 1.1]


def test_the_measurement_of_16_bits_is_a_ratio_and_the_processor_names_its_units() -> None:
    assert 0.01 < device.bfloat16_speedup(repeats=1) < 100
    assert sys.platform != "linux" or len(device.cpu_flags()) > 5


# --- Several devices --------------------------------------------------------------------------------------------------

# One processor stands for two graphics cards.
TWO_DEVICES = """
import json, sys
import numpy as np, tensorflow as tf
processor, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
sys.path.insert(0, sys.argv[1])
import test_photo_training as tests
from workshop.kit import augmentation, batching, device, training
ends, lines = {}, []
for devices in ([], ["CPU:0", "CPU:1"]):
    device._devices_to_share = lambda: devices
    lines.append(device.prepare(1))
    assert device.is_distributed() == bool(devices)
    # Without batch normalisation, whose statistics are those of a device's part of the batch.
    photographs, images = tests.build(0, False), tests.build(0, False)
    options = {"epochs": 2, "batch_size": 10}
    tests.fit(photographs, augmentation=augmentation.Augmentation(), validation_data=(tests.X, tests.Y), **options)
    training.fit(images, tests.X, tests.Y, seed=3, preprocess=tests.scale_pixels, **options)
    ends[len(devices)] = [*photographs.get_weights(), *images.get_weights()]
    tests.as_model(photographs).to_h5()
differences = [float(abs(one - other).max()) for one, other in zip(ends[0], ends[2], strict=True)]
begin = tests.build(0, False).get_weights() * 2
learned = [float(abs(one - other).max()) for one, other in zip(ends[2], begin, strict=True)]
print(json.dumps([lines, max(differences), max(learned)]))
"""


@pytest.mark.slow
def test_a_batch_shared_by_two_devices_gives_the_steps_of_one() -> None:
    run = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert run.returncode == 0, run.stderr[-3000:]
    (alone, shared), difference, learned = json.loads(run.stdout.splitlines()[-1])
    assert "shared" not in alone and shared.endswith(", each batch shared by 2 devices")
    assert learned > 0.02
    assert difference < 1e-5

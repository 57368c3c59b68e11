"""Training on photos in Keras: the pipeline's batches, several devices, and 16 bits."""

import argparse
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.lesson_runs import stop_after
from helpers.small_photo_network import CHECKPOINT, SIZE, X, Y, build, fit

from workshop.kit import device, photo_classifier, training
from workshop.kit.data.images import scale_pixels
from workshop.kit.errors import WorkshopError
from workshop.kit.photo_classifier import PhotoRecipe
from workshop.kit.photos.augmentation import Augmentation
from workshop.kit.saving.model import as_model
from workshop.kit.training import batching
from workshop.scratch.nn.network import Network

ORDER = batching.epoch_order(30, 1, 0)


@pytest.fixture(autouse=True)
def prepared() -> None:
    device.prepare(1)


def assert_close(model: Any, other: Any, tolerance: float) -> None:
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=tolerance)


# --- Batches ----------------------------------------------------------------------------------------------------------


def in_batches(photos: np.ndarray, seed: int | None, *changes: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(a.numpy(), b.numpy()) for a, b in training.photo_batches(photos, Y, 8, seed, *changes)]


@pytest.mark.parametrize(("seed", "order"), [(1, ORDER), (None, np.arange(30))])
def test_batches_come_in_the_order_asked_for_scaled_and_whole(seed: int | None, order: np.ndarray) -> None:
    found = in_batches(X, seed)
    assert [len(photos) for photos, _ in found] == [8, 8, 8, 6]
    np.testing.assert_array_equal(np.concatenate([one for one, _ in found]), scale_pixels(X[order]))
    np.testing.assert_array_equal(np.concatenate([one for _, one in found]), Y[order])


def test_each_photo_is_changed_by_what_was_drawn_for_it_from_a_file_as_well(tmp_path: Path) -> None:
    augmentation = Augmentation()
    expected = augmentation.apply(X[ORDER], *augmentation.draw(ORDER, SIZE))
    mapped = np.memmap(tmp_path / "photos", np.uint8, "w+", shape=X.shape)
    mapped[:] = X
    for photos in (X, mapped):
        found = np.concatenate([one for one, _ in in_batches(photos, 1, augmentation)])
        np.testing.assert_array_equal(found, scale_pixels(expected))
    assert (found != scale_pixels(X[ORDER])).mean() > 0.9


def test_each_epoch_has_its_order_its_changes_and_its_size() -> None:
    batches = training.photo_batches(X, Y, 8, 1, Augmentation(), [12, 12, SIZE])
    epochs = [np.concatenate([photos for photos, _ in batches]) for _ in range(3)]
    assert [epoch.shape[1:] for epoch in epochs] == [(12, 12, 3), (12, 12, 3), (SIZE, SIZE, 3)]
    order = batching.epoch_order(30, 1, 1)
    expected = Augmentation().apply(X[order], *Augmentation().draw(order, SIZE, 12), 12)
    np.testing.assert_array_equal(epochs[1], scale_pixels(expected))
    batches.epoch.assign(0)
    np.testing.assert_array_equal(np.concatenate([photos for photos, _ in batches]), epochs[0])


def test_batches_are_prepared_while_the_network_trains_on_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = threading.Semaphore(0)
    apply = Augmentation.apply

    def count(*parts: Any) -> np.ndarray:
        result = apply(*parts)
        changed.release()
        return result

    monkeypatch.setattr(Augmentation, "apply", count)
    batches = iter(training.photo_batches(X, Y, 8, 1, Augmentation()))
    next(batches)
    # The others are made without being asked for.
    assert all(changed.acquire(timeout=30) for _ in range(3))


# --- Training ---------------------------------------------------------------------------------------------------------


def test_unchanged_photos_train_as_any_other_images() -> None:
    photos, images = build(0), build(0)
    history = fit(photos)
    batches = training.shuffled_batches(X, Y, 8, 3, scale_pixels)
    expected = images.fit(batches, epochs=4, shuffle=False, verbose=0).history
    assert_close(photos, images, 1e-5)
    assert history["loss"] == pytest.approx(expected["loss"], rel=1e-4)


def test_many_photos_begin_small_and_end_whole(capsys: pytest.CaptureFixture[str]) -> None:
    recipe = PhotoRecipe(epochs=20, images=5000, augmentation=Augmentation(), batch_size=16, large_batch_size=32)
    assert recipe.sizes(150, 2000) == [112] * 14 + [150] * 6
    assert PhotoRecipe(epochs=4, augmentation=Augmentation()).sizes(40, 1000) == [32, 32, 40, 40]
    assert PhotoRecipe(epochs=1, augmentation=Augmentation()).sizes(150, 1000) == [150]
    assert recipe.sizes(150, 999) is None
    assert PhotoRecipe(epochs=20).sizes(150, 2000) is None
    for samples in (2000, 999):
        photo_classifier.report_sizes(recipe.sizes(150, samples))
    assert capsys.readouterr().out == "The first 14 epochs are on images of 112x112\n"
    options = argparse.Namespace(
        epochs=None, batch_size=None, learning_rate=None, optimizer=None, quick=False, no_augmentation=True
    )
    assert recipe.with_options(options, 2000).augmentation is None
    assert [recipe.with_options(options, samples).batch_size for samples in (999, 1000)] == [16, 32]


@pytest.mark.slow
def test_a_run_with_changes_and_dropout_is_resumed_to_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The first epoch after the resume is on smaller images than those that the network is built for.
    changes: dict[str, Any] = {"augmentation": Augmentation(), "sizes": [12, 12, 12, SIZE]}
    whole, resumed = build(), build()
    expected = fit(whole, **changes)
    assert whole.input_shape == (None, SIZE, SIZE, 3)
    CHECKPOINT.unlink()
    stop_after(2, monkeypatch, lambda: fit(build(), **changes))
    history = fit(resumed, resume=True, **changes)
    assert "Resumed   after epoch 2 of 4" in capsys.readouterr().out
    assert_close(whole, resumed, 0)
    assert history == expected
    with pytest.raises(WorkshopError, match=r"augmentation differ"):
        fit(build(), resume=True, sizes=[12, 12, 12, SIZE])
    with pytest.raises(WorkshopError, match=r"sizes differ"):
        fit(build(), resume=True, augmentation=Augmentation())


# --- Sixteen bits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_a_network_trained_in_16_bits_is_saved_in_32_and_answers_the_same_in_numpy(precision: str) -> None:
    assert device.prepare(1, precision).endswith(f", {precision}")
    model = build()
    assert model.layers[0].compute_dtype == precision.removeprefix("mixed_")
    assert model.layers[-1].compute_dtype == "float32"
    model.optimizer.learning_rate = 0.05
    losses = fit(model, epochs=8)["loss"]
    assert losses[-1] < 0.9 * losses[0]
    kept = as_model(model)
    Path("model.h5").write_bytes(kept.to_h5())
    assert b"float16" not in Path("model.h5").read_bytes()
    answers = kept.predict(X, preprocess=scale_pixels)
    assert Network.from_h5(Path("model.h5")).predict(X, preprocess=scale_pixels) == pytest.approx(answers, abs=1e-5)
    # The next lesson of this process is not told.
    assert "float16" not in device.prepare(1)
    assert build().layers[0].compute_dtype == "float32"


def test_16_bits_are_chosen_only_on_a_cpu_where_they_were_measured_faster(
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
    assert device.choose_precision("auto", has_gpu=True) == "float32"
    assert device.choose_precision("auto", has_gpu=False) == "mixed_bfloat16"
    speedup(1.1)
    assert device.choose_precision("auto", has_gpu=False) == "float32"
    assert measured == [2.0, 1.1]
    monkeypatch.setattr(device, "cpu_flags", lambda: {"avx2"})
    speedup(2.0)
    assert device.choose_precision("auto", has_gpu=False) == "float32"
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
from helpers import small_photo_network as small
from workshop.kit.data.images import scale_pixels
from workshop.kit.photos.augmentation import Augmentation
from workshop.kit.saving.model import as_model
from workshop.kit.training.checkpoint import Checkpoint
from workshop.kit import device, training
ends, lines = {}, []
for devices in ([], ["CPU:0", "CPU:1"]):
    device._devices_to_share = lambda: devices
    lines.append(device.prepare(1))
    assert device.is_distributed() == bool(devices)
    # Without batch normalisation, whose statistics are those of a device's part of the batch.
    photos, images = small.build(0, False), small.build(0, False)
    small.fit(photos, epochs=2, batch_size=10, augmentation=Augmentation())
    assert len(photos.predict(training.photo_batches(small.X, small.Y, 10, None), verbose=0)) == 30
    batches = training.shuffled_batches(small.X, small.Y, 10, 3, scale_pixels)
    watched = scale_pixels(small.X), small.Y
    resume = training.Resume(Checkpoint(small.CHECKPOINT), batches)
    images.fit(batches, epochs=2, shuffle=False, verbose=0, validation_data=watched, callbacks=[resume])
    ends[len(devices)] = [*photos.get_weights(), *images.get_weights()]
    as_model(photos).to_h5()
differences = [float(abs(one - other).max()) for one, other in zip(ends[0], ends[2], strict=True)]
begin = small.build(0, False).get_weights() * 2
learned = [float(abs(one - other).max()) for one, other in zip(ends[2], begin, strict=True)]
print(json.dumps([lines, max(differences), max(learned)]))
"""


@pytest.mark.slow
def test_a_batch_shared_by_two_devices_gives_the_steps_of_one() -> None:
    run = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES, str(Path(__file__).parents[1])],
        capture_output=True,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert run.returncode == 0, run.stderr[-3000:]
    (alone, shared), difference, learned = json.loads(run.stdout.splitlines()[-1])
    assert "shared" not in alone and shared.endswith(", each batch shared by 2 devices")
    assert learned > 0.02
    assert difference < 1e-5

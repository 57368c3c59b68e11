"""The doctor's checks of the lessons' requirements: data, devices, the shipped models, and a whole training.

Each imports its libraries when it runs: one that hangs costs itself alone.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from workshop import LESSONS
from workshop.doctor.findings import INSTALL_AGAIN, Finding, fix
from workshop.kit import files
from workshop.kit.data import shared_folder
from workshop.kit.errors import WorkshopError

TABLES = ("houses", "housing", "admission")
MODELS = (
    "house_price",
    "houses",
    "logistic_regression",
    "admission",
    "xor",
    "mnist_dense",
    "mnist_cnn",
    "digit_reader",
    "fashion_mnist_dense",
    "fashion_mnist_cnn",
    "cats_vs_dogs_small",
    "text_generation",
    "denoiser",
    "digit_generator",
    "lander",
)
_STANDINS = {"mnist": "scikit-learn's 1,797 real digits", "fashion_mnist": "drawn garments"}


def check_data() -> Iterator[Finding]:
    """Compares the image sets with the published ones, and reads the shipped tables."""
    from workshop.kit.data import download, tables
    from workshop.kit.data import images as image_data

    shared = shared_folder.shared_folder()
    if shared and not shared.is_dir():
        yield fix(f"WORKSHOP_DATA={shared} is not a folder", "set it to the folder of mnist and fashion_mnist")
    for name, standin in _STANDINS.items():
        place = image_data.find_image_set(name)
        if place is None:
            missed = f" {shared_folder.searched()}, nor" if shared else ""
            lesson = f"its lesson tries a download, {download.TIMEOUT:g} s at most for a response"
            yield Finding("NOTE", f"{name} is not{missed} in Keras' cache: {lesson}, else it trains on {standin}")
            continue
        try:
            yield Finding("OK", f"{image_data.load_image_set(name, place).source} in {place}")
        except WorkshopError as error:
            yield Finding("FIX", str(error))
    sound = []
    for table in TABLES:
        try:
            tables.read_table(tables.shipped_table(table))
            sound.append(table)
        except WorkshopError as error:
            yield fix(f"Table {table} is missing or damaged ({error})", INSTALL_AGAIN)
    if sound:
        yield Finding("OK", f"Tables: {', '.join(sound)}")


def check_devices() -> Iterator[Finding]:
    """Names the devices that Keras computes on."""
    from workshop.kit import device

    text = device.prepare(seed=1)
    yield Finding("OK", text if "CPU" in text else f"{text}, {os.cpu_count()} CPU cores")
    if "GPU" not in text and shutil.which("nvidia-smi"):
        yield Finding("NOTE", 'an NVIDIA card is here but not used; python -m pip install "tensorflow[and-cuda]"')


def check_models() -> Iterator[Finding]:
    """Loads the models that ship with the package."""
    from workshop.kit.saving import bundle

    folder = files.shipped("models")
    lessons = [lesson.name for lesson in LESSONS]
    missing = [name for name in MODELS if not (folder / f"{name}.h5").exists()]
    if missing:
        yield fix(f"Models that should have come with the package: {', '.join(missing)}", INSTALL_AGAIN)
    sound = []
    for name in MODELS:
        if name in missing:
            continue
        try:
            if bundle.load(folder / f"{name}.h5", lessons).is_verified:
                sound.append(name)
            else:
                yield fix(f"Model {name} came without its card", INSTALL_AGAIN)
        except WorkshopError as error:
            yield Finding("FIX", f"Model {name}: {error}")
    if sound:
        yield Finding("OK", f"Models: {', '.join(sound)}")


def check_training() -> Iterator[Finding]:
    """Trains a small model for a step, saves it with a scaler, and loads it again."""
    import numpy as np
    from sklearn.preprocessing import MinMaxScaler

    from workshop.kit import training
    from workshop.kit.lazy import keras
    from workshop.kit.saving import bundle

    X = np.arange(16, dtype=np.float32).reshape(8, 2)
    y = X.sum(axis=1)
    scaler = MinMaxScaler().fit(X)
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mean_squared_error")
    training.fit_table(model, scaler.transform(X), y[:, None], epochs=1, batch_size=8, seed=1, verbose=0)
    expected = model.predict(scaler.transform(X), verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        bundle.save(
            folder,
            "doctor",
            model,
            scaler=scaler,
            lesson="doctor",
            data="",
            seed=1,
            metrics={},
            inputs=[bundle.Input("first"), bundle.Input("second")],
        )
        loaded = bundle.load(Path(folder) / "doctor.h5", ["doctor"])
        difference = float(np.abs(loaded.predict(X) - expected).max())
    if difference <= 1e-5:
        yield Finding("OK", "Training: a small model was trained, saved, loaded, and predicts the same")
    else:
        yield fix(f"Training: a loaded model's predictions differ by {difference:.2g}", INSTALL_AGAIN)

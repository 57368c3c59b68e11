"""What every test gets: its own empty folder to run in, and the real data sets only where they are."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import hashlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

# A run that was started in the background ignores Ctrl-C, and so would every program that the tests start and stop.
signal.signal(signal.SIGINT, signal.default_int_handler)

# README's command installs without compiling. What is compiled here is kept, wherever the environment asks for the
# opposite: each program that the tests start would compile TensorFlow anew, and so would each lesson afterwards.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Each worker of pytest-xdist has its own cores, as have the programs that its tests start. TensorFlow and PyTorch start
# a thread for each core that they see: the threads of two workers on the same two cores wait for each other, and mnist
# in Keras and in PyTorch, side by side, need twice the time.
if "PYTEST_XDIST_WORKER" in os.environ and hasattr(os, "sched_setaffinity"):
    worker, workers = int(os.environ["PYTEST_XDIST_WORKER"][2:]), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[worker::workers] or cores)

pytest.register_assert_rewrite("helpers")  # a failing assertion there shows its values, too

# Set before anything imports TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("GOMP_SPINCOUNT", "20000")  # as the package does, before anything imports PyTorch

# No test finds the real data by chance. The workers of pytest-xdist are children of the process that reads this first:
# they inherit the folder under a name that no lesson knows.
if os.environ.get("WORKSHOP_DATA"):
    os.environ["WORKSHOP_DATA_OF_TESTS"] = str(Path(os.environ["WORKSHOP_DATA"]).resolve())
os.environ.pop("WORKSHOP_DATA", None)
_REAL_DATA = os.environ.get("WORKSHOP_DATA_OF_TESTS")


_LONGEST = [
    "test_lessons",
    "test_notebooks",
    "test_several_machines",
    "test_mirrors",
    "test_experiments",
    "test_pack",
    "test_xor",
    "test_wheel",
    "test_cats_vs_dogs",
    "test_rnn",
    "test_optimizers",
    "test_mnist",
    "test_gan",
    "test_deep_q_network",
    "test_boltzmann",
    "test_policy_gradient",
    "test_initialization",
    "test_autoencoder",
    "test_training",
    "test_engines",
    "test_image",
    "test_gpu_benchmark",
    "test_regularization",
    "test_transfer_learning",
    "test_banknotes",
    "test_text_generation",
    "test_admission",
    "test_forecasting",
    "test_torch_backend",
    "test_policy_gradient_mirror",
    "test_apps_images",
    "test_tables",
    "test_draw",
    "test_upgrade",
    "test_q_learning",
    "test_photo_training",
    "test_cats_vs_dogs_mirror",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests in order, and leaves out those on real data where there is none."""
    # The files that take longest, slow tests included, begin: at the end neither worker waits for the other.
    place = {name: i for i, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))
    missing = pytest.mark.skip(reason="needs the real data sets: set WORKSHOP_DATA to their folder")
    for item in items:
        if item.get_closest_marker("real") and not (_REAL_DATA and Path(_REAL_DATA).is_dir()):
            item.add_marker(missing)


def pytest_collection_finish() -> None:
    """Keeps Python from looking for garbage among thousands of tests and the libraries that they imported."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps the fixtures of a whole file, which begin before `room`, out of the checkout's models and plots."""
    with contextlib.chdir(tmp_path_factory.mktemp("outside")):
        yield


@pytest.fixture(autouse=True)
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Runs each test in an empty folder, without a network, without Keras' cache of data sets.

    Tests marked `real` find the real data sets through WORKSHOP_DATA.
    """
    folder = tmp_path / "room"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    # Nobody listens on the discard port: a download is refused at once.
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    if request.node.get_closest_marker("real") and _REAL_DATA:
        monkeypatch.setenv("WORKSHOP_DATA", _REAL_DATA)
    yield folder


@pytest.fixture(scope="module")
def alone() -> Iterator[None]:
    """Lets PyTorch and NumPy compute in one thread as long as the tests of a file run."""
    from helpers.engines import one_thread

    with one_thread():
        yield


@pytest.fixture
def prepared() -> None:
    """Prepares Keras and PyTorch as a lesson does, so that a test does not depend on those before it."""
    from workshop.kit import device
    from workshop.pytorch.kit import device as torch_device

    device.prepare(1)
    torch_device.prepare(1)


@pytest.fixture
def comparable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a quick run say the reason of its own options to hold it against no band, which others would go before."""
    from workshop.kit import report

    monkeypatch.setattr(report, "_not_comparable", lambda *_: "")


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved, as they are drawn."""
    from workshop.kit import plots

    drawn: list[Figure] = []
    save_figure = plots.save

    def note(figure: Figure, path: Path) -> Path:
        drawn.append(figure)
        return save_figure(figure, path)

    monkeypatch.setattr(plots, "save", note)
    return drawn


@pytest.fixture
def real_data() -> Path:
    """The folder of the real data sets, for a test marked `real`."""
    assert _REAL_DATA is not None
    return Path(_REAL_DATA)


@pytest.fixture
def arrays(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """A tiny set of images and classes, which passes for the published MNIST."""
    import numpy as np
    from helpers.image_files import SHAPES

    from workshop.kit.data import published_images

    random = np.random.default_rng(5)
    made = [random.integers(0, 256 if len(shape) == 3 else 10, shape, np.uint8) for shape in SHAPES]
    d = [hashlib.sha256(array.tobytes()).hexdigest() for array in made]
    monkeypatch.setattr(published_images, "SHAPES", SHAPES)
    published = dataclasses.replace(published_images.SETS["mnist"], digests=(d[0], d[1], d[2], d[3]))
    monkeypatch.setitem(published_images.SETS, "mnist", published)
    return made

"""Broken and hostile scalers, made from good ones: each is a clear line or a usable scaler; nothing runs or hangs."""

import io
import pickle
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn import preprocessing
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

from workshop.kit.errors import WorkshopError
from workshop.kit.saving import unpickling

SECONDS = 10  # that a file may take
X = np.array([[30.2, 97.0], [60.0, 31.5], [99.8, 55.0], [45.5, 76.25]])
CELLS = np.array([[1.5, "a", 2], [np.nan, "b", 3], [4.0, "c d", 8]], object)
OPCODES = [
    value for name, value in vars(pickle).items() if isinstance(value, bytes) and len(value) == 1 and name.isupper()
]
# What a hostile file would call, in the spellings of all protocols: it would leave a file behind.
HOSTILE = (
    b"cos\nsystem\n(Vtouch ran\ntR",
    b"(Vtouch ran\nios\nsystem\n",
    b"\x8c\x02os\x8c\x06system\x93\x8c\x09touch ran\x85R",
)
NAMES = (b"MinMaxScaler", b"StandardScaler", b"OneHotEncoder", b"ndarray", b"dtype", b"slice", b"scale_", b"f8", b"O8")


def good() -> dict[str, bytes]:
    """Returns scalers and pipelines of every kind, in every packing."""
    steps: dict[str, Any] = {
        kind.__name__: kind().fit(X)
        for kind in (
            preprocessing.MinMaxScaler,
            preprocessing.StandardScaler,
            preprocessing.RobustScaler,
            preprocessing.MaxAbsScaler,
            preprocessing.PowerTransformer,
        )
    }
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), preprocessing.OneHotEncoder(handle_unknown="ignore"))
    numbers = make_pipeline(SimpleImputer(), preprocessing.MinMaxScaler())
    steps["table"] = ColumnTransformer([("numbers", numbers, [0, 2]), ("texts", texts, [1])]).fit(CELLS)
    steps["table"].feature_names_in_ = np.array(["x", "y", "z"], object)
    files = {}
    for name, step in steps.items():
        for protocol in (0, 2, 4, 5):
            files[f"{name} pickle {protocol}"] = pickle.dumps(step, protocol)
        stream = io.BytesIO()
        joblib.dump(step, stream)
        files[f"{name} joblib"] = stream.getvalue()
    stream = io.BytesIO()
    joblib.dump(steps["table"], stream, compress=3)
    return files | {"packed": stream.getvalue()}


def broken(content: bytes, dice: random.Random) -> bytes:
    """Returns a file with one to four faults: bits flipped, parts cut, repeated or moved, opcodes and names swapped."""
    changed = bytearray(content)
    for _ in range(dice.randint(1, 4)):
        at, other = dice.randrange(len(changed) + 1), dice.randrange(len(changed) + 1)
        match dice.randrange(9):
            case 0 if at < len(changed):
                changed[at] ^= 1 << dice.randrange(8)
            case 1:
                del changed[at:]
            case 2:
                del changed[at : at + dice.randint(1, 30)]
            case 3:
                changed[at:at] = dice.randbytes(dice.randint(1, 8))
            case 4:
                changed[at:at] = changed[other : other + dice.randint(1, 200)]
            case 5 if at < len(changed):
                changed[at : at + 1] = dice.choice(OPCODES)
            case 6:
                changed[at:at] = dice.choice(HOSTILE)
            case 7:
                changed = bytearray(bytes(changed).replace(dice.choice(NAMES), dice.choice(NAMES), dice.randint(1, 2)))
            case _:
                changed[at : at + 8] = dice.choice((bytes(8), b"\xff" * 8, (2**40).to_bytes(8, "little")))
        changed = changed or bytearray(b".")
    return bytes(changed)


class TooLongError(BaseException):
    """Raised in a file that takes for ever; nothing in the package catches it."""


@pytest.fixture
def alarm() -> Iterator[None]:
    def stop(signal: int, frame: FrameType | None) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGALRM, stop)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def read(content: bytes) -> str:
    """Reads a file; returns the message, or nothing if it is a usable scaler."""
    signal.alarm(SECONDS)
    try:
        step = unpickling.load_scaler(content, "model-scaler.gz")
        cells = [[column.values[0] if column.values else 1.5 for column in step.columns()]]
        assert np.asarray(step.transform(np.array(cells, object)), float).shape == (1, step.n_features_out_)
        assert all(isinstance(name, str) for name in step.names) and len(step.columns()) == step.n_features_in_
    except WorkshopError as error:
        assert str(error).isprintable() and len(str(error)) < 500, error
        return str(error)
    finally:
        signal.alarm(0)
    return ""


def check_all(each: int, seed: int) -> None:
    dice, read_ones, refused = random.Random(seed), 0, 0
    for name, content in good().items():
        assert not read(content), name
        for _ in range(each):
            changed = broken(content, dice)
            try:
                is_read = not read(changed)
            except BaseException:
                Path("broken-scaler.bin").write_bytes(changed)
                raise
            read_ones, refused = read_ones + is_read, refused + (not is_read)
            assert not Path("ran").exists(), name
    assert refused > read_ones > 0


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs the alarm of the system")
def test_broken_scalers_are_a_line(alarm: None, room: Path) -> None:
    check_all(25, seed=1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs the alarm of the system")
@pytest.mark.parametrize("seed", range(4))
def test_many_broken_scalers_are_a_line(alarm: None, room: Path, seed: int) -> None:
    check_all(1000, seed=100 + seed)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs the alarm of the system")
@pytest.mark.parametrize(
    "content",
    [
        b"N0" * 8_000_000,
        b"(" * 16_000_000,
        b"]" * 4_000_000 + b"a" * 3_999_999 + b".",
        b"N\x85" + b"\x85" * 16_000_000 + b".",
        b"N" + b"2\x86" * 4_000_000 + b".",
        b"]" + b"(" + b"K\x01" * 4_000_000 + b"e.",
        b"I" + b"9" * 16_000_000 + b"\n.",
        b"\x8b" + (15_000_000).to_bytes(4, "little") + b"\x7f" * 15_000_000 + b".",
    ],
    ids=["idle", "marks", "lists in lists", "tuples in tuples", "doubled tuples", "numbers", "digits", "a long number"],
)
def test_a_large_file_without_sense_is_refused_soon(alarm: None, room: Path, content: bytes) -> None:
    assert read(content)

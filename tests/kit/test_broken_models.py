"""Broken and hostile `.h5` files, made from good ones of several Keras versions: a model or one line, soon, or nothing.

Seeded: the same files every time.
"""

import copy
import io
import json
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from helpers import old_models
from helpers.old_models import functional, layer, node, sequential

from workshop.kit.errors import WorkshopError
from workshop.kit.saving import h5, keras_h5

PATH = Path("broken.h5")
_RANDOM = np.random.default_rng(1)


def arrays(**shapes: Any) -> dict[str, dict[str, np.ndarray]]:
    """Returns random arrays: `dense={"dense/kernel:0": (2, 3)}`."""
    return {name: {weight: _RANDOM.normal(size=shape) for weight, shape in own.items()} for name, own in shapes.items()}


def images_of_keras_1() -> bytes:
    return old_models.file_of(
        {
            "class_name": "Sequential",
            "config": [
                layer(
                    "Convolution2D",
                    "conv",
                    batch_input_shape=[None, 6, 6, 1],
                    nb_filter=2,
                    nb_row=3,
                    nb_col=3,
                    activation="relu",
                    border_mode="valid",
                    subsample=[1, 1],
                    dim_ordering="tf",
                    bias=True,
                ),
                layer("MaxPooling2D", "pool", pool_size=[2, 2], strides=[2, 2], border_mode="valid", dim_ordering="tf"),
                layer("Flatten", "flat"),
                layer("Dense", "dense", output_dim=3, activation="softmax", bias=True, input_dim=8),
            ],
        },
        arrays(conv={"conv_W:0": (3, 3, 1, 2), "conv_b:0": (2,)}, dense={"dense_W:0": (8, 3), "dense_b:0": (3,)}),
        version=None,
        backend=None,
    )


def sequences_of_keras_2() -> bytes:
    inner = layer("GRU", "gru", units=2, recurrent_activation="hard_sigmoid", return_sequences=True, time_major=False)
    return old_models.file_of(
        sequential(
            layer("LSTM", "lstm", batch_input_shape=[None, 5, 3], units=2, return_sequences=True, implementation=1),
            layer("Bidirectional", "both", layer=inner, merge_mode="concat"),
            layer("TimeDistributed", "each", layer=layer("Dense", "dense", units=2, activation="hard_sigmoid")),
            layer("Flatten", "flat", data_format="channels_last"),
        ),
        arrays(
            lstm={"lstm/kernel:0": (3, 8), "lstm/recurrent_kernel:0": (2, 8), "lstm/bias:0": (8,)},
            both={
                f"both/{way}_gru/{name}:0": shape
                for way in ("forward", "backward")
                for name, shape in (("kernel", (2, 6)), ("recurrent_kernel", (2, 6)), ("bias", (6,)))
            },
            each={"each/kernel:0": (4, 2), "each/bias:0": (2,)},
        ),
    )


def graph_of_keras_2() -> bytes:
    inner = functional(
        [
            node("InputLayer", "inside", batch_input_shape=[None, 3], dtype="float32"),
            node("Dense", "hidden", [[["inside", 0, 0, {}]]], units=4, activation="relu"),
        ],
        [["inside", 0, 0]],
        [["hidden", 0, 0]],
    )
    return old_models.file_of(
        functional(
            [
                node("InputLayer", "one", batch_input_shape=[None, 3], dtype="float32"),
                node("InputLayer", "two", batch_input_shape=[None, 3], dtype="float32"),
                {**inner, "name": "inner", "inbound_nodes": [[["one", 0, 0, {}]], [["two", 0, 0, {}]]]},
                node("Concatenate", "both", [[["inner", 1, 0, {}], ["inner", 2, 0, {}]]], axis=-1),
                node("Activation", "hard", [[["both", 0, 0, {}]]], activation="hard_sigmoid"),
                node("Dense", "out", [[["hard", 0, 0, {}]]], units=1),
            ],
            [["one", 0, 0], ["two", 0, 0]],
            [["out", 0, 0]],
        ),
        arrays(
            inner={"hidden/kernel:0": (3, 4), "hidden/bias:0": (4,)}, out={"out/kernel:0": (8, 1), "out/bias:0": (1,)}
        ),
        version="2.4.0",
    )


def graph_of_keras_3() -> bytes:
    def tensor(name: str) -> dict[str, Any]:
        return {"class_name": "__keras_tensor__", "config": {"shape": [None, 3], "keras_history": [name, 0, 0]}}

    def called(kind: str, name: str, args: list[Any], **settings: Any) -> dict[str, Any]:
        return node(kind, name, [{"args": args, "kwargs": {}}], **settings)

    return old_models.file_of(
        functional(
            [
                node("InputLayer", "one", batch_shape=[None, 3], dtype="float32"),
                called(
                    "Dense",
                    "hidden",
                    [tensor("one")],
                    units=3,
                    activation="relu",
                    dtype={
                        "module": "keras",
                        "class_name": "DTypePolicy",
                        "config": {"name": "float32"},
                        "registered_name": None,
                    },
                ),
                called("Add", "sum", [[tensor("one"), tensor("hidden")]]),
                called("Dense", "out", [tensor("sum")], units=2, activation="softmax"),
            ],
            [["one", 0, 0]],
            [["out", 0, 0]],
            kind="Functional",
        ),
        arrays(hidden={"hidden/kernel": (3, 3), "hidden/bias": (3,)}, out={"out/kernel": (3, 2), "out/bias": (2,)}),
        version="3.8.0",
    )


GOOD = [images_of_keras_1(), sequences_of_keras_2(), graph_of_keras_2(), graph_of_keras_3()]


def flipped(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice([1, 1, 2, 5, 50])):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def cut(content: bytes, draw: random.Random) -> bytes:
    at, length = draw.randrange(len(content)), draw.randrange(1, 2000)
    return content[:at] if draw.random() < 0.5 else content[:at] + content[at + length :]


def with_config(content: bytes, config: Any) -> bytes:
    changed = io.BytesIO(content)
    with h5py.File(changed, "r+") as file:
        file.attrs["model_config"] = config if isinstance(config, str) else json.dumps(config)
    return changed.getvalue()


def config_of(content: bytes) -> Any:
    with h5py.File(io.BytesIO(content)) as file:
        text = file.attrs["model_config"]
    return json.loads(text)


def places(part: Any) -> Iterator[tuple[Any, Any]]:
    """Yields every place in a configuration: what it is in, and its key there."""
    for key in list(part) if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ():
        yield part, key
        yield from places(part[key])


HOSTILE: list[Any] = [
    *(None, True, -1, 0, 1, 2, 10**6, 10**9, 2**63, -(2**70), 1e308, "", "x", "linear", "hard_sigmoid", "../../x"),
    *([], {}, [[]], [None], [0, 0], [10**9, 10**9], [None, 10**9], {"class_name": "Dense"}, ["one", 0, 0]),
    *([["out", 0, 0]], [[["out", 0, 0, {}]]], [[["sum", 0, 0, {}]]], [[["both", 0, 0, {}]]] * 3, {"a": {"b": [1]}}),
    {"class_name": "Lambda", "config": {"function": ["4wEAAA==", None, None], "function_type": "lambda"}},
    {"module": "os", "class_name": "system", "config": "touch executed", "registered_name": None},
    {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "function"},
    {"module": "keras.utils", "class_name": "get_file", "config": {"origin": "http://localhost"}},
    {"class_name": "__lambda__", "config": {"value": ["4wEAAA==", None, None]}},
    {"class_name": "TFSMLayer", "config": {"filepath": "/"}},
    {"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
    *("Lambda", "TFOpLambda", "eval", "__import__", "os.system", "Layer", "Model", "Sequential", "deserialize", "RNN"),
    *("MelSpectrogram", "Embedding", "TimeDistributed", "Bidirectional", "MultiHeadAttention", "Conv3D", "Merge"),
]


def edited(content: bytes, draw: random.Random) -> bytes:
    config = config_of(content)
    for _ in range(draw.choice([1, 1, 1, 2, 4])):
        found = list(places(config))
        if not found:
            break
        inside, key = draw.choice(found)
        what = draw.random()
        if what < 0.25:
            del inside[key]
        elif what < 0.5:
            other, name = draw.choice(found)
            inside[key] = copy.deepcopy(other[name])
        else:
            inside[key] = copy.deepcopy(draw.choice(HOSTILE))
    return with_config(content, config)


def nested(content: bytes, draw: random.Random) -> bytes:
    """Wraps the model, or a setting, in many others."""
    config = config_of(content)
    for _ in range(draw.choice([3, 15, 30])):
        config = {"class_name": "Sequential", "config": {"name": f"n{draw.random()}", "layers": [config]}}
    if draw.random() < 0.5:
        text = json.dumps(config)
        depth = draw.choice([50, 500, 5000])
        return with_config(content, text.replace("null", "[" * depth + "]" * depth, 1))
    return with_config(content, config)


def repeated(content: bytes, draw: random.Random) -> bytes:
    """Has a layer a thousand times, or calls one so often."""
    config = config_of(content)
    layers = config["config"] if isinstance(config["config"], list) else config["config"]["layers"]
    one = draw.choice(layers)
    if draw.random() < 0.5:
        layers += [copy.deepcopy(one) for _ in range(draw.choice([3, 300]))]
    else:
        one["inbound_nodes"] = one.get("inbound_nodes", [[["one", 0, 0, {}]]]) * draw.choice([5, 30_000])
    return with_config(content, config)


WAYS: dict[str, tuple[Callable[[bytes, random.Random], bytes], int]] = {
    "flipped": (flipped, 60),
    "cut": (cut, 20),
    "edited": (edited, 200),
    "nested": (nested, 12),
    "repeated": (repeated, 12),
}
SECONDS = 20


@pytest.fixture
def watched() -> Iterator[None]:
    """Ends a file that takes too long, and looks at the memory."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    old = signal.signal(signal.SIGALRM, stop)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, old)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_500_000  # kB, Keras and TensorFlow among it


@pytest.mark.parametrize("number", range(len(GOOD)))
def test_the_good_files_are_read(number: int) -> None:
    assert keras_h5.from_bytes(GOOD[number], PATH).count_params() > 10


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_broken_file_is_a_model_or_one_line(way: str, room: Path, watched: None) -> None:
    change, count = WAYS[way]
    draw = random.Random(way)
    readers = (h5.from_bytes, keras_h5.from_bytes)
    for number in range(count):
        content = change(GOOD[number % len(GOOD)], draw)
        start = time.monotonic()
        signal.alarm(SECONDS)
        for read in readers:
            try:
                read(content, PATH)
            except WorkshopError as error:
                text = str(error)
                assert text.isprintable() and len(text) < 600 and text.startswith(str(PATH)), text
            except BaseException as error:
                room.joinpath("failed.h5").write_bytes(content)
                raise AssertionError(f"{way} {number} by {read.__module__}: {type(error).__name__} {error}") from error
        signal.alarm(0)
        assert time.monotonic() - start < SECONDS
    assert [path.name for path in room.iterdir()] == []

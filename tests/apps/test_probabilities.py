"""Models that end in logits: found by their configuration, whichever Keras wrote it, and turned into probabilities."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from workshop.kit.saving.loaded import ends_linearly
from workshop.programs.probabilities import Probabilities, take_probabilities


def layer(kind: str, **settings: Any) -> dict[str, Any]:
    return {"class_name": kind, "name": settings.get("name"), "config": settings}


def sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"layers": list(layers)}}


LINEAR, SOFTMAX = layer("Dense", activation="linear", name="b"), layer("Dense", activation="softmax", name="a")


@pytest.mark.parametrize(
    ("config", "is_linear"),
    [
        (sequential(SOFTMAX, LINEAR), True),
        (sequential(LINEAR, SOFTMAX), False),
        (sequential(layer("Dense", activation=None)), True),
        (sequential(layer("Dense", activation={"class_name": "function", "config": "linear"})), True),
        (sequential(LINEAR, layer("Activation", activation="softmax")), False),
        (sequential(LINEAR, layer("Softmax")), False),
        (sequential(LINEAR, layer("Flatten"), layer("Dropout", rate=0.5)), True),
        (sequential(SOFTMAX, sequential(LINEAR)), True),
        ({"class_name": "Sequential", "config": [SOFTMAX, LINEAR]}, True),  # as Keras 1 wrote it
        ({"class_name": "Functional", "config": {"layers": [LINEAR, SOFTMAX], "output_layers": ["b", 0, 0]}}, True),
        ({"class_name": "Model", "config": {"layers": [LINEAR, SOFTMAX], "output_layers": [["a", 0, 0]]}}, False),
        ({"class_name": "Functional", "config": {"layers": [LINEAR], "output_layers": ["c", 0, 0]}}, False),
        (sequential(LINEAR, layer("LSTM")), False),
        (sequential(), False),
        ({"class_name": "Sequential", "config": 5}, False),
        ([], False),
    ],
)
def test_a_last_layer_without_an_activation_is_found(config: Any, is_linear: bool) -> None:
    assert ends_linearly(config) is is_linear


class Raw:
    """A model whose outputs are its inputs."""

    engine = "numpy"
    output_shape: tuple[int, ...] = (3,)

    def predict(self, X: np.ndarray) -> np.ndarray:
        return X


def test_logits_of_any_size_become_probabilities() -> None:
    model = Probabilities(Raw())
    assert model.engine == "numpy"
    of_one = model.predict(np.array([[0.0], [1e4], [-1e4], [np.log(3)]]))
    np.testing.assert_allclose(of_one[:, 0], [0.5, 1, 0, 0.75])
    of_three = model.predict(np.array([[1e4, 1e4, 0], [0, np.log(3), -1e4]]))
    np.testing.assert_allclose(of_three, np.array([[0.5, 0.5, 0], [0.25, 0.75, 0]]))


@pytest.mark.parametrize(("outputs", "function"), [(1, "sigmoid"), (2, "softmax"), (3, "softmax")])
def test_outputs_without_an_activation_become_probabilities_with_a_note(
    outputs: int, function: str, capsys: pytest.CaptureFixture[str]
) -> None:
    X = np.array([[0.0] * outputs])
    model = Raw()
    model.output_shape = (outputs,)
    loaded: Any = SimpleNamespace(path=Path("my.h5"), model=model, ends_linearly=True)
    assert take_probabilities(loaded) is loaded
    np.testing.assert_allclose(loaded.model.predict(X), [[1 / max(2, outputs)] * outputs])
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"note: the last layer of my.h5 has no activation; the {function} of its outputs is taken\n"
    loaded = SimpleNamespace(path=Path("my.h5"), model=model, ends_linearly=False)
    assert take_probabilities(loaded).model is model
    assert capsys.readouterr().err == ""

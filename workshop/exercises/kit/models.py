"""A Keras model as a grader sees it: layers of one kind, each with its activation, wherever that is written."""

from typing import Any

from workshop.exercises.kit.comparing import describe
from workshop.exercises.kit.exercise import AnswerError
from workshop.kit.lazy import keras


def check_is_model(answer: Any) -> None:
    """Raises AnswerError unless an answer is a Keras model that knows the shape of its input."""
    if not isinstance(answer, keras.Model):
        raise AnswerError(f"Expected a Keras model; you gave {describe(answer)}.", "type")
    if getattr(answer, "input_shape", None) is None:
        raise AnswerError("The model does not know the shape of its input: begin with keras.Input.", "shape")


def with_activations(model: Any, kind: Any) -> list[tuple[Any, str]]:
    """Returns the layers of a kind, each with the name of its activation, "linear" where it has none.

    `Dense(8, activation="relu")` and `Dense(8)` with `Activation("relu")` or `ReLU()` behind it are the same network.
    """
    layers: list[tuple[Any, str]] = []
    for layer in model.layers:
        if isinstance(layer, kind):
            layers.append((layer, _name(layer.activation)))
        elif isinstance(layer, (keras.layers.Activation, keras.layers.ReLU, keras.layers.Softmax)) and layers:
            before, name = layers[-1]
            layers[-1] = before, _name(layer) if name == "linear" else name
    return layers


def _name(activation: Any) -> str:
    activation = getattr(activation, "activation", activation)  # of a layer Activation
    return str(getattr(activation, "__name__", type(activation).__name__)).lower()

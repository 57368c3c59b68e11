"""The layers for sequences that a saved model may have: their settings, weights and output shapes.

A sequence is (steps, features); one of whole numbers, of characters or words, is (steps,), and an Embedding layer gives
each of them its features. Masks are not known here, so all sequences of a batch have the same number of steps.
Convolutions of sequences stand beside those of images, in `image_layer_specs`.
"""

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.layer_specs import Config, Kind, Settings, Shape, no_weights

MAX_STEPS = 100_000  # which are read one after another
# The settings of the recurrent layers in every engine's order, and what Keras takes where a file says nothing of them.
_ORDER = ("units", "return_sequences", "use_bias", "activation", "recurrent_activation", "reset_after")
_DEFAULTS = {"recurrent_activation": "sigmoid", "go_backwards": False, "dropout": 0.0, "recurrent_dropout": 0.0}


def recurrent_settings(kind: str, given: Config) -> Config:
    """Returns the settings of a recurrent layer as the description has them: without those that are as they mostly are.

    Args:
        kind: Keras' class name. That of a SimpleRNN is said with its activation, whatever that is.
        given: all settings.
    """
    defaults = _DEFAULTS if kind == "SimpleRNN" else {**_DEFAULTS, "activation": "tanh"}
    return {
        name: given[name]
        for name in (*_ORDER, "go_backwards", "dropout", "recurrent_dropout")
        if name in given and (name not in defaults or given[name] != defaults[name])
    }


def _recurrent(s: Settings) -> Config:
    """The settings that the recurrent layers share.

    Dropout does nothing to a prediction. Here it is a fraction of the inputs, or of the state, that is left out at all
    steps of a sample in training.
    """
    return {
        "units": s.count("units"),
        "return_sequences": s.flag("return_sequences", default=False),
        "use_bias": s.flag("use_bias", default=True),
        "go_backwards": s.flag("go_backwards", default=False),
        "dropout": s.rate("dropout", default=0),
        "recurrent_dropout": s.rate("recurrent_dropout", default=0),
    }


def _simple_rnn(s: Settings) -> Config:
    return recurrent_settings("SimpleRNN", {**_recurrent(s), "activation": s.function("activation", "tanh")})


def _gated(s: Settings) -> Config:
    functions = {"activation": "tanh", "recurrent_activation": "sigmoid"}
    return {**_recurrent(s), **{name: s.function(name, default) for name, default in functions.items()}}


def _lstm(s: Settings) -> Config:
    return recurrent_settings("LSTM", _gated(s))


def _gru(s: Settings) -> Config:
    # A file without the setting is of a Keras that had no other way.
    return recurrent_settings("GRU", {**_gated(s), "reset_after": s.flag("reset_after", default=False)})


def _weights(gates: int, settings: Config, shape: Shape) -> dict[str, Shape]:
    """The weights of a recurrent layer; the columns for its gates stand side by side."""
    units, columns = settings["units"], gates * settings["units"]
    weights: dict[str, Shape] = {"kernel": (shape[1], columns), "recurrent_kernel": (units, columns)}
    if settings["use_bias"]:
        # Where the reset gate acts after the product, that product has a bias of its own.
        weights["bias"] = (2, columns) if settings.get("reset_after") else (columns,)
    return weights


def _states(settings: Config, shape: Shape) -> Shape:
    if shape[0] > MAX_STEPS:
        raise WorkshopError(f"a recurrent layer gets {shape[0]} steps, takes up to {MAX_STEPS:,}")
    return (shape[0], settings["units"]) if settings["return_sequences"] else (settings["units"],)


def _embedding(s: Settings) -> Config:
    return {"input_dim": s.count("input_dim"), "output_dim": s.count("output_dim")}


KINDS = {
    "Embedding": Kind(
        (1,),
        _embedding,
        lambda s, shape: {"embeddings": (s["input_dim"], s["output_dim"])},
        lambda s, shape: (shape[0], s["output_dim"]),
    ),
    "SimpleRNN": Kind((2,), _simple_rnn, lambda s, shape: _weights(1, s, shape), _states),
    "LSTM": Kind((2,), _lstm, lambda s, shape: _weights(4, s, shape), _states),
    "GRU": Kind((2,), _gru, lambda s, shape: _weights(3, s, shape), _states),
    "RepeatVector": Kind((1,), lambda s: {"n": s.count("n")}, no_weights, lambda s, shape: (s["n"], shape[0])),
}

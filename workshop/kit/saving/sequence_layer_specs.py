"""The layers for sequences that a saved model may have: their settings, weights and output shapes.

A sequence is (steps, features); one of whole numbers, of characters or words, is (steps,), and an Embedding layer gives
each of them its features. Masks are not known here, so all sequences of a batch have the same number of steps.
"""

from workshop.kit.saving.layer_specs import Config, Kind, Settings, Shape


def _recurrent(s: Settings) -> Config:
    """The settings that the three recurrent layers share."""
    return {
        "units": s.count("units"),
        "return_sequences": s.flag("return_sequences", default=False),
        "use_bias": s.flag("use_bias", default=True),
    }


def _simple_rnn(s: Settings) -> Config:
    activation = s.activation(default="tanh")
    if activation not in ("tanh", "relu"):
        raise s.refuse(f"has activation = {activation!r}")
    return {**_recurrent(s), "activation": activation}


def _lstm(s: Settings) -> Config:
    # Keras before 2.3 had the hard_sigmoid for the gates, three straight lines in place of the curve.
    for name, takes in (("activation", "tanh"), ("recurrent_activation", "sigmoid")):
        activation = s.activation(name, default=takes)
        if activation != takes:
            raise s.refuse(f"has {name} = {activation!r}")
    return _recurrent(s)


def _gru(s: Settings) -> Config:
    # A file without the setting is of a Keras that had no other way.
    return {**_lstm(s), "reset_after": s.flag("reset_after", default=False)}


def _weights(gates: int, settings: Config, shape: Shape) -> dict[str, Shape]:
    """The weights of a recurrent layer; the columns for its gates stand side by side."""
    units, columns = settings["units"], gates * settings["units"]
    weights: dict[str, Shape] = {"kernel": (shape[1], columns), "recurrent_kernel": (units, columns)}
    if settings["use_bias"]:
        # Where the reset gate acts after the product, that product has a bias of its own.
        weights["bias"] = (2, columns) if settings.get("reset_after") else (columns,)
    return weights


def _states(settings: Config, shape: Shape) -> Shape:
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
}

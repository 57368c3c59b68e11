"""PyTorch's modules for sequences, in Keras' words: what `network` finds in a network, and what it refuses.

kernel, weight_ih_l0            Keras (inputs, gates * units)   PyTorch (gates * units, inputs)
recurrent_kernel, weight_hh_l0  Keras (units, gates * units)    PyTorch (gates * units, units)
"""

from collections.abc import Callable
from typing import Any

from torch import nn

from workshop.kit.saving.layer_specs import Config
from workshop.kit.saving.sequence_layer_specs import recurrent_settings
from workshop.pytorch.kit import recurrent
from workshop.pytorch.kit.one_row import OverSteps, RepeatVector
from workshop.pytorch.kit.reading.reader import Reader
from workshop.pytorch.kit.recurrent_loop import Loop
from workshop.pytorch.kit.weight import Rows, Weight, vector

# Where Keras' gates update, reset and candidate are among PyTorch's reset, update and candidate.
_GRU_GATES = (1, 0, 2)


def simple_rnn(reader: Reader, module: recurrent.RNNAsKeras) -> None:
    """RNNAsKeras."""
    _one_bias(reader, module, "SimpleRNN", {"activation": str(module.steps.nonlinearity)})


def lstm(reader: Reader, module: recurrent.LSTMAsKeras) -> None:
    """LSTMAsKeras."""
    _one_bias(reader, module, "LSTM", {})


def _one_bias(reader: Reader, module: Any, kind: str, settings: Config) -> None:
    reader.expect_a_sequence(module)
    steps = module.steps
    if steps.bias and (steps.bias_hh_l0.requires_grad or steps.bias_hh_l0.any()):
        raise reader.refuse(module, "has a second bias, bias_hh_l0, that is not zero or is trained: Keras has one")
    reader.add(
        module,
        kind,
        _settings(kind, module, settings),
        kernel=Weight(steps.weight_ih_l0, (1, 0)),
        recurrent_kernel=Weight(steps.weight_hh_l0, (1, 0)),
        bias=vector(steps.bias_ih_l0) if steps.bias else None,
    )


def gru(reader: Reader, module: recurrent.GRUAsKeras) -> None:
    """GRUAsKeras."""
    reader.expect_a_sequence(module)
    steps: Any = module.steps
    biases = [Weight(bias, gates=_GRU_GATES) for bias in (steps.bias_ih_l0, steps.bias_hh_l0)] if steps.bias else []
    reader.add(
        module,
        "GRU",
        _settings("GRU", module, {"reset_after": True}),
        kernel=Weight(steps.weight_ih_l0, (1, 0), _GRU_GATES),
        recurrent_kernel=Weight(steps.weight_hh_l0, (1, 0), _GRU_GATES),
        bias=Rows(biases) if biases else None,
    )


def _settings(kind: str, module: Any, own: Config) -> Config:
    steps = module.steps
    shared = {"units": steps.hidden_size, "return_sequences": module.return_sequences, "use_bias": steps.bias}
    dropout = 0.0 if module.dropout is None else module.dropout.p
    return recurrent_settings(kind, {**shared, **own, "go_backwards": module.go_backwards, "dropout": dropout})


def loop(reader: Reader, module: Loop) -> None:
    """Loop."""
    reader.expect_a_sequence(module)
    bias = None if module.bias is None else Weight(module.bias, tuple(range(module.bias.ndim)))
    kernels = {name: Weight(getattr(module, name), (0, 1)) for name in ("kernel", "recurrent_kernel")}
    reader.add(module, module.kind, module.settings, **kernels, bias=bias)


def over_steps(reader: Reader, module: OverSteps) -> None:
    """OverSteps."""
    reader.expect_a_sequence(module)
    kinds = {"mean": "GlobalAveragePooling1D", "max": "GlobalMaxPooling1D"}
    if module.statistic not in kinds:
        raise reader.refuse(module, "is not known here: takes mean or max")
    reader.add(module, kinds[module.statistic], {})


def embedding(reader: Reader, module: recurrent.EmbeddingAsKeras) -> None:
    """EmbeddingAsKeras."""
    settings = {"input_dim": module.num_embeddings, "output_dim": module.embedding_dim}
    reader.add(module, "Embedding", settings, embeddings=Weight(module.weight, (0, 1)))


MODULES: dict[type[nn.Module], Callable[[Reader, Any], None]] = {
    recurrent.EmbeddingAsKeras: embedding,
    recurrent.RNNAsKeras: simple_rnn,
    recurrent.LSTMAsKeras: lstm,
    recurrent.GRUAsKeras: gru,
    Loop: loop,
    OverSteps: over_steps,
    RepeatVector: lambda reader, module: reader.add(module, "RepeatVector", {"n": module.n}),
}

"""The configuration of one layer, brought from what Keras 1 and 2 wrote to what Keras 3 takes.

Settings that matter for training alone are kept where Keras 3 has them, and left out where their form has changed
(initializers, constraints). A setting that no table here names is handed on: Keras, or the NumPy engine, refuses it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.card import printable
from workshop.kit.saving.layer_specs import Config, dtype_policy, layer_entry

# Classes that have another name in Keras 3.
_KINDS = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "AtrousConv1D": "Conv1D",
    "AtrousConv2D": "Conv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
    "Convolution2DTranspose": "Conv2DTranspose",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "DepthwiseConvolution2D": "DepthwiseConv2D",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "TimeDistributedDense": "Dense",  # a Dense layer takes sequences now
    "UnifiedLSTM": "LSTM",
    "UnifiedGRU": "GRU",
    "LSTMV2": "LSTM",
    "GRUV2": "GRU",
    "LSTMCellV2": "LSTMCell",
    "GRUCellV2": "GRUCell",
    "CuDNNLSTM": "LSTM",
    "CuDNNGRU": "GRU",
    "MaxPool1D": "MaxPooling1D",
    "MaxPool2D": "MaxPooling2D",
    "MaxPool3D": "MaxPooling3D",
    "AvgPool1D": "AveragePooling1D",
    "AvgPool2D": "AveragePooling2D",
    "AvgPool3D": "AveragePooling3D",
    "GlobalMaxPool1D": "GlobalMaxPooling1D",
    "GlobalMaxPool2D": "GlobalMaxPooling2D",
    "GlobalAvgPool1D": "GlobalAveragePooling1D",
    "GlobalAvgPool2D": "GlobalAveragePooling2D",
    # They change images while training alone.
    "RandomHeight": "Identity",
    "RandomWidth": "Identity",
}

# Keras 1's names of settings, and Keras 3's.
_SETTINGS = {
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "border_mode": "padding",
    "subsample": "strides",
    "subsample_length": "strides",
    "stride": "strides",
    "pool_length": "pool_size",
    "length": "size",
    "dim_ordering": "data_format",
    "atrous_rate": "dilation_rate",
    "bias": "use_bias",
    "p": "rate",
    "sigma": "stddev",
    "inner_activation": "recurrent_activation",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "b_regularizer": "bias_regularizer",
}
_DATA_FORMATS = {"tf": "channels_last", "th": "channels_first", "default": "channels_last", None: "channels_last"}

# Settings of Keras 1 and 2 that say nothing about the outputs, or that are read elsewhere (the shape of the input).
_SHAPES = {"batch_input_shape", "input_shape", "input_length", "build_input_shape"}
_LEFT_OUT = {
    *("input_dtype", "implementation", "consume_less", "weights"),
    *("init", "inner_init", "forget_bias_init", "beta_init", "gamma_init", "W_constraint", "U_constraint"),
    *("b_constraint", "fused", "virtual_batch_size", "adjustment", "renorm", "renorm_clipping", "renorm_momentum"),
    *("query_shape", "key_shape", "value_shape", "num_constants"),
    *("vocabulary_size", "has_input_vocabulary", "rng_type"),
}
_SINGLE_PRECISION = "float32"
# TensorFlow has them in 16 bits on graphics cards alone. The largest of numbers of 16 bits is one of them.
_NEVER_IN_16_BITS = {"MaxPooling3D", "AveragePooling3D"}
RECURRENT = {"LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Bidirectional"}
_GATED = {"LSTM", "GRU", "LSTMCell", "GRUCell", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"}
_SAME_ACTIVATIONS = {
    "softmax_v2": "softmax",
    "log_softmax_v2": "log_softmax",
    "swish": "silu",
    "ReLU": "relu",
    "Softmax": "softmax",
    "ELU": "elu",
}
MERGES = {"sum": "Add", "mul": "Multiply", "concat": "Concatenate", "ave": "Average", "max": "Maximum", "dot": "Dot"}
_REGULARIZERS = {"L1": ("l1",), "L2": ("l2",), "L1L2": ("l1", "l2")}


def upgrade_layer(
    kind: str, config: Config, *, is_old: bool, inner: Callable[[Config], Config] | None = None
) -> Config:
    """Returns a layer's entry for Keras 3.

    Args:
        kind: the class name in the file.
        config: its configuration in the file; not changed.
        is_old: whether Keras 1 or 2 wrote it.
        inner: returns the entry of a layer within it, which may be a model; by default of a layer.

    Raises:
        WorkshopError: it cannot be said in Keras 3's terms.
    """
    if not isinstance(config, dict):
        raise WorkshopError(f"its {printable(kind)} layer has no configuration")
    settings = {name: _plain(value) for name, value in config.items() if name not in _SHAPES}
    settings["dtype"] = dtype_policy(settings.get("dtype"))
    if is_old:
        kind, settings = _modern(kind, settings)
    if kind in _NEVER_IN_16_BITS:
        settings["dtype"] = _SINGLE_PRECISION
    if settings.get("stateful"):  # each prediction begins anew
        settings["stateful"] = False
    if "unroll" in settings:
        settings["unroll"] = False  # the same numbers, by a graph of any size
    for name in ("activation", "recurrent_activation"):
        if name in settings:
            settings[name] = upgrade_activation(settings[name], is_old=is_old)
    upgraded = inner or (lambda described: upgrade_layer(*described_layer(described), is_old=is_old))
    for name in ("layer", "backward_layer", "cell"):
        if isinstance(settings.get(name), dict):
            settings[name] = upgraded(settings[name])
    if isinstance(settings.get("cells"), list):
        settings["cells"] = [upgraded(cell) for cell in settings["cells"]]
    return layer_entry(kind, settings)


def described_layer(described: Any) -> tuple[str, Config]:
    """Returns the class and the configuration of a layer within a layer."""
    if not isinstance(described, dict) or not isinstance(described.get("class_name"), str):
        raise WorkshopError("a layer within a layer of it has no class")
    return described["class_name"], described.get("config", {})


def upgrade_activation(value: Any, *, is_old: bool) -> Any:
    """Returns an activation as Keras 3 names it: a text, or the entry of a layer that stands for a function."""
    if isinstance(value, dict):
        kind, inner = value.get("class_name"), value.get("config")
        if kind == "function":
            value = inner.get("name") if isinstance(inner, dict) else inner
        elif kind == "Activation" and isinstance(inner, dict):
            return upgrade_activation(inner.get("activation"), is_old=is_old)
        elif isinstance(kind, str) and isinstance(inner, dict):
            return upgrade_layer(kind, inner, is_old=is_old)
    if not isinstance(value, str):
        return value
    if is_old and value in ("LeakyReLU", "leaky_re_lu"):
        return layer_entry("LeakyReLU", {"negative_slope": 0.3})
    return _SAME_ACTIVATIONS.get(value, value)


def _plain(value: Any) -> Any:
    """Returns a number that was written as an array of NumPy's as the number."""
    if isinstance(value, dict) and set(value) == {"type", "value"}:
        return value["value"]
    return value


def _modern(kind: str, old: Config) -> tuple[str, Config]:
    """Returns the class and the settings of a layer of Keras 1 or 2 by Keras 3's names."""
    was, kind = kind, _KINDS.get(kind, kind)
    settings: Config = {}
    for name, value in old.items():
        if name in _LEFT_OUT or name.endswith(("_initializer", "_constraint")):
            continue
        settings[_SETTINGS.get(name, name)] = value
    for name in [name for name in settings if name.endswith("_regularizer")]:
        settings[name] = _regularizer(settings[name])
    if "data_format" in settings:
        settings["data_format"] = _DATA_FORMATS.get(settings["data_format"], settings["data_format"])
    if kind != "Embedding":
        settings.pop("input_dim", None)
        if "output_dim" in settings:
            settings["units"] = settings.pop("output_dim")
    else:
        settings.pop("dropout", None)
        if "kernel_regularizer" in settings:
            settings["embeddings_regularizer"] = settings.pop("kernel_regularizer")
    kernel = [settings.pop(name) for name in ("nb_row", "nb_col") if name in settings]
    kernel = kernel or [settings.pop(f"kernel_dim{n}") for n in (1, 2, 3) if f"kernel_dim{n}" in settings]
    if kernel:
        settings["kernel_size"] = kernel
    if settings.pop("time_major", False):
        raise WorkshopError(f"its {was} layer has time_major = True, which Keras 3 does not have")
    _special(was, kind, settings)
    if kind == "Identity":
        settings = {name: settings[name] for name in ("name", "dtype") if name in settings}
    if kind == "ThresholdedReLU":
        settings["threshold"] = settings.pop("theta", 1.0)
        kind = "ReLU"
    return kind, settings


def _special(was: str, kind: str, settings: Config) -> None:
    """Changes the settings of the kinds of layers that need more than another name."""
    if kind in ("BatchNormalization", "LayerNormalization"):
        axis = settings.get("axis")
        if isinstance(axis, list) and len(axis) == 1:
            settings["axis"] = axis[0]
        if settings.pop("mode", 0):
            raise WorkshopError("its BatchNormalization layer has a mode other than 0, which Keras 3 does not have")
    if was == "CuDNNLSTM" or was == "CuDNNGRU":
        settings.update(activation="tanh", recurrent_activation="sigmoid", use_bias=True)
    elif kind in _GATED and settings.get("recurrent_activation") is None:
        settings["recurrent_activation"] = "hard_sigmoid"  # the default until Keras 2.3
    if kind in ("GRU", "GRUCell"):
        # A file without the setting is of a Keras that had no other way.
        settings["reset_after"] = was == "CuDNNGRU" or bool(settings.get("reset_after"))
    if kind == "LeakyReLU":
        settings["negative_slope"] = settings.pop("alpha", settings.get("negative_slope", 0.3))
    if kind == "ZeroPadding2D":
        settings["padding"] = _borders(settings.get("padding", [1, 1]))
    if was == "Deconvolution2D" or was == "Deconvolution3D":
        settings.pop("output_shape", None)
    if was == "Merge":
        raise WorkshopError("its Merge layer stands where Keras 1 had none")


def _borders(padding: Any) -> Any:
    """Returns the rows and columns added on each side of an image: [[above, below], [left, right]]."""
    if isinstance(padding, dict):
        sides = [padding.get(f"{side}_pad", 0) for side in ("top", "bottom", "left", "right")]
        return [sides[:2], sides[2:]]
    if type(padding) is int:
        return [[padding, padding], [padding, padding]]
    if isinstance(padding, list) and all(type(n) is int for n in padding):
        return [[n, n] for n in padding] if len(padding) == 2 else [padding[:2], padding[2:]]
    return padding


def _regularizer(value: Any) -> Config | None:
    """Returns a regularizer of Keras' as Keras 3 writes it; another one, which plays no part any more, is left out."""
    if not isinstance(value, dict):
        return None
    kind, inner = value.get("class_name"), value.get("config")
    if kind is None and "l1" in value and "l2" in value:  # Keras 1
        kind, inner = "L1L2", value
    if kind not in _REGULARIZERS or not isinstance(inner, dict):
        return None
    strengths = {name: _plain(inner.get(name, 0.0)) for name in _REGULARIZERS[kind]}
    if not all(isinstance(strength, int | float) for strength in strengths.values()):
        return None
    return {"module": "keras.regularizers", "class_name": kind, "config": strengths, "registered_name": None}


def merge_layer(config: Config) -> Config:
    """Returns the layer of Keras 3 for a Merge layer of Keras 1.

    Raises:
        WorkshopError: it merges by Python code, or by cosines.
    """
    mode, name = config.get("mode"), config.get("name")
    if config.get("mode_type", "raw") != "raw":
        raise WorkshopError("it holds a Merge layer with Python code, which loading would run")
    if mode not in MERGES:
        raise WorkshopError(f"its Merge layer has mode = {printable(repr(mode))}, which Keras 3 does not have")
    settings: Config = {"name": name, "dtype": _SINGLE_PRECISION}
    if mode == "concat":
        settings["axis"] = config.get("concat_axis", -1)
    if mode == "dot":
        settings["axes"] = config.get("dot_axes", -1)
    return layer_entry(MERGES[mode], settings)

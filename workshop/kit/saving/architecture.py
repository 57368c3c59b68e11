"""The description of a saved model: its layers in Keras 3's configuration, whichever Keras wrote it, and their shapes.

All engines read and write models through this description. A setting that is not known here is refused by its name,
never guessed: a model that is read wrong predicts wrong. `KINDS` has one entry for each layer that is known.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from workshop.kit.errors import WorkshopError
from workshop.kit.saving import (
    activation_layer_specs,
    basic_layer_specs,
    image_layer_specs,
    sequence_layer_specs,
)
from workshop.kit.saving.card import printable
from workshop.kit.saving.layer_specs import (
    Config,
    Kind,
    Settings,
    Shape,
    UnknownLayerError,
    dtype_policy,
    layer_entry,
)
from workshop.kit.saving.layer_specs import Layer as Layer  # what an architecture consists of

MAX_OUTPUT_SIZE = 50_000_000  # numbers in one output of a layer, for one sample


@dataclass
class Architecture:
    """Layers in a row; the first one takes samples of `input_shape`, channels last.

    Where layers branch and come together again, as in a residual block, the branches stand in the settings of the Add
    layer that adds them, each a row of its own: see `added`.

    The "activation" in a layer's settings is a name or, where a file has a layer with settings of its own in its place,
    Dense(64, activation=LeakyReLU(0.1)), that layer: `separated` has none of these.
    """

    input_shape: Shape
    layers: list[Layer]

    def separated(self) -> "Architecture":
        """Returns the same with each activation that is a layer behind the layer that has it; weights are shared."""
        row: list[Layer] = []
        for layer in self.layers:
            follows = layer.settings.get("activation")
            if layer.kind == "Add":
                row.append(added([Architecture((), branch).separated().layers for branch in branches(layer)]))
            elif isinstance(follows, Layer):
                rest = {name: value for name, value in layer.settings.items() if name != "activation"}
                own = {} if layer.kind == "TimeDistributed" else {"activation": "linear"}
                row.append(Layer(layer.kind, {**rest, **own}, layer.weights))
                row.append(follows)
            else:
                row.append(layer)
        return Architecture(self.input_shape, row)

    def shapes(self) -> list[Shape]:
        """Returns the shape of one sample before the first layer and after each.

        Raises:
            WorkshopError: a layer cannot take the output of the one before it.
        """
        shapes = [self.input_shape]
        for layer in self.layers:
            ranks = KINDS[layer.kind].ranks
            if ranks is not None and len(shapes[-1]) not in ranks:
                raise WorkshopError(f"a {layer.kind} layer gets samples of shape {shapes[-1]}")
            shapes.append(KINDS[layer.kind].output(layer.settings, shapes[-1]))
            if math.prod(shapes[-1]) > MAX_OUTPUT_SIZE:
                raise WorkshopError(f"a {layer.kind} layer has an output of more than {MAX_OUTPUT_SIZE:,} numbers")
        return shapes

    def multiplications(self) -> int:
        """Returns the number of multiplications with weights in one sample's forward pass."""
        total = 0
        shapes = itertools.pairwise(self.shapes())
        for layer, weights, (before, after) in zip(self.layers, self.weight_shapes(), shapes, strict=True):
            # A kernel is used once at each position of the output; a recurrent layer's in each step, and one that
            # spreads each pixel over a window at each pixel.
            if layer.kind == "Add":
                total += sum(Architecture(before, branch).multiplications() for branch in branches(layer))
                continue
            is_before = layer.kind == "Conv2DTranspose" or any(name.endswith("recurrent_kernel") for name in weights)
            positions = before[:-1] if is_before else after[:-1]
            kernels = (math.prod(shape) for name, shape in weights.items() if name.endswith("kernel"))
            total += sum(kernels) * math.prod(positions)
        return total

    def weight_shapes(self) -> list[dict[str, Shape]]:
        """Returns for each layer the shapes of its weights, by name."""
        before = self.shapes()[:-1]
        return [
            KINDS[layer.kind].weights(layer.settings, shape) for layer, shape in zip(self.layers, before, strict=True)
        ]


def inner(settings: Config) -> Layer:
    """Returns the layer that a wrapper's settings have in them, without weights."""
    return Layer(settings["layer"]["class_name"], settings["layer"]["config"])


def _wrapped(s: Settings, name: str = "layer") -> Layer:
    """Takes the layer in a wrapper."""
    value = s.take(name)
    if not isinstance(value, dict) or not isinstance(value.get("config"), dict):
        raise s.refuse(f"has {name} = {value!r}")
    layer = layer_from(value.get("class_name"), value["config"])
    if "dtype" in layer.settings:
        raise s.refuse(f"has a {layer.kind} layer of 16 bits in it")
    return layer


def added(rows: Sequence[Sequence[Layer]]) -> Layer:
    """Returns the Add layer whose branches are these rows of layers, an empty one what the layer gets.

    Its weights are theirs, by the numbers of the branch and of the layer in it: "0/2/kernel".
    """
    for layer in itertools.chain(*rows):
        if "dtype" in layer.settings:
            raise UnknownLayerError(f"its Add layer adds a {layer.kind} layer of 16 bits, which is not known here")
    described = [[layer_entry(layer.kind, layer.settings) for layer in row] for row in rows]
    weights = {
        f"{i}/{j}/{name}": value
        for i, row in enumerate(rows)
        for j, layer in enumerate(row)
        for name, value in layer.weights.items()
    }
    return Layer("Add", {"branches": described}, weights)


def branches(layer: Layer) -> list[list[Layer]]:
    """Returns the rows of layers that an Add layer adds, with their weights."""
    rows = [[Layer(entry["class_name"], entry["config"]) for entry in row] for row in layer.settings["branches"]]
    for path, value in layer.weights.items():
        i, j, name = path.split("/", 2)
        rows[int(i)][int(j)].weights[name] = value
    return rows


def _without_branches(s: Settings) -> Config:
    raise s.refuse("stands in a row, where it gets one input")


def _rows(settings: Config, shape: Shape) -> list[Architecture]:
    return [Architecture(shape, row) for row in branches(Layer("Add", settings))]


def _rows_weights(settings: Config, shape: Shape) -> dict[str, Shape]:
    return {
        f"{i}/{j}/{name}": size
        for i, row in enumerate(_rows(settings, shape))
        for j, sizes in enumerate(row.weight_shapes())
        for name, size in sizes.items()
    }


def _sum_shape(settings: Config, shape: Shape) -> Shape:
    shapes = {row.shapes()[-1] for row in _rows(settings, shape)}
    if len(shapes) != 1:
        raise WorkshopError(f"an Add layer gets samples of shapes {', '.join(map(str, sorted(shapes)))}")
    return shapes.pop()


def _bidirectional(s: Settings) -> Config:
    forward, backward = _wrapped(s), _wrapped(s, "backward_layer") if s.has("backward_layer") else None
    if forward.kind not in ("SimpleRNN", "LSTM", "GRU"):
        raise s.refuse(f"has a {forward.kind} layer in it")
    if forward.settings.get("go_backwards"):
        raise s.refuse("has a layer in it that goes backwards itself")
    if backward is not None and (backward.kind, backward.settings) != (
        forward.kind,
        {**forward.settings, "go_backwards": True},
    ):
        raise s.refuse("has a backward layer that differs from the forward layer")
    mode = s.choice("merge_mode", default="None", among=("concat", "sum", "mul", "ave"))
    return {"layer": layer_entry(forward.kind, forward.settings), "merge_mode": mode}


def _both_weights(settings: Config, shape: Shape) -> dict[str, Shape]:
    layer = inner(settings)
    weights = KINDS[layer.kind].weights(layer.settings, shape)
    return {f"{way}_{name}": size for way in ("forward", "backward") for name, size in weights.items()}


def _both_outputs(settings: Config, shape: Shape) -> Shape:
    layer = inner(settings)
    *steps, units = KINDS[layer.kind].output(layer.settings, shape)
    return (*steps, units * (2 if settings["merge_mode"] == "concat" else 1))


def _time_distributed(s: Settings) -> Config:
    layer, follows = _wrapped(s), {}
    if isinstance(layer.settings.get("activation"), Layer):
        # It works on each number, so it can as well follow the wrapper.
        follows = {"activation": layer.settings["activation"]}
        layer.settings["activation"] = "linear"
    return {"layer": layer_entry(layer.kind, layer.settings), **follows}


def _at_each_step(settings: Config, shape: Shape) -> Architecture:
    return Architecture(shape[1:], [inner(settings)])


KINDS: dict[str, Kind] = {
    **basic_layer_specs.KINDS,
    **activation_layer_specs.KINDS,
    **image_layer_specs.KINDS,
    **sequence_layer_specs.KINDS,
    "Add": Kind(None, _without_branches, _rows_weights, _sum_shape),
    "Bidirectional": Kind((2,), _bidirectional, _both_weights, _both_outputs),
    "TimeDistributed": Kind(
        (2, 3, 4),
        _time_distributed,
        lambda s, shape: _at_each_step(s, shape).weight_shapes()[0],
        lambda s, shape: (shape[0], *_at_each_step(s, shape).shapes()[-1]),
    ),
}

# The layers that all engines have in 16 bits as Keras has them: they round whole sums. To which of two numbers a sum is
# rounded is now and then decided by the order in which 32 bits were added, once in a thousand sums of many products.
# The others round within, in an order of TensorFlow's own: a softmax rounds after each number that it adds.
_IN_16_BITS = {
    *("Dense", "Conv1D", "Conv2D", "Activation", "Rescaling", "BatchNormalization"),
    *("Flatten", "Reshape", "RepeatVector", "ZeroPadding1D", "ZeroPadding2D", "UpSampling1D", "UpSampling2D"),
    *("MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D"),
    *("GlobalAveragePooling1D", "GlobalAveragePooling2D"),
    *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianDropout", "GaussianNoise", "AlphaDropout"),
}
_ACTIVATIONS_IN_16_BITS = ("linear", "relu", "relu6", "tanh")


def layer_from(kind: object, config: Config) -> Layer:
    """Returns a layer, without weights yet, from its class name and its configuration in Keras 3's terms.

    Raises:
        UnknownLayerError: the layer, or one of its settings, is not known here.
    """
    if not isinstance(kind, str) or (kind not in KINDS and kind not in activation_layer_specs.ALIASES):
        raise UnknownLayerError(f"its layer {printable(kind)} is not known here")
    settings = Settings(kind, config, layer_from)
    policy = dtype_policy(settings.take("dtype"))
    if kind in activation_layer_specs.ALIASES:
        layer = Layer(*activation_layer_specs.ALIASES[kind](settings))
    else:
        layer = Layer(kind, KINDS[kind].settings(settings))
    settings.finish()
    if policy in ("mixed_float16", "mixed_bfloat16"):
        activation = layer.settings.get("activation", "linear")
        is_exact = isinstance(activation, Layer) or activation in _ACTIVATIONS_IN_16_BITS
        if policy != "mixed_float16" or layer.kind not in _IN_16_BITS or not is_exact:
            what = "" if is_exact else f"activation = {activation!r} and "
            raise settings.refuse(f"has {what}dtype = {policy!r}", "how it rounds is Keras' own")
        layer.settings["dtype"] = policy
    return layer

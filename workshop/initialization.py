"""Initialization: the weights that a network starts with, and whether it can be trained from there.

Backpropagation tells each weight how to change; here you see when it has nothing to tell. Five tanh layers get weights
that are too large, too small, and of the sizes that LeCun, Xavier (Glorot) and He worked out, and you look at the
activations and the gradients in each layer, before any training:

1. Too large: the activations saturate at -1 and 1. Too small: they vanish, and the gradients with them.
2. The gradient of the first layer in networks of 1 to 20 layers: it vanishes with sigmoid, falls to a fifth with tanh,
   and with relu it depends on the start, He's or Xavier's. About half of relu's outputs are 0.
3. Five epochs on MNIST from each start: what a bad one costs. Batch normalisation repairs most of it.
4. Equal weights, zeros or others: the units of a layer get equal gradients, and stay equal whatever is trained.
5. A relu unit that is 0 for every image has no gradient and never comes back: dead units are counted after a large
   learning rate, on negative inputs, and behind biases that are far below 0.

    python -m workshop.initialization              # all of it; then look into the folder plots
    python -m workshop.initialization --quick      # a first look: 1,000 images, six of the fifteen networks

The networks are small, with layers of 100 units, and trained on 6,000 of the images by plain gradient descent, so that
twenty trainings fit into a minute: their accuracies are there to be compared. Expected on MNIST, of five layers of tanh
or relu: 90 to 93 % from LeCun's, Xavier's and He's starts, 10 to 12 % from weights that are zero or too small. Sigmoid
does not learn even from Xavier's. About 40 s on two CPU cores.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from workshop.figures import initialization as figures
from workshop.kit import cli, device, training
from workshop.kit.data.images import ImageSet, load_image_set, scale_pixels
from workshop.kit.lazy import keras, tensorflow
from workshop.kit.report import Report, format_table
from workshop.kit.training import Recipe
from workshop.kit.training.recipe import SMALL_SET

# --- The starts -------------------------------------------------------------------------------------------------------

SMALL, LARGE, CONSTANT = 0.01, 1.0, 0.01
# Each in Keras. It is made anew for each layer: an initializer that is used twice draws the same numbers twice.
INITIALIZERS: dict[str, Callable[[], keras.initializers.Initializer]] = {
    "zeros": lambda: keras.initializers.Zeros(),
    "constant": lambda: keras.initializers.Constant(CONSTANT),
    "too small": lambda: keras.initializers.RandomNormal(stddev=SMALL),
    "too large": lambda: keras.initializers.RandomNormal(stddev=LARGE),
    "LeCun": lambda: keras.initializers.LecunNormal(),
    "Xavier": lambda: keras.initializers.GlorotNormal(),
    "He": lambda: keras.initializers.HeNormal(),
}
# The standard deviation of the weights, from the inputs and the outputs of a layer. A weighted sum adds up fan_in
# products: with LeCun's it varies as much as the inputs do (LeCun et al. 1998). Backwards it is fan_out products:
# Xavier's is between the two (Glorot and Bengio 2010). Relu takes half of the variance away: He's gives it back (2015).
FORMULAS = {
    "too small": f"{SMALL:g}",
    "too large": f"{LARGE:g}",
    "LeCun": "sqrt(1 / fan_in)",
    "Xavier": "sqrt(2 / (fan_in + fan_out))",
    "He": "sqrt(2 / fan_in)",
}


class Case(NamedTuple):
    """A network of dense layers, from 784 pixels to 10 logits, and how it starts.

    Attributes:
        activation: of the hidden layers, by Keras' name.
        start: of all weights, a key of `INITIALIZERS`.
        layers, units: how many hidden layers there are, and the units of each.
        normalises: whether batch normalisation stands before each activation.
        bias: that the hidden units start with.
        rate: the learning rate.
        shift: a number that is added to the pixels.
    """

    activation: str
    start: str
    layers: int = 5
    units: int = 100
    normalises: bool = False
    bias: float = 0.0
    rate: float = 0.02
    shift: float = 0.0


DEEP = 20
# Trained on MNIST, all with the same rate.
NETWORKS = {
    "tanh_zeros": Case("tanh", "zeros"),
    "tanh_constant": Case("tanh", "constant"),
    "tanh_too_small": Case("tanh", "too small"),
    "tanh_too_large": Case("tanh", "too large"),
    "tanh_lecun": Case("tanh", "LeCun"),
    "tanh_xavier": Case("tanh", "Xavier"),
    "tanh_he": Case("tanh", "He"),
    "sigmoid_xavier": Case("sigmoid", "Xavier"),
    "relu_xavier": Case("relu", "Xavier"),
    "relu_he": Case("relu", "He"),
    "deep_relu_xavier": Case("relu", "Xavier", DEEP),
    "deep_relu_he": Case("relu", "He", DEEP),
    "tanh_too_small_normalised": Case("tanh", "too small", normalises=True),
    "tanh_too_large_normalised": Case("tanh", "too large", normalises=True),
    "sigmoid_xavier_normalised": Case("sigmoid", "Xavier", normalises=True),
}
QUICK_NETWORKS = (
    "tanh_constant",
    "tanh_too_small",
    "tanh_too_large",
    "tanh_xavier",
    "relu_he",
    "tanh_too_small_normalised",
)
# Looked at before any training.
STARTS = {start: Case("tanh", start) for start in FORMULAS}
NORMALISED = {
    "too small, normalised": Case("tanh", "too small", normalises=True),
    "too large, normalised": Case("tanh", "too large", normalises=True),
}
BY_DEPTH = {
    "sigmoid, Xavier": Case("sigmoid", "Xavier"),
    "tanh, Xavier": Case("tanh", "Xavier"),
    "relu, Xavier": Case("relu", "Xavier"),
    "relu, He": Case("relu", "He"),
}
DEPTHS = (1, 2, 5, 10, DEEP)
# One hidden layer, whose inputs no training changes: a unit that is dead there stays dead.
DYING = {
    "usual": Case("relu", "He", 1, 200),
    "large_rate": Case("relu", "He", 1, 200, rate=1.0),
    "negative_inputs": Case("relu", "He", 1, 200, shift=-3.0),
    "bad_start": Case("relu", "He", 1, 200, bias=-5.0),
    "bad_start_normalised": Case("relu", "He", 1, 200, bias=-5.0, normalises=True),
}
QUICK_DYING = ("usual", "bad_start")

# --- The images, and the trainings ------------------------------------------------------------------------------------

TRAIN_IMAGES = 6_000
MEASURED_IMAGES = 1_000  # that activations and gradients are taken from
SATURATED = 0.95  # there the slope of tanh, 1 - a^2, is below a tenth
EPOCHS = 5
SMALL_SET_EPOCHS = 25  # of a stand-in, whose epochs have a fifth of the steps
QUICK_EPOCHS = 6
TARGET = 0.9  # of the training images


class Digits(NamedTuple):
    """Images as rows of 784 numbers, float32, (images, 784), and their classes (images,).

    Attributes:
        train: what the networks are trained on.
        test: measured once, at the end.
    """

    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]

    def shifted(self, shift: float) -> Digits:
        """Returns the images with a number added to each pixel."""
        return Digits(*((X + np.float32(shift), y) for X, y in self)) if shift else self


class Trained(NamedTuple):
    """The result of a training.

    Attributes:
        losses, accuracies: in each epoch, on the training images.
        test_accuracy: at the end.
    """

    losses: list[float]
    accuracies: list[float]
    test_accuracy: float


class Passes(NamedTuple):
    """A forward pass and a backward pass through a network, before training.

    Attributes:
        weights: of each dense layer (inputs, units), the last one that of the outputs.
        activations: of each hidden layer (images, units).
        gradients: of the loss by each of the weights (inputs, units).
    """

    weights: list[np.ndarray]
    activations: list[np.ndarray]
    gradients: list[np.ndarray]


def prepare(images: ImageSet) -> Digits:
    """Returns the first images of a set, scaled to a mean of 0 and a standard deviation of 1 by the training images.

    LeCun's, Xavier's and He's starts are meant for such inputs.
    """
    X, X_test = (scale_pixels(part.reshape(len(part), -1)) for part in (images.X_train[:TRAIN_IMAGES], images.X_test))
    mean, deviation = X.mean(), X.std()
    return Digits(((X - mean) / deviation, images.y_train[: len(X)]), ((X_test - mean) / deviation, images.y_test))


def networks(quick: bool) -> dict[str, Case]:
    """Returns the networks that are trained on the digits, by their names."""
    return {name: NETWORKS[name] for name in (QUICK_NETWORKS if quick else NETWORKS)}


def dying_networks(quick: bool) -> dict[str, Case]:
    """Returns the networks whose dead units are counted, by their names."""
    return {name: DYING[name] for name in (QUICK_DYING if quick else DYING)}


def make_recipe(case: Case, images: int, quick: bool, epochs: int = EPOCHS) -> Recipe:
    """Returns how a network is trained on so many images: plain gradient descent, one rate, batches of 32."""
    if images <= SMALL_SET:
        epochs *= SMALL_SET_EPOCHS // EPOCHS
    return Recipe(min(epochs, QUICK_EPOCHS) if quick else epochs, case.rate, optimizer="sgd", schedule=False)


# --- The networks in Keras --------------------------------------------------------------------------------------------


def build(case: Case, seed: int) -> keras.Sequential:
    """Returns a network: 784 -> hidden layers -> 10 logits."""
    with device.scope(seed):
        layers: list[keras.layers.Layer] = []
        for _ in range(case.layers):
            layers.append(
                keras.layers.Dense(
                    case.units,
                    kernel_initializer=INITIALIZERS[case.start](),
                    bias_initializer=keras.initializers.Constant(case.bias),
                )
            )
            if case.normalises:
                layers.append(keras.layers.BatchNormalization())
            layers.append(keras.layers.Activation(case.activation))
        # Logits, not probabilities: large weights would round these to 0, from where no gradient comes back.
        layers.append(keras.layers.Dense(10, kernel_initializer=INITIALIZERS[case.start]()))
        return keras.Sequential([keras.Input((784,)), *layers])


def kernels(model: keras.Sequential) -> list[np.ndarray]:
    """Returns the weights of each dense layer (inputs, units), copied, without the biases."""
    return [layer.get_weights()[0] for layer in model.layers if isinstance(layer, keras.layers.Dense)]


def forward(model: keras.Sequential, X: np.ndarray) -> list[Any]:
    """Returns the outputs of each hidden layer (images, units), and the logits, as tensors of the backend.

    Where the network normalises, it does so by these images, as in training.
    """
    hidden = [layer.output for layer in model.layers if isinstance(layer, keras.layers.Activation)]
    return keras.Model(model.inputs[0], [*hidden, model.outputs[0]])(X, training=True)


def activations(model: keras.Sequential, X: np.ndarray) -> list[np.ndarray]:
    """Returns the outputs of each hidden layer (images, units)."""
    return [keras.ops.convert_to_numpy(output) for output in forward(model, X)[:-1]]


def measure(case: Case, X: np.ndarray, y: np.ndarray, seed: int) -> Passes:
    """Returns what a forward and a backward pass find in a network that was not trained.

    A tape shows the gradients, which `model.fit` keeps to itself.
    """
    model = build(case, seed)
    weights = [layer.kernel.value for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if keras.config.backend() == "torch":
        *hidden, logits = forward(model, X)
        loss(y, logits).backward()
        gradients = [weight.grad for weight in weights]
    else:
        with tensorflow.GradientTape() as tape:
            *hidden, logits = forward(model, X)
            error = loss(y, logits)
        gradients = tape.gradient(error, weights)
    as_arrays = keras.ops.convert_to_numpy
    return Passes(kernels(model), [as_arrays(a) for a in hidden], [as_arrays(gradient) for gradient in gradients])


def fit(name: str, model: keras.Sequential, digits: Digits, recipe: Recipe, report: Report) -> Trained:
    """Trains a network; `name` is that of its checkpoint."""
    batches = training.shuffled_batches(*digits.train, recipe.batch_size, report.arguments.seed)
    model.compile(
        optimizer=recipe.make_optimizer(),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=device.steps_per_execution(),
    )
    checkpoint = report.checkpoint(f"initialization-{name}")
    history = model.fit(
        batches,
        epochs=recipe.epochs,
        shuffle=False,  # the batches come shuffled, each epoch anew
        callbacks=[
            *training.tensorboard(report.arguments.tensorboard, name),
            training.Resume(checkpoint, batches, may_diverge=True),
        ],
        verbose=0,
    ).history
    X_test, y_test = digits.test
    _, accuracy = model.evaluate(X_test, y_test, batch_size=len(X_test), verbose=0)
    return Trained(history["loss"], history["accuracy"], accuracy)


# --- 1. Layer by layer ------------------------------------------------------------------------------------------------


def root_mean_square(values: np.ndarray) -> float:
    """Returns the root of the mean of the squares, the size of numbers around 0."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def report_layers(report: Report, passes: Mapping[str, Passes], name: str, title: str) -> None:
    """Prints and draws the activations and the gradients of each hidden layer, by start."""
    outputs = {start: network.activations for start, network in passes.items()}
    gradients = {start: network.gradients[:-1] for start, network in passes.items()}
    deviations = {start: [np.std(a) for a in layers] for start, layers in outputs.items()}
    saturated = {start: [np.mean(np.abs(a) > SATURATED) for a in layers] for start, layers in outputs.items()}
    sizes = {start: [root_mean_square(layer) for layer in layers] for start, layers in gradients.items()}
    print(figures.layer_table("standard deviation of a", deviations, ".2g"), end="\n\n")
    print(figures.layer_table(f"|a| above {SATURATED:g}", saturated, ".0%"), end="\n\n")
    print(figures.layer_table("gradient of a weight, RMS", sizes, ".1e"))
    report.plot(f"initialization-{name}", figures.layers, outputs, gradients, title)


def report_starts(report: Report, passes: Mapping[str, Passes]) -> None:
    """Prints and draws what each start makes of five tanh layers."""
    rows = []
    for start, network in passes.items():
        first, second, *_, last = network.weights
        rows.append([start, FORMULAS[start], *(f"{np.std(kernel):.4f}" for kernel in (first, second, last))])
    headings = ["start", "standard deviation", "drawn, 784-100", "drawn, 100-100", "drawn, 100-10"]
    print(format_table(headings, rows), end="\n\n")
    report_layers(report, passes, "layers", "Five tanh layers before training")


def report_normalised(report: Report, passes: Mapping[str, Passes], normalised: Mapping[str, Passes]) -> None:
    """Prints and draws two bad starts without batch normalisation and with it."""
    bad = {start.partition(",")[0]: passes[start.partition(",")[0]] for start in normalised}
    report_layers(report, bad | dict(normalised), "normalised", "Batch normalisation before each tanh")


# --- 2. Depth, and relu's zeros ---------------------------------------------------------------------------------------


def report_depth(report: Report, passes: Mapping[str, Mapping[int, Passes]]) -> None:
    """Prints and draws the gradients of the first layer by depth, and the activations within the deepest networks."""
    gradients = {
        name: {depth: root_mean_square(network.gradients[0]) for depth, network in by_depth.items()}
        for name, by_depth in passes.items()
    }
    rows = [[name, *(f"{size:.1e}" for size in sizes.values())] for name, sizes in gradients.items()]
    headings = [f"{depth} layers" if depth > 1 else "1 layer" for depth in DEPTHS]
    print(format_table(["gradient of layer 1, RMS", *headings], rows), end="\n\n")

    sizes = {name: [root_mean_square(a) for a in by_depth[DEEP].activations] for name, by_depth in passes.items()}
    print(figures.layer_table(f"a in {DEEP} layers, RMS", sizes, ".3g", DEPTHS), end="\n\n")

    zeros = [float(np.mean(a == 0)) for a in passes["relu, He"][5].activations]
    print(figures.layer_table("outputs that are 0", {"relu, He": zeros}, ".1%"))
    print(f"{np.mean(zeros):.1%} of all: half of the weighted sums are below 0, and half of the variance is lost with")
    print("them. He's start doubles the variance of the weights.")
    report.result({"zeros_train_max_error": abs(float(np.mean(zeros)) - 0.5)})
    report.plot("initialization-depth", figures.depth, gradients, sizes)


# --- 3. MNIST ---------------------------------------------------------------------------------------------------------

PANELS = {
    "Five tanh layers": tuple(name for name in NETWORKS if name.startswith("tanh") and "normalised" not in name),
    "Five layers": ("sigmoid_xavier", "tanh_xavier", "relu_xavier", "relu_he"),
    f"{DEEP} layers": ("deep_relu_xavier", "deep_relu_he"),
    "Batch normalisation": tuple(name for name in NETWORKS if "normalised" in name),
}


def say(name: str, trained: Trained, seconds: float) -> None:
    """Prints that a training is finished."""
    epochs = len(trained.losses)
    print(f"{name:25}  {epochs} {'epochs' if epochs > 1 else 'epoch'} in {seconds:.1f} s", flush=True)


def report_training(report: Report, trained: Mapping[str, Trained]) -> None:
    """Prints and draws what each start costs on the digits."""
    rows: list[list[object]] = []
    for name, network in trained.items():
        case = NETWORKS[name]
        reached = next((i for i, share in enumerate(network.accuracies, 1) if share >= TARGET), None)
        normalises = "yes" if case.normalises else ""
        epochs = str(reached) if reached else f"not in {len(network.accuracies)}"
        settings = [f"{case.layers} {case.activation}", case.start, normalises]
        rows.append([*settings, network.losses[-1], epochs, f"{network.test_accuracy:.2%}"])
        report.result({f"{name}_test_accuracy": network.test_accuracy})
    headings = ["layers", "start", "normalised", "last loss", f"epochs to {TARGET:.0%}", "test accuracy"]
    print("\n" + format_table(headings, rows))
    curves = {
        title: {name: trained[name].accuracies for name in names if name in trained} for title, names in PANELS.items()
    }
    report.plot("initialization-training", figures.training, {title: group for title, group in curves.items() if group})


# --- 4. Equal weights -------------------------------------------------------------------------------------------------

EQUAL = ("tanh_zeros", "tanh_constant", "tanh_xavier")


def different_units(weights: np.ndarray) -> int:
    """Returns how many of the units differ in their weights (inputs, units), by more than rounding."""
    return len(np.unique(np.round(weights, 4), axis=1).T)


def report_equal(report: Report, weights: Mapping[str, Sequence[np.ndarray]]) -> None:
    """Prints how many different units each hidden layer has after training, by network."""
    rows = []
    for name, (*hidden, last) in weights.items():
        rows.append([NETWORKS[name].start, *(different_units(layer) for layer in hidden), f"{np.abs(last).max():.4f}"])
        if name != "tanh_xavier":
            apart = max(float(np.ptp(layer, axis=1).max()) for layer in hidden)
            report.result({f"{name}_units_train_max_error": apart})
    layers = [f"layer {i}" for i in range(1, 6)]
    print(format_table(["different units after training", *layers, "largest weight of the outputs"], rows))
    print("Equal units get equal gradients: a layer of them is one unit. After a layer of zeros no weight gets a")
    print("gradient, and only the biases of the ten outputs are trained.")


# --- 5. Dead units ----------------------------------------------------------------------------------------------------


def is_dead(outputs: np.ndarray) -> np.ndarray:
    """Returns which units, of outputs (images, units), are 0 for every image: (units,), bool."""
    return ~np.any(outputs > 0, axis=0)


def report_dead(
    report: Report, dead: Mapping[str, tuple[np.ndarray, np.ndarray]], trained: Mapping[str, Trained]
) -> None:
    """Prints and draws how many units are dead at the start and after training, (units,) each, by network."""
    rows = []
    for name, (before, after) in dead.items():
        revived = int(np.sum(before & ~after))
        rows.append([name.replace("_", " "), before.sum(), after.sum(), revived, f"{trained[name].test_accuracy:.2%}"])
        report.result({f"{name}_test_accuracy": trained[name].test_accuracy})
    units = next(iter(DYING.values())).units
    print(
        "\n"
        + format_table(
            [f"dead of {units} units", "at the start", "after training", "of these revived", "test accuracy"], rows
        )
    )
    print("A dead unit has the gradient 0, and its inputs are the images, which stay as they are: it is dead for good.")
    counts = {name.replace("_", "\n"): (int(before.sum()), int(after.sum())) for name, (before, after) in dead.items()}
    report.plot("initialization-dead", figures.dead, counts, units)


# --- The run ----------------------------------------------------------------------------------------------------------


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options of the command line; the rest is what is compared."""
    parser = cli.lesson_parser(docstring, data="DIR")
    cli.add_resume(parser)
    return cli.parse_lesson(parser, argv)


def load(report: Report) -> Digits:
    """Loads the digits, and scales them."""
    images = load_image_set("mnist", report.arguments.data, quick=report.arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    digits = prepare(images)
    print(f"Data      {len(digits.train[1]):,} images to train on, {len(digits.test[1]):,} to test")
    return digits


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Measures and trains the networks, plots; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("initialization", arguments)
    digits = load(report)
    report.engine(device.prepare(arguments.seed))
    seed, quick = arguments.seed, arguments.quick
    X, y = (part[:MEASURED_IMAGES] for part in digits.train)

    report.section("Five tanh layers before training: activations a and gradients")
    passes = {start: measure(case, X, y, seed) for start, case in STARTS.items()}
    report_starts(report, passes)

    report.section("The same with batch normalisation before each tanh")
    normalised = {start: measure(case, X, y, seed) for start, case in NORMALISED.items()}
    report_normalised(report, passes, normalised)

    report.section(f"Networks of 1 to {DEEP} layers before training")
    by_depth = {
        name: {depth: measure(case._replace(layers=depth), X, y, seed) for depth in DEPTHS}
        for name, case in BY_DEPTH.items()
    }
    report_depth(report, by_depth)

    report.section("Effect of the initial weights on training")
    trained, weights = {}, {}
    for name, case in networks(quick).items():
        started = time.perf_counter()
        model = build(case, seed)
        trained[name] = fit(name, model, digits, make_recipe(case, len(digits.train[1]), quick), report)
        if name in EQUAL:
            weights[name] = kernels(model)
        say(name, trained[name], time.perf_counter() - started)
    report_training(report, trained)

    report.section("Equal weights stay equal")
    report_equal(report, weights)

    report.section("Dead units: 0 for every training image, one hidden layer of relu")
    trained, dead = {}, {}
    for name, case in dying_networks(quick).items():
        started = time.perf_counter()
        shifted = digits.shifted(case.shift)
        model = build(case, seed)
        before = is_dead(activations(model, shifted.train[0])[0])
        trained[name] = fit(name, model, shifted, make_recipe(case, len(digits.train[1]), quick, epochs=1), report)
        dead[name] = before, is_dead(activations(model, shifted.train[0])[0])
        say(name, trained[name], time.perf_counter() - started)
    report_dead(report, dead, trained)
    return report.finish()


if __name__ == "__main__":
    cli.run(main)

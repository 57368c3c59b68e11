"""Recurrent cells by hand: an LSTM's gates, gradients through time, and how far back they reach.

You compute two steps of an LSTM by hand, and see that NumPy, Keras and PyTorch agree on a SimpleRNN, an LSTM and a GRU
and on their gradients: backpropagation through time, from the last step to the first, in one direction and in both.
You let an LSTM's gates see the memory (peepholes), and a layer read from both ends. Then you follow a gradient a
hundred steps back: in a SimpleRNN it vanishes or explodes. The LSTM was invented against the first, clipping helps
against the second. The lesson `rnn` trains the same cells on digits.

    python -m workshop.recurrent_cells             # all of it; then look into the folder plots
    python -m workshop.recurrent_cells --quick     # a first look: shorter trainings

Expected: Keras and PyTorch agree with NumPy within 1e-5 on what the cells return and within 1e-4 on the gradients; so
do finite differences. A hundred steps back a SimpleRNN's gradient is below 1e-10 of what it was; with relu and U
doubled it is above 1e8. An LSTM keeps it if its forget gate starts wide open (bias 3). About 5 s on two CPU cores. No
model is saved.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from workshop.figures import recurrent_cells as figures
from workshop.kit import cli, device
from workshop.kit.lazy import keras, load, nn, torch
from workshop.kit.lazy import tensorflow as tf
from workshop.kit.report import Report, format_table
from workshop.scratch.nn.activations import sigmoid
from workshop.scratch.nn.cells import GRU, LSTM, SimpleRNN
from workshop.scratch.nn.layers import Dense, Layer, Shape
from workshop.scratch.nn.losses import make_loss
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import clip_by_global_norm, make_optimizer
from workshop.scratch.nn.recurrent import Recurrent, State
from workshop.scratch.nn.wrappers import Bidirectional

Cell = type[SimpleRNN] | type[LSTM] | type[GRU]
CELLS: tuple[Cell, ...] = (SimpleRNN, LSTM, GRU)


# --- An LSTM by hand --------------------------------------------------------------------------------------------------

# Of one unit: W, U and b of the input, forget and output gates i, f and o, and of the candidate g.
LSTM_WEIGHTS = {
    "i": (1.0, 0.5, 0.0),
    "f": (0.5, -1.0, 1.0),
    "g": (2.0, 1.0, 0.0),
    "o": (1.0, 0.0, 0.5),
}


def lstm_table(inputs: Sequence[float], weights: Mapping[str, Sequence[float]]) -> str:
    """Returns a table of an LSTM of one unit: each number, its equation and the numbers that it is computed from.

    Args:
        inputs: one number a step.
        weights: as `LSTM_WEIGHTS`.
    """
    rows: list[list[object]] = []
    h = c = 0.0  # the state that is the output, and the memory
    for step, x in enumerate(inputs, 1):
        gates = {}
        for name, (W, U, b) in weights.items():
            z = x * W + h * U + b
            gates[name] = math.tanh(z) if name == "g" else 1 / (1 + math.exp(-z))
            function = "tanh" if name == "g" else "s"
            terms = f"{function}({x:g} * {W:g} + {h:.4f} * {U:g} + {b:g}) = {function}({z:.4f})"
            rows.append([step, name, f"{function}(x W + h U + b)", terms, f"{gates[name]:.4f}"])
        i, f, g, o = (gates[name] for name in "ifgo")
        terms = f"{f:.4f} * {c:.4f} + {i:.4f} * {g:.4f}"
        c = f * c + i * g
        rows.append([step, "c", "f c + i g", terms, f"{c:.4f}"])
        h = o * math.tanh(c)
        rows.append([step, "h", "o tanh(c)", f"{o:.4f} * tanh({c:.4f})", f"{h:.4f}"])
    return format_table(["step", "", "", "s: sigmoid", "value"], rows)


def lstm_layer_output(inputs: Sequence[float], weights: Mapping[str, Sequence[float]]) -> float:
    """Returns the last state of the NumPy engine's LSTM layer with the same weights."""
    layer = LSTM(1)
    layer.build((len(inputs), 1), np.random.default_rng(0), np.float64)
    for parameter, gates in zip(layer.parameters.values(), np.transpose([*weights.values()]), strict=True):
        parameter[...] = gates
    return float(layer.forward(np.reshape(inputs, (1, -1, 1)))[0, 0])


# --- The same cells in NumPy, Keras and PyTorch -----------------------------------------------------------------------

# PyTorch's gate number k is Keras' gate number TORCH_GATES[kind][k], from 0; each list is its own inverse.
TORCH_GATES = {"SimpleRNN": [0], "LSTM": [0, 1, 2, 3], "GRU": [1, 0, 2]}
LAYOUTS = """\
NumPy and Keras have the gates side by side, PyTorch one below the other. In a GRU NumPy and Keras begin with the update
gate, PyTorch with the reset gate. PyTorch adds two biases, of x W and of h U: one is enough, and the other one stays
zero. In a GRU the reset gate comes between them, so Keras has two as well, as rows: that is reset_after=True, its
default. With False, as a GRU was first published, the reset gate comes before the product h U, and PyTorch has no such
GRU."""

Weights = Mapping[str, np.ndarray]


def numpy_gradients(layer: Layer, X: np.ndarray, output_gradient: np.ndarray, **options: Any) -> list[np.ndarray]:
    """Returns the output of a layer, and the gradients of sum(output * output_gradient) by X and by each weight.

    `options` are those of `forward`.
    """
    output = layer.forward(X, **options)
    dX = layer.backward(output_gradient)
    return [output, dX, *(layer.gradients[name] for name in layer.parameters)]


def count_units(weights: Weights) -> int:
    """Returns the number of units of a recurrent layer, or of each of the two in a Bidirectional."""
    return next(len(weight) for name, weight in weights.items() if name.endswith("recurrent_kernel"))


def keras_gradients(
    kind: str, weights: Weights, X: np.ndarray, output_gradient: np.ndarray, lengths: Sequence[int] | None = None
) -> list[np.ndarray]:
    """Returns the output of Keras' layer, and the gradients of sum(output * output_gradient) by X and by each weight.

    Args:
        kind: "SimpleRNN", "LSTM" or "GRU".
        weights: kernel (features, gates * units), recurrent_kernel (units, gates * units) and bias; of a layer for both
            directions `forward_kernel` and so on, then `backward_kernel` and so on.
        X: sequences (samples, steps, features), padded with zeros at their end.
        output_gradient: the gradient of the loss by the output, in its shape: (samples, units) for the last state,
            (samples, steps, units) for all; for both directions the units are twice as many.
        lengths: of the sequences, where they differ; a Masking layer then skips the steps that are all zeros.
    """
    layer = getattr(keras.layers, kind)(count_units(weights), return_sequences=output_gradient.ndim == 3)
    if "backward_kernel" in weights:
        layer = keras.layers.Bidirectional(layer)
    layer.build(X.shape)
    layer.set_weights(list(weights.values()))
    inputs = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = layer(inputs if lengths is None else keras.layers.Masking(mask_value=0)(inputs))
        total = tf.reduce_sum(output * tf.constant(output_gradient))
    gradients = tape.gradient(total, [inputs, *layer.trainable_variables])
    return [np.asarray(array) for array in (output, *gradients)]


def exchange_gates(kind: str, weight: np.ndarray) -> np.ndarray:
    """Returns a weight with its gates, side by side, in PyTorch's order instead of Keras', or the other way round."""
    order = TORCH_GATES[kind]
    gates = np.split(weight, len(order), axis=-1)
    return np.concatenate([gates[i] for i in order], axis=-1)


def torch_gradients(
    kind: str, weights: Weights, X: np.ndarray, output_gradient: np.ndarray, lengths: Sequence[int] | None = None
) -> list[np.ndarray]:
    """Returns the same of PyTorch's module; sequences of different lengths are packed, without the padding."""
    modules = {"SimpleRNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
    # The ends of PyTorch's names of the weights, by the beginnings of Keras' names.
    places = {"forward_": "l0", "backward_": "l0_reverse"} if "backward_kernel" in weights else {"": "l0"}
    module = modules[kind](X.shape[2], count_units(weights), batch_first=True, bidirectional=len(places) == 2)
    state = {}
    for before, place in places.items():
        kernel, recurrent_kernel, bias = (
            exchange_gates(kind, weights[before + name]) for name in ("kernel", "recurrent_kernel", "bias")
        )
        first, second = bias if kind == "GRU" else (bias, np.zeros_like(bias))
        state[f"weight_ih_{place}"], state[f"weight_hh_{place}"] = kernel.T, recurrent_kernel.T
        state[f"bias_ih_{place}"], state[f"bias_hh_{place}"] = first, second
    module.load_state_dict({name: torch.tensor(weight) for name, weight in state.items()})
    inputs = torch.tensor(X, requires_grad=True)
    if lengths is None:
        states, last = module(inputs)
    else:
        pack = load("torch.nn.utils.rnn").pack_padded_sequence
        states, last = module(pack(inputs, lengths, batch_first=True, enforce_sorted=False))
    h = last[0] if kind == "LSTM" else last  # the other one is the memory c
    output = states if output_gradient.ndim == 3 else h[0]
    (output * torch.tensor(output_gradient)).sum().backward()
    grad = {name: parameter.grad.numpy() for name, parameter in module.named_parameters()}
    in_keras_order = []
    for place in places.values():
        biases = [grad[f"bias_ih_{place}"], grad[f"bias_hh_{place}"]]
        bias_grad = np.array(biases) if kind == "GRU" else biases[0]
        for gradient in (grad[f"weight_ih_{place}"].T, grad[f"weight_hh_{place}"].T, bias_grad):
            in_keras_order.append(exchange_gates(kind, gradient))
    return [output.detach().numpy(), inputs.grad.numpy(), *in_keras_order]


LIBRARIES: dict[str, Callable[..., list[np.ndarray]]] = {"keras": keras_gradients, "torch": torch_gradients}


def find_libraries() -> dict[str, Callable[..., list[np.ndarray]]]:
    """Returns those of `LIBRARIES` that are installed; that of Keras takes TensorFlow's tape."""
    libraries = {name: compute for name, compute in LIBRARIES.items() if importlib.util.find_spec(name)}
    if keras.config.backend() != "tensorflow":
        libraries.pop("keras", None)
    return libraries


def finite_difference_error(
    layer: Layer, X: np.ndarray, output_gradient: np.ndarray, random: np.random.Generator
) -> float:
    """Returns the largest difference of a gradient and (E(w + e) - E(w - e)) / 2e, at ten random entries an array."""
    e = 1e-5
    largest = 0.0
    gradients = numpy_gradients(layer, X, output_gradient)[1:]
    for values, gradient in zip([X, *layer.parameters.values()], gradients, strict=True):
        for index in zip(*(random.integers(0, size, 10) for size in values.shape), strict=True):
            value = values[index]
            values[index] = value + e
            above = float(np.sum(layer.forward(X) * output_gradient))
            values[index] = value - e
            below = float(np.sum(layer.forward(X) * output_gradient))
            values[index] = value
            largest = max(largest, abs((above - below) / (2 * e) - gradient[index]))
    return largest


def relative_error(computed: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """Returns the largest difference of two lists of arrays, relative to each array's largest number or to 1."""
    return max(float(np.abs(a - b).max() / max(1.0, np.abs(b).max())) for a, b in zip(computed, expected, strict=True))


def layer_errors(
    layer: Layer,
    X: np.ndarray,
    output_gradient: np.ndarray,
    computes: Iterable[Callable[..., list[np.ndarray]]],
    random: np.random.Generator,
    lengths: Sequence[int] | None = None,
) -> list[float]:
    """Returns the errors in a row of a table: of the finite differences, and two of each library.

    Args:
        layer: of the NumPy engine, built, in 64 bits.
        X: sequences (samples, steps, features).
        output_gradient: in the shape of the layer's output.
        computes: of each library a function of the weights, X and `output_gradient`, in 32 bits.
        random: the generator of the entries at which finite differences are taken.
        lengths: of the sequences, where they differ: by a mask in NumPy. Finite differences are taken without it.
    """
    errors = [finite_difference_error(layer, X, output_gradient, random)]
    options = {}
    if lengths is not None:
        options["mask"] = np.arange(X.shape[1]) < np.array(lengths)[:, None]
        X = X * options["mask"][..., None]
    expected = numpy_gradients(layer, X, output_gradient, **options)
    weights = {name: weight.astype(np.float32) for name, weight in layer.parameters.items()}
    for compute in computes:
        computed = compute(weights, X.astype(np.float32), output_gradient.astype(np.float32))
        errors += [relative_error(computed[:1], expected[:1]), relative_error(computed[1:], expected[1:])]
    return errors


def compare_libraries(
    kinds: Sequence[Cell], random: np.random.Generator, lengths: Sequence[int] = (10, 7, 3, 5)
) -> tuple[list[str], list[list[str]], dict[str, float]]:
    """Compares cells of the NumPy engine, in 64 bits, with finite differences and with Keras and PyTorch, in 32.

    Each cell returns its last state, all of its states, the last states of sequences of different lengths (by a mask in
    NumPy, behind a Masking layer in Keras, packed in PyTorch), and all states of a layer for each of both directions.

    Args:
        kinds: the recurrent layers of the NumPy engine, whose names are Keras'.
        random: the generator of weights and sequences.
        lengths: of the sequences.

    Returns:
        The headings and the rows of a table, and the largest difference in each column of numbers by its name.
    """
    libraries = find_libraries()
    steps = max(lengths)
    errors = {}
    outputs = ("last state", "all states", f"lengths {', '.join(map(str, lengths))}", "both directions")
    for kind, returned in itertools.product(kinds, outputs):
        cell = kind(8, return_sequences=returned in ("all states", "both directions"))
        layer = Bidirectional(cell) if returned == "both directions" else cell
        shape = layer.build((steps, 6), random, np.float64)
        for name, parameter in layer.parameters.items():
            if name.endswith("bias"):
                parameter += random.normal(0, 0.5, parameter.shape)
        X = random.normal(size=(len(lengths), steps, 6))
        output_gradient = random.normal(size=(len(lengths), *shape))
        own = lengths if returned.startswith("lengths") else None
        computes = [partial(compute, kind.__name__, lengths=own) for compute in libraries.values()]
        errors[kind.__name__, returned] = layer_errors(layer, X, output_gradient, computes, random, own)
    names = ["differences", *(f"{name}_{part}" for name in libraries for part in ("forward", "gradient"))]
    headings = ["cell", "returns", *(name.replace("_", ", ") for name in names)]
    rows = [[*cell, *(f"{error:.1e}" for error in row)] for cell, row in errors.items()]
    return headings, rows, dict(zip(names, np.max([*errors.values()], axis=0).tolist(), strict=True))


# --- Two variants: gates that see the memory, and both directions -----------------------------------------------------


class PeepholeLSTM(LSTM):
    """An LSTM whose gates see the memory as well, not only what the output gate lets out (Gers and Schmidhuber 2000).

        i = s(x W_i + h U_i + c * p_i + b_i)
        f = s(x W_f + h U_f + c * p_f + b_f)
        g = tanh(x W_g + h U_g + b_g)
        c' = f * c + i * g
        o = s(x W_o + h U_o + c' * p_o + b_o)       the output gate sees the new memory
        h' = o * tanh(c')

    Each unit sees only its own memory: p has one number per gate and unit. It starts at 0, so that the layer starts as
    an LSTM. In the comparison of Greff et al. (2017) leaving the peepholes out cost nothing.
    """

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """As in `LSTM`, and p (3, units) with the rows i, f, o."""
        output_shape = super().build(input_shape, random, dtype)
        self.parameters["peephole"] = np.zeros((3, self.units), dtype)
        return output_shape

    def step(self, projected: np.ndarray, state: State) -> tuple[State, Any]:
        """The equations above; `projected` is x W + b of this step."""
        h, c = state
        p_i, p_f, p_o = self.parameters["peephole"]
        i, f, g, o = np.split(projected + h @ self.parameters["recurrent_kernel"], 4, axis=1)
        i, f, g = sigmoid(i + c * p_i), sigmoid(f + c * p_f), np.tanh(g)
        new_c = f * c + i * g
        o = sigmoid(o + new_c * p_o)
        tanh_c = np.tanh(new_c)
        return (o * tanh_c, new_c), (h, c, new_c, i, f, g, o, tanh_c)

    def step_backward(self, dstate: State, cache: Any) -> tuple[np.ndarray, State]:
        """The gradients of the equations, from the last line to the first; c reaches the loss through i and f, too."""
        (dh, dc), (h, c, new_c, i, f, g, o, tanh_c) = dstate, cache
        p_i, p_f, p_o = self.parameters["peephole"]
        da_o = dh * tanh_c * o * (1 - o)
        dc = dc + dh * o * (1 - tanh_c * tanh_c) + da_o * p_o
        da_i, da_f, da_g = dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g)
        da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
        self.gradients["recurrent_kernel"] += h.T @ da
        self.gradients["peephole"] += [(da_i * c).sum(axis=0), (da_f * c).sum(axis=0), (da_o * new_c).sum(axis=0)]
        return da, (da @ self.parameters["recurrent_kernel"].T, dc * f + da_i * p_i + da_f * p_f)


def peephole_error(random: np.random.Generator) -> float:
    """Returns the largest difference of a PeepholeLSTM's gradients from finite differences; neither library has it."""
    layer = PeepholeLSTM(8)
    shape = layer.build((10, 6), random, np.float64)
    for parameter in layer.parameters.values():
        parameter += random.normal(0, 0.5, parameter.shape)
    X, output_gradient = random.normal(size=(4, 10, 6)), random.normal(size=(4, *shape))
    return finite_difference_error(layer, X, output_gradient, random)


ONE_DIRECTION_ERROR = 11 / 12 / 48  # the least on `train_on_neighbours`, whose sequences have 12 steps
TRAINING_STEPS = 300
QUICK_TRAINING_STEPS = 200


def train_on_neighbours(layer: Layer, seed: int, steps: int = TRAINING_STEPS) -> list[float]:
    """Trains a layer to predict at each step the mean of the numbers before and after it; returns the losses.

    The numbers are uniform from 0 to 1, and 0 beyond both ends. From one direction the number after is not known: its
    best prediction is 1/2, which leaves an error of 1/48 at every step but the last: `ONE_DIRECTION_ERROR`.
    """
    random = np.random.default_rng(seed)
    network = Network([layer, Dense(1)], (12, 1), seed, np.float64)
    optimizer, loss = make_optimizer("adam", 0.02), make_loss("mean_squared_error")
    losses: list[float] = []
    for _ in range(steps):
        X = random.uniform(size=(32, 12, 1))
        padded = np.pad(X, ((0, 0), (1, 1), (0, 0)))
        y = (padded[:, :-2] + padded[:, 2:]) / 2
        outputs = network.train_step(X, y, loss, optimizer)  # from before the step
        losses.append(loss.value(outputs, y))
    return losses


# --- Gradients that vanish and explode --------------------------------------------------------------------------------

STEPS = 100
UNITS = 32


def make_untrained_cells(random: np.random.Generator) -> dict[str, Recurrent]:
    """Returns untrained cells; in some of them U is doubled or the bias of the forget gate is set."""
    exploding, forgetful, lasting = SimpleRNN(UNITS, "relu"), LSTM(UNITS), LSTM(UNITS)
    cells: dict[str, Recurrent] = {
        "SimpleRNN, tanh": SimpleRNN(UNITS),
        "SimpleRNN, relu, U doubled": exploding,
        "GRU": GRU(UNITS),
        "LSTM, forget bias 0": forgetful,
        "LSTM, forget bias 1": LSTM(UNITS),
        "LSTM, forget bias 3": lasting,
    }
    for layer in cells.values():
        layer.build((STEPS, 8), random, np.float64)
    exploding.parameters["recurrent_kernel"] *= 2
    forgetful.parameters["bias"][UNITS : 2 * UNITS] = 0
    lasting.parameters["bias"][UNITS : 2 * UNITS] = 3
    return cells


def gradient_norm_by_distance(layer: Recurrent, random: np.random.Generator) -> np.ndarray:
    """Returns the norm of the last state's gradient by each input (STEPS,), from the last step back, relative to it."""
    X, output_gradient = random.normal(size=(16, STEPS, 8)), random.normal(size=(16, UNITS))
    layer.forward(X)
    dX = layer.backward(output_gradient)
    norms = np.linalg.norm(dX, axis=2).mean(axis=0)[::-1]
    return np.asarray(norms / norms[0])


def train_exploding_rnn(limit: float | None, seed: int) -> list[float]:
    """Trains a SimpleRNN with relu on the mean of 100 numbers, by plain gradient descent; returns the losses.

    U starts as 1.1 times the identity: each step makes the state a tenth larger, all 100 of them 14,000 times.

    Args:
        limit: the norm that longer gradients are clipped to, or None.
        seed: of the weights and the samples.
    """
    random = np.random.default_rng(seed)
    network = Network([SimpleRNN(16, "relu"), Dense(1)], (STEPS, 1), seed, np.float64)
    network.parameters["0/recurrent_kernel"][...] = 1.1 * np.eye(16)
    loss = make_loss("mean_squared_error")
    losses: list[float] = []
    while len(losses) < 60 and np.isfinite(losses).all():
        X = random.uniform(size=(32, STEPS, 1))
        y = X.mean(axis=1)
        with np.errstate(over="ignore", invalid="ignore"):
            Y = network.forward(X)
            losses.append(network.compute_loss(Y, y, loss))
            network.backward(Y, y, loss)
            if limit is not None:
                clip_by_global_norm(network.gradients, limit)
            for name, weight in network.parameters.items():
                weight -= 0.03 * network.gradients[name]
    return losses


# --- The lesson -------------------------------------------------------------------------------------------------------


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    return cli.parse_lesson(cli.lesson_parser(docstring, data=None), argv)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Computes by hand, compares with the libraries, follows gradients back; returns the largest differences."""
    arguments = parse(__doc__, argv)
    report = Report("recurrent_cells", arguments, engine="numpy")
    seed = arguments.seed
    report.data("two numbers for the gates by hand; random sequences for all else")
    print(f"Engine    NumPy {np.__version__}; {device.prepare(seed)}")

    report.section("Two steps of an LSTM of one unit, by hand")
    inputs = [1.0, -0.5]
    print(lstm_table(inputs, LSTM_WEIGHTS))
    print(f"The layer in NumPy ends with h = {lstm_layer_output(inputs, LSTM_WEIGHTS):.4f}.")

    report.section("The cells in NumPy against finite differences, Keras and PyTorch: largest differences")
    random = np.random.default_rng(seed)
    headings, rows, errors = compare_libraries(CELLS, random)
    print(format_table(headings, rows))
    print(LAYOUTS)
    errors["peepholes"] = peephole_error(random)
    print(f"An LSTM with peepholes, which neither library has, and finite differences: {errors['peepholes']:.1e}")
    report.result({f"{name}_test_max_error": error for name, error in errors.items()})

    report.section("Trained to predict at each step the mean of the numbers before and after it")
    layers = {
        "LSTM": LSTM(12, return_sequences=True),
        "LSTM with peepholes": PeepholeLSTM(12, return_sequences=True),
        "LSTM, both directions": Bidirectional(LSTM(6, return_sequences=True)),
    }
    steps = QUICK_TRAINING_STEPS if arguments.quick else TRAINING_STEPS
    neighbours = {name: train_on_neighbours(layer, seed, steps) for name, layer in layers.items()}
    table = [[name, f"{losses[0]:.4f}", f"{np.mean(losses[-20:]):.4f}"] for name, losses in neighbours.items()]
    print(format_table(["layer", "squared error, first step", f"last 20 of {steps} steps"], table))
    print(f"Without the number after, with peepholes or not, the error is at least {ONE_DIRECTION_ERROR:.4f}.")
    report.plot("recurrent_cells-directions", figures.directions, neighbours, ONE_DIRECTION_ERROR)

    report.section(f"Gradient norm by distance in steps, in untrained cells of {UNITS} units (at the last step: 1)")
    norms = {name: gradient_norm_by_distance(layer, random) for name, layer in make_untrained_cells(random).items()}
    distances = [1, 10, 30, STEPS - 1]
    by_distance = [[name, *values[distances].tolist()] for name, values in norms.items()]
    print(format_table(["", *map(str, distances)], by_distance))

    report.section("Clipping: a SimpleRNN with relu, U = 1.1 I, is trained on the mean of 100 numbers")
    losses = {"gradient unclipped": train_exploding_rnn(None, seed), "clipped to norm 1": train_exploding_rnn(1, seed)}
    for name, values in losses.items():
        print(f"{name}: loss {values[0]:.1e}, at step {len(values) - 1} {values[-1]:.1e}")
    report.plot("recurrent_cells-gradient", figures.gradients, norms, losses)
    return report.finish()


if __name__ == "__main__":
    cli.run(main)

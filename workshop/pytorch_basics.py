"""PyTorch as it is written: tensors, modules, a data set, the training loop, and a checkpoint.

You write a complete PyTorch program and look into each of its parts. Its network learns which numbers are odd, from
their binary digits: a task so small that every tensor can be looked at.

1. Tensors and the device that they are on.
2. A layer is a matrix product: `nn.Linear(3, 2)` without bias is x W'.
3. What belongs to a module: `nn.Parameter`, `nn.Sequential`, `nn.ModuleList`, `nn.ModuleDict`, and what does not.
4. Wrong shapes, wrong dtypes: PyTorch's messages, their meaning, and the right line beside them.
5. Loss functions, each beside its formula.
6. A `Dataset` and a `DataLoader`.
7. A network as a class, and the training loop.
8. A checkpoint: a run that was stopped goes on to the same bits.
9. `train()` and `eval()`, and what `no_grad` does and does not do.

    python -m workshop.pytorch_basics            # all of it; then look into the folder plots
    python -m workshop.pytorch_basics --quick    # a first look: a shorter training

Expected: layer and losses equal their formulas to 1e-6; every number from 1 to 100 right, and those from 101 to 127,
which the network has never seen; the run that went on from its checkpoint differs by 0 from the one that was not
stopped, and by more than 0.1 where the optimizer was forgotten. About 6 s on two CPU cores. Only plots are saved.

The classes stand inside functions here, so that `--help` need not wait for PyTorch. In a program of your own, and in
the notebook of this lesson, they stand by themselves.
"""

from __future__ import annotations

import argparse
import inspect
import io
import tempfile
import textwrap
import warnings
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workshop.figures import pytorch_basics as figures
from workshop.kit import cli
from workshop.kit.files import FilePath, write_atomically
from workshop.kit.lazy import nn, torch
from workshop.kit.report import Report, format_table

if TYPE_CHECKING:
    from torch.utils.data import Dataset

SIZES = [2, 3, 4, 3]  # of the layers in the ModuleList
DIGITS = 7  # binary digits: up to 127
HIDDEN_UNITS = 16
BATCH_SIZE = 10
EPOCHS = 20
QUICK_EPOCHS = 12
CHECKPOINT_EPOCH = 4
GONE_ON = (  # the metric, what is put back, and what is left out
    ("resumed", "everything", ""),
    ("without_optimizer", "a new optimizer", "optimizer"),
    ("without_epoch", "epochs from 0", "epoch"),
)
SHOWN = 37  # the number that is sent through dropout again and again


def show(*codes: str, **names: object) -> None:
    """Prints pieces of code, each with what it gives: its value, or the error or warning in PyTorch's own words."""
    for code in codes:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                results = [str(eval(code, {"torch": torch, "nn": nn, "np": np, **names}))]
            except Exception as error:  # a result like any other
                results = [textwrap.fill(f"{type(error).__name__}: {error}", 110)]
        results += [textwrap.fill(f"{warning.category.__name__}: {warning.message}", 110) for warning in caught]
        print(f"> {code}", *(textwrap.indent(text, "    ") for text in results), sep="\n")


# --- 2 and 3. Modules -------------------------------------------------------------------------------------------------


def compare_linear() -> float:
    """Prints what a layer of 3 inputs and 2 outputs computes, beside x W'; returns how far they are apart."""
    layer = nn.Linear(3, 2, bias=False)
    x = torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]])
    show("layer.weight", "x", "x @ layer.weight.T", "layer(x)", layer=layer, x=x)
    print("W has a row for each output: its shape is (outputs, inputs), which Keras has the other way round.")
    return float((layer(x) - x @ layer.weight.T).detach().abs().max())


def make_block() -> nn.Module:
    """Returns a module that has one of everything that an attribute may be."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()  # first: it makes the lists in which the lines below are entered
            self.factor = nn.Parameter(torch.ones(3))
            self.constant = torch.ones(3)
            self.register_buffer("mean", torch.zeros(3))
            self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in pairwise(SIZES))
            self.plain_list = [nn.Linear(2, 3)]
            self.activations = nn.ModuleDict({"relu": nn.ReLU(), "tanh": nn.Tanh()})

        def forward(self, x: torch.Tensor, activation: str = "relu") -> torch.Tensor:
            for layer in self.layers:
                x = self.activations[activation](layer(x))
            return self.factor * (x - self.mean)

    return Block()


# --- 4. Wrong shapes --------------------------------------------------------------------------------------------------


PREDICTIONS = [[0.0], [1.0], [2.0], [3.0]]  # a network with one output has the shape (4, 1)
TARGETS = [0.0, 1.0, 2.0, 3.0]  # a column of a table has the shape (4,)
SLIPS = (  # the wrong code, what PyTorch's message means, and the right code
    (
        "nn.Linear(3, 2)(torch.ones(4, 5))",
        "mat1 is the batch, 4 rows of 5 numbers, mat2 the weights, transposed. The layer expects 3 inputs and got 5.",
        "nn.Linear(5, 2)(torch.ones(4, 5)).shape",
    ),
    (
        "nn.Conv2d(1, 8, 3)(torch.ones(10, 28, 28, 1))",
        "28 channels? Keras and matplotlib have the channels of an image last, here one, grey; PyTorch has them first.",
        "nn.Conv2d(1, 8, 3)(torch.ones(10, 28, 28, 1).permute(0, 3, 1, 2)).shape",
    ),
    (
        "nn.CrossEntropyLoss()(torch.ones(4, 2), torch.ones(4, 1).long())",
        "It needs one class per row, (4,), and got a column, (4, 1).",
        "nn.CrossEntropyLoss()(torch.ones(4, 2), torch.ones(4, 1).long().squeeze(1))",
    ),
    (
        "nn.CrossEntropyLoss()(torch.ones(4, 2), torch.ones(4))",
        "Long is the dtype int64: a class is a whole number, the index of an output. These are floats.",
        "nn.CrossEntropyLoss()(torch.ones(4, 2), torch.ones(4).long())",
    ),
    (
        "nn.CrossEntropyLoss()(torch.ones(4, 2), torch.tensor([1, 2, 1, 2]))",
        "Two outputs are the classes 0 and 1. Classes that a table counts from 1 are one too high.",
        "nn.CrossEntropyLoss()(torch.ones(4, 2), torch.tensor([1, 2, 1, 2]) - 1)",
    ),
    (
        "nn.Linear(3, 2)(torch.from_numpy(np.ones((4, 3))))",
        "Double is float64, NumPy's; Float is float32, the layer's. Also worded as: expected Float but got Double.",
        "nn.Linear(3, 2)(torch.from_numpy(np.ones((4, 3))).float()).shape",
    ),
    (
        "nn.Linear(3, 2, device='meta')(torch.ones(4, 3))",
        "Layer and input are on two devices; meta, without memory, stands for a GPU. Move both with `.to(device)`.",
        "nn.Linear(3, 2, device='meta')(torch.ones(4, 3).to('meta')).shape",
    ),
    (
        "nn.MSELoss()(predictions, targets)",
        "Only a warning: all 4 predictions, which are right, were compared with all 4 targets. Training goes on.",
        "nn.MSELoss()(predictions[:, 0], targets)",
    ),
)


def show_slips() -> None:
    """Prints each slip: the code, PyTorch's own message, what it means, and the right code with its result."""
    names = {"predictions": torch.tensor(PREDICTIONS), "targets": torch.tensor(TARGETS)}
    for wrong, meaning, right in SLIPS:
        show(wrong, **names)
        print(meaning)
        show(right, **names)
        print()


# --- 5. Loss functions ------------------------------------------------------------------------------------------------


def compare_losses() -> float:
    """Prints loss functions beside their formulas, computed in NumPy; returns how far they are apart at most."""
    p, y = np.array([2.5, 0.0, 2.0, 8.0]), np.array([3.0, -0.5, 2.0, 5.0])
    z, odd = np.array([2.0, -1.0, 0.5]), np.array([1.0, 0.0, 0.0])
    logits, classes = np.array([[2.0, 0.5, -1.0], [0.1, 1.2, 3.0]]), np.array([0, 1])

    error = np.abs(p - y)
    huber = np.where(error < 1, error**2 / 2, error - 0.5)
    s = 1 / (1 + np.exp(-z))
    log_softmax = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    binary = np.mean(-odd * np.log(s) - (1 - odd) * np.log(1 - s))
    of_classes = np.mean(-log_softmax[[0, 1], classes])
    losses = [
        (nn.MSELoss(), (p, y), "mean of e^2, e = p - y", np.mean(error**2)),
        (nn.L1Loss(), (p, y), "mean of |e|", np.mean(error)),
        (nn.HuberLoss(), (p, y), "e^2 / 2 up to |e| = 1, then |e| - 1/2", np.mean(huber)),
        (nn.BCELoss(), (s, odd), "mean of -y log s - (1 - y) log(1 - s)", binary),
        (nn.BCEWithLogitsLoss(), (z, odd), "the same of s = 1 / (1 + exp(-z))", binary),
        (nn.NLLLoss(), (log_softmax, classes), "mean of -l[class]", of_classes),
        (nn.CrossEntropyLoss(), (logits, classes), "the same of l = z - log(sum of exp(z))", of_classes),
    ]
    rows: list[list[object]] = []
    max_error = 0.0
    for loss_function, arrays, formula, by_hand in losses:
        loss = float(loss_function(*map(torch.from_numpy, arrays)))
        rows.append([type(loss_function).__name__, formula, f"{by_hand:.6f}", f"{loss:.6f}"])
        max_error = max(max_error, abs(loss - by_hand))
    print(format_table(["loss", "formula", "by hand", "PyTorch"], rows))
    print("BCEWithLogitsLoss and CrossEntropyLoss take logits: the network ends without sigmoid and without softmax.")
    return max_error


# --- 6. Data ----------------------------------------------------------------------------------------------------------


def make_dataset() -> Dataset:
    """Returns the numbers 1 to 100, each labelled odd or even, 1 or 0."""
    from torch.utils.data import Dataset

    class Numbers(Dataset):
        def __len__(self) -> int:
            return 100

        def __getitem__(self, index: int) -> tuple[int, int]:
            if not 0 <= index < len(self):
                raise IndexError(index)  # which ends `for number, is_odd in dataset`
            return index + 1, (index + 1) % 2

    return Numbers()


def show_batches() -> None:
    """Prints what the data set holds, and the batches that a loader makes of it and of an array of 9 rows."""
    from torch.utils.data import DataLoader

    d, table = make_dataset(), np.arange(36).reshape(9, 4)
    show("d[2]", "len(d)", d=d)
    show("next(iter(DataLoader(d, batch_size=4)))", d=d, DataLoader=DataLoader)
    show("[len(numbers) for numbers, is_odd in DataLoader(d, batch_size=40)]", d=d, DataLoader=DataLoader)
    for options in ("batch_size=3", "batch_size=3, shuffle=True"):
        print(f"> for batch in DataLoader(table, {options}): print(batch.tolist())")
        for batch in DataLoader(table, batch_size=3, shuffle="shuffle" in options):
            print(f"    {batch.tolist()}")
    print("A batch is stacked from samples; the last one may be smaller. `shuffle` draws a new order in each epoch.")


# --- 7. The network and the loop --------------------------------------------------------------------------------------


def make_net() -> nn.Module:
    """Returns a new network: numbers (n,) -> 7 binary digits -> 16 hidden units -> logits (n, 2) of even and odd."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = nn.Linear(DIGITS, HIDDEN_UNITS)
            self.dropout = nn.Dropout(0.2)
            self.output = nn.Linear(HIDDEN_UNITS, 2)

        def digits(self, numbers: torch.Tensor) -> torch.Tensor:
            places = 2 ** torch.arange(DIGITS - 1, -1, -1, device=numbers.device)
            return (numbers[:, None] // places % 2).float()

        def forward(self, numbers: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.hidden(self.digits(numbers)))
            return self.output(self.dropout(x))

    return Net()


def make_optimizer(net: nn.Module) -> torch.optim.Optimizer:
    """Returns the optimizer of a network's parameters: its velocity is part of a checkpoint."""
    return torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.95)


def train(net: nn.Module, optimizer: torch.optim.Optimizer, epochs: range, seed: int) -> list[float]:
    """Trains a network in place and returns the mean loss of each epoch."""
    from torch.utils.data import DataLoader

    loader = DataLoader(make_dataset(), batch_size=BATCH_SIZE, shuffle=True)
    loss_function = nn.CrossEntropyLoss()
    device = next(net.parameters()).device
    losses = []
    net.train()
    for epoch in epochs:
        # Order and dropout depend on the seed and on the epoch's number alone: a checkpoint need not keep their state.
        torch.manual_seed(1000 * seed + epoch)
        total = 0.0
        for numbers, is_odd in loader:
            numbers, is_odd = numbers.to(device), is_odd.to(device)
            optimizer.zero_grad()  # else this gradient would be added to those of all steps before
            loss = loss_function(net(numbers), is_odd)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(numbers)
        losses.append(total / len(loader.dataset))
    return losses


def accuracy(net: nn.Module, numbers: torch.Tensor) -> float:
    """Returns the share of numbers (n,) of which the network says rightly whether they are odd."""
    net.eval()
    with torch.no_grad():
        predicted = net(numbers).argmax(dim=1)
    return float((predicted == numbers % 2).float().mean())


def stages(net: nn.Module, numbers: torch.Tensor) -> dict[str, np.ndarray]:
    """Returns the tensors on the way of some numbers (n,) through the network, by their names."""
    net.eval()
    with torch.no_grad():
        digits = net.digits(numbers)
        hidden = net.hidden(digits)
        logits = net(numbers)
    tensors = {"numbers": numbers, "digits": digits, "hidden": hidden, "relu": torch.relu(hidden), "logits": logits}
    tensors["softmax"] = torch.softmax(logits, dim=1)
    return {name: tensor.cpu().numpy() for name, tensor in tensors.items()}


# --- 8. The checkpoint ------------------------------------------------------------------------------------------------


def save_checkpoint(
    path: FilePath, epoch: int, net: nn.Module, optimizer: torch.optim.Optimizer, losses: list[float]
) -> None:
    """Saves all that a run needs to go on; a run that is killed meanwhile leaves the checkpoint before, whole."""
    content = io.BytesIO()
    checkpoint = {"epoch": epoch, "model": net.state_dict(), "optimizer": optimizer.state_dict(), "loss": losses}
    torch.save(checkpoint, content)
    write_atomically(path, content.getvalue())


def load_checkpoint(path: FilePath, net: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[int, list[float]]:
    """Puts a checkpoint back into a new network and its optimizer; returns its epoch and the losses up to it."""
    device = next(net.parameters()).device
    checkpoint = torch.load(path, map_location=device, weights_only=True)  # only numbers: a pickle could run code
    net.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    return checkpoint["epoch"], checkpoint["loss"]


def go_on(path: FilePath, epochs: int, seed: int, device: str, left_out: str = "") -> tuple[nn.Module, list[float]]:
    """Goes on from a checkpoint, as a new process would; returns the network, and the losses from the beginning.

    Args:
        path: the checkpoint.
        epochs: of the whole training.
        seed: the run's.
        device: that it is trained on.
        left_out: "optimizer" or "epoch": what is not put back.
    """
    net = make_net().to(device)
    optimizer = make_optimizer(net)
    epoch, losses = load_checkpoint(path, net, optimizer)
    if left_out == "optimizer":
        optimizer = make_optimizer(net)
    to_go = range(epochs - epoch) if left_out == "epoch" else range(epoch, epochs)
    return net, losses + train(net, optimizer, to_go, seed)


def largest_difference(net: nn.Module, other: nn.Module) -> float:
    """Returns how far the weights of two networks are apart at most."""
    pairs = zip(net.parameters(), other.parameters(), strict=True)
    return max(float((a - b).detach().abs().max()) for a, b in pairs)


# --- 9. train() and eval(), no_grad -----------------------------------------------------------------------------------


def print_modes(net: nn.Module, numbers: torch.Tensor) -> None:
    """Prints for train() and eval(), with and without no_grad, what becomes of dropout and of the gradients."""
    rows: list[list[object]] = []
    for mode in ("train", "eval"):
        for context in ("enable_grad", "no_grad"):
            getattr(net, mode)()
            with getattr(torch, context)():
                first, second = net(numbers), net(numbers)
            rows.append([f"net.{mode}()", context, "off" if torch.equal(first, second) else "on", first.requires_grad])
    print(format_table(["mode", "context", "dropout", "output.requires_grad"], rows))
    print("eval() switches dropout off, no_grad the recording of gradients; neither does what the other does.\n")


def dropout_passes(net: nn.Module, passes: int, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the outputs of dropout (passes, units) and of the network (passes, 2) for the same number each time."""
    getattr(net, mode)()
    numbers = torch.full((passes,), SHOWN, device=next(net.parameters()).device)
    with torch.no_grad():
        dropped = net.dropout(torch.relu(net.hidden(net.digits(numbers))))
        logits = net.output(dropped)
    return dropped.cpu().numpy(), logits.cpu().numpy()


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    return cli.parse_lesson(cli.lesson_parser(docstring, data=None), argv)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Shows each part, trains, stops, goes on, plots; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("pytorch_basics", arguments, engine="torch")
    seed, epochs = arguments.seed, QUICK_EPOCHS if arguments.quick else EPOCHS
    device = "cuda" if torch.cuda.is_available() else "cpu"
    report.data("the numbers 1 to 100, each labelled odd or even")
    report.engine(f"PyTorch {torch.__version__.partition('+')[0]}, on the device {device}")
    torch.manual_seed(seed)

    report.section("1. Tensors and devices")
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    show("x.shape", "x.dtype", "torch.tensor([1, 2]).dtype", "x.device", "x.mean(dim=0)", x=x)
    show("x.to(device).device", "next(nn.Linear(3, 2).to(device).parameters()).device", x=x, device=device)
    print("A batch and the network must be on the same device. `.to` moves a module in place, and copies a tensor.")

    report.section("2. A layer: Linear(3, 2) without bias is x W'")
    report.result({"linear_test_max_error": compare_linear()})

    report.section("3. What belongs to a module")
    block = make_block()
    print(inspect.getsource(make_block))
    print("What is trained, and what is saved:")
    show("[name for name, _ in block.named_parameters()]", "[name for name in block.state_dict()]", block=block)
    print("A plain tensor or a plain list is neither trained nor saved, nor moved by `.to`, and there is no warning.\n")
    show("[tuple(layer.weight.shape) for layer in block.layers]", block=block)
    show("sum(weights.numel() for weights in block.layers.parameters())", block=block)
    show("block(torch.ones(1, 2), 'tanh').shape", block=block)
    show("nn.ModuleList([nn.Linear(2, 3)])(torch.ones(1, 2))", "nn.Sequential(nn.Linear(2, 3), nn.ReLU())")
    print("A ModuleList is a list of layers, and you write `forward`. A Sequential calls them one after the other.")

    report.section("4. Wrong shapes and dtypes: PyTorch's messages and their meaning")
    show_slips()
    report.plot("pytorch_basics-broadcasting", figures.broadcasting, np.ravel(PREDICTIONS), np.array(TARGETS))

    report.section("5. Loss functions and their formulas")
    report.result({"losses_test_max_error": compare_losses()})

    report.section("6. A Dataset and a DataLoader")
    print(inspect.getsource(make_dataset))
    show_batches()

    report.section("7. A network and the training loop")
    print(inspect.getsource(make_net))
    print(inspect.getsource(train))
    torch.manual_seed(seed)
    net = make_net().to(device)
    optimizer = make_optimizer(net)
    print(net)
    print(f"{sum(parameter.numel() for parameter in net.parameters())} weights: {', '.join(net.state_dict())}\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.pt"
        losses = train(net, optimizer, range(CHECKPOINT_EPOCH), seed)
        save_checkpoint(path, CHECKPOINT_EPOCH, net, optimizer, losses)  # and the training runs on
        losses += train(net, optimizer, range(CHECKPOINT_EPOCH, epochs), seed)
        print(format_table(["epoch", "loss"], [[i + 1, f"{losses[i]:.4f}"] for i in range(0, epochs, 3)]))
        seen, unseen = torch.arange(1, 101, device=device), torch.arange(101, 2**DIGITS, device=device)
        metrics = {"train_accuracy": accuracy(net, seen), "test_accuracy": accuracy(net, unseen)}
        print(f"\nAccuracy {metrics['train_accuracy']:.0%} on 1 to 100, {metrics['test_accuracy']:.0%} on 101 to 127")
        report.result(metrics)

        report.section(f"8. A checkpoint after {CHECKPOINT_EPOCH} epochs, and resuming from it")
        print(inspect.getsource(save_checkpoint))
        print(inspect.getsource(load_checkpoint))
        checkpoint = torch.load(path, weights_only=True)
        show("{key: type(part).__name__ for key, part in checkpoint.items()}", checkpoint=checkpoint)
        curves = {"not stopped": losses}
        rows: list[list[object]] = []
        for metric, name, left_out in GONE_ON:
            other, curves[name] = go_on(path, epochs, seed, device, left_out)
            difference = largest_difference(net, other)
            rows.append([name, difference, f"{curves[name][-1]:.6f}"])
            report.result({f"{metric}_train_max_error": difference})
    rows.append(["not stopped", "", f"{losses[-1]:.6f}"])
    print(format_table(["resumed with", "largest difference of a weight", "final loss"], rows))

    report.section("9. train() and eval(), no_grad")
    print_modes(net, seen)
    show("nn.Linear(3, 2)(torch.ones(4, 3)).numpy()", "nn.Linear(3, 2)(torch.ones(4, 3)).detach().numpy().shape")

    report.plot("pytorch_basics-shapes", figures.shapes, stages(net, torch.arange(SHOWN, SHOWN + 8, device=device)))
    report.plot("pytorch_basics-checkpoint", figures.checkpoint, curves, CHECKPOINT_EPOCH)
    passes = {mode: dropout_passes(net, 300, mode) for mode in ("train", "eval")}
    report.plot("pytorch_basics-dropout", figures.dropout, passes, SHOWN)
    return report.finish()


if __name__ == "__main__":
    cli.run(main)

"""The lesson on PyTorch: every line of its curriculum, PyTorch's own messages, and a checkpoint to the same bits."""

import importlib.util
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.lesson_runs import Run, quick_run, start
from torch import nn
from torch.utils.data import DataLoader

from workshop import pytorch_basics as lesson
from workshop.figures import pytorch_basics as figures
from workshop.kit.errors import WorkshopError

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
def run(room: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The quick run: the whole lesson, trained for fewer epochs."""
    return quick_run("pytorch_basics", tmp_path_factory)


def shown(run: Run, code: str) -> list[str]:
    """Returns what stands, indented, below a piece of code."""
    below = run.lines[run.lines.index(f"> {code}") + 1 :]
    end = next(i for i, line in enumerate(below) if not line.startswith("    "))
    return [line.strip() for line in below[:end]]


# --- What is printed --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x.shape", ["torch.Size([2, 3])"]),
        ("x.dtype", ["torch.float32"]),
        ("torch.tensor([1, 2]).dtype", ["torch.int64"]),
        ("x.mean(dim=0)", ["tensor([2.5000, 3.5000, 4.5000])"]),
        ("[tuple(layer.weight.shape) for layer in block.layers]", ["[(3, 2), (4, 3), (3, 4)]"]),
        ("sum(weights.numel() for weights in block.layers.parameters())", ["40"]),
        ("block(torch.ones(1, 2), 'tanh').shape", ["torch.Size([1, 3])"]),
        ("d[2]", ["(3, 1)"]),
        ("len(d)", ["100"]),
        ("next(iter(DataLoader(d, batch_size=4)))", ["[tensor([1, 2, 3, 4]), tensor([1, 0, 1, 0])]"]),
        ("[len(numbers) for numbers, is_odd in DataLoader(d, batch_size=40)]", ["[40, 40, 20]"]),
        (
            "for batch in DataLoader(table, batch_size=3): print(batch.tolist())",
            [str(np.arange(36).reshape(3, 3, 4)[i].tolist()) for i in range(3)],
        ),
        (
            "{key: type(part).__name__ for key, part in checkpoint.items()}",
            ["{'epoch': 'int', 'model': 'OrderedDict', 'optimizer': 'dict', 'loss': 'list'}"],
        ),
    ],
)
def test_the_lesson_shows(code: str, expected: list[str], run: Run) -> None:
    assert shown(run, code) == expected


def test_a_shuffled_loader_draws_the_same_rows_in_another_order(run: Run) -> None:
    batches = [
        eval(line)
        for line in shown(run, "for batch in DataLoader(table, batch_size=3, shuffle=True): print(batch.tolist())")
    ]
    rows = [row for batch in batches for row in batch]
    table = np.arange(36).reshape(9, 4).tolist()
    assert [len(batch) for batch in batches] == [3, 3, 3]
    assert sorted(rows) == table != rows


def test_only_parameters_are_trained_and_buffers_are_saved_too(run: Run) -> None:
    trained = eval(shown(run, "[name for name, _ in block.named_parameters()]")[0])
    saved = eval(shown(run, "[name for name in block.state_dict()]")[0])
    layers = [f"layers.{i}.{name}" for i in range(3) for name in ("weight", "bias")]
    assert trained == ["factor", *layers]
    assert saved == ["factor", "mean", *layers]
    assert "missing the required" in shown(run, "nn.ModuleList([nn.Linear(2, 3)])(torch.ones(1, 2))")[0]
    assert shown(run, "nn.Sequential(nn.Linear(2, 3), nn.ReLU())")[1] == (
        "(0): Linear(in_features=2, out_features=3, bias=True)"
    )


def test_a_quick_run_reaches_the_results_of_the_curriculum(run: Run) -> None:
    metrics = run.metrics
    assert metrics["resumed_train_max_error"] == 0
    assert metrics["without_optimizer_train_max_error"] > 0.1 < 1 == metrics["train_accuracy"]
    assert max(metrics["linear_test_max_error"], metrics["losses_test_max_error"]) < 1e-6
    table = run.table("loss", "formula")[:7]
    assert [row[0] for row in table[:3]] == ["MSELoss", "L1Loss", "HuberLoss"]
    assert all(row[-1] == row[-2] for row in table)
    # By hand: the errors are -0.5, 0.5, 0 and 3; two logits of 0 and of ln 3 give the class 0 a probability of 1/4.
    assert table[0][2] == "2.375000" and table[1][2] == "1.000000" and table[2][2] == "0.687500"
    assert float(nn.CrossEntropyLoss()(torch.tensor([[0.0, np.log(3)]]), torch.tensor([0]))) == pytest.approx(np.log(4))


def test_dropout_and_gradients_have_a_switch_each(run: Run) -> None:
    assert run.table("mode", "context")[:4] == [
        ["net.train()", "enable_grad", "on", "True"],
        ["net.train()", "no_grad", "on", "False"],
        ["net.eval()", "enable_grad", "off", "True"],
        ["net.eval()", "no_grad", "off", "False"],
    ]
    assert "Use tensor.detach().numpy() instead." in shown(run, "nn.Linear(3, 2)(torch.ones(4, 3)).numpy()")[0]


@pytest.mark.slow
def test_the_default_run_is_as_expected(tmp_path: Path) -> None:
    run = start(lesson, tmp_path)
    assert "As expected for this lesson." in run.lines
    assert run.metrics["test_accuracy"] == 1


# --- Wrong shapes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "error", "message"),
    [
        (0, RuntimeError, r"\(4x5 and 3x2\)"),
        (1, RuntimeError, "to have 1 channels, but got 28 channels instead"),
        (2, RuntimeError, "0D or 1D target tensor expected"),
        (3, RuntimeError, "Long.*Float"),
        (4, IndexError, "Target 2 is out of bounds"),
        (5, RuntimeError, "(?i)double.*float"),
        (6, RuntimeError, "device"),
        (7, UserWarning, "broadcasting"),
    ],
)
def test_each_slip_is_pytorchs_own_and_the_right_line_works(
    number: int, error: type[Exception], message: str, run: Run
) -> None:
    assert len(lesson.SLIPS) == 8
    wrong, meaning, right = lesson.SLIPS[number]
    names = {"torch": torch, "nn": nn, "np": np}
    names |= {"predictions": torch.tensor(lesson.PREDICTIONS), "targets": torch.tensor(lesson.TARGETS)}
    with pytest.raises(error, match=message):  # here a warning is an error
        eval(wrong, names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        eval(right, names)
    said = " ".join(shown(run, wrong))
    assert error.__name__ in said and re.search(message, said)
    assert meaning in run.lines and "Error" not in shown(run, right)[0]


def test_a_loss_that_broadcasts_is_wrong_for_right_predictions(run: Run) -> None:
    assert shown(run, "nn.MSELoss()(predictions, targets)")[0] == "tensor(2.5000)"
    assert shown(run, "nn.MSELoss()(predictions[:, 0], targets)") == ["tensor(0.)"]


# --- Data, network, checkpoint ----------------------------------------------------------------------------------------


def test_the_data_set_ends() -> None:
    dataset = lesson.make_dataset()
    assert [dataset[i] for i in (0, 1, 2, 99)] == [(1, 1), (2, 0), (3, 1), (100, 0)]
    assert len(list(dataset)) == len(dataset) == 100
    with pytest.raises(IndexError):
        dataset[100]
    numbers, is_odd = next(iter(DataLoader(dataset, batch_size=100)))
    assert numbers.tolist() == list(range(1, 101)) and torch.equal(is_odd, numbers % 2)


def test_the_network_reads_binary_digits() -> None:
    net = lesson.make_net()
    assert net.digits(torch.tensor([5, 127, 64])).tolist() == [[0, 0, 0, 0, 1, 0, 1], [1] * 7, [1] + [0] * 6]
    assert net(torch.tensor([5, 6, 7])).shape == (3, 2)


def test_a_checkpoint_goes_on_to_the_same_bits_and_runs_no_code(room: Path) -> None:
    torch.manual_seed(1)
    net = lesson.make_net()
    optimizer = lesson.make_optimizer(net)
    losses = lesson.train(net, optimizer, range(1), 1)
    lesson.save_checkpoint(room / "net.pt", 1, net, optimizer, losses)
    losses += lesson.train(net, optimizer, range(1, 3), 1)
    torch.manual_seed(99)  # another process has drawn other numbers
    other, again = lesson.go_on(room / "net.pt", 3, 1, "cpu")
    assert again == losses
    assert all(torch.equal(*pair) for pair in zip(net.parameters(), other.parameters(), strict=True))
    assert lesson.largest_difference(net, lesson.go_on(room / "net.pt", 3, 1, "cpu", "optimizer")[0]) > 0
    assert lesson.largest_difference(net, lesson.go_on(room / "net.pt", 3, 1, "cpu", "epoch")[0]) > 0
    assert [path.name for path in room.iterdir()] == ["net.pt"]  # nothing half-written beside it
    torch.save({"epoch": Path("x")}, room / "code.pt")
    with pytest.raises(Exception, match="Weights only load failed"):
        lesson.load_checkpoint(room / "code.pt", net, optimizer)


def test_without_pytorch_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    monkeypatch.delitem(sys.modules, "torch")
    with pytest.raises(WorkshopError, match="the library torch is not installed: python -m pip install"):
        lesson.main(["--no-plots"])


# --- Plots ------------------------------------------------------------------------------------------------------------


def test_the_plots_show_shapes_the_checkpoint_and_what_a_loss_averages() -> None:
    net = lesson.make_net()
    stages = lesson.stages(net, torch.arange(37, 45))
    assert {name: values.shape for name, values in stages.items()} == {
        "numbers": (8,),
        "digits": (8, 7),
        "hidden": (8, 16),
        "relu": (8, 16),
        "logits": (8, 2),
        "softmax": (8, 2),
    }
    panels = figures.shapes(stages).axes
    assert [panel.get_title() for panel in panels][:2] == ["numbers\n(8,)", "digits\n(8, 7)"]
    assert [text.get_text() for text in panels[1].texts[:7]] == list("0100101")  # 37

    (panel,) = figures.checkpoint({"not stopped": [3, 2, 1], "everything": [3, 2, 1]}, 2).axes
    assert [np.ravel(line.get_xdata()).tolist() for line in panel.lines] == [[1, 2, 3], [2, 3], [2, 2]]
    (panel,) = figures.broadcasting(np.arange(4.0), np.arange(4.0)).axes
    assert "mean of all: 2.5" in panel.get_title() and panel.get_title().endswith("blue ones: 0")

    passes = {mode: lesson.dropout_passes(net, 20, mode) for mode in ("train", "eval")}
    assert np.ptp(passes["eval"][0], axis=0).max() == np.ptp(passes["eval"][1], axis=0).max() == 0
    assert np.ptp(passes["train"][1], axis=0).max() > 0
    assert figures.dropout(passes, 37).axes[2].get_title() == "20 passes of 37"

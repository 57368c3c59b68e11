"""Exercises on the lesson `banknotes`: rows of a list, a new last layer, the weights to keep, a confusion matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workshop.exercises.kit.exercise import AnswerError, Exercise, Mistake
from workshop.kit.lazy import nn, torch

ROWS = [
    {"type": "train", "path": "photos/a.jpg", "class": "3"},
    {"type": "test", "path": "photos/b.jpg", "class": "0"},
    {"type": "train", "path": "photos/c.jpg", "class": "6"},
    {"type": "validation", "path": "photos/d.jpg", "class": "3"},
]
MATRIX = [[8, 2, 0], [1, 9, 5], [0, 4, 11]]


def grade_prepare(prepare: Callable[[Any, int], Any]) -> str:
    """Returns "" for a function that freezes a network and puts a new last layer in."""
    if not callable(prepare):
        raise AnswerError("Give a function.", "type")

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(4, 6), nn.ReLU())
            self.fc = nn.Linear(6, 1000)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.body(x))

    network = Network()
    try:
        result = prepare(network, 7)
        outputs = network(torch.ones(2, 4)).shape
    except (Exception, SystemExit) as error:
        says = " ".join(f"Your function stopped: {type(error).__name__}: {error}".split())[:200]
        raise AnswerError(says, "error") from None
    body = any(parameter.requires_grad for parameter in network.body.parameters())
    head = all(parameter.requires_grad for parameter in network.fc.parameters())
    if outputs == (2, 1000) and body and head:
        if result is None or result is ...:
            raise AnswerError("Nothing yet: the network is as it was.", "unanswered")
        return "other_name"
    if outputs == (2, 1000):
        return "old_layer"
    if outputs != (2, 7):
        raise AnswerError(f"The network gives {outputs[-1]} numbers now, takes 7.", "shape")
    if body:
        return "not_frozen"
    return "" if head else "head_frozen"


EXERCISES = (
    Exercise(
        title="The rows of one type",
        task='`csv.DictReader` makes a dictionary of each row of the list, every cell a text: `{"type": "train", '
        '"path": "photos/a.jpg", "class": "3"}`. Write a function that returns, for the rows of one type and in their '
        "order, pairs of the path and the class, the class as a **whole number**.",
        stub='''\
def select(rows, kind):
    """Returns [(path, class), ...] of the rows whose type is `kind`: "train", "validation" or "test"."""
    ...
''',
        solution="""\
def select(rows, kind):
    return [(row["path"], int(row["class"])) for row in rows if row["type"] == kind]
""",
        explanation="The list, not the folder, decides what is trained on: the same photographs can be divided anew "
        "without moving a file, and everybody who has the list tests on the same notes.",
        hints=(
            'A loop over the rows; row["type"] == kind says whether a row belongs to them.',
            "int turns a text into a whole number: int(row[...]).",
        ),
        mistakes=(
            Mistake(
                "all_rows",
                "You return the rows of all types: the test notes would be trained on.",
                'def select(rows, kind):\n    return [(row["path"], int(row["class"])) for row in rows]',
            ),
            Mistake(
                "class_as_text",
                "The classes are still texts. The loss function takes numbers.",
                "def select(rows, kind):\n"
                '    return [(row["path"], row["class"]) for row in rows if row["type"] == kind]',
            ),
            Mistake(
                "other_types",
                "You left out the requested rows and returned all others.",
                "def select(rows, kind):\n"
                '    return [(row["path"], int(row["class"])) for row in rows if row["type"] != kind]',
            ),
            Mistake(
                "class_first",
                "The path comes first, then the class.",
                "def select(rows, kind):\n"
                '    return [(int(row["class"]), row["path"]) for row in rows if row["type"] == kind]',
            ),
        ),
        inputs=((ROWS, "train"), (ROWS, "validation"), (ROWS[::-1], "test")),
    ),
    Exercise(
        title="Freeze, then a new last layer",
        task="The last layer of a ResNet is its attribute `fc`, an `nn.Linear`. Write a function that freezes all of "
        "the network's parameters and then puts a **new** `nn.Linear` in the place of `fc`, of as many inputs as the "
        "old one had and of `classes` outputs, which is trained. It changes the network and needs to return nothing.",
        stub='''\
def prepare(network, classes):
    """Freezes a network whose last layer is network.fc, and replaces that layer by a new one."""
    ...
''',
        solution="""\
def prepare(network, classes):
    network.requires_grad_(False)
    network.fc = nn.Linear(network.fc.in_features, classes)
""",
        explanation="A new layer's parameters require gradients, so the order matters: freeze first, replace then. "
        "The optimizer is made of the new layer's parameters alone, or of all: those without a gradient stay.",
        hints=(
            "A module has a method that sets requires_grad of all of its parameters.",
            "network.requires_grad_(False) freezes all that is there now. The old layer knows its in_features.",
            "network.fc = nn.Linear(network.fc.in_features, ...), after the freezing.",
        ),
        mistakes=(
            Mistake(
                "not_frozen",
                "The body is still trained: eleven million weights, on a few notes.",
                "def prepare(network, classes):\n    network.fc = nn.Linear(network.fc.in_features, classes)",
            ),
            Mistake(
                "head_frozen",
                "Your new layer is frozen as well: nothing is left to train. Which comes first?",
                "def prepare(network, classes):\n"
                "    network.fc = nn.Linear(network.fc.in_features, classes)\n"
                "    network.requires_grad_(False)",
            ),
            Mistake(
                "old_layer",
                "The last layer is the old one: it still has an output for each of its old classes.",
                "def prepare(network, classes):\n"
                "    network.requires_grad_(False)\n"
                "    network.fc.requires_grad_(True)",
            ),
            Mistake(
                "other_name",
                "The new layer is not in the place of `fc`, and `forward` does not call it.",
                "def prepare(network, classes):\n    network.head = nn.Linear(6, classes)\n    return network",
            ),
        ),
        grade=grade_prepare,
        imports="import numpy as np\nfrom torch import nn",
    ),
    Exercise(
        title="Which weights to keep",
        task="After each epoch the loss on the validation notes was measured. The weights of the epoch with the lowest "
        "one are kept; of two that are equal, those of the earlier. Write a function that returns the number of that "
        "epoch, counted **from 1**.",
        stub='''\
def best_epoch(validation_losses):
    """Returns the number, from 1, of the epoch with the lowest validation loss."""
    ...
''',
        solution="""\
def best_epoch(validation_losses):
    return int(np.argmin(validation_losses)) + 1
""",
        explanation="np.argmin returns the first of equal ones. The training loss would not do: it falls as long as "
        "one trains. And the test notes must not choose: what they chose could no longer be evaluated on them.",
        hints=(
            "NumPy has a function that returns where the smallest element is.",
            "np.argmin counts from 0.",
        ),
        mistakes=(
            Mistake(
                "from_zero",
                "You count from 0; the first epoch is number 1.",
                "def best_epoch(validation_losses):\n    return int(np.argmin(validation_losses))",
            ),
            Mistake(
                "highest",
                "That is the epoch with the highest loss: a loss is to be small.",
                "def best_epoch(validation_losses):\n    return int(np.argmax(validation_losses)) + 1",
            ),
            Mistake(
                "last",
                "You keep the weights of the last epoch, whatever was measured.",
                "def best_epoch(validation_losses):\n    return len(validation_losses)",
            ),
            Mistake(
                "the_loss",
                "You return the lowest loss itself; return its epoch.",
                "def best_epoch(validation_losses):\n    return min(validation_losses)",
            ),
            Mistake(
                "later",
                "Of two equal losses, return the earlier epoch.",
                "def best_epoch(validation_losses):\n"
                "    return len(validation_losses) - int(np.argmin(validation_losses[::-1]))",
            ),
        ),
        inputs=(([0.9, 0.4, 0.6, 0.5],), ([0.7, 0.3, 0.3, 0.8, 0.9],), ([0.2, 0.4, 1.3],)),
    ),
    Exercise(
        title="How many of the 50s are found",
        task="The rows of a confusion matrix are the true classes, its columns the predicted ones. Write a function "
        "that returns the share of the notes of a class that were named right: its *recall*.",
        stub='''\
def recall(matrix, label):
    """Returns the recall of a class, 0 to 1; matrix[true][predicted] counts notes."""
    ...
''',
        solution="""\
def recall(matrix, label):
    return matrix[label][label] / sum(matrix[label])
""",
        explanation="The row holds all notes that are of this class, whatever they were called. The column holds all "
        "that were called so: with it you have the precision.",
        hints=(
            "Right are those on the diagonal: matrix[label][label].",
            "Divide by the number of notes that truly are of this class: they all stand in one row.",
        ),
        mistakes=(
            Mistake(
                "precision",
                "You divided by the notes that were called so, its column: that is the precision.",
                "def recall(matrix, label):\n    return matrix[label][label] / sum(row[label] for row in matrix)",
            ),
            Mistake(
                "of_all",
                "You divided by all notes, those of the other classes too.",
                "def recall(matrix, label):\n    return matrix[label][label] / sum(map(sum, matrix))",
            ),
            Mistake(
                "accuracy",
                "That is the accuracy, one number for all classes together.",
                "def recall(matrix, label):\n"
                "    return sum(matrix[i][i] for i in range(len(matrix))) / sum(map(sum, matrix))",
            ),
            Mistake(
                "count",
                "That is how many were named right. Which share is that?",
                "def recall(matrix, label):\n    return matrix[label][label]",
            ),
        ),
        inputs=((MATRIX, 0), (MATRIX, 1), (MATRIX, 2)),
    ),
)

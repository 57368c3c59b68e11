"""Exercises on the lesson `pytorch_basics`: layers, a data set, error messages, a step of training, a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workshop.exercises.kit.exercise import AnswerError, Exercise, Mistake, tell_error
from workshop.kit.lazy import nn, torch

LAYER_INPUTS = (
    (np.array([[1.0, 2.0], [0.0, 1.0], [-1.0, 0.5]]), np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.5, -1.0])),
    (np.array([[2.0, 0.0, 1.0]]), np.array([[1.0, 0.0, 2.0], [5.0, 1.0, 0.0], [0.0, 3.0, -1.0]]), np.ones(3)),
)


def dataset_code(length: str = "50", item: str = "index + 1, int((index + 1) % 3 == 0)") -> str:
    """Returns the code of an answer to the exercise on the data set, from its length and its sample."""
    return f"""\
class Threes(Dataset):
    def __len__(self):
        return {length}

    def __getitem__(self, index):
        return {item}
"""


def step_code(*lines: str, returned: str = "loss.item()") -> str:
    """Returns the code of an answer to the exercise on a step of training, from its lines in order."""
    body = "".join(f"    {line}\n" for line in (*lines, f"return {returned}"))
    return f"def train_step(net, optimizer, loss_function, x, y):\n{body}"


ZERO, FORWARD = "optimizer.zero_grad()", "loss = loss_function(net(x), y)"
BACKWARD, STEP = "loss.backward()", "optimizer.step()"
WRONG_STEPS = (
    Mistake(
        "gradients_add_up",
        "The first step is right, and the next ones are not: `backward` adds to the gradient that is there, and yours "
        "still holds those of the steps before.",
        step_code(FORWARD, BACKWARD, STEP),
    ),
    Mistake(
        "step_too_early",
        "The optimizer steps before this step's gradient is there: it has none, or that of the batch before.",
        step_code(FORWARD, STEP, ZERO, BACKWARD),
    ),
    Mistake(
        "nothing_learned",
        "The weights stay as they were. Is there a gradient at the moment when the optimizer steps, and does it step?",
        step_code(FORWARD, BACKWARD, ZERO, STEP),
    ),
)
RETURNED = (
    Mistake(
        "tensor_returned",
        "The weights are right, but you return the loss as a tensor. It drags its whole graph along: a list of such "
        "losses fills the memory. A tensor of one number gives it as a Python number.",
        step_code(ZERO, FORWARD, BACKWARD, STEP, returned="loss"),
    ),
    Mistake(
        "nothing_returned",
        "The weights are right, but your function returns nothing: return the loss as well.",
        step_code(ZERO, FORWARD, BACKWARD, STEP, returned="None"),
    ),
)


def grade_dataset(cls: Any) -> str:
    """Returns "" for a class of the numbers 1 to 50, each with 1 where it can be divided by 3 and 0 elsewhere."""
    if not isinstance(cls, type):
        raise AnswerError("Give a class.", "type")
    try:
        dataset = cls()
        if dataset.__len__() is None and dataset[2] is None:
            raise AnswerError("Nothing yet: both functions return nothing. Do they end with return?", "unanswered")
        samples = [dataset[index] for index in (0, 1, 2, 49)]
        length = len(dataset)
    except (Exception, SystemExit) as error:
        if isinstance(error, AnswerError):
            raise
        raise AnswerError(f"Your class stopped: {tell_error(error)}", "error") from None
    if not all(isinstance(sample, tuple) and len(sample) == 2 for sample in samples):
        return "no_pair"
    if [number for number, _ in samples] == [0, 1, 2, 49]:
        return "index_itself"
    if any(isinstance(divisible, (bool, np.bool_)) for _, divisible in samples):
        return "truth_values"
    if samples != [(1, 0), (2, 0), (3, 1), (50, 0)]:
        raise AnswerError(f"The samples of the indices 0, 1, 2 and 49 are {str(samples)[:150]}. That is not it.")
    if length != 50:
        return "length"
    return ""


def run_steps(step: Callable[..., Any]) -> tuple[list[Any], list[float]]:
    """Returns what three steps of training return, and the weights after them."""
    net = nn.Linear(1, 1)
    with torch.no_grad():
        net.weight.fill_(0.5)
        net.bias.fill_(0.0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x, y = torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [3.0]])
    losses = [step(net, optimizer, nn.MSELoss(), x, y) for _ in range(3)]
    return losses, [float(net.weight.detach()), float(net.bias.detach())]


def grade_step(step: Any) -> str:
    """Returns "" for a function that trains a network by one step and returns the loss as a number."""
    if not callable(step):
        raise AnswerError("Give a function.", "type")
    try:
        losses, weights = run_steps(step)
    except (Exception, SystemExit) as error:
        raise AnswerError(f"Your function stopped: {tell_error(error)}", "error") from None
    exercise = next(exercise for exercise in EXERCISES if exercise.grade is grade_step)
    right_losses, right_weights = run_steps(exercise.run(exercise.solution))
    if all(loss is None or loss is ... for loss in losses) and weights == [0.5, 0.0]:
        raise AnswerError("Nothing yet: no weight has changed, and nothing is returned.", "unanswered")
    if not np.allclose(weights, right_weights, atol=1e-6):
        for mistake in WRONG_STEPS:
            if np.allclose(weights, run_steps(exercise.run(mistake.code))[1], atol=1e-6):
                return mistake.name
        raise AnswerError("After three steps the weights are others than those of gradient descent.")
    if any(loss is None for loss in losses):
        return "nothing_returned"
    if any(isinstance(loss, torch.Tensor) for loss in losses):
        return "tensor_returned"
    if not np.allclose(np.array(losses, float), right_losses, atol=1e-6):
        raise AnswerError("The weights are right, but what you return is not the loss of the step.")
    return ""


EXERCISES = (
    Exercise(
        title="What nn.Linear computes",
        task="Write in NumPy what `nn.Linear` does with a batch x. Its weights W have the shape (outputs, inputs), its "
        "bias b (outputs,).",
        stub='''\
def linear(x, W, b):
    """Returns the outputs (n, outputs) for x (n, inputs), W (outputs, inputs) and b (outputs,)."""
    ...
''',
        solution="def linear(x, W, b):\n    return x @ W.T + b\n",
        explanation="PyTorch keeps a row of weights for each output, so the product takes the transposed matrix. Keras "
        "keeps a column for each output: whoever copies weights from one to the other has to transpose.",
        hints=(
            "The product of matrices is `@`: rows of the first times columns of the second.",
            "x has rows of as many numbers as W has in a row. So W has to be turned first.",
            "The bias is added to each row by broadcasting.",
        ),
        mistakes=(
            Mistake(
                "not_transposed",
                "x @ W multiplies with the columns of W. A row of W belongs to an output here. (With another number of "
                "outputs the shapes would not even fit.)",
                "def linear(x, W, b):\n    return x @ W + b\n",
            ),
            Mistake("no_bias", "The bias is missing.", "def linear(x, W, b):\n    return x @ W.T\n"),
            Mistake(
                "bias_in_the_product",
                "You added the bias to the weights. It is added to what comes out.",
                "def linear(x, W, b):\n    return x @ (W.T + b)\n",
            ),
        ),
        inputs=LAYER_INPUTS,
    ),
    Exercise(
        title="Count the weights of a ModuleList",
        task="`nn.ModuleList(nn.Linear(a, b) for a, b in pairwise([2, 3, 4, 3]))` holds three layers: 2 to 3, 3 to 4, "
        "and 4 to 3. How many weights are that, biases counted too? Give a whole number, or let Python compute it.",
        stub="weights = ...",
        solution="weights = (2 * 3 + 3) + (3 * 4 + 4) + (4 * 3 + 3)",
        explanation="9 + 16 + 15. `sum(p.numel() for p in layers.parameters())` counts them; in a plain list nobody "
        "finds them: the optimizer gets none, and none is saved.",
        hints=(
            "Each layer has a weight for each pair of an input and an output.",
            "And each output adds a number of its own, the bias.",
            "The first layer has 2 * 3 + 3. Go on so, and add up.",
        ),
        mistakes=(
            Mistake(
                "no_biases",
                "The biases are missing: each output adds one number of its own.",
                "weights = 2 * 3 + 3 * 4 + 4 * 3",
            ),
            Mistake(
                "bias_for_each_input",
                "You counted a bias for each input of a layer. It is one for each output.",
                "weights = (2 * 3 + 2) + (3 * 4 + 3) + (4 * 3 + 4)",
            ),
            Mistake(
                "four_layers",
                "Four sizes make three layers: a layer leads from one size to the next.",
                "weights = (2 * 3 + 3) + (3 * 4 + 4) + (4 * 3 + 3) + (3 * 2 + 2)",
            ),
        ),
    ),
    Exercise(
        title="The number in the message",
        task="A network ends with `nn.Flatten(), nn.Linear(800, 128)`. Its first batch stops with `RuntimeError: mat1 "
        "and mat2 shapes cannot be multiplied (32x3136 and 800x128)`. Which number has to stand in place of 800?",
        stub="inputs = ...",
        solution="inputs = 3136",
        explanation="mat1 is the batch: 32 images of 3,136 numbers each, 64 channels of 7 x 7. mat2 are the layer's "
        "weights. So you need not work out the shapes by hand: run a batch, and read the message.",
        hints=(
            "mat1 is what comes in, mat2 the weights of the layer.",
            "A batch has a row for each image. How many rows, how many numbers in a row?",
        ),
        mistakes=(
            Mistake("batch", "That is the number of images in the batch, which may change.", "inputs = 32"),
            Mistake("outputs", "That is the number of outputs, the second argument.", "inputs = 128"),
            Mistake("as_it_was", "That is what the layer was told, and what does not fit.", "inputs = 800"),
            Mistake(
                "all_numbers",
                "That is all numbers of the batch together. The layer looks at one image at a time.",
                "inputs = 32 * 3136",
            ),
        ),
    ),
    Exercise(
        title="A loss that says nothing",
        task="A network predicts 1, 2, 3 in the shape (3, 1). The targets are 1, 2, 3 in the shape (3,). Which loss "
        "does `nn.MSELoss` give, beside its warning? Give three digits, or let Python compute it.",
        stub="loss = ...",
        solution="loss = (0 + 1 + 4 + 1 + 0 + 1 + 4 + 1 + 0) / 9",
        explanation="(3, 1) and (3,) are broadcast to (3, 3): each prediction is compared with each target. Trained by "
        "this loss, a network learns to predict the mean of all targets for every sample.",
        hints=(
            "Write the two shapes below each other, from the right. What becomes of an axis of length 1?",
            "The differences make a table of 3 x 3.",
            "The squares in it are 0, 1, 4; 1, 0, 1; 4, 1, 0. The loss is their mean.",
        ),
        mistakes=(
            Mistake(
                "as_meant",
                "So it was meant: each prediction with its own target. The shapes say something else.",
                "loss = 0.0",
            ),
            Mistake("sum", "That is the sum of the squares. The loss is their mean.", "loss = 12.0"),
            Mistake(
                "divided_by_samples",
                "The mean is taken of all squares in the table, and those are more than the samples.",
                "loss = 12 / 3",
            ),
            Mistake("not_squared", "The differences have to be squared.", "loss = 8 / 9"),
        ),
        tolerance=0.002,
    ),
    Exercise(
        title="A Dataset of your own",
        task="Write a `Dataset` of the numbers 1 to 50, each with 1 where it can be divided by 3, with 0 elsewhere. "
        "The sample of index 2 is the tuple `(3, 1)`, and the length is 50.",
        stub='''\
class Threes(Dataset):
    """The numbers 1 to 50, each with 1 where it can be divided by 3, with 0 elsewhere."""

    def __len__(self):
        """Returns how many samples there are."""
        ...

    def __getitem__(self, index):
        """Returns the sample of an index: the number, and 1 or 0."""
        ...
''',
        solution=dataset_code(),
        explanation="With these two functions a `DataLoader` can do everything: draw an order of the indices, ask for "
        "the samples, and stack them to tensors. What is a file on the disk is opened in `__getitem__`, when its "
        "turn comes.",
        hints=(
            "`__len__` returns how many samples there are.",
            "Indices count from 0, and the numbers from 1.",
            "`number % 3 == 0` is True or False; `int` makes 1 or 0 of it. Return the number and that, with a comma.",
        ),
        mistakes=(
            Mistake(
                "index_itself",
                "Your samples are the indices themselves: they count from 0, and the numbers from 1.",
                dataset_code(item="index, int(index % 3 == 0)"),
            ),
            Mistake(
                "no_pair",
                "A sample is a pair here: the number, and what is to be predicted of it.",
                dataset_code(item="int((index + 1) % 3 == 0)"),
            ),
            Mistake(
                "truth_values",
                "The second of a pair is True or False. Tensors of bool are made of that, and a loss takes whole "
                "numbers for its classes.",
                dataset_code(item="index + 1, (index + 1) % 3 == 0"),
            ),
            Mistake(
                "length",
                "The samples are right, but not the length: a loader would leave some out, or ask for too many.",
                dataset_code(length="49"),
            ),
        ),
        grade=grade_dataset,
        imports="from torch.utils.data import Dataset",
    ),
    Exercise(
        title="One step of training",
        task="Write the step that the training loop repeats: set the gradients to zero, compute the loss of the batch, "
        "compute the gradients, and change the weights. Return the loss as a Python number.",
        stub='''\
def train_step(net, optimizer, loss_function, x, y):
    """Trains `net` by one step on the batch x, y and returns its loss, a number."""
    ...
''',
        solution=step_code(ZERO, FORWARD, BACKWARD, STEP),
        explanation="These four lines are PyTorch's training, whatever the network is. `zero_grad` has to come before "
        "`backward`, and `step` behind it; the rest of the order is free.",
        hints=(
            "Four lines: `zero_grad` of the optimizer, the loss, `backward` of the loss, `step` of the optimizer.",
            "`loss_function(net(x), y)` is the loss, a tensor of one number.",
            "`.item()` gives the number of a tensor that holds one.",
        ),
        mistakes=(*WRONG_STEPS, *RETURNED),
        grade=grade_step,
        imports="import torch\nfrom torch import nn",
    ),
    Exercise(
        title="What may be left out",
        task="A run with SGD and momentum was stopped. It is to go on to the same bits. Its checkpoint holds `model`, "
        "`optimizer`, `epoch` and `loss`; the order of the batches and dropout depend on the seed and the epoch's "
        "number. Which of the four could be left out? Give its name as a text.",
        stub="part = ...",
        solution='part = "loss"',
        explanation="The losses up to there are a record, for the curve and for a look: no step is computed from them. "
        "The weights, the velocities of the optimizer and the number of the next epoch are.",
        hints=(
            "Ask of each of the four: is a later step computed from it?",
            "Momentum adds to the velocity of the step before. Where is that kept?",
        ),
        mistakes=(
            Mistake("model", "Without it the weights are those of a new network.", 'part = "model"'),
            Mistake(
                "optimizer",
                "The optimizer keeps a velocity for each weight. A new one begins at 0, and takes other steps.",
                'part = "optimizer"',
            ),
            Mistake(
                "epoch",
                "The order of the batches is drawn from it: the run would repeat the orders of its first epochs.",
                'part = "epoch"',
            ),
        ),
    ),
    Exercise(
        title="Two predictions for one image",
        task="A network with dropout is evaluated: `with torch.no_grad(): print(net(image), net(image))`. The two "
        'outputs differ. What is missing? `"a"`: `optimizer.zero_grad()` before it. `"b"`: `net.eval()` before it. '
        '`"c"`: `torch.no_grad()` for each of the two. `"d"`: a softmax.',
        stub="missing = ...",
        solution='missing = "b"',
        explanation="In train() dropout draws anew each time, with no_grad or without it. no_grad only stops the "
        "recording of what gradients are computed from: it saves memory and time, and changes no output.",
        hints=(
            "Which layer of the network draws random numbers, and when?",
            "Two switches: one is for the layers, the other for the gradients.",
        ),
        mistakes=(
            Mistake(
                "zero_grad",
                "Gradients have no part in a prediction: they would change weights, and here nothing steps.",
                'missing = "a"',
            ),
            Mistake(
                "no_grad",
                "It holds for the whole block already. It stops the recording, and no layer asks about it.",
                'missing = "c"',
            ),
            Mistake(
                "softmax",
                "A softmax makes probabilities of logits. Of two different outputs it makes two different ones.",
                'missing = "d"',
            ),
        ),
    ),
)

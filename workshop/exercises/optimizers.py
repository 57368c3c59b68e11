"""Exercises on the lesson `optimizers`: momentum, Adam's first step, Rprop, memory, and a rate that is lowered."""

from __future__ import annotations

from workshop.exercises.kit.exercise import Exercise, Mistake

LOSSES = [1.0, 0.8, 0.9, 0.85, 0.81, 0.82, 0.7, 0.75, 0.74, 0.73, 0.72]
FLAT = [0.5, 0.6, 0.55, 0.5, 0.52, 0.4, 0.41, 0.41, 0.41]


def momentum_code(velocity: str, weight: str = "w + v") -> str:
    """Returns the code of an answer to the first exercise, from the new velocity and the new weight."""
    return f"def momentum_step(w, v, gradient, rate, momentum):\n    v = {velocity}\n    return [{weight}, v]\n"


def rprop_code(agrees: str = "length *= 1.2", changed: str = "length *= 0.5", step: str = "length * sign") -> str:
    """Returns the code of an answer to the third exercise: what is done where signs agree and where they change."""
    return f"""\
def rprop(gradients, length):
    w, before = 0.0, 0
    for gradient in gradients:
        sign = np.sign(gradient)
        if sign * before > 0:
            {agrees}
        elif sign * before < 0:
            {changed}
        w -= {step}
        before = sign
    return w
"""


def plateau_code(is_better: str = "loss < lowest", after: str = "rate, waited = rate * factor, 0") -> str:
    """Returns the code of an answer to the fifth exercise."""
    return f"""\
def lowered(losses, rate, factor, patience):
    used, lowest, waited = [], np.inf, 0
    for loss in losses:
        used.append(rate)
        if {is_better}:
            lowest, waited = loss, 0
        else:
            waited += 1
            if waited >= patience:
                {after}
    return used
"""


EXERCISES = (
    Exercise(
        title="A step with momentum",
        task="The velocity becomes momentum times the old velocity, minus rate times gradient. Then the weight moves "
        "by the new velocity. Return a list of the new weight and the new velocity.",
        stub='''\
def momentum_step(w, v, gradient, rate, momentum):
    """Returns [new weight, new velocity]; all are numbers."""
    ...
''',
        solution=momentum_code("momentum * v - rate * gradient"),
        explanation="Steps in the same direction add up to ten times their length at momentum 0.9; steps back and "
        "forth cancel. So it runs along a valley and hardly swings across it.",
        hints=(
            "Two lines: first the velocity, then the weight.",
            "The gradient points uphill, and the velocity downhill: rate * gradient is subtracted from it.",
            "v = momentum * v - rate * gradient, and then w + v.",
        ),
        mistakes=(
            Mistake(
                "uphill",
                "The step goes uphill: one of your two signs sends the weight along the gradient.",
                momentum_code("momentum * v + rate * gradient"),
            ),
            Mistake(
                "old_velocity",
                "The weight moved by the old velocity. At the very first step that would be 0, and nothing would move.",
                momentum_code("momentum * v - rate * gradient", "w + (v + rate * gradient) / momentum"),
            ),
            Mistake(
                "no_memory",
                "That is plain gradient descent: the old velocity is forgotten.",
                momentum_code("-rate * gradient"),
            ),
            Mistake(
                "rate_on_all",
                "The rate multiplies the gradient only. Yours shortens the old velocity with every step as well.",
                momentum_code("rate * (momentum * v - gradient)"),
            ),
            Mistake(
                "average",
                "The gradient is not weighted with 1 - momentum here. That is the average of Adam, not the sum of "
                "momentum.",
                momentum_code("momentum * v - (1 - momentum) * rate * gradient"),
            ),
        ),
        inputs=((1.0, 0.0, 2.0, 0.1, 0.9), (0.5, -0.2, 1.0, 0.1, 0.9), (0.5, 0.3, -4.0, 0.01, 0.5)),
    ),
    Exercise(
        title="Adam's first step",
        task="A weight is 1.0, and its gradient in the first mini-batch 0.001. What is the weight after one step of "
        "Adam with the rate 0.01? beta_1 is 0.9, beta_2 0.999, epsilon so small that you may leave it out. Give "
        "five digits, or let Python compute it.",
        stub="w = ...",
        solution="w = 0.99",
        explanation="m' = g and v' = g^2 after the corrections, so that m' / sqrt(v') is the sign of the gradient: the "
        "first step is as long as the rate, whether the gradient is 0.001 or 1,000.",
        hints=(
            "m = 0.1 g and v = 0.001 g^2, as both began at 0. Then both are corrected for that.",
            "m' = m / (1 - 0.9) and v' = v / (1 - 0.999).",
            "The step is 0.01 m' / sqrt(v'). What is g / sqrt(g^2)?",
        ),
        mistakes=(
            Mistake(
                "not_corrected",
                "Both averages began at 0, and v is smaller by 1,000 for it while m is smaller by 10. Correct them "
                "first.",
                "w = 1 - 0.01 * 0.1 * 0.001 / np.sqrt(0.001 * 0.001**2)",
            ),
            Mistake(
                "descent",
                "That is gradient descent: the gradient was not divided by its own size.",
                "w = 1 - 0.01 * 0.001",
            ),
            Mistake("uphill", "The step goes uphill: the gradient is above 0.", "w = 1.01"),
            Mistake(
                "no_root",
                "You divided by v', the square. The root of it has the size of a gradient.",
                "w = 1 - 0.01 * 0.001 / 0.001**2",
            ),
        ),
        tolerance=1e-4,
    ),
    Exercise(
        title="Rprop, which sees signs only",
        task="Write Rprop for one weight that starts at 0. `length` is the length of the first step. Where the sign of"
        " the gradient is that of the one before, the length is first multiplied by 1.2; where it has changed, by"
        " 0.5. Then the weight moves by that length, against the gradient. (The limits of the length, and the "
        "rest after a change, are left out.) Return the weight after all gradients. No gradient is 0.",
        stub='''\
def rprop(gradients, length):
    """Returns the weight after steps along a list of gradients; `length` is the first step's."""
    ...
''',
        solution=rprop_code(),
        explanation="Nine gradients of +0.1 and one of -0.9 add up to 0. Descent comes back to where it was; Rprop has"
        " made nine long steps one way and a short one back. On all the data at once that does no harm: "
        "there the sign is right each time.",
        hints=(
            "Keep the sign of the last gradient in a variable, 0 before the first. np.sign gives it.",
            "The product of two signs is 1 where they agree and -1 where they do not.",
            "In the loop: change the length, then w -= length * sign, then remember the sign.",
        ),
        mistakes=(
            Mistake(
                "size_counts",
                "Your steps are longer for larger gradients. In Rprop only the sign of the gradient counts.",
                rprop_code(step="length * gradient"),
            ),
            Mistake(
                "exchanged",
                "Grow where the sign stays, shrink where it changes: yours does the opposite.",
                rprop_code("length *= 0.5", "length *= 1.2"),
            ),
            Mistake("uphill", "Your weight walks uphill.", rprop_code(step="-length * sign")),
            Mistake(
                "never_shrinks",
                "After a change of the sign the step is as long as before: it swings across the minimum for ever.",
                rprop_code(changed="pass"),
            ),
            Mistake(
                "grows_by_addition",
                "The length is multiplied by 1.2, not made longer by 1.2.",
                rprop_code("length += 1.2"),
            ),
        ),
        inputs=(([0.1] * 9 + [-0.9], 0.01), ([3.0, 2.0, -1.0, 0.5, 0.5], 0.1), ([-2.0, -2.0], 0.5)),
    ),
    Exercise(
        title="The memory of Adam",
        task="The network 784-500-300-10 has 545,810 weights, four bytes each. How many megabytes (millions of bytes) "
        "do the weights, their gradient and Adam's memory take together?",
        stub="megabytes = ...",
        solution="megabytes = 545_810 * 4 * 4 / 1e6",
        explanation="Four times the model: weights, gradient, and two moving averages, of the gradient and of its "
        "square. Descent needs two, momentum and RMSprop three. What the layers remember for the backward "
        "pass comes on top, and grows with the batch.",
        hints=(
            "How many numbers does Adam keep for each weight?",
            "Two moving averages. With the weight and its gradient that makes four numbers a weight.",
            "Four numbers of four bytes for each of 545,810 weights, divided by a million.",
        ),
        mistakes=(
            Mistake(
                "weights_alone",
                "That is the model as it is saved. For a training step more is needed.",
                "megabytes = 545_810 * 4 / 1e6",
            ),
            Mistake(
                "two",
                "That is two numbers for each weight. One of the pairs is missing: weight and gradient, or Adam's own.",
                "megabytes = 545_810 * 4 * 2 / 1e6",
            ),
            Mistake(
                "three",
                "Three numbers for each weight: those of momentum. Adam keeps one more.",
                "megabytes = 545_810 * 4 * 3 / 1e6",
            ),
        ),
        tolerance=0.01,
    ),
    Exercise(
        title="Lower the rate when the loss stalls",
        task="`losses` has the validation loss after each epoch. Where it has not been below its lowest for `patience`"
        " epochs in a row, the rate of the next epoch is multiplied by `factor`, and the waiting begins anew. "
        "Return the list of the rates that the epochs were trained with; the first is `rate`.",
        stub='''\
def lowered(losses, rate, factor, patience):
    """Returns the rate of each epoch, a list as long as the losses."""
    ...
''',
        solution=plateau_code(),
        explanation="It is keras.callbacks.ReduceLROnPlateau without its smallest difference. A high rate is quick at "
        "first and comes to no rest at the end; the validation loss says when it is time.",
        hints=(
            "Keep the lowest loss so far, and how many epochs have passed without a lower one.",
            "Append the rate first: the epoch was trained with it before its loss was known.",
            "if loss < lowest: remember it and wait anew; else count, and at `patience` lower the rate.",
        ),
        mistakes=(
            Mistake(
                "last_loss",
                "You compare with the loss of the last epoch. A loss that goes up and down would never stall.",
                plateau_code(is_better="loss < (losses[len(used) - 2] if len(used) > 1 else np.inf)"),
            ),
            Mistake(
                "keeps_falling",
                "Once the rate was lowered, yours is lowered in every epoch. The new rate needs its own time.",
                plateau_code(after="rate = rate * factor"),
            ),
            Mistake(
                "one_late",
                "Yours waits an epoch too long.",
                plateau_code().replace("waited >= patience", "waited > patience"),
            ),
            Mistake(
                "subtracts",
                "The rate is multiplied by the factor. Yours has the factor taken away.",
                plateau_code(after="rate, waited = rate - factor, 0"),
            ),
        ),
        inputs=((LOSSES, 0.1, 0.5, 3), (FLAT, 1.0, 0.2, 2)),
    ),
)

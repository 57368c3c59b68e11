"""Exercises on the lesson `recurrent_cells`: a state by hand, an LSTM's step, gates that remember."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from workshop.exercises.kit.exercise import AnswerError, Exercise, Mistake

STEPS = 100


def grade_gates(biases: Any) -> str:
    """Returns "" for biases (b_i, b_f) of the gates of a memory that lasts, and that nothing is written to."""
    try:
        b_i, b_f = (float(bias) for bias in biases)
    except (TypeError, ValueError):
        raise AnswerError("Give two numbers, in parentheses: the biases (b_i, b_f).", "type") from None
    if not (math.isfinite(b_i) and math.isfinite(b_f)):
        raise AnswerError("Both biases are finite numbers: no gate has to be open or closed to the last digit.", "nan")
    i, f = (0.5 * (1 + math.tanh(bias / 2)) for bias in (b_i, b_f))  # the sigmoid, which never overflows so
    kept, written = f**STEPS, sum(i * f**step for step in range(STEPS))
    if kept > 0.9 and written < 0.1:
        return ""
    if {b_i, b_f} <= {0.0, 1.0}:
        return "gates_not_biases"
    if b_i > 0 > b_f:
        return "exchanged"
    if kept > 0.9:
        return "written_over"
    if written < 0.1:
        return "forgotten"
    raise AnswerError(f"After {STEPS} steps {kept:.2g} of the 1 is left, and {written:.2g} was added by the inputs.")


EXERCISES = (
    Exercise(
        title="Two steps of a SimpleRNN by hand",
        task="A SimpleRNN of one unit: `h' = tanh(x W + h U + b)` with W = 1, U = 0.5 and b = 0, and it starts with "
        "h = 0. It reads first 1, then -0.2. Compute its state after both numbers; `math.tanh` is there.",
        stub="state = ...",
        solution="""\
first = math.tanh(1 * 1 + 0 * 0.5)
state = math.tanh(-0.2 * 1 + first * 0.5)
""",
        explanation="After the first number the state is 0.7616. The second step adds half of it to -0.2, so the state "
        "is 0.1789, not -0.1974 as without a memory: the first number is still felt.",
        hints=(
            "Compute two states: one after each number. The second needs the first.",
            "The first is tanh(1), since h = 0 at the start.",
            "The second is tanh of -0.2 and half of the first state.",
        ),
        mistakes=(
            Mistake(
                "no_state",
                "Your second step has forgotten the first: the state before it comes in, too.",
                "state = math.tanh(-0.2)",
            ),
            Mistake(
                "no_tanh",
                "Each step ends with tanh; without it a state could grow without bound.",
                "state = -0.2 + 1 * 0.5",
            ),
            Mistake(
                "tanh_at_the_end",
                "You applied tanh after the last step only: the state that goes into the second step is a tanh, too.",
                "state = math.tanh(-0.2 + 1 * 0.5)",
            ),
            Mistake(
                "state_not_weighted",
                "The state comes back by its own weight U.",
                "state = math.tanh(-0.2 + math.tanh(1))",
            ),
            Mistake(
                "first_step",
                "That is the state after the first number; there is another one to read.",
                "state = math.tanh(1)",
            ),
        ),
        imports="import math",
    ),
    Exercise(
        title="The gates at work",
        task="The three gates `i`, `f`, `o` and the candidate `g` of an LSTM's step are computed, and `c` is the old "
        "memory. Return the new state and the new memory, in this order: the forget gate scales the old memory, the "
        "input gate scales the candidate that is added to it, and the output gate scales the tanh of the new memory.",
        stub='''\
def lstm_step(i, f, g, o, c):
    """Returns the new state h and the new memory c, of arrays (units,) each."""
    ...
''',
        solution="""\
def lstm_step(i, f, g, o, c):
    new_c = f * c + i * g
    h = o * np.tanh(new_c)
    return h, new_c
""",
        explanation="The memory is changed by a sum, not by a matrix and a tanh: where f is 1, it goes through a step "
        "unchanged, and so does the gradient on its way back.",
        hints=(
            "First the new memory. It has two parts; which gate scales which?",
            "The new memory is f times the old one plus i times the candidate; all products are number by number, *.",
            "The state is o times np.tanh of the new memory. Return two things: return h, new_c.",
        ),
        mistakes=(
            Mistake(
                "old_memory_shown",
                "Your state shows the old memory: the output gate comes after the memory was changed.",
                "def lstm_step(i, f, g, o, c):\n    return o * np.tanh(c), f * c + i * g",
            ),
            Mistake(
                "no_tanh",
                "The memory can grow beyond 1; tanh brings it back before the output gate.",
                "def lstm_step(i, f, g, o, c):\n    new_c = f * c + i * g\n    return o * new_c, new_c",
            ),
            Mistake(
                "gates_exchanged",
                "Your forget gate scales the candidate, and the input gate the memory.",
                "def lstm_step(i, f, g, o, c):\n    new_c = i * c + f * g\n    return o * np.tanh(new_c), new_c",
            ),
            Mistake(
                "forgets_by_one_minus",
                "A forget gate of 1 keeps: in spite of its name it is the share of the memory that stays.",
                "def lstm_step(i, f, g, o, c):\n    new_c = (1 - f) * c + i * g\n    return o * np.tanh(new_c), new_c",
            ),
            Mistake(
                "order",
                "You returned the memory first: the state is what comes first.",
                "def lstm_step(i, f, g, o, c):\n    new_c = f * c + i * g\n    return new_c, o * np.tanh(new_c)",
            ),
        ),
        inputs=(
            tuple(np.array([[0.5], [0.9], [0.8], [0.6], [1.5]])),
            tuple(np.array([[0.1, 0.9], [0.7, 0.2], [-0.5, 0.4], [1.0, 0.3], [0.3, -2.0]])),
        ),
    ),
    Exercise(
        title="Gates that remember",
        task="The memory of an LSTM unit is c = 1. It is to last 100 steps, whatever the unit reads. Only the biases "
        "of the gates are not 0, so that i = sigmoid(b_i) and f = sigmoid(b_f) at every step, and the candidate g lies "
        "between -1 and 1. Choose `(b_i, b_f)` so that after 100 steps more than 0.9 of the 1 is left, and the inputs "
        "have moved the memory by less than 0.1 altogether.",
        stub="biases = ...",
        solution="biases = (-8, 8)",
        explanation="sigmoid(8) is 0.99966, and its hundredth power 0.967; sigmoid(-8) lets in 0.00034 of each number. "
        "This is why the forget gate's bias starts at 1 in Keras and not at 0: a network that forgets at once never "
        "finds out what was worth remembering.",
        hints=(
            "c' = f c + i g. What should f be, and what should i be?",
            "f is to be close to 1 and i close to 0. For which numbers is a sigmoid close to 1, and to 0?",
            "0.99 is not close enough: its hundredth power is 0.37. Try large numbers, one positive and one negative.",
        ),
        mistakes=(
            Mistake(
                "gates_not_biases",
                "0 and 1 are what the gates should be. The biases go through a sigmoid first, and sigmoid(0) is 0.5.",
                "biases = (0, 1)",
            ),
            Mistake(
                "forgotten",
                "The memory fades: a share that is lost at each step is lost a hundred times.",
                "biases = (-8, 3)",
            ),
            Mistake(
                "written_over",
                "The memory stays, but the input gate is open, so that every number that is read is added to it.",
                "biases = (8, 8)",
            ),
            Mistake(
                "exchanged",
                "Your unit forgets what it knew and takes in all that it reads: which bias is which?",
                "biases = (8, -8)",
            ),
        ),
        grade=grade_gates,
        imports="",
    ),
)

"""Exercises on the lesson `deep_q_network`: targets of a step, exploring, the replay memory, Double DQN."""

from __future__ import annotations

from typing import Any

import numpy as np

from workshop.exercises.kit.exercise import AnswerError, Exercise, Mistake
from workshop.exercises.kit.models import check_is_model, with_activations
from workshop.kit.lazy import keras

Q = np.array([[330.0, 40.0, -430.0], [1.0, 5.0, 3.0], [-2.0, -9.0, -4.0], [0.5, 0.2, 0.9]])
Q_NEXT = np.array([[350.0, 100.0, 20.0], [4.0, 2.0, 6.0], [-1.0, -3.0, -2.0], [7.0, 8.0, 1.0]])
Q_NEXT_COPY = np.array([[300.0, 390.0, 30.0], [5.0, 3.0, 2.0], [-4.0, -1.0, -3.0], [6.0, 4.0, 9.0]])
REWARDS = np.array([-8.0, 1.0, -100.0, 0.5])
TERMINATED = np.array([False, False, True, False])
TRUNCATED = np.array([False, True, False, False])
DISTANCES = np.array([60.0, 59.2, 58.1, 57.5, 58.0, 56.9, 55.8, 54.6])  # of one car, step by step
SAMPLED = np.array([31.0, 72.5, 8.0, 55.5, 40.0, 66.0])  # from a memory


def q_network(output: str, inputs: int = 20) -> str:
    """Returns the code of an answer to the second exercise, from its last layer."""
    return f"""\
q_network = keras.Sequential(
    [
        keras.Input(({inputs},)),
        keras.layers.Dense(20, activation="relu"),
        keras.layers.Dense(150, activation="relu"),
        {output},
    ]
)
"""


def targets_code(value: str) -> str:
    """Returns the code of an answer to the sixth exercise, from what it returns."""
    return f"def targets(rewards, best_next, terminated, truncated, discount):\n    return {value}\n"


def double_code(chosen_by: str, valued_by: str, end: str = " * (1 - terminated)") -> str:
    """Returns the code of an answer to the seventh exercise: which network selects, and which one evaluates."""
    return f"""\
def double_targets(rewards, q_next, q_next_copy, terminated, discount):
    action = {chosen_by}.argmax(axis=1)
    value = {valued_by}[np.arange(len(action)), action]
    return rewards + discount * value{end}
"""


def grade_network(model: Any) -> str:
    """Returns "" for 20 inputs, 20 and 150 units with relu and three linear outputs."""
    check_is_model(model)
    if tuple(model.input_shape[1:]) == (21,):
        return "action_as_input"
    if tuple(model.input_shape[1:]) != (20,):
        raise AnswerError(f"The input has the shape {model.input_shape[1:]}, where 20 numbers are (20,).", "shape")
    if tuple(model.output_shape[1:]) == (1,):
        return "one_output"
    if tuple(model.output_shape[1:]) != (3,):
        raise AnswerError(
            f"The output has the shape {model.output_shape[1:]}. How many actions does the car have?", "shape"
        )
    dense = with_activations(model, keras.layers.Dense)
    units = [layer.units for layer, _ in dense]
    activations = [activation for _, activation in dense]
    if activations[-1] == "softmax":
        return "softmax"
    if activations[-1] == "relu":
        return "relu_output"
    if activations[-1] != "linear":
        raise AnswerError("The output has an activation that keeps it within bounds; a Q value has none.")
    if units == [150, 3]:
        return "one_hidden"
    if units != [20, 150, 3]:
        raise AnswerError(f"Your dense layers have {units} units, expected [20, 150, 3].")
    if activations[:-1] != ["relu", "relu"]:
        raise AnswerError("A hidden layer has the wrong activation.")
    return ""


EXERCISES = (
    Exercise(
        title="The target of one step",
        task="The network predicts the Q values 330, 40 and -430 for left, right and straight. The car turns left, gets"
        " the reward -8, and in the new state the largest of the three Q values is 350. The discount is 0.9. Which "
        "three numbers is the network trained towards for the old state? Give a list.",
        stub="three = ...",
        solution="three = [-8 + 0.9 * 350, 40, -430]",
        explanation="The target of the action that was taken is -8 + 0.9 x 350 = 307. The other two targets are what "
        "the network predicts anyway: their error is 0, so that this step teaches nothing about actions that "
        "were not tried.",
        hints=(
            "Only one action was tried. What does this step say about the other two?",
            "Where the target equals the prediction, the error is 0, and nothing is changed.",
            "The first target is reward + discount x largest next Q value; the other two stay as they are.",
        ),
        mistakes=(
            Mistake(
                "others_zero",
                "A target of 0 says that the other two actions are worth 0, but they were not tried.",
                "three = [307, 0, 0]",
            ),
            Mistake(
                "no_discount",
                "The next state lies one step ahead: its value is discounted.",
                "three = [342, 40, -430]",
            ),
            Mistake("no_reward", "The reward of this very step is missing.", "three = [315, 40, -430]"),
            Mistake(
                "added",
                "The target replaces the old value of the action; you added it to that.",
                "three = [637, 40, -430]",
            ),
            Mistake(
                "all_three",
                "All three got the same target. The reward came for one action.",
                "three = [307, 307, 307]",
            ),
            Mistake(
                "reward_discounted",
                "You discounted the reward as well. It comes now.",
                "three = [0.9 * (-8 + 350), 40, -430]",
            ),
        ),
        imports="",
    ),
    Exercise(
        title="A network of Q values",
        task="Build the course's network: the 20 numbers of the headlights go in, two hidden layers of 20 and of 150 "
        "units follow, both with relu, and a Q value for each of the three actions comes out. Rewards of its car are "
        "positive or negative.",
        stub="q_network = ...",
        solution=q_network("keras.layers.Dense(3)"),
        explanation="A Q value is a sum of rewards: any number, negative ones too, so the output is linear. One pass "
        "gives the values of all three actions; `argmax` finds the best.",
        hints=(
            "keras.Sequential takes a list of layers; the first is keras.Input with the shape of one state.",
            "Which activation lets a unit give 307 as well as -430?",
            "A Dense layer without an activation is linear.",
        ),
        mistakes=(
            Mistake(
                "softmax",
                "Your outputs are probabilities, which add up to 1. A Q value is a sum of rewards.",
                q_network("keras.layers.Dense(3, activation='softmax')"),
            ),
            Mistake(
                "relu_output",
                "Your outputs are never negative, but a way that ends at an obstacle is worth less than 0.",
                q_network("keras.layers.Dense(3, activation='relu')"),
            ),
            Mistake(
                "one_output",
                "Your network gives one number. To find the best action, you want the values of all of them at once.",
                q_network("keras.layers.Dense(1)"),
            ),
            Mistake(
                "action_as_input",
                "You made the action an input: then the best one takes as many passes as there are actions.",
                q_network("keras.layers.Dense(1)", inputs=21),
            ),
            Mistake(
                "one_hidden",
                "One hidden layer is missing: the first of the two is as wide as the input.",
                "q_network = keras.Sequential([keras.Input((20,)), keras.layers.Dense(150, activation='relu'),"
                " keras.layers.Dense(3)])",
            ),
        ),
        grade=grade_network,
        imports="import keras",
    ),
    Exercise(
        title="Epsilon falls",
        task="At first the car knows nothing and should try everything, later it should use what it has learned. Return"
        " epsilon, the probability of a random action, at a step: it falls along a straight line from `start` at "
        "step 0 to `end` at step `steps`, and then stays there.",
        stub='''\
def epsilon_at(step, start, end, steps):
    """Returns epsilon at a step; all are numbers."""
    ...
''',
        solution="""\
def epsilon_at(step, start, end, steps):
    done = min(step / steps, 1)
    return start + done * (end - start)
""",
        explanation="The schedule counts steps, not seconds, so that the same seed gives the same run on a slow and on "
        "a fast computer. It does not fall to 0 while the car learns: what is never tried again is never corrected.",
        hints=(
            "Which share of the way down is done at this step? It is 0 at step 0 and 1 at step `steps`.",
            "After that the share stays 1: min(..., 1).",
            "start, plus the share, times the difference between end and start.",
        ),
        mistakes=(
            Mistake(
                "falls_on",
                "After the last step of the schedule yours falls on, and gets negative.",
                "def epsilon_at(step, start, end, steps):\n    return start + step / steps * (end - start)",
            ),
            Mistake(
                "to_zero",
                "Yours falls towards 0 and is held at `end` when it gets there: it arrives before step `steps`.",
                "def epsilon_at(step, start, end, steps):\n    return max(end, start * (1 - step / steps))",
            ),
            Mistake(
                "rises",
                "Yours rises: the car would use what it knows first, when it knows nothing.",
                "def epsilon_at(step, start, end, steps):\n    return end + min(step / steps, 1) * (start - end)",
            ),
            Mistake(
                "curved",
                "Yours falls along a curve, by the same factor at each step. Make it a straight line.",
                "def epsilon_at(step, start, end, steps):\n    return start * (end / start) ** min(step / steps, 1)",
            ),
        ),
        inputs=((0, 1.0, 0.05, 1000), (250, 1.0, 0.05, 1000), (5000, 1.0, 0.05, 1000), (30, 0.8, 0.2, 60)),
    ),
    Exercise(
        title="Epsilon-greedy actions of many cars",
        task="`q` has a row for each car and a column for each action. `r` has a random number for each car, at least 0"
        " and below 1, and `random_actions` a random action. Return an action for each car: where r is below "
        "epsilon the random one, else the one with the largest Q value.",
        stub='''\
def epsilon_greedy(q, epsilon, r, random_actions):
    """Returns actions (cars,), of q (cars, actions), a number, r (cars,) and random_actions (cars,)."""
    ...
''',
        solution="""\
def epsilon_greedy(q, epsilon, r, random_actions):
    best = np.argmax(q, axis=1)
    return np.where(r < epsilon, random_actions, best)
""",
        explanation="With probability epsilon an action is tried whatever its value. A greedy car drives the first way "
        "that worked for ever, and does not find out about a shorter one.",
        hints=(
            "Which function of NumPy gives the column of the largest number in each row?",
            "np.where(condition, a, b) takes from a where the condition holds, else from b.",
            "The condition is r < epsilon; a are the random actions, b is np.argmax(q, axis=1).",
        ),
        mistakes=(
            Mistake(
                "exchanged",
                "Yours explores where it should be greedy: at epsilon 0 all actions would be random.",
                "def epsilon_greedy(q, epsilon, r, random_actions):\n"
                "    return np.where(r < epsilon, np.argmax(q, axis=1), random_actions)",
            ),
            Mistake(
                "largest_value",
                "You give the largest Q value; the action is the column in which it stands.",
                "def epsilon_greedy(q, epsilon, r, random_actions):\n"
                "    return np.where(r < epsilon, random_actions, np.max(q, axis=1))",
            ),
            Mistake(
                "one_coin",
                "One random number decided for all cars. Each car has its own.",
                "def epsilon_greedy(q, epsilon, r, random_actions):\n"
                "    return random_actions if r[0] < epsilon else np.argmax(q, axis=1)",
            ),
            Mistake(
                "never_explores",
                "Your cars are always greedy.",
                "def epsilon_greedy(q, epsilon, r, random_actions):\n    return np.argmax(q, axis=1)",
            ),
            Mistake(
                "smallest",
                "Your cars take the worst action.",
                "def epsilon_greedy(q, epsilon, r, random_actions):\n"
                "    return np.where(r < epsilon, random_actions, np.argmin(q, axis=1))",
            ),
        ),
        inputs=(
            (Q, 0.3, np.array([0.5, 0.1, 0.9, 0.2]), np.array([2, 0, 1, 1])),
            (Q, 0.0, np.array([0.0, 0.4, 0.6, 0.8]), np.array([1, 2, 2, 0])),
            (Q, 1.0, np.array([0.5, 0.1, 0.9, 0.2]), np.array([1, 0, 2, 0])),
        ),
    ),
    Exercise(
        title="How alike are neighbours in a batch",
        task="`values` has a number of each sample of a batch, such as the car's distance to the station, in the order "
        "in which the samples were taken. Return the correlation of each sample with the next one: 1 where "
        "neighbours go up and down together, about 0 where one says nothing about the next.",
        stub='''\
def neighbour_correlation(values):
    """Returns the correlation, -1 to 1, of values (samples,) with those one place later."""
    ...
''',
        solution="""\
def neighbour_correlation(values):
    return np.corrcoef(values[:-1], values[1:])[0, 1]
""",
        explanation="A hundred steps in a row are nearly the same state a hundred times, and a gradient of them bends "
        "the network to this one place. A batch sampled from a large memory comes from many drives: its samples"
        " say nothing about one another, as in a batch of images.",
        hints=(
            "values[:-1] are all but the last, values[1:] all but the first.",
            "np.corrcoef(a, b) gives a table of four correlations. Which of them is that of a with b?",
            "Row 0, column 1 of np.corrcoef(values[:-1], values[1:]).",
        ),
        mistakes=(
            Mistake(
                "with_itself",
                "You took the correlation of the values with themselves, in the corner of the table: it is always 1.",
                "def neighbour_correlation(values):\n    return np.corrcoef(values[:-1], values[1:])[0, 0]",
            ),
            Mistake(
                "covariance",
                "That is the covariance: it depends on the unit of the values. A correlation is divided by both "
                "standard deviations.",
                "def neighbour_correlation(values):\n    return np.cov(values[:-1], values[1:])[0, 1]",
            ),
            Mistake(
                "two_later",
                "You compared each sample with the one after the next.",
                "def neighbour_correlation(values):\n    return np.corrcoef(values[:-2], values[2:])[0, 1]",
            ),
            Mistake(
                "reversed",
                "You compared the batch with the same batch from its end.",
                "def neighbour_correlation(values):\n    return np.corrcoef(values, values[::-1])[0, 1]",
            ),
        ),
        inputs=((DISTANCES,), (SAMPLED,), (np.array([1.0, 3.0, 2.0, 4.0, 3.5]),)),
    ),
    Exercise(
        title="Targets of a batch, ends among them",
        task="Return the target of each step: the reward, plus discount times the largest Q value of the next state. A "
        "step that `terminated` at an obstacle, a wall or the station has no next state: its target is the reward "
        "alone. A step that was `truncated` because the time was up has one: the car could have driven on.",
        stub='''\
def targets(rewards, best_next, terminated, truncated, discount):
    """Returns targets (steps,); terminated and truncated (steps,) are True or False."""
    ...
''',
        solution=targets_code("rewards + discount * best_next * (1 - terminated)"),
        explanation="The values of all states rest on the ends, the only places where the target is no estimate. "
        "Gymnasium tells `terminated` and `truncated` apart for this line: a time limit belongs to the "
        "training, not to the road.",
        hints=(
            "What is 1 - terminated where it is True, and where it is False?",
            "Multiply with it what a step without a next state does not have. What does it still have?",
            "rewards + discount * best_next * (...); one of the two arguments is not needed.",
        ),
        mistakes=(
            Mistake(
                "no_end",
                "A step that ended counts on a next state: a crash would be followed by the value of a new drive.",
                targets_code("rewards + discount * best_next"),
            ),
            Mistake(
                "truncated_too",
                "You cut the steps whose time was up as well: the car would learn that a good place is worth nothing, "
                "because a clock stood at 0.",
                targets_code("rewards + discount * best_next * (1 - terminated) * (1 - truncated)"),
            ),
            Mistake(
                "reward_cut",
                "You took the reward of the last step away as well: neither crash nor station would count.",
                targets_code("(rewards + discount * best_next) * (1 - terminated)"),
            ),
            Mistake(
                "exchanged",
                "Yours has a next state where the drive ended, and none where it went on.",
                targets_code("rewards + discount * best_next * terminated"),
            ),
            Mistake(
                "no_discount",
                "The discount is missing.",
                targets_code("rewards + best_next * (1 - terminated)"),
            ),
            Mistake(
                "wrong_end",
                "You cut the steps whose time was up, and let those that ended go on.",
                targets_code("rewards + discount * best_next * (1 - truncated)"),
            ),
        ),
        inputs=(
            (REWARDS, np.array([350.0, 6.0, -1.0, 8.0]), TERMINATED, TRUNCATED, 0.9),
            (REWARDS, np.array([10.0, 20.0, 30.0, 40.0]), ~TERMINATED, TRUNCATED, 0.5),
        ),
    ),
    Exercise(
        title="The target of Double DQN",
        task="The largest of several inexact values is mostly one that is too large. Double DQN lets one network choose"
        " and the other evaluate: the action with the largest value in `q_next`, of the network that learns, and "
        "for this action the value in `q_next_copy`, of the target network. Return the targets; a terminated step "
        "has none of a next state.",
        stub='''\
def double_targets(rewards, q_next, q_next_copy, terminated, discount):
    """Returns targets (steps,), of q_next and q_next_copy (steps, actions), terminated (steps,)."""
    ...
''',
        solution=double_code("q_next", "q_next_copy"),
        explanation="Where the first network overestimates an action by chance, the second one mostly does not. The "
        "targets stay nearer to the returns that really come.",
        hints=(
            "Two steps: which action is the best for the network that learns? Then, what does the copy say of it?",
            "table[np.arange(len(action)), action] picks one number from each row.",
            "action = q_next.argmax(axis=1), then the value of q_next_copy, then the target as in the exercise before.",
        ),
        mistakes=(
            Mistake(
                "copy_alone",
                "That is the plain target: the copy chooses the action and evaluates it too.",
                double_code("q_next_copy", "q_next_copy"),
            ),
            Mistake(
                "exchanged",
                "The copy should evaluate, but yours chooses.",
                double_code("q_next_copy", "q_next"),
            ),
            Mistake(
                "online_alone",
                "The network that learns chooses and evaluates: the target moves with each update of it.",
                double_code("q_next", "q_next"),
            ),
            Mistake(
                "no_end",
                "A step that ended counts on a next state.",
                double_code("q_next", "q_next_copy", ""),
            ),
        ),
        inputs=(
            (REWARDS, Q_NEXT, Q_NEXT_COPY, TERMINATED, 0.9),
            (REWARDS[:2], Q_NEXT[2:], Q_NEXT_COPY[2:], TERMINATED[1:3], 0.5),
        ),
    ),
)

"""Exercises on the lesson `q_learning`: discounted values, a sweep, an ace's two values, the update of Q-learning."""

from __future__ import annotations

import numpy as np

from workshop.exercises.kit.exercise import Exercise, Mistake

FINITE = {0: {1: 1, 2: 2}, 1: {3: 1, 4: 1}, 2: {4: -1000}, 3: {5: 1}, 4: {5: 10}, 5: {}}
ENDLESS = {0: {0: 1, 1: -3}, 1: {1: 2}}

EXERCISES = (
    Exercise(
        title="The value of a state with a discount",
        task="In the finite process the rewards are: 0 to 1 +1, 0 to 2 +2, 1 to 3 +1, 1 to 4 +1, 2 to 4 -1000, 3 to 5 "
        "+1, 4 to 5 +10. What is the value of state 0 with the discount 0.9? The first reward counts whole, the second "
        "0.9 times, the third 0.81 times.",
        stub="value = ...",
        solution="value = 1 + 0.9 * 1 + 0.9**2 * 10",
        explanation="The best way is 0-1-4-5, and its rewards count 1, 0.9 and 0.81 times: 1 + 0.9 + 8.1 = 10. A "
        "reward of two steps later loses nearly a fifth, and is still worth waiting for.",
        hints=(
            "There are three ways from 0 to 5. Which one earns most?",
            "Take the way over the states 1 and 4. Its rewards are 1, 1 and 10.",
            "Multiply the second reward by 0.9, the third by 0.9 twice, and add the three up.",
        ),
        mistakes=(
            Mistake(
                "no_discount",
                "That is the return without a discount: later rewards count less here.",
                "value = 1 + 1 + 10",
            ),
            Mistake(
                "first_discounted",
                "You discounted the first reward, too. It comes at once and counts whole.",
                "value = 0.9 * 1 + 0.9**2 * 1 + 0.9**3 * 10",
            ),
            Mistake(
                "once_for_all",
                "You multiplied all later rewards by 0.9 once. Of two steps later, a reward loses twice.",
                "value = 1 + 0.9 * (1 + 10)",
            ),
            Mistake(
                "greedy",
                "That is the way with the larger first reward. What follows it is in the value as well.",
                "value = 2 + 0.9 * -1000 + 0.9**2 * 10",
            ),
            Mistake(
                "other_way",
                "That is what the way over the state 3 returns. The value of a state is that of its best way.",
                "value = 1 + 0.9 * 1 + 0.9**2 * 1",
            ),
        ),
    ),
    Exercise(
        title="One sweep of value iteration",
        task="Write one sweep: the list of the new values of all states, from their values `V` so far. The new value "
        "of a state is the largest of reward + discount * V[next state] over its actions, and 0 where it has none. "
        "`process[state]` gives the rewards by the next state, such as `{1: 1, 2: 2}`; the states are 0, 1, 2, ...",
        stub='''\
def sweep(process, V, discount):
    """Returns the new values (a list) of the states, from those so far, V (a list)."""
    ...
''',
        solution="""\
def sweep(process, V, discount):
    new = []
    for state in process:
        sums = [reward + discount * V[to] for to, reward in process[state].items()]
        new.append(max(sums, default=0))
    return new
""",
        explanation="Each sweep looks one step further: after one the values are the best next rewards, after two the "
        "best sums of two rewards. In a process of three steps three sweeps are enough; in an endless one the discount "
        "makes what is added smaller and smaller.",
        hints=(
            "Go over the states. For each, compute a sum for each of its actions.",
            "process[state].items() gives pairs of the next state and the reward.",
            "max(sums, default=0) is the largest, and 0 where the list is empty.",
        ),
        mistakes=(
            Mistake(
                "no_reward",
                "The reward of the step itself is missing: you only looked at what follows.",
                "def sweep(process, V, discount):\n"
                "    return [max((discount * V[to] for to in process[s]), default=0) for s in process]",
            ),
            Mistake(
                "no_discount",
                "The values of the next states were not multiplied by the discount.",
                "def sweep(process, V, discount):\n"
                "    return [max((r + V[to] for to, r in process[s].items()), default=0) for s in process]",
            ),
            Mistake(
                "all_discounted",
                "You discounted the reward, too. The reward of this step counts whole.",
                "def sweep(process, V, discount):\n"
                "    sums = [[r + V[to] for to, r in process[s].items()] for s in process]\n"
                "    return [discount * max(s, default=0) for s in sums]",
            ),
            Mistake(
                "mean",
                "You took the mean over the actions: that is the value for one who chooses blindly, not the best.",
                "def sweep(process, V, discount):\n"
                "    sums = [[r + discount * V[to] for to, r in process[s].items()] for s in process]\n"
                "    return [sum(s) / len(s) if s else 0 for s in sums]",
            ),
            Mistake(
                "largest_reward",
                "You took the action with the largest reward of the step. What follows it counts as well.",
                "def sweep(process, V, discount):\n"
                "    best = [max(process[s].items(), key=lambda pair: pair[1], default=None) for s in process]\n"
                "    return [pair[1] + discount * V[pair[0]] if pair else 0 for pair in best]",
            ),
        ),
        inputs=(
            (FINITE, [0, 0, 0, 0, 0, 0], 0.9),
            (FINITE, [2, 1, -1000, 1, 10, 0], 0.9),
            (FINITE, [2, 10, -991, 1, 10, 0], 0.5),
            (ENDLESS, [4.0, 30.0], 0.95),
        ),
    ),
    Exercise(
        title="The discount that decides",
        task="In the endless process you earn 1 in each step for ever, or you pay 3 once (a reward of -3) and then "
        "earn 2 in each step for ever. From which discount on is it better to pay? Give the discount at which both are "
        "worth the same. The sum 1 + d + d*d + ... of a discount d is 1 / (1 - d).",
        stub="discount = ...",
        solution="discount = 4 / 5",
        explanation="Staying is worth 1 / (1 - d), paying -3 + 2 d / (1 - d): the first 2 comes one step later. Both "
        "are equal where 1 = -3 (1 - d) + 2 d, that is 5 d = 4. Who discounts more does not wait for the 2.",
        hints=(
            "What is 1 in each step for ever worth? Use the sum that is given.",
            "Paying is worth -3 now, and the discount times what 2 in each step for ever is worth.",
            "Solve 1 / (1 - d) = -3 + 2 * d / (1 - d): multiply both sides by 1 - d.",
        ),
        mistakes=(
            Mistake(
                "earned_at_once",
                "In the step in which you pay, you do not earn the 2 yet: it comes one step later, discounted.",
                "discount = 2 / 3",
            ),
            Mistake(
                "first_1_forgotten",
                "Who stays earns 1 in the first step, too: you began to count one step later.",
                "discount = 3 / 4",
            ),
            Mistake(
                "gain_by_cost",
                "You compared single rewards. All those that follow count, each a little less than the one before.",
                "discount = 1 / 3",
            ),
            Mistake(
                "half",
                "Twice the reward does not make one half: what matters is how long one waits, and what one pays.",
                "discount = 1 / 2",
            ),
        ),
    ),
    Exercise(
        title="An ace counts 1 or 11",
        task="A hand has a total, and `ace` is 1 if one of its aces counts 11, else 0. It takes a card, 1 (an ace) to "
        "10. Return the new total and the new `ace`, two numbers. An ace counts 11 where the total then is 21 or less, "
        "else 1; and an ace that counted 11 counts 1 once the total would be more than 21.",
        stub='''\
def add_one_card(total, ace, card):
    """Returns the total and whether an ace counts 11 (1 or 0), after one more card."""
    ...
''',
        solution="""\
def add_one_card(total, ace, card):
    total = total + card
    if card == 1 and total + 10 <= 21:
        total, ace = total + 10, 1
    elif total > 21 and ace == 1:
        total, ace = total - 10, 0
    return total, ace
""",
        explanation="A hand with an ace that counts 11 is called soft: no card can harm it. That is why it is played "
        "differently, and why the state of the game has three numbers, not two.",
        hints=(
            "Add the card first, an ace as 1. Then ask whether something changes by 10.",
            "There are two cases: a new ace that can count 11, and an old one that no longer can.",
            "if card == 1 and total + 10 <= 21: ...; elif total > 21 and ace == 1: ...",
        ),
        mistakes=(
            Mistake(
                "ace_is_one",
                "A new ace always counts 1 in your function.",
                "def add_one_card(total, ace, card):\n"
                "    total = total + card\n"
                "    return (total - 10, 0) if total > 21 and ace else (total, ace)",
            ),
            Mistake(
                "ace_is_eleven",
                "A new ace always counts 11 in your function, also where that is too much.",
                "def add_one_card(total, ace, card):\n"
                "    total, ace = (total + 11, 1) if card == 1 else (total + card, ace)\n"
                "    return (total - 10, 0) if total > 21 and ace and card != 1 else (total, ace)",
            ),
            Mistake(
                "never_hard_again",
                "A hand whose ace counted 11 is bust above 21 in your function: the ace may count 1 then.",
                "def add_one_card(total, ace, card):\n"
                "    total = total + card\n"
                "    return (total + 10, 1) if card == 1 and total + 10 <= 21 else (total, ace)",
            ),
            Mistake(
                "flag_stays",
                "The total is right, but your `ace` stays 1 where no ace counts 11 any more: the next card would take "
                "10 off again.",
                "def add_one_card(total, ace, card):\n"
                "    total = total + card\n"
                "    if card == 1 and total + 10 <= 21:\n"
                "        return total + 10, 1\n"
                "    return (total - 10, ace) if total > 21 and ace else (total, ace)",
            ),
        ),
        inputs=((10, 0, 1), (12, 0, 1), (11, 0, 1), (17, 1, 10), (13, 1, 5), (15, 0, 9), (20, 1, 1), (18, 1, 4)),
    ),
    Exercise(
        title="The update of Q-learning",
        task="After a step, Q-learning moves the value `q` of the action that was taken towards a target: the reward + "
        "the discount times the largest value in the next state. It moves by the share `rate` of the way: all the way "
        "at 1, not at all at 0. Return the new value. `next_values` holds the values of the actions in the next state.",
        stub='''\
def updated(q, reward, next_values, rate, discount):
    """Returns the new value of an action; next_values is an array (actions,)."""
    ...
''',
        solution="""\
def updated(q, reward, next_values, rate, discount):
    target = reward + discount * np.max(next_values)
    return q + rate * (target - q)
""",
        explanation="The target is one real reward and one estimate, which is itself only learned. Moving a part of "
        "the way averages over many steps; where nothing is random, the whole way would do as well.",
        hints=(
            "Compute the target first: it needs np.max.",
            "The way from q to the target is target - q. How much of it does one step go?",
            "q + rate * (target - q)",
        ),
        mistakes=(
            Mistake(
                "jump",
                "You returned the target itself: the value is to go a part of the way to it.",
                "def updated(q, reward, next_values, rate, discount):\n"
                "    return reward + discount * np.max(next_values)",
            ),
            Mistake(
                "not_towards",
                "You added the target to q in place of the way to it: q would grow and grow.",
                "def updated(q, reward, next_values, rate, discount):\n"
                "    return q + rate * (reward + discount * np.max(next_values))",
            ),
            Mistake(
                "no_discount",
                "The value of the next state is not discounted.",
                "def updated(q, reward, next_values, rate, discount):\n"
                "    return q + rate * (reward + np.max(next_values) - q)",
            ),
            Mistake(
                "mean",
                "You took the mean of the next values: that is for one who moves at random. Q-learning looks at the "
                "best move.",
                "def updated(q, reward, next_values, rate, discount):\n"
                "    return q + rate * (reward + discount * np.mean(next_values) - q)",
            ),
            Mistake(
                "away",
                "The sign is wrong: your value moves away from the target.",
                "def updated(q, reward, next_values, rate, discount):\n"
                "    return q - rate * (reward + discount * np.max(next_values) - q)",
            ),
            Mistake(
                "wrong_share",
                "You mixed the two shares up: `rate` is the share of the target, 1 - rate that of the old value.",
                "def updated(q, reward, next_values, rate, discount):\n"
                "    return rate * q + (1 - rate) * (reward + discount * np.max(next_values))",
            ),
        ),
        inputs=(
            (-10.0, -1.0, np.array([-4.0, -8.0, -12.0, -16.0]), 0.5, 1.0),
            (2.0, 5.0, np.array([1.0, 3.0, -2.0, 0.0]), 0.1, 0.9),
            (0.0, -100.0, np.array([-7.0, -9.0, -8.0, -30.0]), 0.25, 0.5),
        ),
    ),
    Exercise(
        title="SARSA without random moves",
        task="SARSA learns on the cliff again from the beginning, this time without any random moves: epsilon is 0. "
        "All values begin at 0, so that it still tries every move that looks no worse. Where does its way end up? "
        '"a": along the upper border, as before. "b": along the edge of the cliff, as that of Q-learning. "c": it '
        "never arrives. Give the letter.",
        stub="way = ...",
        solution='way = "b"',
        explanation="The next move is then always the best one, so that SARSA's target is that of Q-learning, number "
        "by number. Nobody stumbles off the edge, and the shortest way is the best. SARSA kept away because its values "
        "are those of the way that it really moves, random moves included.",
        hints=(
            "Why did SARSA keep away from the edge? What could happen there?",
            "Its target takes the action that is really taken next. Which one is that without random moves?",
            "Compare its target with that of Q-learning, the largest of the next values.",
        ),
        mistakes=(
            Mistake(
                "still_afraid",
                "It kept away because random moves fell off the edge. Its values follow what really happens, and that "
                "no longer does.",
                'way = "a"',
            ),
            Mistake(
                "stuck",
                "Each move costs 1, so that what it has tried soon looks worse than what it has not: it tries on until "
                "it arrives.",
                'way = "c"',
            ),
        ),
    ),
)

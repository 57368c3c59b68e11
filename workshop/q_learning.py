"""Decision processes: what an action is worth when its reward comes later, computed and learned by trial.

An agent is in a state, takes an action, gets a reward and is in the next state. The return is the sum of the rewards
from now on, where a reward one step later counts `discount` times as much; the value of a state is the mean return of
the best actions. Three parts:

1. Processes whose rules are known: three small graphs, of one step, finite and endless, solved by value iteration,
   V(s) <- the largest over the actions of reward + discount V(next state), again and again until nothing changes.
2. Blackjack, where chance deals: solved exactly by dynamic programming, then learned by Monte Carlo with exploring
   starts, which plays and averages. All hands of a batch are played at once.
3. The cliff, whose rules nobody tells: Q-learning, SARSA and expected SARSA walk, fall and learn, 50 runs at once.

    python -m workshop.q_learning                                    # all of it; then look into the folder plots
    python -m workshop.q_learning --part processes --discount 0.7    # needs no gymnasium; the other parts do
    python -m workshop.q_learning --part blackjack --hands 5000000   # ten times the hands: a third of the error
    python -m workshop.q_learning --part cliff --learning-rate 0.1   # a smaller rate: SARSA's way becomes shorter
    python -m workshop.q_learning --part cliff --epsilon 0.01        # fewer random moves: fewer falls
    python -m workshop.q_learning --quick                            # a first look

Expected: the finite process is worth 12; from the discount 0.8 on it pays to go in the endless one. Hard 18 against a
9: stay -0.183, hit -0.617. After 500,000 hands the values of the 200 states are off by some 0.014 on average and 0.06
to 0.09 in the worst. As many hands do for an error below 0.03 in every state, if each is settled with all dealers of
its batch and begins where the means are least certain; so do twenty players against each hand of the dealer.
Q-learning's way is 13 moves along the edge of the cliff; SARSA's keeps away, and it earns more while it learns. About
10 s on two CPU cores. Nothing is saved but plots; the animation is a GIF, for any browser.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from workshop.figures import q_learning as figures
from workshop.kit import cli
from workshop.kit.environments import blackjack, cliff
from workshop.kit.report import Report, format_table

# State -> next state -> reward: to act is to choose the next state. Where there is none to choose, the process ends.
Process = Mapping[int, Mapping[int, float]]
ONE_STEP: Process = {0: {1: 3, 2: 2}, 1: {}, 2: {}}
FINITE: Process = {0: {1: 1, 2: 2}, 1: {3: 1, 4: 1}, 2: {4: -1000}, 3: {5: 1}, 4: {5: 10}, 5: {}}
ENDLESS: Process = {0: {0: 1, 1: -3}, 1: {1: 2}}  # 1 a step for ever, or 3 to pay once and then 2 a step
DISCOUNTS = (0.5, 0.8, 0.95, 1.0)  # of the endless process
MAX_SWEEPS = 10_000
TOLERANCE = 1e-12  # a sweep that changes no value by more has come to the end

HANDS = 500_000
QUICK_HANDS = 20_000
SEATS = 20  # one for each hand of the player: a total of 12 to 21, with and without a usable ace
BLACKJACK = (2, 10, 10, 2)  # usable ace, total - 12, dealer's card - 1, action: an array of all action values
MIN_RETURNS = 30  # fewer tell nothing of their variance
CLOSE = 0.03  # an error that does not count

EPISODES = 500
QUICK_EPISODES = 60
RUNS = 50
QUICK_RUNS = 10
EPSILON = 0.1  # the probability of a random move
LEARNING_RATE = 0.5
SHOWN = (1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 300, 400, 500)  # episodes in the animation
MAX_MOVES = 10_000  # of an episode
RULES = ("Q-learning", "SARSA", "expected SARSA")
PARTS = ("processes", "blackjack", "cliff")


# --- 1. Decision processes whose rules are known ----------------------------------------------------------------------


class Tables(NamedTuple):
    """A process without chance, as two tables (states, actions)."""

    next_states: np.ndarray  # the state that follows
    rewards: np.ndarray  # minus infinity where a state has fewer actions than another


class Solution(NamedTuple):
    """The result of value iteration."""

    sweeps: list[np.ndarray]  # the values of the states, before the first sweep and after each, until none changed
    action_values: np.ndarray  # the reward of an action and the discounted value of what follows (states, actions)
    change: float  # the largest of a value that a further sweep would make: 0, or the values have no end

    @property
    def values(self) -> np.ndarray:
        """The values of the states (states,)."""
        return self.sweeps[-1]

    @property
    def policy(self) -> np.ndarray:
        """The best action of each state (states,)."""
        return np.asarray(self.action_values.argmax(axis=1))


def make_tables(process: Process) -> Tables:
    """Returns the tables of a process; where it ends, the one action leads nowhere and earns nothing."""
    shape = len(process), max(len(actions) for actions in process.values())
    next_states, rewards = np.zeros(shape, dtype=int), np.full(shape, -np.inf)
    for state, actions in process.items():
        for action, (next_state, reward) in enumerate((actions or {state: 0.0}).items()):
            next_states[state, action], rewards[state, action] = next_state, reward
    return Tables(next_states, rewards)


def value_iteration(
    tables: Tables, discount: float, *, epsilon: float = 0.0, policy: np.ndarray | None = None
) -> Solution:
    """Computes the values of all states from those of the states that follow, again and again from 0.

    Args:
        tables: of the process.
        discount: 0 to 1.
        epsilon: the probability with which a random action is taken in place of the chosen one.
        policy: the actions (states,) that are chosen (default: in each sweep the best ones).
    """
    states = np.arange(len(tables.rewards))
    sweeps = [np.zeros(len(states))]
    for _ in range(MAX_SWEEPS):
        action_values = tables.rewards + discount * sweeps[-1][tables.next_states]
        values = action_values.max(axis=1) if policy is None else action_values[states, policy]
        if epsilon:
            values = (1 - epsilon) * values + epsilon * action_values.mean(axis=1)
        change = float(np.abs(values - sweeps[-1]).max())
        if change <= TOLERANCE:
            break
        sweeps.append(values)
    return Solution(sweeps, action_values, change)


def policy_iteration(tables: Tables, discount: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns the policies, each with its values (states,): evaluate the policy, improve it, until it is the best.

    A policy's values solve a system of linear equations, V = r + discount P V, which takes a discount below 1.
    """
    states = np.arange(len(tables.rewards))
    policy = np.zeros(len(states), dtype=int)
    rounds = []
    while True:
        transitions = np.zeros((len(states), len(states)))
        transitions[states, tables.next_states[states, policy]] = 1
        values = np.linalg.solve(np.eye(len(states)) - discount * transitions, tables.rewards[states, policy])
        rounds.append((policy, values))
        better = (tables.rewards + discount * values[tables.next_states]).argmax(axis=1)
        if np.array_equal(better, policy):
            return rounds
        policy = better


def ways(process: Process, state: int = 0) -> list[tuple[list[int], list[float]]]:
    """Returns all ways from a state to the end, each as its states and its rewards."""
    if not process[state]:
        return [([state], [])]
    return [
        ([state, *states], [reward, *rewards])
        for next_state, reward in process[state].items()
        for states, rewards in ways(process, next_state)
    ]


def report_finite(report: Report, discount: float) -> list[float]:
    """Solves the processes of one step and of three, and draws them; returns how far their values are off."""
    report.section("A process of one step: 3 against 2")
    one_step = value_iteration(make_tables(ONE_STEP), discount)
    print(figures.action_table(ONE_STEP, one_step.action_values, discount))

    report.section(f"A finite process, discount {discount:g}: every path, and value iteration")
    returns = [sum(discount**step * reward for step, reward in enumerate(rewards)) for _, rewards in ways(FINITE)]
    print(figures.way_table(ways(FINITE), returns) + "\n")
    finite = value_iteration(make_tables(FINITE), discount)
    print(figures.sweep_table(finite.sweeps) + "\n")
    print(figures.action_table(FINITE, finite.action_values, discount))
    if finite.policy[0] == 0:
        print("\nThe larger reward at once, 2, leads to -1000: the best path begins with the smaller one.")
    panels = {
        "one step": figures.graph(ONE_STEP, one_step.values, discount),
        f"finite, discount {discount:g}": figures.graph(FINITE, finite.values, discount),
    }
    report.plot("q_learning-processes", figures.processes, panels)
    return [abs(one_step.values[0] - 3), abs(finite.values[0] - max(returns))]


def report_endless(report: Report, discounts: Sequence[float]) -> list[float]:
    """Solves the process without an end for several discounts; returns how far its values are off."""
    report.section("An endless process: 1 per step for ever, or pay 3 once and then earn 2 per step")
    rows: list[list[object]] = []
    panels, errors = {}, [0.0]
    for discount in discounts:
        solution = value_iteration(make_tables(ENDLESS), discount)
        if solution.change > TOLERANCE:
            grows = f"after {MAX_SWEEPS:,} sweeps V still grows, by {solution.change:.3g}"
            rows.append([f"{discount:g}", "", "", grows, ""])
            continue
        stay, go = solution.action_values[0]
        best = "both" if np.isclose(stay, go) else "go" if go > stay else "stay"
        rows.append([f"{discount:g}", f"{stay:.6g}", f"{go:.6g}", best, len(solution.sweeps) - 1])
        panels[f"discount {discount:g}: {best}"] = figures.graph(ENDLESS, solution.values, discount)
        # The sum of a geometric series: 1 + discount + discount^2 + ... = 1 / (1 - discount).
        errors.append(abs(go - (2 * discount / (1 - discount) - 3)))
    print(format_table(["discount", "stay at 0", "go to 1", "best", "sweeps"], rows))
    print("\nStaying for ever is worth 1 / (1 - discount), going 2 discount / (1 - discount) - 3: equal at 0.8.")
    print("Without a discount, at 1, an endless sum has no value: it grows for ever.")
    if panels:
        report.plot("q_learning-endless", figures.processes, panels)
    return errors


def report_policy_iteration(report: Report, discount: float) -> list[float]:
    """Solves the endless process by policies in place of values; returns how far the values of both are off."""
    report.section(f"Policy iteration, discount {discount:g}: evaluate a policy exactly, then improve it")
    rounds = policy_iteration(make_tables(ENDLESS), discount)
    rows: list[list[object]] = []
    for number, (policy, values) in enumerate(rounds, 1):
        rows.append([number, ("stay", "go")[policy[0]], *(f"{value:.6g}" for value in values)])
    print(format_table(["round", "at 0", "V(0)", "V(1)"], rows))
    solution = value_iteration(make_tables(ENDLESS), discount)
    print(f"\nThe same values, in {len(rounds)} rounds in place of {len(solution.sweeps) - 1} sweeps.")
    return [float(np.abs(rounds[-1][1] - solution.values).max())]


def report_processes(report: Report, discount: float | None) -> None:
    """Solves all three processes, each with its discount or with a given one."""
    errors = report_finite(report, 1.0 if discount is None else discount)
    errors += report_endless(report, DISCOUNTS if discount is None else (discount,))
    if discount != 1:
        errors += report_policy_iteration(report, 0.9 if discount is None else discount)
    report.result({"processes_test_max_error": max(errors)})


# --- 2. Blackjack: chance deals ---------------------------------------------------------------------------------------


def exact_action_values() -> np.ndarray:
    """Returns the expected return of each action in each state, of shape `BLACKJACK`, if one then plays best.

    Dynamic programming: the value of hitting is the mean over the next card of the best that one can do then. No hand
    comes to a state twice, so that each value rests on others, and these at last on the dealer's odds.
    """
    cards, counts = np.unique(blackjack.CARDS, return_counts=True)
    odds = dict(zip(cards.tolist(), counts / counts.sum(), strict=True))

    def after_each_card(total: int, ace: int) -> Iterator[tuple[float, tuple[int, int]]]:
        for card, probability in odds.items():
            new_total, new_ace = blackjack.add_card(total, ace, card)
            yield probability, (int(new_total), int(new_ace))

    @cache
    def dealer(total: int, ace: int) -> np.ndarray:
        """Returns the probabilities of the dealer's final totals, those of a bust last: (23,)."""
        if total >= blackjack.DEALER_STAYS:
            return np.eye(blackjack.HIGHEST + 2)[min(total, blackjack.HIGHEST + 1)]
        return np.sum([p * dealer(*hand) for p, hand in after_each_card(total, ace)], axis=0)

    @cache
    def stay(total: int, shown: int) -> float:
        final = dealer(11, 1) if shown == 1 else dealer(shown, 0)
        return float(final[-1] + final[:total].sum() - final[total + 1 : -1].sum())

    @cache
    def hit(total: int, ace: int, shown: int) -> float:
        return sum(p * best(*hand, shown) for p, hand in after_each_card(total, ace))

    def best(total: int, ace: int, shown: int) -> float:
        return -1.0 if total > blackjack.HIGHEST else max(stay(total, shown), hit(total, ace, shown))

    values = np.zeros(BLACKJACK)
    for ace, row, column in np.ndindex(BLACKJACK[:3]):
        total, shown = row + blackjack.LOWEST, column + 1
        values[ace, row, column] = stay(total, shown), hit(total, ace, shown)
    return values


def play(
    totals: np.ndarray,
    aces: np.ndarray,
    shown: np.ndarray,
    dealer_totals: np.ndarray,
    actions: np.ndarray,
    policy: np.ndarray,
    random: np.random.Generator,
    staying: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Plays hands (n,) to their ends, all at once, and returns what was done in them and what it led to.

    Args:
        totals, aces, shown: the states that the hands begin in; they are played on in these arrays.
        dealer_totals: the totals with which the dealer ends, whatever the player does.
        actions: the first ones. Later ones are the policy's.
        policy: the action in each state, (2, 10, 10).
        random: deals.
        staying: of `settle_with_all`; None: each hand is settled with its dealer alone.

    Returns:
        The cells of the action values that were visited, as numbers, and for each the return of its hand. No hand comes
        to a state twice: first visits and every visit are the same here.
    """
    returns = np.empty(len(totals))
    playing = np.arange(len(totals))  # the hands that are not at their end
    visited: list[np.ndarray] = []
    hands: list[np.ndarray] = []
    while len(playing):
        cells = aces[playing], totals[playing] - blackjack.LOWEST, shown[playing] - 1
        done = actions if not visited else policy[cells]
        visited.append(np.ravel_multi_index((*cells, done), BLACKJACK))
        hands.append(playing)
        stays, playing = playing[done == blackjack.STAY], playing[done == blackjack.HIT]
        if staying is None:
            returns[stays] = blackjack.outcome(totals[stays], dealer_totals[stays])
        else:
            returns[stays] = staying[shown[stays], totals[stays]]
        cards = blackjack.draw(random, len(playing))
        totals[playing], aces[playing] = blackjack.add_card(totals[playing], aces[playing], cards)
        is_bust = totals[playing] > blackjack.HIGHEST
        returns[playing[is_bust]] = -1
        playing = playing[~is_bust]
    return np.concatenate(visited), returns[np.concatenate(hands)]


def settle_with_all(shown: np.ndarray, dealer_totals: np.ndarray) -> np.ndarray:
    """Returns the mean reward of staying, by the dealer's card and the player's total, against all dealers (11, 22).

    The dealer looks at nobody's cards: a hand of theirs tells what every total is worth, not that of one player alone.
    """
    totals = np.arange(blackjack.HIGHEST + 1)[:, None]
    staying = np.zeros((11, len(totals)))
    for card in np.unique(shown):
        staying[card] = blackjack.outcome(totals, dealer_totals[shown == card]).mean(axis=1)
    return staying


def least_certain(
    size: int, sums: np.ndarray, squares: np.ndarray, visits: np.ndarray, random: np.random.Generator
) -> list[np.ndarray]:
    """Returns the states and actions that so many hands begin with: those of the least certain means.

    An action that is beyond doubt the worse one of its state needs no more hands: only the better one's value is asked.
    A few returns leave doubt. `sums` and `squares` are of the returns and of their squares, of shape `BLACKJACK`.
    """
    n = np.maximum(visits, 1)
    means = sums / n
    variances = np.where(visits < MIN_RETURNS, 1, np.maximum(squares / n - means**2, 0.02))
    errors = np.sqrt(variances / n)  # the standard errors of the means
    may_be_better = (means + 3 * errors >= (means - 3 * errors).max(axis=-1, keepdims=True)) | (visits < MIN_RETURNS)
    weights = np.ravel(may_be_better * errors) ** 6  # the power leaves nearly all hands to the largest errors
    cells = random.choice(len(weights), size, p=weights / weights.sum())
    return [index.copy() for index in np.unravel_index(cells, BLACKJACK)]


def monte_carlo(
    hands: int, seed: int, *, seats: int = 1, shares: bool = False
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Learns by playing: the mean return of each action in each state, and always the better action of the two.

    Exploring starts: a hand begins in a random state with a random action, so that all are tried for ever. Hands are
    played in batches that grow with what is known, each with the policy that the hands before have taught.

    Args:
        hands: of the dealer.
        seed: of everything random.
        seats: 1: each of the dealer's hands is played against once, from a random state. `SEATS`: by a player in each
            of the states with this card of the dealer. Each draws cards of their own, and the dealer looks at none of
            them, so that one hand of the dealer tells all of them what their totals are worth.
        shares: whether each player's hand is settled with all of the dealer's hands in its batch that show the same
            card, and begins where the means are least certain.

    Yields:
        After each batch the hands so far, the action values and how often each was visited, of shape `BLACKJACK`.
    """
    random = np.random.default_rng(seed)
    sums, squares, visits = np.zeros(BLACKJACK), np.zeros(BLACKJACK), np.zeros(BLACKJACK)
    n = 0
    while n < hands:
        size = min(max(1000, n // 6), 50_000, hands - n)
        policy = (sums / np.maximum(visits, 1)).argmax(axis=-1)
        if shares:
            aces, rows, columns, actions = least_certain(size, sums, squares, visits, random)
            shown = columns + 1
            dealer_totals = blackjack.finish_dealer(shown, partial(blackjack.draw, random))
            staying = settle_with_all(shown, dealer_totals)
        else:
            shown = random.integers(1, 11, size)
            dealer_totals = blackjack.finish_dealer(shown, partial(blackjack.draw, random))
            states = random.integers(SEATS, size=size) if seats == 1 else np.tile(np.arange(SEATS), size)
            aces, rows = np.divmod(states, 10)
            shown, dealer_totals = shown.repeat(seats), dealer_totals.repeat(seats)
            actions = random.integers(2, size=len(states))
            staying = None
        cells, returns = play(rows + blackjack.LOWEST, aces, shown, dealer_totals, actions, policy, random, staying)
        visits += np.bincount(cells, minlength=visits.size).reshape(BLACKJACK)
        sums += np.bincount(cells, returns, visits.size).reshape(BLACKJACK)
        squares += np.bincount(cells, returns**2, visits.size).reshape(BLACKJACK)
        n += size
        yield n, sums / np.maximum(visits, 1), visits


def compare(learned: np.ndarray, exact: np.ndarray) -> tuple[float, float, int, int]:
    """Compares action values of shape `BLACKJACK` with the exact ones.

    Returns:
        The mean and the largest error of a state's value (that of its better action), in how many of the 200 states it
        is below `CLOSE`, and in how many the better action is the right one.
    """
    errors = np.abs(learned.max(axis=-1) - exact.max(axis=-1))
    is_right = learned.argmax(axis=-1) == exact.argmax(axis=-1)
    return float(errors.mean()), float(errors.max()), int(np.sum(errors < CLOSE)), int(np.sum(is_right))


def report_blackjack(report: Report, hands: int) -> None:
    """Solves blackjack exactly, learns it by Monte Carlo in three ways, and compares."""
    report.section("Blackjack by dynamic programming: where to hit (H), by the total and the dealer's card")
    exact = exact_action_values()
    print(figures.policy_table(exact) + "\n")
    stay, hit = exact[0, 18 - 12, 9 - 1]
    print(f"Hard 18 against a 9: stay {stay:.3f}, hit and then play optimally {hit:.3f}.")
    print("Slides that give -0.5 for hitting use other rules: here the deck is endless, the dealer stays from 17 on.")
    report.result({"blackjack_exact_test_max_error": max(abs(stay + 0.183), abs(hit + 0.617))})

    report.section(f"Blackjack by Monte Carlo with exploring starts: {hands:,} hands of the dealer")
    rows: list[list[object]] = []
    curves, learned = {}, {}
    for name, metric, how in (
        ("one player", "blackjack", {}),
        ("one player, shared", "blackjack_shared", {"shares": True}),
        (f"{SEATS} players", "blackjack_players", {"seats": SEATS}),
    ):
        curve: list[tuple[float, ...]] = []
        to_print = [hands // 100, hands // 10, hands]
        for n, learned[name], visits in monte_carlo(hands, report.arguments.seed, **how):
            mean, largest, close, right = compare(learned[name], exact)
            curve.append((n, mean, largest))
            if n >= to_print[0]:
                del to_print[0]
                rows.append([name, f"{n:,}", int(visits.min()), mean, largest, close, right])
        curves[name] = np.array(curve)
        report.result({f"{metric}_test_mean_absolute_error": mean, f"{metric}_test_max_error": largest})
        report.result({f"{metric}_test_accuracy": right / exact[..., 0].size})
    headings = ["", "hands of the dealer", "fewest visits", "mean error", "largest", f"below {CLOSE:g}", "right"]
    print(format_table(headings, rows))
    print("\nErrors of the state values; number of the 200 states with a small error, and with the right action.")
    print("A mean of n returns is off by about 0.9 / sqrt(n): ten times the hands, a third of the error.")
    print("Shared: the same number of hands, but each is settled against every dealer of its batch with the same card,")
    print("since no dealer looks at a player's cards; and hands begin in the states whose means are least certain.")
    one_player = learned["one player"]
    for state in np.argwhere(one_player.argmax(axis=-1) != exact.argmax(axis=-1)):
        gap = np.ptp(exact[tuple(state)])
        print(f"Best action missed by one player: {figures.state_name(*state)}, the two actions differ by {gap:.3f}.")
    close_up = {"exact": exact, **learned}
    rows = [
        [action, *(values[0, 6, 8, i] for values in close_up.values())] for i, action in enumerate(blackjack.ACTIONS)
    ]
    print("\n" + format_table(["hard 18 against 9", *close_up], rows))
    report.plot("q_learning-blackjack-values", figures.values, {"exact": exact, f"after {hands:,} hands": one_player})
    report.plot("q_learning-blackjack-policy", figures.policy, exact, one_player)
    report.plot("q_learning-blackjack-errors", figures.errors, curves, CLOSE)


# --- 3. The cliff: nobody tells the rules -----------------------------------------------------------------------------


class Learned(NamedTuple):
    """The result of many runs of one rule."""

    action_values: np.ndarray  # (runs, states, actions)
    returns: np.ndarray  # of the episodes during training (runs, episodes)
    visits: np.ndarray  # how often each state was entered in the last fifth of the episodes (states,)
    trails: dict[int, tuple[list[int], np.ndarray]]  # of some episodes of the first run: states; greedy actions before


def targets(
    rule: str, rewards: np.ndarray, next_values: np.ndarray, next_actions: np.ndarray, epsilon: float
) -> np.ndarray:
    """Returns towards which numbers (runs,) the values Q(s, a) move after a step from s by a to s'.

    They are the reward and what is expected at s':

    - Q-learning: the largest Q(s', .), as if no move were random from then on;
    - SARSA: Q(s', a') of the action a' that is really taken next, random ones included;
    - expected SARSA: the mean of Q(s', .), by the probabilities with which a' is chosen.

    Args:
        rule: one of `RULES`.
        rewards: of the step (runs,).
        next_values: Q(s', .), (runs, actions).
        next_actions: a' (runs,).
        epsilon: the probability of a random move.
    """
    if rule == "SARSA":
        return np.asarray(rewards + next_values[np.arange(len(next_values)), next_actions])
    largest = next_values.max(axis=1)
    if rule == "Q-learning":
        return np.asarray(rewards + largest)
    return np.asarray(rewards + (1 - epsilon) * largest + epsilon * next_values.mean(axis=1))


def train(
    rule: str, episodes: int, runs: int, epsilon: float, rate: float, seed: int, shown: Collection[int] = ()
) -> Learned:
    """Learns the action values Q(s, a) of the cliff from steps alone, in many runs side by side.

    Args:
        rule: one of `RULES`.
        episodes, runs: how many.
        epsilon: the probability of a random move.
        rate: how far Q moves to its target, 0 to 1.
        seed: of the random moves.
        shown: the episodes, from 1, of which the first run's trail is kept.
    """
    random = np.random.default_rng(seed)
    run = np.arange(runs)
    Q = np.zeros((runs, *cliff.REWARDS.shape))
    returns, visits, trails = np.zeros((runs, episodes)), np.zeros(cliff.N_STATES), {}

    def act(states: np.ndarray) -> np.ndarray:
        """Chooses the best action so far, or with probability epsilon any (epsilon-greedy)."""
        is_random = random.random(runs) < epsilon
        return np.where(is_random, random.integers(Q.shape[2], size=runs), Q[run, states].argmax(axis=1))

    for episode in range(episodes):
        states = np.full(runs, cliff.START)
        actions = act(states)
        trail, greedy = [cliff.START], Q[0].argmax(axis=1)
        for _ in range(MAX_MOVES):
            rewards, next_states = cliff.REWARDS[states, actions], cliff.NEXT_STATES[states, actions]
            next_actions = act(next_states)
            aims = targets(rule, rewards, Q[run, next_states], next_actions, epsilon)
            # At the goal nothing changes: its rewards and its action values are 0.
            Q[run, states, actions] += rate * (aims - Q[run, states, actions])
            returns[:, episode] += rewards
            if episode >= episodes - episodes // 5:
                visits += np.bincount(next_states[states != cliff.GOAL], minlength=len(visits))
            if trail[-1] != cliff.GOAL:
                trail.append(int(next_states[0]))
            states, actions = next_states, next_actions
            if (states == cliff.GOAL).all():
                break
        if episode + 1 in shown:
            trails[episode + 1] = trail, greedy
    return Learned(Q, returns, visits, trails)


def follow(policy: np.ndarray) -> list[int]:
    """Returns the states of the path that a policy (states,) takes; it ends where it goes round in a circle."""
    path = [cliff.START]
    while path[-1] != cliff.GOAL and path[-1] not in path[:-1]:
        path.append(int(cliff.NEXT_STATES[path[-1], policy[path[-1]]]))
    return path


def rows_above(path: Sequence[int]) -> int:
    """Returns by how many rows a path passes over the cliff; 1 is the edge."""
    rows, columns = np.divmod(path, cliff.WIDTH)
    return cliff.HEIGHT - 1 - int(rows[(columns > 0) & (columns < cliff.WIDTH - 1)].max(initial=0))


def report_known_cliff(report: Report, epsilon: float) -> float:
    """Solves the cliff with its rules known; returns the best mean return with random moves."""
    report.section("The cliff with its rules known: value iteration")
    tables = Tables(cliff.NEXT_STATES, cliff.REWARDS)
    sure, unsure = value_iteration(tables, 1.0), value_iteration(tables, 1.0, epsilon=epsilon)
    stumbling = value_iteration(tables, 1.0, epsilon=epsilon, policy=sure.policy)
    rows: list[list[object]] = []
    for name, solution, policy in (
        ("best without random moves", sure, sure.policy),
        (f"the same, with a random move at {epsilon:g}", stumbling, sure.policy),
        (f"best with a random move at {epsilon:g}", unsure, unsure.policy),
    ):
        path = follow(policy)
        rows.append([name, len(path) - 1, rows_above(path), float(solution.values[cliff.START])])
    print(format_table(["policy", "moves", "rows above", "mean return"], rows))
    return float(unsure.values[cliff.START])


def print_step_by_hand(epsilon: float, rate: float) -> None:
    """Prints what one and the same step teaches by each rule."""
    q, reward, next_values, next_action = -10.0, -1.0, np.array([[-4.0, -8.0, -12.0, -16.0]]), np.array([2])
    print(f"Q(s, a) = {q:g}. The move a earns {reward:g} and leads to s', where Q(s', .) = -4, -8, -12, -16. The next")
    print(f"move happens to be random, that of -12. Each rule moves Q(s, a) towards its target, at rate {rate:g}:\n")
    rows: list[list[object]] = []
    for rule in RULES:
        target = float(targets(rule, np.array([reward]), next_values, next_action, epsilon)[0])
        rows.append([rule, target, q + rate * (target - q)])
    print(format_table(["rule", "target", "new Q(s, a)"], rows))


def report_cliff(report: Report, episodes: int, runs: int) -> None:
    """Solves the cliff with its rules known, lets three rules learn it, and draws their paths and curves."""
    epsilon, rate = report.arguments.epsilon, report.arguments.rate
    best = report_known_cliff(report, epsilon)
    report.section("By hand: one step on the cliff, three targets")
    print_step_by_hand(epsilon, rate)
    report.section(f"The cliff learned in {runs} runs of {episodes} episodes, rate {rate:g}, random moves {epsilon:g}")
    tables = Tables(cliff.NEXT_STATES, cliff.REWARDS)
    fifth = episodes // 5
    shown = [episode for episode in SHOWN if episode <= episodes][:: 3 if report.arguments.quick else 1]
    learned, paths, rows = {}, {}, []
    for rule in RULES:
        learned[rule] = train(rule, episodes, runs, epsilon, rate, report.arguments.seed, shown)
        Q, returns, visits, _ = learned[rule]
        policy = Q.mean(axis=0).argmax(axis=1)  # with a large rate the values of a single run are noisy
        path, arrived = follow(policy), sum(follow(run.argmax(axis=1))[-1] == cliff.GOAL for run in Q)
        first, last = float(returns[:, :fifth].mean()), float(returns[:, -fifth:].mean())
        greedy = float(value_iteration(tables, 1.0, policy=policy).values[cliff.START])
        rows.append([rule, first, last, len(path) - 1, rows_above(path), greedy, f"{arrived} of {runs}"])
        name = rule.lower().replace("-", "_").replace(" ", "_")
        report.result({f"{name}_train_mean_return": last, f"{name}_test_mean_return": greedy})
        paths[f"{rule}: {len(path) - 1} moves; {last:.0f} per episode during training"] = visits, path
    headings = ["rule", f"first {fifth}", f"last {fifth}", "moves", "rows above", "return", "runs that arrive"]
    print(format_table(headings, rows))
    print("\nThe mean return of an episode during training, random moves included. Then the greedy path, without any:")
    print("its moves, its rows above the cliff (1 is the edge), and its return, by the mean of the values of all runs.")
    print("At a large rate the values of one run follow its last falls: its greedy path may loop.")

    report.plot("q_learning-cliff-ways", figures.cliff_ways, paths, cliff.HEIGHT, cliff.WIDTH)
    curves = {rule: result.returns for rule, result in learned.items()}
    name = f"best with random moves at {epsilon:g}"
    report.plot("q_learning-cliff-curves", figures.cliff_curves, curves, name, best)
    trails = {rule: (learned[rule].trails, learned[rule].returns[0]) for rule in ("Q-learning", "SARSA")}
    report.animate("q_learning-cliff", figures.cliff_learning, trails, cliff.HEIGHT, cliff.WIDTH)


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    parser = cli.lesson_parser(docstring, data=None)
    add = parser.add_argument
    add("--part", choices=PARTS, metavar="NAME", help=f"one of {', '.join(PARTS)} (default: all)")
    add(
        "--discount",
        type=cli.number_between(0, 1),
        metavar="X",
        help="discount factor for the decision processes, 0 to 1 (default: 1 for those that end, several for the "
        "endless one)",
    )
    add("--hands", type=cli.whole_number(1000), metavar="N", help=f"hands of blackjack (default: {HANDS:,})")
    add("--episodes", type=cli.whole_number(20), metavar="N", help=f"cliff episodes per run (default: {EPISODES})")
    add(
        "--epsilon",
        type=cli.number_between(0, 0.5),
        default=EPSILON,
        metavar="X",
        help="probability of a random move on the cliff, 0 to 0.5 (default: %(default)g)",
    )
    add(
        "--learning-rate",
        type=cli.number_between(0, 1, above=True),
        default=LEARNING_RATE,
        dest="rate",
        metavar="X",
        help="learning rate on the cliff, up to 1 (default: %(default)g)",
    )
    return cli.parse_lesson(parser, argv)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Solves the processes, blackjack and the cliff, learns the last two, plots; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("q_learning", arguments, "numpy")
    parts = [arguments.part] if arguments.part else [*PARTS]
    report.data("three small decision processes, blackjack with an endless deck, a cliff of 4 x 12")
    print(f"Engine    NumPy {np.__version__}")
    if "processes" in parts:
        report_processes(report, arguments.discount)
    if "blackjack" in parts:
        report_blackjack(report, arguments.hands or (QUICK_HANDS if arguments.quick else HANDS))
    if "cliff" in parts:
        episodes = arguments.episodes or (QUICK_EPISODES if arguments.quick else EPISODES)
        report_cliff(report, episodes, QUICK_RUNS if arguments.quick else RUNS)
    own = {
        "--discount": arguments.discount is not None,
        "--hands": arguments.hands is not None,
        "--episodes": arguments.episodes is not None,
        "--epsilon": arguments.epsilon != EPSILON,
        "--learning-rate": arguments.rate != LEARNING_RATE,
    }
    given = ", ".join(option for option, is_given in own.items() if is_given)
    return report.finish(not_comparable=f"{given} given" if given else "")


if __name__ == "__main__":
    cli.run(main)

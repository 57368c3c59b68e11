"""The lesson `q_learning`: value iteration, blackjack exactly and by Monte Carlo, and three rules on the cliff."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.lesson_runs import Run, claims, quick_run
from PIL import Image

from workshop import q_learning
from workshop.figures import q_learning as figures
from workshop.kit.environments import blackjack, cliff
from workshop.kit.report import Report
from workshop.q_learning import (
    ENDLESS,
    FINITE,
    RULES,
    SEATS,
    Tables,
    compare,
    exact_action_values,
    follow,
    make_tables,
    monte_carlo,
    play,
    policy_iteration,
    rows_above,
    train,
    value_iteration,
    ways,
)

CLIFF = Tables(cliff.NEXT_STATES, cliff.REWARDS)


@pytest.fixture
def quick(room: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The lesson's quick run."""
    return quick_run("q_learning", tmp_path_factory)


@pytest.fixture(scope="module")
def exact() -> np.ndarray:
    """The exact action values of blackjack."""
    return exact_action_values()


# --- Decision processes -----------------------------------------------------------------------------------------------


def test_the_finite_process_has_three_ways_and_value_iteration_finds_the_best() -> None:
    assert {tuple(states): sum(rewards) for states, rewards in ways(FINITE)} == {
        (0, 1, 3, 5): 3,
        (0, 1, 4, 5): 12,
        (0, 2, 4, 5): -988,
    }
    solution = value_iteration(make_tables(FINITE), 1)
    assert [values.tolist() for values in solution.sweeps] == [
        [0, 0, 0, 0, 0, 0],
        [2, 1, -1000, 1, 10, 0],
        [2, 11, -990, 1, 10, 0],
        [12, 11, -990, 1, 10, 0],
    ]
    assert value_iteration(make_tables(FINITE), 0).values[0] == 2  # who looks at the next reward only


@pytest.mark.parametrize(("discount", "best", "value"), [(0.5, "stay", 2), (0.79, "stay", 1 / 0.21), (0.95, "go", 35)])
def test_the_discount_decides_in_the_endless_process(discount: float, best: str, value: float) -> None:
    solution = value_iteration(make_tables(ENDLESS), discount)
    assert (("stay", "go")[solution.policy[0]], solution.values[0]) == (best, pytest.approx(value))
    *_, (policy, values) = policy_iteration(make_tables(ENDLESS), discount)
    assert values == pytest.approx(solution.values)
    assert policy[0] == solution.policy[0]


def test_without_a_discount_an_endless_process_has_no_value() -> None:
    assert value_iteration(make_tables(ENDLESS), 1).change == 2


def test_the_best_way_is_drawn_thick() -> None:
    solution = value_iteration(make_tables(FINITE), 1)
    graph = figures.graph(FINITE, solution.values, 1)
    assert [arrow[:2] for arrow in graph.arrows if arrow[3]] == [(0, 1), (1, 4), (4, 5)]
    assert len(np.unique(graph.positions, axis=0)) == len(FINITE)
    figure = figures.processes({"finite": graph})
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"+1", "+2", "-1000", "+10", "V = 12", "V = -990"} <= set(texts)


# --- Blackjack --------------------------------------------------------------------------------------------------------

# Where to hit by the published basic strategy, for a dealer who stays on every 17, without doubling and splitting.
BASIC_STRATEGY = {
    "hard": {12: "A23789T", 13: "A789T", 14: "A789T", 15: "A789T", 16: "A789T"},
    "soft": {**dict.fromkeys(range(12, 18), "A23456789T"), 18: "A9T"},
}


def test_the_exact_solution_is_the_curriculums_and_the_basic_strategy(exact: np.ndarray) -> None:
    assert exact[0, 18 - 12, 9 - 1].round(3).tolist() == [-0.183, -0.617]
    for ace, kind in enumerate(BASIC_STRATEGY):
        for total in range(12, 22):
            hits = "".join("A23456789T"[i] for i in np.flatnonzero(exact[ace, total - 12].argmax(axis=1)))
            assert hits == BASIC_STRATEGY[kind].get(total, ""), (kind, total)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_500000_hands_of_one_player_are_near_on_average(seed: int, exact: np.ndarray) -> None:
    *_, (hands, learned, visits) = monte_carlo(500_000, seed)
    mean, largest, _, right = compare(learned, exact)
    assert hands == 500_000
    assert visits.min() > 1000
    assert mean < 0.02
    assert largest < 0.12
    assert right >= 195


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_500000_hands_settled_with_all_dealers_are_within_three_hundredths(seed: int, exact: np.ndarray) -> None:
    *_, (hands, learned, _) = monte_carlo(500_000, seed, shares=True)
    mean, largest, close, right = compare(learned, exact)
    assert (hands, largest < 0.03, close) == (500_000, True, 200)
    assert mean < 0.007
    assert right >= 196


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_500000_hands_of_the_dealer_are_within_three_hundredths_in_every_state(seed: int, exact: np.ndarray) -> None:
    *_, (_, learned, _) = monte_carlo(500_000, seed, seats=SEATS)
    mean, largest, close, right = compare(learned, exact)
    assert (largest < 0.03, close) == (True, 200)
    assert mean < 0.006
    assert right >= 198


class Stacked:
    """Draws given cards where a generator would draw random ones."""

    def __init__(self, cards: np.ndarray) -> None:
        self.left = [int(np.flatnonzero(card == blackjack.CARDS)[0]) for card in cards]

    def integers(self, high: int, size: int) -> np.ndarray:
        return np.array([self.left.pop(0) for _ in range(size)], dtype=int)


def test_hands_played_at_once_are_those_of_the_environment() -> None:
    """The same cards in the same order: one hand in the environment, and one in the arrays."""
    random, environment = np.random.default_rng(1), blackjack.Blackjack()
    policy = random.integers(2, size=(2, 10, 10))
    for _ in range(200):
        cards, first = blackjack.draw(random, 30), int(random.integers(2))
        start = int(random.integers(12, 22)), int(random.integers(1, 11)), int(random.integers(2))
        state, _ = environment.reset(options={"state": start, "cards": cards})
        steps, is_over, reward, info = list[tuple[int, ...]](), False, 0.0, dict[str, Any]()
        while not is_over:
            cell = state[2], state[0] - 12, state[1] - 1
            action = int(policy[cell]) if steps else first
            steps.append((*cell, action))
            state, reward, is_over, _, info = environment.step(action)
        total, shown, ace, dealer, actions = (np.array([n]) for n in (*start, info.get("dealer", 0), first))
        deck: Any = Stacked(cards)
        visited, returns = play(total, ace, shown, dealer, actions, policy, deck)
        assert np.transpose(np.unravel_index(visited, q_learning.BLACKJACK)).tolist() == [list(step) for step in steps]
        assert (returns == reward).all()


# --- The cliff --------------------------------------------------------------------------------------------------------


def test_the_best_way_over_the_cliff_depends_on_random_moves() -> None:
    for epsilon, moves, above, value in ((0.0, 13, 1, -13), (0.1, 15, 2, -20.71)):
        solution = value_iteration(CLIFF, 1, epsilon=epsilon)
        way = follow(solution.policy)
        assert (len(way) - 1, rows_above(way)) == (moves, above)
        assert solution.values[cliff.START] == pytest.approx(value, abs=0.005)


@pytest.fixture(scope="module")
def learned() -> dict[str, q_learning.Learned]:
    """Ten runs of each rule."""
    return {rule: train(rule, 300, 10, epsilon=0.1, rate=0.5, seed=1, shown=(1, 300)) for rule in RULES}


def test_q_learning_walks_along_the_edge_and_sarsa_keeps_away_and_earns_more(
    learned: dict[str, q_learning.Learned],
) -> None:
    ways_learned = {rule: follow(result.action_values.mean(axis=0).argmax(axis=1)) for rule, result in learned.items()}
    assert [(len(way) - 1, rows_above(way)) for way in ways_learned.values()] == [(13, 1), (17, 3), (15, 2)]
    returns = [result.returns[:, -100:].mean() for result in learned.values()]
    assert -60 < returns[0] < -42 < -35 < returns[1] < returns[2]
    assert returns[2] == pytest.approx(-20.71, abs=2)  # the exact value of the best way with random moves


def test_the_first_runs_trail_is_one_that_the_environment_allows(learned: dict[str, q_learning.Learned]) -> None:
    environment = cliff.Cliff()
    for result in learned.values():
        for episode, (trail, greedy) in result.trails.items():
            state, _ = environment.reset()
            total = 0.0
            assert trail[0] == state and trail[-1] == cliff.GOAL and greedy.shape == (48,)
            for following in trail[1:]:
                # A step against the border and a fall from the start both lead back to where it stood.
                actions = np.flatnonzero(cliff.NEXT_STATES[state] == following)
                assert len(actions)
                state, reward, *_ = environment.step(int(actions[0]))
                total += reward
                assert state == following
            assert result.returns[0, episode - 1] <= total <= len(trail) * -1 + 1


def test_the_targets_of_a_step_are_those_by_hand_and_are_printed(quick: Run) -> None:
    # The best of the next values is -4, the one of the move that is taken -12, their mean -10.
    by_hand = {"Q-learning": -1 - 4, "SARSA": -1 - 12, "expected SARSA": -1 + 0.9 * -4 + 0.1 * -10}
    rewards, values = np.array([-1.0, -1.0]), np.array([[-4.0, -8, -12, -16], [-16.0, -12, -8, -4]])
    for rule, target in by_hand.items():
        assert q_learning.targets(rule, rewards, values, np.array([2, 1]), 0.1) == pytest.approx([target] * 2)
    assert quick.table("rule", "target") == [
        ["Q-learning", "-5", "-7.5"],
        ["SARSA", "-13", "-11.5"],
        ["expected SARSA", "-5.6", "-7.8"],
    ]


# --- The run ----------------------------------------------------------------------------------------------------------


def test_the_tables_of_the_curriculum_are_printed(quick: Run) -> None:
    assert [row[::2] for row in quick.table("way", "rewards", "return")] == [
        ["0-1-3-5", "3"],
        ["0-1-4-5", "12"],
        ["0-2-4-5", "-988"],
    ]
    assert quick.table("sweep", "V(0)")[-1] == ["3", "12", "11", "-990", "1", "10", "0"]
    assert [row[3] for row in quick.table("discount", "stay at 0")[:3]] == ["stay", "both", "go"]
    assert "Hard 18 against a 9: stay -0.183, hit and then play optimally -0.617." in quick.lines
    assert any(line.startswith("Slides that give -0.5 for hitting use other rules") for line in quick.lines)
    assert [row[1:] for row in quick.table("policy", "moves")] == [
        ["13", "1", "-13"],
        ["13", "1", "-45.8"],
        ["15", "2", "-20.71"],
    ]
    assert [row[0] for row in quick.table("rule", "first 12")] == list(RULES)


def test_the_metrics_have_bands_and_the_plots_are_there(quick: Run) -> None:
    assert claims("q_learning").keys() == quick.metrics.keys()
    kinds = ("processes", "endless", "blackjack-values", "blackjack-policy", "blackjack-errors", "cliff-ways")
    names = {f"q_learning-{kind}.png" for kind in (*kinds, "cliff-curves")} | {"q_learning-cliff.gif"}
    assert names == {Path(name).name for name in quick.answer["files"]}
    with Image.open(quick.plots / "q_learning-cliff.gif") as gif:
        assert getattr(gif, "n_frames", 1) == 3


@pytest.mark.slow
def test_a_run_is_as_expected_and_repeats(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = q_learning.main(["--no-plots"])
    assert "As expected for this lesson." in capsys.readouterr().out
    assert metrics == q_learning.main(["--no-plots"])
    q_learning.main(["--seed", "2"])
    assert "As expected for this lesson." in capsys.readouterr().out
    assert (room / "plots" / "q_learning-cliff.gif").stat().st_size < 500_000


def test_a_part_can_be_run_alone_with_another_discount(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for discount, value in (("0", "2"), ("1", "12")):
        metrics = q_learning.main(["--part", "processes", "--no-plots", "--discount", discount])
        output = capsys.readouterr().out
        assert metrics == {"processes_test_max_error": pytest.approx(0, abs=1e-9)}
        assert re.search(rf"^\d+ +{value} ", output, re.MULTILINE)
        assert "No expected band: --discount given." in output
    assert "after 10,000 sweeps V still grows, by 2" in output


@pytest.mark.parametrize(
    ("options", "used", "why"),
    [
        ([], (500_000, 500, 50, 0.1, 0.5), None),
        (["--quick"], (20_000, 60, 10, 0.1, 0.5), "a quick run"),
        (["--hands", "1000", "--quick"], (1000, 60, 10, 0.1, 0.5), "a quick run"),
        (["--hands", "1000"], (1000, 500, 50, 0.1, 0.5), "--hands given"),
        (["--episodes", "20"], (500_000, 20, 50, 0.1, 0.5), "--episodes given"),
        (["--epsilon", "0.5"], (500_000, 500, 50, 0.5, 0.5), "--epsilon given"),
        (["--learning-rate", "1", "--epsilon", "0"], (500_000, 500, 50, 0, 1), "--epsilon, --learning-rate given"),
    ],
)
def test_what_is_played_with_which_options_and_why_that_has_no_band(
    options: list[str],
    used: tuple[float, ...],
    why: str | None,
    room: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found: list[float] = []

    def note(report: Report, *numbers: int) -> None:
        found.extend(numbers)
        if len(numbers) == 2:  # of the cliff, which takes the others from the options
            found.extend([report.arguments.epsilon, report.arguments.rate])

    monkeypatch.setattr(q_learning, "report_processes", lambda report, discount: None)
    for part in ("report_blackjack", "report_cliff"):
        monkeypatch.setattr(q_learning, part, note)
    q_learning.main(["--no-plots", *options])
    assert tuple(found) == used
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("No expected band")]
    assert said == ([] if why is None else [f"No expected band: {why}."])


WITHOUT_GYMNASIUM = """
import importlib.machinery, sys
class WithoutGymnasium(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] == "gymnasium" else super().find_spec(name, path, target)
sys.meta_path[:] = [WithoutGymnasium if one is importlib.machinery.PathFinder else one for one in sys.meta_path]
"""


def test_the_processes_need_no_gymnasium_and_the_cliff_says_so(room: Path) -> None:
    (room / "sitecustomize.py").write_text(WITHOUT_GYMNASIUM)
    run = [sys.executable, "-m", "workshop.q_learning", "--no-plots", "--quick", "--part"]
    environment = os.environ | {"PYTHONPATH": str(room)}
    done = subprocess.run([*run, "processes"], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run([*run, "cliff"], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: the library gymnasium is not installed: python -m pip install ")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--discount", "1.01", "got 1.01, takes a number from 0 to 1"),
        ("--discount", "-0.1", "got -0.1, takes a number from 0 to 1"),
        ("--discount", "nan", "got nan, takes a number from 0 to 1"),
        ("--epsilon", "0.6", "got 0.6, takes a number from 0 to 0.5"),
        ("--learning-rate", "0", "got 0, takes a number above 0 and up to 1"),
        ("--hands", "10", "got 10, takes a whole number from 1000 up"),
        ("--episodes", "many", "got many, takes a whole number from 20 up"),
        ("--part", "poker", "invalid choice"),
    ],
)
def test_a_bad_option_is_refused_in_a_line(
    option: str, value: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        q_learning.main([f"{option}={value}"])
    said = capsys.readouterr().err
    assert message in said and option in said and said.count("\n") == 1

"""The cliff and blackjack: gymnasium's interface, and the same rules for one as for many and as in gymnasium's own."""

from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.toy_text import blackjack as gymnasiums_blackjack
from gymnasium.utils.env_checker import check_env

from workshop.kit.environments import blackjack, cliff
from workshop.kit.environments.blackjack import HIT, STAY, Blackjack
from workshop.kit.environments.cliff import Cliff
from workshop.kit.errors import WorkshopError

STATES = [(total, shown, ace) for total in range(12, 22) for shown in range(1, 11) for ace in (0, 1)]


@pytest.mark.filterwarnings("ignore:.*alternative render modes")  # those of an environment that is registered
@pytest.mark.parametrize(("environment", "mode"), [(Cliff, "rgb_array"), (Blackjack, "ansi")])
def test_the_environments_follow_gymnasiums_interface(environment: type[Any], mode: str) -> None:
    shown = environment(render_mode=mode)
    check_env(shown)
    shown.reset(seed=1)
    rendered = shown.render()
    assert rendered.shape == (96, 288, 3) if mode == "rgb_array" else " against a" in rendered
    for wrong in (-1, 4, 0.5):
        with pytest.raises(gymnasium.error.InvalidAction):
            shown.step(wrong)
    with pytest.raises(gymnasium.error.ResetNeeded):
        environment().step(0)


# --- The cliff --------------------------------------------------------------------------------------------------------


def test_the_tables_of_the_cliff_are_what_its_environment_does_and_gymnasiums_own() -> None:
    theirs = gymnasium.make("CliffWalking-v1").unwrapped.P
    ours = Cliff()
    for state in set(range(cliff.N_STATES)) - {cliff.GOAL, *cliff.CLIFF}:
        for action in range(4):
            ours.reset(options={"state": state})
            next_state, reward, is_over, _, _ = ours.step(action)
            assert (next_state, reward) == (cliff.NEXT_STATES[state, action], cliff.REWARDS[state, action])
            assert theirs[state][action] == [(1.0, next_state, reward, is_over)]
    assert (cliff.NEXT_STATES[cliff.GOAL] == cliff.GOAL).all() and not cliff.REWARDS[cliff.GOAL].any()


# --- Blackjack --------------------------------------------------------------------------------------------------------


def test_a_card_does_the_same_to_one_hand_and_to_many() -> None:
    environment = Blackjack()
    totals, _, aces = np.array(STATES).T
    for card in range(1, 11):
        many = np.stack(blackjack.add_card(totals, aces, np.full(len(STATES), card)))
        for i, state in enumerate(STATES):
            environment.reset(options={"state": state, "cards": [card]})
            (total, _, ace), reward, is_over, _, _ = environment.step(HIT)
            assert (total, ace) == tuple(many[:, i])
            assert (reward, is_over) == ((-1, True) if total > 21 else (0, False))


def test_totals_and_aces_are_gymnasiums() -> None:
    random = np.random.default_rng(1)
    for _ in range(300):
        total, ace, hand = 0, 0, list[int]()
        while total <= 21:
            hand.append(int(blackjack.draw(random, 1)[0]))
            total, ace = blackjack.add_card(total, ace, hand[-1])
            assert (total, ace) == (gymnasiums_blackjack.sum_hand(hand), gymnasiums_blackjack.usable_ace(hand))


def test_the_dealer_hits_until_17_and_stays_on_a_soft_17_too() -> None:
    environment = Blackjack()
    for cards, dealer in (([10, 6, 5], 21), ([1, 6], 17), ([6, 1], 17), ([10, 6, 10], 26), ([5, 5, 1, 9], 21)):
        for total in (17, 21):
            environment.reset(options={"state": (total, cards[0], 0), "cards": cards[1:]})
            _, reward, is_over, _, info = environment.step(STAY)
            assert (info["dealer"], is_over) == (dealer, True)
            assert reward == (1 if dealer > 21 else np.sign(total - dealer))


def test_one_hand_and_many_earn_the_same_on_average() -> None:
    environment, hands = Blackjack(), 4000
    environment.reset(seed=1)
    rewards = []
    for _ in range(hands):
        environment.reset(options={"state": (18, 9, 0)})
        rewards.append(environment.step(STAY)[1])
    dealers = blackjack.finish_dealer(np.full(hands, 9), partial(blackjack.draw, np.random.default_rng(1)))
    for mean in (np.mean(rewards), np.mean(blackjack.outcome(np.array([18]), dealers))):
        assert mean == pytest.approx(-0.183, abs=4 * 0.95 / hands**0.5)


# --- What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "options"),
    [
        (Blackjack, {"state": (11, 5, 0)}),
        (Blackjack, {"state": (18, 11, 0)}),
        (Blackjack, {"state": (18, 5, 2)}),
        (Blackjack, {"cards": [11]}),
        (Cliff, {"state": 48}),
        (Cliff, {"state": cliff.GOAL}),
        (Cliff, {"state": 40}),
    ],
)
def test_a_beginning_that_there_is_not_is_refused_in_a_line(environment: type[Any], options: dict[str, Any]) -> None:
    with pytest.raises(WorkshopError, match=r"^options\[.*takes ") as refused:
        environment().reset(options=options)
    assert len(str(refused.value).splitlines()) == 1

"""Blackjack against a dealer who follows a rule (Sutton and Barto, 5.1), for one hand or for many at once.

The deck is endless: each card is an ace with 1/13, a 2 to a 9 with 1/13 each, and counts 10 with 4/13. An ace counts 11
as long as the total does not exceed 21; such an ace is called usable, and the hand soft. The player hits (takes a card)
or stays; above 21 the hand is bust and lost. The dealer shows one card, and hits until the total is 17 or more. A win
earns 1, a draw 0, a loss -1; an ace with a 10 is a 21 like any other.

A decision depends on three numbers: the player's total, 12 to 21 (below, no card can harm), the dealer's card, 1 to
10, and whether the player has a usable ace. `add_card`, `finish_dealer` and `outcome` are the rules, for arrays of any
shape; `Blackjack` plays one hand by them.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import gymnasium

CARDS = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10])  # each as frequent as another
ACTIONS = ("stay", "hit")
STAY, HIT = 0, 1
LOWEST, HIGHEST = 12, 21  # totals at which there is something to decide
DEALER_STAYS = 17


def draw(random: np.random.Generator, n: int) -> np.ndarray:
    """Returns n cards (n,) of the endless deck."""
    return CARDS[random.integers(len(CARDS), size=n)]


def add_card(totals: Any, aces: Any, cards: Any) -> tuple[Any, Any]:
    """Returns the totals and whether there is a usable ace (0 or 1), after a card more; arrays of one shape.

    Args:
        totals: before the card.
        aces: 1 where one of the cards before is an ace that counts 11, else 0.
        cards: 1 to 10.
    """
    becomes_usable = (cards == 1) & (totals + 11 <= HIGHEST)
    totals, aces = totals + cards + 10 * becomes_usable, aces | becomes_usable
    counts_one_again = (totals > HIGHEST) & (aces == 1)
    return totals - 10 * counts_one_again, aces - counts_one_again


def finish_dealer(shown: np.ndarray, draw_cards: Callable[[int], np.ndarray]) -> np.ndarray:
    """Returns the totals (n,) with which the dealer ends, above 21 where bust.

    Args:
        shown: the dealers' first cards (n,).
        draw_cards: returns so many cards, as `draw` does.
    """
    totals, aces = add_card(np.zeros_like(shown), np.zeros_like(shown), shown)
    playing = np.arange(len(shown))
    while len(playing):
        totals[playing], aces[playing] = add_card(totals[playing], aces[playing], draw_cards(len(playing)))
        playing = playing[totals[playing] < DEALER_STAYS]
    return totals


def outcome(totals: np.ndarray, dealer_totals: np.ndarray) -> np.ndarray:
    """Returns the rewards, 1, 0 or -1, of staying with totals of 21 or less."""
    return np.where(dealer_totals > HIGHEST, 1, np.sign(totals - dealer_totals))


class Blackjack(gymnasium.Env[tuple[int, int, int], int]):
    """One hand of blackjack. The observation is (total, dealer's card, usable ace), the action one of `ACTIONS`.

    Args:
        render_mode: "ansi" for `render()` to return a line of text, or None.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012 - gymnasium's name and type

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        discrete = gymnasium.spaces.Discrete
        # A hand of 21 that takes a 10 is the largest.
        self.observation_space = gymnasium.spaces.Tuple(
            (discrete(HIGHEST + 11 - LOWEST, start=LOWEST), discrete(10, start=1), discrete(2))
        )
        self.action_space = discrete(len(ACTIONS))
        self._state = (0, 0, 0)
        self._deck: list[int] = []
        self._is_over = True

    def _draw(self, n: int) -> np.ndarray:
        known, self._deck = self._deck[:n], self._deck[n:]
        return np.concatenate([np.array(known, dtype=int), draw(self.np_random, n - len(known))])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[tuple[int, int, int], dict[str, Any]]:
        """Deals: the dealer shows a card, and the player takes cards as long as none can harm.

        Args:
            seed: of the deck.
            options: "state", a hand to begin with (total, dealer's card, usable ace), as exploring starts choose it;
                "cards", a list of the next cards, before the deck goes on at random.

        Raises:
            WorkshopError: the state or a card is none of the game.
        """
        super().reset(seed=seed)
        options = options or {}
        self._deck = [int(card) for card in options.get("cards", ())]
        if not set(self._deck) <= set(CARDS):
            raise WorkshopError(f'options["cards"]: got {self._deck}, takes cards from 1 to 10')
        if "state" in options:
            total, shown, ace = (int(number) for number in options["state"])
            if not (LOWEST <= total <= HIGHEST and 1 <= shown <= 10 and ace in (0, 1)):
                raise WorkshopError(
                    f'options["state"]: got {options["state"]}, takes a total from {LOWEST} to {HIGHEST}, '
                    "the dealer's card from 1 to 10, and 0 or 1 for a usable ace"
                )
        else:
            shown, total, ace = int(self._draw(1)[0]), 0, 0
            while total < LOWEST:
                total, ace = (int(number) for number in add_card(total, ace, self._draw(1)[0]))
        self._state, self._is_over = (total, shown, ace), False
        return self._state, {}

    def step(self, action: int) -> tuple[tuple[int, int, int], float, bool, bool, dict[str, Any]]:
        """Takes a card, or stays, which ends the hand; `info` then has the dealer's total."""
        if self._is_over:
            raise gymnasium.error.ResetNeeded("the hand has ended, or has not begun: call reset()")
        if not self.action_space.contains(action):
            raise gymnasium.error.InvalidAction(f"got {action!r}, takes {STAY} (stay) or {HIT} (hit)")
        total, shown, ace = self._state
        if action == HIT:
            total, ace = (int(number) for number in add_card(total, ace, self._draw(1)[0]))
            self._state, self._is_over = (total, shown, ace), total > HIGHEST
            return self._state, -1.0 if self._is_over else 0.0, self._is_over, False, {}
        self._is_over = True
        dealer = finish_dealer(np.array([shown]), self._draw)
        return self._state, float(outcome(np.array([total]), dealer)[0]), True, False, {"dealer": int(dealer[0])}

    def render(self) -> str | None:
        """Returns the hand as a line of text; None without a render mode."""
        if self.render_mode is None:
            return None
        total, shown, ace = self._state
        return f"{'soft' if ace else 'hard'} {total} against {'an ace' if shown == 1 else f'a {shown}'}"

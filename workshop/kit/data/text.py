"""Text as a network takes it: read from a file, a number for each character, cut into windows, and written on."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit import files
from workshop.kit.errors import WorkshopError
from workshop.kit.saving.model import Model

SHORTEST = 1000  # characters from which something can be learned, and something be kept back to measure it
MOST_CHARACTERS = 1000  # that are told apart
UNKNOWN = "\N{REPLACEMENT CHARACTER}"  # the first of every vocabulary: what stands for all that it does not have
_LARGEST_FILE = 100_000_000  # bytes


def read(path: Path | None) -> tuple[str, str]:
    """Returns the text of a file and its name; without a file, the book that ships.

    Line ends become "\\n", whichever system wrote them.

    Raises:
        WorkshopError: the file cannot be read, is no text in UTF-8, or is too short to learn from.
    """
    if path is None:
        text = (files.shipped("datasets") / "alice.txt").read_text("ascii")
        return text, f"Alice's Adventures in Wonderland ({len(text):,} characters)"
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise WorkshopError(f"{path} has {path.stat().st_size:,} bytes, takes at most {_LARGEST_FILE:,}")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise WorkshopError(f"{path} cannot be read ({error.strerror}): --data takes a file of text") from error
    except UnicodeDecodeError as error:
        raise WorkshopError(
            f"{path} is no text in UTF-8 (byte {error.object[error.start]:#x} at {error.start:,}): save it as UTF-8"
        ) from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) < SHORTEST:
        raise WorkshopError(f"{path} has {len(text):,} characters, takes at least {SHORTEST:,} to learn from")
    if "\0" in text:
        raise WorkshopError(f"{path} holds zero bytes: it is no text")
    return text, f"{path.name} ({len(text):,} characters)"


class Vocabulary:
    """The characters that a model tells apart; a character's number is its place among them.

    Args:
        characters: without `UNKNOWN`, which becomes number 0.
    """

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = [UNKNOWN, *characters]
        self._numbers = {character: number for number, character in enumerate(self.characters)}

    @classmethod
    def of(cls, text: str) -> "Vocabulary":
        """Returns the vocabulary of a text, in alphabetic order; of very many characters the most frequent ones."""
        frequent = Counter(text).most_common(MOST_CHARACTERS)
        return cls(sorted(character for character, _ in frequent if character != UNKNOWN))

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> np.ndarray:
        """Returns the numbers of a text's characters, int32 (characters,); 0 for one that is not known."""
        return np.array([self._numbers.get(character, 0) for character in text], np.int32)

    def names(self) -> list[str]:
        """Returns the characters as a card has them: what a screen does not show is written as in Python, "\\n"."""
        return [_escaped(character) for character in self.characters]

    @classmethod
    def from_names(cls, names: Sequence[str]) -> "Vocabulary":
        """Returns the vocabulary that a card has.

        Raises:
            WorkshopError: they are no names of characters.
        """
        by_name = {_escaped(chr(number)): chr(number) for number in range(32)} | {"\\\\": "\\", "\\x7f": "\x7f"}
        characters = [by_name.get(name, name) for name in names]
        if len(set(characters)) < len(characters) or characters[:1] != [UNKNOWN] or max(map(len, characters)) > 1:
            raise WorkshopError("the card's classes are no characters: the model was trained by another lesson")
        return cls(characters[1:])


def _escaped(character: str) -> str:
    is_shown = character.isprintable() and character != "\\"
    return character if is_shown else character.encode("unicode_escape").decode()


def windows(numbers: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Cuts a text into windows; returns inputs and targets, (windows, length): each target is the next character."""
    count = (len(numbers) - 1) // length
    return numbers[: count * length].reshape(count, length), numbers[1 : count * length + 1].reshape(count, length)


def bits_per_character(model: Model, numbers: np.ndarray) -> tuple[float, float]:
    """Measures a model on a text that it has not learned from.

    The windows overlap by half, and only the second half of each counts: every character that is measured has at least
    half a window before it.

    Args:
        model: from (samples, steps) to probabilities (samples, steps, characters).
        numbers: of the text's characters, more than a window.

    Returns:
        The mean of -log2 of the probability that the model gave to the character that came, and the share of
        characters to which it gave the highest one.
    """
    length = model.input_shape[0]
    half = length // 2
    starts = np.arange(0, len(numbers) - length, length - half)
    places = starts[:, None] + np.arange(length)
    losses, right = [], []
    for rows in np.array_split(places, math.ceil(len(places) / 500)):
        probabilities = model.predict(numbers[rows])[:, half:]
        targets = numbers[rows + 1][:, half:, None]
        given = np.take_along_axis(probabilities, targets, axis=2)[..., 0]
        losses.append(-np.log2(np.maximum(given, 1e-30)).ravel())
        right.append((probabilities.argmax(axis=2) == targets[..., 0]).ravel())
    return float(np.concatenate(losses).mean()), float(np.concatenate(right).mean())


def choose(probabilities: np.ndarray, temperature: float, random: np.random.Generator) -> int:
    """Draws the next character's number; p^(1/T), made to add up to 1, is what it is drawn from.

    At T = 1 these are the model's own probabilities; below, the likely ones become likelier still; above, all come
    closer to each other. `UNKNOWN` is never drawn.
    """
    logarithms = np.log(np.maximum(probabilities[1:].astype(np.float64), 1e-30)) / temperature
    weights = np.exp(logarithms - logarithms.max())
    return 1 + int(random.choice(len(weights), p=weights / weights.sum()))


def write(
    model: Model, vocabulary: Vocabulary, start: str, temperature: float, random: np.random.Generator
) -> Iterator[str]:
    """Continues a text without end, character by character.

    The model sees the last window of what there is. A shorter text is filled up behind: an answer depends on nothing
    that comes after it.

    Args:
        model: from (1, steps) to probabilities (1, steps, characters).
        vocabulary: its characters.
        start: how the text begins; empty for a new line.
        temperature: above 0.
        random: what draws.
    """
    length = model.input_shape[0]
    recent: list[Any] = list(vocabulary.encode(start or "\n"))
    while True:
        recent = recent[-length:]
        X = np.zeros((1, length), np.int32)
        X[0, : len(recent)] = recent
        number = choose(model.predict(X)[0, len(recent) - 1], temperature, random)
        recent.append(number)
        yield vocabulary.characters[number]

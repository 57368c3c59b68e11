"""Text for a network: read from a file, encoded character by character, cut into windows, and generated."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit import files
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving.model import Model

MIN_LENGTH = 1000  # characters: enough to train on some and to hold others out
MAX_CHARACTERS = 1000  # in a vocabulary
UNKNOWN = "\N{REPLACEMENT CHARACTER}"  # the first of every vocabulary, for all characters that are not in it
_MAX_FILE_SIZE = 100_000_000  # bytes


def read(path: FilePath | None) -> tuple[str, str]:
    """Returns the text of a file and its name; without a file, the book that ships.

    Line ends become "\\n", whichever system wrote them.

    Raises:
        WorkshopError: the file cannot be read, is no text in a common encoding, or is too short to train on.
    """
    if path is None:
        text = (files.shipped("datasets") / "alice.txt").read_text("ascii")
        return text, f"Alice's Adventures in Wonderland ({len(text):,} characters)"
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_FILE_SIZE:
            raise WorkshopError(f"{path} has {path.stat().st_size:,} bytes, takes at most {_MAX_FILE_SIZE:,}")
        content = path.read_bytes()
    except OSError as error:
        raise WorkshopError(f"{path} cannot be read ({error.strerror}): --data takes a file of text") from error
    text, encoding = _decode(content, path)
    if encoding:
        print(f"Note      the text is read as {encoding}, not as UTF-8")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) < MIN_LENGTH:
        raise WorkshopError(f"{path} has {len(text):,} characters, takes at least {MIN_LENGTH:,} to train on")
    if "\0" in text:
        raise WorkshopError(f"{path} holds zero bytes: it is no text")
    return text, f"{path.name} ({len(text):,} characters)"


def _decode(content: bytes, path: Path) -> tuple[str, str]:
    """Returns a text, and its encoding where that is not UTF-8: UTF-16 with its mark, or Windows' Western Europe."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return content.decode("utf-16"), "UTF-16"
        except UnicodeDecodeError as error:
            raise WorkshopError(f"{path} is no whole text in UTF-16: save it as UTF-8") from error
    if b"\0" in content:
        raise WorkshopError(f"{path} holds zero bytes: it is no text")
    try:
        return content.decode("utf-8-sig"), ""
    except UnicodeDecodeError as error:
        refusal = WorkshopError(
            f"{path} is no text in UTF-8 (byte {content[error.start]:#x} at {error.start:,}): save it as UTF-8"
        )
    # A text of Western Europe has few of these letters, and no control characters.
    foreign = sum(byte >= 0xC0 for byte in content)
    if foreign > 0.15 * len(content) or any(byte < 32 and byte not in b"\t\n\r\f" for byte in content):
        raise refusal
    try:
        return content.decode("cp1252"), "Windows-1252 (Latin-1)"
    except UnicodeDecodeError:
        raise refusal from None


class Vocabulary:
    """The characters that a model distinguishes; a character is encoded as its index.

    Args:
        characters: the characters without `UNKNOWN`, which becomes number 0.
    """

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = [UNKNOWN, *characters]
        self._numbers = {character: number for number, character in enumerate(self.characters)}

    @classmethod
    def of(cls, text: str) -> "Vocabulary":
        """Returns the vocabulary of a text, in alphabetic order: the `MAX_CHARACTERS` most frequent characters."""
        frequent = Counter(text).most_common(MAX_CHARACTERS)
        return cls(sorted(character for character, _ in frequent if character != UNKNOWN))

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> np.ndarray:
        """Returns the indices of a text's characters, int32 (characters,); 0 for an unknown one."""
        return np.array([self._numbers.get(character, 0) for character in text], np.int32)

    def names(self) -> list[str]:
        """Returns the characters as a card has them; unprintable ones are escaped as in Python, "\\n"."""
        return [_escaped(character) for character in self.characters]

    @classmethod
    def from_names(cls, names: Sequence[str]) -> "Vocabulary":
        """Returns the vocabulary of a card.

        Raises:
            WorkshopError: they are no names of characters.
        """
        characters = [_unescaped(name) for name in names]
        if len(set(characters)) < len(characters) or characters[:1] != [UNKNOWN] or max(map(len, characters)) > 1:
            raise WorkshopError("the card's classes are no characters: the model was trained by another lesson")
        return cls(characters[1:])


def _escaped(character: str) -> str:
    is_shown = character.isprintable() and character != "\\"
    return character if is_shown else character.encode("unicode_escape").decode()


def _unescaped(name: str) -> str:
    """Returns the character of a name: "\\n" is a line end, "\\u200d" a joiner. Any other text stays as it is."""
    if not re.fullmatch(r"\\([tnr\\]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})", name):
        return name
    try:
        return name.encode("ascii").decode("unicode_escape")
    except UnicodeDecodeError:  # beyond the last character
        return name


def windows(numbers: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Cuts a text into windows; returns inputs and targets, (windows, length): each target is the next character."""
    count = (len(numbers) - 1) // length
    return numbers[: count * length].reshape(count, length), numbers[1 : count * length + 1].reshape(count, length)


def evaluation_windows(numbers: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cuts a held-out text into windows that overlap by half; only the second half of each counts.

    So every predicted character has at least half a window before it.

    Args:
        numbers: the encoded text, longer than a window.
        length: of a window.

    Returns:
        Inputs, targets, and the weights of the targets, which are 0 in the first half and 1 on average; each (windows,
        length).
    """
    half = length // 2
    starts = np.arange(0, len(numbers) - length, length - half)
    positions = starts[:, None] + np.arange(length)
    weights = np.zeros(positions.shape, np.float32)
    weights[:, half:] = length / (length - half)
    return numbers[positions], numbers[positions + 1], weights


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Returns p^(1/T), normalised to a sum of 1.

    At T = 1 these are the model's own probabilities; below, the likely characters become likelier; above, the
    distribution becomes flatter.
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), 1e-30)) / temperature
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum())


def sample(probabilities: np.ndarray, temperature: float, random: np.random.Generator) -> int:
    """Samples the index of the next character at a temperature; `UNKNOWN` is never sampled."""
    known = apply_temperature(probabilities[1:], temperature)
    return 1 + int(random.choice(len(known), p=known))


def generate(
    model: Model, vocabulary: Vocabulary, start: str, temperature: float, random: np.random.Generator
) -> Iterator[str]:
    """Generates the continuation of a text, character by character, without end.

    The model sees the last window of the text. A shorter text is padded at its end: a prediction depends on no later
    character.

    Args:
        model: maps (1, steps) to probabilities (1, steps, characters).
        vocabulary: its characters.
        start: the beginning of the text; empty for a new line.
        temperature: above 0.
        random: the random generator.
    """
    length = model.input_shape[0]
    recent: list[Any] = list(vocabulary.encode(start or "\n"))
    while True:
        recent = recent[-length:]
        X = np.zeros((1, length), np.int32)
        X[0, : len(recent)] = recent
        number = sample(model.predict(X)[0, len(recent) - 1], temperature, random)
        recent.append(number)
        yield vocabulary.characters[number]

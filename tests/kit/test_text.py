"""Text as numbers and back, windows of it, and generated text."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workshop.kit.data import text
from workshop.kit.errors import WorkshopError
from workshop.scratch.nn.cells import LSTM
from workshop.scratch.nn.embedding import Embedding
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.network import Network


class Counting:
    """A model that predicts the next number, counting up, with a probability of 90 %."""

    def __init__(self, steps: int, characters: int) -> None:
        self.input_shape, self.output_shape = (steps,), (steps, characters)
        self.seen: list[np.ndarray] = []

    def predict(self, X: np.ndarray, **options: Any) -> np.ndarray:
        self.seen.append(X)
        after = np.eye(self.output_shape[1])[(X + 1) % self.output_shape[1]]
        return 0.9 * after + 0.1 / self.output_shape[1]


def test_the_book_that_ships() -> None:
    whole, source = text.read(None)
    assert len(whole) > 100_000
    assert "Down the Rabbit-Hole" in whole and whole.isascii() and "\r" not in whole
    assert source == f"Alice's Adventures in Wonderland ({len(whole):,} characters)"


def test_line_ends_and_a_mark_of_the_byte_order_are_no_characters() -> None:
    Path("a.txt").write_bytes(b"\xef\xbb\xbf" + b"one\r\ntwo\rthree\n" * 100)
    assert text.read(Path("a.txt"))[0] == "one\ntwo\nthree\n" * 100


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "a.txt cannot be read (No such file"),
        (b"", "a.txt has 0 characters, takes at least 1,000"),
        (b"one line, and a short one", "a.txt has 25 characters"),
        (b"x" * 2000 + b"\x81", "a.txt is no text in UTF-8 (byte 0x81 at 2,000)"),
        ("Привет, мир! ".encode("cp1251") * 200, "a.txt is no text in UTF-8 (byte 0xcf at 0)"),
        (b"\xff\xfe\0", "a.txt is no whole text in UTF-16"),
        (b"x" * 2000 + b"\0", "a.txt holds zero bytes"),
    ],
)
def test_a_file_that_is_no_text_to_train_on(content: bytes | None, message: str) -> None:
    if content is not None:
        Path("a.txt").write_bytes(content)
    with pytest.raises(WorkshopError) as caught:
        text.read(Path("a.txt"))
    assert message in str(caught.value)


def test_a_thousand_characters_are_a_text_to_train_on() -> None:
    Path("a.txt").write_text("é" * 1000, "utf-8")
    assert len(text.read("a.txt")[0]) == 1000
    Path("a.txt").write_text("é" * 999, "utf-8")
    with pytest.raises(WorkshopError, match=r"a\.txt has 999 characters, takes at least 1,000"):
        text.read("a.txt")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_text_in_another_encoding(encoding: str, capsys: pytest.CaptureFixture[str]) -> None:
    whole = "« Où vas-tu ? » dit la reine, l\u2019été.\n" * 40
    Path("a.txt").write_bytes(whole.encode(encoding))
    assert text.read(Path("a.txt"))[0] == whole
    assert ("not as UTF-8" in capsys.readouterr().out) == (encoding != "utf-8-sig")


@pytest.mark.parametrize(
    ("content", "is_text"),
    [
        (b"\xc0" * 150 + b"a" * 850, True),
        (b"\xc0" * 151 + b"a" * 849, False),
        (b"\xe9" + b"\xbf" * 999, True),  # a mark of punctuation, not a letter
        (b"\xe9" + b"a\t\f\r\n" * 300, True),
        (b"\xe9" + b"a" * 999 + b"\x1f", False),
        (b"\xe9" + b"a" * 999 + b"\x0b", False),
    ],
)
def test_a_text_of_western_europe_has_few_foreign_letters_and_no_control_characters(
    content: bytes, is_text: bool
) -> None:
    Path("a.txt").write_bytes(content)
    if is_text:
        assert text.read("a.txt")[0] == content.decode("cp1252").replace("\r\n", "\n").replace("\r", "\n")
    else:
        with pytest.raises(WorkshopError, match="is no text in UTF-8"):
            text.read("a.txt")


def test_a_file_of_more_than_100_million_bytes_is_not_read() -> None:
    for size, says in [(100_000_000, "zero bytes"), (100_000_001, "has 100,000,001 bytes, takes at most 100,000,000")]:
        with Path("a.txt").open("wb") as file:
            file.truncate(size)
        with pytest.raises(WorkshopError, match=says):
            text.read("a.txt")


def test_a_text_of_one_line_is_a_text() -> None:
    Path("a.txt").write_text("word " * 400)
    assert text.Vocabulary.of(text.read(Path("a.txt"))[0]).characters == [text.UNKNOWN, *" dorw"]


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1))
def test_a_vocabulary_survives_its_card(whole: str) -> None:
    vocabulary = text.Vocabulary.of(whole)
    numbers = vocabulary.encode(whole)
    assert "".join(vocabulary.characters[number] for number in numbers) == whole
    assert all(name.isprintable() for name in vocabulary.names())
    assert text.Vocabulary.from_names(vocabulary.names()).characters == vocabulary.characters


def test_what_was_never_seen_is_unknown() -> None:
    vocabulary = text.Vocabulary.of("abc")
    np.testing.assert_array_equal(vocabulary.encode("cab?"), [3, 1, 2, 0])


def test_of_very_many_characters_the_frequent_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MAX_CHARACTERS", 2)
    assert text.Vocabulary.of("abbcccd").characters == [text.UNKNOWN, "b", "c"]


def test_a_vocabulary_has_a_thousand_characters_and_one_for_all_others() -> None:
    whole = "".join(map(chr, range(0x4E00, 0x4E00 + 1001)))
    assert len(text.Vocabulary.of(whole)) == 1001
    assert text.Vocabulary.of(whole).encode(whole)[-1] == 0


@pytest.mark.parametrize("names", [[], ["a", "b"], [text.UNKNOWN, "a", "a"], [text.UNKNOWN, "cat"]])
def test_classes_that_are_no_characters(names: list[str]) -> None:
    with pytest.raises(WorkshopError, match="no characters"):
        text.Vocabulary.from_names(names)


@pytest.mark.parametrize(("characters", "count"), [(9, 2), (10, 3), (12, 3)])
def test_a_windows_targets_are_the_characters_that_follow(characters: int, count: int) -> None:
    X, y = text.windows(np.arange(characters), 3)  # of exactly three windows the last one has no target
    np.testing.assert_array_equal(X, [[0, 1, 2], [3, 4, 5], [6, 7, 8]][:count])
    np.testing.assert_array_equal(y, X + 1)


@pytest.mark.parametrize("length", [8, 7])
def test_each_held_out_character_counts_once_and_follows_half_a_window(length: int) -> None:
    X, y, weights = text.evaluation_windows(np.arange(41), length)
    np.testing.assert_array_equal(y, X + 1)
    assert X.shape == weights.shape
    assert weights.mean() == pytest.approx(1)
    assert not weights[:, : length // 2].any()
    counted = y[weights > 0]
    np.testing.assert_array_equal(counted, np.arange(length // 2 + 1, length // 2 + 1 + len(counted)))
    assert counted[-1] > 40 - length


def test_a_low_temperature_samples_the_likeliest_and_one_samples_as_predicted() -> None:
    probabilities, random = np.array([0.4, 0.1, 0.3, 0.2]), np.random.default_rng(1)
    assert {text.sample(probabilities, 0.01, random) for _ in range(50)} == {2}
    sampled = np.bincount([text.sample(probabilities, 1, random) for _ in range(6000)], minlength=4) / 6000
    # The first one is what stands for the unknown.
    np.testing.assert_allclose(sampled, [0, 1 / 6, 3 / 6, 2 / 6], atol=0.03)
    flat = np.bincount([text.sample(probabilities, 100, random) for _ in range(6000)], minlength=4) / 6000
    np.testing.assert_allclose(flat, [0, 1 / 3, 1 / 3, 1 / 3], atol=0.03)


def test_a_text_is_continued_beyond_the_window() -> None:
    vocabulary = text.Vocabulary("abcdefghij")
    model = Counting(4, 11)
    generated = text.generate(model, vocabulary, "ab", 0.05, np.random.default_rng(1))  # type: ignore[arg-type]
    assert "".join(next(generated) for _ in range(8)) == "cdefghij"
    assert {X.shape for X in model.seen} == {(1, 4)}


def test_later_characters_change_no_prediction_of_an_lstm() -> None:
    network = Network([Embedding(7, 3), LSTM(4, return_sequences=True), Dense(7, "softmax")], (6,))
    one, other = np.array([[1, 2, 3, 0, 0, 0]]), np.array([[1, 2, 3, 4, 5, 6]])
    np.testing.assert_array_equal(network.predict(one)[0, :3], network.predict(other)[0, :3])

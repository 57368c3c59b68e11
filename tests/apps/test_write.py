"""The console program `apps.write`: texts that are given, and its dialogue through a pseudo-terminal."""

import io
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.dialogues import Screen, dialogue, end_of

from apps import write
from workshop.kit.data import text
from workshop.kit.errors import WorkshopError
from workshop.kit.saving import bundle
from workshop.scratch.nn.cells import LSTM
from workshop.scratch.nn.embedding import Embedding
from workshop.scratch.nn.layers import Dense, Layer
from workshop.scratch.nn.network import Network

FOUND = "note: the model is models/text_generation.h5\n"
PROMPT = r"How does it begin \(an empty line ends\)\? "


def follow(vocabulary: text.Vocabulary) -> Network:
    """A model of the lesson's kind that predicts after each character the next one of the vocabulary."""
    count = len(vocabulary)
    network = Network(
        [Embedding(count, count), LSTM(count, return_sequences=True), Dense(count, "softmax")], (6,), seed=1
    )
    embeddings, kernel, recurrent, bias, dense, _ = weights = network.get_weights()
    embeddings[...] = np.eye(count)
    # All gates are open but the forget gate: the state depends on the last character alone.
    recurrent[...], bias[:] = 0, np.repeat([20, -20, 0, 20], count)
    kernel[...] = 0
    kernel[:, 2 * count : 3 * count] = 5 * np.eye(count)
    dense[...] = 40 * np.roll(np.eye(count), 1, axis=1)
    dense[-1] = dense[0]  # after the last character comes the first, not the unknown one before it
    network.set_weights(weights)
    return network


def save(network: Network, vocabulary: text.Vocabulary) -> Path:
    """Saves a network as the lesson does, in the folder `models`."""
    bundle.save(
        "models",
        "text_generation",
        network,
        lesson="text_generation",
        data="the alphabet",
        seed=1,
        inputs=[bundle.Input("numbers", shape=(6,), maximum=9)],
        metrics={},
        classes=vocabulary.names(),
    )
    return Path("models").resolve() / "text_generation.h5"


@pytest.fixture
def model(room: Path) -> Path:
    """The model of that kind, as a bundle in the folder `models`."""
    vocabulary = text.Vocabulary("\nabcdefgh")
    return save(follow(vocabulary), vocabulary)


def run(*arguments: str) -> tuple[str, str]:
    output, notes = io.StringIO(), io.StringIO()
    with redirect_stdout(output), redirect_stderr(notes):
        write.main(arguments)
    return output.getvalue(), notes.getvalue()


def test_a_text_is_continued(model: Path) -> None:
    assert run("abc", "--length", "7", "--temperature", "0.1") == ("abcdefgh\na\n", FOUND)
    # Nothing is a beginning too: that of a line.
    assert run("", "--length", "3", "--temperature", "0.1") == ("abc\n", FOUND)


def test_each_character_is_seen_before_the_next_is_computed(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen, generate, seen = Screen(), text.generate, []

    def watched(*arguments: Any) -> Iterator[str]:
        for character in generate(*arguments):
            seen.append(screen.seen())
            yield character

    monkeypatch.setattr(text, "generate", watched)
    with redirect_stdout(screen):
        write.main(["abc", "--length", "3", "--temperature", "0.1"])
    assert seen == ["abc", "abcd", "abcde"]


@pytest.mark.parametrize("engine", ["numpy", "all"])
def test_the_same_seed_gives_the_same_text_and_another_one_another(model: Path, engine: str) -> None:
    pytest.importorskip("torch")
    options = ("ab", "--length", "7", "--temperature", "12", "--engine", engine)
    first, again, other = run(*options), run(*options), run(*options, "--seed", "2")
    assert first == again != other
    assert ("largest difference between the outputs" in first[0]) == (engine == "all")


@pytest.mark.parametrize(("start", "length", "last"), [("abc", 1, "'d'"), ("", 1, "'a'"), ("gha", 7, "'h'")])
def test_engines_side_by_side_name_the_last_character_of_a_text_shorter_than_the_window_or_longer(
    start: str, length: int, last: str, model: Path
) -> None:
    pytest.importorskip("torch")
    output, _ = run(start, "--length", str(length), "--temperature", "0.1", "--engine", "all")
    assert [row.split() for row in output.splitlines()[-4:-1]] == [[name, last] for name in ("numpy", "keras", "torch")]


@pytest.mark.parametrize(
    ("option", "lowest", "refused"), [("--length", "1", "0"), ("--seed", "0", "-1"), ("--temperature", "1e-9", "0")]
)
def test_how_low_an_option_may_be(
    option: str, lowest: str, refused: str, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shortest = () if option == "--length" else ("--length", "1")
    assert len(run("a", option, lowest, *shortest)[0]) == 3
    with pytest.raises(SystemExit):
        write.main(["a", option, refused])
    assert f"{option}: got {refused}, takes a " in capsys.readouterr().err


def test_characters_that_were_never_seen_in_training_are_named(model: Path) -> None:
    output, notes = run("aZ?b", "--length", "2", "--temperature", "0.1")
    assert output == "aZ?bcd\n"
    assert notes == f"{FOUND}note: never seen in training, taken as unknown: '?' 'Z'\n"


def test_a_model_without_a_card_is_refused(model: Path) -> None:
    model.with_suffix(".json").unlink()
    with pytest.raises(WorkshopError, match="has no card with its characters"):
        run("abc", "--model", str(model))


@pytest.mark.parametrize(
    "layers",
    [
        [LSTM(4), Dense(10, "softmax")],  # after the last step alone
        [LSTM(4, return_sequences=True), Dense(9, "softmax")],
        [LSTM(4, return_sequences=True), Dense(11, "softmax")],
    ],
)
def test_a_model_that_predicts_something_else_is_refused(layers: Sequence[Layer], room: Path) -> None:
    save(Network([Embedding(10, 4), *layers], (6,)), text.Vocabulary("\nabcdefgh"))
    with pytest.raises(WorkshopError, match="does not predict 10 characters at every step: train it again"):
        run("abc")


def test_a_model_of_another_lesson_or_none_is_refused_before_the_text_is_asked_for(model: Path) -> None:
    with pytest.raises(WorkshopError, match=r"not_there\.h5"):
        write.main(["--model", "not_there.h5"])
    card = model.with_suffix(".json")
    card.write_text(card.read_text().replace('"lesson": "text_generation"', '"lesson": "xor"'))
    with pytest.raises(WorkshopError, match="xor"):
        write.main(["--model", str(model)])


OPTIONS = ("apps.write", "--length", "4", "--temperature", "0.1")


def test_one_text_after_another_until_an_empty_line(model: Path, room: Path) -> None:
    with dialogue(room, *OPTIONS) as child:
        child.expect(PROMPT)
        for start, text in (("ab", "abcdef\r\n"), ("d", "defgh\r\n")):
            child.sendline(start)
            child.expect(text)
            child.expect(r"How does it begin\? ")
        child.sendline("")
        end_of(child)
    assert child.exitstatus == 0


def test_ctrl_d_ends_it(model: Path, room: Path) -> None:
    with dialogue(room, *OPTIONS) as child:
        child.expect(PROMPT)
        child.sendeof()
        end_of(child)
    assert child.exitstatus == 0

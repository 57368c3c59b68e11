"""The lesson that learns to write, on texts of one's own; its quick run is among those of `test_lessons`."""

import importlib.util
import io
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from lesson_runs import start

from workshop import text_generation
from workshop.kit.engine import Engine
from workshop.kit.errors import WorkshopError
from workshop.kit.saving import bundle
from workshop.scratch.nn.network import Network

FEW = ["--units", "8", "--layers", "1", "--length", "20", "--no-plots"]


def test_counting_knows_what_always_follows_and_nothing_of_chance() -> None:
    pattern = np.tile([1, 2, 3, 4], 500)
    assert text_generation.bits_by_counting(pattern, pattern, 0, 8) == pytest.approx(2, abs=0.01)
    assert text_generation.bits_by_counting(pattern, pattern, 1, 8) < 0.01
    chance = np.random.default_rng(1).integers(0, 8, 20_000)
    assert text_generation.bits_by_counting(chance[:15_000], chance[15_000:], 1, 8) == pytest.approx(3, abs=0.01)


def test_what_was_never_seen_is_not_impossible() -> None:
    bits = text_generation.bits_by_counting(np.zeros(100, int), np.full(10, 5), 2, 8)
    assert bits == pytest.approx(3)


def test_a_text_of_ones_own() -> None:
    Path("own.txt").write_text("the cat sat on the mat.\n" * 150 + "a zebra!")
    options = ["--data", "own.txt", "--epochs", "12", "--optimizer", "adam", "--learning-rate", "0.02", *FEW]
    run = start(text_generation, Path(), *options, "--start", "the c", "--temperature", "0.3")
    assert run.metrics["bits_test_log_loss"] < 1.5
    assert "3 of those never occur" not in run.output
    assert "of those never occur in what is learned from" in run.output  # z, b, r and !
    assert "[temperature 0.3]\nthe c" in run.output
    assert run.answer["data"] == "own.txt (3,608 characters)"
    loaded = bundle.load(Path("models/text_generation.h5"), ["text_generation"])
    assert loaded.card["classes"][:4] == ["\N{REPLACEMENT CHARACTER}", "\\n", " ", "."]
    assert loaded.card["metrics"]["bits_test_log_loss"] == run.metrics["bits_test_log_loss"]
    X = np.random.default_rng(1).integers(0, len(loaded.card["classes"]), (5, text_generation.WINDOW))
    expected = loaded.model.predict(X)
    np.testing.assert_allclose(Network.from_h5(loaded.path).predict(X), expected, atol=1e-5)
    if importlib.util.find_spec("torch"):
        from workshop.pytorch.kit.model import TorchModel

        np.testing.assert_allclose(TorchModel.from_h5(loaded.path).predict(X), expected, atol=1e-5)


def test_of_a_long_text_the_beginning_is_learned_unless_all_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_generation, "CHARACTERS", 1000)
    seen = []

    class StopError(Exception):
        pass

    def build(characters: int, units: int, layers: int, seed: int) -> None:
        seen.append(characters)
        raise StopError

    engine = Engine("keras", "", lambda seed: "", build, text_generation.train)
    Path("own.txt").write_text("ab" * 1000 + "cd" * 1000)
    for options, characters in (([], 3), (["--epochs", "1"], 5)):
        with pytest.raises(StopError), redirect_stdout(io.StringIO()):
            text_generation.main(["--data", "own.txt", *options, *FEW], engine)
        assert seen.pop() == characters


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--temperature", "0"], "takes a number above 0"),
        (["--length", "-1"], "takes a whole number from 1 up"),
        (["--units", "5000"], "takes up to 2048 and 8"),
    ],
)
def test_wrong_options(options: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        text_generation.main(options)
    assert caught.value.code == 2
    assert says in capsys.readouterr().err


def test_a_text_that_is_too_short() -> None:
    Path("own.txt").write_text("short\n")
    with (
        pytest.raises(WorkshopError, match=r"own\.txt has 6 characters, takes at least 1,000"),
        redirect_stdout(io.StringIO()),
    ):
        text_generation.main(["--data", "own.txt", *FEW])


@pytest.mark.real
def test_shakespeare_within_its_bits(real_data: Path) -> None:
    options = ["--data", str(real_data / "tiny_shakespeare.txt"), "--no-plots", "--length", "50"]
    run = start(text_generation, Path(), *options)
    assert run.metrics["bits_test_log_loss"] <= 2.45

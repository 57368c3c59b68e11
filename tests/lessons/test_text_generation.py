"""The lesson `text_generation` on texts of one's own; its quick run is among those of `test_lessons`."""

import importlib.util
import io
import math
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from helpers.engines import assert_tells_the_same, module_of
from helpers.lesson_runs import start

from workshop import text_generation
from workshop.kit.data import text
from workshop.kit.errors import WorkshopError
from workshop.kit.saving import bundle
from workshop.scratch.nn.network import Network

SHORT = ["--units", "8", "--layers", "1", "--length", "20", "--no-plots"]


def test_counting_predicts_what_always_follows_and_no_chance() -> None:
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
    options = ["--data", "own.txt", "--epochs", "12", "--optimizer", "adam", "--learning-rate", "0.02", *SHORT]
    run = start(text_generation, Path(), *options, "--start", "the c", "--temperature", "0.3")
    assert run.metrics["bits_test_log_loss"] < 1.5
    assert "4 of those never occur in the training text" in run.output  # z, b, r and !
    began = run.output.index("[temperature 0.3]\nthe c") + len("[temperature 0.3]\nthe c")
    assert {*range(began, began + 21)} <= {*run.at_once}  # each character is seen before the next is computed
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


@pytest.mark.parametrize(("options", "length"), [([], 300), (["--quick"], 80), (["--length", "5"], 5)])
def test_how_long_a_sample_is(options: list[str], length: int) -> None:
    assert text_generation.parse(None, options).length == length


def test_the_model_is_evaluated_on_the_second_half_of_each_window() -> None:
    Path("own.txt").write_text("one two three. " * 100)
    run = start(text_generation, Path(), "--data", "own.txt", "--epochs", "1", *SHORT)
    whole, _ = text.read(Path("own.txt"))
    vocabulary = text.Vocabulary.of(whole)
    X, y, _ = text.evaluation_windows(vocabulary.encode(whole[1350:]), text_generation.WINDOW)
    half = text_generation.WINDOW // 2
    probabilities = Network.from_h5(run.models / "text_generation.h5").predict(X)[:, half:]
    predicted = np.take_along_axis(probabilities, y[:, half:, None], axis=2)
    assert run.metrics["bits_test_log_loss"] == pytest.approx(-np.log2(predicted).mean(), rel=1e-5)
    assert run.metrics["test_accuracy"] == pytest.approx(np.mean(probabilities.argmax(2) == y[:, half:]), abs=1e-6)


def test_of_a_long_text_the_beginning_is_trained_on_unless_all_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(text_generation, "MAX_CHARACTERS", 1000)
    whole = "ab" * 1000 + "cd" * 1000
    for options, characters, trained_on in (([], 3, 1000), (["--epochs", "1"], 5, 3600)):
        vocabulary, train, held_out = text_generation.split(whole, text_generation.parse(None, [*options, *SHORT]))
        assert len(vocabulary) == characters
        assert (len(train), len(held_out)) == (trained_on, 200)
        note = "trains on the first 1,000 characters of 3,600; --epochs 1 reads them all"
        said = capsys.readouterr().out.splitlines()
        assert (f"Note      {note}" in said) == (not options)
        assert f"Text      {characters - 1} different characters; 200 characters are held out" in said
        unknown = "Note      200 of those never occur in the training text: all are encoded as 'unknown'"
        assert (unknown in said) == (not options)
    # Up to a fifth more than the limit is trained on as well.
    for length, trained_on in ((1334, 1200), (1335, 1000)):
        _, train, _ = text_generation.split("a" * length, text_generation.parse(None, SHORT))
        assert len(train) == trained_on


@pytest.mark.parametrize(
    ("options", "windows", "epochs", "batch_size", "rate"),
    [
        ([], 1000, 31, 32, 0.02),
        ([], 100_000, 1, 32, 0.02),
        (["--quick"], 1000, 1, 16, 0.02),
        (["--quick", "--epochs", "3", "--batch-size", "8"], 1000, 3, 8, 0.02),
        (["--optimizer", "adam"], 1000, 31, 32, None),
    ],
)
def test_as_many_epochs_as_read_a_million_characters(
    options: list[str], windows: int, epochs: int, batch_size: int, rate: float | None
) -> None:
    recipe = text_generation.make_recipe(windows, text_generation.parse(None, options))
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (epochs, batch_size, rate)
    assert recipe.schedule_steps == (epochs * math.ceil(windows / batch_size) if rate else None)


@pytest.mark.parametrize("layers", [1, 3])
def test_the_mirror_has_the_shapes_of_the_lesson(layers: int) -> None:
    pytest.importorskip("torch")
    from workshop.pytorch import text_generation as mirror
    from workshop.pytorch.kit.model import TorchModel

    model = text_generation.build_lstm(11, 7, layers)
    torch_model = TorchModel(mirror.build(11, 7, layers, seed=1), (text_generation.WINDOW,), "softmax")
    assert torch_model.output_shape == model.output_shape[1:] == (text_generation.WINDOW, 11)
    weights, torch_weights = model.get_weights(), torch_model.get_weights()
    assert [weight.shape for weight in torch_weights] == [weight.shape for weight in weights]
    assert weights[0].shape == (11, 3)
    for embeddings in (weights[0], torch_weights[0]):
        assert 0.5 < embeddings.std() < 1.5  # Keras' own would be 0.03
    assert [layer.kind for layer in torch_model.architecture.layers] == ["Embedding", *["LSTM"] * layers, "Dense"]


def test_the_mirror_trains_and_reports_the_same(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from workshop.pytorch import text_generation as mirror

    Path("own.txt").write_text("the cat sat on the mat.\n" * 150)
    options = ["--data", "own.txt", "--epochs", "12", "--optimizer", "adam", "--learning-rate", "0.02"]
    run = start(mirror, tmp_path, *options, *SHORT, "--start", "the c", "--temperature", "0.3")
    assert run.metrics["bits_test_log_loss"] < 1.5
    assert run.metrics["test_accuracy"] > 0.5
    assert "[temperature 0.3]\nthe c" in run.output
    card = run.load("text_generation").card
    assert card["engine"] == "torch"
    assert card["metrics"] == run.metrics
    lesson = start(text_generation, tmp_path / "keras", "--data", "own.txt", "--epochs", "1", *SHORT)
    assert_tells_the_same(run, lesson)


@pytest.mark.parametrize("engine", ["keras", "torch"])
def test_a_text_of_ones_own_is_held_against_no_expected_bits(
    engine: str, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "torch":
        pytest.importorskip("torch")
    monkeypatch.setattr(text_generation, "MAX_CHARACTERS", 2000)  # as many as are read in training
    Path("own.txt").write_text("one two three. " * 100)
    run = start(module_of(engine, "text_generation"), room, "--data", "own.txt", *SHORT)
    assert "No expected band: the text is your own." in run.lines


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--temperature", "0"], "takes a number above 0"),
        (["--length", "-1"], "takes a whole number from 1 up"),
        (["--units", "5000"], "takes up to 2048 and 8"),
    ],
)
def test_wrong_options(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        text_generation.main(options)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_a_text_that_is_too_short() -> None:
    Path("own.txt").write_text("short\n")
    with (
        pytest.raises(WorkshopError, match=r"own\.txt has 6 characters, takes at least 1,000"),
        redirect_stdout(io.StringIO()),
    ):
        text_generation.main(["--data", "own.txt", *SHORT])


@pytest.mark.real
@pytest.mark.slow
def test_shakespeare_within_its_bits(real_data: Path) -> None:
    options = ["--data", str(real_data / "tiny_shakespeare.txt"), "--no-plots", "--length", "50"]
    run = start(text_generation, Path(), *options)
    assert run.metrics["bits_test_log_loss"] <= 2.45

"""The program `apps.draw_digits`: sheets of a generator whose weights are chosen by hand, and what it refuses."""

import io
import math
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from helpers.dialogues import Screen, dialogue, end_of
from PIL import Image

from apps import draw_digits
from workshop.kit import cli, files
from workshop.kit.errors import WorkshopError
from workshop.kit.saving import bundle
from workshop.programs import engines
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.reshaping import Reshape

NOISE = 3


def stripes(outputs: int = 784, bias: float = -5.0, kernel: float = 10.0) -> Network:
    """A generator by hand: digit d fills row 2 d of the image, and the first random number row 24 where it is positive.

    Its inputs are three random numbers and the label.
    """
    weights = np.zeros((NOISE + 10, 28, 28))
    for digit in range(10):
        weights[NOISE + digit, 2 * digit] = kernel
    weights[0, 24] = 100
    network = Network([Dense(outputs, "sigmoid"), *([Reshape((28, 28, 1))] if outputs == 784 else [])], (NOISE + 10,))
    network.set_weights([weights.reshape(-1, 784)[:, :outputs], np.full(outputs, bias)])
    return network


def save(network: Network, name: str = "digit_generator", lesson: str = "gan", classes: str = "0123456789") -> Path:
    bundle.save("models", name, network, lesson=lesson, data="by hand", seed=1, inputs=[], metrics={}, classes=classes)
    return Path("models") / f"{name}.h5"


@pytest.fixture
def model(room: Path) -> Path:
    """The generator as a bundle in the folder `models`."""
    return save(stripes())


def sheet(path: str) -> np.ndarray:
    """Returns the ink of a sheet (rows, digits, 28, 28), 0 to 1."""
    with Image.open(path) as image:
        edge, scale = draw_digits.MARGIN, draw_digits.SCALE
        inner = image.crop((edge, edge, image.width - edge, image.height - edge))
        small = inner.resize((inner.width // scale, inner.height // scale), Image.Resampling.BOX)
        ink = 1 - np.asarray(small, np.float32) / 255
    return ink.reshape(-1, 28, ink.shape[1] // 28, 28).transpose(0, 2, 1, 3)


def run(*arguments: str) -> str:
    output = io.StringIO()
    with redirect_stdout(output):
        draw_digits.main(arguments)
    return output.getvalue()


def test_the_sheet_shows_the_digits_in_their_order(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = run("2026")
    assert said.endswith("digits-2026.png: 4 handwritings of 2026\n")
    assert capsys.readouterr().err == "note: the model is models/digit_generator.h5\n"
    ink = sheet("digits-2026.png")
    assert ink.shape == (4, 4, 28, 28)
    with Image.open("digits-2026.png") as image:
        assert image.size == (472, 472)  # each digit four times as large, and a margin of 12 pixels
        pixels = np.asarray(image)
        assert pixels[:8].min() == pixels[:, :8].min() == pixels[-8:].min() == pixels[:, -8:].min() == 255
    assert (ink[:, :, :20].mean(axis=3).argmax(axis=2) == [4, 0, 4, 12]).all()
    # The random numbers of all sixteen are others.
    assert 2 < np.sum(ink[..., 24, :].mean(axis=2) > 0.5) < 14


def test_the_same_seed_draws_the_same_and_no_file_is_replaced(model: Path) -> None:
    assert run("77", "--rows", "1").endswith("digits-77.png: 1 handwriting of 77\n")
    first = Path("digits-77.png").read_bytes()
    run("77", "--rows", "1")
    assert Path("digits-77-2.png").read_bytes() == first == Path("digits-77.png").read_bytes()
    run("77", "--rows", "1", "--seed", "4", "--output", "digits-77.png")
    assert Path("digits-77.png").read_bytes() != first
    run("77", "--rows", "1", "--output", "folder/any.png")
    assert Path("folder/any.png").read_bytes() == first


def test_the_first_row_is_on_the_screen_before_the_sheet_is_written(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen, write, seen = Screen(), files.write_atomically, []

    def watched(path: Path, content: bytes) -> None:
        seen.append(screen.seen())
        write(path, content)

    monkeypatch.setattr(files, "write_atomically", watched)
    with redirect_stdout(screen):
        draw_digits.main(["1", "--rows", "1"])
    assert len(seen) == 1 and "\u2824" in seen[0] and "handwriting" not in seen[0]


def test_a_hundred_digits_and_a_hundred_rows_are_the_most(model: Path) -> None:
    assert run("7" * 100, "--rows", "1").endswith(".png: 1 handwriting of " + "7" * 100 + "\n")
    assert run("7", "--rows", "100").endswith(".png: 100 handwritings of 7\n")


def test_the_first_row_is_drawn_in_characters() -> None:
    images = np.zeros((2, 28, 28))
    images[0, 8:12, 4:6] = 1  # one whole character
    images[1, 9, 27] = 1  # a dot of the second row, on the right
    lines = draw_digits.in_braille(images.transpose(1, 0, 2).reshape(28, 56))
    assert len(lines) == 7 and {len(line) for line in lines} == {28}
    assert lines[2] == "\u2800" * 2 + "\u28ff" + "\u2800" * 24 + "\u2810"
    shades = draw_digits.in_shades(images.transpose(1, 0, 2).reshape(28, 56))
    assert shades[2] == "  @" + " " * 24 + "." and shades[0] == " " * 28


@pytest.mark.parametrize(("encoding", "character"), [("utf-8", "\u2824"), ("ascii", ":")])
def test_a_screen_without_braille_gets_letters(
    encoding: str, character: str, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    draw_digits.main(["3" * 7, "--rows", "1"])
    sys.stdout.flush()
    lines = written.getvalue().decode(encoding).splitlines()
    # Seven digits of 14 characters are more than 80: five in a row, then two.
    blocks = "\n".join(lines[:-1]).split("\n\n")
    assert [max(map(len, block.splitlines())) for block in blocks] == [70, 28]
    assert lines[0] == 70 * character


@pytest.mark.parametrize(
    ("ink", "character"),
    [(0, " "), (0.038, " "), (0.042, "."), (0.238, "."), (0.242, ":"), (0.838, "#"), (0.842, "@"), (1, "@")],
)
def test_how_much_ink_each_ascii_character_stands_for(ink: float, character: str) -> None:
    assert draw_digits.in_shades(np.full((8, 6), ink)) == [3 * character] * 2


@pytest.mark.parametrize(("option", "refused"), [("--seed", "-1"), ("--rows", "0")])
def test_how_low_an_option_may_be(option: str, refused: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        draw_digits.main(["7", option, refused])
    assert f"{option}: got {refused}, takes a whole number from {int(refused) + 1} up" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["20x6"], "got '20x6', takes 1 to 100 digits, each from 0 to 9"),
        (["٣"], "got '٣', takes 1 to 100 digits"),
        ([""], "got '', takes 1 to 100 digits"),
        (["1" * 101], "got 101 characters, takes 1 to 100 digits"),
        (["1", "--rows", "101"], "--rows: got 101, takes up to 100"),
        (["1", "--output", "a.jpg"], "--output a.jpg: takes the name of a file that ends in .png"),
        (["1", "--output", "folder.png"], "--output folder.png: that is a folder"),
        (["1", "--output", "file/a.png"], "--output file: nothing can be written there"),
        (["1", "--model", "missing.h5"], "missing.h5 is not there"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options: list[str], message: str, model: Path) -> None:
    Path("folder.png").mkdir()
    Path("file").touch()
    with pytest.raises(WorkshopError, match=message):
        draw_digits.main(options)
    assert not [*Path().glob("*-*.png")]


def test_a_model_that_is_no_generator_is_refused(room: Path) -> None:
    with pytest.raises(WorkshopError, match=r"inputs of shape \(13,\) and outputs of shape \(10,\), .* a generator"):
        draw_digits.main(["--model", str(save(stripes(outputs=10)))])
    for numbers, shape in ((10, (28, 28, 1)), (13, (28, 14, 2)), (13, (27, 28)), (13, (783,))):
        Network([Dense(math.prod(shape)), Reshape(shape)], (numbers,)).save_h5("other.h5")
        with pytest.raises(
            WorkshopError, match=rf"inputs of shape \({numbers},\) .* a generator: random numbers and a "
        ):
            draw_digits.main(["--model", "other.h5"])
    Network([Dense(784)], (11,)).save_h5("other.h5")  # one random number is enough
    draw_digits.main(["--model", "other.h5", "--output", "one.png"])
    with pytest.raises(WorkshopError, match="without labels: it cannot be told which digit to draw"):
        draw_digits.main(["--model", str(save(stripes(), classes=""))])
    with pytest.raises(WorkshopError, match="is a model of the lesson xor; this takes one of gan"):
        draw_digits.main(["--model", str(save(stripes(), lesson="xor"))])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of the sum that has no number in 32 bits
def test_a_generator_that_draws_no_finite_numbers_is_refused(room: Path) -> None:
    largest = float(np.finfo(np.float32).max)
    network = Network([Dense(784)], (NOISE + 10,))
    network.set_weights([largest * np.eye(NOISE + 10)[:, [NOISE + 5]].repeat(784, axis=1), np.full(784, largest)])
    path = save(network)
    with pytest.raises(WorkshopError, match=r"digit_generator\.h5 draws no finite numbers: train it again"):
        draw_digits.main(["5", "--model", str(path)])
    draw_digits.main(["4", "--model", str(path)])


@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28), (784,)])
def test_a_generator_of_ones_own_needs_no_card(
    shape: tuple[int, ...], room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dense, _ = stripes().layers
    network = Network([dense, Reshape(shape)], (NOISE + 10,))
    network.set_weights(stripes().get_weights())
    network.save_h5("mine.h5")
    draw_digits.main(["5", "--model", "mine.h5"])
    assert capsys.readouterr().err == (
        "note: mine.h5 has no card, so it is unverified; assumed: 3 random numbers, then the label; 28x28 pixels from "
        "0 (paper) to 1\n"
    )
    assert (sheet("digits-5.png")[..., :20, :].mean(axis=3).argmax(axis=2) == 10).all()


@pytest.mark.slow
def test_all_engines_draw_the_same(model: Path) -> None:
    pytest.importorskip("torch")
    said = run("19", "--rows", "2", "--engine", "all")
    assert "  torch  0." in said and float(said.split()[-1]) < 1e-5


def test_the_generator_that_ships_draws_what_is_asked_for(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw_digits.main(["0123456789", "--rows", "10", "--output", "sheet.png"])
    assert capsys.readouterr().err == "note: the model is digit_generator.h5, which ships with the package\n"
    classifier = engines.load(files.shipped("models") / "mnist_cnn.h5", ["mnist"], "numpy")
    ink = sheet("sheet.png").reshape(-1, 28, 28, 1)
    assert np.mean(classifier.predict(ink).argmax(axis=1) == np.arange(100) % 10) >= 0.9


def test_on_a_screen(room: Path, model: Path) -> None:
    with dialogue(room, "apps.draw_digits", "12", "--rows", "1") as child:
        said = end_of(child)
    assert child.exitstatus == 0 and "digits-12.png: 1 handwriting of 12" in said and "\u2809" in said


def test_a_refusal_is_one_line_and_exit_code_2(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.run(lambda: draw_digits.main(["x"]))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[1:] == ["error: got 'x', takes 1 to 100 digits, each from 0 to 9"]


def test_nothing_heavy_is_imported(room: Path, model: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "apps.draw_digits", "1"]
    ended = subprocess.run(command, cwd=room, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "workshop.scratch.nn.network" in imported
    assert not {"tensorflow", "keras", "torch", "matplotlib", "sklearn", "scipy"} & imported

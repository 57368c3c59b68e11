"""The program `apps.clean` and how it reads an image with its noise."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.lesson_runs import start, without_published_data
from matplotlib.figure import Figure
from PIL import Image

from apps import clean
from workshop.kit.data import synthetic_images
from workshop.kit.errors import WorkshopError
from workshop.programs import mnist_preprocessing
from workshop.scratch import autoencoder as in_numpy
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.reshaping import Flatten


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A denoiser that learned from scikit-learn's digits for a second or two."""
    folder = tmp_path_factory.mktemp("denoiser")
    with without_published_data(folder):
        run = start(in_numpy, folder, "--quick", "--part", "denoising", "--no-plots", "--epochs", "40")
    return run.models / "denoiser-quick-standin.h5"


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    """Test digits, from 0 to 1 (n, 28, 28), which the model did not learn from."""
    return synthetic_images.image_set("mnist")[2][:12, ..., 0] / np.float32(255)


def with_noise(digit: np.ndarray, level: float = 0.4, seed: int = 1) -> np.ndarray:
    return np.clip(digit + np.random.default_rng(seed).normal(0, level, digit.shape), 0, 1)


def write(path: Path, ink: np.ndarray, is_dark: bool = True) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    Image.fromarray(np.rint(255 * (1 - ink if is_dark else ink)).astype(np.uint8)).save(path)
    return path


def ink_in(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.size == (280, 280)
        return 1 - np.asarray(image.resize((28, 28), Image.Resampling.BOX), np.float32) / 255


def error(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.mean((one - other) ** 2))


@pytest.mark.parametrize("is_dark", [True, False])
def test_noise_is_taken_out_of_an_image(
    is_dark: bool, model: Path, digits: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    for i, digit in enumerate(digits):
        write(Path(f"{i}.png"), with_noise(digit, seed=i), is_dark)
    clean.main(["--model", str(model), *(f"{i}.png" for i in range(len(digits)))])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(digits) and lines[0].startswith("0.png: 0-clean.png (noise 0.")
    before = np.mean([error(digit, with_noise(digit, seed=i)) for i, digit in enumerate(digits)])
    after = np.mean([error(digit, ink_in(Path(f"{i}-clean.png"))) for i, digit in enumerate(digits)])
    assert after < before / 2


def test_no_file_is_replaced_and_each_folder_has_its_own(
    model: Path, digits: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    one = write(Path("pictures/one.png"), with_noise(digits[0]))
    kept = write(Path("pictures/one-clean.png"), digits[1]).read_bytes()
    clean.main(["--model", str(model), str(one)])
    clean.main(["--model", str(model), "--out", "elsewhere", "--show", "--plots", "drawn", str(one)])
    assert Path("pictures/one-clean.png").read_bytes() == kept
    written = {str(path) for path in Path().rglob("*.png")}
    assert written == {
        "pictures/one.png",
        "pictures/one-clean.png",
        "pictures/one-clean-2.png",
        "elsewhere/one-clean.png",
        "drawn/one-cleaned.png",
    }
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("pictures/one.png: pictures/one-clean-2.png (noise ")
    assert said[2] == "  before and after: drawn/one-cleaned.png"


def test_a_bad_image_gives_one_line_and_the_others_are_cleaned(
    model: Path, digits: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    write(Path("good.png"), with_noise(digits[0]))
    Path("bad.png").write_text("no picture")
    write(Path("blank.png"), np.zeros((40, 40)))
    with pytest.raises(SystemExit, match="2"):
        clean.main(["--model", str(model), "bad.png", "good.png", "missing.png", "blank.png"])
    captured = capsys.readouterr()
    assert [line.partition(" (")[0] for line in captured.out.splitlines()] == ["good.png: good-clean.png"]
    said = captured.err.splitlines()
    assert len(said) == 3 and all(line.startswith("error: ") for line in said)
    assert "bad.png is not an image" in said[0] and "missing.png is not there" in said[1] and "blank" in said[2]


@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28), (784,)])
def test_the_noise_is_the_root_mean_square_of_the_change(
    shape: tuple[int, ...], digits: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    # A model whose images are all of half ink.
    half = Network([Flatten(), Dense(784, "sigmoid")], shape)
    half.set_weights([np.zeros((784, 784)), np.zeros(784)])
    half.save_h5("half.h5")
    path = write(Path("one.png"), with_noise(digits[0]))
    clean.main(["--model", "half.h5", str(path)])
    noise = np.sqrt(np.mean((mnist_preprocessing.read_noisy_digit(path) - 0.5) ** 2))
    assert 0.3 < noise < 0.5
    said, note = capsys.readouterr()
    assert said == f"one.png: one-clean.png (noise {noise:.2f}, where ink is 1)\n"
    assert note == (
        "note: half.h5 has no card, so it is unverified; assumed: 28x28 grey pixels from 0 (background) to 1, for "
        "inputs and outputs\n"
    )


def test_before_and_after_are_drawn_side_by_side_in_the_same_greys(
    model: Path, digits: np.ndarray, figures: list[Figure], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(Path("one.png"), with_noise(digits[0]))
    clean.main(["--model", str(model), "--show", str(path)])
    assert capsys.readouterr().out.splitlines()[1] == "  before and after: plots/one-cleaned.png"
    assert Path("plots/one-cleaned.png").is_file()
    (figure,) = figures
    assert [(axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes] == [
        ("before", "pixel", "pixel"),
        ("after", "pixel", "pixel"),
    ]
    (before,), (after,) = (axes.images for axes in figure.axes)
    np.testing.assert_array_equal(before.get_array(), mnist_preprocessing.read_noisy_digit(path))
    assert error(np.asarray(after.get_array()), ink_in(Path("one-clean.png"))) < 0.003
    assert {(image.get_clim(), image.get_cmap().name) for image in (before, after)} == {((0, 1), "gray_r")}


def test_a_model_that_is_no_denoiser_is_refused(digits: np.ndarray) -> None:
    write(Path("one.png"), digits[0])
    Network([Flatten(), Dense(10, "softmax")], (28, 28, 1)).save_h5(Path("other.h5"))
    with pytest.raises(WorkshopError, match=r"other.h5 has inputs of shape \(28, 28, 1\) and outputs of shape \(10,\)"):
        clean.main(["--model", "other.h5", "one.png"])
    for shape in ((28, 27, 1), (27, 28), (783,), (28, 28, 2)):
        Network([Flatten(), Dense(784, "sigmoid")], shape).save_h5(Path("other.h5"))
        with pytest.raises(
            WorkshopError, match=r"outputs of shape \(784,\), this program takes 28x28 pixels for both$"
        ):
            clean.main(["--model", "other.h5", "one.png"])
    with pytest.raises(WorkshopError, match=r"missing\.h5 is not there"):
        clean.main(["--model", "missing.h5", "one.png"])


# --- An image with its noise ------------------------------------------------------------------------------------------


def test_an_image_as_in_the_set_keeps_its_noise(digits: np.ndarray, tmp_path: Path) -> None:
    for digit in digits:
        noisy = with_noise(digit)
        read = mnist_preprocessing.read_noisy_digit(write(tmp_path / "noisy.png", noisy))
        assert read.shape == (28, 28) and read.dtype == np.float32
        np.testing.assert_allclose(read, noisy, atol=0.003)


ELSEWHERE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "large": lambda digit: np.kron(digit, np.ones((9, 9))),
    "in a corner": lambda digit: np.pad(np.kron(digit, np.ones((6, 6))), ((10, 150), (0, 240))),
    "wide": lambda digit: np.pad(np.kron(digit, np.ones((10, 10))), ((20, 20), (150, 100))),
}


@pytest.mark.parametrize("where", ELSEWHERE)
def test_a_digit_elsewhere_is_put_where_the_set_has_it(where: str, digits: np.ndarray, tmp_path: Path) -> None:
    errors = []
    for digit in digits:
        large = 0.2 + 0.6 * ELSEWHERE[where](digit)  # pale ink on grey paper
        noisy = with_noise(large, 0.1)
        read = mnist_preprocessing.read_noisy_digit(write(tmp_path / "noisy.png", noisy))
        clear = mnist_preprocessing.read_digit(write(tmp_path / "clear.png", large))
        errors.append([error(read, clear), error(np.zeros((28, 28)), clear), error(np.roll(clear, 2, axis=1), clear)])
    found, nothing, two_pixels_off = np.mean(errors, axis=0)
    assert found < 0.02 and found < nothing / 5 and found < two_pixels_off / 2

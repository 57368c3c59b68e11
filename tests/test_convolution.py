"""The lesson `convolution`: the operations in NumPy, the same in the libraries, the tables, the pictures."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lesson_runs import Run, start, without_published_data
from PIL import Image

from workshop import convolution
from workshop.convolution import KERNELS, PADDINGS, convolve, correlate, correlate_by_loops, pad, pool
from workshop.kit import filtering
from workshop.kit.errors import WorkshopError
from workshop.kit.filtering import Case

LIBRARIES = ("scipy", "keras", "torch")
ODD = np.random.default_rng(0).uniform(0, 1, (13, 18))  # neither square nor even


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A quick run without a network: the middle of the photographs, and scikit-learn's digits."""
    folder = tmp_path_factory.mktemp("convolution")
    with without_published_data(folder):
        return start(convolution, folder, "--quick")


def save_picture(path: Path, size: tuple[int, int]) -> Path:
    pixels = np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


# --- The operations ---------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    image=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    padding=st.sampled_from(PADDINGS),
    stride=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_the_fast_version_is_the_two_loops(
    image: tuple[int, int], kernel: tuple[int, int], padding: str, stride: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    # A kernel that is larger than the image has no place on it, unless the image is padded.
    X, K = random.normal(size=np.maximum(image, kernel)), random.normal(size=kernel)
    by_loops = correlate_by_loops(X, K, padding, stride)
    assert correlate(X, K, padding, stride) == pytest.approx(by_loops, abs=1e-12)
    border = [0 if padding == "valid" else f // 2 for f in K.shape]
    assert by_loops.shape == tuple(
        convolution.output_size(n, f, p, stride) for n, f, p in zip(X.shape, K.shape, border, strict=True)
    )


def test_the_worked_example_is_right() -> None:
    # With pencil and paper: 1*1 + 2*2 + 1*1 - 4 = 2, and flipped -1 + 1*1 + 2*2 + 4*1 = 8.
    assert correlate(convolution.X_EXAMPLE, convolution.KERNEL_EXAMPLE).tolist() == [[2, 2], [5, 4]]
    assert convolve(convolution.X_EXAMPLE, convolution.KERNEL_EXAMPLE).tolist() == [[8, 8], [1, 10]]
    flipped = np.rot90(convolution.KERNEL_EXAMPLE, 2)
    assert correlate(convolution.X_EXAMPLE, flipped).tolist() == [[8, 8], [1, 10]]


def test_a_correlation_writes_the_kernel_flipped_and_a_convolution_as_it_is() -> None:
    dot, kernel = np.zeros((5, 5)), np.arange(9.0).reshape(3, 3)
    dot[2, 2] = 1
    assert convolve(dot, kernel).tolist() == kernel.tolist()
    assert correlate(dot, kernel).tolist() == kernel[::-1, ::-1].tolist()


@pytest.mark.parametrize(
    ("padding", "first", "second"),
    [
        ("zeros", [0, 0, 0, 0, 0], [0, 1, 2, 3, 0]),
        ("replicate", [1, 1, 2, 3, 3], [1, 1, 2, 3, 3]),
        ("reflect", [5, 4, 5, 6, 5], [2, 1, 2, 3, 2]),
        ("circular", [9, 7, 8, 9, 7], [3, 1, 2, 3, 1]),
    ],
)
def test_padding_puts_the_right_numbers_around(padding: str, first: list[int], second: list[int]) -> None:
    padded = pad(np.arange(1, 10).reshape(3, 3), KERNELS["edge"], padding)
    assert padded.shape == (5, 5)
    assert padded[:2].tolist() == [first, second]


def test_valid_pads_nothing_and_the_others_keep_the_size() -> None:
    for kernel in KERNELS.values():
        for padding in PADDINGS:
            lost = len(kernel) - 1 if padding == "valid" else 0
            assert correlate(ODD, kernel, padding).shape == (13 - lost, 18 - lost)


def test_pooling_takes_the_largest_and_the_mean() -> None:
    X = np.arange(20.0).reshape(4, 5)
    assert pool(X, 2, 2, "max").tolist() == [[6, 8], [16, 18]]
    assert pool(X, 2, 2, "average").tolist() == [[3, 5], [13, 15]]
    assert pool(X, 3, 1, "max").tolist() == [[12, 13, 14], [17, 18, 19]]


def test_each_kernel_does_what_its_name_says() -> None:
    flat, step = np.full((9, 9), 0.7), np.where(np.arange(9) < 4, 0.2, 0.6) * np.ones((9, 1))
    made = {name: correlate(step, kernel, "replicate") for name, kernel in KERNELS.items()}
    assert np.array_equal(made["identity"], step)
    for name in ("box", "Gaussian"):  # a blur: softer, as bright as before
        assert np.abs(np.diff(made[name])).max() < 0.2
        assert correlate(flat, KERNELS[name]) == pytest.approx(0.7)
    assert np.ptp(made["sharpen"]) > np.ptp(step)
    assert np.ptp(made["emboss"]) > np.ptp(step)
    for name in ("edge", "Sobel x", "Sobel y"):  # nothing where nothing changes
        assert correlate(flat, KERNELS[name]) == pytest.approx(0)
    # Four times the step of 0.4, at the two columns beside it; along the step nothing changes.
    assert made["Sobel x"][4] == pytest.approx([0, 0, 0, 1.6, 1.6, 0, 0, 0, 0])
    assert made["Sobel y"] == pytest.approx(0)
    assert correlate(step.T, KERNELS["Sobel y"], "replicate") == pytest.approx(made["Sobel x"].T)


@pytest.mark.parametrize("name", KERNELS)
def test_the_convolution_theorem_holds(name: str) -> None:
    kernel, spectral = KERNELS[name], convolution.convolve_by_fft(ODD, KERNELS[name])
    # Wherever the kernel touches the image: once more by the definition, with the kernel turned upside down.
    everywhere = correlate_by_loops(np.pad(ODD, len(kernel) - 1), np.rot90(kernel, 2))
    assert spectral.shape == everywhere.shape
    assert np.abs(spectral - everywhere).max() < 1e-10


def test_three_layers_of_3x3_see_7x7() -> None:
    kernels = [np.random.default_rng(seed).uniform(-1, 1, (3, 3)) for seed in range(3)]
    assert [convolution.receptive_field(kernels[:layers]) for layers in (1, 2, 3)] == [3, 5, 7]


# --- The libraries ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_libraries_compute_the_same(library: str) -> None:
    for f in (3, 5):
        kernel = np.random.default_rng(f).normal(size=(f, f))
        asked = [Case("", kernel, padding, stride) for padding in PADDINGS for stride in (1, 2, 3)]
        asked += [Case("", kernel, padding, operation="convolve") for padding in PADDINGS]
        for case in asked:
            mine, theirs = convolution.by_numpy(ODD, case), filtering.LIBRARIES[library](ODD, case)
            assert mine.shape == theirs.shape, case
            assert mine == pytest.approx(theirs, abs=1e-12), case


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("operation", ["max", "average"])
def test_the_libraries_pool_the_same(library: str, operation: str) -> None:
    for f, stride in ((2, 2), (3, 2), (3, 1), (4, 3)):
        case = Case("", np.ones((f, f)), "valid", stride, operation)
        mine, theirs = convolution.by_numpy(ODD, case), filtering.LIBRARIES[library](ODD, case)
        assert mine.shape == theirs.shape, case
        # Keras' max pooling answers in single precision.
        assert mine == pytest.approx(theirs, abs=1e-6 if library == "keras" else 1e-12), case


def test_the_largest_difference_does_not_pass_over_nan_or_another_shape() -> None:
    zeros = np.zeros((2, 3))
    assert filtering.largest_difference([(zeros, zeros), (zeros, zeros + np.array([0, 0, -2])), (zeros, zeros)]) == 2
    assert np.isnan(filtering.largest_difference([(zeros, zeros + np.nan), (zeros, zeros)]))
    with pytest.raises(ValueError, match="broadcast"):
        filtering.largest_difference([(zeros, zeros.T)])


# --- The run ----------------------------------------------------------------------------------------------------------


def check_figures(found: dict[str, float]) -> None:
    """The figures of the curriculum."""
    assert set(found) == {f"{name}_test_max_error" for name in (*LIBRARIES, "loops", "theorem")}
    assert all(0 <= error <= 1e-6 for error in found.values())
    assert found["theorem_test_max_error"] <= 1e-10


def test_a_run_reaches_its_figures(quick_run: Run) -> None:
    check_figures(quick_run.metrics)
    answer = quick_run.answer
    assert (answer["lesson"], answer["engine"]) == ("convolution", "numpy")
    assert answer["metrics"] == quick_run.metrics
    assert answer["data"].startswith("china.jpg (427x640 pixels), flower.jpg (427x640 pixels); digits")


@pytest.mark.slow
def test_a_default_run_reaches_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    check_figures(convolution.main(["--no-plots"]))
    assert "As expected for this lesson." in capsys.readouterr().out


def test_the_table_of_sizes_says_what_the_formula_says(quick_run: Run) -> None:
    header = quick_run.rows.index(["n", "f", "p", "s", "(n+2p-f)/s+1", "result", "padding"])
    rows = quick_run.rows[header + 2 : quick_run.rows.index([], header) - 1]
    sizes = [tuple(int(cell) for cell in row[:5]) for row in rows]
    assert {(28, 5, 0, 1, 24), (28, 5, 2, 1, 28), (28, 3, 0, 3, 9), (28, 2, 0, 2, 14)} <= set(sizes)
    for row, (n, f, p, s, size) in zip(rows, sizes, strict=True):
        assert size == (n + 2 * p - f) // s + 1
        assert row[5:7] == [f"({size},", f"{size})"]


def test_weights_and_receptive_fields_are_printed(quick_run: Run) -> None:
    assert ["convolution", "5x5", "5*5", "25"] in quick_run.rows
    assert ["dense", "layer", "784*576", "451,584"] in quick_run.rows
    # Of each of the 576 outputs 25 weights are not 0.
    assert ["the", "first", "written", "as", "the", "second", "not", "0", f"{576 * 25:,}"] in quick_run.rows
    for layers, seen in ((1, 3), (2, 5), (3, 7)):
        assert [str(one) for one in (layers, seen, f"{seen}x{seen}", 9 * layers, seen**2)] in quick_run.rows


def test_the_worked_example_is_printed(quick_run: Run) -> None:
    assert "Correlation, top left: 1*1 + 2*2 + 1*1 + 4*-1 = 2" in quick_run.output
    assert "Convolution, top left: 1*-1 + 1*1 + 2*2 + 4*1 = 8" in quick_run.output


def test_every_kernel_padding_stride_and_pooling_is_compared(quick_run: Run) -> None:
    header = quick_run.rows.index(["largest", "difference", "from", "NumPy", *LIBRARIES])
    table = quick_run.rows[header + 2 : quick_run.rows.index([], header)]
    differences = {" ".join(row[:-3]): [float(cell) for cell in row[-3:]] for row in table}
    assert set(KERNELS) < set(differences)
    assert {f"drawn 5x5, {padding}, stride {s}" for padding in PADDINGS for s in (1, 2)} < set(differences)
    assert {f"{kind} pooling {f}x{f}, stride 2" for kind in ("max", "average") for f in (2, 3)} < set(differences)
    largest = np.max(list(differences.values()), axis=0)
    assert largest == pytest.approx([quick_run.metrics[f"{name}_test_max_error"] for name in LIBRARIES], rel=0.1)


def test_the_pictures_are_drawn(quick_run: Run) -> None:
    names = {path.name for path in quick_run.plots.iterdir()}
    assert names == {f"convolution-{name}.png" for name in ("kernels", "padding", "layers", "filters")}
    for path in quick_run.plots.iterdir():
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"))
        assert pixels.shape[1] > 900
        assert np.mean(pixels < 250) > 0.05, path.name
        assert np.ptp(pixels) > 100, path.name


def test_the_pictures_show_kernels_paddings_and_layers() -> None:
    digits = filtering.load_digits()
    # The smallest picture that is taken: every window still has a place on it.
    figures: dict[str, Any] = convolution.draw(ODD[:8, :8], digits.X_test[0, ..., 0] / 255, digits.classes)
    titles = {name: [panel.get_title() for panel in figure.axes] for name, figure in figures.items()}
    kernels = figures["kernels"].axes
    for name, kernel in convolution.NUMBERS.items():
        (panel,) = (one for one in kernels if one.get_title().split(", ")[0] == name)
        assert [int(text.get_text()) for text in panel.texts] == np.ravel(kernel).tolist()
    assert "Gaussian, / 256" in titles["kernels"]
    assert titles["padding"][:5] == list(PADDINGS)
    assert titles["padding"][10:] == ["photograph", "max of 4x4", "average of 4x4", "digit", "max of 2x2"]
    assert len(figures["layers"].axes) == 7
    assert len(figures["filters"].axes) == 32


def test_without_pytorch_its_column_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    found = convolution.main(["--quick", "--no-plots"])
    output = capsys.readouterr().out
    assert "PyTorch is not installed: its column is left out." in output
    assert "torch_test_max_error" not in found
    assert found["keras_test_max_error"] <= 1e-6


# --- A picture of one's own -------------------------------------------------------------------------------------------


def test_a_small_picture_takes_the_place_of_the_photographs(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = convolution.main(["--data", str(save_picture(room / "own.png", (8, 11))), "--no-plots", "--seed", "4"])
    check_figures(found)
    output = capsys.readouterr().out
    assert "Data      own.png (11x8 pixels)" in output
    assert "As expected for this lesson." in output


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.png", "is not there: give the path of a picture file"),
        ("folder", "is a folder, takes a picture file"),
        ("text.jpg", "is not a picture that can be read: save it as PNG or JPEG"),
        ("truncated.jpg", "is truncated or damaged"),
        ("tiny.png", "has 30x7 pixels, takes 8x8 or more"),
        ("strip.png", "has 1000x4 pixels as it is read, takes 8 a side or more"),
    ],
)
def test_a_bad_picture_is_refused_in_one_line(room: Path, name: str, message: str) -> None:
    (room / "folder").mkdir()
    (room / "text.jpg").write_text("no picture")
    content = save_picture(room / "whole.jpg", (60, 60)).read_bytes()
    (room / "truncated.jpg").write_bytes(content[: len(content) // 2])
    save_picture(room / "tiny.png", (30, 7))
    save_picture(room / "strip.png", (2000, 8))
    with pytest.raises(WorkshopError, match=message) as refused:
        convolution.main(["--data", str(room / name)])
    assert len(str(refused.value).splitlines()) == 1
    assert str(room / name) in str(refused.value)
    assert not list(Path("plots").iterdir())

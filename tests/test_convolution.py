"""The lesson `convolution`: the operations in NumPy, the same in the libraries, the tables, the plots."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lesson_runs import Run, quick_run
from PIL import Image

from workshop import LESSONS, convolution
from workshop.convolution import KERNELS, LIBRARIES, PADDINGS, Case, convolve, correlate, correlate_by_loops, pad, pool
from workshop.kit.errors import WorkshopError

(BANDS,) = (lesson.bands() for lesson in LESSONS if lesson.name == "convolution")
ODD = np.random.default_rng(0).uniform(0, 1, (13, 18))  # neither square nor even


@pytest.fixture
def quick(room: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The quick run, which other tests share, without a network: parts of the photos, and scikit-learn's digits."""
    return quick_run("convolution", tmp_path_factory)


def save_image(path: Path, size: tuple[int, int]) -> Path:
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
    assert correlate(convolution.EXAMPLE_IMAGE, convolution.EXAMPLE_KERNEL).tolist() == [[2, 2], [5, 4]]
    assert convolve(convolution.EXAMPLE_IMAGE, convolution.EXAMPLE_KERNEL).tolist() == [[8, 8], [1, 10]]
    flipped = np.rot90(convolution.EXAMPLE_KERNEL, 2)
    assert correlate(convolution.EXAMPLE_IMAGE, flipped).tolist() == [[8, 8], [1, 10]]


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
        cases = [Case("", kernel, padding, stride) for padding in PADDINGS for stride in (1, 2, 3)]
        cases += [Case("", kernel, padding, operation="convolve") for padding in PADDINGS]
        for case in cases:
            expected, Y = convolution.by_numpy(ODD, case), LIBRARIES[library](ODD, case)
            assert Y.shape == expected.shape, case
            assert pytest.approx(expected, abs=1e-12) == Y, case


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("operation", ["max", "average"])
def test_the_libraries_pool_the_same(library: str, operation: str) -> None:
    for f, stride in ((2, 2), (3, 2), (3, 1), (4, 3)):
        case = Case("", np.ones((f, f)), "valid", stride, operation)
        expected, Y = convolution.by_numpy(ODD, case), LIBRARIES[library](ODD, case)
        assert Y.shape == expected.shape, case
        # Keras' max pooling is in single precision.
        assert pytest.approx(expected, abs=1e-6 if library == "keras" else 1e-12) == Y, case


def test_the_largest_difference_does_not_pass_over_nan_or_another_shape() -> None:
    zeros = np.zeros((2, 3))
    assert convolution.largest_difference([(zeros, zeros), (zeros, zeros + np.array([0, 0, -2])), (zeros, zeros)]) == 2
    assert np.isnan(convolution.largest_difference([(zeros, zeros + np.nan), (zeros, zeros)]))
    with pytest.raises(ValueError, match="broadcast"):
        convolution.largest_difference([(zeros, zeros.T)])


# --- The run ----------------------------------------------------------------------------------------------------------


def check_metrics(metrics: dict[str, float]) -> None:
    """Checks that all metrics are there and in the bands of the curriculum."""
    assert set(metrics) == set(BANDS) == {f"{name}_test_max_error" for name in (*LIBRARIES, "loops", "theorem")}
    for name, error in metrics.items():
        assert 0 <= error <= BANDS[name][1] <= (1e-10 if name.startswith("theorem") else 1e-6), name


def test_a_quick_run_is_in_the_bands(quick: Run) -> None:
    check_metrics(quick.metrics)
    assert quick.answer["data"].startswith("china.jpg (427x640 pixels), flower.jpg (427x640 pixels); digits")


@pytest.mark.slow
def test_a_default_run_is_in_the_bands(capsys: pytest.CaptureFixture[str]) -> None:
    check_metrics(convolution.main(["--no-plots"]))
    assert "As expected for this lesson." in capsys.readouterr().out


def test_the_table_of_sizes_says_what_the_formula_says(quick: Run) -> None:
    header = quick.rows.index(["n", "f", "p", "s", "(n+2p-f)/s+1", "result", "padding"])
    rows = quick.rows[header + 2 : quick.rows.index([], header) - 1]
    sizes = [tuple(int(cell) for cell in row[:5]) for row in rows]
    assert {(28, 5, 0, 1, 24), (28, 5, 2, 1, 28), (28, 3, 0, 3, 9), (28, 2, 0, 2, 14)} <= set(sizes)
    for row, (n, f, p, s, size) in zip(rows, sizes, strict=True):
        assert size == (n + 2 * p - f) // s + 1
        assert row[5:7] == [f"({size},", f"{size})"]


def test_weights_and_receptive_fields_are_printed(quick: Run) -> None:
    assert ["convolution", "5x5", "5*5", "25"] in quick.rows
    assert ["dense", "layer", "784*576", "451,584"] in quick.rows
    # Of each of the 576 outputs 25 weights are not 0.
    assert ["the", "first", "written", "as", "the", "second", "not", "0", f"{576 * 25:,}"] in quick.rows
    for layers, seen in ((1, 3), (2, 5), (3, 7)):
        assert [str(one) for one in (layers, seen, f"{seen}x{seen}", 9 * layers, seen**2)] in quick.rows


def test_the_worked_example_is_printed(quick: Run) -> None:
    assert "Correlation, top left: 1*1 + 2*2 + 1*1 + 4*-1 = 2" in quick.output
    assert "Convolution, top left: 1*-1 + 1*1 + 2*2 + 4*1 = 8" in quick.output


def test_every_kernel_padding_stride_and_pooling_is_compared(quick: Run) -> None:
    header = quick.rows.index(["largest", "difference", "from", "NumPy", *LIBRARIES])
    table = quick.rows[header + 2 : quick.rows.index([], header)]
    differences = {" ".join(row[:-3]): [float(cell) for cell in row[-3:]] for row in table}
    assert set(KERNELS) < set(differences)
    assert {f"drawn 5x5, {padding}, stride {s}" for padding in PADDINGS for s in (1, 2)} < set(differences)
    assert {f"{kind} pooling {f}x{f}, stride 2" for kind in ("max", "average") for f in (2, 3)} < set(differences)
    largest = np.max(list(differences.values()), axis=0)
    assert largest == pytest.approx([quick.metrics[f"{name}_test_max_error"] for name in LIBRARIES], rel=0.1)


def test_the_plots_show_kernels_paddings_and_layers(quick: Run) -> None:
    names = {path.name for path in quick.plots.iterdir()}
    assert names == {f"convolution-{name}.png" for name in ("kernels", "padding", "layers", "filters")}
    photo = ODD[:8, :8]  # the smallest that is taken: every window still has a place on it
    digit = convolution.load_digits().X_test[0, ..., 0] / 255
    panels = convolution.draw_kernels(photo, digit).axes
    for name, kernel in convolution.INTEGER_KERNELS.items():
        (panel,) = (panel for panel in panels if panel.get_title().split(", ")[0] == name)
        assert [int(text.get_text()) for text in panel.texts] == np.ravel(kernel).tolist()
    assert "Gaussian, / 256" in [panel.get_title() for panel in panels]
    panels = convolution.draw_padding_and_pooling(photo, digit).axes
    titles = [panel.get_title() for panel in panels]
    assert titles[:5] == list(PADDINGS)
    assert titles[10:] == ["photo", "max of 4x4", "average of 4x4", "digit", "max of 2x2"]
    # The line lies around the photo, which is not padded on the first image.
    assert not panels[0].lines
    for panel in panels[1:5]:
        assert np.asarray(panel.lines[0].get_path().vertices).tolist() == [[13.5, 2.5], [2.5, 2.5], [2.5, 13.5]]


def test_without_pytorch_its_column_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    metrics = convolution.main(["--quick", "--no-plots"])
    assert "PyTorch is not installed: its column is left out." in capsys.readouterr().out
    assert set(metrics) == set(BANDS) - {"torch_test_max_error"}
    assert metrics["keras_test_max_error"] <= 1e-6


# --- An image of one's own --------------------------------------------------------------------------------------------


def test_a_small_image_takes_the_place_of_the_photos(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = convolution.main(["--data", str(save_image(room / "own.png", (8, 11))), "--no-plots", "--seed", "4"])
    check_metrics(metrics)
    output = capsys.readouterr().out
    assert "Data      own.png (11x8 pixels)" in output
    assert "As expected for this lesson." in output


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.png", "is not there: give the path of an? [a-z]+ file"),
        ("folder", "is a folder, takes an? [a-z]+ file"),
        ("text.jpg", "that can be read: save it as PNG or JPEG"),
        ("truncated.jpg", "is truncated or damaged"),
        ("tiny.png", "has 30x7 pixels, takes 8x8 or more"),
        ("strip.png", "has 1000x4 pixels as it is read, takes 8 a side or more"),
    ],
)
def test_a_bad_image_is_refused_in_one_line(room: Path, name: str, message: str) -> None:
    (room / "folder").mkdir()
    (room / "text.jpg").write_text("no image")
    content = save_image(room / "whole.jpg", (60, 60)).read_bytes()
    (room / "truncated.jpg").write_bytes(content[: len(content) // 2])
    save_image(room / "tiny.png", (30, 7))
    save_image(room / "strip.png", (2000, 8))
    with pytest.raises(WorkshopError, match=message) as refused:
        convolution.main(["--data", str(room / name)])
    assert len(str(refused.value).splitlines()) == 1
    assert str(room / name) in str(refused.value)
    assert not list(Path("plots").iterdir())

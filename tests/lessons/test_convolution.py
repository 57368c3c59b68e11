"""The lesson `convolution`: the operations in NumPy, the same in the libraries, the tables, the plots."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from helpers.lesson_runs import Run, claims, quick_run
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from workshop import convolution
from workshop.convolution import (
    CHANNELS,
    KERNELS,
    LIBRARIES,
    PADDINGS,
    POOLINGS,
    Case,
    convolve,
    correlate,
    correlate_by_loops,
    dilate,
    pad,
    pool,
)
from workshop.figures import convolution as figures
from workshop.kit.data.images import load_image_set
from workshop.kit.errors import WorkshopError

BANDS = claims("convolution")
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
    dilation=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_the_fast_version_is_the_two_loops(
    image: tuple[int, int], kernel: tuple[int, int], padding: str, stride: int, dilation: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    K = random.normal(size=kernel)
    window = dilate(K, dilation).shape
    # A window that is larger than the image has no place on it, unless the image is padded.
    X = random.normal(size=np.maximum(image, window))
    by_loops = correlate_by_loops(X, K, padding, stride, dilation)
    assert correlate(X, K, padding, stride, dilation) == pytest.approx(by_loops, abs=1e-12)
    border = [0 if padding == "valid" else f // 2 for f in window]
    assert by_loops.shape == tuple(
        convolution.output_size(n, f, p, stride) for n, f, p in zip(X.shape, window, border, strict=True)
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


def test_the_kernels_are_those_of_the_curriculum() -> None:
    assert KERNELS["excessive sharpen"].tolist() == [[1, 1, 1], [1, -7, 1], [1, 1, 1]]
    assert KERNELS["soft blur"].tolist() == [[0, 0.2, 0], [0.2, 0.2, 0.2], [0, 0.2, 0]]
    assert (16 * KERNELS["Gaussian 3x3"]).tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    assert (256 * KERNELS["Gaussian 5x5"][2]).tolist() == [6, 24, 36, 24, 6]


def test_a_dilated_kernel_skips_pixels() -> None:
    assert dilate(np.array([[1, 2], [3, 4]]), 2).tolist() == [[1, 0, 2], [0, 0, 0], [3, 0, 4]]
    X = np.arange(25.0).reshape(5, 5)
    # The four corners, the four sides and the middle of 0 to 24.
    assert correlate(X, np.ones((3, 3)), dilation=2).tolist() == [[9 * 12]]


def test_each_output_channel_adds_up_all_input_channels() -> None:
    X = np.stack([np.full((3, 3), value) for value in (1.0, 10.0)], axis=-1)
    kernels = np.zeros((3, 3, 2, 3))
    kernels[1, 1] = [[1, 0, 2], [0, 1, 3]]  # of the first input channel, and of the second
    assert convolution.correlate_channels(X, kernels).tolist() == [[[1, 10, 32]]]


def test_convolution_is_associative_and_correlation_is_not() -> None:
    by_convolution, by_correlation = convolution.compare_associativity([ODD])
    assert by_convolution < 1e-12
    assert by_correlation > 1


def test_pooling_takes_the_largest_and_the_mean_and_the_root_of_the_squares() -> None:
    assert pool(np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 12.0]]), 2, 1, "L2").tolist() == [[5, np.sqrt(160)]]
    X = np.arange(20.0).reshape(4, 5)
    assert pool(X, 2, 2, "max").tolist() == [[6, 8], [16, 18]]
    assert pool(X, 2, 2, "average").tolist() == [[3, 5], [13, 15]]
    assert pool(X, 3, 1, "max").tolist() == [[12, 13, 14], [17, 18, 19]]


def test_each_kernel_does_what_its_name_says() -> None:
    flat, step = np.full((9, 9), 0.7), np.where(np.arange(9) < 4, 0.2, 0.6) * np.ones((9, 1))
    made = {name: correlate(step, kernel, "replicate") for name, kernel in KERNELS.items()}
    assert np.array_equal(made["identity"], step)
    for name in ("box", "soft blur", "Gaussian 3x3", "Gaussian 5x5"):  # a blur: softer, as bright as before
        assert np.abs(np.diff(made[name])).max() < 0.25
        assert correlate(flat, KERNELS[name]) == pytest.approx(0.7)
    assert np.ptp(made["excessive sharpen"]) > np.ptp(made["sharpen"]) > np.ptp(step)
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


@pytest.mark.parametrize(("angle", "expected"), [(0, 90), (30, 120), (90, 0), (150, 60)])
def test_the_spectrum_of_a_line_is_the_line_across_it(angle: int, expected: int) -> None:
    up, right = (64 * grid for grid in convolution.frequencies((64, 64)))
    line = np.abs(right * np.sin(np.radians(angle)) - up * np.cos(np.radians(angle))) < 1.5
    direction = convolution.main_direction(convolution.spectrum(line.astype(float)))
    assert abs((direction - expected + 90) % 180 - 90) < 3


def test_a_diagonal_that_rises_has_waves_that_fall() -> None:
    falling, rising = np.eye(64), np.fliplr(np.eye(64))
    directions = [convolution.main_direction(convolution.spectrum(diagonal)) for diagonal in (falling, rising)]
    assert directions == pytest.approx([45, 135], abs=2)


def test_a_spectrum_has_a_peak_where_the_waves_are() -> None:
    waves = np.cos(2 * np.pi * np.arange(64) / 4) * np.ones((64, 1))  # to the right, of four pixels
    spectrum = convolution.spectrum(waves)
    up, right = convolution.frequencies(spectrum.shape)
    peak = np.unravel_index(spectrum.argmax(), spectrum.shape)
    assert (abs(right[peak]), up[peak]) == (0.25, 0)
    along_rows, along_columns = convolution.fine_share(spectrum)
    assert along_rows > 0.999
    assert along_columns < 1e-6


# --- The libraries ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_libraries_compute_the_same(library: str) -> None:
    for f in (3, 5):
        kernel = np.random.default_rng(f).normal(size=(f, f))
        cases = [Case("", kernel, padding, stride) for padding in PADDINGS for stride in (1, 2, 3)]
        cases += [Case("", kernel, padding, operation="convolve") for padding in PADDINGS]
        cases += [Case("", kernel, padding, operation="convolve", dilation=2) for padding in PADDINGS]
        for case in cases:
            expected, Y = convolution.by_numpy(ODD, case), LIBRARIES[library](ODD, case)
            assert Y.shape == expected.shape, case
            assert pytest.approx(expected, abs=1e-12) == Y, case


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("operation", POOLINGS)
def test_the_libraries_pool_the_same(library: str, operation: str) -> None:
    for f, stride in ((2, 2), (3, 2), (3, 1), (4, 3)):
        case = Case("", np.ones((f, f)), "valid", stride, operation)
        expected, Y = convolution.by_numpy(ODD, case), LIBRARIES[library](ODD, case)
        assert Y.shape == expected.shape, case
        # Keras' max pooling is in single precision.
        assert pytest.approx(expected, abs=1e-6 if library == "keras" else 1e-12) == Y, case


@pytest.mark.parametrize("library", CHANNELS)
def test_the_libraries_add_up_channels_the_same(library: str) -> None:
    random = np.random.default_rng(2)
    X, kernels = random.normal(size=(9, 7, 3)), random.normal(size=(3, 3, 3, 4))
    assert CHANNELS[library](X, kernels) == pytest.approx(convolution.correlate_channels(X, kernels), abs=1e-12)


def test_the_largest_difference_does_not_pass_over_nan_or_another_shape() -> None:
    zeros = np.zeros((2, 3))
    assert convolution.largest_difference([(zeros, zeros), (zeros, zeros + np.array([0, 0, -2])), (zeros, zeros)]) == 2
    assert np.isnan(convolution.largest_difference([(zeros, zeros + np.nan), (zeros, zeros)]))
    with pytest.raises(ValueError, match="broadcast"):
        convolution.largest_difference([(zeros, zeros.T)])


# --- The run ----------------------------------------------------------------------------------------------------------


def check_metrics(metrics: dict[str, float]) -> None:
    """Checks that all metrics are there and in the bands of the curriculum."""
    names = (*LIBRARIES, "loops", "theorem", "channels", "associative", "associative_correlation")
    assert set(metrics) == set(BANDS) == {f"{name}_test_max_error" for name in names}
    largest = {"theorem_test_max_error": 1e-10, "associative_test_max_error": 1e-12}
    for name, error in metrics.items():
        lowest, highest = BANDS[name]
        assert lowest <= error <= highest, name
        if name == "associative_correlation_test_max_error":
            assert lowest >= 0.1
        else:
            assert error >= 0
            assert highest <= largest.get(name, 1e-6)


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
    assert {(28, 5, 0, 1, 24), (28, 5, 2, 1, 28), (28, 3, 0, 3, 9), (28, 2, 0, 2, 14), (28, 3, 0, 2, 13)} <= set(sizes)
    assert rows[-1][7:] == ["pooling,", "overlapping"]
    for row, (n, f, p, s, size) in zip(rows, sizes, strict=True):
        assert size == (n + 2 * p - f) // s + 1
        assert row[5:7] == [f"({size},", f"{size})"]


def test_weights_and_receptive_fields_are_printed(quick: Run) -> None:
    assert ["convolution", "5x5", "5*5", "25"] in quick.rows
    assert ["dense", "layer", "784*576", "451,584"] in quick.rows
    # Of each of the 576 outputs 25 weights are not 0.
    assert ["the", "convolution", "as", "a", "dense", "layer", "nonzero", f"{576 * 25:,}"] in quick.rows
    for layers, seen in ((1, 3), (2, 5), (3, 7)):
        assert [str(one) for one in (layers, seen, f"{seen}x{seen}", 9 * layers, seen**2)] in quick.rows
    assert "With dilations of 1, 2, 4 three layers see 15x15 pixels" in quick.output
    assert "3 channels in and 4 out has 3*3*3*4 = 108 weights" in quick.output


def test_the_worked_example_is_printed(quick: Run) -> None:
    assert "Correlation, top left: 1*1 + 2*2 + 1*1 + 4*-1 = 2" in quick.output
    assert "Convolution, top left: 1*-1 + 1*1 + 2*2 + 4*1 = 8" in quick.output


def test_every_kernel_padding_stride_and_pooling_is_compared(quick: Run) -> None:
    header = quick.rows.index(["largest", "difference", "from", "NumPy", *LIBRARIES])
    table = quick.rows[header + 2 : quick.rows.index([], header)]
    differences = {" ".join(row[:-3]): [float(cell) for cell in row[-3:]] for row in table}
    assert set(KERNELS) < set(differences)
    assert {f"drawn 5x5, {padding}, stride {s}" for padding in PADDINGS for s in (1, 2)} < set(differences)
    assert {f"drawn 3x3, {padding}, dilation 2" for padding in PADDINGS} < set(differences)
    assert {f"{kind} pooling {f}x{f}, stride 2" for kind in POOLINGS for f in (2, 3)} < set(differences)
    largest = np.max(list(differences.values()), axis=0)
    assert largest == pytest.approx([quick.metrics[f"{name}_test_max_error"] for name in LIBRARIES], rel=0.1)


def test_the_spectra_of_the_photo_are_described(quick: Run) -> None:
    table = quick.table("image", "strongest waves, degrees")[:4]
    photo, turned, smoothed, line = ([float(cell.rstrip("%")) for cell in row[1:]] for row in table)
    assert [row[0] for row in table] == ["photo", "rotated by 30 degrees", "smoothed along rows", "a line"]
    assert line[0] == pytest.approx(120, abs=1)
    assert (turned[0] - photo[0]) % 180 == pytest.approx(30, abs=10)
    assert smoothed[1] < photo[1] / 5
    assert smoothed[2] > photo[2] / 3


def test_the_plots_show_kernels_paddings_and_layers(quick: Run) -> None:
    names = {path.name for path in quick.plots.iterdir()}
    assert names == {f"convolution-{name}.png" for name in ("kernels", "padding", "layers", "filters", "spectra")}
    photo = ODD[:8, :8]  # the smallest that is taken: every window still has a place on it
    digit = load_image_set("mnist", downloads=False).X_test[0, ..., 0] / 255
    panels = convolution.draw_kernels(photo, digit).axes
    for name, kernel in convolution.INTEGER_KERNELS.items():
        (panel,) = (panel for panel in panels if panel.get_title().split(", ")[0] == name)
        assert [int(text.get_text()) for text in panel.texts] == np.ravel(kernel).tolist()
    assert {"Gaussian 3x3, / 16", "Gaussian 5x5, / 256", "soft blur, / 5"} < {panel.get_title() for panel in panels}
    panels = convolution.draw_padding_and_pooling(photo, digit).axes
    titles = [panel.get_title() for panel in panels]
    assert titles[:5] == list(PADDINGS)
    assert titles[10:14] == ["photo", "max of 4x4", "average of 4x4", "L2 of 4x4, / 4"]
    assert titles[15:19] == ["digit", "max of 2x2", "average of 2x2", "L2 of 2x2, / 2"]
    flat = {title: np.full((6, 6), 0.5) for title in ("flat", "turned")}
    figure = figures.spectra(flat, {title: np.zeros((6, 6)) for title in flat})
    assert [panel.get_title() for panel in figure.axes[:2]] == ["flat", "turned"]
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
        ("strip.png", "has 1000x4 pixels as read, takes at least 8 a side"),
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

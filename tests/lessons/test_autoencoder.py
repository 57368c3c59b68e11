"""The lesson `autoencoder`: PCA found again, every part of a quick run, and its metrics on the real data."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.engines import PACKAGES, assert_same_answers, assert_same_headings, module_of
from helpers.lesson_runs import Run, start, without_published_data
from PIL import Image
from scipy.linalg import subspace_angles

from workshop import LESSONS, autoencoder
from workshop.kit.data.images import scale_pixels
from workshop.kit.report import Report
from workshop.programs import engines
from workshop.pytorch import autoencoder as in_torch
from workshop.pytorch.kit.model import TorchModel
from workshop.scratch import autoencoder as in_numpy

KINDS = ("linear", "deep", "convolutional", "denoiser", "codes")

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All parts, of the engine that needs no compiler, on what stands in for the digits and the garments."""
    folder = tmp_path_factory.mktemp("autoencoder")
    with without_published_data(folder), pytest.MonkeyPatch.context() as patch:
        # The stand-in has 1,437 images; a fourth of them will do for the convolutions.
        patch.setattr(in_numpy, "CONVOLUTIONAL_IMAGES", 300)
        patch.setitem(in_numpy.RECIPES, "convolutional", replace(in_numpy.RECIPES["convolutional"], batch_size=30))
        patch.setattr(autoencoder, "MIN_QUICK_STEPS", 60)
        return start(in_numpy, folder, "--quick")


# --- Images, noise and errors -----------------------------------------------------------------------------------------


def test_noise_has_its_level_and_stays_within_paper_and_ink() -> None:
    grey = np.full((50, 28, 28, 1), 128, np.uint8)
    levels = np.linspace(0, 0.1, 50).reshape(50, 1, 1, 1)
    noisy = autoencoder.add_noise(grey, levels, np.random.default_rng(1))
    assert noisy.dtype == np.uint8
    np.testing.assert_array_equal(noisy[0], grey[0])
    assert (noisy[-1] / 255).std() == pytest.approx(0.1, rel=0.1)
    assert autoencoder.add_noise(grey[:1], 0.8, np.random.default_rng(1)).min() == 0
    again = autoencoder.add_noise(grey, levels, np.random.default_rng(1))
    np.testing.assert_array_equal(noisy, again)


def test_two_numbers_go_through_one_and_back_in_each_engine(room: Path) -> None:
    points = autoencoder.draw_cloud(1)
    assert points[:2].tolist() == [[3, 1], [1, 3]]
    model = autoencoder.build_numbers()
    network = in_numpy.build_numbers()
    encoder, decoder = in_torch.build_numbers()
    codes = encoder(torch.tensor(points))
    outputs = {
        "keras": np.asarray(model(points)),
        "torch": decoder(codes).detach().numpy(),
        "numpy": network.predict(points),
    }
    assert_same_answers(outputs)
    # (3 + 1) / sqrt 2 = 2.8284, and 2.8284 / sqrt 2 = 2: the nearest point on the diagonal.
    assert codes[0].item() == pytest.approx(2 * np.sqrt(2))
    assert outputs["keras"][:3] == pytest.approx(2)


def test_two_numbers_are_printed_and_drawn(room: Path) -> None:
    run = start(in_numpy, room, "--part", "numbers")
    assert ["(3,", "1)", "(3", "+", "1)", "/", "sqrt", "2", "=", "2.8284", "(2.0000,", "2.0000)"] in run.rows
    assert run.metrics["numbers_test_max_error"] < 1e-6
    # Of a variance of 0.16 across the diagonal each of the two numbers loses half.
    assert run.metrics["numbers_test_mean_squared_error"] == pytest.approx(0.08, rel=0.25)
    assert f"across the diagonal, {2 * run.metrics['numbers_test_mean_squared_error']:.4f}, is lost" in run.output
    assert [path.name for path in run.plots.iterdir()] == ["autoencoder-numbers.png"]


def test_missing_pixels_are_filled_in_and_the_others_stay() -> None:
    random = np.random.default_rng(1)
    images, mean = random.uniform(0, 1, (3, 28, 28, 1)), np.full((28, 28, 1), 0.2)
    is_missing = random.random(images.shape) < 0.5
    guesses = []

    def halfway(X: np.ndarray) -> np.ndarray:
        guesses.append(X)
        return np.where(is_missing, (X + images) / 2, 0.5)  # known pixels are reconstructed badly

    filled = autoencoder.fill_missing(images, is_missing, mean, halfway)
    assert np.all(guesses[0][is_missing] == 0.2)
    assert np.array_equal(filled[~is_missing], images[~is_missing])
    assert filled == pytest.approx(images, abs=2.0**-autoencoder.FILL_STEPS)
    assert len(guesses) == autoencoder.FILL_STEPS


def test_errors_are_of_each_image() -> None:
    images = np.zeros((2, 28, 28, 1), np.uint8)
    images[1] = 255
    np.testing.assert_allclose(
        autoencoder.reconstruction_errors(images, np.full((2, 28, 28, 1), 0.25)), [1 / 16, 9 / 16]
    )


def test_reconstructions_by_pca_are_scikit_learns() -> None:
    from sklearn.decomposition import PCA

    images = np.random.default_rng(1).integers(0, 256, (60, 28, 28, 1), np.uint8)
    ours = autoencoder.reconstruct_by_pca(autoencoder.fit_pca(images, 5), images, 3)
    rows = scale_pixels(images).reshape(60, 784).astype(np.float64)
    theirs = PCA(3, svd_solver="full").fit(rows)
    expected = theirs.inverse_transform(theirs.transform(rows)).reshape(images.shape)
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_the_linear_network_finds_the_plane_of_pca() -> None:
    random = np.random.default_rng(1)
    # Nine directions that matter, and noise in all others.
    X = random.normal(size=(200, 9)) * np.linspace(1, 3, 9) @ np.linalg.qr(random.normal(size=(784, 9)))[0].T
    X = (X + random.normal(0, 0.01, X.shape)).reshape(200, 28, 28, 1).astype(np.float32)
    X -= X.mean(axis=0)
    arguments = autoencoder.parse(None, ["--no-plots"])
    before = in_numpy.build("linear", 1)[0].get_weights()[2]
    network = in_numpy.train("linear", 255 * X, 255 * X, arguments, Report("autoencoder", arguments, "numpy"))[0]
    axes = np.linalg.svd(X.reshape(200, 784), full_matrices=False)[2][:9]
    assert subspace_angles(before.T, axes.T).max() > 1
    assert subspace_angles(network.get_weights()[2].T, axes.T).max() < 0.01


@pytest.mark.parametrize(
    ("options", "samples", "epochs", "batch_size"),
    [
        ([], 55_000, 4, 128),
        ([], 1437, 33, 128),  # 12 steps per epoch, at least 400 in all
        (["--quick"], 800, 14, 128),
        (["--quick", "--batch-size", "800"], 800, 100, 800),
        (["--epochs", "2"], 800, 2, 128),
        (["--optimizer", "sgd"], 55_000, 4, 128),
    ],
)
def test_few_images_are_trained_on_for_more_epochs(
    options: list[str], samples: int, epochs: int, batch_size: int
) -> None:
    arguments = autoencoder.parse(None, options)
    recipe = autoencoder.choose_recipe(autoencoder.RECIPES["deep"], arguments, samples)
    assert (recipe.epochs, recipe.batch_size) == (epochs, batch_size)
    assert recipe.steps == epochs * -(-samples // batch_size)


# --- A quick run ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_linear_network_is_as_good_as_pca(quick: Run) -> None:
    # The plane itself is less certain: behind the ninth of its variances the stand-in has no gap.
    assert abs(quick.metrics["linear_excess_test_max_error"]) < 0.01
    assert quick.metrics["linear_test_mean_squared_error"] == pytest.approx(
        quick.metrics["linear_pca_test_mean_squared_error"], rel=0.01
    )


@pytest.mark.slow
def test_even_a_quick_run_takes_noise_away_and_finds_garments(quick: Run) -> None:
    assert quick.metrics["denoiser_test_mean_squared_error"] < quick.metrics["noisy_test_mean_squared_error"] / 2
    assert quick.metrics["anomaly_test_roc_auc"] > 0.9
    assert "No expected band: a quick run." in quick.lines
    assert quick.answer["data"] == (
        "digits (stand-in for mnist), the first 1,000 and 500; drawn garments (stand-in for fashion_mnist), "
        "the first 1,000 and 500"
    )


@pytest.mark.slow
def test_even_a_quick_run_fills_in_missing_pixels(quick: Run) -> None:
    table = quick.table("mean squared error of the missing pixels")
    assert [row[0] for row in table[:3]] == ["the mean digit", "PCA", "the deep network"]
    errors = [quick.metrics[f"{name}_test_mean_squared_error"] for name in ("missing_mean", "missing_pca", "missing")]
    assert [float(row[1]) for row in table[:3]] == pytest.approx(errors, rel=1e-3)
    assert errors[2] < errors[0]


@pytest.mark.slow
def test_the_threshold_is_of_the_validation_digits(quick: Run) -> None:
    (row,) = (line.split() for line in quick.lines if line.startswith("validation digits"))
    assert float(row[-1].rstrip("%")) == pytest.approx(1, abs=0.6)  # one percent of 200 digits


@pytest.mark.slow
def test_every_plot_is_there_and_has_something_on_it(quick: Run) -> None:
    parts = {"numbers", "linear", "deep", "convolutional", "denoising", "anomalies", "garments", "missing", "codes"}
    assert {path.stem for path in quick.plots.iterdir()} == {f"autoencoder-{part}" for part in (*parts, "loss")}
    for path in quick.plots.iterdir():
        with Image.open(path) as image:
            assert np.ptp(np.asarray(image.convert("L"))) > 100, path.name


@pytest.mark.slow
def test_the_networks_give_the_same_images_in_all_engines(quick: Run) -> None:
    names = {kind: f"{'' if kind == 'denoiser' else 'autoencoder_'}{kind}-quick-standin" for kind in KINDS}
    assert {path.stem for path in quick.models.glob("*.h5")} == set(names.values())
    images = scale_pixels(np.random.default_rng(1).integers(0, 256, (3, 28, 28, 1), np.uint8))
    for kind, name in names.items():
        path = quick.models / f"{name}.h5"
        loaded = {engine: engines.load(path, ["autoencoder"], engine) for engine in PACKAGES}
        answers = {engine: one.predict(images) for engine, one in loaded.items()}
        assert answers["numpy"].shape == (3, 28, 28, 1)
        assert_same_answers(answers)
        card = json.loads(path.with_suffix(".json").read_text("utf-8"))
        assert card["metrics"]["test_mean_squared_error"] == quick.metrics[f"{kind}_test_mean_squared_error"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_mirrors_build_the_lessons_networks(kind: str) -> None:
    built = autoencoder.build(kind)
    module = in_torch.build(kind, 1)
    network, encoder = in_numpy.build(kind, 1)
    by_torch = TorchModel(module, (28, 28, 1))
    for mirror in (by_torch, network):
        mirror.set_weights(built.get_weights())
        assert (mirror.input_shape, mirror.output_shape) == ((28, 28, 1), (28, 28, 1))
    kinds = [[layer.kind for layer in mirror.architecture.layers] for mirror in (by_torch, network)]
    assert kinds == [[type(layer).__name__ for layer in built.layers]] * 2

    # What it makes of images, and the latent code between its halves.
    images = np.random.default_rng(1).integers(0, 256, (4, 28, 28, 1), np.uint8)
    pixels = scale_pixels(images)
    outputs = {"keras": built.predict(pixels, verbose=0), "torch": by_torch.predict(pixels)}
    assert_same_answers(outputs | {"numpy": network.predict(pixels)})
    codes = {"keras": autoencoder.get_encoder(built).predict(pixels, verbose=0)}
    codes |= {"torch": in_torch.encode(module, images), "numpy": in_numpy.encode(encoder, images)}
    assert_same_answers(codes)
    assert codes["keras"].shape == (4, *((7, 7, 4) if kind == "convolutional" else autoencoder.DENSE[kind][1:2]))


@pytest.mark.parametrize("engine", [pytest.param("keras", marks=pytest.mark.slow), "torch", "numpy"])
def test_one_part_alone_in_each_engine(engine: str, room: Path) -> None:
    run = start(module_of(engine, "autoencoder"), room, "--quick", "--part", "linear", "--epochs", "3", "--no-plots")
    assert [path.stem for path in run.models.glob("*.h5")] == ["autoencoder_linear-quick-standin"]
    assert not run.plots.exists()
    assert set(run.metrics) == {
        "linear_test_mean_squared_error",
        "linear_pca_test_mean_squared_error",
        "linear_angle_train_max_error",
        "linear_excess_test_max_error",
    }
    # Three steps are not enough; and the mean of the digits was folded in, or the error would be that of grey paper.
    assert run.metrics["linear_angle_train_max_error"] > 0.01
    assert run.metrics["linear_test_mean_squared_error"] < 0.08


@pytest.mark.parametrize("engine", [pytest.param("keras", marks=pytest.mark.slow), "torch", "numpy"])
def test_images_and_targets_are_scaled_in_each_engine(engine: str, quick: Run, room: Path) -> None:
    run = start(module_of(engine, "autoencoder"), room, "--quick", "--part", "deep", "--no-plots")
    # 0.09 is the error of the mean digit, 0.26 that of targets as bytes, which make all pixels black.
    assert run.metrics["deep_test_mean_squared_error"] < 0.03
    assert set(run.metrics) == {"deep_test_mean_squared_error", "pca_test_mean_squared_error"}
    assert "deep" in run.titles
    assert_same_headings(run, quick)


def test_a_part_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        autoencoder.main(["--part", "sparse"])
    assert "--part" in capsys.readouterr().err


# --- On the real data -------------------------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.slow
def test_the_defaults_reach_the_expected_bands(tmp_path: Path) -> None:
    run = start(autoencoder, tmp_path)
    assert "As expected for this lesson." in run.output
    (lesson,) = (lesson for lesson in LESSONS if lesson.name == "autoencoder")
    assert lesson.bands().keys() <= run.metrics.keys()
    assert run.metrics["denoiser_test_mean_squared_error"] <= run.metrics["noisy_test_mean_squared_error"] / 2
    assert run.metrics["missing_test_mean_squared_error"] < run.metrics["missing_mean_test_mean_squared_error"] / 2
    # A map of two numbers that tells the digits better than PCA's.
    assert run.metrics["codes_test_accuracy"] > 1.2 * run.metrics["codes_pca_test_accuracy"]
    assert run.metrics["codes_test_mean_squared_error"] < run.metrics["codes_pca_test_mean_squared_error"]

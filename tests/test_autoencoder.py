"""The lesson `autoencoder`: PCA found again, every part of a quick run, and its figures on the real data."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from engines_helper import PACKAGES, assert_same_answers, module_of
from lesson_runs import Run, start, without_published_data
from PIL import Image
from scipy.linalg import subspace_angles

from workshop import autoencoder
from workshop.kit import reconstruction
from workshop.kit.data.images import scale_pixels
from workshop.kit.engine import Plan
from workshop.programs import engines
from workshop.scratch import autoencoder as in_numpy

KINDS = {"linear", "deep", "convolutional", "denoiser", "codes"}


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All parts, of the engine that needs no compiler, on what stands in for the digits and the garments."""
    folder = tmp_path_factory.mktemp("autoencoder")
    with without_published_data(folder), pytest.MonkeyPatch.context() as patch:
        # The stand-in has 1,437 images; a fourth of them will do for the convolutions.
        settings = in_numpy.SETTINGS["convolutional"]._replace(images=300, batch_size=30)
        patch.setitem(in_numpy.SETTINGS, "convolutional", settings)
        patch.setattr(reconstruction, "QUICK_STEPS", 60)
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


def test_errors_are_of_each_picture() -> None:
    images = np.zeros((2, 28, 28, 1), np.uint8)
    images[1] = 255
    np.testing.assert_allclose(reconstruction.errors_of(images, np.full((2, 28, 28, 1), 0.25)), [1 / 16, 9 / 16])


def test_pca_by_the_kit_is_scikit_learns() -> None:
    from sklearn.decomposition import PCA

    images = np.random.default_rng(1).integers(0, 256, (60, 28, 28, 1), np.uint8)
    ours = reconstruction.through_pca(reconstruction.fit_pca(images, 5), images, 3)
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
    settings = autoencoder.SETTINGS["linear"]
    plan = Plan("adamw", settings.learning_rate, settings.epochs, 200, settings.epochs)
    model = in_numpy.build("linear", 1)
    before = model.get_weights()[2]
    with redirect_stdout(io.StringIO()):
        in_numpy.train(model, X, X, plan, 1)
    axes = np.linalg.svd(X.reshape(200, 784), full_matrices=False)[2][:9]
    assert subspace_angles(before.T, axes.T).max() > 1
    assert subspace_angles(model.get_weights()[2].T, axes.T).max() < 0.01


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
def test_the_threshold_is_of_the_validation_digits(quick: Run) -> None:
    (row,) = (line.split() for line in quick.lines if line.startswith("validation digits"))
    assert float(row[-1].rstrip("%")) == pytest.approx(1, abs=0.6)  # one percent of 200 digits


@pytest.mark.slow
def test_every_picture_is_there_and_has_something_on_it(quick: Run) -> None:
    parts = {"linear", "deep", "convolutional", "denoising", "anomalies", "garments", "codes", "loss"}
    assert {path.stem for path in quick.plots.iterdir()} == {f"autoencoder-{part}" for part in parts}
    for path in quick.plots.iterdir():
        with Image.open(path) as image:
            assert np.ptp(np.asarray(image.convert("L"))) > 100, path.name


@pytest.mark.slow
def test_the_networks_give_the_same_pictures_in_all_engines(quick: Run) -> None:
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


def test_the_mirrors_build_the_lessons_networks() -> None:
    for kind in KINDS:
        built = {engine: module_of(engine, "autoencoder") for engine in PACKAGES}
        shapes = [w.shape for w in autoencoder.build(kind).get_weights()]
        for engine in ("torch", "numpy"):
            model = built[engine].build(kind, 1)
            assert [w.shape for w in model.get_weights()] == shapes
            assert (model.input_shape, model.output_shape) == ((28, 28, 1), (28, 28, 1))


def test_a_code_is_what_the_narrowest_layer_answers() -> None:
    model = in_numpy.build("codes", 1)
    images = np.random.default_rng(1).integers(0, 256, (4, 28, 28, 1), np.uint8)
    codes = reconstruction.encode(model, images)
    assert codes.shape == (4, 2)
    np.testing.assert_array_equal(codes, model.stages(scale_pixels(images))[2][1])


@pytest.mark.slow
@pytest.mark.parametrize("engine", PACKAGES)
def test_one_part_alone_in_each_engine(engine: str, room: Path) -> None:
    run = start(module_of(engine, "autoencoder"), room, "--quick", "--part", "linear", "--epochs", "3", "--no-plots")
    assert [path.stem for path in run.models.glob("*.h5")] == ["autoencoder_linear-quick-standin"]
    assert not run.plots.exists()
    assert set(run.metrics) == {
        "linear_test_mean_squared_error", "linear_pca_test_mean_squared_error", "linear_angle_train_max_error",
        "linear_excess_test_max_error",
    }  # fmt: skip
    # Three steps are not enough; and the mean of the digits was folded in, or the error would be that of grey paper.
    assert run.metrics["linear_angle_train_max_error"] > 0.01
    assert run.metrics["linear_test_mean_squared_error"] < 0.08


def test_a_part_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        autoencoder.main(["--part", "sparse"])
    assert "--part" in capsys.readouterr().err


# --- On the real data -------------------------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.slow
def test_the_defaults_reach_the_figures(tmp_path: Path) -> None:
    run = start(autoencoder, tmp_path)
    metrics = run.metrics
    assert "As expected for this lesson." in run.output
    assert metrics["linear_angle_train_max_error"] < 0.01 and abs(metrics["linear_excess_test_max_error"]) < 0.01
    assert metrics["deep_test_mean_squared_error"] <= 0.006 and 0.016 < metrics["pca_test_mean_squared_error"] < 0.018
    assert metrics["denoiser_test_mean_squared_error"] <= metrics["noisy_test_mean_squared_error"] / 2
    assert metrics["anomaly_test_roc_auc"] >= 0.99

"""The lesson `metrics`: its own formulas against scikit-learn's, the worked example, overfitting, bias and variance."""

import math

import numpy as np
import pytest
import sklearn.metrics
from helpers.lesson_runs import Run, claims, start
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, train_test_split

from workshop import metrics
from workshop.figures import metrics as figures
from workshop.kit.errors import WorkshopError
from workshop.metrics import ILL, SCORES, THRESHOLD, Counts, count_outcomes, metric

WORKED = Counts(tp=4, tn=2, fn=1, fp=2)
VALUES = {
    "accuracy": 0.667,
    "precision": 0.667,
    "recall": 0.8,
    "specificity": 0.5,
    "FPR": 0.5,
    "FNR": 0.2,
    "F1": 0.727,
}
LABELS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def default_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The lesson as a student runs it, with its defaults."""
    return start(metrics, tmp_path_factory.mktemp("metrics"))


# --- Metrics ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VALUES)
def test_the_worked_counts_give_the_worked_metrics(name: str) -> None:
    assert round(metric(name, WORKED), 3) == VALUES[name]


def test_the_nine_patients_give_the_worked_counts() -> None:
    assert count_outcomes(ILL, SCORES >= THRESHOLD) == WORKED


@settings(max_examples=60, deadline=None)
@given(pairs=LABELS, zero_division=st.sampled_from([0.0, 1.0, np.nan]))
def test_metrics_are_those_of_scikit_learn(pairs: list[tuple[int, int]], zero_division: float) -> None:
    y_true, y_predicted = np.array(pairs).T
    counts = count_outcomes(y_true, y_predicted)
    assert [[counts.tn, counts.fp], [counts.fn, counts.tp]] == sklearn.metrics.confusion_matrix(
        y_true, y_predicted, labels=[0, 1]
    ).tolist()
    by_sklearn = metrics.metrics_by_sklearn(y_true, y_predicted, zero_division)
    for name in ("accuracy", "precision", "recall", "specificity", "F1"):
        assert metric(name, counts, zero_division) == pytest.approx(by_sklearn[name], abs=1e-12, nan_ok=True), name
    # scikit-learn has no rates of errors; wherever they are defined they are what is missing to 1.
    for name, complement, samples in (("FPR", "specificity", y_true == 0), ("FNR", "recall", y_true == 1)):
        if samples.any():
            assert metric(name, counts) == pytest.approx(1 - by_sklearn[complement], abs=1e-12)


@pytest.mark.parametrize("zero_division", [0.0, 1.0, math.nan])
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("precision", Counts(tp=0, tn=3, fn=2, fp=0)),
        ("recall", Counts(tp=0, tn=3, fn=0, fp=2)),
        ("FNR", Counts(tp=0, tn=3, fn=0, fp=2)),
        ("specificity", Counts(tp=3, tn=0, fn=2, fp=0)),
        ("FPR", Counts(tp=3, tn=0, fn=2, fp=0)),
        ("F1", Counts(tp=0, tn=5, fn=0, fp=0)),
        ("accuracy", Counts(tp=0, tn=0, fn=0, fp=0)),
    ],
)
def test_nothing_over_nothing_is_what_was_asked_for(name: str, counts: Counts, zero_division: float) -> None:
    assert metric(name, counts, zero_division) == pytest.approx(zero_division, nan_ok=True)
    assert metric(name, counts) == 0


def test_the_metrics_are_printed_beside_scikit_learns(default_run: Run) -> None:
    assert "TP=4, TN=2, FN=1, FP=2" in default_run.output
    for name, value in VALUES.items():
        (row,) = (row for row in default_run.rows if row[:1] == [name])
        assert row[-2:] == [f"{value:.3f}"] * 2
    assert "precision 0 / 0: 0 with zero_division=0, 1 with zero_division=1, nan" in default_run.output


# --- ROC --------------------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(samples=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8)), min_size=1, max_size=40))
def test_the_roc_curve_and_its_area_are_scikit_learns(samples: list[tuple[int, int]]) -> None:
    # Nine scores for up to forty samples: ties within a class and across both.
    y_true, scores = np.array([(0, 3), (1, 3), *samples]).T
    curve = metrics.roc_curve(y_true, scores / 8)
    by_sklearn = sklearn.metrics.roc_curve(y_true, scores / 8, drop_intermediate=False)
    for values, expected in zip(curve, by_sklearn, strict=True):
        assert values == pytest.approx(expected, abs=1e-12)
    auc = metrics.auc(*curve[:2])
    assert auc == pytest.approx(sklearn.metrics.roc_auc_score(y_true, scores), abs=1e-12)
    assert auc == pytest.approx(metrics.concordance(y_true, scores), abs=1e-12)


def test_the_area_of_the_nine_patients(default_run: Run) -> None:
    # With pencil and paper: the ill win 4, 3 1/2, 3, 2 and 1 of 4 pairs each.
    assert metrics.concordance(ILL, SCORES) == 13.5 / 20
    assert default_run.metrics["test_roc_auc"] == pytest.approx(0.675)
    assert "13.5 of 20 pairs" in default_run.output
    # The row of the threshold 0.6 is that of 0.5: no score lies between.
    assert ["0.6", "4", "2", "0.80", "0.50"] in default_run.rows


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_roc_curve(label: int) -> None:
    with pytest.raises(WorkshopError, match="got 3 labels of one class, takes both classes"):
        metrics.roc_curve(np.full(3, label), np.array([0.1, 0.2, 0.3]))


# --- Splits and folds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shares", metrics.SPLITS)
@pytest.mark.parametrize("n", [7, 100, 569])
def test_a_split_has_its_shares_and_every_sample_once(n: int, shares: tuple[int, int, int]) -> None:
    parts = metrics.split(n, shares, np.random.default_rng(0))
    assert sorted(np.concatenate(parts)) == list(range(n))
    for part, share in zip(parts[1:], shares[1:], strict=True):
        assert len(part) == int(n * share / 100)
    if n == 100:
        assert tuple(len(part) for part in parts) == shares
        rest, test = train_test_split(np.arange(n), test_size=shares[2], random_state=0)
        assert [len(part) for part in (*train_test_split(rest, test_size=shares[1], random_state=0), test)] == [*shares]


@settings(max_examples=50, deadline=None)
@given(n=st.integers(2, 60), k=st.integers(2, 60), seed=st.integers(0, 99))
def test_folds_are_those_of_scikit_learn(n: int, k: int, seed: int) -> None:
    k = min(n, k)
    order = np.arange(n)
    assert [fold.tolist() for fold in metrics.k_folds(order, k)] == [test.tolist() for _, test in KFold(k).split(order)]
    np.random.RandomState(seed).shuffle(order)  # the order that scikit-learn draws
    folds = metrics.k_folds(order, k)
    assert [fold.tolist() for fold in folds] == [
        test.tolist() for _, test in KFold(k, shuffle=True, random_state=seed).split(order)
    ]
    assert {len(fold) for fold in folds} <= {n // k, n // k + 1}


@pytest.mark.parametrize("k", [-1, 0, 1, 6])
def test_a_wrong_number_of_folds_is_refused(k: int) -> None:
    with pytest.raises(WorkshopError, match=f"got {k} folds of 5 samples, takes 2 to 5 folds"):
        metrics.k_folds(np.arange(5), k)


def test_splits_and_the_mean_over_folds_are_printed(default_run: Run) -> None:
    for shares in metrics.SPLITS:
        assert ["/".join(map(str, shares)), *(str(10 * share) for share in shares)] in [r[:4] for r in default_run.rows]
    assert "FPR 3, 4 and 5 %; their mean is 4 %" in default_run.output


# --- Overfitting ------------------------------------------------------------------------------------------------------


def test_lagranges_polynomial_goes_through_its_points_and_is_the_only_one() -> None:
    random = np.random.default_rng(4)
    x, y, between = np.arange(6.0), random.normal(size=6), random.uniform(0, 5, 20)
    assert metrics.lagrange(x, y, x) == pytest.approx(y, abs=1e-12)
    assert metrics.lagrange(x, y, between) == pytest.approx(np.polyval(np.polyfit(x, y, 5), between), abs=1e-8)


def test_the_line_is_that_of_least_squares() -> None:
    x, y = np.random.default_rng(5).normal(size=(2, 12))
    assert metrics.least_squares_line(x, y, x) == pytest.approx(np.polyval(np.polyfit(x, y, 1), x), abs=1e-12)


def test_the_worked_polynomial_and_line_are_right(default_run: Run) -> None:
    assert "Polynomial: 1*1 - 3*3 + 3*2 = -2; line: 1.5 + 0.5*3 = 3." in default_run.output


def test_a_faulty_sample_bends_the_polynomial_to_0_where_the_line_says_8(default_run: Run) -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0])
    polynomial, line = metrics.fit_faulty_samples(x).values()
    assert polynomial == pytest.approx([2, 4, 6, 0], abs=1e-9)
    assert line == pytest.approx([2, 4, 6, 8], abs=1e-9)
    assert "the polynomial predicts f(4) = 0, the line f(4) = 8." in default_run.output
    assert ["polynomial", "through", "all", "four", "8", "2", "4", "6", "0"] in default_run.rows


def test_the_old_default_of_gamma_overfits_and_the_new_one_does_not(default_run: Run) -> None:
    assert metrics.SVR_SETTINGS == {"svr_scale": (1, "scale"), "svr_auto": (1, "auto"), "svr_smooth": (1e3, 1e-4)}
    fits = metrics.fit_with_settings(np.random.default_rng(1))
    fit = fits["svr_scale"]
    assert fit.x_train.tolist() == list(range(100))
    noise = fit.y_train - np.sin(np.pi * fit.x_train / 50)
    assert 0.45 < np.abs(noise).max() <= 0.5
    error = "root_mean_squared_error"
    for good in ("svr_scale", "svr_smooth"):
        assert default_run.metrics[f"svr_auto_train_{error}"] < 0.8 * default_run.metrics[f"{good}_train_{error}"]
        assert default_run.metrics[f"svr_auto_test_{error}"] > 1.1 * default_run.metrics[f"{good}_test_{error}"]
    table = default_run.table("C", "gamma", "train RMSE", "test RMSE")
    assert [row[:2] for row in table[:3]] == [["1", "'scale' = 0.0012"], ["1", "'auto' = 1"], ["1000", "0.0001"]]
    assert "1 / (features * variance of x) = 1 / 833.25" in default_run.output


def check_overfitting(measured: dict[str, float]) -> None:
    """The overfitted model is better on its own samples, and worse on others."""
    error = "root_mean_squared_error"
    assert measured[f"polynomial_train_{error}"] < 1e-9
    for overfitted, good in (("polynomial", "line"), ("svr_over", "svr_well")):
        assert measured[f"{overfitted}_train_{error}"] < measured[f"{good}_train_{error}"]
        assert measured[f"{overfitted}_test_{error}"] > 1.2 * measured[f"{good}_test_{error}"]
    # The good one's error is little more than the noise, on both.
    for part in ("train", "test"):
        assert 0.7 * metrics.NOISE < measured[f"svr_well_{part}_{error}"] < 1.5 * metrics.NOISE


def test_the_overfitted_are_better_on_their_own_samples_only(default_run: Run) -> None:
    check_overfitting(default_run.metrics)
    assert (metrics.C, metrics.GAMMA_GOOD) == (1e3, 1e-4)


@pytest.mark.parametrize("seed", [2, 3, 74])
def test_other_seeds_teach_the_same(seed: int) -> None:
    measured = metrics.main(["--quick", "--no-plots", "--seed", str(seed)])
    check_overfitting(measured)
    bands = claims("metrics")
    assert len(bands) == 13
    for name, (lowest, highest) in bands.items():
        if not name.startswith("decomposition"):  # which takes the 2,000 data sets of a default run
            assert lowest <= measured[name] <= highest, name


def test_every_gamma_and_the_radians_are_printed(default_run: Run) -> None:
    errors = {" ".join(row[:-2]): float(row[-1]) for row in default_run.rows if row[:1] == ["gamma"]}
    assert len(errors) == len(metrics.GAMMAS) + 1
    # Too stiff, right, too flexible; and gamma has a unit: the same number on radians is far too stiff.
    for wrong in ("gamma 1e-06", "gamma 0.1", "gamma 1", "gamma 0.0001, x in radians"):
        assert errors[wrong] > 2 * errors["gamma 0.0001"]


# --- Bias and variance ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", [0, 1, 3, 8])
def test_bias_variance_and_noise_add_up_to_the_error(degree: int) -> None:
    parts = metrics.bias_and_variance(degree, 1500, np.random.default_rng(7))
    assert parts.total == parts.bias2 + parts.variance + parts.noise == pytest.approx(parts.error, rel=0.03)
    # The theory of least squares, averaged over the samples' own x: each weight adds NOISE^2 / SAMPLES.
    if degree == 0:
        assert parts.variance == pytest.approx(metrics.NOISE**2 / metrics.SAMPLES, rel=0.15)
        assert parts.bias2 == pytest.approx(0.5, rel=0.02)  # the mean square of a sine


def test_bias_falls_and_variance_rises_with_the_degree(default_run: Run) -> None:
    table = np.array(default_run.table("degree", "bias^2", "variance", "noise", "sum"), float)
    degree, bias, variance, noise, total, error = table.T
    assert degree.tolist() == list(metrics.DEGREES)
    assert np.all(np.diff(bias) < 1e-3)
    assert np.all(np.diff(variance) > 0)
    assert np.all(noise == pytest.approx(0.04))
    assert bias + variance + noise == pytest.approx(total, abs=2e-4)
    assert error == pytest.approx(total, rel=0.03)
    best = int(error.argmin())
    assert 3 <= best <= 7
    assert f"The lowest error is at degree {best}:" in default_run.output


# --- The run ----------------------------------------------------------------------------------------------------------


def test_a_default_run_is_as_expected(default_run: Run) -> None:
    assert "As expected for this lesson." in default_run.output
    answer = default_run.answer
    assert (answer["lesson"], answer["engine"], answer["metrics"]) == ("metrics", "numpy", default_run.metrics)
    for name in ("accuracy", "precision", "recall", "f1"):
        assert round(default_run.metrics[f"test_{name}"], 3) == VALUES[name.replace("f1", "F1")]
    assert default_run.metrics["negatives_test_recall"] == VALUES["specificity"]


def test_the_plots_are_drawn(default_run: Run) -> None:
    names = {path.name for path in default_run.plots.iterdir()}
    drawn = ("classification", "folds", "overfitting", "regressions", "bias_variance")
    assert names == {f"metrics-{name}.png" for name in drawn}


def test_the_regressions_are_drawn_with_their_settings() -> None:
    fits = metrics.fit_with_settings(np.random.default_rng(1))
    panels = metrics.draw_regressions(fits).axes
    assert [panel.get_title() for panel in panels] == [
        "A faulty sample at x = 0",
        "SVR, C 1, gamma scale",
        "SVR, C 1, gamma auto",
        "SVR, C 1000, gamma 0.0001",
    ]
    assert [line.get_label() for line in panels[1].lines] == ["prediction", "truth", "samples"]


def test_the_confusion_matrix_shows_the_counts() -> None:
    matrix = np.array([[WORKED.tn, WORKED.fp], [WORKED.fn, WORKED.tp]])
    figure = figures.classification(matrix, *metrics.roc_curve(ILL, SCORES), auc=0.675)
    shown = [text.get_text() for text in figure.axes[0].texts]
    numbers = dict(zip(shown[1::2], shown[::2], strict=True))
    assert numbers == {"true negatives": "2", "false positives": "2", "false negatives": "1", "true positives": "4"}
    assert "area 0.675" in [text.get_text() for text in figure.axes[1].texts]

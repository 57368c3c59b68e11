"""The lesson `boltzmann`: energies by hand, contrastive divergence, the exact gradient, ratings, pre-training."""

import hashlib
import importlib
import itertools
from pathlib import Path

import numpy as np
import pytest
from helpers.lesson_runs import Run, assert_no_part_takes_longer, claims, start, stop_after, without_published_data
from PIL import Image

from workshop import boltzmann as lesson
from workshop.backpropagation import numerical_gradient
from workshop.boltzmann import (
    Machine,
    all_states,
    build_machine,
    directions,
    exact_gradient,
    expected_directions,
    flat,
    gibbs,
    joint_probabilities,
    log_likelihood,
    relative_error,
    small_machine,
)
from workshop.figures import boltzmann as figures
from workshop.kit import device
from workshop.kit.data import synthetic_images
from workshop.kit.data.ratings import generated_ratings, read_ratings
from workshop.kit.errors import WorkshopError
from workshop.kit.plots import animation
from workshop.kit.report import Report
from workshop.kit.saving import bundle
from workshop.programs import engines

PATTERNS = lesson.PATTERNS
UNITS = 64
SIGMOIDS = {"pretrained": "pre-trained", "random": "random sigmoid"}
OTHERS = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])  # where a chain may have come to


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A quick run of all parts, with few hidden units and without plots."""
    folder = tmp_path_factory.mktemp("boltzmann")
    with without_published_data(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr(lesson, "KINDS", SIGMOIDS)  # relu would be traced once more
        patch.setattr(lesson, "STEPS", 40)
        patch.setattr(device, "steps_per_execution", lambda: 1)  # quicker to trace
        return start(lesson, folder, "--quick", "--no-plots", "--epochs", "4", "--hidden-units", str(UNITS))


@pytest.fixture
def machine() -> Machine:
    return small_machine(3, 1.0)


# --- The machine ------------------------------------------------------------------------------------------------------


def test_the_energy_of_a_state_by_hand() -> None:
    machine = Machine(np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([0.1, 0.2]), np.array([-1.0, 0.3]))
    v, h = np.array([[1.0, 1.0]]), np.array([[0.0, 1.0]])
    assert machine.energy(v, h) == pytest.approx([-(-2 + 3) - (0.1 + 0.2) - 0.3])


def test_the_free_energy_is_a_sum_over_all_hidden_states(machine: Machine) -> None:
    visible, hidden = all_states(3), all_states(4)
    for v in visible:
        energies = machine.energy(np.tile(v, (16, 1)), hidden)
        assert machine.free_energy(v[None])[0] == pytest.approx(-np.log(np.exp(-energies).sum()))


def test_conditional_probabilities_are_those_of_the_joint_ones(machine: Machine) -> None:
    P, _ = joint_probabilities(machine)
    assert P.shape == (8, 16)
    assert P.sum() == pytest.approx(1)
    visible, hidden = all_states(3), all_states(4)
    expected = P @ hidden / P.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(machine.hidden_probabilities(visible), expected, atol=1e-12)
    expected = P.T @ visible / P.sum(axis=0)[:, None]
    np.testing.assert_allclose(machine.visible_probabilities(hidden), expected, atol=1e-12)


def test_a_long_chain_comes_to_the_machines_distribution(machine: Machine) -> None:
    v = gibbs(machine, np.zeros((20_000, 3)), 50, np.random.default_rng(1))
    shares = np.bincount((v @ [4, 2, 1]).astype(int), minlength=8) / len(v)
    np.testing.assert_allclose(shares, joint_probabilities(machine)[0].sum(axis=1), atol=0.015)


def test_visible_biases_begin_with_the_means() -> None:
    X = (np.random.default_rng(0).random((4000, 3)) < [0.1, 0.5, 1.0]).astype(float)
    machine = build_machine(X, 5, 1)
    expected = [*X[:, :2].mean(axis=0), 0.999]
    np.testing.assert_allclose(machine.visible_probabilities(np.zeros((1, 5)))[0], expected)


# --- Contrastive divergence and the exact gradient --------------------------------------------------------------------


def test_the_exact_gradient_is_that_of_the_likelihood(machine: Machine) -> None:
    exact = exact_gradient(machine, PATTERNS)
    for change, parameter in zip(exact, machine.parameters, strict=True):
        by_differences = numerical_gradient(lambda: log_likelihood(machine, PATTERNS), parameter, 1e-5)
        np.testing.assert_allclose(change, by_differences, atol=1e-9)
    assert np.abs(flat(exact)).max() > 0.05


def test_the_direction_lowers_the_free_energy_of_v_and_raises_that_of_v_k(machine: Machine) -> None:
    v, v_k = PATTERNS, OTHERS
    for parameter, change in zip(machine.parameters, directions(machine, v, v_k), strict=True):
        for place in np.ndindex(parameter.shape):
            value, differences = parameter[place], []
            for parameter[place] in (value + 1e-5, value - 1e-5):
                differences.append(machine.free_energy(v).mean() - machine.free_energy(v_k).mean())
            parameter[place] = value
            assert change[place] == pytest.approx(-(differences[0] - differences[1]) / 2e-5, abs=1e-8)


def test_contrastive_divergence_comes_to_the_gradient_as_k_grows(machine: Machine) -> None:
    exact = exact_gradient(machine, PATTERNS)
    errors = [relative_error(expected_directions(machine, PATTERNS, k), exact) for k in (1, 3, 10, 30, 200)]
    assert all(after < before for before, after in itertools.pairwise(errors))
    assert errors[0] > 0.05
    assert errors[-1] < 1e-3
    # And what is expected is the mean of what the chains give.
    X = np.tile(PATTERNS, (40_000 // len(PATTERNS), 1))
    sampled = directions(machine, X, gibbs(machine, X, 3, np.random.default_rng(2)))
    np.testing.assert_allclose(flat(sampled), flat(expected_directions(machine, PATTERNS, 3)), atol=0.02)


def test_all_ways_of_training_raise_the_likelihood(run: Run) -> None:
    before = -log_likelihood(small_machine(1), PATTERNS)
    for name in ("exact_gradient", "cd_1", "cd_10"):
        assert run.metrics[f"{name}_train_log_loss"] < before
    assert run.metrics["differences_test_max_error"] < 1e-8
    assert run.metrics["cd_100_test_relative_error"] < 0.1 < run.metrics["cd_1_test_relative_error"]


# --- Digits, and what is made of the machine --------------------------------------------------------------------------


def test_the_machine_of_digits_reconstructs_them(run: Run) -> None:
    assert run.metrics["machine_test_mean_squared_error"] < 0.6 * run.metrics["mean_image_test_mean_squared_error"]
    rows = run.table("epoch", "reconstruction error", "free-energy gap")
    assert float(rows[-1][1]) < float(rows[0][1])


def test_a_stopped_training_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("--part", "machine", "--quick", "--no-plots", "--epochs", "3", "--hidden-units", "8")
    with without_published_data(tmp_path):
        whole = start(lesson, tmp_path / "whole", *options)
        stop_after(2, monkeypatch, lambda: start(lesson, tmp_path / "stopped", *options))
        resumed = start(lesson, tmp_path / "stopped", "--resume", *options)
    assert any(line.startswith("Resumed   after epoch 2 of 3") for line in resumed.lines)
    assert resumed.metrics == whole.metrics
    gaps = [run.table("trained on", "epochs", "free-energy gap before") for run in (whole, resumed)]
    assert gaps[0] == gaps[1]  # the looks of before are kept, too


@pytest.mark.usefixtures("comparable")
@pytest.mark.parametrize("engine", ["keras", "torch"])
def test_a_part_trains_the_machines_that_it_needs(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"workshop{'.pytorch' if engine == 'torch' else ''}.boltzmann")
    monkeypatch.setattr(lesson, "memorise", None)  # cannot be called
    monkeypatch.setattr(lesson, "train_persistent", None)
    if engine == "keras":  # would be traced three times
        monkeypatch.setattr(lesson, "fine_tune", lambda *_: (lesson.build_network([8, 128]), 0.5))
    monkeypatch.setattr(lesson, "STEPS", 2)
    with without_published_data(tmp_path):
        run = start(
            module, tmp_path, *["--part", "deep", "--quick", "--no-plots", "--epochs", "1", "--hidden-units", "8"]
        )
    tuned = {f"{kind}_100_test_accuracy" for kind in lesson.KINDS} if engine == "torch" else set()
    assert run.metrics.keys() == {"deep_test_accuracy", *tuned}
    assert {path.stem for path in run.models.iterdir()} == {"boltzmann_deep-quick-standin"}
    assert "No expected band: --hidden-units given." in run.lines


def test_the_features_and_the_network_are_the_same_in_every_engine(run: Run) -> None:
    X = np.random.default_rng(3).random((5, 28, 28, 1), np.float32)
    for name, units, names in (("features", UNITS, ("numpy", "torch")), ("deep", 10, engines.ENGINES)):
        path = next(run.models.glob(f"boltzmann_{name}-quick*.h5"))
        outputs = [engines.load(path, ["boltzmann"], engine).predict(X) for engine in names]
        assert outputs[0].shape == (5, units)
        assert np.ptp(outputs[0]) > 0.01
        for other in outputs[1:]:
            np.testing.assert_allclose(other, outputs[0], atol=1e-5)


def assert_right_as_often_as_told(run: Run) -> None:
    X, y = synthetic_images.image_set("mnist")[2:4]
    predicted = run.load("boltzmann_deep-quick-standin").predict(X / np.float32(255)).argmax(axis=1)
    assert np.mean(predicted == y) == pytest.approx(run.metrics["deep_test_accuracy"], abs=0.003)  # of one image


def test_the_accuracy_is_that_of_the_saved_network(run: Run) -> None:
    assert_right_as_often_as_told(run)


def test_as_many_labelled_images_of_each_digit_are_seen_equally_often() -> None:
    y = np.random.default_rng(0).integers(0, 10, 5000)
    samples = {(count, seed): rows for count, seed, rows in lesson.labelled_samples(y, lesson.parse(None, []))}
    assert [*samples] == [*itertools.product((100, 300, 1000), range(1, 6))]
    for (count, _), rows in samples.items():
        assert len(rows) == 100 * lesson.STEPS
        labelled, times = np.unique(rows, return_counts=True)
        assert np.bincount(y[labelled]).tolist() == [count // 10] * 10
        assert np.ptp(times) <= 1
    assert set(samples[100, 1]) != set(samples[100, 2])
    of_few = lesson.labelled_samples(y[:800], lesson.parse(None, []))  # has no hundred of each digit
    assert {count for count, *_ in of_few} == {100, 300}


def test_a_network_of_few_labels_remembers_nothing_of_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson, "KINDS", {"pretrained": SIGMOIDS["pretrained"]})
    monkeypatch.setattr(lesson, "STEPS", 3)
    monkeypatch.setattr(lesson, "compare_few_labels", lambda *_: None)
    monkeypatch.setattr(device, "steps_per_execution", lambda: 1)
    arguments = lesson.parse(None, ["--quick", "--no-plots"])
    digits = lesson.load_digits(arguments, Report("boltzmann", arguments))
    features = np.random.default_rng(1).random((20, 8), np.float32)
    machines = [build_machine(digits.X_train, 8, seed=1), build_machine(features, 4, seed=1)]
    one, other = lesson.labelled_samples(digits.images.y_train[: len(digits.X_train)], arguments)
    trained = []
    for samples in ([one, other], [other]):
        monkeypatch.setattr(lesson, "labelled_samples", lambda *_, samples=samples: samples)
        network, _ = lesson.fine_tune(machines, digits, Report("boltzmann", arguments))
        trained.append(network.get_weights())
    for second, alone in zip(*trained, strict=True):
        np.testing.assert_allclose(second, alone, rtol=0, atol=1e-6)


# --- Ratings ----------------------------------------------------------------------------------------------------------


def write(path: Path, rows: list[str], header: str = "who;what;stars") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def some_ratings(users: int = 20, items: int = 15) -> list[str]:
    """Returns ratings whose user's and item's bias alone decide."""
    return [
        f"u{u};i{i};{1 + (u % 3) + (i % 2)}" for u, i in itertools.product(range(users), range(items)) if (u + i) % 3
    ]


def test_ratings_of_ones_own(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", [*some_ratings(), "u0;i1;1", "u0;i2;"])
    run = start(lesson, tmp_path, "--data", str(path))
    assert f"Engine    NumPy {np.__version__}" in run.lines
    assert "Note      1 rows without a rating are left out" in run.lines
    assert "Note      1 ratings came twice: the last one of a user for an item counts" in run.lines
    assert "No expected band: the table is your own." in run.lines
    errors = {row[0]: float(row[1]) for row in run.table("prediction", "error", "spread")}
    assert errors["user's and item's bias"] < 0.7 * errors["the user's mean"]
    winner = min(errors, key=lambda name: errors[name])
    assert any(line.startswith(f"The smallest error: {winner}.") for line in run.lines)
    assert [path.name for path in run.plots.iterdir()] == ["boltzmann-ratings.png"]


def test_biases_are_shrunk_towards_the_mean_by_hand() -> None:
    means = lesson.shrunk_means(np.array([0, 0, 2]), np.array([1.0, 3.0, 4.0]), 3, 2.0)
    assert means.tolist() == [4 / 4, 0, 4 / 3]


@pytest.mark.parametrize(
    ("rows", "header", "said"),
    [
        (["u1;1", "u2;2"], "who;stars", "has 2 columns, takes three: user, item, rating"),
        ([f"u{i};a;3" for i in range(60)], "who;what;stars", "has 60 ratings of 1 different values"),
        ([f"u{i};a;{i}" for i in range(60)], "who;what;stars", "has 60 ratings of 60 different values"),
        (some_ratings(5, 5), "who;what;stars", r"has 1\d ratings of \d different values, takes 50 or more"),
        ([f"u{i};a;good" for i in range(60)], "who;what;stars", "column stars: got good, takes a number"),
    ],
)
def test_a_table_that_holds_no_ratings_is_refused(rows: list[str], header: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(WorkshopError, match=said):
        read_ratings(write(tmp_path / "mine.csv", rows, header))


@pytest.mark.parametrize(("count", "values"), [(50, 2), (50, 20), (49, 2), (60, 1), (60, 21)])
def test_fifty_ratings_of_two_to_twenty_values_are_enough(count: int, values: int, tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", [f"u{i};a;{i % values}" for i in range(count)])
    if count >= 50 and 2 <= values <= 20:
        assert len(read_ratings(path).values) == values
    else:
        with pytest.raises(WorkshopError, match=f"has {count} ratings of {values} different values, takes 50 or more"):
            read_ratings(path)


def test_twenty_million_cells_are_the_most(tmp_path: Path) -> None:
    rows = [f"u{i % 2500};i{i};{i % 2}" for i in range(4000)]
    assert read_ratings(write(tmp_path / "mine.csv", rows)).counts == (2500, 4000)
    with pytest.raises(WorkshopError, match="has 2,500 users and 4,001 items, takes up to 20,000,000 cells"):
        read_ratings(write(tmp_path / "more.csv", [*rows, "u1;more;1"]))


def test_the_made_up_ratings_are_the_same_to_the_bit() -> None:
    made = generated_ratings()
    assert made.counts == (138, 130) and made.values.tolist() == [0, 1, 2] and made.names == ("users", "places")
    ratings = np.stack([made.users, made.items, made.grades]).astype("<i4")
    assert hashlib.sha256(ratings.tobytes()).hexdigest()[:16] == "7710249d8d9cf521"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--data x.csv --part deep", "--data: got x.csv with --part deep, takes --part ratings"),
        ("--data x.csv --epochs 3", "--epochs: got 3 with --part ratings, takes --part machine or deep"),
        ("--part exact --k 5", "--k: got 5 with --part exact, takes --part machine or ratings or deep"),
    ],
)
def test_an_option_is_refused_with_a_part_that_does_not_use_it(
    options: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        lesson.main(options.split())
    assert said in capsys.readouterr().err


# --- PyTorch ----------------------------------------------------------------------------------------------------------


def test_autograd_finds_the_same_direction() -> None:
    torch = pytest.importorskip("torch")
    from workshop.pytorch.boltzmann import BoltzmannMachine

    machine = small_machine(3, 1.0)
    v, v_k = PATTERNS, OTHERS
    in_torch = BoltzmannMachine(machine)
    loss = in_torch.free_energy(torch.tensor(v)).mean() - in_torch.free_energy(torch.tensor(v_k)).mean()
    loss.backward()
    W, b, c = directions(machine, v, v_k)
    for parameter, change in ((in_torch.W, W.T), (in_torch.b, b), (in_torch.c, c)):
        np.testing.assert_allclose(-parameter.grad.numpy(), change, atol=1e-12)
        assert np.abs(change).max() > 0.05


def test_the_mirror_reports_and_saves_what_the_lesson_does(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from workshop.pytorch import boltzmann as in_torch

    with without_published_data(tmp_path):
        mirror = start(in_torch, tmp_path, "--quick", "--no-plots", "--epochs", "2", "--hidden-units", str(UNITS))
    assert mirror.told_seconds
    assert_no_part_takes_longer(mirror)
    assert mirror.answer["engine"] == "torch"
    relu = {"relu_100_test_accuracy"}
    assert mirror.metrics.keys() - relu < run.metrics.keys()
    assert {path.name for path in mirror.models.iterdir()} == {path.name for path in run.models.iterdir()}
    X = np.random.default_rng(3).random((5, 28, 28, 1), np.float32)
    for path in mirror.models.glob("*.h5"):
        assert bundle.load(path, ["boltzmann"]).card["engine"] == "torch"
        in_numpy, by_torch = (engines.load(path, ["boltzmann"], engine).predict(X) for engine in ("numpy", "torch"))
        np.testing.assert_allclose(in_numpy, by_torch, atol=1e-5)
    assert_right_as_often_as_told(mirror)


@pytest.mark.parametrize("engine", ["keras", "torch"])
def test_a_training_that_diverges_is_said_in_a_line(engine: str, tmp_path: Path) -> None:
    module = importlib.import_module(f"workshop{'.pytorch' if engine == 'torch' else ''}.boltzmann")
    options = ("--part", "machine", "--quick", "--no-plots", "--hidden-units", "8", "--learning-rate", "1e30")
    with (
        without_published_data(tmp_path),
        pytest.raises(WorkshopError, match=r"^training diverged: the loss is nan after"),
    ):
        start(module, tmp_path, *options)


# --- The whole, on the real data --------------------------------------------------------------------------------------


def test_the_animations_move(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    machine = build_machine(random.random((50, 784), np.float32), 64, 1)
    chains = [lesson.run_chain(machine, (0, 1, 4), seed) for seed in (1, 2)]
    assert list(chains[0]) == [0, 1, 4]
    growing = figures.growing([0, 0.5, 2], [0.4, 0.3, 0.1], [random.normal(size=(64, 784))] * 3)
    for name, (figure, frames) in (("sampling", figures.sampling(*chains)), ("growing", growing)):
        path = animation.save(figure, frames, tmp_path / f"{name}.gif")
        with Image.open(path) as image:
            assert image.n_frames == 3  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.real
def test_the_lesson_reaches_its_bands(tmp_path: Path) -> None:
    run = start(lesson, tmp_path)
    assert "As expected for this lesson." in run.lines
    assert claims("boltzmann").keys() <= run.metrics.keys()
    assert run.metrics["pretrained_100_test_accuracy"] > run.metrics["random_100_test_accuracy"] + 0.02
    for name in ("sampling", "growing"):
        assert (run.plots / f"boltzmann-{name}.gif").stat().st_size < 1.5e6

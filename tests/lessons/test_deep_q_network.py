"""Row F2 of the curriculum, the lesson `deep_q_network`: the step by hand, the three devices, trips on new maps."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers.engines import PACKAGES, assert_same_answers, assert_tells_the_same, module_of
from helpers.lesson_runs import Run, assert_claims, quick_run, start, stop_after
from PIL import Image

from workshop import deep_q_network as lesson
from workshop.kit.environments import car, drawn_map
from workshop.kit.environments.trips import evaluate
from workshop.kit.training.checkpoint import Checkpoint
from workshop.programs import engines
from workshop.pytorch import deep_q_network as mirror

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
def by_keras(room: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The quick run, which `test_lessons` asks for as well."""
    return quick_run("deep_q_network", tmp_path_factory)


@pytest.fixture(scope="module")
def by_torch(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The mirror's."""
    return start(mirror, tmp_path_factory.mktemp("torch"), "--quick", "--no-plots")


# --- The step by hand, and the devices --------------------------------------------------------------------------------


def test_the_target_of_the_step_by_hand_is_307_and_the_other_outputs_stay(by_keras: Run) -> None:
    q = np.array([[330.0, 40.0, -430.0]] * 2)
    ended = np.array([False, True])
    targets = lesson.learning_targets(q, np.zeros(2, int), np.full(2, -8.0), np.full(2, 350.0), ended, 0.9)
    assert targets.tolist() == [[307, 40, -430], [-8, 40, -430]]
    assert q[0, 0] == 330  # what was predicted is left alone
    assert ["target", "307", "40", "-430"] in by_keras.rows
    assert by_keras.metrics["step_test_max_error"] == 0


def test_the_headlights_that_are_printed_show_an_obstacle_on_the_left_and_the_station_on_the_right(
    by_keras: Run,
) -> None:
    start_ = next(i for i, line in enumerate(by_keras.lines) if line.startswith("The headlights light 20 x 10 cells"))
    cells = np.array(by_keras.rows[start_ + 1 : start_ + 11])
    assert cells.shape == (10, 20)
    assert {*cells[:, :10].flat} == {"-", "."} and {*cells[:, 10:].flat} == {"+", "."}
    sums = [int(number) for number in by_keras.rows[start_ + 11][:20]]
    assert sums == [column.count("+") - column.count("-") for column in cells.T.tolist()]


def test_the_replay_memory_forgets_the_oldest() -> None:
    memory = lesson.ReplayMemory(2, capacity=5)
    for i in range(0, 8, 2):
        numbers = np.array([i, i + 1])
        states = np.stack([numbers, -numbers], axis=1)
        memory.add(lesson.Transitions(states, numbers, numbers, np.zeros((2, 2)), numbers > 6))
    assert len(memory) == 5
    assert memory.latest(3).actions.tolist() == [7, 6, 5]
    drawn = memory.sample(200, np.random.default_rng(1))
    assert set(drawn.actions.tolist()) == {3, 4, 5, 6, 7}
    assert np.array_equal(drawn.states[:, 1], -drawn.rewards)
    assert np.array_equal(drawn.ended, drawn.actions == 7)


def test_the_target_network_evaluates_what_the_network_chooses() -> None:
    q_of = [np.zeros((1, 3)), np.array([1.0, 5.0, 2.0])], [np.zeros((1, 3)), np.array([9.0, 4.0, 7.0])]
    states = np.zeros((2, 1))
    assert lesson.best_next(*q_of, states, double=True).tolist() == [4, 4]
    assert lesson.best_next(*q_of, states, double=False).tolist() == [9, 9]


def test_epsilon_falls_and_chooses_at_random() -> None:
    settings = lesson.Settings()
    falling = [lesson.epsilon(done, settings) for done in (0, 0.2, 0.4, 1)]
    assert falling == pytest.approx([1, 0.525, 0.05, 0.05])
    assert lesson.epsilon(0.1, lesson.Settings(explores=False)) == 0
    q = np.tile([0.0, 2.0, 1.0], (3000, 1))
    shares = [
        np.bincount(lesson.epsilon_greedy(q, e, np.random.default_rng(2)), minlength=3) / 3000 for e in (0, 0.3, 1.0)
    ]
    for share, expected in zip(shares, ([0, 1, 0], [0.1, 0.8, 0.1], [1 / 3, 1 / 3, 1 / 3]), strict=True):
        assert share == pytest.approx(expected, abs=0.03)


def test_drivers_that_learn_nothing_hardly_arrive() -> None:
    straight = evaluate(lesson.drive_straight, "bearing", 100, lesson.TEST_SEED)
    at_random = evaluate(lesson.drive_at_random(1), "bearing", 100, lesson.TEST_SEED)
    steering = evaluate(lesson.drive_at_the_station, "bearing", 100, lesson.TEST_SEED)
    assert max(straight.reached, at_random.reached) < 0.1
    assert 0.2 < steering.reached < 0.7 and steering.reached + steering.crashed == 1


# --- What a run leaves behind -----------------------------------------------------------------------------------------


def test_a_saved_network_takes_the_same_actions_in_all_engines(by_keras: Run, by_torch: Run) -> None:
    cars = car.Cars(200)
    states, _ = cars.reset(seed=5)
    for run in (by_keras, by_torch):
        path = run.models / "deep_q_network-quick.h5"
        loaded = {package: engines.load(path, ["deep_q_network"], package) for package in PACKAGES}
        answers = {one: model.predict(states) for one, model in loaded.items()}
        assert_same_answers(answers)
        actions = [answer.argmax(axis=1) for answer in answers.values()]
        second, first = np.sort(answers["keras"], axis=1)[:, -2:].T
        clear = first - second > 1e-5
        assert clear.mean() > 0.9
        assert all(np.array_equal(action[clear], actions[0][clear]) for action in actions)
        weights = loaded["numpy"].model.get_weights()
        assert np.allclose(lesson.q_values(weights, states), answers["keras"], atol=1e-5)
        card = json.loads((run.models / "deep_q_network-quick.json").read_text("utf-8"))
        assert card["classes"] == ["left", "right", "straight"]
        assert [one["name"] for one in card["inputs"]][::21] == ["column 1", "sine of the bearing"]
        assert len(card["inputs"]) == 23


def test_the_mirror_tells_the_same(by_keras: Run, by_torch: Run) -> None:
    assert_tells_the_same(by_torch, by_keras)
    assert by_torch.metrics.keys() == by_keras.metrics.keys() - {"step_test_max_error"}
    # The drivers that learn nothing are the same in both.
    for name in ("random", "straight", "steering"):
        assert by_torch.metrics[f"{name}_test_mean_return"] == by_keras.metrics[f"{name}_test_mean_return"]


@pytest.mark.parametrize("preset", [(), ("--preset", "course")], ids=["default", "course"])
def test_an_epoch_of_the_mirror_is_that_of_keras(preset: tuple[str, ...], room: Path) -> None:
    arguments = lesson.parse(None, ["--quick", "--epochs", "1", "--part", "network", *preset])
    (planned,), recipe = lesson.plan(arguments), lesson.make_recipe(arguments)
    network = mirror.build(planned.settings, arguments.seed)
    first = network.get_weights()
    model = lesson.build(len(first[0]), planned.settings.hidden_units)
    model.set_weights(first)
    model.compile(recipe.make_optimizer(), planned.settings.loss)
    of_keras, of_torch = (lesson.Training(planned, recipe, arguments) for _ in range(2))
    theirs = lesson.train(model, of_keras, recipe, Checkpoint(room / "keras.npz"))
    ours = mirror.train(network, of_torch, recipe, Checkpoint(room / "torch.npz"))
    assert of_torch.history["mean_return"] == of_keras.history["mean_return"]
    assert of_torch.history["loss"] == pytest.approx(of_keras.history["loss"], rel=1e-4)
    for before, one, other in zip(first, ours, theirs, strict=True):
        assert np.abs(one - before).max() > 1e-3
        assert np.quantile(np.abs(one - other), 0.98) < 1e-4


def test_the_trip_is_an_animation(by_keras: Run) -> None:
    with Image.open(by_keras.plots / "deep_q_network-trip.gif") as image:
        frames = []
        for i in range(getattr(image, "n_frames", 1)):
            image.seek(i)
            frames.append(np.asarray(image.convert("RGB")))
    assert len(frames) >= 3
    assert all((one != other).any() for one, other in pairwise(frames))


@pytest.mark.usefixtures("comparable")
@pytest.mark.parametrize("engine", ["keras", "torch"])
def test_a_discount_of_ones_own_is_held_against_no_band(engine: str, room: Path) -> None:
    run = start(module_of(engine, "deep_q_network"), room, "--part", "step", "--discount", "0.5")
    assert "No expected band: --discount given." in run.lines


@pytest.mark.parametrize("engine", ["keras", "torch"])
def test_the_trained_car_drives_on_a_map_that_one_draws(
    engine: str, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lesson, "QUICK_STEPS", 10)
    monkeypatch.setattr(lesson, "draw_trips", lambda *_: None)
    options = ("--quick", "--epochs", "1", "--part", "network", "--map", str(drawn_map.example()))
    run = start(module_of(engine, "deep_q_network"), room, *options)
    assert f"On the map {drawn_map.example()}" in run.lines
    assert run.titles[-1] == "Result"
    rows = run.table("driver", "end")
    assert [row[0] for row in rows] == [lesson.STEERING, lesson.OBSERVED["bearing"]]
    assert all(row[1] in {"reached", "crashed", "out of time"} and 0 < int(row[2]) <= car.MAX_STEPS for row in rows)
    assert (run.plots / "deep_q_network-map.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("engine", "stops"), [("torch", 3), pytest.param("keras", 3, marks=pytest.mark.slow)], ids=["torch", "keras"]
)
def test_a_resumed_run_ends_with_the_same_bits(
    engine: str, stops: int, room: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = module_of(engine, "deep_q_network")
    options = ("--quick", "--epochs", "4", "--no-plots", "--part", "network")
    whole = start(module, room / "whole", *options)
    stop_after(stops, monkeypatch, lambda: start(module, room / "other", *options))
    resumed = start(module, room / "other", "--resume", *options)
    assert any(line.startswith(f"Resumed   after epoch {stops} of 4") for line in resumed.lines)
    assert resumed.metrics == whole.metrics
    epochs = [line for line in whole.lines if line.startswith("Epoch ")]
    assert [line for line in resumed.lines if line.startswith("Epoch ")] == epochs[stops:]
    assert [path.name for path in resumed.models.glob("*checkpoint*")] == []
    for name in ("deep_q_network-quick.h5", "deep_q_network-quick.json"):
        if engine == "torch" or name.endswith(".json"):  # Keras numbers the layers of a process
            assert name.endswith(".json") or (resumed.models / name).read_bytes() == (whole.models / name).read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--discount", "1.1"], "--discount: got 1.1, takes a number from 0"),
        (["--discount", "-0.1"], "--discount: got -0.1, takes"),
        (["--discount", "nan"], "--discount: got nan, takes"),
        (["--observation", "headlights"], "--observation: invalid choice"),
        (["--preset", "course", "--discount", "0.5"], "--preset course has its own"),
        (["--preset", "course", "--observation", "ranges"], "--preset course has its own"),
        (["--preset", "course", "--part", "sums"], "--preset course has no --part sums"),
        (["--preset", "course", "--part", "switches"], "--preset course has no --part switches"),
        (["--map", "own.txt", "--part", "step"], "--map needs a trained car; --part step trains none"),
        (["--map", "own.txt", "--part", "drivers"], "--map needs a trained car; --part drivers trains none"),
    ],
)
def test_what_makes_no_sense_is_refused_before_training(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        lesson.main(options)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


# --- The results of the curriculum ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["keras", "torch"])
@pytest.mark.parametrize("options", [(), ("--preset", "course")], ids=["default", "course"])
def test_it_reaches_its_bands(engine: str, options: tuple[str, ...], room: Path) -> None:
    run = start(module_of(engine, "deep_q_network"), room, "--no-plots", *options)
    assert run.metrics.keys() >= {"test_success_rate", "random_test_success_rate"}
    assert_claims(run.metrics, "deep_q_network", engine, "course" if options else None)
    assert "As expected for this lesson." in run.lines

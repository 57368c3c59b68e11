"""Row F3 of the curriculum, the lesson `policy_gradient`: returns and advantages, PPO's loss, the car, the lander."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from helpers.engines import assert_same_answers
from helpers.lesson_runs import Run, assert_claims, claims, quick_run, start, start_as_the_first, stop_after
from PIL import Image, ImageSequence

pytest.importorskip("gymnasium")

from workshop import policy_gradient as lesson
from workshop.kit import files
from workshop.kit.environments import lander
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.saving import bundle
from workshop.policy_gradient import Rollout
from workshop.programs import engines

# Box2D's types warn while they are made; where warnings are errors, that ends the interpreter.
pytestmark = [pytest.mark.usefixtures("alone"), pytest.mark.filterwarnings("ignore:builtin type:DeprecationWarning")]
MODEL = files.shipped("models") / "lander.h5"


@pytest.fixture
def quick(room: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The quick run, which `test_lessons` asks for as well."""
    return quick_run("policy_gradient", tmp_path_factory)


def rollout(rewards: list[float], terminated: list[bool], ended: list[bool]) -> Rollout:
    """Returns the steps of one environment; what is not given is 0."""
    columns = [np.array(part)[:, None] for part in (rewards, terminated, ended)]
    nothing = np.zeros((len(rewards), 1, 2))
    return Rollout(nothing, np.zeros((len(rewards), 1), int), columns[0], nothing, *columns[1:])


# --- What the logarithm of a probability is multiplied with -----------------------------------------------------------


def test_returns_are_discounted_and_end_with_the_episode() -> None:
    steps = rollout([1, 2, 4, 8, 16], [False, False, True, False, False], [False, False, True, False, False])
    assert lesson.discounted_returns(steps, 0.5)[:, 0].tolist() == [1 + 1 + 1, 2 + 2, 4, 8 + 8, 16]
    # The last episode goes on: what it returns is not known.
    assert lesson.is_complete(steps)[:, 0].tolist() == [True, True, True, False, False]


def test_advantages_by_hand() -> None:
    # The second step ends its episode; the last one is cut off: something would have followed, which the critic tells.
    steps = rollout([1, 2, 4], [False, True, False], [False, True, True])
    values, next_values = np.array([[10.0], [20], [30]]), np.array([[20.0], [99], [40]])
    delta = [1 + 0.5 * 20 - 10, 2 - 20, 4 + 0.5 * 40 - 30]
    assert lesson.advantages(steps, values, next_values, 0.5, 0)[:, 0].tolist() == delta
    assert lesson.advantages(steps, values, next_values, 0.5, 0.8)[:, 0].tolist() == [
        pytest.approx(delta[0] + 0.5 * 0.8 * delta[1]),
        delta[1],
        delta[2],
    ]
    # With lambda 1 the critic's values within the episode cancel: the return, less what was expected of it.
    by_return = lesson.discounted_returns(steps, 0.5)[:2] - values[:2]
    assert lesson.advantages(steps, values, next_values, 0.5, 1)[:2] == pytest.approx(by_return)


def test_normalised_returns_have_mean_0_and_deviation_1() -> None:
    values = np.array([3.0, 5, 10, 1000])
    among = np.array([True, True, True, False])
    normalised = lesson.normalise(values, among)[among]
    assert normalised.mean() == pytest.approx(0) and normalised.std() == pytest.approx(1)


# --- The policy -------------------------------------------------------------------------------------------------------


def test_the_forward_pass_is_keras_own_and_actions_are_sampled_by_the_softmax() -> None:
    model = lesson.build(8, 4, gain=1)
    X = np.random.default_rng(1).normal(size=(20_000, 8)).astype(np.float32)
    logits = lesson.forward(X, model.get_weights())
    np.testing.assert_allclose(logits, model.predict(X, batch_size=5000, verbose=0), atol=1e-5)
    same = np.repeat(logits[:1], len(X), axis=0)
    shares = np.bincount(lesson.sample_actions(same, np.random.default_rng(1)), minlength=4) / len(X)
    np.testing.assert_allclose(shares, np.exp(lesson.log_softmax(logits[:1]))[0], atol=0.01)


def test_the_gradient_is_that_of_the_formula(quick: Run) -> None:
    assert quick.metrics["gradient_test_max_error"] < 1e-6
    rows = quick.table("action", "probability")
    assert [row[2] for row in rows] == [row[3] for row in rows] == ["+0.9870", "-0.6144", "-0.3726"]


@pytest.mark.parametrize(
    ("change", "advantage", "has_gradient"),
    [(0.0, 1.0, True), (0.1, 1.0, True), (0.3, 1.0, False), (-0.3, 1.0, True), (-0.3, -1.0, False), (0.3, -1.0, True)],
)
def test_ppo_stops_where_a_probability_has_changed_enough(change: float, advantage: float, has_gradient: bool) -> None:
    logits = np.array([[0.3, -0.2, 0.1, 0.0]], np.float32)
    log_p = lesson.log_softmax(logits)[0, 2]
    targets = np.array([[2, advantage, log_p - np.log1p(change)]], np.float32)  # the ratio is 1 + change
    loss = lesson.clipped_loss(0.2)
    ratio = np.clip(1 + change, 0.8, 1.2) if not has_gradient else 1 + change
    assert float(loss(targets, logits)[0]) == pytest.approx(-ratio * advantage, rel=1e-5)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(4)])
    model.set_weights([np.zeros((1, 4)), logits[0]])
    model.compile(keras.optimizers.SGD(1.0), loss)
    model.train_on_batch(np.zeros((1, 1)), targets)
    step = model.get_weights()[1] - logits[0]
    expected = (1 + change) * advantage * (np.eye(4)[2] - np.exp(lesson.log_softmax(logits)[0]))
    np.testing.assert_allclose(step, expected if has_gradient else np.zeros(4), atol=1e-5)


# --- A run ------------------------------------------------------------------------------------------------------------


def test_three_engines_read_the_saved_pilot_and_it_takes_the_numbers_as_they_come(quick: Run) -> None:
    path = quick.models / "lander-quick.h5"
    loaded = bundle.load(path, ["policy_gradient"])
    assert [column.name for column in loaded.inputs][:3] == ["x", "y", "horizontal speed"] and len(loaded.inputs) == 8
    assert tuple(loaded.card["classes"]) == lander.ACTIONS
    X = np.random.default_rng(1).uniform(-1, 1, (50, 8)).astype(np.float32)
    answers = {name: engines.load(path, ["policy_gradient"], name).predict(X) for name in ("keras", "torch", "numpy")}
    assert_same_answers(answers)
    np.testing.assert_allclose(answers["numpy"].sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("algorithm", lesson.SETTINGS)
def test_the_scale_of_the_observations_is_in_the_first_layer_but_for_the_course_which_has_none(algorithm: str) -> None:
    actor = lesson.build(8, 4, gain=1)
    X = np.random.default_rng(1).uniform(-1, 1, (50, 8)).astype(np.float32)
    scale = np.ones(8, np.float32) if algorithm == "course" else lesson.SCALE
    assert (lesson.make_player(lesson.SETTINGS[algorithm], environments=1).scale == scale).all()
    trained_on = np.exp(lesson.log_softmax(lesson.forward(X * scale, actor.get_weights())))
    saved = lesson.as_saved(actor.get_weights(), lesson.SETTINGS[algorithm])
    np.testing.assert_allclose(saved.predict(X, verbose=0), trained_on, atol=1e-6)


@pytest.mark.parametrize(("algorithm", "expected"), [("a2c", 0.05 * 2.9), ("ppo", 0.05 * 2.9), ("course", 2.9 - 25)])
def test_what_a_step_costs_and_for_the_course_its_distance_from_the_pad(algorithm: str, expected: float) -> None:
    player = lesson.make_player(lesson.SETTINGS[algorithm], environments=1)
    assert player.count_reward is not None
    x_y_and_others = np.array([[3.0, -4, 10, 10, 10, 10, 1, 1]])
    assert player.count_reward(x_y_and_others, np.array([3.0])) == pytest.approx([expected])


def test_the_course_is_of_the_lander_alone_and_its_pilot_has_a_name_of_its_own() -> None:
    arguments = lesson.parse(None, ["--preset", "course"])
    settings, recipe = lesson.lander_recipe(arguments)
    assert (arguments.parts, arguments.algorithm) == (("lander",), "course")
    assert (settings.discount, settings.decay, recipe.rate, recipe.clip) == (0.99, 0, 0.001, None)
    settings, _ = lesson.lander_recipe(lesson.parse(None, ["--preset", "course", "--discount", "0.5"]))
    assert settings.discount == 0.5


@pytest.mark.parametrize(
    ("options", "rates", "optimizer"),
    [
        ([], [0.007, 0.007, 0.003], "adam"),
        (["--learning-rate", "0.02"], [0.02] * 3, "adam"),
        (["--optimizer", "sgd"], [0.01] * 3, "sgd"),
    ],
)
def test_each_method_trains_cars_of_three_seeds_at_its_rate_or_at_ones_own(
    options: list[str], rates: list[float], optimizer: str
) -> None:
    recipes = lesson.car_recipes(lesson.parse(None, ["--seed", "5", *options]))
    assert list(recipes) == ["reinforce", "normalised", "actor_critic"]
    for trainings, rate in zip(recipes.values(), rates, strict=True):
        assert [seed for seed, _ in trainings] == [5, 6, 7]
        assert {(recipe.rate, recipe.optimizer) for _, recipe in trainings} == {(rate, optimizer)}
    quick = lesson.car_recipes(lesson.parse(None, ["--quick", "--seed", "5"]))
    assert {seed for trainings in quick.values() for seed, _ in trainings} == {5}


@pytest.mark.parametrize(
    ("options", "rates", "falls"),
    [
        (["--algorithm", "a2c"], (0.003, 0.006), True),
        (["--algorithm", "ppo"], (0.002, 0.004), True),
        (["--preset", "course"], (0.001, 0.001), False),
        (["--optimizer", "sgd"], (0.01, 0.02), False),
    ],
)
def test_the_rates_of_actor_and_critic_fall_to_a_twentieth_unless_one_names_an_optimizer(
    options: list[str], rates: tuple[float, float], falls: bool
) -> None:
    arguments = lesson.parse(None, ["--epochs", "1", *options])
    settings, recipe = lesson.lander_recipe(arguments)
    assert recipe.steps == 24_576 // 512
    passes = settings.actor_passes, settings.critic_passes
    for is_critic, rate in enumerate(rates):
        optimizer = lesson.make_optimizer(recipe, settings, bool(is_critic), arguments)
        assert type(optimizer).__name__ == ("SGD" if "sgd" in options else "Adam")
        assert optimizer.global_clipnorm == (None if "course" in options else 0.5)
        steps = recipe.steps * passes[is_critic]
        if falls:
            by_step = [float(optimizer._learning_rate(step)) for step in (0, steps // 2, steps)]
            assert by_step == pytest.approx([rate, rate * 0.525, rate / 20], rel=1e-5)
        else:
            assert float(optimizer.learning_rate) == pytest.approx(rate)


def test_a_landing_is_drawn(quick: Run) -> None:
    with Image.open(quick.plots / "lander.gif") as film:
        assert len([*ImageSequence.Iterator(film)]) >= 5
        assert film.size[0] >= 600


@pytest.mark.parametrize(
    "part", ["lander", pytest.param("car", marks=pytest.mark.slow), pytest.param("ppo", marks=pytest.mark.slow)]
)
def test_a_resumed_run_ends_as_one_that_was_never_stopped(
    part: str, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--part", "lander", "--algorithm", "ppo"] if part == "ppo" else ["--part", part]
    options += ["--quick", "--epochs", "2", "--no-plots"]
    whole = start_as_the_first("policy_gradient", room / "whole", *options)
    stop_after(1, monkeypatch, lambda: start(lesson, room / "stopped", *options))
    resumed = start_as_the_first("policy_gradient", room / "stopped", *options, "--resume")
    assert any(line.startswith("Resumed   after epoch 1 of 2") for line in resumed.lines)
    assert resumed.metrics == whole.metrics
    for path in whole.models.glob("*") if whole.models.exists() else ():
        assert (resumed.models / path.name).read_bytes() == path.read_bytes()
    assert sorted(resumed.models.glob("*checkpoint*")) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--discount", "1.01"], "--discount: got 1.01, takes a number from 0"),
        (["--discount", "-0.1"], "--discount: got -0.1, takes a number from 0"),
        (["--batch-size", "513"], "--batch-size: got 513, takes up to 512"),
        (["--preset", "course", "--algorithm", "ppo"], "not allowed with argument"),
        (["--preset", "course", "--part", "car"], "--preset course applies to the lander only: omit --part car"),
        (["--map", "my.txt", "--part", "lander"], "--map applies to the car only: omit --part lander and --preset"),
        (["--map", "my.txt", "--preset", "course"], "--map applies to the car only: omit --part lander and --preset"),
    ],
)
def test_what_makes_no_sense_is_refused(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        lesson.main(options)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_a_rate_that_diverges_is_said_in_a_line(room: Path) -> None:
    with pytest.raises(WorkshopError, match="training diverged"):
        lesson.main(["--quick", "--no-plots", "--part", "lander", "--learning-rate", "1e30"])


@pytest.mark.parametrize("missing", ["gymnasium", "Box2D"])
def test_it_says_what_is_not_installed(missing: str, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else find(name))
    for name in [name for name in importlib.import_module("sys").modules if name.partition(".")[0] == missing]:
        monkeypatch.delitem(importlib.import_module("sys").modules, name)
    with pytest.raises(WorkshopError, match=f"the library {missing} is not installed: python -m pip install"):
        lesson.main(["--quick", "--no-plots"])


# --- The results of the curriculum ------------------------------------------------------------------------------------


def shipped_flights(episodes: int) -> list[lander.Flight]:
    pilot = engines.load(MODEL, ["policy_gradient"], "numpy")
    return lander.fly(lambda X: pilot.predict(X).argmax(axis=1), episodes, lesson.TEST_SEED)


def test_the_shipped_pilot_lands_and_its_card_says_how_well(room: Path) -> None:
    flights = shipped_flights(5)
    assert np.mean([flight.total for flight in flights]) >= 200
    assert sum(flight.has_landed for flight in flights) >= 4
    card = bundle.load(MODEL, ["policy_gradient"]).card
    assert card["metrics"]["test_mean_return"] >= 200 and card["seed"] == 1
    assert MODEL.stat().st_size < 50_000


@pytest.mark.slow
def test_the_shipped_pilot_returns_what_its_card_says(room: Path) -> None:
    returns = [flight.total for flight in shipped_flights(100)]
    card = bundle.load(MODEL, ["policy_gradient"]).card
    assert np.mean(returns) == pytest.approx(card["metrics"]["test_mean_return"], abs=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--seed", "1"], ["--algorithm", "ppo"]])
def test_it_lands(options: list[str], room: Path) -> None:
    run = start(lesson, room, "--no-plots", "--part", "lander", *options)
    prefix = "ppo_" if "ppo" in options else ""
    assert_claims(run.metrics, "policy_gradient")
    assert run.metrics[f"{prefix}test_success_rate"] >= claims("policy_gradient")["test_success_rate"][0]


@pytest.mark.slow
def test_the_car_arrives(room: Path) -> None:
    run = start(lesson, room, "--no-plots", "--part", "car")
    assert run.metrics.keys() >= {"car_normalised_test_success_rate", "car_actor_critic_test_success_rate"}
    assert_claims(run.metrics, "policy_gradient")

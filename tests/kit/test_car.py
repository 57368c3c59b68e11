"""The car with headlights: gymnasium's interface, seeds that repeat, maps that have a way, maps that one draws."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from workshop import deep_q_network, policy_gradient
from workshop.deep_q_network import drive_straight
from workshop.kit.environments import drawn_map
from workshop.kit.environments.car import OBSERVATIONS, RAYS, Car, Cars, Map, inputs, random_map
from workshop.kit.environments.trips import evaluate, take_trip
from workshop.kit.errors import WorkshopError

LEFT, RIGHT, STRAIGHT = range(3)
NO_OBSTACLES = np.empty((0, 3))


@pytest.mark.filterwarnings("ignore:.*alternative render modes")  # those of an environment that is registered
@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_it_follows_gymnasiums_interface(observation: str) -> None:
    check_env(Car(observation, render_mode="rgb_array"))


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_a_seed_repeats_and_a_car_is_cars_of_one(observation: str) -> None:
    car, cars, again = Car(observation), Cars(3, observation), Cars(3, observation)
    one, _ = car.reset(seed=6)
    many, _ = cars.reset(seed=4)
    again.reset(seed=4)
    assert np.array_equal(one, many[2])
    generator = np.random.default_rng(0)
    is_first = True
    for _ in range(200):
        actions = generator.integers(3, size=3)
        many, rewards, terminated, truncated, infos = cars.step(actions)
        same = again.step(actions)
        assert np.array_equal(many, same[0]) and np.array_equal(rewards, same[1])
        if is_first:
            one, reward, has_ended, was_cut, _ = car.step(actions[2])
            seen = infos["final_obs"][2] if has_ended or was_cut else many[2]
            assert np.array_equal(one, seen)
            assert (reward, has_ended, was_cut) == (rewards[2], terminated[2], truncated[2])
            is_first = not (has_ended or was_cut)
    assert not is_first  # the last step of an episode was among those compared
    assert all(row in cars.single_observation_space for row in many)


def test_the_view_shows_an_obstacle_on_the_left_and_the_station_on_the_right() -> None:
    map = Map(np.array([[56.0, 54.0, 3.0]]), np.array([56.0, 44.0]), np.array([50.0, 50.0, 0.0]))
    view, _ = Car("headlights").reset(options={"map": map})
    assert view.shape == (10, 20)
    assert set(view[:, :10].ravel()) == {-1, 0} and set(view[:, 10:].ravel()) == {0, 1}
    assert view[4, 6] == -1  # 5.5 ahead and 3.5 to the left
    sums, _ = Car("sums").reset(options={"map": map})
    assert np.array_equal(sums, view.sum(axis=0))
    seen, _ = Car("bearing").reset(options={"map": map})
    assert np.allclose(seen[:20], sums / 10)
    assert seen[20:] == pytest.approx([0.5**0.5, -(0.5**0.5), 72**0.5 / 50])


def test_the_ranges_are_the_distances_along_the_rays() -> None:
    map = Map(np.array([[50.0, 59.0, 3.0]]), np.array([80.0, 80.0]), np.array([50.0, 50.0, np.pi / 2 - RAYS[3]]))
    ranges, _ = Car("ranges").reset(options={"map": map})
    assert ranges[3] == pytest.approx(6)  # the obstacle, straight along this ray
    assert ranges[0] == ranges[12] == 10
    at_the_wall, _ = Car("ranges").reset(options={"map": map._replace(start=np.array([50.0, 96.0, 0.0]))})
    assert at_the_wall[0] == pytest.approx(4)


@pytest.mark.parametrize(
    ("start", "end", "reached"),
    [((50, 50, 0), "terminated", True), ((3, 50, np.pi), "terminated", False), ((50, 20, 0), "truncated", False)],
)
def test_an_episode_ends_at_the_station_at_the_wall_or_by_its_length(
    start: tuple[float, float, float], end: str, reached: bool
) -> None:
    car = Car(max_steps=20)
    map = Map(NO_OBSTACLES, np.array([80.0, 50.0]), np.array(start))
    car.reset(options={"map": map})
    rewards = []
    for _ in range(20):
        _, reward, terminated, truncated, info = car.step(STRAIGHT)
        rewards.append(reward)
        if terminated or truncated:
            break
    assert (terminated, truncated) == (end == "terminated", end == "truncated")
    assert info["reached"] is reached
    if reached:
        assert sum(rewards) == pytest.approx(1 + 0.02 * (30 - info["distance"]))


def test_left_is_left() -> None:
    car = Car()
    map = Map(NO_OBSTACLES, np.array([50.0, 90.0]), np.array([50.0, 50.0, 0.0]))
    car.reset(options={"map": map})
    observation, reward, *_ = car.step(LEFT)
    assert reward > 0 and observation[20] > 0  # towards the station, which is now ahead
    observation, *_ = car.step(RIGHT)
    assert observation[20] < 0.1


RING = np.array([(50 + 12 * np.cos(a), 50 + 12 * np.sin(a), 4) for a in np.linspace(0, 2 * np.pi, 12, endpoint=False)])


@pytest.mark.parametrize(
    ("map", "message"),
    [
        (Map(RING, np.array([50.0, 50.0]), np.array([10.0, 10.0, 0.0])), "no way"),
        (Map(RING, np.array([62.0, 50.0]), np.array([10.0, 10.0, 0.0])), "within an obstacle"),
        (Map(RING, np.array([50.0, 50.0]), np.array([10.0, -1.0, 0.0])), "outside the map"),
        (Map(RING, np.array([50.0, 50.0]), np.array([10.0, np.nan, 0.0])), "finite"),
        ((RING, 1), "three arrays"),
    ],
)
def test_a_map_without_a_way_is_refused(map: Map, message: str) -> None:
    with pytest.raises(WorkshopError, match=message):
        Car().reset(options={"map": map})
    if message == "no way":  # with one obstacle less there is one
        Car().reset(options={"map": map._replace(obstacles=RING[1:])})


def test_the_inputs_of_a_card_are_the_numbers_of_the_observation() -> None:
    for observation, first, last in (
        ("sums", ("column 1", -10, 10), ("column 20", -10, 10)),
        ("ranges_bearing", ("range 1", 0, 10), ("distance to the station", 0, 8**0.5)),
    ):
        described = inputs(observation)
        assert len(described) == Car(observation).observation_space.shape[0]
        for one, (name, low, high) in zip((described[0], described[-1]), (first, last), strict=True):
            assert (one.name, one.minimum, one.maximum) == (name, pytest.approx(low), pytest.approx(high))


def test_another_observation_is_refused() -> None:
    with pytest.raises(WorkshopError, match="headlights, sums, bearing, ranges"):
        Cars(2, "radar")


def test_a_seed_has_its_map_for_ever() -> None:
    # The published numbers of the lessons hold on these maps.
    obstacles, station, start = random_map(np.random.default_rng(7))
    assert obstacles[-1] == pytest.approx([80.42673978974996, 38.63227914729447, 5.0310889452014], abs=1e-9)
    assert station == pytest.approx([38.90904778262875, 94.04480536583239], abs=1e-9)
    assert start == pytest.approx([62.69568543252657, 66.23342243077653, -2.194163587052385], abs=1e-9)


def test_a_trip_is_one_of_those_that_are_counted() -> None:
    trips = [take_trip(drive_straight, "bearing", seed=seed) for seed in range(40, 60)]
    counted = evaluate(drive_straight, "bearing", 20, 40)
    assert counted.reached == np.mean([trip.reached for trip in trips])
    assert counted.crashed == np.mean([trip.crashed for trip in trips])
    assert {trip.ending for trip in trips} <= {"reached", "crashed"}
    assert all(len(trip.observations) == trip.moves + 1 for trip in trips)


# --- A map that one draws ---------------------------------------------------------------------------------------------

EMPTY = ["." * 20] * 20


def drawn(*lines: str) -> str:
    """Returns the text of a map that is free but for some lines."""
    return "\n".join([*(line.ljust(20, ".") for line in lines), *EMPTY[len(lines) :]])


def test_a_drawn_map_is_read(tmp_path: Path) -> None:
    path = tmp_path / "map.txt"
    # As an editor of Windows may write it; spaces behind a line and empty lines at the end do not count.
    path.write_bytes(b"\xef\xbb\xbf" + drawn(".S..#", "..........G").replace("\n", " \r\n").encode() + b"\r\n\r\n")
    obstacles, station, start = drawn_map.read(path)
    assert obstacles.tolist() == [[22.5, 97.5, 3.6]]
    assert station.tolist() == [52.5, 92.5]
    assert start == pytest.approx([7.5, 97.5, np.arctan2(-5, 45)])
    for character, heading in ((">", 0), ("^", 90), ("<", 180), ("v", -90)):
        path.write_text(drawn(f".{character}..#", "..........G"), "ascii")
        assert drawn_map.read(path).start[2] == pytest.approx(np.radians(heading))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (drawn("S.#.G", "..#", *["..#"] * 18), "the map has no way from the start to the station"),
        (drawn("S#", "#", "..G"), "the map has no way"),  # none between two that touch by a corner
        (drawn("....G"), r"has no start, takes one \(S > \^ < v\)"),
        (drawn("S...G", ">"), "has 2 starts, takes one"),
        (drawn("S...."), r"has no station, takes one \(G\)"),
        (drawn("S...G", "G"), "has 2 stations"),
        (drawn("S...G", "..x"), r"line 2, column 3: 'x' is none of \. # G S > \^ < v"),
        (drawn("S...G", "..\0"), "line 2, column 3: .* is none of"),
        (drawn("S...G")[:-1], "line 20 has 19 characters, takes a text of 20 lines of 20 characters; an example is"),
        (drawn("S...G" + "." * 16), "line 1 has 21 characters"),
        (drawn("S...G") + "\n" + "." * 20, "has 21 lines"),
        (drawn("S...G")[:45], "line 3 has 3 characters"),
        (drawn("S...G")[:41], "has 2 lines"),
        (" \n\n", "is empty"),
        ("." * 20_000, "has 20,000 bytes"),
        (b"\x89PNG\r\n\x1a\n", "is no text in UTF-8"),
    ],
)
def test_a_map_that_is_drawn_wrong_is_refused(text: str | bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "map.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(WorkshopError, match=f"--map .*map.txt: {message}"):
        drawn_map.read(path)


def test_a_lesson_refuses_a_map_before_it_trains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = [sys.executable, "-m", "workshop.deep_q_network", "--quick", "--map", "missing.txt"]
    done = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("error: --map missing.txt: cannot be read (No such file or directory), takes a text")
    for lesson, part, reason in (
        (deep_q_network, "drivers", "needs a trained car"),
        (policy_gradient, "lander", "applies to the car only"),
    ):
        with pytest.raises(SystemExit, match="2"):
            lesson.main(["--part", part, "--map", str(drawn_map.example())])
        assert capsys.readouterr().err.startswith(f"error: --map {reason}")

"""The car with headlights: gymnasium's interface, seeds that repeat, maps that have a way."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from workshop.kit.environments.car import OBSERVATIONS, RAYS, Car, Cars, Map, inputs
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

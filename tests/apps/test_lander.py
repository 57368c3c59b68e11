"""The program `apps.lander`: flights of a network whose weights were chosen by hand, and what it refuses."""

import importlib.util
import itertools
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.dialogues import Screen
from PIL import Image

from apps import lander
from workshop.kit import plots
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import load
from workshop.kit.saving import bundle
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.network import Network

pytest.importorskip("gymnasium")
# Box2D's types warn while they are made; where warnings are errors, that ends the interpreter.
pytestmark = pytest.mark.filterwarnings("ignore:builtin type:DeprecationWarning")
FOUND = "note: the model is models/lander.h5\n"


def pilot(sharpness: float = 200.0, hover: float = 0.0) -> Network:
    """The rule that gymnasium's own documentation lands by, as a network with relu: it needs no training.

    Tilt towards the pad, the wanted angle being x / 2 + vx, at most 0.4; keep as high as 0.55 |x|; of the main engine
    and the two sides take the one that is needed most, if by 0.05 or more. With `hover` it keeps so much higher.
    """
    x, y, vx, vy, angle, spin, left_leg, right_leg = np.eye(8)
    lean = 0.5 * x + vx
    hidden = [(x, 0), (-x, 0), (lean, 0.4), (lean, -0.4), (-angle - 2 * spin, 2), (-y - vy, 10)]
    hidden.append((left_leg + right_leg, 0))
    turn = np.array([0, 0, 0.5, -0.5, 0.5, 0, 0])  # the last units are shifted, so that relu passes them
    climb = np.array([0.275, 0.275, 0, 0, 0, 0.5, 0])
    down = np.array([0, 0, 0, 0, 0, 0, 5.0])  # a leg on the ground: no side engine
    kernel, bias = (
        np.stack([0 * turn, turn - down, climb, -turn - down], axis=1),
        np.array([0.05, -1.2, hover / 2 - 5, 1.2]),
    )
    network = Network([Dense(len(hidden), "relu"), Dense(4, "softmax")], (8,))
    weights = [np.stack([row for row, _ in hidden], axis=1), np.array([shift for _, shift in hidden])]
    network.set_weights([*weights, sharpness * kernel, sharpness * bias])
    return network


def save(network: Network, name: str = "lander", lesson: str = "policy_gradient") -> Path:
    bundle.save("models", name, network, lesson=lesson, data="by hand", seed=1, inputs=[], metrics={})
    return Path("models") / f"{name}.h5"


@pytest.fixture
def model(room: Path) -> Path:
    """The pilot as a bundle in the folder `models`."""
    return save(pilot())


@pytest.fixture
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a screen, wherever the tests run."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


def flights_in(output: str) -> list[float]:
    """Returns the printed returns."""
    return [float(found) for found in re.findall(r"^seed \d+: landed, return ([\d.]+), \d+ steps$", output, re.M)]


def test_each_flight_and_the_mean_are_printed(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lander.main(["--episodes", "3"])
    output = capsys.readouterr()
    returns = flights_in(output.out)
    assert len(set(returns)) == 3 and min(returns) >= 200
    mean = re.search(r"^mean return ([\d.]+) of 3 flights: 3 landed$", output.out, re.M)
    assert mean and float(mean[1]) == pytest.approx(np.mean(returns), abs=0.11)
    assert output.err == FOUND
    lander.main(["--episodes", "1", "--seed", "3"])  # the third flight by itself
    assert flights_in(capsys.readouterr().out) == returns[2:]


def test_each_flight_is_told_before_the_next_takes_off(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen, fly, seen = Screen(), lander.fly, []

    def watched(*arguments: Any) -> Any:
        seen.append(screen.seen().count("landed"))
        return fly(*arguments)

    monkeypatch.setattr(lander, "fly", watched)
    monkeypatch.setattr(sys, "stdout", screen)
    lander.main(["--episodes", "3"])
    assert seen == [0, 1, 2]


def test_the_model_that_ships_lands(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lander.main(["--episodes", "3"])
    output = capsys.readouterr()
    assert output.err == "note: the model is lander.h5, which ships with the package\n"
    assert np.mean(flights_in(output.out)) >= 200 and ": 3 landed" in output.out


def always(action: int) -> Network:
    network = Network([Dense(4, "softmax")], (8,))
    network.set_weights([np.zeros((8, 4)), 50 * np.eye(4)[action]])
    return network


@pytest.mark.parametrize(("action", "end"), [(0, "crashed"), (2, "flew away")])
def test_other_ends_are_told_apart(room: Path, capsys: pytest.CaptureFixture[str], action: int, end: str) -> None:
    lander.main(["--model", str(save(always(action))), "--episodes", "1"])
    assert f"seed 1: {end}, return -" in capsys.readouterr().out


def test_who_only_hovers_runs_out_of_time(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lander.main(["--model", str(save(pilot(hover=0.5))), "--episodes", "1"])
    assert re.search(r"^seed 1: ran out of time, return -?[\d.]+, 1000 steps$", capsys.readouterr().out, re.M)


def test_actions_are_sampled_by_the_seed(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(save(pilot(sharpness=20)))
    outputs = []
    for options in (["--sample"], ["--sample"], []):
        lander.main(["--model", path, "--episodes", "2", *options])
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] != outputs[2]


def test_a_gif_shows_the_first_flight(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--model", str(save(always(0))), "--episodes", "2"]  # it falls for some 70 steps
    lander.main(options)
    plain = capsys.readouterr().out.splitlines()
    Path("flight.gif").write_bytes(b"of before")
    lander.main([*options, "--gif", "flight.gif"])
    assert capsys.readouterr().out.splitlines() == [plain[0], "  drawn as flight.gif", *plain[1:]]
    with Image.open("flight.gif") as film:
        frames = []
        for i in (0, film.n_frames - 1):  # type: ignore[attr-defined]
            film.seek(i)
            frames.append(np.asarray(film.convert("RGB"), float))
    red, green, blue = (int(plots.PURPLE[i : i + 2], 16) for i in (1, 3, 5))
    hull = [np.argwhere(np.abs(frame - (red, green, blue)).max(axis=-1) < 30)[:, 0].mean() for frame in frames]
    assert hull[1] > hull[0] + 50
    assert list(Path().glob("flight*")) == [Path("flight.gif")]


def test_a_closed_window_ends_the_program(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], no_display: None
) -> None:
    monkeypatch.setattr(lander, "check_display", lambda: None)  # SDL's driver "dummy" shows to nobody
    pygame = load("pygame")
    pump, frames = pygame.event.pump, itertools.count(1)

    def close_at_the_third_frame() -> None:
        pump()
        if next(frames) == 3:
            pygame.event.post(pygame.event.Event(pygame.QUIT))  # as the window's button does

    monkeypatch.setattr(pygame.event, "pump", close_at_the_third_frame)
    with pytest.raises(KeyboardInterrupt):
        lander.main(["--human"])
    assert next(frames) == 4 and capsys.readouterr().out == ""
    pygame.quit()


def test_no_window_without_a_display(model: Path, no_display: None) -> None:
    with pytest.raises(WorkshopError, match="--human: no window can be opened, this machine has no display: take --g"):
        lander.main(["--human"])


@pytest.mark.parametrize(
    ("missing", "options"), [("gymnasium", []), ("Box2D", ["--gif", "flight.gif"]), ("pygame", ["--human"])]
)
def test_what_is_not_installed_is_named(
    model: Path, monkeypatch: pytest.MonkeyPatch, missing: str, options: list[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else find(name))
    for name in [name for name in sys.modules if name == missing]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(WorkshopError, match=f"the library {missing} is not installed: python -m pip install"):
        lander.main(options)
    assert not Path("flight.gif").exists()


def linear(inputs: int, outputs: int, weight: float = 0.0) -> Network:
    network = Network([Dense(outputs, "tanh")], (inputs,))
    network.set_weights([np.full((inputs, outputs), weight), np.zeros(outputs)])
    return network


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (linear(4, 4), [], r"lander.h5 takes inputs of shape \(4,\), this program gives \(8,\)"),
        (linear(8, 2), [], r"lander.h5 has outputs of shape \(2,\), this program takes 4 outputs"),
        (linear(8, 4, np.nan), [], "lander.h5 is refused: the kernel of a Dense layer is not finite"),
        (linear(8, 4), ["--sample"], "lander.h5 predicts .*, no probabilities: fly it without --sample"),
        (pilot(), ["--gif", "flight.png"], "--gif flight.png: takes the name of a file that ends in .gif"),
        (pilot(), ["--gif", "folder.gif"], "--gif folder.gif: that is a folder"),
        (pilot(), ["--gif", "file/flight.gif"], "--gif file: nothing can be written there"),
    ],
)
def test_what_cannot_fly_is_refused(network: Network, options: list[str], message: str, room: Path) -> None:
    Path("folder.gif").mkdir()
    Path("file").touch()
    with pytest.raises(WorkshopError, match=message):
        lander.main(["--model", str(save(network)), *options])


def test_outputs_that_are_no_numbers_are_refused(model: Path) -> None:
    loaded = bundle.load(model, ["policy_gradient"], lambda content, path: pilot())
    with pytest.raises(WorkshopError, match=r"lander.h5 predicts \[nan, nan, nan, nan\], no finite numbers"):
        lander.check_outputs(np.full(4, np.nan), False, loaded)


def test_models_of_other_lessons_are_refused_in_one_line_with_exit_code_2(room: Path) -> None:
    path = save(pilot(), "other", "xor")
    command = [sys.executable, "-m", "apps.lander", "--model", str(path)]
    ended = subprocess.run(command, cwd=room, capture_output=True, text=True)
    refusal = "error: models/other.h5 is a model of the lesson xor; this takes one of policy_gradient\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", refusal)


def test_all_engines_fly_the_same_flight(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    options = ["--model", str(save(always(0))), "--episodes", "1"]
    lander.main(options)
    numpy_alone = capsys.readouterr().out
    lander.main([*options, "--engine", "all"])
    output = capsys.readouterr().out
    assert output.startswith(numpy_alone) and "  torch  no engine " in output
    assert float(output.split()[-1]) < 1e-5


def test_nothing_heavy_is_imported_for_help(room: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "apps.lander", "--help"]
    ended = subprocess.run(command, cwd=room, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "--gif FILE" in ended.stdout and "workshop.programs.console" in imported
    assert not {"numpy", "gymnasium", "Box2D", "pygame", "matplotlib", "keras", "PIL"} & imported

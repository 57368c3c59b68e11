"""What console programs share, and `apps.admission`: its dialogue through a pseudo-terminal, and given scores."""

import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dialogues import dialogue, end_of

from apps import admission
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.saving import bundle
from workshop.programs import console

LOW, HIGH = np.array([30.2, 30.9]), np.array([97.5, 99.9])
FIRST, SECOND = "exam 1 (30.2 to 97.5 points): ", "exam 2 (30.9 to 99.9 points): "
INPUTS = [bundle.Input(f"exam {i + 1}", "points", float(LOW[i]), float(HIGH[i])) for i in range(2)]
Saver = Callable[..., Path]


def logit(scores: Sequence[float]) -> float:
    """What the fixture's model computes: admitted where the two scaled scores add up to more than 1."""
    return float(8 * ((np.array(scores) - LOW) / (HIGH - LOW)).sum() - 8)


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def percent_in(line: str) -> float:
    return float(line.split("admission ")[1].split(" %")[0])


def build(outputs: int = 1, inputs: int = 2, activation: str = "sigmoid") -> Any:
    model = keras.Sequential([keras.layers.Input((inputs,)), keras.layers.Dense(outputs, activation=activation)])
    kernel, bias = np.zeros((inputs, outputs)), np.zeros(outputs)
    kernel[:, -1], bias[-1] = 8, -8
    model.set_weights([kernel, bias])
    return model


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundle `admission`, its weights set by hand."""
    from sklearn.preprocessing import MinMaxScaler

    folder = tmp_path_factory.mktemp("saved")
    scaler = MinMaxScaler().fit(np.array([LOW, HIGH], np.float32))
    options: dict[str, Any] = {"data": "two rows", "seed": 1, "metrics": {}, "scaler": scaler, "inputs": INPUTS}
    bundle.save(folder, "admission", build(), lesson="admission", threshold=0.5, **options)
    bundle.save(folder, "strict", build(), lesson="admission", threshold=0.9, **options)
    bundle.save(folder, "other", build(), lesson="xor", **options)
    return folder


@pytest.fixture
def models(saved: Path, room: Path) -> Path:
    """The bundle in the folder `models` of the room, where a program looks first."""
    return Path(shutil.copytree(saved, room / "models"))


@pytest.fixture
def bare(models: Path, room: Path) -> Saver:
    """Saves a model as a student's notebook does: a `.h5` with no card."""

    def save(model: Any, name: str = "my") -> Path:
        bundle.save(room / "scratch", name, model, lesson="none", data="", seed=1, inputs=[], metrics={})
        return Path(shutil.move(room / "scratch" / f"{name}.h5", room / f"{name}.h5"))

    return save


# --- The dialogue -----------------------------------------------------------------------------------------------------


def test_a_dialogue_asks_again_until_it_has_two_numbers_within_their_ranges(room: Path, models: Path) -> None:
    takes = "takes a number from 30.2 to 97.5 points"
    with dialogue(room, "apps.admission") as child:
        for wrong, shown in [
            ("ninety", "'ninety'"),
            ("", "nothing"),
            ("   ", "nothing"),
            ("inf", "'inf'"),
            ("-infinity", "'-infinity'"),
            ("nan", "'nan'"),
            ("30.19", "'30.19'"),
            ("97.6", "'97.6'"),
            ("1e999", "'1e999'"),
            ("4_5", "'4_5'"),
            ("45,5", "'45,5'"),
            ("x" * 60, "'" + "x" * 40 + "'..."),
        ]:
            child.expect_exact(FIRST)
            child.sendline(wrong)
            child.expect_exact(f"got {shown}, {takes}")
        child.expect_exact(FIRST)
        child.sendline(" 45 ")
        child.expect_exact(SECOND)
        child.sendline("100")
        child.expect_exact("got '100', takes a number from 30.9 to 99.9 points")
        child.expect_exact(SECOND)
        child.sendline("99.9")
        left = end_of(child)
    lines = [line for line in left.splitlines() if line.strip()][1:]  # the first is the echo of what was typed
    assert len(lines) == 1, left
    assert lines[0].startswith("Admitted (probability of admission ")
    assert percent_in(lines[0]) == pytest.approx(100 * sigmoid(logit([45, 99.9])), abs=0.051)
    assert child.exitstatus == 0


def test_bytes_that_are_no_text_are_asked_again(room: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")  # as in most languages' terminals
    with dialogue(room, "apps.admission") as child:
        child.expect_exact(FIRST)
        os.write(child.child_fd, b"\xff\xfe\n")
        child.expect_exact("takes a number from 30.2 to 97.5 points")
        child.expect_exact(FIRST)


@pytest.mark.parametrize("answers", [[], ["45"]])
def test_the_end_of_the_input_ends_the_program_in_one_line(room: Path, models: Path, answers: list[str]) -> None:
    with dialogue(room, "apps.admission") as child:
        for prompt, answer in zip([FIRST, SECOND], answers, strict=False):
            child.expect_exact(prompt)
            child.sendline(answer)
        child.expect_exact([FIRST, SECOND][len(answers)])
        child.sendeof()
        left = end_of(child)
    assert left.split("\r\n") == ["", f"error: the input ended where exam {len(answers) + 1} was asked for", ""]
    assert child.exitstatus == 2


def test_an_empty_pipe_ends_the_program_in_one_line(room: Path, models: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "apps.admission"], cwd=room, input="", capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr == "error: the input ended where exam 1 was asked for\n"
    assert ended.stdout == f"{FIRST}\n"


def test_no_standard_input_at_all_ends_the_program_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(WorkshopError, match="the input ended where exam 1 was asked for"):
        console.ask_number(INPUTS[0])


PROGRAMS = {"admission": "exam 1 (", "house_price": "area (22 to 300 m2): ", "write": "How does it begin ("}


@pytest.mark.parametrize("program", PROGRAMS)
def test_ctrl_c_ends_a_program_quietly(room: Path, program: str) -> None:
    with dialogue(room, f"apps.{program}") as child:
        child.expect_exact(PROGRAMS[program])
        left = end_of(child, is_interrupted=True)
    assert left.replace("^C", "").split()[-1] == "stopped"
    assert child.exitstatus == 128 + signal.SIGINT


@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_heavy_is_imported_before_the_first_prompt(room: Path, program: str) -> None:
    arguments = [sys.executable, "-X", "importtime", "-m", f"apps.{program}"]
    ended = subprocess.run(arguments, cwd=room, input="", capture_output=True, text=True, check=False)
    assert PROGRAMS[program] in ended.stdout
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines() if "|" in line}
    assert "workshop.programs.console" in imported
    heavy = {"numpy", "scipy", "sklearn", "joblib", "h5py", "keras", "tensorflow", "matplotlib", "PIL"}
    assert not heavy & imported


# --- Numbers and ranges -----------------------------------------------------------------------------------------------


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_the_limits_that_a_prompt_shows_are_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # float32's 30.058822 and 99.827858, as doubles: rounded to the nearest, both shown limits would lie outside.
    one = bundle.Input("exam", "points", 30.058822631835938, 99.82785797119140)
    typed(monkeypatch, "30.0588\n30.0589\n")
    assert console.ask_number(one) == 30.0589
    assert "exam (30.0589 to 99.8278 points): " in capsys.readouterr().out
    assert console.check_numbers(["99.8278"], [one]) == [99.8278]


def test_a_prompt_without_a_unit_and_with_large_or_tiny_limits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "5\n")
    assert console.ask_number(bundle.Input("mass", "", 1e-7, 12_000_000)) == 5
    assert capsys.readouterr().out == "mass (0.0000001 to 12000000): "


def test_several_numbers_are_asked_for_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "45\n85\n")
    assert console.ask_numbers(INPUTS) == [45, 85]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["45"], "got 1 of 2 numbers: takes exam 1 (30.2 to 97.5 points), exam 2 (30.9 to 99.9 points)"),
        (["45", "85", "1"], "got 3 of 2 numbers: takes exam 1 (30.2 to 97.5 points), exam 2 (30.9 to 99.9 points)"),
        (["45", "x"], "exam 2: got 'x', takes a number from 30.9 to 99.9 points"),
        (["", "85"], "exam 1: got nothing, takes a number from 30.2 to 97.5 points"),
        (["45", "inf"], "exam 2: got 'inf', takes a number from 30.9 to 99.9 points"),
        (["-5", "85"], "exam 1: got '-5', takes a number from 30.2 to 97.5 points"),
        (["nan", "85"], "exam 1: got 'nan', takes a number from 30.2 to 97.5 points"),
    ],
)
def test_given_numbers_are_refused_in_one_line(given: list[str], message: str) -> None:
    with pytest.raises(WorkshopError) as refusal:
        console.check_numbers(given, INPUTS)
    assert str(refusal.value) == message


# --- Scores given as arguments ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scores", [(45, 85), (45, 60), (97.5, 99.9), (30.2, 30.9)])
def test_given_scores_are_answered_in_one_line(
    models: Path, capsys: pytest.CaptureFixture[str], scores: tuple[float, float]
) -> None:
    admission.main([str(score) for score in scores])
    output = capsys.readouterr()
    probability = sigmoid(logit(scores))
    assert output.out.count("\n") == 1
    assert output.out.startswith("Admitted (" if probability >= 0.5 else "Sorry (")
    assert percent_in(output.out) == pytest.approx(100 * probability, abs=0.051)
    assert output.err == ""


@pytest.mark.parametrize(("probability", "verdict"), [(0.499, "Sorry"), (0.501, "Admitted"), (0.54, "Admitted")])
def test_without_a_card_the_threshold_is_one_half(
    bare: Saver, capsys: pytest.CaptureFixture[str], probability: float, verdict: str
) -> None:
    model = build()
    model.set_weights([np.zeros((2, 1)), np.array([np.log(probability / (1 - probability))])])
    admission.main(["--model", str(bare(model).name), "45", "85"])
    assert capsys.readouterr().out == f"{verdict} (probability of admission {100 * probability:.1f} %)\n"


def test_the_threshold_of_the_card_decides(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # 0.5 <= probability < 0.9
    assert 0.5 < sigmoid(logit([70, 70])) < 0.9
    admission.main(["70", "70"])
    admission.main(["--model", "models/strict.h5", "70", "70"])
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("Admitted (")
    assert second.startswith("Sorry (")
    assert percent_in(first) == percent_in(second)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "missing.h5"], "missing.h5 is not there"),
        (["--model", "models/admission.json", "45", "85"], "models/admission.json is not a .h5 file"),
        (["--model", "models/other.h5", "45", "85"], "is a model of the lesson xor; this takes one of admission"),
        (["45", "850"], "exam 2: got '850', takes a number from 30.9 to 99.9 points"),
    ],
)
def test_what_cannot_be_answered_is_refused_at_once(
    models: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    typed(monkeypatch, "")  # asking for anything would end in another error
    with pytest.raises(WorkshopError, match="^.*" + message.replace(".", r"\.").replace("(", r"\(")):
        admission.main(arguments)


def test_the_program_refuses_with_exit_code_2_and_one_line(room: Path, models: Path) -> None:
    for arguments in (["45"], ["45", "850"], ["--model"], ["--nonsense"]):
        ended = subprocess.run(
            [sys.executable, "-m", "apps.admission", *arguments], cwd=room, capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1), ended.stderr
        assert ended.stderr.startswith("error: ")


# --- A model of one's own, without a card -----------------------------------------------------------------------------


def test_a_bare_model_without_a_scaler_gets_scores_scaled_to_the_shipped_ranges(
    bare: Saver, capsys: pytest.CaptureFixture[str]
) -> None:
    admission.main(["--model", str(bare(build()).name), "45", "85"])
    output = capsys.readouterr()
    assert percent_in(output.out) == pytest.approx(100 * sigmoid(logit([45, 85])), abs=0.051)
    assert output.err.count("\n") == 1
    assert "my.h5 has no card, so it is unverified" in output.err
    assert "scaled to 0..1 over the ranges" in output.err


def test_the_scaler_beside_a_bare_model_is_used(bare: Saver, capsys: pytest.CaptureFixture[str]) -> None:
    import joblib
    from sklearn.preprocessing import MinMaxScaler

    path = bare(build())
    joblib.dump(MinMaxScaler().fit([[0, 0], [100, 100]]), path.with_name("my-scaler.gz"))
    admission.main(["--model", path.name, "45", "85"])
    output = capsys.readouterr()
    assert percent_in(output.out) == pytest.approx(100 * sigmoid(8 * 1.3 - 8), abs=0.051)
    assert "scaled by my-scaler.gz" in output.err


def test_two_softmax_units_are_understood(bare: Saver, capsys: pytest.CaptureFixture[str]) -> None:
    path = bare(build(outputs=2, activation="softmax"))
    admission.main(["--model", path.name, "45", "85"])
    # The softmax of (0, x) is the sigmoid of x.
    assert percent_in(capsys.readouterr().out) == pytest.approx(100 * sigmoid(logit([45, 85])), abs=0.051)


def build_two_inputs() -> Any:
    sides = [keras.layers.Input((1,)), keras.layers.Input((1,))]
    return keras.Model(sides, keras.layers.Dense(1)(keras.layers.Concatenate()(sides)))


def build_two_outputs() -> Any:
    side = keras.layers.Input((2,))
    return keras.Model(side, [keras.layers.Dense(1)(side), keras.layers.Dense(1)(side)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: build(inputs=3), r"my.h5 takes inputs of shape \(3,\), this program gives \(2,\)"),
        (lambda: build(outputs=3), r"my.h5 has outputs of shape \(3,\), this program takes 1 or 2 outputs"),
        (lambda: build(activation="linear"), r"my.h5 predicts -\S+, no probability: its last layer takes a sigmoid"),
        (build_two_inputs, r"my.h5 takes inputs of several shapes, this program gives \(2,\)"),
        (build_two_outputs, r"my.h5 has outputs of several shapes, this program takes 1 or 2 outputs"),
    ],
)
def test_a_bare_model_of_another_kind_is_refused(bare: Saver, make: Callable[[], Any], message: str) -> None:
    path = bare(make())
    with pytest.raises(WorkshopError, match=message):
        admission.main(["--model", path.name, "45", "45"])


def test_a_bare_model_on_which_nothing_is_known_asks_for_the_shipped_ranges(bare: Saver, room: Path) -> None:
    path = bare(build())
    ended = subprocess.run(
        [sys.executable, "-m", "apps.admission", "--model", path.name],
        cwd=room,
        input="",
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert ended.stdout == f"{FIRST}\n"
    assert ended.returncode == 2

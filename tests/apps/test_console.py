"""What console programs share, and `apps.admission`: its dialogue through a pseudo-terminal, and given scores."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.dialogues import dialogue, end_of

from apps import admission
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.saving import bundle
from workshop.programs import console

LOW, HIGH = np.array([30.2, 30.9]), np.array([97.5, 99.9])
FIRST, SECOND = "exam 1 (30.2 to 97.5 points): ", "exam 2 (30.9 to 99.9 points): "
TAKES = "takes a finite number, such as 12 or 12.5"
FOUND = "note: the model is models/admission.h5\n"
INPUTS = [bundle.Input(f"exam {i + 1}", "points", float(LOW[i]), float(HIGH[i])) for i in range(2)]
Saver = Callable[..., Path]


def logit(scores: Sequence[float]) -> float:
    """What the fixture's model computes: admitted where the two scaled scores add up to more than 1."""
    return float(8 * ((np.array(scores) - LOW) / (HIGH - LOW)).sum() - 8)


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def percent_in(line: str) -> float:
    return float(line.split("admission ")[1].split(" %")[0])


def build(outputs: int = 1, inputs: int = 2, activation: str = "sigmoid") -> keras.Model:
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


def test_a_dialogue_asks_again_until_it_has_two_numbers(room: Path, models: Path) -> None:
    with dialogue(room, "apps.admission") as child:
        for wrong, shown in [
            ("ninety", "'ninety'"),
            ("", "nothing"),
            ("   ", "nothing"),
            ("inf", "'inf'"),
            ("-infinity", "'-infinity'"),
            ("nan", "'nan'"),
            ("1e999", "'1e999'"),
            ("4_5", "'4_5'"),
            ("45,5", "'45,5'"),
            ("x" * 60, "'" + "x" * 40 + "'..."),
        ]:
            child.expect_exact(FIRST)
            child.sendline(wrong)
            child.expect_exact(f"got {shown}, {TAKES}")
        child.expect_exact(FIRST)
        child.sendline(" 45 ")
        child.expect_exact(SECOND)
        child.sendline("99.9")
        left = end_of(child)
    lines = [line for line in left.splitlines() if line.strip()][1:]  # the first is the echo of what was typed
    assert len(lines) == 1, left
    assert lines[0].startswith("Admitted (probability of admission ")
    assert percent_in(lines[0]) == pytest.approx(100 * sigmoid(logit([45, 99.9])), abs=0.051)
    assert child.exitstatus == 0


@pytest.mark.parametrize(
    ("scores", "noted"),
    [
        (["100", "85"], "exam 1 (points) 100 is outside of 30.2 to 97.5"),
        (
            ["100", "0"],
            "exam 1 (points) 100 is outside of 30.2 to 97.5 and exam 2 (points) 0 is outside of 30.9 to 99.9",
        ),
        (["97.50001", "-1e3"], "97.50001 is outside of 30.2 to 97.5 and exam 2 (points) -1000 is outside of"),
    ],
)
def test_scores_outside_of_the_training_rows_are_answered_which_is_said_once(
    room: Path, models: Path, capsys: pytest.CaptureFixture[str], scores: list[str], noted: str
) -> None:
    with dialogue(room, "apps.admission") as child:
        for prompt, score in zip([FIRST, SECOND], scores, strict=True):
            child.expect_exact(prompt)
            child.sendline(score)
        _, note, answer = [line for line in end_of(child).splitlines() if line.strip()]
    assert (
        note.startswith("note: exam 1 (points) ") and note.endswith(", where the model was trained") and noted in note
    )
    admission.main(scores)  # as arguments
    output = capsys.readouterr()
    assert output.out == f"{answer}\n" and output.err == f"{FOUND}{note}\n"
    low = (np.array([float(score) for score in scores]) - LOW) / (HIGH - LOW)
    assert percent_in(answer) == pytest.approx(100 * sigmoid(8 * low.sum() - 8), abs=0.051)


def test_bytes_that_are_no_text_are_asked_again(room: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")  # as in most languages' terminals
    with dialogue(room, "apps.admission") as child:
        child.expect_exact(FIRST)
        os.write(child.child_fd, b"\xff\xfe\n")
        child.expect_exact(TAKES)
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
    assert ended.stderr == f"{FOUND}error: the input ended where exam 1 was asked for\n"
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


def test_the_limits_that_a_prompt_shows_are_not_outside(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # float32's 30.058822 and 99.827858, as doubles: rounded to the nearest, both shown limits would lie outside.
    one = bundle.Input("exam", "points", 30.058822631835938, 99.82785797119140)
    typed(monkeypatch, "30.0589\n")
    assert console.ask_number(one) == 30.0589
    assert "exam (30.0589 to 99.8278 points): " in capsys.readouterr().out
    for number in (30.0589, 99.8278):
        console.note_outside([number], [one])
    assert capsys.readouterr().err == ""
    console.note_outside([30.0588], [one])
    assert "exam (points) 30.0588 is outside of 30.0589 to 99.8278, where" in capsys.readouterr().err


def test_a_prompt_without_a_unit_and_with_large_or_tiny_limits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "5\n")
    assert console.ask_number(bundle.Input("mass", "", 1e-7, 12_000_000)) == 5
    assert capsys.readouterr().out == "mass (0.0000001 to 12000000): "


def test_several_numbers_are_asked_for_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "45\n85\n")
    assert [console.ask_number(wanted) for wanted in INPUTS] == [45, 85]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["45"], "got 1 of 2 numbers: takes exam 1 (30.2 to 97.5 points), exam 2 (30.9 to 99.9 points)"),
        (["45", "85", "1"], "got 3 of 2 numbers: takes exam 1 (30.2 to 97.5 points), exam 2 (30.9 to 99.9 points)"),
        (["45", "x"], f"exam 2: got 'x', {TAKES}"),
        (["", "85"], f"exam 1: got nothing, {TAKES}"),
        (["45", "inf"], f"exam 2: got 'inf', {TAKES}"),
        (["-1e309", "85"], f"exam 1: got '-1e309', {TAKES}"),
        (["nan", "85"], f"exam 1: got 'nan', {TAKES}"),
    ],
)
def test_given_numbers_are_refused_in_one_line(given: list[str], message: str) -> None:
    with pytest.raises(WorkshopError) as refusal:
        console.check_numbers(given, INPUTS)
    assert str(refusal.value) == message


@pytest.mark.parametrize("engine", ["numpy", "keras", "torch"])
def test_any_finite_number_is_answered(
    engine: str, room: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for largest, cut, verdict in [("1.7e308", "1e+30", "Admitted"), ("-1.7e308", "-1e+30", "Sorry")]:
        admission.main(["--engine", engine, "--", largest, "85"])
        shown = capsys.readouterr()
        assert shown.out.startswith(verdict)
        is_cut, outside = shown.err.splitlines()[-2:]
        assert is_cut.startswith("note: exam 1 (points)") and f"is taken as {cut}: networks" in is_cut
        assert f"exam 1 (points) {cut} is outside of 30.2 to 97.5" in outside


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
    assert output.err == FOUND


def test_the_model_that_ships_answers_38_and_75(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    admission.main(["38", "75"])
    admission.main(["90", "90"])
    output = capsys.readouterr()
    assert [line.split(" (")[0] for line in output.out.splitlines()] == ["Sorry", "Admitted"]
    assert output.err == 2 * "note: the model is admission.h5, which ships with the package\n"


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
        (["45", "NaN"], "exam 2: got 'NaN', takes a finite number"),
        (["--model", "houses", "45", "85"], "houses.h5 is a model of the lesson linear_regression; this takes one of"),
        (["--model", "nowhere"], "no model nowhere.h5 or nowhere.keras in "),
    ],
)
def test_what_cannot_be_answered_is_refused_at_once(
    models: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    typed(monkeypatch, "")  # asking for anything would end in another error
    with pytest.raises(WorkshopError, match="^.*" + message.replace(".", r"\.").replace("(", r"\(")):
        admission.main(arguments)


def test_the_program_refuses_with_exit_code_2_and_one_line(room: Path, models: Path) -> None:
    for arguments in (["45"], ["45", "x"], ["--model"], ["--nonsense"]):
        ended = subprocess.run(
            [sys.executable, "-m", "apps.admission", *arguments], cwd=room, capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stdout) == (2, "")
        error = ended.stderr.removeprefix(FOUND)
        assert error.startswith("error: ") and error.count("\n") == 1


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
    assert "scaled by my-scaler.gz" in output.err and "outside" not in output.err


@pytest.mark.parametrize("ending", [".h5", ".keras"])
def test_a_notebooks_model_in_the_current_folder_is_taken_with_the_ranges_of_its_scaler(
    bare: Saver, room: Path, ending: str
) -> None:
    import joblib
    from sklearn.preprocessing import MinMaxScaler

    if ending == ".keras":
        build().save("admission.keras")
    else:
        bare(build(), "admission")
    joblib.dump(MinMaxScaler().fit(np.array([[20.1, 10], [100, 99]], np.float32)), "admission-scaler.gz")
    with dialogue(room, "apps.admission") as child:
        child.expect_exact(f"note: the model is admission{ending} in the current folder")
        child.expect_exact("exam 1 (20.1 to 100 points): ")
        child.sendline("20.1")
        child.expect_exact("exam 2 (10 to 99 points): ")
        child.sendline("101")
        _, unverified, outside, answer = [line for line in end_of(child).splitlines() if line.strip()]
    assert unverified.startswith(f"note: admission{ending} has no card") and "scaled by admission-scaler" in unverified
    assert outside == "note: exam 2 (points) 101 is outside of 10 to 99, where the model was trained"
    assert percent_in(answer) == pytest.approx(100 * sigmoid(8 * 91 / 89 - 8), abs=0.051)
    assert child.exitstatus == 0


def test_a_scaler_that_keeps_no_ranges_gives_none(
    bare: Saver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import joblib
    from sklearn.preprocessing import StandardScaler

    path = bare(build())
    joblib.dump(StandardScaler().fit([[0, 0], [2, 2]]), "my-scaler.gz")
    typed(monkeypatch, "3\n-2\n")
    admission.main(["--model", path.name])
    output = capsys.readouterr()
    assert output.out.startswith("exam 1 (points): exam 2 (points): Sorry (") and "outside" not in output.err


def test_the_names_of_a_data_frames_columns_are_asked_for(
    bare: Saver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import joblib
    import pandas as pd
    from sklearn.preprocessing import MinMaxScaler

    path = bare(build())
    joblib.dump(MinMaxScaler().fit(pd.DataFrame({"maths": [0, 50], "physics": [10, 90]})), "my_scaler.joblib")
    typed(monkeypatch, "30\n80\n")
    admission.main(["--model", path.name])
    output = capsys.readouterr()
    assert output.out.startswith("maths (0 to 50): physics (10 to 90): ") and "my_scaler.joblib" in output.err
    with pytest.raises(WorkshopError, match=r"got 3 of 2 numbers: takes maths \(0 to 50\), physics"):
        admission.main(["--model", path.name, "1", "2", "3"])


def test_two_softmax_units_are_understood(bare: Saver, capsys: pytest.CaptureFixture[str]) -> None:
    path = bare(build(outputs=2, activation="softmax"))
    admission.main(["--model", path.name, "45", "85"])
    # The softmax of (0, x) is the sigmoid of x.
    assert percent_in(capsys.readouterr().out) == pytest.approx(100 * sigmoid(logit([45, 85])), abs=0.051)


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("engine", ["numpy", "all"])
def test_of_logits_the_probability_is_taken_and_said(
    outputs: int, engine: str, bare: Saver, capsys: pytest.CaptureFixture[str]
) -> None:
    path = bare(build(outputs=outputs, activation="linear"))
    admission.main(["--model", path.name, "--engine", engine, "45", "85"])
    output = capsys.readouterr()
    percents = [float(percent) for percent in re.findall(r"([\d.]+) %", output.out)]
    expected = 100 * sigmoid(logit([45, 85]))
    assert percents == pytest.approx([expected] * (4 if engine == "all" else 1), abs=0.051)
    function = "sigmoid" if outputs == 1 else "softmax"
    assert f"the last layer of my.h5 has no activation; the {function} of its outputs is taken" in output.err


def build_two_inputs() -> keras.Model:
    sides = [keras.layers.Input((1,)), keras.layers.Input((1,))]
    return keras.Model(sides, keras.layers.Dense(1)(keras.layers.Concatenate()(sides)))


def build_two_outputs() -> keras.Model:
    side = keras.layers.Input((2,))
    return keras.Model(side, [keras.layers.Dense(1)(side), keras.layers.Dense(1)(side)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: build(inputs=3), r"my.h5 takes inputs of shape \(3,\), this program gives \(2,\)"),
        (lambda: build(outputs=3), r"my.h5 has outputs of shape \(3,\), this program takes 1 or 2 outputs"),
        (lambda: build(activation="tanh"), r"my.h5 predicts -\S+, no probability: its last layer takes a sigmoid"),
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

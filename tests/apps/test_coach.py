"""The exercises in a terminal: listed, watched, hinted at, solved, begun anew, and the room's table."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.dialogues import dialogue

from workshop import __main__, exercises
from workshop.coach import answers
from workshop.exercises.kit import limits, progress
from workshop.kit import lazy
from workshop.kit.errors import WorkshopError

Ask = Callable[..., str]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs `python -m workshop ...` in this process; gives what it printed."""

    def run(*words: str) -> str:
        assert __main__.main(list(words)) == 0
        return capsys.readouterr().out

    return run


def answer(name: str, code: str) -> Path:
    """Writes a file with an answer, as a student would."""
    path = answers.prepare(exercises.find(name))
    path.write_text(code, "utf-8")
    return path


def test_the_list_says_what_is_done(ask: Ask) -> None:
    assert f"0 of {len(exercises.names())} done" in ask("exercises", "--student", "Ana")
    exercises.check("mnist.1", 39760)
    exercises.check("mnist.2", 1)
    lines = ask("exercises", "mnist").splitlines()[3:]  # after what the checks printed
    assert lines[0].endswith("Ana")
    assert [line.split("  ")[-1] for line in lines[2:4]] == ["done", "tried once"]
    assert lines[-1] == "The next is mnist.2: python -m workshop watch mnist"


def test_hint_solve_and_reset(ask: Ask, room: Path) -> None:
    assert ask("hint", "mnist.1").startswith("mnist.1, hint 1 of 3: How many numbers")
    assert ask("hint", "mnist.1").startswith("mnist.1, hint 2 of 3: ")
    assert ask("solve", "mnist.1").startswith("weights = 784 * 50")
    path = room / answers.answer_path(exercises.find("mnist.1"))
    assert "is as it was at first\n" in ask("reset", "mnist.1")
    begun = path.read_text("utf-8")
    assert begun.endswith("weights = ...\n") and "784 pixels" in begun
    for number in (1, 2):
        path.write_text(f"weights = {number}", "utf-8")
        assert f"yours is kept as exercises/mnist_1.old-{number}.py" in ask("reset", "mnist.1").replace(os.sep, "/")
        assert path.read_text("utf-8") == begun
        assert path.with_name(f"mnist_1.old-{number}.py").read_text("utf-8") == f"weights = {number}"
    kept = progress.read(room / progress.FILE_NAME).exercises["mnist.1"]
    assert (kept.hints, kept.solution_shown) == (2, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["hint", "mnist.99"], "there is no exercise mnist.99: mnist has mnist.1 to mnist."),
        (["solve", "minst.1"], "there is no exercise minst.1: did you mean mnist.1?"),
        (["reset", "x"], "there is no exercise x: python -m workshop exercises lists them"),
        (["watch", "x"], "there is no exercise x: python -m workshop exercises lists them"),
        (["exercises", "minst"], "got minst, takes a lesson: tensors, "),
        (["progress", "nowhere"], "got nowhere, takes a folder with the workshop-progress.json of each student"),
        (["progress", "."], "got ., in which no .json is a file of progress"),
    ],
)
def test_what_is_not_there_is_a_line(words: list[str], message: str) -> None:
    with pytest.raises(WorkshopError, match=re.escape(message)):
        __main__.main(words)


@pytest.mark.parametrize("words", [["hint"], ["watch", "mnist", "xor"], ["progress"], ["solve", "--all", "mnist.1"]])
def test_a_command_that_is_not_whole_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        __main__.main(words)
    assert end.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("command", ["exercises", "watch", "hint", "solve", "reset", "progress"])
def test_each_command_has_a_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        __main__.main([command, "--help"])
    assert end.value.code == 0
    assert f"usage: python -m workshop {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("code", "name", "message"),
    [
        ("weights = 784 * 50 + 50 + 50 * 10 + 10", "right", "Each of the 50 units"),
        ("weights = 784 * 50 + 50 * 10", "no_biases", "The biases are missing"),
        ("weights = (784 *", "error", "Python cannot read line 1 of exercises/mnist_1.py, 'weights = (784 *': "),
        (
            "import nothing_of_this_name",
            "error",
            "ModuleNotFoundError: No module named 'nothing_of_this_name', in line 1",
        ),
        ("\n\nweights = 1 / 0", "error", "ZeroDivisionError: division by zero, in line 3 of your code"),
        ("weight = 39760", "unanswered", "no longer defines weights: python -m workshop reset mnist.1"),
        ("raise SystemExit", "error", "exercises/mnist_1.py stopped: SystemExit, in line 1 of your code."),
        ("import os; os._exit(3)", "error", "Python ended while it ran exercises/mnist_1.py."),
        ("weights = '\0'", "error", "source code"),
    ],
)
def test_a_file_is_run_and_checked(code: str, name: str, message: str) -> None:
    with answers.Checker(exercises.find("mnist.1"), answer("mnist.1", code)) as checker:
        outcome = checker.examine()
    assert outcome.name == name
    assert message in outcome.message.replace(os.sep, "/")


def test_a_file_without_an_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "START_SECONDS", 2)
    monkeypatch.setattr(limits, "SECONDS", 0.5)
    path = answer("mnist.1", "while True:\n    pass\n")
    with answers.Checker(exercises.find("mnist.1"), path) as checker:
        assert checker.examine().name == "endless"


def test_what_an_exercise_imports_is_imported_before_its_file_is_saved(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    happened: list[str] = []

    def wait() -> str:
        happened.append("asked")
        return "go\n"

    monkeypatch.setattr(lazy, "load", happened.append)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(readline=wait))
    path, told = answer("mnist.4", "import keras\ncnn_9098 = 1\n"), tmp_path / "told.json"
    answers._main("mnist.4", str(path), str(told))
    assert happened[:2] == ["keras", "asked"]
    assert json.loads(told.read_text())[0]
    # `watch` has ended, and nobody asks: nothing is run.
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(readline=str))
    told.unlink()
    answers._main("mnist.4", str(path), str(told))
    assert not told.exists()


def test_watch_checks_each_time_that_the_file_is_saved(room: Path) -> None:
    with dialogue(room, "workshop", "watch", "mnist") as child:
        child.expect_exact("mnist.1: Count the weights of 784-50-10   (0 of 4 done)")
        child.expect_exact("Write your answer in exercises/mnist_1.py and save it")
        child.expect_exact("q: quit")
        child.send("h")
        child.expect_exact("mnist.1, hint 1 of 3: ")
        path = room / "exercises" / "mnist_1.py"
        path.write_text("weights = 784 * 50 + 50 * 10\n", "utf-8")
        child.expect_exact("mnist.1: not yet. The biases are missing")
        path.write_text("weights = 784 * 50 + 50 + 50 * 10 + 10\n", "utf-8")
        child.expect_exact("mnist.1: right. Each of the 50 units")
        child.expect_exact("mnist.2: Accuracy by hand   (1 of 4 done)")
        child.expect_exact("q: quit")
        child.send("n")
        child.expect_exact("mnist.3: Cross-entropy by hand   (1 of 4 done)")
        child.expect_exact("q: quit")
        child.send("s")
        child.expect_exact("of_true_class = ")
        child.send("q")
        child.expect_exact("python -m workshop watch goes on from here.")
        child.expect(sys.modules["pexpect"].EOF)
    assert progress.read(room / progress.FILE_NAME).is_solved("mnist.1")


def test_watch_is_stopped_by_ctrl_c_and_goes_on_later(room: Path) -> None:
    answer("mnist.1", "weights = 784 * 50 + 50 + 50 * 10 + 10\n")
    with dialogue(room, "workshop", "watch", "mnist.1") as child:
        child.expect_exact("mnist.1: right.")  # what was written while nobody watched
        child.expect_exact("All done.")
        child.expect(sys.modules["pexpect"].EOF)
    with dialogue(room, "workshop", "watch") as child:
        child.expect_exact("q: quit")
        child.sendintr()
        child.expect_exact("stopped")
        child.expect(sys.modules["pexpect"].EOF)
        child.wait()
        assert child.exitstatus == 130 and "Traceback" not in child.before


def test_watch_takes_its_keys_from_a_pipe_too(room: Path) -> None:
    command = [sys.executable, "-m", "workshop", "watch", "mnist"]
    done = subprocess.run(command, cwd=room, input="h\nn\nq\n", capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "mnist.1, hint 1 of 3" in done.stdout and "mnist.2: Accuracy by hand" in done.stdout


def keep(folder: Path, student: str, entries: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    content = {"format": 1, "student": student, "exercises": entries}
    (folder / progress.FILE_NAME).write_text(json.dumps(content), "utf-8")


def test_the_rooms_table(ask: Ask, room: Path) -> None:
    wrong = {"tries": 3, "hints": 1, "outcomes": {"no_biases": 2, "error": 1}}
    keep(room / "all" / "a", "ana", {"mnist.1": wrong, "mnist.2": {"tries": 1, "solved": "2026-11-26 10:04"}})
    right = {"tries": 2, "solved": "2026-11-26 10:20", "outcomes": {"no_biases": 1, "right": 1}, "solution_shown": True}
    keep(room / "all" / "b", "Bo\x1b[31m\nX", {"mnist.1": right, "gone.7": {}})
    (room / "all" / "other.json").write_text("{}", "utf-8")
    said = ask("progress", "all")
    total = len(exercises.names())
    lines = [re.split(r"\s{2,}", line.strip()) for line in said.splitlines()]
    assert ["ana", f"1 of {total}", "4", "1", "0", "2026-11-26 10:04"] in [line[:6] for line in lines]
    assert ["Bo?[31m X", f"1 of {total}", "2", "0", "1", "2026-11-26 10:20"] in [line[:6] for line in lines]
    assert ["mnist.1", "1 of 2", "5", "1", "no_biases 3, error 1"] in lines
    assert "gone.7" not in said
    assert re.search(r"left out: got all.other\.json, which is no file of progress", said)


def test_the_exercises_start_quickly(room: Path) -> None:
    code = "import sys; import workshop.coach.commands; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"keras", "tensorflow", "torch", "matplotlib", "sklearn", "pandas"} & set(loaded)

"""`python -m workshop`: the list of lessons, mistyped commands, and the doctor."""

import argparse
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.dialogues import Screen

from workshop import LESSONS, __main__, __version__, rnn, xor
from workshop.doctor import findings, machine, results
from workshop.doctor import lessons as doctor_lessons
from workshop.doctor import run as doctor
from workshop.kit import bands, files, image_classifier
from workshop.kit.report import Report
from workshop.kit.saving import bundle
from workshop.kit.saving.loaded import Bundle

HEAVY = {"numpy", "keras", "tensorflow", "torch", "sklearn", "matplotlib", "PIL", "joblib", "h5py"}
Ask = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs some of the doctor's checks in this process; gives the exit code and the lines."""

    def run(*titles: str) -> tuple[int, list[str]]:
        code = doctor.main((one for title in titles or doctor.CHECKS for one in doctor.check(title)), ran=())
        return code, capsys.readouterr().out.splitlines()

    return run


def only_fix(lines: list[str]) -> str:
    """Returns the one line with something to fix."""
    (line,) = [line for line in lines if line.startswith("FIX")]
    assert lines[-1] == "1 thing to fix"
    return line


# --- The list ---------------------------------------------------------------------------------------------------------


def test_the_list_names_every_lesson_in_teaching_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = [line for line in lines if any(line.startswith(f"{lesson.name} ") for lesson in LESSONS)]
    assert len(found) == len(LESSONS)
    for line, lesson in zip(found, LESSONS, strict=True):
        assert line.split()[:3] == [lesson.name, str(lesson.seconds), "s"]
        assert line.endswith(lesson.title)
    assert any(f"python -m workshop.{LESSONS[0].name}" in line for line in lines)
    assert any("python -m workshop doctor" in line for line in lines)
    assert max(map(len, lines)) <= 110


def test_each_command_below_the_list_is_one_that_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = [line.partition(" python -m ")[::2] for line in lines if " python -m " in line]
    assert [title.strip() for title, _ in told] == [
        "Start one",
        "In PyTorch",
        "In NumPy alone",
        "Exercises",
        "Check this machine",
    ]
    for title, command in told:
        module, _, name = command.partition(" ")
        assert importlib.util.find_spec(module), title
        assert not name or name in __main__.COMMANDS, title
    # One lesson in all three engines: who compares them sees the same.
    assert told[1][1].rpartition(".")[2] == told[2][1].rpartition(".")[2]


def test_nothing_heavy_is_imported_for_the_list_nor_by_the_doctor_itself() -> None:
    code = (
        "import runpy, sys\n"
        "sys.argv[1:] = []\n"
        "try:\n    runpy.run_module('workshop', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "import workshop.doctor.run\n"
        "print('imported', *sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert LESSONS[-1].title in run.stdout
    imported = run.stdout.splitlines()[-1].split()
    assert "workshop.doctor.run" in imported
    assert not HEAVY & {name.partition(".")[0] for name in imported}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["docter"], "did you mean python -m workshop doctor?"),
        (["minst", "--quick"], "did you mean python -m workshop.mnist?"),
        (["workshop.xor"], "did you mean python -m workshop.xor?"),
        (["linear-regression.py"], "did you mean python -m workshop.linear_regression?"),
        (["quantum"], None),
        (["doctor", "--fast"], None),
        (["doctor", "mnist", "minst"], None),
        (["--fast"], None),
    ],
)
def test_what_is_no_command_is_refused_in_one_line(
    typed: list[str], meant: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        __main__.main(typed)
    assert end.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("error: got ")
    assert typed[-1 if typed[0] == "doctor" else 0] in line
    assert (meant or "takes doctor") in line
    assert ("did you mean" in line) == (meant is not None)


@pytest.mark.parametrize(
    ("option", "text"), [("--version", f"workshop {__version__}"), ("--help", "usage: python -m workshop [-h]")]
)
def test_help_and_version(option: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        __main__.main([option])
    assert end.value.code == 0
    assert text in capsys.readouterr().out


@pytest.mark.parametrize(("code", "raises"), [(0, False), (1, True)])
def test_the_doctors_answer_is_the_exit_code(code: int, raises: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "main", lambda **_: code)
    monkeypatch.setattr(sys, "argv", ["workshop", "doctor"])
    if raises:
        with pytest.raises(SystemExit) as end:
            __main__.start()
        assert end.value.code == code
    else:
        __main__.start()


@pytest.mark.parametrize(
    ("typed", "ran"),
    [
        (["doctor"], None),
        (["doctor", "mnist", "xor"], ["mnist", "xor"]),
        (["doctor", "all"], [lesson.name for lesson in LESSONS]),
    ],
)
def test_which_lessons_the_doctor_runs(
    typed: list[str], ran: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, list[str]] = {}

    def main(**options: list[str]) -> int:
        asked.update(options)
        return 0

    monkeypatch.setattr(doctor, "main", main)
    assert __main__.main(typed) == 0
    assert asked == ({} if ran is None else {"ran": ran})


# --- The doctor -------------------------------------------------------------------------------------------------------


def test_a_sound_machine_is_ready(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    # How busy the machine is that runs the tests is not what is tested.
    monkeypatch.setattr(machine, "memory", lambda: (16e9, 8e9))
    code, lines = ask()
    assert [line for line in lines if line.startswith("FIX")] == []
    assert (code, lines[-1]) == (0, "OK: ready for the room")
    said = "\n".join(lines)
    for package in ("tensorflow", "keras", "numpy", "scikit-learn", "joblib", "matplotlib", "h5py", "pillow", "torch"):
        assert f" {package} {metadata.version(package)}" in said
    for part in (f"OK   Python {platform.python_version()}", "OK   Memory", "OK   Disk", "CPU cores", "OK   Training"):
        assert part in said
    for name in (*doctor_lessons.TABLES, *doctor_lessons.MODELS):
        assert name in said
    # The tests run without the image sets: what a lesson would do is said.
    assert "NOTE mnist is not in Keras' cache" in said
    assert "digits" in said


def test_every_table_that_ships_is_looked_at() -> None:
    assert {path.stem for path in files.shipped("datasets").glob("*.csv")} == set(doctor_lessons.TABLES)


def pretend_version(monkeypatch: pytest.MonkeyPatch, package: str, version: str | None) -> None:
    real = metadata.version

    def pretend(name: str) -> str:
        if name != package:
            return real(name)
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(metadata, "version", pretend)


def test_an_old_package_is_to_fix_with_the_tested_version(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = files.shipped("constraints.txt").read_text("utf-8").splitlines()
    (tested,) = [line for line in lines if line.startswith("keras==")]
    pretend_version(monkeypatch, "keras", "3.5.0")
    code, found = ask("Packages")
    assert code == 1
    assert "keras 3.5.0 lies outside the tried range, " in only_fix(found)
    assert f'python -m pip install "{tested}"' in only_fix(found)


def test_a_missing_torch_is_only_noted(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_version(monkeypatch, "torch", None)
    code, lines = ask("Packages")
    assert code == 0
    assert any(line.startswith("NOTE torch is not installed") for line in lines)


@pytest.mark.parametrize(("version", "level"), [("99.1", "NOTE"), ("2.13.0+cpu", "OK"), ("2.13.0", "OK")])
def test_only_a_newer_package_is_noted(version: str, level: str, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_version(monkeypatch, "torch", version)
    code, lines = ask("Packages")
    assert code == 0
    assert any(line.startswith(f"{level:4} torch {version}") for line in lines)


@pytest.mark.parametrize(
    ("found", "expected"),
    [((16e9, 1.5e9), 1), ((1.9e9, None), 1), ((16e9, 2.5e9), 0), ((16e9, None), 0)],
)
def test_little_memory_is_to_fix(
    found: tuple[float, float | None], expected: int, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory", lambda: found)
    code, lines = ask("Memory")
    assert code == expected
    assert f"{found[0] / 1e9:.1f} GB" in lines[0]
    if expected:
        assert "close other programs" in only_fix(lines)


def test_this_machines_memory_is_plausible() -> None:
    total, free = machine.memory()
    assert 0.5e9 < total < 1e14
    assert free is None or 0 < free <= total


def few_bytes_free(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=10**6))


def damage_data(patch: pytest.MonkeyPatch, folder: Path) -> None:
    np.savez(folder / "mnist.npz", x_train=np.zeros(3, np.uint8))
    patch.setenv("WORKSHOP_DATA", str(folder))


def remove_table(patch: pytest.MonkeyPatch, folder: Path) -> None:
    shutil.copytree(files.shipped("datasets"), folder / "datasets")
    (folder / "datasets" / "houses.csv").unlink()
    patch.setattr(files, "shipped", lambda name: folder / name)


def predict_otherwise(patch: pytest.MonkeyPatch, folder: Path) -> None:
    predict = Bundle.predict
    patch.setattr(Bundle, "predict", lambda self, X: predict(self, X) + 1e-3)


FAULTS: dict[str, tuple[str, Callable[[pytest.MonkeyPatch, Path], object], str, str]] = {
    "old Python": (
        "Python",
        lambda patch, folder: patch.setattr(platform, "python_version", lambda: "3.9.7"),
        "Python 3.9.7 lies outside the tried range, 3.11 to ",
        "",
    ),
    "no h5py": ("Packages", lambda patch, folder: pretend_version(patch, "h5py", None), "h5py is not installed", ""),
    "hidden library": (
        "Packages",
        lambda patch, folder: Path("sklearn.py").write_text(""),
        "sklearn.py in this folder hides the library",
        "OK   scikit-learn",
    ),
    "full disk": ("Disk", few_bytes_free, "free some space", ""),
    "no folder for models": (
        "Disk",
        lambda patch, folder: Path("models").write_text("a file where the folder should be"),
        "nothing can be written to .*--models DIR",
        "",
    ),
    "no shared folder": (
        "Data",
        lambda patch, folder: patch.setenv("WORKSHOP_DATA", str(folder / "elsewhere")),
        "elsewhere is not a folder",
        "NOTE fashion_mnist",
    ),
    "damaged data": ("Data", damage_data, "mnist.npz", ""),
    "missing table": ("Data", remove_table, "Table houses is missing", "OK   Tables: .*admission"),
    "other predictions": ("Training", predict_otherwise, "predictions differ by 0.001", ""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_to_fix_and_named(fault: str, ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    title, cause, message, beside = FAULTS[fault]
    cause(monkeypatch, tmp_path)
    code, lines = ask(title)
    assert code == 1
    assert re.search(message, only_fix(lines))
    assert any(re.match(beside, line) for line in lines)


@pytest.mark.real
def test_real_data_is_found_and_compared(ask: Ask) -> None:
    code, lines = ask("Data")
    assert code == 0
    place = os.environ["WORKSHOP_DATA"]
    assert [line.partition(" in ")[0] for line in lines if place in line] == ["OK   MNIST", "OK   Fashion-MNIST"]


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that ships the two small models `first` and `second`."""
    import keras

    folder = tmp_path / "models"
    for name in ("first", "second"):
        model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
        bundle.save(folder, name, model, lesson="xor", data="", seed=1, inputs=[], metrics={})
    monkeypatch.setattr(doctor_lessons, "MODELS", ("first", "second"))
    monkeypatch.setattr(files, "shipped", lambda name: tmp_path / name)
    yield folder


def test_shipped_models_are_loaded(ask: Ask, models: Path) -> None:
    assert ask("Models") == (0, ["OK   Models: first, second", "OK: ready for the room"])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "should have come with the package: first"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"), "Model first: .*SHA-256"),
        (lambda path: path.with_suffix(".json").unlink(), "Model first came without its card"),
    ],
)
def test_a_damaged_model_is_to_fix(ask: Ask, models: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(models / "first.h5")
    code, lines = ask("Models")
    assert code == 1
    assert re.search(message, only_fix(lines))
    assert "OK   Models: second" in lines


def test_a_check_that_raises_does_not_take_down_the_rest(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> tuple[float, float]:
        raise ImportError("DLL load failed\nwhile importing")

    monkeypatch.setattr(machine, "memory", broken)
    code, lines = ask("Python", "Memory", "Disk")
    assert code == 1
    assert [line.split()[:2] for line in lines[:3]] == [["OK", "Python"], ["FIX", "Memory:"], ["OK", "Disk:"]]
    assert "ImportError DLL load failed while importing" in only_fix(lines)


@pytest.mark.slow
def test_the_checks_of_the_child_process_come_back() -> None:
    # The machine may be busy: here the answer counts, not the time.
    findings = list(doctor.supervise(seconds=200))
    assert [finding.text for finding in findings if "no answer" in finding.text or "ended" in finding.text] == []
    starts = " ".join(finding.text for finding in findings)
    for start in ("Python", "tensorflow", "Memory", "Disk", "Tables", "Keras", "Models", "Training"):
        assert start in starts


@pytest.mark.parametrize(
    ("keras", "said"),
    [
        ("import time; time.sleep(600)", "no result in time"),
        pytest.param("import os; os.abort()", "a library ended the process", marks=pytest.mark.slow),
    ],
)
def test_a_library_that_hangs_or_crashes_does_not_take_down_the_rest(
    keras: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not in the current folder, where the file would be named and not imported.
    Path("before").mkdir()
    Path("before", "keras.py").write_text(keras)
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(Path("before").absolute()), os.environ.get("PYTHONPATH", "")])
    )
    # A busy machine gets all the time it needs, unless waiting is what is tested.
    patient = {title: check._replace(seconds=60) for title, check in doctor.CHECKS.items() if title != "Models"}
    if "sleep" in keras:
        patient |= {title: doctor.CHECKS[title]._replace(seconds=1) for title in ("Devices", "Training")}
    monkeypatch.setattr(doctor, "CHECKS", patient)
    findings = list(doctor.supervise(seconds=200))
    assert sum(said in finding.text for finding in findings) == 2
    others = [finding for finding in findings if said not in finding.text]
    assert {finding.level for finding in others if "Memory" not in finding.text} <= {"OK", "NOTE"}
    assert any(finding.text.startswith("Tables") for finding in others)


def test_the_doctor_ends_when_its_time_is_over() -> None:
    findings = list(doctor.supervise(seconds=0))
    assert [finding.level for finding in findings] == ["FIX", "FIX"]
    assert findings[0].text.startswith("Python: no result in time")
    assert findings[1].text.startswith("Packages, Memory, Disk, Data, Devices, Models, Training: not checked")


def test_lessons_are_run_where_nothing_is_to_be_fixed_before(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = findings.fix("Disk: full", "delete files")
    assert doctor.main([broken], ran=["gradient_descent"]) == 1
    assert "gradient_descent" not in capsys.readouterr().out
    monkeypatch.setenv("WORKSHOP_DATA", "data")  # a path that only this folder knows
    assert doctor.main([findings.Finding("OK", "Python")], ran=["gradient_descent"]) == 0
    *_, running, found, last = capsys.readouterr().out.splitlines()
    assert running == "...  running gradient_descent" and last == "OK: ready for the room"
    assert re.fullmatch(r"OK   gradient_descent: as expected, 12 metrics within their bands \(\d+\.\d s\)", found)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("accuracy", "data", "level", "said"),
    [
        (0.972, "tumours", "OK", "logistic_regression: as expected, 2 metrics within their bands"),
        (0.5, "tumours", "FIX", "logistic_regression: not as expected: test_accuracy is 0.5, expected at least 0.96: "),
        (
            0.999,
            "tumours",
            "NOTE",
            "logistic_regression: unusual, though: test_accuracy is 0.999, expected 0.965 to 0.975",
        ),
        (0.5, "a stand-in", "NOTE", "logistic_regression: no expected band: the data is a stand-in"),
    ],
)
def test_numbers_that_fall_outside_are_named(
    accuracy: float,
    data: str,
    level: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    measured = {"test_accuracy": (0.965, 0.975), "train_accuracy": (0.9, 1.0)}
    monkeypatch.setattr(bands, "expected", lambda *_: measured)
    options = argparse.Namespace(json=False, seed=1, quick=False, are_defaults=True)
    report = Report("logistic_regression", options)
    report.data(data, is_standin=data == "a stand-in")
    report.result({"test_accuracy": accuracy, "train_accuracy": 0.95})
    report.finish()
    run = subprocess.CompletedProcess([], 0, capsys.readouterr().out, "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: run)
    (finding,) = results.check_results(["logistic_regression"])
    assert finding.level == level and finding.text.startswith(said)


def test_a_lesson_that_fails_or_takes_too_long_is_named() -> None:
    (finding,) = results.check_results(["no_such_lesson"])
    assert finding.level == "FIX" and "No module named workshop.no_such_lesson" in finding.text
    (finding,) = results.check_results(["gradient_descent"], seconds=0.01)
    assert finding == findings.Finding("NOTE", "gradient_descent: no result in 0.01 s, this machine is slow or busy")


def test_each_finding_of_the_doctor_is_seen_before_the_next_check_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, seen = Screen(), []

    def check(*titles: str) -> Iterator[findings.Finding]:
        for title in titles:
            yield findings.Finding("OK", title)
            seen.append(screen.seen().splitlines()[-1])

    def run(names: list[str]) -> Iterator[findings.Finding]:
        seen.append(screen.seen().splitlines()[-1])
        yield from check(*names)

    monkeypatch.setattr(results, "check_results", run)
    monkeypatch.setattr(sys, "stdout", screen)
    assert doctor.main(check("Python", "Memory"), ran=["xor"]) == 0
    assert seen == ["OK   Python", "OK   Memory", "...  running xor", "OK   xor"]


# --- The README -------------------------------------------------------------------------------------------------------


def test_the_readme_has_a_row_for_every_lesson_and_every_mirror() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    lessons, engines = (
        text.split(f"<!-- {name} -->")[1].split(f"<!-- end of {name} -->")[0] for name in ("lessons", "engines")
    )
    for lesson in LESSONS:
        assert lessons.count(f"\n| `{lesson.name}` | ") == 1, lesson.name
        assert engines.count(f"\n| `{lesson.name}` | ") == bool(lesson.mirrors and lesson.trains), lesson.name


@pytest.mark.parametrize("page", ["README.md", "notebooks/README.md"])
def test_what_a_page_tells_to_install_is_there(page: str) -> None:
    root = Path(__file__).parents[2]
    extras = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    text = (root / page).read_text("utf-8")
    named = {extra for found in re.findall(r'-e\s+"\.\[([\w,]+)\]"', text) for extra in found.split(",")}
    assert "notebooks" in named, "how the notebooks are opened without Colab"
    assert named <= set(extras)


def test_the_readme_says_what_changed_with_commands_that_are_taken(room: Path) -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    changed = text.split("\n### What changed for those who compare with a course\n")[1].split("\n#")[0]
    commands = re.findall(r"`python -m workshop\.(\w+)([^`]*)`", changed)
    for name, options in commands:
        importlib.import_module(f"workshop.{name}").parse(None, ["--no-plots", *options.split()])
    presets: dict[str, Iterable[str | None]] = {
        "mnist": image_classifier.PRESETS,
        "rnn": rnn.PRESETS,
        "xor": xor.PRESETS,
        "cats_vs_dogs": ["workshop"],
    }
    named = {(name, options.split()[1]) for name, options in commands if options.startswith(" --preset ")}
    assert named == {(name, preset) for name, those in presets.items() for preset in those if preset}
    for program in re.findall(r"`python -m (apps\.\w+)", changed):
        assert importlib.util.find_spec(program), program

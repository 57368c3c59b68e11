"""The command line: what is refused before anything heavy is imported, what a run says at its end, how it ends."""

import argparse
import importlib
import importlib.util
import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from helpers.options import COMMANDS, NAMES, PROGRAMS, options_of, parser_of, recorded

from workshop import LESSONS, Lesson, at_least
from workshop.kit import cli, files, lazy
from workshop.kit import report as reporting
from workshop.kit.errors import WorkshopError
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.network import Network

HEAVY = {"keras", "tensorflow", "torch", "jax", "sklearn", "matplotlib", "PIL", "joblib", "h5py"}
THAT_TRAIN = [lesson.name for lesson in LESSONS if lesson.trains]
ACTING = {lesson.name for lesson in LESSONS if lesson.acts}
EXISTING = [lesson.name for lesson in LESSONS if importlib.util.find_spec(f"workshop.{lesson.name}")]


def python(code: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a program in a process of its own."""
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, **options)


def one_line(err: str) -> str:
    assert err.startswith("error: ") and err.count("\n") == 1 and err.endswith("\n"), err
    return err


# --- Options ----------------------------------------------------------------------------------------------------------

REFUSED = {
    "--epochs": ["-1", "0", "2.5", "many", "", "1e3", "99999999999", "nan", "9" * 5000],
    "--batch-size": ["0", "-8", "all", "4294967296"],
    "--learning-rate": ["0", "-0.1", "fast", "nan", "inf", "1e999", ""],
    "--optimizer": ["magic", "", "Adam", "adam sgd"],
    "--seed": ["-1", "one", "1.0", "4294967296"],
}

# Each lesson is asked in one process, one option after another; nothing heavy may be there at the end.
ASK = f"""
import contextlib, importlib, io, json, sys
from workshop.kit import cli
from workshop.kit import report as reporting
lesson = importlib.import_module(sys.argv[1])
answers = []
for options in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    code = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.run(lambda: lesson.main(options))
        except SystemExit as end:
            code = end.code
    answers.append([code, out.getvalue(), err.getvalue()])
print(json.dumps([answers, sorted({HEAVY!r} & set(sys.modules))]))
"""


@pytest.mark.parametrize("lesson", EXISTING)
def test_wrong_options_are_refused_before_anything_heavy_is_imported(lesson: str, room: Path) -> None:
    Path("file").write_bytes(b"kept")
    wrong = [[option, value] for option, values in REFUSED.items() for value in values]
    wrong += [[option] for option in REFUSED]
    wrong += [["--nonsense"], ["extra"], ["--models", "file"], ["--models", "file/below"], ["--plots", "file"]]
    wrong += [["--models", "a" * 300], ["--epochs", "1\n2"], ["--learning-rate=-inf"]]
    done = python(ASK, f"workshop.{lesson}", input=json.dumps(wrong))
    assert done.returncode == 0, done.stderr
    answers, heavy = json.loads(done.stdout)
    assert heavy == []
    for options, (code, out, err) in zip(wrong, answers, strict=True):
        assert code == 2 and out == "", options
        line = one_line(err)
        option, _, value = "=".join(options).partition("=")
        assert len(line) < 600 and option in line, line
        assert " ".join(value.split())[:40] in line, line
    assert Path("file").read_bytes() == b"kept"
    assert not list(Path().rglob("*.h5"))


def test_a_refusal_ends_the_process_with_2() -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"workshop.{THAT_TRAIN[0]}", "--epochs", "-3"], capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stdout == ""
    assert "--epochs: got -3, takes a whole number from 1 up" in one_line(done.stderr)


def test_values_that_are_taken() -> None:
    parse = cli.whole_number(1)
    assert [parse(text) for text in ("1", "12", " 7 ", "2147483647")] == [1, 12, 7, 2**31 - 1]
    assert cli.whole_number(0)("0") == 0
    assert [cli.positive_number(text) for text in ("1e-3", ".5", "3")] == [0.001, 0.5, 3]
    arguments = cli.lesson_parser("Text.", epochs="", batch_size="", learning_rate="", optimizer="").parse_args([])
    assert arguments.epochs is arguments.batch_size is arguments.learning_rate is arguments.optimizer is None
    assert arguments.seed == 1 and arguments.models == Path("models") and arguments.plots == Path("plots")
    assert not (arguments.quick or arguments.no_plots or arguments.resume or arguments.json)


def test_folders_are_made_and_checked() -> None:
    parser = cli.lesson_parser("Text.", epochs="", batch_size="", learning_rate="", optimizer="")
    cli.parse_lesson(parser, ["--models", "a/b", "--plots", "c"])
    assert Path("a/b").is_dir() and Path("c").is_dir()
    assert not list(Path("a/b").iterdir())
    cli.parse_lesson(parser, ["--models", "a", "--no-plots", "--plots", "unused"])
    assert not Path("unused").exists()
    Path("file").touch()
    cli.parse_lesson(parser, ["--models", "a", "--no-plots", "--plots", "file"])
    with pytest.raises(WorkshopError, match=r"--plots file: nothing can be written there \(File exists\)"):
        files.check_writable(Path("file"), "--plots")


def test_a_read_only_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("models").mkdir()

    def refuse(self: Path, content: bytes) -> None:
        raise PermissionError(13, "Permission denied")  # whom root is, a folder's mode does not stop

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(WorkshopError, match=r"--models models: .*\(Permission denied\): choose another folder"):
        files.check_writable(Path("models"), "--models")


# --- Help -------------------------------------------------------------------------------------------------------------

HELP = f"""
import importlib, sys
lesson = importlib.import_module(sys.argv[1])
try:
    lesson.main(["--help"])
finally:
    print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("lesson", EXISTING)
def test_help_imports_nothing_heavy_and_is_the_lessons_own_text(lesson: str) -> None:
    done = python(HELP, f"workshop.{lesson}", env=os.environ | {"COLUMNS": "100"})
    assert done.returncode == 0
    assert done.stderr == "[]\n"
    usage, text = done.stdout.split("\n\n", 1)
    assert usage.startswith("usage:")
    docstring = importlib.import_module(f"workshop.{lesson}").__doc__
    assert docstring and text.startswith(docstring.strip())
    options = text[len(docstring.strip()) :]
    for option in ("--seed", "--quick", "--plots", "--no-plots", "--json"):
        assert f"  {option} " in options, option
    for option in (*REFUSED, "--models", "--resume", *(() if lesson in ACTING else ("--data",))):
        assert f"  {option} " in options or lesson not in THAT_TRAIN, option
    for option in ("--epochs", "--batch-size"):  # `--resume` a lesson may have that trains and saves no model
        assert f"  {option} " not in options or lesson in THAT_TRAIN, option
    assert not unexplained(options)
    assert f"python -m workshop.{lesson}" in docstring


def unexplained(options: str) -> list[str]:
    """Returns the lines of `--help` that name an option and do not say, there or in the next line, what it does."""
    lines = [*options.splitlines(), ""]
    return [
        line
        for line, following in itertools.pairwise(lines)
        if re.match("  -", line) and not re.search(r"\S {2,}\S", line) and not following.startswith(" " * 24)
    ]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_says_what_each_option_does(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"apps.{program}").main(["--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert re.search("^  -", text, re.MULTILINE)
    assert not unexplained(text)


WITH_DEFAULTS = [f"workshop.{name}" for name in (*EXISTING, "draw.run", "programs.digit_training")]


PROGRAM_MODULES = [f"apps.{program}" for program in PROGRAMS]


@pytest.mark.parametrize("name", [*WITH_DEFAULTS, *PROGRAM_MODULES])
def test_the_defaults_that_help_names_are_those_that_are_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for action in parser_of(name, monkeypatch)._actions:
        stated = re.search(r"\(default: ('[^']*'|[^,;)]+)", action.help or "")
        # argparse knows no default of a lesson's part, and none that is a model's name.
        is_known = action.default is not None or (name.startswith("apps.") and stated and stated[1][0].isdigit())
        if stated and is_known and "%" not in stated[1]:
            default = action.default
            several = " ".join(f"{one:g}" for one in default) if isinstance(default, (list, tuple)) else ""
            assert stated[1] in (str(default), repr(default), several), action.option_strings


MIRRORS = [
    f"workshop.{package}.{lesson.name}"
    for lesson in LESSONS
    for engine, package in (("torch", "pytorch"), ("numpy", "scratch"))
    if engine in lesson.mirrors
]


@pytest.mark.parametrize("name", [*(f"workshop.{one}" for one in EXISTING), *MIRRORS, *PROGRAM_MODULES, *COMMANDS])
def test_help_explains_all_that_may_be_typed_behind_a_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parser = parser_of(name, monkeypatch)
    assert parser.description
    assert parser.formatter_class is argparse.RawDescriptionHelpFormatter  # its lines stay as they are
    assert [action.dest for action in parser._actions if not action.help] == []
    # A number is N, a file FILE: not the option's own name once more, in capitals.
    takes_a_word = (action for action in parser._actions if action.nargs != 0 and action.choices is None)
    assert [action.dest for action in takes_a_word if not action.metavar] == []


@pytest.mark.parametrize("name", NAMES)
def test_each_option_takes_what_was_recorded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sorted(options_of(parser_of(name, monkeypatch))) == recorded(name), "python tests/helpers/options.py?"


# --- The report -------------------------------------------------------------------------------------------------------


def report(**changes: Any) -> reporting.Report:
    arguments = {"json": False, "seed": 3, "resume": False, "models": Path("models"), "quick": False}
    return reporting.Report("xor", argparse.Namespace(**arguments | changes))


@pytest.fixture
def bands(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[float, float]]:
    """The expected bands of the lesson, for a test to fill."""
    expected: dict[str, tuple[float, float]] = {}
    monkeypatch.setattr(reporting, "LESSONS", [Lesson("xor", "", 1, expected=expected)])
    return expected


def test_what_a_run_says_at_its_end(bands: dict[str, tuple[float, float]], capsys: pytest.CaptureFixture[str]) -> None:
    bands["test_accuracy"] = at_least(0.975)
    said = report()
    said.data("MNIST", "shared/mnist")
    said.data("digits (stand-in for mnist)")
    said.section("dense: 7 weights")
    said.result({"train_accuracy": 0.98765, "test_accuracy": 1})
    said.saved(Path("models/xor.h5"), Path("plots/xor.png"))
    said.saved(Path("models/xor.h5"), Path("models/xor.json"))
    assert said.finish(use="python -m apps.xor") == {"train_accuracy": 0.98765, "test_accuracy": 1.0}
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Data      MNIST, shared/mnist", "Data      digits (stand-in for mnist)"]
    assert lines[2:5] == ["", "dense: 7 weights", "----------------"]
    assert lines[-6:-2] == [
        "test_accuracy   1          expected at least 0.975",
        "As expected for this lesson.",
        "Model     models/xor.h5, models/xor.json",
        "Plots     plots/xor.png",
    ]
    assert "train_accuracy  0.9877" in lines
    assert lines[-2].startswith("Time      0.0 s") and lines[-1] == "Use it    python -m apps.xor"


@pytest.mark.parametrize(
    ("value", "band", "said"),
    [
        (0.97, (0.975, math.inf), "Not as expected: m is 0.97, expected at least 0.975."),
        (0.98, (0.975, math.inf), "As expected for this lesson."),
        (0.7, (0.8, 0.9), "Not as expected: m is 0.7, expected 0.8 to 0.9."),
        (8, (-math.inf, 6), "Not as expected: m is 8, expected at most 6."),
        (math.nan, (0.5, 1), "Not as expected: m is nan, expected 0.5 to 1."),
    ],
)
def test_the_expected_band(
    value: float,
    band: tuple[float, float],
    said: str,
    bands: dict[str, tuple[float, float]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    bands |= {"m": band, "not_measured": (0, 1)}
    one = report()
    one.result({"m": value})
    one.finish()
    assert said in capsys.readouterr().out.splitlines()
    one = report()
    one.result({"m": value})
    one.finish(not_comparable="the table is your own")
    out = capsys.readouterr().out
    assert "No expected band: the table is your own." in out and " expected " not in out.replace("No expected", "")
    one = report()
    one.finish()
    assert "xpected" not in capsys.readouterr().out  # nothing was held against anything


def test_a_model_trained_alone_has_the_band_of_its_kind(
    bands: dict[str, tuple[float, float]], capsys: pytest.CaptureFixture[str]
) -> None:
    bands["cnn_test_accuracy"] = at_least(0.99)
    for model in ("", "cnn"):
        one = report()
        one.result({"test_accuracy": 0.5}, model=model, band="cnn")
        name = "cnn_test_accuracy" if model else "test_accuracy"
        assert one.finish() == {name: 0.5}
        assert f"Not as expected: {name} is 0.5, expected at least 0.99." in capsys.readouterr().out


def test_a_stand_in_is_held_against_nothing_and_saved_beside_the_real_model(
    bands: dict[str, tuple[float, float]], room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bands["test_accuracy"] = at_least(0.99)
    one = report()
    one.data("digits", is_standin=True)
    one.result({"test_accuracy": 0.5})
    one.save("xor", Network([Dense(1)], (2,)), inputs=[], metrics={})
    assert one.last_model == Path("models/xor-standin.h5")
    one.finish()
    assert "No expected band: the data is a stand-in." in capsys.readouterr().out


def test_the_json_object_is_alone_on_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    said = report(json=True)
    said.data("digits (stand-in for mnist)", "somewhere")
    said.data("more")
    said.result({"test_accuracy": 0.5, "loss": math.nan, "train_loss": math.inf, "b": -math.inf})
    said.saved(Path("models/ä.h5"))
    metrics = said.finish(use="python -m apps.xor")
    assert math.isnan(metrics["loss"])
    out = capsys.readouterr().out
    assert out.endswith("}\n")
    *_, last = out.splitlines()

    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is not JSON")

    answer = json.loads(last, parse_constant=refuse)
    assert list(answer) == ["lesson", "engine", "preset", "data", "seed", "seconds", "files", "metrics"]
    assert answer["lesson"] == "xor" and answer["engine"] == "keras" and answer["seed"] == 3
    assert answer["data"] == "digits (stand-in for mnist); more" and answer["files"] == ["models/ä.h5"]
    assert answer["metrics"] == {"test_accuracy": 0.5, "loss": None, "train_loss": None, "b": None}
    assert 0 <= answer["seconds"] < 5


def test_checkpoints_go_with_the_end_of_the_lesson() -> None:
    said = report()
    path = said.checkpoint("mnist_cnn").path
    assert path == Path("models/mnist_cnn-checkpoint.npz")
    path.parent.mkdir()
    path.touch()
    said.checkpoint("mnist_dense")  # never written
    said.finish()
    assert not path.exists()


def test_why_a_result_is_held_against_no_band() -> None:
    given = {"quick": False, "epochs": None, "batch_size": None, "learning_rate": None, "optimizer": None}
    assert reporting._not_comparable(argparse.Namespace(**given)) == ""
    assert reporting._not_comparable(argparse.Namespace(**given | {"quick": True})) == "a quick run"
    assert reporting._not_comparable(argparse.Namespace(**given), is_standin=True) == "the data is a stand-in"
    changed = argparse.Namespace(**given | {"epochs": 3, "batch_size": 8})
    assert reporting._not_comparable(changed) == "--epochs, --batch-size given"


# --- How a program ends -----------------------------------------------------------------------------------------------


class ResourceExhaustedError(Exception):
    """Named as TensorFlow names it."""


def ends(error: BaseException | None) -> int:
    def main() -> None:
        if error is not None:
            raise error

    with pytest.raises(SystemExit) as end:
        cli.run(main)
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (WorkshopError("the line"), 2, "error: the line\n"),
        (
            WorkshopError("over\n  several\tlines, \x1b[2Jwith colour"),
            2,
            "error: over several lines, ?[2Jwith colour\n",
        ),
        (KeyboardInterrupt(), 130, "\nstopped; a lesson goes on with --resume"),
        (MemoryError(), 2, "error: not enough memory: "),
        (ResourceExhaustedError("OOM when allocating\ntensor"), 2, "error: not enough memory: "),
        (OSError(28, "No space left on device", "a.png"), 2, "error: [Errno 28] No space left on device: 'a.png'\n"),
        (BrokenPipeError(), 0, ""),
        (SystemExit(5), 5, ""),
        (None, 0, ""),
    ],
)
def test_exit_codes(error: BaseException | None, code: int, line: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert ends(error) == code
    captured = capfd.readouterr()
    assert captured.out == "" and captured.err.startswith(line)
    assert captured.err.count("\n") == (0 if not line else 2 if code == 130 else 1)


def test_a_mistake_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        cli.run(lambda: 1 / 0)


RUN = "import sys, time\nfrom pathlib import Path\nfrom workshop.kit import cli\n"


@pytest.mark.parametrize("amount", [10, 100_000])  # within Python's buffer, and far beyond it and the pipe's
def test_a_reader_that_leaves(amount: int) -> None:
    code = RUN + f"cli.run(lambda: [print('a line of output') for _ in range({amount})])"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    if amount > 10:
        assert process.stdout.readline() == "a line of output\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 0
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("amount", [10, 100_000])
def test_a_disk_that_is_full_under_the_output(amount: int) -> None:
    code = RUN + f"cli.run(lambda: [print('a line of output') for _ in range({amount})])"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert "No space left on device" in one_line(done.stderr)


def test_a_name_that_the_screen_cannot_show() -> None:
    code = RUN + "cli.run(lambda: print(Path(sys.argv[1]), Path('\\udcff')))"
    done = python(code, "ñandú-字.h5", env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "and" in done.stdout


def test_ctrl_c_in_a_real_process() -> None:
    code = RUN + "cli.run(lambda: [print('ready', flush=True), time.sleep(30)], stopped='stopped here')"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130 and err == "\nstopped here\n"
    assert time.monotonic() - start < 10


# --- Libraries that wait ----------------------------------------------------------------------------------------------


def test_a_library_that_is_not_installed() -> None:
    with pytest.raises(WorkshopError, match="the library no_such_library is not installed: python -m pip install"):
        lazy.load("no_such_library.part")
    assert lazy.load("json") is json
    assert lazy.load("xml.dom").__name__ == "xml.dom"


LOAD = RUN + "from workshop.kit.lazy import keras\ncli.run(lambda: keras.layers)"


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("jax", "which is not installed: install it, or set KERAS_BACKEND=tensorflow"),
        ("nonsense", "which is none of tensorflow, torch, jax"),
        ("nonsense.part", "which is none of tensorflow, torch, jax"),
        ("os", "which is none of tensorflow, torch, jax"),
        ("numpy", "which is none of tensorflow, torch, jax"),
    ],
)
def test_a_backend_that_is_not_there(backend: str, said: str) -> None:
    code = LOAD
    if backend == "jax":  # as if it were not there
        find = "import importlib.util; find = importlib.util.find_spec\n"
        code = f"{find}importlib.util.find_spec = lambda name: None if name == 'jax' else find(name)\n{LOAD}"
    done = python(code, env=os.environ | {"KERAS_BACKEND": backend})
    assert done.returncode == 2 and done.stdout == ""
    line = one_line(done.stderr)
    assert f"Keras is to run on {backend} (environment variable KERAS_BACKEND), {said}" in line


def test_a_library_that_does_not_work_here() -> None:
    broken = Path("path/tensorflow")
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('a shared library\\nis missing')")
    code = RUN + "from workshop.kit.lazy import tensorflow\ncli.run(lambda: tensorflow.function)"
    paths = [str(broken.parent.resolve()), os.environ.get("PYTHONPATH", "")]
    done = python(code, env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)})
    assert done.returncode == 2
    assert one_line(done.stderr) == (
        "error: the library tensorflow is installed, but does not work on this machine (a shared library is missing)\n"
    )


def test_what_a_library_says_while_it_is_imported_is_shown_only_when_it_fails(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def speak(and_then: Callable[[], object]) -> None:
        with lazy.held_back_stderr():
            os.write(2, b"a notice\n")  # as a library's C++ does
            and_then()

    speak(lambda: None)
    assert capfd.readouterr().err == ""

    def fail() -> Sequence[int]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        speak(fail)
    assert "a notice" in capfd.readouterr().err
    print("after", file=sys.stderr)
    assert capfd.readouterr().err == "after\n"


def test_asking_for_its_own_names_imports_nothing() -> None:
    code = (
        "import sys, inspect\nfrom workshop.kit.lazy import keras, tensorflow\n"
        "hasattr(keras, '__path__'), inspect.unwrap(keras), repr(tensorflow)\n"
        "print('keras' in sys.modules, 'tensorflow' in sys.modules)"
    )
    assert python(code).stdout == "False False\n"


@pytest.mark.parametrize("kernel", ["ipykernel_launcher.py", "colab_kernel_launcher.py"])
def test_main_in_a_notebook_takes_no_options_of_its_kernel(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [f"/lib/{kernel}", "-f", "/run/kernel-1.json"])
    assert not cli.lesson_parser("A lesson.").parse_args().quick
    assert cli.lesson_parser("A lesson.").parse_args(["--quick"]).quick
    monkeypatch.setattr(sys, "argv", ["/lib/xor.py", "--quick"])
    assert cli.lesson_parser("A lesson.").parse_args().quick

"""The lesson `experiments`: the ladder, the parts, any lesson's options as a grid, and rows that are not lost."""

import csv
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from helpers.lesson_runs import Run, quick_run, start

from workshop import LESSONS, gradient_descent, logistic_regression
from workshop import experiments as lesson
from workshop.grid import workers
from workshop.grid.options import as_options, read_grid
from workshop.grid.rows import Rows
from workshop.grid.table import choose_metric, is_error
from workshop.kit.data.images import load_image_set
from workshop.kit.errors import WorkshopError

GRID = ["logistic_regression", "--quick", "--no-plots", "--grid", "seed=1,2,3,4,5,6", "epochs=2"]
GRID_FILE = "logistic_regression-seed-epochs-quick.csv"
SECONDS = 120.0  # for what takes a few, on a machine that does other things as well


@pytest.fixture
def quick(room: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return quick_run("experiments", tmp_path_factory)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def percent(cell: str) -> float:
    return float(cell.removesuffix("%"))


# --- The ladder and the parts -----------------------------------------------------------------------------------------


def test_the_ladder_is_a_table_with_the_best_rung_first(quick: Run) -> None:
    rows = quick.table("rung", "layers", "activation", "optimizer", "epochs", "pixels", "weights")
    assert {row[0] for row in rows} == set(lesson.DEFAULT_RUNGS)
    accuracies = [percent(row[-2]) for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert rows[-1][:7] == ["sgd", "784-128-10", "sigmoid", "sgd", "5", "0 to 1", "101,770"]
    by_rung = {row[0]: row for row in rows}
    assert by_rung["two_layers"][1:7] == ["784-128-128-10", "relu", "adam", "5", "0 to 1", "118,282"]
    assert by_rung["unscaled"][5] == "0 to 255"
    for rung, row in by_rung.items():
        assert quick.metrics[f"{rung}_test_accuracy"] == pytest.approx(percent(row[-2]) / 100, abs=1e-4)
    assert re.search(r"\nRelu takes [0-9.]+ s where sigmoid takes [0-9.]+ s: [0-9.]+ of the time\.\n", quick.output)


def test_what_half_a_percent_is() -> None:
    text = lesson.half_percent(60_000, 10_000)
    assert text.startswith("0.5 % of the 60,000 training images are 300, of the 10,000 test images 50. ")
    assert "0.4%" in text


def test_each_rung_is_announced_when_it_is_finished(quick: Run) -> None:
    done = [line for line in quick.lines if re.match(r"\d of 8  ", line)]
    assert [line.split()[0] for line in done] == [*"12345678"]
    assert {line.split()[3].rstrip(":") for line in done} == {*lesson.DEFAULT_RUNGS, "break", "rate"}
    assert all(re.search(r"test accuracy [0-9.]+%, [0-9.]+ s$", line) or line.endswith(": done") for line in done)


def test_keras_says_why_a_network_does_not_fit(tmp_path: Path) -> None:
    # In a process of its own, as a student's: see `break_it`.
    done = subprocess.run(
        command("--quick", "--part", "break", "--results", str(tmp_path)), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    text = done.stdout.partition("Two ways to break it")[2]
    assert "No Flatten: outputs of shape (None, 28, 28, 10)\n    ValueError: Argument `output` must have rank" in text
    assert "target.shape=(None,), output.shape=(None, 28, 28, 10)\nDense works on the last axis" in text
    assert "Five output units for ten classes: outputs of shape (None, 5)\n    InvalidArgumentError: Received a" in text
    assert "Received a label value of 9 which is outside the valid range of [0, 5).\nA label is the number" in text
    assert "The ladder" not in text and not list(tmp_path.glob("*.csv"))


def test_what_fits_gives_no_message() -> None:
    images = np.random.default_rng(0).random((64, 28, 28, 1), np.float32)
    message = lesson.fit_and_catch(lesson.build(lesson.Rung((4,))), images, np.zeros(64, np.int32))
    assert message.startswith("no message; the loss is ")


def test_the_learning_rate_is_taken_times_ten_until_the_loss_oscillates_then_half(quick: Run) -> None:
    rows = quick.table("learning rate", "first loss", "last loss", "share of increases")
    *tried, last, chosen = rows
    rates = [float(row[0]) for row in (*tried, last)]
    assert rates == pytest.approx([0.001 * 10**i for i in range(len(rates))])
    assert [row[4:] for row in tried] == [[]] * len(tried)
    assert last[4] == "oscillates" and chosen[4] == "chosen: half of it"
    assert float(chosen[0]) == rates[-1] / 2
    assert all(percent(row[3]) < 15 for row in tried) and percent(last[3]) >= 15
    assert len({row[1] for row in rows}) == 1  # all from the same start
    assert quick.metrics["chosen_rate_train_log_loss"] == pytest.approx(float(chosen[2]), rel=1e-3)


@pytest.mark.parametrize("lowest", [True, False])
def test_a_rate_that_oscillates_and_still_ends_lowest_is_named(lowest: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = {0.001: [3, 2.5, 2], 0.01: [3, 4, 0.1 if lowest else 3], 0.005: [3, 1, 0.5]}
    monkeypatch.setattr(lesson, "descend", lambda X, y, rate, seed: losses[rate])
    findings = lesson.find_rate(load_image_set("mnist").first(10, 10), seed=1)
    assert findings.chosen == 0.005
    assert ("At 0.01 the loss still ends lowest: half of it is the careful choice" in findings.text) == lowest


@pytest.mark.parametrize(
    ("losses", "share"), [([3, 2, 1], 0), ([3, 4, 1, 0], 0.2), ([3, float("nan"), 1], 1), ([3, float("inf")], 1)]
)
def test_the_share_of_the_way_that_goes_upwards(losses: list[float], share: float) -> None:
    assert lesson.share_upwards(losses) == share


def test_the_batch_size_is_doubled_while_accuracy_a_second_gains() -> None:
    findings = lesson.double_batch_size(load_image_set("mnist").first(500, 100), seed=1)
    sizes, gains = findings.curves["accuracy per second"]
    accuracies = findings.curves["test accuracy"][1]
    assert sizes == [32 * 2**i for i in range(len(sizes))] and len(sizes) > 1
    assert gains[:-1] == sorted(gains[:-1])
    assert gains[-1] <= gains[-2] or sizes[-1] * 2 > 500
    assert gains[sizes.index(findings.chosen)] == max(gains)
    assert findings.metrics["batch_32_test_accuracy"] == accuracies[0]
    assert findings.text.splitlines()[2].split()[:2] == ["32", "16"]


@pytest.mark.slow
def test_rungs_that_are_there_are_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    few = {name: lesson.LADDER[name]._replace(hidden_units=(4,), epochs=1) for name in ("sgd", "adam", "relu")}
    monkeypatch.setattr(lesson, "LADDER", few)
    options = ["--quick", "--part", "ladder", "--no-plots", "--results", str(tmp_path)]
    monkeypatch.setattr(lesson, "DEFAULT_RUNGS", ("sgd", "adam", "relu"))
    first = start(lesson, tmp_path, *options)
    path = tmp_path / "mnist-ladder-quick-standin.csv"
    rows = read(path)
    assert sorted(row["rung"] for row in rows) == ["adam", "relu", "sgd"]
    assert all("stand-in" in row["data"] and float(row["seconds"]) > 0 for row in rows)
    before = path.read_bytes()
    again = start(lesson, tmp_path, *options)
    assert f"3 rows are in {path} and not run again" in again.output
    assert path.read_bytes() == before and again.metrics == first.metrics
    # Another seed is another row; a row that is trained anew is the same.
    start(lesson, tmp_path, *options, "--seed", "2")
    assert [row["seed"] for row in read(path)] == ["1"] * 3 + ["2"] * 3
    # Rows with logs are kept apart: each rung is trained anew, and has its logs.
    before, logs = path.read_bytes(), tmp_path / "logs"
    assert start(lesson, tmp_path, *options, "--tensorboard", str(logs)).metrics == first.metrics
    assert {folder.name for folder in logs.iterdir()} == {*few}
    assert path.read_bytes() == before
    assert len(read(tmp_path / "mnist-ladder-tensorboard-quick-standin.csv")) == 3


# --- The rows ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("half", ["2,b,", "2,b,0.5", '2,"b'])
def test_half_a_line_at_the_end_is_run_again(half: str) -> None:
    path = Path("rows.csv")
    path.write_text(f"seed,name,test_accuracy\n1,a,0.25\n{half}")
    rows = Rows(path, ["seed", "name"])
    assert rows.find({"seed": "1", "name": "a"}) == {"seed": "1", "name": "a", "test_accuracy": "0.25"}
    assert rows.find({"seed": "2", "name": "b"}) is None
    rows.append({"seed": "2", "name": "b", "test_accuracy": "0.75"})
    assert path.read_bytes() == b"seed,name,test_accuracy\n1,a,0.25\n2,b,0.75\n"


def test_a_row_is_appended_and_another_metric_gets_a_column() -> None:
    path = Path("rows.csv")
    rows = Rows(path, ["seed"])
    rows.append({"seed": "1", "test_accuracy": "0.5"})
    inode = path.stat().st_ino
    rows.append({"seed": "2", "test_accuracy": "0.75"})
    assert path.stat().st_ino == inode  # the same file, grown
    rows.append({"seed": "3", "error": 'diverged, says "the loss"'})
    assert path.read_text().splitlines() == [
        "seed,test_accuracy,error",
        "1,0.5,",
        "2,0.75,",
        '3,,"diverged, says ""the loss"""',
    ]
    assert Rows(path, ["seed"]).rows == rows.rows


@pytest.mark.parametrize(
    "content", [b"name,seed\nx,1\n", b"seed,name,a\n1,b\n", b"\xff\xfe\x00", b"\x89PNG\r\n\x1a\n\0"]
)
def test_a_file_that_is_another_table_is_left_alone(content: bytes) -> None:
    Path("rows.csv").write_bytes(content)
    with pytest.raises(WorkshopError, match=r"rows\.csv is no table of seed, name, .*: move it away"):
        Rows(Path("rows.csv"), ["seed", "name"])
    assert Path("rows.csv").read_bytes() == content


# --- Grids ------------------------------------------------------------------------------------------------------------


def test_a_grid_has_every_combination() -> None:
    rows = read_grid(["optimizer=sgd,adam", "hidden_units=128,512+64", "no_scaling=yes,no"])
    assert len(rows) == 8
    assert rows[0] == {"optimizer": "sgd", "hidden_units": "128", "no_scaling": "yes"}
    options = [as_options(row) for row in rows]
    assert options[0] == ["--optimizer", "sgd", "--hidden-units", "128", "--no-scaling"]
    assert options[-1] == ["--optimizer", "adam", "--hidden-units", "512", "64"]
    assert as_options({"learning_rate": "1e+3", "x": "1+2e-3+3"}) == [
        *("--learning-rate", "1e+3"),
        *("--x", "1", "2e-3", "3"),
    ]


def test_a_grid_of_a_lesson(tmp_path: Path) -> None:
    grid = ["logistic_regression", "--quick", "--results", str(tmp_path), "--grid", "epochs=1,9"]
    run = start(lesson, tmp_path, *grid, "optimizer=sgd,adam", "learning_rate=0.1")
    rows = run.table("epochs", "optimizer", "learning rate")
    assert len(rows) == 4
    accuracies = [percent(row[-2]) for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert run.metrics == {"best_test_accuracy": pytest.approx(accuracies[0] / 100, abs=1e-4)}
    written = read(tmp_path / "logistic_regression-epochs-optimizer-learning_rate-quick.csv")
    assert len(written) == 4
    assert not list(tmp_path.rglob("*.h5"))
    # A row is the lesson's own run.
    typed = "--quick --no-plots --epochs 9 --optimizer adam --learning-rate 0.1"
    row = next(row for row in written if (row["epochs"], row["optimizer"]) == ("9", "adam"))
    alone = start(logistic_regression, tmp_path, *typed.split())
    assert {name: float(row[name]) for name in alone.metrics} == alone.metrics
    assert run.answer["data"] == row["data"] == alone.answer["data"]
    assert [Path(file).name for file in run.answer["files"]] == ["experiments-logistic_regression-grid.png"]


def test_the_scores_of_a_lessons_other_networks_are_named(tmp_path: Path) -> None:
    path = tmp_path / "mnist-hidden_units-quick.csv"
    path.write_text(
        "seed,hidden_units,dense_test_accuracy,cnn_train_accuracy,cnn_test_accuracy,seconds,data\n"
        "1,16,0.8,0.9,0.7,2.0,some digits\n1,32,0.9,0.9,0.6,3.0,some digits\n"
    )
    run = start(lesson, tmp_path, "mnist", "--quick", "--results", str(tmp_path), "--grid", "hidden_units=16,32")
    assert f"2 rows are in {path} and not run again" in run.output
    assert [row[0] for row in run.table("hidden units", "dense test accuracy", "seconds")[:2]] == ["32", "16"]
    assert "Sorted by dense_test_accuracy; the file has cnn_test_accuracy as well" in run.lines


def test_a_grid_of_a_lesson_that_saves_no_model(room: Path) -> None:
    grid = ["gradient_descent", "--grid", "momentum=0.5,0.6,0.9"]
    run = start(lesson, room, "--jobs", "1", *grid)
    rows = run.table("momentum", "momentum 020 train mean squared error", "seconds")[:3]
    errors = [float(row[1]) for row in rows]
    assert errors == sorted(errors) and len({*errors}) == 3
    assert any(
        line.startswith("Sorted by momentum_020_train_mean_squared_error, the lowest first") for line in run.lines
    )
    for row in read(Path("experiments/gradient_descent-momentum.csv")):
        alone = start(gradient_descent, room, "--no-plots", "--momentum", row["momentum"])
        assert {name: float(row[name]) for name in alone.metrics} == pytest.approx(alone.metrics)


@pytest.mark.parametrize("name", [registered.name for registered in LESSONS if registered.name != "experiments"])
def test_every_lessons_own_options_make_a_grid(name: str, room: Path) -> None:
    arguments = lesson.parse(None, [name, "--grid", "seed=1,2"])
    assert arguments.grid == [{"seed": "1"}, {"seed": "2"}]
    with pytest.raises(WorkshopError, match="--grid: unrecognized arguments: --magic 1"):
        lesson.parse(None, [name, "--grid", "magic=1"])


def test_what_is_sorted_by_differs_and_an_error_begins_with_the_lowest() -> None:
    rows = [{"test_accuracy": "1.0", "a_test_max_error": x, "train_accuracy": x, "seconds": "1"} for x in "12"]
    assert choose_metric(rows) == "a_test_max_error" and is_error("a_test_max_error")
    assert choose_metric(rows[:1]) == "test_accuracy" and not is_error("test_mean_return")


def test_a_row_that_fails_leaves_the_others(tmp_path: Path) -> None:
    options = ["linear_regression", "--quick", "--no-plots", "--results", str(tmp_path), "--grid", "part=line"]
    run = start(lesson, tmp_path, *options, "learning_rate=0.01,1000")
    assert len(run.table("part", "learning rate")) == 1
    assert re.search(r"No result: part=line learning_rate=1000: training diverged", run.output)
    again = start(lesson, tmp_path, *options, "learning_rate=0.01,1000")
    assert "2 rows are in" in again.output and "No result: part=line" in again.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["mnist", "--grid", "optimizer=sgd,magic"], "--grid: argument --optimizer: invalid choice: 'magic'"),
        (["mnist", "--grid", "optimiser=sgd"], "--grid: unrecognized arguments: --optimiser sgd"),
        (["mnist", "--grid", "epochs=1,0"], "--epochs: got 0, takes a whole number from 1 up"),
        (["mnist", "--grid", "optimizer"], "got optimizer, takes NAME=VALUE,VALUE,... such as"),
        (["mnist", "--grid", "optimizer="], "got optimizer=, takes NAME=VALUE"),
        (["mnist", "--grid", "epochs=1", "epochs=2"], "got epochs=2, but a grid names an option once"),
        (["mnist", "--grid", "models=elsewhere"], "got models=elsewhere, but a grid decides on it by itself"),
        (["--grid", "epochs=1", "mnist"], "got mnist, takes NAME=VALUE"),
        (["tensors", "--grid", "epochs=1"], "--grid: unrecognized arguments: --epochs 1"),
        (
            ["gradient_descent", "--grid", "momentum=0.5,2"],
            "--grid: argument --momentum: got 2, takes a number above 0",
        ),
        (["experiments", "--grid", "full=yes,no"], "got experiments, takes tensors, linear_regression, "),
        (["xor"], "got xor, takes mnist, fashion_mnist; with --grid NAME=VALUE,... any lesson but experiments"),
        (["mnist", "--grid", "epochs=1", "--full"], "--full applies to the ladder"),
        (["mnist", "--grid", "epochs=1", "--tensorboard", "logs"], "--tensorboard applies to the ladder"),
        (["mnist", "--grid", "epochs=1", "--part", "rate"], "--part applies to the ladder"),
        (["--cluster", "tcp://127.0.0.1:1", "--jobs", "2"], "use either --jobs or --cluster"),
        (["--jobs", "0"], "--jobs: got 0, takes a whole number from 1 up"),
        (["--results", "file"], "--results file: nothing can be written there"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line_before_anything_runs(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").touch()
    refusal = ""
    try:
        lesson.main(options)
    except WorkshopError as error:
        refusal = str(error)
    except SystemExit as end:
        assert end.code == 2
        refusal = capsys.readouterr().err
    assert message in refusal and refusal.strip().count("\n") == 0
    assert not Path("experiments").exists() and not list(Path().rglob("*.csv"))


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "workshop.experiments", *options]


@pytest.mark.slow
def test_a_killed_grid_goes_on(tmp_path: Path) -> None:
    options = [*GRID, "--results", str(tmp_path)]
    path = tmp_path / GRID_FILE
    with (tmp_path / "output").open("w") as output:
        started = command(*options, "--jobs", "2")
        process = subprocess.Popen(started, stdout=output, stderr=output, start_new_session=True)
        wait_for(lambda: path.exists() and len(read(path)) >= 2)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finished = path.read_bytes()
    there = len(read(path))
    assert 2 <= there < 6
    path.write_bytes(finished + b"6,2,0.9")  # as if the disk had taken half a line
    run = start(lesson, tmp_path, *options)
    assert f"{there} rows are in {path} and not run again" in run.output
    assert path.read_bytes().startswith(finished)
    assert sorted(row["seed"] for row in read(path)) == ["1", "2", "3", "4", "5", "6"]
    assert len(run.table("seed", "epochs")) == 6


# --- A cluster --------------------------------------------------------------------------------------------------------


def test_a_cluster_without_dask_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "distributed" else find(name))
    with pytest.raises(WorkshopError, match=r'Dask is not installed: python -m pip install "dask\[distributed\]"'):
        lesson.main([*GRID, "--cluster", "tcp://127.0.0.1:8786"])


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "CONNECT_SECONDS", 1)
    for address in ("tcp://127.0.0.1:1", "nonsense"):
        with pytest.raises(WorkshopError, match=f"--cluster {address}: no scheduler answers there"):
            lesson.main([*GRID, "--cluster", address])


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, Callable[[], subprocess.Popen[bytes]]]]:
    """A scheduler of Dask on this machine: its address, and a function that starts a worker."""
    pytest.importorskip("distributed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    started: list[subprocess.Popen[bytes]] = []
    log = (tmp_path / "dask.log").open("wb")

    def run(program: str, *options: str) -> subprocess.Popen[bytes]:
        arguments = [sys.executable, "-m", f"distributed.cli.{program}", "--no-dashboard", *options]
        started.append(subprocess.Popen(arguments, stdout=log, stderr=log, cwd=tmp_path))
        return started[-1]

    def worker() -> subprocess.Popen[bytes]:
        return run("dask_worker", address, "--no-nanny", "--nthreads", "1", "--host", "127.0.0.1")

    run("dask_scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2])
    yield address, worker
    for process in started:
        process.kill()
        process.wait()
    log.close()


def addresses(address: str) -> Sequence[str]:
    """Returns the workers' addresses, asked for by another process: Dask's loop wants to begin within seconds."""
    code = "import distributed, json, sys\nwith distributed.Client(sys.argv[1], timeout=60) as client:\n"
    code += "    print(json.dumps([*client.scheduler_info()['workers']]))"
    done = subprocess.run([sys.executable, "-c", code, address], capture_output=True, text=True, check=True)
    return [str(worker) for worker in json.loads(done.stdout)]


@pytest.mark.slow
def test_a_worker_of_a_cluster_is_killed_and_no_row_is_lost(
    scheduler: tuple[str, Callable[[], subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    address, start_worker = scheduler
    options = [*GRID, "--results", str(tmp_path), "--cluster", address]
    wait_for(lambda: addresses(address) == [])
    with pytest.raises(WorkshopError, match=f"--cluster {address}: the scheduler has no workers"):
        lesson.main(options)
    first, second = start_worker(), start_worker()
    wait_for(lambda: len(addresses(address)) == 2)
    path = tmp_path / GRID_FILE
    with (tmp_path / "output").open("w+") as output:
        process = subprocess.Popen(command(*options), stdout=output, stderr=output)
        wait_for(lambda: path.exists() and len(read(path)) >= 2)
        first.kill()
        assert process.wait(SECONDS) == 0
        output.seek(0)
        printed = output.read()
    assert second.poll() is None
    assert sorted(row["seed"] for row in read(path)) == ["1", "2", "3", "4", "5", "6"]
    assert [line.partition(" of ")[0] for line in printed.splitlines() if " of 6  " in line] == [*"123456"]


# --- The results of the curriculum, on the real data ------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("name", "options", "rungs"),
    # All ten once: those of the garments take another minute and a half.
    [("mnist", ["--full"], lesson.LADDER), ("fashion_mnist", [], lesson.DEFAULT_RUNGS)],
)
def test_the_ladder_reaches_its_results(name: str, options: list[str], rungs: Sequence[str], tmp_path: Path) -> None:
    run = start(lesson, tmp_path, name, *options, "--jobs", "1", "--results", str(tmp_path))
    assert "As expected for this lesson." in run.lines
    assert {row["rung"] for row in read(tmp_path / f"{name}-ladder.csv")} == {*rungs}
    assert load_image_set(name).source in run.output

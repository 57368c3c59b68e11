"""Four lessons on the GPU of this machine: float32 against mixed precision, and against the processor.

    WORKSHOP_DATA=... python -m benchmarks.gpu                # under five minutes; the same command goes on
    python -m benchmarks.gpu --cpu-only                       # where there is no GPU: the column of the processor

Each run is a lesson as a student starts it, one network of it: in PyTorch, and in Keras on the library that has the
GPU (TensorFlow, else PyTorch; or what KERAS_BACKEND names). Measured is the training alone, without imports and data;
beside it stands what the network reached. Every finished run is at once a row of the CSV: a run that was killed, or
whose time was up, goes on with the missing ones.

Mixed precision is float16 where the lesson has `--precision`, and in Keras; in PyTorch's rnn and autoencoder it is
bfloat16, which needs no scaling of the loss.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import functools
import importlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import measure
from workshop.kit import cli, files
from workshop.kit.errors import WorkshopError

ROOT = Path(__file__).parents[1]
# The network of each lesson, and its metric; the lessons with an option `--precision`.
NETWORKS = {
    "mnist": (["--model", "cnn"], "test_accuracy"),
    "cats_vs_dogs": (["--model", "small"], "validation_accuracy"),
    "rnn": (["--cell", "lstm"], "lstm_test_accuracy"),
    "autoencoder": (["--part", "deep"], "deep_test_mean_squared_error"),
}
HAVE_PRECISION = {"mnist", "cats_vs_dogs"}
ENGINES = {"torch": "PyTorch", "keras": "Keras"}
PLACES = (("gpu", "float32"), ("gpu", "mixed"), ("cpu", "float32"))
COLUMNS = ("device", "lesson", "engine", "place", "precision", "quick", "seconds", "metric", "value", "data")

# The GPU that a library sees, on the last line; nothing where it sees none, or is not there.
LOOK = {
    "torch": "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')",
    "tensorflow": "import tensorflow as tf; gpus = tf.config.list_physical_devices('GPU'); "
    "print(tf.config.experimental.get_device_details(gpus[0]).get('device_name', 'GPU') if gpus else '')",
    "jax": "import jax; print(next((d.device_kind for d in jax.devices() if d.platform == 'gpu'), ''))",
}


class Machine(NamedTuple):
    """The machine that the benchmark runs on.

    Attributes:
        name: of the GPU, or of the processor.
        backend: what Keras runs on.
        engines: those that can be measured.
        places: where and how each of them runs.
    """

    name: str
    backend: str
    engines: tuple[str, ...]
    places: tuple[tuple[str, str], ...]


def find_machine(cpu_only: bool) -> Machine:
    """Returns what there is to measure.

    Raises:
        WorkshopError: no library that is installed sees a GPU.
    """
    chosen = os.environ.get("KERAS_BACKEND", "")
    installed = [name for name in LOOK if importlib.util.find_spec(name)]
    if cpu_only:
        engines = tuple(engine for engine in ENGINES if engine == "keras" or "torch" in installed)
        return Machine(f"{os.cpu_count()} CPU cores", chosen or "tensorflow", engines, PLACES[2:])
    seen = {name: gpu for name in installed if (gpu := _look(name))}
    if not seen:
        raise WorkshopError(
            f"no GPU: {', '.join(installed) or 'no library'} found none (torch or tensorflow[and-cuda] for NVIDIA's "
            f"see them); --cpu-only measures the processor alone"
        )
    keras = chosen or next((name for name in ("tensorflow", "torch", "jax") if name in seen), "")
    engines = tuple(engine for engine, needed in (("torch", "torch"), ("keras", keras)) if needed in seen)
    return Machine(next(iter(seen.values())), keras, engines, PLACES)


def _look(library: str) -> str:
    try:
        done = subprocess.run([sys.executable, "-c", LOOK[library]], capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout.strip().rpartition("\n")[2] if done.returncode == 0 else ""


# --- One run, in a process of its own ---------------------------------------------------------------------------------


def run_one(engine: str, lesson: str, precision: str, options: Sequence[str]) -> dict[str, Any]:
    """Runs a lesson and returns what its last line says, with the seconds of its training alone."""
    spent: list[float] = []
    options = ["--no-plots", "--json", *NETWORKS[lesson][0], *options]
    if lesson in HAVE_PRECISION:
        options += ["--precision", precision]
    (_measure_torch if engine == "torch" else _measure_keras)(spent, lesson, precision)
    package = "workshop.pytorch" if engine == "torch" else "workshop"
    with contextlib.redirect_stdout(io.StringIO()) as output:
        importlib.import_module(f"{package}.{lesson}").main(options)
    result = json.loads(output.getvalue().splitlines()[-1])
    assert isinstance(result, dict)
    return result | {"train_seconds": sum(spent)}


def _measure_keras(spent: list[float], lesson: str, precision: str) -> None:
    """Has `fit` measured, and networks built in 16 bits where the lesson cannot do that by itself."""
    import keras

    from workshop.kit import device

    fit, scope = keras.Model.fit, device.scope

    @functools.wraps(fit)
    def timed(*arguments: Any, **options: Any) -> Any:
        started = time.perf_counter()
        history = fit(*arguments, **options)
        spent.append(time.perf_counter() - started)
        return history

    @contextlib.contextmanager
    def mixed(seed: int) -> Iterator[None]:
        with scope(seed):
            keras.config.set_dtype_policy(precision)
            yield
            keras.config.set_dtype_policy("float32")  # the lesson goes on with mathematics of its own

    keras.Model.fit = timed
    if lesson not in HAVE_PRECISION:
        device.scope = mixed


def _measure_torch(spent: list[float], lesson: str, precision: str) -> None:
    """Has the epochs measured, and multiplied in 16 bits where the lesson cannot do that by itself."""
    import torch

    from workshop.pytorch.kit import device
    from workshop.pytorch.kit.state import TrainingState

    epochs: Callable[..., Iterator[int]] = TrainingState.epochs
    is_mixed = precision != "float32" and lesson not in HAVE_PRECISION

    def timed(*arguments: Any, **options: Any) -> Iterator[int]:
        started = time.perf_counter()
        # A cache would keep the weights of the first step.
        with torch.autocast(device.choose_device().type, torch.bfloat16, enabled=is_mixed, cache_enabled=False):
            yield from epochs(*arguments, **options)
        spent.append(time.perf_counter() - started)

    TrainingState.epochs = timed  # type: ignore[method-assign]


# --- All of them ------------------------------------------------------------------------------------------------------


def start(
    machine: Machine, lesson: str, engine: str, place: str, precision: str, quick: bool, limit: float
) -> dict[str, str]:
    """Runs one in a process of its own; returns its row, the seconds of which are empty where it took too long.

    Raises:
        WorkshopError: it failed.
    """
    # On a processor bfloat16 is the one that it may have units for.
    dtype = "float32" if precision == "float32" else "mixed_float16" if place == "gpu" else "mixed_bfloat16"
    command = [sys.executable, "-m", "benchmarks.gpu", "--one", engine, lesson, dtype]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": machine.backend}
    environment |= {"CUDA_VISIBLE_DEVICES": "-1"} if place == "cpu" else {}
    row = {"device": machine.name, "lesson": lesson, "engine": engine, "place": place, "precision": precision}
    row |= {"quick": str(quick), "seconds": "", "metric": "", "value": "", "data": ""}
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                command + ["--quick"] * quick,
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=limit,
            )
        except subprocess.TimeoutExpired:
            return row
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise WorkshopError(f"{lesson} in {ENGINES[engine]} on the {place}, {dtype}: {last}")
    result = json.loads(done.stdout.splitlines()[-1])
    metric = NETWORKS[lesson][1]
    name = metric if metric in result["metrics"] else metric.partition("_")[2]
    shown = {"seconds": f"{result['train_seconds']:.2f}", "metric": name, "data": result["data"]}
    return row | shown | {"value": f"{result['metrics'][name]:.4f}"}


def read_rows(path: Path) -> list[dict[str, str]]:
    """Returns the rows that are there, those cut off by a kill left out."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if None not in row.values() and None not in row]


def write_rows(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Writes all rows; a kill leaves the old file or the new one."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write_atomically(path, text.getvalue().encode())


def table(machine: Machine, rows: Sequence[dict[str, str]]) -> str:
    """Returns the table: a row for each lesson and engine, a column for each place and precision."""
    cells = {(row["lesson"], row["engine"], row["place"], row["precision"]): row for row in rows}
    names = {"gpu": machine.name, "cpu": f"{os.cpu_count()} CPU cores"}
    headings = ["lesson", "engine", "reaches", *(f"{names[place]}, {precision}" for place, precision in machine.places)]
    is_compared = machine.places == PLACES
    headings += ["GPU against CPU", "mixed against float32"] if is_compared else []
    lines = []
    for lesson in NETWORKS:
        for engine in machine.engines:
            found = [cells.get((lesson, engine, *one)) for one in machine.places]
            if not any(found):
                continue
            metric = next((row["metric"] for row in found if row and row["metric"]), "").replace("_", " ")
            title = ENGINES[engine] if engine == "torch" else f"Keras on {machine.backend}"
            line = [f"`{lesson}`", title, metric, *map(_cell, found)]
            if is_compared:
                single, mixed, cpu = (float(row["seconds"]) if row and row["seconds"] else 0.0 for row in found)
                line += [_times(cpu, single), _times(single, mixed)]
            lines.append(line)
    return measure.markdown(headings, lines)


def _cell(row: dict[str, str] | None) -> str:
    if row is None:
        return ""
    return f"{float(row['seconds']):.1f} s; {row['value']}" if row["seconds"] else "too long"


def _times(slow: float, quick: float) -> str:
    return f"{slow / quick:.1f} times as fast" if slow and quick else ""


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = cli.Parser(description=__doc__)
    add = parser.add_argument
    add("--cpu-only", action="store_true", help="measure the processor alone")
    add("--limit", type=cli.positive_number, default=60, metavar="SECONDS", help="time for each run (default: 60)")
    add("--total", type=cli.positive_number, default=285, metavar="SECONDS", help="time for all runs (default: 285)")
    add("--csv", type=Path, default=Path("gpu.csv"), metavar="FILE", help="where the rows are kept (default: gpu.csv)")
    add("--lessons", nargs="+", choices=list(NETWORKS), default=list(NETWORKS), help="(default: all four)")
    add("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES), help="(default: both)")
    add("--quick", action="store_true", help="the lessons' quick runs: whether it works")
    add("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.one:
        engine, lesson, precision = arguments.one
        print(json.dumps(run_one(engine, lesson, precision, ["--quick"] if arguments.quick else [])))
        return
    started = time.monotonic()
    machine = find_machine(arguments.cpu_only)
    machine = machine._replace(engines=tuple(one for one in machine.engines if one in arguments.engines))
    print(f"{machine.name}; {measure.machine()}; Keras on {machine.backend}", flush=True)
    rows, missing = read_rows(arguments.csv), 0

    def mine() -> list[dict[str, str]]:
        return [row for row in rows if row["device"] == machine.name and row["quick"] == str(arguments.quick)]

    # The processor, which takes longest, comes last.
    wanted = [
        (lesson, engine, *place)
        for place in machine.places
        for lesson in arguments.lessons
        for engine in machine.engines
    ]
    for one in wanted:
        if any((row["lesson"], row["engine"], row["place"], row["precision"]) == one for row in mine()):
            continue
        left = arguments.total - (time.monotonic() - started)
        if left < min(arguments.limit, 10):
            missing += 1
            continue
        row = start(machine, *one, arguments.quick, min(left, arguments.limit))
        if not row["seconds"] and left < arguments.limit:
            missing += 1
            continue
        rows.append(row)
        write_rows(arguments.csv, [row for row in rows if row["seconds"]])  # one that took too long is tried again
        print(f"{', '.join(one)}: {_cell(row)}", flush=True)
    print(table(machine, [row for row in mine() if row["lesson"] in arguments.lessons]))
    if missing:
        print(f"{missing} runs are missing, the time was up: the same command goes on ({arguments.csv})")


if __name__ == "__main__":
    cli.run(main)

"""Measures what each lesson reaches with five seeds, and keeps it in `workshop/bands.json`, which every run reads.

    WORKSHOP_DATA=... python -m benchmarks.bands [LESSON ...]              # what is missing, Keras
    WORKSHOP_DATA=... python -m benchmarks.bands --engine torch numpy      # the mirrors
    WORKSHOP_DATA=... python -m benchmarks.bands --again mnist             # what has changed

Each lesson is run with its defaults, without plots, and each run is written down when it ends: a killed measurement
goes on. The file has the mean, the spread (the standard deviation of a sample) and the five values of each metric,
beside the data, the versions and the settings: recipes and other constants of the lesson's file. A lesson whose
packages or settings are not those of its entry begins again. All lessons in Keras are about 100 minutes on two cores,
all mirrors about as many.
"""

import argparse
import ast
import contextlib
import dataclasses
import importlib
import importlib.metadata
import inspect
import json
import platform
import statistics
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.engines import PACKAGES
from workshop import LESSONS, Lesson
from workshop.kit import bands, files

# Whose numbers depend on which packages.
LIBRARIES = ("tensorflow", "keras", "torch", "numpy", "scikit-learn", "scipy", "gymnasium")
_DIGITS = 6  # of a value that is kept


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that decide the numbers, those that are installed."""
    installed = {"python": platform.python_version()}
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            installed[name] = importlib.metadata.version(name)
    return installed


def settings(lesson: Lesson, engine: str) -> dict[str, str]:
    """Returns the constants of a lesson's or a mirror's own file by their names, as Python writes them."""
    module = importlib.import_module(f"{PACKAGES[engine if engine in lesson.mirrors else 'keras']}.{lesson.name}")
    tree = ast.parse(inspect.getsource(module))
    targets = [node.targets[0] for node in tree.body if isinstance(node, ast.Assign)]
    targets += [node.target for node in tree.body if isinstance(node, ast.AnnAssign)]
    names = [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
    values = {name: getattr(module, name) for name in names if name.isupper()}
    return {name: show(value) for name, value in values.items() if not isinstance(value, str) and is_plain(value)}


def show(value: object) -> str:
    """Returns a value as Python writes it, a recipe without what is as it is by default."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name!r}: {show(item)}" for name, item in value.items()) + "}"
    if not dataclasses.is_dataclass(value):
        return repr(value)
    fields = [(field, getattr(value, field.name)) for field in dataclasses.fields(value)]
    texts = [f"{field.name}={show(item)}" for field, item in fields if item != field.default]
    return f"{type(value).__name__}({', '.join(texts)})"


def is_plain(value: object) -> bool:
    """Returns whether a value is a number or a text, or holds nothing else."""
    if isinstance(value, (tuple, list)):
        return all(map(is_plain, value))
    if isinstance(value, dict):
        return all(map(is_plain, [*value, *value.values()]))
    if dataclasses.is_dataclass(value):
        return all(is_plain(getattr(value, field.name)) for field in dataclasses.fields(value))
    return value is None or isinstance(value, (int, float, str))


def run(lesson: str, engine: str, seed: int) -> dict[str, Any]:
    """Runs a lesson with its defaults and returns the JSON object of its last line."""
    command = ["-m", f"{PACKAGES[engine]}.{lesson}", "--seed", str(seed), "--no-plots", "--json"]
    with tempfile.TemporaryDirectory() as folder:
        output = measure.run(command, Path(folder), PYTHONPATH=str(measure.README.parent)).output
    answer = json.loads(output.splitlines()[-1])
    assert isinstance(answer, dict)
    return answer


def kept_as(measured: dict[str, dict[str, Any]], lesson: Lesson, engine: str) -> str:
    """Returns by which engine's name the runs are kept: a few lessons are in NumPy or PyTorch alone, not in Keras."""
    own = [name for name in measured.get(lesson.name, {}) if name not in lesson.mirrors]
    return own[0] if engine == "keras" and own else engine


def missing(
    measured: dict[str, dict[str, Any]], lessons: Iterable[str], engines: Iterable[str], seeds: Iterable[int]
) -> Iterator[tuple[str, str, int]]:
    """Yields (lesson, engine, seed) of each run that is not measured; "keras" is the lesson, the others its mirrors."""
    for lesson in LESSONS:
        for engine in engines:
            if lesson.name in lessons and engine in ("keras", *lesson.mirrors):
                entry = measured.get(lesson.name, {}).get(kept_as(measured, lesson, engine), {})
                is_the_same = entry.get("versions") == versions() and entry.get("settings") == settings(lesson, engine)
                known = entry["seeds"] if is_the_same else []
                yield from ((lesson.name, engine, seed) for seed in seeds if seed not in known)


def add(measured: dict[str, dict[str, Any]], answer: dict[str, Any]) -> None:
    """Adds a run, the JSON object of its last line, to those that are measured.

    Raises:
        ValueError: it used other data, or another preset, than those before it.
    """
    engines = measured.setdefault(answer["lesson"], {})
    entry = engines.get(answer["engine"])
    lesson = next(lesson for lesson in LESSONS if lesson.name == answer["lesson"])
    what = {"data": answer["data"], "preset": answer["preset"], "versions": versions()}
    what["settings"] = settings(lesson, answer["engine"])
    if entry is None or any(entry.get(name) != what[name] for name in ("versions", "settings")):
        entry = engines[answer["engine"]] = {**what, "seeds": [], "metrics": {}}
    if {name: entry[name] for name in what} != what:
        raise ValueError(f"{answer['lesson']}: seed {answer['seed']} ran on {what}, not as those before: {entry}")
    place = sum(seed < answer["seed"] for seed in entry["seeds"])
    entry["seeds"].insert(place, answer["seed"])
    for name, value in answer["metrics"].items():
        values = entry["metrics"].setdefault(name, {"values": []})["values"]
        values.insert(place, None if value is None else rounded(value))
    for name, metric in entry["metrics"].items():
        finite = [value for value in metric["values"] if value is not None]  # JSON has no NaN
        mean = rounded(statistics.fmean(finite)) if finite else None
        spread = rounded(statistics.stdev(finite)) if len(finite) > 1 else None
        entry["metrics"][name] = {"mean": mean, "spread": spread, "values": metric["values"]}


def rounded(value: float) -> float:
    """Returns a value with as many digits as are kept."""
    return float(f"{value:.{_DIGITS}g}")


def text(measured: dict[str, dict[str, Any]]) -> str:
    """Returns the file's text, in the order of the lessons, a metric a line, so that a change of it can be read."""
    lines = ["{"]
    names = [lesson.name for lesson in LESSONS if lesson.name in measured]
    for name in names:
        lines.append(f"  {json.dumps(name)}: {{")
        engines = [engine for engine in PACKAGES if engine in measured[name]]
        for engine in engines:
            entry = measured[name][engine]
            lines.append(f"    {json.dumps(engine)}: {{")
            lines += [f"      {json.dumps(key)}: {json.dumps(entry[key])}," for key in entry if key != "metrics"]
            lines.append('      "metrics": {')
            rows = [f"        {json.dumps(key)}: {json.dumps(value)}" for key, value in entry["metrics"].items()]
            lines.append(",\n".join(rows))
            lines += ["      }", "    }" if engine == engines[-1] else "    },"]
        lines.append("  }" if name == names[-1] else "  },")
    return "\n".join([*lines, "}\n"])


def main() -> None:
    """Measures what is missing, and writes it down run by run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", nargs="+", choices=[*PACKAGES], default=["keras"], help="(default: keras)")
    parser.add_argument("--again", action="store_true", help="forget what is measured of these lessons and engines")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once (default: 1)")
    arguments = measure.parse(parser, [lesson.name for lesson in LESSONS])
    measured = bands.measured()
    if arguments.again:
        for lesson in LESSONS:
            for engine in arguments.engine if lesson.name in arguments.lessons else ():
                measured.get(lesson.name, {}).pop(kept_as(measured, lesson, engine), None)
    runs = list(missing(measured, arguments.lessons, arguments.engine, bands.SEEDS))
    print(f"{measure.machine()}; {len(runs)} runs", flush=True)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        waiting = {pool.submit(run, *key): key for key in runs}
        for number, future in enumerate(as_completed(waiting), 1):
            name, engine, seed = waiting[future]
            try:
                answer = future.result()
                add(measured, answer)
            except (RuntimeError, ValueError) as error:
                print(f"{number} of {len(runs)}: {name}, {engine}, seed {seed}: {error}", flush=True)
                continue
            files.write_atomically(bands.FILE, text(measured).encode())
            print(f"{number} of {len(runs)}: {name}, {engine}, seed {seed}: {answer['seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main()

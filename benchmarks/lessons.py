"""Runs every lesson with its defaults, as a student would, and prints time, memory and results.

    WORKSHOP_DATA=... python -m benchmarks.lessons [--runs 5] [LESSON ...]
    WORKSHOP_DATA=... python -m benchmarks.lessons --runs 1 --readme      # writes the table into README.md
    WORKSHOP_DATA=... python -m benchmarks.lessons --against FOLDER       # in pairs with another checkout

One run of each is about ten minutes; the table shows the median of the runs. What a lesson reaches are the metrics that
`workshop.LESSONS` has an expected band for.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from benchmarks import measure
from workshop import LESSONS, Lesson

ROOT = Path(__file__).parents[1]
MAX_SHOWN = 4  # metrics of a lesson in the table


def describe(lesson: Lesson, metrics: dict[str, float | None]) -> str:
    """Returns what a run reached, in words: "cnn test accuracy 99.17 %"; scores first, then errors."""
    texts = []
    for name in sorted(lesson.bands(), key=_rank):
        value = metrics.get(name)
        if value is not None:
            number = f"{value:.2%}".replace("%", " %") if name.endswith("accuracy") else f"{value:.3g}"
            texts.append(f"{name.replace('_', ' ')} {number}")
    return ", ".join(texts[:MAX_SHOWN])


def linked(lesson: Lesson) -> str:
    """Returns what a lesson is, in a line that leads to its notebook."""
    (notebook,) = (ROOT / "notebooks").glob(f"[0-9][0-9]_{lesson.name}.ipynb")
    return f"[{lesson.title}]({notebook.relative_to(ROOT).as_posix()})"


def _rank(name: str) -> int:
    scores = ("accuracy", "auc", "r2_score")
    return 0 if name.endswith(scores) else 2 if name.endswith("max_error") else 1


def main() -> None:
    """Measures and prints."""
    names = [lesson.name for lesson in LESSONS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="runs of each lesson (default: 5)")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout, run in turn with this one")
    arguments = measure.parse(parser, names)
    if arguments.readme and set(arguments.lessons) != set(names):
        parser.error("--readme takes all lessons")
    print(measure.machine())
    rows = []
    for lesson in LESSONS:
        if lesson.name not in arguments.lessons:
            continue
        command = ["-m", f"workshop.{lesson.name}", "--json"]
        runs, others = [], []
        is_compared = arguments.against and (arguments.against / "workshop" / f"{lesson.name}.py").exists()
        for _ in range(arguments.runs):
            with tempfile.TemporaryDirectory() as folder:
                here = {"PYTHONPATH": str(ROOT)}
                runs.append(measure.run(command, Path(folder), **here))
                if is_compared:
                    there = {"PYTHONPATH": str(arguments.against.resolve())}
                    others.append(measure.run(command, Path(folder), **there))
        result = json.loads(runs[-1].output.splitlines()[-1])
        seconds = statistics.median(run.seconds for run in runs)
        megabytes = max(run.megabytes for run in runs)
        row = [f"`{lesson.name}`", linked(lesson), describe(lesson, result["metrics"])]
        row += [f"{seconds:.0f} s", f"{megabytes:.0f} MB"]
        ratios = [run.seconds / other.seconds for run, other in zip(runs, others, strict=False)]
        if arguments.against:
            row.append(f"{statistics.median(ratios):.2f}" if ratios else "new")
        rows.append(row)
        print(f"{lesson.name}: {', '.join(f'{run.seconds:.1f} s' for run in [*runs, *others])}", flush=True)
    headings = ["lesson", "what it is, with its notebook", "reaches (seed 1)", "time", "peak memory"]
    table = measure.markdown(headings + (["ratio of times (median)"] if arguments.against else []), rows)
    print(table)
    if arguments.readme:
        measure.write_into_readme("lessons", table)


if __name__ == "__main__":
    main()

"""The run of a grid: a lesson with every combination of the options, side by side."""

from __future__ import annotations

import argparse
import functools
import itertools
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from workshop.grid.options import as_options, run_lesson
from workshop.grid.rows import Row, Rows
from workshop.grid.table import choose_metric, describe, is_error, show_rows
from workshop.grid.workers import side_by_side
from workshop.kit.report import Report
from workshop.kit.saving import bundle

T = TypeVar("T")


def shared_options(arguments: argparse.Namespace) -> list[str]:
    """Returns the options that every row of a grid has besides its own."""
    seed = [] if "seed" in arguments.grid[0] else ["--seed", str(arguments.seed)]
    return [*seed, *(["--quick"] if arguments.quick else [])]


def collect(
    report: Report, rows: Rows, keys: Mapping[str, Row], tasks: Mapping[str, Callable[[], Row | T]]
) -> dict[str, T]:
    """Runs the tasks that are not done yet, writes each row when it is finished, and returns what is no row.

    Args:
        report: of the run.
        rows: those that are there already, and the file.
        keys: for each task that makes a row, the cells that it begins with.
        tasks: what is to be run, the longest first.
    """
    missing = {name: task for name, task in tasks.items() if name not in keys or rows.find(keys[name]) is None}
    if len(missing) < len(tasks):
        print(f"{len(tasks) - len(missing)} rows are in {rows.path} and not run again; without the file they are")
    others: dict[str, T] = {}
    done = itertools.count(1)
    for name, result in side_by_side(missing, report.arguments):
        if isinstance(result, dict):
            rows.append({**keys[name], **result})
            summary = result.get("error") or describe(result)
        else:
            others[name] = result
            summary = "done"
        print(f"{next(done)} of {len(missing)}  {name}: {summary}", flush=True)
    return others


def run_grid(report: Report) -> None:
    """Runs a lesson with every combination of options, and shows which was best."""
    arguments = report.arguments
    lesson, options, extra = arguments.lesson, [*arguments.grid[0]], shared_options(arguments)
    combinations = {" ".join(f"{name}={value}" for name, value in row.items()): row for row in arguments.grid}
    keys = {name: {"seed": str(arguments.seed), **row} for name, row in combinations.items()}
    name = bundle.name_for("-".join([lesson, *options]), quick=arguments.quick)
    rows = Rows(arguments.results / f"{name}.csv", [*keys[next(iter(keys))]])
    tasks = {
        name: functools.partial(run_lesson, lesson, [*as_options(row), *extra]) for name, row in combinations.items()
    }
    report.section(f"Training, side by side: {lesson} with {len(tasks)} combinations of options")
    collect(report, rows, keys, tasks)

    by_name = {name: row for name in tasks if (row := rows.find(keys[name])) is not None}
    finished = {name: row for name, row in by_name.items() if "error" not in row}
    report.section(f"The grid of {lesson}")
    for source in dict.fromkeys(row["data"] for row in finished.values() if row.get("data")):
        report.data(source)
    if finished:
        metric = choose_metric([*finished.values()])
        # The plot's legend has only the options that differ; the others are in its title.
        differ = [option for option in options if len({row[option] for row in arguments.grid}) > 1]
        labels = {" ".join(f"{option}={row[option]}" for option in differ or options): row for row in finished.values()}
        same = [f"{option}={arguments.grid[0][option]}" for option in options if differ and option not in differ]
        title = ", ".join([f"The grid of {lesson}", *same])
        best, *_ = show_rows(report, labels, options, metric, f"experiments-{lesson}-grid", title)
        report.result({metric: float(best[metric])}, model="best")
        # A lesson of several networks has a score of each, and the table is sorted by one.
        kind = re.sub(".*?(?=(test|validation|train)_)", "", metric)
        others = [name for name in best if name.endswith(kind) and name != metric]
        order = f"{metric}, the lowest first" if is_error(metric) else metric
        if others:
            named = others if len(others) < 4 else [*others[:2], f"{len(others) - 2} others of the kind"]
            print(f"Sorted by {order}; the file has {', '.join(named)} as well")
        else:
            print(f"Sorted by {order}")
    for name in by_name.keys() - finished.keys():
        print(f"No result: {name}: {by_name[name]['error']}")
    print(f"The rows are in {rows.path}")

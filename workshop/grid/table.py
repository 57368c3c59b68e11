"""Rows as a table and a plot, the best first."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from workshop.figures import experiments as figures
from workshop.grid.rows import Row
from workshop.kit.report import Report, format_table


def choose_metric(rows: Sequence[Row]) -> str:
    """Returns the metric that rows are sorted by: the first on test data that all have, an accuracy before others.

    One that is the same in all rows sorts nothing: it is taken only where none differs.
    """
    shared = [name for name in rows[0] if all(name in row for row in rows)]
    differing = [name for name in shared if len({row[name] for row in rows}) > 1]
    for names in (differing, shared):
        for ending in ("test_accuracy", "validation_accuracy", "test_", "validation_", "train_"):
            for name in names:
                if ending in name:
                    return name
    return "seconds"


def is_error(metric: str) -> bool:
    """Returns whether less of a metric is better."""
    return metric.endswith(("_error", "_loss")) or metric == "seconds"


def describe(row: Row) -> str:
    """Returns in words how a row ended."""
    metric = choose_metric([row])
    return f"{metric.replace('_', ' ')} {as_cell(metric, row[metric])}, {row['seconds']} s"


def as_cell(column: str, text: str) -> str:
    """Returns a cell of the CSV as the table on the screen shows it."""
    if column.endswith("accuracy"):
        return f"{float(text):.2%}"
    if column == "weights":
        return f"{int(text):,}"
    is_measured = column == "seconds" or re.search("train_|validation_|test_", column)
    return f"{float(text):.4g}" if is_measured else text


def show_rows(
    report: Report, rows: Mapping[str, Row], columns: Sequence[str], metric: str, name: str, title: str
) -> list[Row]:
    """Prints rows as a table, the best first, and draws them; returns them in this order.

    Args:
        report: of the run.
        rows: by their names in the plot.
        columns: of the table, before the metrics.
        metric: that the rows are sorted by.
        name: of the plot's file.
        title: of the plot.
    """
    sign = 1 if is_error(metric) else -1
    values = {name: float(row[metric]) for name, row in rows.items()}
    names = sorted(rows, key=lambda name: (math.isnan(values[name]), sign * values[name]))
    best_first = [rows[name] for name in names]
    on_training = re.sub("validation_|test_", "train_", metric)
    has_both = on_training != metric and all(on_training in row for row in best_first)
    printed = [*columns, *([on_training] if has_both else []), metric, "seconds"]
    headings = [column.replace("_", " ") for column in printed]
    print(format_table(headings, [[as_cell(column, row[column]) for column in printed] for row in best_first]))

    def numbers(column: str) -> list[float]:
        return [float(row[column]) for row in best_first]

    trains = numbers(on_training) if has_both else None
    score = re.sub("validation_|test_", "", metric).replace("_", " ")
    report.plot(name, figures.scores, names, numbers("seconds"), numbers(metric), trains, score, title)
    return best_first

"""Runs notebooks from the first cell to the last, each in a fresh kernel and an empty folder.

    python notebooks/run.py 14_mnist                # as a student runs it
    python notebooks/run.py 14_mnist --quick        # with the quick values of its parameters, in seconds
    python notebooks/run.py --all --quick --solutions   # each "your turn" answered by the solution too
    python notebooks/run.py 14_mnist --save FOLDER  # keeps the notebook with its outputs

A cell tagged `parameters` holds what a run can be shortened by; its metadata `quick` holds the values of a quick run.
With --solutions, each cell that calls `check` is followed by the exercise's solution and the same check again: a stub
must not be right, and a solution must be.
"""

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import nbclient
import nbformat

FOLDER = Path(__file__).resolve().parent
SECONDS = 600  # for one cell


def names() -> list[str]:
    """Returns the names of the notebooks, in teaching order."""
    return sorted(path.stem for path in FOLDER.glob("[0-9][0-9]_*.ipynb"))


def checked(code: str) -> list[str]:
    """Returns the names of the exercises that a cell checks."""
    return re.findall(r"^check\(\"([\w.]+)\"", code, re.MULTILINE)


def prepare(notebook: nbformat.NotebookNode, *, quick: bool = False, solutions: bool = False) -> list[str]:
    """Puts quick values and solutions into a notebook; returns the names of the exercises that it checks."""
    from workshop import exercises

    cells, names = [], []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type != "code":
            continue
        if quick and "parameters" in cell.metadata.get("tags", []):
            cells.append(nbformat.v4.new_code_cell(cell.metadata["quick"]))
        for name in checked(cell.source):
            names.append(name)
            if solutions:
                exercise = exercises.find(name)
                code = f"{exercise.solution.strip()}\n\n\ncheck({name!r}, {exercise.answer_name})"
                cells.append(nbformat.v4.new_code_cell(code, metadata={"solution_of": name}))
    notebook.cells = cells
    return names


def output_of(cell: nbformat.NotebookNode) -> str:
    """Returns the text that a cell printed."""
    return "".join(output.get("text", "") for output in cell.get("outputs", []) if output.output_type == "stream")


def faults(notebook: nbformat.NotebookNode) -> list[str]:
    """Returns what is wrong with the checks of a notebook that ran: a stub that is right, a solution that is not."""
    wrong = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        name = cell.metadata.get("solution_of")
        printed = output_of(cell)
        for exercise in [name] if name else checked(cell.source):
            verdict = "right" if name else "not yet"
            if f"{exercise}: {verdict}." not in printed:
                wrong.append(
                    f"{exercise}: the {'solution' if name else 'stub'} is not called {verdict!r}: {printed.strip()}"
                )
    return wrong


def run(name: str, *, quick: bool = False, solutions: bool = False, save: Path | None = None) -> list[str]:
    """Runs a notebook in an empty folder; returns what is wrong with it, nothing where all is well.

    Args:
        name: of the notebook.
        quick: with the quick values of its parameters.
        solutions: with each exercise's solution after its stub.
        save: the folder to keep the notebook in, with its outputs.
    """
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    prepare(notebook, quick=quick, solutions=solutions)
    with tempfile.TemporaryDirectory() as folder:
        client = nbclient.NotebookClient(
            notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": folder}}
        )
        try:
            client.execute()
        except nbclient.exceptions.CellExecutionError as error:
            return [str(error)]
        finally:
            if save is not None:
                save.mkdir(parents=True, exist_ok=True)
                nbformat.write(notebook, save / f"{name}.ipynb")
    return faults(notebook)


def processor_seconds() -> float:
    """Returns what the processes that this one started and saw end have computed, which other work does not prolong."""
    times = os.times()
    return times.children_user + times.children_system


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the notebooks that are named; returns 1 where one fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="notebooks to run, such as 14_mnist")
    parser.add_argument("--all", action="store_true", help="all of them")
    parser.add_argument("--quick", action="store_true", help="with the quick values of their parameters")
    parser.add_argument("--solutions", action="store_true", help="with each exercise's solution after its stub")
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="keep the notebooks with their outputs there")
    arguments = parser.parse_args(argv)
    chosen = names() if arguments.all else [Path(name).stem for name in arguments.names]
    unknown = [name for name in chosen if name not in names()]
    if unknown or not chosen:
        parser.error(f"got {' '.join(unknown) or 'no notebook'}, takes some of {', '.join(names())}")
    # A kernel finds the package that this script belongs to, and the command `python3` may be another Python.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(FOLDER.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    failed = 0
    for name in chosen:
        start, computed = time.perf_counter(), processor_seconds()
        wrong = run(name, quick=arguments.quick, solutions=arguments.solutions, save=arguments.save)
        seconds = f"{time.perf_counter() - start:.0f} s, {processor_seconds() - computed:.0f} of the processor"
        print(f"{name}: {seconds}, {'; '.join(wrong) or 'all cells ran'}", flush=True)
        failed += bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

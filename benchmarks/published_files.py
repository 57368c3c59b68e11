"""Files that other people published, tried as a student would: how many are used, refused and why, or used wrongly.

    python -m benchmarks.published_files ../shared/cases
    python -m benchmarks.published_files ../shared/cases --kind models scalers      # some kinds
    python -m benchmarks.published_files ../shared/cases --list                     # a line for every file

The folder holds tables/*.csv, h5/*.h5, scalers/*, pictures/ with labels.tsv, and hunt/, small inputs for known faults.
A file counts as

    used      the lesson or the program ended, and the result is right where the right one is known
    refused   it ended with one line on stderr and exit code 2
    unsure    an image: the wrong digit, with a certainty below 95 %
    wrong     the result is not the right one
    failed    anything else: a traceback is one

Right is, for a model, what the Keras that wrote it predicted (an .npz beside it), else what Keras predicts where it
opens the file by itself (to 1e-5); for an image its label; for a folder of photographs the two classes cats and dogs;
for a table a network that is not far worse than the linear model of the same rows.
"""

import argparse
import collections
import contextlib
import csv
import io
import json
import os
import re
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import measure
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.saving.loaded import Bundle

CERTAIN = 95.0  # %: from here up a wrong digit counts as wrong
FAR = 1.0  # by how much a table's R2 may be below that of the linear model
FAR_ACCURACY = 0.3
TOLERANCE = 1e-5
STATES = ("used", "refused", "unsure", "wrong", "failed")


class Outcome(NamedTuple):
    """The result for one file.

    Attributes:
        name: of the file, below the folder.
        state: one of `STATES`.
        message: the line of the refusal, or what is wrong.
    """

    name: str
    state: str
    message: str


class Run(NamedTuple):
    """One run of a lesson or a program within this process.

    Attributes:
        state: "used", "refused" or "failed".
        message: the line on stderr, or the last line of the traceback.
        output: what it printed.
        returned: by its `main`.
    """

    state: str
    message: str
    output: str
    returned: Any


def run(main: Callable[[Sequence[str]], Any], *argv: object) -> Run:
    """Runs a `main` as the command line would; nothing that it raises passes."""
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            returned = main([str(argument) for argument in argv])
        except WorkshopError as error:
            return Run("refused", str(error), output.getvalue(), None)
        except SystemExit as stopped:
            lines = [line for line in errors.getvalue().splitlines() if line.startswith("error: ")]
            if stopped.code == 2 and len(lines) == 1:
                return Run("refused", lines[0].removeprefix("error: "), output.getvalue(), None)
            return Run("failed", f"exit code {stopped.code}: {one_line(errors.getvalue())}", output.getvalue(), None)
        except Exception as error:
            text = "".join(traceback.format_exception_only(error))
            return Run("failed", one_line(text), output.getvalue(), None)
    return Run("used", "", output.getvalue(), returned)


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """Changes into an empty folder, so that a run's files lie in it, and removes it at the end."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        try:
            yield Path(name)
        finally:
            os.chdir(before)


def try_table(path: Path) -> tuple[str, str]:
    """Trains on a table."""
    from workshop import tables

    with own_folder():
        done = run(tables.main, "--data", path, "--quick", "--no-plots")
    if done.state != "used":
        return done.state, done.message
    found: dict[str, float] = done.returned
    for measured, far in (("test_r2", FAR), ("test_accuracy", FAR_ACCURACY)):
        network, linear = (found.get(f"{kind}_{measured}") for kind in ("network", "linear"))
        if network is not None and linear is not None and network < min(linear, 0.9) - far and network < 0:
            return "wrong", f"{measured} {network:.2f}, that of the linear model {linear:.2f}"
    return "used", ""


def given_answers(path: Path, shapes: Sequence[Sequence[int | None]]) -> tuple[Any, Any]:
    """Returns inputs and right outputs of a model: recorded beside it, or what Keras predicts.

    Args:
        path: the file.
        shapes: of one sample, for each input.

    Returns:
        The inputs, of several inputs a list, and the outputs; no outputs where the right ones are not known.
    """
    from workshop.kit.lazy import keras

    recorded = path.with_suffix(".npz")
    if recorded.exists():
        arrays = np.load(recorded, allow_pickle=False)
        return arrays["X"], arrays["y"]
    content = path.read_bytes()
    inputs = [random_inputs(shape, are_indices=b'"Embedding"' in content) for shape in shapes]
    X = inputs[0] if len(inputs) == 1 else inputs
    if b"hard_sigmoid" in content:  # its slope is another one in Keras 3
        return X, None
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
        return X, model.predict(X, verbose=0)
    except Exception:  # Keras raises whatever an old configuration leads it to, and takes some inputs for others
        return X, None


def random_inputs(shape: Sequence[int | None], are_indices: bool) -> np.ndarray:
    """Returns two samples of a shape; an axis of any length has 12."""
    random = np.random.default_rng(1)
    lengths = [2, *(length or 12 for length in shape)]
    if are_indices:
        return random.integers(0, 5, lengths).astype(np.float32)
    return random.random(lengths, np.float32)


def try_model(path: Path) -> tuple[str, str]:
    """Opens a model with Keras and with the NumPy engine, and compares what they predict."""
    from workshop.programs import engines

    opened: dict[str, Bundle] = {}
    refusals: dict[str, str] = {}
    for engine in ("keras", "numpy"):
        try:
            opened[engine] = engines.load(path, ["mnist"], engine)
        except WorkshopError as error:
            refusals[engine] = str(error)
        except Exception as error:
            return "failed", f"{engine}: {one_line(''.join(traceback.format_exception_only(error)))}"
    if not opened:
        return "refused", refusals["keras"]
    first: Any = next(iter(opened.values())).model  # Keras', where it opened the file
    shapes = [first.input_shape] if first.input_shape else [one.shape[1:] for one in first.keras.inputs]
    X, y = given_answers(path, shapes)
    answers = [y] if y is not None else []
    for engine, loaded in opened.items():
        predicted = loaded.model.predict(X)
        if answers and not is_near(predicted, answers[0]):
            return "wrong", f"{engine} predicts something else"
        answers.append(predicted)
    compared = "equal" if y is not None else "equal to each other" if len(opened) == 2 else "nothing to compare with"
    return "used", f"{' and '.join(opened)}, {compared}"


def is_near(outputs: Any, expected: Any) -> bool:
    """Returns whether outputs, one array or a list of them, are the expected ones."""
    if isinstance(expected, list | tuple):
        return all(is_near(*pair) for pair in zip(outputs, expected, strict=True))
    outputs, expected = np.asarray(outputs), np.asarray(expected)
    largest = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    return outputs.shape == expected.shape and bool(np.abs(outputs - expected).max() <= largest)


def try_scaler(path: Path) -> tuple[str, str]:
    """Reads a scaler and scales a row by it."""
    from workshop.kit.saving import unpickling

    try:
        scaler = unpickling.load_scaler(path.read_bytes(), path)
        scaler.transform(np.ones((1, scaler.n_features_in_)))
    except WorkshopError as error:
        return "refused", str(error)
    except Exception as error:
        return "failed", one_line("".join(traceback.format_exception_only(error)))
    return "used", ""


def try_scaled_model(path: Path) -> tuple[str, str]:
    """Predicts with a model whose scaler lies beside it."""
    from apps import admission

    done = run(admission.main, "--model", path, 45, 85)
    return done.state, done.message


def try_digit(path: Path, label: str) -> tuple[str, str]:
    """Names the digit in an image."""
    from apps import digit

    done = run(digit.main, path)
    if done.state != "used":
        return done.state, done.message
    found = re.search(r": (\d) \(([\d.]+) %\)", done.output)
    if found is None:
        return "failed", done.output
    predicted, certainty = found[1], float(found[2])
    if predicted == label:
        return "used", "certain" if certainty >= CERTAIN else ""
    return "wrong" if certainty >= CERTAIN else "unsure", f"{predicted} at {certainty} %, it is {label}"


def try_photos(folder: Path) -> tuple[str, str]:
    """Trains on a folder of cats and dogs, twice: the second run finds the first one's files in it."""
    from workshop import cats_vs_dogs

    with own_folder() as own:
        copy = own / "photos"
        shutil.copytree(folder, copy)
        copy.chmod(0o755)
        os.chdir(copy)
        for _ in range(2):
            done = run(cats_vs_dogs.main, "--data", ".", "--quick")
            if done.state != "used":
                return done.state, done.message
        classes: list[str] = []
        for card in (copy / "models").glob("*.json"):
            classes = json.loads(card.read_text("utf-8"))["classes"]
    expected = [["cat", "dog"], ["cats", "dogs"]]
    return ("used", "") if [name.lower() for name in classes] in expected else ("wrong", f"classes {classes}")


def try_series(path: Path) -> tuple[str, str]:
    """Trains on a series."""
    from workshop import forecasting

    with own_folder():
        done = run(forecasting.main, "--data", path, "--quick", "--no-plots")
    return done.state, done.message


def try_text(path: Path) -> tuple[str, str]:
    """Trains on a text, and lets the console program continue one of its own lines."""
    from apps import write
    from workshop import text_generation

    with own_folder():
        done = run(text_generation.main, "--data", path, "--quick")
        if done.state == "used":
            model = next(Path("models").glob("*.h5"))
            done = run(write.main, "--model", model, path.read_text("utf-8").split("\n")[0][:20])
    return done.state, done.message


def cases(folder: Path, kind: str) -> Iterator[tuple[Path, Callable[[], tuple[str, str]]]]:
    """Yields the files of a kind, each with the function that tries it."""
    hunt = folder / "hunt"
    if kind == "tables":
        for place in (folder / "tables", *(hunt / name for name in ("csv", "csv2", "mpg_like", "dollar_names"))):
            for path in sorted(place.glob("*.csv")):
                yield path, partial(try_table, path)
    elif kind == "models":
        for path in sorted([*(folder / "h5").glob("*.h*5"), *(hunt / "h5_keras2").glob("*.h5")]):
            yield path, partial(try_model, path)
    elif kind == "scalers":
        for path in sorted((folder / "scalers").iterdir()):
            yield path, partial(try_scaler, path)
        for path in sorted((hunt / "scalers").glob("*.h5")):
            yield path, partial(try_scaled_model, path)
    elif kind == "images":
        with (folder / "pictures" / "labels.tsv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                path = folder / "pictures" / row["file"]
                yield path, partial(try_digit, path, row["label"])
        for path in sorted((hunt / "pictures").glob("*/*.*")):
            yield path, partial(try_digit, path, path.name[0])
    elif kind == "photos":
        for place in sorted((hunt / "folders").iterdir()):
            yield place, partial(try_photos, place)
    elif kind == "series":
        for path in sorted((hunt / "series").glob("*.csv")):
            yield path, partial(try_series, path)
    elif kind == "texts":
        for path in sorted(hunt.glob("text_*/*.txt")):
            yield path, partial(try_text, path)


KINDS = ("tables", "scalers", "models", "images", "photos", "series", "texts")


def main(argv: Sequence[str] | None = None) -> int:
    """Prints a row for each kind and the reasons of what is not used; returns 1 where something is wrong or failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="with the files")
    parser.add_argument("--kind", nargs="+", choices=KINDS, default=KINDS, help="(default: all)")
    parser.add_argument("--list", action="store_true", help="print a line for every file, as it ends")
    arguments = parser.parse_args(argv)
    folder = arguments.folder.resolve()
    print(measure.machine())
    rows, others = [], []
    for kind in arguments.kind:
        counts: collections.Counter[str] = collections.Counter()
        for path, attempt in cases(folder, kind):
            outcome = Outcome(str(path.relative_to(folder)), *attempt())
            counts[outcome.state] += 1
            if outcome.state != "used":
                others.append(outcome)
            print(f"\r{kind}: {counts.total()}", end="", file=sys.stderr, flush=True)
            if arguments.list:
                print(f"{outcome.state:8}{outcome.name}: {outcome.message}", flush=True)
        print(file=sys.stderr)
        rows.append([kind, counts.total(), *(counts[state] for state in STATES)])
    print(measure.markdown(["kind", "files", *STATES], rows))
    for outcome in others:
        print(f"{outcome.state}: {outcome.name}: {outcome.message}")
    return 1 if any(outcome.state in ("wrong", "failed") for outcome in others) else 0


if __name__ == "__main__":
    sys.exit(main())

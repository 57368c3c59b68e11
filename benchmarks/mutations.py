"""Mutation testing: the share of random single changes to the code that the tests catch.

    python -m benchmarks.mutations --count 60 --seed 1
    python -m benchmarks.mutations --count 6 --under workshop/scratch/nn    # files of one folder only
    python -m benchmarks.mutations --count 60 --list                        # shows the changes, runs nothing
    python -m benchmarks.mutations --count 60 --all                         # the whole suite for those that survive

A change is one of these: another comparison or arithmetic operator, another number, a boolean or a `not` inverted, a
keyword argument dropped, None returned, a printed text in the other case. It is made in a copy of the tree, never in
the tree itself. There the tests run that import or name the changed module, then those that do so with a module that
imports it, then those of all lessons that bear the lesson's name, up to the first failure, and with --all the whole
suite. A test that fails without the change too is left out. What survives is not always a gap: some changes make no
difference that anyone could see.

The results are appended to a CSV file, and a later run skips what is in it: delete the file, or lines of it, to try
again. A change takes from seconds to minutes.
"""

import argparse
import ast
import copy
import csv
import importlib.util
import json
import os
import queue
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
UNDER = (
    "workshop/scratch",
    "workshop/pytorch",
    "workshop/kit/saving",
    "workshop/kit/data",
    "workshop/kit/training",
    "workshop/*.py",
    "apps",
    "workshop/programs",
)
CAUGHT, SURVIVED, UNDECIDED = "caught", "survived", "undecided"
LESSON_FOLDERS = ("workshop", "workshop/figures", "workshop/pytorch", "workshop/scratch")
LESSON_LOOP = re.compile(r"\bEACH_LESSON\b|\.name for \w+ in LESSONS\b")  # in tests of all lessons
TEST_SECONDS = 200  # for one test, after which it fails: an endless loop is caught

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
}
PRINTERS = {"print", "section", "format_table", "table"}  # functions whose texts a user reads


class Mutation(NamedTuple):
    """One change of one file.

    Attributes:
        path: of the file, from the root of the tree.
        start, end: of the replaced bytes.
        line: of the first of them, from 1.
        text: in their place.
        change: the same in words.
    """

    path: str
    start: int
    end: int
    line: int
    text: str
    change: str

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the CSV file that name a mutation."""
        return self.path, str(self.line), str(self.start), self.change


class Outcome(NamedTuple):
    """The result of the tests for one mutation: caught, survived or undecided, and by which test or why."""

    outcome: str
    detail: str


# --- Candidates -------------------------------------------------------------------------------------------------------


def mutable_nodes(parent: ast.AST, is_printed: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Yields the nodes below a node that may be changed, each with whether a function in PRINTERS gets it.

    Docstrings, annotations, `__all__`, the blocks of TYPE_CHECKING and `__name__`, and `strict=` of zip, which fails
    only where the code is wrong already, are left out. An f-string is one node: before Python 3.12 its parts have no
    reliable positions.
    """
    for child in ast.iter_child_nodes(parent):
        is_annotation = child in (getattr(parent, "annotation", None), getattr(parent, "returns", None))
        is_docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
        is_guard = isinstance(child, ast.If) and re.match(r"(\w+\.)?TYPE_CHECKING|__name__", ast.unparse(child.test))
        is_export = isinstance(child, ast.Assign) and ast.unparse(child.targets[0]) == "__all__"
        is_assertion = isinstance(child, ast.keyword) and child.arg == "strict"
        if is_annotation or is_docstring or is_guard or is_export or is_assertion:
            continue
        yield child, is_printed
        if not isinstance(child, ast.JoinedStr):
            is_print = isinstance(child, ast.Call) and called_name(child) in PRINTERS
            yield from mutable_nodes(child, (is_printed or is_print) and not isinstance(child, ast.Subscript))


def called_name(call: ast.Call) -> str:
    """Returns the last name of what is called: "print", or "section" of `report.section(...)`."""
    return ast.unparse(call.func).rpartition(".")[2]


def swap_case(node: ast.AST) -> bool:
    """Puts the letters of a string or an f-string's texts in the other case; returns whether there were any."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]  # a format like .4f is no text
    texts = [text for text in parts if isinstance(text, ast.Constant) and isinstance(text.value, str)]
    before = [text.value for text in texts]
    for text in texts:
        text.value = str(text.value).swapcase()
    return before != [text.value for text in texts]


def mutate(node: ast.AST, is_printed: bool, generator: random.Random) -> ast.AST | None:
    """Returns a changed copy of a node, or None where no change applies to it."""
    new = copy.deepcopy(node)
    match new:
        case ast.Compare():
            index = generator.randrange(len(new.ops))
            new.ops[index] = generator.choice(COMPARISONS[type(new.ops[index])])()
        case ast.BinOp() | ast.AugAssign() if type(new.op) in ARITHMETIC:
            new.op = ARITHMETIC[type(new.op)]()
        case ast.Constant(value=bool()):
            new.value = not new.value
        case ast.Constant(value=int() as number):
            new.value = number + generator.choice((1, -1))
        case ast.Constant(value=float() as number):
            new.value = number * 1.1 or 0.1
        case ast.Constant(value=str()) | ast.JoinedStr() if is_printed:
            return new if swap_case(new) else None
        case ast.UnaryOp(op=ast.Not()):
            return new.operand
        case ast.Call() if droppable := [keyword for keyword in new.keywords if keyword.arg not in (None, "strict")]:
            new.keywords.remove(generator.choice(droppable))
        case ast.Return(value=ast.expr()) if ast.unparse(new) != "return None":
            new.value = ast.Constant(None)
        case _:
            return None
    return new


def mutate_file(root: Path, path: str, generator: random.Random) -> Mutation | None:
    """Returns a random mutation of a file, or None where nothing in it can be changed."""
    source = (root / path).read_bytes()
    lines = source.splitlines(keepends=True)
    candidates = list(mutable_nodes(ast.parse(source)))
    generator.shuffle(candidates)
    for node, is_printed in candidates:
        new = mutate(node, is_printed, generator)
        if new is None or not isinstance(node, ast.expr | ast.stmt):
            continue
        try:
            text = ast.unparse(new)
        except ValueError:  # an f-string that ast.unparse cannot write, before Python 3.12
            continue
        assert node.end_lineno is not None and node.end_col_offset is not None
        start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
        end = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
        change = f"{shorten(ast.unparse(node))} -> {shorten(text)}"
        if isinstance(node, ast.Constant):
            change += f"  in  {shorten(lines[node.lineno - 1].decode())}"
        if isinstance(node, ast.expr):
            text = f"({text})"  # whatever stands around it
        return Mutation(path, start, end, node.lineno, text, change)
    return None


def shorten(text: str) -> str:
    """Returns a text in one line, the middle left out where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= 90 else f"{line[:50]} ... {line[-35:]}"


def python_files(root: Path, under: Sequence[str]) -> list[str]:
    """Returns the Python files of folders, files or patterns."""
    paths = [path for pattern in under for path in root.glob(pattern)]
    files = {file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py"))}
    return sorted(file.relative_to(root).as_posix() for file in files if file.suffix == ".py")


def sample(root: Path, under: Sequence[str], count: int, seed: int) -> list[Mutation]:
    """Returns random mutations of the files in turn, in random order, each at most once.

    Raises:
        SystemExit: there are no files.
    """
    generator = random.Random(seed)
    paths = [path for path in python_files(root, under) if not path.endswith("__init__.py")]
    if not paths:
        raise SystemExit(f"--under: no Python files at {', '.join(under)}")
    chosen: dict[tuple[str, ...], Mutation] = {}
    for _ in range(count):  # rounds: the first ends it where there are more files than mutations
        generator.shuffle(paths)
        for path in paths:
            mutation = mutate_file(root, path, generator)
            if mutation is not None and len(chosen) < count:
                chosen[mutation.key] = mutation
        if len(chosen) == count:
            break
    return list(chosen.values())


# --- Tests ------------------------------------------------------------------------------------------------------------


def is_mentioned(path: str, text: str) -> bool:
    """Returns whether a source text imports a module, or names it with its package ("nn.pooling", "apps.digit")."""
    package, _, name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".").rpartition(".")
    imported = rf"from {re.escape(package)} import (\([^)]*|[^\n(]*)\b{name}\b"
    return bool(re.search(rf"\b{package.rpartition('.')[2]}\.{name}\b|{imported}", text))


def find_tests(root: Path, path: str) -> list[list[str]]:
    """Returns the test files that mention a module, then those that mention a module which mentions it.

    Where there are none, it goes on along the imports; in the end, those in which its name occurs as a word. For a
    lesson, its mirrors and its figures there follow the tests that run over all lessons. The first list holds the
    nearest.
    """
    tests = {test.relative_to(root).as_posix(): test.read_text() for test in sorted(root.glob("tests/**/test_*.py"))}
    modules = {file: (root / file).read_text() for file in python_files(root, ("workshop", "apps"))}
    stages: list[list[str]] = []
    visited, level = set(), {path}
    for distance in range(len(modules)):
        if not level or (stages and distance > 1):
            break
        earlier = {test for stage in stages for test in stage}
        found = {test for test, text in tests.items() if any(is_mentioned(file, text) for file in level)}
        if found - earlier:
            stages.append(sorted(found - earlier))
        visited |= level
        importers = {file for file, text in modules.items() if any(is_mentioned(other, text) for other in level)}
        level = importers - visited
    name = Path(path).stem
    stages = stages or [[test for test, text in tests.items() if re.search(rf"\b{name}\b", text)]]
    is_lesson = (root / "workshop" / f"{name}.py").exists() and not name.startswith("__")
    if is_lesson and Path(path).parent.as_posix() in LESSON_FOLDERS:
        earlier = {test for stage in stages for test in stage}
        looping = sorted(test for test, text in tests.items() if test not in earlier and LESSON_LOOP.search(text))
        stages += [[*looping, select_lesson(root, name)]] if looping else []
    return stages


def select_lesson(root: Path, lesson: str) -> str:
    """Returns pytest's option for the tests whose parameters bear the name of a lesson or of its models that ship."""
    cards = {card.stem: json.loads(card.read_text(encoding="utf-8")) for card in sorted(root.glob("models/*.json"))}
    models = [name for name, card in cards.items() if card["lesson"] == lesson and lesson not in name]
    return f"-k={' or '.join([lesson, *models])}"


def copy_tree(source: Path, target: Path) -> None:
    """Copies a tree without its repository, its environments, caches and plots."""
    caches = {".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "__pycache__"}
    outputs = {"plots", "build", "dist"}  # at the top level alone: the package has a folder of this name

    def ignored(folder: str, names: list[str]) -> set[str]:
        return caches | outputs if Path(folder) == source else caches

    shutil.copytree(source, target, ignore=ignored)


def run_tests(tree: Path, tests: Sequence[str], limit: float, broken: Collection[str] = ()) -> Outcome:
    """Runs test files or single tests, or the whole suite for an empty sequence, in a copy of the tree.

    Args:
        tree: the copy.
        tests: by their paths or pytest's identifiers, and options of pytest's.
        limit: in seconds, for all of them.
        broken: tests that are left out.
    """
    options = ["-q", "-x", "-p", "no:cacheprovider", f"--timeout={TEST_SECONDS}", *(["-n", "0"] if tests else [])]
    options += [f"--deselect={test}" if "::" in test else f"--ignore={test}" for test in broken]
    kept = [test for test in tests if test not in broken]
    if tests and all(test.startswith("-") for test in kept):
        return Outcome(SURVIVED, "")
    command = [sys.executable, "-m", "pytest", *options, *kept]
    try:
        done = subprocess.run(
            command,
            cwd=tree,
            env=os.environ | {"PYTHONPATH": str(tree)},  # before the checkout that the environment has installed
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return Outcome(UNDECIDED, f"no result within {limit:.0f} s")
    if done.returncode == 0:
        return Outcome(SURVIVED, "")
    failed = re.search(r"^(?:FAILED|ERROR) (tests/.+?)(?: - .*)?$", done.stdout, re.MULTILINE)
    if failed:
        return Outcome(CAUGHT, failed[1])
    if done.returncode == 5:  # pytest's code for no tests: they are all left out here
        return Outcome(SURVIVED, "")
    last = " ".join([*done.stdout.splitlines()[-3:], *done.stderr.splitlines()[-1:]])
    message = f"pytest ended with {done.returncode}: {shorten(last)}"
    return Outcome(UNDECIDED if done.returncode == 4 else CAUGHT, message)  # 4 is for wrong options


def try_mutation(tree: Path, mutation: Mutation, broken: set[str], *, whole_suite: bool, limit: float) -> Outcome:
    """Changes a file in a copy of the tree, runs the tests, and changes it back.

    Args:
        tree: the copy.
        mutation: of one of its files.
        broken: tests that fail without a change; those found to do so are added.
        whole_suite: whether it runs where the module's own tests pass.
        limit: in seconds, for each group of tests.
    """
    file = tree / mutation.path
    source = file.read_bytes()
    stages = [tests for tests in find_tests(tree, mutation.path) if tests]
    if whole_suite or not stages:
        stages.append([])
    while stages:
        write(file, source[: mutation.start] + mutation.text.encode() + source[mutation.end :])
        try:
            outcome = run_tests(tree, stages[0], limit if stages[0] else 4 * limit, broken)
        finally:
            write(file, source)
        if outcome.outcome == SURVIVED:
            stages.pop(0)
        elif is_broken(tree, outcome, limit):  # the same tests again, without this one
            broken.add(outcome.detail)
        else:
            return outcome
    return Outcome(SURVIVED, "")


def is_broken(tree: Path, outcome: Outcome, limit: float) -> bool:
    """Returns whether the test that caught a mutation fails without it too."""
    if outcome.outcome != CAUGHT or not outcome.detail.startswith("tests/"):
        return False
    return run_tests(tree, [outcome.detail], limit).outcome != SURVIVED


def write(file: Path, content: bytes) -> None:
    """Writes a module and removes its compiled form, which Python takes for current if size and second are the same."""
    file.write_bytes(content)
    Path(importlib.util.cache_from_source(file)).unlink(missing_ok=True)


# --- The command ------------------------------------------------------------------------------------------------------


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Returns the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=60, help="number of mutations (default: 60)")
    parser.add_argument("--seed", type=int, default=1, help="random seed of the sample (default: 1)")
    parser.add_argument(
        "--under",
        nargs="+",
        default=list(UNDER),
        metavar="PATH",
        help=f"folders, files or patterns to change, from the root of the tree (default: {' '.join(UNDER)})",
    )
    parser.add_argument("--all", action="store_true", help="run the whole suite where the module's own tests pass")
    parser.add_argument("--list", action="store_true", help="show the sample and the tests, run nothing")
    parser.add_argument("--jobs", type=int, default=1, help="mutations at a time, each in a copy (default: 1)")
    parser.add_argument(
        "--limit",
        type=float,
        default=900,
        help="seconds for each group of tests, four times that for the whole suite",
    )
    parser.add_argument(
        "--results", type=Path, default=ROOT / "build" / "mutations.csv", help="CSV file (default: build/mutations.csv)"
    )
    options = parser.parse_args(argv)
    if options.count < 1 or options.jobs < 1:
        parser.error("--count and --jobs take a number from 1 up")
    return options


def read_results(path: Path) -> dict[tuple[str, ...], Outcome]:
    """Returns the outcomes in a CSV file by their mutations' keys; those without a result are to be tried again."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        rows = [row for row in csv.reader(file) if len(row) == 7]
    return {tuple(row[:4]): Outcome(*row[4:6]) for row in rows if row[4] in (CAUGHT, SURVIVED)}


def append_result(path: Path, mutation: Mutation, outcome: Outcome, seconds: float) -> None:
    """Appends a line to a CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(["path", "line", "start", "change", "outcome", "detail", "seconds"])
        writer.writerow([*mutation.key, *outcome, f"{seconds:.0f}"])


def describe(mutation: Mutation, outcome: Outcome) -> str:
    """Returns the line of a mutation and its outcome."""
    verdict = {CAUGHT: "caught by", SURVIVED: "SURVIVED", UNDECIDED: "undecided:"}[outcome.outcome]
    return f"{mutation.path}:{mutation.line}  {mutation.change}  {verdict} {outcome.detail}".rstrip()


def main(argv: Sequence[str] | None = None) -> None:
    """Draws the sample, runs the tests and prints."""
    options = parse(argv)
    mutations = sample(ROOT, options.under, options.count, options.seed)
    if options.list:
        for mutation in mutations:
            tests = [test for stage in find_tests(ROOT, mutation.path) for test in stage]
            print(f"{mutation.path}:{mutation.line}  {mutation.change}  [{' '.join(tests) or 'the whole suite'}]")
        return
    outcomes = read_results(options.results)
    broken: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        trees: queue.Queue[Path] = queue.Queue()
        for job in range(options.jobs):
            copy_tree(ROOT, Path(folder) / str(job))
            trees.put(Path(folder) / str(job))

        def run(mutation: Mutation) -> tuple[Mutation, Outcome]:
            if mutation.key not in outcomes:
                tree, started = trees.get(), time.perf_counter()
                outcome = try_mutation(tree, mutation, broken, whole_suite=options.all, limit=options.limit)
                append_result(options.results, mutation, outcome, time.perf_counter() - started)
                trees.put(tree)
                return mutation, outcome
            return mutation, outcomes[mutation.key]

        results = []
        with ThreadPoolExecutor(options.jobs) as pool:
            for mutation, outcome in pool.map(run, mutations):
                print(describe(mutation, outcome), flush=True)
                results.append(outcome.outcome)
    undecided = results.count(UNDECIDED)
    print(f"{results.count(CAUGHT)} of {len(results) - undecided} caught", end="")
    print(f"; {undecided} undecided" if undecided else "")
    for test in sorted(broken):
        print(f"left out, because it fails without a change: {test}")


if __name__ == "__main__":
    main()

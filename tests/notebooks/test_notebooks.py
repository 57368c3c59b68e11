"""The notebooks: made from their sources, one for every lesson, and each runs from its first cell to its last.

Each runs with the quick values of its parameters and without a network. Behind each "your turn" its solution is put in:
the stub must be called not yet, and the solution right.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jupytext
import nbformat
import pytest
from helpers.engines import ONE_THREAD
from helpers.lesson_runs import IN_PYTORCH, without_published_data

import workshop
from workshop import LESSONS, exercises

ROOT = Path(workshop.__file__).parents[1]
FOLDER = ROOT / "notebooks"
SOURCES = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
NAMES = [source.stem for source in SOURCES]
LESSON_NOTEBOOKS = [name for name in NAMES if name[3:] in {lesson.name for lesson in LESSONS}]
FAST = ("14_mnist",)  # the others run with -m slow
ACTING = {lesson.name for lesson in LESSONS if lesson.acts}
EACH_NOTEBOOK = pytest.mark.parametrize("name", NAMES)
MAX_SECONDS = 60  # of a notebook, with the quick values
MAX_LINES = 20  # of a cell of code, its longest function apart


def read(name: str) -> nbformat.NotebookNode:
    """Returns a notebook from its source."""
    return jupytext.read(FOLDER / f"{name}.py", fmt="py:percent")


def read_texts(name: str) -> list[str]:
    """Returns the lines of a notebook's cells of text."""
    return [line for cell in read(name).cells if cell.cell_type == "markdown" for line in cell.source.splitlines()]


def code(name: str) -> list[str]:
    """Returns the cells of Python; one that runs a command is none."""
    cells = [cell.source for cell in read(name).cells if cell.cell_type == "code"]
    return [source for source in cells if not source.startswith("!")]


def checks(name: str) -> list[tuple[str, str]]:
    """Returns the exercises that a notebook checks, each with the name of the answer."""
    found = [re.fullmatch(r'check\("([\w.]+)", (\w+)\)', source) for source in code(name)]
    return [(match[1], match[2]) for match in found if match]


def words(text: str) -> str:
    """Returns a text without its line breaks."""
    return " ".join(text.split())


def test_every_lesson_has_a_notebook_in_teaching_order() -> None:
    assert [name[3:] for name in LESSON_NOTEBOOKS] == [lesson.name for lesson in LESSONS]
    assert [int(name[:2]) for name in NAMES] == list(range(len(NAMES)))
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(NAMES)


def test_the_timetable_names_parts_that_the_notebooks_have() -> None:
    page = (FOLDER / "README.md").read_text("utf-8")
    for name, text in re.findall(r"`(\d\d_\w+)`([^`;|]*)", page):
        titles = {line.lstrip("# ") for line in read_texts(name) if line.startswith("#")}
        for part in re.findall(r"\*([^*]+)\*", text):
            assert any(title.startswith(part) for title in titles), (name, part)


def test_the_notebooks_are_what_their_sources_make() -> None:
    made = subprocess.run([sys.executable, FOLDER / "make.py", "--check"], capture_output=True, text=True)
    assert (made.returncode, made.stdout) == (0, ""), made.stdout + made.stderr


def test_an_address_of_ones_own_is_put_into_every_notebook(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "notebooks", ignore=shutil.ignore_patterns("images", "__pycache__"))
    shutil.copy(ROOT / "README.md", tmp_path)
    make = [sys.executable, str(tmp_path / "notebooks" / "make.py")]
    subprocess.run([*make, "--address", "ana/her-copy"], check=True, capture_output=True)
    for path in [tmp_path / "README.md", *(tmp_path / "notebooks").glob("*.ipynb")]:
        text = path.read_text("utf-8")
        assert "google.com/github/ana/her-copy/blob/" in text
        assert ("git+https://github.com/ana/her-copy" in text) == (path.suffix == ".ipynb")
        assert "OWNER" not in text
    assert subprocess.run([*make, "--check"], capture_output=True).returncode == 0
    refused = subprocess.run([*make, "--address", "https://elsewhere"], capture_output=True, text=True)
    assert refused.returncode == 2 and "takes OWNER/REPOSITORY" in refused.stderr


def test_the_instructors_page_names_every_notebook_as_it_is_numbered() -> None:
    page = (FOLDER / "README.md").read_text("utf-8")
    named = {text.split()[0] for text in re.findall(r"`(\d\d[^`]*)`", page)}
    assert named == set(NAMES)
    named_exercises = set(re.findall(r"`([a-z_]+\.\d+)`", page))
    assert named_exercises <= set(exercises.names())
    days = page.split("\n| day ")[1:]
    minutes = [[int(row) for row in re.findall(r"^\|[^|]+\| (\d+) \|", day, re.MULTILINE)] for day in days]
    assert minutes == [[5, 5, 5, 5, 5, 5, 35, 25, 5], [5, 15, 15, 10, 10, 20]]
    assert f"That is {sum(minutes[0])} and {sum(minutes[1])} minutes" in page


def test_the_front_pages_images_are_there_and_small() -> None:
    shown = re.findall(r"!\[.+?\]\((?!http)(.+?)\)", (ROOT / "README.md").read_text("utf-8"))
    assert len(shown) == 6
    for name in shown:
        assert 0 < (ROOT / name).stat().st_size < 250_000


@EACH_NOTEBOOK
def test_a_notebook_is_valid_and_holds_no_output(name: str) -> None:
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None


@EACH_NOTEBOOK
def test_a_notebook_begins_in_the_same_way(name: str) -> None:
    title, install = read(name).cells[:2]
    assert title.source.startswith("# ")
    address = re.search(
        r"https://colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)/blob/main/(.*?)\)", title.source
    )
    assert address is not None and address[2] == f"notebooks/{name}.ipynb"
    assert install.source == code("14_mnist")[0]
    assert f"git+https://github.com/{address[1]}" in install.source


@EACH_NOTEBOOK
def test_a_cell_holds_one_idea(name: str) -> None:
    for source in code(name)[1:]:
        functions = [node for node in ast.parse(source).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
        longest = max((node.end_lineno or 0) - node.lineno + 1 for node in functions) if functions else 0
        assert len(source.splitlines()) - longest <= MAX_LINES, source
    # Nothing stands between a student and the library: no lesson does the work.
    lessons = {f"workshop.{lesson.name}" for lesson in LESSONS}
    for source in code(name):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom):
                assert node.module not in lessons
                assert node.module != "workshop" or {alias.name for alias in node.names} == {"notebook"}
            elif isinstance(node, ast.Import):
                assert not {alias.name for alias in node.names} & lessons


@pytest.mark.parametrize("name", LESSON_NOTEBOOKS)
def test_a_notebook_asks_its_lessons_exercises(name: str) -> None:
    checked = checks(name)
    of_lesson = exercises.of_lesson(name[3:])
    assert [exercise for exercise, _ in checked] == [exercise.name for exercise in of_lesson]
    text = words(" ".join(cell.source for cell in read(name).cells if cell.cell_type == "markdown"))
    for exercise, (_, answer) in zip(of_lesson, checked, strict=True):
        assert answer == exercise.answer_name
        assert exercise.stub.strip() in code(name)
        assert words(exercise.task) in text, exercise.name
        assert exercise.solution.strip() not in "\n".join(code(name))


@pytest.mark.parametrize(
    "name",
    [lesson.name for lesson in LESSONS if lesson.trains and lesson.name not in IN_PYTORCH],
)
def test_a_lesson_that_trains_shows_keras_in_its_notebook(name: str) -> None:
    source = "\n".join(code(next(notebook for notebook in NAMES if notebook[3:] == name)))
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    made = [(ast.unparse(call.func).rpartition(".")[2], call.keywords) for call in calls]
    methods = {method for method, _ in made}
    assert {"compile", "predict", "save"} <= methods and "keras." in source
    # A scaler has a `fit` too, without epochs.
    is_fitted = any(method == "fit" and "epochs" in [option.arg for option in options] for method, options in made)
    assert "train_on_batch" in methods if name in ACTING else is_fitted
    assert "evaluate" in methods or name in {*ACTING, "gan"}  # a policy and a generator have no loss to be judged by
    assert "Scaler()" not in source or "joblib.dump(" in source  # a model is useless without its scaler


@pytest.fixture(scope="module")
def printed_by(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], str]]:
    """Runs the notebooks that are asked for, one after the other, each in a kernel of its own.

    Returns a function that waits for a notebook and returns what was printed of it.
    """
    names = [item.callspec.params["name"] for item in request.session.items if is_run(item)]  # type: ignore[attr-defined]
    printed = tmp_path_factory.mktemp("notebooks") / "printed.txt"
    command = [sys.executable, str(FOLDER / "run.py"), *names, "--quick", "--solutions"]
    with without_published_data(printed.parent), printed.open("w") as output:
        # Warnings are the kernel's own matter; nbclient's and zmq's come from other versions than ours.
        environment = os.environ | ONE_THREAD | {"PYTHONWARNINGS": "", "HTTPS_PROXY": "http://127.0.0.1:9"}
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)

    def wait(name: str) -> str:
        while f"\n{name}: " not in "\n" + printed.read_text() and process.poll() is None:
            time.sleep(0.1)
        text = printed.read_text()
        found = re.search(rf"^{name}: (.*?)(?=^\d\d_\w+: |\Z)", text, re.DOTALL | re.MULTILINE)
        return found[1] if found else text

    yield wait
    process.kill()
    process.wait()


def is_run(item: pytest.Item) -> bool:
    """Returns whether a test waits for a notebook to run."""
    return item.path == Path(__file__) and "printed_by" in getattr(item, "fixturenames", ())


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FAST else [pytest.mark.slow]) for name in NAMES]
)
def test_a_notebook_runs_and_its_solutions_are_right(name: str, printed_by: Callable[[str], str]) -> None:
    text = printed_by(name)
    ran = re.fullmatch(r"\d+ s, (\d+) of the processor, all cells ran\n", text)
    assert ran, text
    assert int(ran[1]) < MAX_SECONDS


def test_a_notebook_with_a_wrong_solution_is_caught(tmp_path: Path) -> None:
    """The runner itself: a stub that counts as right, a cell that fails."""
    sys.path.insert(0, str(FOLDER))
    try:
        import run as runner
    finally:
        sys.path.remove(str(FOLDER))
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("weights = ..."), nbformat.v4.new_code_cell('check("mnist.1", weights)')]
    )
    assert runner.prepare(notebook, solutions=True) == ["mnist.1"]
    says = {"output_type": "stream", "name": "stdout", "text": "mnist.1: right."}
    notebook.cells[1].outputs = [nbformat.from_dict(says)]
    notebook.cells[2].outputs = [nbformat.from_dict(says | {"text": "mnist.1: not yet."})]
    assert [fault.partition(" is ")[0] for fault in runner.faults(notebook)] == [
        "mnist.1: the stub",
        "mnist.1: the solution",
    ]

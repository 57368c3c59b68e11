"""The house: imports point one way, lessons show their training, and a room of the kit has more than one user."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from helpers.lesson_runs import IN_PYTORCH

import workshop
from workshop import LESSONS

ROOT = Path(workshop.__file__).parents[1]
TRAINING = [lesson.name for lesson in LESSONS if lesson.trains]
ALL = [lesson.name for lesson in LESSONS]
TORCH = [lesson.name for lesson in LESSONS if "torch" in lesson.mirrors]
NUMPY = [lesson.name for lesson in LESSONS if "numpy" in lesson.mirrors]
ACTING = {lesson.name for lesson in LESSONS if lesson.acts}
KITS = ("workshop.kit.", "workshop.pytorch.kit.", "workshop.scratch.nn.")
NOTEBOOK_FILES = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.py"))
# Calls, as patterns of what stands before the parenthesis. A scaler has a `fit` too, and a schedule a `step`.
COMPILED = r"(?!re\.).*\.compile"
FITTED = r"(model|gan)\.fit|training\.fit_table"
EVALUATED = r".*\.evaluate"
LOGGED = r"training\.tensorboard|keras\.callbacks\.TensorBoard"
LOOP = (r".*\.zero_grad", r".*\.backward", r".*optimizer\.step|scaler\.step")  # of PyTorch

# What one lesson needs is the lesson's. These are its notebook's as well, which may not import a lesson.
SHARED_WITH_A_NOTEBOOK = {
    "workshop.kit.environments.blackjack",
    "workshop.kit.environments.cliff",
    "workshop.pytorch.kit.resnet",
}

# From the ground up: a module imports from its own room, and from those that stand before it.
ROOMS = (
    ("workshop.kit.shadows",),
    ("workshop", "workshop.kit"),
    ("workshop.kit.errors",),
    ("workshop.kit.files", "workshop.kit.lazy", "workshop.kit.processes", "workshop.kit.versions"),
    ("workshop.kit.bands", "workshop.kit.device", "workshop.kit.metrics", "workshop.kit.plots", "workshop.kit.saving"),
    ("workshop.kit.cli",),
    ("workshop.kit.data", "workshop.kit.environments"),
    ("workshop.kit.photos",),
    ("workshop.kit.training",),
    ("workshop.kit.report",),
    ("workshop.kit.image_classifier", "workshop.kit.photo_classifier"),
    ("workshop.scratch.nn", "workshop.pytorch.kit"),
    ("workshop.scratch.autograd",),
    ("workshop.figures",),
    ("workshop.grid",),
    ("workshop.exercises.kit",),
    tuple(f"workshop.{lesson}" for lesson in ALL),
    ("workshop.pytorch", "workshop.scratch", "workshop.exercises"),
    ("workshop.programs",),
    ("apps", "workshop.doctor", "workshop.coach", "workshop.draw", "workshop.notebook", "workshop.pack"),
    ("workshop.__main__",),
)


# Dataclasses that are filled, or changed, after they are made. All others stay as they are: what a data set, a recipe
# or a table says is the same for everyone who is given it.
CHANGING = {
    "workshop.boltzmann": ["Machine", "RatingsMachine"],
    "workshop.exercises.kit.progress": ["Entry", "Progress"],
    "workshop.kit.photos.listing": ["Listing"],
    "workshop.kit.saving.architecture": ["Architecture"],
    "workshop.kit.saving.h5": ["_Node"],
    "workshop.kit.saving.hdf5.objects": ["Dataset", "Group"],
    "workshop.kit.saving.layer_specs": ["Layer"],
    "workshop.kit.saving.loaded": ["Bundle"],
    "workshop.kit.saving.upgrade": ["SavedModel"],
    "workshop.kit.saving.upgrade.weights": ["Array", "Weights"],
}


def name_of(path: Path) -> str:
    """Returns a module's dotted name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for folder in ("workshop", "apps") for path in sorted((ROOT / folder).rglob("*.py"))}


def room(module: str) -> tuple[int, str]:
    """Returns the height of a module's room, and the room: the longest name in `ROOMS` that the module begins with."""
    found = [
        (len(name), height, name)
        for height, names in enumerate(ROOMS)
        for name in names
        if module == name or module.startswith(name + ".")
    ]
    assert found, f"{module} is in no room"
    _, height, name = max(found)
    assert name not in ("workshop", "workshop.kit") or module == name, f"{module} is in no room"
    return height, name


def calls(module: str) -> set[str]:
    """Returns what a module calls, as it is written: "model.fit"."""
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def are_called(patterns: Iterable[str], module: str) -> None:
    """Fails where a module has no call of one of the patterns."""
    written = calls(module)
    for pattern in patterns:
        assert any(re.fullmatch(pattern, call) for call in written), f"{module} calls no {pattern}"


def imports(path: Path) -> Iterator[str]:
    """Yields the modules of this package that a file imports when it runs, also within its functions."""
    tree = ast.parse(path.read_text("utf-8"))
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


EDGES = {name: {target for target in imports(path) if target in MODULES} for name, path in MODULES.items()}
NOTEBOOKS = {path.stem: {target for target in imports(path) if target in MODULES} for path in NOTEBOOK_FILES}


def test_every_import_points_down() -> None:
    for source, targets in EDGES.items():
        height, own = room(source)
        for target in targets:
            other_height, other = room(target)
            is_lesson = own.removeprefix("workshop.") in ALL and other.removeprefix("workshop.") in ALL
            # A lesson may take a network from the lesson before it.
            may = other_height < height or own == other or (is_lesson and ALL.index(other[9:]) < ALL.index(own[9:]))
            assert may or (other_height == height and own.startswith("workshop.kit")), f"{source} imports {target}"


def test_no_imports_go_round() -> None:
    state: dict[str, str] = {}

    def visit(module: str, path: list[str]) -> None:
        assert state.get(module) != "open", f"a circle: {' > '.join([*path, module])}"
        if module not in state:
            state[module] = "open"
            for target in EDGES[module]:
                # A package's __init__ is its door: its own modules do not count as users of it.
                if target != module and not module.startswith(target + "."):
                    visit(target, [*path, module])
            state[module] = "done"

    for module in MODULES:
        visit(module, [])


def test_a_module_of_the_kit_has_more_than_one_user() -> None:
    users: dict[str, set[str]] = defaultdict(set)
    for source, targets in [*EDGES.items(), *NOTEBOOKS.items()]:
        for target in targets:
            users[target].add(source)
    of_one_lesson = set()
    for module in MODULES:
        if not module.startswith(KITS) or module.startswith("workshop.kit.data."):
            continue
        # The mirrors, the plots and the notebook of a lesson are that lesson; a module of the kit may bear its name.
        names = {user if user.startswith(KITS) else re.split(r"\.|^\d\d_", user)[-1] for user in users[module]}
        if len(names) == 1 and names <= {*ALL}:
            of_one_lesson.add(module)
    assert of_one_lesson == SHARED_WITH_A_NOTEBOOK


@pytest.mark.parametrize("lesson", TRAINING)
def test_a_lesson_shows_its_training(lesson: str) -> None:
    if lesson in IN_PYTORCH:
        are_called((*LOOP, "DataLoader", r"report\.save"), f"workshop.{lesson}")
        return
    shared = (COMPILED, r".*\.summary", r"report\.save", LOGGED)
    trained = (r".*\.train_on_batch",) if lesson in ACTING else (FITTED, EVALUATED)
    are_called((*shared, *trained), f"workshop.{lesson}")


def test_whatever_is_fitted_is_compiled_logged_and_evaluated() -> None:
    of_keras = [f"workshop.{lesson}" for lesson in ALL if lesson not in IN_PYTORCH]
    fitting = [module for module in of_keras if any(re.fullmatch(FITTED, call) for call in calls(module))]
    assert len(fitting) > len(LESSONS) / 2
    for module in fitting:
        are_called((COMPILED, EVALUATED, LOGGED), module)


@pytest.mark.parametrize("lesson", TORCH)
def test_a_pytorch_mirror_has_the_loop(lesson: str) -> None:
    are_called((*LOOP, *(() if lesson in ACTING else ("DataLoader",))), f"workshop.pytorch.{lesson}")


@pytest.mark.parametrize("lesson", NUMPY)
def test_a_numpy_mirror_has_the_loop(lesson: str) -> None:
    patterns = (r".*\.forward", r".*\.compute_loss", r".*\.backward", r"optimizer\.apply")
    are_called(patterns, f"workshop.scratch.{lesson}")


def test_what_stands_beside_a_mirror_is_a_mirror() -> None:
    for engine, lessons in (("pytorch", TORCH), ("scratch", NUMPY)):
        files = {path.stem for path in (ROOT / "workshop" / engine).glob("*.py")} - {"__init__"}
        assert files == set(lessons)
    for room_of_lessons in ("figures", "exercises"):
        assert {path.stem for path in (ROOT / "workshop" / room_of_lessons).glob("*.py")} - {"__init__"} <= set(ALL)


def test_what_is_not_meant_to_change_cannot_be_changed() -> None:
    changing = {}
    for module, path in MODULES.items():
        found = re.findall(r"^@dataclass(.*)\nclass (\w+)", path.read_text("utf-8"), re.MULTILINE)
        if names := [name for options, name in found if "frozen=True" not in options]:
            changing[module] = names
    assert changing == CHANGING


def test_the_formatter_lays_out_everything_but_numbers() -> None:
    for path in sorted(
        file for folder in ("apps", "benchmarks", "tests", "workshop") for file in (ROOT / folder).rglob("*.py")
    ):
        text = path.read_text("utf-8")
        statements = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)]
        for number, line in enumerate(text.splitlines(), 1):
            if line.endswith("# fmt: skip"):
                ending = [node for node in statements if node.end_lineno == number]
                table = ast.walk(min(ending, key=lambda node: number - node.lineno))
                numbers = [node for node in table if isinstance(node, ast.Constant) and not isinstance(node.value, str)]
                assert len(numbers) >= 8, f"{path.name}:{number}"

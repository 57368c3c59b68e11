"""The house: imports point one way, lessons show their training, and a room of the kit has more than one user."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
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
LOOP = ("zero_grad(", ".backward(", "step(")  # of PyTorch

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
    # A notebook may not import a lesson: what it and a lesson need stands in the kit.
    users: dict[str, set[str]] = defaultdict(set)
    for source, targets in [*EDGES.items(), *NOTEBOOKS.items()]:
        for target in targets:
            users[target].add(source)
    for module in MODULES:
        if not module.startswith(KITS) or module.startswith("workshop.kit.data."):
            continue
        # The mirrors and the plots of a lesson are that lesson; a module of the kit may bear a lesson's name.
        names = {user: user if user.startswith(KITS) else user.rpartition(".")[2] for user in users[module]}
        of_lessons = {name for name in names.values() if name in ALL}
        others = {user for user, name in names.items() if name not in ALL}
        assert others or len(of_lessons) != 1, f"{module} serves one lesson: {of_lessons}"


@pytest.mark.parametrize("lesson", TRAINING)
def test_a_lesson_shows_its_training(lesson: str) -> None:
    source = MODULES[f"workshop.{lesson}"].read_text("utf-8")
    if lesson in IN_PYTORCH:
        for call in (*LOOP, "DataLoader(", "report.save("):
            assert call in source, f"{lesson} has no {call}"
        return
    of_samples = (r"\.compile\(", r"\.fit\(|\bfit_table\(", r"\.evaluate\(")
    of_steps = (r"keras\.optimizers\.", r"\.train_on_batch\(|GradientTape\(")
    shared = (r"\.summary\(", r"report\.save\(", r"\btraining\.tensorboard\(|keras\.callbacks\.TensorBoard\(")
    for call in (*shared, *(of_steps if lesson in ACTING else of_samples)):
        assert re.search(call, source), f"{lesson} has no {call}"


def test_whatever_is_fitted_is_compiled_and_evaluated() -> None:
    of_keras = [lesson for lesson in ALL if lesson not in IN_PYTORCH]
    sources = {lesson: MODULES[f"workshop.{lesson}"].read_text("utf-8") for lesson in of_keras}
    fitting = {
        lesson: source for lesson, source in sources.items() if re.search(r"\bmodel\.fit\(|\bfit_table\(", source)
    }
    assert len(fitting) > len(LESSONS) / 2
    for lesson, source in fitting.items():
        for call in (".compile(", ".evaluate("):
            assert call in source, f"{lesson} has no {call}"


@pytest.mark.parametrize("lesson", TORCH)
def test_a_pytorch_mirror_has_the_loop(lesson: str) -> None:
    source = MODULES[f"workshop.pytorch.{lesson}"].read_text("utf-8")
    for call in (*LOOP, *(() if lesson in ACTING else ("DataLoader(",))):
        assert call in source, f"{lesson} has no {call}"


@pytest.mark.parametrize("lesson", NUMPY)
def test_a_numpy_mirror_has_the_loop(lesson: str) -> None:
    source = MODULES[f"workshop.scratch.{lesson}"].read_text("utf-8")
    for call in (".forward(", ".compute_loss(", ".backward(", "optimizer.apply("):
        assert call in source, f"{lesson} has no {call}"


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

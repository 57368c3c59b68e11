"""The wheel: what is in it, and that it needs nothing of the checkout to run every lesson and every console program."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from workshop import LESSONS
from workshop.doctor import lessons as doctor_lessons

ROOT = Path(__file__).resolve().parents[2]
# What a folder holds in which somebody has worked; .gitignore names it, and it must not travel.
LEFT_OVER = (
    "models/xor-quick.h5",
    "models/xor-quick.json",
    "models/mnist_cnn-standin.h5",
    "models/mnist_cnn-checkpoint.npz",
    "models/admission.h5.new",
    "plots/xor.png",
)
GARMENTS = "T-shirt/top|Trouser|Pullover|Dress|Coat|Sandal|Shirt|Sneaker|Bag|Ankle boot"

# Runs programs as `python -m` would, all in one process: TensorFlow is imported once.
RUN_ALL = """
import contextlib, io, json, runpy, sys, traceback
import workshop

def run(module, *arguments):
    sys.argv = [module, *arguments]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
            status = 0
        except SystemExit as end:
            status = end.code or 0
        except Exception:
            traceback.print_exc()
            status = 1
    return [status, said.getvalue()]

runs = [run(*command) for command in json.loads(sys.argv[1])]
print(json.dumps({"file": workshop.__file__, "path": sys.path, "runs": runs}))
"""


def leave_out(folder: str, names: list[str]) -> set[str]:
    """Returns what is not copied: environments, caches, Git's own."""
    hidden = {name for name in names if name.startswith(".") and name != ".gitignore"}
    environments = {name for name in names if (Path(folder) / name / "pyvenv.cfg").exists()}
    return hidden | environments | {"__pycache__", "build", "dist"} & set(names)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the checkout in which somebody has worked."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "checkout"
    shutil.copytree(ROOT, copy, ignore=leave_out)
    for name in LEFT_OVER:
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_bytes(b"left over")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(copy)]
    build = subprocess.run(command, capture_output=True, text=True)
    assert build.returncode == 0, build.stdout + build.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_what_ships_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    shipped = "workshop/_shipped/"
    assert f"{shipped}constraints.txt" in names
    assert f"{shipped}datasets/README.md" in names
    assert {f"{shipped}datasets/{name}.csv" for name in doctor_lessons.TABLES} <= names
    assert {f"{shipped}models/{name}.{ending}" for name in doctor_lessons.MODELS for ending in ("h5", "json")} <= names
    modules = {
        path.relative_to(ROOT).as_posix() for part in ("workshop", "apps") for path in (ROOT / part).rglob("*.py")
    }
    assert {f"workshop/{lesson.name}.py" for lesson in LESSONS} <= modules <= names
    notebooks = [path.relative_to(ROOT) for path in (ROOT / "notebooks").rglob("*")]
    notebooks = [path for path in notebooks if path.suffix in {".ipynb", ".md", ".png", ".gif"}]
    assert len(notebooks) > len(LESSONS)
    inside = {name for name in names if name.startswith(f"{shipped}notebooks/")}
    assert inside == {f"{shipped}{path.as_posix()}" for path in notebooks}
    names -= inside
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"workshop", "apps"}
    unwanted = re.compile(
        r"-quick|-standin|-checkpoint|\.npz$|\.new$|\.png$|__pycache__|^(workshop/_shipped/)?(tests|benchmarks|plots)/"
    )
    assert [name for name in names if unwanted.search(name)] == []
    assert wheel.stat().st_size < 10e6


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new virtual environment into which the wheel was installed, without a network.

    The libraries are those of the environment that runs the tests; its own way to the checkout (an editable install is
    a .pth file, which counts only in an environment's own folder) is not taken over.
    """
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    where = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    own = Path(subprocess.run(where, check=True, capture_output=True, text=True).stdout.strip())
    libraries = [path for path in sys.path if Path(path).name in {"site-packages", "dist-packages"}]
    (own / "libraries.pth").write_text("\n".join(libraries) + "\n")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--no-deps",
        "--no-index",
        "--ignore-installed",
    ]
    install = subprocess.run([*pip, str(wheel)], capture_output=True, text=True)
    assert install.returncode == 0, install.stdout + install.stderr
    return python


def write_pictures(folder: Path) -> dict[str, str]:
    """Draws digits and a garment; returns their paths by name."""
    pictures = {}
    for name, size, paper, ink in (("zero", 200, 255, 0), ("one", 90, 0, 255), ("trouser", 280, 255, 40)):
        image = Image.new("L", (size, size), paper)
        draw = ImageDraw.Draw(image)

        def placed(*points: tuple[float, float], size: int = size) -> list[tuple[float, float]]:
            return [(x * size, y * size) for x, y in points]

        if name == "zero":
            draw.ellipse(placed((0.3, 0.2), (0.7, 0.8)), outline=ink, width=size // 12)
        elif name == "one":
            draw.line(placed((0.5, 0.15), (0.5, 0.85)), fill=ink, width=size // 12)
        else:
            legs = placed((0.35, 0.1), (0.65, 0.1), (0.72, 0.9), (0.56, 0.9), (0.5, 0.4), (0.44, 0.9), (0.28, 0.9))
            draw.polygon(legs, fill=ink)
        path = folder / f"{name}.png"
        image.save(path)
        pictures[name] = str(path)
    return pictures


@pytest.mark.slow
def test_an_installed_wheel_runs_every_lesson_and_program(python: Path, room: Path, tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path)
    answers = {
        ("apps.admission", "45", "85"): r"(Admitted|Sorry) .*\d %",
        ("apps.house_price", "120", "3", "10"): r"\d",
        ("apps.digit", pictures["zero"], pictures["one"]): r"zero\.png: 0 \([\d.]+ %\)\n.*one\.png: 1 \([\d.]+ %\)",
        ("apps.garment", pictures["trouser"]): rf"trouser\.png: ({GARMENTS}) \([\d.]+ %\)",
        ("apps.cat_or_dog", pictures["trouser"]): r"trouser\.png: (cats|dogs) \([\d.]+ %\)",
        ("apps.clean", pictures["one"], "--out", str(tmp_path)): r"one\.png: .*one-clean\.png",
        ("apps.write", "Alice", "--length", "9"): r"Alice.{9}\n",
        ("apps.draw_digits", "42", "--output", str(tmp_path / "42.png")): r"42\.png: 4 handwritings of 42\n",
        ("apps.lander", "--episodes", "1"): r"seed 1: landed, return \d+\.\d, \d+ steps\n",
        ("workshop",): rf"{LESSONS[-1].name} .*{LESSONS[-1].title}",
        # As the doctor starts its checks: a line of findings for each.
        (
            "workshop.doctor.run",
            "Python",
            "Packages",
            "Data",
            "Models",
        ): r'(?s)^(?!.*"FIX").*"OK", "keras .*"OK", "Models',
    }
    look = ("--quick", "--no-plots")
    quick = (*look, "--epochs", "1")
    # A part of what takes long: that no module and no file is missing, the test above says.
    small = {
        "optimizers": ("--algorithms", "adam", "--race-epochs", "1"),
        "cats_vs_dogs": ("--size", "32"),
        "transfer_learning": ("--size", "32", "--pictures", "3"),
        "rnn": ("--cell", "gru"),
        "text_generation": ("--units", "16", "--length", "50"),
        "autoencoder": ("--part", "denoising"),
        "boltzmann": ("--part", "machine"),
        "gan": ("--part", "digits"),
    }
    lessons = [
        (f"workshop.{lesson.name}", *(quick if lesson.trains else look), *small.get(lesson.name, ()))
        for lesson in LESSONS
    ]
    lessons += [("workshop.pytorch.xor", *quick), ("workshop.scratch.mnist", *quick)]
    # The programs first: nothing that a lesson saved can help them.
    commands = [*answers, *lessons]
    assert list(room.iterdir()) == []
    run = subprocess.run(
        [str(python), "-c", RUN_ALL, json.dumps(commands)],
        env=os.environ | {"PYTHONPATH": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    assert Path(found["file"]).is_relative_to(python.parents[1])
    assert str(ROOT) not in found["path"]
    for command, (status, said) in zip(commands, found["runs"], strict=True):
        assert status == 0, (command, said[-3000:])
        if command in answers:
            assert re.search(answers[command], said), (command, said)
        else:
            assert "\nResult\n" in said
            assert "Plots " not in said
    # Quick runs save beside the models that ship, here, under names of their own; a grid keeps its rows.
    assert {path.name for path in room.iterdir()} == {"models", "experiments"}
    saved = [path.name for path in (room / "models").iterdir()]
    assert len(saved) >= 2 * sum(lesson.trains for lesson in LESSONS)
    assert [name for name in saved if "-quick" not in name] == []

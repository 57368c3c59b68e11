"""`python -m workshop pack`: a folder that a room without a network installs and teaches from.

The fast tests run pip itself on a small index of their own: a wheel without content for each package.
"""

import base64
import contextlib
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from workshop import LESSONS
from workshop.doctor import lessons as doctor_lessons
from workshop.kit import files
from workshop.kit.errors import WorkshopError
from workshop.pack import data, run, wheels
from workshop.pack.target import THIS, Target

_PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
_PROXIES_OUTSIDE = {name: os.environ.get(name) for name in _PROXIES}  # before a test closes the network
_DEAD = "http://127.0.0.1:9"  # nobody listens on the discard port


def write_wheel(folder: Path, name: str, version: str, *requires: str, tag: str = "py3-none-any") -> Path:
    """Writes a wheel without content."""
    stem = f"{re.sub('[-.]+', '_', name)}-{version}"
    described = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *(f"Requires-Dist: {r}" for r in requires)]
    wheel = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n"
    contents = {"METADATA": "\n".join(described) + "\n", "WHEEL": wheel}
    record = ""
    path = folder / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in contents.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{stem}.dist-info/{file},sha256={digest},{len(text)}\n"
            archive.writestr(f"{stem}.dist-info/{file}", text)
        archive.writestr(f"{stem}.dist-info/RECORD", f"{record}{stem}.dist-info/RECORD,,\n")
    return path


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels for all that is needed; TensorFlow's needs something else on Windows."""
    folder = tmp_path_factory.mktemp("index")
    lines = files.shipped("constraints.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    tested: dict[str, str] = {canonicalize_name(name): version for name, version in pins.items()}
    on_windows = ('colorama; sys_platform == "win32"', 'only-posix; sys_platform != "win32"')
    project = tomllib.loads(files.shipped("pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = [
        *project["dependencies"],
        *extras["notebooks"],
        *extras["rl"],
        *extras["torch"],
        *extras["web"],
        *extras["imagenet"],
        "colorama",
        "only-posix",
    ]
    for name in {Requirement(text).name for text in needed}:
        version = tested.get(canonicalize_name(name), "99")
        write_wheel(folder, name, version, *(on_windows if name == "tensorflow" else ()))
    write_wheel(folder, "tensorflow", tested["tensorflow"], *on_windows, tag="cp312-cp312-win_amd64")
    return folder


@contextlib.contextmanager
def closed_network(folder: Path, index: Path | None, shared: Path | None) -> Iterator[None]:
    """Lets pip find the wheels of `index` alone, and the package the data of `shared` alone."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            patch.delenv(name)
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("PIP_RETRIES", "0")
        patch.setenv("PIP_INDEX_URL", f"{_DEAD}/simple")
        if index:
            patch.setenv("PIP_NO_INDEX", "1")
            patch.setenv("PIP_FIND_LINKS", str(index))
        for name in _PROXIES:
            patch.setenv(name, _DEAD)
        patch.setenv("KERAS_HOME", str(folder / "keras"))
        if shared:
            patch.setenv("WORKSHOP_DATA", str(shared))
        yield


def pack(folder: Path, index: Path | None, *options: str, shared: Path | None = None) -> str:
    """Runs the command without a network; returns what it printed."""
    printed = io.StringIO()
    with closed_network(folder.parent, index, shared), contextlib.redirect_stdout(printed):
        assert run.main([str(folder), *options]) == 0
    return printed.getvalue()


@pytest.fixture(scope="module")
def packed(index: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A packed folder, and what the command printed; there were a table and a folder of photographs."""
    place = tmp_path_factory.mktemp("packed")
    shared = place / "shared"
    for part in ("train/cats", "train/dogs", "validation/cats", "validation/dogs"):
        (shared / "cats_vs_dogs" / part).mkdir(parents=True)
        (shared / "cats_vs_dogs" / part / "1.jpg").write_bytes(b"a photograph")
    (shared / "car.csv").write_text("doors,class\n2,acc\n")
    folder = place / "the room"
    output = pack(folder, index, shared=shared)
    return SimpleNamespace(folder=folder, output=output, shared=shared)


@pytest.fixture
def copied(packed: SimpleNamespace, tmp_path: Path) -> Path:
    """A copy of the packed folder, for a test that changes it."""
    return Path(shutil.copytree(packed.folder, tmp_path / "copy"))


def projects(folder: Path) -> set[str]:
    """Returns the names of the projects that wheels are there of."""
    return {path.name.partition("-")[0] for path in (folder / "wheels").glob("*.whl")}


def test_a_packed_folder_holds_what_a_room_needs(packed: SimpleNamespace) -> None:
    there = projects(packed.folder)
    assert {"workshop", "tensorflow", "keras", "ipykernel", "jupyterlab", "only_posix"} <= there
    assert not {"torch", "pytest", "colorama"} & there
    models = {path.name for path in (packed.folder / "models").iterdir()}
    assert {f"{name}.h5" for name in doctor_lessons.MODELS} <= models
    assert not [name for name in models if re.search(r"-quick|-standin|\.new$|\.npz$", name)]
    assert (packed.folder / "data" / "car.csv").read_text() == (packed.shared / "car.csv").read_text()
    with tarfile.open(packed.folder / "data" / "cats_vs_dogs.tar") as archive:
        assert "cats_vs_dogs/validation/dogs/1.jpg" in archive.getnames()
    shipped = files.shipped("notebooks")
    notebooks = {path.name for path in shipped.glob("*.ipynb")}
    assert {path.name for path in (packed.folder / "notebooks").glob("*.ipynb")} == notebooks
    assert not [path for path in packed.folder.rglob("*") if path.name.startswith(".")]


def test_it_says_which_data_are_there_and_which_lessons_use_a_stand_in(packed: SimpleNamespace) -> None:
    output, instructions = packed.output, (packed.folder / "INSTALL.txt").read_text()
    assert re.search(r"^Data      car\.csv, 0 kB, for tables$", output, re.M)
    assert re.search(r"^Data      mnist is not to be had here: mnist, .* will use scikit-learn's 1,797", output, re.M)
    assert re.search(r"^Packed    .*the room: [\d.]+ MB in \d+ s \(wheels [\d.]+ MB, data", output, re.M)
    assert "    car.csv, for tables" in instructions
    assert "    no concrete.csv: tables will use scikit-learn's diabetes" in instructions
    assert f"    {THIS}\n" in instructions


def room_command(folder: Path) -> list[str]:
    """Returns the arguments of pip that INSTALL.txt names."""
    text = (folder / "INSTALL.txt").read_text()
    found = re.search(r"venv/bin/python -m pip (install .*)", text)
    assert found
    assert f"python -m pip {found[1]}" in text.partition("Windows")[2]
    return found[1].replace('"', "").split()


def install(folder: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Installs into the folder `target` as INSTALL.txt says, without a network."""
    command = [sys.executable, "-m", "pip", *room_command(folder), "--target", str(target), "--no-compile"]
    with closed_network(target, None, None):
        return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_a_room_installs_from_the_folder_and_an_installed_package_packs_itself_again(
    packed: SimpleNamespace, tmp_path: Path
) -> None:
    done = install(packed.folder, tmp_path / "site")
    assert done.returncode == 0, done.stdout + done.stderr
    (place,) = (tmp_path / "site").glob("workshop-*.dist-info")
    name, content = wheels.reassembled(metadata.Distribution.at(place))
    original = zipfile.ZipFile(packed.folder / "wheels" / name)
    again = zipfile.ZipFile(io.BytesIO(content))
    assert sorted(again.namelist()) == sorted(original.namelist())
    for member in original.namelist():
        assert again.read(member) == original.read(member) or member.endswith("/RECORD")
    (record,) = [member for member in original.namelist() if member.endswith("/RECORD")]
    assert sorted(again.read(record).splitlines()) == sorted(original.read(record).splitlines())


def test_a_second_run_needs_no_network(packed: SimpleNamespace) -> None:
    before = {path: path.stat().st_mtime_ns for path in (packed.folder / "wheels").iterdir()}
    output = pack(packed.folder, None, shared=packed.shared)
    assert f"Wheels    for {THIS}: all {len(before)} are there" in output
    after = {path: path.stat().st_mtime_ns for path in (packed.folder / "wheels").iterdir()}
    assert {path.name for path in before if after.get(path) != before[path]} <= {
        path.name for path in before if path.name.startswith("workshop-")
    }


def test_without_a_network_a_missing_wheel_is_named(copied: Path) -> None:
    (missing,) = (copied / "wheels").glob("scipy-*.whl")
    missing.unlink()
    with closed_network(copied, None, None), pytest.raises(WorkshopError) as error:
        run.main([str(copied)])
    assert re.match(
        r"wheels are missing \(scipy\S*\) and the package index does not respond: .*run this", str(error.value)
    )


def test_a_wheel_that_a_copy_cut_off_and_what_pip_left_are_not_taken_for_whole(copied: Path, index: Path) -> None:
    (cut,) = (copied / "wheels").glob("scipy-*.whl")
    whole = cut.read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    (copied / "wheels" / ".incoming").mkdir()
    (copied / "wheels" / ".incoming" / "numpy-9-py3-none-any.whl").write_bytes(b"half")
    output = pack(copied, index)
    assert f"Wheels    {cut.name} is damaged: it is fetched again" in output
    assert "Wheels    1 of 1," in output
    assert cut.read_bytes() == whole
    assert not (copied / "wheels" / ".incoming").exists()


@pytest.mark.slow
def test_another_machine_gets_its_own_wheels_and_what_it_alone_needs(copied: Path, index: Path) -> None:
    (copied / "wheels" / "only_posix-99-py3-none-any.whl").unlink()
    pack(copied, index, "--python", "3.12", "--platform", "windows", "--torch", "--web")
    there = projects(copied)
    assert "colorama" in there
    assert {"torch", "gradio"} <= there
    assert "only_posix" not in there
    assert list((copied / "wheels").glob("tensorflow-*-cp312-cp312-win_amd64.whl"))
    instructions = (copied / "INSTALL.txt").read_text()
    assert {f"    {THIS}", f"    {Target('3.12', 'windows')}"} <= set(instructions.splitlines())
    assert '"workshop[notebooks,rl,imagenet,torch,web]"' in instructions


@pytest.mark.parametrize("platform", ["linux", "manylinux_2_17_x86_64"])
def test_a_machine_also_takes_wheels_for_an_older_linux(platform: str) -> None:
    options = Target("3.12", platform).options()
    assert {"manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64"} <= set(options)
    assert ("manylinux_2_28_x86_64" in options) == (platform == "linux")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a file"], r"a file is a file, takes a folder"),
        (["a file/room"], r"FOLDER .*room: nothing can be written there"),
    ],
)
def test_a_folder_that_is_none_is_refused(arguments: Sequence[str], message: str) -> None:
    Path("a file").write_text("")
    with pytest.raises(WorkshopError, match=message):
        run.main(arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "FOLDER"),
        (["room", "--python", "3"], "got 3, takes a version as 3.12"),
        (["room", "--platform", "amiga"], "got amiga, takes windows, macos"),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    arguments: Sequence[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        run.main(arguments)
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not Path("room").exists()


def test_a_full_disk_is_named_and_leaves_no_part_of_a_file(
    copied: Path, packed: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:3])
        raise OSError(28, "No space left on device", str(target))

    (copied / "data" / "car.csv").unlink()
    monkeypatch.setattr(shutil, "copyfile", fill)
    with closed_network(copied, None, packed.shared), pytest.raises(WorkshopError, match="the disk is full: free some"):
        run.main([str(copied)])
    assert {path.name for path in (copied / "data").iterdir()} == {"cats_vs_dogs.tar"}


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "the disk is full"),
        ("ERROR: No matching distribution found for tensorflow==2.21.0", "no wheel of tensorflow==2.21.0 for Python"),
        ("ERROR: Cannot install a and b\nERROR: ResolutionImpossible", "pip failed: Cannot install a and b"),
        ("Traceback\nValueError: x", "pip failed: ValueError: x"),
        ("", "pip failed: it gave no reason"),
    ],
)
def test_what_pip_says_becomes_one_line(output: str, message: str) -> None:
    assert message in str(wheels.PipError(output, Path("room")).for_user(THIS))


@pytest.mark.parametrize(
    ("imported", "sets"),
    [
        ("load_image_set", data.IMAGES),
        ("load_photos|PhotoLesson|photo_classifier", (data.PHOTOS,)),
        ("table_encoding", data.TABLES),
        (r"\bseries\b", data.TABLES),
        ("imagenet", (data.WEIGHTS,)),
    ],
)
def test_every_lesson_with_data_is_named(imported: str, sets: Sequence[data.DataSet]) -> None:
    folder = Path(run.__file__).parents[1]
    import_line = re.compile(rf"^from workshop\.kit.* import .*({imported})", re.M)
    lessons = {
        lesson.name for lesson in LESSONS if import_line.search((folder / f"{lesson.name}.py").read_text("utf-8"))
    }
    assert lessons
    assert lessons <= {lesson for data_set in sets for lesson in data_set.lessons}


@pytest.fixture
def open_network(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Undoes what closes the network for tests."""

    def reopen() -> None:
        for name, value in _PROXIES_OUTSIDE.items():
            monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)

    return reopen


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.timeout(1500)
@pytest.mark.skipif(os.name == "nt", reason="types the lines for Linux and macOS")
def test_a_room_without_a_network_installs_and_teaches(
    tmp_path: Path, open_network: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "packed room"
    with monkeypatch.context():
        open_network()
        try:
            run.main([str(folder)])
        except WorkshopError as error:
            if "does not respond" in str(error):
                pytest.skip(f"neither a network nor pip's cache has the wheels: {error}")
            raise
    install_line, doctor_line = re.findall(r"^    ((?:python3|export) .*)", (folder / "INSTALL.txt").read_text(), re.M)
    lesson_line = doctor_line.replace("workshop doctor", "workshop.mnist --quick --no-plots")
    assert lesson_line != doctor_line
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environment |= dict.fromkeys(_PROXIES, _DEAD) | {
        "PIP_CONFIG_FILE": os.devnull,
        # "0" means yes, as pip documents. What is imported is compiled then, and most files never are.
        "PIP_NO_COMPILE": "0",
        "KERAS_HOME": str(tmp_path / "keras"),
    }
    environment.pop("WORKSHOP_DATA", None)
    environment.pop("PYTHONPATH", None)
    try:
        outputs = []
        for line in (install_line.replace("python3", f"'{sys.executable}'", 1), lesson_line, doctor_line):
            done = subprocess.run(["sh", "-c", line], cwd=folder, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, (line, done.stdout[-2000:], done.stderr[-2000:])
            outputs.append(done.stdout)
        assert "cnn_test_accuracy" in outputs[1]
        assert "stand-in" not in outputs[1]
        assert "MNIST in " in outputs[2]
        assert outputs[2].endswith("OK: ready for the room\n")
    finally:
        shutil.rmtree(folder)  # 3 GB

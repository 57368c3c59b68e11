"""Every public function that takes a path takes it as text and as a `pathlib.Path`."""

import ast
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import workshop
from apps import cat_or_dog, clean, digit, draw_digits, garment
from workshop import __main__ as main
from workshop import admission as lesson_admission
from workshop import clustering, convolution, logistic_regression, perceptron
from workshop.coach import tables as coach_tables
from workshop.exercises.kit import progress
from workshop.grid.rows import Rows
from workshop.kit import files, plots, training
from workshop.kit.data import (
    image_files,
    imagenet,
    images,
    published_images,
    ratings,
    series,
    table_encoding,
    tables,
    text,
)
from workshop.kit.data.table import decoding
from workshop.kit.files import FilePath
from workshop.kit.photos import archives, dataset, image_file
from workshop.kit.plots import animation
from workshop.kit.saving import bundle, card, conversion, h5, keras_h5, storage
from workshop.kit.training.checkpoint import Checkpoint
from workshop.pack import data as pack_data
from workshop.programs import console, engines, mnist_preprocessing
from workshop.scratch.nn.network import Network

MODELS = files.shipped("models")
LESSONS = ["xor"]


def torch_model() -> Any:
    pytest.importorskip("torch")
    from workshop.pytorch.kit.model import TorchModel

    return TorchModel


def save(folder: FilePath) -> list[Path]:
    network = Network.from_h5("model.h5")
    return bundle.save(folder, "new", network, lesson="xor", data="", seed=1, inputs=[], metrics={})


def convert(path: FilePath) -> None:
    Path("new.h5").unlink(missing_ok=True)
    main.convert(path, "new.h5")


def read_map(path: FilePath) -> np.ndarray:
    pytest.importorskip("gymnasium")
    from workshop.kit.environments import drawn_map

    return drawn_map.read(path).obstacles


# What each gets is made by the fixture below.
CALLS: dict[str, tuple[str, Callable[[FilePath], Any]]] = {
    "Network.from_h5": ("model.h5", Network.from_h5),
    "Network.save_h5": ("new.h5", lambda path: Network.from_h5("model.h5").save_h5(path)),
    "TorchModel.from_h5": ("model.h5", lambda path: torch_model().from_h5(path)),
    "TorchModel.save_h5": ("new.h5", lambda path: torch_model().from_h5("model.h5").save_h5(path)),
    "bundle.save": ("new", save),
    "bundle.load": ("model.h5", lambda path: bundle.load(path, LESSONS)),
    "bundle.read_inputs": ("model.h5", lambda path: bundle.read_inputs(path, LESSONS)),
    "engines.load": ("model.h5", lambda path: engines.load(path, LESSONS)),
    "storage.read": ("model.h5", lambda path: storage.read(path, None, {})),
    "card.read_card": (".", lambda path: card.read_card(path, "model")["lesson"]),
    "h5.read": ("model.h5", h5.read),
    "h5.from_bytes": ("model.h5", lambda path: h5.from_bytes(Path("model.h5").read_bytes(), path)),
    "keras_h5.from_bytes": ("model.h5", lambda path: keras_h5.from_bytes(Path("model.h5").read_bytes(), path)),
    "files.write_atomically": ("new", lambda path: files.write_atomically(path, b"content")),
    "files.write_flushed": ("new", lambda path: files.write_flushed(path, b"content")),
    "files.check_writable": ("new", lambda path: files.check_writable(path, "--models")),
    "tables.read_table": ("table.csv", lambda path: tables.read_table(path).numbers()),
    "decoding.read": ("table.csv", decoding.read),
    "Rows": ("table.csv", lambda path: Rows(path, ["a"]).path),
    "table_encoding.check_name": ("table.csv", lambda path: table_encoding.check_name(path, "models")),
    "series.read": ("series.csv", series.read),
    "text.read": ("text.txt", text.read),
    "images.load_image_set": ("mnist", lambda path: images.load_image_set("mnist", path).X_train),
    "image_files.find": ("mnist", lambda path: image_files.find(path, "mnist")),
    "imagenet.find": ("model.h5", lambda path: imagenet.find(path)),
    "dataset.load_photos": ("photos", lambda path: dataset.load_photos(path, 8).X_train),
    "dataset.as_folder": ("photos", lambda path: dataset.as_folder(path).__enter__()),
    "archives.open_source": ("photos", lambda path: archives.open_source(path).children("")),
    "archives.find_in": (".", lambda path: archives.find_in(path, "photos")),
    "image_file.read_grey": ("digit.png", image_file.read_grey),
    "image_file.read_bytes": ("digit.png", image_file.read_bytes),
    "mnist_preprocessing.read_digit": ("digit.png", mnist_preprocessing.read_digit),
    "mnist_preprocessing.read_garment": ("digit.png", mnist_preprocessing.read_garment),
    "mnist_preprocessing.read_noisy_digit": ("digit.png", mnist_preprocessing.read_noisy_digit),
    "digit.read": ("digit.png", lambda path: digit.read(path, (28, 28, 1))),
    "garment.read": ("digit.png", lambda path: garment.read(path, (28, 28, 1))),
    "cat_or_dog.read": ("digit.png", lambda path: cat_or_dog.read(path, (8, 8, 3))),
    "clean.load": ("denoiser.h5", lambda path: clean.load(path, "numpy")),
    "clean.clean": ("digit.png", lambda path: clean.clean(path, clean.load("denoiser.h5", "numpy"), ".", "new")),
    "clean.free_name": ("digit.png", clean.free_name),
    "draw_digits.output_path": ("new.png", lambda path: draw_digits.output_path(path, "7")),
    "console.check_output": ("new.png", lambda path: console.check_output(path, ".png", "--output")),
    "convert": ("model.h5", convert),
    "conversion.convert": ("new.h5", lambda path: conversion.convert("model.h5", path).content),
    "Checkpoint": ("new", lambda path: Checkpoint(path).path),
    "training.tensorboard": ("new", lambda path: training.tensorboard(path, "model")[0].log_dir),
    "plots.save": ("new.png", lambda path: plots.save(plots.subplots()[0], path)),
    "animation.save": ("new.gif", lambda path: animation.save(plots.subplots()[0], [0.1], path)),
    "ratings.load_ratings": ("ratings.csv", lambda path: ratings.load_ratings(path).grades),
    "drawn_map.read": (str(files.shipped("datasets") / "car_map.txt"), read_map),
    "progress.read": ("progress.json", progress.read),
    "tables.read_folder": (".", coach_tables.read_folder),
    "tables.of_room": (".", coach_tables.of_room),
    "data.size": ("photos", pack_data.size),
    "data.copy": ("text.txt", lambda path: pack_data.copy(path, path)),
    "convolution.load_photos": ("digit.png", lambda path: convolution.load_photos(path)["digit.png"]),
    "clustering.read_columns": ("series.csv", lambda path: clustering.read_columns(path).X),
    "perceptron.load_samples": ("classes.csv", lambda path: perceptron.load_samples(path, 1)[0].X),
    "admission.load": ("classes.csv", lambda path: lesson_admission.load(path).X),
    "logistic_regression.load": ("classes.csv", lambda path: logistic_regression.load(path).X),
}


@pytest.fixture
def inputs(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes a small file or folder of each kind into the room."""
    for suffix in (".h5", ".json"):
        shutil.copy(MODELS / f"xor{suffix}", f"model{suffix}")
        shutil.copy(MODELS / f"denoiser{suffix}", f"denoiser{suffix}")
    Path("table.csv").write_text("a,b\n1,2\n3,4\n")
    Path("series.csv").write_text("year,value\n" + "".join(f"{1900 + i},{i % 7}\n" for i in range(50)))
    lines = [f"{i},a,{i % 3}\n{i},b,{i % 2}\n" for i in range(40)]
    Path("ratings.csv").write_text("user,item,rating\n" + "".join(lines))
    lines = [f"{i},{i % 7},{i % 2}\n" for i in range(40)]
    Path("classes.csv").write_text("a,b,class\n" + "".join(lines))
    monkeypatch.setenv("WORKSHOP_PROGRESS", "progress.json")
    progress.save(progress.Progress("a student", {}))
    Path("text.txt").write_text("A text to train on. " * 60)
    monkeypatch.setattr(published_images, "SHAPES", ((2, 28, 28), (2,), (2, 28, 28), (2,)))
    monkeypatch.setattr(images, "_load_checked", lambda name, paths: SimpleNamespace(X_train=paths))
    Path("mnist").mkdir()
    np.savez("mnist/mnist.npz", x_train=np.zeros(1))
    for part in ("train", "validation"):
        for label, name in enumerate(("cats", "dogs")):
            (room / "photos" / part / name).mkdir(parents=True)
            for i in range(2):
                pixels = np.full((8, 8, 3), 100 * label + 10 * i + (part == "train"), np.uint8)
                Image.fromarray(pixels).save(room / "photos" / part / name / f"{i}.png")
    ink = np.full((60, 60), 255, np.uint8)
    ink[15:45, 27:33] = 0
    Image.fromarray(ink).save("digit.png")


def functions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef]:
    """Yields the public functions of a module, and the methods of its public classes."""
    for statement in body:
        if isinstance(statement, ast.ClassDef) and not statement.name.startswith("_"):
            yield from functions(statement.body)
        if isinstance(statement, ast.FunctionDef) and not re.match("_(?!_init__)", statement.name):
            yield statement


def test_no_public_function_takes_a_path_alone() -> None:
    """With `mypy`, which knows what a text has not, this holds for those as well that are not called below."""
    root = Path(workshop.__file__).parents[1]
    for file in [*(root / "workshop").rglob("*.py"), *(root / "apps").glob("*.py")]:
        for function in functions(ast.parse(file.read_text("utf-8")).body):
            for argument in (node for node in ast.walk(function.args) if isinstance(node, ast.arg)):
                says = ast.unparse(argument)
                assert not re.search(r": ((list|Sequence)\[)?Path\b", says), f"{file}, {function.name}: {says}"


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize("name", CALLS)
def test_a_path_may_be_a_text(name: str) -> None:
    path, call = CALLS[name]
    by_path, by_text = call(Path(path)), call(path)
    assert type(by_path) is type(by_text)
    if isinstance(by_path, np.ndarray | list | str | bytes | tuple | Path):
        np.testing.assert_equal(by_path, by_text)

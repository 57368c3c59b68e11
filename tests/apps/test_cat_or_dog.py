"""The program `apps.cat_or_dog`: photographs of every kind, models of several sizes and classes, what decided."""

import struct
import subprocess
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from apps import cat_or_dog
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.photos import decoding
from workshop.kit.saving import bundle
from workshop.programs import console, engines
from workshop.scratch.nn.convolution import Conv2D
from workshop.scratch.nn.layers import Dense, Layer
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.pooling import GlobalAveragePooling2D, MaxPooling2D
from workshop.scratch.nn.regularization import BatchNormalization
from workshop.scratch.nn.reshaping import Flatten

FOUND = "note: the model is models/cats_vs_dogs_small.h5\n"
RED, BLUE = (230, 20, 20), (20, 20, 230)


def looks_at_colours(answers: int = 1, size: int = 24, activation: str = "") -> Network:
    """Its feature maps are red, green and blue; blue is a cat, red a dog, green the third class of three."""
    activation = activation or ("sigmoid" if answers == 1 else "softmax")
    layers = [
        Conv2D(3, 1, activation="relu"),
        BatchNormalization(epsilon=0),
        MaxPooling2D(),
        GlobalAveragePooling2D(),
        Dense(answers, activation),
    ]
    network = Network(layers, (size, size, 3))
    weights = np.array([[5.0], [0], [-5]]) if answers == 1 else np.array([[0.0, 5, 0], [0, 0, 5], [5, 0, 0]])
    same = [np.ones(3), np.zeros(3), np.zeros(3), np.ones(3)]
    network.set_weights([np.eye(3)[None, None], np.zeros(3), *same, weights[:, :answers], np.zeros(answers)])
    return network


def save(
    model: Any,
    folder: Path,
    name: str = "cats_vs_dogs_small",
    lesson: str = "cats_vs_dogs",
    classes: Sequence[str] = ("cats", "dogs"),
    **options: Any,
) -> Path:
    bundle.save(
        folder,
        name,
        model,
        lesson=lesson,
        data="made up",
        seed=1,
        metrics={},
        classes=classes,
        inputs=[bundle.Input("picture", shape=(24, 24, 3))],
        **options,
    )
    return folder / f"{name}.h5"


def save_bare(model: Any, name: str = "my") -> str:
    """Saves a model as a student's notebook does: a `.h5` with no card."""
    path = save(model, Path(), name)
    path.with_suffix(".json").unlink()
    return path.name


@pytest.fixture
def models(room: Path) -> Path:
    """The bundle that the program looks for, in the folder `models` of the room."""
    return save(looks_at_colours(), room / "models")


def photograph(path: str, colour: tuple[int, ...] = RED, mode: str = "RGB", **options: Any) -> str:
    Image.new(mode, (60, 40), colour).save(path, **options)
    return path


# --- Answers ----------------------------------------------------------------------------------------------------------


def test_each_photograph_gets_a_line(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [photograph("dog.jpg"), photograph("cat.webp", BLUE), photograph("grey.png", (90, 90, 90))]
    cat_or_dog.main([*names, "dog.jpg"])
    output = capsys.readouterr()
    network = looks_at_colours()
    expected = []
    for name, answer in zip(names, ["dogs", "cats", ""], strict=True):
        # The pixels are those that the lessons train with.
        pixels = decoding.decode(Path(name).read_bytes(), 24)[None].astype(np.float32) / 255
        dog = 100 * float(network.predict(pixels)[0, 0])
        by_name = {"dogs": f"dogs ({dog:.1f} %)", "cats": f"cats ({100 - dog:.1f} %)"}
        expected.append(f"{name}: {by_name.get(answer) or 'cats (50.0 %), or dogs (50.0 %)'}")
    assert output.out.splitlines() == expected
    assert output.err == FOUND


@pytest.mark.parametrize(
    ("dog", "prediction"),
    [
        (0.62, "dogs (62.0 %)"),
        (0.58, "dogs (58.0 %), or cats (42.0 %)"),
        (0.51, "dogs (51.0 %), or cats (49.0 %)"),
        (0.49, "cats (51.0 %), or dogs (49.0 %)"),
        (0.37, "cats (63.0 %)"),
    ],
)
def test_the_likelier_class_is_named_and_below_60_percent_the_other_too(
    room: Path, capsys: pytest.CaptureFixture[str], dog: float, prediction: str
) -> None:
    network = Network([Flatten(), Dense(1, "sigmoid")], (8, 8, 3))
    network.set_weights([np.zeros((192, 1)), np.array([np.log(dog / (1 - dog))])])
    cat_or_dog.main(["--model", str(save(network, room)), photograph("a.png")])
    assert capsys.readouterr().out == f"a.png: {prediction}\n"


def test_the_size_and_the_classes_are_the_models(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [photograph("a.png", BLUE), photograph("b.png", RED), photograph("c.png", (20, 230, 20))]
    three = save(looks_at_colours(3, size=17), room, "three", "transfer_learning", ["cats", "dogs", "frogs"])
    two = save(looks_at_colours(2, size=64), room, "two", classes=["Tom", "Spike"])
    cat_or_dog.main(["--model", str(three), *files])
    cat_or_dog.main(["--model", str(two), *files[:2]])
    output = capsys.readouterr()
    said = [line.split(": ")[1].split(" (")[0] for line in output.out.splitlines()]
    assert said == ["cats", "dogs", "frogs", "Tom", "Spike"]
    assert output.err == ""


def test_a_model_without_a_card_is_used_and_said_to_be_unverified(
    room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photograph("a.png")
    cat_or_dog.main(["--model", save_bare(looks_at_colours()), "a.png"])
    cat_or_dog.main(["--model", save_bare(looks_at_colours(3)), "a.png"])
    output = capsys.readouterr()
    assert [line.split(" (")[0] for line in output.out.splitlines()] == ["a.png: dogs", "a.png: class 1"]
    note = "note: my.h5 has no card, so it is unverified; assumed: RGB pixels from 0 to 1, and the classes "
    assert output.err.splitlines() == [f"{note}cats, dogs", f"{note}class 0, class 1, class 2"]


def test_photos_of_one_pixel_and_of_512_a_side_are_the_smallest_and_the_largest(
    room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photograph("a.png", BLUE)
    for network in (Network([Flatten(), Dense(1, "sigmoid")], (1, 1, 3)), looks_at_colours(size=512)):
        cat_or_dog.main(["--model", save_bare(network), "a.png"])
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2 and all(line.startswith("a.png: ") for line in said)


@pytest.mark.parametrize("count", [10, 11])
def test_of_many_classes_the_first_ten_are_named(
    room: Path, capsys: pytest.CaptureFixture[str], figures: list[Any], count: int
) -> None:
    network = Network([Flatten(), Dense(count, "softmax")], (8, 8, 3))
    network.set_weights([np.zeros((192, count)), np.arange(count) / 10])
    photograph("a.png")
    cat_or_dog.main(["--model", save_bare(network), "--show", "a.png"])
    named = "the classes " + ", ".join(f"class {i}" for i in range(10)) + (", ..." if count == 11 else "")
    assert capsys.readouterr().err.splitlines()[0].endswith(named)
    # The chart has the ten most probable ones.
    ticks = figures[0].axes[-1].get_yticklabels()
    assert [tick.get_text() for tick in ticks] == [f"class {i}" for i in range(count - 10, count)]


def test_of_classes_that_are_alike_the_first_are_named_and_drawn(
    room: Path, capsys: pytest.CaptureFixture[str], figures: list[Any]
) -> None:
    network = Network([Flatten(), Dense(64, "softmax")], (8, 8, 3))
    network.set_weights([np.zeros((192, 64)), np.repeat([-1000, 0, -1000], [20, 40, 4])])
    photograph("a.png")
    cat_or_dog.main(["--model", save_bare(network), "--show", "a.png"])
    assert capsys.readouterr().out.startswith("a.png: class 20 (2.5 %), or class 21 (2.5 %)\n")
    ticks = figures[0].axes[-1].get_yticklabels()
    assert [tick.get_text() for tick in ticks] == [f"class {i}" for i in range(20, 30)]


def test_photographs_of_every_kind_are_read_right(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # It weighs every place: the second class is an image that is red above.
    network = Network([Flatten(), Dense(1, "sigmoid")], (8, 8, 3))
    weights = np.zeros((8, 8, 3, 1))
    weights[:4, :, 0], weights[4:, :, 0] = 0.2, -0.2
    network.set_weights([weights.reshape(-1, 1), np.zeros(1)])
    model = save(network, room, classes=["below", "above"])
    image = Image.new("RGB", (48, 48), BLUE)
    image.paste(RED, (0, 0, 48, 24))
    exif = Image.Exif()
    exif[0x0112] = 3  # the camera was held upside down
    image.rotate(180).save("turned.jpg", exif=exif)
    image.convert("CMYK").save("print.jpg")
    image.convert("P").save("palette.gif")
    clear = image.convert("RGBA")
    clear.paste((0, 255, 255, 0), (0, 0, 48, 24))  # through it the paper shows, which is white
    clear.save("clear.png")
    image.rotate(180).save("below.tif")
    files = ["turned.jpg", "print.jpg", "palette.gif", "clear.png", "below.tif"]
    cat_or_dog.main(["--model", str(model), *files])
    said = [line.split(" (")[0] for line in capsys.readouterr().out.splitlines()]
    assert said == [f"{name}: {'below' if name == 'below.tif' else 'above'}" for name in files]


def test_all_engines_answer_side_by_side(
    models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "ENGINES", ("numpy", "keras"))  # PyTorch's answers are compared in other tests
    cat_or_dog.main(["--engine", "all", photograph("dog.png")])
    first, numpy, by_keras, difference = capsys.readouterr().out.splitlines()
    answer = first.removeprefix("dog.png: ")
    assert answer.startswith("dogs (9")
    assert [numpy.split(maxsplit=1), by_keras.split(maxsplit=1)] == [["numpy", answer], ["keras", answer]]
    assert float(difference.split()[-1]) < 1e-5


def test_help_comes_without_heavy_libraries_and_answers_without_noise(models: Path) -> None:
    code = (
        "import sys; from apps import cat_or_dog\n"
        "try: cat_or_dog.main(['--help'])\nexcept SystemExit: pass\n"
        "print(set(sys.modules) & {'keras', 'tensorflow', 'torch', 'sklearn', 'matplotlib', 'PIL', 'scipy', 'h5py'})\n"
        "cat_or_dog.main(['dog.jpg'])\n"
        "print(set(sys.modules) & {'keras', 'tensorflow', 'torch', 'sklearn', 'matplotlib'})\n"
    )
    photograph("dog.jpg")
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    helped, answer, loaded = ended.stdout.splitlines()[-3:]
    assert (helped, loaded, ended.stderr) == ("set()", "set()", FOUND)
    assert answer.startswith("dog.jpg: dogs (")


# --- Files that cannot be used ----------------------------------------------------------------------------------------


def bomb(path: str) -> str:
    """Writes the beginning of a PNG that says it has 3,600 million pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    Path(path).write_bytes(start + b"\0\0\0\0IDAT")
    return path


def test_files_that_cannot_be_used_are_named_and_the_others_answered(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photograph("whole.jpg")
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3)).astype(np.uint8)
    Image.fromarray(noise).save("cut.jpg")
    Path("cut.jpg").write_bytes(Path("cut.jpg").read_bytes()[:2000])
    Path("notes.txt").write_text("No picture.")
    Image.new("RGB", (1, 1)).save("dot.png")
    Path("folder").mkdir()
    bad = ["notes.txt", "absent.jpg", "dot.png", bomb("bomb.png"), "folder", "cut.jpg"]
    with pytest.raises(SystemExit) as ended:
        cat_or_dog.main(["whole.jpg", *bad, photograph("last.png", BLUE)])
    assert ended.value.code == 2
    output = capsys.readouterr()
    assert [line.split(" (")[0] for line in output.out.splitlines()] == ["whole.jpg: dogs", "last.png: cats"]
    *others, cut = output.err.removeprefix(FOUND).splitlines()
    assert others == [
        "error: notes.txt is not an image that can be read: save it as PNG or JPEG",
        "error: absent.jpg is not there: give the path of an image file",
        "error: dot.png has 1x1 pixels, takes 8x8 or more",
        "error: bomb.png has more than 50 million pixels: make it smaller",
        "error: folder is a folder, takes an image file",
    ]
    assert cut.startswith("error: cut.jpg is truncated or damaged (")


def test_for_files_that_are_no_images_no_model_is_loaded(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "load", lambda *arguments: pytest.fail("the model was loaded"))
    Path("notes.txt").write_text("No picture.")
    with pytest.raises(SystemExit):
        cat_or_dog.main(["notes.txt", "absent.jpg"])


# --- Models that will not do ------------------------------------------------------------------------------------------


def flat(shape: tuple[int, ...], *layers: Layer) -> Network:
    return Network([Flatten(), *layers], shape)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            flat((28, 28, 1), Dense(1, "sigmoid")),
            r"takes inputs of shape \(28, 28, 1\), this program gives \(size, size, 3\) with a size up to 512",
        ),
        (flat((20, 30, 3), Dense(1, "sigmoid")), r"takes inputs of shape \(20, 30, 3\)"),
        (flat((513, 513, 3), Dense(1, "sigmoid")), r"takes inputs of shape \(513, 513, 3\)"),
        (Network([Conv2D(2, 3)], (8, 8, 3)), r"has outputs of shape \(6, 6, 2\), this program takes one row"),
        (looks_at_colours(activation="relu"), "are no probabilities: its last layer takes a sigmoid"),
        (looks_at_colours(3, activation="relu"), "are no probabilities: its last layer takes a softmax"),
    ],
)
def test_a_model_of_another_kind_is_refused(room: Path, model: Network, message: str) -> None:
    photograph("a.png")
    with pytest.raises(WorkshopError, match=message):
        cat_or_dog.main(["--model", save_bare(model), "a.png"])


def test_a_model_of_another_lesson_or_with_other_classes_is_refused(room: Path) -> None:
    photograph("a.png")
    other = save(looks_at_colours(), room, "other", "mnist")
    with pytest.raises(WorkshopError, match="lesson mnist; this takes one of cats_vs_dogs, transfer_learning"):
        cat_or_dog.main(["--model", str(other), "a.png"])
    three = save(looks_at_colours(), room, "three", classes=["cats", "dogs", "frogs"])
    with pytest.raises(WorkshopError, match="is not a model of pixels from 0 to 1 and 2 classes"):
        cat_or_dog.main(["--model", str(three), "a.png"])


# --- What decided -----------------------------------------------------------------------------------------------------


def panels_in(path: Path) -> int:
    with Image.open(path) as image:
        return round(image.width / 550)


def test_show_draws_what_decided(
    models: Path, room: Path, capsys: pytest.CaptureFixture[str], figures: list[Any]
) -> None:
    image = Image.new("RGB", (48, 48))
    image.paste(RED, (0, 0, 16, 48))
    (room / "other").mkdir()
    image.save("dog.png")
    image.save("other/dog.png")
    cat_or_dog.main(["--show", "--plots", "drawn", "dog.png", "other/dog.png"])
    places = [Path("drawn/dog-decided.png"), Path("drawn/dog-decided-again.png")]
    assert capsys.readouterr().out.splitlines()[1::2] == [f"  the part that decided: {place}" for place in places]
    assert sorted(Path("drawn").iterdir()) == sorted(places)
    assert panels_in(places[0]) == 3
    seen, decided, chart, bar = figures[0].axes
    assert [axes.get_title() for axes in (seen, decided, chart)] == [
        "the network's input",
        "evidence for dogs",
        "dog.png",
    ]
    assert [label.get_text() for label in bar.get_yticklabels()] == ["none", "most"]
    photo, heat = seen.images[0].get_array(), decided.images[1].get_array()
    assert np.array_equal(photo, cat_or_dog.read(Path("dog.png"), (24, 24, 3)))
    # Red is on the left.
    assert heat[:, :6].min() > 0.8 and heat[:, 12:].max() == 0
    # A map that one sees through, over the photo in grey; its bar is lower than the two.
    assert [image.get_cmap().name for image in decided.images] == ["gray", "inferno"]
    assert decided.images[1].get_alpha() == 0.5
    assert all(image.get_clim() == (0, 1) for image in (*seen.images, *decided.images))
    assert bar.get_position().height == pytest.approx(0.8 * decided.get_position().height)
    assert (bar.get_ylabel(), bar.collections[-1].get_alpha()) == ("evidence for dogs", 1)
    assert [text.get_size() for text in (bar.yaxis.label, *bar.get_yticklabels())] == [13, 13, 13]
    assert (
        {axes.get_xlabel() for axes in (seen, decided)} == {axes.get_ylabel() for axes in (seen, decided)} == {"pixel"}
    )
    # Of the two bars the longer one is darker.
    cats, dogs = chart.patches
    assert chart.yaxis_inverted() and [label.get_text() for label in chart.get_yticklabels()] == ["cats", "dogs"]
    assert cats.get_width() + dogs.get_width() == pytest.approx(1) and cats.get_width() < 0.5
    assert sum(cats.get_facecolor()) > sum(dogs.get_facecolor())
    assert (chart.get_xlabel(), chart.get_xlim()) == ("probability", (0, 1.25))
    assert chart.get_xticks().tolist() == [0, 0.5, 1]
    assert chart.get_axisbelow() is True
    along, across = ([line.get_visible() for line in axis.get_gridlines()] for axis in (chart.xaxis, chart.yaxis))
    assert all(along) and not any(across)
    assert chart.texts[1].get_text() == console.percent(dogs.get_width())


def test_the_ten_likeliest_of_many_classes_get_a_bar_in_their_order(room: Path, figures: list[Any]) -> None:
    classes = ["a class of a long name, too long for a chart", *"bcdefghijkl"]
    percent = np.array([30, 0.5, 20, 0.4, 10, 9, 8, 7, 6, 5, 3.2, 0.9])
    network = Network([GlobalAveragePooling2D(), Dense(12, "softmax")], (24, 24, 3))
    network.set_weights([np.zeros((3, 12)), np.log(percent)])
    name = "a-photograph-of-a-long-name-too-long-for-a-title.png"
    cat_or_dog.main(["--model", str(save(network, room, classes=classes)), "--show", photograph(name)])
    chart = figures[0].axes[-1]
    assert [label.get_text() for label in chart.get_yticklabels()] == ["a class of a long na", *"cefghijkl"]
    assert [text.get_text() for text in chart.texts] == [
        *("30.0 %", "20.0 %", "10.0 %", "9.0 %", "8.0 %", "7.0 %", "6.0 %", "5.0 %", "3.2 %", "")
    ]
    assert len({bar.get_facecolor() for bar in chart.patches}) == 2
    assert chart.patches[0].get_facecolor() != chart.patches[1].get_facecolor()
    assert chart.get_title() == name[:40]


def test_a_model_that_only_keras_knows_answers_without_an_image_of_what_decided(
    room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((16, 16, 3)), layers.Cropping2D(), layers.GlobalMaxPooling2D(), layers.Dense(1, "sigmoid")]
    )
    model.set_weights([np.array([[4.0], [0], [-4]]), np.zeros(1)])
    path = save(model, room, classes=["$cats$_{", "a long name for all the dogs of the street"])
    cat_or_dog.main(["--show", "--model", str(path), photograph("$a_$.png"), photograph("b.png", BLUE)])
    output = capsys.readouterr()
    assert output.out.splitlines()[1::2] == [f"  the input: plots/{name}-seen.png" for name in ("$a_$", "b")]
    assert panels_in(Path("plots/b-seen.png")) == 2
    loads, lacks = output.err.splitlines()
    assert loads.startswith("note: the NumPy engine does not know this model, Keras loads it (")
    assert lacks.startswith("note: the part that decided cannot be drawn: ") and "Cropping2D" in lacks


def test_a_folder_that_cannot_be_written_to_is_said_at_once(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photograph("a.png")
    Path("drawn").write_text("A file, no folder.")
    with pytest.raises(WorkshopError, match="--plots drawn: nothing can be written there"):
        cat_or_dog.main(["--show", "--plots", "drawn", "a.png"])
    assert capsys.readouterr().out == ""

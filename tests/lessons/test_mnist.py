"""The lessons `mnist` and `fashion_mnist`: looking at the data, networks of any depth, a course's presets."""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.engines import PACKAGES, module_of
from helpers.lesson_runs import claims, start, without_published_data
from PIL import Image

from workshop import fashion_mnist, mnist
from workshop.figures import mnist as figures
from workshop.kit import image_classifier
from workshop.kit.data import published_images, synthetic_images
from workshop.kit.errors import WorkshopError
from workshop.kit.training import Recipe
from workshop.pytorch.kit.model import TorchModel

ASKED = ("4241", "5555", "1319", "9888")  # test images of MNIST


def parse(*options: str) -> argparse.Namespace:
    return mnist.parse(mnist.__doc__, options)


LOOKED_AT = [(engine, lesson) for lesson in ("mnist", "fashion_mnist") for engine in PACKAGES]

# --- Looking at the data ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "lesson"),
    [
        ("numpy", "mnist"),
        *(pytest.param(*one, marks=pytest.mark.slow) for one in LOOKED_AT if one != ("numpy", "mnist")),
    ],
)
def test_look_shows_images_with_their_labels_and_numbers_and_ends(engine: str, lesson: str, room: Path) -> None:
    X, y, *_ = synthetic_images.image_set(lesson)
    run = start(module_of(engine, lesson), room, "--look", "3", "12", is_drawn=False)
    for i in (3, 12):
        title = run.lines.index(f"Training image {i}, label {published_images.CLASSES[lesson][y[i]]}")
        numbers = np.array([line.split() for line in run.lines[title + 2 : title + 30]], int)
        np.testing.assert_array_equal(numbers, X[i, ..., 0])
    drawn = {line for line in run.drawn if line.startswith("plot ")}
    assert drawn == {f"plot {lesson}-first-100.png", f"plot {lesson}-train-3.png", f"plot {lesson}-train-12.png"}
    assert not [*run.models.iterdir()] and run.answer["metrics"] == run.metrics == {}


@pytest.mark.real
def test_looking_at_mnist_needs_no_tensorflow(room: Path) -> None:
    code = "import sys; from workshop import mnist; mnist.main(sys.argv[1:]); print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, "--look", "14344", "4241"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {"Training image 14344, label 6", "Training image 4241, label 2"} <= {*done.stdout.splitlines()}
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--look", "2", "1437"], "--look: got 1437, takes the number of an image from 0 to 1,436, of digits"),
        (["--predict", "2", "360"], "--predict: got 360, takes the number of an image from 0 to 359, of digits"),
    ],
)
def test_an_image_that_is_not_there_is_refused_before_anything_is_trained(
    options: list[str], message: str, room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(WorkshopError, match=message):
        mnist.main(options)
    assert "Engine" not in capsys.readouterr().out


# --- Networks of any depth, and a course's ----------------------------------------------------------------------------


def count_weights(engine: str, lesson: str, arguments: argparse.Namespace) -> int:
    (kind,) = arguments.kinds
    network = module_of(engine, lesson).build(kind, arguments)
    model = TorchModel(network, (28, 28, 1), "softmax") if engine == "torch" else network
    assert tuple(model.input_shape)[-3:] == (28, 28, 1)  # which its file tells the programs
    return int(model.count_params())


@pytest.mark.parametrize("engine", PACKAGES)
@pytest.mark.parametrize(
    ("options", "weights"),
    [
        (["--model", "dense"], 784 * 128 + 128 + 128 * 10 + 10),
        (["--model", "dense", "--hidden-units", "0"], 784 * 10 + 10),
        (["--model", "dense", "--hidden-units", "30", "20"], 784 * 30 + 30 + 30 * 20 + 20 + 20 * 10 + 10),
        (["--model", "cnn", "--hidden-units", "0"], 320 + 9248 + 800 * 10 + 10),
        (["--preset", "course-dense"], 784 * 50 + 50 + 50 * 10 + 10),
        (["--preset", "course-cnn"], 9098),
        (["--preset", "course-cnn", "--filters", "4", "--hidden-units", "20"], 40 + 784 * 20 + 20 + 20 * 10 + 10),
    ],
)
def test_the_options_build_the_networks(engine: str, options: list[str], weights: int, room: Path) -> None:
    assert count_weights(engine, "mnist", parse(*options)) == weights


@pytest.mark.parametrize("engine", PACKAGES)
def test_garments_get_the_same_networks_and_a_deeper_cnn_of_their_own(engine: str, room: Path) -> None:
    def count(*options: str) -> int:
        return count_weights(engine, "fashion_mnist", fashion_mnist.parse("", options))

    assert count("--preset", "course-cnn") == 9098
    assert count("--model", "dense", "--hidden-units", "0") == 7850
    convolutions = 160 + 4640 + 18496
    assert count("--model", "cnn", "--hidden-units", "0") == convolutions + 1600 * 10 + 10
    assert count("--model", "cnn", "--hidden-units", "9", "8") == convolutions + 1600 * 9 + 9 + 80 + 90


def test_a_preset_is_the_courses_training_and_given_options_win(room: Path) -> None:
    for preset, kind in (("course-dense", "dense"), ("course-cnn", "cnn")):
        arguments = parse("--preset", preset)
        assert (arguments.kinds, arguments.not_comparable) == ([kind], "")
        recipe = arguments.recipes[kind].with_options(arguments, 60_000)
        assert recipe == Recipe(10, 0.001, 64, "adam", schedule=False, steps=9380)
    arguments = parse("--preset", "course-dense", "--hidden-units", "20", "--batch-size", "32", "--activation", "tanh")
    assert (arguments.hidden_units["dense"], arguments.activation) == ([20], "tanh")
    assert arguments.recipes["dense"].with_options(arguments, 60_000).batch_size == 32
    assert arguments.not_comparable == "--activation, --hidden-units given"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hidden-units", "128", "0"], "--hidden-units: got 128 0, takes numbers from 1 up, or 0 alone"),
        (["--hidden-units", "-1"], "argument --hidden-units: got -1, takes a whole number from 0 up"),
        (["--preset", "course-cnn", "--model", "both"], "--preset course-cnn: got --model both, takes cnn"),
        (["--filters", "1", "2", "3", "4"], "--filters: got 4 numbers, an image of 28x28 takes one to three"),
        (["--predict", "-3"], "argument --predict: got -3, takes a whole number from 0 up"),
    ],
)
def test_wrong_options_are_refused_in_a_line(
    options: list[str], message: str, room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(*options)
    said = capsys.readouterr().err
    assert said.startswith(f"error: {message}") and said.count("\n") == 1


def test_predictions_and_the_weight_images_of_784_10(room: Path) -> None:
    options = ("--quick", "--model", "dense", "--hidden-units", "0", "--epochs", "2", "--predict", "7", "300")
    run = start(mnist, room, *options)
    X, y = synthetic_images.image_set("mnist")[2:4]
    loaded = run.load("mnist_dense-quick-standin")
    probabilities = loaded.predict(X[[7, 300]] / np.float32(255))
    rows = run.table("test image", "7", "300")
    assert rows[:10] == [[str(k), *(f"{p:.4f}" for p in probabilities[:, k])] for k in range(10)]
    assert rows[10:] == [["predicted", *map(str, probabilities.argmax(axis=1))], ["label", *map(str, y[[7, 300]])]]
    unscaled = loaded.predict(X[[7, 300]].astype(np.float32))  # a slip of courses, whose answers are far too sure
    said = [f"{k} with {p:.4f}" for k, p in zip(unscaled.argmax(axis=1), unscaled.max(axis=1), strict=True)]
    at = run.lines.index(f"With pixels of 0 to 255: {', '.join(said)}.")
    assert run.lines[at + 1].startswith("Some courses feed them by mistake to a network trained on 0 to 1: ")
    assert (unscaled.max(axis=1) > probabilities.max(axis=1)).all()
    drawn = {path.stem.removeprefix("mnist_dense-") for path in run.plots.iterdir()}
    assert drawn == {"mnist-loss", "mistakes", "confusion", "layers", "weights", "test-7", "test-300"}
    assert "No expected band: a quick run." in run.lines


@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_the_mirrors_draw_the_weight_images_too(engine: str, tmp_path: Path) -> None:
    with without_published_data(tmp_path):
        options = ("--quick", "--model", "dense", "--epochs", "1", "--hidden-units", "0")
        run = start(module_of(engine, "mnist"), tmp_path, *options)
    assert (run.plots / "mnist_dense-weights.png").exists()


def test_the_most_confident_mistakes_are_drawn_first() -> None:
    y, predicted, probability = np.array([4, 7, 1, 3, 2]), [9, 1, 1, 5, 8], [0.6, 0.9, 1.0, 0.8, 0.7]
    probabilities = np.zeros((5, 10))
    probabilities[np.arange(5), predicted] = probability
    shown = dict(figures.evaluation("cnn", np.zeros((5, 28, 28, 1), np.uint8), y, probabilities, [*"0123456789"]))
    captions = [panel.get_title() for panel in shown["mistakes"].axes]
    assert [caption for caption in captions if caption] == [
        "7 taken for 1\n90.0%",
        "3 taken for 5\n80.0%",
        "2 taken for 8\n70.0%",
        "4 taken for 9\n60.0%",
    ]
    assert "20.00%" in shown["confusion"].axes[0].get_title()


@pytest.mark.usefixtures("comparable")
@pytest.mark.parametrize("engine", PACKAGES)
def test_a_model_of_unscaled_pixels_has_its_own_name_and_says_what_it_takes(engine: str, tmp_path: Path) -> None:
    with without_published_data(tmp_path):
        # With tanh: relu's predictions hardly change with the scale.
        options = ("--quick", "--no-plots", "--model", "dense", "--epochs", "3", "--activation", "tanh")
        run = start(module_of(engine, "mnist"), tmp_path, *options, "--no-scaling")
    assert {path.stem for path in run.models.iterdir()} == {"mnist_dense-unscaled-quick-standin"}
    loaded = run.load("mnist_dense-unscaled-quick-standin")
    assert (loaded.inputs[0].minimum, loaded.inputs[0].maximum) == (0, 255)
    X, y = synthetic_images.image_set("mnist")[2:4]
    accuracy = np.mean(loaded.predict(X.astype(np.float32)).argmax(axis=1) == y)
    assert accuracy == pytest.approx(run.metrics["test_accuracy"], abs=1e-6) and accuracy > 0.5
    after_the_last_epoch = re.findall(r"accuracy: (\d\.\d{4})", run.output)[-1]
    assert f"{run.metrics['train_accuracy']:.4f}" == after_the_last_epoch
    assert not any(line.startswith("Use it") for line in run.lines)  # the programs give pixels of 0 to 1
    assert "No expected band: --activation, --no-scaling given." in run.lines


@pytest.mark.parametrize(
    ("engine", "lesson"), [*((engine, "mnist") for engine in PACKAGES), ("numpy", "fashion_mnist")]
)
def test_a_preset_leaves_the_model_and_the_plots_of_the_default_run(engine: str, lesson: str, room: Path) -> None:
    run = start(module_of(engine, lesson), room, "--quick", "--epochs", "1", "--preset", "course-dense")
    assert {path.name for path in run.models.iterdir()} == {
        f"{lesson}_course-dense-quick-standin.{ending}" for ending in ("h5", "json")
    }
    assert {path.stem.removeprefix(f"{lesson}_course-dense-") for path in run.plots.iterdir()} == {
        "loss",
        "mistakes",
        "confusion",
        "layers",
    }
    program = {"mnist": "digit", "fashion_mnist": "garment"}[lesson]
    (use,) = [line for line in run.lines if line.startswith("Use it")]
    assert re.search(rf"apps\.{program} --model \S*{lesson}_course-dense-quick-standin\.h5 ", use)


@pytest.mark.usefixtures("comparable")
@pytest.mark.parametrize("engine", [pytest.param("keras", marks=pytest.mark.slow), "torch", "numpy"])
def test_garments_without_a_hidden_layer_have_weight_images_and_no_band(engine: str, room: Path) -> None:
    options = ("--quick", "--epochs", "1", "--model", "dense", "--hidden-units", "0")
    run = start(module_of(engine, "fashion_mnist"), room, *options, is_drawn=False)
    assert "No expected band: --hidden-units given." in run.lines
    drawn = [line.removeprefix("plot fashion_mnist") for line in run.drawn if line.startswith("plot ")]
    assert drawn == [*(f"_dense-{name}.png" for name in ("mistakes", "confusion", "layers", "weights")), "-loss.png"]


def test_a_preset_for_digits_is_held_against_no_band_of_garments() -> None:
    for given, reason in ((), "the preset is a course's for digits"), (("--filters", "4"), "--filters given"):
        arguments = fashion_mnist.parse(fashion_mnist.__doc__, ["--preset", "course-cnn", *given])
        assert arguments.not_comparable == reason
    assert parse("--preset", "course-cnn").not_comparable == ""


def test_a_presets_model_is_found_by_its_name(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from apps import digit

    start(module_of("numpy", "mnist"), room, "--quick", "--epochs", "1", "--preset", "course-dense", "--no-plots")
    Image.fromarray(255 - synthetic_images.image_set("mnist")[2][0, ..., 0]).resize((84, 84)).save("drawn.png")
    capsys.readouterr()
    digit.main(["--model", "mnist_course-dense-quick-standin", "--engine", "numpy", "drawn.png"])
    assert "drawn.png: " in capsys.readouterr().out


def test_a_preset_on_unscaled_pixels_has_a_name_too() -> None:
    name = image_classifier.model_name("mnist", "cnn", parse("--preset", "course-cnn", "--no-scaling"))
    assert name == "mnist_course-cnn-unscaled"


# --- The results of the curriculum, on the real data ------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("engine", "preset"),
    # The CNN's ten epochs take minutes in PyTorch and NumPy; that these train as Keras does, other tests show.
    [*((engine, "course-dense") for engine in PACKAGES), ("keras", "course-cnn")],
)
def test_a_course_finds_its_own_result(engine: str, preset: str, room: Path) -> None:
    # A process of its own, as a student starts it: with all of the machine's cores.
    command = [sys.executable, "-m", f"workshop.{PACKAGES[engine]}mnist", "--preset", preset, "--json", "--no-plots"]
    done = subprocess.run([*command, "--predict", *ASKED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "As expected for this lesson." in lines
    assert any("9,098" in line for line in lines) == (preset == "course-cnn")
    assert json.loads(lines[-1])["data"] == "MNIST"
    rows = {
        line.split()[0]: line.split()[1:] for line in lines if line.startswith((*"0123456789", "label", "predicted"))
    }
    assert rows["label"] == ["0", "3", "8", "6"]
    probabilities = np.array([rows[str(k)] for k in range(10)], float)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-3)
    assert rows["predicted"] == [*map(str, probabilities.argmax(axis=0))]


@pytest.mark.slow
@pytest.mark.real
def test_sigmoid_and_plain_sgd_reach_89_percent(room: Path) -> None:
    options = ["--model", "dense", "--optimizer", "sgd", "--activation", "sigmoid", "--epochs", "5", "--no-plots"]
    assert mnist.__doc__ and " ".join(options[:-1]) in mnist.__doc__
    run = start(mnist, room, *options)
    assert 0.87 <= run.metrics["test_accuracy"] <= 0.905
    assert "No expected band: --epochs, --optimizer given." in run.lines


@pytest.mark.slow
@pytest.mark.real
def test_relu_and_plain_adam_reach_what_the_default_run_claims(room: Path) -> None:
    options = ["--model", "dense", "--optimizer", "adam", "--batch-size", "64", "--no-plots"]
    assert mnist.__doc__ and " ".join(options[:-1]) in mnist.__doc__
    assert start(mnist, room, *options).metrics["test_accuracy"] >= claims("mnist")["dense_test_accuracy"][0]


@pytest.mark.slow
@pytest.mark.real
def test_unscaled_pixels_cost_accuracy(room: Path) -> None:
    run = start(mnist, room, "--model", "dense", "--no-scaling", "--no-plots")
    assert 0.94 <= run.metrics["test_accuracy"] <= 0.97
    plain = start(mnist, room, "--model", "dense", "--no-scaling", "--no-plots", "--optimizer", "sgd")
    assert plain.metrics["test_accuracy"] <= 0.6  # it diverges, or nearly so


@pytest.mark.slow
@pytest.mark.real
def test_784_10_without_a_hidden_layer(room: Path) -> None:
    run = start(mnist, room, "--model", "dense", "--hidden-units", "0", "--no-plots")
    assert 0.92 <= run.metrics["test_accuracy"] <= 0.935
    assert any("7,850" in line for line in run.lines)

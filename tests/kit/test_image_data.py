"""Image sets: where they are searched, what is refused, what stands in, and what the run says about it.

The published sets are megabytes, so most tests put a tiny made set in their place: its digests, its shapes.
"""

import dataclasses
import gzip
import hashlib
import http.server
import io
import math
import socket
import sys
import threading
import time
import types
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from helpers.dialogues import Screen
from helpers.image_files import IDX, idx, write_idx, write_npz
from helpers.memory import peak_bytes

from workshop.kit.data import download, imagenet, published_images, synthetic_images
from workshop.kit.data import images as image_data
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import tensorflow


def cache(tmp_path: Path) -> Path:
    return tmp_path / "keras" / "datasets"


def check_is(images: image_data.ImageSet, arrays: list[np.ndarray]) -> None:
    assert images.source == "MNIST" and not images.is_standin
    found = [images.X_train[..., 0], images.y_train, images.X_test[..., 0], images.y_test]
    for one, other in zip(found, arrays, strict=True):
        np.testing.assert_array_equal(one, other)
    assert images.X_train.dtype == np.uint8 and images.X_train.shape == (30, 28, 28, 1)
    assert images.y_train.dtype == np.int32 and images.X_test.shape == (10, 28, 28, 1)
    assert images.classes == tuple("0123456789")


def refused(folder: Path, *parts: str) -> str:
    with pytest.raises(WorkshopError) as caught:
        image_data.load_image_set("mnist", folder)
    message = str(caught.value)
    assert message.isprintable() and len(message) < 600
    for part in parts:
        assert part in message, message
    return message


# --- Where it is searched ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["packed", "unpacked", "mixed", "npz"])
@pytest.mark.parametrize("below", [".", "mnist"])
def test_every_form_in_the_folder_of_the_option(arrays: list[np.ndarray], form: str, below: str) -> None:
    folder = Path("given")
    if form == "npz":
        write_npz(folder / below / "mnist.npz", arrays)
    else:
        paths = write_idx(folder / below, arrays, packed=form != "unpacked")
        if form == "mixed":
            paths[0].with_suffix("").write_bytes(gzip.decompress(paths[0].read_bytes()))
            paths[0].unlink()
    images = image_data.load_image_set("mnist", folder)
    check_is(images, arrays)
    assert Path(images.place) == folder / below


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    "pattern", ["{dotted}", "{name}/{name}", "{dotted}/{dotted}", "{name}/{dotted}", "MNIST/raw/{name}", "raw/{name}"]
)
def test_the_names_that_other_places_give_the_files(arrays: list[np.ndarray], pattern: str, packed: bool) -> None:
    for path in write_idx(Path("given"), arrays, packed):
        name = path.name.removesuffix(".gz")
        new = Path("given", pattern.format(name=name, dotted=name.replace("-idx", ".idx")) + path.name[len(name) :])
        content = path.read_bytes()
        path.unlink()
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(content)
    check_is(image_data.load_image_set("mnist", "given"), arrays)


def test_the_order_of_the_places(
    arrays: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"given": Path("given"), "named": tmp_path / "named", "cache": cache(tmp_path)}
    for folder in places.values():
        write_npz(folder / "mnist.npz", arrays)
    monkeypatch.setenv("WORKSHOP_DATA", str(places["named"]))
    assert image_data.load_image_set("mnist", places["given"]).place == str(places["given"])
    assert image_data.load_image_set("mnist").place == str(places["named"])
    assert image_data.find_image_set("mnist") == places["named"]
    monkeypatch.delenv("WORKSHOP_DATA")
    assert image_data.load_image_set("mnist").place == str(places["cache"])
    assert image_data.find_image_set("mnist") == places["cache"]
    assert capsys.readouterr().out == ""  # what was found is the report's to say
    (places["cache"] / "mnist.npz").unlink()
    assert image_data.find_image_set("mnist") is None
    assert image_data.load_image_set("mnist").is_standin


def test_a_named_folder_without_the_set_is_said_and_passed_over(
    arrays: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_npz(cache(tmp_path) / "mnist.npz", arrays)
    monkeypatch.setenv("WORKSHOP_DATA", "elsewhere")
    check_is(image_data.load_image_set("mnist"), arrays)
    assert capsys.readouterr().out == "Data      nothing of MNIST in WORKSHOP_DATA=elsewhere\n"


def test_a_named_folder_with_a_broken_set_is_an_error(
    arrays: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_npz(cache(tmp_path) / "mnist.npz", arrays)
    write_npz(tmp_path / "named" / "mnist.npz", arrays[::-1])
    monkeypatch.setenv("WORKSHOP_DATA", str(tmp_path / "named"))
    with pytest.raises(WorkshopError, match="named"):
        image_data.load_image_set("mnist")


def test_a_broken_cache_is_passed_over_with_a_line(
    arrays: list[np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_npz(cache(tmp_path) / "mnist.npz", arrays)
    path.write_bytes(path.read_bytes()[:5000])
    assert image_data.load_image_set("mnist").is_standin
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Data      skipped: ") and "mnist.npz is truncated or damaged" in lines[0]
    assert lines[1] == "Data      downloading MNIST ..."  # Keras replaces a file that is not the published one
    assert lines[-1].startswith("Data      no MNIST here") and lines[-1].endswith("using digits instead")
    assert path.exists()  # nothing of the user's is removed


def test_the_folder_of_the_option_must_have_it(arrays: list[np.ndarray], tmp_path: Path) -> None:
    write_npz(cache(tmp_path) / "mnist.npz", arrays)
    refused(Path("nowhere"), "--data nowhere", "mnist.npz", "train-images-idx3-ubyte.gz", "MNIST")
    paths = write_idx(Path("three"), arrays)
    paths[3].unlink()
    refused(Path("three"), "--data three: has neither")
    refused(write_npz(Path("mnist.npz"), arrays), "--data mnist.npz: has neither")


def test_the_other_sets_folder_is_not_taken_for_this_one(arrays: list[np.ndarray]) -> None:
    # Both sets use the same file names.
    write_idx(Path("both/fashion_mnist"), arrays)
    refused(Path("both/fashion_mnist"), "has neither")
    refused(Path("both"), "has neither")
    write_idx(Path("both/mnist"), arrays)
    check_is(image_data.load_image_set("mnist", Path("both")), arrays)


# --- What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("which", range(4))
def test_a_truncated_idx_file(arrays: list[np.ndarray], packed: bool, which: int) -> None:
    path = write_idx(Path("given"), arrays, packed)[which]
    whole = path.read_bytes()
    for length in (0, 3, 7, 15, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        refused(Path("given"), path.name, "fetch it again")
    path.write_bytes(whole + b"more")
    refused(Path("given"), path.name, "fetch it again")
    path.write_bytes(whole)
    check_is(image_data.load_image_set("mnist", Path("given")), arrays)


def test_a_changed_byte_is_seen(arrays: list[np.ndarray]) -> None:
    for which, name in enumerate(IDX):
        changed = [array.copy() for array in arrays]
        changed[which].flat[7] ^= 1
        write_idx(Path("given"), changed)
        refused(Path("given"), f"{name}.gz", "is not the published file of MNIST", "SHA-256 differs")
    write_npz(Path("npz/mnist.npz"), changed)
    refused(Path("npz"), "mnist.npz", "is not the published file of MNIST")
    packed = write_idx(Path("damaged"), arrays)[0]
    content = bytearray(packed.read_bytes())
    content[len(content) // 2] ^= 0xFF
    packed.write_bytes(content)
    refused(Path("damaged"), "train-images-idx3-ubyte.gz", "fetch it again")


def test_the_published_sets_have_60000_images_to_learn_and_10000_to_test(tmp_path: Path) -> None:
    shapes = ((60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,))
    for name, shape in zip(IDX, shapes, strict=True):
        with (tmp_path / name).open("wb") as file:
            file.write(b"\0\0\x08" + bytes([len(shape)]) + np.array(shape, ">u4").tobytes())
            file.truncate(file.tell() + math.prod(shape))  # nothing but zeros, which take no room on the disk
    # As far as sizes go they are the published files.
    refused(tmp_path, f"{IDX[0]} is not the published file of MNIST", "SHA-256 differs")


@pytest.mark.parametrize(
    "sizes",
    [
        (31, 28, 28),
        (28, 30, 28),
        (0, 28, 28),
        (2**32 - 1, 2**32 - 1, 2**32 - 1),
        # Their product is 2**64: nothing at all where it is computed in 64 bits.
        (2**31, 2**31, 4),
        (2**32 - 1, 28, 28),
        (30 * 28 * 28,),
        (2**32 - 1,),
        (),
        (1,) * 255,
    ],
)
@pytest.mark.parametrize("data_bytes", [0, 30 * 28 * 28])
def test_absurd_sizes_in_an_idx_header(arrays: list[np.ndarray], sizes: tuple[int, ...], data_bytes: int) -> None:
    header = b"\0\0\x08" + bytes([len(sizes)]) + np.array(sizes, ">u4").tobytes()
    path = write_idx(Path("given"), arrays, packed=False)[0]
    path.write_bytes(header + bytes(data_bytes))
    reason = "is not an IDX file of bytes in the shape 30 x 28 x 28"
    assert peak_bytes(lambda: refused(Path("given"), path.name, reason)) < 5e6


def test_what_is_no_idx_file(arrays: list[np.ndarray]) -> None:
    path = write_idx(Path("given"), arrays, packed=False)[1]
    for content in (b"", b"hello", b"\0\0\x0d\x01" + bytes(34), gzip.compress(idx(arrays[1]))):
        path.write_bytes(content)
        refused(Path("given"), path.name, "is not an IDX file of bytes")


def test_a_packed_file_that_unfolds_to_all_of_the_memory(arrays: list[np.ndarray]) -> None:
    path = write_idx(Path("given"), arrays)[0]
    path.write_bytes(gzip.compress(idx(arrays[0]) + bytes(200_000_000), compresslevel=1))
    assert path.stat().st_size < 3e6
    assert peak_bytes(lambda: refused(Path("given"), path.name, "holds more")) < 20e6


def npz_with(name: str, member: bytes, arrays: list[np.ndarray]) -> Path:
    """Writes an .npz in which one array is exchanged for these bytes."""
    path = write_npz(Path("given/mnist.npz"), arrays)
    with zipfile.ZipFile(path) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for one, content in members.items():
            archive.writestr(one, member if one == f"{name}.npy" else content)
    return path


def npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=True)
    return content.getvalue()


def test_an_npz_with_something_else_in_it(arrays: list[np.ndarray]) -> None:
    X = arrays[0]
    for member in (
        npy(X[:29]),
        npy(X.astype(float)),
        npy(X.astype(str)),
        npy(np.array(["an object"], object)),
        npy(np.asfortranarray(X)),
        npy(X)[:5000],
        b"",
        b"hello",
        b"\x93NUMPY\x03\0" + bytes(100),
        # A header that announces 800 TB, with nothing behind it.
        npy(X).replace(b"(30, 28, 28), }      ", b"(999999999999, 28, 28)"),
    ):
        npz_with("x_train", member, arrays)
        refused(Path("given"), "mnist.npz is truncated or damaged", "fetch it again")
    # Labels as wide integers are the same labels, and a header of the second form says the same.
    second = io.BytesIO()
    np.lib.format.write_array(second, arrays[1], version=(2, 0))
    for labels in (npy(arrays[1].astype(">i8")), second.getvalue()):
        npz_with("y_train", labels, arrays)
        check_is(image_data.load_image_set("mnist", Path("given")), arrays)


def test_a_file_that_is_no_npz(arrays: list[np.ndarray]) -> None:
    path = write_npz(Path("given/mnist.npz"), arrays)
    whole = path.read_bytes()
    for content in (b"", b"hello", npy(arrays[0]), whole[:100], whole[:-30], b"\x80\x04cos\nsystem\n."):
        path.write_bytes(content)
        refused(Path("given"), "mnist.npz is truncated or damaged", "fetch it again")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", npy(arrays[0]))
    refused(Path("given"), "mnist.npz is truncated or damaged", "y_train.npy")


def test_an_npz_whose_bytes_are_changed_anywhere(arrays: list[np.ndarray]) -> None:
    path = write_npz(Path("given/mnist.npz"), arrays)
    whole = path.read_bytes()
    random = np.random.default_rng(1)
    # Among them bytes of the directory at the end, which say how a member is packed.
    for at in [*random.integers(0, len(whole), 60), *random.integers(len(whole) - 260, len(whole), 120)]:
        content = bytearray(whole)
        content[at] ^= 1 << random.integers(8)
        path.write_bytes(content)
        try:
            check_is(image_data.load_image_set("mnist", Path("given")), arrays)
        except WorkshopError as error:
            assert str(error).isprintable()


# --- The download -----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def fresh_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """urllib reads the environment once in a process; here each test has a proxy of its own."""
    monkeypatch.setattr(urllib.request, "_opener", None)


@contextmanager
def listening(answer: bytes | None) -> Iterator[int]:
    """Listens on a port; accepts and never answers, or answers the same to everybody."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepted: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                accepted.append(connection)
                if answer is not None:
                    connection.recv(1000)
                    connection.sendall(answer)
                    connection.close()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            for connection in accepted:
                connection.close()
            server.shutdown(socket.SHUT_RDWR)


def use_proxy(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(urllib.request, "_opener", None)
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")


def test_ten_seconds_are_waited() -> None:
    assert download.TIMEOUT == 10


def test_a_download_that_gets_no_answer_gives_up(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    with listening(None) as port:
        use_proxy(monkeypatch, port)
        start = time.monotonic()
        assert not download.download("mnist")
        assert 0.25 < time.monotonic() - start < 1.5
    captured = capfd.readouterr()
    assert captured.out.splitlines() == [
        "Data      downloading MNIST ...",
        "Data      no response within 0.3 s: going on without a network",
    ]
    assert captured.err == ""
    with listening(None) as port:
        use_proxy(monkeypatch, port)
        assert image_data.load_image_set("mnist").is_standin
    assert capfd.readouterr().out.splitlines()[-1] == (
        "Data      no MNIST here and none could be downloaded: using digits instead"
    )


def test_a_download_is_announced_before_it_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, seen, holds_up = Screen(), [], []

    def refuse(*arguments: object, **options: object) -> None:
        seen.append(screen.seen())
        holds_up.append(not threading.current_thread().daemon)
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(sys, "stdout", screen)
    for fetch in (lambda: download.download("mnist"), lambda: imagenet.find(None)):
        assert not fetch()
        screen.flush()
    assert [lines.splitlines()[-1] for lines in seen] == [
        "Data      downloading MNIST ...",
        f"Weights   downloading {imagenet.TITLE} ({imagenet.SIZE / 1e6:.1f} MB) ...",
    ]
    assert holds_up == [False, False]  # a program that ends does not wait for the answer


def test_a_download_that_gave_up_leaves_no_connection_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        use_proxy(monkeypatch, server.getsockname()[1])
        assert not download.download("mnist")
        connection, _ = server.accept()
    with connection:
        connection.settimeout(5)  # a TimeoutError if it stays open
        while connection.recv(1000):
            pass


@pytest.mark.parametrize("error", [TimeoutError("timed out"), urllib.error.URLError(TimeoutError("timed out"))])
def test_whichever_clock_ends_first_the_words_are_the_same(
    error: OSError, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def time_out(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(download, "TIMEOUT", 0.1)
    monkeypatch.setattr(urllib.request, "urlopen", time_out)
    assert not download.download("mnist")
    assert capfd.readouterr().out.endswith("Data      no response within 0.1 s: going on without a network\n")


@pytest.mark.parametrize("answer", [b"", b"\0\xff garbage\r\n\r\n", b"HTTP/1.1 403 Forbidden\r\n\r\n"])
def test_a_download_with_a_strange_answer(
    answer: bytes, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    start = time.monotonic()
    with listening(answer) as port:
        use_proxy(monkeypatch, port)
        assert not download.download("mnist")
    assert time.monotonic() - start < 2
    captured = capfd.readouterr()
    assert captured.out.splitlines()[1].startswith("Data      the download failed (")
    assert captured.out.endswith("going on without a network\n") and captured.err == ""


def test_why_a_download_failed_is_told_in_120_letters(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise urllib.error.URLError("no host " + "x" * 300)

    monkeypatch.setattr(urllib.request, "urlopen", fail)
    assert not download.download("mnist") and imagenet.find(None) is None
    reason = "the download failed (no host " + "x" * 112 + "): going on without a network"
    assert capsys.readouterr().out.splitlines()[1::2] == [f"Data      {reason}", f"Weights   {reason}"]


def test_a_download_that_is_refused_ends_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    start = time.monotonic()
    images = image_data.load_image_set("fashion_mnist")
    assert time.monotonic() - start < 5
    assert images.is_standin
    captured = capfd.readouterr()
    assert captured.err == ""
    first, second, third = captured.out.splitlines()
    assert first == "Data      downloading Fashion-MNIST ..."
    assert second.startswith("Data      the download failed (") and second.endswith("going on without a network")
    assert third.endswith("no Fashion-MNIST here and none could be downloaded: using drawn garments instead")


@pytest.mark.parametrize("proxy", ["nonsense://", "http://[", "http://127.0.0.1:port", "http://no-such-host.invalid:1"])
def test_a_proxy_that_is_none(proxy: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 2.0)
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy)
    assert not download.download("mnist")
    captured = capfd.readouterr()
    assert captured.out.endswith("going on without a network\n") and captured.err == ""


class _Answering(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        time.sleep(5)  # the set itself never comes

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that is there; returns its address, which is the set's as well."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answering)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    monkeypatch.setitem(
        published_images.SETS, "mnist", dataclasses.replace(published_images.SETS["mnist"], url=address)
    )
    yield address
    server.shutdown()
    server.server_close()


def fake_keras(load_data: object) -> types.SimpleNamespace:
    return types.SimpleNamespace(datasets=types.SimpleNamespace(mnist=types.SimpleNamespace(load_data=load_data)))


def test_a_download_that_works_is_found_in_the_cache(
    arrays: list[np.ndarray], answering: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = fake_keras(lambda: write_npz(cache(tmp_path) / "mnist.npz", arrays))
    monkeypatch.setattr(download, "keras", fetch)
    images = image_data.load_image_set("mnist")
    check_is(images, arrays)
    assert images.place == str(cache(tmp_path))


def test_a_download_replaces_a_broken_cache(
    arrays: list[np.ndarray], answering: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_npz(cache(tmp_path) / "mnist.npz", arrays)
    path.write_bytes(b"half a file")
    monkeypatch.setattr(download, "keras", fake_keras(lambda: write_npz(path, arrays)))
    check_is(image_data.load_image_set("mnist"), arrays)


def test_a_download_that_stops_in_the_middle_gives_up(
    answering: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.4)
    monkeypatch.setattr(download, "keras", fake_keras(lambda: urllib.request.urlretrieve(answering)))
    start = time.monotonic()
    assert not download.download("mnist")
    assert time.monotonic() - start < 2
    assert "Data      the download failed (timed out): going on without a network" in capsys.readouterr().out
    assert socket.getdefaulttimeout() is None


# --- The stand-ins ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "title", "counts"), [("mnist", "digits", (1437, 360)), ("fashion_mnist", "drawn garments", (1500, 500))]
)
def test_the_stand_ins(name: str, title: str, counts: tuple[int, int]) -> None:
    images = image_data.load_image_set(name)
    assert images.is_standin and images.name == name and images.place == ""
    assert images.source == f"{title} (stand-in for {name})"
    for X, y, count in ((images.X_train, images.y_train, counts[0]), (images.X_test, images.y_test, counts[1])):
        assert X.shape == (count, 28, 28, 1) and X.dtype == np.uint8
        assert y.shape == (count,) and y.dtype == np.int32
        assert X.min() == 0 and X.max() > 200
        # Dark is the background, and every class occurs about as often as the others.
        assert np.median(X) == 0 or name == "fashion_mnist"
        assert np.bincount(y, minlength=10).min() > count / 10 * 0.7 and len(np.bincount(y)) == 10
        assert X[:, 0].mean() < 40  # the frame is background
    again = image_data.load_image_set(name)
    np.testing.assert_array_equal(images.X_train, again.X_train)
    np.testing.assert_array_equal(images.y_test, again.y_test)
    # No image is in both parts.
    train = {image.tobytes() for image in images.X_train}
    assert not any(image.tobytes() in train for image in images.X_test)


@pytest.mark.parametrize(("name", "start"), [("mnist", "af6bd9660a055b71"), ("fashion_mnist", "07fcddc507273596")])
def test_the_stand_ins_are_the_same_to_the_bit(name: str, start: str) -> None:
    # The results that a run without the published images should reach were measured on them.
    content = b"".join(array.tobytes() for array in synthetic_images.image_set(name)[:4])
    assert hashlib.sha256(content).hexdigest().startswith(start)


def test_a_quick_run_takes_the_first_images(arrays: list[np.ndarray]) -> None:
    write_npz(Path("given/mnist.npz"), arrays)
    images = image_data.load_image_set("mnist", Path("given"))
    few = images.first(20, 5)
    assert few.source == "MNIST, the first 20 and 5" and few.place == images.place and not few.is_standin
    np.testing.assert_array_equal(few.X_train, images.X_train[:20])
    np.testing.assert_array_equal(few.y_test, images.y_test[:5])
    assert images.first(100, 100) is images
    train, test = len(images.X_train), len(images.X_test)
    assert images.first(train, test) is images
    for fewer in ((train - 1, test), (train, test - 1)):
        assert tuple(map(len, (images.first(*fewer).y_train, images.first(*fewer).X_test))) == fewer


def test_bytes_of_arrays_and_of_tensors_become_numbers_from_0_to_1() -> None:
    values = np.arange(256, dtype=np.uint8)
    for images in (values, tensorflow.constant(values)):
        scaled = np.asarray(image_data.scale_pixels(images))
        assert scaled.dtype == np.float32
        np.testing.assert_allclose(scaled, np.arange(256) / 255, rtol=1e-6)


# --- The published sets -----------------------------------------------------------------------------------------------


@pytest.mark.real
def test_the_real_mnist(real_data: Path) -> None:
    images = image_data.load_image_set("mnist")
    assert images.source == "MNIST" and not images.is_standin and Path(images.place) == real_data.resolve() / "mnist"
    assert images.X_train.shape == (60000, 28, 28, 1) and images.X_test.shape == (10000, 28, 28, 1)
    train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(images.y_train).tolist() == train
    assert np.bincount(images.y_test).tolist() == test
    assert images.X_train.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert images.X_train.std() / 255 == pytest.approx(0.3081, abs=5e-5)


@pytest.mark.real
def test_the_real_fashion_mnist(real_data: Path) -> None:
    images = image_data.load_image_set("fashion_mnist")
    assert images.source == "Fashion-MNIST" and Path(images.place).name == "fashion_mnist"
    assert np.bincount(images.y_train).tolist() == [6000] * 10
    assert np.bincount(images.y_test).tolist() == [1000] * 10
    assert images.X_train.mean() / 255 == pytest.approx(0.2860, abs=5e-5)
    assert images.X_train.std() / 255 == pytest.approx(0.3530, abs=5e-5)
    assert images.classes[9] == "Ankle boot"


@pytest.mark.real
def test_the_real_mnist_is_not_taken_for_fashion_mnist(real_data: Path) -> None:
    with pytest.raises(WorkshopError, match="has neither"):
        image_data.load_image_set("fashion_mnist", real_data / "mnist")
    links = Path("unnamed")
    links.mkdir()
    for path in (real_data / "mnist").glob("*.gz"):
        (links / path.name).symlink_to(path)
    with pytest.raises(WorkshopError, match="is not the published file of Fashion-MNIST"):
        image_data.load_image_set("fashion_mnist", links)

"""The reader of HDF5 files: it reads what h5py reads, and a hostile or damaged file ends in one line, quickly."""

import io
import itertools
import json
import random
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from workshop.kit import files
from workshop.kit.errors import WorkshopError
from workshop.kit.saving import h5, hdf5
from workshop.kit.saving.hdf5.checked_bytes import Bytes, UnreadableError
from workshop.kit.saving.hdf5.objects import Dataset, Group
from workshop.scratch.nn.network import Network

MODELS = files.shipped("models")


def value_of(attribute: Any) -> Any:
    """An attribute as h5py reads it, in the form that our reader gives it."""
    if isinstance(attribute, np.ndarray):
        return [value_of(one) for one in attribute]
    if isinstance(attribute, bytes):
        return attribute.decode()
    return attribute.item() if isinstance(attribute, np.generic) else attribute


def assert_equal(ours: Group | Dataset, theirs: Any) -> None:
    """Compares all below a group: names, attributes, shapes and numbers."""
    assert ours.attributes == {name: value_of(one) for name, one in theirs.attrs.items()}
    if isinstance(ours, Dataset):
        array = ours.array()
        assert array.dtype == theirs.dtype.newbyteorder("<")
        np.testing.assert_array_equal(array, theirs[()])
        return
    assert set(ours.entries) == set(theirs)
    for name, entry in ours.entries.items():
        assert isinstance(entry, Group) == isinstance(theirs[name], h5py.Group)
        assert_equal(entry, theirs[name])


def made(fill: Callable[[h5py.File], object], **options: object) -> bytes:
    """Returns a file that h5py made."""
    content = io.BytesIO()
    with h5py.File(content, "w", **options) as file:
        fill(file)
    return content.getvalue()


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.h5")), ids=lambda path: path.stem)
def test_a_shipped_model_reads_as_h5py_reads_it(path: Path) -> None:
    with h5py.File(path) as theirs:
        assert_equal(hdf5.read(path.read_bytes()), theirs)


def fill(file: h5py.File) -> None:
    """Puts in what files of models have, and more."""
    file.attrs["long"] = "configuration " * 10_000
    file.attrs["text of any length"] = "größer"
    file.attrs["text of one length"] = np.bytes_(b"abc")
    file.attrs["letter"] = np.bytes_(b"x")
    file.attrs["texts of one length"] = [b"dense", b"dense_1"]
    file.attrs["texts of any length"] = ["dense", "", "größer"]
    file.attrs["none"] = []
    file.attrs["numbers"] = np.array([1.5, 2.5], ">f8")
    file.attrs["number"] = np.int16(-3)
    for kind in ("f2", "f4", "f8", "i1", "i8", "u1", "u8"):
        for order in "<>":
            file[f"numbers/{order}{kind}"] = np.arange(6).reshape(2, 3).astype(order + kind)
    file["deep/er/scalar"] = np.float32(4)
    file["deep"].attrs["weight_names"] = [b"scalar"]
    file.create_dataset("never written", (2, 3), "f4")
    file.create_dataset("empty", (0, 3), "f4")
    compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    compact.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((4,))
    identifier = h5py.h5d.create(file.id, b"compact", h5py.h5t.IEEE_F32LE, space, compact)
    h5py.Dataset(identifier)[...] = [1, 2, 3, 4]
    for number in range(40):  # more than one node of a group's list
        file[f"deep/many/entry{number}"] = number


@pytest.mark.parametrize("options", [{}, {"libver": ("earliest", "v108")}], ids=["default", "v108"])
def test_all_that_h5py_writes_by_default_is_read(options: dict[str, object]) -> None:
    content = made(fill, **options)
    with h5py.File(io.BytesIO(content)) as theirs:
        assert_equal(hdf5.read(content), theirs)


@pytest.mark.parametrize("libver", ["earliest", "v108", "latest"])
def test_a_text_in_another_encoding_keeps_no_file_from_being_read(libver: str) -> None:
    latin = "größer".encode("latin-1")

    def fill(file: h5py.File) -> None:
        file.attrs["text of one length"] = np.bytes_(latin)
        file.attrs.create("text of any length", latin, dtype=h5py.string_dtype())
        file["numbers"] = [1.0, 2.0]
        file[latin] = np.float32(3)

    content = hdf5.read(made(fill, libver=libver))
    assert set(content.entries) == {"numbers", "gr\ufffd\ufffder"}
    assert content.attributes == dict.fromkeys(("text of one length", "text of any length"), "gr\ufffd\ufffder")
    numbers = content.entries["numbers"]
    assert isinstance(numbers, Dataset) and numbers.array().tolist() == [1, 2]


@pytest.mark.parametrize("libver", ["latest", "v108", "v110"])
def test_a_model_in_the_newest_form_of_the_format_is_read(libver: str) -> None:
    path = MODELS / "mnist_cnn.h5"

    def copy(file: h5py.File) -> None:
        with h5py.File(path) as source:
            for name in source:
                source.copy(name, file)
            for name, value in source.attrs.items():
                file.attrs[name] = value

    content = made(copy, libver=(libver, "latest"))
    with h5py.File(io.BytesIO(content)) as theirs:
        assert_equal(hdf5.read(content), theirs)
    newest, old = h5.from_bytes(content, path), h5.read(path)
    for one, other in zip(newest.layers, old.layers, strict=True):
        assert all(np.array_equal(one.weights[name], other.weights[name]) for name in other.weights)


@pytest.mark.parametrize("libver", ["earliest", "v108", "latest"])
def test_names_and_texts_in_every_script_are_read(libver: str) -> None:
    def fill(file: h5py.File) -> None:
        file["größe/Ω"] = np.arange(3.0)
        file["größe"].attrs["имя"] = "大きさ"
        file["größe/Ω"].attrs["é"] = ["ä", "b"]

    content = made(fill, libver=libver)
    with h5py.File(io.BytesIO(content)) as theirs:
        assert_equal(hdf5.read(content), theirs)


@pytest.mark.parametrize("is_ordered", [False, True])
@pytest.mark.parametrize("libver", ["earliest", "v108", "latest"])
def test_names_of_any_length_are_read_in_any_order(libver: str, is_ordered: bool) -> None:
    names = [letter * length for length in (1, 255, 256, 300) for letter in "zé"]

    def fill(file: h5py.File) -> None:
        for i, name in enumerate(names[:6]):
            group = file.create_group(name, track_order=is_ordered)
            group["z"], group["a"] = np.arange(i), np.float32(i)
            group.attrs[name[:200]] = i
        file[names[-1]] = np.float64(7)

    content = made(fill, libver=libver, track_order=is_ordered)
    with h5py.File(io.BytesIO(content)) as theirs:
        assert_equal(hdf5.read(content), theirs)


def test_a_type_of_number_that_differs_in_any_bit_is_refused() -> None:
    def fill(file: h5py.File) -> None:
        file.create_dataset("a", (1, 1), "f4", data=[[1]])

    content = made(fill)
    # Class and order; size; offset and precision in bits; where exponent and mantissa lie; the exponent's bias.
    message = bytes.fromhex("11201f00 04000000 00002000 17080017 7f000000")
    assert content.count(message) == 1
    start = content.index(message)
    assert hdf5.read(content).dataset("a").array().tolist() == [[1]]
    # Other classes, the order of a VAX, and all that makes a number one of IEEE 754.
    for at, bit in [(0, 1), (0, 2), (0, 3), (1, 6), *itertools.product(range(4, 16), range(8))]:
        damaged = bytearray(content)
        damaged[start + at] ^= 1 << bit
        with pytest.raises(UnreadableError):
            hdf5.read(bytes(damaged)).dataset("a").array()


LONGER, SHORTER = "an attribute in it is longer than its message", "a text in it is shorter than it says"


@pytest.mark.parametrize(
    ("after", "at", "number", "says"),
    [
        (b"numbers\0", -8, b"\4", "an attribute in it is of an unknown version"),
        (b"numbers\0", -8, b"\2\1", "an attribute in it is of an unknown version"),  # its type is elsewhere
        # The sizes of the name, the type and the shape, and then the shape itself.
        *((b"numbers\0", at, b"\xe8\3", LONGER) for at in (-6, -4, -2, 32)),
        (b"numbers\0", -6, b"\x64\0\x64\0\xc8\0", LONGER),
        (b"numbers\0", -4, b"\7", "an attribute in it is too short"),
        (b"numbers\0", -2, b"\3", "an attribute in it is too short"),
        (b"text\0", 40, b"\4", SHORTER),  # how long it is, where its heap is, and its number there
        (b"text\0", 44, b"\0", "not what its address says (GCOL)"),
        (b"text\0", 52, b"\2", SHORTER),
        (b"GCOL", 24, b"\xe1\x0f", "a text in it is longer than its heap"),
        (b"GCOL", 24, b"\xe0\x0f", ""),  # as long as can be
        (b"text\0", 40, b"\0\0\0\0" + b"\xff" * 8, ""),  # an empty one needs no heap
    ],
)
def test_an_attribute_that_is_damaged_is_refused_with_the_reason(
    after: bytes, at: int, number: bytes, says: str
) -> None:
    def fill(file: h5py.File) -> None:
        file.attrs["numbers"] = np.arange(3, dtype="<i4")
        file.attrs["text"] = "abc"

    content = bytearray(made(fill, libver="earliest"))
    at += content.index(after)
    content[at : at + len(number)] = number
    if says:
        with pytest.raises(UnreadableError, match=re.escape(says)):
            hdf5.read(bytes(content))
    else:
        text = "abc" if after == b"GCOL" else ""
        assert hdf5.read(bytes(content)).attributes == {"numbers": [0, 1, 2], "text": text}


def test_attributes_of_other_types_keep_no_file_from_being_read() -> None:
    values = {"yes": True, "pairs": np.zeros(2, [("a", "f4")]), "none": h5py.Empty("f4"), "complex": 1j}
    content = made(lambda file: file.attrs.update({"number": 3, **values, "text": "abc"}))
    assert hdf5.read(content).attributes == {"number": 3, **dict.fromkeys(values), "text": "abc"}


def test_a_file_is_read_within_its_ends_and_so_often_only() -> None:
    source = Bytes(b"abcd")
    assert [source.part(0, 4), source.part(1, 2), source.part(4, 0)] == [b"abcd", b"bc", b""]
    for start, count in ((-1, 1), (0, 5), (4, 1), (5, 0), (2, -1)):
        with pytest.raises(UnreadableError, match="lies beyond its end"):
            source.part(start, count)
    source = Bytes(b"")
    for _ in range(300_000):
        source.spend(0)
    with pytest.raises(UnreadableError, match="again and again"):
        source.spend(0)
    source = Bytes(b"abcd")
    source.spend(100_016)
    with pytest.raises(UnreadableError, match="again and again"):
        source.spend(1)


def test_reading_a_model_needs_no_hdf5_library() -> None:
    program = (
        "import pathlib, sys; from workshop.scratch.nn.network import Network;"
        f"Network.from_h5(pathlib.Path({str(MODELS / 'xor.h5')!r})); assert not {{'h5py', 'keras'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# Hostile files. None of them may reach the HDF5 library.

CONFIG: dict[str, Any] = {
    "class_name": "Sequential",
    "config": {
        "layers": [
            {"class_name": "InputLayer", "config": {"batch_shape": [None, 2]}},
            {"class_name": "Dense", "config": {"units": 3, "use_bias": False}},
        ]
    },
}


def model(change: Callable[[h5py.File], object] = lambda file: None, config: object = CONFIG, **options: Any) -> bytes:
    """Returns a small model's file; `change` is given it before it is closed."""

    def fill(file: h5py.File) -> None:
        file.attrs["model_config"] = config if isinstance(config, str) else json.dumps(config)
        file["model_weights/dense/kernel"] = np.ones((2, 3), np.float32)
        file["model_weights"].attrs["layer_names"] = [b"dense"]
        file["model_weights/dense"].attrs["weight_names"] = [b"kernel"]
        change(file)

    return made(fill, **options)


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], str]:
    """Returns a function from a file's content to the line that refuses it."""
    path = Path("hostile.h5")

    def refuse(content: bytes) -> str:
        path.write_bytes(content)
        with monkeypatch.context() as guarded:
            guarded.setattr(h5py, "File", lambda *_: pytest.fail("the HDF5 library saw the file"))
            with pytest.raises(WorkshopError) as caught:
                Network.from_h5(path)
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith("hostile.h5 is ")
        return str(caught.value)

    return refuse


def external_storage(file: h5py.File) -> None:
    file.create_dataset("outside", (8,), "f8", external=[("elsewhere", 0, 64)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource("elsewhere", "data", (3,))
    file.create_virtual_dataset("virtual", layout)


def attribute_of_a_named_type(file: h5py.File) -> None:
    file["type"] = np.dtype("f4")
    file.attrs.create("a", 1, dtype=file["type"])
    del file["type"]


def many_links(file: h5py.File) -> None:
    for number in range(20):
        file[f"model_weights/entry{number}"] = number


def many_attributes(file: h5py.File) -> None:
    for number in range(20):
        file["model_weights"].attrs[f"attribute{number}"] = number


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        (lambda f: f.__setitem__("a", h5py.ExternalLink("elsewhere", "/")), {}, "entry a is a link to another"),
        (lambda f: f.__setitem__("a", h5py.SoftLink("/model_weights")), {}, "entry a is a link to another place"),
        (lambda f: f.__setitem__("a", h5py.ExternalLink("b", "/")), {"libver": "latest"}, "entry a is a link to"),
        (lambda f: f.__setitem__("a", h5py.SoftLink("/model")), {"libver": "latest"}, "entry a is a link to another"),
        (external_storage, {}, "outside is kept in another file"),
        (virtual, {}, "virtual is kept in another file"),
        (lambda f: f.create_dataset("c", (8, 8), "f4", chunks=(4, 4)), {}, "in chunks, perhaps compressed"),
        (lambda f: f.create_dataset("c", data=np.ones(99), compression="gzip"), {}, "in chunks, perhaps compressed"),
        (attribute_of_a_named_type, {"libver": "latest"}, "an attribute in it is of an unknown version"),
        (many_links, {"libver": "latest"}, "newer form (dense): save it again with Keras"),
        (many_attributes, {"libver": "latest"}, "its attributes are stored in a newer form (dense): save it again"),
        (lambda f: f.__setitem__("none", h5py.Empty("f4")), {}, "an array in it has an unknown shape"),
        (lambda f: f.__setitem__("none", h5py.Empty("f4")), {"libver": "latest"}, "an array in it has an unknown"),
        (lambda f: f.__setitem__("model_weights/dense/again", f["model_weights"]), {}, "a group in it holds itself"),
        (lambda f: f.__setitem__("again", f["/"]), {}, "a group in it holds itself"),
        (lambda f: f.__setitem__("type", np.dtype("f4")), {}, "entry type is not data"),
        (lambda f: f.__setitem__("pairs", np.zeros(3, [("a", "f4")])), {}, "a type in it is not one that Keras uses"),
        (lambda f: f.create_dataset("large", (10**6,), "f4"), {}, "large claims to be larger than the file"),
        (lambda f: None, {"userblock_size": 512}, "does not begin as HDF5 files do"),
    ],
)
def test_what_a_model_does_not_have_is_refused_in_one_line(
    change: Callable[[h5py.File], object], options: dict[str, Any], says: str, refusal: Callable[[bytes], str]
) -> None:
    assert says in refusal(model(change, **options))


def dense(**settings: object) -> dict[str, Any]:
    return {**CONFIG, "config": [{"class_name": "Dense", "config": {"input_dim": 2, "units": 3, **settings}}]}


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (dense(units=10**9), "units = 1000000000"),
        (dense(batch_input_shape=[None, 10**9]), "inputs of shape [None, 1000000000]"),
        (dense(batch_input_shape=[None, -1]), "inputs of shape [None, -1]"),
        (dense(batch_input_shape=10**9), "inputs of shape 1000000000, which is not a shape"),
        (
            {
                "class_name": "Sequential",
                "config": [
                    {
                        "class_name": "Conv2D",
                        "config": {"batch_input_shape": [None, 10_000, 10_000, 1], "filters": 10**6, "kernel_size": 1},
                    }
                ],
            },
            "more than 50,000,000 numbers",
        ),
        ('{"class_name": "Sequential", "config": ' + "[" * 100_000 + "]" * 100_000 + "}", "configuration cannot be"),
        ("not JSON", "configuration cannot be read"),
        ("[]", "configuration cannot be read"),
    ],
)
def test_a_configuration_that_asks_for_too_much_is_refused(
    config: object, says: str, refusal: Callable[[bytes], str]
) -> None:
    assert says in refusal(model(config=config))


def test_a_setting_nested_to_the_limit_of_python_is_refused(refusal: Callable[[bytes], str]) -> None:
    content = json.dumps(dense(units="HERE", unheard_of="HERE"))
    for depth in range(900, 1000, 2):  # where exactly the limit lies depends on who calls
        refusal(model(config=content.replace('"HERE"', "[" * depth + "]" * depth)))


def test_zeros_that_are_not_in_the_file_fill_no_memory(refusal: Callable[[bytes], str]) -> None:
    def change(file: h5py.File) -> None:
        file["ballast"] = np.zeros(100_000, np.uint8)
        for number in range(400):  # each as large as the file: 40 MB in all, of a file of 0.2
            file.create_dataset(f"zeros{number}", (100_000,), "u1")

    assert "again and again" in refusal(model(change))


def test_one_long_name_for_many_entries_fills_no_memory(refusal: Callable[[bytes], str]) -> None:
    def change(file: h5py.File) -> None:
        file.create_group("n" * 60_000)
        for number in range(2000):
            file.create_group(f"g{number}")

    content = bytearray(model(change))
    start = content.index(b"n" * 60_000)
    nodes = [at for at in range(len(content)) if content.startswith(b"SNOD", at)]
    # The names lie behind one another in the group's heap; every entry says where its own begins.
    heaps = [at for at in range(len(content)) if content.startswith(b"HEAP", at)]
    begin = max(begin for heap in heaps if (begin := struct.unpack_from("<Q", content, heap + 24)[0]) < start)
    for node in nodes:
        for i in range(struct.unpack_from("<H", content, node + 6)[0]):
            struct.pack_into("<Q", content, node + 8 + 40 * i, start - begin)
    assert "again and again" in refusal(bytes(content))


def test_many_names_for_one_array_fill_no_memory(refusal: Callable[[bytes], str]) -> None:
    def change(file: h5py.File) -> None:
        for number in range(200):
            file[f"again{number}"] = file["model_weights/dense/kernel"]
        file["large"] = np.zeros(50_000, np.uint8)
        for number in range(20):
            file[f"larger{number}"] = file["large"]

    assert "again and again" in refusal(model(change))


def test_a_truncated_file_is_refused_wherever_it_ends(refusal: Callable[[bytes], str]) -> None:
    content = (MODELS / "xor.h5").read_bytes()
    for length in range(0, len(content), 100):
        refusal(content[:length])


def mutated(content: bytes, seed: int) -> bytes:
    """Returns the file damaged in one of four ways."""
    chance, damaged = random.Random(seed), bytearray(content)
    way = chance.randrange(4)
    if way < 2:  # single bytes anywhere, or among the first ones, where addresses and configuration are
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged) if way else min(len(damaged), 8000))] = chance.randrange(256)
    elif way == 2:
        del damaged[chance.randrange(len(damaged)) :]
    else:
        length, start = chance.choice([1, 2, 4, 8, 64]), chance.randrange(len(damaged) - 64)
        damaged[start : start + length] = bytes([chance.choice([0, 255])]) * length
    return bytes(damaged)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("xor", 2000),
        ("mnist_cnn", 300),
        pytest.param("xor", 9000, marks=pytest.mark.slow),
        pytest.param("mnist_cnn", 1000, marks=pytest.mark.slow),
    ],
)
def test_damage_ends_in_a_network_or_in_one_line(name: str, count: int) -> None:
    content, path = (MODELS / f"{name}.h5").read_bytes(), Path("damaged.h5")
    outcomes = {True: 0, False: 0}
    for seed in range(count):
        path.write_bytes(mutated(content, seed))
        try:
            Network.from_h5(path)
            outcomes[True] += 1
        except WorkshopError as error:
            assert "\n" not in str(error)
            outcomes[False] += 1
    assert min(outcomes.values()) > count / 10, outcomes

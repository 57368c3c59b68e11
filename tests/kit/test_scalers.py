"""Scalers as people save them: every protocol, compression and release; encoders and bombs are refused in a line."""

import bz2
import codecs
import copyreg
import gzip
import io
import lzma
import pickle
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn import preprocessing
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline

from workshop.kit.errors import WorkshopError
from workshop.kit.saving import unpickling

X = np.array([[30.2, 97.0], [60.0, 31.5], [99.8, 55.0], [45.5, 76.25]])
Y = np.array([[0.0, 100.0], [38.0, 75.0]])
KINDS = (
    preprocessing.MinMaxScaler,
    preprocessing.StandardScaler,
    preprocessing.RobustScaler,
    preprocessing.MaxAbsScaler,
)


def dumped(scaler: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    joblib.dump(scaler, stream, **options)
    return stream.getvalue()


def check_taken(content: bytes, scaler: Any) -> None:
    loaded = unpickling.load_scaler(content, "scaler.gz")
    np.testing.assert_array_equal(loaded.transform(Y), scaler.transform(Y))
    assert loaded.n_features_in_ == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_of_pickle_is_read(kind: Callable[[], Any], protocol: int) -> None:
    scaler = kind().fit(X)
    check_taken(pickle.dumps(scaler, protocol), scaler)
    check_taken(dumped(scaler, protocol=protocol), scaler)


@pytest.mark.parametrize("compression", ["zlib", "gzip", "bz2", "lzma", "xz"])
def test_every_compression_of_joblib_is_read(compression: str) -> None:
    scaler = preprocessing.MinMaxScaler().fit(X)
    check_taken(dumped(scaler, compress=(compression, 3)), scaler)


@pytest.mark.parametrize("kind", KINDS)
def test_a_scaler_of_an_old_release_is_read(kind: Callable[[], Any]) -> None:
    scaler = kind().fit(X)
    content = dumped(scaler, protocol=2)
    for new, old in (
        (b"sklearn.preprocessing._data", b"sklearn.preprocessing.data"),
        (b"joblib.numpy_pickle", b"sklearn.externals.joblib.numpy_pickle"),
    ):
        assert new in content
        content = content.replace(new, old)
    check_taken(content, scaler)
    old_scaler = kind().fit(X)
    del old_scaler.n_features_in_  # which releases before 0.24 do not have
    check_taken(dumped(old_scaler), scaler)


@pytest.mark.parametrize("encoder", [preprocessing.OneHotEncoder, preprocessing.OrdinalEncoder])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_encoder_fitted_on_an_array_of_texts_is_read(encoder: Callable[[], Any], protocol: int) -> None:
    rows = np.array([["Rome", "5more"], ["Oslo", "2"], ["Bonn", "4"]])  # NumPy's own texts, in categories_ too
    step = ColumnTransformer([("texts", encoder(), [0, 1])], sparse_threshold=0).fit(rows)
    assert step.transformers_[0][1].categories_[1].dtype == "U5"
    for content in (dumped(step, protocol=protocol), pickle.dumps(step, protocol)):
        loaded = unpickling.load_scaler(content, "scaler.gz")
        np.testing.assert_array_equal(loaded.transform(rows[::-1]), step.transform(rows[::-1]))


@pytest.mark.parametrize(
    ("encoder", "says"),
    [
        (preprocessing.LabelEncoder().fit(["a", "b"]), "it is a LabelEncoder, no scaler of numbers: it turns the"),
        (preprocessing.OneHotEncoder().fit([["a"], ["b"]]), "it is a OneHotEncoder alone, no scaler of numbers"),
        (preprocessing.QuantileTransformer(n_quantiles=2).fit(X), "it is a QuantileTransformer, no .*: fit a MinMax"),
        (make_pipeline(preprocessing.KBinsDiscretizer(2)), r"KBinsDiscretizer, which is none of the steps .*: use Sim"),
        (preprocessing.StandardScaler(), "is a StandardScaler that is not fitted: fit it on the training data"),
        (make_pipeline(preprocessing.StandardScaler()), "is a Pipeline that is not fitted: fit it on the"),
        ({"scaler": 5}, "is no scaler, it holds one dict: save the fitted scaler itself"),
    ],
)
def test_what_is_no_scaler_is_refused_by_its_name(encoder: Any, says: str) -> None:
    with pytest.raises(WorkshopError, match=says):
        unpickling.load_scaler(dumped(encoder), "encoder.pkl")


class Calls:
    """Pickled, a call of a function that older protocols of pickle name."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.function, self.arguments


@pytest.mark.parametrize(
    "call",
    [
        Calls(codecs.encode, "print", "rot13"),
        Calls(codecs.encode, b"x" * 9, "zlib_codec"),
        Calls(codecs.encode, "/etc/passwd", "utf-8"),
        Calls(copyreg._reconstructor, dict, dict, {}),  # type: ignore[attr-defined]
        Calls(copyreg._reconstructor, object, object, None),  # type: ignore[attr-defined]
        Calls(object),
        Calls(codecs.decode, b"x", "latin1"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_what_the_older_protocols_name_makes_nothing_but_scalers(call: Calls, protocol: int) -> None:
    with pytest.raises(WorkshopError, match=r"is refused|is damaged, or not a fitted scaler"):
        unpickling.load_scaler(pickle.dumps(call, protocol), "scaler.gz")


@pytest.mark.parametrize("name", [b"_codecs\nencode", b"copy_reg\n_reconstructor", b"numpy.core.numeric\n_frombuffer"])
@pytest.mark.parametrize("state", [b"(dS'x'\nI1\ns", b"((dI1\n(dS'__defaults__'\nN(ltst"])
def test_a_function_that_a_protocol_names_is_not_changed(name: bytes, state: bytes) -> None:
    with pytest.raises(WorkshopError, match=r"is refused: it would change|is damaged, or not a fitted scaler"):
        unpickling.load_scaler(b"c" + name + b"\n" + state + b"b.", "scaler.gz")
    assert unpickling._latin1_bytes("é", "latin1") == b"\xe9"


@pytest.mark.parametrize(
    "compress",
    [gzip.compress, zlib.compress, bz2.compress, lzma.compress, lambda data: lzma.compress(data, lzma.FORMAT_ALONE)],
)
def test_a_bomb_is_refused_before_it_is_unpacked(compress: Callable[[bytes], bytes]) -> None:
    with pytest.raises(WorkshopError, match="unpacked it is larger than 16 MB"):
        unpickling.load_scaler(compress(bytes(40 * 2**20)), "scaler.gz")


def test_a_file_that_asks_for_gigabytes_to_be_unpacked_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 2**30}]
    content = lzma.compress(b"x", lzma.FORMAT_XZ, filters=filters)
    with pytest.raises(WorkshopError, match="is damaged, or not a fitted scaler"):
        unpickling.load_scaler(content, "scaler.gz")


@pytest.mark.parametrize("compression", ["zlib", "gzip", "bz2", "lzma", "xz"])
def test_a_compressed_scaler_that_was_cut_off_is_a_line(compression: str) -> None:
    content = dumped(preprocessing.MinMaxScaler().fit(X), compress=(compression, 3))
    for length in (1, 5, len(content) // 2, len(content) - 9):
        with pytest.raises(WorkshopError, match=r"scaler\.gz is (damaged|refused)"):
            unpickling.load_scaler(content[:length], "scaler.gz")


@pytest.mark.real
def test_scalers_that_people_published_are_read(real_data: Path) -> None:
    folder = real_data.parent / "cases" / "scalers"
    if not folder.is_dir():
        pytest.skip("the published scalers do not lie beside the data sets")
    refusals = []
    for path in sorted(folder.iterdir()):
        try:
            assert unpickling.load_scaler(path.read_bytes(), path.name).n_features_in_ >= 1
        except WorkshopError as error:
            refusals.append(str(error))
    assert all(
        re.search(r"it is a (LabelEncoder|OneHotEncoder alone|DictVectorizer), no scaler", text) for text in refusals
    )
    assert len(refusals) < len(list(folder.iterdir())) / 2


@pytest.mark.real
def test_scalers_in_every_packing_and_of_every_kind_are_read(real_data: Path) -> None:
    folder = real_data.parent / "cases" / "hunt" / "scalers"
    if not folder.is_dir():
        pytest.skip("the inputs made for public bug reports do not lie beside the data sets")
    refusals = {}
    for path in sorted(folder.glob("*-scaler.gz")):
        try:
            step = unpickling.load_scaler(path.read_bytes(), path.name)
            assert step.n_features_in_ == step.n_features_out_ == (3 if path.name.startswith("three") else 2)
        except WorkshopError as error:
            refusals[path.name.removesuffix("-scaler.gz")] = str(error)
    assert sorted(refusals) == ["dict", "unfitted"]
    assert "holds one dict" in refusals["dict"] and "is not fitted" in refusals["unfitted"]

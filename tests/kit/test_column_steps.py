"""Pipelines and ColumnTransformers of scikit-learn, read without it: the same numbers, and nothing in them is run."""

import dataclasses
import functools
import io
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import preprocessing
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from workshop.kit.errors import WorkshopError
from workshop.kit.saving import column_steps, unpickling
from workshop.kit.saving.card import Input
from workshop.kit.saving.loaded import Bundle, check_shapes, scaler_inputs
from workshop.kit.saving.scaler import Step

nan = float("nan")
TRAINING = pd.DataFrame(
    {
        "area": [30.0, nan, 70, 99.5, 45],
        "city": ["Rome", "Oslo", nan, "Rome", "Bonn"],
        "rooms": [1, 2, 3, 2, 5],
        "old": ["yes", "no", "yes", "no", "no"],
        "level": [1, 2, 1, 3, 3],
    }
)
ROWS: list[list[Any]] = [[50, "Bonn", 2, "no", 1], ["?", "", 3.5, "yes", "3"], ["200", "Paris", 9, "no", None]]
TABLE = pd.DataFrame(
    {
        "area": [50, nan, 200.0],
        "city": ["Bonn", nan, "Paris"],
        "rooms": [2, 3.5, 9],
        "old": ["no", "yes", "no"],
        "level": [1.0, 3, nan],
    }
)
NUMBERS, TEXTS = ["area", "rooms"], ["city", "old"]


def dumped(step: Any) -> bytes:
    stream = io.BytesIO()
    joblib.dump(step, stream)
    return stream.getvalue()


def load(step: Any) -> Step:
    return unpickling.load_scaler(dumped(step), "model-scaler.gz")


def numbers(scaler: Any = MinMaxScaler) -> Pipeline:
    return make_pipeline(SimpleImputer(strategy="median"), scaler())


def texts(strategy: str = "constant", marker: Any = nan, **options: Any) -> Pipeline:
    encoder = OneHotEncoder(**{"handle_unknown": "ignore", "sparse_output": False} | options)
    return make_pipeline(SimpleImputer(strategy=strategy, fill_value="missing", missing_values=marker), encoder)


def table_of(numbers: Any, texts: Any, **options: Any) -> ColumnTransformer:
    return ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, TEXTS)], **options)


CASES: dict[str, Any] = {
    "the lesson's": table_of(numbers(), texts()),
    "short names": table_of(numbers(), texts(dtype=np.float32), verbose_feature_names_out=False),
    "sparse": table_of(numbers(StandardScaler), texts(sparse_output=True)),
    "most frequent": table_of(numbers(preprocessing.RobustScaler), texts("most_frequent", dtype=int)),
    "passthrough": ColumnTransformer([("texts", texts(), TEXTS)], remainder="passthrough"),
    "steps that do nothing": ColumnTransformer(
        [("rooms", "passthrough", ["rooms"]), ("area", "drop", ["area"]), ("texts", texts(), TEXTS)]
    ),
    "remainder": ColumnTransformer([("texts", texts(), TEXTS)], remainder=numbers(preprocessing.MaxAbsScaler)),
    "by number": ColumnTransformer([("numbers", numbers(), [0, -3]), ("texts", texts(), slice(1, 2))]),
    "by mask": ColumnTransformer([("numbers", numbers(), [True, False, True, False, True])]),
    "by index": ColumnTransformer([("numbers", numbers(), TRAINING.columns[[0, 2]]), ("texts", texts(), TEXTS)]),
    "by selector": ColumnTransformer([("numbers", numbers(), make_column_selector(dtype_include=np.number))]),
    "numbers as categories": ColumnTransformer(
        [("level", texts("most_frequent"), ["level"]), ("numbers", numbers(), NUMBERS)]
    ),
    "one category left out": table_of(numbers(), texts(drop="first")),
    "left out of two": table_of(numbers(), texts(drop="if_binary")),
    "rare categories": table_of(numbers(), texts(handle_unknown="infrequent_if_exist", min_frequency=2)),
    "rare ones left out": table_of(
        numbers(), texts(handle_unknown="infrequent_if_exist", max_categories=2, drop="first")
    ),
    "ordinal": table_of(
        numbers(), OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    ),
    "missing cells as a category": table_of(numbers(), OneHotEncoder(handle_unknown="ignore")),
    "indicator": table_of(make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), texts()),
    "weights": table_of(numbers(), texts(), transformer_weights={"numbers": 2.5}),
    "nothing selected": ColumnTransformer([("none", StandardScaler(), []), ("numbers", numbers(), NUMBERS)]),
    "in a pipeline": make_pipeline(table_of(numbers(), texts()), StandardScaler()),
    "union": table_of(
        make_pipeline(SimpleImputer(), FeatureUnion([("a", MinMaxScaler()), ("b", StandardScaler())])), texts()
    ),
    "within another": ColumnTransformer(
        [("in", table_of(numbers(), "drop"), [*NUMBERS, *TEXTS]), ("texts", texts(), TEXTS)]
    ),
    "power": table_of(numbers(preprocessing.PowerTransformer), texts()),
    "length": table_of(numbers(preprocessing.Normalizer), texts()),
    "logarithm": ColumnTransformer(
        [("numbers", make_pipeline(SimpleImputer(), preprocessing.FunctionTransformer(np.log1p)), NUMBERS)]
    ),
    "data frames": table_of(numbers(), texts()).set_output(transform="pandas"),
}


@pytest.mark.filterwarnings("ignore:Found unknown categories")
@pytest.mark.parametrize("case", CASES)
def test_a_pipeline_makes_the_numbers_that_scikit_learn_makes(case: str) -> None:
    step = CASES[case].fit(TRAINING)
    made = step.transform(TABLE)
    expected = np.asarray(made.toarray() if hasattr(made, "toarray") else made, float)
    for content in (dumped(step), pickle.dumps(step, 0), pickle.dumps(step, 2), pickle.dumps(step)):
        loaded = unpickling.load_scaler(content, "model-scaler.gz")
        cells = TABLE.astype(object).where(TABLE.notna(), None).to_numpy()
        np.testing.assert_allclose(np.asarray(loaded.transform(cells), float), expected, rtol=1e-12)
        assert loaded.names == list(TRAINING.columns) and loaded.n_features_out_ == expected.shape[1]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-1e6, 1e6) | st.none(), st.sampled_from(["a", "b", "c d", "é", "?", None])), min_size=4
    ),
    st.sampled_from(["mean", "median", "most_frequent", "constant"]),
    st.sampled_from([MinMaxScaler, StandardScaler, preprocessing.RobustScaler, preprocessing.MaxAbsScaler]),
)
def test_any_table_is_encoded_as_scikit_learn_does(rows: list[Any], strategy: str, scaler: Any) -> None:
    frame = pd.DataFrame({"x": [row[0] for row in rows], "y": [row[1] for row in rows]}, dtype=object)
    frame["x"] = frame["x"].astype(float)
    step = ColumnTransformer(
        [("x", make_pipeline(SimpleImputer(strategy=strategy), scaler()), ["x"]), ("y", texts(marker=None), ["y"])]
    )
    if frame["x"].isna().all():
        frame.loc[0, "x"] = 1.5
    if frame["y"].isna().all():  # scikit-learn warns of a column without any cell
        frame.loc[0, "y"] = "a"
    step.fit(frame)
    with np.errstate(over="ignore", invalid="ignore"):
        np.testing.assert_allclose(load(step).transform(frame.to_numpy(object)), step.transform(frame), rtol=1e-12)


class Sums:
    """A model of any engine: its output is its input, so that a test sees what it was given."""

    engine = "numpy"

    def __init__(self, columns: int) -> None:
        self.input_shape = self.output_shape = (columns,)

    def predict(self, X: np.ndarray) -> np.ndarray:
        return X


def bundle(step: Any, inputs: list[Input] | None = None) -> Bundle:
    loaded = load(step)
    made = Bundle(Path("car.h5"), Sums(loaded.n_features_out_), loaded, {}, inputs or scaler_inputs(loaded))  # type: ignore[arg-type]
    check_shapes(made)
    return made


def test_a_model_takes_the_cells_of_a_table_as_people_type_them() -> None:
    step = table_of(numbers(), texts()).fit(TRAINING)
    model, expected = bundle(step), step.transform(TABLE).astype(np.float32)
    np.testing.assert_array_equal(model.predict(ROWS), expected)
    np.testing.assert_array_equal(model.predict(TABLE), expected)
    np.testing.assert_array_equal(model.encode(ROWS), expected)
    city = model.inputs[1]
    assert [column.name for column in model.inputs] == list(TRAINING.columns)
    assert city.values == ("Bonn", "Oslo", "Rome", "missing") and not model.inputs[4].values
    assert (model.inputs[0].minimum, model.inputs[0].maximum) == (30, 99.5)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([["abc", "Rome", 1, "no", 1]], "area: got abc, takes a finite number"),
        ([["inf", "Rome", 1, "no", 1]], "area: got inf, takes a finite number"),
        ([[1, "Rome", 1, "no"]], "got 4 cells, the model takes 5: area, city, rooms, old, level"),
        ([[1, "Rome", "?", "no", 1]], "rooms: got a missing cell, takes a number"),
        ([[1, "Rome", 1, "maybe", 1]], "old: got maybe, takes one of no, yes"),
        (
            TABLE[["city", "area", "rooms", "old", "level"]],
            r"got the columns city, area, .*: put them in this order, X\[",
        ),
        (
            TABLE.rename(columns={"old": "new"}),
            "got the columns .*, takes area, city, rooms, old, level: old is missing",
        ),
        (TABLE.assign(more=1), "takes area, city, rooms, old, level: leave the others out"),
    ],
)
def test_cells_that_a_model_does_not_take_are_named(rows: Any, says: str) -> None:
    step = ColumnTransformer(
        [("area", numbers(), ["area"]), ("rooms", MinMaxScaler(), ["rooms"]), ("old", OneHotEncoder(), ["old"])]
    )
    with pytest.raises(WorkshopError, match=says):
        bundle(step.fit(TRAINING)).predict(rows)


def test_a_question_mark_is_a_category_where_it_was_one_in_training() -> None:
    frame = pd.DataFrame({"city": ["Rome", "?", "Oslo"]})
    model = bundle(ColumnTransformer([("city", OneHotEncoder(handle_unknown="ignore"), ["city"])]).fit(frame))
    np.testing.assert_array_equal(model.predict([["?"], ["Rome"], [""]]), [[1, 0, 0], [0, 0, 1], [0, 0, 0]])


@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
@pytest.mark.parametrize("is_kept", [True, False])
@pytest.mark.parametrize("strategy", ["mean", "most_frequent"])
def test_a_column_that_was_empty_in_training(is_kept: bool, strategy: str) -> None:
    rows = np.array([[1.0, nan, 3], [2, nan, 5]])
    step = make_pipeline(SimpleImputer(strategy=strategy, keep_empty_features=is_kept), StandardScaler()).fit(rows)
    test = np.array([[1.0, 7, nan], [nan, nan, 2]])
    np.testing.assert_array_equal(load(step).transform(test), step.transform(test))


@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
def test_powers_of_any_numbers(method: str) -> None:
    rows = np.random.default_rng(0).normal(size=(20, 3)) ** 3
    rows = np.exp(rows) if method == "box-cox" else rows
    step = preprocessing.PowerTransformer(method).fit(rows)
    np.testing.assert_allclose(load(step).transform(rows), step.transform(rows), rtol=1e-9)


@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
def test_powers_that_are_logarithms_and_others_by_hand(method: str) -> None:
    rows = np.array([[0.5, 3, 2, 7], [1, 8, 0.25, 1], [2, 1, 4, 3]]) * ([1, 1, 1, 1] if method == "box-cox" else 1)
    step = preprocessing.PowerTransformer(method, standardize=False).fit(rows)
    step.lambdas_ = np.array([0.0, 2, 1, -0.5])
    test = rows if method == "box-cox" else np.vstack([rows, -rows, [[0.0] * 4]])
    np.testing.assert_allclose(load(step).transform(test), step.transform(test), rtol=1e-12)


MORE_STEPS: dict[str, Any] = {
    **{f"length {norm}": preprocessing.Normalizer(norm) for norm in ("l1", "l2", "max")},
    **{name: preprocessing.FunctionTransformer(getattr(np, name)) for name in column_steps.FUNCTIONS},
    "no function": preprocessing.FunctionTransformer(),
    "fours are missing": SimpleImputer(missing_values=4, strategy="mean"),
    "fours are missing and told": SimpleImputer(missing_values=4, strategy="median", add_indicator=True),
    "a number for the missing ones": SimpleImputer(missing_values=4, strategy="constant", fill_value=7.5),
    "union with weights": FeatureUnion(
        [("a", MinMaxScaler()), ("b", StandardScaler())], transformer_weights={"b": 3, "a": 0.5}
    ),
    "union of some": FeatureUnion([("a", "drop"), ("b", StandardScaler()), ("c", "passthrough")]),
    "pipeline with a gap": Pipeline(
        [("a", StandardScaler()), ("b", "passthrough"), ("c", None), ("d", MinMaxScaler())]
    ),
    "some from behind": ColumnTransformer([("a", MinMaxScaler(), slice(-2, None)), ("b", StandardScaler(), [-3, 0])]),
    "every other one": ColumnTransformer([("a", MinMaxScaler(), slice(0, None, 2))]),
    "ranks": ColumnTransformer(
        [("a", OrdinalEncoder(min_frequency=2, handle_unknown="use_encoded_value", unknown_value=99), [0, 1])]
    ),
}


@pytest.mark.parametrize("case", MORE_STEPS)
def test_steps_of_numbers_alone_are_those_of_scikit_learn(case: str) -> None:
    rows = np.array([[1.0, 4, 0.5], [2, 5, 0.25], [2, 6, 4], [1, 4, 3]])
    test = np.array([[2.0, 4, 0.5], [0, 0, 0], [1, 6, 8]])
    if case.startswith(("log", "reciprocal")) and case != "log1p":
        test = test[::2]  # of 0 they are infinite
    step = make_pipeline(MORE_STEPS[case], preprocessing.MaxAbsScaler()).fit(rows)
    np.testing.assert_allclose(load(step).transform(test), step.transform(test), rtol=1e-12)


def test_columns_from_one_name_to_another_are_those_between_them() -> None:
    step = ColumnTransformer([("texts", texts(), slice("city", "old")), ("level", MinMaxScaler(), ["level"])])
    step.fit(TRAINING)
    np.testing.assert_array_equal(
        load(step).transform(TRAINING.astype(object).where(TRAINING.notna(), None).to_numpy()), step.transform(TRAINING)
    )


@pytest.mark.parametrize(
    "columns",
    [
        [0, -3],
        [-5],
        slice(1, 2),
        slice(0, None, 2),
        [True, False, True, False, True],
        ["rooms", "area"],
        np.array([2, 0]),
    ],
)
def test_columns_are_selected_as_in_releases_that_did_not_note_their_numbers(columns: Any) -> None:
    table = TRAINING.assign(city=range(5), old=[3, 1, 4, 1, 5]).fillna(50.0)
    step = ColumnTransformer([("numbers", StandardScaler(), columns)]).fit(table)
    expected = step.transform(table)
    del step._transformer_to_input_indices
    np.testing.assert_allclose(load(step).transform(table.to_numpy()), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", [OneHotEncoder, OrdinalEncoder])
@pytest.mark.parametrize("count", [2, 20, 21])
def test_an_encoder_that_takes_no_others_names_the_first_twenty_that_it_takes(kind: Any, count: int) -> None:
    towns = [f"town{i:02d}" for i in range(count)]
    step = ColumnTransformer([("town", kind(), ["town"])]).fit(pd.DataFrame({"town": towns}))
    made = step.transform(pd.DataFrame({"town": towns[:2]}))
    loaded = load(step)
    np.testing.assert_array_equal(
        loaded.transform([[towns[0]], [towns[1]]]), made.toarray() if hasattr(made, "toarray") else made
    )
    with pytest.raises(WorkshopError, match="town: got Rome, takes one of ") as refused:
        loaded.transform([[towns[0]], ["Rome"]])
    listed = str(refused.value).partition("takes one of ")[2]
    assert listed == ", ".join(towns[:20]) + (", ..." if count > 20 else "")


def test_a_number_is_the_text_that_it_is_written_as() -> None:
    frame = pd.DataFrame({"doors": ["2", "4", "5more"]})
    model = bundle(ColumnTransformer([("doors", OneHotEncoder(), ["doors"])]).fit(frame))
    np.testing.assert_array_equal(model.predict([[4], [4.0], ["4"], [np.float32(4)]]), [[0, 1, 0]] * 4)


def test_blanks_around_a_category_are_those_of_the_table() -> None:
    frame = pd.DataFrame({"work": [" Private", "State ", " Private"]})
    model = bundle(ColumnTransformer([("work", OneHotEncoder(handle_unknown="ignore"), ["work"])]).fit(frame))
    np.testing.assert_array_equal(model.predict([[" Private"], ["Private"], ["State"]]), [[1, 0], [1, 0], [0, 1]])


def test_a_pipeline_of_another_model_is_refused() -> None:
    step = table_of(numbers(), texts()).fit(TRAINING)
    named = [Input(name) for name in ("city", "area", "rooms", "old", "level")]
    with pytest.raises(WorkshopError, match=r"has the inputs city, area, .* in its card, its scaler takes area, city"):
        bundle(step, named)
    with pytest.raises(WorkshopError, match=r"its scaler 5 columns and makes 8 of them.*: they are not of one model"):
        check_shapes(Bundle(Path("car.h5"), Sums(7), load(step), {}))  # type: ignore[arg-type]


class Runs:
    """Unpickled, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.folder,)


def in_a_pipeline(evil: Any) -> Pipeline:
    return Pipeline([("a", SimpleImputer().fit([[1.0]])), ("b", evil)])


def in_the_columns(evil: Any) -> ColumnTransformer:
    step = table_of(numbers(), texts()).fit(TRAINING)
    step.transformers_[0] = (*step.transformers_[0][:2], [evil])
    return step


def in_the_categories(evil: Any) -> Any:
    step = table_of(numbers(), texts()).fit(TRAINING)
    step.named_transformers_["texts"][-1].categories_[0] = np.array(["a", evil], object)
    return step


def in_the_statistics(evil: Any) -> Pipeline:
    step = SimpleImputer(strategy="most_frequent").fit(TRAINING[["city"]])
    step.statistics_ = np.array([[evil], [np.array([evil], object)]], object)
    return make_pipeline(step, OneHotEncoder())


def in_a_function(evil: Any) -> Pipeline:
    return make_pipeline(preprocessing.FunctionTransformer(functools.partial(os.mkdir, evil.folder)), StandardScaler())


def in_a_setting(evil: Any) -> Pipeline:
    return make_pipeline(MinMaxScaler().fit([[1.0], [2]]), StandardScaler().fit([[1.0], [2]]), memory=evil)


@pytest.mark.parametrize(
    "hide", [in_a_pipeline, in_the_columns, in_the_categories, in_the_statistics, in_a_function, in_a_setting]
)
@pytest.mark.parametrize("protocol", [0, 2, 5, None])
def test_what_hides_in_a_pipeline_is_not_run(hide: Callable[[Any], Any], protocol: int | None, tmp_path: Path) -> None:
    step = hide(Runs(tmp_path / "made"))
    content = dumped(step) if protocol is None else pickle.dumps(step, protocol)
    with pytest.raises(WorkshopError, match=r"is refused: it (names|holds)"):
        unpickling.load_scaler(content, "model-scaler.gz")
    assert not (tmp_path / "made").exists()


def changed(step: Any, **attributes: Any) -> Any:
    for name, value in attributes.items():
        step.__dict__[name] = value
    return step


def doubled(depth: int) -> Any:
    """A pipeline of 2 to the power of `depth` steps in a few bytes."""
    step: Any = StandardScaler().fit([[1.0], [2]])
    for _ in range(depth):
        step = Pipeline([("a", step), ("b", step)])
    return step


def wide() -> Any:
    """A million columns in a few bytes, each selected ten times."""
    return changed(
        table_of(numbers(), texts()).fit(TRAINING),
        n_features_in_=10**5,
        feature_names_in_=[],
        transformers_=[(str(i), "passthrough", slice(None)) for i in range(10)],
    )


def wide_steps() -> Any:
    """A scaler of ten thousand columns, 64 times."""
    step: Any = StandardScaler().fit(np.zeros((2, 10**4)))
    for _ in range(6):
        step = make_pipeline(step, step)
    return step


def many_categories() -> Pipeline:
    """A hundred columns that share a hundred thousand categories."""
    step = OneHotEncoder().fit([["a"]])
    return make_pipeline(
        changed(step, n_features_in_=100, categories_=[np.arange(10.0**5)] * 100), StandardScaler().fit([[1.0], [2]])
    )


def far_groups() -> Pipeline:
    """An encoder one of whose categories is grouped into a column far away."""
    rows = pd.DataFrame({"city": ["a", "a", "b", "c"]})
    step = OneHotEncoder(min_frequency=2, handle_unknown="infrequent_if_exist").fit(rows)
    step._default_to_infrequent_mappings = [np.array([0, 10**10, 1])]
    return make_pipeline(step, StandardScaler(with_mean=False).fit([[1.0, 2], [2, 3]]))


def endless() -> Any:
    step = Pipeline([("a", None)])
    step.steps[0] = ("a", step)
    return step


@pytest.mark.parametrize(
    "step",
    [
        lambda: doubled(60),
        endless,
        wide,
        wide_steps,
        many_categories,
        far_groups,
        lambda: changed(make_pipeline(StandardScaler().fit([[1.0], [2]])), transform="x"),
        lambda: changed(make_pipeline(StandardScaler().fit([[1.0], [2]])), steps=[5]),
        lambda: changed(table_of(numbers(), texts()).fit(TRAINING), transformers_=[("a", "drop", [0])]),
        lambda: changed(table_of(numbers(), texts()).fit(TRAINING), feature_names_in_=np.array(["a", "b"], object)),
        lambda: changed(table_of(numbers(), texts()).fit(TRAINING), n_features_in_=1),
        lambda: changed(table_of(numbers(), texts()).fit(TRAINING), n_features_in_=10**9),
    ],
)
def test_a_pipeline_that_does_not_fit_together_is_a_line(step: Callable[[], Any]) -> None:
    with pytest.raises(WorkshopError, match=r"model-scaler\.gz is (refused|damaged)"):
        unpickling.load_scaler(pickle.dumps(step()), "model-scaler.gz")


def test_a_key_that_takes_for_ever_to_be_compared_is_refused() -> None:
    content = (
        b"\x80\x02}(" + b"(t" + b"\x322" * 0 + b"2\x86" * 60 + b"K\x01u."
    )  # a tuple of the same tuple twice, 60 deep
    with pytest.raises(WorkshopError, match="is damaged"):
        unpickling.load_scaler(content, "model-scaler.gz")


def test_a_file_that_makes_much_of_little_is_refused() -> None:
    text = b"X" + (10**6).to_bytes(4, "little") + b"a" * 10**6 + b"q\x00X\x06\x00\x00\x00latin1q\x010"
    again = b"c_codecs\nencode\nh\x00h\x01\x86R0"
    with pytest.raises(WorkshopError, match="is refused: it makes more than 64 MB"):
        unpickling.load_scaler(b"\x80\x02" + text + again * 10_000 + b"N.", "model-scaler.gz")


def test_programs_read_a_pipeline_without_scikit_learn_and_pandas(tmp_path: Path) -> None:
    path = tmp_path / "model-scaler.gz"
    joblib.dump(table_of(numbers(), texts()).fit(TRAINING), path)
    code = (
        "import sys; from pathlib import Path; from workshop.kit.saving import unpickling;"
        f"step = unpickling.load_scaler(Path({str(path)!r}).read_bytes(), 'model-scaler.gz');"
        "print(step.n_features_out_, sorted({'sklearn', 'pandas', 'joblib', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1) == ["8", "[]\n"]


@pytest.mark.parametrize(
    "word", ["", " ", "?", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "none", "<NA>", " ? "]
)
def test_each_word_for_a_missing_cell_is_one_unless_it_is_a_category(word: str) -> None:
    model = bundle(table_of(numbers(), texts(marker=None)).fit(TRAINING.astype(object).where(TRAINING.notna(), None)))
    rows = [[50, "Bonn", 2, "no", 1]] * 2
    given = [[word, *rows[0][1:]], [50, word, *rows[0][2:]]]
    missing = [[None, *rows[0][1:]], [50, None, *rows[0][2:]]]
    np.testing.assert_array_equal(model.predict(given), model.predict(missing))
    assert not np.array_equal(model.predict(given), model.predict(rows))
    frame = pd.DataFrame({"x": [word, "other"], "y": [1.0, 2.0]})
    named = bundle(ColumnTransformer([("x", OneHotEncoder(handle_unknown="ignore"), ["x"])]).fit(frame))
    np.testing.assert_array_equal(named.predict([[word, 1], [None, 1]]).sum(axis=1), [1, 0])


@pytest.mark.parametrize("columns", [2, 20, 21])
def test_a_message_names_twenty_columns_at_most(columns: int) -> None:
    frame = pd.DataFrame(np.arange(2.0 * columns).reshape(2, columns), columns=[f"x{i}" for i in range(columns)])
    model = bundle(make_pipeline(SimpleImputer(), MinMaxScaler()).fit(frame))
    named = ", ".join(f"x{i}" for i in range(min(columns, 20))) + (", ..." if columns > 20 else "")
    with pytest.raises(WorkshopError) as refused:
        model.predict([[1.0] * (columns - 1)])
    assert str(refused.value) == f"got {columns - 1} cells, the model takes {columns}: {named}"
    with pytest.raises(WorkshopError) as refused:
        model.predict(frame.add_prefix("a"))
    assert str(refused.value) == f"got the columns a{named.replace(' x', ' ax')}, takes {named}: {named} is missing"
    unnamed = pd.DataFrame(frame.to_numpy())
    np.testing.assert_array_equal(model.predict(unnamed), model.predict(frame))
    np.testing.assert_array_equal(model.predict(unnamed), [[0.0] * columns, [1.0] * columns])


def test_what_a_table_has_to_fit_to_its_scaler_is_told() -> None:
    step = table_of(numbers(), texts()).fit(TRAINING)
    loaded = load(step)
    columns = loaded.n_features_out_
    with pytest.raises(WorkshopError) as refused:
        check_shapes(Bundle(Path("car.h5"), Sums(columns + 1), loaded, {}, scaler_inputs(loaded)))  # type: ignore[arg-type]
    assert str(refused.value) == (
        f"car.h5 takes inputs of shape ({columns + 1},), its scaler 5 columns and makes {columns} of them, its card 2 "
        f"of texts and 3 of numbers: they are not of one model; train it again"
    )
    others = [dataclasses.replace(column, name=column.name.upper()) for column in scaler_inputs(loaded)]
    with pytest.raises(WorkshopError) as refused:
        check_shapes(Bundle(Path("car.h5"), Sums(columns), loaded, {}, others))  # type: ignore[arg-type]
    assert str(refused.value) == (
        "car.h5 has the inputs AREA, CITY, ROOMS, OLD, LEVEL in its card, its scaler takes area, city, rooms, old, "
        "level: they are not of one model; train it again"
    )


def log_as_numpy_1_wrote_it(content: bytes) -> bytes:
    """A pickle of protocol 2 that names the function as NumPy did before its release 2."""
    for name in (b"cnumpy\nlog1p\n", b"cnumpy._core._multiarray_umath\nlog1p\n"):
        content = content.replace(name, b"cnumpy.core\n_ufunc_reconstruct\n(Vnumpy\nVlog1p\ntR")
    assert b"_ufunc_reconstruct" in content
    return content


def test_a_function_is_read_as_each_numpy_wrote_it() -> None:
    rows = np.array([[1.0, 4], [2, 5], [3, 9]])
    step = make_pipeline(preprocessing.FunctionTransformer(np.log1p), StandardScaler()).fit(rows)
    loaded = unpickling.load_scaler(log_as_numpy_1_wrote_it(pickle.dumps(step, 2)), "model-scaler.gz")
    np.testing.assert_allclose(loaded.transform(rows), step.transform(rows), rtol=1e-12)


# Settings that not every release of scikit-learn had, or that it may leave out one day.
LATER: tuple[str, ...] = (
    "clip",
    "with_mean",
    "with_std",
    "with_centering",
    "with_scaling",
    "norm",
    "standardize",
    "kw_args",
)
LATER += ("add_indicator", "keep_empty_features", "missing_values", "handle_unknown", "dtype", "transformer_weights")
PLAIN: list[Any] = [
    *(MinMaxScaler(), StandardScaler(), preprocessing.RobustScaler(), preprocessing.MaxAbsScaler()),
    *(preprocessing.PowerTransformer(), preprocessing.Normalizer(), SimpleImputer()),
    *(OneHotEncoder(), OrdinalEncoder(), preprocessing.FunctionTransformer(np.log1p)),
    FeatureUnion([("a", MinMaxScaler()), ("b", StandardScaler())]),
]


@pytest.mark.parametrize("step", PLAIN, ids=lambda step: type(step).__name__)
def test_a_setting_that_the_file_does_not_name_is_scikit_learns_default(step: Any) -> None:
    rows = np.array([[1.0, 4], [2, 5], [3, 9], [2, 4]])
    fitted = make_pipeline(step, StandardScaler(with_mean=False)).fit(rows)
    # Beyond the range too; an encoder knows no others, and an imputer alone fills in.
    kind = type(step)
    test = rows if kind in (OneHotEncoder, OrdinalEncoder) else np.vstack([rows, [[9.0, 0.5]]])
    test = np.vstack([test, [[nan, 5.0]]]) if kind is SimpleImputer else test
    expected = fitted.transform(test)
    left_out = [vars(fitted[0]).pop(name) for name in LATER if name in vars(fitted[0])]
    assert left_out
    np.testing.assert_allclose(load(fitted).transform(test), as_array(expected), rtol=1e-9)


def as_array(made: Any) -> np.ndarray:
    return np.asarray(made.toarray() if hasattr(made, "toarray") else made)


def test_a_table_of_a_release_that_called_the_number_of_columns_otherwise() -> None:
    step = ColumnTransformer([("numbers", numbers(), NUMBERS), ("old", OneHotEncoder(), ["old"])]).fit(TRAINING)
    expected = step.transform(TRAINING)
    columns = vars(step).pop("n_features_in_")
    step._n_features = columns
    loaded = load(step)
    assert loaded.n_features_in_ == 5
    np.testing.assert_array_equal(loaded.transform(TRAINING.to_numpy(object)), expected)

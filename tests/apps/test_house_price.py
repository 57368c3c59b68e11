"""The console program `apps.house_price`: the numbers that it asks for, and houses given as arguments."""

import io
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.dialogues import dialogue, end_of
from helpers.lesson_runs import start

from apps import house_price
from workshop import linear_regression
from workshop.kit.errors import WorkshopError
from workshop.kit.saving import bundle
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.network import Network

LESSONS = ["linear_regression"]
AREA, BEDROOMS, AGE = "area (22 to 300 m2): ", "bedrooms (1 to 5): ", "age (1 to 115 years): "
FOUND = "note: the model is models/house_price.h5\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the lesson's two bundles, after a short training."""
    folder = tmp_path_factory.mktemp("trained")
    for part in ("houses", "features"):
        start(linear_regression, folder, "--part", part, "--epochs", "300", "--no-plots")
    return folder / "models"


@pytest.fixture
def models(trained: Path, room: Path) -> Path:
    """The same in the folder `models` of the room, where the program looks first."""
    return Path(shutil.copytree(trained, room / "models"))


def price_of(path: Path, *house: float) -> float:
    return float(bundle.load(path, LESSONS).predict(np.array([house]))[0, 0])


# --- Asked ------------------------------------------------------------------------------------------------------------


def test_a_house_is_asked_for_number_by_number_and_priced(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("big\n 120 \ninf\n3\n10\n"))
    house_price.main([])
    asked = capsys.readouterr()
    price = price_of(models / "house_price.h5", 120, 3, 10)
    assert asked.out == (
        f"{AREA}got 'big', takes a finite number, such as 12 or 12.5\n{AREA}"
        f"{BEDROOMS}got 'inf', takes a finite number, such as 12 or 12.5\n{BEDROOMS}{AGE}"
        f"area 120 m2, bedrooms 3, age 10 years: price {price:,.2f} x 1,000 pesos\n"
    )
    assert asked.err == FOUND
    monkeypatch.setattr(sys, "stdin", io.StringIO("120\n"))
    with pytest.raises(WorkshopError, match="the input ended where bedrooms was asked for"):
        house_price.main([])


def test_a_house_of_12_is_typed_into_the_dialogue_and_answered(models: Path, room: Path) -> None:
    with dialogue(room, "apps.house_price", "--model", "houses") as child:
        child.expect_exact("note: the model is models/houses.h5")
        child.expect_exact("size (0.2 to 10 x 10 m2): ")
        child.sendline("12")
        _, note, answer = [line for line in end_of(child).splitlines() if line.strip()]
    assert note == "note: size (10 m2) 12 is outside of 0.2 to 10, where the model was trained"
    assert answer == f"size 12 x 10 m2: price {price_of(models / 'houses.h5', 12):.2f} x 10,000 pesos"
    assert child.exitstatus == 0


def test_a_model_without_a_card_asks_for_as_many_numbers_as_its_scaler_has(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for ending in (".h5", "-scaler.gz"):
        shutil.copy(trained / f"house_price{ending}", f"house_price{ending}")
    monkeypatch.setattr(sys, "stdin", io.StringIO("1000\n3\n10\n"))
    house_price.main([])
    asked = capsys.readouterr()
    price = price_of(Path("house_price.h5"), 1000, 3, 10)
    ranges = [input_prompt.partition(" (")[2].partition(")")[0].split(" ") for input_prompt in (AREA, BEDROOMS, AGE)]
    prompts = [f"input {i + 1} ({low} to {high}): " for i, (low, _, high, *_) in enumerate(ranges)]
    assert asked.out == "".join(prompts) + f"input 1 1,000, input 2 3, input 3 10: prediction {price:,.2f}\n"
    found, unverified, outside = asked.err.splitlines()
    assert found == "note: the model is house_price.h5 in the current folder" and "has no card" in unverified
    assert outside == "note: input 1 1000 is outside of 22 to 300, where the model was trained"


# --- Given ------------------------------------------------------------------------------------------------------------


def test_a_house_given_is_priced_at_once(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    house_price.main(["120", "3", "10"])
    price = price_of(models / "house_price.h5", 120, 3, 10)
    shown = capsys.readouterr()
    assert shown.out == f"area 120 m2, bedrooms 3, age 10 years: price {price:,.2f} x 1,000 pesos\n"
    assert shown.err == FOUND


def test_several_houses_are_priced_one_in_a_line(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    house_price.main(["120", "3", "10", "60.5", "2", "100"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("area 60.50 m2, bedrooms 2, age 100 years: price ")
    assert lines[1].endswith(f"{price_of(models / 'house_price.h5', 60.5, 2, 100):,.2f} x 1,000 pesos")


def test_a_model_of_the_size_alone_prices_8_and_12(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = models / "houses.h5"
    house_price.main(["--model", str(path), "8", "12"])
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        f"size {size} x 10 m2: price {price_of(path, size):.2f} x 10,000 pesos" for size in (8, 12)
    ]
    # 12 is said to be beyond the table; 8 is within it.
    assert shown.err == "note: size (10 m2) 12 is outside of 0.2 to 10, where the model was trained\n"


def test_a_model_without_a_card_takes_numbers_and_is_called_unverified(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    price = price_of(models / "houses.h5", 8)
    bare = Path(shutil.copy(models / "houses.h5", "bare.h5"))
    house_price.main(["--model", str(bare), "8", "5"])
    shown = capsys.readouterr()
    assert shown.out.splitlines()[0] == f"8: prediction {price:.2f}"
    assert len(shown.out.splitlines()) == 2
    assert "bare.h5 has no card, so it is unverified" in shown.err
    with pytest.raises(WorkshopError, match="has no card with the inputs to ask for"):
        house_price.main(["--model", str(bare)])


@pytest.mark.parametrize(
    ("inputs", "outputs", "numbers", "result"),
    [
        (3, 1, "1 2 3", ["1, 2, 3: prediction 6"]),
        (1, 1, "7", ["7: prediction 7"]),
        (1, 1, "7 8 9", ["7: prediction 7", "8: prediction 8", "9: prediction 9"]),
        (2, 1, "1 2 3 4", r"takes inputs of shape \(2,\), this program gives \(4,\) or \(1,\)"),
        (3, 1, "1 2", r"takes inputs of shape \(3,\), this program gives \(2,\) or \(1,\)"),
        (2, 2, "1 2", r"has outputs of shape \(2,\), this program takes 1 outputs"),
    ],
)
def test_a_bare_model_takes_one_house_or_several_of_one_number(
    inputs: int, outputs: int, numbers: str, result: list[str] | str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Network([Dense(outputs)], (inputs,))
    model.set_weights([np.ones((inputs, outputs)), np.zeros(outputs)])
    model.save_h5("bare.h5")
    arguments = ["--model", "bare.h5", *numbers.split()]
    if isinstance(result, str):
        with pytest.raises(WorkshopError, match=result):
            house_price.main(arguments)
        return
    house_price.main(arguments)
    assert capsys.readouterr().out.splitlines() == result


@pytest.mark.usefixtures("models")
def test_a_number_too_few_is_refused() -> None:
    with pytest.raises(WorkshopError, match=r"got 2 numbers, takes 3 for each house: area \(m2\), bedrooms, age"):
        house_price.main(["120", "3"])


@pytest.mark.parametrize("wrong", ["inf", "nan", "big", "1e309"])
def test_what_is_no_number_is_refused(wrong: str) -> None:
    with pytest.raises(WorkshopError, match=f"bedrooms: got '{wrong}', takes a finite number"):
        house_price.main(["120", wrong, "10"])


def test_a_model_of_another_lesson_is_refused(room: Path) -> None:
    model = Network([Dense(1)], (1,))
    bundle.save(room, "other", model, lesson="xor", data="", seed=1, inputs=[bundle.Input("x")], metrics={})
    with pytest.raises(WorkshopError, match="is a model of the lesson xor"):
        house_price.main(["--model", "other.h5", "1"])


def test_a_model_that_is_not_there_is_refused() -> None:
    with pytest.raises(WorkshopError, match=r"none\.h5"):
        house_price.main(["--model", "none.h5", "8"])


def save_pipeline(model: Network) -> Any:
    """Saves a model of three columns, one of them of texts, with the ColumnTransformer of its inputs."""
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, OneHotEncoder

    rows = pd.DataFrame({"area": [50.0, 90, None], "town": ["Bonn", "Ulm", "Ulm"], "age": [1, 7, 3]})
    numbers = make_pipeline(SimpleImputer(strategy="median"), MinMaxScaler())
    texts = OneHotEncoder(handle_unknown="ignore")
    scaler = ColumnTransformer([("numbers", numbers, ["area", "age"]), ("texts", texts, ["town"])]).fit(rows)
    inputs = [bundle.Input("area", "m2", 50, 90), bundle.Input("town", values=("Bonn", "Ulm")), bundle.Input("age")]
    bundle.save(
        Path(), "flat", model, lesson="tables", data="", seed=1, inputs=inputs, metrics={}, scaler=scaler, output="rent"
    )
    return scaler, rows


def test_a_model_of_texts_and_numbers(
    room: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Network([Dense(1)], (4,))
    scaler, rows = save_pipeline(model)
    expected = [house_price.quantity(price, "") for (price,) in model.predict(scaler.transform(rows[:2]))]
    house_price.main(["--model", "flat.h5", "50", "Bonn", "1", "90", "Ulm", "7"])
    assert capsys.readouterr().out.splitlines() == [
        f"area 50 m2, town Bonn, age 1: rent {expected[0]}",
        f"area 90 m2, town Ulm, age 7: rent {expected[1]}",
    ]
    house_price.main(["--model", "flat.h5", "50", "Rome", "1"])
    assert "note: town Rome is none of Bonn or Ulm, where the model was trained" in capsys.readouterr().err
    # Without its card, by what the scaler was fitted on.
    Path("flat.json").unlink()
    monkeypatch.setattr("sys.stdin", io.StringIO("50\nRome\nBonn\n1\n"))
    house_price.main(["--model", "flat.h5"])
    output = capsys.readouterr().out
    assert "area (50 to 90): town (Bonn or Ulm): got 'Rome', takes Bonn or Ulm" in output
    assert output.endswith(f"age (1 to 7): area 50, town Bonn, age 1: prediction {expected[0]}\n")


@pytest.mark.parametrize(
    ("number", "unit", "shown"),
    [
        (0.5, "", "0.5"),
        (-0.1234567, "m", "-0.123 m"),
        (0.000012345, "m", "1.23e-05 m"),
        (1, "years", "1 years"),
        (-2.004, "m", "-2 m"),
        (12.505001, "10,000 pesos", "12.51 x 10,000 pesos"),
        (120.5, "m2", "120.50 m2"),
        (1234567.891, "pesos", "1,234,567.89 pesos"),
        (1e15, "", "1,000,000,000,000,000"),
        (1.5e15, "pesos", "1.5e+15 pesos"),
    ],
)
def test_a_number_has_as_many_digits_as_it_needs_and_its_unit(number: float, unit: str, shown: str) -> None:
    assert house_price.quantity(number, unit) == shown


@pytest.mark.parametrize("count", [1, 12, 13])
def test_of_many_texts_the_first_twelve_are_listed(room: Path, count: int, capsys: pytest.CaptureFixture[str]) -> None:
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder

    towns = [f"town{i:02d}" for i in range(count)]
    scaler = ColumnTransformer([("texts", OneHotEncoder(handle_unknown="ignore"), ["town"])])
    scaler.fit(pd.DataFrame({"town": towns}))
    inputs = [bundle.Input("town", values=tuple(towns))]
    model = Network([Dense(1)], (count,))
    bundle.save(Path(), "rent", model, lesson="tables", data="", seed=1, inputs=inputs, metrics={}, scaler=scaler)
    house_price.main(["--model", "rent.h5", "Rome"])
    listed = {1: "town00", 12: ", ".join(towns[:11]) + " or town11", 13: ", ".join(towns[:11]) + " or town11, ..."}
    assert f"note: town Rome is none of {listed[count]}, where the model" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["my-scaler.pkl", "my-scaler.joblib", "my_scaler.save", "other.pkl"])
def test_a_scaler_as_people_name_it(room: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    import joblib
    import pandas as pd
    from sklearn.preprocessing import StandardScaler

    model = Network([Dense(1)], (2,))
    Path("my.hdf5").write_bytes(model.to_h5())
    rows = pd.DataFrame({"rooms": [1.0, 3], "floor": [0.0, 4]})
    scaler = StandardScaler().fit(rows)
    joblib.dump(scaler, name)
    option = ["--scaler", name] if name == "other.pkl" else []
    house_price.main(["--model", "my.hdf5", *option, "2", "5"])
    output = capsys.readouterr()
    (price,) = model.predict(scaler.transform(pd.DataFrame({"rooms": [2.0], "floor": [5.0]})))[0]
    assert output.out == f"rooms 2, floor 5: prediction {house_price.quantity(price, '')}\n"
    assert f"scaled by {name}" in output.err
    with pytest.raises(WorkshopError, match="got 1 numbers, takes 2 for each house: rooms, floor"):
        house_price.main(["--model", "my.hdf5", *option, "2"])


def test_a_scaler_of_another_name_is_not_taken_but_named(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("my.h5").write_bytes(Network([Dense(1)], (2,)).to_h5())
    Path("scaler.pkl").write_bytes(b"nobody reads it")
    house_price.main(["--model", "my.h5", "2", "5"])
    assert "note: no scaler is used; of those beside the model (scaler.pkl) name the one it" in capsys.readouterr().err


def test_a_scaler_is_not_named_for_a_model_with_a_card(room: Path) -> None:
    save_pipeline(Network([Dense(1)], (4,)))
    with pytest.raises(
        WorkshopError, match=r"--scaler flat-scaler\.gz: flat\.h5 has a card, flat\.json, which names its"
    ):
        house_price.main(["--model", "flat.h5", "--scaler", "flat-scaler.gz", "50", "Bonn", "1"])
    Path("flat.json").unlink()
    with pytest.raises(WorkshopError, match=r"--scaler no\.pkl: no such file"):
        house_price.main(["--model", "flat.h5", "--scaler", "no.pkl", "50", "Bonn", "1"])

"""The card of a saved model: its inputs, its outputs, its metrics, and the digests of its files.

Importing this module is quick: console programs read a card before they ask their first question.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workshop import __version__
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath

_CUT = " ... "
FORMAT = 1  # of the card; a reader refuses a higher one


@dataclass(frozen=True)
class Input:
    """One input of a model, as the card names it.

    Attributes:
        name: its name ("area").
        unit: its unit ("m2"), or nothing.
        minimum, maximum: the range of the training data, before scaling.
        values: for a column of texts, the texts, in the order of their one-hot columns.
        shape: for an image, its shape.
    """

    name: str
    unit: str = ""
    minimum: float = 0.0
    maximum: float = 1.0
    values: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        """Name and unit, as a plot shows them: "area (m2)"."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


def file_path(folder: FilePath, name: str, role: str) -> Path:
    """Returns the path of the "model", the "scaler" or the "card" of the bundle `name`."""
    return Path(folder) / (name + {"model": ".h5", "scaler": "-scaler.gz", "card": ".json"}[role])


def read_card(folder: FilePath, name: str) -> dict[str, Any]:
    """Returns the card, or nothing where there is none."""
    path = file_path(folder, name, "card")
    if not path.exists():
        return {}
    try:
        card = _without_control_characters(json.loads(path.read_bytes()))
        if isinstance(card["format"], int) and card["format"] > FORMAT:
            versions = card.get("versions")
            writer = versions.get("workshop", "?") if isinstance(versions, dict) else "?"
            raise WorkshopError(
                f"{path} was written by workshop {writer} (card format {card['format']}; this is workshop "
                f"{__version__}, format {FORMAT}): install the newer workshop"
            )
        known = card["format"] == FORMAT and isinstance(card["lesson"], str) and "model" in card["sha256"]
        known = known and all(isinstance(digest, str) for digest in card["sha256"].values())
        known = known and isinstance(card.get("threshold"), float | int | None)
        known = known and isinstance(card.get("metrics", {}), dict) and isinstance(card.get("classes", []), list)
        known = known and all(isinstance(name, str) for name in card.get("classes", []))
        known = known and all(isinstance(card.get(key, ""), str) for key in ("data", "output", "output_unit"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        known = False
    if not known:
        raise WorkshopError(
            f"{path} is not a card of this package: train the model again, or delete the card to use the .h5 unverified"
        )
    return dict(card)


def inputs_in(card: dict[str, Any]) -> list[Input]:
    """Returns the inputs that a card describes; none where there is no card."""
    unknown = "the card describes its inputs in a way unknown here: train the model again"
    try:
        described: list[dict[str, Any]] = [
            {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
            for entry in card.get("inputs", [])
        ]
        inputs = [Input(**settings) for settings in described]
        # Names and units are printed, so they must be texts; a number must be able to lie in a range.
        is_known = all(
            column.name == printable(column.name)
            and column.unit == printable(column.unit)
            and all(value == printable(value) for value in column.values)
            and math.isfinite(column.minimum)
            and math.isfinite(column.maximum)
            and column.minimum <= column.maximum
            for column in inputs
        )
    except (TypeError, AttributeError, OverflowError) as error:
        raise WorkshopError(unknown) from error
    if not is_known:
        raise WorkshopError(unknown)
    return inputs


def without_defaults(column: Input) -> dict[str, Any]:
    """Returns an input as the card has it, without empty entries."""
    described: dict[str, Any] = {"name": column.name}
    if column.values:
        return described | {"values": list(column.values)}
    if column.unit:
        described["unit"] = column.unit
    if column.shape:
        described["shape"] = list(column.shape)
    return described | {"minimum": float(column.minimum), "maximum": float(column.maximum)}


def printable(text: object, at_most: int = 200) -> str:
    """Returns a text without control characters: an untrusted card may hold some that steer a terminal.

    Of a text of more than `at_most` characters the middle is left out: the reason of an error stands at its end.
    """
    shown = "".join(character if character.isprintable() else "?" for character in str(text))
    if len(shown) <= at_most:
        return shown
    end = at_most // 2 - len(_CUT)
    return shown[: at_most - end - len(_CUT)] + _CUT + shown[-end:]


def _without_control_characters(value: Any) -> Any:
    """Returns a value of a card with every text in it made printable."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_without_control_characters(entry) for entry in value]
    if isinstance(value, dict):
        return {printable(key): _without_control_characters(entry) for key, entry in value.items()}
    return value

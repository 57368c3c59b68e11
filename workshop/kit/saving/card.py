"""The card of a saved model: what it takes, what it answers, how good it is, and the digests of its files.

Importing this module is quick: console programs read a card before they ask their first question.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workshop import __version__
from workshop.kit.errors import WorkshopError

FORMAT = 1  # of the card; a reader refuses a higher one


@dataclass(frozen=True)
class Input:
    """One input of a model, as the card names it.

    Attributes:
        name: what it is ("area").
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
        """Name and unit, as a figure shows them: "area (m2)"."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


def path_of(folder: Path, name: str, role: str) -> Path:
    """Returns where the "model", the "scaler" or the "card" of the bundle `name` lies."""
    return folder / (name + {"model": ".h5", "scaler": "-scaler.gz", "card": ".json"}[role])


def read_card(folder: Path, name: str) -> dict[str, Any]:
    """Returns the card, or nothing where there is none."""
    path = path_of(folder, name, "card")
    if not path.exists():
        return {}
    try:
        card = _without_control_characters(json.loads(path.read_bytes()))
        if isinstance(card["format"], int) and card["format"] > FORMAT:
            versions = card.get("versions")
            theirs = versions.get("workshop", "?") if isinstance(versions, dict) else "?"
            raise WorkshopError(
                f"{path} was written by workshop {theirs} (card format {card['format']}; this is workshop "
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
            {key: tuple(value) if isinstance(value, list) else value for key, value in one.items()}
            for one in card.get("inputs", [])
        ]
        inputs = [Input(**one) for one in described]
        # What is asked for and printed must be a text, and a range one that a number can lie in.
        is_known = all(
            one.name == printable(one.name)
            and one.unit == printable(one.unit)
            and all(value == printable(value) for value in one.values)
            and math.isfinite(one.minimum)
            and math.isfinite(one.maximum)
            and one.minimum <= one.maximum
            for one in inputs
        )
    except (TypeError, AttributeError, OverflowError) as error:
        raise WorkshopError(unknown) from error
    if not is_known:
        raise WorkshopError(unknown)
    return inputs


def without_defaults(one: Input) -> dict[str, Any]:
    """Returns an input as the card has it: what says nothing is left out."""
    described: dict[str, Any] = {"name": one.name}
    if one.values:
        return described | {"values": list(one.values)}
    if one.unit:
        described["unit"] = one.unit
    if one.shape:
        described["shape"] = list(one.shape)
    return described | {"minimum": float(one.minimum), "maximum": float(one.maximum)}


def printable(text: object) -> str:
    """A stranger's card may hold what would steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in str(text))[:200]


def _without_control_characters(value: Any) -> Any:
    """Makes every text in a card fit to be printed."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_without_control_characters(one) for one in value]
    if isinstance(value, dict):
        return {printable(key): _without_control_characters(one) for key, one in value.items()}
    return value

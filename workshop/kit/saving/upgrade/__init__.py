"""A saved model of any Keras in Keras 3's terms: `read` stands before everything that opens a `.h5`.

`layers` has the settings of a layer, `graph` the models, `weights` the arrays and their order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.hdf5.objects import Group
from workshop.kit.saving.layer_specs import Config, dtype_policy
from workshop.kit.saving.upgrade import weights
from workshop.kit.saving.upgrade.graph import Tensor as Tensor
from workshop.kit.saving.upgrade.graph import is_model as is_model
from workshop.kit.saving.upgrade.graph import upgrade_model as upgrade_model
from workshop.kit.saving.upgrade.weights import Weights as Weights
from workshop.kit.saving.upgrade.weights import steepen as steepen


@dataclass
class SavedModel:
    """A model of a file.

    Attributes:
        config: its entry, a Sequential or a functional model: see `graph`.
        weights: its weights, by layers.
        notes: what is no longer as it was in the file, a line each.
    """

    config: Config
    weights: Weights
    notes: list[str]


def read_version(root: Group) -> int:
    """Returns the first number of the version of the Keras that wrote a file; 1 where it does not say."""
    places = [root, *(entry for name, entry in root.entries.items() if name == "model_weights")]
    versions = [place.attributes.get("keras_version") for place in places]
    version = next((version for version in versions if isinstance(version, str)), "")
    major = re.match(r"\d{1,4}", version)
    return int(major[0]) if major else 1


def read(config: Config, root: Group) -> SavedModel:
    """Returns the model of a file.

    Args:
        config: the model's configuration, already checked.
        root: the file.

    Raises:
        WorkshopError: it cannot be said in Keras 3's terms, or its weights are none of its layers'.
        UnreadableError: the file is damaged.
    """
    version = read_version(root)
    entry = upgrade_model(config, is_old=version < 3)
    return SavedModel(entry, _weights(entry, root, root.group("model_weights")), _notes(config, version))


def read_like(config: Config, model: Group, root: Group) -> SavedModel:
    """Returns the model of one file with the weights alone that are in another.

    Args:
        config: the model's configuration, already checked.
        model: the file that it is from.
        root: the file of the weights.

    Raises:
        WorkshopError: the weights are not those of such a model.
        UnreadableError: a file is damaged.
    """
    version, weights_version = read_version(model), read_version(root)
    if (version < 3) != (weights_version < 3) and _has(config, "hard_sigmoid"):
        raise WorkshopError(
            f"the model is of Keras {version}, the weights are of Keras {weights_version}, and the hard_sigmoid in "
            f"it is not the same in both"
        )
    entry = upgrade_model(config, is_old=version < 3)
    place = root.group("model_weights") if "model_weights" in root.entries else root
    return SavedModel(entry, _weights(entry, root, place), _notes(config, version))


def _weights(entry: Config, root: Group, place: Group) -> Weights:
    version, groups = read_version(root), weights.groups_in(place)
    is_turned = version < 3 and weights.turned_kernels(root, place, groups, is_keras_1=version < 2)
    return weights.Distribution(version, is_turned=is_turned).of_model(entry, groups)


def _notes(config: Config, version: int) -> list[str]:
    notes = []
    if version < 3 and _has(config, "hard_sigmoid"):
        notes.append(
            "the hard_sigmoid of Keras before 3 is steeper: the weights before it are multiplied by 1.2, with which "
            "that of Keras 3 has the same outputs"
        )
    if version < 3 and _averages_in_16_bits(config):
        notes.append(
            "Keras before 3 added up images of 16 bits in 16 bits, Keras 3 averages them in 32: the predictions may "
            "differ by a thousandth"
        )
    if _has(config, ("stateful", True)):
        notes.append("stateful recurrent layers begin anew with each prediction")
    return notes


def _averages_in_16_bits(part: object) -> bool:
    """Returns whether a configuration holds a global average pooling that computes in 16 bits."""
    if isinstance(part, list):
        return any(map(_averages_in_16_bits, part))
    if not isinstance(part, dict):
        return False
    kind, settings = str(part.get("class_name")), part.get("config")
    if kind.startswith("GlobalAv") and isinstance(settings, dict):
        return str(dtype_policy(settings.get("dtype"))).startswith("mixed_")
    return any(map(_averages_in_16_bits, part.values()))


def _has(part: object, wanted: object) -> bool:
    """Returns whether a configuration holds a text, or a setting with a value."""
    if isinstance(part, dict):
        return wanted in list(part.items()) or any(_has(value, wanted) for value in part.values())
    return any(_has(value, wanted) for value in part) if isinstance(part, list) else part == wanted

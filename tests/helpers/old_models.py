"""Files as Keras 1, 2 and 3 wrote them, made by hand with h5py: a configuration, and arrays under the names of then."""

import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

import h5py
import numpy as np

Config = dict[str, Any]


def layer(kind: str, name: str, **settings: Any) -> Config:
    """Returns a layer of a Sequential."""
    return {"class_name": kind, "config": {"name": name, **settings}}


def node(kind: str, name: str, inbound: Iterable[Any] = (), **settings: Any) -> Config:
    """Returns a layer of a functional model; `inbound` has for each call the list of its tensors."""
    return {**layer(kind, name, **settings), "name": name, "inbound_nodes": list(inbound)}


def sequential(*layers: Config) -> Config:
    """Returns the configuration of a Sequential as Keras 2 wrote it."""
    return {"class_name": "Sequential", "config": {"name": "sequential", "layers": list(layers)}}


def functional(layers: list[Config], inputs: list[Any], outputs: list[Any], kind: str = "Model") -> Config:
    """Returns the configuration of a functional model as Keras 2 wrote it."""
    config = {"name": "model", "layers": layers, "input_layers": inputs, "output_layers": outputs}
    return {"class_name": kind, "config": config}


def file_of(
    config: Config | None,
    arrays: Mapping[str, Mapping[str, np.ndarray]],
    version: str | None = "2.2.4",
    backend: str | None = "tensorflow",
) -> bytes:
    """Returns the content of a `.h5`.

    Args:
        config: the model's configuration; None for a file of weights alone.
        arrays: for each layer its arrays by the names in the file ("dense/kernel:0").
        version, backend: of the Keras that wrote it; None where it did not say.
    """
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        group = file if config is None else file.create_group("model_weights")
        for place in (file, group):
            if version is not None:
                place.attrs["keras_version"] = version.encode()
            if backend is not None:
                place.attrs["backend"] = backend.encode()
        if config is not None:
            file.attrs["model_config"] = json.dumps(config).encode()
        group.attrs["layer_names"] = [name.encode() for name in arrays]
        for name, own in arrays.items():
            part = group.create_group(name)
            part.attrs["weight_names"] = [weight.encode() for weight in own]
            for weight, array in own.items():
                part.create_dataset(weight, data=np.asarray(array, np.float32))
    return content.getvalue()

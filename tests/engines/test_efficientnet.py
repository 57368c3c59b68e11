"""EfficientNet-Lite0 in Keras and in PyTorch from one table, with its published weights."""

import importlib.util
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from workshop.kit.data import efficientnet_weights
from workshop.kit.data.efficientnet_weights import Weights
from workshop.kit.errors import WorkshopError
from workshop.kit.photos import efficientnet
from workshop.kit.saving.model import as_model
from workshop.pytorch.kit.efficientnet import EfficientNetLite0

PALACE, DAISY = 698, 985  # of ImageNet's 1,000 classes


@pytest.fixture(scope="module")
def weights() -> Weights:
    found = efficientnet_weights.find()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def photographs() -> np.ndarray:
    """scikit-learn's photographs of a palace and of a flower, as the network was evaluated on ImageNet."""
    return np.stack([efficientnet.crop(Image.fromarray(pixels)) for pixels in load_sample_images().images])


@pytest.fixture(scope="module")
def probabilities(weights: Weights, photographs: np.ndarray) -> np.ndarray:
    """Those of PyTorch, (2, 1000)."""
    network = EfficientNetLite0(1000)
    network.put_weights(weights.arrays)
    with torch.inference_mode():
        return network.eval()(torch.tensor(photographs).permute(0, 3, 1, 2)).softmax(1).numpy()


def test_the_weights_are_those_that_pytorch_reads(weights: Weights) -> None:
    expected = torch.load(weights.place, weights_only=True)
    assert list(weights.arrays) == list(expected)
    for name, array in weights.arrays.items():
        np.testing.assert_array_equal(array, expected[name].numpy())


def test_the_network_sees_a_palace_and_a_daisy(probabilities: np.ndarray) -> None:
    assert probabilities.argmax(1).tolist() == [PALACE, DAISY]
    assert probabilities.max(1).min() > 0.3


def test_the_probabilities_of_1000_classes_are_the_same_in_keras(
    weights: Weights, photographs: np.ndarray, probabilities: np.ndarray
) -> None:
    import keras

    model = efficientnet.build(224, keras.layers.Dense(1000, "softmax"))
    efficientnet.put_weights(model, weights.arrays)
    np.testing.assert_allclose(as_model(model).predict(photographs), probabilities, rtol=0, atol=1e-4)


def test_an_unpublished_file_is_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(WorkshopError, match=r"is not efficientnet-lite0-57934424\.pth as published"):
        efficientnet_weights.load(path)
    with pytest.raises(WorkshopError, match="cannot be read"):
        efficientnet_weights.load(tmp_path / "nowhere.pth")


def test_the_file_of_the_shared_folder_goes_before_the_package_unless_it_is_damaged(
    weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKSHOP_DATA", str(tmp_path))
    shared = tmp_path / efficientnet_weights.NAME
    shared.write_bytes(weights.place.read_bytes())
    found = efficientnet_weights.find()
    assert found is not None and (found.place, found.source) == (shared, "EfficientNet-Lite0 with ImageNet weights")
    assert efficientnet_weights.load(shared).place == shared and capsys.readouterr().out == ""
    shared.write_bytes(b"half of it")
    found = efficientnet_weights.find()
    assert found is not None and found.place == weights.place
    skipped = f"Weights   skipped: {shared} is not the published file (SHA-256 differs)\n"
    assert capsys.readouterr().out == skipped
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert efficientnet_weights.find() is None and capsys.readouterr().out == skipped


def test_weights_of_another_network_are_refused(weights: Weights) -> None:
    import keras

    others = {name: array for name, array in weights.arrays.items() if "_blocks.3" not in name}
    with pytest.raises(WorkshopError, match=r"have no _blocks\.3\._expand_conv\.weight: they are of another network"):
        efficientnet.put_weights(efficientnet.build(32, keras.layers.Dense(2)), others)


def test_a_name_that_no_state_dict_has_is_refused() -> None:
    with pytest.raises(pickle.UnpicklingError, match=r"os\.system is no part of a state_dict"):
        efficientnet_weights.read(b"cos\nsystem\n(S'exit 1'\ntR.")

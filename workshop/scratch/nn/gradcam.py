"""Grad-CAM: which part of a picture speaks for a network's answer.

Selvaraju and others 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
arXiv:1610.02391. The last layer that still answers an image knows what is in the picture and, roughly, where: its
output A (height, width, channels) is one map for each thing that the network looks for. How much map k matters for the
answer's logit y is the gradient, averaged over all places: a_k = mean over i and j of dy / dA_ijk. The maps are added
up with these weights, and what speaks against the answer is cut off: heat = max(0, sum over k of a_k A_k).
"""

from collections.abc import Sequence

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.scratch.nn.layers import Activation, Dense, Layer
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.pooling import GlobalAveragePooling2D
from workshop.scratch.nn.reshaping import Flatten


def grad_cam(network: Network, picture: np.ndarray, label: int) -> np.ndarray:
    """Returns where a picture speaks for an answer.

    Args:
        network: whose layers answer images first, and numbers in the end. The gradients in them are overwritten.
        picture: (height, width, channels), as the network takes it.
        label: the number of the class; with one output, 0 or 1.

    Returns:
        float32 (height, width), 0 to 1: 1 where most speaks for it; 0 everywhere if nothing does.

    Raises:
        WorkshopError: the network answers no images on its way.
    """
    last = count_image_layers(network)
    # As the network answers, not as it trains: normalised by the moving averages, nothing dropped.
    maps = np.asarray(picture, network.dtype)[None]
    for layer in network.layers[:last]:
        maps = layer.forward(maps)
    weights = _gradient(network.layers[last:], maps, label).mean(axis=(0, 1))
    heat = np.maximum(maps[0] @ weights, 0)
    if heat.max() > 0:
        heat = heat / heat.max()
    return _resize(heat, *picture.shape[:2])


def count_image_layers(network: Network) -> int:
    """Returns how many layers there are before the one that makes a row of numbers of images.

    Raises:
        WorkshopError: there is none that does, or none before it.
    """
    ends = (Flatten, GlobalAveragePooling2D)
    count = next((i for i, layer in enumerate(network.layers) if isinstance(layer, ends)), 0)
    if count == 0 or len(network.input_shape) != 3:
        raise WorkshopError("the network has no convolutions that end in a Flatten or a GlobalAveragePooling2D layer")
    return count


def _gradient(layers: Sequence[Layer], maps: np.ndarray, label: int) -> np.ndarray:
    """Returns dy / dA (height, width, channels) for the maps A (1, height, width, channels) and the layers behind."""
    outputs = maps
    for layer in layers:
        outputs = layer.forward(outputs)
    gradient = np.zeros_like(outputs)
    if outputs.shape[1] == 1:
        # The logit of a sigmoid speaks for the second class; with its sign turned, for the first.
        gradient[0, 0] = 1 if label else -1
    else:
        gradient[0, label] = 1
    # From the logit, not from the probability, which hardly moves any more where the network is sure: the last
    # activation passes on what it gets.
    activation = layers[-1].activation if isinstance(layers[-1], Dense) else layers[-1]
    if isinstance(activation, Activation):
        activation.passes_on = True
    for layer in reversed(layers):
        gradient = layer.backward(gradient)
    if isinstance(activation, Activation):
        activation.passes_on = False
    return gradient[0]


def _resize(heat: np.ndarray, height: int, width: int) -> np.ndarray:
    from PIL import Image

    image = Image.fromarray(heat.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))

"""From an image to what the page shows of it: the network's input, all engines' predictions, the layers' outputs.

Nothing here knows the page. An image comes from a browser and is untrusted: it is refused in one line.
"""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from workshop import LESSONS
from workshop.kit import lazy
from workshop.kit.data import published_images
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.files import FilePath
from workshop.kit.photos import image_file
from workshop.kit.saving.loaded import Bundle
from workshop.programs import engines, gallery, mnist_preprocessing
from workshop.programs.probabilities import Probabilities, take_probabilities
from workshop.scratch.nn import gradcam
from workshop.scratch.nn.network import Network

ENGINES = {"keras": "Keras", "torch": "PyTorch", "numpy": "NumPy"}
DRAWING = "the drawing"  # the name, in messages, of what was drawn on the page
MAX_FILE_SIZE = 10 * 2**20  # bytes of an image file

_HEADER = "base64,"  # in a data URL, before the bytes of the file
_MAX_NAME = 60  # characters of a file's name in a message


class Answer(NamedTuple):
    """The predictions of the networks for an image.

    Attributes:
        image: the network's input, float32 (28, 28), 0 the background to 1.
        probabilities: of the classes, by the names of the engines.
        stages: for each layer its type and its output, as `Model.stages` has it, for one sample.
        heat: the Grad-CAM heat map of the predicted class (28, 28), or None where the network has no convolutions.
    """

    image: np.ndarray
    probabilities: Mapping[str, np.ndarray]
    stages: Sequence[tuple[str, np.ndarray]]
    heat: np.ndarray | None

    @property
    def label(self) -> int:
        """The number of the predicted class."""
        return int(next(iter(self.probabilities.values())).argmax())


class Classifier:
    """A model of digits or garments, in each engine that is installed.

    Args:
        path: the `.h5` or the `.keras`.

    Attributes:
        path: of the model.
        models: the model by the names of the engines.
        notes: a line for each engine that is missing, and for what cannot be shown.
        classes: the names of the classes.
        is_garment: whether they are those of Fashion-MNIST.

    Raises:
        WorkshopError: no engine loads the model, or it is none of digits or garments.
    """

    def __init__(self, path: FilePath) -> None:
        self.path = Path(path)
        self.models: dict[str, Bundle] = {}
        self.notes: list[str] = []
        for engine, name in ENGINES.items():
            try:
                if engine != "numpy":
                    lazy.load(engine)  # an error of one line where it is not installed
                self.models[name] = engines.load(path, [lesson.name for lesson in LESSONS], engine)
            except WorkshopError as error:
                failure = error
                self.notes.append(f"{name} does not predict here: {error}")
        if not self.models:
            raise failure
        first = next(iter(self.models.values()))
        is_garment = first.card.get("lesson") == "fashion_mnist"
        assumed = published_images.CLASSES["fashion_mnist" if is_garment else "mnist"]
        self.classes = gallery.class_names(first, gallery.check_28x28(first, assumed), gallery.GREY_28X28)
        self.is_garment = tuple(self.classes) == tuple(published_images.CLASSES["fashion_mnist"])
        self._white = np.float32(first.inputs[0].maximum if first.inputs else 1)
        self._network = self._explained()
        take_probabilities(first)  # which notes it; the other engines' outputs are treated alike
        for other in list(self.models.values())[1:]:
            other.model = Probabilities(other.model) if other.ends_linearly else other.model
        # The NumPy engine's layers keep what they computed last, and the decoders of images share one error stream.
        self._lock = threading.Lock()
        # The first prediction of an engine takes longest. It also shows whether the outputs are probabilities.
        for name, probabilities in self.answer(np.zeros((28, 28), np.float32)).probabilities.items():
            gallery.check_probabilities(probabilities, self.models[name])

    def _explained(self) -> Network | None:
        """Returns the NumPy network for Grad-CAM; None, with a note, where it has no convolutions or is not there."""
        loaded = self.models.get(ENGINES["numpy"])
        try:
            if loaded is None or not isinstance(loaded.model, Network):
                raise WorkshopError("it is computed by the NumPy engine, which does not know this model")
            gradcam.count_image_layers(loaded.model)
        except WorkshopError as error:
            self.notes.append(f"No Grad-CAM: {error}")
            return None
        return loaded.model

    def answer(self, image: np.ndarray) -> Answer:
        """Returns what the networks make of an image as in the training data, float32 (28, 28)."""
        inputs = image * self._white
        with self._lock:
            probabilities = {name: model.predict(inputs[None])[0] for name, model in self.models.items()}
            last = list(self.models.values())[-1]  # NumPy's, unless it does not know the model
            stages = last.model.stages(inputs.reshape(1, *last.input_shape))
            answer = Answer(image, probabilities, [(kind, output[0]) for kind, output in stages], None)
            if self._network is None:
                return answer
            return answer._replace(heat=gradcam.grad_cam(self._network, inputs.reshape(28, 28, 1), answer.label))

    def read(self, data_url: object, name: object = DRAWING) -> np.ndarray | None:
        """Returns an image from the browser as in the training data, float32 (28, 28); None for an empty drawing.

        Args:
            data_url: the file of an image.
            name: of the file, or `DRAWING` for what was drawn in black on the page's white.

        Raises:
            WorkshopError: it is no usable image.
        """
        shown = one_line(name)[:_MAX_NAME]
        content = _decode(data_url, shown)
        with self._lock:
            grey = image_file.grey_values(content, shown)
        if shown != DRAWING:
            prepare = mnist_preprocessing.garment if self.is_garment else mnist_preprocessing.digit
            return prepare(grey, shown)
        # The page's paper is white everywhere: no shadow, no rule and no speck is to be told from the ink.
        strength = (1 - grey).astype(np.float32)
        drawn = strength > 0.5
        if not drawn.any():
            return None
        place = mnist_preprocessing.place_garment if self.is_garment else mnist_preprocessing.place_digit
        return place(strength, drawn)


def _decode(data_url: object, name: str) -> bytes:
    """Returns the bytes of a file from its data URL, whatever type it claims to be.

    Raises:
        WorkshopError: it is no data URL, or too large.
    """
    if not isinstance(data_url, str) or not data_url.startswith("data:") or _HEADER not in data_url[:200]:
        raise WorkshopError(f"{name} is not an image that can be read: save it as PNG or JPEG")
    encoded = data_url.partition(_HEADER)[2]
    check_size(len(encoded) * 3 // 4, name)
    try:
        return base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise WorkshopError(f"{name} is damaged on its way: open it again") from error


def check_size(size: object, name: object) -> None:
    """Raises WorkshopError where an image has more bytes than the page takes."""
    if not isinstance(size, int | float) or size > MAX_FILE_SIZE:
        shown = one_line(name)[:_MAX_NAME]
        raise WorkshopError(f"{shown} is larger than {MAX_FILE_SIZE // 2**20} MB: save the image smaller")

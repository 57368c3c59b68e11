"""What the parts of the lesson on autoencoders share: training, judging and saving a network that answers pictures."""

import gc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workshop.kit import plots, training
from workshop.kit import report as reporting
from workshop.kit.data.images import ImageSet, load_image_set, scale_pixels
from workshop.kit.engine import Plan
from workshop.kit.saving import bundle
from workshop.kit.saving.model import as_model

COMPONENTS = 32  # of the PCA that the networks are compared with
FEW = 2000  # images: a network passes over them until it has taken so many steps
FEW_STEPS, QUICK_STEPS = 400, 100
_HELD_OUT = 5000  # of the training images, at most a fifth


class Settings(NamedTuple):
    """How a network is trained unless the options say otherwise.

    Attributes:
        epochs: passes over the images.
        learning_rate: the highest, of a rate that warms up and then falls to zero along a cosine.
        expected: the highest mean squared error of the test images, of a default run on MNIST.
        images: how many of the training images it learns from, at most.
        batch_size: images a step.
    """

    epochs: int
    learning_rate: float
    expected: float
    images: int = 60_000
    batch_size: int = 128


class Study:
    """The images, the options, and what was learned so far.

    Attributes:
        report: with the options, and the engine.
        images: the digits, fewer for a quick run.
        X: the training images; `validation` the last ones, which no network learns from.
        models, histories: the networks by their kinds, and how they learned.
        others: images of things that are no digits.
        is_standin: whether any of the images are not of the published sets.
    """

    def __init__(self, report: reporting.Report, settings: Mapping[str, Settings]) -> None:
        self.report, self._settings = report, settings
        self.images = images = self._load("mnist", report.arguments.data)
        held_out = min(_HELD_OUT, len(images.X_train) // 5)
        self.X, self.validation = images.X_train[:-held_out], images.X_train[-held_out:]
        self.models: dict[str, Any] = {}
        self.histories: dict[str, training.History] = {}
        self.is_standin = images.is_standin
        self.others = np.zeros((0, 28, 28, 1), np.uint8)
        self._pca: Any = None

    def first(self, kind: str) -> np.ndarray:
        """Returns the images that a network learns from, bytes."""
        return self.X[: self._settings[kind].images]

    def learn(self, kind: str, X: np.ndarray, y: np.ndarray) -> Any:
        """Builds a network, trains it to make y of X (bytes, or numbers that are taken as they are), returns it."""
        arguments, engine, settings = self.report.arguments, self.report.engine, self._settings[kind]
        model = engine.build(kind, arguments.seed)
        print(f"The network {kind}: {as_model(model).count_params():,} weights, {len(X):,} images")
        batch_size = min(arguments.batch_size or settings.batch_size, len(X))
        steps = -(-len(X) // batch_size)
        few = (QUICK_STEPS if arguments.quick else FEW_STEPS) // steps if len(X) < FEW else 0
        epochs = arguments.epochs or max(settings.epochs, few)
        if arguments.optimizer is None:
            rate = arguments.learning_rate or settings.learning_rate
            plan = Plan("adamw", rate, epochs, batch_size, epochs * steps)
        else:
            plan = Plan(arguments.optimizer, arguments.learning_rate, epochs, batch_size)
        is_bytes = X.dtype == np.uint8
        scaled = {"preprocess": scale_pixels, "preprocess_targets": scale_pixels} if is_bytes else {}
        self.histories[kind] = engine.train(
            model, X, y, plan, arguments.seed, checkpoint=self.report.checkpoint(f"autoencoder_{kind}"),
            resume=arguments.resume, **scaled,
        )  # fmt: skip
        self.models[kind] = model
        gc.collect()  # the engine's copies of the images, before the next network gets its own
        return model

    def answers(self, kind: str, asked: np.ndarray) -> np.ndarray:
        """Returns what a network makes of images, float32 from 0 to 1."""
        return training.predict(self.models[kind], asked, preprocess=scale_pixels)

    def measure(self, name: str, answers: np.ndarray) -> float:
        """Reports, and returns, the mean squared error of pictures that are to be the test images."""
        error = float(errors_of(self.images.X_test, answers).mean())
        self.report.result({f"{name}_test_mean_squared_error": error})
        return error

    def judge(self, kind: str, asked: np.ndarray | None = None) -> np.ndarray:
        """Measures what a network makes of the test images or of `asked`, saves it, and returns its answers."""
        arguments, images = self.report.arguments, self.images
        answers = self.answers(kind, images.X_test if asked is None else asked)
        error = self.measure(kind, answers)
        print(f"Mean squared error of what it makes of the test images: {error:.4f}")
        self.report.expect(f"{kind}_test_mean_squared_error", highest=self._settings[kind].expected)
        self.report.saved(
            *bundle.save(
                arguments.models, self.path(kind).stem, self.models[kind], lesson="autoencoder",
                data=images.source, seed=arguments.seed, inputs=[bundle.Input("image", shape=(28, 28, 1))],
                output="image", metrics={"test_mean_squared_error": error},
            )
        )  # fmt: skip
        return answers

    def path(self, kind: str) -> Path:
        """Returns where a network is saved."""
        arguments, name = self.report.arguments, kind if kind == "denoiser" else f"autoencoder_{kind}"
        saved = bundle.name_for(name, quick=arguments.quick, standin=self.images.is_standin)
        return Path(arguments.models) / f"{saved}.h5"

    @property
    def pca(self) -> Any:
        """PCA of the training images, fitted when it is first asked for."""
        if self._pca is None:
            self._pca = fit_pca(self.X, COMPONENTS)
        return self._pca

    def _load(self, name: str, folder: Path | None = None) -> ImageSet:
        images = load_image_set(name, folder)
        if self.report.arguments.quick:
            images = images.first(1000, 500)
        self.report.data(images.source, images.place)
        return images

    def load_others(self, name: str) -> None:
        """Loads the test images of another set into `others`."""
        images = self._load(name)
        self.others, self.is_standin = images.X_test, self.is_standin or images.is_standin

    def draw(self, name: str, make: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        """Makes a figure and saves it, unless no pictures are wanted."""
        if not self.report.arguments.no_plots:
            path = self.report.arguments.plots / f"autoencoder-{name}.png"
            self.report.saved(plots.save(make(*arguments, **options), path))


def errors_of(images: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Returns the mean squared error of each picture: images as bytes, answers from 0 to 1."""
    return np.square(scale_pixels(images) - answers).mean(axis=(1, 2, 3))


def rows_of(images: np.ndarray) -> np.ndarray:
    """Returns images as rows of numbers from 0 to 1, float32 (samples, pixels)."""
    return scale_pixels(images).reshape(len(images), -1)


def fit_pca(images: np.ndarray, components: int) -> Any:
    """Returns scikit-learn's principal component analysis of images."""
    from sklearn.decomposition import PCA

    # All that it needs to look at are the 784x784 covariances of the pixels.
    return PCA(components, svd_solver="covariance_eigh").fit(rows_of(images))


def through_pca(pca: Any, images: np.ndarray, components: int | None = None) -> np.ndarray:
    """Returns images as a PCA's mean and its first components, or all, give them again, from 0 to 1."""
    axes = pca.components_[:components]
    answers: np.ndarray = (rows_of(images) - pca.mean_) @ axes.T @ axes + pca.mean_
    return answers.reshape(images.shape)


def encode(model: Any, images: np.ndarray) -> np.ndarray:
    """Returns the codes of images, what the narrowest layer of a network answers: (samples, numbers)."""
    outputs = [output for _, output in as_model(model).stages(scale_pixels(images))]
    return min(outputs, key=lambda output: output[0].size).reshape(len(images), -1)

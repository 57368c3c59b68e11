"""Two networks against each other: one draws digits, the other tells them from real ones, until it hardly can.

The generator makes an image of 32 random numbers and a label, the digit that is asked for. It never sees a digit. The
discriminator sees real images and drawn ones, and says which are which; its gradient, passed on through the image, is
all that the generator learns from. Such a pair is a generative adversarial network (GAN; Goodfellow and others 2014).
`train_step` of a class of your own trains both, and `model.fit` does the rest.

    python -m workshop.gan                       # both parts; then look into the folder plots, at the film first
    python -m workshop.gan --part digits         # the generator alone
    python -m workshop.gan --part collapse       # the same two networks out of balance: one image for every noise
    python -m workshop.gan --no-labels           # no digit is asked for: then the CNN is sure of six in ten
    python -m workshop.gan --quick               # a first look, in seconds

No loss says how good the images are: the CNN of the lesson `mnist` does. How sure is it of them, which digits does it
see, is each of the ten there, and is it the one that was asked for? The nearest training images show that none is a
copy. Expected on MNIST: the CNN more than 0.9 sure of at least nine in ten drawn digits, as it is of real ones; 95 % of
them the digit that was asked for; the ten equally often. About 50 s on two CPU cores. Then draw some:

    python -m apps.draw_digits 2026
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from workshop.figures import gan as figures
from workshop.kit import cli, device, files, training
from workshop.kit.data.images import ImageSet, load_image_set, scale_pixels
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras, tensorflow, torch
from workshop.kit.report import Report, format_table
from workshop.kit.saving.bundle import Input
from workshop.kit.training import Recipe

if TYPE_CHECKING:
    import keras

    from workshop.kit.saving.model import Model

    Images = np.ndarray  # (n, 28, 28, 1), from 0, the paper, to 1, the ink
    Curve = tuple[Sequence[float], Sequence[float]]  # epochs passed, and the loss then

# The numbers that a generator gets: random ones, and the label.
NOISE = 32
CLASSES = 10
IMAGES = 20_000  # of the training images; each is seen four times
RECIPES = {
    "digits": Recipe(
        epochs=4, learning_rate=0.001, optimizer="adam", schedule=False, quick_epochs=6, small_set_epochs=30
    ),
    # A generator that runs, and a discriminator that hardly moves.
    "collapse": Recipe(
        epochs=1, learning_rate=0.01, optimizer="adam", schedule=False, quick_epochs=3, small_set_epochs=7
    ),
}
DISCRIMINATOR_RATE = {"digits": 1.0, "collapse": 0.01}  # times that of the generator
COLLAPSE_IMAGES = 9600  # 300 steps of 32
REAL = 0.9  # what real images are to get: with 1 the discriminator soon is too sure, and its gradient vanishes
AVERAGED = 0.995  # of the averaged weights stays at each step
CERTAIN = 0.9  # from this probability up the classifier is sure
SAMPLES = 1000  # images that the generator is evaluated on
NEAREST_SAMPLES = 200  # of them, whose nearest training image is looked for
MOMENTUM = 0.9  # of the moving averages of the normalisation: a memory of ten steps, so that they soon are right
# Of the film.
ROWS = 4  # of ten digits
FRAMES = 24
NAMES = {"digits": "generator", "collapse": "out of balance"}
PARTS = ("digits", "collapse")


# --- The networks -----------------------------------------------------------------------------------------------------


def build_generator() -> keras.Sequential:
    """Returns 42 -> 7x7x32 -> 14x14x16 -> 28x28x1: transposed convolutions make images larger.

    In: 32 random numbers and behind them the label, ten numbers (`label_rows`). Out: an image of pixels from 0 to 1.
    """
    return keras.Sequential(
        [
            keras.Input((NOISE + CLASSES,)),
            keras.layers.Dense(7 * 7 * 32, use_bias=False),  # the normalisation has a bias of its own
            keras.layers.BatchNormalization(momentum=MOMENTUM),
            keras.layers.Activation("relu"),
            keras.layers.Reshape((7, 7, 32)),
            keras.layers.Conv2DTranspose(16, 4, strides=2, padding="same", use_bias=False),
            keras.layers.BatchNormalization(momentum=MOMENTUM),
            keras.layers.Activation("relu"),
            keras.layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="sigmoid"),
        ]
    )


def build_discriminator() -> keras.Sequential:
    """Returns 28x28x1 -> 14x14x16 -> 7x7x32 -> 10: for each digit the logit of being a real image of it.

    A discriminator with one output would not see whether the image is the digit that was asked for.
    """
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(16, 4, strides=2, padding="same"),
            keras.layers.LeakyReLU(negative_slope=0.2),  # some gradient below 0, too: the generator lives on it
            keras.layers.Conv2D(32, 4, strides=2, padding="same", use_bias=False),
            keras.layers.BatchNormalization(momentum=MOMENTUM),
            keras.layers.LeakyReLU(negative_slope=0.2),
            keras.layers.Flatten(),
            keras.layers.Dense(CLASSES),
        ]
    )


def descend(loss: Callable[[], Any], network: keras.Model, optimizer: keras.optimizers.Optimizer) -> Any:
    """Takes one step of a network's weights down the gradient of a loss, and returns the loss.

    The loss comes through both networks. The gradient is asked for the weights of one, and the other stays as it is.
    """
    weights = network.trainable_weights
    if keras.config.backend() == "torch":
        network.zero_grad()
        value = loss()
        value.backward()
        with torch.no_grad():
            optimizer.apply([weight.value.grad for weight in weights], weights)
        return value.detach()
    with tensorflow.GradientTape() as tape:  # it notes what is computed, and goes back through it
        value = loss()
    optimizer.apply(tape.gradient(value, weights), weights)
    return value


def build_gan(generator: keras.Sequential, discriminator: keras.Sequential, seed: int) -> keras.Model:
    """Returns the two networks as one model, whose `fit` trains both. Keras is imported with the first model."""

    class GAN(keras.Model):
        """A generator against a discriminator.

        Attributes:
            averaged: the generator with weights averaged over the last steps: its images are better, as the weights
                themselves go to and fro.
        """

        def __init__(self) -> None:
            super().__init__()
            self.generator, self.discriminator = generator, discriminator
            self.averaged = keras.models.clone_model(generator)
            self.averaged.set_weights(generator.get_weights())
            self.random = keras.random.SeedGenerator(seed)  # its state is kept with the weights
            self.generator_metric = keras.metrics.Mean("generator_loss")
            self.discriminator_metric = keras.metrics.Mean("discriminator_loss")
            self.built = True

        def compile(
            self,
            generator_optimizer: keras.optimizers.Optimizer,
            discriminator_optimizer: keras.optimizers.Optimizer,
            loss_fn: keras.losses.Loss,
            **options: Any,
        ) -> None:
            """Takes an optimizer for each network, and the loss that both are made of."""
            super().compile(optimizer=generator_optimizer, **options)
            self.discriminator_optimizer, self.loss_fn = discriminator_optimizer, loss_fn
            generator_optimizer.build(generator.trainable_variables)
            discriminator_optimizer.build(discriminator.trainable_variables)

        def score(self, images: Any, labels: Any) -> Any:
            """Returns the logits (n, 1) of images being real images of their labels."""
            return keras.ops.sum(self.discriminator(images, training=True) * labels, axis=1, keepdims=True)

        def train_step(self, data: Any) -> dict[str, Any]:
            """Takes a step with the discriminator, and one with the generator."""
            images, labels = data
            noise = keras.random.normal((keras.ops.shape(images)[0], NOISE), seed=self.random)
            inputs = keras.ops.concatenate([noise, labels], axis=1)

            def discriminator_loss() -> Any:  # real images are to get 0.9, drawn ones 0
                real = self.score(images, labels)
                drawn = self.score(self.generator(inputs, training=True), labels)
                of_real = self.loss_fn(REAL * keras.ops.ones_like(real), real)
                return of_real + self.loss_fn(keras.ops.zeros_like(drawn), drawn)

            def generator_loss() -> Any:  # the drawn ones are to get 1
                drawn = self.score(self.generator(inputs, training=True), labels)
                return self.loss_fn(keras.ops.ones_like(drawn), drawn)

            value = descend(discriminator_loss, self.discriminator, self.discriminator_optimizer)
            self.discriminator_metric.update_state(value)
            value = descend(generator_loss, self.generator, self.optimizer)  # of the discriminator as it is now
            self.generator_metric.update_state(value)

            step = keras.ops.cast(self.optimizer.iterations, "float32")
            share = keras.ops.minimum(AVERAGED, step / (step + 10))  # the first weights are soon forgotten
            for average, weight in zip(self.averaged.variables, self.generator.variables, strict=True):
                average.assign(share * average + (1 - share) * weight)
            return {metric.name: metric.result() for metric in (self.generator_metric, self.discriminator_metric)}

    return GAN()


# --- The data, and what a generator gets ------------------------------------------------------------------------------


def load_digits(arguments: argparse.Namespace, report: Report) -> ImageSet:
    """Returns the digits, at most `IMAGES` to train on."""
    digits = load_image_set("mnist", arguments.data, quick=arguments.quick)
    report.data(digits.source, digits.place, digits.is_standin)
    return replace(digits, X_train=digits.X_train[:IMAGES], y_train=digits.y_train[:IMAGES])


def label_rows(labels: np.ndarray, is_labelled: bool = True) -> np.ndarray:
    """Returns labels as rows of ten numbers: 1 at the digit that is asked for; where none is, 0.1 at each."""
    rows = np.eye(CLASSES) if is_labelled else np.full((CLASSES, CLASSES), 1 / CLASSES)
    return rows[labels].astype(np.float32)


def generator_inputs(labels: np.ndarray, seed: int, is_labelled: bool = True) -> np.ndarray:
    """Returns inputs of a generator, float32 (n, 42): 32 random numbers each, normally distributed, and the label."""
    noise = np.random.default_rng(seed).standard_normal((len(labels), NOISE), np.float32)
    return np.concatenate([noise, label_rows(labels, is_labelled)], axis=1)


def walk_inputs(labels: np.ndarray, steps: int, seed: int) -> np.ndarray:
    """Returns inputs (labels * steps, 42) on the way from one noise to another, for each label another way."""
    ends = np.random.default_rng(seed).standard_normal((2, len(labels), 1, NOISE))
    angle = np.linspace(0, np.pi / 2, steps)[:, None]  # along a quarter of a circle: as far from 0 as noise is
    noise = np.cos(angle) * ends[0] + np.sin(angle) * ends[1]
    rows = np.repeat(label_rows(labels)[:, None], steps, axis=1)
    return np.concatenate([noise, rows], axis=2).reshape(-1, NOISE + CLASSES).astype(np.float32)


# --- Training ---------------------------------------------------------------------------------------------------------


class Trained(NamedTuple):
    """The result of a training, of whichever engine.

    Attributes:
        steps: of the training, at each frame of the film.
        frames: what the same inputs gave then, (frames, rows, 10, 28, 28).
        curves: for each network the epochs passed and its loss then.
    """

    steps: list[int]
    frames: np.ndarray
    curves: Mapping[str, Curve]


def choose_recipe(kind: str, arguments: argparse.Namespace, samples: int) -> tuple[Recipe, Recipe]:
    """Returns the recipes of the generator and of the discriminator."""
    recipe = RECIPES[kind].with_options(arguments, samples)
    return recipe, replace(recipe, learning_rate=recipe.rate * DISCRIMINATOR_RATE[kind])


def make_optimizer(recipe: Recipe, arguments: argparse.Namespace) -> keras.optimizers.Optimizer:
    """Returns Adam with a short memory, as GANs take it: the other network changes what is down at every step."""
    if arguments.optimizer is not None:
        return recipe.make_optimizer()
    assert recipe.steps is not None, "with_options() counts the steps"
    constant, falling = constant_and_falling(recipe.steps)
    # Keras would have the rate rise to its target first: it stays there, then falls along a cosine.
    rate = keras.optimizers.schedules.CosineDecay(
        recipe.rate, falling, warmup_target=recipe.rate, warmup_steps=constant
    )
    return keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.99)


def constant_and_falling(steps: int) -> tuple[int, int]:
    """Returns for how many steps of a training the rate stays as it is, and in how many it then falls to 0."""
    constant = int(0.6 * steps)
    return constant, steps - constant


def shown_steps(steps: int) -> list[int]:
    """Returns after which steps of a training a frame is drawn: at the beginning often, later less so."""
    return [0, *np.unique(np.geomspace(min(32, steps), steps, FRAMES).round().astype(int)).tolist()]


def film_inputs(is_labelled: bool) -> np.ndarray:
    """Returns the inputs of the film, the same for each frame: rows of the ten digits."""
    return generator_inputs(np.tile(np.arange(CLASSES), ROWS), 0, is_labelled)


def train(
    kind: str, digits: ImageSet, is_labelled: bool, arguments: argparse.Namespace, report: Report
) -> tuple[keras.Model, Trained]:
    """Trains a generator against a discriminator; returns the generator of averaged weights."""
    X, labels = digits.X_train, label_rows(digits.y_train, is_labelled)
    recipe, discriminator_recipe = choose_recipe(kind, arguments, len(X))
    batches = training.shuffled_batches(X, labels, recipe.batch_size, arguments.seed, preprocess=scale_pixels)
    with device.scope(arguments.seed):
        generator, discriminator = build_generator(), build_discriminator()
        gan = build_gan(generator, discriminator, arguments.seed)
    if kind == arguments.parts[0]:
        generator.summary()
        discriminator.summary()
    gan.compile(
        make_optimizer(recipe, arguments),
        make_optimizer(discriminator_recipe, arguments),
        loss_fn=keras.losses.BinaryCrossentropy(from_logits=True),
        steps_per_execution=device.steps_per_execution(),  # 32 steps per call of TensorFlow: same result, sooner
    )

    inputs = film_inputs(is_labelled)
    film = training.Watch(lambda: draw(gan.averaged, inputs), shown_steps(recipe.steps or 1))
    losses = {name: training.StepLosses(f"{name}_loss") for name in ("generator", "discriminator")}
    name = f"gan_{kind}{'' if is_labelled else '_unlabelled'}"
    gan.fit(
        batches,
        epochs=recipe.epochs,
        shuffle=False,  # the batches come shuffled, each epoch anew
        callbacks=[
            *training.tensorboard(arguments.tensorboard, name),
            *losses.values(),
            film,
            training.Resume(report.checkpoint(name), batches, keep=[*losses.values(), film]),
        ],
        verbose=report.verbose,
    )
    curves = {name: curve.curve for name, curve in losses.items()}
    return gan.averaged, Trained(film.steps, np.stack(film.arrays).reshape(-1, ROWS, CLASSES, 28, 28), curves)


def draw(generator: keras.Model, inputs: np.ndarray) -> Images:
    """Returns the images of a generator. Called, not `predict`, which compiles itself first."""
    return keras.ops.convert_to_numpy(generator(inputs, training=False))


# --- Quality and variety of the digits --------------------------------------------------------------------------------


class Verdict(NamedTuple):
    """The metrics of a set of images by the classifier, a CNN.

    Attributes:
        certain: the share of the images that it is at least 0.9 sure of.
        counts: how many of each class it sees (10,).
        entropy: of these classes, as a share of ln 10: 1 where each of the ten is there equally often, 0 for a single.
        accuracy: the share of the images that are the digit that was asked for, or that they show.
        distance: the root mean square difference of neighbours, on average: 0 where all are the same. Neighbours are of
            different labels where labels come in turn, as a generator gets them.
    """

    certain: float
    counts: np.ndarray
    entropy: float
    accuracy: float
    distance: float


def evaluate_images(images: Images, probabilities: np.ndarray, labels: np.ndarray) -> Verdict:
    """Returns what the probabilities (n, 10) that the classifier predicts say of images and their labels (n,)."""
    predicted = probabilities.argmax(axis=1)
    counts = np.bincount(predicted, minlength=CLASSES)
    shares = counts[counts > 0] / len(images)
    pairs = np.square(images[:-1] - images[1:]).mean(axis=(1, 2, 3))
    return Verdict(
        certain=float(np.mean(probabilities.max(axis=1) >= CERTAIN)),
        counts=counts,
        entropy=abs(float(shares @ np.log(shares))) / np.log(CLASSES),
        accuracy=float(np.mean(predicted == labels)),
        distance=float(np.sqrt(pairs).mean()),
    )


def nearest(images: Images, training_images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns for each image its nearest training image (bytes), and the root mean square difference of the two."""
    rows = images.reshape(len(images), -1)
    training_rows = scale_pixels(training_images).reshape(len(training_images), -1)
    # |a - b|^2 = |a|^2 - 2 a b + |b|^2: one product of matrices.
    squares = np.square(rows).sum(axis=1)[:, None] - 2 * rows @ training_rows.T + np.square(training_rows).sum(axis=1)
    place = squares.argmin(axis=1)
    return training_images[place], np.sqrt(np.maximum(squares.min(axis=1), 0) / rows.shape[1])


def report_generator(
    draw_images: Callable[[np.ndarray], Images],
    classifier: Callable[[Images], np.ndarray],
    trained: Trained,
    is_labelled: bool,
    digits: ImageSet,
    report: Report,
) -> Verdict:
    """Evaluates a generator, compares its images with the training images, and draws them.

    Args:
        draw_images: from inputs to images.
        classifier: from images to the probabilities of their classes.
        trained: its training.
        is_labelled: whether it was told which digit to draw.
        digits: that it was trained on.
        report: takes the metrics and the plots.
    """
    labels = np.arange(SAMPLES) % CLASSES
    images = draw_images(generator_inputs(labels, 1, is_labelled))
    verdict = evaluate_images(images, classifier(images), labels)
    prefix = "" if is_labelled else "unlabelled_"
    metrics = {f"{prefix}certain_test_success_rate": verdict.certain, f"{prefix}test_entropy": verdict.entropy}
    if is_labelled:
        metrics["test_accuracy"] = verdict.accuracy

    nearest_images, distances = nearest(images[:NEAREST_SAMPLES], digits.X_train)
    _, real_distances = nearest(scale_pixels(digits.X_test[:NEAREST_SAMPLES]), digits.X_train)
    metrics[f"{prefix}nearest_test_root_mean_squared_error"] = float(distances.mean())
    report.result(metrics)
    report.result({"real_nearest_test_root_mean_squared_error": float(real_distances.mean())})
    print(f"The nearest training image differs from a drawn digit by {distances.mean():.3f} (root mean square),")
    print(f"from a test image by {real_distances.mean():.3f}; the closest drawn digit by {distances.min():.3f}.")

    name, columns = f"gan-{prefix.replace('_', '-')}", digits.classes if is_labelled else ()
    sheet = images[: 8 * CLASSES].reshape(-1, CLASSES, 28, 28)
    report.plot(f"{name}samples", figures.sheet, sheet, "Digits that the generator draws", columns=columns)
    steps = np.linspace(0, len(trained.steps) - 1, 8).round().astype(int)
    rows = [f"step {trained.steps[i]:,}" for i in steps]
    report.plot(
        f"{name}training", figures.sheet, trained.frames[steps, 0], "The same noise, while it trains", rows, columns
    )
    report.plot(f"{name}loss", figures.losses, trained.curves, balance())
    pairs = np.stack([images[:CLASSES], nearest_images[:CLASSES] / 255])[..., 0]
    report.plot(
        f"{name}nearest", figures.sheet, pairs, "The nearest training images", ["drawn", "nearest\ntraining image"]
    )
    if is_labelled:
        walk = draw_images(walk_inputs(np.arange(0, CLASSES, 2), 10, 3)).reshape(-1, 10, 28, 28)
        report.plot("gan-walk", figures.sheet, walk, "From one noise vector to another", digits.classes[::2])
    title = "The same noise, while the generator trains"
    report.animate(f"{name}training", figures.film, trained.frames, trained.steps, columns, title)
    return verdict


def balance() -> dict[str, float]:
    """Returns the losses where the discriminator gives every image one half: it can but guess."""
    coin = float(np.log(2))
    return {"generator": coin, "discriminator": 2 * coin}


def report_collapse(
    draw_images: Callable[[np.ndarray], Images], classifier: Callable[[Images], np.ndarray], report: Report
) -> Verdict:
    """Evaluates a generator that was trained out of balance, and draws its images; see `report_generator`."""
    labels = np.arange(SAMPLES) % CLASSES
    images = draw_images(generator_inputs(labels, 1, is_labelled=False))
    verdict = evaluate_images(images, classifier(images), labels)
    report.result(
        {
            "collapse_certain_test_success_rate": verdict.certain,
            "collapse_test_entropy": verdict.entropy,
            "collapse_distance_test_root_mean_squared_error": verdict.distance,
        }
    )
    sheet = images[: 3 * CLASSES].reshape(-1, CLASSES, 28, 28)
    report.plot("gan-collapse", figures.sheet, sheet, "Collapsed: thirty noise vectors, nearly one image")
    return verdict


def report_verdicts(verdicts: Mapping[str, Verdict], digits: ImageSet, report: Report) -> None:
    """Prints and draws what the classifier says of real digits and of drawn ones."""
    rows = [
        [
            name,
            f"{verdict.certain:.1%}",
            str(np.count_nonzero(verdict.counts >= 0.01 * verdict.counts.sum())),
            f"{verdict.entropy:.3f}",
            f"{verdict.accuracy:.1%}" if name in ("real digits", NAMES["digits"]) else "none requested",
            f"{verdict.distance:.3f}",
        ]
        for name, verdict in verdicts.items()
    ]
    print(format_table(["", "confident", "digits", "entropy / ln 10", "requested digit", "mean distance of two"], rows))
    real = verdicts["real digits"]
    report.result(
        {
            "real_certain_test_success_rate": real.certain,
            "real_test_entropy": real.entropy,
            "real_distance_test_root_mean_squared_error": real.distance,
        }
    )
    for name in verdicts.keys() - {"real digits", NAMES["collapse"]}:
        report.result({"distance_test_root_mean_squared_error": verdicts[name].distance})
    counts = {name: verdict.counts for name, verdict in verdicts.items()}
    report.plot("gan-classes", figures.classes, counts, digits.classes)


def save(generator: keras.Model | Model, verdict: Verdict, is_labelled: bool, digits: ImageSet, report: Report) -> None:
    """Saves a generator with its card, which names its inputs one by one."""
    noise = [Input(f"noise {i + 1}", minimum=-4, maximum=4) for i in range(NOISE)]
    metrics = {"test_accuracy": verdict.accuracy} if is_labelled else {}
    report.save(
        "digit_generator" if is_labelled else "digit_generator_unlabelled",
        generator,
        data=digits.source,
        inputs=[*noise, *(Input(f"is a {name}") for name in digits.classes)],
        output="image",
        classes=digits.classes if is_labelled else (),
        metrics=metrics | {"certain_test_success_rate": verdict.certain, "test_entropy": verdict.entropy},
    )


# --- The lesson -------------------------------------------------------------------------------------------------------


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options of the command line; `parts` are those to run."""
    parser = cli.lesson_parser(
        docstring, RECIPES, learning_rate="0.001 digits, 0.01 collapse, falling in the last 40 %%", data="DIR"
    )
    parser.add_argument("--part", choices=[*PARTS, "all"], default="all", help="(default: all)")
    parser.add_argument("--no-labels", action="store_true", help="train without labels: no digit can be requested")
    arguments = cli.parse_lesson(parser, argv)
    if arguments.no_labels and arguments.part == "collapse":
        parser.error("--no-labels: got --part collapse too, which never has labels; takes --part digits or all")
    arguments.parts = PARTS if arguments.part == "all" else (arguments.part,)
    return arguments


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, saves and draws the generators; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("gan", arguments)
    digits = load_digits(arguments, report)
    report.engine(device.prepare(arguments.seed))
    if keras.config.backend() == "jax":
        raise WorkshopError("KERAS_BACKEND=jax: the train_step of this lesson takes tensorflow or torch")

    report.section("The classifier")
    classifier = keras.models.load_model(files.shipped("models") / "mnist_cnn.h5", compile=False)
    classifier.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    X_test = scale_pixels(digits.X_test)
    _, accuracy = classifier.evaluate(X_test, digits.y_test, batch_size=1000, verbose=0)
    print(f"The CNN of the lesson mnist predicts the right digit for {accuracy:.2%} of the test images.")
    report.result({"classifier_test_accuracy": accuracy})

    def predict(images: Images) -> np.ndarray:
        return classifier.predict(images, batch_size=1000, verbose=0)

    verdicts = {"real digits": evaluate_images(X_test, predict(X_test), digits.y_test)}
    use = ""
    if "digits" in arguments.parts:
        report.section("Generator against discriminator")
        is_labelled = not arguments.no_labels
        generator, trained = train("digits", digits, is_labelled, arguments, report)
        verdict = report_generator(
            lambda inputs: draw(generator, inputs), predict, trained, is_labelled, digits, report
        )
        save(generator, verdict, is_labelled, digits, report)
        verdicts[NAMES["digits"] if is_labelled else "without labels"] = verdict
        use = f"python -m apps.draw_digits --model {report.last_model} 2026" if is_labelled else ""
    if "collapse" in arguments.parts:
        report.section("Collapse: the discriminator's learning rate is a hundredth of the generator's")
        first = replace(digits, X_train=digits.X_train[:COLLAPSE_IMAGES], y_train=digits.y_train[:COLLAPSE_IMAGES])
        collapsed, _ = train("collapse", first, False, arguments, report)
        verdicts[NAMES["collapse"]] = report_collapse(lambda inputs: draw(collapsed, inputs), predict, report)
    report.section("Quality and variety of the digits")
    report_verdicts(verdicts, digits, report)
    return report.finish(use=use)


if __name__ == "__main__":
    cli.run(main)

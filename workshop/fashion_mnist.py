"""Garments, the harder digits: a dense network and a deeper CNN.

Fashion-MNIST has the form of MNIST, 70,000 grey images of 28x28 pixels in ten classes, but the classes are garments:
a shirt and a coat differ by a few pixels, and what is easy on digits no longer is. You train a dense network and a
CNN with one convolution more than the digits needed, and see in the confusion matrix where the doubts are.

    python -m workshop.fashion_mnist                    # both; then look into the folder plots
    python -m workshop.fashion_mnist --model dense      # one of them
    python -m workshop.fashion_mnist --quick            # a first look, in seconds
    python -m workshop.fashion_mnist --look 0 5         # the first 100 images, and two of them in numbers
    python -m workshop.fashion_mnist --predict 0 12     # ten probabilities for each of these test images

Expected, with the defaults on Fashion-MNIST: dense at least 88 % test accuracy, CNN at least 91.5 %, both
within a minute on two CPU cores. Then try what helped with the digits: `--filters 32 32`, `--activation tanh`,
`--optimizer sgd`, `--hidden-units 512 128`, `--preset course-cnn` (saved as fashion_mnist_course-cnn), more `--epochs`.

Without Fashion-MNIST and without a network it trains on generated silhouettes of garments, and says so.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from workshop import mnist
from workshop.figures import fashion_mnist as figures
from workshop.kit import cli, device, image_classifier, training
from workshop.kit.data.images import load_image_set, scale_pixels
from workshop.kit.lazy import keras
from workshop.kit.report import Report
from workshop.kit.training import Recipe

# A quick run has 1,000 images, a small set at most 2,000: they are seen more often. With another optimizer,
# `--optimizer`, a step takes 32 images, as Keras does by default.
RECIPES = {
    "dense": Recipe(
        epochs=5, learning_rate=0.003, batch_size=64, quick_epochs=8, small_set_epochs=20, own_batch_size=32
    ),
    "cnn": Recipe(epochs=4, learning_rate=0.004, batch_size=64, quick_epochs=8, small_set_epochs=20, own_batch_size=32),
}


def build_cnn(
    filters: Sequence[int] = (16, 32, 64), hidden_units: Sequence[int] = (96,), activation: str = "relu"
) -> keras.Sequential:
    """Returns the convolutional network: 3x3 convolutions, 2x2 poolings between them, then dense layers.

    With the defaults the shapes are 28x28x1 -> 28x28x16 -> 14x14x16 -> 14x14x32 -> 7x7x32 -> 5x5x64 -> 96 -> 10.
    Garments fill the whole image, so the first convolutions are padded: the hem at the border counts as well. Few
    filters come first, where the image is large and each of them costs most.
    """
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for i, count in enumerate(filters):
        is_last = i == len(filters) - 1
        model.add(keras.layers.Conv2D(count, 3, padding="valid" if is_last else "same", activation=activation))
        # The last convolution keeps all of its positions: the dense layer decides what matters where.
        if not is_last or i == 0:
            model.add(keras.layers.MaxPooling2D())
    model.add(keras.layers.Flatten())
    for units in hidden_units:
        model.add(keras.layers.Dense(units, activation=activation))
    model.add(keras.layers.Dense(10, activation="softmax", dtype="float32"))
    return model


def build(kind: str, arguments: argparse.Namespace) -> keras.Sequential:
    """Returns one of the two networks, as the options want it."""
    if kind == "dense" or arguments.preset:
        return mnist.build(kind, arguments)  # the digits' network
    return build_cnn(arguments.filters, arguments.hidden_units[kind], arguments.activation)


def parse(
    docstring: str | None, argv: Sequence[str] | None, recipes: Mapping[str, Recipe] = RECIPES
) -> argparse.Namespace:
    """Reads the options of the command line."""
    arguments = image_classifier.parse(
        docstring, recipes, filters=(16, 32, 64), hidden_units={"dense": 128, "cnn": 96}, argv=argv
    )
    if arguments.preset and not arguments.not_comparable:
        arguments.not_comparable = "the preset is a course's for digits"
    return arguments


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, saves and plots the networks; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("fashion_mnist", arguments)
    images = load_image_set("fashion_mnist", arguments.data, quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    if arguments.look is not None:
        return mnist.show_training_images(report, images)
    image_classifier.check_indices("--predict", arguments.predict, len(images.X_test), images.source)
    report.engine(device.prepare(arguments.seed, arguments.precision))  # seeds, determinism, dtype policy

    preprocess = image_classifier.unscaled_pixels if arguments.no_scaling else scale_pixels  # to 0..255 or 0..1
    X_test = preprocess(images.X_test)
    curves = {}
    for kind in arguments.kinds:
        name = image_classifier.model_name("fashion_mnist", kind, arguments)
        report.section(kind)
        # Epochs, batch size, optimizer: of the recipe or of the command line; `samples` gives the schedule its length.
        recipe = arguments.recipes[kind].with_options(arguments, samples=len(images.X_train))
        # A tf.data.Dataset, its order drawn from the seed and the epoch: every engine sees the same batches.
        batches = training.shuffled_batches(
            images.X_train, images.y_train, recipe.batch_size, arguments.seed, preprocess
        )
        with device.scope(arguments.seed):  # keras.utils.set_random_seed: the initial weights
            model = build(kind, arguments)
        model.summary()
        model.compile(
            optimizer=recipe.make_optimizer(),  # default: AdamW(weight_decay=0.01, beta_2=0.99), warm-up, cosine decay
            loss="sparse_categorical_crossentropy",  # the labels are class numbers, not one-hot vectors
            metrics=["accuracy"],
            steps_per_execution=device.steps_per_execution(),  # 32 steps per call of TensorFlow: same result, sooner
        )
        losses = training.StepLosses()  # the loss within the epochs, for the plot
        history = model.fit(
            batches,
            epochs=recipe.epochs,
            shuffle=False,  # the batches come shuffled, each epoch anew
            callbacks=[
                *training.tensorboard(arguments.tensorboard, kind),
                losses,
                # For --resume, as keras.callbacks.BackupAndRestore; also restores `losses` and the order of `batches`.
                training.Resume(report.checkpoint(name), batches, keep=[losses]),
            ],
            verbose=report.verbose,
        )
        curves[kind] = losses.curve
        _, test_accuracy = model.evaluate(X_test, images.y_test, batch_size=1000, verbose=0)
        probabilities = model.predict(X_test, batch_size=1000, verbose=0)

        metrics = {"train_accuracy": history.history["accuracy"][-1], "test_accuracy": test_accuracy}
        print(f"{test_accuracy:.2%} of {len(X_test):,} test images classified correctly")
        report.result(metrics, model=kind, is_only=len(arguments.kinds) == 1)
        report.save(  # model.save, and beside the .h5 a card (.json): inputs, classes, metrics, digests
            name,
            model,
            inputs=[image_classifier.image_input(arguments)],
            classes=images.classes,
            metrics=metrics,
        )
        shown = figures.evaluation(kind, images.X_test, images.y_test, probabilities, images.classes)
        report.plots(name, shown)
        outputs = mnist.layer_outputs(model, X_test[0])
        report.plot(f"{name}-layers", figures.layers, kind, outputs, images.classes)
        if kind == "cnn":
            report.plot(f"{name}-filters", figures.filters, model.get_weights()[0])
        elif not arguments.hidden_units[kind]:  # 784-10: each output has an image of weights
            report.plot(f"{name}-weights", figures.weight_images, model.get_weights()[0], images.classes)
        if arguments.predict:
            mnist.show_predictions(report, name, images, probabilities)
    report.plot(
        f"{image_classifier.run_name('fashion_mnist', arguments)}-loss",
        figures.losses,
        curves,
        title="Training loss on the garments",
    )
    use = f"python -m apps.garment --model {report.last_model} YOUR-PICTURE.png"
    # The programs give the network pixels of 0 to 1.
    return report.finish(use="" if arguments.no_scaling else use, not_comparable=arguments.not_comparable)


if __name__ == "__main__":
    cli.run(main)

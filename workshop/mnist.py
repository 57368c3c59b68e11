"""Handwritten digits: a dense network against a convolutional one.

You build the two classic networks for MNIST, 70,000 digits of 28x28 pixels, and compare them. The dense network
(784-128-10) sees the image as a row of 784 numbers. The convolutional one (32-32-128) slides small filters over it, so
a stroke is the same stroke wherever it lies.

    python -m workshop.mnist                    # both; then look into the folder plots
    python -m workshop.mnist --model cnn        # one of them
    python -m workshop.mnist --quick            # a first look, in seconds

Look at the data before you train, and at single images afterwards; indices count from 0:

    python -m workshop.mnist --look 14344 4241                    # the first 100, and two of them in numbers
    python -m workshop.mnist --predict 4241 5555 1319 9888        # ten probabilities for each of these test images

Expected on MNIST: dense at least 97.5 % test accuracy, CNN at least 99.0 %, both in about 40 s on two CPU cores. Other
networks that courses build, and a mistake that they make; in brackets the courses' own accuracy (test, or training and
test):

    python -m workshop.mnist --model dense --optimizer sgd --activation sigmoid --epochs 5     # 87 to 90 % (89 %)
    python -m workshop.mnist --model dense --optimizer adam --batch-size 64    # relu and plain Adam: 97.6 to 97.8 %
    python -m workshop.mnist --model dense --hidden-units 0       # 784-10; its ten weight images are drawn
    python -m workshop.mnist --model dense --hidden-units 512 128 # two hidden layers
    python -m workshop.mnist --preset course-dense                # 784-50-10 (98.56 %, 97.10 %)
    python -m workshop.mnist --preset course-cnn                  # a CNN of 9,098 weights (98.17 %, 98.25 %)
    python -m workshop.mnist --model dense --no-scaling           # a common mistake: 95.8 instead of 98.0 %

The presets train with Adam, rate 0.001, batches of 64 and 10 epochs, and save as mnist_course-dense and
mnist_course-cnn, beside the default run's models. With seeds 1, 2 and 3 the three engines end at 98.1 to 98.6 and 96.8
to 97.3 % (dense), 98.9 to 99.1 and 98.3 to 98.8 % (CNN; in Keras in a minute).

Several processes, on this machine or on several, share each batch and end with the same network. Keras does it on JAX:
start this in each, the process IDs counted from 0, the address that of the first:

    KERAS_BACKEND=jax KERAS_DISTRIBUTION_JOB_ADDRESSES=localhost:5555 KERAS_DISTRIBUTION_NUM_PROCESSES=2 \\
        KERAS_DISTRIBUTION_PROCESS_ID=0 python -m workshop.mnist

Without MNIST and without a network it trains on scikit-learn's 1,797 digits, and says so.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workshop.figures import mnist as figures
from workshop.kit import cli, device, image_classifier, training
from workshop.kit.data.images import ImageSet, load_image_set, scale_pixels
from workshop.kit.lazy import keras
from workshop.kit.report import Report, format_table
from workshop.kit.training import Recipe

# A quick run has 1,000 images, a small set at most 2,000: they are seen more often. With another optimizer,
# `--optimizer`, a step takes 32 images, as Keras does by default.
SHARED: dict[str, Any] = {"batch_size": 64, "quick_epochs": 8, "small_set_epochs": 20, "own_batch_size": 32}
RECIPES = {
    "dense": Recipe(epochs=5, learning_rate=0.003, **SHARED),
    "cnn": Recipe(epochs=2, learning_rate=0.005, **SHARED),
}


def build_dense(hidden_units: Sequence[int] = (128,), activation: str = "relu") -> keras.Sequential:
    """Returns the dense network: (28, 28, 1) -> 784 -> each of `hidden_units` -> 10 probabilities."""
    model = keras.Sequential([keras.Input((28, 28, 1))])
    model.add(keras.layers.Flatten())
    for units in hidden_units:
        model.add(keras.layers.Dense(units, activation=activation))
    # In single precision whatever the others compute in: a probability of nearly 0 has few digits in 16 bits.
    model.add(keras.layers.Dense(10, activation="softmax", dtype="float32"))
    return model


def build_cnn(
    filters: Sequence[int] = (32, 32),
    hidden_units: Sequence[int] = (128,),
    activation: str = "relu",
    padding: str = "valid",
) -> keras.Sequential:
    """Returns the convolutional network: a 3x3 convolution and a 2x2 pooling for each of `filters`, then dense layers.

    With the defaults the shapes are 28x28x1 -> 26x26x32 -> 13x13x32 -> 11x11x32 -> 5x5x32 -> 800 -> 128 -> 10. With the
    padding "same" a convolution keeps the image's size.
    """
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for count in filters:
        model.add(keras.layers.Conv2D(count, 3, padding=padding, activation=activation))
        model.add(keras.layers.MaxPooling2D())
    model.add(keras.layers.Flatten())
    for units in hidden_units:
        model.add(keras.layers.Dense(units, activation=activation))
    model.add(keras.layers.Dense(10, activation="softmax", dtype="float32"))
    return model


def build(kind: str, arguments: argparse.Namespace) -> keras.Sequential:
    """Returns one of the two networks, as the options want it."""
    hidden_units = arguments.hidden_units[kind]
    if kind == "dense":
        return build_dense(hidden_units, arguments.activation)
    return build_cnn(arguments.filters, hidden_units, arguments.activation, arguments.padding)


def show_training_images(report: Report, images: ImageSet) -> dict[str, float]:
    """Draws the first 100 training images and, in numbers too, those that `--look` names; ends the run."""
    indices = report.arguments.look
    image_classifier.check_indices("--look", indices, len(images.X_train), images.source)
    X, labels = images.X_train[..., 0], [images.classes[label] for label in images.y_train]
    report.plot(f"{images.name}-first-100", figures.first_images, X[:100], labels[:100], images.source)
    for i in indices:
        title = f"Training image {i}, label {labels[i]}"
        report.section(title)
        print(figures.pixel_table(X[i]))
        report.plot(f"{images.name}-train-{i}", figures.pixels, X[i], title)
    return report.finish()


def show_predictions(report: Report, model_name: str, images: ImageSet, probabilities: np.ndarray) -> None:
    """Prints and draws the test images asked for: their ten probabilities, the predicted class and the label."""
    indices = report.arguments.predict
    predicted = [images.classes[label] for label in probabilities.argmax(axis=1)]
    labels = [images.classes[label] for label in images.y_test]
    rows = [[name, *(f"{probabilities[i, k]:.4f}" for i in indices)] for k, name in enumerate(images.classes)]
    rows += [["predicted", *(predicted[i] for i in indices)], ["label", *(labels[i] for i in indices)]]
    print(format_table(["test image", *map(str, indices)], rows))
    for i in indices:
        title = f"Test image {i}: predicted {predicted[i]}, label {labels[i]}"
        image = images.X_test[i, ..., 0]
        report.plot(f"{model_name}-test-{i}", figures.prediction, image, probabilities[i], images.classes, title)


def show_unscaled(model: keras.Sequential, images: ImageSet, indices: Sequence[int]) -> None:
    """Prints what a network that was trained on pixels of 0 to 1 predicts for these test images' bytes, 0 to 255."""
    probabilities = model.predict(image_classifier.unscaled_pixels(images.X_test[indices]), verbose=0)
    predicted = [f"{images.classes[row.argmax()]} with {row.max():.4f}" for row in probabilities]
    print(f"With pixels of 0 to 255: {', '.join(predicted)}.")
    print("Some courses feed them by mistake to a network trained on 0 to 1: its probabilities then mean nothing.")


def compare_cross_entropies() -> str:
    """Returns a table: cross-entropy from class numbers equals cross-entropy from one-hot vectors.

    Both are in 64 bits; networks compute in 32, where the last of eight digits are rounded.
    """
    probabilities = np.array([[0.04, 0.95, 0.01], [0.1, 0.8, 0.1]])
    labels = np.array([1, 2])
    columns = (
        keras.losses.sparse_categorical_crossentropy(labels, probabilities),
        keras.losses.categorical_crossentropy(keras.utils.to_categorical(labels, 3), probabilities),
        keras.losses.sparse_categorical_crossentropy(labels, probabilities.astype(np.float32)),
    )
    rows = [
        (str(probabilities[i]), str(labels[i]), *(f"{float(column[i]):.8f}" for column in columns))
        for i in range(len(labels))
    ]
    return format_table(["probabilities", "class", "sparse", "one-hot", "in 32 bits"], rows)


def layer_outputs(model: keras.Sequential, image: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Returns the output of each layer but Flatten for one image (28, 28, 1), float32, with the layer's name."""
    outputs, x = [("image", image)], image[None]
    for layer in model.layers:
        x = layer(x)
        if not isinstance(layer, keras.layers.Flatten):
            outputs.append((type(layer).__name__, keras.ops.convert_to_numpy(x)[0]))
    return outputs


def parse(
    docstring: str | None, argv: Sequence[str] | None, recipes: Mapping[str, Recipe] = RECIPES
) -> argparse.Namespace:
    """Reads the options of the command line: --model, --activation, --hidden-units, --filters, --look and others."""
    return image_classifier.parse(
        docstring, recipes, filters=(32, 32), hidden_units={"dense": 128, "cnn": 128}, argv=argv
    )


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, saves and plots the networks; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("mnist", arguments, may_share=True)  # several processes may share the training
    images = load_image_set("mnist", arguments.data, quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    if arguments.look is not None:
        return show_training_images(report, images)
    image_classifier.check_indices("--predict", arguments.predict, len(images.X_test), images.source)
    report.engine(device.prepare(arguments.seed, arguments.precision))  # seeds, determinism, dtype policy
    report.section("Cross-entropy, from class numbers and from one-hot vectors")
    print(compare_cross_entropies())

    preprocess = image_classifier.unscaled_pixels if arguments.no_scaling else scale_pixels  # to 0..255 or 0..1
    X_test = preprocess(images.X_test)
    curves = {}
    for kind in arguments.kinds:
        name = image_classifier.model_name("mnist", kind, arguments)
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
        model = device.gather(model)  # from the processes that shared the training, where there are several
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
        report.plots(name, figures.evaluation(kind, images.X_test, images.y_test, probabilities, images.classes))
        outputs = layer_outputs(model, X_test[0])
        report.plot(f"{name}-layers", figures.layers, kind, outputs, images.classes)
        if kind == "cnn":
            report.plot(f"{name}-filters", figures.filters, model.get_weights()[0])
        elif not arguments.hidden_units[kind]:  # 784-10: each output has an image of weights
            report.plot(f"{name}-weights", figures.weight_images, model.get_weights()[0], images.classes)
        if arguments.predict:
            show_predictions(report, name, images, probabilities)
            if not arguments.no_scaling:
                show_unscaled(model, images, arguments.predict)
    report.plot(
        f"{image_classifier.run_name('mnist', arguments)}-loss",
        figures.losses,
        curves,
        title="Training loss on the digits",
    )
    use = f"python -m apps.digit --model {report.last_model} YOUR-PICTURE.png"
    # The programs give the network pixels of 0 to 1.
    return report.finish(use="" if arguments.no_scaling else use, not_comparable=arguments.not_comparable)


if __name__ == "__main__":
    cli.run(main)

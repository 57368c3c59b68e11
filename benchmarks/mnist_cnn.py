"""The lesson's CNN against the network and the recipe that most tutorials train on MNIST, side by side in one run.

    WORKSHOP_DATA=... python -m benchmarks.mnist_cnn [--runs 5]

The other recipe: convolutions of 32 and 64 filters, dropout 0.5, batches of 128, Adam, 15 epochs, a tenth of the
images held out. Both are timed as whole processes, in turn; the ratio is taken pair by pair. About three minutes a
pair.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from benchmarks import measure


def plain() -> None:
    """Trains the tutorials' network and prints its test accuracy and the validation accuracy after every epoch."""
    import keras
    import numpy as np

    from workshop.kit.data import images as image_data

    images = image_data.load_image_set("mnist")
    X_train, X_test = images.X_train / np.float32(255), images.X_test / np.float32(255)
    y_train, y_test = keras.utils.to_categorical(images.y_train, 10), keras.utils.to_categorical(images.y_test, 10)
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.layers.Input((28, 28, 1)),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    model.fit(X_train, y_train, batch_size=128, epochs=15, validation_split=0.1, verbose=0)
    print(json.dumps({"data": images.source, "test_accuracy": model.evaluate(X_test, y_test, verbose=0)[1]}))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="pairs (default: 5)")
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.plain:
        plain()
        return
    print(measure.machine())
    rows, ratios = [], []
    for pair in range(arguments.runs):
        seed = pair % 3 + 1
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            # The paths in sys.path are relative to the folder of the caller: say where this module is.
            root = str(Path(__file__).resolve().parents[1])
            ours = measure.run(
                ["-m", "workshop.mnist", "--model", "cnn", "--seed", str(seed), "--json"], folder, PYTHONPATH=root
            )
            theirs = measure.run(["-m", "benchmarks.mnist_cnn", "--plain"], folder, PYTHONPATH=root)
        our_result, their_result = (json.loads(one.output.splitlines()[-1]) for one in (ours, theirs))
        ratios.append(ours.seconds / theirs.seconds)
        rows.append(
            [
                seed,
                f"{our_result['metrics']['test_accuracy']:.2%}",
                f"{ours.seconds:.1f} s",
                f"{their_result['test_accuracy']:.2%}",
                f"{theirs.seconds:.1f} s",
                f"{ratios[-1]:.3f}",
            ]
        )
        print(f"pair {pair + 1}: ratio {ratios[-1]:.3f}", flush=True)
    print(measure.markdown(["seed", "lesson", "whole process", "plain, 15 epochs", "whole process", "ratio"], rows))
    print(f"median ratio {statistics.median(ratios):.3f} on {our_result['data']}")


if __name__ == "__main__":
    main()

"""Autoencoders: networks that answer with the picture they were asked, though little of it fits through their middle.

A picture of a digit is 784 numbers. The first half of the network, the encoder, makes a few numbers of them, the code;
the second half, the decoder, makes the picture again. Nobody says what a digit is: to get one through so narrow a gate
the network has to find out by itself. Six parts, all in one run unless you choose one:

    python -m workshop.autoencoder                           # all six; then look into the folder plots
    python -m workshop.autoencoder --part denoising          # one of them
    python -m workshop.autoencoder --quick                   # a first look, in seconds

`linear`: without activations a network finds what principal component analysis (PCA) finds. `deep`: hidden layers leave
a third of PCA's error. `convolutional`: filters instead, and a code of small pictures. `denoising`: noise goes in and
clean digits are to come out. `anomaly`: what it never saw a network cannot draw, so garments are found among digits.
`codes`: a code of two numbers is a map of the digits.

Expected on MNIST: the linear network's plane within 0.01 rad of PCA's; a mean squared error of at most 0.006 with 32
numbers, where PCA has 0.017; of noise of 0.5 less than half of the error left; garments told from digits with an area
under the ROC curve of at least 0.99. About 50 s on two CPU cores. Then clean a picture of your own:

    python -m apps.clean PICTURE.png
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from workshop.kit import cli, code_figures, device, metrics, reconstruction, training
from workshop.kit import report as reporting
from workshop.kit.data.images import scale_pixels
from workshop.kit.engine import Engine, Plan
from workshop.kit.lazy import keras
from workshop.kit.reconstruction import Settings, Study, errors_of

SETTINGS = {
    "linear": Settings(400, 0.01, expected=0.038, images=1000, batch_size=1000),  # all of them in each step
    "deep": Settings(4, 0.01, expected=0.006),
    "convolutional": Settings(2, 0.01, expected=0.008, images=12_000, batch_size=64),
    "denoiser": Settings(2, 0.005, expected=0.02),
    "codes": Settings(2, 0.007, expected=0.045),
}
# The dense networks: hidden units before the code (after it the same backwards), numbers in the code, the activations
# of hidden and of last units. MNIST's variances have a gap behind the ninth: nine dimensions of PCA are well defined.
DENSE: dict[str, tuple[tuple[int, ...], int, str, str]] = {
    "linear": ((), 9, "linear", "linear"),
    "deep": ((256,), 32, "relu", "sigmoid"),
    "denoiser": ((256,), 128, "relu", "sigmoid"),
    "codes": ((256, 64), 2, "silu", "sigmoid"),  # smooth, as a map is to be
}
FILTERS = (16, 4)  # of the convolutional encoder
FALSE_ALARMS = 0.01  # the share of the validation digits that may be taken for anomalies
MOST_NOISE, NOISE_LEVELS = 0.8, (0.25, 0.5, 0.75)  # standard deviations; ink is 1


def build_dense(hidden_units: Sequence[int], code: int, activation: str, last: str) -> Any:
    """Returns 784 -> hidden units -> code -> hidden units -> 784; pictures (28, 28, 1) go in and come out."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Flatten(),
            *(layers.Dense(units, activation=activation) for units in hidden_units),
            layers.Dense(code),
            *(layers.Dense(units, activation=activation) for units in reversed(hidden_units)),
            layers.Dense(784, activation=last),
            layers.Reshape((28, 28, 1)),
        ]
    )


def build_convolutional(filters: int, code: int) -> Any:
    """Returns 28x28 -> 14x14 -> 7x7 and back: strides make pictures smaller, repeated pixels make them larger."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(code, 3, strides=2, padding="same"),
            layers.UpSampling2D(),
            layers.Conv2D(filters, 3, padding="same", activation="relu"),
            layers.UpSampling2D(),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )


def build(kind: str) -> Any:
    """Returns one of the networks by its name in `SETTINGS`."""
    return build_convolutional(*FILTERS) if kind == "convolutional" else build_dense(*DENSE[kind])


def train(model: Any, X: np.ndarray, y: np.ndarray, plan: Plan, seed: int, **options: Any) -> training.History:
    """Compiles and fits a network on pictures X that are to become y; `options` are those of `training.fit`."""
    optimizer = training.make_optimizer(plan.optimizer, plan.learning_rate, plan.steps)
    model.compile(optimizer=optimizer, loss="mean_squared_error")
    return training.fit(model, X, y, epochs=plan.epochs, batch_size=plan.batch_size, seed=seed, **options)


def add_noise(images: np.ndarray, level: Any, random: np.random.Generator) -> np.ndarray:
    """Returns images (bytes) with noise: normal, of the standard deviation `level`, cut off at white and at ink."""
    noisy = random.standard_normal(images.shape, np.float32)
    noisy *= np.asarray(255 * level, np.float32)
    noisy += images
    return np.rint(np.clip(noisy, 0, 255, out=noisy), out=noisy).astype(np.uint8)


def learn_linear(study: Study) -> None:
    """Without activations the best that a network can do is PCA: it finds the same plane, though other axes in it."""
    from scipy.linalg import subspace_angles

    X, report = study.first("linear"), study.report
    mean = scale_pixels(X).mean(axis=0)
    model = study.learn("linear", scale_pixels(X) - mean, scale_pixels(X) - mean)
    # What was taken away goes into the biases: decode(encode(x - mean)) + mean is a network of the same form.
    into, bias, out, last_bias = model.get_weights()
    model.set_weights([into, bias - mean.ravel() @ into, out, last_bias + mean.ravel()])
    study.judge("linear")
    pca = reconstruction.fit_pca(X, DENSE["linear"][1])
    by_pca = study.measure("linear_pca", reconstruction.through_pca(pca, study.images.X_test))
    excess = report.metrics["linear_test_mean_squared_error"] / by_pca - 1
    angle = float(subspace_angles(out.T, pca.components_.T).max())
    print(f"Its {DENSE['linear'][1]} dimensions and PCA's: largest angle {angle:.5f} rad, error {excess:+.2%}")
    report.result({"linear_angle_train_max_error": angle, "linear_excess_test_max_error": excess})
    report.expect("linear_angle_train_max_error", highest=0.01)
    report.expect("linear_excess_test_max_error", -0.01, 0.01)
    rows = {name: axes.reshape(-1, 28, 28, 1) for name, axes in (("PCA", pca.components_), ("network", out))}
    heading = "What digits are added up from: other pictures, the same plane (purple +, orange -)"
    study.draw("linear", code_figures.image_rows, rows, heading, has_signs=True)


def learn_deep(study: Study) -> None:
    """Hidden layers bend the plane: as many numbers leave a third of the error."""
    study.learn("deep", study.X, study.X)
    answers, X, code = study.judge("deep"), study.images.X_test, DENSE["deep"][1]
    by_pca = reconstruction.through_pca(study.pca, X, code)
    print(f"Mean squared error of PCA with {code} numbers: {study.measure('pca', by_pca):.4f}")
    study.report.expect("pca_test_mean_squared_error", 0.016, 0.018)
    rows = {"test images": X, "PCA": by_pca, "network": answers}
    study.draw("deep", code_figures.image_rows, rows, f"What {code} numbers say of a digit")


def learn_convolutional(study: Study) -> None:
    """The same few filters everywhere: hardly any weights, and a code that is made of small pictures itself."""
    X = study.first("convolutional")
    model = study.learn("convolutional", X, X)
    answers, X = study.judge("convolutional"), study.images.X_test[:10]
    codes = reconstruction.encode(model, X).reshape(len(X), 7, 7, FILTERS[1])
    rows = {"test images": X, **{f"code, {i + 1}": codes[..., [i]] for i in range(FILTERS[1])}, "network": answers}
    study.draw("convolutional", code_figures.image_rows, rows, "Through small pictures, 7x7, and back")


def learn_denoising(study: Study) -> None:
    """Noise goes in and the clean picture is the target: what is not of a digit does not come out again."""
    X, clean, random = study.first("denoiser"), study.images.X_test, np.random.default_rng(study.report.arguments.seed)
    study.learn("denoiser", add_noise(X, random.uniform(0, MOST_NOISE, (len(X), 1, 1, 1)), random), X)
    table, rows = [], {"test images": clean}
    for level in NOISE_LEVELS:
        noisy = add_noise(clean, level, random)
        cleaned = study.judge("denoiser", noisy) if level == 0.5 else study.answers("denoiser", noisy)
        before, after = (float(errors_of(clean, one).mean()) for one in (scale_pixels(noisy), cleaned))
        table.append([level, before, after, f"{before / after:.1f}"])
        rows |= {f"noise {level:g}": noisy, f"noise {level:g}, cleaned": cleaned}
        if level == 0.5:
            study.measure("noisy", scale_pixels(noisy))
            study.report.expect("denoiser_test_mean_squared_error", highest=before / 2)
    print(metrics.table(["noise", "error before", "error after", "times smaller"], table))
    study.draw("denoising", code_figures.image_rows, rows, "Before and after")


def find_anomalies(study: Study) -> None:
    """A network that knows digits alone cannot draw anything else: a large error says that something is no digit."""
    from sklearn.metrics import roc_auc_score, roc_curve

    if "deep" not in study.models:
        learn_deep(study)
    asked = {"validation digits": study.validation, "test digits": study.images.X_test, "garments": study.others}
    answers = {name: study.answers("deep", X) for name, X in asked.items()}
    errors = {name: errors_of(X, answers[name]) for name, X in asked.items()}
    threshold = float(np.quantile(errors["validation digits"], 1 - FALSE_ALARMS))
    tested = [errors["test digits"], errors["garments"]]
    is_garment, found = np.repeat([0, 1], list(map(len, tested))), np.concatenate(tested)
    area = float(roc_auc_score(is_garment, found))
    print(f"An anomaly has an error of {threshold:.4f} or more, as {FALSE_ALARMS:.0%} of the validation digits have")
    table = [[name, float(one.mean()), f"{np.mean(one >= threshold):.1%}"] for name, one in errors.items()]
    print(metrics.table(["", "mean error", "taken for an anomaly"], table))
    measured = metrics.two_classes("anomaly_test", is_garment, found, threshold)
    study.report.result(measured | {"anomaly_test_roc_auc": area})
    study.report.expect("anomaly_test_roc_auc", 0.99)
    study.draw("anomalies", code_figures.anomalies, errors, threshold, roc_curve(is_garment, found)[:2], area)
    rows = {"garments": study.others, "network": answers["garments"]}
    study.draw("garments", code_figures.image_rows, rows, "A network that knows digits alone draws garments")


def draw_codes(study: Study) -> None:
    """Two numbers for a digit are a place on a map."""
    from sklearn.neighbors import KNeighborsClassifier

    images, X, shown = study.images, study.first("codes"), study.images.X_test
    model = study.learn("codes", X, X)
    study.judge("codes")
    study.measure("codes_pca", reconstruction.through_pca(study.pca, shown, 2))
    known, labels = X[:5000], images.y_train[: len(X[:5000])]
    places = {"PCA": [study.pca.transform(reconstruction.rows_of(one))[:, :2] for one in (shown, known)]}
    places["network"] = [reconstruction.encode(model, one) for one in (shown, known)]
    for name, (of_shown, of_known) in places.items():
        # How well a place says which digit it is: the ten nearest training images are asked.
        accuracy = KNeighborsClassifier(10).fit(of_known, labels).score(of_shown, images.y_test)
        print(f"{accuracy:.1%} of the test images told by their place on the map of {name}")
        study.report.result({f"codes{'_pca' * (name == 'PCA')}_test_accuracy": accuracy})
    study.report.expect("codes_test_accuracy", 0.55)
    study.draw("codes", code_figures.code_maps, places, images.y_test, images.classes)


PARTS: dict[str, Callable[[Study], None]] = {
    "linear": learn_linear, "deep": learn_deep, "convolutional": learn_convolutional, "denoising": learn_denoising,
    "anomaly": find_anomalies, "codes": draw_codes,
}  # fmt: skip
KERAS = Engine("keras", __doc__, device.prepare, device.seeded(build), train)


def parse(docstring: str | None, settings: Mapping[str, Settings], argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    each = {name: ", ".join(f"{getattr(one, name):g} {kind}" for kind, one in settings.items())
            for name in ("epochs", "batch_size", "learning_rate")}  # fmt: skip
    each["learning_rate"] += ", falling along a cosine; with --optimizer Keras' own, constant"
    parser = cli.lesson_parser(docstring, optimizer="adamw", data="DIR", **each)
    parser.add_argument("--part", choices=[*PARTS, "all"], default="all", help="(default: all)")
    return cli.parse_lesson(parser, argv)


def main(
    argv: Sequence[str] | None = None, engine: Engine = KERAS, settings: Mapping[str, Settings] = SETTINGS
) -> dict[str, float]:
    """Trains, measures, saves and draws; returns the metrics."""
    arguments = parse(engine.docstring, settings, argv)
    report = reporting.Report("autoencoder", arguments, engine)
    study = Study(report, settings)
    if arguments.part in ("anomaly", "all"):
        study.load_others("fashion_mnist")
    print(f"Engine    {engine.prepare(arguments.seed)}")
    for name in PARTS if arguments.part == "all" else [arguments.part]:
        report.section(name)
        PARTS[name](study)
    study.draw("loss", code_figures.losses, study.histories, "Learning to answer with the question")
    use = f"python -m apps.clean --model {study.path('denoiser')} YOUR-PICTURE.png" * ("denoiser" in study.models)
    return report.finish(use=use, no_band=reporting.why_no_band(arguments, study.is_standin))


if __name__ == "__main__":
    cli.run(main)

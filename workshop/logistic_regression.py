"""One neuron decides: tumours, the sigmoid and cross-entropy.

A line answers "how much"; a sigmoid behind it answers "how probable". You see what the sigmoid does, why its errors are
measured by cross-entropy and not by squares, and why a straight line with a cut at 0.5 is no classifier. Then one
neuron learns from 30 measurements of a tumour's cells whether it is malignant (569 real cases, Wolberg et al. 1993).

    python -m workshop.logistic_regression                      # all of it; then look into the folder plots
    python -m workshop.logistic_regression --data YOUR.csv      # numbers, then a target that is 0 or 1
    python -m workshop.logistic_regression --quick              # a first look: fewer epochs

Expected: at least 96 % of the test cases right, on the rows that are held back here. About 12 s on two CPU cores.
"""

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from workshop.kit import cli, device, metrics, plots, training
from workshop.kit import report as reporting
from workshop.kit.data import tables
from workshop.kit.engine import Engine, Plan
from workshop.kit.lazy import keras
from workshop.kit.plots import charts
from workshop.kit.saving import bundle

EPOCHS, QUICK_EPOCHS = 100, 20
BATCH_SIZE = 32
LEARNING_RATE = 0.01
THRESHOLD = 0.5
SATURATED_RATE, SATURATED_STEPS = 0.15, 300
CLASSES = ("benign", "malignant")


def sigmoid(z: np.ndarray | float) -> np.ndarray:
    """Returns 1 / (1 + e^-z): any number becomes a probability."""
    return np.asarray(1 / (1 + np.exp(-np.asarray(z, np.float64))))


def cross_entropy(y: np.ndarray | float, p: np.ndarray | float) -> np.ndarray:
    """Returns -log of the probability that was given to what happened: y is 0 or 1, p the probability of 1."""
    return np.asarray(-(y * np.log(p) + (1 - np.asarray(y)) * np.log(1 - np.asarray(p))))


def likelihood(theta: np.ndarray | float, throws: Sequence[int]) -> np.ndarray:
    """Returns the probability of exactly these throws (1 heads, 0 tails) of a coin that shows heads with theta."""
    heads = sum(throws)
    return np.asarray(np.power(theta, heads) * np.power(1 - np.asarray(theta), len(throws) - heads))


def build_neuron(features: int) -> Any:
    """Returns one neuron with a sigmoid: (features,) -> the probability of class 1."""
    return keras.Sequential([keras.layers.Input((features,)), keras.layers.Dense(1, activation="sigmoid")])


def train(model: Any, X: np.ndarray, y: np.ndarray, plan: Plan, seed: int, **options: Any) -> training.History:
    """Compiles and fits the neuron on scaled X (rows, features) and y (rows, 1), with `training.fit`'s options."""
    optimizer = training.make_optimizer(plan.optimizer, plan.learning_rate)
    model.compile(optimizer=optimizer, loss="binary_crossentropy", metrics=["accuracy"])
    return training.fit(model, X, y, epochs=plan.epochs, batch_size=plan.batch_size, seed=seed, **options)


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Returns how the neuron is trained."""
    rate = arguments.learning_rate or (LEARNING_RATE if arguments.optimizer is None else None)
    epochs = arguments.epochs or (QUICK_EPOCHS if arguments.quick else EPOCHS)
    return Plan(arguments.optimizer or "adam", rate, epochs, arguments.batch_size or BATCH_SIZE)


def descend_saturated(loss: str) -> list[float]:
    """Returns the output, step by step, of one neuron that starts far on the wrong side: w = b = 2, input 1, target 0.

    With squares the gradient holds sigmoid'(z), which is nearly 0 out there; with cross-entropy that factor cancels.
    """
    w, b = 2.0, 2.0
    outputs = []
    for _ in range(SATURATED_STEPS):
        a = float(sigmoid(w * 1 + b))
        outputs.append(a)
        gradient = a if loss == "cross-entropy" else a * a * (1 - a)  # of 1/2 (a - 0)^2
        w, b = w - SATURATED_RATE * gradient, b - SATURATED_RATE * gradient
    return outputs


def show_tables(report: reporting.Report) -> None:
    """The sigmoid, cross-entropy and likelihood, in numbers."""
    report.section("The sigmoid")
    print(metrics.table(["z", "sigmoid(z)"], [[z, f"{sigmoid(z):.8f}"] for z in (-8.0, -4.0, 0.5, 1.0, 5.0)]))
    report.section("Cross-entropy: how surprised one is by what happened")
    pairs = [(1, 0.7), (1, 0.1), (1, 1e-6), (0, 0.3), (0, 0.9)]
    rows = [[y, f"{p:g}", f"{cross_entropy(y, p):.5f}"] for y, p in pairs]
    print(metrics.table(["what happened", "probability of 1", "cross-entropy"], rows))
    report.section("Maximum likelihood: heads, tails, heads, tails")
    rows = [[theta, f"{likelihood(theta, (1, 0, 1, 0)):.4f}"] for theta in (0.2, 0.5, 0.8)]
    print(metrics.table(["probability of heads", "likelihood of the throws"], rows))


def draw_basics() -> Any:
    """Returns a figure: the likelihood of a coin, the two losses of one neuron, and the saturated neuron."""
    figure, axes = plots.subplots(2, 2)
    theta = np.linspace(0.01, 0.99, 99)
    curve = {"heads, tails, heads, tails": (theta, likelihood(theta, (1, 0, 1, 0)))}
    charts.draw_curves(axes[0, 0], curve, x="probability of heads", y="likelihood", title="The coin: largest at 0.5")
    descents = {loss: (range(SATURATED_STEPS), descend_saturated(loss)) for loss in ("squares", "cross-entropy")}
    title = "A saturated neuron unlearns: output, target 0"
    charts.draw_curves(axes[0, 1], descents, x="step of gradient descent", y="output of the neuron", title=title)
    # Four points on a line; the right weights are large, so squares leave a plain in the middle of nowhere.
    x, y = np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0, 0, 1, 1])
    w, b = np.meshgrid(np.linspace(-8, 8, 121), np.linspace(-8, 8, 121))
    p = np.clip(sigmoid(w[..., None] * x + b[..., None]), 1e-12, 1 - 1e-12)
    losses = {"squares": np.mean((p - y) ** 2, axis=-1), "cross-entropy": np.mean(cross_entropy(y, p), axis=-1)}
    for panel, (name, loss) in zip(axes[1], losses.items(), strict=True):
        shade = panel.contourf(w, b, loss, levels=16, cmap="viridis")
        figure.colorbar(shade, ax=panel, label="loss")
        panel.grid(False)
        shape = "plains where nothing pulls" if name == "squares" else "one valley, downhill from everywhere"
        panel.set(xlabel="weight", ylabel="bias", title=f"{name}: {shape}")
    return figure


def compare_line(X: np.ndarray, y: np.ndarray, report: reporting.Report) -> Any:
    """Cuts tumours by size, with a straight line and with a neuron, before and after one very large tumour came.

    Args:
        X: the size (rows, 1), in the unit of the data, which its authors do not name.
        y: 1 for malignant (rows,).
        report: of the run.

    Returns:
        The figure.
    """
    report.section("A straight line as a classifier, and one very large tumour")
    large, seed = 5 * X.max(), report.arguments.seed
    sets = {"as measured": (X, y), "one large tumour more": (np.append(X, [[large]], axis=0), np.append(y, 1))}
    figure, axes = plots.subplots(1, 2, width=7)
    rows = []
    for panel, (title, (sizes, targets)) in zip(axes[0], sets.items(), strict=True):
        slope, intercept = np.polyfit(sizes[:, 0], targets, 1)
        middle, spread = X.mean(), X.std()
        scaled, title_of_run = (sizes - middle) / spread, f"neuron, {title}"
        model = report.engine.build(1, seed)
        report.engine.train(model, scaled, targets[:, None], plan_of(report.arguments), seed, title=title_of_run)
        (weight,), bias = (array.ravel() for array in model.get_weights())
        cuts = {"line": (THRESHOLD - intercept) / slope, "neuron": float(middle - spread * bias[0] / weight)}
        for name, cut in cuts.items():
            missed = int(np.sum((X[:, 0] < cut) & (y == 1)))
            rows.append([title, name, f"{cut:.1f}", f"{missed} of {int(y.sum())}"])
        grid = np.linspace(X.min(), 1.3 * X.max(), 200)
        panel.plot(X[:, 0], y, "o", color=plots.BLACK, alpha=0.25, label="tumours")
        curves = {
            "line": slope * grid + intercept,
            "neuron": sigmoid(weight * (grid - middle) / spread + bias),
        }
        for (name, curve), colour in zip(curves.items(), (plots.VERMILION, plots.BLUE), strict=True):
            panel.plot(grid, curve, color=colour, linewidth=2.2, label=f"{name}, cut at {cuts[name]:.1f}")
            panel.axvline(cuts[name], color=colour, linestyle=":")
        panel.set(xlabel="mean radius", ylabel="malignant (1) or benign (0)", title=title, ylim=(-0.3, 1.3))
        panel.legend(loc="center right")
    print(metrics.table(["data", "classifier", "cut at", "malignant ones missed"], rows))
    return figure


def load_tumours(path: Any) -> tuple[np.ndarray, np.ndarray, list[bundle.Input], tuple[str, ...], str]:
    """Returns X (rows, features), y (rows,), the inputs, the classes and the source: the lesson's or one's own."""
    if path is not None:
        table = tables.read_table(path, at_least=8)
        X, y = table.split_two_classes()
        table.check_classes(y, at_least=4)
        return X, y, tables.describe(table)[:-1], (f"{table.names[-1]} = 0", f"{table.names[-1]} = 1"), table.source
    from sklearn.datasets import load_breast_cancer

    cases = load_breast_cancer()
    X, y = cases.data.astype(np.float32), 1 - cases.target  # scikit-learn has 1 for benign
    ranges = [(float(f"{column.min():.6g}"), float(f"{column.max():.6g}")) for column in X.T]
    inputs = [bundle.Input(str(name), "", *ends) for name, ends in zip(cases.feature_names, ranges, strict=True)]
    return X, y.astype(np.float32), inputs, CLASSES, f"breast cancer, scikit-learn's ({len(X)} rows)"


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    parser = cli.lesson_parser(
        docstring, epochs=str(EPOCHS), batch_size=str(BATCH_SIZE), learning_rate=str(LEARNING_RATE), optimizer="adam"
    )
    return cli.parse_lesson(parser, argv)


KERAS = Engine("keras", __doc__, device.prepare, device.seeded(build_neuron), train)


def main(argv: Sequence[str] | None = None, engine: Engine = KERAS) -> dict[str, float]:
    """Shows the tables, trains, compares, saves and draws; returns the metrics."""
    arguments = parse(engine.docstring, argv)
    report = reporting.Report("logistic_regression", arguments, engine)
    X, y, inputs, classes, source = load_tumours(arguments.data)
    is_ours = arguments.data is None
    report.data(source)
    print(f"Engine    {engine.prepare(arguments.seed)}")
    show_tables(report)
    figures = {"basics": draw_basics()}
    if is_ours:
        figures["line"] = compare_line(X[:, :1], y, report)

    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    report.section("One neuron, all features: three quarters of the rows to train on, one to test")
    # The same rows are held back whatever the seed: results of two runs can be compared.
    split = train_test_split(X, y, test_size=0.25, stratify=y, random_state=1)
    X_train, X_test, y_train, y_test = split
    scaler = StandardScaler().fit(X_train)
    model = engine.build(X.shape[1], arguments.seed)
    history = engine.train(
        model, scaler.transform(X_train).astype(np.float32), y_train[:, None], plan_of(arguments), arguments.seed,
        title="neuron", checkpoint=report.checkpoint("logistic_regression"), resume=arguments.resume,
    )  # fmt: skip
    for part, features, targets in (("train", X_train, y_train), ("test", X_test, y_test)):
        probability = training.predict(model, scaler.transform(features).astype(np.float32))
        report.result(metrics.two_classes(part, targets, probability, THRESHOLD))
    report.expect("test_accuracy", 0.96)
    matrix = metrics.confusion_matrix(y_test, (probability[:, 0] >= THRESHOLD).astype(int), 2)
    figures["confusion"] = charts.confusion_matrix(matrix, classes, f"{report.metrics['test_accuracy']:.1%} right")
    figures["loss"], axes = plots.subplots(width=8)
    charts.draw_losses(axes, {"training": history}, y="cross-entropy", title="One neuron learns")

    name = bundle.name_for("logistic_regression", quick=arguments.quick)
    paths = bundle.save(
        arguments.models, name, model, lesson="logistic_regression", data=source, seed=arguments.seed, inputs=inputs,
        classes=classes, metrics=report.metrics, scaler=scaler, threshold=THRESHOLD,
    )  # fmt: skip
    report.saved(*paths)
    if not arguments.no_plots:
        for title, figure in figures.items():
            report.saved(plots.save(figure, arguments.plots / f"logistic_regression-{title}.png"))
    no_band = reporting.why_no_band(arguments) if is_ours else "the table is your own"
    return report.finish(no_band=no_band)


if __name__ == "__main__":
    cli.run(main)

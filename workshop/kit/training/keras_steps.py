"""The training steps of a Keras model, for `fitting`: compiled on TensorFlow, one call each on its other backends."""

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from workshop.kit import device, files
from workshop.kit.lazy import keras, load, tensorflow
from workshop.kit.saving.model import Preprocess, samples_at_once
from workshop.kit.training import batching
from workshop.kit.training import run as training_run


def evaluate(
    model: Any,
    X: np.ndarray,
    y: np.ndarray,
    *,
    preprocess: Preprocess | None = None,
    preprocess_targets: Preprocess | None = None,
) -> dict[str, float]:
    """Returns the loss and the metrics that the model was compiled with, over all of (X, y)."""
    results: list[dict[str, Any]] = []
    sizes: list[int] = []
    for rows in batching.batches(len(X), samples_at_once(X)):
        batch = X[rows] if preprocess is None else preprocess(X[rows])
        targets = y[rows] if preprocess_targets is None else preprocess_targets(y[rows])
        results.append(model.test_on_batch(batch, targets, return_dict=True))
        sizes.append(len(y[rows]))
        files.release_pages(X)
    # Keras forgets the batches before at each call.
    return {name: float(np.average([one[name] for one in results], weights=sizes)) for name in results[0]}


class KerasRun(training_run.Run):
    """The training steps of one Keras model on one set of data."""

    engine = "keras"

    def __init__(
        self,
        model: Any,
        X: np.ndarray,
        y: np.ndarray,
        preprocess: Preprocess | None,
        preprocess_targets: Preprocess | None = None,
    ) -> None:
        self.samples = len(X)
        self.takes_epochs_together = keras.config.backend() == "tensorflow" and not device.is_distributed()
        self._model, self._X, self._y = model, X, y
        self._preprocess = preprocess or (lambda batch: batch)
        self._preprocess_targets = preprocess_targets or (lambda batch: batch)
        with device.on_all_devices():
            model.optimizer.build(model.trainable_variables)
            # The metrics make their variables at their first use, and the compiled loop must know their names before.
            first = keras.ops.convert_to_tensor(self._preprocess(X[:1]))
            targets = keras.ops.convert_to_tensor(self._preprocess_targets(y[:1]))
            model.compute_metrics(first, targets, model(first, training=False), None)
            model.reset_metrics()
        self.names = list(model.get_metrics_result())
        self._compiled: Callable[[np.ndarray, int], np.ndarray] | None = None  # of many steps
        self._step: Callable[..., Any] | None = None  # of one
        self._step_takes: Any = None  # the batches that it was compiled for

    def steps(self, orders: np.ndarray, batch_size: int) -> np.ndarray:
        """Takes the steps over the samples in these orders; returns the metrics, (segments, names)."""
        if device.is_distributed():
            return np.stack([self.fit_on(self._batches(order, batch_size)) for order in orders])
        if not self.takes_epochs_together:
            return self._steps_plainly(orders, batch_size)
        if self._compiled is None:
            # Only now: a checkpoint that is refused was read before, and its error does not wait for the compiler.
            self._compiled = self._compile()
        return self._compiled(orders, batch_size)

    def _compile(self) -> Callable[[np.ndarray, int], np.ndarray]:
        tf = tensorflow
        model, names, preprocess, targets = self._model, self.names, self._preprocess, self._preprocess_targets
        X, y = tf.constant(self._X), tf.constant(self._y)

        # The shapes are left open: a shorter last call, or another number of epochs, is not traced anew.
        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([], tf.int32)])
        def train(orders: Any, batch_size: Any) -> Any:
            segments = tf.shape(orders)[0]
            values = tf.TensorArray(tf.float32, size=segments, element_shape=[len(names)])
            for segment in tf.range(segments):
                for metric in model.metrics:
                    metric.reset_state()
                order = orders[segment]
                for start in tf.range(0, tf.size(order), batch_size):
                    rows = order[start : start + batch_size]
                    model.train_step((preprocess(tf.gather(X, rows)), targets(tf.gather(y, rows))))
                results = model.get_metrics_result()
                values = values.write(segment, tf.stack([tf.cast(results[name], tf.float32) for name in names]))
            return values.stack()

        # Traced here, once: TensorFlow takes several models trained in one program for one function traced too often.
        traced = train.get_concrete_function()
        return lambda orders, batch_size: traced(tf.constant(orders), tf.constant(batch_size)).numpy()

    def _batches(self, order: np.ndarray, batch_size: int) -> Any:
        """Returns the samples in this order as a tf.data.Dataset of batches."""
        tf = tensorflow
        X, y = tf.constant(self._X), tf.constant(self._y)
        rows = tf.data.Dataset.from_tensor_slices(order).batch(batch_size)
        return rows.map(
            lambda rows: (self._preprocess(tf.gather(X, rows)), self._preprocess_targets(tf.gather(y, rows)))
        )

    def fit_on(self, batches: Any) -> np.ndarray:
        """Takes a step on each of these batches.

        Args:
            batches: a tf.data.Dataset of (inputs, targets).

        Returns:
            The mean of each metric, (names,).
        """
        model = self._model
        if device.is_distributed() or keras.config.backend() != "tensorflow":
            # Keras' own fit parts a batch where there are several devices. It costs a tenth of a second an epoch.
            history = model.fit(batches, epochs=1, shuffle=False, verbose=0).history
            return np.array([history[name][0] for name in self.names])
        if self._step is None or self._step_takes != batches.element_spec:
            self._step_takes = batches.element_spec
            step = tensorflow.function(lambda *batch: model.train_step(batch), input_signature=batches.element_spec)
            self._step = step.get_concrete_function()
        model.reset_metrics()
        for inputs, targets in batches:
            self._step(inputs, targets)
        results = model.get_metrics_result()
        return np.array([float(results[name]) for name in self.names])

    def _steps_plainly(self, orders: np.ndarray, batch_size: int) -> np.ndarray:
        """The same steps, one call each: for the other backends of Keras."""
        values = []
        for order in orders:
            results, sizes = [], []
            for rows in batching.batches(len(order), batch_size):
                batch = self._preprocess(self._X[order[rows]])
                targets = self._preprocess_targets(self._y[order[rows]])
                result = self._model.train_on_batch(batch, targets, return_dict=True)
                results.append([float(result[name]) for name in self.names])
                sizes.append(len(order[rows]))
            values.append(np.average(results, axis=0, weights=sizes))  # Keras forgets the batches before at each call
        return np.array(values)

    def evaluate(self, X: np.ndarray, y: np.ndarray) -> dict[str, float]:
        """Returns loss and metrics over all of (X, y)."""
        return evaluate(self._model, X, y, preprocess=self._preprocess, preprocess_targets=self._preprocess_targets)

    def get_weights(self) -> list[np.ndarray]:
        """Returns the weights, copied."""
        return list(self._model.get_weights())

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Puts weights in."""
        self._model.set_weights(weights)

    @property
    def _variables(self) -> list[Any]:
        # Random generators (Dropout) are among them: Keras' own checkpoint leaves these out, and without them a resumed
        # run draws other numbers than the run that was never stopped.
        return [*self._model.variables, *self._model.optimizer.variables]

    def state(self) -> dict[str, np.ndarray]:
        """Returns the model's variables and the optimizer's."""
        state = {f"variable_{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(self._variables)}
        if keras.config.backend() == "torch":  # its Dropout draws from one generator for all
            state["generator"] = load("torch").get_rng_state().numpy()
        return state

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Puts them back."""
        values = [state[f"variable_{i}"] for i in range(len(self._variables))]
        for variable, value in zip(self._variables, values, strict=True):
            variable.assign(value)
        if "generator" in state:
            load("torch").set_rng_state(load("torch").from_numpy(state["generator"]))

    def describe(self) -> dict[str, Any]:
        """Returns backend, optimizer, loss, layers and data."""
        model = self._model
        optimizer = model.optimizer.get_config()
        optimizer.pop("name", None)
        return {
            "backend": keras.config.backend(),
            "optimizer": json.dumps(
                optimizer, sort_keys=True, default=lambda value: getattr(value, "get_config", str)()
            ),
            "loss": str(getattr(model.loss, "name", getattr(model.loss, "__name__", model.loss))),
            "layers": json.dumps([_describe(layer) for layer in model.layers], sort_keys=True, default=lambda _: ""),
            "weights": [[list(weight.shape), str(weight.dtype)] for weight in model.variables],
            "X": training_run.digest(self._X),
            "y": training_run.digest(self._y),
        }

    def bar(self, target: int, unit: str) -> Any:
        """Returns Keras' own progress bar; in a file or a pipe it is one line at its end."""
        verbose = 1 if sys.stdout.isatty() else 2
        return keras.utils.Progbar(target, unit_name=unit, verbose=verbose, interval=0.2, stateful_metrics=self.names)


def _describe(layer: Any) -> Any:
    """Returns a layer's type and settings without the names, which count up with every model that a program builds."""

    def unnamed(value: Any) -> Any:
        if isinstance(value, dict):
            # A precision has nothing but a name ("float32"), which says what it is.
            return {key: unnamed(one) for key, one in value.items() if key != "name" or len(value) == 1}
        return [unnamed(one) for one in value] if isinstance(value, list | tuple) else value

    if hasattr(layer, "layers"):  # a model within the model
        return [type(layer).__name__, [_describe(one) for one in layer.layers]]
    try:
        return [type(layer).__name__, unnamed(layer.get_config())]
    except NotImplementedError:  # a layer of one's own that does not describe itself
        return [type(layer).__name__]

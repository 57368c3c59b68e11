"""The machine that the lessons run on: seeds, determinism, the graphics card."""

import contextlib
import os
from collections.abc import Callable
from typing import Any

from workshop.kit.lazy import held_back_stderr, keras, tensorflow


def seeded(build: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function that builds a Keras model and takes a seed as its last argument.

    Each model of a lesson starts from the seed, so that it is the same whichever was trained before it.
    """

    def build_from(*arguments: Any) -> Any:
        keras.utils.set_random_seed(arguments[-1])
        return build(*arguments[:-1])

    return build_from


def prepare(seed: int) -> str:
    """Makes the run reproducible, and ready for a GPU where there is one.

    Python's, NumPy's and the backend's generators start from `seed`, and operations that could add up in a different
    order each time are told not to. Call it once, before the first model is built.

    Returns:
        What the run uses, in words: "Keras 3.15.1 on tensorflow, 2 CPU cores".
    """
    keras.utils.set_random_seed(seed)
    device = f"{os.cpu_count()} CPU cores"
    if keras.config.backend() == "tensorflow":
        tensorflow.config.experimental.enable_op_determinism()
        with held_back_stderr():  # without a GPU the CUDA libraries complain that there is none
            gpus = tensorflow.config.list_physical_devices("GPU")
        for gpu in gpus:
            # Otherwise TensorFlow takes all of the card's memory, and a second program finds none. It refuses where the
            # card is in use already, by the lesson that ran before in this process.
            with contextlib.suppress(RuntimeError):
                tensorflow.config.experimental.set_memory_growth(gpu, True)
        if gpus:
            details = tensorflow.config.experimental.get_device_details(gpus[0])
            device = f"GPU {details.get('device_name', gpus[0].name)}" + (
                f" and {len(gpus) - 1} more" * (len(gpus) > 1)
            )
    return f"Keras {keras.__version__} on {keras.config.backend()}, {device}"

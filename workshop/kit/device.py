"""The machine that the lessons run on: seeds, determinism, graphics cards, and the precision that they compute in."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit import processes
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import held_back_stderr, keras, load, tensorflow

# What `--precision` takes. The mixed ones multiply in 16 bits and keep the weights in 32.
PRECISIONS = ("auto", "float32", "mixed_float16", "mixed_bfloat16")

_SECONDS_TO_JOIN = 120
_SECONDS_OF_SILENCE = 30  # of a process that is then taken for lost

_strategy: Any = None  # of several graphics cards, while a lesson uses them
_distribution: Any = None  # of several processes, while they share a lesson


def is_distributed() -> bool:
    """Whether the models of this lesson train on several devices at once, a part of each batch on each."""
    return _strategy is not None


@contextlib.contextmanager
def scope(seed: int) -> Iterator[None]:
    """Starts all random generators from `seed`; a model that is built within gets a copy on each device in use.

    Each model of a lesson starts from the seed, so that it is the same whichever was trained before it.
    """
    keras.utils.set_random_seed(seed)
    if _distribution is not None:
        keras.distribution.set_distribution(_distribution)  # until the training is over: see `gather`
    with on_all_devices():
        yield


def gather(model: keras.Model) -> keras.Model:
    """Returns a trained model as each process has it for itself, where several shared its training.

    The variables of a shared model belong to all processes, and so do its predictions: none can read them alone.
    """
    if _distribution is None:
        return model
    keras.distribution.set_distribution(None)
    own = keras.models.clone_model(model)
    own.set_weights(model.get_weights())
    own.compile_from_config(model.get_compile_config())
    return own


def steps_per_execution() -> int:
    """Returns how many steps one call of the compiled training makes: the same steps, with less work between them.

    Keras takes more than one on TensorFlow and JAX only.
    """
    return 1 if keras.config.backend() == "torch" else 32


@contextlib.contextmanager
def on_all_devices() -> Iterator[None]:
    """A context; a model built within it gets a copy on each device, where the lesson uses several."""
    with _strategy.scope() if _strategy is not None else contextlib.nullcontext():
        yield


def prepare(seed: int, precision: str = "float32") -> str:
    """Makes the run reproducible, and ready for a GPU where there is one, or for several.

    Python's, NumPy's and the backend's generators start from `seed`, and operations that could add up in a different
    order each time are told not to. Call it once, before the first model is built.

    Args:
        seed: a whole number.
        precision: one of `PRECISIONS`; "auto" takes 16 bits where they are known to be faster: on a CPU with units for
            them (AMX), if a short measurement agrees. On a GPU the lessons' networks were slower in 16 bits.

    Returns:
        What the run uses, in words: "Keras 3.15.1 on tensorflow, 2 CPU cores".
    """
    global _strategy, _distribution
    backend = keras.config.backend()
    _distribution = _join(backend) if processes.count() > 1 else None
    keras.utils.set_random_seed(seed)
    gpus: list[str] = []
    devices: list[str] = []
    if backend == "tensorflow":
        tensorflow.config.experimental.enable_op_determinism()
        gpus = _tensorflow_gpus()
        devices = _devices_to_share()
    elif backend == "torch" and load("torch").cuda.is_available():
        gpus = [load("torch").cuda.get_device_name()]
    elif backend == "jax":
        gpus = [gpu.device_kind for gpu in load("jax").devices() if gpu.platform == "gpu"]
    _strategy = tensorflow.distribute.MirroredStrategy(devices) if len(devices) > 1 else None
    policy = choose_precision(precision, bool(gpus))
    keras.config.set_dtype_policy(policy)
    parts = [f"Keras {keras.__version__} on {backend}"]
    if gpus:
        parts.append(f"GPU {gpus[0]} and {len(gpus) - 1} more" if len(gpus) > 1 else f"GPU {gpus[0]}")
    else:
        parts.append(f"{os.cpu_count()} CPU cores")
    if len(devices) > 1:
        parts.append(f"each batch shared by {len(devices)} devices")
    if _distribution is not None:
        parts.append(f"each batch shared by {processes.count()} processes")
    if policy != "float32":
        parts.append(policy)
    return ", ".join(parts)


def _join(backend: str) -> keras.distribution.DataParallel:
    """Makes the processes of this training known to one another; returns how Keras divides the batches.

    Raises:
        WorkshopError: Keras does not run on JAX, or the address of the first process is missing.
    """
    address = os.environ.get(f"{processes.KERAS_PREFIX}JOB_ADDRESSES", "").partition(",")[0]
    if backend != "jax":
        raise WorkshopError(
            f"Keras runs on {backend}: several processes share a training on JAX: set KERAS_BACKEND=jax"
        )
    if not re.fullmatch(r"\S+:\d+", address):
        raise WorkshopError(
            f"the environment variable {processes.KERAS_PREFIX}JOB_ADDRESSES is {address!r}, it takes HOST:PORT of the "
            f"first process"
        )
    jax = load("jax")
    if not jax.distributed.is_initialized():
        jax.config.update("jax_cpu_collectives_implementation", "gloo")  # without it processors do not add up
        # The processes speak to one another, not to a proxy that the machine has for the world outside.
        os.environ.setdefault("no_grpc_proxy", address.rpartition(":")[0])
        # `keras.distribution.initialize` does the same, and waits 5 minutes for a process that will not come.
        with held_back_stderr():
            jax.distributed.initialize(
                address,
                processes.count(),
                processes.index(),
                initialization_timeout=_SECONDS_TO_JOIN,
                heartbeat_timeout_seconds=_SECONDS_OF_SILENCE,
            )
    multihost = load("jax.experimental.multihost_utils")

    def broadcast(content: bytes | None) -> bytes | None:
        size = int(multihost.broadcast_one_to_all(np.int32(-1 if content is None else len(content))))
        if size < 0:
            return None
        own = np.frombuffer(content or b"", np.uint8) if processes.is_first() else np.zeros(size, np.uint8)
        return np.asarray(multihost.broadcast_one_to_all(own), np.uint8).tobytes()

    processes.join(broadcast, copies=jax.local_device_count())
    # The batches come divided: Keras' own way gives a last batch without equal parts to some processes only.
    return keras.distribution.DataParallel(auto_shard_dataset=False)


def _tensorflow_gpus() -> list[str]:
    """Returns the names of the GPUs, and lets TensorFlow take their memory only as it needs it."""
    with held_back_stderr():  # without a GPU the CUDA libraries complain that there is none
        gpus = tensorflow.config.list_physical_devices("GPU")
    names = []
    for gpu in gpus:
        # Otherwise TensorFlow takes all of the card's memory, and a second program finds none. It refuses where the
        # card is in use already, by the lesson that ran before in this process.
        with contextlib.suppress(RuntimeError):
            tensorflow.config.experimental.set_memory_growth(gpu, True)
        names.append(tensorflow.config.experimental.get_device_details(gpu).get("device_name", gpu.name))
    return names


def _devices_to_share() -> list[str]:
    """Returns TensorFlow's names of the devices that share a batch: the GPUs."""
    with held_back_stderr():
        return [gpu.name for gpu in tensorflow.config.list_logical_devices("GPU")]


def choose_precision(precision: str, has_gpu: bool) -> str:
    """Returns the dtype policy for what `--precision` says, as Keras names it.

    Args:
        precision: one of `PRECISIONS`.
        has_gpu: whether the lesson computes on a GPU.
    """
    if precision != "auto":
        return precision
    # A GPU waits for the next step of networks as small as these: casting to 16 bits is one more thing to start. A CPU
    # without units for it turns each bfloat16 into a float32 and back. With them (AMX) it is twice as fast.
    can = not has_gpu and keras.config.backend() == "tensorflow" and "amx_bf16" in cpu_flags()
    return "mixed_bfloat16" if can and bfloat16_speedup() > 1.3 else "float32"


def cpu_flags() -> set[str]:
    """Returns what Linux says that the processor can do ("avx2", "amx_bf16"); nothing on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return set()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


def bfloat16_speedup(repeats: int = 5) -> float:
    """Measures, in a fraction of a second, how many times as fast a convolution learns in bfloat16 as in float32."""
    tf = tensorflow
    seconds = {}
    for dtype in (tf.float32, tf.bfloat16):
        images, kernel = tf.ones((32, 28, 28, 32), dtype), tf.ones((3, 3, 32, 64), dtype)
        times = []
        for _ in range(repeats + 1):
            start = time.perf_counter()
            with tf.GradientTape() as tape:
                tape.watch(kernel)
                output = tf.nn.conv2d(images, kernel, 1, "SAME")
            tape.gradient(output, kernel).numpy()
            times.append(time.perf_counter() - start)
        seconds[dtype] = min(times[1:])  # the first one also sets up
    return seconds[tf.float32] / seconds[tf.bfloat16]

"""The machine that PyTorch computes on: its graphics card or its cores, seeds, determinism, and the precision.

What `workshop/kit/device.py` is for Keras.
"""

import os

import torch

from workshop.kit import processes
from workshop.kit.saving.architecture import Architecture
from workshop.pytorch.kit import distributed

# Multiplications: 784-128-10 on 64 images takes 7 million, 784-500-300-10 on 128 images 70, the CNN 170. One core takes
# 4 ms for the 70 million; two took 25 times as long while another program used one of them.
_SMALL_STEP = 80_000_000

# What `--precision` means to PyTorch: the type that it multiplies in.
_MULTIPLIES_IN = {"float32": None, "mixed_float16": torch.float16, "mixed_bfloat16": torch.bfloat16}
_autocast: torch.dtype | None = None  # of the lesson that runs


def choose_device(dtype: torch.dtype = torch.float32) -> torch.device:
    """Returns the graphics card where there is one that works in `dtype`, else the processor.

    An NVIDIA card is told to convolve in full single precision: by itself it would round to 10 bits on the way, and
    answer otherwise than the other engines.
    """
    if torch.cuda.is_available():
        torch.backends.cudnn.allow_tf32 = False
        return torch.device("cuda")
    is_apple = torch.backends.mps.is_available() and dtype != torch.float64  # which Apple's cards do not have
    is_apple &= processes.count() == 1  # nor what adds up the gradients of several processes
    return torch.device("mps" if is_apple else "cpu")


def choose_threads(architecture: Architecture, batch_size: int) -> int:
    """Returns how many cores train a network: all of them, or one where the steps are small.

    A step of few multiplications is over before a second core has heard of it; and where another program takes that
    core, the two wait for each other. The steps through a sequence come one after the other and are small, too: two
    cores took three times as long.

    Args:
        architecture: the network's description.
        batch_size: samples per step.
    """
    is_recurrent = any("recurrent_kernel" in weights for weights in architecture.weight_shapes())
    is_small = is_recurrent or architecture.multiplications() * batch_size < _SMALL_STEP
    # Those that a cluster's scheduler gave to this process, where it gives it fewer.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if is_small else max(1, cores // distributed.processes_on_this_machine())


def prepare(seed: int, precision: str = "float32", *, on_cpu: bool = False) -> str:
    """Makes the run reproducible; returns what it uses, in words: "PyTorch 2.13.0, 2 CPU cores".

    Args:
        seed: a whole number.
        precision: one of `device.PRECISIONS`; "auto" is "float32": on a GPU these networks were slower in 16 bits.
        on_cpu: whether the lesson leaves a GPU alone: the steps on a small table are over before it has begun.
    """
    global _autocast
    sharing = distributed.join()
    is_gpu = not on_cpu and choose_device().type == "cuda"
    chosen = "float32" if precision == "auto" else precision
    _autocast = _MULTIPLIES_IN[chosen]
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # With it PyTorch also fills all new memory, which costs a tenth of the time and changes nothing here.
    torch.utils.deterministic.fill_uninitialized_memory = False
    where = torch.cuda.get_device_name() if is_gpu else f"{os.cpu_count()} CPU cores"
    parts = [f"PyTorch {torch.__version__.partition('+')[0]}", where, sharing, "" if chosen == "float32" else chosen]
    return ", ".join(part for part in parts if part)


def autocast_dtype() -> torch.dtype | None:
    """Returns the type of 16 bits that the lesson which was prepared last multiplies in, or None for 32 bits."""
    return _autocast


def autocast() -> torch.autocast:
    """Returns a context in which a network multiplies in the 16 bits that `--precision` asks for, or as it is."""
    return torch.autocast(choose_device().type, _autocast, enabled=_autocast is not None)


def grad_scaler() -> torch.amp.GradScaler:
    """Returns what scales a loss up and its gradients down again: in float16 the smallest gradients would be 0.

    In other precisions it passes on what it gets. It begins with 1,024: with PyTorch's own 65,536 the first gradients
    are too large for float16, and the first steps are left out.
    """
    return torch.amp.GradScaler(choose_device().type, init_scale=2.0**10, enabled=_autocast is torch.float16)

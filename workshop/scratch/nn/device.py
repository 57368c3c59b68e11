"""The machine that the NumPy engine computes on: one core."""

import os

import numpy as np
import threadpoolctl

from workshop.kit.errors import WorkshopError


def prepare(precision: str = "float32") -> str:
    """Readies NumPy; returns what the run uses, in words.

    There is nothing to seed: a network draws from a generator of its own. Products of matrices are computed by one
    core. The matrices of a batch are so small that a second one hardly helps; where another program takes it, the two
    wait for each other, and a step lasts ten times as long.

    Raises:
        WorkshopError: another precision than 32 bits is asked for; NumPy would be slower in 16.
    """
    if precision not in ("auto", "float32"):
        raise WorkshopError(f"--precision: got {precision}, the NumPy engine takes auto or float32")
    threadpoolctl.threadpool_limits(1, user_api="blas")
    return f"NumPy {np.__version__}, 1 of {os.cpu_count()} CPU cores"

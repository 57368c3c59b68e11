"""Trainings side by side: in processes of this machine, or on the workers of a cluster."""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib.util
import io
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from workshop.kit.data.images import ImageSet, load_image_set
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras, tensorflow
from workshop.kit.report import Report

T = TypeVar("T")

# --- Side by side -----------------------------------------------------------------------------------------------------


def choose_jobs(report: Report) -> None:
    """Chooses how many processes run side by side, and says where."""
    arguments, cores = report.arguments, os.cpu_count() or 1
    arguments.cores = None  # all there are
    engine = "the lesson's own" if arguments.grid else "Keras"
    if arguments.cluster:
        report.engine(f"{engine}, on the workers of {arguments.cluster}")
        return
    if arguments.jobs is None:  # a process imports Keras first, which takes longer than a quick run
        arguments.jobs = 1 if arguments.quick or report.is_standin else min(2, cores)
    if arguments.jobs == 1:
        report.engine(f"{engine}, CPU cores: {cores}")
        return
    arguments.cores = max(1, cores // arguments.jobs)
    report.engine(f"{engine}, in {arguments.jobs} processes, CPU cores each: {arguments.cores}")


_one_at_a_time = threading.Lock()


def run_task(name: str, task: Callable[[], T], cores: int | None) -> tuple[str, T]:
    """Runs a task in whatever process it was sent to; returns its name as well, as the next one may be done before.

    Args:
        name: of the task.
        task: prepared with its arguments.
        cores: how many it may use; None, all there are.
    """
    # The screen and Keras' seed are the process's: a worker of Dask that has several threads takes one at a time.
    with _one_at_a_time, contextlib.redirect_stdout(io.StringIO()):
        if keras.config.backend() == "tensorflow":  # this imports Keras, before any clock is started
            # It takes the networks of one process, each compiled once, for one that is compiled too often.
            tensorflow.get_logger().setLevel("ERROR")
            if cores is not None:  # the other backends are told by joblib
                with contextlib.suppress(RuntimeError):  # this process has computed before, with as many cores
                    tensorflow.config.threading.set_intra_op_parallelism_threads(cores)
                    tensorflow.config.threading.set_inter_op_parallelism_threads(cores)
        try:
            return name, task()
        finally:
            keras.utils.clear_session()  # the next network is built in the memory of this one


def side_by_side(tasks: Mapping[str, Callable[[], T]], arguments: argparse.Namespace) -> Iterator[tuple[str, T]]:
    """Yields the result of each task, with its name, as soon as it is finished.

    Raises:
        WorkshopError: no scheduler or no worker answers, or a process was ended by the system.
    """
    from joblib import Parallel, delayed, parallel_config

    if not tasks:
        return
    with contextlib.ExitStack() as stack:
        backend = {"backend": "loky", "n_jobs": arguments.jobs}
        if arguments.cluster:
            backend = {"backend": "dask", "n_jobs": -1, "client": stack.enter_context(connect(arguments.cluster))}
        # A process that has grown is replaced by a new one, which is no reason to warn.
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        # A row is sent when there is a process for it, and no more than one: what is finished comes back at once.
        with parallel_config(**backend):
            parallel = Parallel(batch_size=1, pre_dispatch="n_jobs", return_as="generator_unordered")
        try:
            yield from parallel(delayed(run_task)(name, task, arguments.cores) for name, task in tasks.items())
        except BrokenProcessPool as error:
            raise WorkshopError(
                "a process was ended from outside, perhaps out of memory: the same command goes on with the missing "
                "rows; use --jobs 1 to need less"
            ) from error


# --- A cluster --------------------------------------------------------------------------------------------------------

CONNECT_SECONDS = 10


def check_dask() -> None:
    """Checks that Dask is there, before anything runs.

    Raises:
        WorkshopError: it is not installed.
    """
    if importlib.util.find_spec("distributed") is None:
        raise WorkshopError('--cluster: Dask is not installed: python -m pip install "dask[distributed]"')


@contextlib.contextmanager
def connect(address: str) -> Iterator[Any]:
    """Connects to the scheduler of Dask at an address.

    Raises:
        WorkshopError: there is none, or it has no workers.
    """
    from distributed import Client

    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise WorkshopError(
            f"--cluster {address}: no scheduler answers there; `dask scheduler` starts one and prints its address, "
            f"such as tcp://HOST:8786"
        ) from error
    with client:
        if not client.scheduler_info()["workers"]:
            raise WorkshopError(
                f"--cluster {address}: the scheduler has no workers; `dask worker {address} --nthreads 1` starts one"
            )
        yield client


class ImageSource(NamedTuple):
    """The place of the images on another machine: as a lesson would find them there.

    Attributes:
        name: of the set.
        folder: that `--data` names.
        quick: whether the first images are enough.
        title: of the set that was found here, which it must be there.
    """

    name: str
    folder: Path | None
    quick: bool
    title: str


@functools.cache
def load_here(source: ImageSource) -> ImageSet:
    """Loads the images on a machine of a cluster, once for all rows that it trains."""
    images = load_image_set(source.name, source.folder, quick=source.quick)
    if images.source != source.title:
        raise WorkshopError(
            f"--cluster: a worker found {images.source}, not {source.title}: set WORKSHOP_DATA to a folder there"
        )
    return images


def on_images(task: Callable[..., T], source: ImageSet | ImageSource, *arguments: Any) -> T:
    """Runs a task on the images that came with it or, on a machine of a cluster, are found there."""
    return task(load_here(source) if isinstance(source, ImageSource) else source, *arguments)

"""A training that several processes share, started by `torchrun` on one machine or on several.

    torchrun --nproc-per-node 2 -m workshop.pytorch.mnist

torchrun starts the same program twice and tells each process its number. `join` makes them known to one another, the
sampler `SharedBatches` gives each its part of every batch, and `shared` makes their gradients one.
"""

import datetime
import os
import signal
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from workshop.kit import processes
from workshop.kit.errors import WorkshopError
from workshop.pytorch.kit.dataset import SeededBatches

# The first process evaluates and draws between two trainings, while the others wait for it.
_PATIENCE = datetime.timedelta(minutes=5)


def join() -> str:
    """Makes the processes of this training known to one another; returns how many, in words, or an empty text.

    Raises:
        WorkshopError: the variables that torchrun sets are not all there, or the others are not.
    """
    if processes.count() == 1:
        return ""
    here = int(os.environ.get("LOCAL_RANK", 0))
    gpus = torch.cuda.device_count()
    if gpus:
        torch.cuda.set_device(here % gpus)
    # NVIDIA's library takes one GPU a process; gloo, which works everywhere, goes through the processor's memory.
    has_own = 0 < int(os.environ.get("LOCAL_WORLD_SIZE", 1)) <= gpus
    if not distributed.is_initialized():
        try:
            distributed.init_process_group("cpu:gloo,cuda:nccl" if has_own else "gloo", timeout=_PATIENCE)
        except (RuntimeError, ValueError) as error:
            raise WorkshopError(f"the processes of this training did not find one another: {error}") from error
        signal.signal(signal.SIGTERM, _end)  # torchrun's way to end the others
    processes.join(_broadcast, _total)
    return f"each batch shared by {processes.count()} processes"


def shared(network: nn.Module) -> nn.Module:
    """Returns a network for the forward pass, whose backward pass makes the gradients the mean of all processes'.

    Where the training is not shared, that is the network itself. The first process' weights become those of all.
    """
    if processes.count() == 1:
        return network
    # Of a convolution of one channel, whose gradient may lie in memory in two ways that are the same.
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    return DistributedDataParallel(network)


class SharedBatches(SeededBatches):
    """The batches of `SeededBatches`, of which each process gets its part; all of them where there is one process.

    PyTorch's `DistributedSampler` gives each process batches of its own, another order than that of one process. Here
    it is the same batch, divided. A last one without equal parts goes to each process whole: the mean of the same
    gradient from all is that gradient.
    """

    def __init__(self, samples: int, batch_size: int, seed: int) -> None:
        processes.check_batch_size(batch_size)
        super().__init__(samples, batch_size, seed)

    def __iter__(self) -> Iterator[list[int]]:
        for rows in super().__iter__():
            size, rest = divmod(len(rows), processes.count())
            yield rows if rest else rows[processes.index() * size : (processes.index() + 1) * size]


def processes_on_this_machine() -> int:
    """Returns how many processes of this training have to share the cores."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if processes.count() > 1 else 1


def _broadcast(content: bytes | None) -> bytes | None:
    contents = [content]
    distributed.broadcast_object_list(contents, src=0, device=torch.device("cpu"))
    return contents[0]


def _total(values: Sequence[float]) -> list[float]:
    tensor = torch.tensor(values, dtype=torch.float64)
    distributed.all_reduce(tensor)
    return tensor.tolist()


def _end(*_: Any) -> NoReturn:
    raise processes.LostProcessError

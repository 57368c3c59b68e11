"""The processes that share one training, on one machine or on several: how many there are, and which of them this is.

Each process computes the gradients of its part of every batch, and all take the same step with the mean of them: they
have the same weights throughout, those that one process would have. The first one alone prints, plots and saves.

PyTorch's are started by `torchrun`, which says so in the variables WORLD_SIZE and RANK. Those of Keras on JAX are
started one by one, with the variables that `keras.distribution.initialize` reads.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from workshop.kit.errors import WorkshopError

KERAS_PREFIX = "KERAS_DISTRIBUTION_"
VARIABLES = {  # of each engine: how many processes, and which this is
    "torch": ("WORLD_SIZE", "RANK"),
    "keras": (f"{KERAS_PREFIX}NUM_PROCESSES", f"{KERAS_PREFIX}PROCESS_ID"),
}
_IS_CHILD = "WORKSHOP_SUPERVISED"  # set for the child that `_supervise` starts

# The words that libraries have for a process which no longer answers.
_LOST = re.compile(
    r"gloo|nccl|coordination ?service|connection (reset|closed|refused)|barrier|timed out", re.IGNORECASE
)
_LOST_TYPES = {"DistBackendError", "DistNetworkError", "DistStoreError"}  # PyTorch's
# The second line of a notice and its third, which is empty, come without a letter and a date.
_CPP_NOTICE = re.compile(r"WARNING: All log messages before absl|[IW]\d{4} |Additional GRPC error|:[A-Z]+:Error|$")
_CPP_ERROR = re.compile(r"[EF]\d{4} ")  # more lines follow


class LostProcessError(WorkshopError):
    """Another process of this training has ended, or cannot be reached."""

    def __init__(self) -> None:
        super().__init__(
            f"one of the {_share.count} processes that share this training ended, or cannot be reached (this is number "
            f"{_share.index}): see what it said; start all of them again with --resume, which goes on from the last "
            f"finished epoch"
        )


@dataclass(frozen=True)
class _Share:
    """The part of this process; `copies` is how many devices of its own it has, each with a part of a batch."""

    index: int = 0
    count: int = 1
    copies: int = 1
    broadcast: Callable[[bytes | None], bytes | None] = field(default=lambda content: content)
    total: Callable[[Sequence[float]], list[float]] = field(default=list)


_share = _Share()


def begin(engine: str, may_share: bool = False) -> None:
    """Reads from the environment whether this process shares its training with others.

    Args:
        engine: the lesson's: "keras", "torch" or "numpy".
        may_share: whether the lesson can.

    Raises:
        WorkshopError: it shares a training that cannot be shared, or its variables hold no numbers.
    """
    global _share
    _share = _Share()
    names = VARIABLES.get(engine)
    # Clusters set WORLD_SIZE for other purposes as well: it takes both to be torchrun's.
    if names is None or names[0] not in os.environ or (engine == "torch" and names[1] not in os.environ):
        return
    count, index = _whole_number(names[0], 1), _whole_number(names[1], 0)
    if count == 1:
        return
    if not index < count:
        raise WorkshopError(f"{names[1]}: got {index}, {count} processes have the numbers 0 to {count - 1}")
    if not may_share:
        raise WorkshopError(
            f"{names[0]}={count}: this lesson trains in one process, mnist in several: start it without that variable"
        )
    _share = _Share(index, count)
    if engine == "keras" and _IS_CHILD not in os.environ:
        _supervise()
    if engine == "keras":
        threading.Thread(target=_end_with_the_parent, daemon=True).start()
    if index:
        # What C++ prints as well: the first process says it all.
        sys.stdout.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _whole_number(name: str, lowest: int) -> int:
    value = os.environ.get(name, "")
    if not value.isdecimal() or int(value) < lowest:
        raise WorkshopError(f"the environment variable {name} is {value!r}, it takes a whole number from {lowest} up")
    return int(value)


def count() -> int:
    """Returns how many processes share this training; 1: it is not shared."""
    return _share.count


def index() -> int:
    """Returns the number of this process, from 0."""
    return _share.index


def parts() -> int:
    """Returns how many devices share a batch: those of all processes."""
    return _share.count * _share.copies


def is_first() -> bool:
    """Whether this process is the one that prints, plots and saves."""
    return _share.index == 0


def join(
    broadcast: Callable[[bytes | None], bytes | None],
    total: Callable[[Sequence[float]], list[float]] = list,
    copies: int = 1,
) -> None:
    """Takes note of how an engine's processes reach one another, once they do.

    Args:
        broadcast: returns, in each process, what the first one gives.
        total: returns the sums over all processes of a few numbers.
        copies: devices of each process that take a part of the batch.
    """
    global _share
    _share = replace(_share, broadcast=broadcast, total=total, copies=copies)


def from_first(content: bytes | None) -> bytes | None:
    """Returns what the first process calls this with; all of them have to."""
    return _share.broadcast(content)


def total(values: Sequence[float]) -> list[float]:
    """Returns the sums of a few numbers over all processes; all of them have to call this."""
    return _share.total(values)


def check_batch_size(batch_size: int) -> None:
    """Raises WorkshopError unless a batch can be divided into equal parts."""
    size = -(-batch_size // parts()) * parts()
    if size != batch_size:
        raise WorkshopError(f"--batch-size: got {batch_size}, which {parts()} cannot share evenly: take {size}")


def is_lost(error: BaseException) -> bool:
    """Whether an engine's error says that another process no longer answers."""
    if _share.count == 1 or isinstance(error, WorkshopError):
        return False
    return type(error).__name__ in _LOST_TYPES or bool(_LOST.search(str(error)))


# --- Keras' processes -------------------------------------------------------------------------------------------------


def _supervise() -> None:
    """Runs this command once more as a child, and ends with its exit code.

    Where a process of JAX is lost, C++ ends the others on the spot with a page of its own. The parent takes it in, and
    says it in a line.
    """
    # The child waits for the end of its input, which comes when this process ends, however it does.
    with subprocess.Popen(
        [sys.executable, *sys.orig_argv[1:]],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {_IS_CHILD: "1"},
        text=True,
        errors="replace",
    ) as child:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the child gets it too, and says what there is to say
        assert child.stderr is not None
        has_error = False
        held = ""
        for line in child.stderr:
            if line.startswith("error: "):
                has_error = True
                sys.stderr.write(line)
            elif has_error:  # all is said: what follows is C++, which ends as well
                continue
            elif held or _CPP_ERROR.match(line):
                held += line
            elif not _CPP_NOTICE.match(line):
                sys.stderr.write(line)
    if child.returncode < 0 and not has_error:
        print(f"error: {LostProcessError()}", file=sys.stderr)
    elif child.returncode > 0 and not has_error:
        sys.stderr.write(held)
    raise SystemExit(2 if child.returncode < 0 else child.returncode)


def _end_with_the_parent() -> None:
    os.read(0, 1)
    os._exit(2)

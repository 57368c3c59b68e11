"""The memory that a call takes."""

import tracemalloc
from collections.abc import Callable


def peak_bytes(call: Callable[[], object]) -> int:
    """Returns the most bytes that Python holds at once while the call runs, beyond those it held before.

    It is called twice, and the second call is measured: what the first one imports on its way is not counted.
    """
    call()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

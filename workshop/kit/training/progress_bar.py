"""The progress bar of the engines that have none of their own."""

import sys
import time
from collections.abc import Sequence


class TqdmBar:
    """A progress bar by tqdm: on a screen it moves, in a file or a pipe it is one line at its end."""

    def __init__(self, target: int, unit: str) -> None:
        from tqdm import tqdm

        self._is_shown = sys.stdout.isatty()
        self._bar = tqdm(total=target, unit=unit, file=sys.stdout, disable=not self._is_shown, dynamic_ncols=True)
        self._target, self._unit, self._started = target, unit, time.perf_counter()

    def update(self, at: int, metrics: Sequence[tuple[str, float]] = (), finalize: bool = False) -> None:
        """Moves the bar to `at` of its target and shows the metrics; `finalize` ends its line."""
        self._bar.n = at
        shown = ", ".join(f"{name}: {value:.4f}" for name, value in metrics)
        self._bar.set_postfix_str(shown, refresh=finalize)
        self._bar.update(0)
        if finalize:
            self._bar.close()
        if finalize and not self._is_shown:
            seconds = time.perf_counter() - self._started
            ending = f" - {shown}" if shown else ""
            print(f"{at}/{self._target} {self._unit}s in {seconds:.1f} s{ending}")
